"""Process Run Crate 0.5: tools that were run, and what came out."""
