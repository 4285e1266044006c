"""What the gate offers, taken in: a request into custody, a round, a cancel, a receipt. Durable when `take` returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cinque.crate import dsse
from cinque.crate.request import Request
from cinque.enclave import custody, publish, rounds, store
from cinque.enclave.policy import Authority
from cinque.enclave.service import Enclave, why_not
from cinque.errors import CinqueError, Conflict, Refused
from cinque.lib.clock import rfc3339
from cinque.lib.digest import sha512_hex
from cinque.lib.parse import parse_strict
from cinque.model.lifecycle import Actor, AuditEntry, Role, State, Task
from cinque.relay import store as relay
from cinque.storage.nonces import use_once
from cinque.wire.messages import CANCEL_TYPE, CancelStatement, Item


def take(enclave: Enclave, item: Item, blobs: Sequence[bytes]) -> None:
    """Take what the gate offers: a request, a round, a cancel, a receipt. Durable when it returns."""
    match item.kind:
        case "request":
            _accept(enclave, item, blobs[0] if len(blobs) == 1 else b"")
        case "round":
            rounds.take(enclave, item.task, blobs, stopped=str(item.body.get("stopped", "")))
        case "cancel":
            cancel(enclave, item.task, str(item.body.get("cancel", "")))
        case "receipt":
            with enclave.database.write() as conn:
                store.keep_receipt(conn, item.id, item.task, str(item.body.get("receipt", "")))


def _accept(enclave: Enclave, item: Item, packet: bytes) -> None:
    now = enclave.clock()
    digest = sha512_hex(packet)
    with enclave.database.read() as conn:
        known = store.find(conn, item.task)
    if known is not None:
        _seen_again(enclave, known, digest)
        return
    request: Request | None = None
    gate_record = ""
    try:
        request = custody.open_packet(packet, item.task, enclave.card, now)
        gate_record = custody.gate_record(str(item.body.get("record", "")), request, item.task, enclave.card)
        taken = custody.examine(request, enclave.say, now)
    except CinqueError as refusal:
        _refuse_custody(enclave, item.task, packet, request, gate_record, refusal)
        return
    enclave.files.put(packet)
    statement = request.statement
    authority = taken.authority
    held = authority.sign_off != "automatic"
    why = held_for_sign_off(authority) if held else {}
    with enclave.database.write() as conn:
        until = datetime.fromisoformat(statement.accept_until) + timedelta(days=1)
        if not use_once(conn, store.USED, f"nonce/{request.signer}", statement.nonce, until):
            replay = Refused("nonce-used", "Another request of this person used the same nonce.", rule="contracts 1")
        else:
            replay = None
            record = store.Record(
                Task(item.task, statement.id, enclave.card.id, statement.requester, State.LEASED),
                digest,
                gate_record,
                publish.authority_record(authority, enclave.say, now),
                why,
                [],
                now.timestamp(),
                now.timestamp(),
            )
            record, accepted = enclave.taken(record, "accept")
            record, decided = enclave.taken(record, "hold" if held else "sign off", code="agreement" if held else "")
            store.add(conn, replace(record, unreported=[]) if held else record)
            custody_taken = AuditEntry(item.task, "custody", enclave.card.id, now, f"packet sha512 {digest}")
            enclave.audit(conn, custody_taken, accepted, decided)
            if held:
                enclave.report(conn, record)
    if replay is not None:
        _refuse_custody(enclave, item.task, packet, request, gate_record, replay)
    elif held:
        enclave.on_outgoing()
    else:
        enclave.on_work(item.task)


def _seen_again(enclave: Enclave, known: store.Record, digest: str) -> None:
    if known.packet != digest:
        return  # other bytes under a task that is taken: the gate or the hub is confused or hostile; nothing changes
    with enclave.database.write() as conn:
        relay.resend(conn, enclave.tables, f"{known.task.id}/")
    enclave.on_outgoing()
    if known.task.state is State.RUNNING:
        enclave.on_work(known.task.id)


def _refuse_custody(
    enclave: Enclave, task_id: str, packet: bytes, request: Request | None, gate_record: str, refusal: CinqueError
) -> None:
    now = enclave.clock()
    task = Task(
        task_id,
        request.statement.id if request else "",
        enclave.card.id,
        request.statement.requester if request else "",
        State.LEASED,
    )
    record = store.Record(
        task, enclave.files.put(packet), gate_record, {}, why_not(refusal), [], now.timestamp(), now.timestamp()
    )
    crate: bytes | None = None
    # Only somebody the TRE knows gets more than a code: who cannot be identified is told nothing under a seal.
    if request is not None and enclave.say.opens_for(request.statement.requester) == request.statement.reply_to:
        crate = publish.refusal(enclave, task_id, request, gate_record, "refused", refusal)
    with enclave.database.write() as conn:
        if store.find(conn, task_id) is not None:
            return
        record, refused = enclave.taken(record, "refuse", code=refusal.code, evidence=enclave.filed(crate))
        store.add(conn, replace(record, unreported=[]))
        enclave.audit(conn, refused)
        enclave.out(conn, record, request, crate)
    enclave.left(task_id)


def cancel(enclave: Enclave, task_id: str, envelope: str) -> None:
    """Stop a task on its person's own signature. Committed before the release it wins and destroys the outputs;
    after it, the release stands.
    """
    signed = dsse.open_envelope(envelope.encode(), CANCEL_TYPE)
    statement = parse_strict(CancelStatement, signed.payload, "A cancel statement")
    with enclave.database.read() as conn:
        record = store.find(conn, task_id)
    if record is None:  # it overtook the request, which is still on its way: take it when it is offered again
        raise Refused("cancel-early", "The cancel is of a task that this TRE does not have (yet).")
    if store.ended(record):
        _cancelled_late(enclave, record)
        return
    signed.verify(enclave.say.card_of(record.task.requester).sign)
    if statement.request != record.task.request:
        raise Refused("cancel-other", "The signed cancel is of another request.")
    refusal = Refused("cancelled", "The person who asked cancelled the request.")
    actor = Actor(record.task.requester, Role.RESEARCHER)
    try:
        enclave.end(record, enclave.request(record), None, "cancel", actor=actor, refusal=refusal)
    except Conflict:  # it moved in the meantime: what it is now decides
        cancel(enclave, task_id, envelope)
        return
    enclave.on_cancelled(task_id)  # only now: an interrupted query must find the task cancelled, not running


def _cancelled_late(enclave: Enclave, record: store.Record) -> None:
    """The release stands; that somebody wanted to stop it is on record."""
    with enclave.database.write() as conn:
        released = store.released_at(conn, record.task.id)
        if record.task.state is State.RELEASED and released is not None:
            at = rfc3339(datetime.fromtimestamp(released, UTC))
            detail = f"too late: released at {at}"
            entry = AuditEntry(record.task.id, "cancel", record.task.requester, enclave.clock(), detail)
            enclave.audit(conn, entry)


def held_for_sign_off(authority: Authority) -> dict[str, str]:
    """Why a fitting request waits for a person."""
    return {
        "code": "sign-off-by-person",
        "sentence": f"Agreement `{authority.agreement.id}` fits, and lets a person decide on each request.",
        "rule": "agreement.sign_off",
        "remedy": "`cinque tre sign-off TASK` or `cinque tre refuse TASK`; "
        'or `sign_off = "automatic"` in the agreement.',
    }
