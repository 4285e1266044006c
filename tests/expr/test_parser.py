"""What is read, how it is written back, and what a researcher sees when it cannot be read."""

from __future__ import annotations

import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.errors import Refused
from cinque.expr import (
    And,
    Arithmetic,
    Between,
    Column,
    Compare,
    Expr,
    In,
    IsMissing,
    Literal,
    Negate,
    Not,
    Or,
    columns_of,
    parse,
    to_text,
)
from tests.expr.trees import anything, filters

A, B, C = Column("a"), Column("b"), Column("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a == 1", Compare("==", A, Literal(1))),
        ("a = 1", Compare("==", A, Literal(1))),
        ("a <> 1", Compare("!=", A, Literal(1))),
        ("a>=1.5", Compare(">=", A, Literal(1.5))),
        ("a < .5", Compare("<", A, Literal(0.5))),
        ("a < 1e3", Compare("<", A, Literal(1000.0))),
        ("a == -9223372036854775808", Compare("==", A, Literal(-(2**63)))),
        ('`a b``c` == "it\'s"', Compare("==", Column("a b`c"), Literal("it's"))),
        ("a == 'it''s'", Compare("==", A, Literal("it's"))),
        ("a == '\"'", Compare("==", A, Literal('"'))),
        ("a == TRUE", Compare("==", A, Literal(True))),
        ("a > date'2020-02-29'", Compare(">", A, Literal(date(2020, 2, 29)))),
        ("date > date '2020-01-31'", Compare(">", Column("date"), Literal(date(2020, 1, 31)))),
        ("missing is missing", IsMissing(Column("missing"))),
        ("`and` is null", IsMissing(Column("and"))),
        ("a is not missing", Not(IsMissing(A))),
        ("a in (1, -2)", In(A, (Literal(1), Literal(-2)))),
        ("a NOT IN ('x')", Not(In(A, (Literal("x"),)))),
        ("a between 1 and 2 and b", And((Between(A, Literal(1), Literal(2)), B))),
        ("a not between b and c", Not(Between(A, B, C))),
        ("not a and b or c", Or((And((Not(A), B)), C))),
        ("a and b and c", And((A, B, C))),
        ("a and (b and c)", And((A, And((B, C))))),
        ("not a == b", Not(Compare("==", A, B))),
        ("a - b - c", Arithmetic("-", Arithmetic("-", A, B), C)),
        ("a - (b - c)", Arithmetic("-", A, Arithmetic("-", B, C))),
        ("a + b * c", Arithmetic("+", A, Arithmetic("*", B, C))),
        ("-a * b", Arithmetic("*", Negate(A), B)),
        ("a--5", Arithmetic("-", A, Literal(-5))),
        ("-(5)", Negate(Literal(5))),
        ("größe > 1", Compare(">", Column("größe"), Literal(1))),
    ],
)
def test_reads(text: str, tree: Expr) -> None:
    assert parse(text) == tree
    assert parse(to_text(tree)) == tree


@pytest.mark.parametrize(
    ("text", "shown", "says"),
    [
        ("age >> 5", "age >> 5\n         ^", "expected a column, a value or `(`, found `>`"),
        ("age >", "age >\n         ^", "found the end"),
        ("(age > 3", "(age > 3\n            ^", "expected an operator or `)`, found the end"),
        ("age > 3)", "age > 3)\n           ^", "expected an operator or the end, found `)`"),
        ("age not 5", "age not 5\n        ^^^", "expected an operator or the end, found `not`"),
        ("age in (1,", "age in (1,\n              ^", "expected a value, found the end"),
        ("age in (b)", "age in (b)\n            ^", "expected a value, found `b`"),
        ("age in ()", "age in ()\n            ^", "expected a value"),
        ("a == 1 == 2", "a == 1 == 2\n           ^^", "Write `a < b and b < c`"),
        ("a is 5", "a is 5\n         ^", "expected `missing`"),
        ("a == null", "a == null\n         ^^^^", "`is missing`"),
        ("a between 1 or 2", "a between 1 or 2\n                ^^", "`and` with the upper end"),
        ("s == 'it''s", "s == 'it''s\n         ^", "must end with one"),
        ("s == `", "s == `\n         ^", "must end with one"),
        ("a & b", "a & b\n      ^", "Write `and`"),
        ("a.b > 1", "a.b > 1\n     ^", "between backquotes"),
        ("a > 1; drop table x", "a > 1; drop table x\n         ^", "`;` means nothing here"),
        ("a ==\nb ==", "b ==\n      ^^", "Write `a < b"),
        ("a > 9223372036854775808", "a > 9223372036854775808\n        ^", "beyond 64 bits"),
        ("a > -9223372036854775809", "a > -9223372036854775809\n         ^", "beyond 64 bits"),
        ("a > " + "9" * 5000, "a > 999", "beyond 64 bits"),
        ("a > 1e999", "a > 1e999\n        ^^^^^", "too large"),
        ("a > date'2020-02-30'", "a > date'2020-02-30'\n            ^^^^", "no such day"),
        ("a > date'20200230'", "a > date'20200230'\n            ^^^^", "as in date'2020-01-31'"),
        ("a == not b", "a == not b\n         ^^^", "between parentheses"),
        ("", "\n    ^", "found the end"),
        ("a > \uff11", "a > \uff11\n        ^", "means nothing here"),
    ],
)
def test_says_where_and_what(text: str, shown: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(text)
    assert refused.value.code == "filter-syntax"
    assert "    " + shown in refused.value.sentence
    assert says in str(refused.value)


def test_a_long_line_is_cut_around_the_place() -> None:
    with pytest.raises(Refused) as refused:
        parse("a == 1 and " * 50 + "&" + " or b" * 50)
    line, carets = refused.value.sentence.split("\n")[1:]
    assert len(line) < 110
    assert line[carets.index("^")] == "&"


@pytest.mark.parametrize("mark", ["\0", "\x1b", "\u202e", "\u2066", "\u2028", "\ud800", "\x85"])
@pytest.mark.parametrize("text", ["a{}b == 1", "a == 'x{}y'", "`a{}b` == 1", "a == 1 {}"])
def test_what_could_deceive_an_approver_is_refused(text: str, mark: str) -> None:
    with pytest.raises(Refused, match="control character"):
        parse(text.format(mark))
    for build in (Column, Literal):
        with pytest.raises(Refused, match="control character"):
            build(f"a{mark}b")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a" * 10_001, "10,000 characters"),
        ("(" * 3000 + "a" + ")" * 3000, "100 levels"),
        ("not " * 2000 + "a", "100 levels"),
        ("-" * 5000 + "a", "100 levels"),
        ("a-(" * 3000, "100 levels"),
        ("a and (" * 1000, "100 levels"),
        ("1+" * 4000 + "1 == a", "100 levels"),
        ("a in (" + ",".join("1" * 3000) + ")", "2,000 columns"),
        ("or ".join("1" * 2100), "2,000 columns"),
        ("1/(" * 7 + "a" + ")" * 7 + " > 1", "2 divisions"),
    ],
)
def test_too_large_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as refused:
        parse(text)
    assert refused.value.code == "filter-too-large"


def _nested(wrap: str, levels: int) -> Expr:
    expr: Expr = A
    for _ in range(levels - 1):
        match wrap:
            case "not":
                expr = Not(expr)
            case "negate":
                expr = Negate(expr)
            case "and":
                expr = And((B, expr))
            case "missing":
                expr = IsMissing(expr)
            case "minus":
                expr = Arithmetic("-", B, expr)
            case "compare":
                expr = Compare("==", expr, B)
            case "mixed":
                expr = Not(expr) if isinstance(expr, And) else And((B, expr))
    return expr


@pytest.mark.parametrize("wrap", ["not", "negate", "and", "missing", "minus", "compare", "mixed"])
def test_the_deepest_tree_is_read_back_and_one_deeper_is_not(wrap: str) -> None:
    deepest = _nested(wrap, 100)
    assert parse(to_text(deepest)) == deepest
    with pytest.raises(Refused, match="100 levels"):
        parse(to_text(_nested(wrap, 101)))


def test_the_limits_hold_below_a_deep_stack() -> None:
    """A service calls from a few hundred frames down; the depth allowed must leave room for them."""

    def below(frames: int) -> Expr:
        return below(frames - 1) if frames else parse(to_text(_nested("mixed", 100)))

    assert below(sys.getrecursionlimit() // 4) == _nested("mixed", 100)


@given(filters | anything)
def test_text_is_read_back_as_the_same_tree(tree: Expr) -> None:
    assert parse(to_text(tree)) == tree


@given(st.text(max_size=40) | st.text("ab'\"`()=<>-+*/ .,0123456789e andorisnt", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        tree = parse(text)
    except Refused:
        return
    assert parse(to_text(tree)) == tree


def test_literals_of_different_types_differ() -> None:
    assert Literal(1) != Literal(True)
    assert Literal(1) != Literal(1.0)


def test_columns_of() -> None:
    assert columns_of(parse("a > 1 and (`b c` in (1) or not missing is missing)")) == {"a", "b c", "missing"}
