"""For tests only: an analysis of several rounds, in the full shape of the house.

A pooled median is enclosed by halving a range that the question declares. Each round counts people in the halves of the
range in which the median must lie, and again in all ranges that were split before, so that disclosure control judges
the rounds as one answer. Only counts travel. It ends as soon as a count is suppressed anywhere: then what the last
whole round said is the answer. So every count of the earlier rounds has been released, and suppressing a half together
with its other half always protects it: no earlier release need be taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

from cinque.analyses import filters
from cinque.analyses.analysis import Analysis, Field, History, Partial, Result, Step
from cinque.analyses.combine import exact_ids, exactness, members_of, total
from cinque.analyses.factors import malformed
from cinque.errors import Refused
from cinque.expr import And, Column, Compare, Literal
from cinque.lib.canonical import canonical
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Relation

ROUNDS = 5
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class MedianInterval:
    """Of which number, in which public range (`high` not included), over which rows."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variable: str
    low: float
    high: float
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: MedianInterval, dictionary: Dictionary) -> None:
    """Raises Refused when variable, range or filter do not fit."""
    if dictionary.column(parameters.variable).type not in ("integer", "number"):
        raise Refused("not-numeric", f"Column `{parameters.variable}` has no median.")
    if not dictionary.one_row_a_person:
        raise Refused("rows-not-people", "A median of rows of which one person has several is not offered.")
    if not parameters.low < parameters.high:
        raise Refused("range-empty", "The range's low end is not below its high end.")
    filters.check(parameters.where, dictionary)


def first(parameters: MedianInterval) -> Step:
    """The whole range is split in two."""
    return Step(1, {"splits": [_split((parameters.low, parameters.high))]})


def partial(source: Source, parameters: MedianInterval, step: Step) -> Partial:
    """People in every range that was or is split, and in the halves."""
    where, variable = filters.read(parameters.where), Column(parameters.variable)
    values = {}
    for low, high in _ranges(step):
        inside = And((Compare(">=", variable, Literal(low)), Compare("<", variable, Literal(high))))
        values[_id((low, high))] = source.aggregate((), (), filters.both(where, inside))[0].people
    return Partial(dict(step.values), values, {"people": dict(values)})


def figures(parameters: MedianInterval, partial: Partial) -> Figures:
    """Each range is the sum of its halves."""
    relations = [
        Relation(_id((low, high)), (_id((low, cut)), _id((cut, high)))) for low, cut, high in partial.shape["splits"]
    ]
    made = [Figure(id, "Frequencies", people) for id, people in partial.evidence["people"].items()]
    return Figures(tuple(made), tuple(relations))


def advance(parameters: MedianInterval, history: History) -> Step | Result:
    """Replays the rounds: every cut follows from counts that were released before it."""
    splits = [_split((parameters.low, parameters.high))]
    below: int = 0
    known: Range = (parameters.low, parameters.high)
    for number in range(1, len(history) + 1):
        members = members_of(history, number)
        step = Step(number, {"splits": splits})
        for _, released in members:
            if released.shape != step.values:
                raise malformed()
            exact_ids(released, [_id(each) for each in _ranges(step)])
        everyone = [released for _, released in members]
        if exactness(members) == "bounded":
            break
        low, cut, high = splits[-1]
        left, right = total(everyone, _id((low, cut))), total(everyone, _id((cut, high)))
        n = total(everyone, _id((parameters.low, parameters.high)))
        # The lower median: the smallest value with at least half of all people at it or below.
        if below + left >= (n + 1) // 2:
            known = (low, cut)
        else:
            below, known = below + left, (cut, high)
        if left + right == 0 or number == ROUNDS:
            break
        splits = [*splits, _split(known)]
    else:
        return Step(len(history) + 1, {"splits": splits})
    everyone = [released for _, released in members_of(history)]
    n = total(everyone, _id((parameters.low, parameters.high)))
    values = {"at_least": known[0], "below": known[1], "n": n, "rounds": len(history)}
    return Result(values, "bounded")


def _split(range: Range) -> list[float]:
    low, high = range
    return [float(low), (low + high) / 2, float(high)]


def _ranges(step: Step) -> list[Range]:
    whole = (step.values["splits"][0][0], step.values["splits"][0][2])
    return [whole, *(half for split in step.values["splits"] for half in pairwise(split))]


def _id(range: Range) -> str:
    return f"in:{canonical([float(end) for end in range]).decode()}"


ANALYSIS: Analysis[MedianInterval] = Analysis(
    name="median-interval",
    version="1.0.0",
    published="2026-11-23",
    title="An interval that contains the pooled median",
    parameters=MedianInterval,
    rounds=ROUNDS,
    fields=(Field("in:[low, high]", "people", "Frequencies", "People with low <= value < high."),),
    check=check,
    columns=lambda parameters: frozenset({parameters.variable}) | filters.columns(parameters.where),
    first=first,
    partial=partial,
    figures=figures,
    advance=advance,
)
