"""The answers are those of the pooled data, however it is split, and say what is not known."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinque.analyses import count, summary, table
from cinque.analyses.factors import by_cell
from cinque.errors import Refused
from cinque.model.datasets import Column
from cinque.query.source import Group
from cinque.sdc.figures import is_suppressed
from cinque.sdc.interval import bounds_of
from tests.analyses import several_rounds
from tests.analyses.tres import COLUMNS, TEN, TEN_AND_ZEROS, Row, a_source, ask, released, sources

ANALYSES: dict[str, Any] = {a.name: a for a in (count.ANALYSIS, table.ANALYSIS, summary.ANALYSIS)}
ASKED: dict[str, dict[str, Any]] = {
    "count": {},
    "table": {"factors": ["sex"]},
    "summary": {"variable": "x", "by": ["sex"]},
}

SEX, DRUG = ("F", "M"), ("celecoxib", "diclofenac", "none")

rows = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.integers(1, 30).map(lambda i: f"p{i}"),
            "sex": st.sampled_from([*SEX, None]),
            "drug": st.sampled_from([*DRUG, None]),
            "smokes": st.sampled_from([True, False, None]),
            "x": st.one_of(st.none(), st.floats(-1e6, 1e6, allow_subnormal=False)),
            "visits": st.one_of(st.none(), st.integers(0, 1000)),
        }
    ),
    max_size=60,
)


def split(data: Sequence[Row], parts: int, seed: int) -> dict[str, list[Row]]:
    """Each person's rows in one TRE, some TREs maybe empty, in an order of their own."""
    chance = random.Random(seed)
    names = [f"tre{i}" for i in range(parts)]
    home = {row["person"]: chance.choice(names) for row in data}
    chance.shuffle(names)
    tres: dict[str, list[Row]] = {name: [] for name in names}
    for row in chance.sample(data, len(data)):
        tres[home[row["person"]]].append(row)
    return tres


def people(data: Sequence[Row], unit: str | None) -> int:
    return len(data) if unit is None else len({row["person"] for row in data})


@given(data=rows, parts=st.integers(2, 10), seed=st.integers(0, 99), unit=st.sampled_from([None, "person"]))
@settings(max_examples=12)
def test_split_data_gives_the_pooled_answer(data: list[Row], parts: int, seed: int, unit: str | None) -> None:
    with sources(split(data, parts, seed), unit) as tres:
        counted, _ = ask(count.ANALYSIS, tres, {"where": "smokes"})
        tabled, _ = ask(table.ANALYSIS, tres, {"factors": ["sex", "drug"]})
        summed, _ = ask(summary.ANALYSIS, tres, {"variable": "x", "by": ["sex"]})
    smokers = [row for row in data if row["smokes"]]
    assert (counted.values["people"], counted.values["rows"]) == (people(smokers, unit), len(smokers))

    complete = [row for row in data if row["sex"] and row["drug"]]
    assert {tuple(cell["levels"]): cell["people"] for cell in tabled.values["cells"]} == {
        cell: people([row for row in complete if (row["sex"], row["drug"]) == cell], unit)
        for cell in product(SEX, DRUG)
    }
    assert {(m["factor"], m["level"]): m["people"] for m in tabled.values["margins"]} == {
        (factor, level): people([row for row in complete if row[factor] == level], unit)
        for factor, levels in (("sex", SEX), ("drug", DRUG))
        for level in levels
    }
    assert tabled.values["n"] == people(complete, unit)
    assert tabled.values["missing"] == people([row for row in data if row not in complete], unit)

    for group in summed.values["groups"]:
        of_group = [row for row in data if [row["sex"]] == group["levels"]]
        present = [row for row in of_group if row["x"] is not None]
        assert group["n"] == people(present, unit)
        assert group["rows"] == len(present)
        assert group["missing"] == people([row for row in of_group if row["x"] is None], unit)
        xs = [row["x"] for row in present]
        scale = max([1.0, *map(abs, xs)])
        assert_close(group["mean"], statistics.fmean(xs) if xs else None, 1e-12 * scale)
        spread = statistics.variance(xs) if len(xs) > 1 else None
        assert_close(group["variance"], spread, 1e-9 * (spread or 0) + 1e-12 * scale**2)
        assert_close(group["sd"], math.sqrt(spread) if spread is not None else None, 1e-6 * scale)
    assert summed.values["ungrouped"] == people([row for row in data if row["sex"] is None], unit)
    assert {counted.exactness, tabled.exactness, summed.exactness} == {"exact"}


def assert_close(found: Any, expected: float | None, tolerance: float) -> None:
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected, rel=1e-9, abs=tolerance)


def test_people_are_counted_not_rows() -> None:
    data = [{"person": f"p{i % 3}", "sex": "F" if i < 6 else "M", "x": i} for i in range(60)]
    with sources({"north": data}, "person") as tres:
        values = ask(count.ANALYSIS, tres, {})[0].values
        assert (values["people"], values["rows"]) == (3, 60)
        tabled = ask(table.ANALYSIS, tres, {"factors": ["sex"]})[0].values
        assert ([cell["people"] for cell in tabled["cells"]], tabled["n"]) == ([3, 3], 3)
        for analysis, parameters in ASKED.items():
            for value in released(ANALYSES[analysis], tres["north"], parameters, TEN).figures.values():
                assert is_suppressed(value)


@given(data=rows, seed=st.integers(0, 99), unit=st.sampled_from([None, "person"]), zeros=st.booleans())
@settings(max_examples=12)
def test_bounds_contain_the_truth(data: list[Row], seed: int, unit: str | None, zeros: bool) -> None:
    appetite = TEN_AND_ZEROS if zeros else TEN
    with sources(split(data, 3, seed), unit) as tres:
        for name, parameters in (
            ("count", {"where": "smokes"}),
            ("table", {"factors": ["sex", "drug"]}),
            ("summary", {"variable": "visits", "by": ["sex"]}),
        ):
            truth, _ = ask(ANALYSES[name], tres, parameters)
            said, (members,) = ask(ANALYSES[name], tres, parameters, appetite)
            anything = any(is_suppressed(f) for each in members.values() for f in each.figures.values())
            assert said.exactness == ("bounded" if anything else "exact")
            assert_contains(said.values, truth.values)


def assert_contains(said: Any, truth: Any) -> None:
    if is_suppressed(said):
        low, high = bounds_of(said)
        assert truth is None or ((low is None or low <= truth) and (high is None or truth <= high))
    elif isinstance(said, dict):
        for key in said.keys() - {"mean", "variance", "sd", "se", "ci", "skewness", "kurtosis", "pooled_over"}:
            assert_contains(said[key], truth[key])
    elif isinstance(said, list):
        for one, other in zip(said, truth, strict=True):
            assert_contains(one, other)
    else:
        assert said == truth


def test_moments_are_pooled_over_those_who_released_theirs_and_say_so() -> None:
    large = [{"person": f"a{i}", "x": i} for i in range(20)]
    small = [{"person": f"b{i}", "x": 1000 + i} for i in range(5)]
    with sources({"north": large, "south": small}) as tres:
        result, _ = ask(summary.ANALYSIS, tres, {"variable": "x"}, TEN)
    (group,) = result.values["groups"]
    assert result.exactness == "bounded"
    assert group["pooled_over"] == ["north"]
    assert group["mean"] == pytest.approx(9.5)
    assert group["variance"] == pytest.approx(35)  # of 0..19
    assert group["n"] == {"suppressed": True, "at_least": 20, "at_most": 29}


def test_moments_nobody_released_are_suppressed_not_absent() -> None:
    with sources({"north": [{"person": "a", "x": 3}]}) as tres:
        (group,) = ask(summary.ANALYSIS, tres, {"variable": "x"}, TEN)[0].values["groups"]
    unknown = {"suppressed": True, "at_least": None, "at_most": None}
    assert [group["mean"], group["variance"], group["sd"]] == [unknown] * 3
    assert group["pooled_over"] == []


def test_a_level_that_a_tre_does_not_declare_is_zero_there() -> None:
    other = tuple(Column("drug", "text", levels=("none", "ibuprofen")) if c.name == "drug" else c for c in COLUMNS)
    with (
        a_source([{"drug": "celecoxib"}, {"drug": "none"}]) as north,
        a_source([{"drug": "ibuprofen"}, {"drug": "none"}], other) as south,
    ):
        result, _ = ask(table.ANALYSIS, {"south": south, "north": north}, {"factors": ["drug"]})
    assert {cell["levels"][0]: cell["people"] for cell in result.values["cells"]} == {
        "celecoxib": 1,
        "diclofenac": 0,
        "none": 2,
        "ibuprofen": 1,
    }
    assert result.values["levels"] == {"drug": ["celecoxib", "diclofenac", "none", "ibuprofen"]}
    assert result.values["per_tre"]["south"]["levels"] == {"drug": ["none", "ibuprofen"]}


@pytest.mark.parametrize("unit", [None, "person"])
def test_everything_missing_and_nobody_at_all(unit: str | None) -> None:
    with sources({"empty": [], "missing": [{"person": f"p{i}"} for i in range(12)]}, unit) as tres:
        assert ask(count.ANALYSIS, tres, {})[0].values["people"] == 12
        tabled = ask(table.ANALYSIS, tres, {"factors": ["sex", "smokes"]})[0].values
        assert (tabled["n"], tabled["missing"]) == (0, 12)
        assert {cell["people"] for cell in tabled["cells"]} == {0}
        (group,) = ask(summary.ANALYSIS, tres, {"variable": "x"})[0].values["groups"]
        assert (group["n"], group["missing"], group["mean"], group["sd"]) == (0, 12, None, None)
        # Neither emptiness nor its absence can be told from what an appetite that suppresses zeros lets out.
        for analysis, parameters in ASKED.items():
            out = released(ANALYSES[analysis], tres["empty"], parameters, TEN)
            assert all(is_suppressed(value) for value in out.figures.values())


def test_hostile_names_are_only_names() -> None:
    column = 'x"; DROP TABLE data; --'
    level = "'; SELECT * FROM data; --\"]"
    columns = (Column(column, "text", levels=(level, "a,b", 'cell:["a,b"]')), Column('n:["a"]', "number"))
    data: list[Row] = [{column: level, 'n:["a"]': 1}, {column: "a,b", 'n:["a"]': 3}, {column: "a,b", 'n:["a"]': 5}]
    with a_source(data, columns) as source:
        tabled = ask(table.ANALYSIS, {"t": source}, {"factors": [column]})[0].values
        summed = ask(summary.ANALYSIS, {"t": source}, {"variable": 'n:["a"]', "by": [column]})[0].values
    assert [cell["people"] for cell in tabled["cells"]] == [1, 2, 0]
    assert [group["mean"] for group in summed["groups"]] == [1, 4, None]


def test_a_level_found_only_in_the_data_is_refused_without_cause() -> None:
    columns = (Column("sex", "text", levels=("F", "M")), Column("x", "number"))
    with a_source([{"sex": "F"}, {"sex": "Jane Doe, 1 High Street"}], columns) as source:
        for name in ("table", "summary"):
            with pytest.raises(Refused) as caught:
                released(ANALYSES[name], source, ASKED[name])
            assert caught.value.code == "not_answerable"
            assert "Jane" not in str(caught.value)


def test_several_rounds_enclose_the_pooled_median() -> None:
    chance = random.Random(3)
    data: list[Row] = [{"person": f"p{i}", "x": chance.uniform(0, 100)} for i in range(400)]
    with sources(split(data, 3, 5)) as tres:
        result, history = ask(several_rounds.ANALYSIS, tres, {"variable": "x", "low": 0, "high": 128}, TEN)
    median = sorted(row["x"] for row in data)[199]
    assert 3 <= len(history) <= several_rounds.ROUNDS
    assert result.values["at_least"] <= median < result.values["below"]
    assert result.values["n"] == 400
    for one in history[:-1]:  # only the last round may find something too small
        assert not any(is_suppressed(value) for member in one.values() for value in member.figures.values())


def test_several_rounds_end_where_a_count_becomes_small() -> None:
    data = [{"person": f"p{i}", "x": i} for i in range(64)]
    with sources({"north": data, "south": data}) as tres:
        result, history = ask(several_rounds.ANALYSIS, tres, {"variable": "x", "low": 0, "high": 64}, TEN)
    # Halves hold 32, 16 and 8 people at each TRE; 8 are too few.
    assert len(history) == 3
    assert (result.values["at_least"], result.values["below"]) == (16, 32)


def test_somebody_with_several_rows_is_one_in_every_total() -> None:
    data: list[Row] = [
        {"person": "p1", "sex": "F", "drug": "celecoxib"},
        {"person": "p1", "sex": "F", "drug": "none"},
        {"person": "p1", "drug": "celecoxib"},
        {"person": "p1", "drug": "none"},
        {"person": "p2", "sex": "F", "drug": "none"},
    ]
    with sources({"north": data}, "person") as tres:
        values = ask(table.ANALYSIS, tres, {"factors": ["sex", "drug"]})[0].values
    assert (values["n"], values["missing"]) == (2, 1)
    assert {m["level"]: m["people"] for m in values["margins"] if m["people"]} == {"F": 2, "celecoxib": 1, "none": 2}


def test_no_engine_can_bring_in_a_label() -> None:
    found = [Group(("F",), 3, 3, {}), Group((None,), 2, 2, {})]
    assert by_cell(found, [("F",), ("M",)]) == ({("F",): found[0]}, [found[1]])
    with pytest.raises(Refused) as caught:
        by_cell([*found, Group(("Jane Doe",), 1, 1, {})], [("F",), ("M",)])
    assert caught.value.code == "not_answerable"
    assert "Jane" not in str(caught.value)
