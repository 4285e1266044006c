"""One 0.4 crate written anew: its identity in 1.0, its files, its preview, and the reference to its original."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cinque.crate.archive import pack
from cinque.crate.bag import BAG_INFO, IDENTIFIER, PAYLOAD, parse_bag_info
from cinque.crate.check import check
from cinque.crate.draft_1_0.accounts import Moved, account
from cinque.crate.draft_1_0.carried import PROFILE_0_4, Parts, Source
from cinque.crate.draft_1_0.convert import convert
from cinque.crate.draft_1_0.process import Process
from cinque.crate.draft_1_0.record import CONTEXT, DRAFT, Asset, CrateReference, Record, snapshot
from cinque.crate.graph import METADATA, ROOT, Graph, ref
from cinque.crate.growth import KEPT
from cinque.crate.index import Index, Node, is_absolute
from cinque.crate.preview import preview_html
from cinque.crate.profiles import FIVE_SAFES_DRAFT
from cinque.crate.signed import PREVIEW, STATEMENT
from cinque.errors import Refused
from cinque.lib.canonical import strict_loads
from cinque.lib.clock import rfc3339
from cinque.lib.ids import Random, derived_urn, urn_uuid

_URL: Final = "urn:uuid:6ba7b811-9dad-11d1-80b4-00c04fd430c8"  # RFC 9562, name space of addresses


@dataclass(frozen=True, slots=True)
class Converted:
    """One crate of the draft. `role`: "" for the crate itself, else the short name of the node whose provenance it is;
    `files`: name -> bytes, metadata and preview among them; `moved`: where each thing of the original went.
    """

    role: str
    identifier: str
    record: str
    version: int
    graph: Graph
    files: Mapping[str, bytes]
    original: CrateReference
    moved: tuple[Moved, ...]
    processes: tuple[Process, ...]
    assets: tuple[Asset, ...]

    def to_dict(self) -> dict[str, Any]:
        """As in the report's JSON: what it is, what it was, and where each thing went (`to` "": it has no place)."""
        return {
            "role": self.role or "record",
            "identifier": self.identifier,
            "record": self.record,
            "version": self.version,
            "original": {"id": self.original.id, "sha512": self.original.digest},
            "moved": [each.to_dict() for each in self.moved],
        }

    def to_zip(self, top: str) -> bytes:
        """The crate in a ZIP, in the one folder `top`; no bag, which the draft does not know."""
        return pack(self.files, top)


@dataclass(frozen=True, slots=True)
class Identity:
    """Of which record it becomes a snapshot, and which."""

    record: str
    version: int
    previous: str


def single(
    index: Index,
    files: Mapping[str, bytes],
    digest: str,
    name: str,
    now: datetime,
    random: Random,
    identity: Identity,
    role: str,
) -> Converted:
    source, original = _source(index, files, digest, name)
    parts = convert(source)
    for tag in sorted(path for path in files if not path.startswith(PAYLOAD) and METADATA not in files):
        what = "The signature" if tag in (STATEMENT, KEPT + STATEMENT) else "A tag file of the bag"
        parts.ledger.entity(tag, "", f"{what} is the original's and stays with it: 1.0 knows no bag.")
    payload = payload_of(files)
    return written(index, source.name, parts, original, payload, now, random, identity, role)


def _source(index: Index, files: Mapping[str, bytes], digest: str, name: str) -> tuple[Source, CrateReference]:
    root = index.root or Node(ROOT, (), {})
    external = _external(files)
    own = [value for value in root.texts("identifier") if value.startswith("urn:uuid:")][:1]
    asked, issued = _asked(files)
    # A crate's own identifier; its External-Identifier is the request's too (R13), so only a request goes by it.
    request = external if external.startswith("urn:uuid:") and not own and index.root is not None else ""
    named = own[0] if own else derived_urn(_URL, f"sha512:{digest}")
    original = CrateReference(
        id=named,
        name=f"The original: {name}, Five Safes RO-Crate 0.4",
        published=root.text("datePublished"),
        profiles=(PROFILE_0_4,),
        publisher=next((node.id for node in index.linked(root, "publisher") if is_absolute(node.id)), ""),
        digest=digest,
    )
    shared = external if external.startswith("urn:uuid:") else named
    ids = asked or (frozenset(index.by_id) if request else frozenset())
    namespace = _uuid_or_derived(named)
    return Source(index, namespace, _uuid_or_derived(shared), ids, named, issued), original


def _uuid_or_derived(urn: str) -> str:
    try:
        derived_urn(urn, "")
    except ValueError:
        return derived_urn(_URL, urn)
    return urn


def _external(files: Mapping[str, bytes]) -> str:
    try:
        fields = parse_bag_info(files[BAG_INFO]) if BAG_INFO in files else []
    except Refused:
        return ""
    return next((value for label, value in fields if label.lower() == IDENTIFIER.lower()), "")


def _asked(files: Mapping[str, bytes]) -> tuple[frozenset[str], str]:
    """The ids of the request that a released crate keeps, and when it was asked."""
    kept = files.get(KEPT + METADATA)
    if kept is None:
        return frozenset(), ""
    request = Index(strict_loads(kept))
    return frozenset(request.by_id), request.root.text("datePublished") if request.root is not None else ""


def payload_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    inside = (
        files if METADATA in files else {n.removeprefix(PAYLOAD): c for n, c in files.items() if n.startswith(PAYLOAD)}
    )
    return {name: content for name, content in inside.items() if name not in (METADATA, PREVIEW)}


def written(
    index: Index,
    renamed: Callable[[str], str],
    parts: Parts,
    original: CrateReference,
    payload: Mapping[str, bytes],
    now: datetime,
    random: Random,
    identity: Identity,
    role: str,
    references: tuple[CrateReference, ...] = (),
) -> Converted:
    root = index.root or Node(ROOT, (), {})
    identifier, at = urn_uuid(random), rfc3339(now)
    publisher = parts.tre or _employer(index, parts)
    made = Record(
        id=identity.record,
        name=f"{root.text('name')} ({DRAFT})",
        description=(
            f"{root.text('description')} Converted by Cinque to the {DRAFT} of the profile, which may change. The "
            "original, named in hasPart with its digest, is what was signed; this crate is not."
        ),
        license=_license(root),
        publisher=publisher,
        plans=(parts.plan,) if parts.plan is not None else (),
        assets=tuple(parts.assets),
        references=(*references, original),
        processes=tuple(sorted(parts.processes, key=lambda each: (each.ended or "~", each.started, each.id))),
        others=(*parts.others.values(), *parts.identifiers),
    )
    graph = snapshot(made, identifier, version=identity.version, previous=identity.previous, created=at, published=at)
    graph.context = [CONTEXT, *_further(index.context)]
    graph.root.update(parts.root)
    graph.link(ROOT, "identifier", *(entity["@id"] for entity in parts.identifiers))
    graph.root["prov:wasDerivedFrom"] = ref(original.id)
    if not publisher:
        del graph.root["publisher"]
    if parts.mentions:
        graph.link(ROOT, "mentions", *parts.mentions)
    _check(graph)
    files = {**payload, METADATA: graph.to_bytes()}
    files[PREVIEW] = preview_html(graph, {name: len(content) for name, content in files.items()})
    return Converted(
        role, identifier, identity.record, identity.version, graph, files, original,
        account(index, graph, renamed, parts.ledger), made.processes, made.assets,
    )  # fmt: skip


def _further(context: Any) -> list[Any]:
    """What a crate's context adds to RO-Crate's own: the meaning of its further terms."""
    items = context if isinstance(context, list) else [context]
    return [item for item in items if not (isinstance(item, str) and "/ro/crate/" in item)]


def _license(root: Node) -> str:
    return next(iter(root.texts("license")), "")


def _employer(index: Index, parts: Parts) -> str:
    """Whom the requester works for: published by them where no TRE has."""
    for person in index.of_type("Person"):
        for employer in index.linked(person, "affiliation", "Organization"):
            name = employer.id if is_absolute(employer.id) else ""
            if name in parts.others:
                return name
    found = [id for id, entity in parts.others.items() if entity["@type"] == "Organization"]
    return found[0] if found else ""


def _check(graph: Graph) -> None:
    """Refuse what the draft's own rules would: the original says something that has no conforming form."""
    for finding in check(graph.to_json(), profile_id=FIVE_SAFES_DRAFT).findings:
        if finding.level == "must":
            raise Refused(
                "conversion-impossible",
                f"The crate says something that 1.0 cannot. {finding.rule}, {finding.entity}: {finding.message}",
                rule=finding.rule,
                remedy=f"In the original: {finding.remedy}",
            )
