"""logrank over TREs: stratified, and as if pooled on a grid; and what must not leave does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from lifelines.datasets import load_leukemia
from lifelines.statistics import logrank_test

from cinque.analyses import km
from cinque.analyses.logrank import ANALYSIS, Logrank
from cinque.errors import Refused
from cinque.model.datasets import Column
from cinque.sdc.figures import is_suppressed
from tests.analyses.survivors import split
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS, question

COLUMNS = (
    Column("t", "number", precision=1),
    Column("died", "boolean"),
    Column("arm", "text", levels=("A", "B", "C")),
)
TWO = (*COLUMNS[:2], Column("arm", "text", levels=("A", "B")))
ASKED: dict[str, Any] = {"time": "t", "event": "died", "by": "arm"}
LEUKAEMIA = [
    {"t": int(t), "died": bool(d), "arm": "AB"[int(a)]}
    for t, d, a in zip(*(load_leukemia()[name] for name in ("t", "status", "Rx")), strict=True)
]


def people(n: int = 600, seed: int = 1) -> list[dict[str, Any]]:
    r = np.random.default_rng(seed)
    arm = r.choice(["A", "B", "C"], n)
    time = np.ceil(r.exponential(np.select([arm == "A", arm == "B"], [12, 8], 6)))
    return [
        {"t": int(min(t, 20)), "died": bool(t <= 20 and d), "arm": str(a)}
        for t, d, a in zip(time, r.random(n) < 0.7, arm, strict=True)
    ]


ROWS = people()


def test_six_mp_as_published() -> None:
    found, _ = question(ANALYSIS, split(LEUKAEMIA, 3), TWO, **ASKED, stratified=False, until=35.0)
    assert found.values["statistic"] == pytest.approx(16.7929, abs=5e-5)
    assert (found.values["df"], found.exactness, found.values["observed"]) == (1, "exact", {"A": 9, "B": 21})
    assert found.values["p"] == pytest.approx(4.169e-5, abs=5e-9)


def test_stratified_as_statsmodels_and_each_tre_as_lifelines() -> None:
    from statsmodels.duration.survfunc import survdiff

    tres = split(LEUKAEMIA, 3)
    found, _ = question(ANALYSIS, tres, TWO, **ASKED)
    rows = [{**row, "tre": tre} for tre, each in tres.items() for row in each]
    time, died, arm, tre = ([row[name] for row in rows] for name in ("t", "died", "arm", "tre"))
    statistic, p = survdiff(np.array(time), np.array(died, int), np.array(arm), strata=np.array(tre))
    assert (found.values["statistic"], found.values["p"]) == (pytest.approx(statistic), pytest.approx(p))
    for name, each in tres.items():
        one, other = ([row for row in each if row["arm"] == arm] for arm in "AB")
        theirs = logrank_test(
            [row["t"] for row in one],
            [row["t"] for row in other],
            [row["died"] for row in one],
            [row["died"] for row in other],
        )
        assert found.values["per_tre"][name]["statistic"] == pytest.approx(theirs.test_statistic, rel=1e-9)


def test_where_steps_merged_it_is_the_test_on_the_steps_that_are_left() -> None:
    tres = split(people(1_500, 3), 2)
    asked = {**ASKED, "stratified": False}
    found, _ = question(ANALYSIS, tres, COLUMNS, TEN, **asked, grid=2.0, until=12.0)
    points = tuple(found.values["points"])
    assert 2 <= len(points) < 6
    assert found.exactness == "bounded"
    assert found.values["pooled_over"] == ["tre0", "tre1"]
    coarse, _ = question(ANALYSIS, tres, COLUMNS, **asked, grid=points)
    for name in ("statistic", "observed", "expected"):
        assert found.values[name] == coarse.values[name]


def test_absent_groups_no_events_and_nobody() -> None:
    only = [row for row in ROWS if row["arm"] != "C"]
    alive = [{**row, "died": False} for row in ROWS[:20]]
    tres = {"all": ROWS, "only": only, "alive": alive, "nobody": []}
    found, _ = question(ANALYSIS, tres, COLUMNS, **ASKED)
    whole, _ = question(ANALYSIS, {"all": ROWS, "only": only}, COLUMNS, **ASKED)
    assert found.values["statistic"] == pytest.approx(whole.values["statistic"], rel=1e-12)
    per_tre = found.values["per_tre"]
    assert (per_tre["only"]["df"], per_tre["alive"]["statistic"], per_tre["nobody"]["df"]) == (1, None, 0)


def _late(rows: list[dict[str, Any]], arm: str) -> list[dict[str, Any]]:
    """Those of one arm die at 10, the others are not seen after 5."""
    return [{**row, "t": 10 if row["arm"] == arm else 5, "died": row["arm"] == arm} for row in rows]


@pytest.mark.parametrize(
    ("rows", "appetite", "stratified", "words"),
    [
        ([], OPEN, False, "no group has people"),
        ([], OPEN, True, "no group has people"),
        ([], TEN, True, "no TRE's numbers could leave"),
        ([], TEN, False, "no TRE could tell of every group"),
        ([row for row in ROWS if row["arm"] == "B"], OPEN, False, "only group `B` has people"),
        ([{**row, "died": False} for row in ROWS], OPEN, False, "nobody had the event"),
        ([{**row, "died": False} for row in ROWS], TEN_AND_ZEROS, False, "nobody had the event"),
        (_late(ROWS, "A"), OPEN, True, "people of one group alone were at risk"),
    ],
)
def test_without_a_statistic_the_reason_is_said(rows: Any, appetite: Any, stratified: bool, words: str) -> None:
    asked = {} if stratified else {"stratified": False, "grid": 1.0, "until": 12.0}
    found, _ = question(ANALYSIS, {"one": rows, "two": rows}, COLUMNS, appetite, **ASKED, **asked)
    assert found.values["statistic"] is None
    assert words in found.values["reason"]


def test_tres_without_a_point_in_common_are_said_to_have_none() -> None:
    """One TRE's people all leave by 4, the other's only after that."""
    early = [{**row, "t": 2 if place % 2 else 4} for place, row in enumerate(ROWS)]
    late = [{**row, "t": 8 if place % 2 else 12} for place, row in enumerate(ROWS)]
    asked = {**ASKED, "stratified": False, "grid": 1.0, "until": 12.0}
    found, _ = question(ANALYSIS, {"early": early, "late": late}, COLUMNS, TEN, **asked)
    assert found.values["statistic"] is None
    assert "no point in common" in found.values["reason"]
    assert found.values["per_tre"]["late"]["statistic"] is not None
    whole, _ = question(ANALYSIS, {"early": early, "late": late}, COLUMNS, **asked)
    assert whole.values["reason"] is None


@pytest.mark.parametrize("sizes", [(300, 1_000, 3_000), (600, 600, 600)])
def test_a_long_grid_under_a_threshold_is_tested_on_the_points_that_all_tell(sizes: tuple[int, ...]) -> None:
    r = np.random.default_rng(3)
    tres: dict[str, list[dict[str, Any]]] = {}
    for n in sizes:
        arm = r.choice(["A", "B"], n)
        time, end = r.exponential(np.where(arm == "A", 40, 25)), r.uniform(6, 70, n)
        tres[f"tre{len(tres)}"] = [
            {"t": int(t), "died": bool(d), "arm": str(a)}
            for t, d, a in zip(np.ceil(np.minimum(time, end)), time <= end, arm, strict=True)
        ]
    asked = {**ASKED, "stratified": False, "grid": 1.0, "until": 60.0}
    found, history = question(ANALYSIS, tres, TWO, TEN, **asked)
    whole, _ = question(ANALYSIS, tres, TWO, **asked)
    assert len(found.values["points"]) >= 5
    assert (found.values["statistic"], found.values["p"] < 0.001) == (
        pytest.approx(whole.values["statistic"], rel=0.3),
        True,
    )
    # The curves of the same question are the same figures: both answers together tell no more than one.
    curves, theirs = question(km.ANALYSIS, tres, TWO, TEN, **ASKED, grid=1.0, until=60.0)
    for tre, released in history[0].items():
        assert released.figures == theirs[0][tre].figures
    told = [dict(zip(curves.values["times"], curves.values["at_risk"][arm], strict=True)) for arm in "AB"]
    assert all(not is_suppressed(each[point + 1]) for each in told for point in found.values["points"] if point < 60)


@pytest.mark.parametrize("appetite", [TEN, TEN_AND_ZEROS])
def test_a_group_of_few_shuts_the_tres_numbers(appetite: Any) -> None:
    """Attack 2: a group that is one person; observed less expected would be that person's."""
    one = [row for row in ROWS if row["arm"] != "C"] + [{"t": 4, "died": True, "arm": "C"}]
    found, history = question(ANALYSIS, {"one": one, "other": people(600, 9)}, COLUMNS, appetite, **ASKED)
    figures = history[0]["one"].figures
    assert all(is_suppressed(figures[name]) for name in ("expected", "variance", 'n:["C"]', 'events:["C"]'))
    assert (found.values["pooled_over"], found.exactness) == (["other"], "bounded")
    assert found.values["per_tre"]["one"]["statistic"] is None


def test_few_events_shut_it_too() -> None:
    """Rule 15: under ten people with the event, or without."""
    for died in (True, False):
        rows = [{**row, "died": died if place >= 9 else not died} for place, row in enumerate(ROWS)]
        found, _ = question(ANALYSIS, {"one": rows}, COLUMNS, TEN_AND_ZEROS, **ASKED)
        assert found.values["statistic"] is None


def test_bad_questions_are_refused() -> None:
    for asked, code in (
        ({"grid": 1.0, "until": 9.0}, "grid-unused"),
        ({"stratified": False, "grid": 1.0}, "grid-missing"),
        ({"by": "t"}, "factor-needs-levels"),
        ({"by": "arms"}, "unknown-column"),
    ):
        with pytest.raises(Refused) as caught:
            question(ANALYSIS, {"one": ROWS}, COLUMNS, **{**ASKED, **asked})
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("id", "value"),
    [("expected", [1.0]), ("expected", [1.0, 2.0, float("nan")]), ("variance", "x"), ('n:["A"]', -3), ("missing", 1.5)],
)
def test_hostile_partials_are_refused(id: str, value: Any) -> None:
    parameters = Logrank(**ASKED, levels=(("arm", "A", "B", "C"),))
    _, history = question(ANALYSIS, split(ROWS, 2), COLUMNS, OPEN, **ASKED)
    ANALYSIS.advance(parameters, history)
    history[0]["tre0"] = replace(history[0]["tre0"], figures={**history[0]["tre0"].figures, id: value})
    with pytest.raises(Refused) as caught:
        ANALYSIS.advance(parameters, history)
    assert caught.value.code in ("release-malformed", "figure-malformed")
