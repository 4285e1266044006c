"""Families and links of generalised linear models, each quantity as R defines it (`?family`, `?glm`).

A family is a variance V(mu), a unit deviance, what its responses may be, and R's starting mean; a link is g, its
inverse and the derivative of the mean. Means are kept within what a double holds, as R keeps them, so that a step too
far gives a large deviance, which step-halving sees, and never a number that is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EPS: Final = float(np.finfo(float).eps)
_TINY: Final = 1e-10  # a mean that must be positive, where the link does not keep it so
_PROBIT: Final = 8.125890664701906  # -qnorm(EPS)


@dataclass(frozen=True, slots=True)
class Link:
    """`eta` of mu, `mu` of eta, and `slope`, d mu / d eta, of eta and mu."""

    name: str
    eta: Callable[[Array], Array]
    mu: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]


@dataclass(frozen=True, slots=True)
class Family:
    """`variance` of mu; `deviance` of y and mu, for each row, without weight; `start`, R's mean to begin with, of y and
    the prior weights; `valid`, whether y can be of this family; `links`, the first the default; `canonical`, the link
    for which slope and variance are one; `estimated`, whether the dispersion is; `likelihood`, whether there is one.
    `constant`: what each row adds to the log-likelihood whatever the fit, of y and weight, None for nothing.
    """

    name: str
    variance: Callable[[Array], Array]
    deviance: Callable[[Array, Array], Array]
    start: Callable[[Array, Array], Array]
    valid: Callable[[Array], NDArray[np.bool_]]
    links: tuple[str, ...]
    canonical: str
    estimated: bool
    likelihood: bool
    constant: Callable[[Array, Array], Array] | None = None


# --------------------------------------------------------------------------------------------------------------- links
def _logit_mu(eta: Array) -> Array:
    return np.clip(1 / (1 + np.exp(-np.clip(eta, -700, 700))), EPS, 1 - EPS)


def _probit_mu(eta: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(np.clip(eta, -_PROBIT, _PROBIT)))


def _probit_eta(mu: Array) -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri(mu))


def _cloglog_slope(eta: Array, _mu: Array) -> Array:
    eta = np.minimum(eta, 700)
    return np.maximum(np.exp(eta - np.exp(eta)), EPS)


def _log_mu(eta: Array) -> Array:
    return np.maximum(np.exp(np.minimum(eta, 700)), EPS)


LINKS: Final = {
    link.name: link
    for link in (
        Link("identity", lambda mu: mu, lambda eta: eta, lambda eta, _mu: np.ones_like(eta)),
        Link("log", np.log, _log_mu, lambda _eta, mu: mu),
        Link("logit", lambda mu: np.log(mu / (1 - mu)), _logit_mu, lambda _eta, mu: np.maximum(mu * (1 - mu), EPS)),
        Link(
            "probit",
            _probit_eta,
            _probit_mu,
            lambda eta, _mu: np.maximum(np.exp(-0.5 * np.minimum(eta * eta, 1400)) / np.sqrt(2 * np.pi), EPS),
        ),
        Link(
            "cloglog",
            lambda mu: np.log(-np.log1p(-mu)),
            lambda eta: np.clip(-np.expm1(-np.exp(np.minimum(eta, 700))), EPS, 1 - EPS),
            _cloglog_slope,
        ),
        Link("inverse", lambda mu: 1 / mu, lambda eta: 1 / np.maximum(eta, _TINY), lambda _eta, mu: -mu * mu),
        Link("sqrt", np.sqrt, lambda eta: np.square(np.maximum(eta, _TINY)), lambda _eta, mu: 2 * np.sqrt(mu)),
    )
}


# ------------------------------------------------------------------------------------------------------------ families
def _binomial(y: Array, mu: Array) -> Array:
    from scipy.special import xlogy

    if ((y == 0) | (y == 1)).all():
        return np.asarray(-2 * np.log(np.where(y > 0.5, mu, 1 - mu)))
    return np.asarray(2 * (xlogy(y, y / mu) + xlogy(1 - y, (1 - y) / (1 - mu))))


def _poisson(y: Array, mu: Array) -> Array:
    from scipy.special import xlogy

    return np.asarray(2 * (xlogy(y, y / mu) - (y - mu)))


def _poisson_constant(y: Array, weights: Array) -> Array:
    from scipy.special import gammaln, xlogy

    return np.asarray(weights * (xlogy(y, y) - y - gammaln(y + 1)))


def _binomial_start(y: Array, weights: Array) -> Array:
    return (weights * y + 0.5) / (weights + 1)


def _positive(mu: Array) -> Array:
    return np.maximum(mu, _TINY)


FAMILIES: Final = {
    family.name: family
    for family in (
        Family(
            "gaussian",
            variance=np.ones_like,
            deviance=lambda y, mu: np.square(y - mu),
            start=lambda y, _w: y,
            valid=np.isfinite,
            links=("identity",),
            canonical="identity",
            estimated=True,
            likelihood=True,
            constant=lambda _y, w: np.log(w),
        ),
        Family(
            "binomial",
            variance=lambda mu: mu * (1 - mu),
            deviance=_binomial,
            start=_binomial_start,
            valid=lambda y: (y == 0) | (y == 1),
            links=("logit", "probit", "cloglog"),
            canonical="logit",
            estimated=False,
            likelihood=True,
        ),
        Family(
            "poisson",
            variance=_positive,
            deviance=lambda y, mu: _poisson(y, _positive(mu)),
            start=lambda y, _w: y + 0.1,
            valid=lambda y: y >= 0,
            links=("log", "identity", "sqrt"),
            canonical="log",
            estimated=False,
            likelihood=True,
            constant=_poisson_constant,
        ),
        Family(
            "gamma",
            variance=lambda mu: np.square(_positive(mu)),
            deviance=lambda y, mu: -2 * (np.log(y / _positive(mu)) - (y - mu) / _positive(mu)),
            start=lambda y, _w: y,
            valid=lambda y: y > 0,
            links=("inverse", "log"),
            canonical="",  # for the inverse link the two differ in sign
            estimated=True,
            likelihood=True,
            constant=lambda y, w: w * np.log(y),
        ),
        Family(
            "quasibinomial",
            variance=lambda mu: mu * (1 - mu),
            deviance=_binomial,
            start=_binomial_start,
            valid=lambda y: (y >= 0) & (y <= 1),
            links=("logit", "probit", "cloglog"),
            canonical="logit",
            estimated=True,
            likelihood=False,
        ),
        Family(
            "quasipoisson",
            variance=_positive,
            deviance=lambda y, mu: _poisson(y, _positive(mu)),
            start=lambda y, _w: y + 0.1,
            valid=lambda y: y >= 0,
            links=("log", "identity", "sqrt"),
            canonical="log",
            estimated=True,
            likelihood=False,
        ),
    )
}
