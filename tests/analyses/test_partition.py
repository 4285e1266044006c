"""However people are spread over TREs, the answer is that of all of them; under control, what is said holds.

One table of questions, with at least one for every analysis there is.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cinque.analyses.analysis import Released, Result
from cinque.analyses.registry import REGISTRY, SHIPPED
from cinque.lib.parse import dump
from cinque.model.datasets import Column
from cinque.sdc.appetite import Appetite
from cinque.sdc.figures import is_suppressed
from cinque.sdc.interval import bounds_of
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS, Row, a_source, agreed, ask

CLOSED, ITERATED = 1e-9, 1e-7  # relative: formulas in closed form, and fits that iterate
MOST = 10  # TREs
COLUMNS = (
    Column("site", "text", levels=tuple(f"t{i}" for i in range(MOST + 1))),
    Column("sex", "text", levels=("F", "M")),
    Column("drug", "text", levels=("celecoxib", "diclofenac", "none")),
    Column("smokes", "boolean"),
    Column("x", "number"),
    Column("visits", "integer"),
    Column("weight", "number"),
    Column("t", "number", precision=1),
    Column("died", "boolean"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """`whole`: how one TRE that holds everybody is asked the same, where that is another question; `apart`: values that
    are of the division itself, such as differences between TREs; `controlled`: what else is asked where a threshold
    is, so that something can be said; `counted`: values that are then of the procedure and no statistic.
    """

    asked: Mapping[str, Any]
    relative: float = CLOSED
    whole: Mapping[str, Any] = field(default_factory=dict)
    apart: Collection[str] = ()
    controlled: Mapping[str, Any] = field(default_factory=dict)
    counted: Collection[str] = ("rounds", "iterations")


GRID = {"grid": 1.0, "until": 20.0}
COARSE = {"grid": [3.0, 6.0, 12.0, 20.0], "until": None}  # its steps hold enough people for a threshold
NO_GRID = {"grid": None, "until": None}
OWN_GRID = ("baseline", "method", "grid", "points", "until", "heterogeneity")


def fit(formula: str, **more: Any) -> Question:
    return Question({"formula": formula, **more}, apart=["heterogeneity"])


def scoring(formula: str, **more: Any) -> Question:
    return Question({"formula": formula, **more}, ITERATED, apart=["heterogeneity"])


QUESTIONS: dict[str, list[Question]] = {
    "anova": [Question({"variable": "x", "by": "drug"})],
    "chi2": [
        Question({"factors": ["sex", "drug"]}),
        Question({"factors": ["sex", "smokes"], "yates": True, "where": "visits > 2"}),
    ],
    "cmh": [  # TREs are strata
        Question({"exposure": "smokes", "outcome": "sex"}, whole={"strata": ["site"]}, apart=["factors", "levels"]),
        Question(
            {"exposure": "smokes", "outcome": "died", "strata": ["sex"], "correct": False},
            whole={"strata": ["site", "sex"]},
            apart=["factors", "levels"],
        ),
    ],
    "corr": [Question({"variables": ["x", "visits", "weight"]})],
    "count": [Question({}), Question({"where": "smokes and x > 20"})],
    "cov": [Question({"variables": ["x", "visits"]})],
    "cox": [  # common baseline; the whole has exact times
        Question(
            {"formula": "Surv(t, died) ~ x + drug", "baseline": "common", "ties": ties, **GRID},
            ITERATED,
            {"baseline": "stratified", **NO_GRID},
            OWN_GRID,
            few,
        )
        for ties, few in (
            ("efron", {"baseline": "stratified", **NO_GRID}),
            ("breslow", {"formula": "Surv(t, died) ~ x", "grid": [6.0, 12.0, 20.0], "until": None}),
        )
    ],
    "fisher": [Question({"factors": ["smokes", "sex"]})],
    "glm": [
        scoring("smokes ~ x + drug + visits"),
        scoring("visits ~ sex * x", family="poisson", offset="weight"),
        scoring("x ~ drug", family="gamma", link="log", weights="weight"),
        scoring("died ~ ns(x, knots=(10, 20), boundary=(0, 60))", link="probit"),
    ],
    "histogram": [Question({"variable": "x", "bins": 9, "low": 0.0, "high": 45.0, "by": ["sex"]})],
    "km": [Question({"time": "t", "event": "died", "by": "sex", **GRID}, controlled=COARSE)],
    "lm": [
        fit("x ~ visits + drug"),
        fit("x ~ visits * sex + I(weight^2)", weights="weight", errors="hc3"),
        fit("t ~ ns(x, knots=(10, 20), boundary=(0, 60)) - 1", errors="hc0"),
    ],
    "logrank": [  # the whole has exact times
        Question(
            {"time": "t", "event": "died", "by": "drug", "stratified": False, **GRID},
            whole={"stratified": True, **NO_GRID},
            apart=("stratified", *OWN_GRID),
            controlled=COARSE,
        )
    ],
    "missing": [Question({"variables": ["sex", "drug", "smokes", "x"]})],
    "quantiles": [
        Question({"variable": "x", "low": 0.0, "high": 80.0, "precision": 0.5}, counted=("rounds", "ranges"))
    ],
    "roc": [
        Question({"formula": "smokes", "score": "x", "low": 0.0, "high": 80.0}, apart=["calibrated_over"]),
        Question({"formula": "smokes ~ x + drug"}, ITERATED, apart=["heterogeneity", "calibrated_over"]),
    ],
    "summary": [Question({"variable": "x", "by": ["sex", "smokes"]}), Question({"variable": "visits"})],
    "table": [Question({"factors": ["sex", "drug", "smokes"]})],
    "table_one": [Question({"variables": ["x", "visits", "drug", "smokes"], "by": ["sex"]})],
    "ttest": [
        Question({"variable": "x", "by": "sex"}),
        Question({"variable": "x", "by": "sex", "equal_variance": True}),
        Question({"variable": "x", "paired_with": "visits", "mu": 10.0}),
    ],
}
EVERY = [pytest.param(name, each, id=f"{name}-{i}") for name in QUESTIONS for i, each in enumerate(QUESTIONS[name])]


def test_every_analysis_has_a_question() -> None:
    assert QUESTIONS.keys() == set(SHIPPED)


def people(n: int, seed: int) -> list[dict[str, Any]]:
    """With effects, and with values missing here and there."""
    r = np.random.default_rng(seed)
    sex, drug = r.choice(["F", "M"], n), r.choice(["celecoxib", "diclofenac", "none"], n)
    smokes = r.random(n) < np.where(sex == "M", 0.45, 0.3)
    x = 3 + r.gamma(2.0, 5.0, n) + 2 * (drug == "none")
    visits = r.poisson(2 + 0.05 * x)
    t = np.ceil(r.exponential(14 / np.exp(0.02 * x + 0.3 * smokes)))
    died = (t <= 20) & (r.random(n) < 0.7)
    columns: dict[str, Sequence[Any]] = {
        "sex": [None if gone else str(v) for v, gone in zip(sex, r.random(n) < 0.04, strict=True)],
        "drug": drug.tolist(),
        "smokes": smokes.tolist(),
        "x": [None if gone else float(v) for v, gone in zip(x, r.random(n) < 0.05, strict=True)],
        "visits": visits.tolist(),
        "weight": (0.5 + r.random(n)).tolist(),
        "t": np.minimum(t, 20).tolist(),
        "died": died.tolist(),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


PEOPLE = people(400, 1)
MANY = people(1_500, 2)  # of whom a threshold lets something be said


def spread(sites: int, seed: int, rows: Sequence[Row] = PEOPLE) -> dict[str, list[Row]]:
    """Large and small TREs, in an order of their own, the rows too. Of three or more, one may have nobody."""
    r = np.random.default_rng(seed)
    shares = r.dirichlet(np.full(sites, 2.0))
    if sites > 2 and seed % 3 == 0:
        shares[0], shares[1] = 0.0, shares[0] + shares[1]
    at = r.choice(sites, len(rows), p=shares)
    names = r.permutation(sites)
    return {
        f"t{name}": [{**rows[k], "site": f"t{name}"} for k in r.permutation(np.flatnonzero(at == place))]
        for place, name in enumerate(names)
    }


def answered(
    name: str, tres: Mapping[str, Sequence[Row]], asked: Mapping[str, Any], appetite: Appetite = OPEN
) -> tuple[Result, list[dict[str, Released]], Any]:
    """The answer, what was released, and the parameters as agreed."""
    analysis = REGISTRY[name]
    with ExitStack() as stack:
        sources = {tre: stack.enter_context(a_source(rows, COLUMNS)) for tre, rows in tres.items()}
        parameters = agreed(analysis, asked, sources)
        return *ask(analysis, sources, dump(parameters), appetite), parameters


# ------------------------------------------------------------------------------------------------- without any control
@functools.cache
def whole(name: str, place: int) -> dict[str, Any]:
    question = QUESTIONS[name][place]
    return answered(name, {"all": PEOPLE}, {**question.asked, **question.whole})[0].values


@pytest.mark.parametrize(("name", "question"), EVERY)
@settings(max_examples=1)
@given(sites=st.integers(2, MOST), seed=st.integers(0, 10_000))
@example(sites=2, seed=1)
@example(sites=MOST, seed=3)
def test_any_split_in_any_order_is_the_pooled_answer(name: str, question: Question, sites: int, seed: int) -> None:
    tres = spread(sites, seed)
    result, history, parameters = answered(name, tres, question.asked)
    if question.whole.get("strata"):  # which TRE has whom is part of the question
        everybody = [row for rows in tres.values() for row in rows]
        expected = answered(name, {"all": everybody}, {**question.asked, **question.whole})[0].values
    else:
        expected = whole(name, QUESTIONS[name].index(question))
    assert result.exactness == "exact"
    same(result.values, expected, question.relative, {*question.apart, "per_tre", "pooled_over"})
    order = np.random.default_rng(seed).permutation(sorted(tres))
    turned = [{str(tre): each[str(tre)] for tre in order} for each in history]
    assert REGISTRY[name].advance(parameters, turned) == result  # to the bit


def same(found: Any, expected: Any, relative: float, apart: Collection[str], at: str = "") -> None:
    """Every value, however deep."""
    if isinstance(found, dict):
        assert found.keys() - apart == expected.keys() - apart, at
        for key in found.keys() - apart:
            same(found[key], expected[key], relative, apart, f"{at}.{key}")
    elif isinstance(found, list):
        assert len(found) == len(expected), at
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            same(one, other, relative, apart, f"{at}[{place}]")
    elif isinstance(found, float) and isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=relative, abs_tol=1e-13), (at, found, expected)
    else:
        assert found == expected, at


# ------------------------------------------------------------------------------------------------------- under control
@pytest.mark.parametrize(("name", "question"), EVERY)
@settings(max_examples=1)
@given(sites=st.integers(2, 4), seed=st.integers(0, 10_000), zeros=st.booleans())
@example(sites=3, seed=1, zeros=True)
def test_under_control_what_is_said_holds(name: str, question: Question, sites: int, seed: int, zeros: bool) -> None:
    """Bounds contain the pooled truth; a number is that of everybody, or of the TREs that it says it is over."""
    few: list[Row] = [{**row, "site": f"t{MOST}"} for row in people(7, seed)]
    tres = spread(sites, seed, MANY) | {"few": few}
    asked = {**question.asked, **question.controlled}
    result, history, _ = answered(name, tres, asked, TEN_AND_ZEROS if zeros else TEN)
    suppressed = any(is_suppressed(f) for one in history for tre in one.values() for f in tre.figures.values())
    assert result.exactness == ("bounded" if suppressed else "exact")
    if name == "logrank" and result.values["points"]:  # a coarser grid, and says so
        asked = {**asked, "grid": result.values["points"], "until": None}
    truth = Truth(lambda over: answered(name, {tre: tres[tre] for tre in over}, asked)[0].values, tuple(tres))
    said = {key: value for key, value in result.values.items() if key not in question.counted}
    if name == "quantiles":
        everybody = [row["x"] for rows in tres.values() for row in rows if row["x"] is not None]
        encloses(said.pop("quantiles"), everybody)
    if name == "roc":  # between counts that are known the curve is a guess, within bounds that hold
        over = result.values["pooled_over"]
        if over and "score" in question.asked:
            low, high = (truth.of(over, [end]) for end in ("auc_low", "auc_high"))
            assert said["auc_low"] <= high + CLOSED
            assert low <= said["auc_high"] + CLOSED
        said = {key: said[key] for key in ("n", "missing", "outside", "pooled_over")}
    truth.holds(said, question.relative)
    if (sites, seed) == (3, 1):
        assert result.values.get("pooled_over", tres), "nothing but counts was said"


@dataclass
class Truth:
    """What is so when nothing is suppressed: of everybody, and of the people of some TREs."""

    ask: Callable[[tuple[str, ...]], dict[str, Any]]
    everybody: tuple[str, ...]
    known: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def of(self, over: Sequence[str], path: Sequence[Any]) -> Any:
        names = tuple(sorted(over))
        if names not in self.known:
            self.known[names] = self.ask(names)
        return functools.reduce(lambda value, key: value[key], path, self.known[names])

    def holds(self, said: Any, relative: float, path: tuple[Any, ...] = (), over: Sequence[str] | None = None) -> None:
        """Every number and every bound, however deep. `over`: the TREs that this part of the answer is over."""
        if isinstance(said, dict) and not is_suppressed(said):
            over = said.get("pooled_over", over)
            if "smd" in said:  # of two groups, over the same TREs
                over = said["groups"][0].get("pooled_over", over)
            for key, value in said.items():
                if key == "shape":  # of the groups in turn, over theirs
                    for i, one in enumerate(value):
                        self.holds(one, relative, (*path, key, i), said["groups"][i]["pooled_over"])
                elif key not in ("per_tre", "pooled_over", "reason", "heterogeneity"):
                    self.holds(value, relative, (*path, key), over)
        elif isinstance(said, list):
            for i, one in enumerate(said):
                self.holds(one, relative, (*path, i), over)
        elif not isinstance(said, bool | str | None):
            self._figure(said, relative, path, over or self.everybody)

    def _figure(self, said: Any, relative: float, path: tuple[Any, ...], over: Sequence[str]) -> None:
        everybody, members = (self.of(of, path) for of in (self.everybody, over))
        low, high = bounds_of(said)
        side = {"lower": (low, None), "upper": (None, high)}.get(str(path[0]))
        if "median_interval" in path:
            side = (None, high) if path[-1] else (low, None)
        if side is not None:  # an end of a band about a curve that is known between bounds
            assert members is None or inside(side, members, relative), (path, said, members)
        elif is_suppressed(said):
            assert everybody is None or inside((low, high), everybody, relative), (path, said, everybody)
        else:
            known = [one for one in (everybody, members) if one is not None]
            assert any(math.isclose(said, one, rel_tol=relative) for one in known), (path, said, known)


def inside(sides: tuple[Any, Any], value: float, relative: float) -> bool:
    """Counts exactly; what is computed from them by another way of adding, to its last digits."""
    slack = 0.0 if isinstance(value, int) else relative * abs(value)
    low, high = sides
    return (low is None or low <= value + slack) and (high is None or value - slack <= high)


def encloses(said: Sequence[Mapping[str, Any]], values: Sequence[float]) -> None:
    truth = np.quantile(values, [float(row["probability"]) for row in said])
    for row, value in zip(said, truth, strict=True):
        assert row["at_least"] is None or row["at_least"] <= value * (1 + 1e-9)
        assert row["at_most"] is None or value <= row["at_most"] * (1 + 1e-9)
