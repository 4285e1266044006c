"""Tests of means from each group's count, mean and sum of squared deviations (statistics.md 3.7).

Sources: Welch (1947) with Satterthwaite's degrees of freedom; Student (1908); Fisher's analysis of variance. The
figures of R's t.test and aov.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cinque.stats.distributions import f_above, t_quantile, t_two_sided
from cinque.stats.moments import Moments

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class TTest:
    """`estimate`: the mean less `mu`'s own, or the first group's mean less the second's; `se` and `ci` of it."""

    statistic: float
    df: float
    p: float
    estimate: float
    se: float
    ci: tuple[float, float]


def one_sample(group: Moments, mu: float = 0.0) -> TTest | None:
    """Whether the mean is `mu`; `estimate` and `ci` are of the mean. None with fewer than two values, or no spread."""
    if group.n < 2 or group.m2 == 0:
        return None
    se = math.sqrt(group.m2 / (group.n - 1) / group.n)
    return _tested(group.mean, se, group.n - 1, mu)


def two_sample(first: Moments, second: Moments, *, equal_variance: bool = False, mu: float = 0.0) -> TTest | None:
    """Whether the difference of the means is `mu`: Welch's test, or Student's where variances are taken as equal. None
    where a group has fewer than two values, or neither has a spread.
    """
    if first.n < 2 or second.n < 2 or first.m2 + second.m2 == 0:
        return None
    if equal_variance:
        df: float = first.n + second.n - 2
        se = math.sqrt((first.m2 + second.m2) / df * (1 / first.n + 1 / second.n))
    else:
        one, two = (group.m2 / (group.n - 1) / group.n for group in (first, second))
        se = math.sqrt(one + two)
        share = one / (one + two)  # squares of small variances would be 0
        df = 1 / (share**2 / (first.n - 1) + (1 - share) ** 2 / (second.n - 1))
    return _tested(first.mean - second.mean, se, df, mu)


def _tested(estimate: float, se: float, df: float, mu: float) -> TTest:
    statistic = (estimate - mu) / se
    half = t_quantile((1 + LEVEL) / 2, df) * se
    return TTest(statistic, df, t_two_sided(statistic, df), estimate, se, (estimate - half, estimate + half))


@dataclass(frozen=True, slots=True)
class Anova:
    """Sums of squares between and within groups, their degrees of freedom; `eta2`: the share that is between."""

    ss_between: float
    df_between: int
    ss_within: float
    df_within: int
    f: float
    p: float
    eta2: float


def one_way(groups: Sequence[Moments]) -> Anova | None:
    """Whether all groups have one mean. Empty groups are left out. None with fewer than two groups, without degrees of
    freedom within, or without any spread within.
    """
    filled = [group for group in groups if group.n]
    n, k = sum(group.n for group in filled), len(filled)
    within = math.fsum(group.m2 for group in filled)
    if k < 2 or n <= k or within == 0:
        return None
    # About a centre near the data, so that a common large part of all means takes no digits.
    centre = filled[0].mean
    grand = math.fsum(group.n * (group.mean - centre) for group in filled) / n
    between = math.fsum(group.n * (group.mean - centre - grand) ** 2 for group in filled)
    f = (between / (k - 1)) / (within / (n - k))
    return Anova(between, k - 1, within, n - k, f, f_above(f, k - 1, n - k), between / (between + within))
