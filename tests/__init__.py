"""A package, so that the same name in somebody else's distribution does not come first."""
