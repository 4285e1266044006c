"""A profile's rules as SHACL Core, from the same words that the checker reads."""
