"""`cinque enclave run HOME`: opens the enclave in a TRE's home, polls its gate, works, and serves the TRE's people."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

from cinque.analyses import registry
from cinque.crate.cards import TreCard, read_card
from cinque.crate.keys import KeyRing, write_file
from cinque.enclave import store
from cinque.enclave.api import build
from cinque.enclave.folder import Watcher
from cinque.enclave.intake import take
from cinque.enclave.loop import Housekeeping
from cinque.enclave.service import Enclave
from cinque.enclave.settings import EnclaveHome, EnclaveSettings
from cinque.enclave.worker import Worker
from cinque.errors import Refused, Unreadable
from cinque.lib.clock import Clock, system_clock
from cinque.lib.digest import keyed_hex
from cinque.lib.ids import Random, system_random
from cinque.model.datasets import Dataset
from cinque.model.lifecycle import FINAL
from cinque.query.engine import Engine, open_engine
from cinque.query.registration import register, snapshot
from cinque.relay.below import Loop, Poller, Sender
from cinque.relay.running import Log, Running, alone, on_error, serve, settings, structured_log, used_tokens
from cinque.storage.database import open_database
from cinque.storage.files import Files
from cinque.wire.call import Caller, connect


class Sources:
    """The sources of this TRE's datasets: registered when first opened, then kept warm until the declaration or a file
    changes. `salt`: under which snapshots get ids that nobody can guess along.
    """

    def __init__(self, folder: Path, found: EnclaveSettings, salt: bytes) -> None:
        self._folder = folder
        self._settings = found
        self._salt = salt
        self._open: dict[str, tuple[object, Engine, str]] = {}
        self._lock = threading.Lock()

    def open(self, dataset: Dataset) -> tuple[Engine, str]:
        """The source of a dataset and the opaque id of its snapshot. Raises Refused("dataset-…") when it is not as
        declared: words for the TRE's operator, which the worker does not pass on.
        """
        with self._lock:
            kept = self._open.get(dataset.id)
            if kept is not None and kept[0] == (kept[1].signature() if kept[1].dataset == dataset else None):
                return kept[1], kept[2]
            source = open_engine(
                dataset, self._folder, memory_limit=self._settings.memory, threads=self._settings.threads
            )
            mark = source.signature()
            register(source)
            if kept is not None:
                kept[1].close()
            self._open[dataset.id] = (mark, source, snapshot(source, self._salt))
            return self._open[dataset.id][1:]

    def close(self) -> None:
        """Close them all."""
        for _, source, _ in self._open.values():
            source.close()


def open_enclave(
    root: Path,
    log: Log,
    *,
    gate: Caller | None = None,
    passphrase: bytes | None = None,
    clock: Clock = system_clock,
    random: Random = system_random,
) -> tuple[Enclave, Running]:
    """The enclave of a TRE's home. `gate`: another way to call it than HTTP. Raises Unreadable for no such home."""
    home = EnclaveHome(root)
    if not home.card.exists():
        raise Unreadable("no-tre-home", f"{root} is not a TRE's home.", remedy="Make one with `cinque tre init HOME`.")
    card = read_card(home.card.read_bytes())
    if not isinstance(card, TreCard):
        raise Unreadable("card-kind", f"{home.card} is not a TRE's card.")
    found = settings(EnclaveSettings, home.settings)
    ring = KeyRing.load(home.keys, passphrase)
    caller = gate or connect(found.gate, ring.sign("call"), clock=clock, random=random)
    database = open_database(home.database(found), store.METADATA, "cinque.enclave.migrations")
    files = Files(home.files)
    files.clear_incoming()

    def keep_crate(task: str) -> None:
        with database.read() as conn:
            record = store.find(conn, task)
        if record is not None and record.task.evidence:
            home.crates.mkdir(parents=True, exist_ok=True)
            place = home.crates / f"{record.task.state}-{task.removeprefix('urn:uuid:')}.zip"
            if not place.exists():
                write_file(place, files.get(record.task.evidence), mode=0o600, replace=True)

    watcher = Watcher(home.say, frozenset(registry.names()))
    enclave = Enclave(database, files, ring, card, watcher, found, keep_crate=keep_crate, clock=clock, random=random)
    salt = bytes.fromhex(keyed_hex(ring.sign("release").private_bytes(), b"cinque snapshot ids"))
    sources = Sources(home.say, found, salt)
    worker = Worker(enclave, sources.open, log, found.workers)
    housekeeping = Housekeeping(enclave)
    poller = Poller(caller, partial(take, enclave), log)
    sender = Sender(caller, database, store.RELAY, files, log)
    enclave.on_outgoing = sender.wake
    submit = enclave.on_work

    def work(task: str) -> None:
        submit(task)
        housekeeping.wake()

    enclave.on_work = work
    app = build(enclave, used_tokens(database, store.USED, clock), on_error(log))
    loops = [
        Loop("poll", poller.tick, log, random),
        Loop("send", sender.tick, log, random),
        Loop("housekeeping", housekeeping.tick, log, random),
    ]
    for draft in home.crates.glob(".*"):  # what a stop left half written
        draft.unlink()
    with database.read() as conn:  # and what one between commit and copy left out
        ended = [record.task.id for record in store.all_tasks(conn, FINAL)]
    for task in ended:
        keep_crate(task)
    worker.resume()

    def close() -> None:
        caller.close()
        sender.wake()
        housekeeping.wake()
        worker.close()
        for loop in loops:
            loop.join(1.0)
        sources.close()
        database.close()

    return enclave, Running(app, loops, close)


def run(root: Path, passphrase: bytes | None = None, *, port: int | None = None) -> None:
    """Serve until told to stop."""
    log = structured_log("enclave")
    found = settings(EnclaveSettings, EnclaveHome(root).settings)
    with alone(root / "enclave"):
        try:
            _, running = open_enclave(root, log, passphrase=passphrase)
        except Refused as refusal:
            log("refused-to-start", code=refusal.code)
            raise
        serve(running, found.host, found.port if port is None else port, log, waiters_close=lambda: None)
