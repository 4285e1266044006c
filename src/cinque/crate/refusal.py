"""The refusal crate: why nothing, or nothing more, was released, and the request it answers (contracts section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from cinque.crate.cards import TreCard
from cinque.crate.graph import CRATE, METADATA, ROOT, Graph, ref
from cinque.crate.growth import (
    PAYLOAD_TYPE,
    AgreementInForce,
    Outcome,
    ReleaseStatement,
    add_phase,
    asks,
    grown,
    organization,
    this_software,
    write_release,
)
from cinque.crate.keys import SigningKey
from cinque.crate.phases import Phase, Software, Status, disclosure, publishing, reason_entity, sign_off
from cinque.crate.request import Request
from cinque.crate.signed import file_digests, seal_statement, write_signed
from cinque.lib.clock import rfc3339
from cinque.model.request import task_id


def compose_refusal(
    request: Request | None,
    tre: TreCard,
    key: SigningKey,
    *,
    task: str,
    outcome: Outcome,
    code: str,
    sentence: str,
    now: datetime,
    publisher: Software | None = None,
    phases: tuple[Phase, ...] = (),
    gate_record: bytes | None = None,
    outputs: Mapping[str, bytes] | None = None,
    agreement: AgreementInForce | None = None,
    appetite: str = "",
    code_digests: Mapping[str, str] | None = None,
    audit_head: str = "",
) -> bytes:
    """The canonical ZIP of a signed refusal: refused, withheld, failed, expired or cancelled.

    `request` is None for bytes that could not be read: then nothing of them is repeated, and `task` names the answer;
    the same holds for a request that does not ask this TRE, or is not the one of `task`.
    `phases` hold the one that said no; where none did, a failed sign-off (refused) or disclosure check (withheld) by
    `publisher` is added. `outputs`: only what earlier rounds released already, covered by their completed checks.
    `code`, `sentence`: words that may leave. `key`: the enclave's release key, or the gate's record key for what a
    gate itself refuses or lets expire. Raises Refused as `compose_release` does.
    """
    if outcome == "released":
        raise ValueError("a release is no refusal")
    if request is not None and not (asks(request, tre) and task == task_id(request.statement.id, tre.id)):
        request = None
    publisher = publisher or this_software(tre)
    left = dict(outputs or {})
    phases = (*phases, *_missing_phase(outcome, phases, (code, sentence), request, publisher, now))
    if request is None:
        graph = _unreadable(tre, task, code, sentence, phases, publisher, now)
    else:
        graph, phases = grown(request, tre, phases, left, gate_record, publisher, now)
        action = graph[request.action_id]
        if outcome != "refused" or left:
            # Failed whatever the cause, and without times: whether and how long it ran is not said.
            action["actionStatus"] = str(Status.FAILED)
        if left:
            action["result"] = [ref(path) for path in sorted(left)]
    reason = reason_entity(task, code, sentence, suffix="outcome")
    graph.add(reason)
    graph.link(ROOT, "mentions", reason["@id"])
    statement = ReleaseStatement(
        type="https://w3id.org/cinque/statement/release",
        version=1,
        outcome=outcome,
        request=task if request is None else request.statement.id,
        request_digest="" if request is None else request.digest,
        task=task,
        tre=tre.id,
        rounds=sum(phase.kind == "disclosure" and not phase.failed for phase in phases),
        agreement=agreement,
        appetite=appetite,
        code=dict(code_digests or {}),
        audit_head=audit_head,
        reason=code,
        sentence=sentence,
        issued=rfc3339(now),
        files={},
    )
    if request is not None:
        return write_release(graph, request, left, gate_record, statement, key, now)
    return write_signed(
        graph,
        {},
        {},
        identifier=task,
        now=now,
        top=f"{outcome}-{task.removeprefix('urn:uuid:')}",
        sign=lambda files: seal_statement(replace(statement, files=file_digests(files)), PAYLOAD_TYPE, key),
    )


def _missing_phase(
    outcome: Outcome,
    phases: tuple[Phase, ...],
    refusal: tuple[str, str],
    request: Request | None,
    agent: Software,
    now: datetime,
) -> tuple[Phase, ...]:
    if any(phase.failed for phase in phases):
        return ()
    if outcome == "refused" and request is not None:
        objects = (request.workflow_id, request.project_id)  # R72
        return (sign_off(agent, now, objects=objects, agreement=None, refusal=refusal),)
    if outcome == "withheld":
        number = 1 + max((phase.round for phase in phases), default=0)
        return (disclosure(agent, now, round=number, refusal=refusal),)
    return ()


def _unreadable(
    tre: TreCard,
    task: str,
    code: str,
    sentence: str,
    phases: tuple[Phase, ...],
    publisher: Software,
    now: datetime,
) -> Graph:
    """A graph of its own: no word of a request that could not be read is passed on."""
    licence = "https://spdx.org/licenses/CC0-1.0"
    graph = Graph(
        [
            {"@id": METADATA, "@type": "CreativeWork", "about": ref(ROOT), "conformsTo": ref(CRATE)},
            {
                "@id": ROOT,
                "@type": "Dataset",
                "name": f"A request that {tre.title} could not read",
                "description": sentence,
                "identifier": task,
                "datePublished": rfc3339(now),
                "license": ref(licence),
                "publisher": ref(tre.id),
            },
            {"@id": licence, "@type": "CreativeWork", "name": "Creative Commons Zero 1.0", "description": code},
            *organization(tre).to_entities(),
        ]
    )
    for phase in (*phases, publishing(publisher, now)):
        add_phase(graph, phase, task)
        graph.link(ROOT, "mentions", phase.id(task))
    return graph
