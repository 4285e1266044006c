"""chi2, fisher and cmh over TREs: the tests of the pooled table, and never on what was suppressed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
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
from cinque.stats.contingency import mantel_haenszel
from tests.analyses.tres import TEN, a_source, ask, sources

CHI2, FISHER, CMH = (registry.get(name) for name in ("chi2", "fisher", "cmh"))


def rows(n: int, seed: int, missing: float = 0.1) -> list[dict[str, Any]]:
    r = random.Random(seed)
    return [
        {
            "person": str(i),
            "sex": r.choice(["F", "M"]) if r.random() > missing else None,
            "drug": r.choice(["celecoxib", "diclofenac", "none"]),
            "smokes": r.random() < 0.4,
        }
        for i in range(n)
    ]


def counted(every: Sequence[dict[str, Any]], *names: str) -> list[list[int]]:
    levels: dict[str, list[Any]] = {
        "sex": ["F", "M"],
        "drug": ["celecoxib", "diclofenac", "none"],
        "smokes": [False, True],
    }
    one, other = names
    return [[sum(row[one] == a and row[other] == b for row in every) for b in levels[other]] for a in levels[one]]


@settings(max_examples=4)
@given(st.integers(2, 5), st.integers(0, 10_000))
def test_however_the_rows_are_split_the_test_is_that_of_all(parts: int, seed: int) -> None:
    every = rows(240, seed)
    split = {f"tre{i}": every[i::parts] for i in range(parts)}
    with sources(split) as tres:
        found, _ = ask(CHI2, tres, {"factors": ["sex", "drug"]})
        exact, _ = ask(FISHER, tres, {"factors": ["sex", "smokes"]})
    expected = scipy.stats.chi2_contingency(counted(every, "sex", "drug"), correction=False)
    assert found.values["statistic"] == pytest.approx(expected.statistic, rel=1e-12)
    assert found.values["p"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.values["missing"] == sum(row["sex"] is None for row in every)
    assert found.exactness == "exact"
    assert exact.values["p"] == pytest.approx(
        scipy.stats.fisher_exact(np.array(counted(every, "sex", "smokes")))[1], rel=1e-9
    )


def test_cmh_is_stratified_by_tre_and_by_further_factors() -> None:
    split = {"a": rows(150, 1), "b": rows(90, 2), "c": rows(200, 3)}
    with sources(split) as tres:
        by_tre, _ = ask(CMH, tres, {"exposure": "smokes", "outcome": "sex"})
        finer, _ = ask(CMH, tres, {"exposure": "smokes", "outcome": "sex", "strata": ["drug"]})

    def table(every: Sequence[dict[str, Any]]) -> list[list[int]]:
        return [row[::-1] for row in counted(every, "smokes", "sex")[::-1]]

    expected = mantel_haenszel([table(every) for every in split.values()])
    drugs = ("celecoxib", "diclofenac", "none")
    strata = [table([row for row in every if row["drug"] == drug]) for every in split.values() for drug in drugs]
    assert expected is not None
    assert by_tre.values["odds_ratio"] == pytest.approx(expected.odds_ratio)
    assert by_tre.values["strata"] == 3
    assert by_tre.values["p"] == pytest.approx(expected.p)
    wanted = mantel_haenszel(strata)
    assert wanted is not None
    assert finer.values["odds_ratio"] == pytest.approx(wanted.odds_ratio)
    assert finer.values["strata"] == 9
    own = by_tre.values["per_tre"]["b"]
    (a, b), (c, d) = table(split["b"])
    assert own["coef"]["log odds ratio"] == pytest.approx(math.log(a * d / (b * c)))


def test_a_tre_whose_cells_are_hidden_is_left_out_and_never_guessed() -> None:
    split = {"large": rows(300, 5), "small": rows(25, 6)}
    with sources(split) as tres:
        found, _ = ask(CHI2, tres, {"factors": ["sex", "drug"]}, TEN)
    expected = scipy.stats.chi2_contingency(counted(split["large"], "sex", "drug"), correction=False)
    assert found.values["pooled_over"] == ["large"]
    assert found.values["statistic"] == pytest.approx(expected.statistic)
    assert found.exactness == "bounded"


def test_where_every_tre_is_hidden_there_is_no_test_and_a_reason() -> None:
    with sources({"small": rows(25, 6)}) as tres:
        for analysis, parameters in (
            (CHI2, {"factors": ["sex", "drug"]}),
            (FISHER, {"factors": ["sex", "smokes"]}),
            (CMH, {"exposure": "smokes", "outcome": "sex"}),
        ):
            found, _ = ask(analysis, tres, parameters, TEN)
            assert found.values["p"] is None
            assert "No TRE released" in found.values["reason"]


def test_an_empty_tre_adds_nothing() -> None:
    every = rows(200, 7)
    with sources({"full": every, "empty": []}) as tres:
        found, _ = ask(CHI2, tres, {"factors": ["sex", "drug"]})
    assert found.values["statistic"] == pytest.approx(
        scipy.stats.chi2_contingency(counted(every, "sex", "drug"), correction=False).statistic
    )


@pytest.mark.parametrize(
    ("analysis", "parameters", "code"),
    [
        (CHI2, {"factors": ["sex"]}, "two-factors"),
        (CHI2, {"factors": ["sex", "x"]}, "factor-needs-levels"),
        (FISHER, {"factors": ["sex", "drug"]}, "factor-needs-two-levels"),
        (CMH, {"exposure": "drug", "outcome": "sex"}, "factor-needs-two-levels"),
        (CMH, {"exposure": "smoke", "outcome": "sex"}, "unknown-column"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_data(analysis: Any, parameters: Any, code: str) -> None:
    with a_source(rows(5, 1)) as source, pytest.raises(Refused) as refused:
        ask(analysis, {"a": source}, parameters)
    assert refused.value.code == code


def test_many_rows_a_person_are_no_table_of_people() -> None:
    with a_source(rows(5, 1), unit="person") as source, pytest.raises(Refused) as refused:
        ask(CHI2, {"a": source}, {"factors": ["sex", "drug"]})
    assert refused.value.code == "rows-not-people"


def test_a_release_that_is_no_table_is_refused() -> None:
    parameters = CHI2.parameters(("sex", "drug"))
    with pytest.raises(Refused):
        CHI2.advance(parameters, [{"a": Released({"factors": ["sex", "drug"], "levels": {}}, {"n": 3})}])


def test_the_whole_road() -> None:
    tables = {f"tre{i}": [{k: v for k, v in row.items() if k != "person"} for row in rows(120, i, 0)] for i in range(3)}
    columns = {name: {key: [row[key] for row in each] for key in each[0]} for name, each in tables.items()}
    every = [row for each in tables.values() for row in each]
    with cinque.Federation.local(columns, appetite={"threshold": 3, "zeros": "release"}) as fed:
        found = fed.chi2(["sex", "drug"])
        stratified = fed.cmh("smokes", "sex")
        forest = fed.meta(stratified, term="log odds ratio")
    expected = scipy.stats.chi2_contingency(counted(every, "sex", "drug"), correction=False)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.exactness == "exact"
    assert stratified.strata == 3
    assert set(forest.names) == set(tables)
