"""What the hub decides: what is offered to whom, who may fetch what. One verb = one transaction.

The hub can delay, drop, reorder and observe. It cannot forge a question or an answer, or read one: requests are signed
by people, results are sealed to them, and nobody learns a key from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from cinque.crate import dsse
from cinque.crate.cards import HubCard, PersonCard, read_card
from cinque.crate.keys import KeyRing
from cinque.crate.request import expired, read_request, verify_request
from cinque.errors import Conflict, Forbidden, NotFound, Refused
from cinque.hub import store
from cinque.hub.roster import Roster
from cinque.hub.rounds import go_on
from cinque.lib.canonical import canonical
from cinque.lib.clock import Clock, rfc3339
from cinque.lib.digest import sha256_hex, sha512_hex
from cinque.lib.ids import Random
from cinque.lib.parse import parse_strict
from cinque.model.lifecycle import FINAL, Actor, AuditEntry, Role, State, Task, advance
from cinque.model.request import task_id
from cinque.relay import store as relay
from cinque.relay.api import Waiters, inlined
from cinque.relay.receipt import RECEIPT_TYPE, receipt
from cinque.relay.steps import follow
from cinque.relay.store import Offer
from cinque.storage import audit
from cinque.storage.database import Database
from cinque.storage.files import Files
from cinque.wire.messages import (
    CANCEL_TYPE,
    SEALED_TYPE,
    Blob,
    CancelStatement,
    RequestStatus,
    Return,
    SealedStatement,
    TaskStatus,
)

SETTLED = FINAL | {State.AWAITING_SIGN_OFF, State.IN_REVIEW}  # ended, or waiting for a person


class Hub:
    """The hub's verbs. `tables`, `files`, `waiters`, `database`, `clock` are what the relay serves from."""

    tables = store.RELAY

    def __init__(
        self, database: Database, files: Files, ring: KeyRing, card: HubCard, *, clock: Clock, random: Random
    ) -> None:
        self.database = database
        self.files = files
        self.waiters = Waiters()
        self.clock = clock
        self.roster = Roster(database, card, self.waiters.waits, clock=clock, random=random)
        self._ring = ring
        self._random = random
        self.on_change: Callable[[], None] = lambda: None

    # --- requests --------------------------------------------------------------------------------------------------

    def submit(self, key: str, packet: bytes, idempotency: str | None) -> bytes:
        """Take a signed request and offer it to its audience; the hub changes no byte. A signed receipt.

        The same packet again gives the same receipt. Raises Refused for a packet that is not in its form, is not
        signed by the caller, or asks a TRE that is not enrolled; Conflict for another packet under a used id or key.
        """
        person = self.roster.person(key)
        request = read_request(packet)
        statement = request.statement
        card = read_card(person.card.encode())
        if not isinstance(card, PersonCard) or statement.requester != person.id:
            raise Forbidden("not-yours", "This request is somebody else's.", remedy="Each person submits their own.")
        verify_request(request, card)
        now = self.clock()
        digest = sha512_hex(packet)
        signed = dsse.seal_envelope(
            RECEIPT_TYPE,
            canonical(
                {
                    "type": RECEIPT_TYPE,
                    "version": 1,
                    "request": statement.id,
                    "statement": request.digest,
                    "packet": digest,
                    "at": rfc3339(now),
                }
            ),
            self._ring.sign("receipt"),
        )
        self.files.put(packet)
        scoped = sha256_hex(f"{person.id}/{idempotency}".encode()) if idempotency else None
        with self.database.write() as conn:
            earlier = store.request(conn, statement.id) or (
                store.request_by_idempotency(conn, scoped) if scoped else None
            )
            if earlier is not None:
                if earlier.packet != digest:
                    raise Conflict(
                        "request-exists",
                        "Another request has this identifier or Idempotency-Key already.",
                        remedy="Compose a new request.",
                    )
                return earlier.receipt.encode()
            if expired(request, now):  # of a new one alone: one that was taken in time has its receipt
                raise Refused(
                    "expired", "The last moment to accept this request has passed.", remedy="Compose it anew."
                )
            enrolled = {p.id for p in store.parties(conn, "tre")}
            strangers = [a.name for a in statement.audience if a.id not in enrolled]
            if strangers:
                raise Refused("tre-not-enrolled", f"No TRE enrolled here is `{', '.join(strangers)}`.")
            tasks = [Task(task_id(statement.id, a.id), statement.id, a.id, person.id) for a in statement.audience]
            store.add_request(
                conn,
                store.Request(
                    statement.id,
                    person.id,
                    digest,
                    len(packet),
                    request.digest,
                    scoped,
                    now.timestamp(),
                    datetime.fromisoformat(statement.accept_until).timestamp(),
                    statement.max_rounds,
                    1,
                    signed.decode(),
                ),
                tasks,
            )
            for task in tasks:
                blobs = ((digest, len(packet)),)
                relay.offer(conn, self.tables, Offer(f"{task.id}/request", task.tre, "request", task.id, {}, blobs))
            self._audit(conn, AuditEntry(statement.id, "submit", key, now, f"packet sha512 {digest}"))
        for task in tasks:
            self.waiters.wake(task.tre)
        self.on_change()
        return signed

    def status(
        self, key: str, request_id: str, newer_than: int = 0, *, settled: bool = False, results: bool = False
    ) -> RequestStatus | None:
        """How a request of the caller stands; None when nothing is newer than the version given, or when only a
        `settled` one is wanted and a task still moves by itself. `results`: with the sealed bytes that are few.
        """
        person = self.roster.person(key)
        with self.database.read() as conn:
            request = self._own(conn, person, request_id)
            if request.version <= newer_than:
                return None
            tasks = store.tasks_of(conn, request.id)
            if settled and not all(
                t.state in SETTLED or (t.state is State.OFFERED and self.roster.silent(t.tre)) for t in tasks
            ):
                return None
            return self._status(conn, request, tasks, with_bytes=results)

    def _settled(self, task: Task) -> bool:
        """Whether a task has ended, waits for a person, or waits for a TRE that does not call."""
        return task.state in SETTLED or (task.state is State.OFFERED and self.roster.silent(task.tre))

    def _status(
        self, conn: Connection, request: store.Request, tasks: Sequence[Task], *, with_bytes: bool = False
    ) -> RequestStatus:
        results = [r for r in store.results_of(conn, [t.id for t in tasks]) if r.kind == "end"]
        named = [(r.digest, r.size) for r in results]
        blobs = inlined(self.files, named) if with_bytes else tuple(Blob(digest, size) for digest, size in named)
        return RequestStatus(
            request.id,
            request.statement,
            rfc3339(_instant(request.submitted_at)),
            rfc3339(_instant(request.accept_until)),
            request.version,
            tuple(
                TaskStatus(
                    t.id,
                    t.tre,
                    t.state,
                    t.code,
                    t.round,
                    tuple(blob for r, blob in zip(results, blobs, strict=True) if r.task == t.id),
                    rfc3339(self.roster.last_seen(t.tre)),
                )
                for t in tasks
            ),
        )

    def requests(self, key: str) -> list[RequestStatus]:
        """The caller's latest requests, newest first."""
        person = self.roster.person(key)
        with self.database.read() as conn:
            found = store.requests_of(conn, person.id, 100)
            return [self._status(conn, request, store.tasks_of(conn, request.id)) for request in found]

    def _own(self, conn: Connection, person: store.Party, request_id: str) -> store.Request:
        request = store.request(conn, request_id)
        if request is None or request.requester != person.id:
            raise NotFound("no-such-request", "You have no such request here.", remedy="See `cinque status`.")
        return request

    def result(self, key: str, digest: str) -> bytes:
        """Sealed bytes that answer a request of the caller."""
        person = self.roster.person(key)
        with self.database.read() as conn:
            owned = store.owns_result(conn, digest, person.id)
        if not owned:
            raise NotFound("no-such-result", "No result of a request of yours has this digest.")
        return self.files.get(digest)

    def cancel(self, key: str, request_id: str, envelope: bytes) -> RequestStatus:
        """Stop a request: what no TRE has taken ends here; the others are told, with the person's own signature."""
        person = self.roster.person(key)
        signed = dsse.open_envelope(envelope, CANCEL_TYPE)
        card = read_card(person.card.encode())
        if not isinstance(card, PersonCard):
            raise Forbidden("not-a-person", "Only an enrolled researcher may do this.")
        signed.verify(card.sign)
        statement = parse_strict(CancelStatement, signed.payload, "A cancel statement")
        if statement.request != request_id:
            raise Refused("cancel-other", "The signed cancel is of another request.")
        now = self.clock()
        told: list[str] = []
        with self.database.write() as conn:
            self._own(conn, person, request_id)
            tasks = store.tasks_of(conn, request_id)
            self._in_time(conn, tasks)
            for task in tasks:
                if task.state is State.OFFERED:
                    self._step(conn, task, "cancel", Actor(person.id, Role.RESEARCHER), now, code="cancelled")
                    relay.withdraw(conn, self.tables, task.id, ["request"])
                elif not store.ended(task):
                    body = {"cancel": envelope.decode()}
                    relay.offer(conn, self.tables, Offer(f"{task.id}/cancel", task.tre, "cancel", task.id, body))
                    told.append(task.tre)
            status = self._status(conn, self._own(conn, person, request_id), store.tasks_of(conn, request_id))
        for tre in told:
            self.waiters.wake(tre)
        self._changed(request_id)
        return status

    def _in_time(self, conn: Connection, tasks: Sequence[Task]) -> None:
        """Raises Conflict("too-late") when every TRE's part has ended, and some of it was released."""
        left = [task.id for task in tasks if task.state is State.RELEASED]
        if left and all(store.ended(task) for task in tasks):
            ends = [r.release for r in store.results_of(conn, left) if r.kind == "end"]
            said = max((_released_at(release) for release in ends), default="")
            raise Conflict("too-late", f"Too late to cancel: released{' at ' + said if said else ''}.")

    # --- what the relay asks ---------------------------------------------------------------------------------------

    def peer(self, key: str) -> str:
        """The TRE whose gate calls."""
        return self.roster.peer(key)

    def leased(self, peer: str, offers: Sequence[Offer], conn: Connection) -> None:
        """A gate took work: the life cycle's `lease`, after a `lapse` where an earlier lease had run out."""
        now = self.clock()
        for offered in offers:
            if offered.kind != "request":
                continue
            task = store.task(conn, offered.task)
            if task.state is State.LEASED and offered.fence > 1:
                task = self._step(conn, task, "lapse", Actor("hub", Role.HUB), now)
            if task.state is State.OFFERED:
                self._step(conn, task, "lease", Actor(peer, Role.GATE), now)

    def returned(self, peer: str, message: Return, data: bytes | None) -> bytes:
        """A gate hands in steps, a round or an end. A signed receipt; the second time, without effect."""
        if message.kind == "description":
            with self.database.write() as conn:
                store.describe_party(conn, peer, message.release or "")
            return receipt(message, self._ring.sign("receipt"), self.clock())
        woken: list[str] = []
        if data is not None and message.blob is not None:
            self.files.put(data)
        with self.database.write() as conn:
            task = store.task(conn, message.task)
            if task.tre != peer:
                raise Forbidden("not-your-task", "This task is another TRE's.")
            if relay.receive_once(conn, self.tables, peer, message.id, self.clock().timestamp()):
                after, entries = follow(task, message.steps, self.clock())
                self._audit(conn, *entries)
                if after != task:
                    store.save(conn, task, after)
                task = after
                if message.blob is not None and message.release is not None:
                    kind, number = message.kind, task.round
                    result = store.StoredResult(
                        task.id, kind, number, message.blob.digest, message.blob.size, message.release
                    )
                    store.add_result(conn, result)
                woken = go_on(conn, task)
        for tre in woken:
            self.waiters.wake(tre)
        self._changed(task.request)
        return receipt(message, self._ring.sign("receipt"), self.clock())

    def expire(self) -> float | None:
        """A tick: end what no TRE took in time. When the next one would be due (seconds since 1970)."""
        now = self.clock()
        with self.database.read() as conn:
            due = store.next_due(conn)
        if due is None or due > now.timestamp():
            return due
        changed: set[str] = set()
        woken: list[str] = []
        with self.database.write() as conn:
            for task in store.overdue(conn, now.timestamp()):
                ended = self._step(conn, task, "expire", Actor("hub", Role.HUB), now, code="expired")
                relay.withdraw(conn, self.tables, task.id, ["request"])
                changed.add(task.request)
                woken += go_on(conn, ended)
            due = store.next_due(conn)
        for key in (*woken, *(f"request:{request}" for request in changed)):
            self.waiters.wake(key)
        return due

    def _step(self, conn: Connection, task: Task, step: str, actor: Actor, at: datetime, *, code: str = "") -> Task:
        after, entry = advance(task, step, actor, at, code=code)
        store.save(conn, task, after)
        self._audit(conn, entry)
        return after

    def _audit(self, conn: Connection, *entries: AuditEntry) -> None:
        audit.append(conn, store.AUDIT, *entries, random=self._random)

    def _changed(self, request: str) -> None:
        self.waiters.wake(f"request:{request}")


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _released_at(release: str) -> str:
    """The time in a TRE's signed word on what it let out (unproven here: the hub checks nobody's signature)."""
    try:
        envelope = dsse.open_envelope(release.encode(), SEALED_TYPE)
        return parse_strict(SealedStatement, envelope.payload, "A sealed statement").at
    except Refused:
        return ""
