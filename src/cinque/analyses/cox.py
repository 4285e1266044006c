"""Cox's proportional hazards over rounds, equal to the pooled fit (statistics.md 3.10).

Stratified by TRE, each has a baseline hazard of its own: it gives log-likelihood, score and information at coefficients
that it works out itself from what all members released before. With a common baseline it gives the sums over its risk
sets on a declared grid. `rounds="few"` combines each TRE's own fit. No coefficient is sent, no time of a person leaves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cinque.analyses import filters, hazards, models, times
from cinque.analyses.analysis import Analysis, Field, History, Partial, Result, Step
from cinque.analyses.combine import exactness, members_of
from cinque.analyses.cox_rounds import COUNTS, few, replay, values_of
from cinque.analyses.times import Grid, Levels
from cinque.errors import Refused
from cinque.expr.formula import Formula, parse_formula
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Model, Relation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MOST_ROUNDS: Final = 26
LIKELY_ROUNDS: Final = 5  # what ordinary effects take: 4 or 5
MOST_NUMBERS: Final = 25_000  # a round; with three TREs five rounds of them take half a minute


@dataclass(frozen=True, slots=True)
class Cox:
    """What is fitted."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    formula: str = field(metadata={"description": "`Surv(time, event) ~ age + sex * arm`, in Wilkinson's notation."})
    ties: str = field(default="efron", metadata={"description": "Of events at one time: `efron` or `breslow`."})
    baseline: str = field(
        default="stratified",
        metadata={"description": "`stratified`: each TRE has its own baseline hazard; `common`: one, on a grid."},
    )
    grid: Grid = field(
        default=None, metadata={"description": "Common baseline: the width of equal steps, or the points in time."}
    )
    until: float | None = field(default=None, metadata={"description": "The last point of a grid of equal steps."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})
    rounds: str = field(
        default="all",
        metadata={"description": "`all`: as many as the fit takes; `few`: one, combining each TRE's own estimates."},
    )
    max_rounds: int = field(default=25, metadata={"description": f"At most so many rounds, from 2 to {MOST_ROUNDS}."})
    levels: Levels = field(
        default=(), metadata={"description": "Levels of the factors, from the dictionaries.", "agreed": True}
    )
    points: tuple[float, ...] = field(
        default=(), metadata={"description": "The points that the grid means.", "agreed": True}
    )
    unit: str = field(
        default="", metadata={"description": "The time's unit of measure, from the dictionaries.", "agreed": True}
    )


def formula_of(parameters: Cox) -> Formula:
    """The formula without its intercept's column, which the baseline hazard is. Raises Refused as `parse_formula`, and
    for what Cox's model has not: no term, an offset."""
    found = parse_formula(parameters.formula)
    if not found.terms:
        raise Refused("formula-empty", "The formula has no term.", remedy="For curves without terms ask `km`.")
    if found.offsets:
        raise Refused("formula-type", "`cox` has no offset.")
    return found if found.intercept else dataclasses.replace(found, intercept=True)


def agree(parameters: Cox, dictionaries: Mapping[str, Dictionary]) -> Cox:
    """Levels and, with a common baseline, the grid's points: the same for every TRE."""
    from cinque.analyses.design import agreed_levels

    formula = formula_of(parameters)
    levels = agreed_levels(formula, dictionaries)
    if parameters.baseline != "common":
        return dataclasses.replace(parameters, levels=levels)
    for dictionary in dictionaries.values():
        times.check(formula, levels, parameters.where, dictionary)
    time = times.time_of(formula)
    points, unit = times.agreed_points(parameters, time, dictionaries), times.agreed_unit(time, dictionaries)
    return dataclasses.replace(parameters, levels=levels, points=points, unit=unit)


def check(parameters: Cox, dictionary: Dictionary) -> None:
    """Raises Refused when formula, grid, choices or filter do not fit the dictionary."""
    models.choice("ties", parameters.ties, ("efron", "breslow"))
    models.choice("baseline", parameters.baseline, ("stratified", "common"))
    models.choice("rounds", parameters.rounds, ("all", "few"))
    if not 2 <= parameters.max_rounds <= MOST_ROUNDS:
        raise Refused("parameter-choice", f"`max_rounds` is a number from 2 to {MOST_ROUNDS}.")
    if parameters.baseline == "common":
        times.check_points(parameters)
        if parameters.rounds == "few":
            raise Refused(
                "parameter-choice",
                "A TRE's own estimates have its own baseline.",
                remedy='Ask `rounds="few"` with `baseline="stratified"`.',
            )
    elif parameters.grid is not None or parameters.until is not None or parameters.points:
        raise Refused(
            "grid-unused",
            "A baseline stratified by TRE takes exact times within each TRE and has no grid.",
            remedy='Leave `grid` and `until` out, or ask with `baseline="common"`.',
        )
    formula = formula_of(parameters)
    made = times.check(formula, parameters.levels, parameters.where, dictionary)
    if parameters.baseline != "common":
        return
    times.check_unit(parameters.unit, times.time_of(formula), dictionary)
    told = sum(hazards.sums_of(parameters, len(made.names) - 1).values())
    if told > MOST_NUMBERS:
        raise Refused(
            "grid-too-long",
            f"On these {len(parameters.points)} points the model would tell {told:,} numbers a round, and "
            f"{MOST_NUMBERS:,} are the most.",
            remedy='Give wider steps or fewer terms, ask with `ties="breslow"` (half as many), or with '
            '`baseline="stratified"`, which needs no grid.',
        )


def partial(source: Source, parameters: Cox, step: Step) -> Partial:
    """One pass over the rows, which are held: p + 2 numbers a person."""
    import numpy as np

    from cinque.analyses.groups import Groups

    made = times.check(formula_of(parameters), parameters.levels, parameters.where, source.dictionary)
    groups = Groups(made, source.dictionary)
    rows = times.read(source, made, parameters.where, groups=groups)
    names = list(made.names[1:])
    beta = np.array(step.values["beta"]) if step.values else np.zeros(len(names))
    n, events = len(rows.time), int((rows.event > 0).sum())
    values: dict[str, Any] = {
        "n": n,
        "events": events,
        "censored": n - events,
        "missing": rows.missing,
        "outside": rows.outside,
    }
    told = hazards.told(parameters, rows, made, beta)
    few = models.of_groups(groups)
    evidence = {
        "rarer": min(events, n - events),
        "smallest": groups.smallest(),
        "crowded": groups.crowded(),
        **told.evidence,
        "differing": min(few.differing, told.evidence["differing"]),
        "remainder": min(few.remainder, told.evidence["remainder"]),
    }
    return Partial({"round": step.round, "terms": names}, values | told.values, evidence)


def figures(parameters: Cox, partial: Partial) -> Figures:
    """People, of these with and without the event; the sums are one fit, which counts what all rounds so far have told
    of it, and is held from its first round to what LIKELY_ROUNDS would."""
    values, evidence, terms = partial.values, partial.evidence, len(partial.shape["terms"])
    made = [Figure(name, "Frequencies", values[name]) for name in COUNTS]
    sums = hazards.sums_of(parameters, terms)
    smallest = [each for each in (evidence["smallest"], evidence["step"]) if each is not None]
    made += [
        Figure(
            name,
            "HazardSurvivalTables" if name == "risk" else "CorrelationCoefficients",
            values["n"],
            "other",
            of="n",
            differing=evidence["differing"],
            remainder=evidence["remainder"],
            smallest=min(smallest, default=None),
        )
        for name in sums
    ]
    rounds = 1 if parameters.rounds == "few" else max(partial.shape["round"], LIKELY_ROUNDS)
    told = rounds * sum(sums.values())
    model = Model(tuple(sums), values["n"], terms, told, evidence["rarer"])
    fits = (model, *models.within(tuple(sums), evidence["crowded"]))
    return Figures(tuple(made), (Relation("n", ("events", "censored")),), fits)


def advance(parameters: Cox, history: History) -> Step | Result:
    """The next coefficients to look at, or the fit."""
    if parameters.rounds == "few":
        return few(parameters, history)
    session = replay(parameters, history)
    found = session.found
    if found is not None and found.at is None and not session.stopped and len(history) < parameters.max_rounds:
        return Step(len(history) + 1, {"beta": found.beta.tolist()})
    whole = len(session.used) == len(history[0]) and not session.stopped
    return Result(values_of(parameters, history, session), exactness(members_of(history)) if whole else "bounded")


ANALYSIS: Analysis[Cox] = Analysis(
    name="cox",
    version="1.0.0",
    published="2026-11-27",
    title="Cox's proportional hazards, stratified by TRE or with a common baseline",
    parameters=Cox,
    rounds=MOST_ROUNDS,
    fields=(
        Field("n", "people", "Frequencies", "People with a value of everything used."),
        Field("events", "people", "Frequencies", "Of these, with the event."),
        Field("censored", "people", "Frequencies", "Of these, without."),
        Field("missing", "people", "Frequencies", "People in whose row something misses."),
        Field("outside", "people", "Frequencies", "People whose time is before 0."),
        Field("loglik", "-", "CorrelationCoefficients", "Stratified: the log partial likelihood."),
        Field("score", "-", "CorrelationCoefficients", "Stratified: its first derivatives."),
        Field("information", "-", "CorrelationCoefficients", "Stratified: its second, negative, upper triangle."),
        Field("risk", "-", "HazardSurvivalTables", "Common: sums over who is at risk and who has the event."),
        Field("coefficients", "-", "CorrelationCoefficients", "One round: the TRE's own; none without a fit."),
        Field("covariance", "-", "CorrelationCoefficients", "One round: their covariance, upper triangle."),
    ),
    check=check,
    columns=lambda parameters: formula_of(parameters).columns | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
    agree=agree,
)
