"""For who writes a profile: tried on its examples, printed for people, packed as a crate, compared, begun."""
