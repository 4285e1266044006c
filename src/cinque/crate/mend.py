"""`cinque crate mend`: a mended, unsigned derivative of a crate, which names its original and what was changed.

The original is never touched. What has one right answer is mended (`cinque.crate.mends` the graph, here the bag);
everything else stays as it is and is told. Mending a mended crate changes nothing.

    mended = mend(Path("crate.zip"), now=clock())
    write(mended, Path("mended.zip"))
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cinque.crate import archive, bag
from cinque.crate.check import Report, check
from cinque.crate.container import METADATA, Container, opened
from cinque.crate.mends import Change, Draft, mend_graph
from cinque.crate.profiles import FIVE_SAFES, FIVE_SAFES_DRAFT, profile
from cinque.errors import Refused, Unreadable
from cinque.lib import base64url
from cinque.lib.canonical import MAX_BYTES, strict_loads
from cinque.lib.clock import rfc3339
from cinque.lib.digest import sha512_hex
from cinque.lib.version import VERSION

_ENVELOPE = ".dsse.json"
_LISTED = 200  # changes that the crate itself lists; the command lists all


@dataclass(frozen=True, slots=True)
class Mended:
    """The derivative. `original`: the SHA-512 of the original in hexadecimal (of a folder: of the lines `sha512  path`
    of its files, sorted by path); `changes`: none where there was nothing to mend; `metadata`: the document; `files`:
    those of the bag or folder, None where there was a metadata file alone; `report`: what the rules still find.
    """

    original: str
    changes: tuple[Change, ...]
    metadata: bytes
    files: dict[str, bytes] | None
    bagged: bool
    top: str
    report: Report


def mend(path: Path, *, now: datetime, profile_id: str = FIVE_SAFES) -> Mended:
    """The mended derivative of what lies at this path: a bag's ZIP, a bag's or a crate's folder, a metadata file alone.

    Raises Refused for what cannot be mended at all: a hostile or damaged archive, bytes that are no strict JSON, a
    document without a graph or a root, a bag that leaves files to be fetched, a crate of the 1.0 draft; Unreadable for
    what is no crate.
    """
    found = opened(path)
    if found.metadata is None:
        first = (found.problems or ())[0]
        raise Refused(first.code, first.sentence, rule=first.rule, remedy=first.remedy)
    files, bagged = found.files, found.bagged
    payload = _payload(files, bagged=bagged)
    draft = Draft(_document(found.metadata), payload)
    if profile(profile_id).draft or (draft.index.root and FIVE_SAFES_DRAFT in draft.index.root.ids("conformsTo")):
        raise Refused(
            "mend-draft",
            "The crate follows the 1.0 draft, whose form of an action and of an id is another: mending is for 0.4.",
            remedy=f"See what is wrong with `cinque crate check --profile {FIVE_SAFES_DRAFT}`.",
        )
    if draft.index.root is None:
        raise Refused(
            "mend-no-root",
            "The crate has no root entity, so nothing can be said of it.",
            rule="RC-root",
            remedy="Describe `./` as a `Dataset`, and let `ro-crate-metadata.json` be `about` it.",
        )
    original = _digest(found)
    mend_graph(draft)
    tags: dict[str, bytes] = {}
    info: list[tuple[str, str]] = []
    if files is not None and payload is not None and (bagged or found.problems is not None):
        tags, info = _mend_bag(draft, files, original, found)
        bagged = True
    if not draft.changes:
        report = check(found.metadata, files=files, container=found.problems, profile_id=profile_id)
        return Mended(original, (), found.metadata, files, bagged, found.top, report)
    _record(draft, original, now)
    metadata = (json.dumps(draft.document, ensure_ascii=False, indent=2) + "\n").encode()
    if payload is not None:
        whole = {**payload, METADATA: metadata}
        sized = b"payload-oxum" in (files or {}).get(bag.BAG_INFO, b"").lower()
        size = [("Payload-Oxum", bag.payload_oxum(whole))] if sized else []
        files = bag.seal(whole, tags, [*info, *size]) if bagged else whole
    container = () if bagged and found.problems is not None else None
    report = check(metadata, files=files, container=container, profile_id=profile_id)
    return Mended(original, tuple(draft.changes), metadata, files, bagged, found.top, report)


def _document(metadata: bytes) -> dict[str, Any]:
    document = strict_loads(metadata, max_bytes=4 * MAX_BYTES)
    if type(document) is not dict or type(document.get("@graph")) is not list:
        raise Refused(
            "mend-no-graph",
            "The metadata is no JSON object with a list `@graph`.",
            rule="RC-graph",
            remedy="Write it again with an RO-Crate tool.",
        )
    return document


def _payload(files: Mapping[str, bytes] | None, *, bagged: bool) -> dict[str, bytes] | None:
    if files is None:
        return None
    if not bagged:
        return {name: content for name, content in files.items() if name != METADATA}
    inside = {name.removeprefix("data/"): content for name, content in files.items() if name.startswith("data/")}
    return {name: content for name, content in inside.items() if name != METADATA}


def _digest(found: Container) -> str:
    if found.data:
        return sha512_hex(found.data)
    return sha512_hex(bag.manifest(found.files or {}))


# ------------------------------------------------------------------------------------------------------------ the bag

_DECLARED = {"bag-no-declaration", "bag-declaration", "bag-version", "bag-version-spelling"}
_SAID = {
    "bag-digest": "The file is not what its manifest said. It stays as it is, and the new manifest lists it so.",
    "bag-file-unlisted": "The file was in no manifest, and is listed now.",
    "bag-file-missing": "The file was listed and is not there. It is listed no more.",
    "bag-manifest-path": "The path does not belong into this manifest, and is listed there no more.",
    "bag-tag-manifest-listed": "A manifest listed a tag manifest, and does so no more.",
    "bag-no-manifest": "The payload's manifest is written.",
    "bag-no-tag-manifest": "The tag manifest is written.",
    "bag-oxum": "Payload-Oxum now fits the payload.",
    "bag-unreadable": "The file could not be read, and is written again.",
}


def _mend_bag(
    draft: Draft, files: Mapping[str, bytes], original: str, found: Container
) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """The tag files and the fields of bag-info.txt for the derivative; what is wrong with the bag is said."""
    if bag.FETCH in files:
        raise Refused(
            "mend-fetch",
            "The bag leaves files to be fetched, so nobody can say what it holds.",
            rule="R9",
            remedy="Complete the bag first, and leave out fetch.txt.",
        )
    for problem in found.problems or ():
        if problem.level != "note":
            draft.say("", "", f"{problem.sentence} The bag alone is packed now.", problem.rule)
    problems = bag.problems(files) if found.bagged else []
    for problem in problems:
        if problem.code in _DECLARED:
            draft.say(problem.path, "", "bagit.txt is written as RFC 8493 wants it.", "R6")
        elif problem.code in _SAID:
            draft.say(problem.path, "", _SAID[problem.code], problem.rule)
    if not found.bagged:
        tags: dict[str, bytes] = {}
    else:
        tags = {name: content for name, content in files.items() if not name.startswith("data/") and not _made(name)}
    info = _info(draft, files, original)
    if draft.changes:
        for name in [name for name in tags if "/" not in name and name.endswith(_ENVELOPE)]:
            del tags[name]
            draft.say(name, "", "The signature is left out: it is over the original, which alone is signed.", "R83")
        for name in files:
            if _other_manifest(name):
                draft.say(name, "", "The manifest is left out: SHA-512 alone is written again.", "R85")
    return tags, info


def _made(name: str) -> bool:
    return name in (bag.DECLARATION, bag.BAG_INFO) or ("/" not in name and _is_manifest(name))


def _is_manifest(name: str) -> bool:
    return name.removeprefix("tag").startswith("manifest-") and name.endswith(".txt")


def _other_manifest(name: str) -> bool:
    return "/" not in name and _is_manifest(name) and name not in (bag.MANIFEST, bag.TAG_MANIFEST)


def _info(draft: Draft, files: Mapping[str, bytes], original: str) -> list[tuple[str, str]]:
    """The fields that were there, with an identifier (R11), and without the payload's size, which is not yet known."""
    try:
        fields = bag.parse_bag_info(files.get(bag.BAG_INFO, b""))
        bag.bag_info_txt(fields)
    except Refused:
        fields = []
    kept = [(label, value) for label, value in fields if label.lower() != "payload-oxum"]
    if not any(label.lower() == bag.IDENTIFIER.lower() and value for label, value in kept):
        # fresh for this crate, and the same however often it is mended
        made = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, 'urn:sha512:' + original)}"
        kept = [(bag.IDENTIFIER, made), *((x, y) for x, y in kept if x.lower() != bag.IDENTIFIER.lower())]
        draft.say(bag.BAG_INFO, bag.IDENTIFIER, f"The bag is now called {made}.", "R11")
    return kept


# --------------------------------------------------------------------------------------------------------- the record


def _record(draft: Draft, original: str, now: datetime) -> None:
    """That it was mended, from what, by which software and how: an `UpdateAction` on the root, as RO-Crate wants
    changes recorded and R82 allows. It has no `additionalType`, so it is no phase of the crate's life.
    """
    root = draft.index.root
    if root is None:
        raise Unreadable("mend-no-root", "The crate has lost its root.")
    before = "ni:///sha-512;" + base64url.encode(bytes.fromhex(original))  # RFC 6920
    action, number = f"#mended-{original[:16]}", len(draft.changes)
    software = f"#cinque-{VERSION}"
    lines = [f"{change.entity} {change.property}: {change.sentence}".strip() for change in draft.changes[:_LISTED]]
    if number > _LISTED:
        lines.append(f"And {number - _LISTED} more.")
    known = draft.index.by_id
    made: list[dict[str, Any]] = [
        {
            "@id": before,
            "@type": "CreativeWork",
            "name": "The crate as it was before it was mended",
            "identifier": f"sha512:{original}",
        },
        {"@id": software, "@type": "SoftwareApplication", "name": "Cinque", "version": VERSION},
        {
            "@id": action,
            "@type": "UpdateAction",
            "name": f"Mended: {number} {'change' if number == 1 else 'changes'}, unsigned",
            "description": "\n".join(lines),
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "instrument": {"@id": software},
            "object": {"@id": root.id},
            "endTime": rfc3339(now),
        },
    ]
    draft.document["@graph"] += [entity for entity in made if entity["@id"] not in known]
    draft.link(root.id, "isBasedOn", before)
    draft.link(root.id, "mentions", action)


# ------------------------------------------------------------------------------------------------------------ writing


def write(mended: Mended, out: Path, source: Path) -> None:
    """Write the derivative: `.zip` a bag's ZIP, `.json` the metadata alone, any other name a folder.

    Raises Refused where something of that name exists or it lies inside the original, and where the original does not
    hold what that form needs; Unreadable where the disk says no.
    """
    where, inside = out.absolute(), source.absolute()
    if os.path.lexists(where) or inside in where.parents:
        raise Refused(
            "mend-over", "There is something of that name already.", remedy="Name a new file or folder, elsewhere."
        )
    files = mended.files
    alone = where.suffix == ".json"
    if files is None and not alone:
        raise Refused(
            "mend-alone", "There is metadata alone, and no crate to pack.", remedy="Name a file that ends in .json."
        )
    try:
        if alone or files is None:
            with where.open("xb") as stream:
                stream.write(mended.metadata)
            return
        if where.suffix == ".zip":
            if not mended.bagged:
                identifier = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, 'urn:sha512:' + mended.original)}"
                files = bag.seal(files, {}, [(bag.IDENTIFIER, identifier)])
            top = mended.top or where.stem
            with where.open("xb") as stream:
                stream.write(archive.pack(files, top))
            return
        archive.write_folder(archive.Archive(where.name, dict(files), canonical=False), where)
    except OSError as error:
        raise Unreadable("mend-unwritable", f"It cannot be written: {error.strerror}.") from error
