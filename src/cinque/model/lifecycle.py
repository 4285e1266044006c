"""The life cycle of a task (question x TRE): one table, and one function that changes a state.

The same machine steps in hub, gate and enclave, each taking only its own steps. The table is the truth: diagrams and
"who may do what" are printed from it (`cinque.model.lifecycle_page`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from cinque.errors import Conflict, Forbidden


class State(StrEnum):
    """Where a task is."""

    OFFERED = "offered"
    LEASED = "leased"
    ACCEPTED = "accepted"
    AWAITING_SIGN_OFF = "awaiting sign-off"
    RUNNING = "running"
    IN_REVIEW = "in review"
    ROUND_RELEASED = "round released"
    RELEASED = "released"
    REFUSED = "refused"
    WITHHELD = "withheld"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Role(StrEnum):
    """Who takes a step."""

    HUB = "hub"
    GATE = "gate"
    ENCLAVE = "enclave"
    OPERATOR = "operator"  # a person of the TRE who may sign off
    CHECKER = "checker"  # a person of the TRE who decides on outputs
    RESEARCHER = "researcher"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: from a state, by a step, to a state, by these roles. `four_eyes`: the actor may not be the requester."""

    source: State
    step: str
    target: State
    by: frozenset[Role]
    four_eyes: bool = False


S, R = State, Role


def _row(source: State, step: str, target: State, *by: Role, four_eyes: bool = False) -> Transition:
    return Transition(source, step, target, frozenset(by), four_eyes)


TABLE: tuple[Transition, ...] = (
    _row(S.OFFERED, "lease", S.LEASED, R.GATE),
    _row(S.LEASED, "lapse", S.OFFERED, R.HUB),
    _row(S.LEASED, "accept", S.ACCEPTED, R.ENCLAVE),
    _row(S.LEASED, "refuse", S.REFUSED, R.GATE, R.ENCLAVE),
    _row(S.ACCEPTED, "refuse", S.REFUSED, R.ENCLAVE),
    _row(S.ACCEPTED, "hold", S.AWAITING_SIGN_OFF, R.ENCLAVE),
    _row(S.ACCEPTED, "sign off", S.RUNNING, R.ENCLAVE),
    _row(S.AWAITING_SIGN_OFF, "sign off", S.RUNNING, R.OPERATOR, four_eyes=True),
    _row(S.AWAITING_SIGN_OFF, "refuse", S.REFUSED, R.OPERATOR, R.ENCLAVE),
    _row(S.RUNNING, "submit", S.IN_REVIEW, R.ENCLAVE),
    _row(S.RUNNING, "release round", S.ROUND_RELEASED, R.ENCLAVE),
    _row(S.RUNNING, "release", S.RELEASED, R.ENCLAVE),
    _row(S.RUNNING, "refuse", S.REFUSED, R.ENCLAVE),
    _row(S.RUNNING, "withhold", S.WITHHELD, R.ENCLAVE),
    _row(S.RUNNING, "fail", S.FAILED, R.ENCLAVE),
    _row(S.IN_REVIEW, "release", S.RELEASED, R.CHECKER, four_eyes=True),
    _row(S.IN_REVIEW, "release round", S.ROUND_RELEASED, R.CHECKER, four_eyes=True),
    _row(S.IN_REVIEW, "withhold", S.WITHHELD, R.CHECKER, R.ENCLAVE),
    _row(S.ROUND_RELEASED, "resume", S.RUNNING, R.ENCLAVE),
    _row(S.ROUND_RELEASED, "release", S.RELEASED, R.ENCLAVE),
    _row(S.ROUND_RELEASED, "fail", S.FAILED, R.ENCLAVE),
    _row(S.ROUND_RELEASED, "refuse", S.REFUSED, R.ENCLAVE),
    *(
        _row(state, "cancel", S.CANCELLED, R.RESEARCHER)
        for state in (S.OFFERED, S.LEASED, S.ACCEPTED, S.AWAITING_SIGN_OFF, S.RUNNING, S.IN_REVIEW, S.ROUND_RELEASED)
    ),
    _row(S.OFFERED, "expire", S.EXPIRED, R.HUB, R.GATE),
    _row(S.LEASED, "expire", S.EXPIRED, R.HUB, R.GATE, R.ENCLAVE),
    _row(S.AWAITING_SIGN_OFF, "expire", S.EXPIRED, R.ENCLAVE),
    _row(S.IN_REVIEW, "expire", S.EXPIRED, R.ENCLAVE),
    _row(S.ROUND_RELEASED, "expire", S.EXPIRED, R.ENCLAVE),
)

FINAL: frozenset[State] = frozenset(State) - {row.source for row in TABLE}
_BY_STEP = {(row.source, row.step): row for row in TABLE}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an id (key id of a person, id of a service) in a role."""

    id: str
    role: Role


@dataclass(frozen=True, slots=True)
class Task:
    """One question at one TRE. `round`: rounds released so far. `code`: why it is in this state, for machines.
    `evidence`: the digest of the crate that a final state rests on (a finished task takes it with the step).
    """

    id: str
    request: str
    tre: str
    requester: str
    state: State = State.OFFERED
    code: str = ""
    round: int = 0
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What happened: written in the transaction that saves the new state."""

    subject: str
    event: str
    actor: str
    at: datetime
    detail: str = ""


def steps_from(state: State) -> tuple[str, ...]:
    """The steps that may be taken from a state."""
    return tuple(row.step for row in TABLE if row.source is state)


def advance(
    task: Task, step: str, actor: Actor, at: datetime, *, code: str = "", evidence: str = ""
) -> tuple[Task, AuditEntry]:
    """The task after `step`, and its audit entry; nothing else changes a state.

    Raises Conflict when the step does not follow from the task's state, Forbidden when the actor's role may not take
    it or when four eyes are needed and the actor is the requester.
    """
    row = _BY_STEP.get((task.state, step))
    if row is None:
        raise Conflict(
            "step-not-possible",
            f"A task that is {task.state} cannot take the step `{step}`.",
            remedy=f"Possible now: {', '.join(steps_from(task.state)) or 'nothing, it has ended'}.",
        )
    if actor.role not in row.by:
        raise Forbidden(
            "role-not-allowed",
            f"The step `{step}` from `{task.state}` is for {' or '.join(sorted(row.by))}, not for {actor.role}.",
        )
    if row.four_eyes and actor.id == task.requester:
        raise Forbidden(
            "four-eyes", f"Whoever asked may not {step} the same task.", remedy="Another person of the TRE must do it."
        )
    changed = replace(
        task,
        state=row.target,
        code=code,
        evidence=evidence or task.evidence,
        round=task.round + (row.target is State.ROUND_RELEASED),
    )
    detail = f"{row.source} -> {row.target}" + (f" ({code})" if code else "")
    return changed, AuditEntry(task.id, step, actor.id, at, detail)
