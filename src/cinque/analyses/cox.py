"""Cox's proportional hazards over rounds, equal to the pooled fit (statistics.md 3.10).

Stratified by TRE, each has a baseline hazard of its own: it gives log-likelihood, score and information at coefficients
that it works out itself from what all members released before. With a common baseline it gives the sums over its risk
sets on a declared grid. `rounds="few"` combines each TRE's own fit. No coefficient is sent, no time of a person leaves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cinque.analyses import filters, hazards, models, times
from cinque.analyses.analysis import Analysis, Field, History, Partial, Released, Result, Step
from cinque.analyses.combine import Members, count, exact_ids, exactness, members_of, one_round, total
from cinque.analyses.factors import malformed
from cinque.analyses.times import Grid, Levels
from cinque.errors import Refused
from cinque.expr.formula import Formula, parse_formula
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Model, Relation
from cinque.sdc.interval import bounds_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cinque.stats.cox import Newton, Sums

    Array = NDArray[np.float64]

COUNTS: Final = ("n", "events", "censored", "missing", "outside")
MOST_ROUNDS: Final = 26
LIKELY_ROUNDS: Final = 6


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
    points: tuple[float, ...] = ()
    if parameters.baseline == "common":
        for dictionary in dictionaries.values():
            times.check(formula, levels, parameters.where, dictionary)
        points = times.agreed_points(parameters, formula.response.time, dictionaries)  # type: ignore[union-attr]  # checked
    return dataclasses.replace(parameters, levels=levels, points=points)


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
    times.check(formula_of(parameters), parameters.levels, parameters.where, dictionary)


def partial(source: Source, parameters: Cox, step: Step) -> Partial:
    """One pass over the rows, which are held: p + 2 numbers a person."""
    import numpy as np

    from cinque.analyses.groups import Groups

    made = times.check(formula_of(parameters), parameters.levels, parameters.where, source.dictionary)
    groups = Groups(made)
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


# ------------------------------------------------------------------------------------------------- over all members
@dataclass(frozen=True, slots=True)
class Session:
    """What the rounds so far say: `used` are the members whose first sums were released; `sums`: round by round, added
    up over them; `own`: by member those of each round; `stopped`: a member's sums could not leave any more."""

    terms: list[str]
    used: list[str]
    sums: list[Sums]
    own: dict[str, list[Mapping[str, list[float]]]]
    found: Newton | None
    stopped: bool


def advance(parameters: Cox, history: History) -> Step | Result:
    """The next coefficients to look at, or the fit."""
    if parameters.rounds == "few":
        return _few(parameters, history)
    session = _replay(parameters, history)
    found = session.found
    if found is not None and found.at is None and not session.stopped and len(history) < parameters.max_rounds:
        return Step(len(history) + 1, {"beta": found.beta.tolist()})
    whole = len(session.used) == len(history[0]) and not session.stopped
    return Result(_values(parameters, history, session), exactness(members_of(history)) if whole else "bounded")


def _replay(parameters: Cox, history: History) -> Session:
    """Every round again, each checked for its form."""
    from cinque.stats.cox import newton

    terms = models.terms_of(members_of(history))
    used: list[str] | None = None
    stopped = False
    sums: list[Sums] = []
    own: dict[str, list[Mapping[str, list[float]]]] = {}
    found: Newton | None = None
    for number in range(1, len(history) + 1):
        given = {tre: _given(parameters, released, number, terms) for tre, released in members_of(history, number)}
        if used is None:
            used = [tre for tre, each in given.items() if each is not None]
        here = {tre: each for tre in used if (each := given.get(tre)) is not None}
        if not here or len(here) < len(used):
            stopped = bool(used)
            break
        for tre, each in here.items():
            own.setdefault(tre, []).append(each)
        beta = [0.0] * len(terms) if found is None else found.beta.tolist()
        sums.append(hazards.added(parameters, list(here.values()), beta))
        found = newton(sums)
    return Session(terms, used or [], sums, own, found, stopped)


def _given(parameters: Cox, released: Released, number: int, terms: list[str]) -> dict[str, list[float]] | None:
    """The sums that a member released, None where one is suppressed. Raises Refused for what is no such partial."""
    sizes = hazards.sums_of(parameters, len(terms))
    exact_ids(released, [*COUNTS, *sizes])
    if released.shape != {"round": number, "terms": terms}:
        raise malformed()
    for name in COUNTS:
        count(released, name)
    if any(models.shut(released.figures[name]) for name in sizes):
        return None
    found = {name: models.numbers(released.figures[name], size) for name, size in sizes.items()}
    most = bounds_of(count(released, "n"))[1]
    if "risk" in found and not hazards.possible(found["risk"], len(terms), len(parameters.points), most):
        raise malformed()
    return found


# --------------------------------------------------------------------------------------------------------- the answer
STOPPED: Final = {
    "collinear": "The terms of the formula are collinear over the TREs that answered.",
    "no-step": "No step of any length raises the likelihood.",
    "suppressed": "In a later round a TRE's sums could not leave any more.",
    "rounds": "The rounds were used up before the fit converged.",
    "separated": "A coefficient grows without end: the terms tell who has the event first without error.",
    "nobody": "No TRE's sums could leave.",
}
FITTED: Final = ("coef", "se", "z", "p", "confint", "hazard_ratio", "hazard_ratio_confint")
TESTS: Final = ("lr", "wald", "score")


def _values(parameters: Cox, history: History, session: Session) -> dict[str, Any]:
    import numpy as np

    from cinque.stats.wald import inverse

    members, found = members_of(history), session.found
    values: dict[str, Any] = {
        "formula": parameters.formula,
        "terms": session.terms,
        "ties": parameters.ties,
        "baseline": parameters.baseline,
        "method": "partial likelihood, " + ("stratified by TRE" if parameters.baseline == "stratified" else "pooled"),
        **_people(members, session.used),
        "per_tre": {tre: {name: count(released, name) for name in COUNTS} for tre, released in members},
        "iterations": len(history),
        "converged": bool(found and found.converged),
        "separated": bool(found and found.separated),
        "stopped": None,
        **dict.fromkeys((*FITTED, "loglik", "null_loglik", *TESTS, "heterogeneity")),
    }
    if found is None or not values["converged"]:
        why = "separated" if found and found.separated and not session.stopped else "rounds"
        why = (found.stopped if found else "nobody") or ("suppressed" if session.stopped else why)
        values["stopped"] = STOPPED[why]
    if found is None or found.at is None:
        return values
    start, last = session.sums[0], session.sums[found.at]
    values["loglik"], values["null_loglik"] = last.loglik, start.loglik
    covariance, first = inverse(last.information), inverse(start.information)
    if covariance is None or found.stopped:
        return values
    df = len(session.terms)
    values |= _fitted(session.terms, found.beta, covariance)
    values["lr"] = _test(2 * (last.loglik - start.loglik), df)
    values["wald"] = _test(float(found.beta @ last.information @ found.beta), df)
    values["score"] = None if first is None else _test(float(start.score @ first @ start.score), df)
    if parameters.baseline == "stratified" and len(session.used) > 1 and found.converged:
        # Rao's test of one set of coefficients for all: each TRE's score at the pooled ones.
        size, q, free = df, 0.0, 0
        for each in session.own.values():
            own = inverse(models.symmetric(each[found.at]["information"], size))
            if own is not None:
                score = np.array(each[found.at]["score"])
                q, free = q + float(score @ own @ score), free + size
        if free > size:
            values["heterogeneity"] = {"Q": q, "df": free - size, "p": _test(q, free - size)["p"]}
    return values


def _people(members: Members, used: Sequence[str]) -> dict[str, Any]:
    """Counts over the TREs whose sums are in the fit, or over all where none is."""
    of = [released for tre, released in members if tre in used] or [released for _, released in members]
    return {name: total(of, name) for name in COUNTS} | {"pooled_over": list(used)}


def _fitted(terms: Sequence[str], beta: Array, covariance: Array) -> dict[str, Any]:
    import numpy as np

    from cinque.stats.wald import wald

    found = wald(terms, beta, covariance, None)
    with np.errstate(over="ignore"):
        found["hazard_ratio"] = {name: _finite(np.exp(value)) for name, value in found["coef"].items()}
        found["hazard_ratio_confint"] = {
            name: None if ends is None else [_finite(np.exp(end)) for end in ends]
            for name, ends in found["confint"].items()
        }
    return found


def _finite(value: Any) -> float | None:
    return float(value) if float(value) < float("inf") else None


def _test(statistic: float, df: int) -> dict[str, Any]:
    from cinque.stats.wald import chi2_p

    return {"statistic": statistic, "df": df, "p": chi2_p(statistic, df)}


def _few(parameters: Cox, history: History) -> Result:
    """Each TRE's own estimates, weighted by the inverse of their covariance."""
    import numpy as np

    from cinque.stats.wald import inverse

    members = one_round(history)
    terms = models.terms_of(members)
    size = len(terms)
    own: dict[str, tuple[Array, Array, Array]] = {}
    for tre, released in members:
        given = _given(parameters, released, 1, terms)
        if given is not None:
            covariance = models.symmetric(given["covariance"], size)
            precision = inverse(covariance)
            if precision is None:
                raise malformed()  # no covariance of a fit
            own[tre] = (np.array(given["coefficients"]), covariance, precision)
    values: dict[str, Any] = {
        "formula": parameters.formula,
        "terms": terms,
        "ties": parameters.ties,
        "baseline": parameters.baseline,
        "method": "site estimates",
        **_people(members, list(own)),
        "iterations": 1,
        "converged": bool(own),
        "stopped": None if own else STOPPED["nobody"],
        **dict.fromkeys((*FITTED, "heterogeneity")),
        "per_tre": {
            tre: {name: count(released, name) for name in COUNTS}
            | (_fitted(terms, own[tre][0], own[tre][1]) if tre in own else {})
            for tre, released in members
        },
    }
    pooled = inverse(np.array(models.sum_of([precision for *_, precision in own.values()]))) if own else None
    if pooled is not None:
        beta = pooled @ np.array(models.sum_of([precision @ estimate for estimate, _, precision in own.values()]))
        values |= _fitted(terms, beta, pooled)
        if len(own) > 1:
            away = [(estimate - beta, precision) for estimate, _, precision in own.values()]
            q, df = float(sum(a @ precision @ a for a, precision in away)), size * (len(own) - 1)
            values["heterogeneity"] = {"Q": q, "df": df, "p": _test(q, df)["p"]}
    return Result(values, exactness(members) if len(own) == len(members) else "bounded")


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
