"""PostgreSQL says what DuckDB says of the same rows, and takes nothing but a SELECT."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cinque.errors import Refused
from cinque.expr import parse
from cinque.federation.local import assemble
from cinque.federation.plan import PROJECT, PlannedTre
from cinque.lib.clock import system_clock
from cinque.lib.parse import dump
from cinque.model.datasets import Column, Dataset, Source
from cinque.query.duckdb_engine import DuckDBSource, open_duckdb
from cinque.query.engine import open_engine
from cinque.query.postgres_engine import PostgresSource, open_postgres
from cinque.query.registration import register, snapshot
from cinque.query.source import Group
from cinque.sdc.appetite import Appetite
from tests.storage.postgres import running_postgres

pytestmark = pytest.mark.slow

COLUMNS = (
    Column("person", "integer", identifying=True),
    Column("age", "integer"),
    Column("bmi", "number"),
    Column("year", "number"),
    Column("sex", "text", levels=("F", "M", "it's")),
    Column("alive", "boolean"),
    Column("seen", "date", levels=("2020-01-01", "2020-01-02")),
)
NAMES = [column.name for column in COLUMNS if not column.identifying]


def _rows(count: int) -> dict[str, list[Any]]:
    """Many rows a person, holes in every column, and a number whose spread is small beside its mean."""
    r = random.Random(11)

    def maybe(value: Any) -> Any:
        return None if r.random() < 0.1 else value

    return {
        "person": [r.randrange(count // 3) for _ in range(count)],
        "age": [maybe(r.randrange(18, 90)) for _ in range(count)],
        "bmi": [maybe(r.gauss(27, 5)) for _ in range(count)],
        "year": [maybe(1e9 + r.random()) for _ in range(count)],
        "sex": [maybe(r.choice(["F", "M", "it's"])) for _ in range(count)],
        "alive": [maybe(r.random() < 0.5) for _ in range(count)],
        "seen": [maybe(date(2020, 1, r.randrange(1, 3))) for _ in range(count)],
    }


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PostgresSource, DuckDBSource]]:
    """The same rows in both; PostgreSQL is read by an account that may do no more than SELECT."""
    folder = tmp_path_factory.mktemp("pg")
    table = pa.table(_rows(3_000))
    pq.write_table(table, folder / "rows.parquet")
    with running_postgres() as socket, pytest.MonkeyPatch.context() as patch:
        services = folder / "services.conf"
        services.write_text(f"[cohort]\nhost={socket}\nuser=reader\ndbname=postgres\n")
        patch.setenv("PGSERVICEFILE", str(services))
        with psycopg.connect(host=socket, user="postgres", dbname="postgres") as admin:
            admin.execute("create schema clinic")
            admin.execute(
                "create table clinic.rows (person int, age smallint, bmi float8, year numeric, sex varchar(9), "
                "alive boolean, seen date)"
            )
            with admin.cursor().copy("copy clinic.rows from stdin") as copy:
                for row in zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True):
                    copy.write_row(row)
            admin.execute("create role reader login")
            admin.execute("grant usage on schema clinic to reader; grant select on clinic.rows to reader")
        with (
            open_postgres(_dataset(Source(service="cohort", table="clinic.rows")), batch_rows=500) as postgres,
            open_duckdb(_dataset(Source(file="rows.parquet")), folder) as duck,
        ):
            yield postgres, duck


def _dataset(source: Source, columns: tuple[Column, ...] = COLUMNS, unit: str | None = "person") -> Dataset:
    return Dataset("cohort", "r1", source, columns, unit)


def _same(one: list[Group], other: list[Group]) -> None:
    assert [(g.levels, g.people, g.rows) for g in one] == [(g.levels, g.people, g.rows) for g in other]
    for a, b in zip(one, other, strict=True):
        for name, mine in a.moments.items():
            theirs = b.moments[name]
            assert (mine.people, mine.rows, mine.people_missing, mine.rows_missing) == (
                (theirs.people, theirs.rows, theirs.people_missing, theirs.rows_missing)
            )
            assert mine.mean == pytest.approx(theirs.mean, rel=1e-14)
            assert mine.m2 == pytest.approx(theirs.m2, rel=1e-9)


@pytest.mark.parametrize("by", [(), ("sex",), ("alive", "seen"), ("sex", "alive", "seen")])
@pytest.mark.parametrize(
    "where", [None, "bmi > 25 and age < 60", 'sex == "it\'s" or alive is missing', "seen >= date'2020-01-02'"]
)
def test_the_same_groups(engines: tuple[PostgresSource, DuckDBSource], by: tuple[str, ...], where: str | None) -> None:
    postgres, duck = engines
    filter = None if where is None else parse(where)
    asked = ["age", "bmi", "year"]
    _same(postgres.aggregate(asked, by, filter), duck.aggregate(asked, by, filter))


@pytest.mark.parametrize("together", [False, True])
def test_the_same_rows(engines: tuple[PostgresSource, DuckDBSource], together: bool) -> None:
    postgres, _ = engines
    found = []
    for engine in engines:
        batches = list(engine.batches(NAMES, parse("age > 20"), together=together))
        table = pa.Table.from_batches(batches)
        found.append((table.schema.remove_metadata().types[:-1], sorted(map(repr, table.to_pylist()))))
        if together:
            people = [set(batch.column("__person__").to_pylist()) for batch in batches]
            assert sum(map(len, people)) == len(set().union(*people))
    assert found[0] == found[1]
    assert len(list(postgres.batches(["age"], None))) == 6  # a cursor: never all rows at once


def test_it_registers_and_knows_when_rows_change(engines: tuple[PostgresSource, DuckDBSource]) -> None:
    postgres, _ = engines
    register(postgres)
    first = snapshot(postgres, b"salt")
    assert snapshot(postgres, b"salt") == first
    with psycopg.connect(service="cohort", user="postgres") as admin:
        admin.execute("insert into clinic.rows (person) values (0)")
        admin.commit()
        admin.execute("delete from clinic.rows where age is null and bmi is null and sex is null and alive is null")
    deadline = time.monotonic() + 20
    while snapshot(postgres, b"salt") == first and time.monotonic() < deadline:
        time.sleep(0.1)
    assert snapshot(postgres, b"salt") != first


def test_a_view_of_the_tres_own(engines: tuple[PostgresSource, DuckDBSource]) -> None:
    columns = (Column("decade", "integer"),)
    sql = "SELECT person, age / 10 AS decade FROM clinic.rows WHERE age IS NOT NULL"
    with open_engine(_dataset(Source(service="cohort", sql=sql), (*columns, COLUMNS[0])), Path("/nowhere")) as source:  # type: ignore[attr-defined]
        assert source.aggregate(["decade"], (), None)[0].moments["decade"].rows > 1_000


DELETE = "DELETE FROM clinic.rows"
SWAPPED = "SELECT person, sex AS age, bmi, year, sex, alive, seen FROM clinic.rows"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (Source(service="cohort", table="clinic.nothing"), "not_answerable"),
        (Source(service="elsewhere", table="clinic.rows"), "dataset-unreadable"),
        (Source(service="cohort"), "dataset-declaration"),
        (Source(service="cohort", table="clinic.rows", file="x.csv"), "dataset-declaration"),
        (Source(service="cohort", sql=DELETE), "dataset-declaration"),
        (Source(service="cohort", sql="SELECT 1; SELECT 2"), "dataset-declaration"),
        (Source(service="cohort", sql=f"WITH x AS ({DELETE} RETURNING 1) SELECT * FROM x"), "dataset-declaration"),
        (Source(service="cohort", sql="SELECT person FROM clinic.rows"), "dataset-column-missing"),
        (Source(service="cohort", sql=SWAPPED), "dataset-column-type"),
    ],
)  # fmt: skip
def test_what_is_not_as_declared(engines: object, source: Source, code: str) -> None:
    with open_postgres(_dataset(source)) as opened, pytest.raises(Refused) as refused:
        opened.aggregate((), (), None)
    assert refused.value.code == code
    assert "clinic" not in str(refused.value)


def test_nothing_can_be_written(engines: tuple[PostgresSource, DuckDBSource]) -> None:
    """Even when the account may: the transaction is read-only."""
    postgres, _ = engines
    with psycopg.connect(service="cohort", user="postgres") as admin:
        admin.execute("grant insert on clinic.rows to reader")
    try:
        with postgres._connection() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("insert into clinic.rows (person) values (1)")
    finally:
        with psycopg.connect(service="cohort", user="postgres") as admin:
            admin.execute("revoke insert on clinic.rows from reader")


def test_a_running_question_can_be_stopped(engines: tuple[PostgresSource, DuckDBSource]) -> None:
    slow = _dataset(Source(service="cohort", sql="SELECT 1 AS x FROM pg_sleep(60)"), (Column("x", "integer"),), None)
    with open_postgres(slow) as source:
        source.relation  # noqa: B018 - looked at before, so that what is stopped is the question
        said: list[str] = []

        def ask() -> None:
            try:
                source.aggregate((), (), None)
            except Refused as refused:
                said.append(refused.code)

        thread = threading.Thread(target=ask)
        thread.start()
        while not source._live:
            time.sleep(0.01)
        time.sleep(0.2)
        source.interrupt(thread.ident or 0)
        thread.join(10)
        assert said == ["not_answerable"]


def test_a_whole_federation_over_postgresql(engines: tuple[PostgresSource, DuckDBSource], tmp_path: Path) -> None:
    """Hub, gate and enclave in this process, the rows in the database: the same answer as with the file."""
    postgres, duck = engines
    declared = dump(replace(duck.dataset, source=Source(service="cohort", table="clinic.rows")))
    agreement = {
        "id": "all",
        "version": "1",
        "title": "Any analysis",
        "project": PROJECT,
        "datasets": ["cohort"],
        "analyses": ["summary"],
        "lawful_basis": "Synthetic data",
        "valid_from": system_clock().date(),
        "valid_until": system_clock().date() + timedelta(days=1),
        "sign_off": "automatic",
        "release": "automatic",
    }
    planned = PlannedTre("rye", "Rye", [{**declared, "openness": "synthetic"}], [agreement], {}, Appetite())
    with ExitStack() as stack:
        fed = assemble(stack, tmp_path, [planned], dataset="cohort")
        fed.client.wait_described("cohort")
        answer = fed.summary("bmi", by="sex", data="cohort", timeout=30)
    (f, _, _) = answer.groups.values()
    (there, *_) = postgres.aggregate(["bmi"], ["sex"], None)
    assert answer.answered == ("rye",)
    assert answer.exactness == "exact"
    assert f.mean == pytest.approx(there.moments["bmi"].mean)
    assert f.n == there.moments["bmi"].people
