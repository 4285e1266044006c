"""A small federation as real processes, on data whose counts are known; and eyes on what its services have on disk."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cinque.client.client import Client
from cinque.client.home import ClientHome
from cinque.enclave import store as enclave_store
from cinque.federation.plan import PROJECT, PlannedTre, Written
from cinque.federation.processes import Processes, Service, enrol, prepare
from cinque.federation.tables import declare, read_table, write_parquet
from cinque.gate import store as gate_store
from cinque.hub import store as hub_store
from cinque.lib.clock import system_clock
from cinque.storage import audit
from cinque.storage.database import Database

PEOPLE = {"north": 60, "south": 48, "west": 36}
TOWNS = ("Xanadu-4471", "Ysperberg-8812", "Zembla-3307")  # values that no log may show
DATASET = "people"


def rows(name: str) -> dict[str, list[Any]]:
    """The table of a TRE: every second one of its people has three rows."""
    persons = [i for i in range(PEOPLE[name]) for _ in range(1 + 2 * (i % 2))]
    return {
        "id": [1000 + i for i in persons],
        "town": [TOWNS[i % 3] for i in persons],
        "smoker": [i % 2 == 0 for i in persons],
        "age": [20.0 + i for i in persons],
    }


def people(name: str, town: int | None = None, smoker: bool | None = None) -> int:
    """How many people of a TRE fit, counted without Cinque."""
    table = rows(name)
    return len(
        {
            person
            for person, lives, smokes in zip(table["id"], table["town"], table["smoker"], strict=True)
            if (town is None or lives == TOWNS[town]) and (smoker is None or smokes == smoker)
        }
    )


def plan(root: Path, names: Sequence[str]) -> list[PlannedTre]:
    """TREs whose public table everybody may ask of."""
    today = system_clock().date()
    planned = []
    for name in names:
        file = f"data/{DATASET}.parquet"
        declared, typed = declare(read_table(rows(name)), id=DATASET, file=file, unit="id")
        source = root / "sources" / f"{name}.parquet"
        write_parquet(typed, source)
        agreement = {
            "id": "open-to-all",
            "version": "1",
            "title": "Any analysis of public tables",
            "project": PROJECT,
            "datasets": [DATASET],
            "analyses": ["count", "summary", "table"],
            "lawful_basis": "Public data",
            "valid_from": today,
            "valid_until": today + timedelta(days=365),
            "sign_off": "automatic",
            "release": "automatic",
        }
        planned.append(PlannedTre(name, f"{name.capitalize()} TRE", [declared], [agreement], {file: source}))
    return planned


@dataclass(frozen=True)
class Small:
    """The federation: its homes, its processes and its researcher."""

    written: Written
    processes: Processes
    client: Client

    @property
    def names(self) -> tuple[str, ...]:
        """The TREs."""
        return tuple(self.written.tres)

    def service(self, name: str) -> Service:
        """`hub`, `north-gate`, `south-enclave`."""
        if name == "hub":
            return self.processes.hub
        tre, _, kind = name.partition("-")
        return (self.processes.gates if kind == "gate" else self.processes.enclaves)[tre]

    def services(self) -> tuple[str, ...]:
        """The names of all services."""
        return ("hub", *(f"{n}-gate" for n in self.names), *(f"{n}-enclave" for n in self.names))

    def database(self, name: str) -> Path:
        """The SQLite file of a service."""
        if name == "hub":
            return self.written.hub / "hub.sqlite"
        tre, _, kind = name.partition("-")
        return self.written.tre(tre) / kind / f"{kind}.sqlite"

    def rows(self, name: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a service has committed, seen from outside, also while it runs or is dead."""
        conn = sqlite3.connect(self.database(name), timeout=10)
        try:
            return conn.execute(sql, values).fetchall()
        finally:
            conn.close()

    def audited(self, name: str, heads: Sequence[str] = ()) -> audit.AuditReport:
        """Whether a service's audit chain holds, and holds the heads that were published."""
        store: Any = {"hub": hub_store, "gate": gate_store, "enclave": enclave_store}[name.rpartition("-")[2]]
        database = Database(f"sqlite:///{self.database(name)}")
        try:
            with database.read() as conn:
                return audit.verify(conn, store.AUDIT, published_heads=heads)
        finally:
            database.close()

    def logs(self) -> str:
        """All that the services have logged."""
        return "\n".join(service.log.read_text("utf-8", "replace") for service in self.processes.all())

    def restart(self, *names: str) -> None:
        """Start again what was killed or stopped."""
        self.processes.start([self.service(name) for name in names if not self.service(name).pid])


@contextmanager
def small_federation(
    root: Path, names: Sequence[str] = ("north", "south"), settle: Callable[[Written], None] = lambda written: None
) -> Iterator[Small]:
    """Written, enrolled, running and described; stopped at the end whatever happened. `settle`: changes its settings
    before anything runs.
    """
    written = prepare(root, plan(root, names), dataset=DATASET)
    settle(written)
    home = ClientHome(written.researcher)
    enrol(written, home.settings().hub)
    with Processes(written) as processes:
        processes.start()
        client = Client.open(home)
        try:
            client.wait_described(DATASET, 60)
            yield Small(written, processes, client)
        finally:
            for service in processes.all():
                if service.pid:
                    os.kill(service.pid, signal.SIGCONT)  # a frozen process would not hear SIGTERM
            client.close()
    shutil.rmtree(root, ignore_errors=True)


@contextmanager
def frozen(service: Service) -> Iterator[None]:
    """A service that neither answers nor closes its connections: the network's worst manners."""
    os.kill(service.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if service.pid:
            os.kill(service.pid, signal.SIGCONT)


def until(look: Callable[[], Any], what: str, seconds: float = 30.0, pause: float = 0.002) -> Any:
    """What `look` finds as soon as it finds something; fails in words."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} seconds: {what}")
        time.sleep(pause)
