"""Quantiles of a number over all TREs, each between two agreed edges, by groups (statistics.md 3.5).

Every round counts people in ranges of the declared one. The first divides all values in two; each further round divides
those ranges in which a quantile may lie. Edges follow from the question and from counts already released
(quantiles_rounds.py, which says why no range of few people can be worked out); none is ever received. A range is known
when all TREs released its count, and only known ranges are divided.

A quantile is one of people: somebody with several rows in a group counts once there, by the mean of their values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from cinque.analyses import filters
from cinque.analyses.analysis import Analysis, Field, Partial, Step
from cinque.analyses.bins import check_number, check_range, each_once_in_bins
from cinque.analyses.factors import cells, levels_of
from cinque.analyses.quantiles_grid import (
    UNGROUPED,
    Quantiles,
    declared,
    divisions_of,
    edge,
    grid,
    id_of,
    missing_of,
    ranges,
)
from cinque.analyses.quantiles_rounds import MAX_GROUPS, ROUNDS, advance, first
from cinque.errors import Refused
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Relation
from cinque.stats import edges as dividing

MAX_PROBABILITIES: Final = 20
FINEST: Final = 2**40  # steps of precision in the range


def agree(parameters: Quantiles, dictionaries: Mapping[str, Dictionary]) -> Quantiles:
    """Where the question gives no precision: the coarsest step in which one of the TREs records the number."""
    if parameters.precision is not None:
        return parameters
    steps = [declared(each.column(parameters.variable)) for each in dictionaries.values()]
    known = [step for step in steps if step is not None]
    return replace(parameters, precision=max(known)) if known and len(known) == len(steps) else parameters


def check(parameters: Quantiles, dictionary: Dictionary) -> None:
    """Raises Refused when variable, probabilities, range, precision, groups or filter do not fit."""
    check_number(parameters.variable, dictionary)
    asked = parameters.probabilities
    if not 1 <= len(asked) <= MAX_PROBABILITIES or len(set(asked)) < len(asked):
        raise Refused(
            "probabilities-wrong", f"Give 1 to {MAX_PROBABILITIES} probabilities, each once.", remedy="Ask for fewer."
        )
    if not all(0 < p < 1 for p in asked):
        raise Refused(
            "probabilities-wrong",
            "A probability lies above 0 and below 1: the lowest and the highest value are single people's.",
            rule="rule-7",
        )
    check_range(parameters.low, parameters.high)
    if parameters.precision is None:
        raise Refused(
            "precision-missing",
            f"Dataset `{dictionary.dataset}` does not declare in which step `{parameters.variable}` is recorded.",
            remedy="Give `precision`: how close is close enough.",
        )
    if not (math.isfinite(parameters.precision) and parameters.precision > 0):
        raise Refused("precision-wrong", "A precision is a number above 0.")
    recorded = declared(dictionary.column(parameters.variable))
    if recorded is not None and parameters.precision < recorded:
        raise Refused(
            "precision-too-fine",
            f"`{parameters.variable}` is recorded in steps of {recorded:g}, and nothing finer can be known of it.",
            remedy=f"Ask with a precision of {recorded:g} or more.",
        )
    lowest, highest = grid(parameters)
    if highest - lowest > FINEST or edge(parameters, highest - 1) == edge(parameters, highest):
        raise Refused("precision-too-fine", "The range has too many steps of this precision.", remedy="Ask coarser.")
    levels_of(parameters.by, dictionary, most=MAX_GROUPS)
    filters.check(parameters.where, dictionary)


# ---------------------------------------------------------------------------------------------------- in one TRE
def partial(source: Source, parameters: Quantiles, step: Step) -> Partial:
    """Of each group that is searched: people in every range that is or was divided, in its parts, and without a value;
    with groups also people with a row of which the group is not known.
    """
    by, where = parameters.by, filters.read(parameters.where)
    levels = levels_of(by, source.dictionary, most=MAX_GROUPS)
    divisions = divisions_of(step.values, cells(by, levels))
    every = sorted({place for blocks in divisions.values() for _, edges in blocks for place in edges})
    edges = [edge(parameters, place) for place in every]
    found = each_once_in_bins(source, parameters.variable, edges, by=by, levels=levels, where=where)
    values: dict[str, int] = {}
    for cell, blocks in divisions.items():
        counts, missing = found[cell]
        below = dict(zip(every, _running(counts), strict=False))
        for gap in ranges(blocks):
            low = 0 if gap[0] is None else below[gap[0]]
            high = sum(counts) if gap[1] is None else below[gap[1]]
            values[id_of(parameters, gap, cell)] = high - low
        values[missing_of(cell)] = missing
    if by:
        (group,) = source.aggregate((), (), filters.both(where, filters.any_missing(by)))
        values[UNGROUPED] = group.people
    return Partial({**step.values, "levels": levels}, dict(values), {"people": values})


def figures(parameters: Quantiles, partial: Partial) -> Figures:
    """Each range is the sum of its parts. Nothing is a total of n and missing, or over groups."""
    shape, people = partial.shape, partial.evidence["people"]
    relations = [
        Relation(
            id_of(parameters, gap, cell), tuple(id_of(parameters, part, cell) for part in dividing.parts(gap, edges))
        )
        for cell, blocks in divisions_of(shape, cells(parameters.by, shape["levels"])).items()
        for gap, edges in blocks
    ]
    return Figures(tuple(Figure(id, "Frequencies", count) for id, count in people.items()), tuple(relations))


def _running(counts: Sequence[int]) -> list[int]:
    return [sum(counts[: i + 1]) for i in range(len(counts))]


ANALYSIS: Analysis[Quantiles] = Analysis(
    name="quantiles",
    version="1.0.0",
    published="2026-11-27",
    title="Intervals that contain the pooled quantiles of a number, by groups",
    parameters=Quantiles,
    rounds=ROUNDS,
    fields=(
        Field(
            "in:[low, high]:[levels]",
            "people",
            "Frequencies",
            "Distinct people of the group with low <= value < high; null: no end. Of several values of one person, "
            "their mean. Without groups there are no levels.",
        ),
        Field("missing:[levels]", "people", "Frequencies", "Distinct people of the group without any value."),
        Field(UNGROUPED, "people", "Frequencies", "With groups: distinct people with a row in which a factor misses."),
    ),
    check=check,
    columns=lambda parameters: frozenset((parameters.variable, *parameters.by)) | filters.columns(parameters.where),
    first=first,
    partial=partial,
    figures=figures,
    advance=advance,
    agree=agree,
)
