"""Every service on PostgreSQL, one database each: the same federation, the same answers, the same record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from cinque.client.answer import CountAnswer, recompute
from cinque.crate.verify import verify
from cinque.enclave import store as enclave_store
from cinque.federation.plan import Written
from cinque.gate import store as gate_store
from cinque.hub import store as hub_store
from cinque.storage import audit
from cinque.storage.database import Database, differences
from tests.storage.postgres import running_postgres
from tests.system.small import Small, people, small_federation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

STORES: dict[str, Any] = {"hub": hub_store, "gate": gate_store, "enclave": enclave_store}


@dataclass(frozen=True)
class OnPostgres:
    """A small federation, and the databases it uses."""

    fed: Small
    folder: str

    def url(self, service: str) -> str:
        """The address of a service's database."""
        return address(self.folder, service.replace("-", "_"))


def address(folder: str, name: str) -> str:
    return f"postgresql+psycopg://postgres@/{name}?host={folder}"


def settings(written: Written) -> dict[str, Path]:
    """Service -> its settings."""
    found = {"hub": written.hub / "hub.toml"}
    for name in written.tres:
        found[f"{name}-gate"] = written.tre(name) / "gate" / "gate.toml"
        found[f"{name}-enclave"] = written.tre(name) / "enclave" / "enclave.toml"
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnPostgres]:
    with running_postgres() as folder:

        def settle(written: Written) -> None:
            engine = create_engine(address(folder, "postgres"), isolation_level="AUTOCOMMIT")
            with engine.connect() as conn:
                for service, file in settings(written).items():
                    name = service.replace("-", "_")
                    conn.execute(text(f"CREATE DATABASE {name}"))
                    line = f'database = "{address(folder, name)}"\n'
                    file.write_text(file.read_text("utf-8") + line, "utf-8")
            engine.dispose()

        with small_federation(tmp_path_factory.mktemp("federation"), settle=settle) as fed:
            yield OnPostgres(fed, folder)


def ask(fed: Small) -> CountAnswer:
    answer = fed.client.ask("count", {"where": "smoker"}).answer(60)
    assert isinstance(answer, CountAnswer)
    assert answer.missing == ()
    assert answer.people == sum(people(name, smoker=True) for name in fed.names)
    assert verify(answer.crate, fed.client.members, recompute).exit_code == 0
    return answer


def test_the_answers_are_the_same(running: OnPostgres) -> None:
    fed = running.fed
    ask(fed)
    table = fed.client.ask("table", {"factors": ["smoker"]}).answer(60)
    assert table.values is not None
    assert table.values["n"] == sum(people(name) for name in fed.names)


def test_no_service_fell_back_to_a_file(running: OnPostgres) -> None:
    assert list(running.fed.written.root.rglob("*.sqlite*")) == []


@pytest.mark.parametrize("victim", ["hub", "north-gate", "north-enclave"])
def test_a_kill_loses_nothing(running: OnPostgres, victim: str) -> None:
    """Each question ends once there too; PostgreSQL ends the dead service's transactions."""
    fed = running.fed
    request = fed.client.ask("count", {"where": "smoker"})
    fed.service(victim).kill()
    fed.restart(victim)
    answer = request.answer(90)
    assert sorted(answer.answered) == sorted(fed.names)
    ask(fed)


@pytest.mark.parametrize("service", ["hub", "north-gate", "north-enclave", "south-gate", "south-enclave"])
def test_the_record_holds(running: OnPostgres, service: str) -> None:
    store = STORES[service.rpartition("-")[2]]
    database = Database(running.url(service))
    try:
        with database.read() as conn:
            report = audit.verify(conn, store.AUDIT)
            assert report.broken_at is None, report.sentence
            assert report.entries > 0
            assert differences(conn, store.METADATA) == []
            if service.endswith("enclave"):
                assert twice(conn) == []
    finally:
        database.close()


def twice(conn: Connection) -> list[Any]:
    """Tasks whose end left more than once."""
    sql = "SELECT task FROM released WHERE kind = 'end' GROUP BY task HAVING count(*) > 1"
    return list(conn.execute(text(sql)).all())
