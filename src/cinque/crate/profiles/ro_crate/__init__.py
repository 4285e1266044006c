"""RO-Crate 1.2: the base of every profile."""
