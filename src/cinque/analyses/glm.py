"""Generalised linear models (statistics.md 3.9): Fisher scoring over rounds, equal to the fit on the pooled rows.

Each round a TRE gives X'WX, the score and the deviance (Pearson's statistic too where the dispersion is estimated) at
coefficients that it works out itself from what all members released before: none is ever sent. The first round is at
R's starting means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial as partial_of
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cinque.analyses import estimates, models
from cinque.analyses.analysis import Analysis, Field, History, Partial, Released, Result, Step
from cinque.analyses.combine import count, exact_ids, exactness, members_of, total
from cinque.analyses.factors import malformed
from cinque.analyses.models import Judged, Read
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cinque.stats.families import Family, Link
    from cinque.stats.glm import Scoring

    Array = NDArray[Any]

FAMILIES: Final = {
    "binomial": ("logit", "probit", "cloglog"),
    "gamma": ("inverse", "log"),
    "gaussian": ("identity",),
    "poisson": ("log", "identity", "sqrt"),
    "quasibinomial": ("logit", "probit", "cloglog"),
    "quasipoisson": ("log", "identity", "sqrt"),
}
MOST_ROUNDS: Final = 26
LIKELY_ROUNDS: Final = 6
COUNTS: Final = ("n", "missing", "outside")


@dataclass(frozen=True, slots=True)
class Glm:
    """What is fitted."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    formula: str = field(metadata={"description": "`y ~ age + sex * arm`, in Wilkinson's notation."})
    family: str = field(
        default="binomial", metadata={"description": f"Of the response: {', '.join(FAMILIES)}."}
    )  # fmt: skip
    link: str | None = field(default=None, metadata={"description": "Without one, the family's usual link."})
    offset: str | None = field(default=None, metadata={"description": "A column with a known part of the predictor."})
    weights: str | None = field(default=None, metadata={"description": "A column of prior weights."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})
    rounds: str = field(
        default="all",
        metadata={"description": "`all`: as many as the fit takes; `few`: one, combining each TRE's own estimates."},
    )
    max_rounds: int = field(default=MOST_ROUNDS, metadata={"description": f"At most so many, up to {MOST_ROUNDS}."})
    levels: models.Levels = field(
        default=(), metadata={"description": "Of the factors, as all TREs declare them.", "agreed": True}
    )


def check(parameters: Glm, dictionary: Dictionary) -> None:
    """Raises Refused when formula, family, link, weights or filter do not fit the dictionary."""
    models.choice("family", parameters.family, tuple(FAMILIES))
    if parameters.link is not None:
        models.choice("link", parameters.link, FAMILIES[parameters.family])
    models.choice("rounds", parameters.rounds, ("all", "few"))
    if not 2 <= parameters.max_rounds <= MOST_ROUNDS:
        raise Refused("parameter-choice", f"`max_rounds` is a number from 2 to {MOST_ROUNDS}.")
    made = models.check(parameters, dictionary)
    if made.binary and parameters.family not in ("binomial", "quasibinomial"):
        raise Refused(
            "formula-response",
            f"The response has two values, which is no response of the {parameters.family} family.",
            remedy="Ask with `family` binomial.",
        )
    if not dictionary.one_row_a_person:
        raise Refused(
            "rows-not-people",
            f"In dataset `{dictionary.dataset}` a person may have several rows, which are not independent.",
            remedy='Ask `lm` with `errors="cluster"`, or a dataset in which one row is one person.',
        )


# ---------------------------------------------------------------------------------------------------- in one TRE
def partial(source: Source, parameters: Glm, step: Step) -> Partial:
    """The sums at this step's coefficients, with whom they are over."""
    if parameters.rounds == "few":
        return estimates.partial(source, parameters, family_of(parameters))
    import numpy as np

    from cinque.analyses.groups import Groups
    from cinque.stats.crossproducts import Products
    from cinque.stats.leverage import Leverages

    made = models.design_of(parameters, source.dictionary)
    size, levels = len(made.names), models.factor_levels(made)
    layout = Layout.of(parameters, step, size)
    products, leverages, groups = Products(layout.pairs), Leverages(size), Groups(made)
    seen = Seen()

    def passes(first: bool) -> Iterator[tuple[Array, Array]]:
        rows = models.read(source, parameters, made, family_of(parameters)[0].valid, groups if first else None)
        for part in rows:
            if first:
                seen.add(part)
            with np.errstate(all="ignore"):
                yield _columns(parameters, step, part)

    for left, right in passes(first=True):
        here = products.add(left, right)
        squares = here.left[:size] * here.right[:size]  # of the rows of sqrt(W) X, none of whose entries is larger
        leverages.add_sums(here.product[:size, :size], squares, partial_of(_root, left, right, size))
    judged = Judged(products, layout.pairs, lambda: passes(first=False))
    values: dict[str, Any] = {"n": seen.people, "missing": seen.missing, "outside": seen.outside}
    evidence: dict[str, Any] = {"people": seen.people, "events": seen.events(parameters), "smallest": groups.smallest()}
    if np.isfinite(judged.sums).all():
        values |= {name: judged.of(pairs) for name, pairs in layout.figures.items()}
        empty = [value == 0 for value in judged.of((j, j) for j in range(size))]
        shown = models.telling(layout.pairs, levels, empty)
        # How many rows there are, times a weight that is the same for everybody, says no more than n does.
        if made.formula.intercept and parameters.weights is None and judged.constant((0, 0)):
            shown = [pair for pair in shown if pair != (0, 0)]
        whole = models.of_leverages(leverages, lambda: ((_root(*each, size), None) for each in passes(first=False)))
        evidence["sums"] = judged.worst(shown).and_also(whole).and_also(models.of_groups(groups))
    else:
        values |= models.unwritable(layout.figures)
        evidence["sums"] = models.NOBODY
    return Partial({"round": step.round, "terms": list(made.names)}, values, evidence)


class Seen:
    """Counts of people over the batches, and of events."""

    def __init__(self) -> None:
        self.people = self.missing = self.outside = self._events = 0
        self._two_valued = True

    def add(self, part: Read) -> None:
        self.people += len(part.begin)
        self.missing += part.missing
        self.outside += part.outside
        self._two_valued &= bool(((part.y == 0) | (part.y == 1)).all())
        self._events += int((part.y == 1).sum())

    def events(self, parameters: Glm) -> int | None:
        """People with the rarer of two outcomes; None where the response is another number."""
        if not parameters.family.endswith("binomial") or not self._two_valued:
            return None
        return min(self._events, self.people - self._events)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which sums each figure of a round holds, as pairs of a left column (the model's, then single numbers) and a right
    one (the model's weighted, the score's, 1)."""

    figures: Mapping[str, list[tuple[int, int]]]

    @classmethod
    def of(cls, parameters: Glm, step: Step, size: int) -> Layout:
        """By the parameters and the step alone."""
        figures = {"information": models.upper(size), "score": [(j, size) for j in range(size)]}
        at = size
        for name, singles in singles_of(parameters, step).items():
            figures[name] = [(at + i, size + 1) for i in range(len(singles))]
            at += len(singles)
        return cls(figures)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All of them."""
        return [pair for pairs in self.figures.values() for pair in pairs]


def singles_of(parameters: Glm, step: Step) -> dict[str, list[str]]:
    """The single numbers of a round beside information and score, by figure."""
    weighted = parameters.weights is not None
    if step.round == 1:
        names = ["weight"] if weighted else []
        names += ["response"] if null_of(parameters) == "mean" else []
        constant = {"gaussian": weighted, "poisson": True, "gamma": True}.get(parameters.family, False)
        names += ["constant"] if constant else []
        return {"start": names} if names else {}
    estimated = {"gaussian": ["pearson"], "gamma": ["pearson", "ratio"]}
    quasi = ["pearson"] if parameters.family.startswith("quasi") else []
    found = {"fit": ["deviance", *estimated.get(parameters.family, quasi)]}
    if step.values["null"] is not None:
        found["null"] = ["deviance", "weight", "score"] if null_of(parameters) == "fit" else ["deviance"]
    return found


def told_after(parameters: Glm, rounds: int, size: int) -> int:
    """How many numbers a TRE has given after so many rounds. Most models without terms are looked at once."""
    null = 0.0 if null_of(parameters) == "fit" else None
    steps = [Step(1, {}), Step(2, {"null": 0.0}), *(Step(number, {"null": null}) for number in range(3, rounds + 1))]
    return sum(len(Layout.of(parameters, step, size).pairs) for step in steps[:rounds])


def null_of(parameters: Glm) -> str:
    """The model without terms: a mean (`mean`), a mean beside an offset (`fit`: iterated in the same rounds), or the
    offset alone (`offset`)."""
    formula = models.formula_of(parameters)
    return "offset" if not formula.intercept else "fit" if formula.offsets else "mean"


def family_of(parameters: Glm) -> tuple[Family, Link]:
    """The family and its link."""
    from cinque.stats.families import FAMILIES as KNOWN
    from cinque.stats.families import LINKS

    family = KNOWN[parameters.family]
    return family, LINKS[parameters.link or family.links[0]]


def _root(left: Array, right: Array, size: int) -> Array:
    """The rows of sqrt(W) X."""
    import numpy as np

    return np.asarray(np.sign(left[:, :size]) * np.sqrt(left[:, :size] * right[:, :size]))


def _columns(parameters: Glm, step: Step, part: Read) -> tuple[Array, Array]:
    """Left and right columns of the sums."""
    import numpy as np

    from cinque.stats import glm

    family, link = family_of(parameters)
    weights: Any = 1.0 if part.weights is None else part.weights
    singles: list[Any]
    if step.round == 1:
        parts = glm.start(family, link, part.y, part.offset, weights)
        prior = np.broadcast_to(weights, part.y.shape)
        known = {"weight": prior, "response": weights * part.y}
        if family.constant is not None:
            known["constant"] = family.constant(part.y, prior)
        singles = [known[name] for names in singles_of(parameters, step).values() for name in names]
    else:
        parts = glm.at(family, link, part.y, part.x @ np.array(step.values["beta"]) + part.offset, weights)
        fit = {"deviance": parts.deviance, "pearson": parts.pearson, "ratio": parts.ratio}
        singles = [fit[name] for name in singles_of(parameters, step)["fit"]]
        if (null := step.values["null"]) is not None:
            alone = glm.at(family, link, part.y, part.offset + null, weights)
            singles += [alone.deviance]
            singles += [alone.weight, alone.score] if null_of(parameters) == "fit" else []
    size = part.x.shape[1]
    left = np.empty((len(part.y), size + len(singles)), order="F")
    left[:, :size] = part.x
    for place, single in enumerate(singles):
        left[:, size + place] = single
    right = np.empty((len(part.y), size + 2), order="F")
    np.multiply(left[:, :size], parts.weight[:, None], out=right[:, :size])
    right[:, size] = parts.score
    right[:, size + 1] = 1.0
    return left, right


def figures(parameters: Glm, partial: Partial) -> Figures:
    """Sums share the fate of n and of each other; together they are one fit, which counts what all rounds so far have
    told of it, and is held from its first round to what LIKELY_ROUNDS would: a TRE that could not go on that long would
    only spoil it.
    """
    if parameters.rounds == "few":
        return estimates.figures(partial)
    evidence, made = partial.evidence, [Figure(name, "Frequencies", partial.values[name]) for name in COUNTS]
    sums = [name for name in partial.values if name not in COUNTS]
    for name in sums:
        found = evidence["sums"]
        made.append(
            Figure(
                name,
                "CorrelationCoefficients",
                evidence["people"],
                "other",
                of="n",
                differing=found.differing,
                remainder=found.remainder,
                smallest=evidence["smallest"],
            )
        )
    terms = len(partial.shape["terms"])
    told = told_after(parameters, max(partial.shape["round"], LIKELY_ROUNDS), terms)
    model = Model(tuple(sums), evidence["people"], terms, told, evidence["events"])
    return Figures(tuple(made), (), (model,))


# ------------------------------------------------------------------------------------------------- over all members
@dataclass(frozen=True, slots=True)
class Session:
    """What the rounds so far say: `used` are the members whose first sums were released, in the order of their ids;
    `sums`: round by round, figure by figure, added up over them; `own`: the last round's, by member; `stopped`: a
    member's sums could not leave any more."""

    terms: list[str]
    used: list[str]
    sums: list[dict[str, list[float]]]
    own: dict[str, dict[str, list[float]]]
    n: int
    stopped: bool


def advance(parameters: Glm, history: History) -> Step | Result:
    """The next coefficients to look at, or the fit."""
    if parameters.rounds == "few":
        return estimates.advance(parameters.family, history)
    session, scoring, null = _replay(parameters, history)
    done = scoring is None or scoring.converged or scoring.stopped or session.stopped
    if not done and len(history) < parameters.max_rounds:
        assert scoring is not None  # noqa: S101 - done otherwise
        return Step(len(history) + 1, {"beta": scoring.beta.tolist(), "null": null})
    last = exactness(members_of(history, len(history)))
    exact = "bounded" if last == "bounded" else exactness(members_of(history))
    return Result(_values(parameters, history, session, scoring), exact)


def _replay(parameters: Glm, history: History) -> tuple[Session, Scoring | None, float | None]:
    """Every round again, each checked for the form that its step gives it."""
    from cinque.stats.glm import scoring

    terms = models.terms_of(members_of(history))
    step, used, stopped = Step(1, {}), None, False
    sums: list[dict[str, list[float]]] = []
    own: dict[str, dict[str, list[float]]] = {}
    found: Scoring | None = None
    null: float | None = None
    for number in range(1, len(history) + 1):
        layout = Layout.of(parameters, step, len(terms))
        members = members_of(history, number)
        given = {tre: _sums(released, layout, number, terms) for tre, released in members}
        if used is None:
            used = [tre for tre, each in given.items() if each is not None]
        here = {tre: each for tre in used if (each := given.get(tre)) is not None}
        if not used or len(here) < len(used):
            stopped = bool(used)
            break
        own = here
        sums.append(
            {name: models.add_up([each[name] for each in here.values()]) for name in layout.figures}
        )  # fmt: skip
        found = scoring([_sum_of(each, len(terms)) for each in sums])
        null = _null(parameters, sums, sum(_n(history, tre) for tre in used))
        step = Step(number + 1, {"beta": found.beta.tolist(), "null": null})
    used = used or []
    session = Session(terms, used, sums, own, sum(_n(history, tre) for tre in used), stopped)
    return session, found, null


def _n(history: History, tre: str) -> int:
    value = count(history[0][tre], "n")
    if not isinstance(value, int):
        raise malformed()  # sums are released only where n is
    return value


def _sums(released: Released, layout: Layout, number: int, terms: list[str]) -> dict[str, list[float]] | None:
    """The sums that a member released, None where one is suppressed or beyond a double. Raises Refused for what is no
    such partial."""
    exact_ids(released, [*COUNTS, *layout.figures])
    if released.shape != {"round": number, "terms": terms}:
        raise malformed()
    for name in COUNTS:
        count(released, name)
    known = [name for name in layout.figures if not models.shut(released.figures[name])]
    found = {name: models.numbers(released.figures[name], len(layout.figures[name])) for name in known}
    return found if len(found) == len(layout.figures) else None


def _sum_of(sums: Mapping[str, list[float]], size: int) -> Any:
    import numpy as np

    from cinque.stats.glm import Sums

    deviance = sums["fit"][0] if "fit" in sums else float("nan")
    return Sums(models.symmetric(sums["information"], size), np.array(sums["score"]), deviance)


def _null(parameters: Glm, sums: Sequence[Mapping[str, list[float]]], n: int) -> float | None:
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
    mean = start["response"] / start.get("weight", n) if start.get("weight", n) > 0 else float("nan")
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
        **{name: total(everyone, name) for name in COUNTS},
        "pooled_over": session.used,
        "per_tre": {tre: {name: count(released, name) for name in COUNTS} for tre, released in members},
        "converged": bool(found and found.converged),
        "separation": bool(found and found.separated),
        "iterations": found.iterations if found else 0,
        "rounds": len(history),
    }
    why = "nobody" if found is None else found.stopped or ("suppressed" if session.stopped else "rounds")
    if not values["converged"]:
        values["stopped"] = STOPPED[why]
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
    df = session.n - size
    fit = dict(zip(singles_of(parameters, Step(2, {"null": None}))["fit"], last["fit"], strict=True))
    deviance = fit["deviance"]
    dispersion = 1.0 if not family.estimated else fit["pearson"] / df if df > 0 else None
    inverted = inverse(information)
    tested: dict[str, Any] = dict.fromkeys(("coef", "se", "p", "confint"))
    if inverted is not None and dispersion is not None:
        tested = wald(session.terms, beta, inverted * dispersion, df if family.estimated else None)
    start = dict(
        zip(singles_of(parameters, Step(1, {})).get("start", ()), session.sums[0].get("start", ()), strict=True)
    )
    likelihood = loglik(
        family,
        deviance,
        n=session.n,
        weight=start.get("weight", float(session.n)),
        constant=start.get("constant", 0.0),
        ratio=fit.get("ratio", 0.0),
    )
    estimated = size + (family.estimated and family.likelihood)
    nulls = [each["null"][0] for each in session.sums if "null" in each]
    values = tested | {
        "deviance": deviance,
        "null_deviance": nulls[-1] if nulls else None,
        "df_resid": df,
        "df_null": session.n - int(models.formula_of(parameters).intercept),
        "dispersion": dispersion,
        "loglik": likelihood,
        "aic": None if likelihood is None else -2 * likelihood + 2 * estimated,
        "errors_at": "the information at the final coefficients",
        "heterogeneity": None,
    }
    if len(session.used) > 1 and found.converged and dispersion:
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


def _looked_at(session: Session, found: Scoring) -> Array:
    """The coefficients of the last round's step."""
    if found.at == len(session.sums) - 1:
        return found.beta
    from cinque.stats.glm import scoring

    return scoring([_sum_of(each, len(session.terms)) for each in session.sums[:-1]]).beta


ANALYSIS: Analysis[Glm] = Analysis(
    name="glm",
    version="1.0.0",
    published="2026-11-27",
    title="A generalised linear model",
    parameters=Glm,
    rounds=MOST_ROUNDS,
    fields=(
        Field("n", "people", "Frequencies", "Distinct people whose rows are used."),
        Field("missing", "people", "Frequencies", "Distinct people with a row in which something that is used misses."),
        Field(
            "outside", "people", "Frequencies", "Of the others, those whose response or weight the model cannot take."
        ),
        Field("information", "-", "CorrelationCoefficients", "X'WX, on and above its diagonal, row by row."),
        Field("score", "-", "CorrelationCoefficients", "X'W u; in round one X'W z."),
        Field(
            "start", "-", "CorrelationCoefficients", "Round one: sums of weights, response, constants of likelihood."
        ),
        Field("fit", "-", "CorrelationCoefficients", "Deviance, Pearson's statistic, and for gamma the sum of y / mu."),
        Field("null", "-", "CorrelationCoefficients", "The same of the model without terms."),
        *estimates.FIELDS,
    ),
    check=check,
    columns=models.columns,
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
    agree=models.agree,
)
