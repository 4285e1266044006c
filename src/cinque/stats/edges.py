"""Where a range of values is divided next, when only counts of people in ranges may be seen.

Values are steps of a grid; an edge e stands below step e, and None is no end. The edges depend on counts that everybody
has, and on nothing else, so that everybody works out the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Final

from cinque.stats.quantiles import Gap

PARTS: Final = 8  # at most, into which a range is divided at once
EACH: Final = 100  # people that each part would have at the smallest site, were they spread evenly
_ORDER: Final = ((1, 2), (1, 4), (3, 4), (1, 8), (7, 8), (3, 8), (5, 8))


def cuts(
    place: int, gaps: Sequence[Gap], counts: Sequence[int], grid: tuple[int, int], tried: int, fewest: int
) -> tuple[int, ...]:
    """The edges at which the range gaps[place] is divided after `tried` attempts; none when it is left as it is.

    `counts`: people in each range; `grid`: the lowest edge and the highest; `fewest`: people in this range at the site
    that has the fewest. A range with both ends is divided evenly, then in two; one that is open on a side there where
    half of its people would be if values were normal; each further attempt goes half the way to the end that it has.
    """
    low, high = gaps[place]
    found: list[tuple[int, ...]]
    if low is None and high is None:
        found = _halves(grid[0], grid[1], len(_ORDER))
    elif low is None or high is None:
        found = _tail(place, gaps, counts, grid)
    else:
        number = min(PARTS, high - low, fewest // EACH)
        evenly = tuple(low + (high - low) * i // number for i in range(1, number)) if number > 2 else ()
        found = [*([evenly] if evenly else []), *_halves(low, high, 3)]
    return found[tried] if tried < len(found) else ()


def parts(gap: Gap, edges: Sequence[int]) -> list[Gap]:
    """The ranges into which edges, rising, divide a gap."""
    ends = (gap[0], *edges, gap[1])
    return list(pairwise(ends))


def _halves(low: int, high: int, most: int) -> list[tuple[int, ...]]:
    found = (low + (high - low) * a // b for a, b in _ORDER[:most])
    return [(cut,) for cut in dict.fromkeys(found) if low < cut < high]


def _tail(place: int, gaps: Sequence[Gap], counts: Sequence[int], grid: tuple[int, int]) -> list[tuple[int, ...]]:
    """A range with one end: outwards from it, no further than the grid."""
    low, high = gaps[place]
    inner = high if low is None else low
    outer = grid[0] if low is None else grid[1]
    if inner is None or inner == outer:
        return []
    room = abs(outer - inner)
    step = max(1, min(room // 2, round(_to_half(place, gaps, counts, grid))))
    found: list[tuple[int, ...]] = []
    while step:
        found.append((inner - step,) if low is None else (inner + step,))
        step //= 2
    return found


def _to_half(place: int, gaps: Sequence[Gap], counts: Sequence[int], grid: tuple[int, int]) -> float:
    """How far from the inner end half of a tail's people lie, were values normal: their spread as the next range shows
    it, or a share of the grid. Too near is better than too far: a part of few people ends the division here.
    """
    total, tail = sum(counts), counts[place]
    if not 0 < tail < total:
        return (grid[1] - grid[0]) / 8
    here, half = _score(tail / total), _score(tail / total / 2)
    spread = (grid[1] - grid[0]) / 12  # right to a factor of two where the range is four to twelve spreads wide
    other = 1 if place == 0 else place - 1
    low, high = gaps[other]
    if low is not None and high is not None and tail + counts[other] < total:
        beyond = _score((tail + counts[other]) / total)
        if beyond > here:
            spread = (high - low) / (beyond - here)
    return spread * (here - half)


def _score(share: float) -> float:
    return NormalDist().inv_cdf(share)
