"""A question that was asked: waited for, looked at, cancelled, combined."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cinque.client.answer import Answer
from cinque.client.home import RequestFolder
from cinque.crate.answer import Asked, Missing, Received, read_asked
from cinque.crate.release import ReleasedCrate
from cinque.errors import CinqueError, Unavailable
from cinque.model.lifecycle import FINAL, State
from cinque.wire.messages import SILENT, RequestStatus, TaskStatus

if TYPE_CHECKING:
    from cinque.client.client import Client

ENDED = frozenset(str(state) for state in FINAL)
WAIT = 20.0


class Request:
    """A question that was asked: wait for it, look at it, cancel it; `id` picks it up again another day."""

    def __init__(self, client: Client, folder: RequestFolder) -> None:
        self._client = client
        self.folder = folder

    @property
    def id(self) -> str:
        """The request's id, a urn:uuid."""
        return self.folder.id

    @cached_property
    def _asked(self) -> Asked:
        return read_asked(self.folder.read("request.zip") or b"")

    def status(self) -> RequestStatus:
        """How it stands now. A question whose submission was cut short is handed in again: the hub knows its bytes."""
        return self._look(0, 0.0, settled=False)

    def _look(self, newer_than: int, wait: float, *, settled: bool) -> RequestStatus:
        """How it stands once that is news, or after `wait` seconds."""
        if self.folder.read("receipt.json") is None:
            self._client.submit(self.folder)
        found = self._client.status(self.id, newer_than=newer_than, wait=wait, settled=settled)
        found = found or self._client.status(self.id)
        if found is None:
            raise Unavailable("no-status", "The hub gives no status.")
        return found

    def cancel(self) -> RequestStatus:
        """Stop it where nothing has been released yet."""
        return self._client.cancel(self.id)

    def wait(
        self, timeout: float | None = None, *, progress: Callable[[RequestStatus], None] | None = None
    ) -> RequestStatus:
        """Until every task has ended, waits for a person, or is of a TRE that is offline; or `timeout` seconds have
        passed. The hub's long-poll wakes it; there is no fixed sleep.
        """
        quiet = progress is None
        first = SILENT / 2 if quiet else 0.0
        deadline = None if timeout is None else time.monotonic() + timeout
        status = self._look(0, first if timeout is None else min(first, timeout), settled=quiet)
        while True:
            if progress is not None:
                progress(status)
            left = WAIT if deadline is None else deadline - time.monotonic()
            if all(self._rests(task) for task in status.tasks) or left <= 0:
                return status
            # A gate that goes away moves no task: look again now and then while one is still on offer.
            longest = WAIT if all(task.state != State.OFFERED for task in status.tasks) else SILENT / 2
            status = self._look(status.version, max(0.05, min(longest, left)), settled=quiet)

    def _rests(self, task: TaskStatus) -> bool:
        if task.state in ENDED or task.state in (State.AWAITING_SIGN_OFF, State.IN_REVIEW):
            return True
        return task.state == State.OFFERED and self._silent(task)

    def answer(self, timeout: float | None = None, **wait: Any) -> Answer:
        """The answer over all TREs that released, after waiting at most `timeout` seconds for those that have not; it
        says who is missing and why. May be read again when more have answered.
        """
        return self.combine(self.wait(timeout, **wait))

    def combine(self, status: RequestStatus) -> Answer:
        """The answer from what had come by that status."""
        names = self.folder.note()["tres"]
        crates: dict[str, Received] = {}
        missing: list[Missing] = []
        for task in status.tasks:
            name = names[task.tre]
            try:
                received = self._client.fetch(self.folder, self._asked, task, name)
            except CinqueError as error:
                missing.append(Missing(name, error.code, error.sentence))
                continue
            if received is not None:
                crates[name] = received
            if received is None or received.crate.kind == "refusal":
                missing.append(self._why_missing(name, task, received.crate if received else None))
        answer = self._client.compose(self.folder, self._asked, crates, tuple(missing))
        return replace(answer, pending=tuple(names[t.tre] for t in status.tasks if t.state not in ENDED))

    def _why_missing(self, name: str, task: TaskStatus, crate: ReleasedCrate | None) -> Missing:
        if crate is not None:
            return Missing(name, crate.statement.reason or crate.statement.outcome, crate.statement.sentence)
        state = State(task.state)
        if state in (State.OFFERED, State.LEASED) and self._silent(task):
            return Missing(name, "offline", "The TRE has not called the hub since the question was asked.")
        if state in FINAL:
            code = task.code or str(state)
            return Missing(
                name, code, f"The hub reports that the task is {state} ({code}); no signed word came with it."
            )
        return Missing(name, str(state).replace(" ", "-"), f"No answer yet: the task is {state}.")

    def _silent(self, task: TaskStatus) -> bool:
        if task.seen is None:
            return True
        return (self._client.now() - datetime.fromisoformat(task.seen)).total_seconds() > SILENT
