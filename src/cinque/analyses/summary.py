"""n, missing, mean with its interval, spread, skewness and kurtosis of a number, by groups (statistics.md 3.3).

Mean and m2 to m4, the sums of the deviations from it to that power, are over rows; n counts people. Combining is the
merge of centred moments of Chan and of Pebay; sums of powers never appear.

The engine counts, and gives mean and m2. A second pass streams the values about that mean: for m3 and m4, and for whom
each moment tells of. Without it the threshold on n alone would let the mean of a column that is 0 for all but one
person leave.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from cinque.analyses import filters, frame
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
from cinque.expr import Expr
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Moments, Source
from cinque.sdc.figures import Bounds, Figure, Figures, Model, Relation, Statbarn, is_suppressed
from cinque.stats import moments as pooled
from cinque.stats.central import Central

COUNTS: Final = ("n", "missing", "rows")
MOMENTS: Final = ("mean", "m2", "m3", "m4")
SPREAD: Final = 2  # moments of a test or a table that needs no more, and so tells no more
SHAPE: Final = ("se", "ci", "skewness", "kurtosis")
MAX_GROUPS: Final = MAX_CELLS // (len(COUNTS) + SPREAD)
UNGROUPED = "ungrouped"

Places = Iterator[tuple[int, NDArray[np.float64], frame.Codes | None]]


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


def partial(source: Source, parameters: Summary, _step: Step, order: int = len(MOMENTS)) -> Partial:
    """Counts and the first `order` moments (2 or 4) of every group of the declared levels."""
    by, where = parameters.by, filters.read(parameters.where)
    levels = levels_of(by, source.dictionary, most=MAX_GROUPS)
    alone = source.dictionary.one_row_a_person
    known = cells(by, levels)
    found, incomplete = by_cell(source.aggregate((parameters.variable,), by, where), known)
    of = {place: found[cell].moments[parameters.variable] for place, cell in enumerate(known) if cell in found}
    higher, told = _streamed(source, parameters, where, levels, of, order)
    values: dict[str, Any] = {}
    people: dict[str, int] = {}
    evidence: dict[str, Any] = {}
    for place, cell in enumerate(known):
        one = of.get(place, Moments(0, 0, 0, 0, None, None))
        moments = dict(zip(MOMENTS[:order], (one.mean, one.m2, *higher.get(place, (None, None))), strict=False))
        given = {"n": one.people, "missing": one.people_missing, "rows": one.rows, **moments}
        values |= {label(name, cell): value for name, value in given.items()}
        people |= {label(name, cell): one.people_missing if name == "missing" else one.people for name in given}
        evidence |= {label(name, cell): each for name, each in zip(MOMENTS, told.get(place, ()), strict=False)}
    if by:
        if alone:
            values[UNGROUPED] = sum(group.people for group in incomplete)
        else:
            (group,) = source.aggregate((), (), filters.both(where, filters.any_missing(by)))
            values[UNGROUPED] = group.people
        people[UNGROUPED] = values[UNGROUPED]
    shape = {"variable": parameters.variable, "by": list(by), "levels": levels, "one_row_a_person": alone}
    return Partial(shape, values, {"people": people, "moments": evidence})


def _streamed(
    source: Source, parameters: Summary, where: Expr | None, levels: Levels, of: Mapping[int, Moments], order: int
) -> tuple[dict[int, tuple[float, float]], dict[int, list[dict[str, Any]]]]:
    """By the group's place: m3 and m4, and of each moment its evidence. Raises Refused("not_answerable") for moments
    that a double cannot hold, and where the rows are no longer those that were counted.
    """
    several = not source.dictionary.one_row_a_person
    central: dict[int, Central] = {}
    for place, one in of.items():
        if not all(math.isfinite(moment) for moment in (one.mean, one.m2) if moment is not None):
            raise not_answerable()  # beyond what a double can hold
        if one.mean is not None:
            central[place] = Central(one.mean, order, several=several)
    if not central:
        return {}, {}
    for place, values, begin in _by_place(source, parameters, where, levels):
        if place not in central:
            raise not_answerable()
        central[place].add(values, begin)
    higher, told = {}, {}
    for place, group in central.items():
        if group.rows != of[place].rows:
            raise not_answerable()
        try:
            higher[place] = group.higher()
        except OverflowError:
            raise not_answerable() from None

        def again(at: int = place) -> Iterator[NDArray[np.float64]]:
            return (values for here, values, _ in _by_place(source, parameters, where, levels) if here == at)

        told[place] = [asdict(each) for each in group.evidence(again)]
    return higher, told


def _by_place(source: Source, parameters: Summary, where: Expr | None, levels: Levels) -> Places:
    """The values of a batch and of one group, whose place among the cells comes first, and where each person's rows
    begin among them, where a person may have several.
    """
    variable, by = parameters.variable, parameters.by
    alone = source.dictionary.one_row_a_person
    for batch in source.batches((variable, *by), where, together=not alone):
        values = frame.numbers(batch, variable)
        kept = np.isfinite(values)
        places = np.zeros(len(values), dtype=np.int64)
        for name in by:
            codes = frame.codes(batch, name, levels[name])
            kept &= codes >= 0
            places = places * len(levels[name]) + codes
        person = None if alone else _person(batch, len(values))
        order = np.flatnonzero(kept)
        if by:
            order = order[np.argsort(places[order], kind="stable")]
        values, places = values[order], places[order]
        ends = [*(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            if end > start:
                yield (
                    int(places[start]),
                    values[start:end],
                    None if person is None else _begin(person[order[start:end]]),
                )


def _person(batch: Any, rows: int) -> frame.Codes:
    """A number for each row that is the same throughout one person's rows."""
    changed = np.zeros(rows, dtype=np.int64)
    changed[frame.starts(batch)] = 1
    return np.cumsum(changed)


def _begin(person: frame.Codes) -> frame.Codes:
    return np.concatenate([[0], 1 + np.flatnonzero(np.diff(person))])


def figures(parameters: Summary, partial: Partial, order: int = len(MOMENTS)) -> Figures:
    """Rows and moments share the fate of their group's n, and where one row is one person rows are n. No total over
    groups, nor of n and missing, is released, so that nothing else can be had by subtraction. Every moment is judged by
    the people whose values make it differ (rules 3, 13, 14).
    """
    people, alone = partial.evidence["people"], partial.shape["one_row_a_person"]
    evidence = partial.evidence["moments"]
    made, relations, models = [], [], []
    for cell in cells(parameters.by, partial.shape["levels"]):
        n, missing, rows = (label(name, cell) for name in COUNTS)
        made += [
            Figure(n, "Frequencies", people[n]),
            Figure(missing, "Frequencies", people[missing]),
            Figure(rows, "Frequencies", people[rows], "rows", of=n, rows=partial.values[rows]),
        ]
        for name in MOMENTS[:order]:
            id = label(name, cell)
            barn: Statbarn = "LinearAggregations" if name == "mean" else "Shape"
            made.append(Figure(id, barn, people[id], "other", of=n, **evidence.get(id, {})))
        for end in (SPREAD, order) if people[n] else ():  # rule 5: a spread stands on n less the mean
            several = tuple(label(name, cell) for name in MOMENTS[1 if end == SPREAD else SPREAD : end])
            models.append(Model(several, people[n], 1, end))
        if alone:
            relations.append(Relation(rows, (n,)))
    if parameters.by:
        made.append(Figure(UNGROUPED, "Frequencies", people[UNGROUPED]))
    return Figures(tuple(made), tuple(relations), tuple(models))


def advance(parameters: Summary, history: History, order: int = len(MOMENTS)) -> Result:
    """Group by group: counts add up, moments merge over the TREs that released theirs, which `pooled_over` names."""
    by, members = parameters.by, one_round(history)
    every = union((released.shape.get("levels") for _, released in members), by)
    check_size(every, MAX_GROUPS)
    for _, released in members:
        if released.shape.get("by") != list(by) or released.shape.get("variable") != parameters.variable:
            raise malformed()
        known = cells(by, released.shape["levels"])
        ids = [label(name, cell) for name in COUNTS + MOMENTS[:order] for cell in known]
        exact_ids(released, [*ids, UNGROUPED] if by else ids)
    values: dict[str, Any] = {"variable": parameters.variable, "by": list(by), "levels": every}
    values |= _contents(by, every, members, order)
    values["per_tre"] = {
        tre: {"levels": released.shape["levels"], **_contents(by, released.shape["levels"], [(tre, released)], order)}
        for tre, released in members
    }
    return Result(values, exactness(members))


def _contents(by: Sequence[str], levels: Levels, members: Members, order: int) -> dict[str, Any]:
    found = [_group(cell, members, order) for cell in cells(by, levels)]
    contents = {"groups": [{name: value for name, value in group.items() if name not in SHAPE} for group in found]}
    if order > SPREAD:  # a table of its own, which fits on a page
        contents["shape"] = [{name: group[name] for name in ("levels", *SHAPE)} for group in found]
    return contents | ({UNGROUPED: total((r for _, r in members), UNGROUPED)} if by else {})


def _group(cell: Cell, members: Members, order: int) -> dict[str, Any]:
    """One group over the members that declare it. Mean, variance and SHAPE are None where nobody (or, for the
    spread, one row) is in it, and suppressed without bounds where no member released its own. Skewness and kurtosis
    are of the same members or suppressed.
    """
    having = [(tre, released) for tre, released in members if label("n", cell) in released.figures]
    group: dict[str, Any] = {"levels": list(cell)}
    group |= {name: total((released for _, released in having), label(name, cell)) for name in COUNTS}
    known = {tre: of for tre, released in having if (of := _moments(released, cell, order)) is not None}
    try:
        merged = pooled.merge_all(known.values())
    except (ValueError, OverflowError):
        raise malformed() from None
    unknown = Bounds(None, None).to_dict()
    if having and not known:
        group |= dict.fromkeys(("mean", "variance", "sd"), unknown)
        group |= dict.fromkeys(SHAPE if order > SPREAD else (), unknown)
        return group | {"pooled_over": []}
    group["mean"] = merged.mean if merged.n else None
    group |= {"variance": pooled.variance(merged), "sd": pooled.sd(merged)}
    if order > SPREAD:
        # Rows of one person are not independent, and no interval follows from them: as many rows as people, or none.
        alone = all(
            count(released, label("n", cell)) == count(released, label("rows", cell))
            for tre, released in having
            if tre in known
        )
        ci = pooled.confidence(merged) if alone else None
        group["se"] = pooled.standard_error(merged) if alone else None
        group["ci"] = None if ci is None else list(ci)
        group["skewness"] = unknown if merged.n and merged.m3 is None else pooled.skewness(merged)
        group["kurtosis"] = unknown if merged.n and merged.m4 is None else pooled.kurtosis(merged)
    return group | {"pooled_over": list(known)}


def _moments(released: Released, cell: Cell, order: int) -> pooled.Moments | None:
    """None where mean or m2 is suppressed. Raises Refused for what no data can have."""
    rows = count(released, label("rows", cell))
    moments = [released.figures[label(name, cell)] for name in MOMENTS[:order]]
    if any(is_suppressed(value) for value in (rows, *moments[:SPREAD])):
        return None
    if rows and not all(is_suppressed(value) or type(value) in (int, float) for value in moments):
        raise malformed()
    try:
        found = pooled.from_released(rows, *moments)
    except ValueError:
        raise malformed() from None
    if found is None:
        raise malformed()
    return found


ANALYSIS: Analysis[Summary] = Analysis(
    name="summary",
    version="1.1.0",
    published="2026-11-27",
    title="n, missing, mean, standard deviation, skewness and kurtosis of a number, by groups",
    parameters=Summary,
    rounds=1,
    fields=(
        Field("n:[levels]", "people", "Frequencies", "Distinct people of the group with a value."),
        Field("missing:[levels]", "people", "Frequencies", "Distinct people of the group with a row without a value."),
        Field("rows:[levels]", "rows", "Frequencies", "Rows of the group with a value."),
        Field("mean:[levels]", "the variable's", "LinearAggregations", "Mean over rows with a value."),
        Field("m2:[levels]", "the variable's, squared", "Shape", "Sum of squared deviations from the mean, over rows."),
        Field("m3:[levels]", "the variable's, cubed", "Shape", "Sum of cubed deviations from the mean, over rows."),
        Field("m4:[levels]", "the variable's, to the 4th", "Shape", "Sum of their fourth powers, over rows."),
        Field(UNGROUPED, "people", "Frequencies", "With groups: distinct people with a row in which a factor misses."),
    ),
    check=check,
    columns=lambda parameters: frozenset((parameters.variable, *parameters.by)) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
