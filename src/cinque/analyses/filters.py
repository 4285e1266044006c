"""The filter of a question: read, checked against the dictionary, and narrowed by what an analysis needs of a row."""

from __future__ import annotations

from collections.abc import Sequence

from cinque.expr import And, Column, Expr, IsMissing, Not, Or, check_filter, columns_of, parse
from cinque.model.datasets import Dictionary


def read(where: str | None) -> Expr | None:
    """The filter's tree; None keeps every row. Raises Refused("filter-syntax"), showing the place."""
    return None if where is None else parse(where)


def check(where: str | None, dictionary: Dictionary) -> Expr | None:
    """The filter, which fits the dictionary. Raises Refused as `read`, as `Dictionary.column` for one that identifies
    people, and as `check_filter`.
    """
    expr = read(where)
    if expr is not None:
        used = columns_of(expr)
        for column in dictionary.columns:
            if column.identifying and column.name in used:
                dictionary.column(column.name)
        check_filter(expr, dictionary.types())
    return expr


def columns(where: str | None) -> frozenset[str]:
    """The columns that the filter reads."""
    expr = read(where)
    return frozenset() if expr is None else columns_of(expr)


def both(one: Expr | None, other: Expr) -> Expr:
    """Rows that both keep."""
    return other if one is None else And((one, other))


def all_present(names: Sequence[str]) -> Expr:
    """Rows with a value in every one of these columns, of which there is at least one."""
    terms = tuple(Not(IsMissing(Column(name))) for name in names)
    return terms[0] if len(terms) == 1 else And(terms)


def any_missing(names: Sequence[str]) -> Expr:
    """Rows without a value in some of these columns, of which there is at least one."""
    terms = tuple(IsMissing(Column(name)) for name in names)
    return terms[0] if len(terms) == 1 else Or(terms)
