"""Kaplan-Meier curves with bands, median and Nelson-Aalen hazard, on a declared grid (statistics.md 3.11, rule 8)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cinque.analyses import filters, steps, times
from cinque.analyses.analysis import Analysis, Field, History, Partial, Result, Step
from cinque.analyses.combine import Members, exact_ids, exactness, one_round, total
from cinque.analyses.factors import malformed
from cinque.analyses.times import Grid, Levels
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Bounds, Figure, Figures

COUNTS = ("missing", "outside")
CURVE = (
    *("n", "at_risk", "events", "censored", "survival", "lower", "upper", "median", "median_interval"),
    *("nelson_aalen", "nelson_aalen_variance", "restricted_mean", "restricted_mean_se"),
)


@dataclass(frozen=True, slots=True)
class Km:
    """Whose time to which event."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    time: str = field(metadata={"description": "A column of numbers: how long each person was observed."})
    event: str = field(metadata={"description": "True/false, 0 and 1, or two levels of which the second is the event."})
    by: str | None = field(default=None, metadata={"description": "A column with declared levels: a curve for each."})
    grid: Grid = field(
        default=None,
        metadata={
            "description": "The width of equal steps, or the points in time at which the curve is wanted; without, the "
            "precision that the dictionary declares of the time."
        },
    )
    until: float | None = field(default=None, metadata={"description": "The last point of a grid of equal steps."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})
    levels: Levels = field(
        default=(), metadata={"description": "Levels of the columns used, from the dictionaries.", "agreed": True}
    )
    points: tuple[float, ...] = field(
        default=(), metadata={"description": "The points that the grid means.", "agreed": True}
    )
    unit: str = field(
        default="", metadata={"description": "The time's unit of measure, from the dictionaries.", "agreed": True}
    )


def agree(parameters: Km, dictionaries: Mapping[str, Dictionary]) -> Km:
    """Levels and points, the same for every TRE."""
    from cinque.analyses.design import agreed_levels

    levels = agreed_levels(times.formula(parameters.time, parameters.event, parameters.by), dictionaries)
    points = times.agreed_points(parameters, parameters.time, dictionaries)
    unit = times.agreed_unit(parameters.time, dictionaries)
    return dataclasses.replace(parameters, levels=levels, points=points, unit=unit)


def check(parameters: Km, dictionary: Dictionary) -> None:
    """Raises Refused when columns, grid or filter do not fit the dictionary."""
    times.check_points(parameters)
    times.check(_formula(parameters), parameters.levels, parameters.where, dictionary)
    times.check_unit(parameters.unit, parameters.time, dictionary)


def _formula(parameters: Km) -> Any:
    return times.formula(parameters.time, parameters.event, parameters.by)


def partial(source: Source, parameters: Km, _step: Step) -> Partial:
    """People at risk, leaving, and with the event before, interval by interval."""
    made = times.check(_formula(parameters), parameters.levels, parameters.where, source.dictionary)
    rows = times.read(source, made, parameters.where, parameters.by)
    groups = steps.groups_of(parameters.by, parameters.levels)
    values: dict[str, Any] = {"missing": rows.missing, "outside": rows.outside}
    values |= steps.values(rows, groups, parameters.points)
    return Partial({"points": list(parameters.points), "groups": [list(group) for group in groups]}, values, {})


def figures(parameters: Km, partial: Partial) -> Figures:
    """See analyses/steps.py. Nothing is a total over groups, or with those missing."""
    groups = steps.groups_of(parameters.by, parameters.levels)
    made, chains = steps.figures(dict(partial.values), groups, len(parameters.points))
    made += [Figure(name, "Frequencies", partial.values[name]) for name in COUNTS]
    return Figures(tuple(made), chains=chains)


def advance(parameters: Km, history: History) -> Result:
    """The curve of all TREs' people together: exact where nothing was suppressed, otherwise between bounds."""
    members, groups = one_round(history), steps.groups_of(parameters.by, parameters.levels)
    read = steps_of(members, groups, parameters.points)
    used = [tre for tre, _ in members if all(each is not None for each in read[tre])]
    values: dict[str, Any] = {
        "time": parameters.time,
        "unit": parameters.unit,
        "event": parameters.event,
        "by": parameters.by,
    }
    values |= _contents(parameters, groups, members, {tre: read[tre] for tre in used})
    values["pooled_over"] = used
    values["per_tre"] = {
        tre: _contents(parameters, groups, [(tre, released)], {tre: read[tre]} if tre in used else {})
        for tre, released in members
    }
    return Result(values, exactness(members))


def steps_of(
    members: Members, groups: Sequence[steps.Group], points: tuple[float, ...]
) -> dict[str, list[steps.Known | None]]:
    """TRE id -> what it told of each group. Raises Refused for what is no such partial."""
    found = {}
    expected = [*steps.ids(groups, len(points)), *COUNTS]
    for tre, released in members:
        exact_ids(released, expected)
        if released.shape != {"points": list(points), "groups": [list(group) for group in groups]}:
            raise malformed()
        found[tre] = [steps.known(released, group, len(points)) for group in groups]
    return found


def _contents(
    parameters: Km,
    groups: Sequence[steps.Group],
    members: Members,
    read: Mapping[str, Sequence[steps.Known | None]],
) -> dict[str, Any]:
    values: dict[str, Any] = {"times": list(parameters.points)}
    each = {
        group: _curve(parameters.points, [found for known in read.values() if (found := known[place]) is not None])
        for place, group in enumerate(groups)
    }
    if parameters.by is None:
        values |= each[()]
    else:
        names = list(next(iter(each.values()), {}))
        values |= {name: {group[0]: found[name] for group, found in each.items()} for name in names}
    return values | {name: total((released for _, released in members), name) for name in COUNTS}


def _curve(points: tuple[float, ...], known: Sequence[steps.Known]) -> dict[str, Any]:
    """Every list has a place for each point; numbers, bounds in the suppressed form, or None where there is nothing to
    tell: no curve at all when no TRE's people can be counted, no band where S is 1 or 0, no median when not reached."""
    import numpy as np

    from cinque.stats import survival

    if not known:
        return dict.fromkeys(CURVE)
    size = len(points)
    track = known[0].track()
    for other in known[1:]:
        track = track + other.track()
    at_risk = _sum([each.at_risk for each in known])
    before = _sum([each.events for each in known])
    low, high = survival.curves(track)
    lower, upper = survival.band(low, high)
    mean, error = survival.restricted_mean(points, low, high)
    events = [_between(before[j + 1][0] - before[j][1], before[j + 1][1] - before[j][0]) for j in range(size)]
    uncensored = _sum([each.uncensored for each in known])
    censored = [
        _between(uncensored[j][0] - uncensored[j + 1][1], uncensored[j][1] - uncensored[j + 1][0]) for j in range(size)
    ]
    return {
        "n": _bounded(*at_risk[0]),
        "at_risk": [_bounded(*each) for each in at_risk[:size]],
        "events": events,
        "censored": censored,
        "survival": _numbers(low.survival, high.survival),
        "lower": [None if not math.isfinite(value) else value for value in lower.tolist()],
        "upper": [None if not math.isfinite(value) else value for value in upper.tolist()],
        "median": _time(points, survival.first_at_most(low.survival), survival.first_at_most(high.survival)),
        "median_interval": [
            None if (place := survival.first_at_most(limit)) is None else points[place]
            for limit in (np.where(low.survival <= 0, 0.0, lower), np.where(high.survival <= 0, 0.0, upper))
        ],
        "nelson_aalen": _numbers(high.hazard, low.hazard),
        "nelson_aalen_variance": _numbers(high.hazard_variance, low.hazard_variance),
        "restricted_mean": _bounded(*mean),
        "restricted_mean_se": _bounded(error[0], error[1] if math.isfinite(error[1]) else None),
    }


def _sum(each: Sequence[Sequence[tuple[int, int]]]) -> list[tuple[int, int]]:
    return [
        (sum(low for low, _ in column), sum(high for _, high in column)) for column in zip(*each, strict=True)
    ]  # fmt: skip


def _between(low: int, high: int) -> Any:
    return _bounded(max(low, 0), max(high, 0))


def _bounded(low: Any, high: Any) -> Any:
    return low if low == high else Bounds(low, high).to_dict()


def _numbers(low: Any, high: Any) -> list[Any]:
    """Place by place a number, or the bounds between which it lies."""
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    return [_bounded(one, other if math.isfinite(other) else None) for one, other in pairs]


def _time(points: tuple[float, ...], early: int | None, late: int | None) -> Any:
    """The point at which two bounding curves reach a share: None when none does, or not even the lower one."""
    if early is None:
        return None
    return _bounded(points[early], None if late is None else points[late])


ANALYSIS: Analysis[Km] = Analysis(
    name="km",
    version="1.0.0",
    published="2026-11-27",
    title="Survival curves with bands and median, and cumulative hazards, on a grid",
    parameters=Km,
    rounds=1,
    fields=(
        Field("n:[group]", "people", "Frequencies", "People of the group."),
        Field("at_risk:[group, place]", "people", "HazardSurvivalTables", "People at risk as an interval begins."),
        Field("events:[group, place]", "people", "HazardSurvivalTables", "People with the event before it begins."),
        Field("missing", "people", "Frequencies", "People without a time, an event or a group."),
        Field("outside", "people", "Frequencies", "People whose time is before 0."),
    ),
    check=check,
    columns=lambda parameters: frozenset(_formula(parameters).columns) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
    agree=agree,
)
