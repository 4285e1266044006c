"""Linear regression: certified values of NIST to the digits a double has, in any grouping of the rows."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import statsmodels.api as sm

from cinque.stats.linear import Centred, Line, centred, chow, fit, merge_all, refined, summary
from tests.stats.arrays import Array

# https://www.itl.nist.gov/div898/strd/lls/lls.shtml
LONGLEY = (
    [-3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683, -1.03322686717359,
     -0.511041056535807e-01, 1829.15146461355],
    [890420.383607373, 84.9149257747669, 0.334910077722432e-01, 0.488399681651699, 0.214274163161675,
     0.226073200069370, 455.478499142212],
    304.854073561965,
    0.995479004577296,
)  # fmt: skip
WAMPLER1 = ([1.0] * 6, [0.0] * 6, 0.0, 1.0)
WAMPLER2 = ([1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001], [0.0] * 6, 0.0, 1.0)


def in_groups(data: Array, groups: int) -> list[Centred]:
    return [centred(part) for part in np.array_split(data, groups)]


def fits(data: Array, groups: int, *, intercept: bool = True) -> tuple[Line, float]:
    line = fit(merge_all(in_groups(data, groups), data.shape[1]), intercept)
    assert line is not None
    residuals = line.residuals(data[:, :-1], data[:, -1])
    return line, float(residuals @ residuals)


def norris() -> Array:
    path = files("scipy.stats.tests").joinpath("data/nist_linregress/Norris.dat")
    lines = path.read_text("utf-8").splitlines()
    rows = [line.split() for line in lines[60:] if line.strip()]
    return np.array([[float(x), float(y)] for y, x in rows])


@pytest.mark.parametrize("groups", [1, 2, 5, 16])
def test_longley(groups: int) -> None:
    frame = sm.datasets.longley.load_pandas().data
    data = frame[["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR", "TOTEMP"]].to_numpy(float)
    line, rss = fits(data, groups)
    found = summary([str(i) for i in range(7)], line, 16, rss)
    coef, se, sigma, r2 = LONGLEY
    assert line.beta == pytest.approx(coef, rel=1e-10)
    assert list(found["se"].values()) == pytest.approx(se, rel=1e-10)
    assert found["sigma"] == pytest.approx(sigma, rel=1e-10)
    assert found["r2"] == pytest.approx(r2, rel=1e-12)
    assert found["f"]["statistic"] == pytest.approx(330.285339234588, rel=1e-10)


@pytest.mark.parametrize("groups", [1, 3, 10])
def test_norris(groups: int) -> None:
    line, rss = fits(norris(), groups)
    found = summary(["a", "b"], line, 36, rss)
    assert line.beta == pytest.approx([-0.262323073774029, 1.00211681802045], rel=1e-12)
    assert list(found["se"].values()) == pytest.approx([0.232818234301152, 0.429796848199937e-03], rel=1e-11)
    assert found["sigma"] == pytest.approx(0.884796396144373, rel=1e-11)
    assert found["r2"] == pytest.approx(0.999993745883712, rel=1e-14)


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
    residuals = off.residuals(data[:, :-1], data[:, -1])
    gradient = np.concatenate([[residuals.sum()], (data[:, :-1] - off.centre[:-1]).T @ residuals])
    better, rss = refined(off, float(residuals @ residuals), gradient)
    again = line.residuals(data[:, :-1], data[:, -1])
    assert better.beta == pytest.approx(line.beta, rel=1e-10)
    assert rss == pytest.approx(float(again @ again), rel=1e-12)


def test_a_polynomial_beyond_double_precision_is_refused_not_guessed() -> None:
    # Filip: ten powers over this range leave no digit in cross products.
    x = np.linspace(-8.8, -3.1, 82)
    data = np.column_stack([x**k for k in range(1, 11)] + [np.sin(x)])
    assert fit(centred(data), intercept=True) is None


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


def test_nothing_and_one_row() -> None:
    assert fit(merge_all([], 2), intercept=True) is None
    assert fit(centred(np.array([[1.0, 2.0]])), intercept=True) is None
    alone = fit(centred(np.array([[2.0], [4.0]])), intercept=True)
    assert alone is not None
    assert alone.beta.tolist() == [3.0]
