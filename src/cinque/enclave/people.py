"""What the TRE's people decide: sign-off, refusal, release, withholding; each signed with that person's own key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from cinque.crate import dsse, phases
from cinque.crate.keys import key_id
from cinque.enclave import policy, publish, store, worker
from cinque.enclave.service import Enclave
from cinque.errors import Conflict, Forbidden, Refused
from cinque.lib.clock import parse_rfc3339, rfc3339
from cinque.lib.digest import keyed_hex
from cinque.lib.parse import parse_strict
from cinque.model import CLOSED
from cinque.model.agreements import Person
from cinque.model.lifecycle import Actor, Role, State

DECISION_TYPE: Literal["https://w3id.org/cinque/statement/decision"] = "https://w3id.org/cinque/statement/decision"
WORDS = 2000


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's signed decision. `seen`: for release and withhold, the keyed digest of the output that was shown, so
    that nobody's signature lets out what they did not look at. `reason` stays inside the TRE, but for a refusal or a
    withholding `answer` is what the researcher is told.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["https://w3id.org/cinque/statement/decision"]
    version: Literal[1]
    task: str
    decision: Literal["sign-off", "refuse", "release", "withhold"]
    reason: str
    answer: str
    seen: str
    at: str


def decide(enclave: Enclave, envelope: bytes, task: str) -> store.Record:
    """Carry out a signed decision on `task`. Raises Refused for what is not signed by a person of this TRE in that
    role, gives no reason, or was made of another task or output; Conflict when the task is past it; Forbidden for
    one's own request.
    """
    signed = dsse.open_envelope(envelope, DECISION_TYPE)
    decision = parse_strict(Decision, signed.payload, "A decision")
    if not decision.reason.strip() or len(decision.reason) > WORDS or len(decision.answer) > WORDS:
        raise Refused("no-reason", "A decision needs a reason, of at most 2,000 characters.", remedy="Give --reason.")
    role = Role.OPERATOR if decision.decision in ("sign-off", "refuse") else Role.CHECKER
    card = enclave.say.card_by_key(signed.signer())
    if signed.signer() != key_id("Ed25519", card.sign):
        raise Forbidden("decision-key", "A decision is signed with a person's signing key.")
    signed.verify(card.sign)
    person = policy.may_decide(enclave.say, card.id, role, enclave.clock().date())
    if not _fresh(decision.at, enclave):
        raise Refused("decision-stale", "The decision was signed more than an hour ago.", remedy="Decide again.")
    with enclave.database.read() as conn:
        record = store.get(conn, decision.task)
        if store.get(conn, task).task.id != record.task.id:
            raise Refused("decision-other-task", "The decision was signed for another task.", remedy="Decide again.")
    filed = (decision.decision, person.id, envelope.decode())
    actor = Actor(person.id, role)
    match decision.decision:
        case "sign-off":
            _sign_off(enclave, record, person, actor, filed)
        case "refuse":
            refusal = Refused("refused-by-person", decision.answer or "The TRE decided not to run this request.")
            enclave.give_up(record.task.id, refusal, "refuse", actor=actor, decision=filed)
        case "release":
            _release(enclave, record, decision, person, filed)
        case "withhold":
            _withhold(enclave, record, decision, person, actor, filed)
    with enclave.database.read() as conn:
        return store.get(conn, record.task.id)


def _fresh(at: str, enclave: Enclave) -> bool:
    try:
        return abs((enclave.clock() - parse_rfc3339(at)).total_seconds()) <= 3600
    except ValueError:
        return False  # no time at all


def seen_digest(enclave: Enclave, row: store.Round) -> str:
    """What a checker signs for an output: keyed, so that it tells nothing outside the TRE."""
    key = enclave.ring.sign("release").private_bytes()
    return keyed_hex(b"cinque shown output" + key, enclave.files.get(row.released))


def pending(enclave: Enclave, task: str) -> store.Round | None:
    """The computed round that waits for a checker."""
    with enclave.database.read() as conn:
        return next((row for row in store.rounds(conn, task) if not row.envelope), None)


def _sign_off(
    enclave: Enclave, record: store.Record, person: Person, actor: Actor, filed: tuple[str, str, str]
) -> None:
    enclave.authority(record)  # revocation and dates are read again
    now = enclave.clock()
    with enclave.database.write() as conn:
        record = store.get(conn, record.task.id)
        enclave.keep_decision(conn, record, filed)
        by = {"id": person.id, "name": person.name}
        authority = record.authority | {"signed_off_by": by, "at": rfc3339(now), "folder": enclave.say.digest}
        enclave.step(conn, replace(record, authority=authority), "sign off", actor=actor, why={})
    enclave.on_work(record.task.id)


def _release(
    enclave: Enclave, record: store.Record, decision: Decision, person: Person, filed: tuple[str, str, str]
) -> None:
    row = _shown(enclave, record, decision)
    if person.id == record.task.requester:
        raise Forbidden(
            "four-eyes", "Whoever asked may not release the same task.", remedy="Another person must do it."
        )
    checker = phases.Person(person.id, person.name)
    row = publish.keep_phase(row, publish.disclosure_phase(enclave, row, enclave.clock(), checker))
    worker.release_round(enclave, record, row, filed)


def _withhold(
    enclave: Enclave,
    record: store.Record,
    decision: Decision,
    person: Person,
    actor: Actor,
    filed: tuple[str, str, str],
) -> None:
    row = _shown(enclave, record, decision)
    refusal = Refused("withheld", decision.answer or "The output was checked and may not leave this TRE.")
    check = phases.disclosure(
        phases.Person(person.id, person.name),
        enclave.clock(),
        round=row.round,
        refusal=(refusal.code, refusal.sentence),
    )
    enclave.give_up(record.task.id, refusal, "withhold", actor=actor, decision=filed, checks=(check,))


def _shown(enclave: Enclave, record: store.Record, decision: Decision) -> store.Round:
    row = pending(enclave, record.task.id)
    if record.task.state is not State.IN_REVIEW or row is None:
        raise Conflict("not-in-review", f"No output of this task waits for a checker: it is {record.task.state}.")
    if decision.seen != seen_digest(enclave, row):
        raise Refused(
            "not-what-was-shown",
            "The decision was made of another output than the one that waits.",
            remedy="Look at it again with `cinque tre show TASK`.",
        )
    return row
