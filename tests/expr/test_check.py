"""Types are settled before anything runs, and a mistake is shown in its place."""

from __future__ import annotations

import time

import pytest
from hypothesis import given

from cinque.errors import Refused
from cinque.expr import Column, Expr, Not, check, check_filter, parse
from cinque.model.datasets import ColumnType
from tests.expr.trees import COLUMNS, filters

TYPES: dict[str, ColumnType] = {
    "age": "integer",
    "bmi": "number",
    "sex": "text",
    "alive": "boolean",
    "seen": "date",
    "date of birth": "date",
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("age", "integer"),
        ("-age", "number"),
        ("age + 1", "number"),
        ("age / bmi", "number"),
        ("age > 1.5", "boolean"),
        ("age in (1, 2.5)", "boolean"),
        ("sex == 'F' and alive", "boolean"),
        ("(age > 1) == alive", "boolean"),
        ("seen between date'2020-01-01' and `date of birth`", "boolean"),
        ("sex is missing or (age > 1) is missing", "boolean"),
        ("'text'", "text"),
    ],
)
def test_types(text: str, found: ColumnType) -> None:
    assert check(parse(text), TYPES) == found


@pytest.mark.parametrize(
    ("text", "shown", "says"),
    [
        ("sex < 'a'", "sex < 'a'\n    ^^^^^^^^^", "text has no order"),
        ("sex between 'a' and 'b'", "^" * 23, "text has no order"),
        ("alive > false", "alive > false", "true and false has no order"),
        ("seen > '2020-01-01'", "seen > '2020-01-01'", "Write a date as date'2020-01-31'"),
        ("sex == 1", "sex == 1", "sex is text, and 1 is an integer"),
        ("age in (1, 'x')", "age in (1, 'x')\n               ^^^", "age is an integer, and 'x' is text"),
        ("age between 1 and seen", "age between 1 and seen\n                      ^^^^", "seen is a date"),
        ("age > 1 and sex + 1 > 2", "sex + 1 > 2\n                ^^^", "arithmetic needs numbers, and sex is text"),
        ("age > 1 or -seen > 2", "-seen > 2\n                ^^^^", "seen is a date"),
        ("age and alive", "age and alive\n    ^^^\n", "need something true or false, and age is an integer"),
        ("not (age + 1)", "not age + 1\n        ^^^^^^^", "this is a number"),
        ("age", "age\n    ^^^", "A filter must be true or false for each row, and this is an integer"),
    ],
)
def test_a_misfit_is_shown(text: str, shown: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        check_filter(parse(text), TYPES)
    assert refused.value.code == "filter-type"
    assert shown in refused.value.sentence + "\n"
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("alive and agee > 3", "alive and agee > 3\n              ^^^^ Did you mean age?"),
        ("`date of brith` is missing", "Did you mean `date of birth`?"),
        ("AGE > 3", "no column AGE"),
        ("zzz > 3", "There are: `age`, "),
    ],
)
def test_an_unknown_column_is_named_with_the_nearest(text: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        check(parse(text), TYPES)
    assert refused.value.code == "filter-unknown-column"
    assert says in str(refused.value)


def test_nesting_does_not_multiply_the_work() -> None:
    text = "alive"
    for _ in range(99):
        text = f"({text}) in (true, false, true)"
    began = time.process_time()
    assert check(parse(text), TYPES) == "boolean"
    assert time.process_time() - began < 5


def test_a_tree_that_was_never_text_has_the_same_limits() -> None:
    tree: Expr = Column("alive")
    for _ in range(5000):
        tree = Not(tree)
    with pytest.raises(Refused) as refused:
        check(tree, TYPES)
    assert refused.value.code == "filter-too-large"


@given(filters)
def test_generated_filters_are_well_typed(tree: Expr) -> None:
    check_filter(tree, COLUMNS)
