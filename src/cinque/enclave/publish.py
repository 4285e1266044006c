"""The crates that leave, composed from what is on record; and how they are sealed and signed for the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cinque.crate import dsse, phases
from cinque.crate.growth import AgreementInForce
from cinque.crate.phases import Phase
from cinque.crate.refusal import compose_refusal
from cinque.crate.release import ReleaseInputs, compose_release
from cinque.crate.request import Request
from cinque.enclave import store
from cinque.enclave.folder import Say
from cinque.enclave.policy import Authority
from cinque.errors import CinqueError
from cinque.lib.canonical import canonical
from cinque.lib.clock import parse_rfc3339, rfc3339
from cinque.lib.parse import dump, parse_json
from cinque.lib.version import VERSION
from cinque.model.lifecycle import Task
from cinque.sdc import presets
from cinque.wire.messages import SEALED_TYPE, Blob, SealedStatement
from cinque.wire.sealing import seal

if TYPE_CHECKING:
    from cinque.enclave.service import Enclave

ENGINE = "Cinque worker on DuckDB"


def authority_record(authority: Authority, say: Say, at: datetime) -> dict[str, Any]:
    """What a sign-off rests on, for the record: agreement and version, the folder's digest in force, who and when."""
    agreement = authority.agreement
    return {
        "person": authority.person.id,
        "person_name": authority.person.name,
        "project": authority.project.id,
        "dataset": authority.dataset.id,
        "agreement": agreement.id,
        "agreement_version": agreement.version,
        "agreement_title": agreement.title or agreement.id,
        "folder": say.digest,
        "release": authority.release,
        "appetite": dump(say.appetite),
        "signed_off_by": None if authority.sign_off == "automatic" else "",
        "at": rfc3339(at),
    }


def software(enclave: Enclave, name: str = "Cinque enclave") -> phases.Software:
    """The enclave's own software, acting for its TRE (R62)."""
    provider = phases.Organization(enclave.card.id, enclave.card.title)
    return phases.Software(name, VERSION, provider)


def sign_off_phase(enclave: Enclave, record: store.Record, request: Request) -> Phase:
    """The sign-off as it happened: by software under an agreement, or by a person."""
    found = record.authority
    who = found["signed_off_by"]
    agent: phases.Agent = software(enclave) if who is None else phases.Person(who["id"], who["name"])
    agreement = phases.policy(
        found["agreement"], found["agreement_version"], found["agreement_title"], f"sha256:{found['folder']}"
    )
    objects = (request.workflow_id, request.project_id)
    return phases.sign_off(agent, parse_rfc3339(found["at"]), objects=objects, agreement=agreement)


def disclosure_phase(enclave: Enclave, row: store.Round, at: datetime, checker: phases.Person | None = None) -> Phase:
    """The disclosure check of one round: by the machine where the output may leave by itself, else by a person."""
    agent: phases.Agent = checker or software(enclave)
    note = " ".join(row.judgement["findings"])
    return phases.disclosure(agent, at, started=_instant(row.ended), note=note, round=row.round)


def keep_phase(row: store.Round, phase: Phase) -> store.Round:
    """The round with its disclosure check on record."""
    return replace(row, phase=canonical(dump(phase)).decode())


def release(enclave: Enclave, record: store.Record, request: Request, rows: Sequence[store.Round], head: str) -> bytes:
    """The released crate of a task, holding every round that left."""
    outputs, checks = _left(enclave, rows)
    inputs = ReleaseInputs(
        request=request,
        tre=enclave.card,
        phases=(sign_off_phase(enclave, record, request), *checks),
        outputs=outputs,
        started=_instant(rows[0].started),
        ended=_instant(rows[-1].ended),
        engine=software(enclave, ENGINE),
        agreement=_agreement(record),
        appetite=record.authority["appetite"],
        code=_code(request),
        audit_head=head,
        publisher=software(enclave),
        gate_record=record.record.encode() or None,
        snapshot=rows[-1].judgement["snapshot"],
        statbarns=tuple(sorted({s for row in rows for s in row.judgement["statbarns"]})),
    )
    return compose_release(inputs, enclave.ring.sign("release"), now=enclave.clock())


def refusal(
    enclave: Enclave,
    task: str,
    request: Request | None,
    gate_record: str,
    outcome: Any,
    error: CinqueError,
    *,
    record: store.Record | None = None,
    rows: Sequence[store.Round] = (),
    checks: Sequence[Phase] = (),
    head: str = "",
) -> bytes:
    """The signed refusal of a task; what earlier rounds released stays in it."""
    outputs, left = _left(enclave, [row for row in rows if row.envelope])
    signed: tuple[Phase, ...] = ()
    if record is not None and request is not None and record.authority and record.authority["signed_off_by"] != "":
        signed = (sign_off_phase(enclave, record, request),)
        if outcome == "refused":  # signed off once, and no longer when it was to run or to leave
            signed = (*signed, _withdrawn(enclave, record, signed[0], error))
    return compose_refusal(
        request,
        enclave.card,
        enclave.ring.sign("release"),
        outcome=outcome,
        code=error.code,
        sentence=error.sentence,
        publisher=software(enclave),
        now=enclave.clock(),
        task=task,
        phases=(*signed, *left, *checks),
        gate_record=gate_record.encode() if gate_record and request is not None else None,
        outputs=outputs,
        agreement=_agreement(record) if record is not None and record.authority else None,
        appetite=presets.digest(enclave.say.appetite),
        code_digests=_code(request) if request else {},
        audit_head=head,
    )


def _withdrawn(enclave: Enclave, record: store.Record, signed: Phase, error: CinqueError) -> Phase:
    """A second look at a sign-off, at a run, a round or a release, that said no."""
    refusal = (error.code, error.sentence)
    again = phases.sign_off(
        software(enclave), enclave.clock(), objects=signed.objects, agreement=signed.instruments[0], refusal=refusal
    )
    return replace(again, round=record.task.round + 1, description="Checked again before the task could go on.")


def _left(enclave: Enclave, rows: Sequence[store.Round]) -> tuple[Mapping[str, bytes], list[Phase]]:
    outputs = {f"outputs/rounds/{row.round:02d}/partial.json": enclave.files.get(row.released) for row in rows}
    return outputs, [parse_phase(row) for row in rows]


def parse_phase(row: store.Round) -> Phase:
    """The disclosure check on record."""
    return parse_json(Phase, row.phase.encode(), "A disclosure check")


def _agreement(record: store.Record) -> AgreementInForce:
    found = record.authority
    return AgreementInForce(found["agreement"], found["agreement_version"], found["folder"])


def _code(request: Request) -> dict[str, str]:
    statement = request.statement
    return {
        "cinque": VERSION,
        f"{statement.analysis}@{statement.analysis_version}": statement.analysis_digest,
    }


def sealed(enclave: Enclave, data: bytes, recipients: Sequence[str], request: str) -> bytes:
    """Bytes for these keys alone, bound to the request."""
    return seal(data, tuple(dict.fromkeys(recipients)), request.encode(), random=enclave.random)


def sealed_statement(enclave: Enclave, task: Task, kind: Any, blob: Blob) -> str:
    """The signed statement by which the gate lets sealed bytes out without a key to read them."""
    statement = SealedStatement(
        SEALED_TYPE,
        1,
        task.id,
        task.request,
        enclave.card.id,
        kind,
        task.round,
        blob.digest,
        blob.size,
        rfc3339(enclave.clock()),
    )
    return dsse.seal_envelope(SEALED_TYPE, canonical(dump(statement)), enclave.ring.sign("release")).decode()


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
