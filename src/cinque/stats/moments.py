"""Mean, variance, skewness and kurtosis over several TREs from each one's count, mean and central moments.

One round, exact up to rounding, and stable: sums of squares (n, sum x, sum x^2), which lose every digit when the mean
is large beside the spread, never appear. The mean travels as one double, so what is between groups whose values
have k leading digits in common is known to about 16 - k digits (NIST SmLs07 to 09, k = 13: F to three).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cinque.stats.distributions import t_quantile


@dataclass(frozen=True, slots=True)
class Moments:
    """`n` values, their mean, and `m2`, `m3`, `m4`: the sums of the deviations from it to that power. Nothing is
    (0, 0, 0). m3 and m4 are None where they are not known.

    Raises ValueError for what no data can have: numbers that are not finite, a negative n, m2 or m4, a spread of one
    value.
    """

    n: int
    mean: float
    m2: float
    m3: float | None = None
    m4: float | None = None

    def __post_init__(self) -> None:
        if self.n < 0 or self.m2 < 0 or not (math.isfinite(self.mean) and math.isfinite(self.m2)):
            raise ValueError("moments that no data can have")
        if (self.n <= 1 and (self.m2 or self.m3 or self.m4)) or (self.n == 0 and self.mean):
            raise ValueError("moments that no data can have")
        if not all(moment is None or math.isfinite(moment) for moment in (self.m3, self.m4)) or (self.m4 or 0) < 0:
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
    off = math.fsum(deviations) / n
    second, third, fourth = (math.fsum(d**power for d in deviations) for power in (2, 3, 4))
    if n == 1:
        return Moments(n, mean, 0.0, 0.0, 0.0)
    return Moments(
        n,
        mean,
        max(0.0, second - n * off**2),
        math.fsum((third, -3 * off * second, 2 * n * off**3)),
        max(0.0, math.fsum((fourth, -4 * off * third, 6 * off**2 * second, -3 * n * off**4))),
    )


def from_released(n: Any, mean: Any, m2: Any, m3: Any = None, m4: Any = None) -> Moments | None:
    """The moments in released figures; None when n, mean or m2 is suppressed: a mean without its exact weight cannot
    be pooled, and no guess is made. m3 and m4 are left out where they are suppressed. Raises ValueError as Moments.
    """
    if not isinstance(n, int) or isinstance(n, bool):
        return None
    if n == 0:
        return NOTHING
    if not all(isinstance(x, int | float) and not isinstance(x, bool) for x in (mean, m2)):
        return None
    third, fourth = (float(x) if isinstance(x, int | float) and not isinstance(x, bool) else None for x in (m3, m4))
    return Moments(n, float(mean), float(m2), third, fourth)


def merge(a: Moments, b: Moments) -> Moments:
    """Both groups as one (Chan, Golub, LeVeque 1979; third and fourth moments: Pebay 2008, eqs. 2.1 to 2.3), the same
    bits whichever comes first. A third or fourth moment that a double cannot hold is not known.
    """
    if a.n == 0 or b.n == 0:
        return b if a.n == 0 else a
    first, second = sorted((a, b), key=_order)
    n, one, two = first.n + second.n, first.n, second.n
    d = second.mean - first.mean
    m3 = m4 = None
    if first.m3 is not None and second.m3 is not None:
        m3 = _sum(
            first.m3,
            second.m3,
            d * d * d * (one * two * (one - two) / n**2),
            3 * d * (one / n * second.m2),
            -3 * d * (two / n * first.m2),
        )
        if first.m4 is not None and second.m4 is not None:
            m4 = _sum(
                first.m4,
                second.m4,
                d * d * d * d * (one * two * (one * one - one * two + two * two) / n**3),
                6 * d * d * ((one / n) ** 2 * second.m2),
                6 * d * d * ((two / n) ** 2 * first.m2),
                4 * d * (one / n * second.m3),
                -4 * d * (two / n * first.m3),
            )
    return Moments(
        n,
        first.mean + d * (two / n),
        math.fsum((first.m2, second.m2, d * d * (one * two / n))),
        m3,
        None if m4 is None else max(0.0, m4),
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


def standard_error(moments: Moments | None) -> float | None:
    """Of the mean, of independent values: sd / sqrt(n); None as variance."""
    found = variance(moments)
    return None if found is None or moments is None else math.sqrt(found / moments.n)


def confidence(moments: Moments | None, level: float = 0.95) -> tuple[float, float] | None:
    """Student's interval of the mean on n - 1 degrees of freedom; None as variance."""
    se = standard_error(moments)
    if se is None or moments is None:
        return None
    half = t_quantile((1 + level) / 2, moments.n - 1) * se
    return moments.mean - half, moments.mean + half


def skewness(moments: Moments | None) -> float | None:
    """g1 = (m3/n) / (m2/n)^1.5, that of the values themselves (Joanes and Gill 1998; SciPy's default). None when
    unknown, or where there is no spread, or none of which a double holds the fourth power.
    """
    if moments is None or moments.m3 is None or moments.m2 == 0 or moments.m4 == 0:
        return None
    return _finite(moments.m3 / moments.m2 / math.sqrt(moments.m2) * math.sqrt(moments.n))


def kurtosis(moments: Moments | None) -> float | None:
    """g2 = (m4/n) / (m2/n)^2 - 3, 0 for a normal distribution. None as skewness."""
    if moments is None or moments.m4 is None or moments.m2 == 0 or moments.m4 == 0:
        return None
    return _finite(moments.m4 / moments.m2 / moments.m2 * moments.n - 3)


def adjusted_skewness(g1: float, n: int) -> float | None:
    """G1 of SAS, SPSS and Excel: unbiased for normal data; None of fewer than three values."""
    return g1 * math.sqrt(n * (n - 1)) / (n - 2) if n > 2 else None


def adjusted_kurtosis(g2: float, n: int) -> float | None:
    """G2 of SAS, SPSS and Excel: unbiased for normal data; None of fewer than four values."""
    return ((n + 1) * g2 + 6) * (n - 1) / ((n - 2) * (n - 3)) if n > 3 else None


def _sum(*terms: float) -> float | None:
    try:
        return _finite(math.fsum(terms))
    except (OverflowError, ValueError):
        return None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _order(moments: Moments) -> tuple[int, float, float, float, float]:
    return (-moments.n, moments.mean, moments.m2, moments.m3 or 0.0, moments.m4 or 0.0)
