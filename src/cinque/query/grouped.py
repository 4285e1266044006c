"""Groups with their counts and moments from any engine that answers a SELECT: one statement, and a second that is
centred where a column's spread is small beside its mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from cinque.errors import Refused
from cinque.expr import Expr
from cinque.model.datasets import Dataset, Dictionary
from cinque.query.source import Group, Moments
from cinque.query.sql import Relation, aggregate_query, centred_query

Select = Callable[[exp.Select], list[tuple[Any, ...]]]

_WELL_CONDITIONED = 100.0
"""|mean| over standard deviation up to which a running variance keeps about 13 of 16 digits."""


def aggregate(
    select: Select, relation: Relation, dataset: Dataset, columns: Sequence[str], by: Sequence[str], where: Expr | None
) -> list[Group]:
    """See `query.source.Source`. Groups come in the order of the declared levels, missing last. Raises Refused:
    "not-a-factor", as `Dictionary.column` does, and "not_answerable" for a level that is not declared.
    """
    dictionary = dataset.dictionary()
    columns = list(dict.fromkeys(columns))
    for name in columns:
        dictionary.column(name)
    levels = [_levels(dictionary, name) for name in by]
    types = dictionary.types()
    query = aggregate_query(relation, types, dataset.unit, columns, by, where)
    groups = [_group(row, len(by), columns) for row in select(query)]
    # A level that was never declared is a value from a row.
    if any(level not in known for group in groups for level, known in zip(group.levels, levels, strict=True)):
        raise not_answerable()
    loose = [name for name in columns if any(_ill_conditioned(group.moments[name]) for group in groups)]
    if loose:
        centred = select(centred_query(relation, types, loose, by, where))
        groups = _centred(groups, centred, len(by), loose)
    return sorted(groups, key=lambda g: [known[level] for level, known in zip(g.levels, levels, strict=True)])


def not_answerable() -> Refused:
    """A refusal that depends on rows: it never says why."""
    return Refused("not_answerable", "This question cannot be answered on this data.")


def _levels(dictionary: Dictionary, name: str) -> dict[str | None, int]:
    """The declared levels of a factor in their order, missing last."""
    column = dictionary.column(name)
    levels = ("false", "true") if column.type == "boolean" else column.levels
    if levels is None or column.type == "number":
        raise Refused(
            "not-a-factor",
            f"Column `{name}` has no declared levels, so rows cannot be grouped by it.",
            remedy="Group by a column for which the dataset's dictionary lists levels.",
        )
    return {level: place for place, level in enumerate([*levels, None])}


def _group(row: Sequence[Any], keys: int, columns: Sequence[str]) -> Group:
    moments = {
        name: Moments(
            rows=row[at],
            people=row[at + 1],
            people_missing=row[at + 2],
            rows_missing=row[keys] - row[at],
            mean=row[at + 3],
            m2=row[at + 4],
        )
        for at, name in zip(range(keys + 2, len(row), 5), columns, strict=True)
    }
    return Group(tuple(row[:keys]), people=row[keys + 1], rows=row[keys], moments=moments)


def _ill_conditioned(found: Moments) -> bool:
    if found.mean is None or found.m2 is None:
        return False
    return found.m2 * _WELL_CONDITIONED**2 < found.rows * found.mean**2


def _centred(groups: list[Group], rows: list[tuple[Any, ...]], keys: int, columns: Sequence[str]) -> list[Group]:
    """`groups` with the moments of `columns` put right: mean = c + S1/n, M2 = S2 - S1^2/n."""
    found = {tuple(row[:keys]): row[keys:] for row in rows}
    result = []
    for group in groups:
        moments = dict(group.moments)
        for place, name in enumerate(columns):
            old = moments[name]
            centre, first, second = found[group.levels][3 * place : 3 * place + 3]
            if centre is not None:
                moments[name] = Moments(
                    people=old.people,
                    rows=old.rows,
                    people_missing=old.people_missing,
                    rows_missing=old.rows_missing,
                    mean=centre + first / old.rows,
                    m2=max(0.0, second - first * first / old.rows),
                )
        result.append(Group(group.levels, group.people, group.rows, moments))
    return result
