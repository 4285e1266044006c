"""How many people, and how many rows of theirs, a filter keeps (statistics.md 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from cinque.analyses import filters
from cinque.analyses.analysis import Analysis, Field, History, Partial, Result, Step
from cinque.analyses.combine import count, exact_ids, exactness, one_round, total
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Relation

IDS = ("people", "rows")


@dataclass(frozen=True, slots=True)
class Count:
    """What is counted."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Count, dictionary: Dictionary) -> None:
    """Raises Refused when the filter does not fit the dictionary."""
    filters.check(parameters.where, dictionary)


def partial(source: Source, parameters: Count, _step: Step) -> Partial:
    """Distinct people and rows."""
    (group,) = source.aggregate((), (), filters.read(parameters.where))
    return Partial(
        {"one_row_a_person": source.dictionary.one_row_a_person},
        {"people": group.people, "rows": group.rows},
        {"people": {"people": group.people, "rows": group.people}},
    )


def figures(_parameters: Count, partial: Partial) -> Figures:
    """The rows are of the people, and equal to them where one row is one person."""
    people = partial.evidence["people"]["people"]
    return Figures(
        (
            Figure("people", "Frequencies", people),
            Figure("rows", "Frequencies", people, "rows", of="people", rows=partial.values["rows"]),
        ),
        (Relation("rows", ("people",)),) if partial.shape["one_row_a_person"] else (),
    )


def advance(_parameters: Count, history: History) -> Result:
    """The sums; between bounds where a TRE suppressed its own."""
    members = one_round(history)
    for _, released in members:
        exact_ids(released, IDS)
    values: dict[str, Any] = {id: total((released for _, released in members), id) for id in IDS}
    values["per_tre"] = {tre: {id: count(released, id) for id in IDS} for tre, released in members}
    return Result(values, exactness(members))


ANALYSIS: Analysis[Count] = Analysis(
    name="count",
    version="1.0.0",
    published="2026-11-23",
    title="Number of people, and of their rows, for whom a condition holds",
    parameters=Count,
    rounds=1,
    fields=(
        Field("people", "people", "Frequencies", "Distinct people with a row that the filter keeps."),
        Field("rows", "rows", "Frequencies", "Rows that the filter keeps."),
    ),
    check=check,
    columns=lambda parameters: filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
