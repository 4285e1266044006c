"""One round for a generalised linear model: each TRE fits its own, and the estimates are combined.

An approximation, and named so: with many people a TRE it comes close to the pooled fit, with few it does not. Estimates
are weighted by the inverse of their covariance matrices (a multivariate fixed effect); `random` has each coefficient
with random effects of TREs beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cinque.analyses import models
from cinque.analyses.analysis import Field, History, Partial, Released, Result
from cinque.analyses.combine import count, exact_ids, exactness, one_round, total
from cinque.analyses.factors import malformed
from cinque.errors import Refused
from cinque.sdc.figures import Figure, Figures, Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cinque.query.source import Source
    from cinque.stats.families import Family, Link

    Array = NDArray[Any]

COUNTS: Final = ("n", "missing", "outside")
ITERATIONS: Final = 25
FIELDS: Final = (
    Field("coefficients", "-", "CorrelationCoefficients", "One round: the TRE's own coefficients; none without a fit."),
    Field("covariance", "-", "CorrelationCoefficients", "One round: their covariance, on and above the diagonal."),
)


def partial(source: Source, question: models.Question, model: tuple[Family, Link]) -> Partial:
    """The TRE's own fit, pass by pass over its rows. Where there is none (collinear columns, no convergence,
    separation) both figures are empty, with the evidence of nobody: under any threshold that reads as suppressed.
    """
    import numpy as np

    from cinque.analyses.groups import Groups
    from cinque.stats import glm
    from cinque.stats.crossproducts import Products
    from cinque.stats.leverage import Leverages
    from cinque.stats.wald import inverse

    family, link = model
    made = models.design_of(question, source.dictionary)
    size, levels = len(made.names), models.factor_levels(made)
    pairs = [*models.upper(size), *((j, size) for j in range(size)), (size, size + 1)]
    groups = Groups(made, source.dictionary, question.weights)
    people = missing = outside = 0
    outcomes = [0, 0]
    two_valued = family.name.endswith("binomial")

    def passes(beta: Array | None, groups: Groups | None = None) -> Iterator[tuple[models.Read, Array, Array, Array]]:
        for part in models.read(source, question, made, family.valid, groups):
            weights: Any = 1.0 if part.weights is None else part.weights
            with np.errstate(all="ignore"):
                if beta is None:
                    parts = glm.start(family, link, part.y, part.offset, weights)
                    pearson = np.zeros(len(part.y))
                    deviance = pearson
                else:
                    parts = glm.at(family, link, part.y, part.x @ beta + part.offset, weights)
                    assert parts.deviance is not None and parts.pearson is not None  # noqa: S101, PT018 - as `at` says
                    deviance, pearson = parts.deviance, parts.pearson
                left = models.beside(part.x, pearson, deviance)
                right = models.beside(part.x * parts.weight[:, None], parts.score, np.ones(len(part.y)))
                yield part, left, right, part.x * np.sqrt(parts.weight)[:, None]

    rounds: list[glm.Sums] = []
    beta: Array | None = None
    found = None
    dispersion = 1.0
    for number in range(ITERATIONS + 1):
        crossed = np.zeros((size + 2, size + 2))
        for part, left, right, _ in passes(beta, groups if number == 0 else None):
            crossed += left.T @ right
            if number == 0:
                people += len(part.begin)
                missing += part.missing
                outside += part.outside
                two_valued &= bool(((part.y == 0) | (part.y == 1)).all())
                outcomes[1] += int((part.y == 1).sum())
        if not np.isfinite(crossed).all():
            break
        deviance = float("nan") if beta is None else float(crossed[size + 1, size + 1])
        rounds.append(glm.Sums(crossed[:size, :size], crossed[:size, size], deviance))
        found = glm.scoring(rounds)
        if family.estimated and people > size:
            dispersion = float(crossed[size, size + 1]) / (people - size)
        if found.converged or found.stopped:
            break
        beta = found.beta
    values: dict[str, Any] = {"n": people, "missing": missing, "outside": outside}
    evidence: dict[str, Any] = {
        "people": people,
        "events": min(outcomes[1], people - outcomes[1]) if two_valued else None,
        "smallest": groups.smallest(),
        "crowded": groups.crowded(),
        "fit": models.NOBODY,
    }
    covariance = inverse(rounds[-1].information) if rounds else None
    fitted = found is not None and found.converged and not found.separated and dispersion > 0
    if found is None or not fitted or covariance is None:
        return _partial(made.names, values | models.unwritable(("coefficients", "covariance")), evidence)
    products, leverages = Products(pairs), Leverages(size)
    for _, left, right, z in passes(found.beta):
        products.add(left, right)
        leverages.add(z)
    judged = models.Judged(products, pairs, lambda: ((left, right) for _, left, right, _ in passes(found.beta)))
    whole = models.of_leverages(leverages, lambda: ((z, None) for *_, z in passes(found.beta)))
    empty = [value == 0 for value in judged.of((j, j) for j in range(size))]
    shown = models.telling(pairs, levels, empty)
    if made.formula.intercept and question.weights is None and judged.constant((0, 0)):
        shown = [pair for pair in shown if pair != (0, 0)]
    evidence["fit"] = judged.worst(shown).and_also(whole).and_also(models.of_groups(groups))
    values["coefficients"] = found.beta.tolist()
    values["covariance"] = [float(covariance[j, k] * dispersion) for j, k in models.upper(size)]
    return _partial(made.names, values, evidence)


def _partial(names: Sequence[str], values: dict[str, Any], evidence: dict[str, Any]) -> Partial:
    return Partial({"round": 1, "terms": list(names)}, values, evidence)


def figures(partial: Partial) -> Figures:
    """Coefficients and covariance tell what information and score at the fit would."""
    evidence, fit = partial.evidence, partial.evidence["fit"]
    made = [Figure(name, "Frequencies", partial.values[name]) for name in COUNTS]
    sums = ("coefficients", "covariance")
    made += [
        Figure(
            name,
            "CorrelationCoefficients",
            evidence["people"],
            "other",
            of="n",
            differing=fit.differing,
            remainder=fit.remainder,
            smallest=evidence["smallest"],
        )
        for name in sums
    ]
    terms = len(partial.shape["terms"])
    told = terms + len(models.upper(terms))
    model = Model(sums, evidence["people"], terms, told, evidence["events"])
    return Figures(tuple(made), (), (model, *models.within(sums, evidence["crowded"])))


def advance(family: str, history: History) -> Result:
    """The estimates combined, with how far they differ."""
    from cinque.stats.meta import multivariate
    from cinque.stats.wald import wald

    members = one_round(history)
    terms = models.terms_of(members)
    own = {tre: found for tre, released in members if (found := _estimate(released, terms)) is not None}
    everyone = [released for tre, released in members if tre in own] or [released for _, released in members]
    per_tre: dict[str, dict[str, Any]] = {
        tre: {name: count(released, name) for name in COUNTS} for tre, released in members
    }
    for tre, (beta, covariance) in own.items():
        per_tre[tre]["coef"] = dict(zip(terms, beta.tolist(), strict=True))
        per_tre[tre]["se"] = dict(zip(terms, (covariance.diagonal() ** 0.5).tolist(), strict=True))
    values: dict[str, Any] = {
        "family": family,
        "terms": terms,
        "method": "site estimates",
        **{name: total(everyone, name) for name in COUNTS},
        "pooled_over": list(own),
        "per_tre": per_tre,
        "converged": bool(own),
        **dict.fromkeys(("coef", "se", "z", "p", "confint", "heterogeneity", "random")),
    }
    if own:
        try:
            beta, covariance = multivariate([b for b, _ in own.values()], [v for _, v in own.values()])
        except Refused:
            raise malformed() from None  # no covariance of a fit
        values |= wald(terms, beta, covariance, None)
        if len(own) > 1:
            values["heterogeneity"] = _between(own, beta)
            values["random"] = {term: _random(own, place) for place, term in enumerate(terms)}
    return Result(values, exactness(members))


def _between(own: Mapping[str, tuple[Array, Array]], beta: Array) -> dict[str, Any]:
    """Cochran's Q over all coefficients at once."""
    import numpy as np

    from cinque.stats.wald import chi2_p

    q = float(sum((b - beta) @ np.linalg.solve(v, b - beta) for b, v in own.values()))
    df = len(beta) * (len(own) - 1)
    return {"Q": q, "df": df, "p": chi2_p(q, df)}


def _random(own: Mapping[str, tuple[Array, Array]], place: int) -> dict[str, Any]:
    """One coefficient with random effects of TREs (REML)."""
    from cinque.stats.meta import meta

    found = meta([float(b[place]) for b, _ in own.values()], [float(v[place, place]) ** 0.5 for _, v in own.values()])
    return {
        "coef": found.estimate,
        "se": found.se,
        "confint": list(found.ci),
        "p": found.p,
        "tau2": found.tau2,
        "Q": found.Q,
        "I2": found.I2,
        "prediction": None if found.prediction is None else list(found.prediction),
    }


def _estimate(released: Released, terms: list[str]) -> tuple[Array, Array] | None:
    """A member's coefficients and covariance; None where they are suppressed, or it has no fit."""
    import numpy as np

    exact_ids(released, [*COUNTS, "coefficients", "covariance"])
    if released.shape != {"round": 1, "terms": terms}:
        raise malformed()
    for name in COUNTS:
        count(released, name)
    both = released.figures["coefficients"], released.figures["covariance"]
    if any(map(models.shut, both)):
        return None
    size = len(terms)
    beta = models.numbers(both[0], size)
    return np.array(beta), models.symmetric(models.numbers(both[1], len(models.upper(size))), size)
