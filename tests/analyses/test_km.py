"""km over TREs: the pooled curve or bounds around it; and no time of a person leaves."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.datasets import load_leukemia

from cinque.analyses.km import ANALYSIS, Km
from cinque.analyses.work import released_bytes
from cinque.errors import Refused
from cinque.model.datasets import Column
from cinque.sdc.figures import is_suppressed
from cinque.sdc.interval import bounds_of
from tests.analyses.survivors import split
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS, question

COLUMNS = (
    Column("t", "number", precision=1),
    Column("died", "boolean"),
    Column("arm", "text", levels=("A", "B")),
)
ASKED: dict[str, Any] = {"time": "t", "event": "died"}


def people(n: int = 400, seed: int = 1, most: int = 12) -> list[dict[str, Any]]:
    r = np.random.default_rng(seed)
    return [
        {"t": int(t), "died": bool(d), "arm": str(a)}
        for t, d, a in zip(r.integers(1, most + 1, n), r.random(n) < 0.6, r.choice(["A", "B"], n), strict=True)
    ]


ROWS = people()
LEUKAEMIA = [
    {"t": int(t), "died": bool(d), "arm": "AB"[int(a)]}
    for t, d, a in zip(*(load_leukemia()[name] for name in ("t", "status", "Rx")), strict=True)
]


def test_six_mp_over_three_tres() -> None:
    found, _ = question(ANALYSIS, split(LEUKAEMIA, 3), COLUMNS, **ASKED, by="arm", until=35.0)
    known = {6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482}
    curve = found.values["survival"]["A"]
    assert {week: round(curve[week - 1], 4) for week in known} == known
    assert (found.exactness, found.values["median"], found.values["n"]) == (
        "exact",
        {"A": 23.0, "B": 8.0},
        {"A": 21, "B": 21},
    )
    theirs = KaplanMeierFitter().fit(
        [row["t"] for row in LEUKAEMIA if row["arm"] == "A"], [row["died"] for row in LEUKAEMIA if row["arm"] == "A"]
    )
    row = theirs.confidence_interval_survival_function_.loc[13.0]
    assert [found.values[name]["A"][12] for name in ("lower", "upper")] == pytest.approx(row.to_list(), rel=1e-9)


@pytest.mark.parametrize("appetite", [TEN, TEN_AND_ZEROS])
@pytest.mark.parametrize("sites", [1, 4])
def test_what_was_suppressed_leaves_bounds_that_contain_the_pooled_curve(appetite: Any, sites: int) -> None:
    for seed in range(2):
        rows = people(250, seed + 10)
        tres = split(rows, sites, seed)
        asked = {**ASKED, "until": 9.0}
        parts, history = question(ANALYSIS, tres, COLUMNS, appetite, **asked)
        assert parts.exactness == ("bounded" if _suppressed(history) else "exact")
        assert parts.values["pooled_over"]
        pooled = [row for tre in parts.values["pooled_over"] for row in tres[tre]]
        whole, _ = question(ANALYSIS, {"all": pooled}, COLUMNS, **asked)
        narrow = 0
        for name in ("survival", "at_risk", "events", "censored", "nelson_aalen", "nelson_aalen_variance"):
            for true, said in zip(whole.values[name], parts.values[name], strict=True):
                low, high = bounds_of(said)
                assert low is None or low <= true + 1e-12
                assert high is None or true <= high + 1e-12
                narrow += name == "survival" and high is not None and low is not None and high - low < 0.2
        assert narrow >= 4
        for name, side in (("lower", -1), ("upper", 1)):
            for true, said in zip(whole.values[name], parts.values[name], strict=True):
                assert said is None or side * said >= side * true - 1e-12
        low, high = bounds_of(parts.values["median"])
        assert low is not None
        assert low <= whole.values["median"] <= (high or np.inf)


@settings(max_examples=10, deadline=None)
@given(
    sites=st.integers(1, 6),
    seed=st.integers(0, 999),
    n=st.integers(5, 900),
    appetite=st.sampled_from([TEN, TEN_AND_ZEROS]),
)
def test_whatever_the_split_the_bounds_contain_the_pooled_curve(sites: int, seed: int, n: int, appetite: Any) -> None:
    rows = people(n, seed, most=50)
    tres = split(rows, sites, seed)
    asked = {**ASKED, "by": "arm", "grid": 1.0, "until": 40.0}
    found, _ = question(ANALYSIS, tres, COLUMNS, appetite, **asked)
    whole, _ = question(ANALYSIS, {"all": rows}, COLUMNS, **asked)
    for arm in "AB":
        for name in ("survival", "at_risk", "events", "censored", "nelson_aalen", "nelson_aalen_variance"):
            for true, said in zip(whole.values[name][arm], found.values[name][arm], strict=True):
                _contains(said, true)
        for name in ("n", "restricted_mean", "restricted_mean_se"):
            _contains(found.values[name][arm], whole.values[name][arm])
        for name, side in (("lower", -1), ("upper", 1)):
            for true, said in zip(whole.values[name][arm], found.values[name][arm], strict=True):
                assert said is None or true is None or side * said >= side * true - 1e-9


def _contains(said: Any, true: Any) -> None:
    low, high = bounds_of(said)
    least, most = bounds_of(true)  # a standard error without end has no upper bound even where all is known
    assert low is None or (least is not None and low <= least * (1 + 1e-9))
    assert high is None or (most is not None and most <= high * (1 + 1e-9))


def _suppressed(history: Any) -> int:
    return sum(is_suppressed(value) for released in history[0].values() for value in released.figures.values())


# ---------------------------------------------------------------------------------------------------------- the attacks
def _told(figures: dict[str, Any], points: int, name: str = "at_risk") -> dict[int, int]:
    """Place -> the number told there."""
    start = {0: figures["n:[]"] if name == "at_risk" else 0}
    every = start | {j: figures[f'{name}:["{j}"]'] for j in range(1, points + 1)}
    return {j: value for j, value in every.items() if not is_suppressed(value)}


@pytest.mark.parametrize("appetite", [TEN, TEN_AND_ZEROS])
def test_no_merged_step_is_of_fewer_people_than_may_be_told(appetite: Any) -> None:
    """Rule 8, attack 3: what lies between two numbers at risk that are told is a step, whichever they are."""
    least = 1 if appetite is TEN_AND_ZEROS else 0
    steps = 0
    for seed in range(6):
        rows = people(150 - 10 * seed, seed, most=14)
        _, history = question(ANALYSIS, {"one": rows}, COLUMNS, appetite, **ASKED, grid=1.0, until=10.0)
        figures = history[0]["one"].figures
        told = _told(figures, 10)
        steps += len(told)
        for one, other in itertools.combinations([*told.values(), 0], 2):  # in the end everybody has left
            assert not least <= one - other < 10
        assert told.keys() == _told(figures, 10, "events").keys()  # events stand and fall with who is at risk
    assert steps > 16


@pytest.mark.parametrize("appetite", [TEN, TEN_AND_ZEROS])
def test_the_answer_less_what_all_but_one_tre_told_is_no_step_of_few(appetite: Any) -> None:
    """Attack 1: the pooled numbers, less those of the other TREs; at each point and between any two."""
    least = 1 if appetite is TEN_AND_ZEROS else 0
    tres = split(people(450, 4, most=20), 3)
    found, history = question(ANALYSIS, tres, COLUMNS, appetite, **ASKED, grid=1.0, until=20.0)
    told = {tre: _told(released.figures, 20) for tre, released in history[0].items()}
    pooled = {j: n for j, n in enumerate(found.values["at_risk"]) if not is_suppressed(n)}
    assert len(pooled) > 3
    for tre in tres:
        rest = [known for name, known in told.items() if name != tre]
        at_risk = {j: n - sum(known[j] for known in rest) for j, n in pooled.items()}  # places all others told
        left = [one - other for one, other in itertools.combinations([*at_risk.values(), 0], 2)]
        assert not [each for each in left if least <= each < 10]
        for j, (events, at) in enumerate(zip(found.values["events"], found.values["at_risk"], strict=True)):
            if not is_suppressed(events) and not is_suppressed(at) and j + 1 < 20 and j + 1 not in told[tre]:
                raise AssertionError(f"events of a step that {tre} did not tell")


def test_edges_around_one_person_tell_nothing_of_that_step() -> None:
    """Attack 3: the step is told only together with a neighbour of many."""
    rows = [{"t": t, "died": d, "arm": "A"} for t in (2, 7, 9) for d in (True, False) for _ in range(30)]
    one: list[dict[str, Any]] = [*rows, {"t": 5.5, "died": True, "arm": "A"}]
    found, history = question(ANALYSIS, {"one": one}, COLUMNS, TEN, **ASKED, grid=(5.0, 5.6, 8.0))
    assert _told(history[0]["one"].figures, 3).keys() in ({0, 1, 3}, {0, 2, 3})
    for name in ("events", "censored"):
        low, high = bounds_of(found.values[name][1])
        assert low == 0
        assert high is not None
        assert high >= 9


def test_no_time_of_a_person_is_in_what_leaves() -> None:
    rows = people(200, 7)
    for place, row in enumerate(rows):
        row["t"] = row["t"] - 0.123457 - place / 1e9
    for appetite in (OPEN, TEN):
        _, history = question(ANALYSIS, split(rows, 2), COLUMNS, appetite, **ASKED, grid=3.0, until=12.0)
        for released in history[0].values():
            assert not [row for row in rows if str(row["t"])[:8].encode() in released_bytes(released)]


# ---------------------------------------------------------------------------------------------------------------- edges
def test_a_group_absent_a_tre_of_nobody_no_event_and_all_missing() -> None:
    only = [row for row in ROWS if row["arm"] == "A"]
    lost = [{**row, "t": None} for row in ROWS[:7]]
    alive = [{"t": 20, "died": False, "arm": "A"}] * 5
    early = [{"t": -1, "died": True, "arm": "A"}] * 2
    tres = {"only": only, "none": [], "lost": lost, "alive": alive, "early": early}
    found, _ = question(ANALYSIS, tres, COLUMNS, **ASKED, by="arm", grid=2.0, until=12.0)
    whole, _ = question(ANALYSIS, {"all": only + alive}, COLUMNS, **ASKED, by="arm", grid=2.0, until=12.0)
    assert found.values["survival"] == whole.values["survival"]
    assert found.values["survival"]["B"] == [1.0] * 6
    assert (found.values["missing"], found.values["outside"]) == (7, 2)
    assert (found.values["median"]["B"], found.values["lower"]["B"]) == (None, [None] * 6)


def test_a_tre_of_few_is_in_the_bounds() -> None:
    few = people(6, 3)
    tres = {"many": ROWS, "few": few}
    whole, _ = question(ANALYSIS, {"all": ROWS + few}, COLUMNS, **ASKED, grid=3.0, until=9.0)
    found, _ = question(ANALYSIS, tres, COLUMNS, TEN, **ASKED, grid=3.0, until=9.0)
    for true, said in zip(whole.values["survival"], found.values["survival"], strict=True):
        low, high = bounds_of(said)
        assert low is not None
        assert high is not None
        assert low <= true <= high


def test_a_grid_finer_than_the_times_is_the_same_curve() -> None:
    whole, _ = question(ANALYSIS, split(ROWS, 2), COLUMNS, **ASKED, until=12.0)
    found, _ = question(ANALYSIS, split(ROWS, 2), COLUMNS, **ASKED, grid=0.1, until=11.5)
    assert found.values["survival"][9::10] == whole.values["survival"][:11]
    assert (found.exactness, found.values["median"]) == ("exact", whole.values["median"])


def a_trial(n: int, seed: int, months: int = 60) -> list[dict[str, Any]]:
    """Accrual over five years, followed to the end; time in months."""
    r = np.random.default_rng(seed)
    arm = r.choice(["A", "B"], n)
    time, end = r.exponential(np.where(arm == "A", 40, 28)), r.uniform(6, 70, n)
    observed = np.ceil(np.minimum(time, end) * months / 60)
    return [
        {"t": int(t), "died": bool(d), "arm": str(a)} for t, d, a in zip(observed, time <= end, arm, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "points", "within", "median"),
    [((300, 1_000, 3_000), 60, 0.015, 2), ((300, 300, 300), 60, 0.1, 12), ((1_000, 1_000, 1_000), 260, 0.04, 12)],
)
def test_a_long_grid_under_a_threshold_gives_a_narrow_curve(
    sizes: tuple[int, ...], points: int, within: float, median: int
) -> None:
    """Months, or weeks, of five years, by arm: the pooled curve lies between bounds that are near each other."""
    tres = {f"tre{n}": a_trial(size, n, points) for n, size in enumerate(sizes)}
    asked = {**ASKED, "by": "arm", "grid": 1.0, "until": float(points)}
    whole, _ = question(ANALYSIS, {"all": [row for rows in tres.values() for row in rows]}, COLUMNS, **asked)
    found, _ = question(ANALYSIS, tres, COLUMNS, TEN, **asked)
    for arm in "AB":
        for name in ("survival", "at_risk", "nelson_aalen"):
            for true, said in zip(whole.values[name][arm], found.values[name][arm], strict=True):
                low, high = bounds_of(said)
                assert low is not None
                assert low <= true + 1e-12
                assert high is None or true <= high + 1e-12
        widths = [bounds_of(said) for said in found.values["survival"][arm][: points * 2 // 3]]
        assert np.mean([(high or 1.0) - (low or 0.0) for low, high in widths]) < within
        low, high = bounds_of(found.values["median"][arm])
        assert low is not None
        assert high is not None
        assert low <= whole.values["median"][arm] <= high <= low + median


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"grid": None, "until": None}, "grid-missing"),
        ({"grid": 7.0, "until": None}, "grid-missing"),
        ({"grid": 0.0, "until": 5.0}, "grid-malformed"),
        ({"grid": (3.0, 2.0)}, "grid-malformed"),
        ({"grid": 0.01, "until": 1e6}, "grid-too-long"),
        ({"time": "tt", "until": 5.0}, "unknown-column"),
        ({"time": "arm", "grid": 1.0, "until": 5.0}, "formula-type"),
    ],
)
def test_bad_questions_are_refused_in_words(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        question(ANALYSIS, {"one": ROWS}, COLUMNS, **{**ASKED, **asked})
    assert caught.value.code == code


def test_points_that_are_not_those_of_the_grid_are_refused() -> None:
    parameters = Km(**ASKED, grid=3.0, until=9.0, points=(3.0, 3.001, 9.0))
    with pytest.raises(Refused) as caught:
        ANALYSIS.check(parameters, _dictionary())
    assert caught.value.code == "grid-differs"


def _dictionary() -> Any:
    from tests.analyses.tres import a_dataset

    return a_dataset(columns=COLUMNS).dictionary()


def test_tres_that_measure_the_time_in_different_units_are_refused() -> None:
    """A point of the grid would be three months in one and three days in the other."""
    days, months, silent = (
        replace(_dictionary(), columns=(replace(COLUMNS[0], unit_of_measure=unit), *COLUMNS[1:]))
        for unit in ("days", "months", "")
    )
    assert ANALYSIS.agree is not None
    asked = Km(**ASKED, grid=3.0, until=9.0)
    with pytest.raises(Refused, match="days, months"):
        ANALYSIS.agree(asked, {"one": days, "two": months})
    agreed = ANALYSIS.agree(asked, {"one": days, "two": silent})
    assert agreed.unit == "days"
    ANALYSIS.check(agreed, silent)
    with pytest.raises(Refused) as caught:  # at the TRE itself, whatever the asker's client did
        ANALYSIS.check(agreed, months)
    assert caught.value.code == "unit-differs"


def test_a_person_with_several_rows_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        ANALYSIS.check(
            Km(**ASKED, grid=3.0, until=9.0, points=(3.0, 6.0, 9.0)), replace(_dictionary(), one_row_a_person=False)
        )
    assert caught.value.code == "rows-not-people"


@pytest.mark.parametrize(
    ("id", "value"),
    [
        ('at_risk:["1"]', 10_000),
        ('at_risk:["1"]', -1),
        ('at_risk:["1"]', "many"),
        ('events:["1"]', 10_000),
        ('events:["2"]', 1.5),
        ('at_risk:["3"]', None),
        ('events:["2"]', 0),
        ("missing", []),
    ],
)
def test_hostile_partials_are_refused(id: str, value: Any) -> None:
    _, history = question(ANALYSIS, split(ROWS, 2), COLUMNS, **ASKED, grid=3.0, until=9.0)
    parameters = Km(**ASKED, grid=3.0, until=9.0, points=(3.0, 6.0, 9.0), levels=())
    ANALYSIS.advance(parameters, history)
    history[0]["tre0"] = replace(history[0]["tre0"], figures={**history[0]["tre0"].figures, id: value})
    with pytest.raises(Refused) as caught:
        ANALYSIS.advance(parameters, history)
    assert caught.value.code in ("release-malformed", "figure-malformed")
