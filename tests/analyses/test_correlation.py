"""cov and corr over TREs: the matrices of the pooled rows, and what may not leave."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import cinque
from cinque.analyses import registry
from cinque.analyses.analysis import Released
from cinque.errors import Refused
from tests.analyses.tres import OPEN, TEN, a_source, ask, released, sources

COV, CORR = registry.get("cov"), registry.get("corr")
BOTH = {"variables": ["x", "visits"]}


def rows(n: int, seed: int, shift: float = 0.0) -> list[dict[str, Any]]:
    r = random.Random(seed)
    found = []
    for i in range(n):
        visits = r.randrange(30)
        x = None if r.random() < 0.1 else shift + 0.3 * visits + r.gauss(0, 4)
        found.append({"person": str(i), "sex": r.choice(["F", "M"]), "x": x, "visits": visits})
    return found


def complete(every: list[dict[str, Any]]) -> Any:
    return np.array([(row["x"], row["visits"]) for row in every if row["x"] is not None]).T


@settings(max_examples=4)
@given(st.integers(2, 10), st.integers(0, 10_000), st.sampled_from([0.0, 1e6]))
def test_however_the_rows_are_split_the_matrix_is_that_of_all(parts: int, seed: int, shift: float) -> None:
    every = rows(150, seed, shift)
    split = {f"tre{i}": every[i::parts] for i in range(parts)}
    with sources(split) as tres:
        cov, history = ask(COV, tres, BOTH)
        corr, _ = ask(CORR, tres, BOTH)
    x, y = complete(every)
    expected = np.cov(x - shift, y)
    assert cov.values["cov"]["x"]["visits"] == pytest.approx(expected[0, 1], rel=1e-9)
    assert cov.values["cov"]["x"]["x"] == pytest.approx(expected[0, 0], rel=1e-9)
    r = scipy.stats.pearsonr(x - shift, y)
    assert corr.values["corr"]["visits"]["x"] == pytest.approx(r.statistic, rel=1e-9)
    assert corr.values["p"]["x"]["visits"] == pytest.approx(r.pvalue, rel=1e-7)
    assert corr.values["confint"]["x"]["visits"] == pytest.approx(list(r.confidence_interval()), rel=1e-8)
    assert (corr.values["n"], corr.values["missing"]) == (len(x), 150 - len(x))
    assert cov.exactness == corr.exactness == "exact"
    backwards = [dict(reversed(list(part.items()))) for part in history]
    assert COV.advance(COV.parameters(("x", "visits")), backwards) == cov


def test_a_tre_under_the_threshold_is_left_out() -> None:
    split = {"large": rows(200, 1), "small": rows(8, 2), "empty": []}
    with sources(split) as tres:
        found, _ = ask(CORR, tres, BOTH, TEN)
    expected = scipy.stats.pearsonr(*complete(split["large"]))
    assert found.values["pooled_over"] == ["large"]
    assert found.values["corr"]["x"]["visits"] == pytest.approx(expected.statistic)
    assert found.values["n"]["at_least"] <= len(complete(split["large"])[0]) + len(complete(split["small"])[0])
    assert "corr" not in found.values["per_tre"]["small"]
    assert found.exactness == "bounded"


def test_nobody_and_a_column_that_is_missing_throughout() -> None:
    gone = [{**row, "x": None} for row in rows(40, 1)]
    with sources({"a": gone, "b": []}) as tres:
        nothing, _ = ask(CORR, tres, BOTH)
    assert nothing.values["corr"]["x"]["visits"] is None
    assert "nobody" in nothing.values["reason"]
    with sources({"a": gone, "b": rows(40, 2)}) as tres:
        found, _ = ask(CORR, tres, BOTH)
    assert found.values["corr"]["x"]["visits"] == pytest.approx(scipy.stats.pearsonr(*complete(rows(40, 2))).statistic)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda i, row: {**row, "x": 0.0 if i else 1.0}, id="one person's x alone"),
        pytest.param(lambda i, row: {**row, "x": row["x"] if i else 1e7}, id="an outlier dominates"),
        pytest.param(lambda i, row: {**row, "x": i % 2, "visits": 1 if i in (0, 2, 4) else 0}, id="3 people of a pair"),
    ],
)
def test_sums_that_tell_of_few_people_do_not_leave(change: Any) -> None:
    every = [change(i, {**row, "x": row["x"] or 3.0}) for i, row in enumerate(rows(200, 3))]
    with a_source(every) as source:
        judged = released(CORR, source, BOTH, TEN)
        unguarded = released(CORR, source, BOTH, OPEN)
    assert judged.figures["n"] == 200
    assert judged.figures["cross"]["suppressed"]
    assert judged.figures["means"]["suppressed"]
    assert isinstance(unguarded.figures["cross"], list)


def test_too_many_numbers_for_the_people() -> None:
    with a_source(rows(14, 5)) as source:
        assert released(COV, source, BOTH, TEN).figures["cross"]["suppressed"]


@pytest.mark.parametrize(
    "figures",
    [
        {"cross": [1.0, 2.0]},
        {"cross": [-1.0, 0.0, 1.0]},
        {"means": [1.0, "2"]},
        {"means": [1.0, True]},
        {"n": -3},
        {"n": {"suppressed": True, "at_least": 0, "at_most": 9}},
        {"extra": 3},
    ],
)
def test_what_is_no_such_partial_is_refused(figures: dict[str, Any]) -> None:
    good = {"n": 40, "missing": 0, "means": [1.0, 2.0], "cross": [4.0, 1.0, 3.0]}
    part = Released({"variables": ["x", "visits"]}, good | figures)
    with pytest.raises(Refused):
        CORR.advance(CORR.parameters(("x", "visits")), [{"a": part}])


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"variables": ["x"]}, "several-variables"),
        ({"variables": ["x", "x"]}, "several-variables"),
        ({"variables": ["x", "sex"]}, "not-numeric"),
        ({"variables": ["x", "visits"], "method": "kendall"}, "parameter-choice"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_data(asked: dict[str, Any], code: str) -> None:
    with a_source(rows(5, 1)) as source, pytest.raises(Refused) as refused:
        ask(CORR, {"a": source}, asked)
    assert refused.value.code == code


def test_many_rows_a_person_are_no_independent_pairs() -> None:
    with a_source(rows(5, 1), unit="person") as source, pytest.raises(Refused) as refused:
        ask(COV, {"a": source}, BOTH)
    assert refused.value.code == "rows-not-people"


def test_the_whole_road() -> None:
    tables = {f"tre{i}": {k: [row[k] for row in rows(80, i)] for k in ("x", "visits")} for i in range(3)}
    x, y = complete([row for i in range(3) for row in rows(80, i)])
    with cinque.Federation.local(tables, appetite={"threshold": 3}) as fed:
        corr, cov = fed.corr(["x", "visits"]), fed.cov(["x", "visits"])
    assert corr.corr["x"]["visits"] == pytest.approx(scipy.stats.pearsonr(x, y).statistic)
    assert cov.cov["visits"]["visits"] == pytest.approx(np.var(y, ddof=1))
    assert "visits" in str(corr)
    assert "visits" in str(cov)
