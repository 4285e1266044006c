"""How a request's graph grows in a TRE, and the statement that a TRE signs over what came of it (R51, R73-R86)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Final, Literal

from cinque.crate.bag import BAG_INFO, DECLARATION, MANIFEST, PAYLOAD
from cinque.crate.cards import TreCard
from cinque.crate.graph import METADATA, ROOT, Entity, Graph, ref, refs, types
from cinque.crate.keys import SigningKey
from cinque.crate.phases import Organization, Phase, Software, publishing, read_gate_record
from cinque.crate.request import OUTPUTS, Request
from cinque.crate.signed import STATEMENT, altered, file_digests, seal_statement, write_signed
from cinque.errors import Refused
from cinque.lib.clock import rfc3339
from cinque.lib.version import VERSION
from cinque.model import CLOSED
from cinque.model.request import task_id

PAYLOAD_TYPE: Final = "application/vnd.cinque.release+json"
GATE_RECORD: Final = "gate.dsse.json"
KEPT: Final = "request/"  # tag folder with the request, verbatim

Outcome = Literal["released", "refused", "withheld", "failed", "expired", "cancelled"]


@dataclass(frozen=True, slots=True)
class AgreementInForce:
    """`folder`: digest of the TRE's folder that was in force, so of the agreement's very words."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    version: str
    folder: str


@dataclass(frozen=True, slots=True)
class ReleaseStatement:
    """What a TRE signs with a release or a refusal. `request`, `request_digest`: id and sha512 of the request's
    statement, empty where no request could be read; `rounds`: how many were released; `appetite`: SHA-256 of the risk
    appetite; `code`: name -> digest or version of what ran; `files`: sha512 of every file but this and the tag
    manifest; `reason`, `sentence`: why nothing (more) was released, in words that may leave.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["https://w3id.org/cinque/statement/release"]
    version: Literal[1]
    outcome: Outcome
    request: str
    request_digest: str
    task: str
    tre: str
    rounds: int
    agreement: AgreementInForce | None
    appetite: str
    code: dict[str, str]
    audit_head: str
    reason: str
    sentence: str
    issued: str
    files: dict[str, str]


def organization(tre: TreCard) -> Organization:
    """The TRE as an agent, and as the provider of its software (R62)."""
    return Organization(tre.id, tre.title)


def asks(request: Request, tre: TreCard) -> bool:
    """Whether the request asks this TRE."""
    return tre.id in [asked.id for asked in request.statement.audience]


@cache
def this_software(tre: TreCard) -> Software:
    """This installation of Cinque acting for a TRE."""
    return Software("cinque", VERSION, organization(tre))


def grown(
    request: Request,
    tre: TreCard,
    phases: tuple[Phase, ...],
    outputs: Mapping[str, bytes],
    gate_record: bytes | None,
    publisher: Software,
    now: datetime,
) -> tuple[Graph, tuple[Phase, ...]]:
    """The request's graph with everything that a TRE adds to it but the fate of the run, and all phases in it."""
    if not asks(request, tre):
        raise Refused("tre-not-asked", f"The request does not ask {tre.title}.")
    task = task_id(request.statement.id, tre.id)
    gate: tuple[Phase, ...] = ()
    if gate_record is not None:
        gate = read_gate_record(gate_record, tre.gate_record, task=task, request_digest=request.digest)
    phases = (*gate, *_disclosed(phases, outputs), publishing(publisher, now))
    graph = request.graph.copy()
    for phase in phases:
        add_phase(graph, phase, task)
        graph.link(ROOT, "mentions", phase.id(task))  # R51, R80
    for path in sorted(outputs):
        graph.add(_output(path, outputs[path]))
        graph.link(ROOT, "hasPart", path)  # R81
    if tre.ror:
        graph.describe({"@id": tre.ror, "@type": "Organization", "name": tre.title, "sameAs": ref(tre.id)})
    graph[ROOT] |= {"identifier": task, "datePublished": rfc3339(now), "publisher": ref(tre.id)}  # R77, R78
    return graph, phases


def add_phase(graph: Graph, phase: Phase, task: str) -> None:
    """A phase and whom it refers to; people and organisations keep the words that the request described them in."""
    for entity in phase.to_entities(task):
        if types(entity) & {"Person", "Organization"} or entity["@id"].startswith("https://"):
            graph.describe(entity)
        else:
            graph.add(entity)


def write_release(
    graph: Graph,
    request: Request,
    outputs: Mapping[str, bytes],
    gate_record: bytes | None,
    statement: ReleaseStatement,
    key: SigningKey,
    now: datetime,
) -> bytes:
    """The bag of a release or refusal that keeps its request: External-Identifier unchanged (R13)."""
    tags = {KEPT + path: request.files[path] for path in (DECLARATION, BAG_INFO, MANIFEST, STATEMENT)}
    tags[KEPT + METADATA] = request.files[PAYLOAD + METADATA]
    if gate_record is not None:
        tags[GATE_RECORD] = gate_record
    payload = {p.removeprefix(PAYLOAD): c for p, c in request.files.items() if p.startswith(PAYLOAD)}
    return write_signed(
        graph,
        {**payload, **outputs},
        tags,
        identifier=statement.request,
        now=now,
        top=f"{statement.outcome}-{statement.task.removeprefix('urn:uuid:')}",
        sign=lambda files: seal_statement(replace(statement, files=file_digests(files)), PAYLOAD_TYPE, key),
    )


def _disclosed(phases: tuple[Phase, ...], outputs: Mapping[str, bytes]) -> tuple[Phase, ...]:
    """The phases, each completed disclosure check with the outputs of its round among its objects (R55, R75)."""
    passed = [phase.round for phase in phases if phase.kind == "disclosure" and not phase.failed]
    rounds: dict[int, list[str]] = {}
    for path in sorted(outputs):
        number = round_of(path) or max(passed, default=0)
        if not path.startswith(OUTPUTS) or number not in passed:
            raise Refused(
                "output-not-disclosed",
                "An output is covered by no completed disclosure check.",
                rule="R76",
                remedy="Record the disclosure check of its round, or leave the output out.",
            )
        rounds.setdefault(number, []).append(path)
    return tuple(
        replace(phase, objects=tuple(rounds.get(phase.round, ())))
        if phase.kind == "disclosure" and not phase.failed
        else phase
        for phase in phases
    )


def round_of(path: str) -> int:
    """The round of `outputs/rounds/NN/...`, from 1; 0 for an output of the whole session."""
    found = re.match(r"outputs/rounds/([0-9]{2,})/", path)
    return int(found[1]) if found else 0


def _output(path: str, content: bytes) -> Entity:
    kinds = {".json": "application/json", ".csv": "text/csv", ".txt": "text/plain", ".html": "text/html"}
    return {
        "@id": path,
        "@type": "File",  # R48
        "name": path.removeprefix(OUTPUTS),
        "encodingFormat": kinds.get(path[path.rfind(".") :], "application/octet-stream"),
        "contentSize": str(len(content)),
    }


# ------------------------------------------------------------------------------------------------------ checking

_ROOT_MAY_CHANGE: Final = frozenset({"mentions", "hasPart", "identifier", "datePublished", "publisher", "license"})
_RUN_MAY_CHANGE: Final = frozenset({"actionStatus", "startTime", "endTime", "result"})


def check_growth(before: Graph, after: Graph, action: str) -> None:
    """Raise Refused unless `after` is `before` with new entities, and nothing else changed than contracts section 4
    allows: of the root and of the run (`action`). `mentions` and `hasPart` only grow.
    """
    if before.context != after.context:
        raise altered("growth", "The released metadata has another @context than the request's.")
    for id, entity in before.entities.items():
        now = after.get(id)
        free = {ROOT: _ROOT_MAY_CHANGE, action: _RUN_MAY_CHANGE}.get(id, frozenset())
        if {k: v for k, v in entity.items() if k not in free} != {k: v for k, v in now.items() if k not in free}:
            raise altered("growth", "The released metadata changes what the request said.")
    for name in ("mentions", "hasPart"):
        had = tuple(dict.fromkeys(refs(before.root.get(name))))
        if refs(after.root.get(name))[: len(had)] != had:
            raise altered("growth", f"The released metadata drops something from the request's `{name}`.")
