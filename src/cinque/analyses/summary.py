"""n, missing, mean, variance and standard deviation of a number, by groups (statistics.md 3.3).

Mean and m2, the sum of squared deviations from it, are over rows; n counts people. Combining is Chan's merge of centred
moments; sums of squares never appear.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cinque.analyses import filters
from cinque.analyses.analysis import Analysis, Field, History, Partial, Released, Result, Step
from cinque.analyses.combine import Members, count, exact_ids, exactness, one_round, total
from cinque.analyses.factors import (
    MAX_CELLS,
    Cell,
    Levels,
    by_cell,
    cells,
    check_size,
    label,
    levels_of,
    malformed,
    not_answerable,
    union,
)
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Moments, Source
from cinque.sdc.figures import Bounds, Figure, Figures, Relation, is_suppressed
from cinque.stats import moments as pooled

COUNTS = ("n", "missing", "rows")
MOMENTS = ("mean", "m2")
MAX_GROUPS = MAX_CELLS // len(COUNTS + MOMENTS)
UNGROUPED = "ungrouped"


@dataclass(frozen=True, slots=True)
class Summary:
    """What is summarised."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variable: str = field(metadata={"description": "A column of integers or numbers."})
    by: tuple[str, ...] = field(
        default=(), metadata={"description": "Columns with declared levels, or true/false columns; without, one group."}
    )
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Summary, dictionary: Dictionary) -> None:
    """Raises Refused when variable, groups or filter do not fit the dictionary."""
    column = dictionary.column(parameters.variable)
    if column.type not in ("integer", "number"):
        raise Refused(
            "not-numeric",
            f"Column `{column.name}` of dataset `{dictionary.dataset}` is {column.type} and has no mean.",
            remedy="Summarise a column of integers or numbers, or ask a table of this one.",
        )
    levels_of(parameters.by, dictionary, most=MAX_GROUPS)
    filters.check(parameters.where, dictionary)


def partial(source: Source, parameters: Summary, _step: Step) -> Partial:
    """Counts and moments of every group of the declared levels."""
    by, where = parameters.by, filters.read(parameters.where)
    levels = levels_of(by, source.dictionary, most=MAX_GROUPS)
    alone = source.dictionary.one_row_a_person
    known = cells(by, levels)
    found, incomplete = by_cell(source.aggregate((parameters.variable,), by, where), known)
    values: dict[str, Any] = {}
    people: dict[str, int] = {}
    for cell in known:
        of = found[cell].moments[parameters.variable] if cell in found else Moments(0, 0, 0, 0, None, None)
        if not all(math.isfinite(moment) for moment in (of.mean, of.m2) if moment is not None):
            raise not_answerable()  # beyond what a double can hold
        given = {"n": of.people, "missing": of.people_missing, "rows": of.rows, "mean": of.mean, "m2": of.m2}
        values |= {label(name, cell): value for name, value in given.items()}
        people |= {label(name, cell): of.people_missing if name == "missing" else of.people for name in given}
    if by:
        if alone:
            values[UNGROUPED] = sum(group.people for group in incomplete)
        else:
            (group,) = source.aggregate((), (), filters.both(where, filters.any_missing(by)))
            values[UNGROUPED] = group.people
        people[UNGROUPED] = values[UNGROUPED]
    shape = {"variable": parameters.variable, "by": list(by), "levels": levels, "one_row_a_person": alone}
    return Partial(shape, values, {"people": people})


def figures(parameters: Summary, partial: Partial) -> Figures:
    """Rows and moments share the fate of their group's n, and where one row is one person rows are n. No total over
    groups, nor of n and missing, is released, so that nothing else can be had by subtraction.
    """
    people, alone = partial.evidence["people"], partial.shape["one_row_a_person"]
    made, relations = [], []
    for cell in cells(parameters.by, partial.shape["levels"]):
        n, missing, rows, mean, m2 = (label(name, cell) for name in COUNTS + MOMENTS)
        made += [
            Figure(n, "Frequencies", people[n]),
            Figure(missing, "Frequencies", people[missing]),
            Figure(rows, "Frequencies", people[rows], "rows", of=n, rows=partial.values[rows]),
            Figure(mean, "LinearAggregations", people[mean], "other", of=n),
            Figure(m2, "Shape", people[m2], "other", of=n),
        ]
        if alone:
            relations.append(Relation(rows, (n,)))
    if parameters.by:
        made.append(Figure(UNGROUPED, "Frequencies", people[UNGROUPED]))
    return Figures(tuple(made), tuple(relations))


def advance(parameters: Summary, history: History) -> Result:
    """Group by group: counts add up, moments merge over the TREs that released theirs, which `pooled_over` names."""
    by, members = parameters.by, one_round(history)
    every = union((released.shape.get("levels") for _, released in members), by)
    check_size(every, MAX_GROUPS)
    for _, released in members:
        if released.shape.get("by") != list(by) or released.shape.get("variable") != parameters.variable:
            raise malformed()
        known = cells(by, released.shape["levels"])
        ids = [label(name, cell) for name in COUNTS + MOMENTS for cell in known]
        exact_ids(released, [*ids, UNGROUPED] if by else ids)
    values: dict[str, Any] = {"variable": parameters.variable, "by": list(by), "levels": every}
    values |= _contents(by, every, members)
    values["per_tre"] = {
        tre: {"levels": released.shape["levels"], **_contents(by, released.shape["levels"], [(tre, released)])}
        for tre, released in members
    }
    return Result(values, exactness(members))


def _contents(by: Sequence[str], levels: Levels, members: Members) -> dict[str, Any]:
    groups = [_group(cell, members) for cell in cells(by, levels)]
    return {"groups": groups} | ({UNGROUPED: total((r for _, r in members), UNGROUPED)} if by else {})


def _group(cell: Cell, members: Members) -> dict[str, Any]:
    """One group over the members that declare it. Mean, variance and sd are None where nobody (or, for the spread, one
    row) is in it, and suppressed without bounds where no member released its own.
    """
    having = [(tre, released) for tre, released in members if label("n", cell) in released.figures]
    group: dict[str, Any] = {"levels": list(cell)}
    group |= {name: total((released for _, released in having), label(name, cell)) for name in COUNTS}
    known = {tre: of for tre, released in having if (of := _moments(released, cell)) is not None}
    if having and not known:
        unknown = Bounds(None, None).to_dict()
        group |= {"mean": unknown, "variance": unknown, "sd": unknown}
    else:
        all_known = pooled.merge_all(known.values())
        group["mean"] = all_known.mean if all_known.n else None
        group |= {"variance": pooled.variance(all_known), "sd": pooled.sd(all_known)}
    return group | {"pooled_over": list(known)}


def _moments(released: Released, cell: Cell) -> pooled.Moments | None:
    """None where they are suppressed. Raises Refused for what no data can have."""
    rows = count(released, label("rows", cell))
    mean, m2 = (released.figures[label(name, cell)] for name in MOMENTS)
    if any(is_suppressed(value) for value in (rows, mean, m2)):
        return None
    try:
        found = pooled.from_released(rows, mean, m2)
    except ValueError:
        raise malformed() from None
    if found is None:
        raise malformed()
    return found


ANALYSIS: Analysis[Summary] = Analysis(
    name="summary",
    version="1.0.0",
    published="2026-11-23",
    title="n, missing, mean, variance and standard deviation of a number, by groups",
    parameters=Summary,
    rounds=1,
    fields=(
        Field("n:[levels]", "people", "Frequencies", "Distinct people of the group with a value."),
        Field("missing:[levels]", "people", "Frequencies", "Distinct people of the group with a row without a value."),
        Field("rows:[levels]", "rows", "Frequencies", "Rows of the group with a value."),
        Field("mean:[levels]", "the variable's", "LinearAggregations", "Mean over rows with a value."),
        Field("m2:[levels]", "the variable's, squared", "Shape", "Sum of squared deviations from the mean, over rows."),
        Field(UNGROUPED, "people", "Frequencies", "With groups: distinct people with a row in which a factor misses."),
    ),
    check=check,
    columns=lambda parameters: frozenset((parameters.variable, *parameters.by)) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
