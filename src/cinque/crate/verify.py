"""`cinque verify`: is this crate authentic and complete, who signed it, and what does it record?

0 authentic and complete · 1 not authentic, or altered · 2 unreadable · 3 sound, its signer unknown · 4 authentic, and
it records a refusal, withholding or failure. Changing any byte of any file, adding, removing or renaming one, fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cinque.crate import answer as answers
from cinque.crate import growth, request
from cinque.crate.answer import Answer, read_answer, verify_answer
from cinque.crate.archive import Archive, read_folder, unpack
from cinque.crate.cards import Members
from cinque.crate.release import ReleasedCrate, read_release, verify_release
from cinque.crate.request import Request, read_request, verify_request
from cinque.crate.rounds import history
from cinque.crate.signed import STATEMENT
from cinque.errors import CinqueError, Incompatible, NotFound, Refused, Unavailable, Unreadable
from cinque.lib.canonical import strict_loads

AUTHENTIC, ALTERED, UNREADABLE, UNKNOWN, RECORDS_NO = 0, 1, 2, 3, 4

Kind = Literal["request", "release", "refusal", "answer", ""]
Level = Literal["error", "warning", "note"]
Recompute = Callable[[dict[str, Any], dict[str, Any], list[dict[str, Any]]], Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was seen. An error decides the exit code; a warning or note does not."""

    level: Level
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found. `signer`: whose pinned card the signature fits, empty where nobody's does; `facts`: what the
    crate says of itself, for people and machines (not proven where `exit_code` is 1, 2 or 3); `crate`: what was read,
    None where its parts do not fit each other.
    """

    exit_code: int
    kind: Kind
    signer: str
    findings: tuple[Finding, ...]
    facts: Mapping[str, Any]
    crate: Request | ReleasedCrate | Answer | None = field(default=None, repr=False, compare=False)


def verify(source: Path | bytes, members: Members | None, recompute: Recompute | None = None) -> Verification:
    """Verify a request, release, refusal or answer: a ZIP (bytes or a file) or a bag's folder.

    `members`: the pinned cards, None where there is no list. `recompute`: from the analysis (name, version, digest,
    complete: whether no TRE is missing), the parameters and the history (a mapping of TRE id -> released partial for
    every round) to the result, for answers. Where it has no such analysis it raises NotFound, Unavailable, or a code
    `analysis-…`, which is a warning here; any other CinqueError means that the answer does not follow. Raises nothing
    for what the bytes hold.
    """
    try:
        archive = _opened(source)
        kind = _kind(archive)
    except CinqueError as error:
        return Verification(UNREADABLE, "", "", (_finding(error),), {})
    notes: list[Finding] = []
    if not archive.canonical:
        sentence = "The container is not the ZIP that was written: the files were unpacked or packed again."
        notes.append(Finding("note", "repacked", sentence))
    crate: Request | ReleasedCrate | Answer | None = None
    try:
        if kind == "request":
            crate = read_request(archive)
            verdict = _request(crate, members, notes)
        elif kind == "answer":
            crate = read_answer(archive)
            verdict = _answer(crate, members, recompute, notes)
        else:
            crate = read_release(archive)
            verdict = _release(crate, members, notes)
    except CinqueError as error:
        verdict = Verification(ALTERED, kind, "", (_finding(error), *notes), {})
    return replace(verdict, crate=crate)


def _opened(source: Path | bytes) -> Archive:
    if isinstance(source, bytes):
        return unpack(source)
    if source.is_dir():
        return read_folder(source)
    try:
        return unpack(source.read_bytes())
    except OSError as error:
        raise Unreadable("file-unreadable", f"The file cannot be read: {error.strerror}.") from error


def _kind(archive: Archive) -> Kind:
    """What the envelope's type says it is; the reader of that type then holds it to it."""
    kinds: dict[str, Kind] = {
        request.PAYLOAD_TYPE: "request",
        growth.PAYLOAD_TYPE: "release",
        answers.PAYLOAD_TYPE: "answer",
    }
    data = archive.files.get(STATEMENT)
    envelope = None if data is None else strict_loads(data)
    said = envelope.get("payloadType") if isinstance(envelope, dict) else None
    kind = kinds.get(said) if isinstance(said, str) else None
    if kind is None:
        raise Refused(
            "not-a-signed-crate", f"This is no crate that Cinque signed: `{STATEMENT}` is missing or unknown."
        )
    return kind


def _request(found: Request, members: Members | None, notes: list[Finding]) -> Verification:
    statement = found.statement
    facts = {
        "id": statement.id,
        "digest": found.digest,
        "requester": statement.requester,
        "project": statement.project,
        "dataset": statement.dataset,
        "analysis": f"{statement.analysis}@{statement.analysis_version}",
        "analysis_digest": statement.analysis_digest,
        "audience": [tre.name for tre in statement.audience],
        "issued": statement.issued,
        "accept_until": statement.accept_until,
    }
    try:
        card = _known(members).person(statement.requester)
    except NotFound as error:
        return Verification(UNKNOWN, "request", "", (_finding(error), *notes), facts)
    verify_request(found, card)
    return Verification(AUTHENTIC, "request", card.name, tuple(notes), facts)


def _release(found: ReleasedCrate, members: Members | None, notes: list[Finding]) -> Verification:
    facts = release_facts(found)
    try:
        card = verify_release(found, _known(members))
    except NotFound as error:
        return Verification(UNKNOWN, found.kind, "", (_finding(error), *notes), facts)
    notes += _requester(found, _known(members))
    if found.statement.appetite not in ("", card.appetite):
        sentence = f"The risk appetite is not the one on the pinned card of {card.title}."
        notes.append(Finding("warning", "appetite-differs", sentence))
    code = AUTHENTIC
    if found.kind == "refusal":
        code = RECORDS_NO
        notes.append(Finding("note", found.statement.reason, found.statement.sentence))
    return Verification(code, found.kind, card.title, tuple(notes), facts)


def _answer(found: Answer, members: Members | None, recompute: Recompute | None, notes: list[Finding]) -> Verification:
    statement = found.statement
    facts: dict[str, Any] = {
        "id": statement.id,
        "request": statement.request,
        "requester": statement.requester,
        "analysis": f"{statement.analysis}@{statement.analysis_version}",
        "analysis_digest": statement.analysis_digest,
        "members": {name: release_facts(crate) for name, crate in found.members.items()},
        "missing": {missing.tre: missing.reason for missing in statement.missing},
        "issued": statement.issued,
        "recomputed": False,
    }
    try:
        card = _known(members).person(statement.requester)
        verify_answer(found, card)
        verify_request(found.request, card)
    except NotFound as error:
        return Verification(UNKNOWN, "answer", "", (_finding(error), *notes), facts)
    unknown = None
    for name, crate in found.members.items():
        try:
            pinned = verify_release(crate, _known(members))
        except NotFound as error:
            unknown = unknown or Finding("error", error.code, f"The crate of {name}: {error.sentence}")
            continue
        notes += _requester(crate, _known(members))
        if pinned.name != name:
            sentence = f"The crate that the answer calls {name} is by {pinned.name}."
            notes.append(Finding("warning", "member-name", sentence))
        if not crate.canonical:
            notes.append(Finding("note", "repacked", f"The crate of {name} is not the ZIP that its TRE wrote."))
        if crate.kind == "refusal":
            notes.append(Finding("note", crate.statement.reason, f"{name}: {crate.statement.sentence}"))
    notes += _recomputed(found, recompute, facts)
    if unknown is not None:
        return Verification(UNKNOWN, "answer", card.name, (unknown, *notes), facts)
    released = any(crate.kind == "release" for crate in found.members.values())
    return Verification(AUTHENTIC if released else RECORDS_NO, "answer", card.name, tuple(notes), facts)


def _recomputed(found: Answer, recompute: Recompute | None, facts: dict[str, Any]) -> list[Finding]:
    """Raise Refused unless the members' released partials give the answer again."""
    rounds = history(found.members)
    if recompute is None or not rounds:
        if rounds:
            return [Finding("warning", "not-recomputed", "The answer was not worked out again from its members.")]
        if found.result is not None:
            raise Refused("answer-from-nothing", "The answer has a result, and no member released a figure.")
        return []
    statement = found.statement
    analysis = {
        "name": statement.analysis,
        "version": statement.analysis_version,
        "digest": statement.analysis_digest,
        "complete": not statement.missing,
    }
    try:
        again = recompute(analysis, dict(found.request.parameters), rounds)
    except CinqueError as error:
        if not (isinstance(error, NotFound | Unavailable | Incompatible) or error.code.startswith("analysis-")):
            raise  # the analysis is here, and says that no answer follows from these figures
        return [Finding("warning", "not-recomputed", f"The answer was not worked out again: {error.sentence}")]
    if not same(found.result, again):
        raise Refused("answer-differs", "The members' released figures do not give this answer.")
    facts["recomputed"] = True
    return []


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same, real numbers to one part in a thousand million: another processor's
    arithmetic may differ in the last digit, a count never does.
    """
    if isinstance(one, float) or isinstance(other, float):
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (one, other))
        return numbers and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def release_facts(crate: ReleasedCrate) -> dict[str, Any]:
    """What a release or refusal says of itself."""
    statement = crate.statement
    return {
        "outcome": statement.outcome,
        "tre": statement.tre,
        "task": statement.task,
        "request": statement.request,
        "requester": "" if crate.request is None else crate.request.statement.requester,
        "rounds": statement.rounds,
        "agreement": "" if statement.agreement is None else f"{statement.agreement.id} {statement.agreement.version}",
        "outputs": sorted(crate.outputs),
        "reason": statement.reason,
        "sentence": statement.sentence,
        "code": dict(statement.code),
        "audit_head": statement.audit_head,
        "issued": statement.issued,
    }


def _requester(crate: ReleasedCrate, members: Members) -> list[Finding]:
    """Raise Refused where the requester is pinned and did not sign the request in the crate."""
    if crate.request is None:
        return []
    try:
        verify_request(crate.request, members.person(crate.request.statement.requester))
    except NotFound:
        sentence = "Who asked is not in the list of pinned cards; the TRE vouches for it."
        return [Finding("note", "requester-unknown", sentence)]
    return []


def _known(members: Members | None) -> Members:
    if members is None:
        raise NotFound(
            "no-trust-list",
            "There is no list of pinned cards to compare the signature with.",
            remedy="Name a members file.",
        )
    return members


def _finding(error: CinqueError) -> Finding:
    return Finding("error", error.code, f"{error.sentence} {error.remedy}".strip())
