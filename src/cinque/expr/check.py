"""Do the columns exist, and do the types fit? Answered before anything is run."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from cinque.errors import Refused
from cinque.expr.text import literal_to_text, name_to_text, show
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
    measure,
)
from cinque.model.datasets import ColumnType, listed

_ARTICLES: dict[ColumnType, str] = {
    "integer": "an integer",
    "number": "a number",
    "text": "text",
    "boolean": "true or false",
    "date": "a date",
}
_QUOTES = "Text stands in quotation marks, as in `sex == 'F'`."
_NUMERIC = ("integer", "number")


def check(expr: Expr, columns: Mapping[str, ColumnType]) -> ColumnType:
    """The type of the whole. Raises Refused: "filter-unknown-column" with the nearest name, "filter-type" with the
    place shown, "filter-too-large". Arithmetic gives a number; text and booleans are equal or not, and have no order.
    """
    measure(expr)
    return _Check(expr, columns).type_of(expr)


def check_filter(expr: Expr, columns: Mapping[str, ColumnType]) -> None:
    """As `check`, and the whole must be true or false."""
    found = check(expr, columns)
    if found != "boolean":
        raise Refused(
            "filter-type",
            f"A filter must be true or false for each row, and this is {_ARTICLES[found]}.{show(expr, expr)}",
            remedy="Compare it with something, as in `age >= 18`.",
        )


class _Check:
    def __init__(self, whole: Expr, columns: Mapping[str, ColumnType]) -> None:
        self.whole = whole
        self.columns = columns

    def type_of(self, expr: Expr) -> ColumnType:
        match expr:
            case Column(name):
                if name in self.columns:
                    return self.columns[name]
                raise self.unknown(expr)
            case Literal():
                return expr.type
            case Negate(operand):
                self.number(operand)
                return "number"
            case Arithmetic(_, left, right):
                self.number(left)
                self.number(right)
                return "number"
            case Compare(op, left, right):
                found = self.type_of(left)
                self.comparable(expr, left, found, right)
                if op not in ("==", "!="):
                    self.ordered(expr, found)
            case In(operand, values):
                # The operand is looked at once: asking again for each value would double the work at every level.
                found = self.type_of(operand)
                for value in values:
                    self.comparable(value, operand, found, value)
            case Between(operand, low, high):
                found = self.type_of(operand)
                self.ordered(expr, found)
                self.comparable(low, operand, found, low)
                self.comparable(high, operand, found, high)
            case IsMissing(operand):
                self.type_of(operand)
            case Not(operand):
                self.boolean(operand)
            case And(terms) | Or(terms):
                for term in terms:
                    self.boolean(term)
        return "boolean"

    def number(self, expr: Expr) -> None:
        found = self.type_of(expr)
        if found not in _NUMERIC:
            raise self.refused(expr, f"arithmetic needs numbers, and {self.named(expr)} is {_ARTICLES[found]}")

    def boolean(self, expr: Expr) -> None:
        found = self.type_of(expr)
        if found != "boolean":
            raise self.refused(
                expr,
                f"`and`, `or` and `not` need something true or false, and {self.named(expr)} is {_ARTICLES[found]}",
            )

    def comparable(self, place: Expr, left: Expr, one: ColumnType, right: Expr) -> None:
        other = self.type_of(right)
        if one == other or (one in _NUMERIC and other in _NUMERIC):
            return
        remedy = "Write a date as date'2020-01-31'." if {one, other} == {"date", "text"} else ""
        said = f"{self.named(left)} is {_ARTICLES[one]}, and {self.named(right)} is {_ARTICLES[other]}"
        raise self.refused(place, f"{said}; they cannot be compared", remedy)

    def ordered(self, expr: Expr, found: ColumnType) -> None:
        # The order of text depends on a database's collation, so that two TREs could answer differently.
        if found in ("text", "boolean"):
            what = "text" if found == "text" else "true and false"
            raise self.refused(expr, f"{what} has no order here", "Use `==`, `!=` or `in (…)`.")

    def unknown(self, column: Column) -> Refused:
        near = difflib.get_close_matches(column.name, list(self.columns), n=1)
        remedy = (
            f"Did you mean {name_to_text(near[0])}?" if near else f"There are: {listed(list(self.columns))}. {_QUOTES}"
        )
        return Refused(
            "filter-unknown-column",
            f"There is no column {name_to_text(column.name)}.{show(self.whole, column)}",
            remedy=remedy,
        )

    def named(self, expr: Expr) -> str:
        match expr:
            case Column(name):
                return name_to_text(name)
            case Literal():
                text = literal_to_text(expr)
                return text if len(text) <= 40 else text[:40] + "…"
        return "this"

    def refused(self, expr: Expr, reason: str, remedy: str = "") -> Refused:
        return Refused("filter-type", f"The filter does not fit: {reason}.{show(self.whole, expr)}", remedy=remedy)
