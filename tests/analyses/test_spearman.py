"""Spearman's correlations over TREs: of ranks among the pooled people, in ranges that were told of no few."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import cinque
from cinque.analyses import ranks, registry
from cinque.analyses.analysis import Result, Step
from cinque.errors import Refused
from cinque.sdc.figures import is_suppressed
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS, a_source, ask, released, sources

CORR = registry.get("corr")
ASKED: dict[str, Any] = {
    "variables": ["x", "visits"],
    "method": "spearman",
    "low": [-10.0, 0.0],
    "high": [30.0, 32.0],
    "bins": 32,
}


def rows(n: int, seed: int) -> list[dict[str, Any]]:
    r = random.Random(seed)
    found = []
    for _ in range(n):
        visits = min(31, int(r.expovariate(0.15)))
        x = None if r.random() < 0.1 else 0.6 * visits + r.gauss(0, 4)
        found.append({"sex": r.choice(["F", "M"]), "x": x, "visits": visits})
    return found


def complete(every: list[dict[str, Any]]) -> NDArray[np.float64]:
    return np.array([(row["x"], row["visits"]) for row in every if row["x"] is not None]).T


def cut(values: NDArray[np.float64], low: float, high: float, bins: int = 32) -> NDArray[np.int64]:
    return np.searchsorted(np.linspace(low, high, bins + 1)[1:-1], values, side="right")


def theirs(every: list[dict[str, Any]]) -> Any:
    x, visits = complete(every)
    return scipy.stats.spearmanr(cut(x, -10, 30), visits)


@settings(max_examples=6, deadline=None)
@given(st.integers(2, 10), st.integers(0, 10_000))
def test_however_the_rows_are_split_it_is_the_pooled_rows_at_the_declared_ranges(parts: int, seed: int) -> None:
    every = rows(160, seed)
    with sources({f"tre{i}": every[i::parts] for i in range(parts)} | {"empty": []}) as tres:
        found, history = ask(CORR, tres, ASKED)
    expected = theirs(every)
    assert found.values["corr"]["x"]["visits"] == pytest.approx(expected.statistic, rel=1e-9)
    assert found.values["p"]["visits"]["x"] == pytest.approx(expected.pvalue, rel=1e-7)
    assert found.values["corr"]["x"]["x"] == 1.0
    n = len(complete(every)[0])
    assert (found.values["n"], found.values["missing"], found.values["df"]) == (n, 160 - n, n - 2)
    assert found.values["means"]["x"] == pytest.approx((n + 1) / 2)
    assert found.values["ranges"] == {"x": 32, "visits": 32}
    assert "confint" not in found.values
    assert found.exactness == "exact"
    assert len(history) == 2
    backwards = [dict(reversed(list(part.items()))) for part in history]
    assert CORR.advance(_asked(), backwards) == found


def _asked(**changes: Any) -> Any:
    given_ = {name: tuple(v) if isinstance(v, list) else v for name, v in ASKED.items()}
    return CORR.parameters(**(given_ | changes))


def test_recorded_values_that_have_a_range_each_come_out_as_scipy_has_the_raw_rows() -> None:
    r = np.random.default_rng(1)
    every = [{"visits": int(a), "x": float(min(9, a // 2 + b))} for a, b in r.integers(0, 8, (300, 2))]
    asked = ASKED | {"low": [0.0, 0.0], "high": [16.0, 16.0], "bins": 16}
    with sources({"a": every[:120], "b": every[120:]}) as tres:
        found, _ = ask(CORR, tres, asked)
    expected = scipy.stats.spearmanr([row["x"] for row in every], [row["visits"] for row in every])
    assert found.values["corr"]["x"]["visits"] == pytest.approx(expected.statistic, rel=1e-9)
    assert found.values["t"]["x"]["visits"] == pytest.approx(
        expected.statistic * np.sqrt(298 / (1 - expected.statistic**2)), rel=1e-9
    )


@pytest.mark.parametrize("appetite", [TEN, TEN_AND_ZEROS])
def test_under_a_threshold_it_is_that_of_the_ranges_that_every_tre_told(appetite: Any) -> None:
    parts = {f"t{i}": rows(400 + 100 * i, i) for i in range(3)}
    with sources(parts) as tres:
        found, history = ask(CORR, tres, ASKED, appetite)
    every = [row for part in parts.values() for row in part]
    x, visits = complete(every)
    spans = ranks.rank(ranks.Ranges(("x", "visits"), (-10.0, 0.0), (30.0, 32.0), 32), history).spans
    assert found.values["ranges"] == {"x": len(spans[0]), "visits": len(spans[1])}
    assert min(map(len, spans)) >= 6
    of = [np.repeat(np.arange(len(own)), [j - i for i, j in own]) for own in spans]
    expected = scipy.stats.spearmanr(of[0][cut(x, -10, 30)], of[1][cut(visits, 0, 32)]).statistic
    assert found.values["corr"]["x"]["visits"] == pytest.approx(expected, rel=1e-9)
    assert expected == pytest.approx(scipy.stats.spearmanr(x, visits).statistic, abs=0.02)
    assert found.exactness == "bounded"


def test_three_numbers_and_a_filter() -> None:
    every = [{**row, "x": row["x"], "visits": row["visits"]} for row in rows(300, 4)]
    with sources({"a": every[::2], "b": every[1::2]}) as tres:
        found, _ = ask(CORR, tres, ASKED | {"where": 'sex = "F" and x > 0'})
    kept = [row for row in every if row["sex"] == "F" and row["x"] is not None and row["x"] > 0]
    assert found.values["corr"]["x"]["visits"] == pytest.approx(theirs(kept).statistic, rel=1e-9)


def test_a_tre_under_the_threshold_is_left_out() -> None:
    split = {"large": rows(500, 1), "small": rows(8, 2), "empty": []}
    with sources(split) as tres:
        found, _ = ask(CORR, tres, ASKED, TEN)
        alone, _ = ask(CORR, {"large": tres["large"]}, ASKED, TEN)
    assert found.values["pooled_over"] == ["large"]
    assert found.values["corr"] == alone.values["corr"]
    low, high = found.values["n"]["at_least"], found.values["n"]["at_most"]
    assert low <= sum(len(complete(part)[0]) for part in (split["large"], split["small"])) <= high


def test_nobody_and_a_column_that_is_missing_throughout() -> None:
    gone = [{**row, "x": None} for row in rows(40, 1)]
    with sources({"a": gone, "b": []}) as tres:
        for appetite in (OPEN, TEN):
            nothing, _ = ask(CORR, tres, ASKED, appetite)
            assert nothing.values["corr"]["x"]["visits"] is None
            assert nothing.values["reason"]


# ------------------------------------------------------------------------------------------------------------ attacks
def test_attack_3_ranges_chosen_around_one_person() -> None:
    """All but one in one range: neither leaves, so there are no ranks, and no second round."""
    every = [{"x": 100.0 if i == 7 else 5.0 + i / 100, "visits": i % 30} for i in range(200)]
    asked = ASKED | {"low": [50.0, 0.0], "high": [60.0, 32.0], "bins": 2}
    with sources({"a": every}) as tres:
        found, history = ask(CORR, tres, asked, TEN)
        unguarded, seen = ask(CORR, tres, asked, OPEN)
    assert (len(history), len(seen)) == (1, 2)
    assert all(is_suppressed(history[0]["a"].figures[f"in-0:[{i},{i + 1}]"]) for i in range(2))
    assert found.values["corr"]["x"]["visits"] is None
    assert "ranks" in found.values["reason"]
    assert unguarded.values["corr"]["x"]["visits"] is not None


def test_no_range_of_few_people_follows_from_the_halves() -> None:
    """Whatever adds up: each range is told, or hidden together with its other half or by it."""
    with sources({"a": rows(300, 3)}) as tres:
        _, history = ask(CORR, tres, ASKED, TEN)
    figures = history[0]["a"].figures
    x, visits = complete(rows(300, 3))
    for place, codes in enumerate((cut(x, -10, 30), cut(visits, 0, 32))):
        for id, value in figures.items():
            if id.startswith(f"in-{place}"):
                i, j = map(int, id.partition(":[")[2].removesuffix("]").split(","))
                people = int(((codes >= i) & (codes < j)).sum())
                assert is_suppressed(value) if people < 10 else value == people or is_suppressed(value)
        known = [value for id, value in figures.items() if id.startswith(f"in-{place}") and not is_suppressed(value)]
        assert all(value >= 10 for value in known)


def test_attack_12_products_of_few_ranges_are_a_table() -> None:
    """Of the tables of whole numbers with the totals of round one few have the sum of products of round two: a cell of
    3 would be as good as told. Where all cells are large the sum leaves."""
    asked = ASKED | {"low": [0.0, 0.0], "high": [20.0, 40.0], "bins": 4}
    for small, leaves in ((3, False), (20, True)):
        table = np.array([[60, 40, small, 50], [40, 60, 40, 50]])
        every = [
            {"x": 2.5 + 10 * i, "visits": 5 + 10 * j} for (i, j), people in np.ndenumerate(table) for _ in range(people)
        ]
        with sources({"a": every}) as tres:
            found, history = ask(CORR, tres, asked, TEN_AND_ZEROS)
        assert is_suppressed(history[1]["a"].figures["cross"]) != leaves
        assert (found.values["corr"]["x"]["visits"] is not None) == leaves
    table = np.array([[60, 40, 3, 50], [40, 60, 40, 50]])
    first, second = (np.cumsum(n) - n + (n + 1) / 2 for n in (table.sum(1), table.sum(0)))
    most = table.sum(0)
    a, b, c = np.meshgrid(*(np.arange(people + 1) for people in most[:3]), indexing="ij")
    d = table[0].sum() - a - b - c
    can_be = (d >= 0) & (d <= most[3])
    upper = sum(rank * cell for rank, cell in zip(second, (a, b, c, d), strict=True))
    products = first[0] * upper + first[1] * (second @ most - upper)
    fitting = can_be & (np.abs(products - first @ table @ second) < 1e-6)
    assert fitting[tuple(table[0, :3])]
    assert fitting.sum() < can_be.sum() / 10_000


def test_attack_17_what_no_tre_would_release() -> None:
    with sources({"a": rows(150, 1), "b": rows(120, 2)}) as tres:
        _, history = ask(CORR, tres, ASKED)
    one, two = history[0]["a"], history[1]["a"]
    for at, bad in (
        (0, replace(one, shape={"variables": ["x", "visits"]})),
        (0, replace(one, figures={**one.figures, "n": one.figures["n"] + 1})),
        (0, replace(one, figures={**one.figures, "in-0:[0,16]": one.figures["in-0:[0,16]"] + 1})),
        (0, replace(one, figures={**one.figures, "in-0:[0,16]": "many"})),
        (0, replace(one, figures={k: v for k, v in one.figures.items() if k != "in-1:[3,4]"})),
        (1, replace(two, shape={**two.shape, "round": 1})),
        (1, replace(two, figures={**two.figures, "n": two.figures["n"] - 1})),
        (1, replace(two, figures={**two.figures, "means": [m + 1 for m in two.figures["means"]]})),  # of other ranks
        (1, replace(two, figures={**two.figures, "cross": [1.0]})),
    ):
        changed = [dict(each) for each in history]
        changed[at]["a"] = bad
        with pytest.raises(Refused):
            CORR.advance(_asked(), changed)
    with pytest.raises(Refused):
        CORR.advance(_asked(), [*history, history[1]])
    assert isinstance(CORR.advance(_asked(), history[:1]), Step)


def test_a_tre_whose_products_cannot_leave_spoils_ranks_that_are_among_its_people_too() -> None:
    with sources({"a": rows(150, 1), "b": rows(120, 2)}) as tres:
        _, history = ask(CORR, tres, ASKED)
    hidden = {"suppressed": True, "at_least": None, "at_most": None}
    shut = replace(history[1]["b"], figures={**history[1]["b"].figures, "means": hidden, "cross": hidden})
    found = CORR.advance(_asked(), [history[0], {**history[1], "b": shut}])
    assert isinstance(found, Result)
    assert found.values["corr"]["x"]["visits"] is None
    assert "second round" in found.values["reason"]
    assert found.exactness == "bounded"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"low": []}, "range-missing"),
        ({"high": [1.0]}, "range-missing"),
        ({"low": [40.0, 0.0]}, "range-empty"),
        ({"high": [30.0, float("nan")]}, "range-empty"),
        ({"bins": 1}, "bins-wrong"),
        ({"bins": 200}, "bins-wrong"),
        ({"low": [1e300, 0.0], "high": [1.0000000000000002e300, 32.0]}, "range-empty"),
        ({"method": "pearson"}, "range-not-needed"),
        ({"variables": ["x", "sex"]}, "not-numeric"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_data(changes: dict[str, Any], code: str) -> None:
    with a_source(rows(5, 1)) as source, pytest.raises(Refused) as refused:
        released(CORR, source, ASKED | changes)
    assert refused.value.code == code


def test_the_whole_road() -> None:
    parts = [rows(300, i) for i in range(3)]
    tables = {f"tre{i}": {k: [row[k] for row in part] for k in ("x", "visits")} for i, part in enumerate(parts)}
    with cinque.Federation.local(tables, appetite={"threshold": 5, "zeros": "release"}) as fed:
        answer: Any = fed.corr(["x", "visits"], "spearman", low=[-10, 0], high=[30, 32])
    x, visits = complete([row for part in parts for row in part])
    assert not answer.missing
    assert answer.corr["x"]["visits"] == pytest.approx(scipy.stats.spearmanr(x, visits).statistic, abs=0.02)
    assert answer.rounds == 2
    assert "visits" in str(answer)
    assert "Spearman" in answer.methods()
    assert answer.to_pandas("pairs").query("tre == 'all'")["corr"].notna().all()
    answer.plot()
