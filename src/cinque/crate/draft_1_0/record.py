"""An activity record of the 1.0 draft, and the representations of it that are crates: working record and snapshots.

    graph = snapshot(record, "urn:uuid:…", version=1, created=…, published=…)

Each function gives the graph of one crate, under the context of RO-Crate 1.3, with the root `./`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from cinque.crate.draft_1_0.process import Process
from cinque.crate.graph import METADATA, ROOT, Entity, Graph, ref, types
from cinque.errors import Refused

CORE: Final = "https://w3id.org/5s-crate/1.0"
RO_CRATE: Final = "https://w3id.org/ro/crate/1.3"
CONTEXT: Final = RO_CRATE + "/context"
GENERIC: Final = "https://w3id.org/ro/crate"
DRAFT: Final = "Five Safes RO-Crate 1.0, working draft"


@dataclass(frozen=True, slots=True)
class Party:
    """A person or an organisation, which a TRE or node is (R238). `affiliation`: of a person, an organisation's IRI."""

    id: str
    name: str
    kind: Literal["Person", "Organization"]
    affiliation: str = ""

    def to_entity(self) -> Entity:
        """A contextual entity."""
        entity: Entity = {"@id": self.id, "@type": self.kind, "name": self.name}
        return entity | ({"affiliation": ref(self.affiliation)} if self.affiliation else {})


@dataclass(frozen=True, slots=True)
class Plan:
    """One exact version of intended work (R230). `parts`: what it consists of; `previous`: the version before it."""

    id: str
    name: str
    description: str = ""
    parts: tuple[str, ...] = ()
    previous: str = ""

    def to_entity(self) -> Entity:
        """A contextual entity of both types."""
        entity: Entity = {"@id": self.id, "@type": ["CreativeWork", "prov:Plan"], "name": self.name}
        if self.description:
            entity["description"] = self.description
        if self.parts:
            entity["hasPart"] = [ref(part) for part in self.parts]
        if self.previous:
            entity["pav:previousVersion"] = ref(self.previous)
        return entity


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset with an identity beyond one crate (R218). A packaged copy says `encodesCreativeWork` of it (R219)."""

    id: str
    name: str
    kind: str = "Dataset"
    version: str = ""
    derived_from: str = ""

    def to_entity(self) -> Entity:
        """A data entity where it is a `Dataset` or `File`, else a contextual one."""
        entity: Entity = {"@id": self.id, "@type": self.kind, "name": self.name}
        if self.version:
            entity["version"] = self.version
        if self.derived_from:
            entity["prov:wasDerivedFrom"] = ref(self.derived_from)  # R220
        return entity


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateReference:
    """Another crate (R241), by its own identifier; `record`, `version`, `published` as its own root says them. With
    `about` it is a node's provenance (R245): what of this record it tells about. `digest`: sha512 of the file.
    """

    id: str
    name: str
    published: str
    record: str = ""
    version: int | None = None
    about: tuple[str, ...] = ()
    publisher: str = ""
    profiles: tuple[str, ...] = ()  # application profiles, as hints
    digest: str = ""
    derived_from: str = ""

    def to_entity(self) -> Entity:
        """A data entity, never with a version of RO-Crate."""
        entity: Entity = {
            "@id": self.id,
            "@type": "Dataset",
            "name": self.name,
            "conformsTo": [ref(GENERIC), *map(ref, self.profiles)],
        }
        if self.published:
            entity["datePublished"] = self.published
        if self.record:
            entity["dct:isVersionOf"] = ref(self.record)
        if self.version is not None:
            entity["version"] = self.version
        if self.about:
            entity["about"] = [ref(name) for name in self.about]
        if self.publisher:
            entity["publisher"] = ref(self.publisher)
        if self.digest:
            entity["identifier"] = f"sha512:{self.digest}"
        if self.derived_from:
            entity["prov:wasDerivedFrom"] = ref(self.derived_from)
        return entity


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One piece of governed work, as far as it is known. `others`: any further entities, written as they are:
    files and folders in the crate, licences, software; files and datasets become parts of the root.
    """

    id: str
    name: str
    description: str
    license: str
    publisher: str
    parties: tuple[Party, ...] = ()
    plans: tuple[Plan, ...] = ()
    assets: tuple[Asset, ...] = ()
    references: tuple[CrateReference, ...] = ()
    processes: tuple[Process, ...] = ()
    others: tuple[Entity, ...] = ()


def working_record(record: Record, identifier: str, *, created: str, published: str, modified: str = "") -> Graph:
    """The live representation (R211): the same `identifier` as long as it lives. `modified`: its last change."""
    graph = _graph(record, identifier, created, published)
    if modified:
        graph.root["dateModified"] = modified
    return graph


def snapshot(
    record: Record, identifier: str, *, version: int, created: str, published: str, previous: str = ""
) -> Graph:
    """A numbered representation that never changes (R213, R214). `previous`: the identifier of the one before it.

    Raises Refused where number and predecessor do not fit: none before the first, one before each other.
    """
    if version < 1 or (version == 1) == bool(previous) or previous == identifier:
        raise Refused(
            "snapshot-order",
            "A snapshot's number and the one before it do not fit.",
            rule="R214",
            remedy="Begin a record with number 1; name the snapshot before each later one.",
        )
    graph = _graph(record, identifier, created, published)
    graph.root["version"] = version
    if previous:
        graph.root["pav:previousVersion"] = ref(previous)
    return graph


def _graph(record: Record, identifier: str, created: str, published: str) -> Graph:
    graph = Graph(
        [
            {"@id": METADATA, "@type": "CreativeWork", "about": ref(ROOT), "conformsTo": ref(RO_CRATE)},
            {
                "@id": ROOT,
                "@type": "Dataset",
                "conformsTo": [ref(CORE)],
                "identifier": ref(identifier),
                "dct:isVersionOf": ref(record.id),
                "name": record.name,
                "description": record.description,
                "dateCreated": created,
                "datePublished": published,
                "license": ref(record.license),
                "publisher": ref(record.publisher),
            },
            {
                "@id": CORE,
                "@type": ["CreativeWork", "Profile"],
                "name": DRAFT,
                "version": "1.0",
                "description": "A working draft, which may change.",
            },
        ],
        context=[CONTEXT],
    )
    # Others first: they may say more of a person or an asset than the values know, and their words stay.
    known: list[Party | Plan | Asset | CrateReference]
    known = [*record.parties, *record.plans, *record.assets, *record.references]
    for entity in (*record.others, *(value.to_entity() for value in known)):
        graph.describe(entity)
    for process in record.processes:
        for entity in process.to_entities():
            graph.add(entity)
        graph.link(ROOT, "mentions", process.id)  # R216
    data = [e["@id"] for e in graph if types(e) & {"File", "Dataset"} and e["@id"] not in (ROOT, METADATA)]
    if data:
        graph.link(ROOT, "hasPart", *sorted(data))  # R215
    return graph
