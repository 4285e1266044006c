"""The calling side, the more protected one: it asks for work and hands in returns, and is never called.

Two loops, each a thread: `Poller` leases and hands each item to the service; `Sender` empties the outbox in order.
Neither sleeps a fixed time: the poller's wait is the other side's long-poll, the sender's a condition that a commit
sets; only after a failure do they wait, longer each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from cinque.errors import CinqueError, Conflict, Forbidden, NotFound, Unavailable
from cinque.lib.ids import Random
from cinque.lib.parse import dump, parse_json, parse_strict
from cinque.relay import store
from cinque.relay.tables import RelayTables
from cinque.storage.database import Database
from cinque.storage.files import Files
from cinque.wire.call import Caller
from cinque.wire.messages import BODY_LIMIT, INLINE_LIMIT, Asking, Blob, Held, Item, Lease, Return, checked

WAIT = 20.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 3.0  # with its jitter shorter than the silence after which a TRE counts as offline
TRIES = 5  # leases after which work that cannot even be taken is given up in words

Log = Callable[..., Any]


class Stopped(Exception):
    """The loop was told to end."""


class Loop:
    """A thread that repeats one idempotent tick until it is stopped, pausing longer after each failure in a row."""

    def __init__(self, name: str, tick: Callable[[], None], log: Log, random: Random) -> None:
        self.name = name
        self._tick = tick
        self._log = log
        self._random = random
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Run the loop in its own thread."""
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; `join` waits for it."""
        self._stop.set()

    def join(self, seconds: float = 5.0) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def once(self) -> None:
        """One tick in the caller's thread, for who drives the loop by hand."""
        self._tick()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._tick()
                failures = 0
            except Exception as error:  # noqa: BLE001 - a loop outlives what it meets, and meets it again
                if self._stop.is_set():
                    return
                failures += 1
                if not isinstance(error, Unavailable) or failures == 1:
                    code = error.code if isinstance(error, CinqueError) else type(error).__name__
                    self._log("loop-failed", loop=self.name, code=code, exc_info=not isinstance(error, CinqueError))
                jitter = 0.5 + self._random(1)[0] / 255
                self._stop.wait(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, 12)) * jitter)


class Poller:
    """Leases work and hands it to `take(item, blobs)`, which returns once custody is durable; the next call settles."""

    def __init__(self, caller: Caller, take: Callable[[Item, list[bytes]], None], log: Log) -> None:
        self._caller = caller
        self._take = take
        self._log = log
        self._fresh = True
        self._settled: list[Held] = []

    def tick(self) -> None:
        """One long-poll and what came of it; it settles what the one before brought. The first, and one after a
        failure, says that nothing else is held: what was leased to a connection that broke is given again at once,
        not when the lease lapses.
        """
        fresh, self._fresh = self._fresh, True
        path = f"/relay/lease?wait={WAIT:g}&fresh={int(fresh)}"
        reply = self._caller.call("POST", path, body=dump(Asking(tuple(self._settled))), timeout=WAIT + 10)
        lease = parse_strict(Lease, reply.body, "A lease", max_bytes=BODY_LIMIT)
        self._settled = []
        for lapsed in lease.lapsed:
            self._log("lease-lapsed", item=lapsed)
        for item in lease.items:
            try:
                self._take(item, [self._fetch(blob) for blob in item.blobs])
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - one bad item must not keep those behind it waiting
                # It is offered again when its lease lapses, until it expires there or is given up here.
                code = error.code if isinstance(error, CinqueError) else type(error).__name__
                foreseen = isinstance(error, CinqueError)
                self._log("item-refused", item=item.id, code=code, fence=item.fence, exc_info=not foreseen)
                if item.fence < TRIES:
                    continue
            self._settled.append(Held(item.id, item.fence))
        self._fresh = False

    def _fetch(self, blob: Blob) -> bytes:
        data = blob.data()
        if data is None:
            data = checked(self._caller.call("GET", f"/relay/blobs/{blob.digest}", timeout=120).body, blob.digest)
        return data


class Sender:
    """Empties the outbox, oldest first, each message until it has arrived. One that the other side says it cannot take
    is kept and tried again when nothing else waits, so that it holds up nobody. `receipted` is told of each receipt in
    the transaction that marks the message as sent.
    """

    def __init__(
        self,
        caller: Caller,
        database: Database,
        tables: RelayTables,
        files: Files,
        log: Log,
        receipted: Callable[[Connection, Return, bytes], None] = lambda *_: None,
    ) -> None:
        self._caller = caller
        self._database = database
        self._tables = tables
        self._files = files
        self._receipted = receipted
        self._log = log
        self._more = threading.Event()
        self._set_aside: set[int] = set()

    def wake(self) -> None:
        """Something was put into the outbox."""
        self._more.set()

    def tick(self) -> None:
        """Send what there is, or wait for the next commit (at most a few seconds: the table is the truth)."""
        self._more.clear()
        with self._database.read() as conn:
            messages = store.unsent(conn, self._tables, 16, self._set_aside)
        if not messages:
            if not self._more.wait(5.0):
                self._set_aside.clear()
            return
        for seq, raw in messages:
            message = parse_json(Return, raw, "A return")
            try:
                receipt = self._send(message)
            except CinqueError as error:
                if not _of_this_message(error):
                    raise
                self._log("return-refused", message=message.id, code=error.code)
                self._set_aside.add(seq)
                continue
            with self._database.write(durable=False) as conn:
                store.sent(conn, self._tables, seq, receipt)
                self._receipted(conn, message, receipt)

    def _send(self, message: Return) -> bytes:
        if message.blob is not None:
            data = self._files.get(message.blob.digest)
            if len(data) > INLINE_LIMIT:
                self._caller.call(
                    "PUT",
                    f"/relay/blobs/{message.blob.digest}",
                    body=data,
                    content_type="application/octet-stream",
                    timeout=120,
                )
            message = replace(message, blob=Blob.of(data))
        return self._caller.call("POST", "/relay/returns", body=dump(message)).body


def _of_this_message(error: CinqueError) -> bool:
    """Whether the refusal is of one message, and not of the caller, his version or the moment."""
    return isinstance(error, Conflict | Forbidden | NotFound) or error.status in (400, 422)
