"""The researcher's Python face: connect, ask, wait, combine."""
