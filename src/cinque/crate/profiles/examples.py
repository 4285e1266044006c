"""A profile's examples: conforming crates, and one or more broken ones (mutants) for each rule, as data.

`examples/<name>.json` is a conforming metadata document; where the profile has stages, its name is its stage.
`examples/mutants.toml` says which rule breaks when what is changed:

    [[mutant]]
    rule = "R36"                                 # the rule that must catch it
    of = "request"                               # the conforming example that is changed
    also = ["R37"]                               # other requirements that the change breaks
    lose = ["#entity"]                           # entities removed from the graph
    drop = { "./" = ["name"] }                   # properties removed
    unlink = { "./" = { mentions = ["#a"] } }    # references removed from a list
    set = { "./" = { name = "A" } }              # properties set
    add = [{ "@id" = "#new", "@type" = "Thing" }]
    document = { "@context" = "…" }              # keys of the document set
    files = { "bag-info.txt" = "…" }             # files of the bag written, after it was sealed
    remove = ["manifest-sha512.txt"]             # files of the bag removed

They apply in this order. With `files` or `remove`, the crate is checked as the bag that is made of the example.
"""

from __future__ import annotations

import copy
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Any

from cinque.crate import bag
from cinque.crate.index import Index, is_local_path, payload_path
from cinque.errors import Unreadable

FOLDER = "examples"
MUTANTS = "mutants.toml"
METADATA = "ro-crate-metadata.json"
IDENTIFIER = "urn:uuid:0f6dde5a-6b0b-4a5f-9f6e-5cbb4f1d0d3f"  # of every bag made of an example

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A conforming example and what is changed in it, so that one rule is broken."""

    rule: str
    of: str
    also: tuple[str, ...] = ()
    lose: Sequence[str] = ()
    drop: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unlink: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    set: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    add: Sequence[Mapping[str, Any]] = ()
    document: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    remove: Sequence[str] = ()

    @property
    def bagged(self) -> bool:
        """Whether it is the bag that is broken, so that the check needs all of it."""
        return bool(self.files or self.remove)

    def metadata(self, example: Mapping[str, Any]) -> Document:
        """The changed metadata document. Raises Unreadable where the example holds nothing of that name."""
        crate = copy.deepcopy(dict(example))
        graph: list[Any] = crate["@graph"]
        for name in self.lose:
            graph.remove(self._entity(graph, name))
        for name, properties in self.drop.items():
            for each in properties:
                self._owner(graph, name, each).pop(each)
        for name, lists in self.unlink.items():
            for each, targets in lists.items():
                self._unlink(self._owner(graph, name, each), each, targets)
        for entity, values in [(self._entity(graph, name), values) for name, values in self.set.items()]:
            entity.update(copy.deepcopy(dict(values)))
        graph += copy.deepcopy([dict(entity) for entity in self.add])
        crate.update(copy.deepcopy(dict(self.document)))
        return crate

    def bag(self, example: Mapping[str, Any]) -> dict[str, bytes]:
        """The files of the changed bag."""
        files = a_bag(self.metadata(example))
        for name in self.remove:
            if files.pop(name, None) is None:
                raise self._wrong(f"the bag holds no {name}")
        return files | {name: content.encode() for name, content in self.files.items()}

    def _entity(self, graph: list[Any], name: str) -> dict[str, Any]:
        for entity in graph:
            if entity.get("@id") == name:
                found: dict[str, Any] = entity
                return found
        raise self._wrong(f"there is no entity {name}")

    def _owner(self, graph: list[Any], name: str, property: str) -> dict[str, Any]:
        entity = self._entity(graph, name)
        if property not in entity:
            raise self._wrong(f"{name} has no {property}")
        return entity

    def _unlink(self, entity: dict[str, Any], property: str, targets: Sequence[str]) -> None:
        values = entity[property] if isinstance(entity[property], list) else [entity[property]]
        for target in targets:
            if {"@id": target} not in values:
                raise self._wrong(f"{property} does not refer to {target}")
        entity[property] = [value for value in values if value not in [{"@id": target} for target in targets]]

    def _wrong(self, what: str) -> Unreadable:
        return Unreadable("mutant-unfit", f"The mutant of {self.rule} does not fit the example {self.of}: {what}.")


def a_bag(metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """A sound bag around a metadata document: every file that it describes by a path, with a line of text in it. A
    folder that it describes, and no file of, holds one.
    """
    payload = {METADATA: json.dumps(metadata, ensure_ascii=False).encode()}
    local = [node for node in Index(metadata).nodes if is_local_path(node.id)]
    for node in local:
        if node.is_a("File"):
            payload.setdefault(payload_path(node.id), b"1\n")
    for node in local:
        path = payload_path(node.id)
        if path.endswith("/") and not any(name.startswith(path) for name in payload):
            payload[path + "README.md"] = b"1\n"
    return bag.seal(payload, {}, [("External-Identifier", IDENTIFIER)])


def conforming(folder: Traversable) -> dict[str, Document]:
    """The conforming examples of a profile's folder by name, {} for none. Raises Unreadable for what is no crate."""
    place = folder / FOLDER
    found = {}
    for file in sorted(place.iterdir(), key=lambda each: each.name) if place.is_dir() else ():
        if file.name.endswith(".json"):
            try:
                document = json.loads(file.read_bytes())
                entities = document["@graph"]
                sound = all(isinstance(entity["@id"], str) for entity in entities)
            except (ValueError, LookupError, TypeError, RecursionError) as error:
                raise _unreadable(file.name, "it is no JSON object with a list `@graph` of entities") from error
            if not sound:
                raise _unreadable(file.name, "an entity of `@graph` has no `@id`")
            found[file.name.removesuffix(".json")] = document
    return found


def mutants(folder: Traversable) -> tuple[Mutant, ...]:
    """The mutants of a profile's folder in their order. Raises Unreadable for a file that is not in the form above."""
    file = folder / FOLDER / MUTANTS
    if not file.is_file():
        return ()
    try:
        entries = tomllib.loads(file.read_bytes().decode()).get("mutant", [])
    except (ValueError, RecursionError) as error:
        raise _unreadable(MUTANTS, f"it is no TOML: {str(error) or 'too deep'}") from error
    return tuple(_read(entries))


def _read(entries: Any) -> Iterator[Mutant]:
    for place, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
        name = entry.get("rule", place) if isinstance(entry, dict) else place
        if not isinstance(entry, dict) or not all(isinstance(entry.get(word), str) for word in ("rule", "of")):
            raise _unreadable(MUTANTS, f"mutant {name} needs `rule` and `of`")
        for word, value in entry.items():
            if word not in _SHAPES:
                raise _unreadable(MUTANTS, f"mutant {name} has `{word}`; known are {', '.join(_SHAPES)}")
            if not _fits(value, _SHAPES[word]):
                raise _unreadable(MUTANTS, f"`{word}` of mutant {name} is not {_called(_SHAPES[word])}")
        values: dict[str, Any] = {word: tuple(v) if isinstance(v, list) else v for word, v in entry.items()}
        yield Mutant(**values)


# what each word of a mutant holds; `Any` is what JSON can say
_SHAPES: dict[str, Any] = {
    "rule": str,
    "of": str,
    "also": [str],
    "lose": [str],
    "drop": {str: [str]},
    "unlink": {str: {str: [str]}},
    "set": {str: {str: Any}},
    "add": [{str: Any}],
    "document": {str: Any},
    "files": {str: str},
    "remove": [str],
}


def _fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(item, shape[0]) for item in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(_fits(item, shape[str]) for item in value.values())
    if shape is not Any:
        return isinstance(value, shape)
    if isinstance(value, list | dict):
        return all(_fits(item, Any) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _called(shape: Any) -> str:
    if isinstance(shape, list):
        return f"a list, each {_called(shape[0])}"
    if isinstance(shape, dict):
        return f"a table, in it {_called(shape[str])}"
    return "a text" if shape is str else "what JSON can say"


def _unreadable(file: str, what: str) -> Unreadable:
    return Unreadable(
        "example-unreadable",
        f"{FOLDER}/{file} cannot be used: {what}.",
        remedy="The form is described in docs/howto/write-a-profile.md.",
    )
