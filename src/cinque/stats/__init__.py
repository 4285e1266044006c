"""Federated statistics: partials, merging, combining. Pure."""
