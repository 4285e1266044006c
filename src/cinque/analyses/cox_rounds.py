"""The rounds of a Cox model put together: from what all members released to coefficients, their errors and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cinque.analyses import hazards, models
from cinque.analyses.analysis import History, Released, Result
from cinque.analyses.combine import Members, count, exact_ids, exactness, members_of, one_round, total
from cinque.analyses.factors import malformed
from cinque.sdc.interval import bounds_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cinque.analyses.cox import Cox
    from cinque.stats.cox import Newton, Sums

    Array = NDArray[np.float64]

COUNTS: Final = ("n", "events", "censored", "missing", "outside")


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


def replay(parameters: Cox, history: History) -> Session:
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
    "nobody": 'No TRE\'s sums could leave. Fewer terms need fewer people, and `rounds="few"` the fewest.',
}
FITTED: Final = ("coef", "se", "z", "p", "confint", "hazard_ratio", "hazard_ratio_confint")
TESTS: Final = ("lr", "wald", "score")


def values_of(parameters: Cox, history: History, session: Session) -> dict[str, Any]:
    """The answer's values where the session stands; without coefficients where they were not reached, `stopped` saying
    why."""
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


def few(parameters: Cox, history: History) -> Result:
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
        "stopped": None if own else "No TRE's estimates could leave. Fewer terms need fewer people.",
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
