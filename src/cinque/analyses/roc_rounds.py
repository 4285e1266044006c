"""The rounds of a ROC curve replayed: the model's, then the counts of its scores, then the sums in groups of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from cinque.analyses import glm_rounds, halves, models
from cinque.analyses.analysis import Exactness, History, Result, Step
from cinque.analyses.combine import count, exact_ids, exactness, members_of, total
from cinque.analyses.factors import malformed
from cinque.analyses.glm_model import COUNTS
from cinque.analyses.roc_model import OUTCOMES, Roc, fitted_edges, groups, model_of, score_edges
from cinque.sdc.figures import Bounds
from cinque.stats.roc import Area, Below, add, area, wilson

NOTHING: Final = dict.fromkeys(("auc", "auc_low", "auc_high", "se", "confint", "expected", "oe", "brier"))
Told = dict[str, dict[str, Below]]  # TRE id -> outcome -> people below each place, of TREs that told how many there are
NO_CURVE: Final = "No TRE's people with the outcome, and without, can be counted: there is no curve."


@dataclass(frozen=True, slots=True)
class Scored:
    """What gives everybody a score: after so many `rounds`, coefficients (None for a score in the data), the edges of
    its ranges, whether each range is one score, who may be counted, and what is said of the model."""

    rounds: int
    beta: list[float] | None
    edges: list[float]
    tied: bool
    members: list[str]
    model: dict[str, Any] | None

    def step(self, values: dict[str, Any], later: int) -> Step:
        """The round after the model's, or the one after that."""
        return Step(self.rounds + later, values if self.beta is None else {"beta": self.beta, **values})


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of calibration: places (the number of bins below each), and their edges."""

    places: list[int]
    edges: list[float]

    def counts(self, below: Below) -> list[int]:
        """People in each group; places are where they are known."""
        ends = [0, *(below.at_least[place] for place in self.places), below.people]
        return [after - before for before, after in pairwise(ends)]


def advance(parameters: Roc, history: History) -> Step | Result:
    """The model's next step, the counts, the sums, or the answer."""
    scored = _scored(parameters, history)
    if not isinstance(scored, Scored):
        return scored
    if len(history) == scored.rounds:
        return scored.step({"edges": scored.edges}, 1)
    told = _told(scored, history)
    if not told or not parameters.probability:
        if len(history) > scored.rounds + 1:
            raise malformed()
        return _result(parameters, history, scored, told, None)
    found = _groups(scored, told)
    if len(history) == scored.rounds + 1:
        each = [[found.counts(own[name]) for name in OUTCOMES] for own in told.values()]
        return scored.step({"groups": found.edges, "told": each}, 2)
    if len(history) > scored.rounds + 2:
        raise malformed()
    return _result(parameters, history, scored, told, found)


def _scored(parameters: Roc, history: History) -> Scored | Step | Result:
    """Where the model's rounds end, and with what."""
    if parameters.score is not None:
        return Scored(0, None, score_edges(parameters), False, sorted(history[0]), None)
    model = model_of(parameters)
    for rounds in range(1, len(history) + 1):
        found = glm_rounds.advance(model, history[:rounds])
        if isinstance(found, Result):
            break
    else:
        return found
    fit = {name: value for name, value in found.values.items() if name != "per_tre"}
    if not fit["converged"] or fit["coef"] is None:
        if rounds < len(history):
            raise malformed()
        values: dict[str, Any] = {"formula": parameters.formula, **_contents(None, []), "calibration": []}
        values |= {name: fit[name] for name in (*COUNTS, "pooled_over", "converged")}
        values |= {"stopped": fit.get("stopped"), "model": fit, "per_tre": found.values["per_tre"]}
        return Result(values, found.exactness)
    terms, used = fit["terms"], fit["pooled_over"]
    size = len(models.upper(len(terms)))
    information = models.add_up([models.numbers(history[0][tre].figures["information"], size) for tre in used])
    beta = [fit["coef"][term] for term in terms]
    edges, tied = fitted_edges(parameters, models.symmetric(information, len(terms)), beta)
    return Scored(rounds, beta, edges, tied, used, fit)


def _told(scored: Scored, history: History) -> Told:
    """The round of counts."""
    bins, number = len(scored.edges) + 1, scored.rounds + 1
    wanted = [*COUNTS, *(id for name in OUTCOMES for id in halves.ids(name, bins))]
    found: Told = {}
    for tre, released in members_of(history, number):
        exact_ids(released, wanted)
        if released.shape != {"round": number, "bins": bins}:
            raise malformed()
        for name in COUNTS:
            count(released, name)
        own = {name: halves.known(released, name, bins) for name in OUTCOMES}
        known = {name: each for name, each in own.items() if each is not None}
        if tre in scored.members and len(known) == len(own):
            found[tre] = known
    return found


def _groups(scored: Scored, told: Told) -> Groups:
    """Divided where every TRE knows its people, of either outcome, so that groups hold about a tenth each."""
    every = [below for own in told.values() for below in own.values()]
    size = len(scored.edges) + 2
    known = [place for place in range(size) if all(each.at_least[place] == each.at_most[place] for each in every)]
    people = [sum(each.at_least[place] for each in every) for place in range(size)]
    return Groups(*groups(scored.edges, known, people))


# --------------------------------------------------------------------------------------------------------- the answer
def _result(parameters: Roc, history: History, scored: Scored, told: Told, found: Groups | None) -> Result:
    members = members_of(history, scored.rounds + 1)
    sums = {} if found is None else _sums(scored, history, told, found)
    everyone = [released for tre, released in members if tre in told] or [released for _, released in members]
    values: dict[str, Any] = {"formula": parameters.formula}
    if scored.model is None:
        values["score"] = parameters.score
    values |= {name: total(everyone, name) for name in COUNTS}
    values |= _contents(scored, list(told.values()))
    values |= _compared(parameters, told, found, sums)
    values |= {"pooled_over": list(told), "bins": len(scored.edges) + 1, "tied": scored.tied}
    values["per_tre"] = {
        tre: {name: count(released, name) for name in COUNTS}
        | _contents(scored, [told[tre]] if tre in told else [])
        | _agreement(told.get(tre), sums.get(tre))
        for tre, released in members
    }
    if scored.model is not None:
        values |= {"model": scored.model, "converged": True}
    if not told:
        values["stopped"] = NO_CURVE
    rounds = {1, *range(scored.rounds, len(history) + 1)} - {0}
    exact: Exactness = "exact"
    if any(exactness(members_of(history, number)) != "exact" for number in rounds):
        exact = "bounded"
    return Result(values, exact)


def _contents(scored: Scored | None, parts: Sequence[Mapping[str, Below]]) -> dict[str, Any]:
    """The area and the curve of these TREs together; nothing known where there is none."""
    if scored is None or not parts:
        return {"events": None, "nonevents": None, **NOTHING, "points": []}
    events, others = (add([part[name] for part in parts]) for name in OUTCOMES)
    found = area(events, others, tied=scored.tied)
    values: dict[str, Any] = {"events": events.people, "nonevents": others.people, **NOTHING}
    if found is not None:
        values |= _area(found)
    values["points"] = [
        {
            "threshold": f"{edge:.6g}",
            "sensitivity": _share(events, place, above=True),
            "specificity": _share(others, place, above=False),
        }
        for place, edge in enumerate(scored.edges, start=1)
    ]
    return values


def _area(found: Area) -> dict[str, Any]:
    interval = found.interval
    return {
        "auc": found.auc,
        "auc_low": found.low,
        "auc_high": found.high,
        "se": found.se,
        "confint": None if interval is None else list(interval),
    }


def _share(below: Below, place: int, *, above: bool) -> Any:
    """Of these people those below a place, or not below: a number, or the bounds between which it lies."""
    people = below.people
    if not people:
        return None
    low, high = below.at_least[place], below.at_most[place]
    if above:
        low, high = people - high, people - low
    return low / people if low == high else Bounds(low / people, high / people).to_dict()


def _sums(scored: Scored, history: History, told: Told, found: Groups) -> dict[str, tuple[list[float], float]]:
    """TRE id -> its scores added up by group, and its sum of squares, of those that told them."""
    number, size = scored.rounds + 2, len(found.edges) + 1
    sums = {}
    for tre, released in members_of(history, number):
        exact_ids(released, ["n", "expected", "brier"])
        if released.shape != {"round": number, "groups": size}:
            raise malformed()
        count(released, "n")
        if tre not in told or any(models.shut(released.figures[name]) for name in ("expected", "brier")):
            continue
        expected = models.numbers(released.figures["expected"], size)
        (brier,) = models.numbers([released.figures["brier"]], 1)
        people = [sum(each) for each in zip(*(found.counts(told[tre][name]) for name in OUTCOMES), strict=True)]
        _check_sums(expected, brier, people, found.edges)
        sums[tre] = expected, brier
    return sums


def _check_sums(expected: Sequence[float], brier: float, people: Sequence[int], edges: Sequence[float]) -> None:
    """Raises Refused for sums that no scores of so many people in these ranges have."""
    for value, n, low, high in zip(expected, people, [0.0, *edges], [*edges, 1.0], strict=True):
        if not n * low * (1 - 1e-9) <= value <= n * high * (1 + 1e-9):
            raise malformed()
    if not 0 <= brier <= sum(people):
        raise malformed()


def _compared(
    parameters: Roc, told: Told, found: Groups | None, sums: Mapping[str, tuple[list[float], float]]
) -> dict[str, Any]:
    """Calibration over the TREs that told their sums, which `calibrated_over` names."""
    if found is None or not sums:
        return {"calibration": [], "calibrated_over": []}
    own = [told[tre] for tre in sums]
    events, others = (found.counts(add([each[name] for each in own])) for name in OUTCOMES)
    expected = models.add_up([each for each, _ in sums.values()])
    brier = models.add_up([[each] for _, each in sums.values()])[0]
    top = parameters.high if parameters.score is not None else 1.0
    ends = [parameters.low if parameters.score is not None else 0.0, *found.edges, top]
    return {
        **_agreed(sum(events), sum(events) + sum(others), math.fsum(expected), brier),
        "calibration": [
            _group(d, d + c, e, low, high)
            for d, c, e, low, high in zip(events, others, expected, ends, ends[1:], strict=False)
        ],
        "calibrated_over": list(sums),
    }


def _group(events: int, people: int, expected: float, low: Any, high: Any) -> dict[str, Any]:
    lower, upper = wilson(events, people) if people else (None, None)
    return {
        "predicted": f"{low:.4g} to {high:.4g}",
        "people": people,
        "events": events,
        "expected": expected,
        "mean_predicted": expected / people if people else None,
        "observed": events / people if people else None,
        "lower": lower,
        "upper": upper,
    }


def _agreement(own: Mapping[str, Below] | None, sums: tuple[list[float], float] | None) -> dict[str, Any]:
    """Of one TRE."""
    if own is None or sums is None:
        return {}
    events, others = (own[name].people for name in OUTCOMES)
    return _agreed(events, events + others, math.fsum(sums[0]), sums[1])


def _agreed(events: int, people: int, expected: float, squares: float) -> dict[str, Any]:
    return {
        "expected": expected,
        "oe": events / expected if expected > 0 else None,
        "brier": squares / people if people else None,
    }
