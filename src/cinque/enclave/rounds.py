"""Rounds: this TRE's signed part goes to all members; theirs come back; the next step is derived here, not received."""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from cinque.analyses.analysis import History, Released
from cinque.crate.request import Request
from cinque.crate.rounds import ROUND_TYPE, STATEMENT, RoundStatement, read_transcript, sign_round, transcript_digest
from cinque.crate.signed import open_statement
from cinque.enclave import publish, store
from cinque.errors import Refused
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.digest import sha512_hex
from cinque.lib.parse import parse
from cinque.model.lifecycle import Actor, State
from cinque.relay import store as relay
from cinque.wire.sealing import unseal

if TYPE_CHECKING:
    from cinque.enclave.service import Enclave


def transcripts(enclave: Enclave, conn: Connection, task: str) -> list[list[bytes]]:
    """The signed parts of all members, round by round."""
    return [
        [envelope.encode() for envelope in json.loads(enclave.files.get(file))]
        for file in store.transcripts(conn, task)
    ]


def history(enclave: Enclave, conn: Connection, record: store.Record) -> History:
    """What every member released so far. The signatures were checked when the parts came in."""
    request = record.task.request
    digest = enclave.request(record).digest
    earlier: list[list[bytes]] = []
    found: list[dict[str, Released]] = []
    for number, envelopes in enumerate(transcripts(enclave, conn, record.task.id), start=1):
        parts = read_transcript(
            envelopes,
            enclave.say.tres,
            request=request,
            request_digest=digest,
            number=number,
            transcript=transcript_digest(earlier),
        )
        found.append({tre: parse(Released, part.released, "A released partial") for tre, part in parts.items()})
        earlier.append(envelopes)
    return found


def release(
    enclave: Enclave,
    record: store.Record,
    request: Request,
    row: store.Round,
    actor: Actor | None,
    decision: tuple[str, str, str] | None,
) -> None:
    """Let one round's part go, signed by the release key, sealed to members' enclaves and the person (mode open)."""
    with enclave.database.read() as conn:
        before = transcripts(enclave, conn, record.task.id)
    released = strict_loads(enclave.files.get(row.released))
    statement = RoundStatement(
        STATEMENT,
        1,
        record.task.request,
        request.digest,
        record.task.id,
        enclave.card.id,
        row.round,
        transcript_digest(before),
        released,
    )
    envelope = sign_round(statement, enclave.ring.sign("release"))
    members = [enclave.say.tres.tre(a.id).seal for a in request.statement.audience]
    sealed = publish.sealed(enclave, envelope, [*members, *request.statement.reply_to], request.statement.id)
    with enclave.database.write() as conn:
        current = store.get(conn, record.task.id)
        if decision is not None:
            enclave.keep_decision(conn, current, decision)
        current = enclave.step(conn, current, "release round", told=True, actor=actor, why={})
        store.keep_round(conn, replace(row, envelope=envelope.decode()))
        enclave.release_round(conn, current, sealed, sha512_hex(envelope))
    enclave.on_outgoing()


def take(enclave: Enclave, task: str, blobs: Sequence[bytes], *, stopped: str) -> None:
    """All members' parts of the last round arrived (or word that one dropped out). Every one is checked; this TRE's own
    must be among them unchanged; the members stay those of round one.
    """
    with enclave.database.read() as conn:
        record = store.find(conn, task)
        if record is None or record.task.state is not State.ROUND_RELEASED:
            return
        rows = store.rounds(conn, task)
        earlier = transcripts(enclave, conn, task)
    if stopped:
        error = Refused("member-dropped-out", "A member of the session dropped out, so it could not be completed.")
        enclave.give_up(task, error, "fail")
        return
    request = enclave.request(record)
    number = record.task.round
    if len(earlier) >= number:
        return
    context = request.statement.id.encode()
    envelopes = sorted(unseal(blob, enclave.ring.open("seal"), context) for blob in blobs)
    if envelopes in earlier:  # a round that is over: whoever asks again may have lost what was returned
        with enclave.database.write() as conn:
            relay.resend(conn, enclave.tables, f"{task}/round/")
        enclave.on_outgoing()
        return
    parts = read_transcript(
        envelopes,
        enclave.say.tres,
        request=record.task.request,
        request_digest=request.digest,
        number=number,
        transcript=transcript_digest(earlier),
    )
    own = next(row.envelope for row in rows if row.round == number).encode()
    if own not in envelopes:
        raise Refused("round-own-missing", "This TRE's own part is not among those that came back unchanged.")
    asked = {a.id for a in request.statement.audience}
    if not parts.keys() <= asked or parts.keys() != _members(earlier, parts.keys()):
        raise Refused("members-differ", "The members of a session are fixed in its first round.")
    file = enclave.files.put(canonical([envelope.decode() for envelope in envelopes]))
    with enclave.database.write() as conn:
        current = store.get(conn, task)
        store.keep_transcript(conn, task, number, file)
        enclave.step(conn, current, "resume")
    enclave.on_work(task)


def _members(earlier: Sequence[Sequence[bytes]], present: AbstractSet[str]) -> AbstractSet[str]:
    """Who released round one; in round one, whoever is there."""
    if not earlier:
        return present
    return {open_statement(data, ROUND_TYPE, RoundStatement, "A round")[0].tre for data in earlier[0]}
