"""Covariances and Pearson's correlations from centred cross products (statistics.md 3.6); t and Fisher's z as R's
cor.test has them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cinque.stats.distributions import normal_quantile, t_two_sided

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Correlation:
    """`t` on n - 2 degrees of freedom and its two-sided `p`: None with fewer than three rows, `t` also where r is 1 or
    -1; `ci`: by Fisher's z, None with fewer than four rows."""

    r: float
    t: float | None
    p: float | None
    ci: tuple[float, float] | None


def correlation(cross: float, one: float, other: float, n: int) -> Correlation | None:
    """From the sum of products of deviations and the two sums of squares, of `n` rows. None where one has no spread."""
    if one <= 0 or other <= 0 or n < 2:
        return None
    r = max(-1.0, min(1.0, cross / math.sqrt(one) / math.sqrt(other)))
    rest = (1 - r) * (1 + r)
    t = p = ci = None
    if n > 2:
        t = r * math.sqrt((n - 2) / rest) if rest > 0 else None
        p = 0.0 if t is None else t_two_sided(t, n - 2)
    if n > 3 and rest > 0:
        z, half = math.atanh(r), normal_quantile((1 + LEVEL) / 2) / math.sqrt(n - 3)
        ci = (math.tanh(z - half), math.tanh(z + half))
    return Correlation(r, t, p, ci)
