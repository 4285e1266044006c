"""Leased work between two zones, once: hub to gate, gate to enclave."""
