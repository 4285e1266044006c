"""People in ranges of a score as figures that merge: in all ranges together, in each half, in each half of these.

Where few people are in a range, disclosure control suppresses it with its neighbour, and the two are known together as
the half that they make. Since every halving is declared as a sum, nothing else is known of them. So thin ends are told
coarsely and full ones finely, at each TRE as its people allow; and as the halves are the same everywhere, counts still
add up over TREs, at the places that are known or between bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from cinque.analyses.analysis import Released
from cinque.analyses.combine import count
from cinque.analyses.factors import label, malformed
from cinque.sdc.figures import Figure, Relation
from cinque.sdc.interval import bounds_of
from cinque.stats.roc import Below

Span = tuple[int, int]
_MANY = 2**53  # people, where there is no bound


def spans(bins: int) -> list[Span]:
    """All ranges (first bin, bin after the last), each before its halves; of an odd number the first half is less."""
    found = [(0, bins)]
    for span in found:  # which grows
        found += halved(span)
    return found


def halved(span: Span) -> tuple[Span, ...]:
    """The two halves; none of a single bin."""
    i, j = span
    middle = (i + j) // 2
    return ((i, middle), (middle, j)) if j - i > 1 else ()


def ids(name: str, bins: int) -> list[str]:
    """Of the figures of one kind of people."""
    return [_id(name, span) for span in spans(bins)]


def whole(name: str, bins: int) -> str:
    """The id of the figure of all of them."""
    return _id(name, (0, bins))


def values(name: str, counts: Sequence[int]) -> dict[str, int]:
    """The figures, from people bin by bin, of which there are two at least."""
    below = list(accumulate(counts, initial=0))
    return {_id(name, (i, j)): below[j] - below[i] for i, j in spans(len(counts))}


def figures(name: str, values: dict[str, Any], bins: int) -> tuple[list[Figure], list[Relation]]:
    """Each range is the sum of its halves."""
    relations = [
        Relation(_id(name, span), tuple(_id(name, half) for half in halves))
        for span in spans(bins)
        if (halves := halved(span))
    ]
    return [Figure(id, "Frequencies", values[id]) for id in ids(name, bins)], relations


def known(released: Released, name: str, bins: int) -> Below | None:
    """How many are below each bin; None where it is not known how many there are in all. Raises Refused for what no
    people can be.
    """
    bounds = _consistent({span: _bounds(released, _id(name, span)) for span in spans(bins)}, bins)
    low, high = bounds[0, bins]
    if low != high:
        return None
    at_least, at_most = [], []
    for place in range(bins + 1):
        left = [bounds[span] for span in _within(0, place, (0, bins))]
        right = [bounds[span] for span in _within(place, bins, (0, bins))]
        at_least.append(max(sum(low for low, _ in left), high - sum(most for _, most in right)))
        at_most.append(min(sum(most for _, most in left), high - sum(low for low, _ in right)))
    at_least = list(accumulate(at_least, max))  # counts from below never fall
    at_most = list(accumulate(reversed(at_most), min))[::-1]
    guess = list(accumulate(_guess(bounds, (0, bins), float(high)), initial=0.0))
    guess = [min(max(each, low), most) for each, low, most in zip(guess, at_least, at_most, strict=True)]
    return Below(at_least, at_most, guess)


def _id(name: str, span: Span) -> str:
    return label(name, (str(span[0]), str(span[1])))


def _bounds(released: Released, id: str) -> Span:
    low, high = bounds_of(count(released, id))
    return int(low or 0), _MANY if high is None else int(high)


def _consistent(bounds: dict[Span, Span], bins: int) -> dict[Span, Span]:
    """Every bound drawn in as far as the sums of halves do it: up, then down."""
    inner = [(span, *halved(span)) for span in spans(bins) if halved(span)]
    for span, left, right in reversed(inner):
        (a, b), (c, d), (e, f) = bounds[span], bounds[left], bounds[right]
        bounds[span] = max(a, c + e), min(b, d + f)
    for span, left, right in inner:
        (a, b), (c, d), (e, f) = bounds[span], bounds[left], bounds[right]
        bounds[left] = max(c, a - f), min(d, b - e)
        bounds[right] = max(e, a - d), min(f, b - c)
    if any(low > high for low, high in bounds.values()):
        raise malformed()
    return bounds


def _within(place: int, other: int, span: Span) -> list[Span]:
    """The fewest ranges that make up the bins from one place to another, of those in a span."""
    i, j = span
    if place <= i and j <= other:
        return [span]
    if j <= place or other <= i:
        return []
    return [each for half in halved(span) for each in _within(place, other, half)]


def _guess(bounds: dict[Span, Span], span: Span, people: float) -> list[float]:
    """People bin by bin: what is not known is shared between the halves by their widths, as far as bounds allow."""
    halves = halved(span)
    if not halves:
        return [people]
    (i, j), (middle, _) = span, halves[1]
    (low, high), (other_low, other_high) = bounds[halves[0]], bounds[halves[1]]
    left = people * (middle - i) / (j - i)
    left = min(max(left, low, people - other_high), high, people - other_low)
    return [*_guess(bounds, halves[0], left), *_guess(bounds, halves[1], people - left)]
