"""The log-rank test between groups, stratified by TRE or on a common grid (statistics.md 3.11)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from cinque.analyses import filters, km, models, steps, times
from cinque.analyses.analysis import Analysis, Field, History, Partial, Released, Result, Step
from cinque.analyses.combine import Members, count, exact_ids, exactness, one_round, total
from cinque.analyses.factors import label, malformed
from cinque.analyses.times import Grid, Levels
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Model, Relation, is_suppressed

if TYPE_CHECKING:
    from cinque.stats.survival import LogRank

SUMS = ("expected", "variance")


@dataclass(frozen=True, slots=True)
class Logrank:
    """Whose time to which event is compared between which groups."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    time: str = field(metadata={"description": "A column of numbers: how long each person was observed."})
    event: str = field(metadata={"description": "True/false, 0 and 1, or two levels of which the second is the event."})
    by: str = field(metadata={"description": "A column with declared levels: the groups."})
    stratified: bool = field(
        default=True,
        metadata={"description": "Compare within each TRE and add up; false: on a common grid, as if pooled."},
    )
    grid: Grid = field(
        default=None,
        metadata={"description": "Not stratified: the width of equal steps, or the points in time (see km)."},
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


def agree(parameters: Logrank, dictionaries: Mapping[str, Dictionary]) -> Logrank:
    """Levels and, where there is a grid, its points: the same for every TRE."""
    from cinque.analyses.design import agreed_levels

    levels = agreed_levels(_formula(parameters), dictionaries)
    if parameters.stratified:
        return dataclasses.replace(parameters, levels=levels)
    points = times.agreed_points(parameters, parameters.time, dictionaries)
    unit = times.agreed_unit(parameters.time, dictionaries)
    return dataclasses.replace(parameters, levels=levels, points=points, unit=unit)


def check(parameters: Logrank, dictionary: Dictionary) -> None:
    """Raises Refused when columns, grid or filter do not fit the dictionary."""
    if not parameters.stratified:
        times.check_points(parameters)
    elif parameters.grid is not None or parameters.until is not None or parameters.points:
        raise Refused(
            "grid-unused",
            "A log-rank test stratified by TRE takes exact times within each TRE and has no grid.",
            remedy="Leave `grid` and `until` out, or ask with `stratified=False`.",
        )
    times.check(_formula(parameters), parameters.levels, parameters.where, dictionary)
    if not parameters.stratified:
        times.check_unit(parameters.unit, parameters.time, dictionary)


def _formula(parameters: Logrank) -> Any:
    return times.formula(parameters.time, parameters.event, parameters.by)


def partial(source: Source, parameters: Logrank, _step: Step) -> Partial:
    """Stratified: people and events of each group, expected events and their covariance at this TRE's own times. On a
    grid: the steps of each group, as for `km`.
    """
    made = times.check(_formula(parameters), parameters.levels, parameters.where, source.dictionary)
    rows = times.read(source, made, parameters.where, parameters.by)
    groups = steps.groups_of(parameters.by, parameters.levels)
    values: dict[str, Any] = {"missing": rows.missing, "outside": rows.outside}
    shape = {"points": list(parameters.points), "groups": [list(group) for group in groups]}
    if not parameters.stratified:
        return Partial(shape, values | steps.values(rows, groups, parameters.points), {})
    import numpy as np

    from cinque.stats import survival
    from cinque.stats.components import Components

    events, at_risk, place, _ = survival.by_time(rows.time, rows.event, rows.group, len(groups))
    found = survival.log_rank(events, at_risk)
    size = np.bincount(rows.group, minlength=len(groups))
    died = np.bincount(rows.group[rows.event > 0], minlength=len(groups))
    for code, group in enumerate(groups):
        values[label("n", group)] = int(size[code])
        values[label("events", group)] = int(died[code])
        values[label("censored", group)] = int(size[code] - died[code])
    values["expected"] = found.expected.tolist()
    values["variance"] = [float(found.variance[pair]) for pair in models.upper(len(groups))]
    # Each person expects as many events as the hazard of all up to the person's time: these add up to what is expected
    # of the groups, and the covariance weighs the same people's numbers at risk.
    hazard = np.concatenate([[0.0], np.cumsum(events.sum(axis=0) / np.maximum(at_risk.sum(axis=0), 1.0))])
    present = np.flatnonzero(size)  # that a group is absent is for `smallest` to judge
    parts = Components(len(present))
    parts.add(np.equal.outer(rows.group, present) * hazard[place][:, None])
    evidence = {
        "people": len(rows.time),
        "smallest": int(size.min()),
        "differing": int(parts.differing().min(initial=len(rows.time))),
        "remainder": float(parts.remainder().min(initial=2.0**53)),
        "events": int(min(died.sum(), size.sum() - died.sum())),
    }
    return Partial(shape, values, evidence)


def figures(parameters: Logrank, partial: Partial) -> Figures:
    """People of each group, and of these with and without the event; the numbers of the test stand on all of them."""
    groups = steps.groups_of(parameters.by, parameters.levels)
    made = [Figure(name, "Frequencies", partial.values[name]) for name in km.COUNTS]
    if not parameters.stratified:
        more, chains = steps.figures(dict(partial.values), groups, len(parameters.points))
        return Figures((*made, *more), chains=chains)
    relations = []
    for group in groups:
        n, events, censored = (label(name, group) for name in ("n", "events", "censored"))
        made += [Figure(name, "Frequencies", partial.values[name]) for name in (n, events, censored)]
        relations.append(Relation(n, (events, censored)))
    evidence = partial.evidence
    made += [
        Figure(
            name,
            "StatisticalHypothesisTests",
            evidence["people"],
            "other",
            of=label("n", groups[0]),
            differing=evidence["differing"],
            remainder=evidence["remainder"],
            smallest=evidence["smallest"],
        )
        for name in SUMS
    ]
    told = len(groups) + len(models.upper(len(groups)))
    model = Model(SUMS, evidence["people"], len(groups) - 1, told, evidence["events"])
    return Figures(tuple(made), tuple(relations), (model,))


def advance(parameters: Logrank, history: History) -> Result:
    """The test over all TREs that gave its numbers, which `pooled_over` names."""
    members, groups = one_round(history), steps.groups_of(parameters.by, parameters.levels)
    values: dict[str, Any] = {
        "time": parameters.time,
        "event": parameters.event,
        "by": parameters.by,
        "stratified": parameters.stratified,
        "groups": [group[0] for group in groups],
    }
    if parameters.stratified:
        strata = {tre: _stratum(released, groups) for tre, released in members}
        known = {tre: each for tre, each in strata.items() if each is not None}
        values |= _tested(groups, list(known.values()))
        values["pooled_over"] = list(known)
        values["n"] = {group[0]: total((r for _, r in members), label("n", group)) for group in groups}
        values["per_tre"] = {
            tre: {"n": {group[0]: count(released, label("n", group)) for group in groups}}
            | _tested(groups, [each] if (each := strata[tre]) is not None else [])
            for tre, released in members
        }
    else:
        values |= _on_grid(parameters, groups, members)
    values["reason"] = None if values["statistic"] is not None else _reason(values)
    for name in km.COUNTS:
        values[name] = total((released for _, released in members), name)
    return Result(values, exactness(members))


def _reason(values: Mapping[str, Any]) -> str:
    """Why there is no statistic, from what was released."""
    if not values["pooled_over"]:
        if values["stratified"]:
            return "There is no statistic: no TRE's numbers could leave."
        if any(one["points"] for one in values["per_tre"].values()):
            return (
                "There is no statistic: the TREs have no point in common at which every one told how many are at risk. "
                "Ask with wider steps, or stratified by TRE."
            )
        return "There is no statistic: no TRE could tell of every group how many are at risk."
    present = [group for group, n in values["n"].items() if n != 0]
    if len(present) < 2:
        who = f"only group `{present[0]}` has people" if present else "no group has people"
        return f"There is no statistic: {who}."
    if not any(values["observed"].values()):
        return "There is no statistic: nobody had the event."
    return "There is no statistic: whenever somebody had the event, people of one group alone were at risk."


def _stratum(released: Released, groups: Sequence[steps.Group]) -> LogRank | None:
    """One TRE's numbers; None where they, or a group's events, are suppressed."""
    import numpy as np

    from cinque.stats.survival import LogRank

    counted = [label(name, group) for group in groups for name in ("n", "events", "censored")]
    exact_ids(released, [*km.COUNTS, *counted, *SUMS])
    if released.shape != {"points": [], "groups": [list(group) for group in groups]}:
        raise malformed()
    for name in counted:
        count(released, name)
    if any(is_suppressed(released.figures[name]) for name in SUMS):
        return None
    events = [released.figures[label("events", group)] for group in groups]
    expected = models.numbers(released.figures["expected"], len(groups))
    variance = models.numbers(released.figures["variance"], len(models.upper(len(groups))))
    if any(is_suppressed(each) for each in events):
        return None
    return LogRank(np.array(events, float), np.array(expected), models.symmetric(variance, len(groups)))


def _on_grid(parameters: Logrank, groups: Sequence[steps.Group], members: Members) -> dict[str, Any]:
    """On those of the grid's points at which every TRE gave every group: where steps were suppressed that is a coarser
    grid, `points` of the answer. A TRE that gave none of its groups is left out."""
    import numpy as np

    from cinque.stats import survival

    read = km.steps_of(members, groups, parameters.points)
    used: dict[str, list[steps.Known]] = {}
    for tre, each in read.items():
        whole = [known for known in each if known is not None and known.boundaries[:1] == [0]]
        if len(whole) == len(groups) and all(len(known.boundaries) > 1 for known in whole):
            used[tre] = whole

    def tested(of: Mapping[str, Sequence[steps.Known]]) -> dict[str, Any]:
        every = [set(known.boundaries) for each in of.values() for known in each]
        common = sorted(set.intersection(*every)) if every else []
        if len(common) < 2:
            return _tested(groups, []) | {"points": []}
        events, at_risk = np.zeros((len(groups), len(common) - 1)), np.zeros((len(groups), len(common) - 1))
        for each in of.values():
            for place, known in enumerate(each):
                events[place] += np.diff([known.events[j][0] for j in common])
                at_risk[place] += [known.at_risk[j][0] for j in common[:-1]]
        points = [parameters.points[j - 1] for j in common[1:]]
        return _tested(groups, [survival.log_rank(events, at_risk)]) | {"points": points}

    found = tested(used)
    return found | {
        "pooled_over": list(used) if found["points"] else [],
        "n": {group[0]: total((r for _, r in members), label("n", group)) for group in groups},
        "per_tre": {
            tre: {"n": {group[0]: count(released, label("n", group)) for group in groups}}
            | tested({tre: used[tre]} if tre in used else {})
            for tre, released in members
        },
    }


def _tested(groups: Sequence[steps.Group], strata: Sequence[LogRank]) -> dict[str, Any]:
    """The test over strata; everything None when there is none, the statistic when no group could differ."""
    import numpy as np

    from cinque.stats.survival import LogRank, chi_squared
    from cinque.stats.wald import chi2_p

    if not strata:
        return dict.fromkeys(("statistic", "df", "p", "observed", "expected"))
    observed, expected, variance = (
        np.array(models.sum_of([getattr(each, name) for each in strata]))
        for name in ("observed", "expected", "variance")
    )
    statistic, df = chi_squared(LogRank(observed, expected, variance))
    return {
        "statistic": statistic,
        "df": df,
        "p": None if statistic is None else chi2_p(statistic, df),
        "observed": {group[0]: int(value) for group, value in zip(groups, observed, strict=True)},
        "expected": {group[0]: float(value) for group, value in zip(groups, expected, strict=True)},
    }


ANALYSIS: Analysis[Logrank] = Analysis(
    name="logrank",
    version="1.0.0",
    published="2026-11-27",
    title="The log-rank test between groups, stratified by TRE or on a common grid",
    parameters=Logrank,
    rounds=1,
    fields=(
        Field("n:[group]", "people", "Frequencies", "People of the group."),
        Field("events:[group]", "people", "Frequencies", "Stratified: of these, with the event."),
        Field("censored:[group]", "people", "Frequencies", "Stratified: of these, without."),
        Field("expected", "people", "StatisticalHypothesisTests", "Stratified: events expected of each group."),
        Field("variance", "people, squared", "StatisticalHypothesisTests", "Stratified: covariance, upper triangle."),
        Field("at_risk:[group, place]", "people", "HazardSurvivalTables", "Grid: at risk as an interval begins."),
        Field("events:[group, place]", "people", "HazardSurvivalTables", "Grid: with the event before it begins."),
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
