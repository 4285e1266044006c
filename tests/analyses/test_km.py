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
from tests.analyses.survivors import question, split
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS

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


@settings(max_examples=8, deadline=None)
@given(sites=st.integers(2, 10), seed=st.integers(0, 99))
def test_any_split_in_any_order_is_the_pooled_curve(sites: int, seed: int) -> None:
    whole, _ = question(ANALYSIS, {"all": ROWS}, COLUMNS, **ASKED, by="arm", until=12.0)
    tres = split(ROWS, sites, seed)
    parts, history = question(ANALYSIS, tres, COLUMNS, **ASKED, by="arm", until=12.0)
    for name in ("survival", "at_risk", "events", "censored", "lower", "upper", "median", "nelson_aalen", "n"):
        assert parts.values[name] == whole.values[name], name
    back = [dict(reversed(list(history[0].items())))]
    parameters = Km(**ASKED, by="arm", until=12.0, levels=(("arm", "A", "B"),), points=tuple(map(float, range(1, 13))))
    assert ANALYSIS.advance(parameters, back) == ANALYSIS.advance(parameters, history)


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


def _suppressed(history: Any) -> int:
    return sum(is_suppressed(value) for released in history[0].values() for value in released.figures.values())


# ---------------------------------------------------------------------------------------------------------- the attacks
@pytest.mark.parametrize("appetite", [TEN, TEN_AND_ZEROS])
def test_no_merged_step_is_of_fewer_people_than_may_be_told(appetite: Any) -> None:
    """Rule 8, attack 3: what lies between two numbers at risk that are told is a step, whichever they are."""
    least = 1 if appetite is TEN_AND_ZEROS else 0
    steps = 0
    for seed in range(6):
        rows = people(150 - 10 * seed, seed, most=14)
        _, history = question(ANALYSIS, {"one": rows}, COLUMNS, appetite, **ASKED, grid=1.0, until=10.0)
        figures = history[0]["one"].figures
        told = [figures[id] for j in range(11) if not is_suppressed(figures[id := f'at_risk:["{j}"]'])]
        steps += len(told)
        for one, other in itertools.pairwise(told):
            assert not least <= one - other < 10
        for j in range(1, 11):  # events stand and fall with who is at risk
            suppressed = [is_suppressed(figures[f'{name}:["{j}"]']) for name in ("at_risk", "events")]
            assert suppressed[0] is suppressed[1]
        assert all(each >= 10 or (each == 0 and least) for each in told)  # the last survivors' tail is cut
    assert steps > 16


def test_the_chain_alone_would_tell_of_nine() -> None:
    """Why who leaves between any two points is judged: without that a merged step is of 9."""
    from cinque.sdc.figures import Figure, Figures, Relation
    from cinque.sdc.judge import judge

    left = [30, 4, 5, 30]
    at_risk = [99, 69, 65, 60, 30]
    counts = {f"at_risk{j}": n for j, n in enumerate(at_risk)} | {f"left{j}": n for j, n in enumerate(left)}
    chain = [Relation(f"at_risk{j}", (f"left{j}", f"at_risk{j + 1}")) for j in range(4)]
    found = judge(Figures(tuple(Figure(id, "Frequencies", n) for id, n in counts.items()), tuple(chain)), TEN)
    assert sorted(found.suppressed) == ["at_risk2", "left1", "left2"]  # 69 - 60 is told
    rows = [{"t": j + 1, "died": True, "arm": "A"} for j, n in enumerate([*left, 30]) for _ in range(n)]
    _, history = question(ANALYSIS, {"one": rows}, COLUMNS, TEN, **ASKED, grid=1.0, until=4.0)
    figures = history[0]["one"].figures
    assert is_suppressed(figures['at_risk:["1"]']) or is_suppressed(figures['at_risk:["3"]'])


def test_edges_around_one_person_tell_nothing_of_that_step() -> None:
    """Attack 3: the step is told only together with a neighbour of many."""
    rows = [{"t": t, "died": d, "arm": "A"} for t in (2, 7, 9) for d in (True, False) for _ in range(30)]
    one: list[dict[str, Any]] = [*rows, {"t": 5.5, "died": True, "arm": "A"}]
    found, history = question(ANALYSIS, {"one": one}, COLUMNS, TEN, **ASKED, grid=(5.0, 5.6, 8.0))
    figures = history[0]["one"].figures
    assert figures['left:["1","2"]'] == {
        "suppressed": True,
        "at_least": 0,
        "at_most": figures['left:["1","2"]']["at_most"],
    }
    assert figures['left:["1","2"]']["at_most"] >= 9
    assert is_suppressed(figures['at_risk:["1"]']) or is_suppressed(figures['at_risk:["2"]'])
    assert bounds_of(found.values["events"][1]) != (1, 1)


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


def test_a_grid_too_long_to_merge_is_told_whole_or_not_at_all() -> None:
    asked = {**ASKED, "grid": 0.1, "until": 11.5}
    whole, _ = question(ANALYSIS, split(ROWS, 2), COLUMNS, **ASKED, until=12.0)
    found, history = question(ANALYSIS, split(ROWS, 2), COLUMNS, **asked)
    assert found.values["survival"][9::10] == whole.values["survival"][:11]
    assert (found.exactness, found.values["median"]) == ("exact", whole.values["median"])
    for appetite in (TEN, TEN_AND_ZEROS):  # steps of nobody, and at the end of fewer than ten
        few = [*ROWS, {"t": 5.5, "died": True, "arm": "A"}]
        found, history = question(ANALYSIS, {"one": few}, COLUMNS, appetite, **asked)
        assert is_suppressed(history[0]["one"].figures["at_risk:[]"])
        assert is_suppressed(history[0]["one"].figures["events:[]"])
        assert all(bounds_of(said)[0] == 0 for said in found.values["survival"])
    many = [row for row in ROWS if row["t"] <= 10] + [{"t": 20, "died": False, "arm": "A"}] * 10
    found, history = question(ANALYSIS, {"one": many}, COLUMNS, TEN_AND_ZEROS, **asked)
    assert not is_suppressed(history[0]["one"].figures["at_risk:[]"])


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
        ('left:["0","1"]', None),
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
