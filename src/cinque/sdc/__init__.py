"""Statistical disclosure control, pure: figures in, verdicts out. No rule knows an analysis."""
