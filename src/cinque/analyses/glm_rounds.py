"""The rounds of a generalised linear model replayed from what all members released: the next step, or the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cinque.analyses import estimates, models
from cinque.analyses.analysis import History, Released, Result, Step
from cinque.analyses.combine import count, exact_ids, exactness, members_of, total
from cinque.analyses.factors import malformed
from cinque.analyses.glm_model import Glm, Layout, counts_of, family_of, null_of, robust, singles_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cinque.stats.glm import Scoring

    Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Session:
    """What the rounds so far say: `used` are the members whose first sums were released, in the order of their ids;
    `sums`: round by round, figure by figure, added up over them; `own`: the last round's, by member; `stopped`: a
    member's sums could not leave any more; `n`: people, `rows`: theirs; `meat`: the middle of the sandwich of robust
    errors, None while there is none."""

    terms: list[str]
    used: list[str]
    sums: list[dict[str, list[float]]]
    own: dict[str, dict[str, list[float]]]
    n: int
    stopped: bool
    rows: int
    meat: list[float] | None = None


def advance(parameters: Glm, history: History) -> Step | Result:
    """The next coefficients to look at, or the fit."""
    if parameters.rounds == "few":
        return estimates.advance(parameters.family, history)
    session, scoring, null = _replay(parameters, history)
    step = None if session.stopped else _next(parameters, len(history) + 1, scoring, null)
    if step is not None and session.meat is None:
        return step
    last = exactness(members_of(history, len(history)))
    exact = "bounded" if last == "bounded" else exactness(members_of(history))
    return Result(_values(parameters, history, session, scoring), exact)


def _next(parameters: Glm, number: int, scoring: Scoring | None, null: float | None) -> Step | None:
    """The step of this round: the next coefficients; the final ones again, for the middle of the sandwich; or none."""
    if scoring is None or scoring.stopped:
        return None
    beta = scoring.beta.tolist()
    if scoring.converged:
        left = number <= parameters.max_rounds
        return Step(number, {"beta": beta, "null": None, "meat": True}) if robust(parameters) and left else None
    # Robust errors keep one of the rounds for themselves.
    return Step(number, {"beta": beta, "null": null}) if number + robust(parameters) <= parameters.max_rounds else None


def _replay(parameters: Glm, history: History) -> tuple[Session, Scoring | None, float | None]:
    """Every round again, each checked for the form that its step gives it."""
    from cinque.stats.glm import scoring

    terms = models.terms_of(members_of(history))
    step: Step | None = Step(1, {})
    used: list[str] | None = None
    stopped, meat = False, None
    sums: list[dict[str, list[float]]] = []
    own: dict[str, dict[str, list[float]]] = {}
    found: Scoring | None = None
    null: float | None = None
    for number in range(1, len(history) + 1):
        if step is None or meat is not None:
            raise malformed()
        layout = Layout.of(parameters, step, len(terms))
        members = members_of(history, number)
        given = {tre: _sums(parameters, released, layout, number, terms) for tre, released in members}
        if used is None:
            used = [tre for tre, each in given.items() if each is not None]
        here = {tre: each for tre in used if (each := given.get(tre)) is not None}
        if not used or len(here) < len(used):
            stopped = bool(used)
            break
        added = {name: models.add_up([each[name] for each in here.values()]) for name in layout.figures}
        if "meat" in added:
            meat = added["meat"]
            continue
        own = here
        sums.append(added)
        found = scoring([_sum_of(each, len(terms)) for each in sums])
        null = _null(parameters, sums, sum(_rows(parameters, history, tre) for tre in used))
        step = _next(parameters, number + 1, found, null)
    used = used or []
    n, rows = sum(_n(history, tre) for tre in used), sum(_rows(parameters, history, tre) for tre in used)
    return Session(terms, used, sums, own, n, stopped, rows, meat), found, null


def _n(history: History, tre: str) -> int:
    value = count(history[0][tre], "n")
    if not isinstance(value, int):
        raise malformed()  # sums are released only where n is
    return value


def _rows(parameters: Glm, history: History, tre: str) -> int:
    n, rows = _n(history, tre), count(history[0][tre], "rows") if "rows" in counts_of(parameters) else None
    if rows is None:
        return n
    alone = history[0][tre].shape.get("one_row_a_person")
    if not isinstance(rows, int) or rows < n or (alone and rows > n):
        raise malformed()  # they share the fate of n
    return rows


def _sums(
    parameters: Glm, released: Released, layout: Layout, number: int, terms: list[str]
) -> dict[str, list[float]] | None:
    """The sums that a member released, None where one is suppressed or beyond a double. Raises Refused for what is no
    such partial."""
    exact_ids(released, [*counts_of(parameters), *layout.figures])
    shape = dict(released.shape)
    if parameters.errors == "cluster" and not isinstance(shape.pop("one_row_a_person", None), bool):
        raise malformed()
    if shape != {"round": number, "terms": terms}:
        raise malformed()
    for name in counts_of(parameters):
        count(released, name)
    known = [name for name in layout.figures if not models.shut(released.figures[name])]
    found = {name: models.numbers(released.figures[name], len(layout.figures[name])) for name in known}
    return found if len(found) == len(layout.figures) else None


def _sum_of(sums: Mapping[str, list[float]], size: int) -> Any:
    import numpy as np

    from cinque.stats.glm import Sums

    deviance = sums["fit"][0] if "fit" in sums else float("nan")
    return Sums(models.symmetric(sums["information"], size), np.array(sums["score"]), deviance)


def _null(parameters: Glm, sums: Sequence[Mapping[str, list[float]]], rows: int) -> float | None:
    """The next predictor of the model without terms to look at, less the offset; None where no more is needed."""
    import numpy as np

    from cinque.stats.glm import Sums, scoring

    kind = null_of(parameters)
    if kind == "fit":
        rounds = [Sums(np.array([[sums[0]["information"][0]]]), np.array([sums[0]["score"][0]]))]
        rounds += [
            Sums(np.array([[each["null"][1]]]), np.array([each["null"][2]]), each["null"][0])
            for each in sums[1:]
            if "null" in each
        ]
        found = scoring(rounds)
        return None if found.converged or found.stopped else float(found.beta[0])
    if len(sums) > 1:
        return None
    if kind == "offset":
        return 0.0
    start = dict(zip(singles_of(parameters, Step(1, {}))["start"], sums[0]["start"], strict=True))
    mean = start["response"] / start.get("weight", rows) if start.get("weight", rows) > 0 else float("nan")
    with np.errstate(all="ignore"):
        eta = float(family_of(parameters)[1].eta(np.array([mean]))[0])
    return eta if np.isfinite(eta) else 0.0


# --------------------------------------------------------------------------------------------------------- the answer
STOPPED: Final = {
    "collinear": "The terms of the formula are collinear over the TREs that answered.",
    "no-step": "No step of any length lowers the deviance.",
    "suppressed": "In a later round a TRE's sums could not leave any more.",
    "rounds": "The rounds were used up before the fit converged.",
    "nobody": "No TRE's sums could leave.",
    "errors": "The sums of the last round could not leave, so there are no such errors.",
}


def _values(parameters: Glm, history: History, session: Session, found: Scoring | None) -> dict[str, Any]:
    members = members_of(history)
    everyone = [released for tre, released in members if tre in session.used] or [r for _, r in members]
    values: dict[str, Any] = {
        "formula": parameters.formula,
        "family": parameters.family,
        "link": family_of(parameters)[1].name,
        "terms": session.terms,
        "method": "Fisher scoring",
        "errors": parameters.errors,
        **{name: total(everyone, name) for name in counts_of(parameters)},
        "pooled_over": session.used,
        "per_tre": {tre: {name: count(released, name) for name in counts_of(parameters)} for tre, released in members},
        "converged": bool(found and found.converged),
        "separation": bool(found and found.separated),
        "iterations": found.iterations if found else 0,
        "rounds": len(history),
    }
    why = "nobody" if found is None else found.stopped or ("suppressed" if session.stopped else "rounds")
    if not values["converged"]:
        values["stopped"] = STOPPED[why]
    elif robust(parameters) and session.meat is None:
        values["stopped"] = STOPPED["errors" if session.stopped else "rounds"]
    if found is None or len(session.sums) < 2 or found.stopped == "collinear":
        return values | dict.fromkeys(("coef", "se", "p", "confint", "deviance", "null_deviance", "aic", "loglik"))
    return values | _fitted(parameters, session, found)


def _fitted(parameters: Glm, session: Session, found: Scoring) -> dict[str, Any]:
    import numpy as np

    from cinque.stats.glm import loglik
    from cinque.stats.wald import chi2_p, inverse, wald

    family, size = family_of(parameters)[0], len(session.terms)
    # The coefficients are those at which the last sums were worked out, and the errors are from these sums.
    beta, last = _looked_at(session, found), session.sums[-1]
    information = models.symmetric(last["information"], size)
    df = session.rows - size
    fit = dict(zip(singles_of(parameters, Step(2, {"null": None}))["fit"], last["fit"], strict=True))
    deviance = fit["deviance"]
    dispersion = 1.0 if not family.estimated else fit["pearson"] / df if df > 0 else None
    inverted = inverse(information)
    tested: dict[str, Any] = dict.fromkeys(("coef", "se", "p", "confint"))
    if inverted is not None and dispersion is not None:
        covariance, df_t = inverted * dispersion, df
        if session.meat is not None:
            covariance, df_t = _sandwich(parameters, session, inverted, df)
        tested = wald(session.terms, beta, covariance, df_t if family.estimated else None)
        if robust(parameters) and session.meat is None:
            tested |= dict.fromkeys(tested.keys() - {"coef"})
    start = dict(
        zip(singles_of(parameters, Step(1, {})).get("start", ()), session.sums[0].get("start", ()), strict=True)
    )
    likelihood = loglik(
        family,
        deviance,
        n=session.rows,
        weight=start.get("weight", float(session.rows)),
        constant=start.get("constant", 0.0),
        ratio=fit.get("ratio", 0.0),
    )
    if session.rows > session.n:
        likelihood = None  # rows of one person are not independent
    estimated = size + (family.estimated and family.likelihood)
    nulls = [each["null"][0] for each in session.sums if "null" in each]
    values = tested | {
        "deviance": deviance,
        "null_deviance": nulls[-1] if nulls else None,
        "df_resid": df,
        "df_null": session.rows - int(models.formula_of(parameters).intercept),
        "dispersion": dispersion,
        "loglik": likelihood,
        "aic": None if likelihood is None else -2 * likelihood + 2 * estimated,
        "errors_at": f"the {'sandwich' if robust(parameters) else 'information'} at the final coefficients",
        "heterogeneity": None,
    }
    if len(session.used) > 1 and found.converged and dispersion and session.rows == session.n:
        # Rao's score test of one set of coefficients for all TREs against a set for each.
        q = 0.0
        for own in session.own.values():
            inner = inverse(models.symmetric(own["information"], size))
            if inner is None:
                return values
            score = np.array(own["score"])
            q += float(score @ inner @ score) / dispersion
        free = size * (len(session.used) - 1)
        values["heterogeneity"] = {"Q": q, "df": free, "p": chi2_p(q, free)}
    return values


def _sandwich(parameters: Glm, session: Session, inverted: Array, df: int) -> tuple[Array, int]:
    """The covariance of robust errors, and the degrees of freedom where the dispersion is estimated, as `lm` has."""
    covariance = inverted @ models.symmetric(session.meat or [], len(session.terms)) @ inverted
    if parameters.errors != "cluster":
        return covariance, df
    people, rows = session.n, session.rows
    if people < 2 or df < 1:
        return covariance * float("nan"), 0
    return covariance * (people / (people - 1) * (rows - 1) / df), people - 1


def _looked_at(session: Session, found: Scoring) -> Array:
    """The coefficients of the last round's step."""
    if found.at == len(session.sums) - 1:
        return found.beta
    from cinque.stats.glm import scoring

    return scoring([_sum_of(each, len(session.terms)) for each in session.sums[:-1]]).beta
