"""Between what a pooled quantile lies, from counts of people between agreed edges.

Type 7 of Hyndman and Fan (1996), the default of R and numpy: with x sorted and counted from 0 and h = (n - 1) p, the
quantile is x[i] + (h - i) (x[i + 1] - x[i]), i = floor(h). Of x only is known how many lie in which range. So each of
the two values is put at the lower end of its range, then at the upper one: the quantile lies between the results. No
value of a person is guessed within a range. Arithmetic is on fractions: an interval is never too narrow by rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

Edge = int | None  # on a grid; None: no end on this side
Gap = tuple[Edge, Edge]


def positions(probability: Fraction, known: int, unknown: tuple[int, int | None]) -> tuple[Fraction, Fraction | None]:
    """Where among the `known` people the quantile may lie, counted from 0, when beside them are between unknown[0] and
    unknown[1] people (None: any number) of whom it is not known where: all below, or all above. The second is None
    where there is no upper limit.
    """
    most = unknown[1]
    if most is None:
        return Fraction(-1), None
    last = known + most - 1
    return last * probability - most, last * probability


def at(position: Fraction, gaps: Sequence[Gap], counts: Sequence[int], upper: bool) -> Fraction | None:
    """The value at a position among people in these adjacent ranges, at the lower or upper ends of the ranges; None
    where it has no end, or lies before the first or behind the last person.
    """
    n = sum(counts)
    if position < 0 or position > n - 1:
        return None
    rank = floor(position)
    share = position - rank
    ends = [end_of(each, gaps, counts, upper) for each in ([rank, rank + 1] if share else [rank])]
    if ends[0] is None or ends[-1] is None:
        return None
    return ends[0] + share * (ends[-1] - ends[0])


def end_of(rank: int, gaps: Sequence[Gap], counts: Sequence[int], upper: bool) -> Edge:
    """The lower or upper end of the range in which the person of this rank is."""
    return gaps[place_of(rank, counts)][1 if upper else 0]


def place_of(rank: int, counts: Sequence[int]) -> int:
    """Which range holds the person of this rank. Raises ValueError when none does."""
    for place, count in enumerate(counts):
        if rank < count:
            return place
        rank -= count
    raise ValueError("there is no such rank")
