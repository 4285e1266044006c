"""What a 0.4 crate says that is no process: carried over, in the form that 1.0 wants of ids, terms and the root."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from cinque.crate.draft_1_0.accounts import Ledger, rename
from cinque.crate.draft_1_0.process import Process
from cinque.crate.draft_1_0.record import Asset, Plan
from cinque.crate.graph import METADATA, ROOT, Entity, ref
from cinque.crate.index import Index, Node, is_absolute, is_local_path, reference
from cinque.crate.profiles.five_safes_1_0_draft.checks import is_crate_reference
from cinque.crate.stages import Phases
from cinque.lib.ids import derived_urn

PROFILE_0_4: Final = "https://w3id.org/5s-crate/0.4"
_SCHEMA: Final = "http://schema.org/"
# Short terms that run crates write as text (R203).
_TERMS: Final = {
    "File": "MediaObject", "Dataset": "Dataset", "Collection": "Collection", "PropertyValue": "PropertyValue",
    **{name: name for name in ("Text", "Integer", "Float", "Number", "Boolean", "Date", "DateTime", "Time", "URL")},
}  # fmt: skip


@dataclass(slots=True)
class Source:
    """A 0.4 crate that is read. `namespace`: of ids that are this crate's own; `shared`: of those in `asked`, the ids
    of the request, so that each TRE's crate and the request itself name them alike; `issued`: when it was asked, if
    known; `original`: the IRI of the crate itself.
    """

    index: Index
    namespace: str
    shared: str
    asked: frozenset[str]
    original: str
    issued: str = ""

    def name(self, id: str) -> str:
        """The id in 1.0: an absolute IRI, or the path of a file or folder in the crate (R204)."""
        if id in (ROOT, METADATA) or is_absolute(id):
            return id
        node = self.index.by_id.get(id)
        if is_local_path(id) and (node is None or node.is_a("File", "Dataset")):
            return id
        return self.mint("", id)

    def mint(self, what: str, id: str) -> str:
        """A new IRI that follows from an id of the crate."""
        return derived_urn(self.shared if id in self.asked else self.namespace, f"{what} {id}".strip())


@dataclass(slots=True)
class Parts:
    """What a crate becomes, before it has an identity of its own."""

    plan: Plan | None = None
    tre: str = ""
    requester: str = ""
    assets: list[Asset] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    others: dict[str, Entity] = field(default_factory=dict)
    mentions: list[str] = field(default_factory=list)
    identifiers: list[Entity] = field(default_factory=list)
    root: dict[str, Any] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)


@dataclass(slots=True)
class Carrier:
    """One crate on its way: what was found in it, and the parts that come of it."""

    source: Source
    found: Phases
    parts: Parts

    # ------------------------------------------------------------------------------------------------------ context

    @property
    def index(self) -> Index:
        return self.source.index

    @property
    def ledger(self) -> Ledger:
        return self.parts.ledger

    def _tre(self) -> str:
        """The organisation that acted: who published, else for whom software acted, else an organisation that did."""
        root = self.index.root
        found = [node.id for node in self.index.linked(root, "publisher", "Organization")]
        acted = (*self.found.check, *self.found.validation, *self.found.sign_off, *self.found.disclosure)
        for action in acted:
            for agent in self.index.linked(action, "agent"):
                found += [agent.id] if agent.is_a("Organization") else []
                found += [node.id for node in self.index.linked(agent, "provider", "Organization")]
        return self.source.name(found[0]) if found else ""

    def _party(self, action: Node) -> tuple[str, tuple[str, ...]]:
        """Who performed it (R223) and the software that helped: software gives way to whom it acted for."""
        tools: list[str] = []
        for agent in self.index.linked(action, "agent"):
            if agent.is_a("Person", "Organization"):
                return self.source.name(agent.id), tuple(tools)
            tools.append(self.source.name(agent.id))
            for provider in self.index.linked(agent, "provider", "Organization"):
                return self.source.name(provider.id), tuple(tools)
        return self.parts.tre, tuple(tools)

    def _names(self, node: Node, way: str) -> tuple[str, ...]:
        return tuple(self.source.name(id) for id in node.ids(way) if id != ROOT and not self._gone(id))

    def _gone(self, id: str) -> bool:
        """Whether an entity is not carried over as itself."""
        node = self.index.by_id.get(id)
        return node is not None and (node.is_a("Project") or any(kind.endswith("Action") for kind in node.types))

    # ----------------------------------------------------------------------------------------- entities as they are

    def _carry_all(self) -> None:
        for node in self.index.nodes:
            if node is self.index.root or node is self.index.descriptor or not node.id or self._gone(node.id):
                continue
            self.parts.others[self.source.name(node.id)] = self._carried(node)
        if self.index.descriptor is not None:
            self.ledger.entity(
                self.index.descriptor.id, METADATA, "Written anew for RO-Crate 1.3.", "about", "conformsTo"
            )

    def _carried(self, node: Node) -> Entity:
        kinds = node.data.get("@type", node.data.get("type", "Thing"))
        entity: Entity = {"@id": self.source.name(node.id), "@type": kinds}
        for key, value in node.data.items():
            if key in ("@id", "@type", "type"):
                continue
            values = value if isinstance(value, list) else [value]
            kept = [new for item in values if (new := self._value(node, key, item)) is not None]
            if kept:
                entity["license" if key == "licence" else key] = kept if isinstance(value, list) else kept[0]
        return entity

    def _value(self, node: Node, key: str, value: Any) -> Any:
        """A value in 1.0's form, None where it has none."""
        target = reference(value)
        if key in ("additionalType", "actionStatus", "permissionType") and target is None:
            text = str(value)
            term = _SCHEMA + _TERMS[text] if text in _TERMS else text
            if is_absolute(term):
                self.ledger.property(node.id, key, key, "1.0 wants the term's address as a reference (R203).")
                return ref(term)
            self.ledger.property(node.id, key, "", "The text is no term with an address (R203).")
            return None
        if key == "version" and type(value) in (int, float):
            self.ledger.property(node.id, key, key, "1.0 wants text where a version is a label (R213).")
            return str(value)
        if target is None:
            return value
        if self._gone(target):
            self.ledger.property(node.id, key, "", "It refers to what is no entity in 1.0 (a project, a phase).")
            return None
        if key == "conformsTo" and target.startswith("https://w3id.org/ro/crate/") and is_crate_reference(node):
            self.ledger.property(node.id, key, key, "1.0 names no version of RO-Crate for another crate (R241).")
            return ref("https://w3id.org/ro/crate")
        return rename(value, self.source.name)

    # ---------------------------------------------------------------------------------------------------- the root

    def _root(self) -> None:
        root = self.index.root
        if root is None:
            return
        self.ledger.entity(
            root.id, ROOT, "Written anew: a numbered snapshot.", "name", "description", "datePublished", "mentions",
            "hasPart",
        )  # fmt: skip
        for value in root.values("identifier"):
            self._identifier(root, value, "Identifier in 0.4", PROFILE_0_4)
        self.ledger.property(root.id, "identifier", "identifier", "A further identifier, as a PropertyValue (R207).")
        for project in self.index.linked(root, "sourceOrganization"):
            self._project(root, project)
        for id in root.ids("conformsTo"):
            if id != PROFILE_0_4:
                why = "A claim about the original, which the converted crate does not repeat."
                self.ledger.property(root.id, "conformsTo", "", why)
        self.ledger.property(root.id, "conformsTo", "conformsTo", "Of the original: see its reference in hasPart.")
        own = {
            "@id", "@type", "type", "name", "description", "datePublished", "dateCreated", "dateModified", "mentions",
            "hasPart", "identifier", "sourceOrganization", "conformsTo", "version",
        }  # fmt: skip
        for key, value in root.data.items():
            if key not in own:
                values = value if isinstance(value, list) else [value]
                kept = [new for item in values if (new := self._value(root, key, item)) is not None]
                if kept:
                    self.parts.root["license" if key == "licence" else key] = (
                        kept if isinstance(value, list) else kept[0]
                    )
        self.parts.mentions = [
            self.source.name(id) for id in root.ids("mentions") if id in self.index.by_id and not self._gone(id)
        ]

    def _identifier(self, root: Node, value: Any, name: str, scheme: str) -> None:
        target = reference(value)
        known = self.index.by_id.get(target) if target is not None else None
        if known is not None and known.is_a("PropertyValue"):
            entity = self.parts.others[self.source.name(known.id)]
            entity.setdefault("propertyID", scheme)
            entity.setdefault("value", known.id)
            self.parts.identifiers.append(entity)
            return
        text = target if target is not None else str(value)
        self.parts.identifiers.append(
            {
                "@id": self.source.mint("identifier", f"{root.id} {text}"),
                "@type": "PropertyValue",
                "name": name,
                "propertyID": scheme,
                "value": text,
            }
        )

    def _project(self, root: Node, project: Node) -> None:
        """1.0 has no project: it is a further identifier of the record; who funds it funds the record."""
        to = "identifier of the root"
        self.ledger.entity(project.id, to, "1.0 has no Project; it is known by its reference.", "name", "identifier")
        self.ledger.property(root.id, "sourceOrganization", "identifier", "The project, as a PropertyValue.")
        for value in project.values("identifier") or [project.id]:
            self._identifier(project, value, f"Project {project.text('name')}".strip(), _SCHEMA + "Project")
        funding = [self.source.name(id) for id in project.ids("funding")]
        if funding:
            self.parts.root["funding"] = [ref(id) for id in funding]
            self.ledger.property(
                project.id, "funding", "funding of the root", "Who funds the project funds the record."
            )
