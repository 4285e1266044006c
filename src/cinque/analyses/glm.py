"""Generalised linear models (statistics.md 3.9): Fisher scoring over rounds, equal to the fit on the pooled rows.

Each round a TRE gives X'WX, the score and the deviance (Pearson's statistic too where the dispersion is estimated) at
coefficients that it works out itself from what all members released before: none is ever sent. The first round is at
R's starting means. Robust errors take a round more, at the final coefficients: the sum over people of their score times
itself, where somebody with several rows has the sum of their rows' scores (an independence working correlation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial as partial_of
from typing import TYPE_CHECKING, Any

from cinque.analyses import estimates, models
from cinque.analyses.analysis import Analysis, Field, Partial, Step
from cinque.analyses.glm_model import (
    COUNTS,
    ERRORS,
    FAMILIES,
    LIKELY_ROUNDS,
    MOST_ROUNDS,
    Glm,
    Layout,
    counts_of,
    family_of,
    null_of,
    singles_of,
    told_after,
)
from cinque.analyses.glm_rounds import advance
from cinque.analyses.models import Evidence, Judged, Read
from cinque.errors import Refused
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Model, Relation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def check(parameters: Glm, dictionary: Dictionary) -> None:
    """Raises Refused when formula, family, link, weights or filter do not fit the dictionary."""
    models.choice("family", parameters.family, tuple(FAMILIES))
    if parameters.link is not None:
        models.choice("link", parameters.link, FAMILIES[parameters.family])
    models.choice("rounds", parameters.rounds, ("all", "few"))
    models.choice("errors", parameters.errors, ERRORS)
    if parameters.rounds == "few" and parameters.errors != "classical":
        raise Refused(
            "parameter-choice",
            "In one round each TRE fits its own model, whose errors are classical.",
            remedy='Ask with `rounds="all"`, or with classical errors.',
        )
    if not 2 <= parameters.max_rounds <= MOST_ROUNDS:
        raise Refused("parameter-choice", f"`max_rounds` is a number from 2 to {MOST_ROUNDS}.")
    made = models.check(parameters, dictionary)
    if made.binary and parameters.family not in ("binomial", "quasibinomial"):
        raise Refused(
            "formula-response",
            f"The response has two values, which is no response of the {parameters.family} family.",
            remedy="Ask with `family` binomial.",
        )
    if not dictionary.one_row_a_person and parameters.errors != "cluster":
        raise Refused(
            "rows-not-people",
            f"In dataset `{dictionary.dataset}` a person may have several rows, which are not independent.",
            remedy='Ask with `errors="cluster"`.',
        )


# ---------------------------------------------------------------------------------------------------- in one TRE
def partial(source: Source, parameters: Glm, step: Step) -> Partial:
    """The sums at this step's coefficients, with whom they are over."""
    if parameters.rounds == "few":
        return estimates.partial(source, parameters, family_of(parameters))
    import numpy as np

    from cinque.analyses.groups import Groups

    made, several = models.design_of(parameters, source.dictionary), not source.dictionary.one_row_a_person
    size, levels = len(made.names), models.factor_levels(made)
    layout = Layout.of(parameters, step, size)
    groups, seen = Groups(made, source.dictionary, parameters.weights), Seen()

    def passes(first: bool) -> Iterator[Read]:
        for part in models.read(source, parameters, made, family_of(parameters)[0].valid, groups if first else None):
            if first:
                seen.add(part)
            yield part

    work = _people if "meat" in layout.figures else _sums
    found = work(parameters, step, layout, passes, several=several)
    judged = found.judged
    values: dict[str, Any] = {"n": seen.people, "missing": seen.missing, "outside": seen.outside}
    if parameters.errors == "cluster":
        values["rows"] = seen.rows
    smallest = groups.smallest()
    evidence: dict[str, Any] = {"people": seen.people, "events": seen.events(parameters)}
    evidence |= {"crowded": groups.crowded(), "products": models.products(made)}
    if np.isfinite(judged.sums).all():
        values |= {name: judged.of(pairs) for name, pairs in layout.figures.items()}
        empty = [value == 0 for value in judged.of((j, j) for j in range(size))]
        if several and "meat" in layout.figures:
            shown, nobody = models.telling_of_people(judged, layout.pairs, levels, empty)
            smallest = smallest if nobody is None else nobody
        else:
            shown = models.telling(layout.pairs, levels, empty)
        # How many rows there are, times a weight that is the same for all, says no more than n and rows do.
        if made.formula.intercept and parameters.weights is None and (judged.constant((0, 0)) or found.even):
            shown = [pair for pair in shown if pair != (0, 0)]
        # Where as many have one outcome as the other, both are as far from the model without terms.
        if evidence["events"]:
            same = {pair for pair in layout.figures.get("null", []) if judged.constant(pair)}
            shown = [pair for pair in shown if pair not in same]
        evidence["sums"] = judged.worst(shown).and_also(found.whole()).and_also(models.of_groups(groups))
    else:
        values |= models.unwritable(layout.figures)
        evidence["sums"] = models.NOBODY
    evidence["smallest"] = smallest
    shape: dict[str, Any] = {"round": step.round, "terms": list(made.names)}
    return Partial(shape | ({"one_row_a_person": not several} if "rows" in values else {}), values, evidence)


class Seen:
    """Counts of people over the batches, of their rows, and of those with either of two outcomes."""

    def __init__(self) -> None:
        self.people = self.missing = self.outside = self.rows = self._events = self._others = 0
        self._two_valued = True

    def add(self, part: Read) -> None:
        self.people += len(part.begin)
        self.rows += len(part.y)
        self.missing += part.missing
        self.outside += part.outside
        self._two_valued &= bool(((part.y == 0) | (part.y == 1)).all())
        self._events += _people_with(part.y == 1, part)
        self._others += _people_with(part.y == 0, part)

    def events(self, parameters: Glm) -> int | None:
        """People with the rarer of two outcomes; None where the response is another number."""
        if not parameters.family.endswith("binomial") or not self._two_valued:
            return None
        return min(self._events, self._others)


def _people_with(true: Array, part: Read) -> int:
    import numpy as np

    if len(part.begin) < len(true):
        true = np.logical_or.reduceat(true, part.begin)
    return int(true.sum())


@dataclass(frozen=True, slots=True)
class Found:
    """A round's sums, what `whole` says of every combination of the columns, and whether every row of several of a
    person has the same weight."""

    judged: Judged
    whole: Callable[[], Evidence]
    even: bool = False


def _sums(
    parameters: Glm, step: Step, layout: Layout, passes: Callable[[bool], Iterator[Read]], *, several: bool
) -> Found:
    """Information, score, deviance and so on."""
    import numpy as np

    from cinque.stats.crossproducts import Products
    from cinque.stats.leverage import Leverages

    size = len(layout.figures["score"])
    products, leverages = Products(layout.pairs, several=several), Leverages(size)
    weights: list[float] = []

    def columns(first: bool) -> Iterator[tuple[Array, Array, Array]]:
        for part in passes(first):
            with np.errstate(all="ignore"):
                yield (*_columns(parameters, step, part), part.begin)

    for left, right, begin in columns(True):
        here = products.add(left, right, begin)
        squares = here.left[:size] * here.right[:size]  # of the rows of sqrt(W) X, none of whose entries is larger
        root = partial_of(_root, left, right, size)
        leverages.add_sums(here.product[:size, :size], squares, root, begin, alone=not several)
        if several and len(left):  # the first column is the intercept's, where this is asked
            weights += [float(right[:, 0].min()), float(right[:, 0].max())]
    judged = Judged(products, layout.pairs, lambda: ((left, right) for left, right, _ in columns(False)))

    def whole() -> Evidence:
        return models.of_leverages(
            leverages, lambda: ((_root(left, right, size), begin) for left, right, begin in columns(False))
        )

    return Found(judged, whole, several and len(set(weights)) == 1)


def _people(
    parameters: Glm, step: Step, layout: Layout, passes: Callable[[bool], Iterator[Read]], *, several: bool
) -> Found:
    """The middle of the sandwich: over people, of their score times itself."""
    import numpy as np

    from cinque.stats import glm
    from cinque.stats.crossproducts import Products
    from cinque.stats.leverage import Leverages

    family, link = family_of(parameters)
    beta = np.array(step.values["beta"])
    middle, leverages = Products(layout.pairs), Leverages(len(beta))

    def scores(first: bool) -> Iterator[Array]:
        for part in passes(first):
            weights: Any = 1.0 if part.weights is None else part.weights
            with np.errstate(all="ignore"):
                rows = part.x * glm.at(family, link, part.y, part.x @ beta + part.offset, weights).score[:, None]
                yield np.add.reduceat(rows, part.begin, axis=0) if several and len(rows) else rows

    for each in scores(True):
        middle.add(each, each)
        leverages.add(each)
    judged = Judged(middle, layout.pairs, lambda: ((each, each) for each in scores(False)))
    return Found(judged, lambda: models.of_leverages(leverages, lambda: ((each, None) for each in scores(False))))


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
    relations: tuple[Relation, ...] = ()
    if "rows" in partial.values:
        rows = partial.values["rows"]
        made.append(Figure("rows", "Frequencies", evidence["people"], "rows", of="n", rows=rows))
        relations = (Relation("rows", ("n",)),) if partial.shape["one_row_a_person"] else ()
    sums = [name for name in partial.values if name not in counts_of(parameters)]
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
    rounds = max(partial.shape["round"] - ("meat" in sums), LIKELY_ROUNDS)  # the last is counted from the first on
    told = told_after(parameters, rounds, terms, evidence["products"])
    model = Model(tuple(sums), evidence["people"], terms, told, evidence["events"])
    return Figures(tuple(made), relations, (model, *models.within(sums, evidence["crowded"])))


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
        Field("rows", "rows", "Frequencies", "With errors by person: rows used."),
        Field("information", "-", "CorrelationCoefficients", "X'WX, on and above its diagonal, row by row."),
        Field("score", "-", "CorrelationCoefficients", "X'W u; in round one X'W z."),
        Field(
            "start", "-", "CorrelationCoefficients", "Round one: sums of weights, response, constants of likelihood."
        ),
        Field("fit", "-", "CorrelationCoefficients", "Deviance, Pearson's statistic, and for gamma the sum of y / mu."),
        Field("null", "-", "CorrelationCoefficients", "The same of the model without terms."),
        Field(
            "meat", "-", "CorrelationCoefficients", "Robust errors, last round: sum over people of score times score."
        ),
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
