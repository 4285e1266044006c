"""What requests, releases, refusals and answers have in common: a bag, and one signed statement over it.

Order of writing: metadata, preview, payload manifest, statement and envelope, tag manifest (R86, contracts section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from cinque.crate.archive import Archive, pack, unpack
from cinque.crate.bag import FETCH, PAYLOAD, TAG_MANIFEST, Bag, begin, finish, payload_oxum
from cinque.crate.bag import read as read_bag
from cinque.crate.dsse import Envelope, open_envelope, seal_envelope
from cinque.crate.graph import METADATA, Graph
from cinque.crate.keys import SigningKey
from cinque.crate.preview import preview_html
from cinque.errors import Refused
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.digest import sha512_hex
from cinque.lib.parse import dump, parse_json

STATEMENT: Final = "statement.dsse.json"
PREVIEW: Final = "ro-crate-preview.html"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SignedBag:
    """A bag whose manifests hold and whose tag manifest is in the one form; its signature is not judged yet."""

    archive: Archive
    bag: Bag
    graph: Graph

    @property
    def files(self) -> dict[str, bytes]:
        """Every file, by its path in the bag."""
        return self.archive.files


def write_signed(
    graph: Graph,
    payload: Mapping[str, bytes],
    tags: Mapping[str, bytes],
    *,
    identifier: str,
    now: datetime,
    top: str,
    sign: Callable[[Mapping[str, bytes]], bytes],
) -> bytes:
    """The canonical ZIP of a bag. `payload` without metadata and preview, names without `data/`; `sign` makes the
    envelope from all files that stand before the tag manifest.
    """
    metadata = graph.to_bytes()
    sizes = {path: len(content) for path, content in payload.items()} | {METADATA: len(metadata)}
    whole = {**payload, METADATA: metadata, PREVIEW: preview_html(graph, sizes)}
    info = (
        ("External-Identifier", identifier),  # R11-R13
        ("Bagging-Date", now.date().isoformat()),
        ("Payload-Oxum", payload_oxum(whole)),
    )
    files = {**begin(whole, info), **tags}
    files[STATEMENT] = sign(files)
    return pack(finish(files), top)


def read_signed(data: bytes | Archive) -> SignedBag:
    """The bag in a ZIP, or in files already read. Raises Refused for a container or a bag that is unsound, for
    fetch.txt (R97: what is not in the bag is not signed), and for a tag manifest in another form than `finish` writes.
    """
    archive = unpack(data) if isinstance(data, bytes) else data
    files = archive.files
    if FETCH in files:
        raise Refused(
            "fetch-in-signed-crate",
            "The signed crate leaves files to be fetched, which no signature covers.",
            rule="R97",
            remedy="Put every file into the bag and sign it again.",
        )
    bag = read_bag(files)
    tags = {path: content for path, content in files.items() if not path.startswith(PAYLOAD)}
    if finish(tags).get(TAG_MANIFEST) != files.get(TAG_MANIFEST):  # R83
        raise altered("tag-manifest-form", "The tag manifest is missing, or was not written with this bag.")
    for path in (STATEMENT, PAYLOAD + METADATA):
        if path not in files:
            raise Refused("not-a-signed-crate", f"The bag has no `{path}`.", rule="R7", remedy="Sign it with Cinque.")
    return SignedBag(archive, bag, Graph.read(files[PAYLOAD + METADATA]))


def seal_statement(value: Any, payload_type: str, key: SigningKey) -> bytes:
    """The envelope of a statement: RFC 8785 JSON of the dataclass, signed."""
    return seal_envelope(payload_type, canonical(dump(value)), key)


def open_statement(data: bytes, payload_type: str, cls: type[T], what: str) -> tuple[T, Envelope]:
    """The statement in an envelope, whose signature is not judged yet. Raises Refused for another form or type."""
    envelope = open_envelope(data, payload_type)
    value = strict_loads(envelope.payload)
    if canonical(value) != envelope.payload:
        raise altered("statement-not-canonical", f"{what} is not in its one form (RFC 8785).")
    return parse_json(cls, envelope.payload, what), envelope


def file_digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """sha512 of every file except statement and tag manifest: what a release or an answer states."""
    return {path: sha512_hex(files[path]) for path in sorted(files) if path not in (STATEMENT, TAG_MANIFEST)}


def check_listed(files: Mapping[str, bytes], listed: Mapping[str, str]) -> None:
    """Raise Refused unless the statement lists exactly these files with these digests."""
    if file_digests(files) != listed:
        raise altered("differs-from-statement", "The files of the crate are not those that its signer listed.")


def altered(code: str, sentence: str) -> Refused:
    """The refusal of bytes that are not those that were signed."""
    return Refused(code, sentence, remedy="Do not use it; fetch it again from its author.")
