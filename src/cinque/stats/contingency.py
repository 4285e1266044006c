"""Tests on tables of counts: Pearson's chi-squared, Fisher's exact test, Cochran-Mantel-Haenszel over strata.

Sources: Agresti, Categorical Data Analysis (3rd edition), 3.2, 3.5, 6.4; Robins, Breslow and Greenland (1986) for the
variance of the common odds ratio; Breslow and Day (1980) with Tarone's correction for its homogeneity. The same figures
as R's chisq.test, fisher.test and mantelhaen.test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinque.stats.distributions import chi2_above, normal_quantile

Counts = NDArray[np.float64]
Interval = tuple[float, float]
_Z = 0.975


@dataclass(frozen=True, slots=True)
class ChiSquared:
    """`expected`: rows x columns; `v`: Cramer's V, of Pearson's statistic whether or not the test has the continuity
    correction (Cramer 1946, 21.9; as SciPy's association, DescTools' CramerV and SPSS have it): in a table of 2 x 2 the
    phi coefficient's size.
    """

    statistic: float
    df: int
    p: float
    expected: Counts
    v: float


def chi_squared(counts: Sequence[Sequence[int]], *, yates: bool = False) -> ChiSquared | None:
    """Of a table without empty rows and columns (leave them out: they say nothing of association). None for a table of
    one row or column, where there is nothing to test. `yates`: the continuity correction, of a 2 x 2 table only.
    """
    table = np.array(counts, dtype=np.float64)
    if min(table.shape) < 2:
        return None
    total = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    away = np.abs(table - expected)
    statistic = math.fsum((away**2 / expected).ravel())
    df = (table.shape[0] - 1) * (table.shape[1] - 1)
    v = math.sqrt(statistic / (total * (min(table.shape) - 1)))
    if yates and table.shape == (2, 2):
        away = away - min(0.5, float(away.min()))
        statistic = math.fsum((away**2 / expected).ravel())
    return ChiSquared(statistic, df, chi2_above(statistic, df), expected, v)


@dataclass(frozen=True, slots=True)
class Fisher:
    """`odds_ratio`: the conditional maximum likelihood estimate, 0 or inf where a cell is empty; `ci`: exact, 95 %."""

    p: float
    odds_ratio: float
    ci: Interval


def fisher(counts: Sequence[Sequence[int]]) -> Fisher:
    """Of a 2 x 2 table, two-sided: all tables with these margins that are no likelier than this one."""
    (a, b), (c, d) = counts
    low, high = max(0, a + c - (c + d)), min(a + b, a + c)
    x = np.arange(low, high + 1)
    log = _log_choose(a + b, x) + _log_choose(c + d, (a + c) - x)

    def weights(log_odds: float) -> Counts:
        found = log + log_odds * x
        found = np.exp(found - found.max())
        return np.asarray(found / found.sum())

    null = weights(0.0)
    p = math.fsum(null[null <= null[a - low] * (1 + 1e-7)])

    if a == low:
        estimate = 0.0
    elif a == high:
        estimate = math.inf
    else:
        estimate = math.exp(_log_root(lambda t: float(weights(t) @ x) - a))
    at, tail = a - low, 1 - _Z
    lower = 0.0 if a == low else math.exp(_log_root(lambda t: float(weights(t)[at:].sum()) - tail))
    upper = math.inf if a == high else math.exp(_log_root(lambda t: tail - float(weights(t)[: at + 1].sum())))
    return Fisher(min(1.0, p), estimate, (lower, upper))


@dataclass(frozen=True, slots=True)
class MantelHaenszel:
    """`statistic`, `p`: of no association in any stratum, on one degree of freedom, with continuity correction where
    `corrected`; `odds_ratio` with `ci`, and `log_se` of its logarithm; `homogeneity`: Breslow-Day with Tarone's
    correction, its degrees of freedom and p, None with one stratum that has both.
    """

    statistic: float
    p: float
    corrected: bool
    odds_ratio: float
    log_se: float
    ci: Interval
    strata: int
    homogeneity: tuple[float, int, float] | None


def mantel_haenszel(strata: Sequence[Sequence[Sequence[int]]], *, correct: bool = True) -> MantelHaenszel | None:
    """Over 2 x 2 tables [[a, b], [c, d]]. A stratum with an empty margin says nothing and is left out. None when no
    stratum is left.
    """
    tables = np.array(strata, dtype=np.float64).reshape(-1, 2, 2)
    rows, columns = tables.sum(axis=2), tables.sum(axis=1)
    tables = tables[(rows > 0).all(axis=1) & (columns > 0).all(axis=1)]
    if not len(tables):
        return None
    n = tables.sum(axis=(1, 2))
    (a, b), (c, d) = tables.transpose(1, 2, 0)
    expected = (a + b) * (a + c) / n
    variance = (a + b) * (c + d) * (a + c) * (b + d) / (n**2 * (n - 1))
    away = abs(math.fsum(a - expected))
    corrected = correct and away >= 0.5
    statistic = (away - (0.5 if corrected else 0.0)) ** 2 / math.fsum(variance)
    r, s = a * d / n, b * c / n
    top, bottom = math.fsum(r), math.fsum(s)
    odds = top / bottom if bottom else math.inf
    if top and bottom:
        p, q = (a + d) / n, (b + c) / n
        log_variance = (
            math.fsum(p * r) / (2 * top**2)
            + math.fsum(p * s + q * r) / (2 * top * bottom)
            + math.fsum(q * s) / (2 * bottom**2)
        )
        log_se = math.sqrt(log_variance)
        half = normal_quantile(_Z) * log_se
        ci = (odds * math.exp(-half), odds * math.exp(half))
    else:
        log_se, ci = math.inf, (0.0, math.inf)
    found = _breslow_day(tables, odds) if top and bottom and len(tables) > 1 else None
    return MantelHaenszel(statistic, chi2_above(statistic, 1), corrected, odds, log_se, ci, len(tables), found)


def log_odds_ratio(table: Sequence[Sequence[int]]) -> tuple[float, float] | None:
    """Woolf's log odds ratio of [[a, b], [c, d]] and its standard error; None where a cell is empty."""
    (a, b), (c, d) = table
    if not (a and b and c and d):
        return None
    return math.log(a * d / (b * c)), math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)


def _breslow_day(tables: Counts, odds: float) -> tuple[float, int, float]:
    """Sum over strata of (a - A)^2 / V, A being the a that margins and the common odds ratio give."""
    statistic, away, variances = 0.0, [], []
    for (a, b), (c, d) in tables:
        row, column, n = a + b, a + c, a + b + c + d
        if abs(odds - 1) < 1e-12:
            fitted = row * column / n
        else:
            # (odds - 1) A^2 - (odds (row + column) + n - row - column) A + odds row column = 0
            linear = odds * (row + column) + n - row - column
            root = math.sqrt(linear**2 - 4 * (odds - 1) * odds * row * column)
            fitted = 2 * odds * row * column / (linear + root)
        cells = (fitted, row - fitted, column - fitted, n - row - column + fitted)
        variance = 1 / sum(1 / cell for cell in cells)
        statistic += (a - fitted) ** 2 / variance
        away.append(a - fitted)
        variances.append(variance)
    statistic -= math.fsum(away) ** 2 / math.fsum(variances)
    df = len(tables) - 1
    return statistic, df, chi2_above(statistic, df)


def _log_choose(n: int, k: NDArray[np.int64]) -> Counts:
    from scipy.special import gammaln

    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _log_root(rising: Callable[[float], float]) -> float:
    """Where a rising function of the log odds is 0."""
    from scipy.optimize import brentq

    low, high = -1.0, 1.0
    while rising(low) > 0:
        low *= 2
    while rising(high) < 0:
        high *= 2
    return float(brentq(rising, low, high, xtol=1e-13, rtol=1e-14))
