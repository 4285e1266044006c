"""Cox's partial likelihood: loglik, score and information at coefficients, by Breslow's or Efron's way with ties.

No risk set's sum of squares is kept: the information is X'diag(w)X less the squares of the risk sets' means, w being
each person's expected events, so that memory is a few columns beside X.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinque.stats.wald import solve

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

TIES: Final = ("efron", "breslow")
HALVINGS: Final = 10
DECREMENT: Final = 1e-13  # converged: squared Newton step in units of the standard errors
EPSILON: Final = 1e-9  # R's coxph.control: relative change of the log-likelihood


@dataclass(frozen=True, slots=True)
class Sums:
    """Over one or many strata: log partial likelihood, score (p), information (p x p)."""

    loglik: float
    score: Array
    information: Array


@dataclass(frozen=True, slots=True)
class Site:
    """One stratum's sums; `expected`: expected events of each person; `part`: each person's part of the loglik."""

    sums: Sums
    expected: Array
    part: Array


def at(time: Array, event: Array, x: Array, beta: Array, ties: str) -> Site:
    """One stratum. `time` (n), `event` (n; 0 or 1), `x` (n x p); any order of rows."""
    people, size = x.shape
    if not (event > 0).any():
        zero = np.zeros(people)
        return Site(Sums(0.0, np.zeros(size), np.zeros((size, size))), zero, zero)
    x = x - x.mean(axis=0)  # changes nothing but the rounding
    eta = x @ beta
    eta = eta - eta.max()
    risk = np.exp(eta)
    times, count = np.unique(time[event > 0], return_counts=True)
    place = np.searchsorted(times, time, side="right")  # in the risk sets of the first `place` times
    died = event > 0
    points = len(times)

    def over(values: Array, rows: NDArray[np.bool_] | None = None) -> Array:
        """Sums by place, 0 left out."""
        at = place if rows is None else place[rows]
        found: Array = np.bincount(at, values if rows is None else values[rows], points + 1)[1:].astype(np.float64)
        return found

    def later(values: Array) -> Array:
        return values[::-1].cumsum()[::-1]

    s0, e0 = later(over(risk)), over(risk, died)
    which = np.repeat(np.arange(points), count)  # one entry an event
    order = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    share = order / count[which] if ties == "efron" else np.zeros(len(which))
    whole = s0[which] - share * e0[which]
    mean = np.empty((len(which), size))
    for j in range(size):
        s1, e1 = later(over(risk * x[:, j])), over(risk * x[:, j], died)
        mean[:, j] = (s1[which] - share * e1[which]) / whole
    hazard = np.bincount(which, 1 / whole, points)
    spared = np.bincount(which, share / whole, points)
    upto = np.concatenate([[0.0], np.cumsum(hazard)])
    expected = risk * upto[place]
    expected[died] -= risk[died] * spared[place[died] - 1]
    part = np.zeros(people)
    logs = np.bincount(which, np.log(whole), points) / count
    part[died] = eta[died] - logs[place[died] - 1]
    score = x.T @ (event - expected)
    information = (x * expected[:, None]).T @ x - mean.T @ mean
    return Site(Sums(float(part.sum()), score, (information + information.T) / 2), expected, part)


# --------------------------------------------------------------------------------------------- a common baseline hazard
@dataclass(frozen=True, slots=True)
class RiskSums:
    """Over the people of one or many TREs, at J points: events (J); sums of r, r x, r x x' over who is at risk, r being
    exp(x beta): `s0` (J), `s1` (J x p), `s2` (J x p x p); the same over who has the event there, `e0`, `e1`, `e2`; and
    the sum of x over all events (p)."""

    events: Array
    s0: Array
    s1: Array
    s2: Array
    e0: Array
    e1: Array
    e2: Array
    total: Array


def leaving(risk: Array, x: Array, event: Array, place: Codes, points: int) -> RiskSums:
    """`place`: the point (from 0) at which each person leaves, `points` for who stays to the end."""
    size = x.shape[1]
    died = np.where(place < points, event, 0.0)

    def over(weight: Array, *, later: bool) -> Array:
        found: Array = np.bincount(place, weight, points + 1).astype(np.float64)
        return found[::-1].cumsum()[::-1][:points] if later else found[:points]

    def sums(weight: Array, *, later: bool) -> tuple[Array, Array, Array]:
        zero = over(weight, later=later)
        one, two = np.zeros((points, size)), np.zeros((points, size, size))
        for j in range(size):
            one[:, j] = over(weight * x[:, j], later=later)
            for k in range(j, size):
                two[:, j, k] = two[:, k, j] = over(weight * x[:, j] * x[:, k], later=later)
        return zero, one, two

    return RiskSums(over(died, later=False), *sums(risk, later=True), *sums(risk * died, later=False), x.T @ died)


def of_risk(of: RiskSums, beta: Array, ties: str) -> Sums:
    """The sums of the likelihood from those of the risk sets."""
    size = len(beta)
    loglik, score, information = float(of.total @ beta), of.total.copy(), np.zeros((size, size))
    for j in np.flatnonzero(of.events > 0):
        d = round(float(of.events[j]))
        share = np.arange(d) / d if ties == "efron" else np.zeros(1)  # one entry an event, or one for all
        weight = 1.0 if ties == "efron" else float(d)
        whole = of.s0[j] - share * of.e0[j]
        if not (whole > 0).all():
            return Sums(-math.inf, score, information)
        mean = (of.s1[j] - np.outer(share, of.e1[j])) / whole[:, None]
        loglik -= weight * float(np.log(whole).sum())
        score -= weight * mean.sum(axis=0)
        squares = of.s2[j] * (1 / whole).sum() - of.e2[j] * (share / whole).sum()
        information += weight * (squares - mean.T @ mean)
    return Sums(loglik, score, information)


# --------------------------------------------------------------------------------------------------------------- Newton
@dataclass(frozen=True, slots=True)
class Newton:
    """Where the fit stands after the rounds so far. `beta`: the coefficients to look at next or, at the end, those of
    the sums at place `at` in the rounds; `stopped`: why it cannot go on (`collinear`, `no-step`), "" otherwise;
    `separated`: a coefficient runs off without end (monotone likelihood)."""

    beta: Array
    converged: bool = False
    at: int | None = None
    stopped: str = ""
    separated: bool = False


def newton(rounds: Sequence[Sums]) -> Newton:
    """All rounds again from coefficients of 0. A step that lowers the likelihood is halved, up to HALVINGS times."""
    beta = np.zeros(len(rounds[0].score))
    kept: tuple[Array, float] | None = None
    last: Array | None = None
    halved, separated = 0, False
    for place, now in enumerate(rounds):
        if kept is not None and not now.loglik >= kept[1] - EPSILON * (abs(kept[1]) + 0.1):
            halved += 1
            if halved > HALVINGS:
                return Newton(beta, at=place, stopped="no-step", separated=separated)
            beta = (beta + kept[0]) / 2
            continue
        halved = 0
        step = solve(now.information, now.score)
        flat = kept is not None and abs(now.loglik - kept[1]) <= EPSILON * (abs(now.loglik) + 0.1)
        if step is None:
            return Newton(beta, at=place, stopped="" if separated and flat else "collinear", separated=separated)
        # A largest likelihood is reached by ever smaller steps; where there is none they do not get smaller.
        if last is not None:
            separated = bool(((np.abs(step) > 0.5 * np.abs(last)) & (np.abs(step) > 1e-3 * np.abs(beta))).any())
        if float(step @ now.score) <= DECREMENT:
            return Newton(beta, True, place)
        if flat and separated:
            return Newton(beta, False, place, "", True)
        kept, last = (beta, now.loglik), step
        beta = beta + step
    return Newton(beta, separated=separated)


def fit(time: Array, event: Array, x: Array, ties: str, rounds: int = 30) -> tuple[Newton, list[Sums]]:
    """One stratum's own fit."""
    seen: list[Sums] = []
    beta = np.zeros(x.shape[1])
    for _ in range(rounds):
        seen.append(at(time, event, x, beta, ties).sums)
        found = newton(seen)
        if found.converged or found.at is not None:
            break
        beta = found.beta
    return found, seen
