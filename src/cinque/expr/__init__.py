"""One typed expression language: for filters, and later for derived columns and the terms of a formula.

    age >= 18 and sex in ('F', 'M') and not (`blood pressure` is missing or visit < date'2020-01-31')

Columns are words or stand between backquotes. Values: integers, numbers, 'text' or "text", true, false, date'…'.
Comparison `== != < <= > >=`, `in (…)`, `between … and …`, `is missing`, each with its `not`; then `not`, `and`, `or`;
arithmetic `+ - * /` in double precision. Logic is three-valued as in SQL, and a filter keeps the rows where it is true.
Text is only ever equal or not: its order would depend on a database's collation.
"""

from __future__ import annotations

from cinque.expr.check import check, check_filter
from cinque.expr.evaluate import evaluate
from cinque.expr.parser import parse
from cinque.expr.text import to_text
from cinque.expr.tree import (
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
    Value,
    columns_of,
    measure,
)

__all__ = [
    "And",
    "Arithmetic",
    "Between",
    "Column",
    "Compare",
    "Expr",
    "In",
    "IsMissing",
    "Literal",
    "Negate",
    "Not",
    "Or",
    "Value",
    "check",
    "check_filter",
    "columns_of",
    "evaluate",
    "measure",
    "parse",
    "to_text",
]
