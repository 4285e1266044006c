"""Tests on tables: R's published values, scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable

from cinque.stats.contingency import chi_squared, fisher, log_odds_ratio, mantel_haenszel

# R's UCBAdmissions, admitted by sex in six departments.
UCB = [
    [[512, 313], [89, 19]], [[353, 207], [17, 8]], [[120, 205], [202, 391]],
    [[138, 279], [131, 244]], [[53, 138], [94, 299]], [[22, 351], [24, 317]],
]  # fmt: skip
CELL = st.integers(0, 40)
TWO = st.tuples(st.tuples(CELL, CELL), st.tuples(CELL, CELL))


@given(st.lists(st.lists(st.integers(1, 50), min_size=3, max_size=3), min_size=2, max_size=4))
def test_chi_squared_is_scipys(counts: list[list[int]]) -> None:
    found = chi_squared(counts)
    expected = scipy.stats.chi2_contingency(counts, correction=False)
    assert found is not None
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.df == expected.dof
    np.testing.assert_allclose(found.expected, expected.expected_freq)
    assert found.v == pytest.approx(scipy.stats.contingency.association(np.array(counts)), abs=1e-9)


@given(st.lists(st.lists(st.integers(1, 50), min_size=2, max_size=2), min_size=2, max_size=2))
def test_yates_is_scipys(counts: list[list[int]]) -> None:
    found = chi_squared(counts, yates=True)
    assert found is not None
    assert found.statistic == pytest.approx(scipy.stats.chi2_contingency(counts).statistic, abs=1e-12)
    (a, b), (c, d) = counts
    phi = (a * d - b * c) / math.sqrt((a + b) * (c + d) * (a + c) * (b + d))  # the correction is the test's alone
    assert found.v == pytest.approx(abs(phi), abs=1e-9)


def test_a_tail_keeps_its_digits() -> None:
    found = chi_squared([[250, 10], [10, 250]])
    assert found is not None
    assert 0 < found.p == pytest.approx(scipy.stats.chi2.sf(found.statistic, 1))


def test_one_row_tests_nothing() -> None:
    assert chi_squared([[3, 4, 5]]) is None


def test_the_lady_tasting_tea() -> None:
    """R: fisher.test(matrix(c(3, 1, 1, 3), 2)): p 0.4857, odds ratio 6.408309."""
    found = fisher([[3, 1], [1, 3]])
    assert found.p == pytest.approx(0.4857142857)
    assert found.odds_ratio == pytest.approx(6.408309, rel=1e-5)
    assert found.ci[0] == pytest.approx(0.2117, abs=1e-4)


@given(TWO)
def test_fisher_is_scipys(counts: tuple[tuple[int, int], tuple[int, int]]) -> None:
    found = fisher(counts)
    assert found.p == pytest.approx(scipy.stats.fisher_exact(np.array(counts))[1], rel=1e-6)
    theirs = scipy.stats.contingency.odds_ratio(np.array(counts))
    if math.isfinite(theirs.statistic) and theirs.statistic > 0:
        assert found.odds_ratio == pytest.approx(theirs.statistic, rel=1e-6)
        low, high = theirs.confidence_interval(0.95)
        assert found.ci == pytest.approx((low, high), rel=1e-5)


@pytest.mark.parametrize(("correct", "statistic"), [(True, 1.4269), (False, 1.5246)])
def test_berkeley(correct: bool, statistic: float) -> None:
    """R: mantelhaen.test(UCBAdmissions): X-squared 1.4269 (1.5246 without correction), common odds ratio 0.9046968,
    interval 0.7719074 to 1.0603298."""
    found = mantel_haenszel(UCB, correct=correct)
    assert found is not None
    assert found.statistic == pytest.approx(statistic, abs=6e-5)
    assert found.odds_ratio == pytest.approx(0.9046968, abs=6e-8)
    assert found.ci == pytest.approx((0.7719074, 1.0603298), abs=6e-8)
    assert found.homogeneity is not None
    assert found.homogeneity[0] == pytest.approx(18.8255, abs=6e-5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # statsmodels' own
@given(st.lists(TWO, min_size=2, max_size=5))
def test_strata_are_statsmodels(strata) -> None:  # type: ignore[no-untyped-def]
    whole = [np.array(t) + 1 for t in strata]  # statsmodels divides by empty cells
    found = mantel_haenszel([t.tolist() for t in whole], correct=False)
    expected = StratifiedTable(whole)
    assert found is not None
    assert found.odds_ratio == pytest.approx(expected.oddsratio_pooled)
    assert found.log_se == pytest.approx(expected.logodds_pooled_se)
    assert found.statistic == pytest.approx(expected.test_null_odds().statistic, abs=1e-9)
    assert found.homogeneity is not None
    theirs = expected.test_equal_odds(adjust=True).statistic
    if math.isfinite(theirs):  # not where the common odds ratio is 1 to the last digit
        assert found.homogeneity[0] == pytest.approx(theirs, rel=1e-6, abs=1e-8)


def test_a_stratum_with_an_empty_margin_says_nothing() -> None:
    assert mantel_haenszel([*UCB, [[0, 0], [5, 7]], [[3, 0], [4, 0]]]) == mantel_haenszel(UCB)
    assert mantel_haenszel([[[0, 0], [1, 2]]]) is None


def test_woolf() -> None:
    found = log_odds_ratio([[512, 313], [89, 19]])
    assert found is not None
    assert found[0] == pytest.approx(math.log(512 * 19 / (313 * 89)))
    assert log_odds_ratio([[1, 0], [2, 3]]) is None
