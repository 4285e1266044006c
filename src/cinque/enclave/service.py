"""What the enclave decides: custody, sign-off, running, release. One verb = one transaction.

Authorisation happens here, from the bytes and the TRE's own folder; revocation is read again at sign-off, run, each
round and release. The one point of no return is the unique row released(task, round, kind): a cancel committed before
it wins and destroys the outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from cinque.crate.cards import TreCard
from cinque.crate.keys import KeyRing
from cinque.crate.phases import Phase
from cinque.crate.request import Request, read_request
from cinque.enclave import custody, publish, store
from cinque.enclave.folder import Say, Watcher
from cinque.enclave.policy import Authority
from cinque.enclave.settings import EnclaveSettings
from cinque.errors import CinqueError, Conflict, Refused
from cinque.lib.canonical import canonical
from cinque.lib.clock import Clock, rfc3339
from cinque.lib.digest import sha512_hex
from cinque.lib.ids import Random
from cinque.lib.parse import dump
from cinque.model.lifecycle import Actor, AuditEntry, Role, State, advance
from cinque.relay import store as relay
from cinque.storage import audit
from cinque.storage.database import Database
from cinque.storage.files import Files
from cinque.wire.messages import Blob, Return, Taken

READ_REQUESTS = 64  # requests kept as read


class Enclave:
    """The enclave's verbs on the life cycle; worker.py runs, rounds.py goes on, people.py decides, all through here."""

    tables = store.RELAY

    def __init__(
        self,
        database: Database,
        files: Files,
        ring: KeyRing,
        card: TreCard,
        watcher: Watcher,
        settings: EnclaveSettings,
        *,
        keep_crate: Callable[[str], None],
        clock: Clock,
        random: Random,
    ) -> None:
        self.database = database
        self.files = files
        self.ring = ring
        self.card = card
        self.settings = settings
        self.clock = clock
        self.random = random
        self.keep_crate = keep_crate
        self._watcher = watcher
        self._read: dict[str, Request] = {}
        self.actor = Actor(card.id, Role.ENCLAVE)
        self.on_outgoing: Callable[[], None] = lambda: None
        self.on_work: Callable[[str], None] = lambda _: None
        self.on_cancelled: Callable[[str], None] = lambda _: None

    @property
    def say(self) -> Say:
        """The TRE's say in force: the last good version of its folder."""
        return self._watcher.current()

    # --- the life cycle --------------------------------------------------------------------------------------------

    def taken(
        self,
        record: store.Record,
        name: str,
        *,
        actor: Actor | None = None,
        code: str = "",
        evidence: str = "",
        why: dict[str, str] | None = None,
    ) -> tuple[store.Record, AuditEntry]:
        """The record after a step of the life cycle, which remembers to report it, and the step's audit entry."""
        now = self.clock()
        actor = actor or self.actor
        task, entry = advance(record.task, name, actor, now, code=code, evidence=evidence)
        taken = {"step": name, "role": str(actor.role), "at": rfc3339(now), "code": code}
        after = replace(
            record,
            task=task,
            unreported=[*record.unreported, taken],
            changed_at=now.timestamp(),
            why=record.why if why is None else why,
        )
        return after, entry

    def step(
        self, conn: Connection, record: store.Record, name: str, *, told: bool = False, **how: Any
    ) -> store.Record:
        """Take a step of the life cycle: state and audit in one transaction. `told`: a message that goes up in this
        transaction reports it.
        """
        after, entry = self.taken(record, name, **how)
        store.save(conn, record, replace(after, unreported=[]) if told else after)
        self.audit(conn, entry)
        return after

    def end(
        self,
        record: store.Record,
        request: Request,
        crate: bytes | None,
        step: str,
        *,
        rows: Sequence[store.Round] = (),
        actor: Actor | None = None,
        decision: tuple[str, str, str] | None = None,
        refusal: CinqueError | None = None,
    ) -> None:
        """End a task: state, audit, the row in `released`, and the way out, in one transaction. For a release this is
        the point of no return; for anything else the unreleased outputs are destroyed. Raises Conflict when the task
        had moved since `record` was read.
        """
        evidence = self.filed(crate)
        code, why = (refusal.code, why_not(refusal)) if refusal else ("", {})
        destroyed: list[str] = []
        try:
            with self.database.write() as conn:
                if decision is not None:
                    self.keep_decision(conn, record, decision)
                for row in rows:
                    store.keep_round(conn, row)
                record = self.step(conn, record, step, told=True, actor=actor, code=code, evidence=evidence, why=why)
                if refusal is not None:
                    destroyed = store.drop_unreleased(conn, record.task.id)
                self.out(conn, record, request, crate)
        except Conflict:
            if evidence:
                self.files.delete(evidence)  # a crate that came too late must not lie about
            raise
        for digest in destroyed:
            self.files.delete(digest)
        self.left(record.task.id)

    def give_up(
        self,
        task_id: str,
        refusal: CinqueError,
        step: str,
        *,
        actor: Actor | None = None,
        decision: tuple[str, str, str] | None = None,
        checks: Sequence[Phase] = (),
    ) -> None:
        """End a task without a release: refused, withheld, failed or expired, in words that may leave."""
        outcome = {"refuse": "refused", "withhold": "withheld", "fail": "failed", "expire": "expired"}[step]
        with self.database.read() as conn:
            record = store.get(conn, task_id)
            rows = store.rounds(conn, record.task.id)
            head = self.audit_head(conn)
        if store.ended(record):
            raise Conflict("task-ended", f"This task has ended: it is {record.task.state}.")
        request = self.request(record)
        crate = publish.refusal(
            self,
            record.task.id,
            request,
            record.record,
            outcome,
            refusal,
            record=record,
            rows=rows,
            checks=checks,
            head=head,
        )
        self.end(record, request, crate, step, actor=actor, decision=decision, refusal=refusal)

    def filed(self, crate: bytes | None) -> str:
        """The digest of a crate that was put among the files, or ""."""
        return self.files.put(crate) if crate is not None else ""

    def left(self, task_id: str) -> None:
        """After the commit: the crate takes its place among the crates on disk, and the way out is awake."""
        self.keep_crate(task_id)
        self.on_outgoing()

    def out(self, conn: Connection, record: store.Record, request: Request | None, crate: bytes | None) -> None:
        """Send the end of a task upwards: the crate sealed to its person, and the steps nobody was told of yet."""
        task = record.task
        blob: Blob | None = None
        release: str | None = None
        if crate is not None and request is not None:
            sealed = publish.sealed(self, crate, request.statement.reply_to, request.statement.id)
            blob = Blob(self.files.put(sealed), len(sealed))
            release = publish.sealed_statement(self, task, "end", blob)
            store.mark_released(conn, task.id, task.round, "end", task.evidence, self.clock().timestamp())
        self.send(conn, record, "end", blob, release, f"{task.id}/end")

    def release_round(self, conn: Connection, record: store.Record, sealed: bytes, digest: str) -> None:
        """Let one round's signed part go, sealed to the members' enclaves and the person."""
        task = record.task
        blob = Blob(self.files.put(sealed), len(sealed))
        release = publish.sealed_statement(self, task, "round", blob)
        store.mark_released(conn, task.id, task.round, "round", digest, self.clock().timestamp())
        self.send(conn, record, "round", blob, release, f"{task.id}/round/{task.round}")

    def report(self, conn: Connection, record: store.Record) -> None:
        """Tell the hub of the steps that it has not been told of."""
        mark = sha512_hex(canonical(record.unreported))[:16]
        # With the round: the same steps may be taken again in the next one, on a coarse clock at the same time.
        message = f"{record.task.id}/status/{record.task.round}/{mark}"
        self.send(conn, record, "status", None, None, message)

    def send(
        self, conn: Connection, record: store.Record, kind: Any, blob: Blob | None, release: str | None, message_id: str
    ) -> None:
        steps = tuple(Taken(**taken) for taken in record.unreported)
        message = Return(message_id, kind, record.task.id, steps, release, blob)
        relay.send(conn, self.tables, message_id, dump(message))

    def keep_decision(self, conn: Connection, record: store.Record, decision: tuple[str, str, str]) -> None:
        """File a person's signed decision; it stays inside the TRE, the audit names its digest."""
        what, person, envelope = decision
        now = self.clock()
        store.keep_decision(conn, record.task.id, what, person, now.timestamp(), envelope)
        detail = f"decision sha512 {sha512_hex(envelope.encode())}"
        self.audit(conn, AuditEntry(record.task.id, f"decision: {what}", person, now, detail))

    def report_late(self, older_than: float) -> bool:
        """A tick: tell the hub of steps whose end has not followed soon. Whether some are still too young to report."""
        now = self.clock().timestamp()
        with self.database.read() as conn:
            waiting = store.unreported(conn)
        late = [task for task, changed in waiting if changed <= now - older_than]
        if late:
            with self.database.write() as conn:
                for task in late:
                    record = store.get(conn, task)
                    if record.unreported:
                        self.report(conn, record)
                        store.save(conn, record, replace(record, unreported=[]))
            self.on_outgoing()
        return len(late) < len(waiting)

    # --- cancel and time -------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """A tick: end what waited for a person longer than the TRE allows."""
        now = self.clock().timestamp()
        limits = {
            State.AWAITING_SIGN_OFF: self.settings.sign_off_days,
            State.IN_REVIEW: self.settings.review_days,
            State.ROUND_RELEASED: self.settings.review_days,
        }
        with self.database.read() as conn:
            waiting = store.all_tasks(conn, limits)
        for record in waiting:
            if now - record.changed_at > limits[record.task.state] * 86400:
                refusal = Refused("expired", "Nobody decided within the time that this TRE sets.")
                self.give_up(record.task.id, refusal, "expire")

    # --- reading ---------------------------------------------------------------------------------------------------

    def request(self, record: store.Record) -> Request:
        """The request of a task, from its file. What was read of the same bytes is kept: a digest names them."""
        kept = self._read.get(record.packet)
        if kept is None:
            kept = read_request(self.files.get(record.packet))
            if len(self._read) >= READ_REQUESTS:
                self._read.pop(next(iter(self._read)), None)
            self._read[record.packet] = kept
        return kept

    def authority(self, record: store.Record) -> Authority:
        """On what authority a task may run, as the TRE's say stands now. Raises Refused when it no longer does."""
        return custody.examine(self.request(record), self.say, self.clock(), again=True).authority

    def checker(self, person: str) -> Actor:
        """A person of the TRE acting on outputs."""
        return Actor(person, Role.CHECKER)

    def audit_head(self, conn: Connection) -> str:
        """The head of the audit chain."""
        return audit.head(conn, store.AUDIT)

    def audit(self, conn: Connection, *entries: AuditEntry) -> None:
        """More links of the audit chain, in the caller's transaction."""
        audit.append(conn, store.AUDIT, *entries, random=self.random)


def why_not(refusal: CinqueError) -> dict[str, str]:
    """Why a task is held or ended, for `cinque tre explain`."""
    return {"code": refusal.code, "sentence": refusal.sentence, "rule": refusal.rule, "remedy": refusal.remedy}
