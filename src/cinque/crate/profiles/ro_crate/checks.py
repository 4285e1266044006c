"""What the vocabulary cannot say of RO-Crate: faults of the JSON itself, and rules over every entity or path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cinque.crate.index import Index, is_local_path, payload_path
from cinque.crate.profiles import Subject
from cinque.crate.profiles.vocabulary import Hit

_CONTEXT = re.compile(r"https?://w3id\.org/ro/crate/1\.\d+(-DRAFT)?/context")
_FAULTS = {
    "object": "the document is not a JSON object",
    "graph": "`@graph` is missing or not a list",
    "entity": "an item of `@graph` is not an object",
    "id": "an entity has no `@id`",
    "twice": "two entities have the same `@id`",
    "nested": "an entity stands inside another",
}


def graph(subject: Subject) -> Iterator[Hit]:
    """A list of entities with unique ids, none inside another."""
    for fault, where in subject.index.faults:
        yield Hit(where, _FAULTS[fault], "@graph")
    for node in subject.index.nodes:
        for key, value in node.data.items():
            if (type(value) is dict or type(value) is list) and _nests(value):
                yield Hit(node.id, _FAULTS["nested"], key)


def _nests(value: Any) -> bool:
    for item in value if type(value) is list else (value,):
        if type(item) is dict:
            if len(item) != 1 or type(item.get("@id")) is not str:
                literal = type(item.get("@value")) in (str, int, float, bool)
                if not (literal and item.keys() <= {"@value", "@type", "@language"}):
                    return True
        elif type(item) is list:
            return True
    return False


def context(subject: Subject) -> Iterator[Hit]:
    """RO-Crate's context, alone or in a list."""
    found = subject.index.context
    if not any(type(item) is str and _CONTEXT.fullmatch(item) for item in (found if type(found) is list else (found,))):
        yield Hit("")


def untyped(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.nodes:
        if not node.types:
            yield Hit(node.id)


def type_misspelt(subject: Subject) -> Iterator[Hit]:
    """D1: the profile's own examples do it."""
    for node in subject.index.nodes:
        if "type" in node.data and "@type" not in node.data and node.types:
            yield Hit(node.id)


def licence_misspelt(subject: Subject) -> Iterator[Hit]:
    """D2."""
    for node in subject.index.nodes:
        if "licence" in node.data:
            yield Hit(node.id)


def no_descriptor(subject: Subject) -> Iterator[Hit]:
    if subject.index.descriptor is None:
        yield Hit("ro-crate-metadata.json")


def descriptor_type(subject: Subject) -> Iterator[Hit]:
    descriptor = subject.index.descriptor
    if descriptor is not None and not descriptor.is_a("CreativeWork"):
        yield Hit(descriptor.id)


def no_root(subject: Subject) -> Iterator[Hit]:
    root = subject.index.root
    if root is None or not root.is_a("Dataset"):
        yield Hit("./")


def local_path_undescribed(subject: Subject) -> Iterator[Hit]:
    yield from _undescribed(subject.index, paths=True)


def local_name_undescribed(subject: Subject) -> Iterator[Hit]:
    yield from _undescribed(subject.index, paths=False)


def _undescribed(index: Index, *, paths: bool) -> Iterator[Hit]:
    known = index.by_id
    for node, key, _, target in index.references():
        if target not in known:
            if is_local_path(target):
                if paths:
                    yield Hit(node.id, target, key)
            elif not paths and target[:1] in ("#", "_"):
                yield Hit(node.id, target, key)


def unlinked_file(subject: Subject) -> Iterator[Hit]:
    """Data entities with a path are reached from the root; those on the web may stay context."""
    index = subject.index
    reached = index.parts()
    for node in index.of_type("File", "Dataset"):
        if (
            node is not index.root
            and node is not index.descriptor
            and node.id not in reached
            and is_local_path(node.id)
        ):
            yield Hit(node.id)


def file_missing(subject: Subject) -> Iterator[Hit]:
    payload = subject.payload or {}
    for node in subject.index.by_type.get("File", ()):
        if is_local_path(node.id) and payload_path(node.id) not in payload:
            yield Hit(node.id)
