"""Provenance Run Crate 0.5: the steps and tools of a workflow's run."""
