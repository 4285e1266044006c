"""Robust errors of glm over TREs, and fits on several rows a person: as statsmodels has them on the pooled rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from cinque.analyses import glm_rounds as module
from cinque.analyses.analysis import Result, Step
from cinque.analyses.glm import ANALYSIS
from cinque.analyses.glm_model import Glm, told_after
from cinque.errors import Refused
from tests.analyses.modelling import COLUMNS, models, split
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS, a_source


def visits(people: int = 400, seed: int = 3) -> pd.DataFrame:
    """One to four rows a person, alike within a person."""
    r = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), r.integers(1, 5, people))
    n = len(person)
    own, x = r.normal(size=people)[person], r.normal(size=n)
    g = r.choice(["a", "b", "c"], people)[person]
    # The third group is come to and left again, so that people have rows in two of them.
    g = np.where(r.random(n) < 0.3, "c", g)
    eta = -0.3 + 0.6 * x + own + np.select([g == "b", g == "c"], [0.5, -0.4], 0.0)
    rows = pd.DataFrame({"person": [f"p{i}" for i in person], "x": x, "g": g, "z": r.integers(20, 80, n)})
    rows["case"] = r.random(n) < 1 / (1 + np.exp(-eta))
    rows["y"] = r.poisson(np.exp(0.4 * eta + 1))
    rows["o"] = r.random(n)
    return rows


ROWS = visits()
WHO = ROWS.person.str[1:].astype(int).to_numpy()
BY_PERSON: dict[str, Any] = {"unit": "person", "errors": "cluster"}
FORMULA = "case ~ x + g"


def shared(rows: pd.DataFrame, sites: int, seed: int = 0) -> dict[str, pd.DataFrame]:
    """People, with all their rows, at random in so many TREs."""
    who = rows.person.str[1:].astype(int).to_numpy()
    where = np.random.default_rng(seed).integers(0, sites, who.max() + 1)[who]
    return {f"t{i}": rows[where == i] for i in range(sites)}


def named(series: Any) -> dict[str, float]:
    return {name.replace("Intercept", "(Intercept)").replace("[T.", "["): float(v) for name, v in series.items()}


FITS: list[Any] = [
    ("binomial", None, FORMULA, sm.families.Binomial()),
    ("binomial", "probit", FORMULA, sm.families.Binomial(sm.families.links.Probit())),
    ("binomial", "cloglog", "case ~ x", sm.families.Binomial(sm.families.links.CLogLog())),
    ("poisson", None, "y ~ x + g", sm.families.Poisson()),
    ("gaussian", None, "y ~ x * g", sm.families.Gaussian()),
    ("gamma", "log", "I(y + 1) ~ x + g", sm.families.Gamma(sm.families.links.Log())),
    ("quasipoisson", None, "y ~ x + g - 1", sm.families.Poisson()),
]


@pytest.mark.parametrize(("family", "link", "formula", "theirs"), FITS)
def test_errors_by_person_are_those_of_generalised_estimating_equations(
    family: str, link: str | None, formula: str, theirs: Any
) -> None:
    """GEE with an independence working correlation has no correction for few people; `lm` and cov_type="cluster" have
    G/(G-1) (N-1)/(N-p)."""
    found, history = models(ANALYSIS, shared(ROWS, 3), formula=formula, family=family, link=link, **BY_PERSON)
    values = found.values
    rows = ROWS.assign(case=ROWS.case.astype(int))
    fit = smf.gee(formula, WHO, rows, family=theirs, cov_struct=sm.cov_struct.Independence()).fit(
        ctol=1e-12, maxiter=200
    )
    n, people, size = len(ROWS), len(set(WHO)), len(fit.params)
    correct = np.sqrt(people / (people - 1) * (n - 1) / (n - size))
    assert values["coef"] == pytest.approx(named(fit.params), rel=1e-4, abs=1e-6)
    assert values["se"] == pytest.approx(named(fit.bse * correct), rel=1e-4)
    assert (values["n"], values["rows"], values["df_resid"]) == (people, n, n - size)
    assert ("t" in values) == (family in ("gaussian", "gamma", "quasipoisson"))
    assert (values["loglik"], values["aic"], values["heterogeneity"]) == (None, None, None)
    assert len(history) == values["iterations"] + 2
    assert "stopped" not in values


@pytest.mark.parametrize(
    ("family", "formula", "theirs"),
    [("binomial", FORMULA, sm.families.Binomial()), ("poisson", "y ~ x + z", sm.families.Poisson())],
)
@pytest.mark.parametrize("errors", ["hc0", "cluster"])
def test_as_statsmodels_has_them_by_name(family: str, formula: str, theirs: Any, errors: str) -> None:
    several = errors == "cluster"
    parts = shared(ROWS, 4) if several else split(ROWS, 4)
    how: dict[str, Any] = {"cov_type": "cluster", "cov_kwds": {"groups": WHO}} if several else {"cov_type": "HC0"}
    unit = "person" if several else None
    values = models(ANALYSIS, parts, formula=formula, family=family, errors=errors, unit=unit)[0].values
    rows = ROWS.assign(case=ROWS.case.astype(int))
    fit = smf.glm(formula, rows, family=theirs).fit(tol=1e-12, **how)
    assert values["se"] == pytest.approx(named(fit.bse), rel=1e-6)
    assert values["p"] == pytest.approx(named(fit.pvalues), rel=1e-3)
    assert values["confint"]["x"] == pytest.approx(list(fit.conf_int().loc["x"]), rel=1e-4)
    assert values["deviance"] == pytest.approx(fit.deviance, rel=1e-8)
    assert values["null_deviance"] == pytest.approx(fit.null_deviance, rel=1e-6)
    assert values["errors"] == errors


def test_a_gaussian_glm_has_the_errors_of_lm() -> None:
    from cinque.analyses.lm import ANALYSIS as LM

    hc0: dict[str, Any] = {"errors": "hc0"}
    for how in (BY_PERSON, hc0):
        parts = shared(ROWS, 2)
        linear = models(LM, parts, formula="y ~ x + g", **how)[0].values
        found = models(ANALYSIS, parts, formula="y ~ x + g", family="gaussian", **how)[0].values
        for name in ("coef", "se", "t", "p"):
            assert found[name] == pytest.approx(linear[name], rel=1e-8, abs=1e-14), name


@settings(max_examples=3, deadline=None)
@given(st.integers(2, 10), st.integers(0, 1_000))
def test_it_does_not_matter_who_holds_which_people(sites: int, seed: int) -> None:
    parts = shared(ROWS, sites, seed) | {"empty": ROWS[:0]}
    found, history = models(ANALYSIS, parts, formula=FORMULA, **BY_PERSON)
    whole, _ = models(ANALYSIS, {"a": ROWS}, formula=FORMULA, **BY_PERSON)
    for name in ("coef", "se", "z", "p"):
        assert found.values[name] == pytest.approx(whole.values[name], rel=1e-7, abs=1e-12), name
    assert found.values["deviance"] == pytest.approx(whole.values["deviance"], rel=1e-9)
    asked = Glm(FORMULA, errors="cluster", levels=(("case", "false", "true"), ("g", "a", "b", "c")))
    backwards = [dict(reversed(list(one.items()))) for one in history]
    assert ANALYSIS.advance(asked, backwards) == found


def test_classical_errors_take_the_rounds_and_give_the_numbers_that_they_did() -> None:
    parts = split(ROWS, 3)
    classical, short = models(ANALYSIS, parts, formula=FORMULA)
    robust, long = models(ANALYSIS, parts, formula=FORMULA, errors="hc0")
    assert [dict(one) for one in long[:-1]] == short
    assert len(long) == len(short) + 1 == classical.values["iterations"] + 2
    assert robust.values["coef"] == classical.values["coef"]
    assert robust.values["heterogeneity"] == classical.values["heterogeneity"]
    assert set(short[0]["t0"].figures) == {"n", "missing", "outside", "information", "score", "start"}
    assert set(short[0]["t0"].shape) == {"round", "terms"}
    assert set(long[-1]["t0"].figures) == {"n", "missing", "outside", "meat"}
    assert told_after(Glm(FORMULA), 3, 4, 10) == told_after(Glm(FORMULA, errors="hc0"), 3, 4, 10) - 10


def test_the_last_round_is_at_the_final_coefficients_and_keeps_a_place() -> None:
    asked = Glm(FORMULA, errors="hc0", levels=(("case", "false", "true"), ("g", "a", "b", "c")))
    found, history = models(ANALYSIS, split(ROWS, 2), formula=FORMULA, errors="hc0")
    step = ANALYSIS.advance(asked, history[:-1])
    assert isinstance(step, Step)
    assert step.values["meat"]
    assert dict(zip(found.values["terms"], step.values["beta"], strict=True)) == found.values["coef"]
    rounds = len(history)
    exact, _ = models(ANALYSIS, split(ROWS, 2), formula=FORMULA, errors="hc0", max_rounds=rounds)
    assert exact.values["se"] == found.values["se"]
    fewer, seen = models(ANALYSIS, split(ROWS, 2), formula=FORMULA, errors="hc0", max_rounds=rounds - 1)
    assert len(seen) == rounds - 2  # nobody's last round is spent on a fit that has not converged
    assert fewer.values["stopped"] == module.STOPPED["rounds"]
    assert fewer.values["se"] is None
    assert fewer.values["coef"] is not None


# ------------------------------------------------------------------------------------------------------------ attacks
def out(rows: pd.DataFrame, appetite: Any = TEN_AND_ZEROS, formula: str = FORMULA, **how: Any) -> list[str]:
    """Round by round which sums left."""
    _, history = models(ANALYSIS, {"a": rows}, appetite, formula=formula, **(BY_PERSON | how))
    return [name for one in history for name, value in one["a"].figures.items() if isinstance(value, list)]


def test_an_ordinary_fit_leaves() -> None:
    assert out(ROWS).count("meat") == 1
    assert out(ROWS, TEN).count("meat") == 1
    assert out(ROWS, formula="y ~ x + g", family="poisson").count("meat") == 1


def test_attack_13_many_rows_of_one_person_are_one_persons() -> None:
    """Hundreds of rows behind every sum, a few people: rule 0."""
    assert "information" in out(ROWS.assign(person=[f"q{i}" for i in range(len(ROWS))]))
    assert not out(ROWS.assign(person=[f"q{i % 9}" for i in range(len(ROWS))]))
    # Enough people, one of whom carries nearly all of each sum by their number of rows.
    heavy = pd.concat([ROWS, *[ROWS[WHO == 1].assign(x=1.0)] * 12_000], ignore_index=True)
    assert not out(heavy, formula="y ~ x", family="poisson")


def test_attack_5_one_persons_rows_that_dominate_a_sum_together() -> None:
    """No row does: their person has three quarters of the rows, and nearly all of the sum of responses."""
    r = np.random.default_rng(2)
    theirs = pd.concat([ROWS[WHO == 1]] * 2_500, ignore_index=True)
    theirs = theirs.assign(x=r.normal(size=len(theirs)), y=50 + r.normal(size=len(theirs)))
    rows = pd.concat([ROWS, theirs], ignore_index=True)
    assert not out(rows, formula="y ~ x", family="gaussian")
    assert out(rows.assign(person=[f"q{i}" for i in range(len(rows))]), formula="y ~ x", family="gaussian")


def test_attack_13_events_are_of_people_not_of_rows() -> None:
    """Three people with all events, in dozens of rows: rule 15 counts them as three."""
    rows = pd.concat([ROWS, *[ROWS[WHO < 3]] * 30], ignore_index=True)
    rows["case"] = rows.person.isin(["p0", "p1", "p2"])
    assert not out(rows, formula="case ~ z")
    asked = Glm("case ~ z", errors="cluster", levels=(("case", "false", "true"),))
    with a_source(rows.to_dict("records"), COLUMNS, "person") as source:
        assert ANALYSIS.partial(source, asked, Step(1, {})).evidence["events"] == 3


def test_the_middle_of_the_sandwich_tells_of_who_has_rows_of_two_levels() -> None:
    """Two levels of one factor have no row in common, but a person may: their product of scores is a sum over the
    people who moved. Nobody, and many, may leave (the first where zeros may); three may not."""
    first = ROWS.groupby("person").g.transform("first").replace("c", "a")
    rows = ROWS.assign(g=np.where(WHO % 3 == 0, "c", first))  # each person in one group
    assert set(rows.groupby("person").g.nunique()) == {1}
    assert "meat" in out(rows)
    assert "meat" not in out(rows, TEN)
    several = rows[(rows.g == "b") & rows.duplicated("person")].drop_duplicates("person").index
    for few, leaves in ((3, False), (30, True)):
        changed = rows.copy()
        changed.loc[several[:few], "g"] = "c"
        assert changed.groupby("person").g.nunique().gt(1).sum() == few
        assert ("meat" in out(changed)) == leaves
        assert "information" in out(changed)


def test_attack_3_one_persons_residual_in_the_middle() -> None:
    """A score that dominates the sum of squares though no sum of the fit is dominated: the errors do not leave, and the
    fit says so."""
    rows = ROWS.assign(y=np.where(np.arange(len(ROWS)) == 5, 90.0, ROWS.y))
    left = out(rows, formula="y ~ x", family="gaussian")
    assert "meat" not in left
    result, _ = models(ANALYSIS, {"a": rows, "b": ROWS}, TEN_AND_ZEROS, formula="y ~ x", family="gaussian", **BY_PERSON)
    assert result.values["se"] is None or result.values["pooled_over"] == ["b"]


def test_a_tre_that_cannot_release_the_last_round_leaves_coefficients_without_errors() -> None:
    asked = Glm(FORMULA, errors="hc0", levels=(("case", "false", "true"), ("g", "a", "b", "c")))
    found, history = models(ANALYSIS, split(ROWS, 2), formula=FORMULA, errors="hc0")
    hidden = {"suppressed": True, "at_least": None, "at_most": None}
    last = history[-1]
    shut = {**last, "t1": replace(last["t1"], figures={**last["t1"].figures, "meat": hidden})}
    result = ANALYSIS.advance(asked, [*history[:-1], shut])
    assert isinstance(result, Result)
    assert result.values["coef"] == found.values["coef"]
    assert (result.values["se"], result.values["z"], result.values["p"]) == (None, None, None)
    assert result.values["stopped"] == module.STOPPED["errors"]
    assert result.exactness == "bounded"


def test_attack_17_what_no_tre_would_release() -> None:
    asked = Glm(FORMULA, errors="cluster", levels=(("case", "false", "true"), ("g", "a", "b", "c")))
    _, history = models(ANALYSIS, shared(ROWS, 2), formula=FORMULA, **BY_PERSON)
    first, last = history[0]["t0"], history[-1]["t0"]
    for at, bad in (
        (0, replace(first, shape={key: v for key, v in first.shape.items() if key != "one_row_a_person"})),
        (0, replace(first, shape={**first.shape, "one_row_a_person": True})),  # and more rows than people
        (0, replace(first, figures={**first.figures, "rows": first.figures["n"] - 1})),
        (0, replace(first, figures={k: v for k, v in first.figures.items() if k != "rows"})),
        (-1, replace(last, figures={**last.figures, "meat": last.figures["meat"][:-1]})),
        (-1, replace(last, figures={**last.figures, "meat": [float("nan")] * 10})),
        (-1, replace(last, figures={k: v for k, v in last.figures.items() if k != "meat"})),
    ):
        changed = [dict(one) for one in history]
        changed[at]["t0"] = bad
        with pytest.raises(Refused):
            ANALYSIS.advance(asked, changed)
    with pytest.raises(Refused):  # a round after the last
        ANALYSIS.advance(asked, [*history, history[-1]])


def test_a_site_under_the_threshold_is_left_out_of_all_rounds() -> None:
    parts = {"large": ROWS[WHO >= 8], "small": ROWS[WHO < 8]}
    found, _ = models(ANALYSIS, parts, TEN_AND_ZEROS, formula=FORMULA, **BY_PERSON)
    alone, _ = models(ANALYSIS, {"large": parts["large"]}, OPEN, formula=FORMULA, **BY_PERSON)
    assert found.values["pooled_over"] == ["large"]
    for name in ("coef", "se"):
        assert found.values[name] == pytest.approx(alone.values[name])
    assert found.exactness == "bounded"


def test_a_level_that_nobody_at_a_tre_has() -> None:
    rows = visits(900)
    second = rows.person.str[1:].astype(int) % 2 == 1
    parts = {"a": rows[(rows.g != "c") & ~second], "b": rows[second]}
    how = {**BY_PERSON, "formula": "y ~ g", "family": "poisson"}
    found, _ = models(ANALYSIS, parts, TEN_AND_ZEROS, **how)
    pooled, _ = models(ANALYSIS, {"all": pd.concat(parts.values())}, **how)
    assert found.values["pooled_over"] == ["a", "b"]
    assert found.values["se"] == pytest.approx(pooled.values["se"], rel=1e-7)
