"""Rule 8: numbers at risk, which only fall from place to place, and of which as many are told as may be.

Two that are told tell who left between them, so between any two, and after the last, leave at least a threshold of
people (or nobody, where zeros may leave). Between neighbours that is enough: any other difference is a sum of such.
Places are tried in a fixed order, coarse ones first. That costs some places beside taking each as soon as it may be
told, but others, told by the same order elsewhere, are then mostly the same ones; and that a place is told does not say
that somebody left just before it.

That a place is not told says that fewer than the threshold left on a side of it, up to the next place told: what rule 1
says of any suppressed count.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from itertools import pairwise

from cinque.sdc.figures import Bounds


def told(counts: Sequence[int], threshold: int, low: int) -> list[int]:
    """The places told, the first being 0, if any. `low`: fewest people of whom not to tell (1 where zeros may leave).
    Raises ValueError (an analysis's programming error) for counts that rise."""
    if any(one < other for one, other in pairwise(counts)):
        raise ValueError("counts of a chain never rise")

    def may(people: int) -> bool:
        return people >= threshold or people < low

    if not counts or not may(counts[0]):
        return []
    found = [0]
    for place in _coarse_first(len(counts)):
        at = bisect_left(found, place)
        after = counts[found[at]] if at < len(found) else 0  # in the end everybody has left
        if may(counts[found[at - 1]] - counts[place]) and may(counts[place] - after):
            insort(found, place)
    return found


def untold(counts: Sequence[int], threshold: int, low: int) -> Iterator[tuple[int, Bounds]]:
    """The other places, with what can be known of each: it lies between the numbers told before and after it."""
    places = told(counts, threshold, low)
    for place in sorted(set(range(len(counts))).difference(places)):
        at = bisect_left(places, place)
        most = counts[places[at - 1]] if at else threshold - 1
        least = counts[places[at]] if at < len(places) else 0
        yield place, Bounds(least if place else low, most)


def _coarse_first(size: int) -> list[int]:
    """1 … size - 1: multiples of 3 by how often they can be halved, then the others in the same way. Of months, that is
    years before half years before quarters."""
    return sorted(range(1, size), key=lambda place: (place % 3 > 0, -(place & -place), place))
