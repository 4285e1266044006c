"""One typed expression language for filters, derived columns and formula terms. Pure."""
