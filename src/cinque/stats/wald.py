"""Coefficients with their covariance: standard errors, Wald tests, intervals; tests between nested fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVEL: Final = 0.95
_SINGULAR: Final = 1e-13  # eigenvalues of the scaled matrix up to here, beside the largest, are rounding


def inverse(matrix: Array) -> Array | None:
    """The inverse of a symmetric positive definite matrix, worked out with its diagonal scaled to 1; None where it is
    singular to working precision: columns are collinear, or one is 0 throughout.
    """
    diagonal = np.diag(matrix)
    if not np.isfinite(matrix).all() or not (diagonal > 0).all():
        return None
    scale = np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    if values[0] <= _SINGULAR * values[-1]:
        return None
    scaled = vectors / scale[:, None]
    return np.asarray((scaled / values) @ scaled.T)


def solve(matrix: Array, right: Array) -> Array | None:
    """matrix^-1 right for a symmetric positive definite matrix, with one step of refinement; None as `inverse`."""
    found = inverse(matrix)
    if found is None:
        return None
    first = found @ right
    return np.asarray(first + found @ (right - matrix @ first))


def wald(names: Sequence[str], beta: Array, covariance: Array, df: int | None) -> dict[str, Any]:
    """coef, se, t (with `df` degrees of freedom) or z (None), p and confint, each by name. A statistic is None where
    the standard error is 0 or there are no degrees of freedom left."""
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    se = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    known = df is None or df > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = beta / se
    p = 2 * (ndtr(-np.abs(statistic)) if df is None else stdtr(max(df, 1), -np.abs(statistic)))
    reach = float(ndtri((1 + LEVEL) / 2) if df is None else stdtrit(max(df, 1), (1 + LEVEL) / 2))
    good = known & np.isfinite(statistic)

    def by_name(values: Array) -> dict[str, float | None]:
        return {name: float(v) if ok else None for name, v, ok in zip(names, values, good, strict=True)}

    return {
        "coef": {name: float(b) for name, b in zip(names, beta, strict=True)},
        "se": {name: float(s) for name, s in zip(names, se, strict=True)},
        "z" if df is None else "t": by_name(statistic),
        "p": by_name(p),
        "confint": {
            name: [float(b - reach * s), float(b + reach * s)] if known else None
            for name, b, s in zip(names, beta, se, strict=True)
        },
    }


def chi2_p(statistic: float, df: int) -> float:
    """The upper tail of chi-squared."""
    from scipy.special import chdtrc

    return float(chdtrc(df, max(statistic, 0.0)))


def f_p(statistic: float, df1: int, df2: int) -> float:
    """The upper tail of F."""
    from scipy.special import fdtrc

    return float(fdtrc(df1, df2, max(statistic, 0.0)))


def nested(smaller: tuple[float, int], larger: tuple[float, int], dispersion: float | None) -> dict[str, Any]:
    """The likelihood-ratio test of two nested fits, each (deviance, residual degrees of freedom), the larger model
    second; with `dispersion`, that of the larger model where it is estimated, an F test (R's `anova(test="F")`).
    Raises ValueError where the second has not fewer degrees of freedom.
    """
    df = smaller[1] - larger[1]
    if df < 1:
        raise ValueError("the second model has no more parameters than the first")
    change = smaller[0] - larger[0]
    if dispersion is None:
        return {"test": "chi-squared", "statistic": change, "df": df, "p": chi2_p(change, df)}
    f = change / df / dispersion
    return {"test": "F", "statistic": f, "df": df, "df_resid": larger[1], "p": f_p(f, df, larger[1])}
