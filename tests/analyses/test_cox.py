"""cox over TREs: the pooled fit, whatever the TREs; and what must not leave does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.datasets import load_rossi

from cinque.analyses.analysis import Result
from cinque.analyses.cox import ANALYSIS, Cox
from cinque.analyses.work import released_bytes
from cinque.errors import Refused
from cinque.model.datasets import Column
from cinque.sdc.figures import is_suppressed
from tests.analyses.survivors import split
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS, question

TERMS = ("fin", "age", "race", "wexp", "mar", "paro", "prio")
COLUMNS = tuple(Column(name, "integer") for name in ("week", "arrest", *TERMS))
ROSSI = load_rossi().to_dict("records")
FORMULA = f"Surv(week, arrest) ~ {' + '.join(TERMS)}"

OWN = (
    Column("t", "number", precision=1),
    Column("died", "boolean"),
    Column("x", "number"),
    Column("arm", "text", levels=("A", "B")),
)
MODEL = "Surv(t, died) ~ x + arm"


def people(n: int = 1_500, seed: int = 1) -> list[dict[str, Any]]:
    r = np.random.default_rng(seed)
    x, arm = r.normal(size=n).round(3), r.choice(["A", "B"], n)
    t = np.ceil(r.exponential(10 / np.exp(0.5 * x + 0.4 * (arm == "B"))))
    return [
        {"t": int(min(a, 20)), "died": bool(a <= 20 and d), "x": float(b), "arm": str(c)}
        for a, d, b, c in zip(t, r.random(n) < 0.7, x, arm, strict=True)
    ]


ROWS = people()


# ----------------------------------------------------------------------------------------------------- known answers
def test_rossi_with_a_common_baseline_as_published() -> None:
    asked: dict[str, Any] = {"formula": FORMULA, "baseline": "common", "grid": 1.0, "until": 52.0}
    found, history = question(ANALYSIS, split(ROSSI, 3), COLUMNS, **asked)
    coef = [-0.379422, -0.057438, 0.313900, -0.149796, -0.433704, -0.084871, 0.091497]
    assert list(found.values["coef"].values()) == pytest.approx(coef, abs=5e-7)
    se = found.values["se"]
    assert [se["fin"], se["age"], se["prio"]] == pytest.approx([0.191379, 0.021999, 0.028649], abs=5e-7)
    assert found.values["loglik"] == pytest.approx(-658.7476595, abs=1e-7)
    theirs = CoxPHFitter().fit(load_rossi(), "week", "arrest")
    lr = theirs.log_likelihood_ratio_test()
    assert found.values["lr"] == {
        "statistic": pytest.approx(lr.test_statistic),
        "df": 7,
        "p": pytest.approx(lr.p_value),
    }
    assert (found.exactness, found.values["n"], found.values["events"], found.values["converged"]) == (
        "exact",
        432,
        114,
        True,
    )
    assert 5 <= len(history) <= 7


def test_stratified_by_tre_as_lifelines_has_it() -> None:
    tres = split(ROSSI, 3)
    found, history = question(ANALYSIS, tres, COLUMNS, formula=FORMULA)
    pooled = pd.concat([pd.DataFrame(rows).assign(tre=tre) for tre, rows in tres.items()])
    theirs = CoxPHFitter().fit(pooled, "week", "arrest", strata=["tre"], fit_options={"precision": 1e-11})
    for name, other in (("coef", theirs.params_), ("se", theirs.standard_errors_), ("z", theirs.summary["z"])):
        assert found.values[name] == pytest.approx(dict(other), rel=1e-6), name
    assert found.values["hazard_ratio"] == pytest.approx(dict(theirs.hazard_ratios_), rel=1e-6)
    assert found.values["loglik"] == pytest.approx(theirs.log_likelihood_, rel=1e-10)
    assert 5 <= len(history) <= 7


def test_one_tre_is_the_ordinary_fit_and_the_three_tests_agree_with_lifelines() -> None:
    found, _ = question(ANALYSIS, {"one": ROSSI}, COLUMNS, formula=FORMULA, ties="efron")
    theirs = CoxPHFitter().fit(load_rossi(), "week", "arrest")
    wald = float(theirs.params_ @ np.linalg.inv(theirs.variance_matrix_) @ theirs.params_)
    assert found.values["wald"]["statistic"] == pytest.approx(wald, rel=1e-5)
    # lifelines has no score test; for one term it is the log-rank test where there are no ties.
    rows = [{**row, "t": place + 1} for place, row in enumerate(sorted(ROWS[:300], key=lambda row: row["t"]))]
    from lifelines.statistics import multivariate_logrank_test

    frame = pd.DataFrame(rows)
    score, _ = question(ANALYSIS, {"one": rows}, OWN, formula="Surv(t, died) ~ arm")
    other = multivariate_logrank_test(frame.t, frame.arm, frame.died)
    assert score.values["score"]["statistic"] == pytest.approx(other.test_statistic, rel=1e-9)


# ------------------------------------------------------------------------------------------------ any split of the rows
def test_no_event_all_censored_a_level_absent_nobody_and_all_missing() -> None:
    tres = {
        "one": ROWS[:400],
        "other": [row for row in ROWS[400:800] if row["arm"] == "A"],
        "alive": [{**row, "died": False} for row in ROWS[800:850]],
        "nobody": [],
        "missing": [{**row, "x": None} for row in ROWS[850:860]],
    }
    found, _ = question(ANALYSIS, tres, OWN, formula=MODEL)
    frame = pd.concat([pd.DataFrame(tres[tre]).assign(tre=tre) for tre in ("one", "other")])
    frame["B"] = (frame.arm == "B").astype(int)
    columns = ["t", "died", "x", "B", "tre"]
    theirs = CoxPHFitter().fit(frame[columns], "t", "died", strata=["tre"], fit_options={"precision": 1e-11})
    assert list(found.values["coef"].values()) == pytest.approx(theirs.params_.to_list(), rel=1e-6)
    assert (found.values["missing"], found.values["n"]) == (10, 400 + len(tres["other"]) + 50)


# ---------------------------------------------------------------------------------------------------- one round: `few`
def test_site_estimates_are_each_tres_own_fit_weighted() -> None:
    tres = split(ROWS, 3)
    found, history = question(ANALYSIS, tres, OWN, TEN, formula=MODEL, rounds="few")
    assert (len(history), found.values["method"], len(found.values["pooled_over"])) == (1, "site estimates", 3)
    betas, precisions = [], []
    for rows in tres.values():
        frame = pd.DataFrame(rows).assign(B=lambda f: (f.arm == "B").astype(int))
        theirs = CoxPHFitter().fit(frame[["t", "died", "x", "B"]], "t", "died", fit_options={"precision": 1e-11})
        betas.append(theirs.params_.to_numpy())
        precisions.append(np.linalg.inv(theirs.variance_matrix_))
    pooled = np.linalg.inv(sum(precisions))
    expected = pooled @ sum(p @ b for p, b in zip(precisions, betas, strict=True))
    assert list(found.values["coef"].values()) == pytest.approx(expected, rel=1e-6)
    assert list(found.values["se"].values()) == pytest.approx(np.sqrt(np.diag(pooled)), rel=1e-6)
    q = sum((b - expected) @ p @ (b - expected) for p, b in zip(precisions, betas, strict=True))
    assert (found.values["heterogeneity"]["Q"], found.values["heterogeneity"]["df"]) == (pytest.approx(q, rel=1e-5), 4)


# ---------------------------------------------------------------------------------------------------------- the attacks
def test_under_a_threshold_of_ten_the_fit_is_the_same() -> None:
    open_, _ = question(ANALYSIS, split(ROWS, 3), OWN, formula=MODEL)
    found, _ = question(ANALYSIS, split(ROWS, 3), OWN, TEN, formula=MODEL)
    assert (found.values["coef"], found.values["pooled_over"]) == (open_.values["coef"], ["tre0", "tre1", "tre2"])


@pytest.mark.parametrize("others", [0.0, 1.0, 7.5])
def test_a_mask_shuts_the_tre(others: float) -> None:
    """Attack 2, also turned round: a column that is one number for everybody else."""
    rows = [{**row, "x": others if place else others + 1} for place, row in enumerate(ROWS[:500])]
    tres = {"masked": rows, "other": ROWS[500:]}
    for asked in ({}, {"rounds": "few"}, {"baseline": "common", "grid": (2.0, 5.0, 10.0), "ties": "breslow"}):
        _, history = question(ANALYSIS, tres, OWN, TEN, formula="Surv(t, died) ~ x", **asked)
        figures = history[0]["masked"].figures
        numbers = [id for id in figures if id not in ("n", "events", "censored", "missing", "outside")]
        assert all(is_suppressed(figures[id]) for id in numbers)


def shut(history: Any, tre: str) -> bool:
    """Whether no number of this TRE left in round one."""
    counts = ("n", "events", "censored", "missing", "outside")
    return all(is_suppressed(value) for id, value in history[0][tre].figures.items() if id not in counts)


def test_a_column_that_differs_for_five_people_shuts_the_tre() -> None:
    """Rule 14: each has a number of their own, so that no level is counted."""
    rows = [{**row, "x": float(place + 1) if place < 5 else 0.0} for place, row in enumerate(ROWS[:500])]
    for asked in ({}, {"rounds": "few"}):
        _, history = question(ANALYSIS, {"one": rows}, OWN, TEN, formula="Surv(t, died) ~ x", **asked)
        assert shut(history, "one")


def test_two_columns_that_differ_for_one_person_shut_the_tre() -> None:
    """A mask is made of their difference: no sum is over few, and the leverage of one person is all."""
    columns = (*OWN, Column("y", "number"))
    rows = [{**row, "y": row["x"] if place else row["x"] + 1} for place, row in enumerate(ROWS[:700])]
    for asked in ({}, {"rounds": "few"}):
        _, history = question(ANALYSIS, {"one": rows}, columns, TEN, formula="Surv(t, died) ~ x + y", **asked)
        assert shut(history, "one")
    _, history = question(ANALYSIS, {"one": rows}, columns, TEN, formula="Surv(t, died) ~ x + arm")
    assert not shut(history, "one")


@pytest.mark.parametrize("rare", [0, 1])
def test_rule_15_alone(rare: int) -> None:
    """An outcome as 0 and 1 is no factor, whose levels would be counted."""
    columns = (OWN[0], Column("died", "integer"), *OWN[2:])
    rows = [{**row, "died": rare if place < 9 else 1 - rare} for place, row in enumerate(ROWS[:500])]
    _, history = question(ANALYSIS, {"one": rows}, columns, TEN, formula="Surv(t, died) ~ x")
    assert shut(history, "one")


@pytest.mark.parametrize("died", [True, False])
def test_few_events_or_few_without_shut_the_tre(died: bool) -> None:
    rows = [{**row, "died": died if place < 9 else not died} for place, row in enumerate(ROWS[:500])]
    found, history = question(ANALYSIS, {"few": rows, "other": ROWS[500:]}, OWN, TEN, formula=MODEL)
    assert all(is_suppressed(history[0]["few"].figures[name]) for name in ("loglik", "score", "information"))
    assert (found.values["pooled_over"], found.exactness) == (["other"], "bounded")


def test_five_covariates_of_500_people_in_each_of_three_tres_have_an_answer() -> None:
    """Under a threshold of ten, whose limits are a third of a number a person."""
    r = np.random.default_rng(5)
    n = 1_500
    x = {name: r.normal(size=n).round(2) for name in ("a", "b", "c")}
    arm = r.choice(["A", "B"], n)
    stage = r.choice(["I", "II", "III"], n)
    hazard = np.exp(0.3 * x["a"] - 0.2 * x["b"] + 0.4 * (arm == "B") + 0.5 * (stage == "III")) / 40
    time, end = r.exponential(1 / hazard), r.uniform(6, 70, n)
    rows = [
        {"t": float(t), "died": bool(d), "arm": str(g), "stage": str(s), **{name: float(x[name][i]) for name in x}}
        for i, (t, d, g, s) in enumerate(zip(np.minimum(time, end).round(2), time <= end, arm, stage, strict=True))
    ]
    columns = (
        Column("t", "number"),
        Column("died", "boolean"),
        Column("arm", "text", levels=("A", "B")),
        Column("stage", "text", levels=("I", "II", "III")),
        *(Column(name, "number") for name in x),
    )
    tres = {f"tre{site}": rows[site * 500 : site * 500 + 500] for site in range(3)}
    asked: dict[str, Any] = {"formula": "Surv(t, died) ~ a + b + c + arm + stage"}
    found, _ = question(ANALYSIS, tres, columns, TEN_AND_ZEROS, **asked)
    whole, _ = question(ANALYSIS, tres, columns, **asked)
    assert (found.values["stopped"], len(found.values["pooled_over"])) == (None, 3)
    assert found.values["coef"] == whole.values["coef"]
    assert found.values["heterogeneity"]["df"] == 12


def test_a_grid_of_too_many_numbers_is_refused_before_anything_is_sent() -> None:
    asked: dict[str, Any] = {"formula": MODEL, "baseline": "common", "until": 12.0}
    question(ANALYSIS, {"one": ROWS}, OWN, **asked, grid=0.1)
    with pytest.raises(Refused) as caught:
        question(ANALYSIS, {"one": ROWS}, OWN, **asked, grid=0.004)
    assert (caught.value.code, "numbers a round" in str(caught.value)) == ("grid-too-long", True)


def test_too_many_numbers_for_the_people_shut_it() -> None:
    """Rule 15: five rounds of 36 numbers are more than a third of 144 people."""
    found, _ = question(ANALYSIS, split(ROSSI, 3), COLUMNS, TEN_AND_ZEROS, formula=FORMULA)
    assert (found.values["pooled_over"], found.values["coef"]) == ([], None)


def test_a_narrow_interval_shuts_the_tre_with_a_common_baseline() -> None:
    """Attack 3: the risk sets on both sides of it would differ by its people."""
    asked: dict[str, Any] = {"formula": "Surv(t, died) ~ x", "baseline": "common", "ties": "breslow"}
    tres = {"one": [*ROWS[:700], {"t": 2.5, "died": True, "x": 0.3, "arm": "A"}], "other": ROWS[700:]}
    found, _ = question(ANALYSIS, tres, OWN, TEN, **asked, grid=(2.0, 6.0, 12.0))
    assert found.values["pooled_over"] == ["one", "other"]
    for appetite in (TEN, TEN_AND_ZEROS):
        found, history = question(ANALYSIS, tres, OWN, appetite, **asked, grid=(2.0, 2.6, 6.0, 12.0))
        assert is_suppressed(history[0]["one"].figures["risk"])
        assert "one" not in found.values["pooled_over"]


def test_an_interval_of_nobody_shuts_it() -> None:
    asked: dict[str, Any] = {"formula": "Surv(t, died) ~ x", "baseline": "common", "ties": "breslow"}
    for appetite in (TEN, TEN_AND_ZEROS):
        _, history = question(ANALYSIS, {"one": ROWS}, OWN, appetite, **asked, grid=(2.0, 2.9, 6.0, 12.0))
        assert shut(history, "one")


def test_no_time_of_a_person_leaves_and_no_coefficient_is_taken() -> None:
    rows = [{**row, "t": row["t"] - 0.123457 - place / 1e6} for place, row in enumerate(ROWS[:600])]
    parts, history = question(ANALYSIS, split(rows, 2), OWN, formula=MODEL)
    for each in history:
        for released in each.values():
            content = released_bytes(released)
            assert not [row for row in rows if str(row["t"])[:8].encode() in content]
            assert b"beta" not in content
    assert parts.values["converged"]


def test_monotone_likelihood_is_said_and_refuses_nothing() -> None:
    """Attack 14: what a search by refusals would find is an answer over all TREs."""
    rows = [{**row, "x": float(row["t"] <= 5)} for row in ROWS]
    found, history = question(ANALYSIS, split(rows, 2), OWN, formula="Surv(t, died) ~ x")
    assert (found.values["converged"], found.values["separated"]) == (False, True)
    assert "without end" in found.values["stopped"]
    assert len(history) < 26
    few, _ = question(ANALYSIS, split(rows, 2), OWN, TEN, formula="Surv(t, died) ~ x", rounds="few")
    assert (few.values["pooled_over"], few.values["converged"]) == ([], False)


def test_collinear_terms_are_said() -> None:
    found, _ = question(ANALYSIS, split(ROWS, 2), OWN, formula="Surv(t, died) ~ x + I(2 * x)")
    assert (found.values["converged"], found.values["coef"]) == (False, None)
    assert "collinear" in found.values["stopped"]


def test_a_tre_whose_sums_stop_ends_the_session() -> None:
    _, history = question(ANALYSIS, split(ROWS, 2), OWN, formula=MODEL)
    unknown = {"suppressed": True, "at_least": None, "at_most": None}
    figures = {**history[1]["tre0"].figures, "score": unknown}
    late = [history[0], {**history[1], "tre0": replace(history[1]["tre0"], figures=figures)}]
    found = ANALYSIS.advance(Cox(MODEL, levels=(("arm", "A", "B"), ("died", "false", "true"))), late)
    assert isinstance(found, Result)
    assert found.values["converged"] is False
    assert "could not leave" in found.values["stopped"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"formula": "t ~ x"}, "formula-response"),
        ({"formula": "Surv(t, died) ~ 1"}, "formula-empty"),
        ({"formula": "Surv(t, died) ~ x + offset(x)"}, "formula-type"),
        ({"formula": "Surv(t, died) ~ y"}, "unknown-column"),
        ({"formula": "Surv(t died) ~ x"}, "formula-syntax"),
        ({"ties": "exact"}, "parameter-choice"),
        ({"baseline": "none"}, "parameter-choice"),
        ({"rounds": "two"}, "parameter-choice"),
        ({"grid": 2.0, "until": 10.0}, "grid-unused"),
        ({"baseline": "common", "grid": 2.0}, "grid-missing"),
        ({"baseline": "common", "grid": 2.0, "until": 10.0, "rounds": "few"}, "parameter-choice"),
    ],
)
def test_bad_questions_are_refused_in_words(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        question(ANALYSIS, {"one": ROWS}, OWN, **{"formula": MODEL, **asked})
    assert caught.value.code == code


@pytest.mark.parametrize("value", [1e15, -1.0, 0.5])
def test_events_that_no_data_have_are_refused(value: float) -> None:
    """A count that large would keep everybody adding for years."""
    asked: dict[str, Any] = {"formula": MODEL, "baseline": "common", "grid": 5.0, "until": 20.0}
    _, history = question(ANALYSIS, split(ROWS, 2), OWN, OPEN, **asked)
    risk = list(history[0]["tre0"].figures["risk"])
    risk[2] = value
    history[0]["tre0"] = replace(history[0]["tre0"], figures={**history[0]["tre0"].figures, "risk": risk})
    levels = (("arm", "A", "B"), ("died", "false", "true"))
    with pytest.raises(Refused) as caught:
        ANALYSIS.advance(Cox(**asked, levels=levels, points=(5.0, 10.0, 15.0, 20.0)), history)
    assert caught.value.code == "release-malformed"


@pytest.mark.parametrize(
    ("id", "value"),
    [("score", [1.0]), ("information", [1.0, float("inf"), 1.0]), ("loglik", "x"), ("n", -1), ("beta", [0.0])],
)
def test_hostile_partials_are_refused(id: str, value: Any) -> None:
    _, history = question(ANALYSIS, split(ROWS, 2), OWN, OPEN, formula=MODEL)
    history[0]["tre0"] = replace(history[0]["tre0"], figures={**history[0]["tre0"].figures, id: value})
    with pytest.raises(Refused) as caught:
        ANALYSIS.advance(Cox(MODEL, levels=(("arm", "A", "B"), ("died", "false", "true"))), history)
    assert caught.value.code in ("release-malformed", "figure-malformed")
