"""What may be asked is settled before any data is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cinque.analyses import registry
from cinque.analyses.analysis import Released
from cinque.analyses.schema import parameter_schema
from cinque.analyses.work import next_step, parameters_of
from cinque.errors import NotFound, Refused
from cinque.lib.parse import json_schema
from cinque.model.datasets import Column
from tests.analyses import several_rounds
from tests.analyses.tres import a_dataset

DICTIONARY = a_dataset(
    columns=(
        *a_dataset().columns,
        Column("many", "text", levels=tuple(f"level {i}" for i in range(400))),
        Column("more", "text", levels=tuple(f"level {i}" for i in range(400))),
        Column("score", "number", levels=("1", "2")),
        *(Column(f"f{i}", "boolean") for i in range(9)),
    ),
    unit="person",
).dictionary()


@pytest.mark.parametrize(
    ("name", "parameters", "code"),
    [
        ("count", {"by": []}, "parameters-malformed"),
        ("count", {"where": 3}, "parameters-malformed"),
        ("count", {"where": "x >"}, "filter-syntax"),
        ("count", {"where": "height > 3"}, "filter-unknown-column"),
        ("count", {"where": "x"}, "filter-type"),
        ("count", {"where": "person == 'p1'"}, "column-identifying"),
        ("table", {}, "parameters-malformed"),
        ("table", {"factors": []}, "factor-missing"),
        ("table", {"factors": "sex"}, "parameters-malformed"),
        ("table", {"factors": ["x"]}, "factor-needs-levels"),
        ("table", {"factors": ["visits"]}, "factor-needs-levels"),
        ("table", {"factors": ["score"]}, "factor-needs-levels"),
        ("table", {"factors": ["sex", "sex"]}, "factor-twice"),
        ("table", {"factors": ["seks"]}, "unknown-column"),
        ("table", {"factors": ["person"]}, "column-identifying"),
        ("table", {"factors": ["many", "more"]}, "too-many-cells"),
        ("table", {"factors": [f"f{i}" for i in range(9)]}, "too-many-factors"),
        ("table", {"factors": ["sex"], "where": "person is missing"}, "column-identifying"),
        ("summary", {}, "parameters-malformed"),
        ("summary", {"variable": "sex"}, "not-numeric"),
        ("summary", {"variable": "smokes"}, "not-numeric"),
        ("summary", {"variable": "person"}, "column-identifying"),
        ("summary", {"variable": "x", "by": ["visits"]}, "factor-needs-levels"),
        ("summary", {"variable": "x", "by": ["many", "sex", "f0", "f1", "f2", "f3", "f4"]}, "too-many-cells"),
        ("summary", {"variable": "x", "where": "y > 1"}, "filter-unknown-column"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(name: str, parameters: Any, code: str) -> None:
    analysis = registry.get(name)
    with pytest.raises(Refused) as caught:
        analysis.check(parameters_of(analysis, parameters), DICTIONARY)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "parameters", "columns"),
    [
        ("count", {}, set()),
        ("count", {"where": "x > 3 and `sex` == 'F'"}, {"x", "sex"}),
        ("table", {"factors": ["sex", "smokes"], "where": "visits > 3"}, {"sex", "smokes", "visits"}),
        ("summary", {"variable": "x", "by": ["sex"], "where": "drug is missing"}, {"x", "sex", "drug"}),
    ],
)
def test_an_agreement_can_see_every_column(name: str, parameters: Any, columns: set[str]) -> None:
    analysis = registry.get(name)
    value = parameters_of(analysis, parameters)
    analysis.check(value, DICTIONARY)
    assert analysis.columns(value) == columns


@pytest.mark.parametrize("name", registry.names())
def test_the_published_schema_is_that_of_the_parser(name: str) -> None:
    ours, theirs = (schema(registry.get(name).parameters) for schema in (parameter_schema, json_schema))
    assert set(ours["required"]) == set(theirs.get("required", ()))
    assert ours["additionalProperties"] is theirs["additionalProperties"] is False
    for field, theirs_of in theirs["properties"].items():
        same = {key: value for key, value in theirs_of.items() if key not in ("title", "description")}
        assert {key: value for key, value in ours["properties"][field].items() if key != "description"} == same


def test_an_unknown_analysis_names_the_nearest() -> None:
    with pytest.raises(NotFound, match="Did you mean `count`"):
        registry.get("cuont")


def test_a_name_belongs_to_one_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "REGISTRY", dict(registry.REGISTRY))
    registry.register(several_rounds.ANALYSIS)
    registry.register(several_rounds.ANALYSIS)
    assert registry.get("median-interval") is several_rounds.ANALYSIS
    registry.REGISTRY["median-interval"] = registry.get("count")
    with pytest.raises(ValueError, match="median-interval"):
        registry.register(several_rounds.ANALYSIS)


def test_no_round_follows_the_last() -> None:
    count = registry.get("count")
    with pytest.raises(Refused, match="no round after these 1"):
        next_step(count, parameters_of(count, {}), [{"north": Released({}, {"people": 12, "rows": 12})}])


def test_members_are_fixed_in_round_one() -> None:
    median = several_rounds.ANALYSIS
    parameters = parameters_of(median, {"variable": "x", "low": 0, "high": 8})
    one = Released({"splits": [[0, 4, 8]]}, {"in:[0,8]": 40, "in:[0,4]": 20, "in:[4,8]": 20})
    assert next_step(median, parameters, [{"a": one, "b": one}]).round == 2
    with pytest.raises(Refused, match="fixed in its first round"):
        next_step(median, parameters, [{"a": one, "b": one}, {"a": one}])


FIGURES = {"n:[]": 12, "missing:[]": 0, "rows:[]": 12, "mean:[]": 3.5, "m2:[]": 8, "m3:[]": -1.5, "m4:[]": 9}


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {**FIGURES, "extra": 1},
        {**FIGURES, "n:[]": 12.5},
        {**FIGURES, "n:[]": -1},
        {**FIGURES, "n:[]": "12"},
        {**FIGURES, "n:[]": None},
        {**FIGURES, "n:[]": {"suppressed": True}},
        {**FIGURES, "n:[]": {"suppressed": True, "at_least": 9, "at_most": 0}},
        {**FIGURES, "mean:[]": "3"},
        {**FIGURES, "mean:[]": None},
        {**FIGURES, "m2:[]": -1},
        {**FIGURES, "m3:[]": "3"},
        {**FIGURES, "m3:[]": None},
        {**FIGURES, "m4:[]": -1},
        {**FIGURES, "m4:[]": [9.0]},
        {**FIGURES, "m4:[]": True},
        {name: each for name, each in FIGURES.items() if name != "m4:[]"},
    ],
)
def test_what_a_tre_says_it_released_is_read_with_care(figures: dict[str, Any]) -> None:
    summary = registry.get("summary")
    parameters = parameters_of(summary, {"variable": "x"})
    shape = {"variable": "x", "by": [], "levels": {}}
    assert summary.advance(parameters, [{"north": Released(shape, FIGURES)}]).values["groups"][0]["n"] == 12
    with pytest.raises(Refused, match=r"form of this analysis|released figure"):
        summary.advance(parameters, [{"north": Released(shape, figures)}])


@pytest.mark.parametrize("levels", [None, [], {}, {"sex": "FM"}, {"sex": ["F", "F"]}, {"sex": [1]}, {"age": ["F"]}])
def test_levels_that_are_none_are_refused(levels: Any) -> None:
    table = registry.get("table")
    released = Released({"factors": ["sex"], "levels": levels}, {"n": 0, "missing": 0})
    with pytest.raises(Refused, match="form of this analysis"):
        table.advance(parameters_of(table, {"factors": ["sex"]}), [{"north": released}])


def test_rounds_are_capped_whatever_the_analysis_wants() -> None:
    median = several_rounds.ANALYSIS
    parameters = parameters_of(median, {"variable": "x", "low": 0, "high": 8})
    one = Released({"splits": [[0, 4, 8]]}, {"in:[0,8]": 40, "in:[0,4]": 20, "in:[4,8]": 20})
    with pytest.raises(Refused, match="no round after these 1"):
        next_step(replace(median, rounds=1), parameters, [{"a": one}])
