"""Moments over TREs: those of the pooled rows, and none that tells of few people."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import cinque
from cinque.analyses import registry
from cinque.analyses.analysis import Released, Result
from cinque.analyses.work import parameters_of
from cinque.client.answers_summary import SummaryAnswer
from cinque.errors import Refused
from cinque.sdc.figures import is_suppressed
from tests.analyses.tres import OPEN, TEN, a_source, ask, released, sources

SUMMARY = registry.get("summary")
MOMENTS = ("mean:[]", "m2:[]", "m3:[]", "m4:[]")
UNKNOWN = {"suppressed": True, "at_least": None, "at_most": None}


def people(values: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"person": f"p{i}", "x": None if x is None else float(x), **more} for i, x in enumerate(values)]


def hidden(rows: list[dict[str, Any]], unit: str | None = None, **asked: Any) -> set[str]:
    """The moments that a threshold of ten does not let out."""
    with a_source(rows, unit=unit) as source:
        found = released(SUMMARY, source, {"variable": "x", **asked}, TEN).figures
    return {
        id for id, value in found.items() if is_suppressed(value) and id.partition(":")[0] in {"mean", "m2", "m3", "m4"}
    }


def advanced(members: dict[str, Released]) -> Any:
    """The groups over these members."""
    found = SUMMARY.advance(parameters_of(SUMMARY, {"variable": "x"}), [members])
    assert isinstance(found, Result)
    return groups(found)


def groups(result: Result) -> list[dict[str, Any]]:
    """Each group's figures together."""
    return [one | other for one, other in zip(result.values["groups"], result.values["shape"], strict=True)]


# ------------------------------------------------------------------------------------------------------ pooled figures
@settings(max_examples=4)
@given(
    parts=st.integers(2, 10), seed=st.integers(0, 10_000), centre=st.sampled_from([0.0, -3.0, 1e6]), unit=st.booleans()
)
def test_however_the_rows_are_split_it_is_scipys_of_all(parts: int, seed: int, centre: float, unit: bool) -> None:
    generator = np.random.default_rng(seed)
    values = centre + generator.gamma(2.0, 5.0, 120)
    rows = [{**row, "sex": generator.choice(["F", "M"])} for row in people(values)]
    place = generator.integers(0, parts, len(rows))
    split = {f"tre{k}": [row for row, at in zip(rows, place, strict=True) if at == k] for k in range(parts)}
    with sources(split, "person" if unit else None) as tres:
        (all_,) = groups(ask(SUMMARY, tres, {"variable": "x"})[0])
        by_sex = groups(ask(SUMMARY, tres, {"variable": "x", "by": ["sex"]})[0])
    for group in (all_, *by_sex):
        mine = [row["x"] for row in rows if not group["levels"] or row["sex"] == group["levels"][0]]
        assert group["skewness"] == pytest.approx(scipy.stats.skew(mine), rel=1e-7 if centre > 10 else 1e-10)
        assert group["kurtosis"] == pytest.approx(
            scipy.stats.kurtosis(mine), rel=1e-7 if centre > 10 else 1e-9, abs=1e-9
        )
        assert group["se"] == pytest.approx(scipy.stats.sem(mine), rel=1e-9)
        low, high = scipy.stats.t.interval(0.95, len(mine) - 1, np.mean(mine), scipy.stats.sem(mine))
        assert group["ci"] == pytest.approx([low, high], rel=1e-9)


def test_the_order_of_tres_changes_no_bit() -> None:
    generator = np.random.default_rng(3)
    split = {f"tre{k}": people(generator.gamma(2, 3, 30 + k)) for k in range(5)}
    with sources(split) as tres:
        result, (members,) = ask(SUMMARY, tres, {"variable": "x"})
    first, names = groups(result), list(members)
    for seed in range(5):
        random.Random(seed).shuffle(names)
        # Which TRE has which data, and the order they come in.
        moved = dict(zip(sorted(names), [members[name] for name in names], strict=True))
        assert advanced(moved) == first


def test_somebody_with_several_rows_has_each_of_them_in_the_moments() -> None:
    generator = np.random.default_rng(5)
    rows = [{"person": f"p{i % 40}", "x": float(generator.gamma(2, 3))} for i in range(200)]
    with sources({"a": rows[:20] * 3, "b": rows}, "person") as tres:
        (group,) = groups(ask(SUMMARY, tres, {"variable": "x"})[0])
    values = np.array([row["x"] for row in rows[:20] * 3 + rows], dtype=float)
    assert group["rows"] == 260
    assert group["se"] is group["ci"] is None  # rows of one person are not independent
    assert group["skewness"] == pytest.approx(scipy.stats.skew(values))
    assert group["kurtosis"] == pytest.approx(scipy.stats.kurtosis(values))


@pytest.mark.parametrize("values", [[], [None] * 5, [4.0], [4.0] * 30])
def test_where_there_is_no_spread_there_is_no_shape(values: list[Any]) -> None:
    with sources({"a": people(values), "empty": []}) as tres:
        (group,) = groups(ask(SUMMARY, tres, {"variable": "x"})[0])
    assert group["skewness"] is group["kurtosis"] is None
    assert (group["se"] is None) == (len(values) < 30)


def test_moments_that_no_double_holds_are_not_answered() -> None:
    with a_source(people([1e100, -1e100, 3.0])) as source, pytest.raises(Refused) as refused:
        released(SUMMARY, source, {"variable": "x"}, OPEN)
    assert refused.value.code == "not_answerable"


def test_a_merge_that_no_double_holds_has_no_shape_but_a_mean() -> None:
    def one(mean: float) -> Released:
        figures = {"n:[]": 12, "missing:[]": 0, "rows:[]": 12, "mean:[]": mean, "m2:[]": 8, "m3:[]": 1, "m4:[]": 9}
        return Released({"variable": "x", "by": [], "levels": {}, "one_row_a_person": True}, figures)

    (group,) = advanced({"a": one(0.0), "b": one(1e90)})
    assert group["mean"] == pytest.approx(5e89)
    assert is_suppressed(group["kurtosis"])
    with pytest.raises(Refused, match="form of this analysis"):
        advanced({"a": one(-1.7e308), "b": one(1.7e308)})


# ------------------------------------------------------------------------------------------------------------- attacks
@pytest.mark.parametrize("place", [0, 150, 450])
@pytest.mark.parametrize("common", [0.0, 7.0])
@pytest.mark.parametrize("marked", [1, 9])
def test_a_column_that_marks_few_people_has_no_mean(place: int, common: float, marked: int) -> None:
    """Attack 2: all but a few people have one value, and n is large."""
    values = [common] * 500
    values[place : place + marked] = [common + 1 + i for i in range(marked)]
    assert hidden(people(values)) == set(MOMENTS)


@pytest.mark.parametrize("outlier", [1e7, -1e7, -1e6])  # -1e6: most of the spread, not of the total
@pytest.mark.parametrize("place", [0, 450])
def test_one_person_who_carries_the_total_hides_it(place: int, outlier: float) -> None:
    """Attack 5."""
    values = np.random.default_rng(1).normal(1_000, 30, 500)
    values[place] = outlier
    assert hidden(people(values)) == set(MOMENTS)


def test_one_person_in_the_tail_hides_what_they_carry_and_no_more() -> None:
    values = np.random.default_rng(1).normal(0, 1, 500)
    values[7] = 12.0
    assert hidden(people(values)) == {"m4:[]"}
    with sources({"a": people(values), "b": people(np.random.default_rng(2).normal(0, 1, 80))}) as tres:
        (group,) = groups(ask(SUMMARY, tres, {"variable": "x"}, TEN)[0])
    assert group["pooled_over"] == ["a", "b"]
    assert group["kurtosis"] == UNKNOWN  # never of fewer TREs than the mean beside it
    assert isinstance(group["skewness"], float)


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        (2, set(MOMENTS)),
        (3, {"m2:[]", "m3:[]", "m4:[]"}),
        (4, {"m3:[]", "m4:[]"}),
        (5, {"m4:[]"}),
        (6, {"m4:[]"}),
        (9, set()),
    ],
)
def test_moments_of_a_few_valued_column_are_a_table_of_it(levels: int, told: set[str]) -> None:
    """Attack 12: n and four moments give the counts of up to five values, n and three those of four, and so on."""
    values = [float(i % (levels - 1)) for i in range(400)] + [float(levels - 1)] * 9
    if levels == 2:
        values += [0.0] * 50
    assert hidden(people(values)) == told
    assert hidden(people([*values, float(levels - 1)])) == set()


def test_a_column_of_two_values_in_equal_parts_has_its_moments() -> None:
    """No square of a deviation differs from another there."""
    assert hidden(people([0.0, 1.0] * 40)) == set()


def test_everybody_the_same_is_not_told() -> None:
    assert hidden(people([37.5] * 80)) == set(MOMENTS)


def test_many_rows_of_one_person_are_one_person() -> None:
    """Attack 13: a hundred rows differ from the commonest value, all of them one person's."""
    rows = [{"person": f"p{i}", "x": 0.0} for i in range(300)] + [{"person": "p7", "x": float(i)} for i in range(100)]
    assert hidden(rows, unit="person") == set(MOMENTS)
    many = [{"person": f"p{i}", "x": float(i % 50)} for i in range(300)]
    assert hidden(many, unit="person") == set()


def test_a_mask_in_one_group_leaves_the_other_alone() -> None:
    rows = people(np.random.default_rng(4).normal(size=60), sex="F") + people([0.0] * 59 + [5.0], sex="M")
    assert hidden(rows, by=["sex"]) == {f'{name}:["M"]' for name in ("mean", "m2", "m3", "m4")}


@pytest.mark.parametrize(
    ("name", "asked", "prefix"),
    [
        ("ttest", {"variable": "x"}, ""),
        ("ttest", {"variable": "x", "paired_with": "visits"}, ""),
        ("table_one", {"variables": ["x"]}, "x/"),
    ],
)
@pytest.mark.parametrize("attack", ["mask", "outlier", "few"])
def test_what_stands_on_a_mean_is_guarded_as_it_is(name: str, asked: dict[str, Any], prefix: str, attack: str) -> None:
    values = {
        "mask": [0.0] * 499 + [1.0],
        "outlier": [*np.random.default_rng(1).normal(1_000, 30, 499), 1e7],
        "few": [0.0, 1.0] * 200 + [2.0] * 9,
    }[attack]
    rows = [{**row, "visits": 0} for row in people(values)]
    fine = [{**row, "visits": i % 7} for i, row in enumerate(people(np.random.default_rng(2).normal(50, 9, 200)))]
    analysis = registry.get(name)
    for each, out in ((rows, False), (fine, True)):
        with a_source(each) as source:
            figures = released(analysis, source, asked, TEN).figures
        assert attack == "few" or is_suppressed(figures[f"{prefix}mean:[]"]) != out  # n and a mean tell two counts
        assert is_suppressed(figures[f"{prefix}m2:[]"]) != out
        assert f"{prefix}m3:[]" not in figures  # what a test does not need is not asked for


def test_a_group_of_an_analysis_of_variance_is_guarded_too() -> None:
    rows = people(np.random.default_rng(4).normal(size=90), drug="none") + people([0.0] * 59 + [5.0], drug="celecoxib")
    with a_source(rows) as source:
        figures = released(registry.get("anova"), source, {"variable": "x", "by": "drug"}, TEN).figures
    assert is_suppressed(figures['mean:["celecoxib"]'])
    assert not is_suppressed(figures['mean:["none"]'])


# ------------------------------------------------------------------------------------------------------ the whole road
def test_the_whole_road() -> None:
    generator = np.random.default_rng(9)
    parts = [generator.gamma(2.0, 5.0, 60) for _ in range(3)]
    with cinque.Federation.local(
        {f"tre{i}": {"x": values.tolist()} for i, values in enumerate(parts)}, appetite={"threshold": 5}
    ) as fed:
        answer = fed.summary("x")
    assert isinstance(answer, SummaryAnswer)
    found = answer["x"]
    pooled = np.concatenate(parts)
    assert found.skewness == pytest.approx(scipy.stats.skew(pooled))
    assert found.kurtosis == pytest.approx(scipy.stats.kurtosis(pooled))
    assert found.adjusted_skewness == pytest.approx(scipy.stats.skew(pooled, bias=False))
    assert found.adjusted_kurtosis == pytest.approx(scipy.stats.kurtosis(pooled, bias=False))
    assert found.se == pytest.approx(scipy.stats.sem(pooled))
    assert math.isclose(sum(found.ci) / 2, found.mean)
