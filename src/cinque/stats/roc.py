"""The area under a receiver operating characteristic from people counted by ranges of a score (statistics.md 3.13).

Ranges are in order from the lowest score to the highest. With X a person with the outcome and Y one without, the area
is P(X > Y) + P(X = Y) / 2, and two people in one range count as equal (mid-ranks). Where counts lie between bounds, so
does the area: it falls as more people with the outcome lie below a threshold, and rises as more without it do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, TypeVar

N = TypeVar("N", int, float)
Z: Final = 1.959963984540054  # the normal distribution's 97.5 % quantile


@dataclass(frozen=True, slots=True)
class Below:
    """Of people of one outcome, those below each of 0 to B places: `at_least`, `at_most`, and a guess between, all
    never falling, from 0 to the number of people. The three agree where the count is known."""

    at_least: Sequence[int]
    at_most: Sequence[int]
    guess: Sequence[float]

    @classmethod
    def of(cls, counts: Sequence[int]) -> Below:
        """Where every range's people are known."""
        found = list(accumulate(counts, initial=0))
        return cls(found, found, found)

    @property
    def people(self) -> int:
        """All of them."""
        return self.at_least[-1]


def add(parts: Sequence[Below]) -> Below:
    """Over several sites."""
    return Below(
        [sum(each) for each in zip(*(part.at_least for part in parts), strict=True)],
        [sum(each) for each in zip(*(part.at_most for part in parts), strict=True)],
        [math.fsum(each) for each in zip(*(part.guess for part in parts), strict=True)],
    )


@dataclass(frozen=True, slots=True)
class Area:
    """`auc` with `se`, between `low` and `high` for certain."""

    auc: float
    low: float
    high: float
    se: float

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %, symmetric on the logit scale so that it stays within 0 and 1; None at 0 and 1."""
        if not 0 < self.auc < 1:
            return None
        middle = math.log(self.auc / (1 - self.auc))
        half = Z * self.se / (self.auc * (1 - self.auc))
        return 1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-half - middle))


def area(events: Below, others: Below, *, tied: bool = False) -> Area | None:
    """None unless there are people with the outcome and people without.

    `tied`: the people of a range have one score. Otherwise the bounds take all of them as ordered the one way, or the
    other, so that they hold for the scores themselves. The error is Hanley and McNeil's, with Q1 and Q2 from the table
    (Radiology 1982;143:29-36, table II).
    """
    n1, n0 = events.people, others.people
    if not n1 or not n0:
        return None
    pairs = n1 * n0
    least, most = others.at_least, others.at_most
    high = _won(events.at_least, most[:-1] if tied else most[1:], most[1:]) / (2 * pairs)
    low = _won(events.at_most, least[:-1], least[1:] if tied else least[:-1]) / (2 * pairs)
    with_, without = _each(events.guess), _each(others.guess)
    half = [below + here / 2 for below, here in zip(others.guess, without, strict=False)]
    auc = math.fsum(here * won for here, won in zip(with_, half, strict=True)) / pairs
    above = [n1 - below for below in events.guess[1:]]
    q1 = math.fsum(d * (a * a + a * e + e * e / 3) for d, a, e in zip(without, above, with_, strict=True))
    q2 = math.fsum(e * (b * b + b * d + d * d / 3) for e, b, d in zip(with_, others.guess, without, strict=False))
    q1, q2 = q1 / (n0 * n1 * n1), q2 / (n1 * n0 * n0)
    variance = auc * (1 - auc) + (n1 - 1) * (q1 - auc * auc) + (n0 - 1) * (q2 - auc * auc)
    return Area(min(max(auc, low), high), low, high, math.sqrt(max(variance, 0.0) / pairs))


def wilson(events: int, people: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson, JASA 1927;22:209-212); `people` is not 0."""
    share, weight = events / people, Z * Z / people
    middle = (share + weight / 2) / (1 + weight)
    half = Z * math.sqrt(share * (1 - share) / people + weight / (4 * people)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def _each(below: Sequence[N]) -> list[N]:
    return [after - before for before, after in pairwise(below)]


def _won(events: Sequence[int], one: Sequence[int], other: Sequence[int]) -> int:
    """Twice the pairs, if each person with the outcome is above the mean of two numbers without, range by range."""
    return sum(here * (a + b) for here, a, b in zip(_each(events), one, other, strict=True))
