"""Where the exported shapes and the checker judge an example differently, and why. Exact: an entry that no longer holds
fails the tests, of pyshacl and of rocrate-validator.
"""

from __future__ import annotations

# (the rule whose mutant it is, of which example) -> the rules on which the two disagree
DISAGREE: dict[tuple[str, str], set[str]] = {
    ("RC-license/spelling", "crate"): {"RC-license"},  # `licence` is no term, so that RDF has no licence at all
}
