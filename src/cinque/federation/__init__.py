"""A whole federation, in one process or in many."""
