"""The graph of an RO-Crate: entities by their `@id`, read strictly, written in one order.

Entities and properties that this house does not know survive untouched. What is written is flat JSON-LD under the one
context of RO-Crate 1.2, so that a type means the same to a reader with a JSON-LD processor and to one without.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from cinque.errors import Refused
from cinque.lib.canonical import strict_loads

Entity = dict[str, Any]

CONTEXT: Final = "https://w3id.org/ro/crate/1.2/context"
CRATE: Final = "https://w3id.org/ro/crate/1.2"
PROFILE: Final = "https://w3id.org/5s-crate/0.4"
WORKFLOW_CRATE: Final = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
SHA512_TERM: Final = "https://www.iana.org/assignments/named-information#sha-512"
METADATA: Final = "ro-crate-metadata.json"
ROOT: Final = "./"


class Graph:
    """Entities of one crate, in the order: metadata descriptor, root, all others sorted by `@id`."""

    __slots__ = ("context", "entities")

    def __init__(self, entities: Iterable[Entity] = (), context: Any = CONTEXT) -> None:
        self.context = context
        self.entities: dict[str, Entity] = {}
        for entity in entities:
            self.add(entity)

    @classmethod
    def read(cls, data: bytes) -> Graph:
        """The graph in the bytes of an RO-Crate metadata document.

        Raises Refused for what is no flat graph with a described root: a name said twice, an entity inside another,
        a JSON-LD keyword beside `@id`, `@type` and literal values (`@reverse` or `@graph` could hide an action).
        """
        document = strict_loads(data)
        if not isinstance(document, dict) or set(document) != {"@context", "@graph"}:
            raise _refused("metadata-form", "The crate's metadata is not an object with `@context` and `@graph` alone.")
        entities = document["@graph"]
        if not isinstance(entities, list):
            raise _refused("metadata-form", "The crate's `@graph` is not a list.")
        graph = cls(context=document["@context"])
        for entity in entities:
            _check_entity(entity)
            if entity["@id"] in graph.entities:
                raise _refused("metadata-id-twice", "Two entities of the crate's metadata have the same `@id`.")
            graph.entities[entity["@id"]] = entity
        descriptor = graph.entities.get(METADATA)
        if descriptor is None or refs(descriptor.get("about")) != (ROOT,) or ROOT not in graph.entities:  # R19
            raise _refused("metadata-root", f"The crate's metadata does not describe `{METADATA}` and its root `./`.")
        return graph

    def __contains__(self, id: str) -> bool:
        return id in self.entities

    def __getitem__(self, id: str) -> Entity:
        return self.entities[id]

    def __setitem__(self, id: str, entity: Entity) -> None:
        self.entities[id] = entity

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.entities.values())

    def get(self, id: str) -> Entity:
        """The entity, or an empty one where the graph does not describe it."""
        return self.entities.get(id, {})

    @property
    def root(self) -> Entity:
        """The Root Data Entity."""
        return self.entities[ROOT]

    def add(self, entity: Entity) -> None:
        """A new entity. Raises Refused when the `@id` is described already and otherwise: nobody's words are
        replaced, and nobody can describe a step in advance.
        """
        if self.entities.setdefault(entity["@id"], entity) != entity:
            raise _refused("entity-described", f"The crate describes {entity['@id'][:80]!a} already, and otherwise.")

    def describe(self, entity: Entity) -> None:
        """Context that others may have described first (a person, an organisation, a term): their words stay."""
        self.entities.setdefault(entity["@id"], entity)

    def link(self, id: str, name: str, *targets: str) -> None:
        """Append references to a property of an entity, none of them twice."""
        entity = self.entities[id]
        ids = dict.fromkeys((*refs(entity.get(name)), *targets))
        entity[name] = [ref(target) for target in ids]

    def of_type(self, kind: str) -> tuple[Entity, ...]:
        """The entities of a type, by its short name, in whichever spelling the type is written."""
        return tuple(entity for entity in self if kind in types(entity))

    def copy(self) -> Graph:
        """The same entities; what is set or linked in the copy leaves the original as it was."""
        graph = Graph(context=self.context)
        graph.entities = {id: dict(entity) for id, entity in self.entities.items()}
        return graph

    def to_json(self) -> dict[str, Any]:
        """The metadata document as a JSON value, in the order in which it is written."""
        first = [self.entities[id] for id in (METADATA, ROOT) if id in self.entities]
        others = (self.entities[id] for id in sorted(self.entities) if id not in (METADATA, ROOT))
        return {"@context": self.context, "@graph": [*first, *others]}

    def to_bytes(self) -> bytes:
        """The metadata document: UTF-8, an entity a line, properties sorted, the same bytes for the same graph."""
        lines = ",\n".join(map(_DUMP, self.to_json()["@graph"]))
        return f'{{"@context":{_DUMP(self.context)},"@graph":[\n{lines}\n]}}\n'.encode()


_DUMP = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


def ref(id: str) -> Entity:
    """A reference to an entity."""
    return {"@id": id}


def refs(value: Any) -> tuple[str, ...]:
    """The ids that a property refers to, in their order; literals are left out."""
    values = value if isinstance(value, list) else [value]
    return tuple(v["@id"] for v in values if isinstance(v, dict) and isinstance(v.get("@id"), str))


def types(entity: Entity) -> frozenset[str]:
    """The short names of an entity's types, also where they are written as IRIs (`http://schema.org/AssessAction`).

    `type` counts like `@type`: it means nothing in JSON-LD, but published examples of the profile use it (D1) and
    readers that follow them would take it for one.
    """
    found: list[str] = []
    for key in ("@type", "type"):
        value = entity.get(key)
        found += [_short(kind) for kind in (value if isinstance(value, list) else [value]) if isinstance(kind, str)]
    return frozenset(found)


@lru_cache(1024)
def _short(kind: str) -> str:
    return kind.replace("#", "/").replace(":", "/").rpartition("/")[2]


def status_of(action: Entity) -> str:
    """An action's status without its namespace, as a literal or as a reference (D14); empty where there is none."""
    value = action.get("actionStatus", "")
    text = value.get("@id", "") if isinstance(value, dict) else value
    return text.rpartition("/")[2] if isinstance(text, str) else ""


def local_id(kind: str, text: str) -> str:
    """`text` as an `@id`: an IRI stays itself; anything else becomes a fragment, `#project-p1`."""
    if text.startswith(("https://", "http://", "urn:")):
        return text
    return fragment(kind, text)


@lru_cache(1024)
def fragment(kind: str, text: str) -> str:
    """`text` as a fragment of its kind: unreserved characters stay, others become their number."""
    return f"#{kind}-" + "".join(c if c.isascii() and (c.isalnum() or c in "-._~") else f"_{ord(c):x}_" for c in text)


def _check_entity(entity: Any) -> None:
    if not isinstance(entity, dict) or not isinstance(entity.get("@id"), str) or "@type" not in entity:
        raise _refused("metadata-form", "An entity of the crate's metadata lacks an `@id` or a `@type`.")
    for name, value in entity.items():
        if name in ("@id", "@type"):
            continue
        if name.startswith("@"):
            raise _refused("metadata-keyword", "The crate's metadata uses a JSON-LD keyword other than @id and @type.")
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, list) or (isinstance(item, dict) and set(item) not in _LEAVES):
                raise _refused("metadata-nested", "The crate's metadata is not flat: an entity lies inside another.")
    kinds = entity["@type"]
    if not all(isinstance(kind, str) for kind in (kinds if isinstance(kinds, list) else [kinds])):
        raise _refused("metadata-form", "A `@type` in the crate's metadata is not text.")


_LEAVES = ({"@id"}, {"@value"}, {"@value", "@type"}, {"@value", "@language"})


def _refused(code: str, sentence: str) -> Refused:
    return Refused(code, sentence, rule="R17", remedy="Write the crate again with an RO-Crate 1.2 tool.")
