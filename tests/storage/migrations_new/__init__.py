"""Example migrations of a service."""
