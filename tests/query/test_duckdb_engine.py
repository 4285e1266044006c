"""Rows, people and moments from real files; what the connection refuses to do."""

from __future__ import annotations

import csv
import math
import random
import threading
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from cinque.errors import Refused
from cinque.expr import parse
from cinque.model.datasets import Column, Dataset, Source
from cinque.query.duckdb_engine import DuckDBSource, open_duckdb

COLUMNS = (
    Column("person", "integer", identifying=True),
    Column("age", "integer"),
    Column("bmi", "number"),
    Column("sex", "text", levels=("F", "M")),
    Column("arm", "integer", levels=("1", "2")),
    Column("alive", "boolean"),
    Column("seen", "date", levels=("2020-01-01", "2020-01-02")),
    Column("note", "text"),
)
NAMES = [column.name for column in COLUMNS]
ROWS: list[tuple[Any, ...]] = [
    (1, 30, 20.5, "F", 1, True, date(2020, 1, 1), "a,b"),
    (1, 31, None, "F", 1, True, date(2020, 1, 2), 'q"q'),
    (2, 40, 25.0, "M", 2, False, None, None),
    (3, None, 30.0, "M", 1, None, date(2020, 1, 1), "it's"),
    (3, 50, 31.0, None, None, True, date(2020, 1, 1), "line\nline"),
]
KINDS = "person bigint, age bigint, bmi double, sex varchar, arm bigint, alive boolean, seen date, note varchar"


def a_dataset(source: Source, unit: str | None = "person", columns: tuple[Column, ...] = COLUMNS) -> Dataset:
    return Dataset("cohort", "r1", source, columns, unit)


def a_csv(folder: Path, name: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(
            [["" if v is None else str(v).lower() if v is True or v is False else v for v in r] for r in rows]
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same five rows as CSV, Parquet and a DuckDB file, and a file that no dataset names."""
    folder = tmp_path_factory.mktemp("tre")
    a_csv(folder, "cohort.csv", NAMES, ROWS)
    with duckdb.connect(str(folder / "cohort.duckdb")) as connection:
        connection.execute(f"create table visits ({KINDS})")
        connection.executemany("insert into visits values (?, ?, ?, ?, ?, ?, ?, ?)", ROWS)
        connection.execute("create schema other")
        connection.execute("create table other.visits as select * from visits where person = 1")
        connection.execute(f"copy visits to '{folder / 'cohort.parquet'}'")
    (folder / "secret.csv").write_text("secret\n1\n")
    return folder


SOURCES = {
    "csv": Source(file="cohort.csv"),
    "parquet": Source(file="cohort.parquet"),
    "duckdb": Source(database="cohort.duckdb", table="visits"),
    "view of a file": Source(file="cohort.parquet", sql="SELECT * FROM data"),
    "view of a database": Source(database="cohort.duckdb", sql="-- all\nSELECT * FROM data.visits;"),
    "view of several": Source(
        sql="SELECT v.* REPLACE (c.note AS note) FROM db.visits v JOIN notes c "
        "ON v.person = c.person::BIGINT AND v.age IS NOT DISTINCT FROM c.age::BIGINT",
        files={"db": "cohort.duckdb", "notes": "cohort.csv"},
    ),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, folder: Path) -> Any:
    with open_duckdb(a_dataset(SOURCES[request.param]), folder) as opened:
        yield opened


def test_groups_rows_and_people(source: DuckDBSource) -> None:
    groups = source.aggregate(["bmi"], ["sex"], None)
    assert [(g.levels, g.rows, g.people) for g in groups] == [(("F",), 2, 1), (("M",), 2, 2), ((None,), 1, 1)]
    f, m, none = (g.moments["bmi"] for g in groups)
    assert (f.rows, f.people, f.rows_missing, f.people_missing, f.mean, f.m2) == (1, 1, 1, 1, 20.5, 0.0)
    assert (m.rows, m.people, m.rows_missing, m.people_missing, m.mean, m.m2) == (2, 2, 0, 0, 27.5, 12.5)
    assert (none.mean, none.m2) == (31.0, 0.0)


def test_levels_are_text_and_missing_is_a_level(source: DuckDBSource) -> None:
    found = {g.levels for g in source.aggregate([], ["arm", "alive", "seen"], None)}
    assert found == {
        ("1", "true", "2020-01-01"),
        ("1", "true", "2020-01-02"),
        ("2", "false", None),
        ("1", None, "2020-01-01"),
        (None, "true", "2020-01-01"),
    }


def test_without_a_factor_there_is_one_group_of_no_row_too(source: DuckDBSource) -> None:
    (everyone,) = source.aggregate(["age", "alive"], [], None)
    assert (everyone.levels, everyone.rows, everyone.people) == ((), 5, 3)
    assert everyone.moments["age"].people_missing == 1
    assert everyone.moments["alive"].mean == 0.75
    (nobody,) = source.aggregate(["age"], [], parse("age > 1000"))
    assert (nobody.rows, nobody.people, nobody.moments["age"].mean, nobody.moments["age"].m2) == (0, 0, None, None)
    assert source.aggregate(["age"], ["sex"], parse("age > 1000")) == []


def test_filters(source: DuckDBSource) -> None:
    (found,) = source.aggregate([], [], parse("sex == 'M' or seen == date'2020-01-02' or note == 'line\nline'"))
    assert (found.rows, found.people) == (4, 3)


def test_batches(source: DuckDBSource) -> None:
    table = pa.Table.from_batches(list(source.batches(["age", "bmi", "sex", "alive", "seen", "note"], None)))
    assert table.schema.names == ["age", "bmi", "sex", "alive", "seen", "note", "__person__"]
    kinds = [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.date32(), pa.string(), pa.int64()]
    assert table.schema.types == kinds
    expected = [(*row[1:4], *row[5:], row[0]) for row in ROWS]
    assert sorted(map(repr, zip(*(column.to_pylist() for column in table.columns), strict=True))) == sorted(
        map(repr, expected)
    )
    (kept,) = [b.to_pydict() for b in source.batches(["age"], parse("age >= 50"))]
    assert kept == {"age": [50], "__person__": [3]}


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 2048])
def test_a_persons_rows_stay_together(tmp_path: Path, batch_rows: int) -> None:
    people = [5, 1, 1, 2, 2, 2, 2, 2, 9, 1, 5, 7]
    a_csv(tmp_path, "rows.csv", ["person", "x"], [[person, row] for row, person in enumerate(people)])
    columns = (Column("person", "integer", identifying=True), Column("x", "integer"))
    with open_duckdb(a_dataset(Source(file="rows.csv"), "person", columns), tmp_path, batch_rows=batch_rows) as source:
        batches = [b.to_pydict() for b in source.batches(["x"], None, together=True)]
    seen = [set(batch["__person__"]) for batch in batches]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 5  # nobody is in two batches
    for batch in batches:
        assert batch["__person__"] == sorted(batch["__person__"])
    assert sorted((p, x) for b in batches for p, x in zip(b["__person__"], b["x"], strict=True)) == sorted(
        (person, row) for row, person in enumerate(people)
    )


def test_one_row_a_person_counts_rows(folder: Path) -> None:
    with open_duckdb(a_dataset(SOURCES["parquet"], unit=None), folder, batch_rows=2) as source:
        (everyone,) = source.aggregate(["bmi"], [], None)
        assert (everyone.people, everyone.rows) == (5, 5)
        assert (everyone.moments["bmi"].people, everyone.moments["bmi"].people_missing) == (4, 1)
        numbers = [n for batch in source.batches(["bmi"], None) for n in batch.to_pydict()["__person__"]]
        assert numbers == [0, 1, 2, 3, 4]


def test_another_schema(folder: Path) -> None:
    with open_duckdb(a_dataset(Source(database="cohort.duckdb", table="other.visits")), folder) as source:
        assert source.aggregate([], [], None)[0].rows == 2


def test_questions_from_several_threads_share_one_connection(folder: Path) -> None:
    with open_duckdb(a_dataset(SOURCES["duckdb"]), folder) as source, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: source.aggregate(["bmi"], ["sex"], parse("age > 1")), range(40)))
    assert all(answer == answers[0] for answer in answers)


def test_a_stream_is_interrupted_too(tmp_path: Path) -> None:
    """Who cancels a question waits for no pass over the rows to end."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT range AS x FROM range(3000000)) TO '{tmp_path / 'rows.parquet'}'")
    columns = (Column("x", "integer"),)
    with open_duckdb(a_dataset(Source(file="rows.parquet"), None, columns), tmp_path, batch_rows=2048) as source:
        batches = source.batches(["x"], None)
        seen = next(batches).num_rows
        source.interrupt(threading.get_ident())
        with pytest.raises(Refused) as refused:
            seen += sum(batch.num_rows for batch in batches)
        assert refused.value.code == "not_answerable"
        assert seen < 3_000_000
        (everyone,) = source.aggregate(["x"], [], None)  # and the next question is answered
        assert everyone.rows == 3_000_000


def test_a_failure_in_mid_stream_has_no_cause(tmp_path: Path) -> None:
    """The engine's message would quote the value that it could not read."""
    (tmp_path / "rows.csv").write_text("x\n" + "1\n" * 100_000 + "secret-value\n")
    columns = (Column("x", "integer"),)
    with open_duckdb(a_dataset(Source(file="rows.csv"), None, columns), tmp_path, batch_rows=2048) as source:
        with pytest.raises(Refused) as refused:
            list(source.batches(["x"], None))
        assert refused.value.code == "not_answerable"
        assert "secret" not in "".join(traceback.format_exception(refused.value))


def test_not_a_number_is_missing(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table t as select * from (values ('nan'::double), ('inf'), (1), (3)) v(x)")
        connection.execute(f"copy t to '{tmp_path / 't.parquet'}'")
    with open_duckdb(a_dataset(Source(file="t.parquet"), None, (Column("x", "number"),)), tmp_path) as source:
        (group,) = source.aggregate(["x"], [], None)
        assert (group.moments["x"].rows, group.moments["x"].rows_missing, group.moments["x"].mean) == (2, 2, 2.0)
        assert source.aggregate([], [], parse("x > 2"))[0].rows == 1


# ------------------------------------------------------------------------------------------------- what is not told


@pytest.mark.parametrize(
    ("columns", "by", "where", "code"),
    [
        (["person"], [], None, "column-identifying"),
        ([], ["person"], None, "column-identifying"),
        ([], [], "person == 1", "filter-unknown-column"),
        (["nothing"], [], None, "unknown-column"),
        ([], ["note"], None, "not-a-factor"),
        ([], ["bmi"], None, "not-a-factor"),
        (["sex"], [], None, "not-numeric"),
        ([], [], "age", "filter-type"),
    ],
)
def test_questions_that_do_not_fit(
    folder: Path, columns: list[str], by: list[str], where: str | None, code: str
) -> None:
    with open_duckdb(a_dataset(SOURCES["parquet"]), folder) as source:
        with pytest.raises(Refused) as refused:
            source.aggregate(columns, by, None if where is None else parse(where))
        assert refused.value.code == code
        if not by and code not in ("not-numeric",):
            with pytest.raises(Refused):
                list(source.batches(columns, None if where is None else parse(where)))


def test_an_undeclared_level_is_not_told(folder: Path) -> None:
    columns = tuple(Column("sex", "text", levels=("F",)) if c.name == "sex" else c for c in COLUMNS)
    with open_duckdb(a_dataset(SOURCES["parquet"], columns=columns), folder) as source:
        with pytest.raises(Refused) as refused:
            source.aggregate([], ["sex"], None)
        assert refused.value.code == "not_answerable"
        assert "M" not in str(refused.value)


def test_a_failure_on_the_data_has_no_cause(tmp_path: Path) -> None:
    a_csv(tmp_path, "t.csv", ["x", "y"], [[1, 1], ["ELEVEN", 2]])
    columns = (Column("x", "integer"), Column("y", "integer"))
    with open_duckdb(a_dataset(Source(file="t.csv"), None, columns), tmp_path) as source:
        for ask in (lambda: source.aggregate(["x"], [], None), lambda: list(source.batches(["x"], None))):
            with pytest.raises(Refused) as refused:
                ask()
            assert refused.value.code == "not_answerable"
            assert refused.value.__cause__ is None
            assert refused.value.__suppress_context__
            assert "ELEVEN" not in repr(refused.value.to_dict()) + str(refused.value.__notes__)
        assert source.aggregate(["y"], [], None)[0].moments["y"].mean == 1.5


# --------------------------------------------------------------------------------------------------------- lockdown


FORBIDDEN = [
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM '{folder}/secret.csv'",
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM glob('{folder}/*')",
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "EXPORT DATABASE '{folder}/out'",
    "ATTACH '{folder}/other.duckdb' AS other",
    "ATTACH ':memory:' AS other; COPY (SELECT 1) TO '{folder}/out.csv'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 4",
    "SET lock_configuration = false",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "PRAGMA memory_limit = '9GB'",
    "RESET allowed_paths",
    "INSERT INTO data.visits SELECT * FROM data.visits",
    "DELETE FROM data.visits",
    "DROP TABLE data.visits",
    "SELECT * FROM python_variable",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_connection_itself_refuses(folder: Path, statement: str) -> None:
    python_variable = pa.table({"a": [1]})
    assert python_variable.num_rows == 1
    with open_duckdb(a_dataset(SOURCES["duckdb"]), folder) as source:
        connection = source._open()[0]
        for run in (connection.execute, connection.sql, connection.cursor().execute):
            with pytest.raises(duckdb.Error):
                run(statement.format(folder=folder))
    assert not (folder / "out.csv").exists()


@pytest.mark.parametrize("kind", ["csv", "parquet", "duckdb"])
def test_what_the_lock_allows_the_gatekeeper_refuses(folder: Path, kind: str) -> None:
    """DuckDB lets COPY overwrite a permitted file; only SELECT ever reaches it."""
    path = folder / f"cohort.{kind}"
    before = path.read_bytes()
    with open_duckdb(a_dataset(SOURCES[kind]), folder) as source:
        for statement in (
            f"COPY (SELECT 1) TO '{path}' (USE_TMP_FILE false)",
            "CREATE TABLE t AS SELECT 1",
            "SELECT 1; SELECT 2",
            "PRAGMA database_list",
        ):
            with pytest.raises(Refused, match="single SELECT"):
                source.select(_Raw(statement))
    assert path.read_bytes() == before


class _Raw(exp.Select):
    """A query whose SQL is whatever an attacker who got this far would like."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text_ = text

    def transform(self, *_: Any, **__: Any) -> Any:
        return self

    def sql(self, *_: Any, **__: Any) -> str:
        return self.text_


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE data.visits",
        "SELECT 1; SELECT 2",
        "SELECT * FROM data.visits; DROP TABLE data.visits",
        "COPY data.visits TO '/tmp/x.csv'",
        "ATTACH 'x.duckdb'",
        "INSERT INTO data.visits SELECT * FROM data.visits RETURNING *",
        "WITH a AS (DELETE FROM data.visits RETURNING *) SELECT * FROM a",
        "PRAGMA database_list",
        "SELECT",
        "",
        "SET threads = 2",
        "CREATE TABLE x AS SELECT 1",
    ],
)
def test_a_view_is_a_single_select(folder: Path, sql: str) -> None:
    with (
        open_duckdb(a_dataset(Source(database="cohort.duckdb", sql=sql)), folder) as source,
        pytest.raises(Refused, match="single SELECT"),
    ):
        source.aggregate([], [], None)


@pytest.mark.parametrize("reader", ["read_csv('{}/secret.csv')", "'{}/secret.csv'", "read_text('/etc/hostname')"])
def test_a_view_reads_only_what_is_named(folder: Path, reader: str) -> None:
    dataset = a_dataset(Source(file="cohort.csv", sql=f"SELECT * FROM {reader.format(folder)}"))
    with open_duckdb(dataset, folder) as source, pytest.raises(Refused) as refused:
        source.aggregate([], [], None)
    assert refused.value.code == "dataset-unreadable"
    assert str(folder) not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (Source(), "name one `file`"),
        (Source(file="cohort.csv", database="cohort.duckdb", table="visits"), "name one `file`"),
        (Source(database="cohort.duckdb"), "`table`"),
        (Source(file="cohort.csv", table="visits"), "`table`"),
        (Source(file="cohort.csv", files={"x": "cohort.csv"}), "`files` are for `sql`"),
        (Source(file="absent.csv"), "not there"),
        (Source(file="*.csv"), "several files"),
        (Source(file="cohort.txt"), "must end with"),
        (Source(sql="SELECT 1", files={"a b": "cohort.csv"}), "use a word"),
        (Source(sql="SELECT 1", files={"memory": "cohort.csv"}), "use a word"),
        (Source(file="cohort.csv", sql="SELECT 1", files={"data": "cohort.csv"}), "is taken"),
    ],
)
def test_a_source_that_is_not_declared_well(folder: Path, source: Source, says: str) -> None:
    with open_duckdb(a_dataset(source), folder) as opened, pytest.raises(Refused, match=says) as refused:
        opened.aggregate([], [], None)
    assert str(folder) not in str(refused.value)


def test_nothing_is_opened_before_the_first_question(folder: Path) -> None:
    source = open_duckdb(a_dataset(Source(file="absent.csv")), folder)
    source.close()


# ---------------------------------------------------------------------------------------------------------- moments


def _moments(folder: Path, values: Sequence[float | None], threads: int = 1) -> tuple[float | None, float | None]:
    with duckdb.connect() as connection:
        connection.register("t", pa.table({"x": pa.array(values, pa.float64()), "g": ["F"] * len(values)}))
        connection.execute(f"copy (select * from t) to '{folder / 'm.parquet'}'")
    columns = (Column("x", "number"), Column("g", "text", levels=("F",)))
    with open_duckdb(a_dataset(Source(file="m.parquet"), None, columns), folder, threads=threads) as source:
        ((ungrouped,), (grouped,)) = (source.aggregate(["x"], by, None) for by in ([], ["g"]))
    assert grouped.moments == ungrouped.moments
    return ungrouped.moments["x"].mean, ungrouped.moments["x"].m2


def _exact(values: Sequence[float | None]) -> tuple[float, float]:
    exact = [Fraction(v) for v in values if v is not None]
    mean = sum(exact) / len(exact)
    return float(mean), float(sum((v - mean) ** 2 for v in exact))


def _smls(base: float, half: int) -> list[float | None]:
    """As in NIST's StRD data sets SmLs01 to SmLs09: the base and a fifth, then alternating a tenth below and above."""
    return [base + 0.4, *(base + 0.3, base + 0.5) * half]


@pytest.mark.parametrize("base", [1.0, 1_000_000.0, 1_000_000_000_000.0])
@pytest.mark.parametrize("half", [10, 100, 9_000])
def test_moments_of_the_hard_nist_data(tmp_path: Path, base: float, half: int) -> None:
    values = _smls(base, half)
    mean, m2 = _moments(tmp_path, values)
    expected_mean, expected_m2 = _exact(values)
    assert mean == pytest.approx(expected_mean, rel=1e-15)
    assert m2 == pytest.approx(expected_m2, rel=1e-12)


@pytest.mark.parametrize("base", [0.0, 90.0, 1e6, 1e12])
def test_moments_of_sorted_data_far_from_zero(tmp_path: Path, base: float) -> None:
    """What undoes a running variance: each value pulls the running mean the same way, and its rounding adds up."""
    draw = random.Random(7)
    values: list[float | None] = [*sorted(draw.gauss(base, 1) for _ in range(20_000))]
    mean, m2 = _moments(tmp_path, values)
    expected_mean, expected_m2 = _exact(values)
    assert mean == pytest.approx(expected_mean, rel=1e-15, abs=1e-15)
    assert m2 == pytest.approx(expected_m2, rel=1e-12)


def test_moments_of_a_large_ordinary_column(tmp_path: Path) -> None:
    draw = random.Random(5)
    values = [draw.gauss(120, 15) if draw.random() > 0.1 else None for _ in range(100_000)]
    mean, m2 = _moments(tmp_path, values, threads=2)
    expected_mean, expected_m2 = _exact(values)
    assert mean == pytest.approx(expected_mean, rel=1e-15)
    assert mean == pytest.approx(math.fsum(v for v in values if v is not None) / sum(v is not None for v in values))
    assert m2 == pytest.approx(expected_m2, rel=1e-12)


def test_groups_far_apart_keep_their_own_moments(tmp_path: Path) -> None:
    draw = random.Random(11)
    low, high = _smls(0.0, 50), sorted(draw.gauss(1e12, 1) for _ in range(2_000))
    with duckdb.connect() as connection:
        table = {"x": [*low, *high, 7.0], "g": ["F"] * len(low) + ["M"] * len(high) + [None]}
        connection.register("t", pa.table(table))
        connection.execute(f"copy (select * from t) to '{tmp_path / 'm.parquet'}'")
    columns = (Column("x", "number"), Column("g", "text", levels=("M", "F")))
    with open_duckdb(a_dataset(Source(file="m.parquet"), None, columns), tmp_path) as source:
        groups = source.aggregate(["x"], ["g"], None)
    assert [g.levels for g in groups] == [("M",), ("F",), (None,)]
    expected: list[list[float | None]] = [[*high], low, [7.0]]
    for group, values in zip(groups, expected, strict=True):
        mean, m2 = _exact(values)
        assert group.moments["x"].mean == pytest.approx(mean, rel=1e-15)
        assert group.moments["x"].m2 == pytest.approx(m2, rel=1e-12)


@settings(max_examples=25)
@given(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=20),
    st.sampled_from([0.0, 1.0, 1e3, 1e8, 1e12]),
)
def test_moments_agree_with_exact_arithmetic(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], base: float
) -> None:
    shifted: list[float | None] = [base + value for value in values]
    mean, m2 = _moments(tmp_path_factory.mktemp("moments"), shifted)
    expected_mean, expected_m2 = _exact(shifted)
    scale = max(abs(v) for v in shifted if v is not None)
    assert mean == pytest.approx(expected_mean, rel=1e-13, abs=1e-15 * scale)
    assert m2 == pytest.approx(expected_m2, rel=1e-10, abs=1e-28 * scale**2)


def test_the_answer_shows_no_extreme() -> None:
    """Smallest and largest values are people's own: no field of the protocol could carry them."""
    from cinque.query.source import Group, Moments

    fields: Mapping[str, Any] = {**Group.__dataclass_fields__, **Moments.__dataclass_fields__}
    assert not {name for name in fields if name.startswith(("min", "max", "low", "high"))}
