"""ttest and anova over TREs: the tests of the pooled rows, of the TREs that released what they need."""

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
from cinque.errors import Refused
from tests.analyses.tres import TEN, a_source, ask, sources

TTEST, ANOVA = registry.get("ttest"), registry.get("anova")


def rows(n: int, seed: int) -> list[dict[str, Any]]:
    r = random.Random(seed)
    return [
        {
            "person": str(i),
            "sex": r.choice(["F", "M"]),
            "drug": r.choice(["celecoxib", "diclofenac", "none"]),
            "x": None if r.random() < 0.1 else r.gauss(50, 9),
            "visits": r.randrange(30),
        }
        for i in range(n)
    ]


def values(every: list[dict[str, Any]], **only: Any) -> list[float]:
    kept = [row for row in every if all(row[name] == value for name, value in only.items())]
    return [row["x"] for row in kept if row["x"] is not None]


@settings(max_examples=4)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_however_the_rows_are_split_the_test_is_that_of_all(parts: int, seed: int) -> None:
    every = rows(150, seed)
    split = {f"tre{i}": every[i::parts] for i in range(parts)}
    pairs = [(row["x"], row["visits"]) for row in every if row["x"] is not None]
    with sources(split) as tres:
        welch, _ = ask(TTEST, tres, {"variable": "x", "by": "sex"})
        one, _ = ask(TTEST, tres, {"variable": "x", "mu": 48})
        paired, _ = ask(TTEST, tres, {"variable": "x", "paired_with": "visits"})
        anova, _ = ask(ANOVA, tres, {"variable": "x", "by": "drug"})
    expected = scipy.stats.ttest_ind(values(every, sex="F"), values(every, sex="M"), equal_var=False)
    assert welch.values["statistic"] == pytest.approx(expected.statistic, rel=1e-9)
    assert welch.values["p"] == pytest.approx(expected.pvalue, rel=1e-8)
    assert one.values["statistic"] == pytest.approx(scipy.stats.ttest_1samp(values(every), 48).statistic, rel=1e-9)
    differences = scipy.stats.ttest_1samp([a - b for a, b in pairs], 0)
    assert paired.values["statistic"] == pytest.approx(differences.statistic, rel=1e-9)
    assert paired.values["missing"] == 150 - len(pairs)
    groups = [values(every, drug=drug) for drug in ("celecoxib", "diclofenac", "none")]
    assert anova.values["f"] == pytest.approx(scipy.stats.f_oneway(*groups).statistic, rel=1e-9)
    assert welch.exactness == anova.exactness == "exact"


def test_a_tre_without_every_group_is_left_out() -> None:
    split = {"large": rows(200, 1), "small": rows(22, 2)}
    with sources(split) as tres:
        found, _ = ask(ANOVA, tres, {"variable": "x", "by": "drug"}, TEN)
    groups = [values(split["large"], drug=drug) for drug in ("celecoxib", "diclofenac", "none")]
    assert found.values["pooled_over"] == ["large"]
    assert found.values["f"] == pytest.approx(scipy.stats.f_oneway(*groups).statistic)
    assert "f" not in found.values["per_tre"]["small"]
    assert found.exactness == "bounded"


def test_where_nothing_is_released_there_is_no_test_and_a_reason() -> None:
    with sources({"small": rows(8, 2)}) as tres:
        for analysis, parameters in (
            (TTEST, {"variable": "x", "by": "sex"}),
            (TTEST, {"variable": "x", "paired_with": "visits"}),
            (ANOVA, {"variable": "x", "by": "drug"}),
        ):
            found, _ = ask(analysis, tres, parameters, TEN)
            assert found.values["p"] is None
            assert "No TRE released" in found.values["reason"]


def test_each_tre_has_its_own_estimate_for_meta() -> None:
    split = {"a": rows(90, 1), "b": rows(80, 2), "empty": []}
    with sources(split) as tres:
        found, _ = ask(TTEST, tres, {"variable": "x", "by": "sex"})
    own = found.values["per_tre"]["a"]
    expected = np.mean(values(split["a"], sex="F")) - np.mean(values(split["a"], sex="M"))
    assert own["coef"]["difference of means"] == pytest.approx(expected)
    assert found.values["per_tre"]["empty"]["coef"]["difference of means"] is None


@pytest.mark.parametrize(
    ("analysis", "parameters", "code"),
    [
        (TTEST, {"variable": "x", "by": "drug"}, "factor-needs-two-levels"),
        (TTEST, {"variable": "sex"}, "not-numeric"),
        (TTEST, {"variable": "x", "by": "sex", "paired_with": "visits"}, "paired-groups"),
        (TTEST, {"variable": "xx"}, "unknown-column"),
        (ANOVA, {"variable": "x", "by": "visits"}, "factor-needs-levels"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_data(analysis: Any, parameters: Any, code: str) -> None:
    with a_source(rows(5, 1)) as source, pytest.raises(Refused) as refused:
        ask(analysis, {"a": source}, parameters)
    assert refused.value.code == code


def test_many_rows_a_person_are_no_independent_values() -> None:
    with a_source(rows(5, 1), unit="person") as source, pytest.raises(Refused) as refused:
        ask(TTEST, {"a": source}, {"variable": "x"})
    assert refused.value.code == "rows-not-people"


def test_a_column_that_is_missing_throughout() -> None:
    every = [{**row, "x": None} for row in rows(40, 1)]
    with sources({"a": every, "b": rows(40, 2)}) as tres:
        found, _ = ask(TTEST, tres, {"variable": "x", "by": "sex"})
    assert found.values["statistic"] is not None
    assert found.values["missing"] == 40 + sum(row["x"] is None for row in rows(40, 2))


def test_the_whole_road() -> None:
    tables = {f"tre{i}": {k: [row[k] for row in rows(80, i)] for k in ("sex", "drug", "x", "visits")} for i in range(3)}
    every = [row for i in range(3) for row in rows(80, i)]
    with cinque.Federation.local(tables, appetite={"threshold": 3}) as fed:
        welch, anova = fed.ttest("x", by="sex"), fed.anova("x", "drug")
        forest = fed.meta(welch, term="difference of means")
    expected = scipy.stats.ttest_ind(values(every, sex="F"), values(every, sex="M"), equal_var=False)
    assert welch.statistic == pytest.approx(expected.statistic)
    assert welch.p == pytest.approx(expected.pvalue)
    assert anova.df_between == 2
    assert len(forest.names) == 3
