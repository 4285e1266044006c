"""Time to event: product-limit curves, also from counts of which only bounds are known; log-rank (statistics.md 3.11).

A curve stands on a grid of time points. Of one group, `events` counts those with the event up to each point and
`uncensored` those of the group not censored before it, so that at risk are the uncensored less the earlier events. Both
only ever change one way, so what is not known at a point lies between the nearest points at which it is.

Why bounds suffice for a curve: events tied at a point may be taken one after the other, so S is the product over
events m = 1, 2, … of 1 - 1 / (a - m + 1), a being the uncensored at that event's time. Each factor falls with time.
Every event as late as it can be, among as few uncensored as there can be, gives a curve that is nowhere above the true
one; every event as early, and as few of them, among as many, one that is nowhere below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Track:
    """Bounds on one group's counts at J points: `events_low`, `events_high` up to each point (J), `uncensored_low`,
    `uncensored_high` just before each (J). Known where low and high are equal."""

    events_low: Counts
    events_high: Counts
    uncensored_low: Counts
    uncensored_high: Counts

    def __add__(self, other: Track) -> Track:
        """Both groups together."""
        return Track(
            self.events_low + other.events_low,
            self.events_high + other.events_high,
            self.uncensored_low + other.uncensored_low,
            self.uncensored_high + other.uncensored_high,
        )


@dataclass(frozen=True, slots=True)
class Curve:
    """At each point: survival S; Greenwood's sum of d / (n (n - d)), the variance of S being S^2 times it; the
    Nelson-Aalen cumulative hazard and its variance, the sum of d / n^2. Infinite where nobody is left."""

    survival: Array
    greenwood: Array
    hazard: Array
    hazard_variance: Array


def track(events: Sequence[int], left: Sequence[int], n: int) -> Track:
    """Of known counts: with the event, and with it or censored, in each interval; n at risk at the start."""
    deaths = np.asarray(events, dtype=np.int64)
    censored = np.asarray(left, dtype=np.int64) - deaths
    up_to = np.cumsum(deaths)
    before = n - np.cumsum(censored) + censored
    return Track(up_to, up_to, before, before)


def curves(of: Track) -> tuple[Curve, Curve]:
    """(a curve nowhere above the true one, one nowhere below): hazards the other way round, so that the first has the
    lowest survival and the largest hazard and variances. The same where everything is known."""
    return _late(of), _early(of)


def _late(of: Track) -> Curve:
    size = len(of.events_low)
    found = [np.zeros(size) for _ in range(4)]
    s, g, h, v = 1.0, 0.0, 0.0, 0.0  # up to the point before, with as few events as there can be
    before = 0
    for i in range(size):
        for last, up_to in ((True, int(of.events_high[i])), (False, int(of.events_low[i]))):
            known = of.events_low[i] == of.events_high[i] and (i == 0 or of.events_low[i - 1] == of.events_high[i - 1])
            a = int(of.uncensored_low[i])
            one = _step(a - before, up_to - before, tied=bool(known and a == of.uncensored_high[i]))
            if last:
                for values, value in zip(found, (s * one[0], g + one[1], h + one[2], v + one[3]), strict=True):
                    values[i] = value
            else:
                s, g, h, v = s * one[0], g + one[1], h + one[2], v + one[3]
        before = int(of.events_low[i])
    return Curve(*found)


def _early(of: Track) -> Curve:
    size = len(of.events_low)
    found = [np.zeros(size) for _ in range(4)]
    # Up to each point with as many events as there can be; then up to as many as there must be at j.
    s, g, h, v = np.ones(size + 1), np.zeros(size + 1), np.zeros(size + 1), np.zeros(size + 1)
    before = 0

    def taken(i: int, before: int, up_to: int) -> tuple[float, float, float, float]:
        a = int(of.uncensored_high[i])
        first = _step(a - before, up_to - before, tied=True)
        low = int(of.events_low[i - 1]) if i else 0
        at_risk = a - low  # at least as many as are at risk when the event comes
        d = up_to - before
        return first[0], first[1], d / at_risk if at_risk > 0 else 0.0, d / at_risk**2 if at_risk > 0 else 0.0

    at = 0
    for j in range(size):
        need = int(of.events_low[j])
        while at < j and of.events_high[at] < need:
            one = taken(at, before, int(of.events_high[at]))
            s[at + 1], g[at + 1], h[at + 1], v[at + 1] = s[at] * one[0], g[at] + one[1], h[at] + one[2], v[at] + one[3]
            before = int(of.events_high[at])
            at += 1
        one = taken(at, before, need) if need > before else (1.0, 0.0, 0.0, 0.0)
        for values, value in zip(found, (s[at] * one[0], g[at] + one[1], h[at] + one[2], v[at] + one[3]), strict=True):
            values[j] = value
    return Curve(*found)


def _step(n: int, d: int, *, tied: bool) -> tuple[float, float, float, float]:
    """What one point with d events among n multiplies S by and adds to the others. Not `tied`: the hazard's worst, the
    events one after the other."""
    if d <= 0:
        return 1.0, 0.0, 0.0, 0.0
    if n <= d:
        known = tied and n == d
        return 0.0, np.inf, 1.0 if known else np.inf, 1.0 / n if known else np.inf
    if tied:
        return (n - d) / n, d / (n * (n - d)), d / n, d / n**2
    alone = 1.0 / np.arange(n - d + 1, n + 1)
    return (n - d) / n, d / (n * (n - d)), float(alone.sum()), float((alone**2).sum())


def band(low: Curve, high: Curve, level: float = LEVEL) -> tuple[Array, Array]:
    """Pointwise limits of S by the log-log transformation; of two bounding curves, limits that contain those of the
    true one. NaN where S is 1 or 0, as there is no variance."""
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    with np.errstate(all="ignore"):
        # Limits are exp(-u exp(+-z sqrt(G) / u)), u = |log S|. For the lower one, u exp(v / u) is convex in u: it is
        # largest at an end. For the upper one, u exp(-v / u) only ever rises with u.
        most, least = -np.log(low.survival), -np.log(high.survival)
        reach = z * np.sqrt(low.greenwood)
        lower = np.exp(-np.maximum(most * np.exp(reach / most), least * np.exp(reach / least)))
        upper = np.exp(-least * np.exp(-reach / least))
        unknown = ~np.isfinite(reach / least) | (low.survival <= 0) | (high.survival >= 1)
    return np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper)


def restricted_mean(
    points: Sequence[float], low: Curve, high: Curve
) -> tuple[tuple[float, float], tuple[float, float]]:
    """(bounds of the mean time up to the last point, the area under S; bounds of its standard error) of a curve that
    lies between two others. By Greenwood, with A_j the area from point j on, the variance is the sum of A_j^2 times the
    growth of Greenwood's sum G, that is of G_j (A_j^2 - A_{j+1}^2), in which everything only ever makes more."""
    width = np.diff(np.asarray(points, dtype=np.float64))

    def area(survival: Array) -> Array:
        """From each point to the last."""
        return np.append((survival[:-1] * width)[::-1].cumsum()[::-1], 0.0)

    def error(survival: Array, greenwood: Array) -> float:
        after = area(survival)
        grown = np.where(survival > 0, greenwood, 0.0)  # from where nobody is left nothing is added
        return float(np.sqrt((grown[:-1] * width * survival[:-1] * (after[:-1] + after[1:])).sum()))

    least, most = (float(points[0] + area(of.survival)[0]) for of in (low, high))
    return (least, most), (error(low.survival, high.greenwood), error(high.survival, low.greenwood))


def first_at_most(values: Array, share: float = 0.5) -> int | None:
    """The place of the first that is at most `share`; None where none is."""
    with np.errstate(invalid="ignore"):
        places = np.flatnonzero(values <= share + 1e-12)
    return int(places[0]) if len(places) else None


# ------------------------------------------------------------------------------------------------------------ log-rank
@dataclass(frozen=True, slots=True)
class LogRank:
    """Observed and expected events by group (G), and the covariance of their difference (G x G)."""

    observed: Array
    expected: Array
    variance: Array


def log_rank(events: Array, at_risk: Array) -> LogRank:
    """`events`, `at_risk`: groups x points. E = n_g d / n; the covariance is the hypergeometric one."""
    d, n = events.sum(axis=0), at_risk.sum(axis=0)
    used = (d > 0) & (n > 0)
    d, n, share = d[used], n[used], at_risk[:, used] / n[used]
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(n > 1, d * (n - d) / (n - 1), 0.0)
    variance = np.diag(share @ scale) - (share * scale) @ share.T
    return LogRank(events.sum(axis=1), share @ d, variance)


def chi_squared(of: LogRank) -> tuple[float | None, int]:
    """(statistic, degrees of freedom) by the generalised inverse; None where no group can differ."""
    away = of.observed - of.expected
    scale = np.sqrt(np.where(np.diag(of.variance) > 0, np.diag(of.variance), 1.0))
    values, vectors = np.linalg.eigh(of.variance / np.outer(scale, scale))
    kept = values > 1e-10 * max(1.0, float(values[-1]))
    df = int(kept.sum())
    if not df:
        return None, 0
    turned = vectors[:, kept].T @ (away / scale)
    return float((turned**2 / values[kept]).sum()), df


def by_time(time: Array, event: Array, group: Counts, groups: int) -> tuple[Array, Array, Counts, Array]:
    """(events, at risk), groups x distinct times at which there is an event; each person's place among these times,
    counted from 1, 0 before the first; and the times."""
    times = np.unique(time[event > 0])
    place = np.searchsorted(times, time, side="right")
    size = len(times) + 1
    present = np.bincount(group * size + place, minlength=groups * size).reshape(groups, size)
    at_risk = present[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    died = np.bincount((group * size + place)[event > 0], minlength=groups * size).reshape(groups, size)[:, 1:]
    return died.astype(np.float64), at_risk.astype(np.float64), place, times
