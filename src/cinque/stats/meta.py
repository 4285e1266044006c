"""One effect from the estimates of several TREs: fixed and random effects, heterogeneity, prediction.

Notation: effects b_i with standard errors s_i, v_i = s_i^2; w_i = 1 / (v_i + tau2). Sources: DerSimonian and Laird
(1986); Paule and Mandel (1982); REML and ML as Viechtbauer (2005); Hartung and Knapp (2001); Q-profile interval of
tau2, Viechtbauer (2007); prediction interval, Higgins, Thompson, Spiegelhalter (2009); I2, Higgins and Thompson (2002).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cinque.errors import Refused

Method = Literal["fixed", "dl", "reml", "ml", "pm"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
LEVEL: Final = 0.95
_SMALLEST, _LARGEST = 1e-50, 1e50

Array = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Meta:
    """`ci`: 95 % interval of `estimate`; `p`: two-sided, of no effect; `tau2` with its interval (None with one effect);
    `Q` on `df` degrees of freedom with `Q_p`; `I2` in percent; `prediction`: 95 % interval of the effect in a further
    TRE, None with fewer than three; `weights`: in percent, in the order given.
    """

    method: Method
    hartung_knapp: bool
    k: int
    estimate: float
    se: float
    ci: Interval
    p: float
    tau2: float
    tau2_ci: Interval | None
    Q: float
    df: int
    Q_p: float | None
    I2: float
    prediction: Interval | None
    weights: tuple[float, ...]


def meta(effects: Sequence[float], ses: Sequence[float], method: str = "reml", *, hartung_knapp: bool = False) -> Meta:
    """The pooled effect. The same result in any order of the TREs, weights apart. Raises Refused("meta-input") for no
    effects, lists of different lengths, numbers that are not finite or extreme, standard errors that are not positive,
    and a method that there is not.
    """
    b, v = _checked(effects, ses, method)
    tau2 = 0.0 if len(b) == 1 else _TAU2[method](b, v)
    w = 1.0 / (v + tau2)
    total = math.fsum(w)
    estimate = math.fsum(w * b) / total
    k, df = len(b), len(b) - 1
    se = 1.0 / math.sqrt(total)
    adjusted = hartung_knapp and k > 1
    if adjusted:
        se = math.sqrt(math.fsum(w * (b - estimate) ** 2) / (df * total))
    half = (_t_quantile(df) if adjusted else _normal_quantile()) * se
    q = _q(b, v, 0.0)
    return Meta(
        method=method,  # type: ignore[arg-type]  # checked to be one of them
        hartung_knapp=adjusted,
        k=k,
        estimate=estimate,
        se=se,
        ci=(estimate - half, estimate + half),
        p=_p(estimate / se if se else math.inf * (estimate > 0 or -1), df if adjusted else None),
        tau2=tau2,
        tau2_ci=_profile(b, v) if k > 1 else None,
        Q=q,
        df=df,
        Q_p=_chi2_above(q, df) if df else None,
        I2=max(0.0, (q - df) / q) * 100 if df and q > 0 else 0.0,
        prediction=_prediction(estimate, se, tau2, k),
        weights=tuple((100 * w / total).tolist()),
    )


def leave_one_out(
    effects: Sequence[float], ses: Sequence[float], method: str = "reml", *, hartung_knapp: bool = False
) -> list[Meta]:
    """The pooled effect without each in turn, in the order given. Raises Refused as `meta`, and for a single effect."""
    if len(effects) < 2:
        raise _refused("Leaving one out needs at least two effects.")
    return [
        meta([*effects[:i], *effects[i + 1 :]], [*ses[:i], *ses[i + 1 :]], method, hartung_knapp=hartung_knapp)
        for i in range(len(effects))
    ]


def multivariate(estimates: Sequence[Array], covariances: Sequence[Array]) -> tuple[Array, Array]:
    """The fixed-effect pooled vector and its covariance, each TRE's weighted by the inverse of its covariance. Raises
    Refused for matrices that are not positive definite or not of one size.
    """
    if not estimates or len(estimates) != len(covariances):
        raise _refused("As many covariance matrices as estimates are needed, and at least one.")
    try:
        inverses = [np.linalg.inv(np.asarray(c, dtype=float)) for c in covariances]
        for covariance in covariances:
            np.linalg.cholesky(np.asarray(covariance, dtype=float))
        information = np.sum(np.sort(np.array(inverses), axis=0), axis=0)
        pooled = np.linalg.inv(information)
        weighted = np.array([i @ np.asarray(b, dtype=float) for i, b in zip(inverses, estimates, strict=True)])
    except (np.linalg.LinAlgError, ValueError):
        raise _refused("The covariance matrices are not positive definite, or not of one size.") from None
    return pooled @ np.sum(np.sort(weighted, axis=0), axis=0), pooled


# ------------------------------------------------------------------------------------------------------------- tau2
def _dl(b: Array, v: Array) -> float:
    w = 1 / v
    total = math.fsum(w)
    return max(0.0, (_q(b, v, 0.0) - (len(b) - 1)) / (total - math.fsum(w**2) / total))


def _pm(b: Array, v: Array) -> float:
    return _where_zero(lambda tau2: _q(b, v, tau2) - (len(b) - 1), v, b)


def _likelihood(b: Array, v: Array, restricted: bool) -> float:
    """The maximum of the (restricted) likelihood: of all zeros of its slope, and 0, the best."""

    def slope(tau2: float) -> float:
        w = 1 / (v + tau2)
        away = (b - _mean(b, w)) ** 2
        found = math.fsum(w**2 * away) - math.fsum(w)
        return found + math.fsum(w**2) / math.fsum(w) if restricted else found

    def height(tau2: float) -> float:
        w = 1 / (v + tau2)
        found = math.fsum(np.log(w)) - math.fsum(w * (b - _mean(b, w)) ** 2)
        return found - math.log(math.fsum(w)) if restricted else found

    largest = 10 * (float(np.var(b)) + float(v.max()))
    grid = np.concatenate([[0.0], np.geomspace(largest * 1e-10, largest, 200)])
    slopes = [slope(tau2) for tau2 in grid]
    tops = [0.0]
    for low, high, before, after in zip(grid, grid[1:], slopes, slopes[1:], strict=False):
        if before > 0 >= after:
            tops.append(_root(slope, float(low), float(high)))
    return max(tops, key=height)


_TAU2: Final[dict[str, Callable[[Array, Array], float]]] = {
    "fixed": lambda _b, _v: 0.0,
    "dl": _dl,
    "pm": _pm,
    "reml": lambda b, v: _likelihood(b, v, restricted=True),
    "ml": lambda b, v: _likelihood(b, v, restricted=False),
}


def _q(b: Array, v: Array, tau2: float) -> float:
    w = 1 / (v + tau2)
    return math.fsum(w * (b - _mean(b, w)) ** 2)


def _mean(b: Array, w: Array) -> float:
    return math.fsum(w * b) / math.fsum(w)


def _where_zero(falling: Callable[[float], float], v: Array, b: Array) -> float:
    """Where a falling function of tau2 is 0; 0 where it is below from the start."""
    if falling(0.0) <= 0:
        return 0.0
    high = float(v.max()) + float(np.var(b)) or 1.0
    while falling(high) > 0:
        high *= 2
    return _root(falling, 0.0, high)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=1e-16, rtol=8.881784197001252e-16, maxiter=500))


def _profile(b: Array, v: Array) -> Interval:
    """The values of tau2 at which Q is not extreme on k - 1 degrees of freedom."""
    from scipy.special import chdtri

    df = len(b) - 1
    low, high = float(chdtri(df, (1 - LEVEL) / 2)), float(chdtri(df, (1 + LEVEL) / 2))
    return (
        _where_zero(lambda tau2: _q(b, v, tau2) - low, v, b),
        _where_zero(lambda tau2: _q(b, v, tau2) - high, v, b),
    )


# ---------------------------------------------------------------------------------------------------- distributions
def _normal_quantile() -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + LEVEL) / 2))


def _t_quantile(df: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + LEVEL) / 2))


def _p(z: float, df: int | None) -> float:
    from scipy.special import ndtr, stdtr

    return float(2 * (ndtr(-abs(z)) if df is None else stdtr(df, -abs(z))))


def _chi2_above(q: float, df: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(df, q))


def _prediction(estimate: float, se: float, tau2: float, k: int) -> Interval | None:
    if k < 3:
        return None
    half = _t_quantile(k - 2) * math.sqrt(tau2 + se**2)
    return (estimate - half, estimate + half)


# ------------------------------------------------------------------------------------------------------------ input
def _checked(effects: Sequence[float], ses: Sequence[float], method: str) -> tuple[Array, Array]:
    if method not in METHODS:
        raise _refused(f"There is no method `{method}` of pooling.", f"Choose one of: {', '.join(METHODS)}.")
    if not len(effects) or len(effects) != len(ses):
        raise _refused("As many standard errors as effects are needed, and at least one.")
    try:
        b, s = np.asarray(effects, dtype=np.float64), np.asarray(ses, dtype=np.float64)
    except (TypeError, ValueError):
        raise _refused(
            "Effects and standard errors are numbers.", "Leave out a TRE whose estimate is suppressed."
        ) from None
    if b.ndim != 1 or not (np.isfinite(b).all() and np.isfinite(s).all()):
        raise _refused("Effects and standard errors are finite numbers.", "Leave out a TRE that has none.")
    if (s <= 0).any():
        raise _refused("A standard error is above 0.", "Leave out a TRE that has none.")
    if s.min() < _SMALLEST or s.max() > _LARGEST or np.abs(b).max() > _LARGEST:
        raise _refused("An effect or a standard error is too large or too small to compute with.", "Use another unit.")
    return b, s**2


def _refused(sentence: str, remedy: str = "") -> Refused:
    return Refused("meta-input", sentence, remedy=remedy)
