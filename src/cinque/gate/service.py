"""What the gate decides: what may come in to quarantine, and that nothing unsigned, unlisted or altered goes out.

Its checks protect the gate. The enclave treats all that comes from here as hostile and repeats every check; the gate
never calls the enclave, holds no key that could release, and cannot read what it carries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from cinque.crate import dsse, phases
from cinque.crate.cards import TreCard
from cinque.crate.check import check
from cinque.crate.keys import KeyRing, key_id
from cinque.crate.phases import sign_gate_record
from cinque.crate.refusal import compose_refusal
from cinque.crate.request import Request, expired, read_request
from cinque.errors import CinqueError, Forbidden, NotFound, Refused
from cinque.gate import store
from cinque.lib.canonical import canonical
from cinque.lib.clock import Clock, rfc3339
from cinque.lib.digest import sha512_hex
from cinque.lib.ids import Random
from cinque.lib.parse import dump, parse_strict
from cinque.lib.version import VERSION
from cinque.model.lifecycle import Actor, AuditEntry, Role, State, Task, advance
from cinque.model.request import task_id
from cinque.relay import store as relay
from cinque.relay.api import Waiters
from cinque.relay.receipt import receipt
from cinque.relay.steps import follow
from cinque.relay.store import Offer
from cinque.storage import audit
from cinque.storage.database import Database
from cinque.storage.files import Files
from cinque.wire.messages import (
    BODY_LIMIT,
    DESCRIPTION_TYPE,
    SEALED_TYPE,
    Blob,
    Item,
    Return,
    SealedStatement,
    Taken,
    checked,
)
from cinque.wire.sealing import seal

ENCLAVE = "enclave"


class Gate:
    """The gate's verbs. `tables`, `files`, `waiters`, `database`, `clock` are what the relay serves from."""

    tables = store.RELAY

    def __init__(
        self, database: Database, files: Files, ring: KeyRing, card: TreCard, *, clock: Clock, random: Random
    ) -> None:
        self.database = database
        self.files = files
        self.waiters = Waiters()
        self.clock = clock
        self.card = card
        self._ring = ring
        self._random = random
        self._enclave_key = key_id("Ed25519", card.enclave_call)
        provider = phases.Organization(card.id, card.title)
        self._software = phases.Software("Cinque gate", VERSION, provider)
        self.on_outgoing: Callable[[], None] = lambda: None

    # --- downwards: from the hub into quarantine, and on to the enclave --------------------------------------------

    def take(self, item: Item, blobs: Sequence[bytes]) -> None:
        """Take custody of leased work. Returns once it is durable here, or refused and the refusal is on its way."""
        if item.kind == "request":
            self._take_request(item, blobs)
        else:
            digests = tuple((self.files.put(data), len(data)) for data in blobs)
            with self.database.write() as conn:
                relay.offer(conn, self.tables, Offer(item.id, ENCLAVE, item.kind, item.task, item.body, digests))
            self.waiters.wake(ENCLAVE)

    def _take_request(self, item: Item, blobs: Sequence[bytes]) -> None:
        started = self.clock()
        packet = blobs[0] if len(blobs) == 1 else b""
        with self.database.read() as conn:
            known = store.packet(conn, item.task)
        if known is not None:
            self._seen_again(item.task, same=known == sha512_hex(packet))
            return
        request: Request | None = None
        checks: list[phases.Phase] = []
        refusal: CinqueError | None = None
        try:
            request = read_request(packet)  # the Check phase: archive, manifests, statement
            self._check_audience(item, request)
            checks.append(phases.check(self._software, self.clock()))
            self._validate(request)
            checks.append(phases.validation(self._software, started, self.clock()))
        except CinqueError as error:
            refusal = error
            reason = (error.code, error.sentence)
            if not checks:
                checks.append(phases.check(self._software, self.clock(), refusal=reason))
            else:
                checks.append(phases.validation(self._software, started, self.clock(), refusal=reason))
        if refusal is not None:
            self._refuse(item, packet, request, tuple(checks), refusal)
            return
        if request is None:  # read_request returned or raised; this is for the type checker alone
            return
        record = sign_gate_record(item.task, request.digest, tuple(checks), self._ring.sign("record"))
        digest = self.files.put(packet)
        statement = request.statement
        with self.database.write() as conn:
            if store.task(conn, item.task) is not None:
                return
            task = Task(item.task, statement.id, self.card.id, statement.requester, State.LEASED)
            store.add_task(conn, task, digest, record.decode())
            body = {"record": record.decode()}
            blob = ((digest, len(packet)),)
            relay.offer(conn, self.tables, Offer(item.id, ENCLAVE, "request", task.id, body, blob))
            self._audit(conn, AuditEntry(task.id, "quarantine", self.card.id, self.clock(), f"packet sha512 {digest}"))
        self.waiters.wake(ENCLAVE)

    def _seen_again(self, task: str, *, same: bool) -> None:
        """A second delivery: custody was taken before. The same bytes get the same answer; others change nothing."""
        if same:
            with self.database.write() as conn:
                relay.resend(conn, self.tables, f"{task}/")
            self.on_outgoing()

    def _check_audience(self, item: Item, request: Request) -> None:
        statement = request.statement
        if self.card.id not in {a.id for a in statement.audience}:
            raise Refused(
                "not-for-this-tre", "The request is for other TREs.", remedy="Ask this TRE in the signed audience."
            )
        if item.task != task_id(statement.id, self.card.id):
            raise Refused("task-mismatch", "The task offered is not that of this request at this TRE.")
        if expired(request, self.clock()):
            raise Refused("expired", "The last moment to accept this request has passed.", remedy="Compose it anew.")

    def _validate(self, request: Request) -> None:
        report = check(request.files["data/ro-crate-metadata.json"], files=request.files, stage="request")
        if not report.conforms:
            first = next(finding for finding in report.findings if finding.level == "must")
            raise Refused(
                "profile",
                f"The request breaks rule {first.rule} of the Five Safes profile: {first.message}",
                rule=first.rule,
                remedy=first.remedy,
            )

    def _refuse(
        self, item: Item, packet: bytes, request: Request | None, checks: tuple[phases.Phase, ...], error: CinqueError
    ) -> None:
        now = self.clock()
        steps = (Taken("refuse", Role.GATE, rfc3339(now), error.code),)
        blob: Blob | None = None
        release: str | None = None
        if request is not None:
            # What cannot be composed of a strange request, or sealed to the keys it names, is refused by code alone.
            with suppress(Refused):
                blob, release = self._refusal(item, request, checks, error, now)
        with self.database.write() as conn:
            if store.task(conn, item.task) is None:
                task = Task(item.task, request.statement.id if request else "", self.card.id, "", State.LEASED)
                after, entry = advance(task, "refuse", Actor(self.card.id, Role.GATE), now, code=error.code)
                store.add_task(conn, after, sha512_hex(packet), "")
                self._audit(conn, entry)
                message = Return(f"{item.task}/refused", "end", item.task, steps, release, blob)
                relay.send(conn, self.tables, message.id, dump(message))
        self.on_outgoing()

    def _refusal(
        self, item: Item, request: Request, checks: tuple[phases.Phase, ...], error: CinqueError, now: datetime
    ) -> tuple[Blob, str]:
        crate = compose_refusal(
            request,
            self.card,
            self._ring.sign("record"),
            task=item.task,
            outcome="expired" if error.code == "expired" else "refused",
            code=error.code,
            sentence=error.sentence,
            publisher=self._software,
            now=now,
            phases=checks,
        )
        sealed = seal(crate, request.statement.reply_to, request.statement.id.encode(), random=self._random)
        blob = Blob(self.files.put(sealed), len(sealed))
        return blob, self._sealed_statement(item.task, request.statement.id, blob).decode()

    def _sealed_statement(self, task: str, request: str, blob: Blob) -> bytes:
        statement = SealedStatement(
            SEALED_TYPE, 1, task, request, self.card.id, "end", 0, blob.digest, blob.size, rfc3339(self.clock())
        )
        return dsse.seal_envelope(SEALED_TYPE, canonical(dump(statement)), self._ring.sign("record"))

    # --- upwards: what the enclave hands out -----------------------------------------------------------------------

    def public_key(self, key: str) -> str | None:
        """The enclave's key, and nobody else's: only the enclave calls the gate."""
        return self.card.enclave_call if key == self._enclave_key else None

    def peer(self, key: str) -> str:
        """The enclave."""
        if key != self._enclave_key:
            raise Forbidden("not-a-peer", "Only this TRE's enclave may do this.")
        return ENCLAVE

    def leased(self, peer: str, offers: Sequence[Offer], conn: Connection) -> None:
        """The enclave took work; the steps it takes come back as returns."""

    def returned(self, peer: str, message: Return, data: bytes | None) -> bytes:
        """The last check before bytes leave: signed by the enclave's release key, for a task that came in by this
        gate, of the digest and size that were signed. Then into the outbox.
        """
        if message.blob is not None or message.release is not None:
            self._check_outgoing(message, data)
        if data is not None:
            self.files.put(data)
        with self.database.write() as conn:
            if relay.receive_once(conn, self.tables, peer, message.id, self.clock().timestamp()):
                self._follow(conn, message)
            relay.send(conn, self.tables, message.id, dump(message))
        self.on_outgoing()
        return receipt(message, self._ring.sign("record"), self.clock())

    def _check_outgoing(self, message: Return, data: bytes | None) -> None:
        envelope = dsse.open_envelope((message.release or "").encode(), _expected(message))
        envelope.verify(self.card.release)
        if message.kind == "description":
            return
        statement = parse_strict(SealedStatement, envelope.payload, "A sealed statement")
        if data is None or message.blob is None:
            raise Refused("nothing-sealed", "A release was announced without its bytes.")
        checked(data, statement.sealed)
        same = (message.task, self.card.id, message.kind, message.blob.digest, len(data))
        if (statement.task, statement.tre, statement.kind, statement.sealed, statement.size) != same:
            raise Refused("not-what-was-signed", "What would leave is not what the enclave signed.")
        if len(data) > BODY_LIMIT // 2:
            raise Refused("too-large-to-leave", f"A release may have at most {BODY_LIMIT // 2} bytes.")

    def _follow(self, conn: Connection, message: Return) -> None:
        if message.kind == "description":
            return
        task = store.task(conn, message.task)
        if task is None:
            raise NotFound("no-such-task", "This task did not come in by this gate.")
        after, entries = follow(task, message.steps, self.clock())
        self._audit(conn, *entries)
        if after != task:
            store.save(conn, task, after)

    def receipted(self, conn: Connection, message: Return, signed: bytes) -> None:
        """The hub signed for what left: the enclave keeps receipts with its record. Nobody waits for one, so the
        enclave is not woken; it comes with the next work, or when the enclave's long-poll ends.
        """
        if message.blob is not None:
            body: dict[str, Any] = {"receipt": signed.decode()}
            relay.offer(conn, self.tables, Offer(f"{message.id}/receipt", ENCLAVE, "receipt", message.task, body))

    def _audit(self, conn: Connection, *entries: AuditEntry) -> None:
        audit.append(conn, store.AUDIT, *entries, random=self._random)


def _expected(message: Return) -> str:
    return DESCRIPTION_TYPE if message.kind == "description" else SEALED_TYPE
