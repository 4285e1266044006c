"""`cinque crate convert`: a 0.4 crate on disk becomes a snapshot of the 1.0 draft, an answer a federated record.

One way, and unsigned: the original stays what was signed, and the new crate names it with its digest. What is written
is judged by the draft's own rules first; what could not pass is refused in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cinque.crate.answer import ANSWER, read_answer
from cinque.crate.answer import PAYLOAD_TYPE as ANSWER_TYPE
from cinque.crate.archive import Archive
from cinque.crate.bag import PAYLOAD, manifest
from cinque.crate.check import check
from cinque.crate.draft_1_0.federated import federated
from cinque.crate.draft_1_0.written import Converted, Identity, single
from cinque.crate.dsse import open_envelope
from cinque.crate.index import Index
from cinque.crate.profiles import FIVE_SAFES_DRAFT
from cinque.crate.profiles.five_safes_1_0_draft.kinds import canonical, record, version
from cinque.crate.signed import STATEMENT
from cinque.errors import Refused
from cinque.lib.canonical import strict_loads
from cinque.lib.digest import sha512_hex
from cinque.lib.ids import Random, urn_uuid


def convert_crate(
    metadata: bytes,
    files: Mapping[str, bytes] | None,
    *,
    digest: str,
    name: str,
    now: datetime,
    random: Random,
    previous: Index | None = None,
) -> tuple[Converted, ...]:
    """The crate as a snapshot of the draft; for an answer, the federated record and then each node's provenance.

    `metadata`, `files`: as from `load_for_check`; `digest`: sha512 of the original (`digested`); `name`: of the file,
    for people; `previous`: the snapshot that this one follows, in the same record. Raises Refused for what is no 0.4
    crate that conforms, Unreadable or Refused for what cannot be read, and Refused where the result would break it.
    """
    identity = _identity(previous, random)
    if _is_answer(files):
        answer = read_answer(Archive("answer", dict(files or {}), canonical=False))
        return federated(answer, digest, name, now, random, identity)
    index = _conforming(metadata, files)
    return (single(index, files or {}, digest, name, now, random, identity, ""),)


def digested(path: Path, metadata: bytes, files: Mapping[str, bytes] | None) -> str:
    """sha512 of a crate: of its ZIP, of its metadata where there is no more, of a folder's lines `sha512  path`."""
    if files is None:
        return sha512_hex(metadata)
    return sha512_hex(path.read_bytes()) if path.is_file() else sha512_hex(manifest(files))


def _identity(previous: Index | None, random: Random) -> Identity:
    if previous is None:
        return Identity(urn_uuid(random), 1, "")
    number = version(previous)
    if number is None or not record(previous) or not canonical(previous):
        raise Refused(
            "previous-no-snapshot",
            "The crate before it is no numbered snapshot of the 1.0 draft.",
            rule="R214",
            remedy="Name a crate that `cinque crate convert` wrote, or leave out --previous.",
        )
    return Identity(record(previous), number + 1, canonical(previous))


def _is_answer(files: Mapping[str, bytes] | None) -> bool:
    if files is None or STATEMENT not in files or PAYLOAD + ANSWER not in files:
        return False
    try:
        open_envelope(files[STATEMENT], ANSWER_TYPE)
    except Refused:
        return False
    return True


def _conforming(metadata: bytes, files: Mapping[str, bytes] | None) -> Index:
    """The graph of a 0.4 crate that breaks no MUST. The refusal of an unreadable request has no request to show."""
    index = Index(strict_loads(metadata))
    root = index.root
    declared = root.ids("conformsTo") if root is not None else []
    if FIVE_SAFES_DRAFT in declared:
        raise Refused("converted-already", "The crate is one of 1.0 already.", remedy="Check it with --profile.")
    report = check(metadata, files=files)
    broken = [finding for finding in report.findings if finding.level == "must"]
    if broken and not (_refusal_of_nothing(index) and {f.rule for f in broken} <= {"R23", "R29", "R31", "R36", "R33"}):
        first = broken[0]
        raise Refused(
            "not-conforming",
            f"The crate is no Five Safes RO-Crate 0.4 that conforms. {first.rule}: {first.message}",
            rule=first.rule,
            remedy="See everything with `cinque crate check`, mend it, and convert it then.",
        )
    return index


def _refusal_of_nothing(index: Index) -> bool:
    """Cinque's answer to bytes that it could not read: no word of the request is in it."""
    root = index.root
    return root is not None and not root.values("mainEntity") and not root.values("sourceOrganization")
