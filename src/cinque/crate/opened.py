"""A crate in a program's hands: opened, asked, checked, grown by a phase, written. Needs no service.

    crate = Crate.open("request.zip")
    crate.check().conforms
    crate.record(phases.check(software, ended=now)).write("checked.zip")

A value: what changes gives a new crate. What nobody here knows (entities, properties, further keys of the document)
stays as it was read. A signed crate is read and verified, and never rewritten: what a TRE adds to one is composed and
signed anew (`compose_release`, `compose_refusal`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cinque.crate import archive, bag
from cinque.crate.check import Report, check
from cinque.crate.container import METADATA
from cinque.crate.index import Index
from cinque.crate.profiles import FIVE_SAFES
from cinque.crate.stages import stage
from cinque.errors import Refused, Unreadable
from cinque.lib.canonical import MAX_BYTES, strict_loads

if TYPE_CHECKING:
    from cinque.crate.cards import Members
    from cinque.crate.phases import Phase
    from cinque.crate.verify import Recompute, Verification

_PREVIEW: Final = "ro-crate-preview.html"
_STATEMENT: Final = "statement.dsse.json"


@dataclass(frozen=True, slots=True)
class Crate:
    """`document`: the metadata as a JSON object; `files`: every file by its name (of a bag `data/…` is the payload),
    None where there is the metadata alone. Made by `open`.
    """

    document: Mapping[str, Any]
    files: Mapping[str, bytes] | None
    _bytes: bytes | None = field(default=None, repr=False, compare=False)  # the document as it was read
    _source: Path | bytes | None = field(default=None, repr=False, compare=False)  # what `verify` looks at
    _top: str = field(default="", repr=False, compare=False)
    _index: Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", Index(self.document))

    # ------------------------------------------------------------------------------------------------------- reading
    @classmethod
    def open(cls, source: Path | str | bytes) -> Crate:
        """The crate at a path, or in bytes: a bag (ZIP or folder), a crate's folder, or a metadata document.

        Tolerant: only what is no crate at all is refused here; `check` says what is wrong with the rest. Raises
        Unreadable for a path without a crate, Refused for a hostile archive and for what is not strict JSON.
        """
        where = Path(source) if isinstance(source, str) else source
        found = _files(where)
        if isinstance(found, bytes):
            metadata, files, top = found, None, ""
        else:
            files, top = found.files, found.top
            place = next((name for name in (METADATA, bag.PAYLOAD + METADATA) if name in files), "")
            if not place:
                raise Unreadable("no-crate", f"There is no {METADATA}.", remedy="Give a bag, a crate, or its metadata.")
            metadata = files[place]
        document = strict_loads(metadata, max_bytes=4 * MAX_BYTES)
        if not isinstance(document, dict) or not isinstance(document.get("@graph"), list):
            raise Unreadable("no-graph", "The metadata holds no `@graph`.", remedy="Give the metadata of an RO-Crate.")
        return cls(document, files, metadata, where, top)

    @property
    def entities(self) -> tuple[Mapping[str, Any], ...]:
        """The entities of the graph, in their order."""
        return tuple(entity for entity in self.document["@graph"] if isinstance(entity, dict))

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.entities)

    def __getitem__(self, id: str) -> Mapping[str, Any]:
        """The entity with this `@id`. Raises KeyError where the crate does not describe it."""
        return self._index.by_id[id].data

    @property
    def root(self) -> Mapping[str, Any]:
        """The Root Data Entity; empty where there is none."""
        return {} if self._index.root is None else self._index.root.data

    @property
    def stage(self) -> str:
        """How far it has come, one of `cinque.crate.stages.STAGES`."""
        return stage(self._index)

    @property
    def identifier(self) -> str:
        """The External-Identifier of the bag (R11), empty where there is none."""
        return next((value for label, value in self._info() if label.lower() == bag.IDENTIFIER.lower()), "")

    @property
    def payload(self) -> Mapping[str, bytes]:
        """The crate's own files by the names that its entities use."""
        prefix = self._prefix
        files = self.files or {}
        return {name.removeprefix(prefix): content for name, content in files.items() if name.startswith(prefix)}

    @property
    def signed(self) -> bool:
        """Whether the bag holds a statement; `verify` says whose, and whether it holds."""
        return self.files is not None and _STATEMENT in self.files

    # ------------------------------------------------------------------------------------------------------- judging
    def check(self, *, stage: str | None = None, profile: str = FIVE_SAFES) -> Report:
        """Every rule of the profile at the crate's stage, or at the one given. Raises as `cinque.crate.check.check`."""
        return check(self.document, files=self.files, stage=stage, profile_id=profile)

    def verify(self, members: Members | None, recompute: Recompute | None = None) -> Verification:
        """Is it authentic and complete, by these pinned cards? As `cinque verify`: see `exit_code` and `findings`.

        Of a crate that was changed in memory: write it and open it again. Raises Refused for one.
        """
        from cinque.crate.verify import verify

        if self._source is None:
            raise Refused("crate-not-written", "The crate was changed since it was read.", remedy="Write and open it.")
        return verify(self._source, members, recompute)

    # ------------------------------------------------------------------------------------------------------- growing
    def record(self, phase: Phase, *, task: str = "") -> Crate:
        """The crate with one more phase: its entities, mentioned by the root (R51), with a new preview.

        `task`: a `urn:uuid:` that the phase's `@id` is derived from, so that who records it twice writes it once; by
        default the bag's External-Identifier. People and organisations keep the words in which they are described.
        Raises Refused for a signed crate, where there is no task, and where another entity has the `@id` of the phase.
        """
        from cinque.crate.graph import types

        if self.signed:
            remedy = "Compose a release or a refusal from the request, and sign that."
            raise Refused("crate-signed", "A signed crate is never rewritten.", remedy=remedy)
        index = self._index
        if index.root is None or index.root.id != "./":
            raise Refused("crate-root", "The crate does not describe its root `./`.", rule="R19", remedy="Describe it.")
        namespace = task or self.identifier
        try:
            id = phase.id(namespace)
        except ValueError:
            remedy = "Name a task (urn:uuid:...)."
            raise Refused("crate-task", "No UUID identifies this crate.", rule="R11", remedy=remedy) from None
        graph = list(self.document["@graph"])
        for entity in phase.to_entities(namespace):
            known = index.by_id.get(entity["@id"])
            if known is None:
                graph.append(entity)
            elif known.data != entity and not (
                types(entity) & {"Person", "Organization"} or entity["@id"].startswith("https://")
            ):
                raise Refused("entity-described", f"The crate describes {entity['@id'][:80]!a} already, and otherwise.")
        mentions = index.root.values("mentions")
        if id not in index.root.ids("mentions"):
            mentions = [*mentions, {"@id": id}]
        graph[graph.index(index.root.data)] = {**index.root.data, "mentions": mentions}
        grown = replace(self, document={**self.document, "@graph": graph}, _bytes=None, _source=None)
        return grown if self.files is None else replace(grown, files=self._renewed(grown.metadata, grown.preview()))

    def _renewed(self, metadata: bytes, preview: bytes) -> Mapping[str, bytes]:
        """All files around another metadata document: of a bag with new manifests."""
        payload = {**self.payload, METADATA: metadata, _PREVIEW: preview}
        if not self._prefix:
            return payload
        info = [pair for pair in self._info() if pair[0].lower() != "payload-oxum"]
        files = self.files or {}
        tags = {
            name: content
            for name, content in files.items()
            if not name.startswith(bag.PAYLOAD)
            and name not in (bag.DECLARATION, bag.BAG_INFO)
            and not name.startswith(("manifest-", "tagmanifest-"))
        }
        return bag.seal(payload, tags, [*info, ("Payload-Oxum", bag.payload_oxum(payload))])

    # ------------------------------------------------------------------------------------------------------- writing
    @property
    def metadata(self) -> bytes:
        """The metadata document: the bytes that were read, or those of the grown crate."""
        if self._bytes is not None:
            return self._bytes
        return (json.dumps(self.document, ensure_ascii=False, indent=1) + "\n").encode()

    def preview(self) -> bytes:
        """The crate as one page for people: HTML, self-contained, without script."""
        from cinque.crate.preview import preview_html

        sizes = {name: len(content) for name, content in self.payload.items() if name != _PREVIEW}
        return preview_html(self.entities, sizes)

    def to_nquads(self) -> bytes:
        """The crate's statements as RDF, a line each, sorted. Needs `cinque[rdf]`; raises as `cinque.crate.rdf`."""
        from cinque.crate.rdf import base_of, to_nquads

        return to_nquads(self.metadata, base=base_of(self.metadata, self.files))

    def write(self, path: Path | str) -> None:
        """Write the crate to a new place: a bag's canonical ZIP where `path` ends with `.zip`, the metadata alone where
        it ends with `.json`, else a folder. Raises Refused where something is there already, and for a ZIP of what is
        no bag; OSError.
        """
        where = Path(path)
        files = self.files or {METADATA: self.metadata}
        if where.suffix == ".json":
            _new_file(where, self.metadata)
        elif where.suffix == ".zip":
            if not self._prefix or self.files is None:
                raise Refused("bag-needed", "Only a bag is written as a ZIP.", rule="R2", remedy="Write a folder.")
            _new_file(where, archive.pack(files, self._top))
        else:
            archive.write_folder(archive.Archive(self._top, dict(files), canonical=False), where)

    # -------------------------------------------------------------------------------------------------------- pieces
    @property
    def _prefix(self) -> str:
        return bag.PAYLOAD if self.files is not None and METADATA not in self.files else ""

    def _info(self) -> list[tuple[str, str]]:
        found = (self.files or {}).get(bag.BAG_INFO)
        return [] if found is None or not self._prefix else bag.parse_bag_info(found)


def _files(source: Path | bytes) -> archive.Archive | bytes:
    """The files at a path or in bytes; the bytes themselves where they are no archive."""
    try:
        if isinstance(source, Path) and source.is_dir():
            return archive.read_folder(source)
        data = source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise Unreadable("file-unreadable", f"The crate cannot be read: {error.strerror}.") from error
    return archive.unpack(data) if data[:2] == b"PK" else data


def _new_file(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as stream:
            stream.write(data)
    except FileExistsError:
        raise Refused("file-exists", "There is already something of that name.", remedy="Name a new file.") from None
