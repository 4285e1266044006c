"""What one TRE tells for a Cox model, whom it tells of, and how what all tell adds up.

The evidence is that of the sums over people which make the numbers: of x x' w and x (event - w), w being the expected
events of a person, and of every combination of the columns and a constant, as a column that differs for one person
only would tell of that person (rules 3 and 14). Sums over risk sets are judged by who leaves between two of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cinque.analyses import models, times

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cinque.analyses.cox import Cox
    from cinque.analyses.design import Design
    from cinque.analyses.times import Rows
    from cinque.stats.cox import RiskSums, Site, Sums

    Array = NDArray[np.float64]

_CHUNK = 8_192  # people whose parts are held at once
_MOST = 2.0**53


@dataclass(frozen=True, slots=True)
class Told:
    """Figures and their evidence: `differing`, `remainder`, and `step`, the fewest who leave in an interval."""

    values: dict[str, Any]
    evidence: dict[str, Any]


def sums_of(parameters: Cox, terms: int) -> dict[str, int]:
    """The figures that are sums, with how many numbers each holds."""
    square = terms * (terms + 1) // 2
    if parameters.rounds == "few":
        return {"coefficients": terms, "covariance": square}
    if parameters.baseline == "stratified":
        return {"loglik": 1, "score": terms, "information": square}
    each = 1 + terms + square
    return {"risk": terms + len(parameters.points) * (1 + each * (2 if parameters.ties == "efron" else 1))}


def told(parameters: Cox, rows: Rows, made: Design, beta: Array) -> Told:
    """One TRE's numbers at these coefficients."""
    import numpy as np

    x = np.ascontiguousarray(rows.x[:, 1:])  # without the constant, which the baseline hazard is
    if parameters.baseline == "common":
        return _common(parameters, rows, x, made, beta)
    from cinque.stats import cox
    from cinque.stats.wald import inverse

    values: dict[str, Any]
    if parameters.rounds == "few":
        found, seen = cox.fit(rows.time, rows.event, x, parameters.ties)
        covariance = None if found.at is None else inverse(seen[found.at].information)
        if not found.converged or covariance is None:
            return _nothing(parameters, x)
        values = {"coefficients": found.beta.tolist(), "covariance": _upper(covariance)}
        site = cox.at(rows.time, rows.event, x, found.beta, parameters.ties)
    else:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            site = cox.at(rows.time, rows.event, x, beta, parameters.ties)
        sums = site.sums
        if not np.isfinite([sums.loglik, *sums.score, *sums.information.ravel()]).all():
            return _nothing(parameters, x)
        values = {"loglik": [sums.loglik], "score": sums.score.tolist(), "information": _upper(sums.information)}
    evidence = _of_site(rows, x, made, site)
    return Told(values, {"differing": evidence.differing, "remainder": evidence.remainder, "step": None})


def _nothing(parameters: Cox, x: Array) -> Told:
    """Where no double holds the sums, or the TRE has no fit of its own."""
    nobody = {"differing": models.NOBODY.differing, "remainder": models.NOBODY.remainder, "step": None}
    return Told(dict(models.unwritable(sums_of(parameters, x.shape[1]))), nobody)


def added(parameters: Cox, given: Sequence[Mapping[str, list[float]]], beta: Sequence[float]) -> Sums:
    """Over all members: the likelihood's sums at the coefficients at which they worked."""
    import numpy as np

    from cinque.stats import cox

    size = len(beta)
    total = {name: np.array(models.add_up([each[name] for each in given])) for name in given[0]}
    if parameters.baseline == "stratified":
        return cox.Sums(
            float(total["loglik"][0]), total["score"], models.symmetric(total["information"].tolist(), size)
        )
    return cox.of_risk(_unpacked(total["risk"], parameters, size), np.array(beta), parameters.ties)


def possible(risk: Sequence[float], terms: int, points: int, people: float | None) -> bool:
    """Whether released sums over risk sets have events of so many people, and somebody at risk at each."""
    events, at_risk = risk[terms : terms + points], risk[terms + points : terms + 2 * points]
    counted = all(d >= 0 and d == int(d) for d in events) and people is not None and sum(events) <= people
    return counted and all(s0 > 0 for d, s0 in zip(events, at_risk, strict=True) if d)


def _upper(matrix: Array) -> list[float]:
    return [float(matrix[pair]) for pair in models.upper(len(matrix))]


# ------------------------------------------------------------------------------------------------------------ evidence
def _pairs(made: Design, x: Array, *, score: bool) -> tuple[list[int], list[tuple[int, int]]]:
    """The columns, and the pairs of columns, whose sums carry evidence of their own (see models.telling)."""
    size = x.shape[1]
    levels = models.factor_levels(made)[1:]
    empty = [not column.any() for column in x.T]
    shown = models.telling([*models.upper(size), *((j, size) for j in range(size if score else 0))], levels, empty)
    return [j for j, k in shown if k == size], [(j, k) for j, k in shown if k < size]


def _of_site(rows: Rows, x: Array, made: Design, site: Site) -> models.Evidence:
    """Person by person what they add to score, information and log-likelihood."""
    import numpy as np

    from cinque.stats.components import Components
    from cinque.stats.leverage import Leverages

    single, pairs = _pairs(made, x, score=True)
    components = Components(len(single) + len(pairs) + 1)
    for at in range(0, len(x), _CHUNK):
        here = slice(at, at + _CHUNK)
        w, away = site.expected[here], rows.event[here] - site.expected[here]
        parts = [x[here, j] * away for j in single] + [x[here, j] * x[here, k] * w for j, k in pairs]
        components.add(np.column_stack([*parts, site.part[here]]))
    found = models.Evidence(
        int(components.differing().min()), min(float(components.remainder().min()), _MOST)
    )  # fmt: skip
    root = np.sqrt(np.maximum(site.expected, 0.0))

    def turned() -> Iterator[tuple[Array, None]]:
        for at in range(0, len(x), _CHUNK):
            here = slice(at, at + _CHUNK)
            yield np.column_stack([root[here], x[here] * root[here][:, None]]), None

    leverages = Leverages(x.shape[1] + 1)
    for z, _ in turned():
        leverages.add(z)
    return found.and_also(models.of_leverages(leverages, turned))


# ------------------------------------------------------------------------------------------------------ common baseline
def _common(parameters: Cox, rows: Rows, x: Array, made: Design, beta: Array) -> Told:
    import numpy as np

    from cinque.stats import cox
    from cinque.stats.components import Components

    points = len(parameters.points)
    place = times.place(rows.time, parameters.points)
    with np.errstate(over="ignore", invalid="ignore"):
        risk = np.exp(x @ beta)
        sums = cox.leaving(risk, x, rows.event, place, points)
        packed = _packed(sums, parameters.ties)
    if not np.isfinite(packed).all():
        return _nothing(parameters, x)
    single, pairs = _pairs(made, x, score=True)
    first, second = [j for j, _ in pairs], [k for _, k in pairs]
    left = np.bincount(place, minlength=points + 1)[:points]
    died = np.where(place < points, rows.event, 0.0)
    evidence = models.Evidence(2**53, _MOST)
    weights = [risk] if parameters.ties == "breslow" else [risk, risk * died]
    order = np.argsort(place, kind="stable")  # who leaves at a point stands together
    ends = np.searchsorted(place[order], np.arange(points + 1))
    for begin, end in pairwise(ends):
        here = order[begin:end]
        columns = x[here]
        parts: list[Array] = []
        for weight in weights:
            w = weight[here][:, None]
            if beta.any():
                parts.append(w)  # at 0 it counts people, as `step` and rule 8 do
            parts += [w * columns[:, single], w * columns[:, first] * columns[:, second]]
        evidence = evidence.and_also(_of_parts(np.column_stack(parts), Components))
    evidence = evidence.and_also(_of_parts(died[:, None] * x[:, single], Components))
    if left.any():  # a step of few is not hidden behind one of nobody
        evidence = evidence.and_also(models.Evidence(int(left[left > 0].min()), _MOST))
    return Told(
        {"risk": packed.tolist()},
        {"differing": evidence.differing, "remainder": evidence.remainder, "step": int(left.min())},
    )


def _of_parts(parts: Array, components: Any) -> models.Evidence:
    found = components(parts.shape[1])
    found.add(parts)
    if not parts.shape[1]:
        return models.Evidence(2**53, _MOST)
    return models.Evidence(int(found.differing().min()), min(float(found.remainder().min()), _MOST))


def _packed(of: RiskSums, ties: str) -> Array:
    """One list: the total, events, then zeroth, first and second sums, point by point."""
    import numpy as np

    places = models.upper(of.s1.shape[1])
    parts = [of.total, of.events]
    blocks = [(of.s0, of.s1, of.s2)] + ([(of.e0, of.e1, of.e2)] if ties == "efron" else [])
    for zero, one, two in blocks:
        parts += [zero, one.ravel(), np.array([two[:, j, k] for j, k in places]).T.ravel()]
    return np.concatenate(parts)


def _unpacked(values: Array, parameters: Cox, size: int) -> RiskSums:
    import numpy as np

    from cinque.stats.cox import RiskSums

    points, places = len(parameters.points), models.upper(size)
    at = size + points

    def block() -> tuple[Array, Array, Array]:
        nonlocal at
        zero, one = values[at : at + points], values[at + points : at + points * (1 + size)].reshape(points, size)
        at += points * (1 + size)
        flat = values[at : at + points * len(places)].reshape(points, len(places))
        at += points * len(places)
        two = np.zeros((points, size, size))
        for column, (j, k) in enumerate(places):
            two[:, j, k] = two[:, k, j] = flat[:, column]
        return zero, one, two

    risk = block()
    none = np.zeros_like(risk[0]), np.zeros_like(risk[1]), np.zeros_like(risk[2])
    dead = block() if parameters.ties == "efron" else none
    return RiskSums(values[size : size + points], *risk, *dead, values[:size])
