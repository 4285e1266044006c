"""Workflow RO-Crate 1.0: a workflow with what is needed to run it."""
