"""The answer: the client's own crate around the crates of the TREs, none of which it edits (contracts section 4, R89).

A run of the analysis's combining step: its objects are the received crates, unchanged and by digest; its instrument the
analysis; its result the answer, with who is missing and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, NamedTuple

from cinque.crate.archive import Archive, unpack
from cinque.crate.cards import PersonCard, check_valid
from cinque.crate.dsse import Envelope
from cinque.crate.graph import CRATE, METADATA, PROFILE, ROOT, Entity, Graph, fragment, local_id, ref
from cinque.crate.growth import Outcome
from cinque.crate.keys import SigningKey
from cinque.crate.phases import THE_PROFILE, Person, Receiving, Status
from cinque.crate.release import ReleasedCrate, read_release
from cinque.crate.request import Request, read_request
from cinque.crate.signed import (
    PREVIEW,
    STATEMENT,
    altered,
    check_listed,
    file_digests,
    open_statement,
    read_signed,
    seal_statement,
    write_signed,
)
from cinque.crate.zipped import Limits
from cinque.errors import Refused
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.clock import parse_rfc3339, rfc3339
from cinque.lib.digest import sha512_hex
from cinque.lib.ids import Random, derived_urn, urn_uuid
from cinque.lib.parse import dump
from cinque.model import CLOSED

PAYLOAD_TYPE: Final = "application/vnd.cinque.answer+json"
ANSWER: Final = "answer.json"
REQUEST: Final = "request.zip"
PROCESS_RUN: Final = "https://w3id.org/ro/wfrun/process/0.5"


@dataclass(frozen=True, slots=True)
class Missing:
    """A TRE that was asked and whose figures are not in the answer, with a stable code and a sentence why."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    tre: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Member:
    """One crate that was received: `file` in the payload, sha512 of its bytes as they came."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    name: str
    tre: str
    task: str
    outcome: Outcome
    file: str
    digest: str


@dataclass(frozen=True, slots=True)
class AnswerStatement:
    """What the person signs with an answer. `request_digest`: sha512 of the request's statement; `files`: sha512 of
    every file but this and the tag manifest.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["https://w3id.org/cinque/statement/answer"]
    version: Literal[1]
    id: str
    requester: str
    request: str
    request_digest: str
    analysis: str
    analysis_version: str
    analysis_digest: str
    members: tuple[Member, ...]
    missing: tuple[Missing, ...]
    issued: str
    files: dict[str, str]


class Received(NamedTuple):
    """A crate that a TRE sent: its ZIP as it came, and what was read of it."""

    packed: bytes
    crate: ReleasedCrate


class Asked(NamedTuple):
    """The request: its ZIP as it was sent, and what was read of it."""

    packed: bytes
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerInputs:
    """`members`: the TRE's short name -> the crate it sent; `received`: the same names -> when, if told; `result`: the
    answer, any JSON value (None when nothing was released); `question`: the text that was asked; `asked`: the request,
    needed where no TRE sent a crate that holds it.
    """

    request: str
    question: str
    person: PersonCard
    result: Any
    members: Mapping[str, Received]
    asked: Asked | None = None
    missing: tuple[Missing, ...] = ()
    received: Mapping[str, datetime] | None = None
    license: str = "https://spdx.org/licenses/CC-BY-4.0"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose parts agree. `request`: what it answers; `members`: the crates in it, read; `document`: what
    `answer.json` holds.
    """

    statement: AnswerStatement
    envelope: Envelope
    digest: str
    files: Mapping[str, bytes]
    graph: Graph
    document: dict[str, Any]
    request: Request
    members: Mapping[str, ReleasedCrate]
    canonical: bool

    @property
    def result(self) -> Any:
        """The answer itself."""
        return self.document["result"]


# ------------------------------------------------------------------------------------------------------- writing


def compose_answer(inputs: AnswerInputs, sign_key: SigningKey, *, now: datetime, random: Random) -> bytes:
    """The canonical ZIP of an answer, signed by the person. Raises Refused when there is neither a member's crate nor
    the request, or when they do not all answer this request.
    """
    crates = {name: received.crate for name, received in sorted(inputs.members.items())}
    asked = _the_request(crates, inputs.request, inputs.asked)
    members = tuple(
        Member(
            name,
            crate.statement.tre,
            crate.statement.task,
            crate.statement.outcome,
            f"crates/{name}.zip",
            sha512_hex(inputs.members[name].packed),
        )
        for name, crate in crates.items()
    )
    document = {
        "request": inputs.request,
        "question": inputs.question,
        "result": inputs.result,
        "over": [member.tre for member in members if member.outcome == "released"],
        "missing": [dump(missing) for missing in inputs.missing],
    }
    payload = {member.file: inputs.members[member.name].packed for member in members}
    payload[ANSWER] = canonical(document)
    if inputs.asked is not None:
        payload[REQUEST] = inputs.asked.packed
    id = urn_uuid(random)
    statement = AnswerStatement(
        type="https://w3id.org/cinque/statement/answer",
        version=1,
        id=id,
        requester=inputs.person.id,
        request=inputs.request,
        request_digest=asked.digest,
        analysis=asked.statement.analysis,
        analysis_version=asked.statement.analysis_version,
        analysis_digest=asked.statement.analysis_digest,
        members=members,
        missing=inputs.missing,
        issued=rfc3339(now),
        files={},
    )
    return write_signed(
        _graph(inputs, statement, crates, now),
        payload,
        {},
        identifier=id,
        now=now,
        top="answer-" + id.removeprefix("urn:uuid:"),
        sign=lambda files: seal_statement(replace(statement, files=file_digests(files)), PAYLOAD_TYPE, sign_key),
    )


def _the_request(crates: Mapping[str, ReleasedCrate], id: str, asked: Asked | None) -> Request:
    """The request that all crates answer; a TRE that could not read it has none to show."""
    requests = {crate.request.digest: crate.request for crate in crates.values() if crate.request is not None}
    if asked is not None:
        requests[asked.request.digest] = asked.request
    if len(requests) != 1 or any(request.statement.id != id for request in requests.values()):
        raise Refused(
            "answer-members",
            "An answer needs its request, and all crates in it must answer that one.",
            remedy="Combine crates of one question only.",
        )
    tres = [crate.statement.tre for crate in crates.values()]
    if len(set(tres)) != len(tres):
        raise Refused("answer-members", "Two crates of an answer are by the same TRE.")
    return next(iter(requests.values()))


def _graph(
    inputs: AnswerInputs, statement: AnswerStatement, crates: Mapping[str, ReleasedCrate], now: datetime
) -> Graph:
    person = Person(inputs.person.id, inputs.person.name)
    agent = local_id("person", person.id)
    action = "#answer-" + derived_urn(statement.id, "answer").removeprefix("urn:uuid:")
    analysis = fragment("analysis", f"{statement.analysis}-{statement.analysis_version}")
    files = [member.file for member in statement.members] + ([] if inputs.asked is None else [REQUEST])
    employer = inputs.person.affiliation_ror or local_id("organization", inputs.person.affiliation_name)
    over = sum(member.outcome == "released" for member in statement.members)
    graph = Graph(
        [
            {"@id": METADATA, "@type": "CreativeWork", "about": ref(ROOT), "conformsTo": ref(CRATE)},
            {
                "@id": ROOT,
                "@type": "Dataset",
                "name": f"Answer: {inputs.question}"[:200],
                "description": f"Combined from what {over} TREs released; {len(statement.missing)} are missing.",
                "datePublished": statement.issued,
                "license": ref(inputs.license),
                "identifier": statement.id,
                "author": ref(agent),
                "conformsTo": ref(PROCESS_RUN),
                "hasPart": [ref(path) for path in (ANSWER, *files)],
                "mentions": [ref(action)],
            },
            {"@id": PROCESS_RUN, "@type": ["CreativeWork", "Profile"], "name": "Process Run Crate", "version": "0.5"},
            *THE_PROFILE.to_entities(),
            {"@id": inputs.license, "@type": "CreativeWork", "name": "Licence of the answer", "url": inputs.license},
            {
                "@id": action,
                "@type": "CreateAction",
                "name": f"Combination by {statement.analysis} {statement.analysis_version}",
                "actionStatus": str(Status.COMPLETED),
                "agent": ref(agent),
                "instrument": ref(analysis),
                "object": [ref(path) for path in files],
                "result": ref(ANSWER),
                "endTime": statement.issued,
            },
            {
                "@id": analysis,
                "@type": "SoftwareApplication",
                "name": statement.analysis,
                "version": statement.analysis_version,
                "softwareVersion": statement.analysis_version,
                "identifier": statement.analysis_digest,
            },
            {"@id": agent, "@type": "Person", "name": person.name, "affiliation": ref(employer)},
            {"@id": employer, "@type": "Organization", "name": inputs.person.affiliation_name},
            {"@id": ANSWER, "@type": "File", "name": "The answer", "encodingFormat": "application/json"},
        ]
    )
    if inputs.asked is not None:
        graph.add(
            {
                "@id": REQUEST,
                "@type": "File",
                "name": "The request",
                "encodingFormat": "application/zip",
                "conformsTo": ref(PROFILE),
                "identifier": [statement.request, f"sha512:{sha512_hex(inputs.asked.packed)}"],
            }
        )
    for member in statement.members:
        for entity in _received(member, crates[member.name]):
            graph.describe(entity)
        at = (inputs.received or {}).get(member.name, now)
        receiving = Receiving(person, at, member.file).to_entities(statement.id)[0]
        graph.add(receiving)
        graph.link(ROOT, "mentions", receiving["@id"])
    for missing in statement.missing:
        id = fragment("missing", missing.tre)
        name = f"{missing.tre} is missing"
        graph.add(
            {"@id": id, "@type": "DefinedTerm", "name": name, "termCode": missing.code, "description": missing.reason}
        )
        graph.link(ROOT, "mentions", id)
    return graph


def _received(member: Member, crate: ReleasedCrate) -> list[Entity]:
    publisher = crate.graph.get(member.tre)
    return [
        {
            "@id": member.file,
            "@type": "File",
            "name": f"{member.outcome} by {publisher.get('name', member.name)}",
            "encodingFormat": "application/zip",
            "conformsTo": ref(PROFILE),
            "identifier": [member.task, f"sha512:{member.digest}"],
            "publisher": ref(member.tre),
        },
        {"@id": member.tre, "@type": "Organization", "name": publisher.get("name", member.name)},
    ]


# ------------------------------------------------------------------------------------------------------- reading


def read_answer(data: bytes | Archive) -> Answer:
    """The answer in a ZIP, and every crate in it read. Raises Refused where parts do not fit each other: the bag, its
    statement, members by digest, task and outcome, the one request that all of them answer, `answer.json`.
    """
    signed = read_signed(data)
    statement, envelope = open_statement(
        signed.files[STATEMENT], PAYLOAD_TYPE, AnswerStatement, "The answer's statement"
    )
    check_listed(signed.files, statement.files)
    if signed.bag.identifier != statement.id:
        raise altered("answer-identifier", "The External-Identifier is not the id that the answer's statement says.")
    payload = signed.bag.payload
    own = {METADATA, PREVIEW, ANSWER, *(member.file for member in statement.members)}
    if payload.keys() - {REQUEST} != own:
        raise altered("answer-files", "The answer has other files than its statement has members.")
    crates: dict[str, ReleasedCrate] = {}
    for member in statement.members:
        crate = read_member(payload[member.file]).crate
        crates[member.name] = crate
        said = crate.statement
        if member.file != f"crates/{member.name}.zip" or (
            (member.tre, member.task, member.outcome, member.digest)
            != (said.tre, said.task, said.outcome, sha512_hex(payload[member.file]))
        ):
            raise altered("answer-member-differs", f"The crate of {member.name} is not the one that was combined.")
    packet = payload.get(REQUEST)
    asked = _the_request(crates, statement.request, None if packet is None else read_asked(packet))
    if asked.digest != statement.request_digest or (
        (asked.statement.analysis, asked.statement.analysis_version, asked.statement.analysis_digest)
        != (statement.analysis, statement.analysis_version, statement.analysis_digest)
    ):
        raise altered("answer-request", "The answer names another request or analysis than its members do.")
    document = strict_loads(payload[ANSWER])
    expected = {
        "request": statement.request,
        "over": [member.tre for member in statement.members if member.outcome == "released"],
        "missing": [dump(missing) for missing in statement.missing],
    }
    if not isinstance(document, dict) or document.keys() != {*expected, "question", "result"}:
        raise altered("answer-document", f"`{ANSWER}` is not in its form.")
    if {name: document[name] for name in expected} != expected:
        raise altered("answer-document", f"`{ANSWER}` and the signed statement do not agree on members or request.")
    return Answer(
        statement,
        envelope,
        sha512_hex(envelope.payload),
        signed.files,
        signed.graph,
        document,
        asked,
        crates,
        signed.archive.canonical,
    )


def read_member(packed: bytes) -> Received:
    """A crate that a TRE sent, as an answer may hold it. Raises Refused as `read_release` does."""
    return Received(packed, read_release(_stored(packed)))


def read_asked(packed: bytes) -> Asked:
    """A request as an answer may hold it. Raises Refused as `read_request` does."""
    return Asked(packed, read_request(_stored(packed)))


def _stored(data: bytes) -> Archive:
    # Stored as it was written, so no larger unpacked: an answer must not unfold without end (R92).
    return unpack(data, Limits(total=len(data)))


def verify_answer(answer: Answer, card: PersonCard) -> None:
    """Raise Refused unless this person's signing key signed the answer on a day when the card was valid. The members
    are verified one by one with `verify_release`.
    """
    if answer.statement.requester != card.id:
        raise altered("answer-requester", "The answer names another person than the card does.")
    answer.envelope.verify(card.sign)
    check_valid(card, parse_rfc3339(answer.statement.issued).date())
