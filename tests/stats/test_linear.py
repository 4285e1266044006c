"""Linear regression: certified values of NIST to the digits a double has, in any grouping of the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from cinque.stats.linear import Centred, Line, centred, chow, fit, merge_all, refined, summary
from tests import nist
from tests.stats.arrays import Array


def in_groups(data: Array, groups: int) -> list[Centred]:
    return [centred(part) for part in np.array_split(data, groups)]


def fits(data: Array, groups: int, *, intercept: bool = True) -> tuple[Line, float]:
    line = fit(merge_all(in_groups(data, groups), data.shape[1]), intercept)
    assert line is not None
    residuals = line.residuals(data[:, :-1], data[:, -1])
    return line, float(residuals @ residuals)


def array(of: nist.Linear) -> Array:
    """Columns in the order of the formula, the response last."""
    response, terms = of.formula.split(" ~ ")
    columns = {name: np.array(values, dtype=float) for name, values in of.columns.items()}
    if "I(" in terms:
        columns |= {f"I(x^{k})": columns["x"] ** k for k in range(2, 11)}
    return np.column_stack([columns[name] for name in [*terms.removesuffix(" - 1").split(" + "), response]])


@pytest.mark.parametrize("name", ["Norris", "Pontius", "NoInt1", "NoInt2", "Longley"])
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_certified(name: str, groups: int) -> None:
    """To the digits that sums about a centre hold in one pass; over TREs and with their refinement: test_nist.py."""
    of, data = nist.linear(name), array(nist.linear(name))
    line, rss = fits(data, groups, intercept=not of.formula.endswith("- 1"))
    found = summary([str(i) for i in range(len(of.coef))], line, len(data), rss)
    assert line.beta == pytest.approx(of.coef, rel=1e-10)
    assert list(found["se"].values()) == pytest.approx(of.se, rel=1e-10)
    assert found["sigma"] == pytest.approx(of.sigma, rel=1e-10)
    assert found["r2"] == pytest.approx(of.r2, rel=1e-12)


def test_f_of_longley() -> None:
    line, rss = fits(array(nist.linear("Longley")), 2)
    found = summary([str(i) for i in range(7)], line, 16, rss)
    assert found["f"]["statistic"] == pytest.approx(330.285339234588, rel=1e-10)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("coef", [[1.0] * 6, [1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001]], ids=["Wampler1", "Wampler2"])
def test_wampler(coef: list[float], groups: int) -> None:
    x = np.arange(21.0)
    powers = np.column_stack([x**k for k in range(1, 6)])
    data = np.column_stack([powers, coef[0] + powers @ np.array(coef[1:])])
    line, rss = fits(data, groups)
    assert line.beta == pytest.approx(coef, rel=1e-5)  # all that products of five powers hold
    residuals = line.residuals(powers, data[:, -1])
    gradient = np.concatenate([[residuals.sum()], (powers - line.centre[:-1]).T @ residuals])
    better, least = refined(line, rss, gradient)
    assert better.beta == pytest.approx(coef, rel=2e-9)
    assert least <= rss < 1e-12 * line.total


@pytest.mark.parametrize("intercept", [True, False])
def test_a_refined_fit_has_the_residuals_that_it_says(intercept: bool) -> None:
    data = np.random.default_rng(2).normal(size=(50, 4)) + 3
    line, _ = fits(data, 1, intercept=intercept)
    off = replace(line, beta=line.beta + [0.01, -0.02, 0.03, 0.01][: len(line.beta)])
    if intercept:  # residuals are worked out about the centre, where the fit's own intercept is
        off = replace(
            off, beta=np.concatenate([line.beta[:1] - line.centre[:-1] @ (off.beta - line.beta)[1:], off.beta[1:]])
        )
        # A centre of y that is not quite its mean, as one that was merged: residuals then have a mean of their own.
        off = replace(off, centre=off.centre + np.array([0, 0, 0, 0.5]), beta=off.beta + np.array([0.5, 0, 0, 0]))
    residuals = off.residuals(data[:, :-1], data[:, -1])
    gradient = np.concatenate([[residuals.sum()], (data[:, :-1] - off.centre[:-1]).T @ residuals])
    better, rss = refined(off, float(residuals @ residuals), gradient)
    again = line.residuals(data[:, :-1], data[:, -1])
    assert better.beta == pytest.approx(line.beta, rel=1e-10)
    assert rss == pytest.approx(float(again @ again), rel=1e-12)


def test_a_polynomial_beyond_double_precision_is_refused_not_guessed() -> None:
    # Filip: ten powers over this range leave no digit in cross products.
    assert fit(centred(array(nist.linear("Filip"))), intercept=True) is None


def test_without_intercept_and_with_weights() -> None:
    r = np.random.default_rng(4)
    x, weights = r.normal(size=(200, 3)) + 5, r.random(200) + 0.1
    y = x @ [1.0, -2.0, 0.5] + r.normal(size=200)
    theirs = sm.WLS(y, x, weights=weights).fit()
    data = np.column_stack([x, y])
    parts = [centred(data[at : at + 37], weights[at : at + 37]) for at in range(0, 200, 37)]
    line = fit(merge_all(parts, 4), intercept=False)
    assert line is not None
    residuals = line.residuals(x, y)
    rss = float(weights @ residuals**2)
    found = summary(["a", "b", "c"], line, 200, rss, log_weights=float(np.log(weights).sum()))
    assert line.beta == pytest.approx(theirs.params, rel=1e-12)
    assert list(found["se"].values()) == pytest.approx(theirs.bse, rel=1e-11)
    assert (found["r2"], found["adj_r2"]) == pytest.approx((theirs.rsquared, theirs.rsquared_adj), rel=1e-11)
    assert found["f"]["statistic"] == pytest.approx(theirs.fvalue, rel=1e-10)
    assert found["loglik"] == pytest.approx(theirs.llf, rel=1e-11)
    assert line.leverages(x, weights) == pytest.approx(
        np.diag(np.sqrt(weights)[:, None] * x @ theirs.normalized_cov_params @ x.T * np.sqrt(weights)), rel=1e-9
    )


def test_one_set_of_coefficients_for_all_groups_is_tested_as_chow_did() -> None:
    r = np.random.default_rng(9)
    x = r.normal(size=(300, 2)) + 3
    group = np.arange(300) % 3
    y = x @ [1.0, 2.0] + 0.5 * group + r.normal(size=300)
    data = np.column_stack([x, y])
    groups = [centred(data[group == g]) for g in range(3)]
    line = fit(merge_all(groups, 3), intercept=True)
    assert line is not None
    residuals = line.residuals(x, y)
    found = chow(groups, line, float(residuals @ residuals))
    own = sum(sm.OLS(y[group == g], sm.add_constant(x[group == g])).fit().ssr for g in range(3))
    whole = sm.OLS(y, sm.add_constant(x)).fit().ssr
    assert found is not None
    assert found["F"] == pytest.approx((whole - own) / 6 / (own / (300 - 9)), rel=1e-9)
    assert found["df"] == [6, 291]
    assert chow(groups, line, 0.99 * (whole - own)) is None  # no residual sum is less than what it falls by


def test_nothing_and_one_row() -> None:
    assert fit(merge_all([], 2), intercept=True) is None
    assert fit(centred(np.array([[1.0, 2.0]])), intercept=True) is None
    alone = fit(centred(np.array([[2.0], [4.0]])), intercept=True)
    assert alone is not None
    assert alone.beta.tolist() == [3.0]
