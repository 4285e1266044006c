"""People by any number of factors, with one-way margins (statistics.md 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from cinque.analyses import filters
from cinque.analyses.analysis import Analysis, Field, History, Partial, Released, Result, Step
from cinque.analyses.combine import exact_ids, exactness, one_round, total
from cinque.analyses.factors import Levels, by_cell, cells, check_size, label, levels_of, malformed, union
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Relation


@dataclass(frozen=True, slots=True)
class Table:
    """What is tabulated."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    factors: tuple[str, ...] = field(metadata={"description": "Columns with declared levels, or true/false columns."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Table, dictionary: Dictionary) -> None:
    """Raises Refused when factors or filter do not fit the dictionary."""
    if not parameters.factors:
        raise Refused("factor-missing", "A table needs at least one factor.", remedy="To count everyone, ask a count.")
    levels_of(parameters.factors, dictionary)
    filters.check(parameters.where, dictionary)


def partial(source: Source, parameters: Table, _step: Step) -> Partial:
    """People in every cell of the declared levels, in the margins, in all, and with a factor missing."""
    names, where = parameters.factors, filters.read(parameters.where)
    levels = levels_of(names, source.dictionary)
    alone = source.dictionary.one_row_a_person
    known = cells(names, levels)
    found, incomplete = by_cell(source.aggregate((), names, where), known)
    values = {label("cell", cell): found[cell].people if cell in found else 0 for cell in known}
    parts = _margins(names, levels)
    if alone:
        n, missing = sum(values.values()), sum(group.people for group in incomplete)
        values |= {label("margin", margin): sum(values[cell] for cell in inside) for margin, inside in parts.items()}
    else:
        # Somebody with several rows may be in several cells: every total counts people anew.
        complete = filters.both(where, filters.all_present(names))
        n = source.aggregate((), (), complete)[0].people
        missing = source.aggregate((), (), filters.both(where, filters.any_missing(names)))[0].people
        for name in names if parts else ():
            one_way, _ = by_cell(source.aggregate((), (name,), complete), cells((name,), levels))
            for level in levels[name]:
                values[label("margin", (name, level))] = one_way[level,].people if (level,) in one_way else 0
    values |= {"n": n, "missing": missing}
    shape = {"factors": list(names), "levels": levels, "one_row_a_person": alone}
    return Partial(shape, values, {"people": dict(values)})


def figures(parameters: Table, partial: Partial) -> Figures:
    """Margins and n are totals of the cells, and n of each factor's margins. Nothing is a total of n and missing."""
    names, levels = parameters.factors, partial.shape["levels"]
    kind: Literal["sum", "union"] = "sum" if partial.shape["one_row_a_person"] else "union"
    people = partial.evidence["people"]
    relations = []
    if every := [label("cell", cell) for cell in cells(names, levels)]:
        parts = _margins(names, levels)
        relations.append(Relation("n", tuple(every), kind))
        relations += [Relation(label("margin", margin), tuple(inside), kind) for margin, inside in parts.items()]
        for name in names if parts else ():
            relations.append(Relation("n", tuple(label("margin", (name, level)) for level in levels[name]), kind))
    return Figures(tuple(Figure(id, "Frequencies", people[id]) for id in partial.values), tuple(relations))


def advance(parameters: Table, history: History) -> Result:
    """Cell by cell the sums. A TRE whose dictionary does not declare a level has nobody in its cells."""
    names, members = parameters.factors, one_round(history)
    every = union((released.shape.get("levels") for _, released in members), names)
    check_size(every)
    for _, released in members:
        if released.shape.get("factors") != list(names):
            raise malformed()
        exact_ids(released, _ids(names, released.shape["levels"]))
    values: dict[str, Any] = {"factors": list(names), "levels": every}
    values |= _contents(names, every, [released for _, released in members])
    values["per_tre"] = {
        tre: {"levels": released.shape["levels"], **_contents(names, released.shape["levels"], [released])}
        for tre, released in members
    }
    return Result(values, exactness(members))


def _contents(names: Sequence[str], levels: Levels, members: list[Released]) -> dict[str, Any]:
    return {
        "cells": [
            {"levels": list(cell), "people": total(members, label("cell", cell))} for cell in cells(names, levels)
        ],
        "margins": [
            {"factor": factor, "level": level, "people": total(members, label("margin", (factor, level)))}
            for factor, level in _margins(names, levels)
        ],
        "n": total(members, "n"),
        "missing": total(members, "missing"),
    }


def _margins(names: Sequence[str], levels: Levels) -> dict[tuple[str, str], list[str]]:
    """(factor, level) -> ids of its cells. None with one factor, whose cells are their own margins."""
    if len(names) < 2:
        return {}
    margins: dict[tuple[str, str], list[str]] = {(name, level): [] for name in names for level in levels[name]}
    for cell in cells(names, levels):
        id = label("cell", cell)
        for margin in zip(names, cell, strict=True):
            margins[margin].append(id)
    return margins


def _ids(names: Sequence[str], levels: Levels) -> list[str]:
    every = [label("cell", cell) for cell in cells(names, levels)]
    return [*every, *(label("margin", margin) for margin in _margins(names, levels)), "n", "missing"]


ANALYSIS: Analysis[Table] = Analysis(
    name="table",
    version="1.0.0",
    published="2026-11-23",
    title="People by one or more factors",
    parameters=Table,
    rounds=1,
    fields=(
        Field("cell:[levels]", "people", "Frequencies", "Distinct people with a row in this cell."),
        Field(
            "margin:[factor, level]",
            "people",
            "Frequencies",
            "Distinct people with a row at this level in which no factor is missing.",
        ),
        Field("n", "people", "Frequencies", "Distinct people with a row in which no factor is missing."),
        Field("missing", "people", "Frequencies", "Distinct people with a row in which a factor is missing."),
    ),
    check=check,
    columns=lambda parameters: frozenset(parameters.factors) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
