"""Clock, digests, canonical JSON, identifiers, parsing: no domain words."""
