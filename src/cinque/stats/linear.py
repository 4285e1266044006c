"""Linear regression from centred cross products (statistics.md 3.8).

Columns are centred where the rows are, and groups of rows merge as moments do (Chan, Golub, LeVeque 1979): raw sums of
squares, which lose every digit when means are large beside spreads, never appear.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinque.stats.wald import f_p, inverse, wald

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Centred:
    """Of `rows` rows: the sum of weights, the weighted mean of each column, and sum w (d - mean)(d - mean)'."""

    rows: int
    weight: float
    mean: Array
    cross: Array


def nothing(size: int) -> Centred:
    """No row of `size` columns."""
    return Centred(0, 0.0, np.zeros(size), np.zeros((size, size)))


def centred(data: Array, weights: Array | None = None) -> Centred:
    """Of rows x columns; two passes, the second corrected by the first's rounding error (eq. 1.7 of the paper)."""
    if not len(data):
        return nothing(data.shape[1])
    if weights is None:
        total = float(len(data))
        mean = data.mean(axis=0)
        away = data - mean
        left = away.mean(axis=0)
        cross = away.T @ away
    else:
        total = float(weights.sum())
        mean = weights @ data / total
        away = data - mean
        left = weights @ away / total
        cross = (away * weights[:, None]).T @ away
        cross = (cross + cross.T) / 2
    return Centred(len(data), total, mean + left, cross - total * np.outer(left, left))


def merge(one: Centred, other: Centred) -> Centred:
    """Both groups of rows as one."""
    if one.weight == 0 or other.weight == 0:
        return other if one.weight == 0 else one
    weight = one.weight + other.weight
    d = other.mean - one.mean
    cross = one.cross + other.cross + np.outer(d, d) * (one.weight * other.weight / weight)
    return Centred(one.rows + other.rows, weight, one.mean + d * (other.weight / weight), cross)


def merge_all(groups: Iterable[Centred], size: int) -> Centred:
    """All groups, merged in their order in a balanced tree, in which rounding errors grow with its depth."""
    row = list(groups) or [nothing(size)]
    while len(row) > 1:
        row = [merge(*pair) if len(pair) == 2 else pair[0] for pair in (row[i : i + 2] for i in range(0, len(row), 2))]
    return row[0]


@dataclass(frozen=True, slots=True)
class Line:
    """A fit. `beta` with the intercept first where there is one; `bread`: (X'WX)^-1; `centre` and `inner`: what
    residuals and leverages are worked out with (means of the columns, 0 without an intercept, and the inverse of the
    cross products about them); `fit`: the explained, `total` all of the sum of squares of y.
    """

    beta: Array
    bread: Array
    centre: Array
    inner: Array
    intercept: bool
    weight: float
    explained: float
    total: float

    @property
    def leftover(self) -> float:
        """The residual sum of squares by subtraction: it keeps as many digits fewer as 1 - R2 has zeros."""
        return max(0.0, self.total - self.explained)

    def residuals(self, x: Array, y: Array) -> Array:
        """Of rows x columns without the intercept's, from centred columns."""
        slopes = self.beta[1:] if self.intercept else self.beta
        return np.asarray((y - self.centre[-1]) - (x - self.centre[:-1]) @ slopes)

    def leverages(self, x: Array, weights: Array | None) -> Array:
        """h_ii of each row."""
        away = x - self.centre[:-1]
        found = np.einsum("ij,ij->i", away @ self.inner, away) + (1 / self.weight if self.intercept else 0.0)
        return np.asarray(found if weights is None else found * weights)


def fit(data: Centred, intercept: bool) -> Line | None:
    """Of the columns without the intercept's, y last; None where they are collinear."""
    raw = data.cross if intercept else data.cross + data.weight * np.outer(data.mean, data.mean)
    centre = data.mean if intercept else np.zeros_like(data.mean)
    if data.weight <= 0:
        return None
    size = len(raw) - 1
    inner = inverse(raw[:size, :size]) if size else np.zeros((0, 0))
    if inner is None:
        return None
    slopes = inner @ raw[:size, size]
    for _ in range(2):  # the inverse has rounding errors; the equations tell them
        slopes = slopes + inner @ (raw[:size, size] - raw[:size, :size] @ slopes)
    beta, bread = slopes, inner
    if intercept:
        means = data.mean[:size]
        across = -inner @ means
        corner = 1 / data.weight - means @ across
        bread = np.block([[np.array([[corner]]), across[None, :]], [across[:, None], inner]])
        beta = np.concatenate([[data.mean[size] - means @ slopes], slopes])
    explained = float(2 * slopes @ raw[:size, size] - slopes @ raw[:size, :size] @ slopes)
    return Line(beta, bread, centre, inner, intercept, data.weight, explained, float(raw[size, size]))


def refined(line: Line, rss: float, gradient: Array) -> tuple[Line, float]:
    """The fit after one step of refinement by residuals worked out from the rows, and its residual sum of squares,
    given those at `line`. `gradient`: the sum of w e, then of w e (x - centre) for each column. What normal equations
    lose to nearly collinear columns comes back by it.
    """
    change = line.inner @ gradient[1:]
    fall = float(gradient[1:] @ change)
    if not line.intercept:
        return replace(line, beta=line.beta + change), max(0.0, rss - fall)
    level = float(gradient[0]) / line.weight
    first = line.beta[0] + level - line.centre[:-1] @ change
    beta = np.concatenate([[first], line.beta[1:] + change])
    return replace(line, beta=beta), max(0.0, rss - fall - level * float(gradient[0]))


def summary(
    names: Sequence[str], line: Line, rows: int, rss: float, *, log_weights: float = 0.0, errors: str = "classical",
    meat: Array | None = None, people: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """coef, se, t, p, confint, sigma, r2, adj_r2, f, df_resid, loglik and aic as R's `summary.lm` and `AIC` have them.
    `meat`: the middle of the sandwich of heteroskedasticity-consistent errors; `people`: clusters, where it is of them.
    """
    size = len(line.beta)
    df = rows - size
    sigma2 = rss / df if df > 0 else math.nan
    if meat is None:
        covariance = line.bread * sigma2
        df_t = df
    else:
        covariance = line.bread @ meat @ line.bread
        df_t = df
        if errors == "hc1":
            covariance *= rows / df if df > 0 else math.nan
        if errors == "cluster":
            covariance *= people / (people - 1) * (rows - 1) / df if df > 0 and people > 1 else math.nan
            df_t = people - 1
    found = wald(names, line.beta, np.nan_to_num(covariance), df_t if df > 0 else 0)
    slopes = size - 1 if line.intercept else size
    found |= {"sigma": math.sqrt(sigma2) if df > 0 else None, "df_resid": df, "r2": None, "adj_r2": None, "f": None}
    if line.total > 0 and slopes:
        r2 = 1 - rss / line.total
        found["r2"] = r2
        if df > 0:
            found["adj_r2"] = 1 - (1 - r2) * (rows - int(line.intercept)) / df
            found["f"] = _overall(line, covariance, slopes, rss, df, df_t, robust=meat is not None)
    if rss > 0:
        likelihood = -(rows * (math.log(2 * math.pi * rss / rows) + 1) - log_weights) / 2
        found |= {"loglik": likelihood, "aic": -2 * likelihood + 2 * (size + 1)}
    else:
        found |= {"loglik": None, "aic": None}
    return found


def _overall(
    line: Line, covariance: Array, slopes: int, rss: float, df: int, df_t: int, *, robust: bool
) -> dict[str, Any] | None:
    """F of all slopes together; from the covariance itself where errors are robust (a Wald test)."""
    if not robust:
        if rss <= 0:
            return None
        statistic = (line.total - rss) / slopes / (rss / df)
        return {"statistic": statistic, "df": [slopes, df], "p": f_p(statistic, slopes, df)}
    middle = inverse(covariance[-slopes:, -slopes:])
    if middle is None:
        return None
    beta = line.beta[-slopes:]
    statistic = float(beta @ middle @ beta) / slopes
    return {"statistic": statistic, "df": [slopes, df_t], "p": f_p(statistic, slopes, df_t)}


def chow(groups: Sequence[Centred], line: Line, rss: float) -> dict[str, Any] | None:
    """Whether one set of coefficients does for all groups of rows: Chow's F test against a set for each. None for one
    group, or where one of them has collinear columns. The drop in the residual sum of squares is the sum over groups of
    U' (X'X)^-1 U, U the group's X'(y - X beta).
    """
    size, rows = len(line.beta), sum(group.rows for group in groups)
    df1, df2 = size * (len(groups) - 1), rows - size * len(groups)
    if len(groups) < 2 or df2 < 1 or rss <= 0:
        return None
    slopes = line.beta[1:] if line.intercept else line.beta
    drop = 0.0
    for group in groups:
        away = group.mean - line.centre
        raw = group.cross + group.weight * np.outer(away, away)
        x, y = raw[:-1, :-1], raw[:-1, -1]
        score = y - x @ slopes
        if line.intercept:
            means = group.weight * away[:-1]
            score = np.concatenate([[group.weight * away[-1] - means @ slopes], score])
            x = np.block([[np.array([[group.weight]]), means[None, :]], [means[:, None], x]])
        inner = inverse(x)
        if inner is None:
            return None
        drop += float(score @ inner @ score)
    if drop >= rss:
        return None
    statistic = drop / df1 / ((rss - drop) / df2)
    return {"F": statistic, "df": [df1, df2], "p": f_p(statistic, df1, df2)}
