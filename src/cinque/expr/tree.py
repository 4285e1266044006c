"""The tree of an expression: frozen values, equal when they say the same thing."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal as OneOf

from cinque.errors import Refused
from cinque.model.datasets import ColumnType

Value = bool | int | float | str | date
Comparison = OneOf["==", "!=", "<", "<=", ">", ">="]
Operation = OneOf["+", "-", "*", "/"]

MAX_LENGTH = 10_000
"""Characters of text."""
MAX_DEPTH = 100
"""Levels of the tree."""
MAX_NODES = 2_000
"""Columns, values and operations together."""
MAX_DENOMINATORS = 2
"""Divisions inside the denominator of another: SQL must write each denominator more than once."""
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1

# Marks that change the direction of text: a filter must look to its approver as it is.
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Column:
    """The value of a column in the row at hand."""

    name: str

    def __post_init__(self) -> None:
        _writable(self.name)
        if not self.name:
            raise Refused("filter-syntax", "A column's name is empty.")


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. `type` follows from the value and keeps 1, 1.0 and true apart."""

    value: Value
    type: ColumnType = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", _type_of(self.value))


@dataclass(frozen=True, slots=True)
class Negate:
    """Unary minus."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Double-precision arithmetic. What is not a finite number (division by zero, overflow) is missing."""

    op: Operation
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison; missing when either side is."""

    op: Comparison
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class In:
    """Is the operand one of these constants?"""

    operand: Expr
    values: tuple[Literal, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise Refused("filter-syntax", "The list after `in` is empty.")


@dataclass(frozen=True, slots=True)
class Between:
    """low <= operand <= high, both ends included."""

    operand: Expr
    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class IsMissing:
    """True or false, never missing."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Not:
    """Three-valued negation."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class And:
    """Three-valued conjunction of two or more terms."""

    terms: tuple[Expr, ...]

    def __post_init__(self) -> None:
        _several(self.terms)


@dataclass(frozen=True, slots=True)
class Or:
    """Three-valued disjunction of two or more terms."""

    terms: tuple[Expr, ...]

    def __post_init__(self) -> None:
        _several(self.terms)


Expr = Column | Literal | Negate | Arithmetic | Compare | In | Between | IsMissing | Not | And | Or


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct parts, from left to right."""
    match expr:
        case Column() | Literal():
            return ()
        case Negate(operand) | IsMissing(operand) | Not(operand):
            return (operand,)
        case Arithmetic(_, left, right) | Compare(_, left, right):
            return (left, right)
        case In(operand, values):
            return (operand, *values)
        case Between(operand, low, high):
            return (operand, low, high)
        case And(terms) | Or(terms):
            return terms


def walk(expr: Expr) -> Iterator[tuple[Expr, int]]:
    """Every node with its depth, the root at 1; needs no recursion, so that any tree can be measured."""
    waiting = [(expr, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in reversed(children(node)))


def columns_of(expr: Expr) -> frozenset[str]:
    """The names of the columns that the expression reads."""
    return frozenset(node.name for node, _ in walk(expr) if isinstance(node, Column))


def measure(expr: Expr) -> None:
    """Raises Refused("filter-too-large") where the tree is beyond MAX_DEPTH, MAX_NODES or MAX_DENOMINATORS."""
    for count, (_, depth) in enumerate(walk(expr), start=1):
        if depth > MAX_DEPTH:
            raise Refused(
                "filter-too-large",
                f"The filter is nested more than {MAX_DEPTH} levels deep.",
                remedy="Write long lists with `in (…)`, and long chains of `and` or `or` without parentheses.",
            )
        if count > MAX_NODES:
            raise Refused(
                "filter-too-large",
                f"The filter has more than {MAX_NODES:,} columns, values and operations.",
                remedy="Ask for a derived column from the TRE, or ask in several questions.",
            )
    waiting = [(expr, 0)]
    while waiting:
        node, denominators = waiting.pop()
        if denominators > MAX_DENOMINATORS:
            raise Refused(
                "filter-too-large", f"More than {MAX_DENOMINATORS} divisions stand in each other's denominators."
            )
        for position, child in enumerate(children(node)):
            below = isinstance(node, Arithmetic) and node.op == "/" and position == 1
            waiting.append((child, denominators + below))


def unwritable(text: str) -> int | None:
    """The place of the first character that may not stand in an expression: control characters except tab and line
    ends, lone surrogates, line and paragraph separators, marks of text direction. None when there is none."""
    for place, character in enumerate(text):
        if character in "\t\r\n" or (" " <= character <= "~"):
            continue
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTION:
            return place
    return None


def _writable(text: str) -> None:
    if unwritable(text) is not None:
        raise Refused("filter-syntax", "A name or text holds a control character or a mark of text direction.")


def _several(terms: tuple[Expr, ...]) -> None:
    if len(terms) < 2:
        raise Refused("filter-syntax", "`and` and `or` join two or more conditions.")


def _type_of(value: Value) -> ColumnType:
    match value:
        case bool():
            return "boolean"
        case int():
            if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
                raise Refused("filter-syntax", "An integer is beyond 64 bits.")
            return "integer"
        case float():
            if not math.isfinite(value):
                raise Refused("filter-syntax", "A number is not finite.")
            return "number"
        case str():
            _writable(value)
            return "text"
        case date() if type(value) is date:
            return "date"
    raise TypeError(f"no literal of {type(value).__name__}")
