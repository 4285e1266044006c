"""Mean and variance over several TREs from each one's count, mean and sum of squared deviations.

One round, exact up to rounding, and stable: sums of squares (n, sum x, sum x^2), which lose every digit when the mean
is large beside the spread, never appear. The mean travels as one double, so what is between groups whose values
have k leading digits in common is known to about 16 - k digits (NIST SmLs07 to 09, k = 13: F to three).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Moments:
    """`n` values, their mean, and `m2`, the sum of squared deviations from it. Nothing is (0, 0, 0).

    Raises ValueError for what no data can have: numbers that are not finite, a negative n or m2, a spread of one value.
    """

    n: int
    mean: float
    m2: float

    def __post_init__(self) -> None:
        if self.n < 0 or self.m2 < 0 or not (math.isfinite(self.mean) and math.isfinite(self.m2)):
            raise ValueError("moments that no data can have")
        if (self.n <= 1 and self.m2) or (self.n == 0 and self.mean):
            raise ValueError("moments that no data can have")


NOTHING = Moments(0, 0.0, 0.0)


def of_values(values: Iterable[float]) -> Moments:
    """Two passes over `values`, each sum with one rounding; the second corrected by the first's rounding error
    (Chan, Golub, LeVeque 1983, eq. 1.7). Independent of the order of values.
    """
    data = [float(x) for x in values]
    if not data:
        return NOTHING
    n = len(data)
    mean = math.fsum(data) / n
    deviations = [x - mean for x in data]
    m2 = math.fsum(d * d for d in deviations) - math.fsum(deviations) ** 2 / n
    return Moments(n, mean, max(0.0, m2) if n > 1 else 0.0)


def from_released(n: Any, mean: Any, m2: Any) -> Moments | None:
    """The moments in three released figures; None when any of them is suppressed: a mean without its exact weight
    cannot be pooled, and no guess is made. Raises ValueError as Moments does.
    """
    if not isinstance(n, int) or isinstance(n, bool):
        return None
    if n == 0:
        return NOTHING
    if not all(isinstance(x, int | float) and not isinstance(x, bool) for x in (mean, m2)):
        return None
    return Moments(n, float(mean), float(m2))


def merge(a: Moments, b: Moments) -> Moments:
    """Both groups as one (Chan, Golub, LeVeque 1979), the same bits whichever comes first."""
    if a.n == 0 or b.n == 0:
        return b if a.n == 0 else a
    first, second = sorted((a, b), key=_order)
    n = first.n + second.n
    d = second.mean - first.mean
    return Moments(
        n, first.mean + d * (second.n / n), math.fsum((first.m2, second.m2, d * d * (first.n * second.n / n)))
    )


def merge_all(members: Iterable[Moments]) -> Moments:
    """All groups as one, the same bits in any order of members: sorted, then merged in a balanced tree, in which
    rounding errors grow with the logarithm of their number.
    """
    row = sorted(members, key=_order)
    while len(row) > 1:
        row = [merge(*pair) if len(pair) == 2 else pair[0] for pair in (row[i : i + 2] for i in range(0, len(row), 2))]
    return row[0] if row else NOTHING


def variance(moments: Moments | None) -> float | None:
    """Sample variance (divisor n - 1); None when unknown or of fewer than two values."""
    return moments.m2 / (moments.n - 1) if moments and moments.n > 1 else None


def sd(moments: Moments | None) -> float | None:
    """Sample standard deviation; None as variance."""
    found = variance(moments)
    return None if found is None else math.sqrt(found)


def _order(moments: Moments) -> tuple[int, float, float]:
    return (-moments.n, moments.mean, moments.m2)
