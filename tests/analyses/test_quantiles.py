"""Intervals that contain the pooled quantile, however people are spread over TREs, and tell of nobody."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from cinque.analyses.analysis import Result, Step
from cinque.analyses.quantiles import ANALYSIS, agree, check
from cinque.analyses.quantiles_grid import Quantiles
from cinque.errors import Refused
from cinque.model.datasets import Column, Dictionary
from cinque.sdc.appetite import Appetite
from cinque.sdc.figures import is_suppressed
from cinque.sdc.interval import bounds_of
from tests.analyses.tres import COLUMNS, OPEN, TEN, TEN_AND_ZEROS, a_source, ask, sources

SITES = st.lists(st.integers(0, 400), min_size=2, max_size=10)
ASKED = (0.05, 0.25, 0.5, 0.75, 0.95)


def question(**changes: Any) -> dict[str, Any]:
    return {"variable": "x", "low": 0, "high": 20, "precision": 0.5} | changes


def people(values: Any, name: str = "") -> list[dict[str, Any]]:
    return [{"person": f"{name}{i}", "x": None if value is None else float(value)} for i, value in enumerate(values)]


def answered(tres: dict[str, Any], appetite: Appetite = OPEN, **changes: Any) -> tuple[Result, Any]:
    with sources({tre: people(values) for tre, values in tres.items()}) as found:
        return ask(ANALYSIS, found, question(**changes), appetite)


def holds(result: Result, probabilities: Any, values: Any) -> None:
    truth = np.quantile(values, probabilities)
    for row, value in zip(result.values["quantiles"], truth, strict=True):
        slack = 1e-9 * max(1.0, abs(value))  # numpy interpolates in doubles
        assert row["at_least"] is None or row["at_least"] <= value + slack
        assert row["at_most"] is None or row["at_most"] >= value - slack
        if row["value"] is not None:
            assert abs(row["value"] - value) <= result.values["precision"] / 2 + slack


@settings(max_examples=10)
@given(
    sizes=SITES,
    seed=st.integers(0, 2**32 - 1),
    appetite=st.sampled_from([OPEN, TEN, TEN_AND_ZEROS]),
    shape=st.sampled_from(["normal", "skewed", "few values", "outside"]),
    p=st.floats(0.001, 0.999),
)
def test_the_pooled_quantile_lies_in_the_interval(
    sizes: list[int], seed: int, appetite: Appetite, shape: str, p: float
) -> None:
    random = np.random.default_rng(seed)
    draw: Any = {
        "normal": lambda n: random.normal(10, 3, n),
        "skewed": lambda n: random.lognormal(1, 0.7, n),
        "few values": lambda n: random.integers(3, 6, n).astype(float),
        "outside": lambda n: random.normal(30, 20, n),
    }[shape]
    tres = {f"t{i}": draw(n) for i, n in enumerate(sizes)}
    pooled = np.concatenate(list(tres.values()))
    result, history = answered(tres, appetite, probabilities=sorted({p, *ASKED}))
    if len(pooled):
        holds(result, sorted({p, *ASKED}), pooled)
    backwards = [dict(reversed(list(one.items()))) for one in history]
    again = ANALYSIS.advance(Quantiles(**question(probabilities=tuple(sorted({p, *ASKED})))), backwards)
    assert again == result


def test_recorded_values_come_out_exactly() -> None:
    """Type 7 between two people of different values too, as numpy has it, at any division among TREs."""
    for seed in range(2):
        random = np.random.default_rng(seed)
        ages = random.integers(18, 90, 501).astype(float)
        parts = np.array_split(random.permutation(ages), 2 + 4 * seed)
        result, _ = answered({f"t{i}": part for i, part in enumerate(parts)}, low=0, high=120, precision=1)
        assert [row["value"] for row in result.values["quantiles"]] == pytest.approx(np.quantile(ages, ASKED))
        assert result.exactness == "exact"


def test_steps_of_a_tenth_are_no_nearer_to_their_neighbours_by_rounding() -> None:
    values = [i / 10 for i in range(1, 31)] * 3
    result, _ = answered({"a": values[:40], "b": values[40:]}, low=0, high=4, precision=0.1)
    assert [row["value"] for row in result.values["quantiles"]] == pytest.approx(np.quantile(values, ASKED))


def test_many_people_are_known_to_the_precision_in_spite_of_a_threshold() -> None:
    random = np.random.default_rng(7)
    tres = {f"t{i}": random.normal(125, 18, 5000).round() for i in range(3)}
    result, history = answered(tres, TEN, low=0, high=300, precision=1)
    assert [row["value"] for row in result.values["quantiles"]] == pytest.approx(
        np.quantile(np.concatenate(list(tres.values())), ASKED)
    )
    assert result.exactness == "exact"
    assert {row["stopped"] for row in result.values["quantiles"]} == {"precision"}
    assert len(history) == result.values["rounds"] <= 10


def test_a_site_under_the_threshold_widens_the_interval_and_is_said() -> None:
    random = np.random.default_rng(8)
    tres = {"large": random.normal(10, 2, 600), "small": np.full(9, 19.0)}
    result, _ = answered(tres, TEN)
    assert result.values["pooled_over"] == ["large"]
    assert is_suppressed(result.values["per_tre"]["small"]["n"])
    assert bounds_of(result.values["n"]) == (600, 609)
    holds(result, ASKED, np.concatenate(list(tres.values())))
    assert not [row for row in result.values["quantiles"] if row["value"] is not None]
    assert result.exactness == "bounded"


def test_nobody_and_a_column_without_any_value() -> None:
    for appetite in (OPEN, TEN):
        result, _ = answered({"a": [], "b": [None] * 30}, appetite)
        assert [(r["at_least"], r["at_most"], r["value"]) for r in result.values["quantiles"]] == [(None,) * 3] * 5
    assert bounds_of(result.values["per_tre"]["b"]["missing"]) == (30, 30)


# ------------------------------------------------------------------------------------------------------------- attack 3
def widest(tre: str, history: list[dict[str, Any]], target: tuple[float, float]) -> tuple[float, float]:
    """Between what the people of a TRE in a range lie, for who has all it released in all rounds and solves for it."""
    facts: list[tuple[tuple[float, float], tuple[Any, Any]]] = []
    for one in history:
        for id, value in one[tre].figures.items():
            if id.startswith("in:"):
                low, high = id.removeprefix("in:[").removesuffix("]").split(",")
                whole = (-np.inf if low == "null" else float(low), np.inf if high == "null" else float(high))
                facts.append((whole, bounds_of(value)))
    ends = sorted({end for each, _ in facts for end in each} | set(target))
    bins = list(pairwise(ends))

    def inside(of: tuple[float, float]) -> list[float]:
        return [float(of[0] <= low and high <= of[1]) for low, high in bins]

    a: list[list[float]] = []
    b: list[float] = []
    for of, (least, most) in facts:
        a.append([-x for x in inside(of)])
        b.append(-(least or 0))
        if most is not None:
            a.append(inside(of))
            b.append(most)
    found: list[float] = []
    for sign in (1, -1):
        solved = linprog([sign * x for x in inside(target)], A_ub=a, b_ub=b, bounds=(0, None))
        found.append(np.inf if solved.status == 3 else sign * float(solved.fun or 0))  # 3: without limit
    return found[0], found[1]


@pytest.mark.parametrize("seed", range(10))
def test_no_range_of_few_people_can_be_worked_out_from_all_rounds(seed: int) -> None:
    """Attack 3, and rule 11 over rounds: whatever edges were used, what lies between two of them is either as many
    people as the threshold, or may still be nearly anything that a suppressed count may be. Where zeros are released a
    suppressed count is 1 to 9, as many numbers as 0 to 8.
    """
    random = np.random.default_rng(seed)
    zeros = bool(seed % 2)
    sizes = random.integers(20, 300, random.integers(2, 4))
    tres = {f"t{i}": random.normal(10, random.uniform(1, 5), n) for i, n in enumerate(sizes)}
    _, history = answered(tres, TEN_AND_ZEROS if zeros else TEN)
    for tre, values in tres.items():
        edges = {-np.inf, np.inf}
        for one in history:
            for id in one[tre].figures:
                if id.startswith("in:"):
                    edges |= {float(e) for e in id.removeprefix("in:[").removesuffix("]").split(",") if e != "null"}
        for low, high in combinations(sorted(edges), 2):
            count = int(np.sum((values >= low) & (values < high)))
            if count < 10 and not (zeros and count == 0):
                least, most = widest(tre, history, (low, high))
                assert least < 1.5, (tre, low, high, count)
                assert most - least > (7.5 if zeros else 8.5), (tre, low, high, count)


def test_what_was_released_once_is_released_again() -> None:
    random = np.random.default_rng(3)
    tres = {"a": random.normal(10, 3, 300), "b": random.normal(10, 3, 150), "c": random.normal(11, 3, 200)}
    for appetite in (TEN, TEN_AND_ZEROS):
        _, history = answered(tres, appetite)
        assert len(history) > 3
        for before, after in pairwise(history):
            for tre, released in after.items():
                for id in released.figures.keys() & before[tre].figures.keys():
                    assert released.figures[id] == before[tre].figures[id]


def test_each_end_has_a_threshold_of_people_on_either_side_in_every_tre() -> None:
    """Rule 7."""
    random = np.random.default_rng(5)
    tres = {f"t{i}": random.normal(10, 3, 150) for i in range(3)}
    result, _ = answered(tres, TEN, probabilities=[0.001, 0.01, 0.5, 0.99, 0.999])
    ends = [row[key] for row in result.values["quantiles"] for key in ("at_least", "at_most") if row[key] is not None]
    assert ends
    for end in ends:
        for values in tres.values():
            assert min(np.sum(values < end), np.sum(values >= end)) >= 10


def test_edges_are_worked_out_and_not_received() -> None:
    """A member that says other edges, other ranges or other people than before is refused."""
    parameters = Quantiles(**question())
    random = np.random.default_rng(1)
    _, history = answered({"a": random.normal(10, 3, 200), "b": random.normal(10, 3, 200)})
    assert len(history) > 2
    first, second = history[0], history[1]
    name = next(id for id in second["a"].figures if id in first["a"].figures and id.startswith("in:"))
    hostile: list[Any] = [
        replace(second["a"], shape={**second["a"].shape, "new": [[None, 3, None]]}),
        replace(second["a"], shape={}),
        replace(second["a"], figures={**second["a"].figures, name: second["a"].figures[name] + 1}),
        replace(second["a"], figures={**second["a"].figures, name: -1}),
        replace(second["a"], figures={**second["a"].figures, name: "many"}),
        replace(second["a"], figures={**second["a"].figures, "more": 1}),
        replace(second["a"], figures={}),
    ]
    for one in hostile:
        with pytest.raises(Refused):
            ANALYSIS.advance(parameters, [first, {**second, "a": one}])
    with pytest.raises(Refused):
        ANALYSIS.advance(parameters, [{**first, "a": replace(first["a"], shape={"round": 2})}])
    assert isinstance(ANALYSIS.advance(parameters, [first, second]), Step)


# --------------------------------------------------------------------------------------------------------------- groups
def grouped(seed: int, n: int, sexes: Any = ("F", "M", None)) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    found = []
    for i in range(n):
        sex = sexes[int(random.integers(len(sexes)))]
        x = None if random.random() < 0.05 else float(random.normal(12 if sex == "F" else 8, 3))
        found.append({"person": f"{seed}-{i}", "sex": sex, "smokes": bool(random.random() < 0.4), "x": x})
    return found


def of_group(result: Result, **levels: str) -> Result:
    """The answer as if this group had been asked for alone."""
    rows = [row for row in result.values["quantiles"] if row["levels"] == list(levels.values())]
    return replace(result, values={**result.values, "quantiles": rows})


@settings(max_examples=6)
@given(
    seed=st.integers(0, 9999),
    parts=st.integers(2, 6),
    appetite=st.sampled_from([OPEN, TEN, TEN_AND_ZEROS]),
)
def test_each_group_has_the_quantiles_of_its_pooled_people(seed: int, parts: int, appetite: Appetite) -> None:
    rows = grouped(seed, 600)
    with sources({f"t{i}": rows[i::parts] for i in range(parts)}) as tres:
        result, history = ask(ANALYSIS, tres, question(by=["sex"]), appetite)
    pooled = pd.DataFrame(rows)
    for group in result.values["groups"]:
        (sex,) = group["levels"]
        own = pooled[pooled.sex == sex].x
        holds(of_group(result, sex=sex), ASKED, own.dropna())
        for name, truth in (("n", own.notna().sum()), ("missing", own.isna().sum())):
            low, high = bounds_of(group[name])
            assert (low or 0) <= truth <= (np.inf if high is None else high)
    low, high = bounds_of(result.values["ungrouped"])
    assert low <= pooled.sex.isna().sum() <= high
    backwards = [dict(reversed(list(one.items()))) for one in history]
    assert ANALYSIS.advance(Quantiles(**question(by=("sex",))), backwards) == result


def test_groups_are_searched_in_one_session_as_if_each_were_asked_alone() -> None:
    rows = grouped(5, 900)
    with sources({f"t{i}": rows[i::3] for i in range(3)}) as tres:
        together, history = ask(ANALYSIS, tres, question(by=["sex", "smokes"]), TEN)
        rounds = []
        for sex in ("F", "M"):
            for smokes in ("false", "true"):
                where = f'sex = "{sex}" and smokes = {smokes}'
                alone, each = ask(ANALYSIS, tres, question(where=where), TEN)
                rounds.append(len(each))
                found = of_group(together, sex=sex, smokes=smokes).values["quantiles"]
                assert [{k: v for k, v in row.items() if k != "levels"} for row in found] == alone.values["quantiles"]
    assert len(history) == max(rounds) < sum(rounds)
    assert len(together.values["quantiles"]) == 4 * len(ASKED)


def test_a_level_that_a_tre_does_not_declare_is_of_the_others() -> None:
    """A dictionary that does not know a level has nobody of it: no count of it is asked there, and none is unknown."""
    here = tuple(replace(c, levels=("F", "M", "X")) if c.name == "sex" else c for c in COLUMNS)
    rows = {"wide": grouped(1, 500, ("F", "M", "X")), "narrow": grouped(2, 300, ("F", "M"))}
    with a_source(rows["wide"], here) as wide, a_source(rows["narrow"]) as narrow:
        result, history = ask(ANALYSIS, {"wide": wide, "narrow": narrow}, question(by=["sex"]), TEN)
    for sex in ("F", "M", "X"):
        own = [row["x"] for part in rows.values() for row in part if row["sex"] == sex and row["x"] is not None]
        holds(of_group(result, sex=sex), ASKED, own)
    assert [g["pooled_over"] for g in result.values["groups"]] == [["narrow", "wide"]] * 2 + [["wide"]]
    assert not [id for one in history for id in one["narrow"].figures if '"X"' in id]
    assert [g["levels"] for g in result.values["per_tre"]["narrow"]["groups"]] == [["F"], ["M"]]


def test_a_group_of_few_people_is_known_between_bounds_and_takes_no_other_with_it() -> None:
    rows = [*grouped(3, 400, ("F",)), *grouped(4, 7, ("M",))]
    with sources({"a": rows[::2], "b": rows[1::2]}) as tres:
        result, _ = ask(ANALYSIS, tres, question(by=["sex"], probabilities=[0.5]), TEN)
        alone, _ = ask(ANALYSIS, tres, question(where='sex = "F"', probabilities=[0.5]), TEN)
    large, small = result.values["quantiles"]
    assert large == {"levels": ["F"], **alone.values["quantiles"][0]}
    assert (small["at_least"], small["at_most"], small["value"]) == (None, None, None)
    assert bounds_of(result.values["groups"][1]["n"]) == (0, 18)
    assert result.values["groups"][1]["pooled_over"] == []
    assert result.exactness == "bounded"


@pytest.mark.parametrize("seed", range(3))
def test_no_range_of_few_people_of_a_group_can_be_worked_out(seed: int) -> None:
    """Attack 3 within groups: as above, for whoever has all counts of a group of all rounds. Nothing released is a
    total over groups, by which one group's counts would be those of all less the other's.
    """
    rows = {f"t{i}": grouped(10 * seed + i, 160) for i in range(2)}
    with sources(rows) as tres:
        _, history = ask(ANALYSIS, tres, question(by=["sex"]), TEN)
    names = {id for one in history for released in one.values() for id in released.figures}
    assert {id for id in names if not id.endswith((':["F"]', ':["M"]'))} == {"ungrouped"}
    for tre, people in rows.items():
        for sex in ("F", "M"):
            values = np.array([p["x"] for p in people if p["sex"] == sex and p["x"] is not None])
            own = [{tre: replace(one[tre], figures=_of(one[tre].figures, sex))} for one in history]
            edges = {-np.inf, np.inf}
            for one in own:
                for id in one[tre].figures:
                    edges |= {float(e) for e in id.removeprefix("in:[").removesuffix("]").split(",") if e != "null"}
            for low, high in combinations(sorted(edges), 2):
                count = int(np.sum((values >= low) & (values < high)))
                if count < 10:
                    least, most = widest(tre, own, (low, high))
                    assert least < 1.5, (tre, sex, low, high, count)
                    assert most - least > 8.5, (tre, sex, low, high, count)


def _of(figures: dict[str, Any], sex: str) -> dict[str, Any]:
    suffix = f':["{sex}"]'
    return {id.removesuffix(suffix): v for id, v in figures.items() if id.startswith("in:") and id.endswith(suffix)}


def test_somebody_with_rows_in_two_groups_counts_once_in_each_by_their_mean_there() -> None:
    random = np.random.default_rng(12)
    rows = [
        {"person": str(random.integers(60)), "sex": str(random.choice(["F", "M"])), "x": float(random.integers(0, 20))}
        for _ in range(300)
    ]
    rows += [{"person": "gone", "sex": "F", "x": None}, {"person": "1", "sex": None, "x": 3.0}]
    with sources({"a": rows[:150], "b": rows[150:]}, unit="person") as found:
        result, _ = ask(ANALYSIS, found, question(by=["sex"]))
    parts = [pd.DataFrame(part).groupby(["sex", "person"]).x.mean() for part in (rows[:150], rows[150:])]
    for group in result.values["groups"]:
        (sex,) = group["levels"]
        own = pd.concat([part.loc[sex] for part in parts])
        holds(of_group(result, sex=sex), ASKED, own.dropna())
        assert (group["n"], group["missing"]) == (own.notna().sum(), own.isna().sum())
    assert result.values["ungrouped"] == 1


def test_released_groups_that_are_not_of_the_question_are_refused() -> None:
    asked = Quantiles(**question(by=("sex",)))
    rows = grouped(6, 300)
    with sources({"a": rows[::2], "b": rows[1::2]}) as tres:
        _, history = ask(ANALYSIS, tres, question(by=["sex"]))
    first, second = history[:2]
    own = second["a"]
    hostile = [
        replace(own, shape={**own.shape, "levels": {"sex": ["F"]}}),
        replace(own, shape={**own.shape, "groups": own.shape["groups"][:1]}),
        replace(own, figures={k: v for k, v in own.figures.items() if k != "ungrouped"}),
        replace(own, figures={**own.figures, "ungrouped": "some"}),
        replace(own, figures={**own.figures, 'missing:["X"]': 1}),
    ]
    for one in hostile:
        with pytest.raises(Refused):
            ANALYSIS.advance(asked, [first, {**second, "a": one}])
    for levels in (None, {}, {"sex": "FM"}, {"sex": [str(i) for i in range(51)]}):
        with pytest.raises(Refused):
            ANALYSIS.advance(asked, [{**first, "a": replace(first["a"], shape={**first["a"].shape, "levels": levels})}])


# ------------------------------------------------------------------------------------------------------------ questions
def dictionary(**changes: Any) -> Dictionary:
    columns = (
        Column("x", "number", precision=0.5),
        Column("age", "integer"),
        Column("raw", "number"),
        Column("s", "text"),
        Column("many", "text", levels=tuple(f"l{i}" for i in range(51))),
    )
    return replace(Dictionary("data", "1", columns), **changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"probabilities": (0.0,)}, "probabilities-wrong"),
        ({"probabilities": (1.0,)}, "probabilities-wrong"),
        ({"probabilities": ()}, "probabilities-wrong"),
        ({"probabilities": (0.5, 0.5)}, "probabilities-wrong"),
        ({"probabilities": tuple(i / 30 for i in range(1, 22))}, "probabilities-wrong"),
        ({"low": None}, "range-missing"),
        ({"high": None}, "range-missing"),
        ({"low": 20}, "range-empty"),
        ({"high": float("inf")}, "range-empty"),
        ({"precision": 0.1}, "precision-too-fine"),
        ({"precision": 0.0}, "precision-wrong"),
        ({"variable": "raw", "precision": 1e-15}, "precision-too-fine"),
        ({"variable": "raw", "precision": None}, "precision-missing"),
        ({"variable": "s"}, "not-numeric"),
        ({"variable": "y"}, "unknown-column"),
        ({"where": "y > 1"}, "filter-unknown-column"),
        ({"by": ("s",)}, "factor-needs-levels"),
        ({"by": ("many",)}, "too-many-cells"),
    ],
)
def test_a_question_that_does_not_fit_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        check(Quantiles(**question(**changes)), dictionary())
    assert refused.value.code == code


def test_somebody_with_several_rows_counts_once_by_their_mean() -> None:
    random = np.random.default_rng(11)
    rows = [{"person": str(random.integers(80)), "x": float(random.integers(0, 20))} for _ in range(300)]
    rows += [{"person": "1", "x": None}, {"person": "nobody knows", "x": None}]
    with sources({"a": rows[:150], "b": rows[150:]}, unit="person") as found:
        result, _ = ask(ANALYSIS, found, question())
    parts = [pd.DataFrame(part).groupby("person").x.mean() for part in (rows[:150], rows[150:])]
    holds(result, ASKED, pd.concat(parts).dropna())
    assert result.values["n"] == sum(part.notna().sum() for part in parts)
    assert result.values["missing"] == sum(part.isna().sum() for part in parts)


def test_the_precision_is_the_coarsest_that_is_declared() -> None:
    fine = dictionary()
    coarse = dictionary(columns=(Column("x", "number", precision=2.0),))
    asked = Quantiles(**question(precision=None))
    assert agree(asked, {"a": fine, "b": coarse}).precision == 2.0
    assert agree(replace(asked, variable="age"), {"a": fine}).precision == 1.0
    assert agree(replace(asked, variable="raw"), {"a": fine}).precision is None
    assert agree(replace(asked, precision=3.0), {"a": fine}).precision == 3.0
