"""Checks of a crate beside others: one record's snapshots in one line, and references that say what the crate says."""

from __future__ import annotations

from collections.abc import Iterator

from cinque.crate.index import Index, is_absolute
from cinque.crate.profiles import Subject
from cinque.crate.profiles.five_safes_1_0_draft.kinds import canonical, record, version
from cinque.crate.profiles.five_safes_1_0_draft.processes import processes
from cinque.crate.profiles.vocabulary import Hit
from cinque.crate.stages import state

_COPIED = ("version", "dct:isVersionOf", "datePublished")  # R241


def _others(subject: Subject) -> list[Index]:
    """The others of the same record, each once."""
    own = record(subject.index)
    return [other for other in subject.others or () if own and record(other) == own]


def _root(subject: Subject) -> str:
    return subject.index.root.id if subject.index.root is not None else ""


def _before(subject: Subject) -> str:
    root = subject.index.root
    found = root.ids("pav:previousVersion") if root is not None else []
    return found[0] if found else ""


def number_taken(subject: Subject) -> Iterator[Hit]:
    number = version(subject.index)
    for other in _others(subject):
        if number is not None and version(other) == number and canonical(other) != canonical(subject.index):
            yield Hit(_root(subject), canonical(other))


def number_not_greater(subject: Subject) -> Iterator[Hit]:
    number = version(subject.index)
    for other in subject.others or ():
        last = version(other)
        if canonical(other) == _before(subject) != "" and None not in (number, last) and number <= last:  # type: ignore[operator]  # neither is None
            yield Hit(_root(subject), canonical(other))


def predecessor_elsewhere(subject: Subject) -> Iterator[Hit]:
    for other in subject.others or ():
        if canonical(other) == _before(subject) != "" and record(other) != record(subject.index):
            yield Hit(_root(subject), canonical(other))


def branch(subject: Subject) -> Iterator[Hit]:
    before = _before(subject)
    for other in _others(subject):
        same = before and other.root is not None and before in other.root.ids("pav:previousVersion")
        if same and canonical(other) != canonical(subject.index):
            yield Hit(_root(subject), canonical(other))


def snapshot_changed(subject: Subject) -> Iterator[Hit]:
    own = canonical(subject.index)
    for other in subject.others or ():
        if own and canonical(other) == own and _contents(other) != _contents(subject.index):
            yield Hit(_root(subject))


def _contents(index: Index) -> dict[str, object]:
    return {node.id: node.data for node in index.nodes}


def id_reused(subject: Subject) -> Iterator[Hit]:
    """An IRI whose entity has no type in common with its namesake of another representation."""
    for other in _others(subject):
        for node in subject.index.nodes:
            namesake = other.by_id.get(node.id) if is_absolute(node.id) else None
            if namesake is None or node is subject.index.root or namesake is other.root:
                continue  # a root may have the record's current address, in each representation its own
            if node.types and namesake.types and not set(node.types) & set(namesake.types):
                yield Hit(node.id, f"{'/'.join(namesake.types)} there, {'/'.join(node.types)} here")


def plan_changed(subject: Subject) -> Iterator[Hit]:
    for other in _others(subject):
        for node in subject.index.of_type("Plan"):
            namesake = other.by_id.get(node.id)
            for name in ("text", "version", "hasPart", "isBasedOn") if namesake is not None else ():
                here, there = node.values(name), namesake.values(name) if namesake is not None else []
                if here and there and here != there:
                    yield Hit(node.id, name)


def status_went_back(subject: Subject) -> Iterator[Hit]:
    """Only a later representation can be wrong: a working record is the latest."""
    number = version(subject.index)
    for other in _others(subject):
        earlier = version(other)
        if earlier is None or (number is not None and earlier >= number):
            continue
        for node in processes(subject.index):
            namesake = other.by_id.get(node.id)
            ended = state(namesake) if namesake is not None else ""
            if ended in ("Completed", "Failed") and state(node) not in ("", ended):
                yield Hit(node.id, ended.lower())


def crate_reference_differs(subject: Subject) -> Iterator[Hit]:
    for other in subject.others or ():
        node = subject.index.by_id.get(canonical(other))
        if node is None or node is subject.index.root or other.root is None:
            continue
        for name in _COPIED:
            if node.values(name) != other.root.values(name):
                yield Hit(node.id, f"`{name}`", name)


def node_of_federation(subject: Subject) -> Iterator[Hit]:
    own = canonical(subject.index)
    for other in subject.others or ():
        if own in other.by_id and other.by_id[own].values("about") and record(other) == record(subject.index) != "":
            yield Hit(_root(subject))
