"""Generalised linear models by Fisher scoring from sums over rows (statistics.md 3.9; R's glm.fit).

A TRE works out the parts of its rows at given coefficients; whoever combines adds up information, score and deviance
and takes the step. No coefficient is taken from anybody: `scoring` replays all rounds from R's starting means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinque.stats.families import FAMILIES, LINKS, Family, Link
from cinque.stats.wald import solve

Array = NDArray[np.float64]

EPSILON: Final = 1e-8  # R's glm.control
HALVINGS: Final = 10


@dataclass(frozen=True, slots=True)
class Parts:
    """Of each row: `weight`, its entry of W in X'WX; `score`, what X' is multiplied by; weighted `deviance`, squared
    Pearson residual and, for the gamma family, y / mu (None at the start, where they mean nothing)."""

    weight: Array
    score: Array
    deviance: Array | None = None
    pearson: Array | None = None
    ratio: Array | None = None


def start(family: Family, link: Link, y: Array, offset: Array | float, weights: Array | float) -> Parts:
    """At R's starting means. `score` is W z, z the working response less the offset: X'W z = X'WX beta gives the first
    coefficients."""
    prior = np.broadcast_to(np.asarray(weights, dtype=np.float64), y.shape)
    mu = family.start(y, prior)
    eta = link.eta(mu)
    slope = link.slope(eta, mu)
    weight = prior * slope**2 / family.variance(mu)
    return Parts(weight, weight * (eta - offset + (y - mu) / slope))


def at(family: Family, link: Link, y: Array, eta: Array, weights: Array | float) -> Parts:
    """At a linear predictor, the offset included."""
    mu = link.mu(eta)
    variance = family.variance(mu)
    residual = y - mu
    if link.name == family.canonical:  # the slope is the variance
        weight, score = weights * variance, weights * residual
    else:
        slope = link.slope(eta, mu)
        weight = weights * slope * slope / variance
        score = weights * residual * slope / variance
    return Parts(
        np.asarray(weight),
        np.asarray(score),
        np.asarray(weights * family.deviance(y, mu)),
        np.asarray(weights * residual * residual / variance),
        np.asarray(weights * y / np.maximum(mu, 1e-10)) if family.name == "gamma" else None,
    )


@dataclass(frozen=True, slots=True)
class Sums:
    """Over all members at one round's coefficients. In the first round there is no deviance."""

    information: Array
    score: Array
    deviance: float = math.nan


@dataclass(frozen=True, slots=True)
class Scoring:
    """Where scoring stands after the rounds so far. `beta`: the coefficients to look at next, or the last that were;
    `at`: the place in the rounds of the sums at the final coefficients, None while there are none; `stopped`: why it
    cannot go on (`collinear`, `no-step`), "" otherwise; `separated`: coefficients run off without end.
    """

    beta: Array
    converged: bool = False
    at: int | None = None
    stopped: str = ""
    separated: bool = False
    iterations: int = 0


def scoring(rounds: Sequence[Sums]) -> Scoring:
    """All rounds again from the start. Converged, as in R, when the deviance changes by less than EPSILON of itself.
    A step that raises the deviance is halved, up to HALVINGS times."""
    beta = solve(rounds[0].information, rounds[0].score)
    if beta is None:
        return Scoring(np.zeros(len(rounds[0].score)), stopped="collinear")
    kept: tuple[Array, float] | None = None
    last: Array | None = None
    halved = 0
    separated = False
    for place, now in enumerate(rounds[1:], start=1):
        rises = kept is not None and not now.deviance <= kept[1] + EPSILON * (abs(kept[1]) + 0.1)
        if kept is not None and rises:
            halved += 1
            if halved > HALVINGS:
                return Scoring(beta, at=place, stopped="no-step", separated=separated, iterations=place)
            beta = (beta + kept[0]) / 2
            continue
        halved = 0
        step = solve(now.information, now.score)
        converged = kept is not None and abs(now.deviance - kept[1]) / (abs(now.deviance) + 0.1) < EPSILON
        if step is None:
            return Scoring(beta, converged, place, "" if converged else "no-step", separated, place)
        # A coefficient that has a largest likelihood is reached by ever smaller steps; one that has none goes on by
        # steps that do not get smaller, while the deviance gets ever closer to what it never reaches.
        if last is not None:
            grows = (np.abs(step) > 0.5 * np.abs(last)) & (np.abs(step) > 1e-3 * np.abs(beta))
            separated = bool(grows.any())
        if converged:
            return Scoring(beta, True, place, "", separated, place)
        kept, last = (beta, now.deviance), step
        beta = beta + step
    return Scoring(beta, separated=separated, iterations=len(rounds))


def loglik(family: Family, deviance: float, *, n: int, weight: float, constant: float, ratio: float) -> float | None:
    """The log-likelihood as R's `logLik`, None for quasi families. `n` rows; `weight`: the sum of prior weights;
    `constant`: the sum of `family.constant`; `ratio`: the sum of w y / mu (gamma).
    """
    match family.name:
        case "gaussian":
            return None if deviance <= 0 else -(n * (math.log(2 * math.pi * deviance / n) + 1) - constant) / 2
        case "binomial" | "poisson":
            return constant - deviance / 2
        case "gamma":
            if deviance <= 0:
                return None
            shape = weight / deviance
            log_mu = deviance / 2 + constant - ratio + weight
            value = (shape - 1) * constant - shape * ratio - shape * log_mu
            return value + weight * (shape * math.log(shape) - math.lgamma(shape))
        case _:
            return None


__all__ = ["FAMILIES", "LINKS", "Parts", "Scoring", "Sums", "at", "loglik", "scoring", "start"]
