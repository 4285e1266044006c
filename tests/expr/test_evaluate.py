"""Three-valued logic from the SQL standard's truth tables, and arithmetic that never leaves the finite numbers."""

from __future__ import annotations

import math

import pytest

from cinque.expr import Value, evaluate, parse

T, F, N = True, False, None
ROW: dict[str, Value | None] = {"t": T, "f": F, "n": N, "one": 1, "half": 0.5, "big": 1e308, "nan": math.nan, "s": "x"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # conjunction, disjunction and negation with unknown (ISO/IEC 9075-2, 6.39)
        ("t and n", N),
        ("f and n", F),
        ("n and n", N),
        ("t or n", T),
        ("f or n", N),
        ("not n", N),
        ("n == n", N),
        ("n is missing", T),
        ("n is not missing", F),
        ("(n > 1) is missing", T),
        ("one in (1, 2)", T),
        ("one not in (2, 3)", T),
        ("n in (1)", N),
        ("n not in (1)", N),
        ("one between 0 and n", N),
        ("one between 2 and n", F),
        ("one == 1.0", T),
        ("9007199254740993 == 9007199254740992", F),
        ("9007199254740993 == 9007199254740992.0", T),
        ("one / 0", N),
        ("half / (one - 1)", N),
        ("1 / (1 / 0)", N),
        ("big * 10", N),
        ("(big * 10) * 0", N),
        ("0 / (big * 10)", N),
        ("one + n", N),
        ("-one - half", -1.5),
        ("7 / 2", 3.5),
        ("nan is missing", T),
        ("nan > 1", N),
        ("s == 'x'", T),
        ("s != 'X'", T),
    ],
)
def test_values(text: str, value: Value | None) -> None:
    found = evaluate(parse(text), ROW)
    assert found == value
    assert type(found) is type(value)
