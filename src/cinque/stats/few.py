"""Evidence for rule 13: whether count and moments of a number tell how often each of its values occurs.

Count and m moments are m + 1 sums over people, so that they tell the counts of up to m + 1 values. Counts are whole
numbers, and a number recorded in steps has few values between its ends, so that the same sums may fit one table only of
somewhat more values, or of few people: whoever tries all tables finds it. How many fit can be estimated. Each count is
known to about its own spread (the entropy of a Poisson count with its mean), and each sum that is told takes away as
much as its spread, beside all before it, is wide; sums of powers of whole numbers come in steps of 0! 1! 2! … m!.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

MOST: Final = 256  # different values; with more the sums of few people fit many tables
TABLES: Final = 3.0  # as estimated, which is some ten of them: fewer are as good as one
_SAMPLE: Final = 1_000
_NATURAL: Final = math.log(2 * math.pi * math.e) / 2


class Few:
    """People at each value of a number, while there are at most MOST."""

    def __init__(self) -> None:
        self._values: dict[float, int] | None = {}

    def add(self, values: Array, begin: Codes | None = None) -> None:
        """`values`: finite; `begin`: where each person's rows begin, where there may be several; no person twice over
        all calls."""
        if self._values is None or not len(values):
            return
        if len(np.unique(values[:_SAMPLE])) > MOST:
            self._values = None
            return
        known, codes = np.unique(values, return_inverse=True)
        if len(known) > MOST:
            self._values = None
            return
        if begin is not None and len(begin) < len(values):
            person = np.zeros(len(values), np.int64)
            person[begin[1:]] = 1
            codes = np.unique(np.cumsum(person) * len(known) + codes) % len(known)
        for value, people in zip(known.tolist(), np.bincount(codes, minlength=len(known)).tolist(), strict=True):
            self._values[value] = self._values.get(value, 0) + people
        if len(self._values) > MOST:
            self._values = None

    @property
    def values(self) -> int | None:
        """How many different values there are; None for more than MOST."""
        return None if self._values is None else len(self._values)

    def smallest(self, moments: int) -> int | None:
        """Fewest people at one value, where the count and so many moments tell it; None where they do not."""
        if not self._values:
            return None
        if len(self._values) > moments + 1 and _tables(self._values, moments) >= TABLES:
            return None
        return min(self._values.values())


def _tables(values: dict[float, int], moments: int) -> float:
    """About how many tables have the same count and moments; inf for values that lie in no steps of one width."""
    at = np.array(sorted(values))
    step = float(np.diff(at).min())
    places = (at - at[0]) / step
    size = round(float(places[-1])) + 1
    if size > 2 * MOST or np.abs(places - np.round(places)).max() > 1e-6:
        return math.inf
    counts = np.zeros(size)
    counts[np.round(places).astype(int)] = [values[value] for value in at.tolist()]
    # What is as likely at a value is not its count alone: half of it is spread over all.
    counts = (counts + counts.mean()) / 2
    powers = np.vander(np.linspace(-1, 1, size), moments + 1, increasing=True) * np.sqrt(counts)[:, None]
    widths = np.abs(np.diag(np.linalg.qr(powers, mode="r"))) * ((size - 1) / 2) ** np.arange(moments + 1)
    open_ = sum(map(_entropy, counts.tolist()))
    told = sum(_NATURAL + math.log(width) - math.lgamma(power + 1) for power, width in enumerate(widths.tolist()))
    return math.exp(min(open_ - told, 700.0))


def _entropy(mean: float) -> float:
    """Of a Poisson count, in nats."""
    if mean > 10:
        return _NATURAL + math.log(mean) / 2 - 1 / (12 * mean)
    chances = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(60))
    return -sum(p * math.log(p) for p in chances if p > 0)
