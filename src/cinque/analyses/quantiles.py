"""Quantiles of a number over all TREs, each between two agreed edges (statistics.md 3.5).

Every round counts people in ranges of the declared one. The first divides all values in two; each further round divides
those ranges in which a quantile may lie. Edges follow from the question and from counts already released (`_replay`);
none is ever received. A range is known when all TREs released its count, and only known ranges are divided.

A quantile is one of people: somebody with several rows counts once, by the mean of their values.

What a round releases is judged together with what the rounds before it released: `Relation`s say that the parts of a
range add up to it. Two facts keep the rounds one answer, though each is judged at its end:

1. A count once released stays released. A known range's parts can protect each other (what is not small among them is
   at least as much as a small one must be able to grow by), and to suppress them costs less than to suppress the
   range, beside which another released one would have to go.
2. Parts of which any was suppressed at any TRE are known no further. Where they were suppressed whole and at every TRE,
   the range may be divided elsewhere: of the first parts it is known only that one of two is small, and the second
   parts, when released, hold the small one inside a part that is large enough for it to be anything a suppressed count
   may be. Where some TRE released some of them, the range is never divided again: the difference of two edges that lie
   close together would be a range of few people.

Hence no range of fewer people than the threshold can be worked out from all rounds together (attack 3). At each
released end of an interval at least as many people as the threshold stand on either side of it (rule 7), or nobody
where zeros may be released.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar

from cinque.analyses import filters
from cinque.analyses.analysis import Analysis, Field, History, Partial, Result, Step
from cinque.analyses.bins import check_number, check_range, each_once_in_bins
from cinque.analyses.combine import Members, count, exact_ids, members_of, total
from cinque.analyses.factors import malformed
from cinque.errors import Refused
from cinque.lib.canonical import canonical
from cinque.model import CLOSED
from cinque.model.datasets import Column, Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Relation, is_suppressed
from cinque.sdc.interval import bounds_of
from cinque.stats import edges as dividing
from cinque.stats.quantiles import Gap, at, place_of, positions

ROUNDS = 20
MAX_PROBABILITIES = 20
MAX_RANGES = 500  # counts in one round's answer
FINEST = 2**40  # steps of precision in the range
WHOLE: Gap = (None, None)

Block = tuple[Gap, tuple[int, ...]]  # a range, and the edges that divide it


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Which quantiles, of which number, in which public range."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variable: str = field(metadata={"description": "A column of integers or numbers."})
    probabilities: tuple[float, ...] = field(
        default=(0.05, 0.25, 0.5, 0.75, 0.95), metadata={"description": "Which quantiles: each above 0 and below 1."}
    )
    low: float | None = field(default=None, metadata={"description": "Below this value hardly anybody is expected."})
    high: float | None = field(default=None, metadata={"description": "Above this value hardly anybody is expected."})
    precision: float | None = field(
        default=None,
        metadata={"description": "How close is close enough; without, the step in which the number is recorded."},
    )
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def agree(parameters: Quantiles, dictionaries: Mapping[str, Dictionary]) -> Quantiles:
    """Where the question gives no precision: the coarsest step in which one of the TREs records the number."""
    if parameters.precision is not None:
        return parameters
    declared = [_declared(each.column(parameters.variable)) for each in dictionaries.values()]
    known = [step for step in declared if step is not None]
    return replace(parameters, precision=max(known)) if known and len(known) == len(declared) else parameters


def check(parameters: Quantiles, dictionary: Dictionary) -> None:
    """Raises Refused when variable, probabilities, range, precision or filter do not fit."""
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
    declared = _declared(dictionary.column(parameters.variable))
    if declared is not None and parameters.precision < declared:
        raise Refused(
            "precision-too-fine",
            f"`{parameters.variable}` is recorded in steps of {declared:g}, and nothing finer can be known of it.",
            remedy=f"Ask with a precision of {declared:g} or more.",
        )
    first, last = _grid(parameters)
    if last - first > FINEST or _edge(parameters, last - 1) == _edge(parameters, last):
        raise Refused("precision-too-fine", "The range has too many steps of this precision.", remedy="Ask coarser.")
    filters.check(parameters.where, dictionary)


def first(parameters: Quantiles) -> Step:
    """All values are divided in two."""
    return _step(1, [], [_divided(parameters, _Known([WHOLE], {}, []), 0, 0)])


def partial(source: Source, parameters: Quantiles, step: Step) -> Partial:
    """People in every range that is or was divided, in its parts, and without a value."""
    blocks = _blocks(step.values)
    where = filters.read(parameters.where)
    every = sorted({edge for _, edges in blocks for edge in edges})
    edges = [_edge(parameters, edge) for edge in every]
    counts, missing = each_once_in_bins(source, parameters.variable, edges, where)
    below = dict(zip(every, _running(counts), strict=False))
    ends: dict[Any, int] = {"low": 0, "high": sum(counts)}
    values: dict[str, int] = {}
    for gap in _ranges(blocks):
        low = ends["low"] if gap[0] is None else below[gap[0]]
        high = ends["high"] if gap[1] is None else below[gap[1]]
        values[_id(parameters, gap)] = high - low
    values["missing"] = missing
    return Partial(dict(step.values), dict(values), {"people": values})


def figures(parameters: Quantiles, partial: Partial) -> Figures:
    """Each range is the sum of its parts. Nothing is a total of n and missing."""
    relations = [
        Relation(_id(parameters, gap), tuple(_id(parameters, part) for part in dividing.parts(gap, edges)))
        for gap, edges in _blocks(partial.shape)
    ]
    people = partial.evidence["people"]
    return Figures(tuple(Figure(id, "Frequencies", count) for id, count in people.items()), tuple(relations))


def advance(parameters: Quantiles, history: History) -> Step | Result:
    """The next ranges to divide, or between what each quantile lies."""
    known, blocks, new = _replay(parameters, history)
    if new and len(history) < ROUNDS and len(_ranges([*blocks, *new])) <= MAX_RANGES:
        return _step(len(history) + 1, blocks, new)
    return _result(parameters, history, known, bool(new))


# --------------------------------------------------------------------------------------------------------- the rounds
@dataclass(slots=True)
class _Known:
    """Known ranges in order, TRE -> people in each (of the TREs that released how many people they have), and the
    counts of the other TREs' people.
    """

    gaps: list[Gap]
    people: dict[str, list[int]]
    dark: list[tuple[Any, Any]]

    @property
    def counts(self) -> list[int]:
        """People in each known range over the TREs that released their number."""
        return [sum(each) for each in zip(*self.people.values(), strict=True)] or [0] * len(self.gaps)

    @property
    def unknown(self) -> tuple[int, int | None]:
        """Between how many people there are of whom nothing else is known."""
        lows, highs = [low or 0 for low, _ in self.dark], [high for _, high in self.dark]
        return sum(lows), None if None in highs else sum(highs)


def _replay(parameters: Quantiles, history: History) -> tuple[_Known, list[Block], list[Block]]:
    """What is known after these rounds, the divisions that are known, and those of the next round.

    Raises Refused for a released partial that is not of this question, and for one that differs from what the same TRE
    released before.
    """
    new = _blocks(first(parameters).values)
    blocks: list[Block] = []
    known = _Known([WHOLE], {}, [])
    tried: dict[Gap, int | None] = {}
    for number in range(1, len(history) + 1):
        members = members_of(history, number)
        shape = _step(number, blocks, new).values
        every = [*blocks, *new]
        for _, released in members:
            if released.shape != shape:
                raise malformed()
            exact_ids(released, ["missing", *(_id(parameters, gap) for gap in _ranges(every))])
        if number == 1:
            whole = {tre: count(released, _id(parameters, WHOLE)) for tre, released in members}
            known.people = {tre: [n] for tre, n in whole.items() if not is_suppressed(n)}
            known.dark = [bounds_of(n) for n in whole.values() if is_suppressed(n)]
        _same_as_before(parameters, known, blocks, members)
        for gap, edges in new:
            if _divide(parameters, known, gap, edges, members):
                blocks = [*blocks, (gap, edges)]
            elif _hidden_whole(parameters, known, gap, edges, members):
                tried[gap] = (tried.get(gap) or 0) + 1
            else:
                tried[gap] = None  # never again: see the module's text
        new = []
        for place in _wanted(parameters, known):
            attempts = tried.get(known.gaps[place], 0)
            if attempts is not None:
                block = _divided(parameters, known, place, attempts)
                if block[1]:
                    new.append(block)
    return known, blocks, new


def _divided(parameters: Quantiles, known: _Known, place: int, tried: int) -> Block:
    fewest = min((counts[place] for counts in known.people.values() if counts[place]), default=0)
    edges = dividing.cuts(place, known.gaps, known.counts, _grid(parameters), tried, fewest)
    return known.gaps[place], edges


def _same_as_before(parameters: Quantiles, known: _Known, blocks: Sequence[Block], members: Members) -> None:
    """Raises Refused where a TRE's known ranges are not as it released them before."""
    for gap in _ranges(blocks):
        inside = [place for place, leaf in enumerate(known.gaps) if _within(leaf, gap)]
        for tre, released in members:
            if tre in known.people and released.figures[_id(parameters, gap)] != sum(
                known.people[tre][place] for place in inside
            ):
                raise malformed()


def _within(leaf: Gap, gap: Gap) -> bool:
    low = gap[0] is None or (leaf[0] is not None and leaf[0] >= gap[0])
    return low and (gap[1] is None or (leaf[1] is not None and leaf[1] <= gap[1]))


def _divide(parameters: Quantiles, known: _Known, gap: Gap, edges: Sequence[int], members: Members) -> bool:
    """Replace a known range by its parts where every TRE that released its number of people released all of them."""
    inside = dividing.parts(gap, edges)
    place = known.gaps.index(gap)
    found = {
        tre: [count(released, _id(parameters, part)) for part in inside]
        for tre, released in members
        if tre in known.people
    }
    if any(is_suppressed(each) for counts in found.values() for each in counts):
        return False
    for tre, counts in found.items():
        if sum(counts) != known.people[tre][place]:
            raise malformed()
        known.people[tre][place : place + 1] = counts
    known.gaps[place : place + 1] = inside
    return bool(found)


def _hidden_whole(parameters: Quantiles, known: _Known, gap: Gap, edges: Sequence[int], members: Members) -> bool:
    return all(
        is_suppressed(count(released, _id(parameters, part)))
        for tre, released in members
        if tre in known.people
        for part in dividing.parts(gap, edges)
    )


def _wanted(parameters: Quantiles, known: _Known) -> list[int]:
    """The places of the known ranges in which an end of a quantile's interval lies that is not yet close enough."""
    counts = known.counts
    n, places = sum(counts), set()
    for probability in parameters.probabilities:
        if _close(_interval(known, probability)):
            continue
        for position in positions(_fraction(probability), n, known.unknown):
            if position is not None and 0 <= position <= n - 1:
                ranks = {math.floor(position), math.ceil(position)}
                places |= {place_of(rank, counts) for rank in ranks}
    return sorted(places)


# --------------------------------------------------------------------------------------------------------- the result
def _interval(known: _Known, probability: float) -> tuple[Fraction | None, Fraction | None]:
    """Edges on the grid, or between two, between which the quantile of all people lies; None: no end on that side."""
    counts = known.counts
    low, high = positions(_fraction(probability), sum(counts), known.unknown)
    return (
        at(low, known.gaps, counts, upper=False),
        None if high is None else at(high, known.gaps, counts, upper=True),
    )


def _close(interval: tuple[Fraction | None, Fraction | None]) -> bool:
    low, high = interval
    return low is not None and high is not None and high - low <= 1


def _result(parameters: Quantiles, history: History, known: _Known, more: bool) -> Result:
    members = members_of(history)
    everyone = [released for _, released in members]
    rows = []
    for probability in parameters.probabilities:
        low, high = _interval(known, probability)
        close = _close((low, high))
        value = None
        if close and not known.dark and low is not None and high is not None:
            value = _value(parameters, (low + high) / 2)
        rows.append(
            {
                "probability": f"{probability:g}",
                "at_least": None if low is None else _value(parameters, low),
                "at_most": None if high is None else _value(parameters, high),
                "value": value,
                "stopped": "precision" if close else "rounds" if more else "suppressed",
            }
        )
    whole = _id(parameters, WHOLE)
    values: dict[str, Any] = {
        "variable": parameters.variable,
        "quantiles": rows,
        "ranges": _labelled(parameters, known.gaps, known.counts) if known.people else [],
        "n": total(everyone, whole),
        "missing": total(everyone, "missing"),
        "precision": parameters.precision,
        "rounds": len(history),
        "pooled_over": sorted(known.people),
        "per_tre": {
            tre: {
                "n": count(released, whole),
                "missing": count(released, "missing"),
                "ranges": _labelled(parameters, known.gaps, known.people.get(tre, ())),
            }
            for tre, released in members
        },
    }
    return Result(values, "exact" if all(row["value"] is not None for row in rows) else "bounded")


def _labelled(parameters: Quantiles, gaps: Sequence[Gap], counts: Sequence[int]) -> list[dict[str, Any]]:
    return [{"range": _words(parameters, gap), "people": people} for gap, people in zip(gaps, counts, strict=False)]


def _words(parameters: Quantiles, gap: Gap) -> str:
    low, high = (None if edge is None else f"{_edge(parameters, edge):g}" for edge in gap)
    return f"below {high}" if low is None else f"{low} and above" if high is None else f"{low} to below {high}"


# ----------------------------------------------------------------------------------------------------------- the grid
def _declared(column: Column) -> float | None:
    """The step in which a column is recorded, where that is known."""
    return column.precision or (1.0 if column.type == "integer" else None)


def _fraction(number: float) -> Fraction:
    """The decimal number that was written, exactly."""
    return Fraction(repr(float(number)))


def _grid(parameters: Quantiles) -> tuple[int, int]:
    """The lowest edge and the highest: around every multiple of the precision from `low` to `high`."""
    step = _fraction(parameters.precision or 1)
    low, high = (_fraction(end or 0) / step for end in (parameters.low, parameters.high))
    return math.floor(low), math.ceil(high) + 1


def _edge(parameters: Quantiles, edge: int) -> float:
    return _value(parameters, Fraction(edge))


def _value(parameters: Quantiles, edge: Fraction) -> float:
    """An edge as a value of the variable. Edges stand half a step beside the values that are recorded, so that no
    rounding of a recorded value moves it across one.
    """
    return float((edge - Fraction(1, 2)) * _fraction(parameters.precision or 1))


def _id(parameters: Quantiles, gap: Gap) -> str:
    """The figure of a range: people with low <= value < high."""
    return f"in:{canonical([None if edge is None else _edge(parameters, edge) for edge in gap]).decode()}"


def _step(round: int, blocks: Sequence[Block], new: Sequence[Block]) -> Step:
    """As JSON: every division as its ends with its edges between them."""
    known, added = ([[gap[0], *edges, gap[1]] for gap, edges in each] for each in (blocks, new))
    return Step(round, {"round": round, "known": known, "new": added})


def _blocks(values: Mapping[str, Any]) -> list[Block]:
    return [((ends[0], ends[-1]), tuple(ends[1:-1])) for ends in (*values["known"], *values["new"])]


def _ranges(blocks: Sequence[Block]) -> list[Gap]:
    """All values, and every part of every division."""
    return [WHOLE, *(part for gap, edges in blocks for part in dividing.parts(gap, edges))]


def _running(counts: Sequence[int]) -> list[int]:
    return [sum(counts[: i + 1]) for i in range(len(counts))]


ANALYSIS: Analysis[Quantiles] = Analysis(
    name="quantiles",
    version="1.0.0",
    published="2026-11-27",
    title="Intervals that contain the pooled quantiles of a number",
    parameters=Quantiles,
    rounds=ROUNDS,
    fields=(
        Field(
            "in:[low, high]",
            "people",
            "Frequencies",
            "Distinct people with low <= value < high; null: no end. Of several values of one person, their mean.",
        ),
        Field("missing", "people", "Frequencies", "Distinct people without any value."),
    ),
    check=check,
    columns=lambda parameters: frozenset({parameters.variable}) | filters.columns(parameters.where),
    first=first,
    partial=partial,
    figures=figures,
    advance=advance,
    agree=agree,
)
