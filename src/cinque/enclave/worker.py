"""The enclave's worker: runs one round of one task on the TRE's own data, has it judged, and lets it go or holds it.

Typed analyses only: what runs is the installed code that the request's package was compared with, on a read-only,
locked-down connection. A task that is running after a crash is simply run again: nothing had left.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from cinque.analyses.analysis import Result, Step
from cinque.analyses.work import next_step, released_bytes, work
from cinque.enclave import custody, policy, publish, rounds, store
from cinque.enclave.service import Enclave
from cinque.errors import CinqueError, Conflict, Refused
from cinque.model.datasets import Dataset
from cinque.model.lifecycle import State
from cinque.query.source import Source

OpenSource = Callable[[Dataset], tuple[Source, str]]


class Worker:
    """Runs tasks in a few threads. `open_source` gives the (kept, warm) source of a dataset and the
    opaque id of the snapshot that it reads; `interrupt` stops what a thread has asked of it."""

    def __init__(self, enclave: Enclave, open_source: OpenSource, log: Callable[..., Any], threads: int) -> None:
        self._enclave = enclave
        self._open = open_source
        self._log = log
        self._pool = ThreadPoolExecutor(threads, "worker")
        self._at: dict[str, tuple[Source, int] | None] = {}
        self._lock = threading.Lock()
        enclave.on_work = self.submit
        enclave.on_cancelled = self.interrupt

    def submit(self, task: str) -> None:
        """Run a task soon; one that is already being run is left alone."""
        with self._lock:
            if task in self._at:
                return
            self._at[task] = None
        self._pool.submit(self._run, task)

    def resume(self) -> None:
        """Take up what a stopped worker left."""
        with self._enclave.database.read() as conn:
            tasks = store.running(conn)
        for task in tasks:
            self.submit(task)

    def interrupt(self, task: str) -> None:
        """Stop the query of a cancelled task. The compare-and-set at its end would refuse its result anyway."""
        with self._lock:
            running = self._at.get(task)
        if running is not None and hasattr(running[0], "interrupt"):
            running[0].interrupt(running[1])

    def close(self) -> None:
        """No new work; what runs is interrupted and found again at the next start."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for task in list(self._at):
            self.interrupt(task)

    def _run(self, task: str) -> None:
        try:
            self.run(task)
        except Conflict:
            pass  # cancelled, or ended by somebody, in the meantime: what was computed is dropped
        except Refused as refusal:
            step = "withhold" if refusal.code == "not_answerable" else "refuse"
            self._give_up(task, refusal, step)
        except Exception as error:  # noqa: BLE001 - a task that fails must not end its worker
            self._log("task-failed", task=task, error=type(error).__name__, exc_info=True)
            # The cause may depend on the data, so it stays inside.
            self._give_up(task, Refused("failed", "The analysis could not be completed at this TRE."), "fail")
        finally:
            with self._lock:
                self._at.pop(task, None)

    def _give_up(self, task: str, refusal: CinqueError, step: str) -> None:
        try:
            self._enclave.give_up(task, refusal, step)
        except Conflict:
            pass
        except Exception:  # noqa: BLE001 - the same
            self._log("task-stuck", task=task, exc_info=True)

    def run(self, task: str) -> None:
        """One round, or the end, of a task that is running."""
        enclave = self._enclave
        with enclave.database.read() as conn:
            record = store.get(conn, task)
            history = rounds.history(enclave, conn, record)
        if record.task.state is not State.RUNNING:
            return
        request = enclave.request(record)
        now = enclave.clock()
        taken = custody.examine(request, enclave.say, now, again=True)
        if history:
            found = taken.analysis.advance(taken.parameters, history)
            if isinstance(found, Result):
                self._end(record)
                return
        step = next_step(taken.analysis, taken.parameters, history)
        if step.round > min(taken.authority.agreement.max_rounds, request.statement.max_rounds):
            raise Refused("too-many-rounds", "The agreement allows fewer rounds than the analysis needs.")
        try:
            source, snapshot = self._open(taken.dataset)
            with self._lock:
                self._at[task] = source, threading.get_ident()
            row = self._compute(task, taken, step, source, snapshot)
        except Refused as inside:
            # Every check that needs no data has passed by now, so this one depends on data: its cause stays inside.
            self._log("not-answerable", task=task, code=inside.code, sentence=inside.sentence)
            raise Refused("not_answerable", "This question cannot be answered at this TRE.") from None
        try:
            if taken.authority.release == "automatic":
                self._let_go(record, row)
            else:
                self._hold(record, row, taken.authority)
        except Refused:  # cancelled or revoked in the meantime: what was computed is destroyed
            with enclave.database.read() as conn:
                kept = store.holds(conn, row.released)
            if not kept:
                enclave.files.delete(row.released)
            raise

    def _compute(self, task: str, taken: custody.Custody, step: Step, source: Source, snapshot: str) -> store.Round:
        enclave = self._enclave
        started = enclave.clock().timestamp()
        _, judgement, released = work(taken.analysis, source, taken.parameters, step, enclave.say.appetite)
        verdict = {
            "rules": list(judgement.rules),
            "findings": list(judgement.findings),
            "suppressed": len(judgement.suppressed),
            "figures": len(released.figures),
            "snapshot": snapshot,
            "statbarns": sorted({field.statbarn for field in taken.analysis.fields}),
        }
        digest = enclave.files.put(released_bytes(released))
        return store.Round(task, step.round, digest, verdict, started, enclave.clock().timestamp())

    def _let_go(self, record: store.Record, row: store.Round) -> None:
        """An automatic release: the disclosure check was the machine's."""
        enclave = self._enclave
        row = publish.keep_phase(row, publish.disclosure_phase(enclave, row, enclave.clock()))
        release_round(enclave, record, row)

    def _hold(self, record: store.Record, row: store.Round, authority: policy.Authority) -> None:
        enclave = self._enclave
        with enclave.database.write() as conn:
            before = store.get(conn, record.task.id)
            store.keep_round(conn, row)
            why = policy.held_for_release(authority)
            enclave.report(conn, enclave.step(conn, before, "submit", told=True, code="disclosure", why=why))
        enclave.on_outgoing()

    def _end(self, record: store.Record) -> None:
        end_session(self._enclave, record)


def release_round(
    enclave: Enclave, record: store.Record, row: store.Round, decision: tuple[str, str, str] | None = None
) -> None:
    """Let a judged round leave: as the released crate when it is the only one, else as a signed part of the session.

    `decision`: a checker's (decision, person id, envelope), filed in the same transaction.
    """
    request = enclave.request(record)
    actor = None if decision is None else enclave.checker(decision[1])
    enclave.authority(record)  # revocation and dates are read again
    analysis = custody.chosen(request.statement.analysis, request.statement.analysis_version)
    if analysis.rounds == 1:
        with enclave.database.read() as conn:
            head = enclave.audit_head(conn)
        row = replace(row, envelope="released")
        crate = publish.release(enclave, record, request, [row], head)
        enclave.end(record, request, crate, "release", rows=[row], actor=actor, decision=decision)
        return
    rounds.release(enclave, record, request, row, actor, decision)


def end_session(enclave: Enclave, record: store.Record) -> None:
    """A session's end: the crate of every round that left."""
    request = enclave.request(record)
    enclave.authority(record)
    with enclave.database.read() as conn:
        rows = store.rounds(conn, record.task.id)
        head = enclave.audit_head(conn)
    crate = publish.release(enclave, record, request, rows, head)
    enclave.end(record, request, crate, "release")
