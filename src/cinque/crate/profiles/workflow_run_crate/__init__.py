"""Workflow Run Crate 0.5: a workflow that was run, and what came out."""
