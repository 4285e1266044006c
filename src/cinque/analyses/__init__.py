"""One module an analysis, one value each; the registry; packaging as Workflow RO-Crates."""
