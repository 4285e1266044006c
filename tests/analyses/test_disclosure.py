"""What leaves is what was judged, and nothing else."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinque.analyses import count, registry, summary, table
from cinque.analyses.analysis import Partial, Step, apply
from cinque.analyses.registry import SHIPPED
from cinque.analyses.work import parameters_of, released_bytes, work
from cinque.lib.canonical import strict_loads
from cinque.sdc.figures import Bounds, Figure, Figures, Judgement
from cinque.sdc.judge import judge
from tests.analyses import several_rounds
from tests.analyses.tres import TEN, TEN_AND_ZEROS, Row, a_dataset, a_source

QUESTIONS: dict[str, dict[str, Any]] = {
    "count": {"where": "visits > 3"},
    "table": {"factors": ["sex", "drug", "smokes"]},
    "summary": {"variable": "x", "by": ["sex"]},
    "chi2": {"factors": ["sex", "drug"]},
    "fisher": {"factors": ["sex", "smokes"]},
    "cmh": {"exposure": "smokes", "outcome": "sex", "strata": ["drug"]},
    "ttest": {"variable": "x", "by": "sex"},
    "anova": {"variable": "x", "by": "drug"},
    "cov": {"variables": ["x", "visits"]},
    "corr": {"variables": ["visits", "x"]},
    "histogram": {"variable": "x", "bins": 8, "low": 10.0, "high": 90.0, "by": ["sex"]},
    "missing": {"variables": ["sex", "drug", "x"]},
    "quantiles": {"variable": "x", "probabilities": [0.25, 0.5], "low": 0.0, "high": 100.0, "precision": 1.0},
    "table_one": {"variables": ["x", "drug"], "by": ["sex"], "factors": ["drug"]},
    "lm": {"formula": "x ~ visits + drug", "levels": [["drug", "celecoxib", "diclofenac", "none"]]},
    "glm": {
        "formula": "smokes ~ visits + drug",
        "family": "binomial",
        "levels": [["drug", "celecoxib", "diclofenac", "none"], ["smokes", "false", "true"]],
    },
    "roc": {
        "formula": "smokes",
        "score": "x",
        "low": 0.0,
        "high": 100.0,
        "bins": 8,
        "levels": [["smokes", "false", "true"]],
    },
    "km": {"time": "x", "event": "smokes", "by": "sex", "grid": 25.0, "until": 100.0},
    "logrank": {"time": "x", "event": "smokes", "by": "sex"},
    "cox": {"formula": "Surv(x, smokes) ~ visits"},
    "median-interval": {"variable": "x", "low": 0.0, "high": 100.0},
}
# and refuse others
ONE_ROW_A_PERSON = {"median-interval", "lm", "glm", "chi2", "fisher", "cmh", "ttest", "anova", "cov", "corr"}
ONE_ROW_A_PERSON |= {"km", "logrank", "cox", "roc"}
EVERY = {name: registry.get(name) for name in SHIPPED} | {"median-interval": several_rounds.ANALYSIS}


def test_there_is_a_question_for_every_analysis() -> None:
    assert EVERY.keys() == QUESTIONS.keys()


def some_rows(seed: int, size: int) -> list[Row]:
    chance = random.Random(seed)
    return [
        {
            "person": f"p{chance.randrange(size)}",
            "sex": chance.choice(["F", "M", None]),
            "drug": chance.choice(["celecoxib", "diclofenac", "none", None]),
            "smokes": chance.choice([True, False]),
            "x": chance.uniform(0, 100),
            "visits": chance.randrange(10),
        }
        for _ in range(size)
    ]


@given(name=st.sampled_from(sorted(EVERY)), seed=st.integers(0, 99), size=st.integers(0, 80), persons=st.booleans())
@settings(max_examples=25)
def test_every_value_is_judged_and_nothing_else_leaves(name: str, seed: int, size: int, persons: bool) -> None:
    analysis = EVERY[name]
    parameters = parameters_of(analysis, QUESTIONS[name])
    if analysis.agree is not None:
        parameters = analysis.agree(parameters, {"here": a_dataset().dictionary()})
    with (
        a_source(some_rows(seed, size), unit="person" if persons and name not in ONE_ROW_A_PERSON else None) as source,
        a_source([]) as empty,
    ):
        step = analysis.first(parameters)
        partial, judgement, released = work(analysis, source, parameters, step, TEN_AND_ZEROS)
        nobody = analysis.partial(empty, parameters, step)
    figures = analysis.figures(parameters, partial)
    assert {figure.id for figure in figures.figures} == partial.values.keys() == released.figures.keys()
    assert judgement == judge(figures, TEN_AND_ZEROS)

    out = strict_loads(released_bytes(released))
    assert out.keys() == {"shape", "figures"}
    # The shape, and which figures there are, follow from question and dictionary: rows change neither.
    assert nobody.values.keys() == partial.values.keys()
    assert nobody.shape.keys() == partial.shape.keys()
    differing = {key for key in partial.shape if nobody.shape[key] != partial.shape[key]}
    assert differing <= ({"one_row_a_person"} if persons else set())
    for id, value in out["figures"].items():
        if id in judgement.suppressed:
            assert value == judgement.suppressed[id].to_dict()
        else:
            assert value == partial.values[id]


def test_evidence_never_leaves() -> None:
    partial = Partial({}, {"people": 12}, {"people": {"people": 12}, "largest": "ZZZ-9.75"})
    judged = Figures((Figure("people", "Frequencies", 12),))
    assert b"ZZZ" not in released_bytes(apply(partial, judged, judge(judged, TEN)))


PEOPLE = Figure("people", "Frequencies", 12)


@pytest.mark.parametrize(
    ("values", "figures", "suppressed"),
    [
        ({"people": 12, "extra": 3}, (PEOPLE,), {}),
        ({}, (PEOPLE,), {}),
        ({"people": 11}, (PEOPLE,), {}),
        ({"people": 12.0}, (PEOPLE,), {}),
        ({"people": True}, (replace(PEOPLE, people=1),), {}),
        ({"people": 12, "rows": 14}, (PEOPLE, Figure("rows", "Frequencies", 12, "rows", "people", 13)), {}),
        ({"people": 12}, (PEOPLE,), {"other": Bounds(0, 9)}),
    ],
    ids=["unjudged", "without value", "other number", "not whole", "not a number", "other rows", "unknown verdict"],
)
def test_what_was_not_judged_stops_everything(
    values: dict[str, Any], figures: tuple[Figure, ...], suppressed: dict[str, Bounds]
) -> None:
    with pytest.raises(ValueError, match="judged"):
        apply(Partial({}, values, {}), Figures(figures), Judgement(suppressed))


def test_the_rows_of_few_people_are_not_people() -> None:
    rows: list[Row] = [{"person": f"p{i % 9}", "x": i} for i in range(900)]
    with a_source(rows, unit="person") as source:
        _, judgement, released = work(count.ANALYSIS, source, count.Count(), count.ANALYSIS.first(count.Count()), TEN)
    assert judgement.suppressed.keys() == {"people", "rows"}
    assert b"900" not in released_bytes(released)


def test_a_small_cell_cannot_be_had_by_subtraction() -> None:
    # 3 men on celecoxib: alone suppressed, they were n minus the rest, or a margin minus the other cell.
    rows: list[Row] = [
        *({"person": f"a{i}", "sex": "F", "drug": "celecoxib"} for i in range(40)),
        *({"person": f"b{i}", "sex": "M", "drug": "celecoxib"} for i in range(3)),
        *({"person": f"c{i}", "sex": "F", "drug": "diclofenac"} for i in range(30)),
        *({"person": f"d{i}", "sex": "M", "drug": "diclofenac"} for i in range(20)),
        *({"person": f"e{i}", "sex": "F", "drug": "none"} for i in range(35)),
        *({"person": f"f{i}", "sex": "M", "drug": "none"} for i in range(25)),
    ]
    parameters = table.Table(("sex", "drug"))
    with a_source(rows) as source:
        _, judgement, _ = work(table.ANALYSIS, source, parameters, table.ANALYSIS.first(parameters), TEN)
    hidden = {id for id in judgement.suppressed if id.startswith(("cell", "margin", "n"))}
    assert 'cell:["M","celecoxib"]' in hidden
    assert len(hidden) >= 4  # a rectangle, or lines with their totals
    bounds = judgement.suppressed['cell:["M","celecoxib"]']
    assert bounds.at_least == 0
    assert bounds.at_most is not None
    assert bounds.at_most >= 9


def test_rows_that_are_people_do_not_give_a_small_group_away() -> None:
    rows: list[Row] = [{"sex": "F", "x": i} for i in range(4)]
    parameters = summary.Summary("x", ("sex",))
    with a_source(rows) as source:
        _, judgement, released = work(summary.ANALYSIS, source, parameters, summary.ANALYSIS.first(parameters), TEN)
    assert judgement.suppressed['rows:["F"]'] == judgement.suppressed['n:["F"]'] == Bounds(0, 9)
    assert judgement.suppressed['mean:["F"]'] == judgement.suppressed['m2:["F"]'] == Bounds(None, None)
    assert released.shape["levels"] == {"sex": ["F", "M"]}


@pytest.mark.parametrize(("present", "missing", "leaves"), [(4, 30, False), (30, 4, True)])
def test_a_mean_shares_the_fate_of_those_who_have_a_value(present: int, missing: int, leaves: bool) -> None:
    rows: list[Row] = [{"x": i} for i in range(present)] + [{"x": None}] * missing
    parameters = summary.Summary("x")
    with a_source(rows) as source:
        _, judgement, _ = work(summary.ANALYSIS, source, parameters, summary.ANALYSIS.first(parameters), TEN)
    moments = {f"{name}:[]" for name in summary.MOMENTS}
    assert judgement.suppressed.keys() == ({"missing:[]"} if leaves else {"n:[]", "rows:[]", *moments})


SUBTRACTIONS: list[tuple[str, dict[str, Any]]] = [
    ("count", {}),
    ("table", {"factors": ["drug"]}),
    ("table", {"factors": ["sex", "drug"]}),
    ("summary", {"variable": "x"}),
    ("summary", {"variable": "x", "by": ["sex"]}),
    ("median-interval", {"variable": "x", "low": 0.0, "high": 90.0}),
    ("roc", {"formula": "visits", "score": "x", "low": 0.0, "high": 100.0, "bins": 4}),
]


@pytest.mark.parametrize("unit", [None, "person"])
@pytest.mark.parametrize(("name", "asked"), SUBTRACTIONS)
def test_every_subtraction_that_always_works_is_declared(name: str, asked: dict[str, Any], unit: str | None) -> None:
    """Linear identities that hold between the counts of an answer in all of many populations, found without knowing the
    analysis, are those that its sums imply: an attacker knows none that disclosure control does not.
    """
    if name in ONE_ROW_A_PERSON and unit is not None:
        return
    analysis = EVERY[name]
    parameters = parameters_of(analysis, asked)
    populations, counts, declared = [], [], Figures(())
    for seed in range(20):
        rows = [{**row, "x": row["x"] if i % 3 else None} for i, row in enumerate(some_rows(seed, 150 + seed))]
        with a_source(rows, unit=unit) as source:
            partial = analysis.partial(source, parameters, analysis.first(parameters))
        declared = analysis.figures(parameters, partial)
        counts = [figure.id for figure in declared.figures if figure.kind != "other"]
        populations.append([partial.values[id] for id in counts])
    identities = len(counts) - np.linalg.matrix_rank(np.array(populations, float))
    sums = [
        [(id in relation.parts) - (id == relation.total) for id in counts]
        for relation in declared.relations
        if relation.kind == "sum"
    ]
    assert (np.linalg.matrix_rank(np.array(sums, float)) if sums else 0) == identities
    assert (identities > 0) == (unit is None)


def test_tables_of_rows_know_the_same_totals() -> None:
    """Where people have several rows, totals are no sums, but are still bound by their parts, margins included."""
    asked = table.Table(("sex", "smokes"))
    found = {}
    for unit in (None, "person"):
        with a_source([], unit=unit) as source:
            relations = table.ANALYSIS.figures(asked, table.ANALYSIS.partial(source, asked, Step(1, {}))).relations
        assert {relation.kind for relation in relations} == {"union" if unit else "sum"}
        found[unit] = {(relation.total, relation.parts) for relation in relations}
    assert found[None] == found["person"]
    assert ("n", ('margin:["sex","F"]', 'margin:["sex","M"]')) in found["person"]
    assert ("n", ('margin:["smokes","false"]', 'margin:["smokes","true"]')) in found["person"]
    assert ('margin:["sex","F"]', ('cell:["F","false"]', 'cell:["F","true"]')) in found["person"]
    assert len(found["person"]) == 7  # n of cells, four margins of cells, n of each factor's margins


def test_answers_can_be_combined_without_an_engine() -> None:
    """The researcher's side combines: no database, no solver, no server behind it."""
    code = "import sys, cinque.analyses.registry, cinque.analyses.work, cinque.analyses.package; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"duckdb", "scipy", "sqlalchemy", "pyarrow", "sqlglot", "fastapi"} & set(loaded)
