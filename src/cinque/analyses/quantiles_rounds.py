"""The rounds of a search for quantiles replayed from what all members released: the next ranges to divide, or between
what each quantile lies.

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

Groups have no count in common, so that each is searched, judged and ended as if it were asked alone. A group is of the
TREs whose dictionaries declare it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from cinque.analyses.analysis import Exactness, History, Result, Step
from cinque.analyses.combine import Members, count, exact_ids, members_of, total
from cinque.analyses.factors import Cell, Levels, cells, check_size, malformed, union
from cinque.analyses.quantiles_grid import (
    UNGROUPED,
    WHOLE,
    Block,
    Quantiles,
    divisions_of,
    edge,
    first_step,
    fraction,
    grid,
    id_of,
    ids,
    missing_of,
    next_step,
    ranges,
    value_at,
)
from cinque.sdc.figures import is_suppressed
from cinque.sdc.interval import bounds_of
from cinque.stats import edges as dividing
from cinque.stats.quantiles import Gap, at, place_of, positions

ROUNDS: Final = 20
MAX_RANGES: Final = 500  # counts of one group in one round's answer
MAX_GROUPS: Final = 50

Interval = tuple[Fraction | None, Fraction | None]


def first(parameters: Quantiles) -> Step:
    """All values are divided in two."""
    return first_step(_Search(parameters, ()).new[0])


def advance(parameters: Quantiles, history: History) -> Step | Result:
    """The next ranges to divide, or between what each quantile lies."""
    levels, searches = _replay(parameters, history)
    if len(history) < ROUNDS and (step := _next(len(history) + 1, searches)) is not None:
        return step
    return Result(*_result(parameters, history, levels, searches))


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

    @property
    def nobody(self) -> bool:
        """Whether it is known that there is nobody."""
        return not self.dark and not any(self.counts)

    def interval(self, probability: float) -> Interval:
        """Edges on the grid, or between two, between which the quantile of all people lies; None: no end there."""
        counts = self.counts
        low, high = positions(fraction(probability), sum(counts), self.unknown)
        return (
            at(low, self.gaps, counts, upper=False),
            None if high is None else at(high, self.gaps, counts, upper=True),
        )


@dataclass(slots=True)
class _Search:
    """Of one group: what is known after the rounds so far, the divisions that are known, and those of the next round.
    `tried`: how often a range was divided in vain; None: it is never divided again.
    """

    parameters: Quantiles
    cell: Cell
    known: _Known = field(default_factory=lambda: _Known([WHOLE], {}, []))
    blocks: list[Block] = field(default_factory=list)
    new: list[Block] = field(default_factory=list)
    tried: dict[Gap, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.new = [self._divided(0, 0)]

    @property
    def going(self) -> bool:
        """Whether there is more to ask."""
        return bool(self.new) and len(ranges([*self.blocks, *self.new])) <= MAX_RANGES

    def take(self, members: Members) -> None:
        """One round's counts, of the members that declare the group. Raises Refused for a count that differs from what
        the same TRE released before."""
        if not self.blocks and not self.tried:
            whole = {tre: count(released, self._id(WHOLE)) for tre, released in members}
            self.known.people = {tre: [n] for tre, n in whole.items() if not is_suppressed(n)}
            self.known.dark = [bounds_of(n) for n in whole.values() if is_suppressed(n)]
        self._same_as_before(members)
        for gap, edges in self.new:
            if self._divide(gap, edges, members):
                self.blocks.append((gap, edges))
            elif self._hidden_whole(gap, edges, members):
                self.tried[gap] = (self.tried.get(gap) or 0) + 1
            else:
                self.tried[gap] = None  # never again: see the module's text
        self.new = []
        for place in self._wanted():
            attempts = self.tried.get(self.known.gaps[place], 0)
            if attempts is not None:
                block = self._divided(place, attempts)
                if block[1]:
                    self.new.append(block)

    def _id(self, gap: Gap) -> str:
        return id_of(self.parameters, gap, self.cell)

    def _divided(self, place: int, tried: int) -> Block:
        known = self.known
        fewest = min((counts[place] for counts in known.people.values() if counts[place]), default=0)
        edges = dividing.cuts(place, known.gaps, known.counts, grid(self.parameters), tried, fewest)
        return known.gaps[place], edges

    def _same_as_before(self, members: Members) -> None:
        """Raises Refused where a TRE's known ranges are not as it released them before."""
        known = self.known
        for gap in ranges(self.blocks):
            inside = [place for place, leaf in enumerate(known.gaps) if _within(leaf, gap)]
            for tre, released in members:
                if tre in known.people and released.figures[self._id(gap)] != sum(
                    known.people[tre][place] for place in inside
                ):
                    raise malformed()

    def _divide(self, gap: Gap, edges: Sequence[int], members: Members) -> bool:
        """Replace a known range by its parts where every TRE that released its number of people released all parts."""
        known, inside = self.known, dividing.parts(gap, edges)
        place = known.gaps.index(gap)
        found = {
            tre: [count(released, self._id(part)) for part in inside]
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

    def _hidden_whole(self, gap: Gap, edges: Sequence[int], members: Members) -> bool:
        return all(
            is_suppressed(count(released, self._id(part)))
            for tre, released in members
            if tre in self.known.people
            for part in dividing.parts(gap, edges)
        )

    def _wanted(self) -> list[int]:
        """The places of the known ranges in which an end of a quantile's interval lies that is not close enough."""
        counts = self.known.counts
        n, places = sum(counts), set()
        for probability in self.parameters.probabilities:
            if _close(self.known.interval(probability)):
                continue
            for position in positions(fraction(probability), n, self.known.unknown):
                if position is not None and 0 <= position <= n - 1:
                    ranks = {math.floor(position), math.ceil(position)}
                    places |= {place_of(rank, counts) for rank in ranks}
        return sorted(places)


def _replay(parameters: Quantiles, history: History) -> tuple[dict[str, Levels], dict[Cell, _Search]]:
    """TRE -> the levels that it declares, and each group's search after these rounds.

    Raises Refused for a released partial that is not of this question.
    """
    levels: dict[str, Any] = {tre: released.shape.get("levels") for tre, released in members_of(history)}
    every = union(levels.values(), parameters.by)
    check_size(every, MAX_GROUPS)
    own = {tre: cells(parameters.by, declared) for tre, declared in levels.items()}
    searches = {cell: _Search(parameters, cell) for cell in cells(parameters.by, every)}
    step: Step | None = first(parameters)
    for number in range(1, len(history) + 1):
        members = members_of(history, number)
        if step is None:
            raise malformed()
        for tre, released in members:
            if released.shape != {**step.values, "levels": levels[tre]}:
                raise malformed()
            exact_ids(released, ids(parameters, divisions_of(step.values, own[tre])))
            if parameters.by:
                count(released, UNGROUPED)
        for cell in divisions_of(step.values, list(searches)):
            searches[cell].take([(tre, released) for tre, released in members if cell in own[tre]])
        step = _next(number + 1, searches)
    return levels, searches


def _next(round: int, searches: Mapping[Cell, _Search]) -> Step | None:
    """Groups that are done are asked no more: their counts stand."""
    going = {cell: (search.blocks, search.new) for cell, search in searches.items() if search.going}
    return next_step(round, going) if going else None


def _within(leaf: Gap, gap: Gap) -> bool:
    low = gap[0] is None or (leaf[0] is not None and leaf[0] >= gap[0])
    return low and (gap[1] is None or (leaf[1] is not None and leaf[1] <= gap[1]))


def _close(interval: Interval) -> bool:
    low, high = interval
    return low is not None and high is not None and high - low <= 1


# --------------------------------------------------------------------------------------------------------- the result
def _result(
    parameters: Quantiles, history: History, levels: Mapping[str, Levels], searches: Mapping[Cell, _Search]
) -> tuple[dict[str, Any], Exactness]:
    by, members = parameters.by, members_of(history)
    quantiles = {cell: _quantiles(parameters, search) for cell, search in searches.items()}
    known = {tre for search in searches.values() for tre in search.known.people}
    values: dict[str, Any] = {"variable": parameters.variable, "by": list(by), "levels": union(levels.values(), by)}
    values["quantiles"] = [row for rows in quantiles.values() for row in rows]
    values |= _people(parameters, searches, members)
    values |= {"precision": parameters.precision, "rounds": len(history), "pooled_over": sorted(known)}
    values["per_tre"] = {
        tre: _people(parameters, searches, [(tre, released)], cells(by, levels[tre])) for tre, released in members
    }
    exact = all(
        row["value"] is not None or searches[cell].known.nobody for cell, rows in quantiles.items() for row in rows
    )
    return values, "exact" if exact else "bounded"


def _quantiles(parameters: Quantiles, search: _Search) -> list[dict[str, Any]]:
    rows, known = [], search.known
    for probability in parameters.probabilities:
        low, high = known.interval(probability)
        close = _close((low, high))
        value = None
        if close and not known.dark and low is not None and high is not None:
            value = value_at(parameters, (low + high) / 2)
        rows.append(
            _of(search.cell)
            | {
                "probability": f"{probability:g}",
                "at_least": None if low is None else value_at(parameters, low),
                "at_most": None if high is None else value_at(parameters, high),
                "value": value,
                "stopped": "precision" if close else "rounds" if search.new else "suppressed",
            }
        )
    return rows


def _people(
    parameters: Quantiles, searches: Mapping[Cell, _Search], members: Members, own: Sequence[Cell] | None = None
) -> dict[str, Any]:
    """People by group and range: over all members, or of the one whose groups are `own`."""
    groups: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for cell in searches if own is None else own:
        known, whole = searches[cell].known, id_of(parameters, WHOLE, cell)
        having = [(tre, released) for tre, released in members if whole in released.figures]
        over = sorted(known.people) if own is None else [tre for tre, _ in having if tre in known.people]
        counts = known.counts if own is None else [n for tre in over for n in known.people[tre]]
        groups.append(
            _of(cell)
            | {"n": total((released for _, released in having), whole)}
            | {"missing": total((released for _, released in having), missing_of(cell))}
            | ({"pooled_over": over} if own is None else {})
        )
        found += [
            _of(cell) | {"range": _words(parameters, gap), "people": people}
            for gap, people in zip(known.gaps, counts if over else [], strict=False)
        ]
    if not parameters.by:
        return {"ranges": found, "n": groups[0]["n"], "missing": groups[0]["missing"]}
    return {"groups": groups, "ranges": found, UNGROUPED: total((released for _, released in members), UNGROUPED)}


def _of(cell: Cell) -> dict[str, Any]:
    return {"levels": list(cell)} if cell else {}


def _words(parameters: Quantiles, gap: Gap) -> str:
    low, high = (None if end is None else f"{edge(parameters, end):g}" for end in gap)
    if low is high is None:
        return "any value"
    return f"below {high}" if low is None else f"{low} and above" if high is None else f"{low} to below {high}"
