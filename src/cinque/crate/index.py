"""A crate's graph, indexed once: what the checker, the stages, the preview and the terminal view read.

Reads any JSON without complaint, so that a rule, not a crash, says what is wrong. It forgives what the field wrote
(`type` for `@type`, `licence` for `license`, a status as text or as `{"@id": …}`); the rules still find each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

DESCRIPTOR = "ro-crate-metadata.json"
_KEYWORDS = frozenset(("@id", "@type", "@context", "@graph", "@reverse"))
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_MISSPELT = {"license": "licence"}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One entity. `id` is "" where it has none."""

    id: str
    types: tuple[str, ...]
    data: Mapping[str, Any]

    def values(self, name: str) -> list[Any]:
        """The values of a property, one level of arrays opened, nulls left out; [] where there is none."""
        value = self.data.get(name)
        if value is None:
            other = _MISSPELT.get(name)
            if other is None or (value := self.data.get(other)) is None:
                return []
        if type(value) is list:
            return [item for item in value if item is not None]
        return [value]

    def ids(self, name: str) -> list[str]:
        """The ids that a property refers to."""
        return [found for value in self.values(name) if (found := reference(value)) is not None]

    def texts(self, name: str) -> list[str]:
        """The values of a property as text, whether literal or reference."""
        return [found for value in self.values(name) if (found := text(value)) is not None]

    def text(self, name: str) -> str:
        """The first value of a property as text, "" where there is none."""
        found = self.texts(name)
        return found[0] if found else ""

    def is_a(self, *types: str) -> bool:
        """Whether it has one of these types."""
        return any(name in self.types for name in types)


def reference(value: Any) -> str | None:
    """The id in `{"@id": …}`, None for anything else."""
    if type(value) is dict:
        found = value.get("@id")
        if type(found) is str:
            return found
    return None


def text(value: Any) -> str | None:
    """A literal or a reference as text; None for what is neither."""
    if type(value) is str:
        return value
    if type(value) is dict:
        found = value.get("@id", value.get("@value"))
        return found if type(found) is str else None
    if isinstance(value, int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return None


def is_absolute(identifier: str) -> bool:
    """Whether an id is an absolute IRI. One letter before the colon is a drive, not a scheme."""
    scheme = _SCHEME.match(identifier)
    return scheme is not None and len(scheme.group()) > 2


def is_local_path(identifier: str) -> bool:
    """Whether an id speaks of a file or folder beside the metadata: not the root, `#…`, `_:…` nor an absolute IRI."""
    if not identifier or identifier in ("./", ".") or identifier[0] == "#" or identifier.startswith("_:"):
        return False
    return not is_absolute(identifier)


def payload_path(identifier: str) -> str:
    """The path in the payload that a local id speaks of: percent-decoded, without `./`, query and fragment."""
    plain = unquote(identifier.partition("#")[0].partition("?")[0])
    while plain.startswith("./"):
        plain = plain[2:]
    return plain


def _types(value: Any) -> tuple[str, ...]:
    """Types by their short names, also where they are written as IRIs: `http://schema.org/AssessAction` is one."""
    kinds = value if type(value) is list else (value,)
    names = [kind for kind in kinds if type(kind) is str]
    return tuple(
        name if name.isalnum() else name.replace("#", "/").replace(":", "/").rpartition("/")[2] for name in names
    )


class Index:
    """The entities of one crate by id, type and place. Built in one pass; inverse references on first use."""

    __slots__ = (
        "_dangling",
        "_inverse",
        "_parts",
        "by_id",
        "by_type",
        "context",
        "descriptor",
        "faults",
        "nodes",
        "root",
    )

    def __init__(self, metadata: Any) -> None:
        self.faults: list[tuple[str, str]] = []  # what is not a flat graph: (which fault, where)
        self.nodes: list[Node] = []
        self.by_id: dict[str, Node] = {}
        self.by_type: dict[str, list[Node]] = {}
        self._inverse: dict[str, dict[str, list[Node]]] | None = None
        self._parts: dict[str, None] | None = None
        self._dangling: list[tuple[Node, str, str]] | None = None
        self.context: Any = None
        graph: Any = ()
        if type(metadata) is dict:
            self.context, graph = metadata.get("@context"), metadata.get("@graph", ())
            if type(graph) is not list:
                self.faults.append(("graph", ""))
                graph = ()
        else:
            self.faults.append(("object", ""))
        self._read(graph)
        self.descriptor = self._find_descriptor()
        self.root = self._find_root()

    @classmethod
    def of(cls, entities: Iterable[Mapping[str, Any]]) -> Index:
        """The index of a list of entities."""
        return cls({"@graph": [dict(entity) for entity in entities]})

    def _read(self, graph: Sequence[Any]) -> None:
        by_id, by_type, nodes = self.by_id, self.by_type, self.nodes
        for position, entity in enumerate(graph):
            if type(entity) is not dict:
                self.faults.append(("entity", f"@graph[{position}]"))
                continue
            identifier = entity.get("@id")
            if type(identifier) is not str or not identifier:
                self.faults.append(("id", f"@graph[{position}]"))
                identifier = ""
            types = _types(entity.get("@type"))
            if "type" in entity:
                types += _types(entity["type"])
            node = Node(identifier, types, entity)
            nodes.append(node)
            if identifier:
                if identifier in by_id:
                    self.faults.append(("twice", identifier))
                else:
                    by_id[identifier] = node
            for kind in types:
                found = by_type.get(kind)
                if found is None:
                    by_type[kind] = [node]
                else:
                    found.append(node)

    def _find_descriptor(self) -> Node | None:
        for name in (DESCRIPTOR, "./" + DESCRIPTOR):
            if name in self.by_id:
                return self.by_id[name]
        return next((node for node in self.nodes if node.id.endswith("/" + DESCRIPTOR)), None)

    def _find_root(self) -> Node | None:
        if self.descriptor is not None:
            for identifier in self.descriptor.ids("about"):
                if identifier in self.by_id:
                    return self.by_id[identifier]
        return self.by_id.get("./")

    def described(self, ids: Iterable[str]) -> list[Node]:
        """The entities of these ids, those that are there."""
        by_id = self.by_id
        return [by_id[identifier] for identifier in ids if identifier in by_id]

    def linked(self, node: Node | None, name: str, *types: str) -> list[Node]:
        """The entities that a property of `node` refers to, of one of these types if any are given."""
        if node is None:
            return []
        found = self.described(node.ids(name))
        return [other for other in found if other.is_a(*types)] if types else found

    def of_type(self, *types: str) -> list[Node]:
        """The entities of one of these types, in the order of the graph where one type is given."""
        if len(types) == 1:
            return self.by_type.get(types[0], [])
        return list(dict.fromkeys(node for kind in types for node in self.by_type.get(kind, ())))

    def subjects(self, node: Node, name: str) -> list[Node]:
        """The entities whose property refers to `node`: the inverse of `linked`."""
        if self._inverse is None:
            self._inverse = {}
            for subject, key, _, target in self.references():
                self._inverse.setdefault(key, {}).setdefault(target, []).append(subject)
        return self._inverse.get(name, {}).get(node.id, [])

    def parts(self) -> dict[str, None]:
        """The ids that `hasPart` reaches from the root, directly or through others."""
        if self._parts is None:
            self._parts = {}
            waiting = [self.root] if self.root is not None else []
            while waiting:
                for target in waiting.pop().ids("hasPart"):
                    if target not in self._parts:
                        self._parts[target] = None
                        if target in self.by_id:
                            waiting.append(self.by_id[target])
        return self._parts

    def dangling(self) -> list[tuple[Node, str, str]]:
        """The references to what the graph does not describe: (entity, property, id referred to)."""
        if self._dangling is None:
            known = self.by_id
            self._dangling = [(node, key, to) for node, key, _, to in self.references() if to not in known]
        return self._dangling

    def references(self) -> Iterator[tuple[Node, str, Any, str]]:
        """Every reference of the graph: (entity, property, value, id referred to)."""
        for node in self.nodes:
            for key, value in node.data.items():
                kind = type(value)
                if (kind is not dict and kind is not list) or key in _KEYWORDS:
                    continue
                for item in value if kind is list else (value,):
                    if type(item) is dict:
                        target = item.get("@id")
                        if type(target) is str:
                            yield node, key, item, target
