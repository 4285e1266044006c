"""Tail probabilities and quantiles, from scipy.special (scipy.stats takes seconds to import); small tails are exact."""

from __future__ import annotations


def normal_two_sided(z: float) -> float:
    """P(|Z| >= |z|)."""
    from scipy.special import ndtr

    return float(2 * ndtr(-abs(z)))


def normal_quantile(p: float) -> float:
    """z with P(Z <= z) = p."""
    from scipy.special import ndtri

    return float(ndtri(p))


def t_two_sided(t: float, df: float) -> float:
    """P(|T| >= |t|) on `df` degrees of freedom."""
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(t)))


def t_quantile(p: float, df: float) -> float:
    """t with P(T <= t) = p."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def chi2_above(x: float, df: float) -> float:
    """P(X >= x)."""
    from scipy.special import chdtrc

    return float(chdtrc(df, x))


def f_above(f: float, df1: float, df2: float) -> float:
    """P(F >= f)."""
    from scipy.special import fdtrc

    return float(fdtrc(df1, df2, f))
