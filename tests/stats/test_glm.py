"""Fisher scoring from sums is the fit of R and statsmodels, whatever family, link, offset and weights."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

from cinque.stats.families import FAMILIES, LINKS
from cinque.stats.glm import Scoring, Sums, at, loglik, scoring, start
from cinque.stats.wald import nested, wald
from tests.stats.arrays import Array

THEIR_FAMILIES: dict[str, Any] = {
    "gaussian": sm.families.Gaussian,
    "binomial": sm.families.Binomial,
    "poisson": sm.families.Poisson,
    "gamma": sm.families.Gamma,
    "quasibinomial": sm.families.Binomial,
    "quasipoisson": sm.families.Poisson,
}
THEIR_LINKS: dict[str, Any] = {
    "identity": sm.families.links.Identity,
    "log": sm.families.links.Log,
    "logit": sm.families.links.Logit,
    "probit": sm.families.links.Probit,
    "cloglog": sm.families.links.CLogLog,
    "inverse": sm.families.links.InversePower,
    "sqrt": sm.families.links.Sqrt,
}
EVERY = [(family.name, link) for family in FAMILIES.values() for link in family.links]


def fitted(
    family: str, link: str, x: Array, y: Any, offset: Any = 0.0, weights: Any = 1.0, most: int = 40
) -> tuple[Scoring, list[Sums], Any]:
    """The fit, as an enclave and the researcher work it out between them."""
    kind, function = FAMILIES[family], LINKS[link]

    def sums(parts: Any) -> Sums:
        deviance = np.nan if parts.deviance is None else float(parts.deviance.sum())
        return Sums((x * parts.weight[:, None]).T @ x, x.T @ parts.score, deviance)

    parts = start(kind, function, y, offset, weights)
    rounds = [sums(parts)]
    while True:
        found = scoring(rounds)
        if found.converged or found.stopped or len(rounds) == most:
            return found, rounds, parts
        parts = at(kind, function, y, x @ found.beta + offset, weights)
        rounds.append(sums(parts))


def data(family: str, link: str, n: int = 600) -> tuple[Array, Array, Array, Array]:
    r = np.random.default_rng(17)
    x = np.column_stack([np.ones(n), r.random(n), r.random(n) < 0.4]).astype(float)
    offset = 0.2 * r.random(n)
    weights = r.integers(1, 4, size=n).astype(float)
    mean = LINKS[link].mu(x @ {"inverse": [1.0, 0.5, 0.8]}.get(link, [0.3, 0.5, -0.2]) + offset)
    match family.removeprefix("quasi"):
        case "gaussian":
            y = mean + r.normal(size=n)
        case "binomial":
            y = (r.random(n) < mean).astype(float)
        case "poisson":
            y = r.poisson(mean).astype(float)
        case _:
            y = r.gamma(2, mean / 2)
    return x, y, offset, weights


@pytest.mark.parametrize("extras", [False, True])
@pytest.mark.parametrize(("family", "link"), EVERY)
def test_statsmodels_fits_the_same(family: str, link: str, extras: bool) -> None:
    x, y, offset, weights = data(family, link)
    found, rounds, parts = fitted(family, link, x, y, *((offset, weights) if extras else ()))
    assert found.converged
    assert not found.separated
    assert found.iterations < 12
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of links beyond their domain, and of quasi families
        model = sm.GLM(
            y, x, family=THEIR_FAMILIES[family](THEIR_LINKS[link]()), offset=offset if extras else None,
            freq_weights=weights if extras else None,
        )  # fmt: skip
        theirs = model.fit(tol=1e-13, maxiter=200)
    n = weights.sum() if extras else len(y)
    dispersion = float(parts.pearson.sum()) / (n - 3) if FAMILIES[family].estimated else 1.0
    covariance = np.asarray(np.linalg.inv(rounds[-1].information) * dispersion, np.float64)
    tested = wald(list("abc"), found.beta, covariance, None)
    # R stops where the deviance, here about 600, changes by less than 1e-8 of itself: by the square of 0.0025 of a
    # standard error. Links for which scoring is Newton's method are far beyond that by then.
    close = 1e-6 if link in ("logit", "log") and family != "gamma" else 5e-3
    assert np.allclose(found.beta, theirs.params, atol=close * theirs.bse.min(), rtol=0)
    assert rounds[-1].deviance == pytest.approx(theirs.deviance, rel=1e-7)
    scale = np.sqrt(dispersion / (theirs.scale if FAMILIES[family].estimated else 1.0))
    assert list(tested["se"].values()) == pytest.approx(list(theirs.bse * scale), rel=1e-3)
    kind = FAMILIES[family]
    if kind.likelihood and not extras and family != "gamma":
        constant = float(kind.constant(y, np.ones(len(y))).sum()) if kind.constant else 0.0
        own = loglik(kind, rounds[-1].deviance, n=len(y), weight=len(y), constant=constant, ratio=0.0)
        assert own == pytest.approx(theirs.llf, rel=1e-8)


def test_the_gamma_likelihood_is_that_of_its_density() -> None:
    from scipy.special import gammaln

    x, y, _, weights = data("gamma", "log")
    found, rounds, parts = fitted("gamma", "log", x, y, 0.0, weights)
    mu = np.exp(x @ found.beta)
    shape = weights.sum() / rounds[-1].deviance  # R's logLik.glm
    density = (shape - 1) * np.log(y) - y * shape / mu - shape * np.log(mu / shape) - gammaln(shape)
    family = FAMILIES["gamma"]
    assert family.constant is not None
    constant = float(family.constant(y, weights).sum())
    own = loglik(
        family, rounds[-1].deviance, n=len(y), weight=weights.sum(), constant=constant, ratio=float(parts.ratio.sum())
    )
    assert own == pytest.approx(float((weights * density).sum()), rel=1e-10)


def test_separation_is_told_from_a_large_effect() -> None:
    r = np.random.default_rng(3)
    x = np.column_stack([np.ones(400), np.arange(400) < 100]).astype(float)
    y = (r.random(400) < 0.4).astype(float)
    y[:100] = 1.0  # who is marked always has the event
    assert fitted("binomial", "logit", x, y, most=26)[0].separated
    y[0] = 0.0
    found, _, _ = fitted("binomial", "logit", x, y)
    assert found.converged
    assert not found.separated
    assert fitted("binomial", "probit", x, np.where(x[:, 1] == 1, 1.0, y), most=26)[0].separated


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_a_number_that_separates_is_seen_in_any_unit(scale: float) -> None:
    z = np.linspace(-1, 1, 300)
    x = np.column_stack([np.ones(300), z * scale])
    assert fitted("binomial", "logit", x, (z > 0.1).astype(float), most=26)[0].separated


def test_no_effect_is_no_separation() -> None:
    r = np.random.default_rng(1)
    for seed in range(20):
        z = np.random.default_rng(seed).normal(size=2_000)
        found, _, _ = fitted("binomial", "logit", np.column_stack([np.ones(2_000), z]), (r.random(2_000) < 0.5) * 1.0)
        assert found.converged
        assert not found.separated


def test_a_step_that_raises_the_deviance_is_halved() -> None:
    # log1p-shaped data on which full Newton steps of a Poisson model with an identity link leave its domain.
    r = np.random.default_rng(11)
    z = r.exponential(size=300) ** 2
    x = np.column_stack([np.ones(300), z])
    y = r.poisson(0.05 + 2 * z).astype(float)
    found, rounds, _ = fitted("poisson", "identity", x, y)
    assert found.converged
    deviances = [each.deviance for each in rounds[2:]]
    assert min(deviances) == pytest.approx(deviances[-1], rel=1e-7)
    full = [each for each in rounds if np.isfinite(each.deviance)]
    assert len(full) == len(rounds) - 1


def test_halving_comes_to_an_end() -> None:
    information, score = np.eye(1), np.ones(1)
    rounds = [Sums(information, score), Sums(information, score, 10.0)]
    while not scoring(rounds).stopped:
        assert len(rounds) < 20
        rounds.append(Sums(information, score, 11.0))
    assert scoring(rounds).stopped == "no-step"


def test_collinear_columns_are_no_fit() -> None:
    x, y, _, _ = data("binomial", "logit")
    assert fitted("binomial", "logit", np.column_stack([x, x[:, 1]]), y)[0].stopped == "collinear"
    assert fitted("binomial", "logit", np.column_stack([x, np.zeros(len(y))]), y)[0].stopped == "collinear"


def test_tests_of_nested_fits() -> None:
    x, y, _, _ = data("gamma", "log")
    large = sm.GLM(y, x, family=sm.families.Gamma(sm.families.links.Log())).fit()
    small = sm.GLM(y, x[:, :1], family=sm.families.Gamma(sm.families.links.Log())).fit()
    scale = large.pearson_chi2 / large.df_resid
    found = nested((small.deviance, int(small.df_resid)), (large.deviance, int(large.df_resid)), scale)
    assert found["test"] == "F"
    more = x.shape[1] - 1
    assert more > 1
    assert found["statistic"] == pytest.approx((small.deviance - large.deviance) / more / scale)
    assert found["p"] == pytest.approx(scipy.stats.f.sf(found["statistic"], more, large.df_resid))
    chi = nested((10.0, 5), (6.158541179306096, 4), None)  # the 95 % point of chi-squared with one degree of freedom
    assert chi["p"] == pytest.approx(0.05)
    with pytest.raises(ValueError, match="no more parameters"):
        nested((1.0, 5), (1.0, 5), None)


def test_p_values_are_of_the_t_distribution_where_it_is_named() -> None:
    found = wald(["a"], np.array([2.042272456301238]), np.eye(1), 30)
    assert found["p"]["a"] == pytest.approx(0.05)
    assert found["confint"]["a"][0] == pytest.approx(0.0, abs=1e-12)
    assert "z" not in found
    normal = wald(["a"], np.array([1.959963984540054]), np.eye(1), None)
    assert normal["p"]["a"] == pytest.approx(0.05)
    assert "t" not in normal


def test_scoring_starts_at_the_means_of_r() -> None:
    """?family, `initialize`: what makes the first iterations, and so their number, R's."""
    y, weights = np.array([0.0, 1.0]), np.array([1.0, 3.0])
    for name, expected in (
        ("gaussian", y), ("gamma", y), ("poisson", y + 0.1), ("quasipoisson", y + 0.1),
        ("binomial", [0.25, 0.875]), ("quasibinomial", [0.25, 0.875]),
    ):  # fmt: skip
        assert FAMILIES[name].start(y, weights) == pytest.approx(expected)
