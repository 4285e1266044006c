"""A layer of data alone."""
