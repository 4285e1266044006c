"""Random columns, rows and well-typed expressions, for every test that compares two readings of one expression."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from hypothesis import strategies as st

from cinque.expr import And, Arithmetic, Between, Column, Compare, Expr, In, IsMissing, Literal, Negate, Not, Or
from cinque.model.datasets import ColumnType

COLUMNS: dict[str, ColumnType] = {
    "whole": "integer",
    "other whole": "integer",
    "num": "number",
    "real": "number",
    "sex": "text",
    'it"s; `--': "text",
    "alive": "boolean",
    "seen": "date",
}

INTEGERS = st.integers(-3, 3) | st.sampled_from([2**53 + 1, 2**53, 2**63 - 1, -(2**63)])
NUMBERS = st.sampled_from([0.0, -0.0, 0.5, -1.0, 1.0, 2.0, 0.1, 0.30000000000000004, 1e308, -1e308, 5e-324, 2.0**53])
TEXTS = st.sampled_from(["", "a", "A", "b", "é", "e\u0301", "it's", '"', "`", "\\", "--", "; drop", "%_", "\n", "NULL"])
DAYS = st.dates(date(2019, 12, 30), date(2020, 1, 2)) | st.sampled_from([date(1, 1, 1), date(9999, 12, 31)])
VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    "integer": INTEGERS,
    "number": NUMBERS,
    "text": TEXTS,
    "boolean": st.booleans(),
    "date": DAYS,
}

_CELLS = {**VALUES, "number": NUMBERS | st.sampled_from([math.nan, math.inf])}
rows = st.lists(
    st.fixed_dictionaries({name: st.none() | _CELLS[kind] for name, kind in COLUMNS.items()}),
    max_size=6,
)


def literals(kind: ColumnType) -> st.SearchStrategy[Expr]:
    return VALUES[kind].map(Literal)


def atoms(kind: ColumnType) -> st.SearchStrategy[Expr]:
    names = [name for name, own in COLUMNS.items() if own == kind]
    return st.sampled_from(names).map(Column) | literals(kind)


def _arithmetic(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.builds(Negate, inner) | st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/"]), inner, inner)


numeric = st.recursive(atoms("integer") | atoms("number"), _arithmetic, max_leaves=5)
anything = numeric | atoms("text") | atoms("date") | atoms("boolean")


def _among(operand: st.SearchStrategy[Expr], values: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.builds(In, operand, st.lists(values, min_size=1, max_size=3).map(tuple))


equal = st.sampled_from(["==", "!="])
ordered = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
conditions: st.SearchStrategy[Expr] = (
    atoms("boolean")
    | st.builds(Compare, ordered, numeric, numeric)
    | st.builds(Compare, ordered, atoms("date"), atoms("date"))
    | st.builds(Compare, equal, atoms("text"), atoms("text"))
    | st.builds(Between, numeric, numeric, numeric)
    | st.builds(Between, atoms("date"), atoms("date"), atoms("date"))
    | _among(numeric, literals("integer") | literals("number"))
    | _among(atoms("text"), literals("text"))
    | _among(atoms("date"), literals("date"))
    | st.builds(IsMissing, anything)
)


def _logic(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return (
        st.builds(Not, inner)
        | st.builds(And, several)
        | st.builds(Or, several)
        | st.builds(Compare, equal, inner, inner)
        | _among(inner, literals("boolean"))
        | st.builds(IsMissing, inner)
    )


filters = st.recursive(conditions, _logic, max_leaves=6)
"""Well-typed filters over COLUMNS."""
