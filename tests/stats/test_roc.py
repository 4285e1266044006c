"""The area under a ROC curve from counts by range: published values, other people's software, certain bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from statsmodels.stats.proportion import proportion_confint

from cinque.stats.roc import Area, Below, add, area, wilson

# Hanley and McNeil (1982), table I: 109 CT images, rated 1 to 5, 51 of them of abnormal people.
NORMAL, ABNORMAL = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]


def found(events: Below, others: Below, *, tied: bool = False) -> Area:
    made = area(events, others, tied=tied)
    assert made is not None
    return made


def test_the_ratings_of_hanley_and_mcneil() -> None:
    made = found(Below.of(ABNORMAL), Below.of(NORMAL), tied=True)
    assert round(made.auc, 3) == 0.893
    assert round(made.se, 3) == 0.032
    assert (made.low, made.high) == (made.auc, made.auc)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40), st.integers(2, 9))
def test_the_area_is_mann_and_whitneys_and_its_bounds_hold(seed: int, n1: int, n0: int, bins: int) -> None:
    r = np.random.default_rng(seed)
    ones, zeros = r.normal(0.7, 1, n1).round(1), r.normal(0, 1, n0).round(1)
    edges = np.sort(r.normal(0, 1, bins - 1))
    counts = [np.bincount(np.searchsorted(edges, each, side="right"), minlength=bins) for each in (ones, zeros)]
    ranks = [np.searchsorted(edges, each, side="right").astype(float) for each in (ones, zeros)]
    events, others = (Below.of(each.tolist()) for each in counts)
    binned = mannwhitneyu(ranks[0], ranks[1]).statistic / (n1 * n0)
    truth = mannwhitneyu(ones, zeros).statistic / (n1 * n0)
    made, tied = found(events, others), found(events, others, tied=True)
    assert made.auc == pytest.approx(binned, abs=1e-12)
    assert made.low <= truth <= made.high
    assert tied.low == tied.high == pytest.approx(binned, abs=1e-12)

    def loose(exact: Below) -> Below:
        """What is known where disclosure control took something away."""
        low = np.maximum.accumulate(np.maximum(np.array(exact.at_least) - r.integers(0, 5, bins + 1), 0))
        high = np.minimum.accumulate((np.array(exact.at_least) + r.integers(0, 5, bins + 1))[::-1])[::-1]
        low[0] = high[0] = 0
        low[-1] = high[-1] = exact.people
        return Below(low.tolist(), np.minimum(high, exact.people).tolist(), exact.guess)

    less = found(loose(events), loose(others))
    assert less.low <= made.low <= truth <= made.high <= less.high


def test_the_error_is_near_that_of_resampling() -> None:
    r = np.random.default_rng(3)
    ones, zeros = r.normal(1, 1, 300), r.normal(0, 1, 700)
    edges = np.linspace(-2, 3, 31)

    def of(one: np.ndarray, zero: np.ndarray) -> Area:
        both = (np.bincount(np.searchsorted(edges, each), minlength=32).tolist() for each in (one, zero))
        return found(*map(Below.of, both))

    again = [of(r.choice(ones, 300), r.choice(zeros, 700)).auc for _ in range(400)]
    assert of(ones, zeros).se == pytest.approx(float(np.std(again)), rel=0.12)


def test_the_interval_stays_within_0_and_1_and_a_perfect_score_has_none() -> None:
    made = found(Below.of([0, 1, 20]), Below.of([20, 1, 0]))
    assert made.interval is not None
    assert 0 < made.interval[0] < made.auc < made.interval[1] < 1
    perfect = found(Below.of([0, 20]), Below.of([20, 0]))
    assert (perfect.auc, perfect.low, perfect.high, perfect.interval) == (1.0, 1.0, 1.0, None)
    assert area(Below.of([0, 0]), Below.of([20, 0])) is None


def test_sites_add_up() -> None:
    parts = [Below.of([1, 2, 3]), Below.of([4, 0, 1])]
    assert add(parts) == Below([0, 5, 7, 11], [0, 5, 7, 11], [0.0, 5.0, 7.0, 11.0])


@pytest.mark.parametrize(("events", "people"), [(0, 12), (3, 40), (40, 40), (763, 915)])
def test_wilsons_interval_is_statsmodels(events: int, people: int) -> None:
    low, high = proportion_confint(events, people, method="wilson")
    assert wilson(events, people) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-12)
    assert not math.isnan(low)
