"""Provenance over crates: an index that can be deleted and rebuilt."""
