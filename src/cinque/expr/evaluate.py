"""The meaning of an expression, in Python: slow, plain, and what every engine's SQL is tested against."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

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
)

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(expr: Expr, row: Mapping[str, Value | None]) -> Value | None:
    """The value in one row, None for missing. The expression must have passed `check`. Logic is SQL's three-valued one;
    a number in the row that is not finite is missing; a filter keeps the rows where the value is True.
    """
    match expr:
        case Column(name):
            value = row[name]
            return None if isinstance(value, float) and not math.isfinite(value) else value
        case Literal(value):
            return value
        case Negate(operand):
            return _arithmetic("*", -1.0, evaluate(operand, row))
        case Arithmetic(op, left, right):
            return _arithmetic(op, evaluate(left, row), evaluate(right, row))
        case Compare(op, left, right):
            return _compare(op, evaluate(left, row), evaluate(right, row))
        case In(operand, values):
            one = evaluate(operand, row)
            return _any([_compare("==", one, value.value) for value in values])
        case Between(operand, low, high):
            one = evaluate(operand, row)
            return _all([_compare(">=", one, evaluate(low, row)), _compare("<=", one, evaluate(high, row))])
        case IsMissing(operand):
            return evaluate(operand, row) is None
        case Not(operand):
            one = evaluate(operand, row)
            return None if one is None else not one
        case And(terms):
            return _all([evaluate(term, row) for term in terms])
        case Or(terms):
            return _any([evaluate(term, row) for term in terms])


def _all(values: list[Any]) -> bool | None:
    return False if False in values else None if None in values else True


def _any(values: list[Any]) -> bool | None:
    return True if True in values else None if None in values else False


def _compare(op: str, one: Any, other: Any) -> bool | None:
    if one is None or other is None:
        return None
    if isinstance(one, float) or isinstance(other, float):
        # As an engine does: an integer beside a number is first made a number.
        one, other = float(one), float(other)
    return _COMPARE[op](one, other)


def _arithmetic(op: str, one: Any, other: Any) -> float | None:
    if one is None or other is None:
        return None
    one, other = float(one), float(other)
    match op:
        case "+":
            result = one + other
        case "-":
            result = one - other
        case "*":
            result = one * other
        case _:
            if other == 0:
                return None
            result = one / other
    return result if math.isfinite(result) else None
