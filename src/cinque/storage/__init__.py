"""Databases, files by digest and the hash-chained audit, once for all services."""
