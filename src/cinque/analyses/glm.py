"""Generalised linear models (statistics.md 3.9): Fisher scoring over rounds, equal to the fit on the pooled rows.

Each round a TRE gives X'WX, the score and the deviance (Pearson's statistic too where the dispersion is estimated) at
coefficients that it works out itself from what all members released before: none is ever sent. The first round is at
R's starting means.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial as partial_of
from typing import TYPE_CHECKING, Any

from cinque.analyses import estimates, models
from cinque.analyses.analysis import Analysis, Field, Partial, Step
from cinque.analyses.glm_model import (
    COUNTS,
    FAMILIES,
    LIKELY_ROUNDS,
    MOST_ROUNDS,
    Glm,
    Layout,
    family_of,
    null_of,
    singles_of,
    told_after,
)
from cinque.analyses.glm_rounds import advance
from cinque.analyses.models import Judged, Read
from cinque.errors import Refused
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


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
    products, leverages, groups = Products(layout.pairs), Leverages(size), Groups(made, parameters.weights)
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
    evidence["crowded"] = groups.crowded()
    evidence["products"] = models.products(made)
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
    rounds = max(partial.shape["round"], LIKELY_ROUNDS)
    told = told_after(parameters, rounds, terms) - rounds * (len(models.upper(terms)) - evidence["products"])
    model = Model(tuple(sums), evidence["people"], terms, told, evidence["events"])
    return Figures(tuple(made), (), (model, *models.within(sums, evidence["crowded"])))


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
