"""Which representation of an activity record a crate is: what 1.0 has in the place of 0.4's stages.

"working-record" and "snapshot" are told apart by `version` alone (R213), never by dates. A node provenance crate looks
like any snapshot; it is one because another crate of the same list refers to it with `about` (R245).
"""

from __future__ import annotations

from cinque.crate.index import Index, Node


def kind(index: Index, others: tuple[Index, ...] = ()) -> str:
    """ "working-record", "snapshot" or "node-provenance"."""
    root = index.root
    if root is None:
        return "working-record"
    own = canonical(index)
    if own and any(own in other.by_id and other.by_id[own].values("about") for other in others):
        return "node-provenance"
    return "snapshot" if root.values("version") else "working-record"


def canonical(index: Index) -> str:
    """The representation's identifier: the root's one `identifier` that is no PropertyValue (R207); "" for none."""
    found = representations(index)
    return found[0] if len(found) == 1 else ""


def representations(index: Index) -> list[str]:
    """Every reference in the root's `identifier` that is no PropertyValue."""
    if index.root is None:
        return []
    return [name for name in index.root.ids("identifier") if not _is_property_value(index.by_id.get(name))]


def _is_property_value(node: Node | None) -> bool:
    return node is not None and node.is_a("PropertyValue")


def record(index: Index) -> str:
    """The activity record that the crate represents (R208); "" for none."""
    found = index.root.ids("dct:isVersionOf") if index.root is not None else []
    return found[0] if len(found) == 1 else ""


def version(index: Index) -> int | None:
    """The snapshot's number (R213), None for a working record and for what is no positive integer."""
    found = index.root.values("version") if index.root is not None else []
    return found[0] if len(found) == 1 and type(found[0]) is int and found[0] > 0 else None
