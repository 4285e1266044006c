"""The SQL means what the reference evaluator says, and nothing in a name or a text ever becomes SQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import example, given, settings
from sqlglot import exp

from cinque.errors import Refused
from cinque.expr import And, Arithmetic, Column, Compare, Expr, Literal, Not, evaluate, parse
from cinque.model.datasets import ColumnType
from cinque.query.sql import aggregate_query, centred_query, condition, rows_query
from tests.expr.trees import COLUMNS, filters, rows

TYPES: dict[str, ColumnType] = {"id": "integer", **COLUMNS}
TABLE = exp.table_("people", quoted=True)
HOSTILE = [
    "'; drop table people; --",
    "' or '1'='1",
    '" or 1=1 --',
    '"; select * from people; --',
    "\\' or 1=1 --",
    "/* */ '' /* ",
    "'' union select 1",
    "$$ or true $$",
    "E'\\x27'",
    "?",
    "$1",
    ":name",
    "{{jinja}}",
    "\u02bc or 1=1",
    "\uff07 or 1=1",
    "a\nb;\n--",
    "`",
    "``;",
    "%",
    "CASE",
]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    kinds = {"integer": "BIGINT", "number": "DOUBLE", "text": "VARCHAR", "boolean": "BOOLEAN", "date": "DATE"}
    columns = ", ".join(f"{exp.to_identifier(n, quoted=True).sql('duckdb')} {kinds[k]}" for n, k in TYPES.items())
    connection.execute(f"create table people ({columns})")
    yield connection
    connection.close()


def _kept(connection: duckdb.DuckDBPyConnection, table: Sequence[Mapping[str, Any]], where: Expr) -> list[int]:
    connection.execute("delete from people")
    if table:
        marks = ", ".join("?" * len(TYPES))
        values = [[i, *(row[name] for name in COLUMNS)] for i, row in enumerate(table)]
        connection.executemany(f"insert into people values ({marks})", values)
    query = rows_query(TABLE, TYPES, None, ["id"], where)
    return sorted(row[0] for row in connection.execute(query.sql("duckdb")).fetchall())


WHOLE = dict.fromkeys(COLUMNS) | {"whole": 2**53 + 1}


@settings(max_examples=150)
@given(filters, rows)
@example(parse("whole == 9007199254740992.0"), [WHOLE])
@example(parse("whole == 9007199254740992"), [WHOLE])
@example(parse("whole in (9007199254740993, 0.5)"), [WHOLE])
@example(parse("1 / (1 / num) > 0 or num / 0 is missing"), [{**WHOLE, "num": 0.0}, {**WHOLE, "num": 5e-324}])
@example(parse("real * 10 / 10 == real or 1 / (real * 10) == 0"), [{**WHOLE, "real": 1e308}])
@example(parse("-whole < 0"), [{**WHOLE, "whole": -(2**63)}])
def test_sql_agrees_with_the_reference(
    connection: duckdb.DuckDBPyConnection, where: Expr, table: list[Mapping[str, Any]]
) -> None:
    for asked in (where, Not(where)):
        expected = [i for i, row in enumerate(table) if evaluate(asked, row) is True]
        assert _kept(connection, table, asked) == expected


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_only_ever_compared(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    table = [{**WHOLE, "sex": text}, {**WHOLE, "sex": "F"}]
    quoted = text.replace("'", "''")
    assert _kept(connection, table, parse(f"sex == '{quoted}'")) == [0]
    assert _kept(connection, table, parse(f"sex not in ('{quoted}', 'x')")) == [1]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_ever_a_name(name: str) -> None:
    quoted = "`" + name.replace("`", "``") + "`"
    with duckdb.connect() as connection:
        connection.execute(
            f"create table people (id bigint, {exp.to_identifier(name, quoted=True).sql('duckdb')} bigint)"
        )
        connection.execute("insert into people values (1, 5), (2, 6)")
        types: dict[str, ColumnType] = {"id": "integer", name: "integer"}
        query = rows_query(TABLE, types, None, ["id", name], parse(f"{quoted} == 5"))
        assert connection.execute(query.sql("duckdb")).fetchall() == [(1, 5)]
        counted = aggregate_query(TABLE, types, name, [name], [name], None)
        assert len(connection.execute(counted.sql("duckdb")).fetchall()) == 2
    with pytest.raises(Refused, match="no column"):
        rows_query(TABLE, {"id": "integer"}, None, ["id"], parse(f"{quoted} == 5"))


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "spark", "trino", "snowflake"])
@settings(max_examples=15)
@given(where=filters)
def test_every_dialect_is_one_select_that_reads_back(dialect: str, where: Expr) -> None:
    for query in (
        rows_query(TABLE, TYPES, "id", ["sex"], where),
        aggregate_query(TABLE, TYPES, "id", ["num"], ["sex", "alive"], where),
        centred_query(TABLE, TYPES, ["num"], ["sex"], where),
    ):
        (read,) = sqlglot.parse(query.sql(dialect), dialect=dialect)
        assert isinstance(read, exp.Select)
        wanted = {literal.this for literal in query.find_all(exp.Literal) if literal.is_string}
        assert {literal.this for literal in read.find_all(exp.Literal) if literal.is_string} == wanted
        assert {t.name for t in read.find_all(exp.Table)} <= {"people", "chosen", "centres"}


def test_the_deepest_filter_is_written_below_a_deep_stack() -> None:
    logic: Expr = Column("alive")
    for level in range(98):
        logic = Not(logic) if level % 2 else And((Column("alive"), logic))
    sums: Expr = Column("num")
    for _ in range(98):
        sums = Arithmetic("-", Literal(1), sums)

    def below(frames: int, expr: Expr) -> str:
        return below(frames - 1, expr) if frames else condition(expr, TYPES).sql("duckdb")

    for expr in (logic, Compare(">", sums, Literal(0))):
        assert below(sys.getrecursionlimit() // 4, expr)
