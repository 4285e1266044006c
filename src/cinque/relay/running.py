"""What the main of every service does alike: settings, a log, used call tokens, loops, and the server."""

from __future__ import annotations

import fcntl
import gc
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Table

from cinque.errors import Conflict, Unreadable
from cinque.lib.clock import Clock
from cinque.lib.parse import parse_toml
from cinque.relay.below import Loop
from cinque.storage.database import Database
from cinque.storage.nonces import forget_expired, use_once

T = TypeVar("T")
Log = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Running:
    """A service that is up: its application, and what has to be started and stopped with it."""

    app: FastAPI
    loops: Sequence[Loop]
    close: Callable[[], None]

    def start(self) -> None:
        """Start the loops."""
        for loop in self.loops:
            loop.start()

    def stop(self, patience: float = 2.0) -> None:
        """End the loops, then let go of what they used. `patience`: seconds for a loop that waits for an answer."""
        for loop in self.loops:
            loop.stop()
        self.close()
        for loop in self.loops:
            loop.join(patience)


def settings(cls: type[T], path: Path) -> T:
    """The settings in a TOML file; the defaults where there is none. Raises Unreadable, or Refused for a mistake."""
    if not path.exists():
        return cls()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise Unreadable("settings", f"{path} cannot be read.") from error
    return parse_toml(cls, text, str(path))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a service's folder against a second process of the same service until this one ends, however it ends: what
    is half written there may then be cleared away, and a wake reaches everybody who waits. Raises Conflict.
    """
    if not folder.is_dir():  # opening the service says what is wrong
        yield
        return
    with (folder / "lock").open("ab") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "already-running", f"Another process serves {folder}.", remedy="Stop that one first, or let it be."
            ) from None
        yield


def structured_log(service: str, stream: Any = None) -> Log:
    """Structured events for operators, one JSON object a line, on standard error. Never a payload."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=True,
    )
    log: Log = structlog.get_logger(service=service).info
    return log


def used_tokens(database: Database, table: Table, clock: Clock) -> Callable[[str, str, datetime], bool]:
    """Whether a call token's id is used for the first time; kept in the store until the token expires."""
    swept = clock()

    def first_use(key: str, token: str, until: datetime) -> bool:
        nonlocal swept
        with database.write(durable=False) as conn:
            if clock() - swept > timedelta(minutes=5):
                swept = clock()
                forget_expired(conn, table, swept)
            return use_once(conn, table, f"call/{key}", token, until)

    return first_use


def on_error(log: Log) -> Callable[[BaseException], None]:
    """Logs what nobody foresaw."""

    def told(error: BaseException) -> None:
        log("unforeseen", error=type(error).__name__, trace="".join(traceback.format_exception(error))[-4000:])

    return told


def serve(running: Running, host: str, port: int, log: Log, *, waiters_close: Callable[[], None]) -> None:
    """Serve until a signal to end comes; long-polls are woken so that nobody waits for them. Logs `ready` when up."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        running.app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=75,
        lifespan="off",
        proxy_headers=False,  # the address of a caller decides nothing
        server_header=False,
    )
    server = _Server(config, lambda: log("ready", host=host, port=port), waiters_close)
    # uvicorn raises the signal again once it has shut down: SIGTERM must then not end the process before its time.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running.start()
    # What is there now stays until the end: the collector need not look at it again, several times a question.
    gc.collect()
    gc.freeze()
    try:
        with suppress(KeyboardInterrupt):
            server.run()
    finally:
        running.stop(0.0)  # a long-poll to the other side ends with the process
        gc.unfreeze()  # what is let go at the end must be seen to go, or the engine's bindings complain in the log
        log("stopped")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: Any = None) -> None:
        self._stopping()
        await super().shutdown(sockets)
