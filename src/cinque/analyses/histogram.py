"""People in ranges of a number, by edges that the question declares (statistics.md 3.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

from cinque.analyses import filters
from cinque.analyses.analysis import Analysis, Field, History, Partial, Result, Step
from cinque.analyses.bins import check_number, check_range, people_in_bins
from cinque.analyses.combine import Members, exact_ids, exactness, one_round, total
from cinque.analyses.factors import MAX_CELLS, Cell, Levels, cells, check_size, label, levels_of, malformed, union
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Relation

MAX_BINS = 200
BINS = 20  # when the question gives neither bins nor edges
UNGROUPED = "ungrouped"


@dataclass(frozen=True, slots=True)
class Histogram:
    """What is drawn: `bins` of equal width from `low` to `high`, or `edges`."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variable: str = field(metadata={"description": "A column of integers or numbers."})
    bins: int | None = field(
        default=None,
        metadata={"description": f"How many bins of equal width, at most {MAX_BINS}; without, {BINS}."},
    )
    edges: tuple[float, ...] = field(
        default=(), metadata={"description": "Instead of bins, low and high: the edges, rising."}
    )
    low: float | None = field(default=None, metadata={"description": "Where the first bin begins."})
    high: float | None = field(default=None, metadata={"description": "Where the last bin ends; it holds this value."})
    by: tuple[str, ...] = field(
        default=(), metadata={"description": "Columns with declared levels, or true/false columns; without, one group."}
    )
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Histogram, dictionary: Dictionary) -> None:
    """Raises Refused when variable, bins, groups or filter do not fit."""
    check_number(parameters.variable, dictionary)
    edges_of(parameters)
    levels_of(parameters.by, dictionary, most=_most(parameters))
    filters.check(parameters.where, dictionary)


def edges_of(parameters: Histogram) -> list[float]:
    """The agreed edges, rising: from the question alone. Equal bins as numpy.linspace places them. Raises Refused."""
    given = parameters.edges
    if given:
        if (parameters.bins, parameters.low, parameters.high) != (None, None, None):
            raise Refused(
                "bins-twice",
                "The question gives edges, and bins or a range as well.",
                remedy="Give `edges`, or `bins` with `low` and `high`.",
            )
        if len(given) < 2 or not all(map(math.isfinite, given)) or any(a >= b for a, b in pairwise(given)):
            raise Refused("edges-not-rising", "Edges are two or more finite numbers, each above the one before.")
        if len(given) - 1 > MAX_BINS:
            raise _too_many(len(given) - 1)
        return list(map(float, given))
    check_range(parameters.low, parameters.high)
    low, high = float(parameters.low or 0), float(parameters.high or 0)
    bins = BINS if parameters.bins is None else parameters.bins
    if bins < 1:
        raise Refused("bins-none", "A histogram has at least one bin.")
    if bins > MAX_BINS:
        raise _too_many(bins)
    step = (high - low) / bins
    edges = [*(low + i * step for i in range(bins)), high]
    if not math.isfinite(step) or any(a >= b for a, b in pairwise(edges)):
        raise Refused("range-empty", "The range cannot be told apart into that many bins.")
    return edges


def partial(source: Source, parameters: Histogram, _step: Step) -> Partial:
    """People in every bin of every group, below and above all bins, in all, and without a value."""
    by, where = parameters.by, filters.read(parameters.where)
    levels = levels_of(by, source.dictionary, most=_most(parameters))
    edges = edges_of(parameters)
    alone = source.dictionary.one_row_a_person
    found = people_in_bins(source, parameters.variable, edges, by=by, levels=levels, where=where, closed=True)
    groups = {group.levels: group for group in source.aggregate((parameters.variable,), by, where)}
    values: dict[str, int] = {}
    for cell, counts in found.items():
        under, *inside, over = counts
        of = groups[cell].moments[parameters.variable] if cell in groups else None
        values |= {label("n", cell): of.people if of else 0, label("missing", cell): of.people_missing if of else 0}
        values |= {label("under", cell): under, label("over", cell): over}
        values |= {_bin(i, cell): people for i, people in enumerate(inside)}
    if by:
        values[UNGROUPED] = source.aggregate((), (), filters.both(where, filters.any_missing(by)))[0].people
    shape = {
        "variable": parameters.variable,
        "edges": edges,
        "by": list(by),
        "levels": levels,
        "one_row_a_person": alone,
    }
    return Partial(shape, dict(values), {"people": values})


def figures(parameters: Histogram, partial: Partial) -> Figures:
    """n of a group is the total of its bins and of what lies outside them. No total over groups, nor of n and missing,
    is released.
    """
    people, relations = partial.evidence["people"], []
    for cell in cells(parameters.by, partial.shape["levels"]):
        parts = (*(label(name, cell) for name in ("under", "over")), *_bins(parameters, cell))
        kind: Any = "sum" if partial.shape["one_row_a_person"] else "union"
        relations.append(Relation(label("n", cell), parts, kind))
    return Figures(tuple(Figure(id, "Frequencies", count) for id, count in people.items()), tuple(relations))


def advance(parameters: Histogram, history: History) -> Result:
    """Bin by bin the sums; edges are agreed, so that they are exact where nothing was suppressed."""
    by, members, edges = parameters.by, one_round(history), edges_of(parameters)
    every = union((released.shape.get("levels") for _, released in members), by)
    check_size(every, _most(parameters))
    for _, released in members:
        shape = released.shape
        if (shape.get("by"), shape.get("variable"), shape.get("edges")) != (list(by), parameters.variable, edges):
            raise malformed()
        ids = [id for cell in cells(by, shape["levels"]) for id in _ids(parameters, cell)]
        exact_ids(released, [*ids, UNGROUPED] if by else ids)
    values: dict[str, Any] = {"variable": parameters.variable, "edges": edges, "by": list(by), "levels": every}
    values |= _contents(parameters, edges, every, members)
    values["per_tre"] = {
        tre: _contents(parameters, edges, released.shape["levels"], [(tre, released)]) for tre, released in members
    }
    return Result(values, exactness(members))


def _contents(parameters: Histogram, edges: Sequence[float], levels: Levels, members: Members) -> dict[str, Any]:
    """One group's figures beside the bins, or a record a group."""
    released = [each for _, each in members]
    groups, bins = [], []
    for cell in cells(parameters.by, levels):
        groups.append(
            {"levels": list(cell)}
            | {name: total(released, label(name, cell)) for name in ("n", "missing", "under", "over")}
            | {"counts": [total(released, id) for id in _bins(parameters, cell)]}
        )
        bins += [
            {"levels": list(cell), "bin": f"{low:g} to {high:g}", "people": people}
            for low, high, people in zip(edges, edges[1:], groups[-1]["counts"], strict=False)
        ]
    if not parameters.by:
        for row in bins:
            del row["levels"]
        return {name: value for name, value in groups[0].items() if name != "levels"} | {"bins": bins}
    return {"groups": groups, "bins": bins, UNGROUPED: total(released, UNGROUPED)}


def _bin(i: int, cell: Cell) -> str:
    return label(f"bin-{i}", cell)


def _bins(parameters: Histogram, cell: Cell) -> list[str]:
    return [_bin(i, cell) for i in range(len(edges_of(parameters)) - 1)]


def _ids(parameters: Histogram, cell: Cell) -> list[str]:
    return [*(label(name, cell) for name in ("n", "missing", "under", "over")), *_bins(parameters, cell)]


def _most(parameters: Histogram) -> int:
    return MAX_CELLS // (len(edges_of(parameters)) + 3)


def _too_many(bins: int) -> Refused:
    return Refused(
        "too-many-bins",
        f"A histogram of {bins:,} bins was asked for; at most {MAX_BINS} may be.",
        remedy="Ask for fewer, wider bins; narrow ones are suppressed anyway where few people are in them.",
    )


ANALYSIS: Analysis[Histogram] = Analysis(
    name="histogram",
    version="1.0.0",
    published="2026-11-27",
    title="People in ranges of a number, by groups",
    parameters=Histogram,
    rounds=1,
    fields=(
        Field("bin-i:[levels]", "people", "Frequencies", "Distinct people with a value in the bin i, counted from 0."),
        Field("under:[levels]", "people", "Frequencies", "Distinct people with a value below the first edge."),
        Field("over:[levels]", "people", "Frequencies", "Distinct people with a value above the last edge."),
        Field("n:[levels]", "people", "Frequencies", "Distinct people of the group with a value."),
        Field("missing:[levels]", "people", "Frequencies", "Distinct people of the group with a row without a value."),
        Field(UNGROUPED, "people", "Frequencies", "With groups: distinct people with a row in which a factor misses."),
    ),
    check=check,
    columns=lambda parameters: frozenset((parameters.variable, *parameters.by)) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
