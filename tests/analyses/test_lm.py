"""lm over TREs: the pooled regression to the digits a double has, its errors, and its attacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from cinque.analyses.lm import ANALYSIS, COLLINEAR, COUNTS, NOBODY, Lm, check
from cinque.errors import Refused
from cinque.model.datasets import Column, Dictionary
from tests.analyses.modelling import COLUMNS, models, split
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS


def people(n: int = 900, seed: int = 7) -> pd.DataFrame:
    r = np.random.default_rng(seed)
    rows = pd.DataFrame({"x": r.normal(size=n), "g": r.choice(["a", "b", "c"], n), "z": r.integers(20, 80, n)})
    rows["y"] = 1 + 2 * rows.x + 0.1 * rows.z + (rows.g == "b") + r.normal(size=n) * (1 + np.abs(rows.x))
    rows["w"] = r.random(n) + 0.5
    rows["o"] = r.normal(size=n)
    rows["case"] = r.random(n) < 0.5
    rows["person"] = [f"p{i}" for i in range(n)]
    return rows


ROWS = people()
FORMULA = "y ~ x * g + z"
POOLED = models(ANALYSIS, {"all": ROWS}, formula=FORMULA)[0].values
NAMES = {"Intercept": "(Intercept)"}


def own(name: str) -> str:
    return name.replace("Intercept", "(Intercept)").replace("[T.", "[")


def as_theirs(values: dict[str, Any], fit: Any, rel: float = 1e-9) -> None:
    for name in fit.params.index:
        term = own(name) if own(name) in values["coef"] else ":".join(reversed(own(name).split(":")))
        assert values["coef"][term] == pytest.approx(fit.params[name], rel=rel, abs=1e-12)
        assert values["se"][term] == pytest.approx(fit.bse[name], rel=rel)
        assert values["t"][term] == pytest.approx(fit.tvalues[name], rel=rel, abs=1e-9)
        assert values["p"][term] == pytest.approx(fit.pvalues[name], rel=1e-6, abs=1e-14)
        assert values["confint"][term] == pytest.approx(list(fit.conf_int().loc[name]), rel=1e-7, abs=1e-9)


# ----------------------------------------------------------------------------------------------------- known answers
def test_a_close_fit_takes_a_second_round_for_its_residuals() -> None:
    # Wampler2 of NIST: an exact polynomial, of whose coefficients cross products alone hold five digits.
    x = np.tile(np.arange(21.0), 3)
    rows = pd.DataFrame({"x": x, "y": 1 + x / 10 + x**2 / 100 + x**3 / 1e3 + x**4 / 1e4 + x**5 / 1e5})
    formula = "y ~ x + I(x^2) + I(x^3) + I(x^4) + I(x^5)"
    columns = (Column("x", "number"), Column("y", "number"))
    found, history = models(ANALYSIS, split(rows, 3), columns=columns, formula=formula)
    assert len(history) == 2
    assert list(found.values["coef"].values()) == pytest.approx([1, 0.1, 0.01, 0.001, 0.0001, 0.00001], rel=1e-8)
    assert found.values["sigma"] < 1e-6
    assert len(models(ANALYSIS, split(ROWS, 3), formula=FORMULA)[1]) == 1


@pytest.mark.parametrize("errors", ["classical", "hc0", "hc1", "hc2", "hc3", "cluster"])
def test_errors_are_those_of_statsmodels(errors: str) -> None:
    values = models(ANALYSIS, split(ROWS, 3), formula=FORMULA, errors=errors)[0].values
    model = smf.ols(FORMULA, ROWS)
    how: dict[str, Any] = {"cov_type": errors.upper(), "use_t": True}
    if errors == "cluster":
        how |= {"cov_type": "cluster", "cov_kwds": {"groups": np.arange(len(ROWS))}}
    fit = model.fit() if errors == "classical" else model.fit(**how)
    as_theirs(values, fit)
    assert values["f"]["statistic"] == pytest.approx(fit.fvalue, rel=1e-8)
    assert (values["r2"], values["adj_r2"]) == pytest.approx((fit.rsquared, fit.rsquared_adj), rel=1e-10)
    assert values["loglik"] == pytest.approx(fit.llf, rel=1e-11)
    assert values["aic"] == pytest.approx(fit.aic + 2, rel=1e-11)  # R counts the variance too
    assert values["sigma"] == pytest.approx(np.sqrt(fit.scale), rel=1e-10)


@pytest.mark.parametrize("errors", ["classical", "hc3"])
@pytest.mark.parametrize("formula", ["y ~ x + z", "y ~ x + z - 1"])
def test_weights_and_no_intercept(errors: str, formula: str) -> None:
    values = models(ANALYSIS, split(ROWS, 3), formula=formula, weights="w", errors=errors)[0].values
    model = smf.wls(formula, ROWS, weights=ROWS.w)
    as_theirs(values, model.fit() if errors == "classical" else model.fit(cov_type="HC3", use_t=True))


def test_an_offset_is_taken_off_the_response() -> None:
    values = models(ANALYSIS, split(ROWS, 2), formula="y ~ x", offset="o")[0].values
    as_theirs(values, smf.ols("I(y - o) ~ x", ROWS).fit())


def test_clusters_are_people() -> None:
    r = np.random.default_rng(3)
    rows = pd.concat([ROWS[:200], ROWS[:120], ROWS[50:90]], ignore_index=True)
    rows["y"] = rows.y + r.normal(size=len(rows)) * 0.1
    parts = {"a": rows[rows.person.str[1:].astype(int) < 80], "b": rows[rows.person.str[1:].astype(int) >= 80]}
    values = models(ANALYSIS, parts, unit="person", formula="y ~ x + z", errors="cluster")[0].values
    groups = {"groups": pd.factorize(rows.person)[0]}
    as_theirs(values, smf.ols("y ~ x + z", rows).fit(cov_type="cluster", cov_kwds=groups, use_t=True))
    assert (values["n"], values["rows"]) == (200, len(rows))


def test_differences_between_tres_are_tested() -> None:
    rows = ROWS.assign(y=ROWS.y + np.where(np.arange(len(ROWS)) < 300, 3.0, 0.0))
    parts = {"a": rows[:300], "b": rows[300:600], "c": rows[600:]}
    values = models(ANALYSIS, parts, formula="y ~ x")[0].values
    assert values["heterogeneity"]["p"] < 1e-10
    assert models(ANALYSIS, split(ROWS, 3), formula="y ~ x")[0].values["heterogeneity"]["p"] > 0.01


# ----------------------------------------------------------------------------------------------------- the same answer
def close(one: dict[str, Any], other: dict[str, Any], rel: float = 1e-9) -> None:
    for name in ("coef", "se", "t"):
        assert one[name] == pytest.approx(other[name], rel=rel, abs=1e-12), name
    for name in ("sigma", "r2", "adj_r2", "aic"):
        assert one[name] == pytest.approx(other[name], rel=rel), name
    assert (one["n"], one["df_resid"]) == (other["n"], other["df_resid"])


@settings(max_examples=3, deadline=None)
@given(st.integers(2, 10), st.sampled_from([1e3, 1e6]))
def test_nor_how_large_means_are_beside_spreads(sites: int, mean: float) -> None:
    rows = ROWS.assign(x=ROWS.x + mean, y=ROWS.y + 10 * mean)
    found = models(ANALYSIS, split(rows, sites), formula="y ~ x + g")[0].values
    fit = smf.ols("y ~ x + g", ROWS.assign(x=rows.x - mean, y=rows.y - 10 * mean)).fit()
    assert found["coef"]["x"] == pytest.approx(fit.params["x"], rel=1e-9)
    assert found["se"]["x"] == pytest.approx(fit.bse["x"], rel=1e-9)


def test_an_empty_site_absent_levels_and_missing_values() -> None:
    rows = ROWS.copy()
    rows.loc[rows.index[:30], "y"] = np.nan
    parts = {"a": rows[rows.g == "a"], "bc": rows[rows.g != "a"], "nobody": rows[:0]}
    found = models(ANALYSIS, parts, formula="y ~ x + g", levels={"a": ("a",), "bc": ("b", "c")})[0].values
    as_theirs(found, smf.ols("y ~ x + g", rows).fit())
    assert (found["n"], found["missing"]) == (870, 30)
    assert found["heterogeneity"] is None  # a TRE with one level has no coefficients of its own


# ------------------------------------------------------------------------------------------------- controls at work
def test_a_site_under_the_threshold_is_left_out_and_named() -> None:
    found, _ = models(ANALYSIS, {"large": ROWS, "small": people(9)}, TEN_AND_ZEROS, formula="y ~ x")
    assert found.values["pooled_over"] == ["large"]
    assert found.values["per_tre"]["small"]["n"] == {"suppressed": True, "at_least": 1, "at_most": 9}
    assert found.exactness == "bounded"
    close(found.values, models(ANALYSIS, {"large": ROWS}, formula="y ~ x")[0].values, rel=1e-13)


def test_a_site_whose_dictionary_lacks_a_level_is_in_the_fit_where_zeros_are_suppressed() -> None:
    parts = {"all": ROWS, "two": ROWS[ROWS.g != "c"]}
    told = models(ANALYSIS, parts, TEN, formula="y ~ x + g", levels={"two": ("a", "b")})[0].values
    assert told["pooled_over"] == ["all", "two"]
    as_theirs(told, smf.ols("y ~ x + g", pd.concat(parts.values())).fit())
    # That nobody has a level which the TRE does declare is not known beforehand.
    hidden = models(ANALYSIS, parts, TEN, formula="y ~ x + g")[0].values
    assert hidden["pooled_over"] == ["all"]


def test_arms_of_equal_size_are_no_reason_to_leave_a_site_out() -> None:
    rows = people(400).assign(case=[True, False] * 200)
    found = models(ANALYSIS, {"a": rows[:200], "b": rows[200:]}, TEN, formula="y ~ case + x")[0].values
    assert found["pooled_over"] == ["a", "b"]
    theirs = smf.ols("y ~ case + x", rows.assign(case=rows.case.astype(int))).fit()
    assert found["coef"]["case[true]"] == pytest.approx(theirs.params["case"], rel=1e-9)
    outcome = models(ANALYSIS, {"a": rows[:200], "b": rows[200:]}, TEN, formula="case ~ x")[0].values
    assert outcome["pooled_over"] == ["a", "b"]


def test_no_member_and_collinear_terms_are_answers_that_say_so() -> None:
    nobody = models(ANALYSIS, {"a": people(9)}, TEN, formula="y ~ x")[0].values
    assert (nobody["coef"], nobody["stopped"]) == (None, NOBODY)
    same = models(ANALYSIS, split(ROWS, 2), formula="y ~ x + I(3 * x)")[0].values
    assert (same["coef"], same["stopped"]) == (None, COLLINEAR)


@pytest.mark.parametrize("errors", ["classical", "hc3"])
def test_the_usual_appetite_lets_an_ordinary_regression_through(errors: str) -> None:
    found, _ = models(ANALYSIS, split(ROWS, 2), TEN, formula=FORMULA, errors=errors)
    assert found.values["pooled_over"] == ["t0", "t1"]
    assert found.values["coef"] == pytest.approx(POOLED["coef"], rel=1e-10)


def test_a_second_round_that_could_not_leave_is_said() -> None:
    parameters = Lm("y ~ x", errors="hc0")
    _, history = models(ANALYSIS, split(ROWS, 2), formula="y ~ x", errors="hc0")
    hidden = {"suppressed": True, "at_least": None, "at_most": None}
    second = dict(history[1])
    second["t1"] = replace(second["t1"], figures=second["t1"].figures | {"meat": hidden})
    found = ANALYSIS.advance(parameters, [history[0], second]).values
    assert found["se"] is None
    assert "second round" in found["stopped"]
    assert found["coef"]["x"] == pytest.approx(smf.ols("y ~ x", ROWS).fit().params["x"], rel=1e-10)


# ----------------------------------------------------------------------------------------- the attacks of disclosure.md
ONE = np.arange(len(ROWS)) == 444


def out(rows: pd.DataFrame, **parameters: Any) -> bool:
    """Whether nothing but counts left the TRE."""
    _, history = models(ANALYSIS, {"a": rows}, TEN_AND_ZEROS, **parameters)
    shut = [isinstance(value, dict) for name, value in history[0]["a"].figures.items() if name not in COUNTS]
    assert all(shut) or not any(shut)
    return all(shut)


@pytest.mark.parametrize("marked", [1, 5, 9])
def test_attack_2_a_covariate_that_marks_few_people(marked: int) -> None:
    mark = (np.arange(len(ROWS)) >= len(ROWS) - marked).astype(float)
    assert out(ROWS.assign(x=mark), formula="y ~ x + z")
    assert out(ROWS.assign(x=1 - mark), formula="y ~ x + z")
    assert out(ROWS.assign(x=1e6 + mark), formula="y ~ x + z")
    assert out(ROWS.assign(g=np.where(mark == 1, "b", "a")), formula="y ~ g + z")
    assert not out(ROWS, formula="y ~ x + z")


@pytest.mark.parametrize("size", [1e6, 1.0, 1e-3])
def test_attack_2_one_person_hidden_behind_a_large_mean_or_in_a_difference(size: float) -> None:
    assert out(ROWS.assign(o=1e6 + ROWS.o * size / 1e3 + size * ONE), formula="y ~ o")
    assert out(ROWS.assign(o=ROWS.x + size * ONE), formula="y ~ x + o")
    assert out(ROWS.assign(o=ROWS.x + size * ONE), formula="o ~ x")  # in the response


def test_attack_2_a_product_that_only_one_person_has() -> None:
    # Each column is 0 for half of the people, and for all but one these are not the same half: the sum of the products,
    # which follows from means and centred products, is that person's own.
    half = ROWS.index % 2 == 0
    rows = ROWS.assign(x=np.where(half | ONE, ROWS.x, 0.0), y=np.where(~half | ONE, ROWS.y, 0.0))
    assert rows.x[444] * rows.y[444]
    assert out(rows, formula="y ~ x")
    assert not out(rows.assign(x=np.where(half | (ROWS.index % 3 == 0), ROWS.x, 0.0)), formula="y ~ x")


def test_attack_5_one_person_carries_most_of_it() -> None:
    assert out(ROWS.assign(y=np.where(ONE, 1e6, ROWS.y)), formula="y ~ x")
    assert out(ROWS.assign(x=np.where(ONE, 1e6, ROWS.x)), formula="y ~ x")


def test_attack_6_a_saturated_model_and_few_people_in_a_pair() -> None:
    assert out(people(40), formula="y ~ ns(x, knots=(-1, 0, 1), boundary=(-3, 3)) * g")
    rows = ROWS.assign(z=(ROWS.x > 0) * 1, g=np.where((ROWS.x > 0) & (ROWS.index % 2 == 0), "b", "a"))
    rows.loc[rows.index[rows.x < 0][:4], "g"] = "b"
    assert out(rows, formula="y ~ z + g")


@pytest.mark.parametrize(
    ("formula", "values"),
    [
        ("y ~ g + x:g", (1, 2, 3)),  # a number that does not stand alone in the model
        ("y ~ z + x + I(x^2)", (0, 1, 2, 3, 5)),  # four moments and n: the counts of five values
        ("y ~ z + ns(x, knots=(2, 3), boundary=(0, 5))", (0, 1, 2, 3, 4, 5)),
    ],
)
def test_attack_12_powers_of_a_number_of_few_values(formula: str, values: tuple[int, ...]) -> None:
    x = np.resize(values[:-1], len(ROWS)).astype(float)
    assert out(ROWS.assign(x=np.where(np.arange(len(ROWS)) < 9, values[-1], x)), formula=formula)
    assert not out(ROWS.assign(x=np.where(np.arange(len(ROWS)) < 60, values[-1], x)), formula=formula)


def test_attack_13_many_rows_of_one_person() -> None:
    rows = pd.concat([ROWS[:100], *[ROWS[:1]] * 500], ignore_index=True)
    rows["y"] = rows.y + np.random.default_rng(0).normal(size=len(rows))
    _, history = models(ANALYSIS, {"a": rows}, TEN_AND_ZEROS, unit="person", formula="y ~ x + z", errors="cluster")
    assert isinstance(history[0]["a"].figures["cross"], dict)
    same = ROWS.assign(person=[f"q{i}" for i in range(len(ROWS))])
    _, history = models(ANALYSIS, {"a": same}, TEN_AND_ZEROS, unit="person", formula="y ~ x + z", errors="cluster")
    assert not isinstance(history[0]["a"].figures["cross"], dict)


def test_attack_13_the_middle_of_the_sandwich_tells_of_who_has_rows_of_two_levels() -> None:
    """A product of two levels' scores is a sum over the people who have rows of both: three of them, or none."""
    rows = pd.concat([ROWS, ROWS], ignore_index=True)
    rows["y"] = rows.y + np.random.default_rng(0).normal(size=len(rows))
    for moved, leaves in ((0, True), (3, False), (30, True)):
        changed = rows.copy()
        changed.loc[np.flatnonzero(ROWS.g == "b")[:moved], "g"] = "c"
        assert changed.groupby("person").g.nunique().gt(1).sum() == moved
        _, history = models(ANALYSIS, {"a": changed}, TEN_AND_ZEROS, unit="person", formula="y ~ g", errors="cluster")
        assert isinstance(history[1]["a"].figures["meat"], list) == leaves


def test_attack_14_numbers_beyond_a_double_read_as_suppressed() -> None:
    rows = ROWS.assign(x=np.where(ONE, 500.0, ROWS.x))  # its exponential has no square
    assert out(rows, formula="y ~ exp(x)")
    assert models(ANALYSIS, {"a": rows}, OPEN, formula="y ~ exp(x)")[1][0]["a"].figures["cross"] == []


def test_attack_18_weights_that_leave_one_person() -> None:
    assert out(ROWS.assign(w=np.where(ONE, 1.0, 1e-12)), formula="y ~ x", weights="w")
    assert out(ROWS.assign(w=np.where(ONE, 1e9, ROWS.w)), formula="y ~ x", weights="w")
    assert not out(ROWS, formula="y ~ x", weights="w")


def test_attack_17_what_no_tre_would_release() -> None:
    _, history = models(ANALYSIS, split(ROWS, 2), formula="y ~ x")
    good = history[0]["t1"]
    for change in (
        {"cross": [1.0, 2.0]},
        {"cross": [-1.0, 0.0, 1.0]},
        {"means": [float("inf"), 0.0]},
        {"means": "none"},
        {"rows": 1.5},
        {"residuals": [1.0]},
    ):
        bad = replace(good, figures=good.figures | change)
        with pytest.raises(Refused):
            ANALYSIS.advance(Lm("y ~ x"), [{"t0": history[0]["t0"], "t1": bad}])
    with pytest.raises(Refused):
        ANALYSIS.advance(Lm("y ~ x"), [history[0]] * 3)


# ------------------------------------------------------------------------------------------- refused before any data
def test_what_does_not_fit_is_refused_in_words() -> None:
    dictionary = Dictionary("data", "1", COLUMNS)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("parameter-choice", {"formula": "y ~ x", "errors": "hc4"}),
        ("formula-response", {"formula": "Surv(y, case) ~ x"}),
        ("unknown-column", {"formula": "y ~ xx"}),
        ("not-numeric", {"formula": "y ~ x", "weights": "case"}),
    ]
    for code, parameters in cases:
        with pytest.raises(Refused) as caught:
            check(Lm(**parameters), dictionary)
        assert caught.value.code == code
    several = Dictionary("data", "1", COLUMNS, one_row_a_person=False)
    for asked in (Lm("y ~ x", errors="hc3"), Lm("y ~ x", errors="cluster", weights="w")):
        with pytest.raises(Refused) as caught:
            check(asked, several)
        assert caught.value.code == "rows-not-people"
    check(Lm("y ~ x", errors="cluster"), several)
