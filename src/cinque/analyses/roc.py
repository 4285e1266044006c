"""ROC curve, area under it and calibration of a logistic model, or of a score that is in the data (statistics.md 3.13).

A model is fitted by the rounds of `glm`. Every enclave then works out the fitted probabilities itself, and counts its
people with the outcome and without in ranges of them, which follow from what all have released; in a last round it adds
up the probabilities in those ranges that everybody told. No coefficient and no edge is ever sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from cinque.analyses import glm, halves, models
from cinque.analyses.analysis import Analysis, Field, Partial, Step
from cinque.analyses.bins import check_number, check_range
from cinque.analyses.glm_model import COUNTS, LIKELY_ROUNDS, MOST_ROUNDS, family_of, told_after
from cinque.analyses.roc_model import BINS, OUTCOMES, Roc, first, later, model_of
from cinque.analyses.roc_rounds import advance
from cinque.errors import Refused
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Model, Relation

SUMS: Final = ("expected", "brier")
_OF_THE_MODEL: Final = (*COUNTS, "information", "score")

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cinque.stats.components import Components

    Array = NDArray[np.float64]


def check(parameters: Roc, dictionary: Dictionary) -> None:
    """Raises Refused when formula, score, bins or filter do not fit the dictionary."""
    if not BINS[0] <= parameters.bins <= BINS[1]:
        raise Refused("parameter-choice", f"`bins` is a number from {BINS[0]} to {BINS[1]}.")
    if parameters.score is None:
        if (parameters.low, parameters.high) != (None, None):
            raise Refused(
                "range-without-score",
                "`low` and `high` are the range of a score, and the question names none.",
                remedy="Leave them out: probabilities that are fitted need no range.",
            )
        formula = models.formula_of(model_of(parameters))
        if not formula.intercept or not formula.terms or formula.offsets:
            raise Refused(
                "formula-curve",
                "The model of a curve has an intercept, at least one term, and no offset.",
                remedy='Write `y ~ x`; for a score that is known already, ask with `score="column"`.',
            )
    else:
        check_number(parameters.score, dictionary)
        check_range(parameters.low, parameters.high)
        if parameters.link is not None:
            raise Refused("parameter-choice", "A score that is in the data is taken as it is, without a `link`.")
    glm.check(model_of(parameters), dictionary)


# ---------------------------------------------------------------------------------------------------- in one TRE
def partial(source: Source, parameters: Roc, step: Step) -> Partial:
    """A round of the model; people by outcome in ranges of the score; or the scores added up in groups."""
    if "edges" in step.values:
        return _counted(source, parameters, step)
    if "groups" in step.values:
        return _added(source, parameters, step)
    return glm.partial(source, model_of(parameters), step)


def _counted(source: Source, parameters: Roc, step: Step) -> Partial:
    import numpy as np

    edges = np.array(step.values["edges"])
    bins = len(edges) + 1
    counts = np.zeros((2, bins), np.int64)
    missing = outside = 0
    for y, score, part in _scores(source, parameters, step):
        place = np.searchsorted(edges, score, side="right")
        for outcome in (0, 1):
            counts[outcome] += np.bincount(place[y == outcome], minlength=bins)
        missing += part.missing
        outside += part.outside + len(part.y) - len(y)
    values: dict[str, Any] = {"n": int(counts.sum()), "missing": missing, "outside": outside}
    for name, outcome in OUTCOMES.items():
        values |= halves.values(name, counts[outcome].tolist())
    return Partial({"round": step.round, "bins": bins}, values, _evidence(source, parameters, counts))


def _evidence(source: Source, parameters: Roc, counts: NDArray[np.int64]) -> dict[str, Any]:
    """People of the rarer outcome, how many coefficients there are, and how many sums of products of their columns; of
    counts by outcome and range."""
    terms = products = 0
    if parameters.score is None:
        made = models.design_of(model_of(parameters), source.dictionary)
        terms, products = len(made.names), models.products(made)
    return {"events": int(counts.sum(axis=1).min()), "terms": terms, "products": products}


def _added(source: Source, parameters: Roc, step: Step) -> Partial:
    """The scores of each group added up. `told` are the counts of the groups, by outcome, that have left each TRE:
    where one's own are not among them, a sum could tell how many people it is over, and is nobody's to have.
    """
    import numpy as np

    edges = np.array(step.values["groups"])
    size = len(edges) + 1
    groups, squares = [Parts() for _ in range(size)], Parts()
    counts, sums, brier = np.zeros((2, size), np.int64), np.zeros(size), 0.0
    for y, score, _ in _scores(source, parameters, step):
        place = np.searchsorted(edges, score, side="right")
        for outcome in (0, 1):
            counts[outcome] += np.bincount(place[y == outcome], minlength=size)
        sums += np.bincount(place, score, minlength=size)
        brier += float(np.square(y - score).sum())
        for at, group in enumerate(groups):
            group.add(score[place == at])
        squares.add(np.square(y - score))
    values = {"n": int(counts.sum()), "expected": sums.tolist(), "brier": brier}
    found = squares.evidence()
    for group in groups:
        found = found.and_also(group.evidence())
    if counts[::-1].tolist() not in step.values["told"]:  # events first
        values |= models.unwritable(("expected",))
        found = models.NOBODY
    evidence = _evidence(source, parameters, counts) | {"sums": found, "smallest": int(counts.min())}
    return Partial({"round": step.round, "groups": size}, values, evidence)


class Parts:
    """Evidence of one sum over people. One whose people all have the same part tells no more than how many they are;
    one of few different parts tells how many have each (rule 13)."""

    FEW = 3  # values, whose counts n, a sum and a sum of squares tell

    def __init__(self) -> None:
        from cinque.stats.components import Components

        self._components: Components = Components(1)
        self._values: dict[float, int] | None = {}

    def add(self, parts: Array) -> None:
        """Nobody in two batches."""
        import numpy as np

        self._components.add(parts[:, None])
        if self._values is not None:
            for value, people in zip(*(each.tolist() for each in np.unique(parts, return_counts=True)), strict=True):
                self._values[value] = self._values.get(value, 0) + people
            if len(self._values) > self.FEW:
                self._values = None

    def evidence(self) -> models.Evidence:
        """People who differ from the commonest part, or of the rarest where few parts differ; and the p% rule's."""
        if self._values is not None and len(self._values) <= 1:
            return models.Evidence(2**53, 2.0**53)
        differing = int(self._components.differing()[0])
        if self._values is not None:
            differing = min(differing, *self._values.values())
        return models.Evidence(differing, min(float(self._components.remainder()[0]), 2.0**53))


def _scores(source: Source, parameters: Roc, step: Step) -> Iterator[tuple[Array, Array, models.Read]]:
    """Outcome and score of everybody who has both, batch by batch."""
    import numpy as np

    model = model_of(parameters)
    family, link = family_of(model)
    made = models.design_of(model, source.dictionary)
    for part in models.read(source, model, made, family.valid):
        if parameters.score is None:
            yield part.y, link.mu(part.x @ np.array(step.values["beta"])), part
            continue
        score = part.x[:, 1]
        use = (score >= 0) & (score <= 1) if parameters.probability else np.ones(len(score), bool)
        yield part.y[use], score[use], part


def figures(parameters: Roc, partial: Partial) -> Figures:
    """The model's rounds as `glm`'s, counting what the rounds after them will tell. Then people in ranges, as counts
    that hang together, and sums over groups of them: both are held to what the model is (rules 6 and 15), so that a TRE
    whose people do not carry it tells neither.
    """
    shape, people, evidence = partial.shape, partial.values["n"], partial.evidence
    if "terms" in shape:
        found = glm.figures(model_of(parameters), partial)
        fit = dataclasses.replace(found.models[0], numbers=found.models[0].numbers + later(parameters))
        return dataclasses.replace(found, models=(fit, *found.models[1:]))
    relations: list[Relation] = []
    if "bins" in shape:
        bins = shape["bins"]
        made = [Figure(name, "Frequencies", partial.values[name], known=name == "n") for name in COUNTS]
        relations.append(Relation("n", tuple(halves.whole(name, bins) for name in OUTCOMES)))
        for name in OUTCOMES:
            own, adding = halves.figures(name, dict(partial.values), bins)
            made += own
            relations += adding
        held = tuple(id for name in OUTCOMES for id in halves.ids(name, bins))
    else:
        made, held, sums = [Figure("n", "Frequencies", people)], SUMS, evidence["sums"]
        made += [
            Figure(
                name,
                "LinearAggregations",
                people,
                "other",
                of="n",
                differing=sums.differing,
                remainder=sums.remainder,
                smallest=evidence["smallest"],
            )
            for name in held
        ]
    told = later(parameters)
    if parameters.score is None:
        rounds = shape["round"] - (1 if "bins" in shape else 2)
        told += told_after(model_of(parameters), max(rounds, LIKELY_ROUNDS), evidence["terms"], evidence["products"])
    whole = Model(held, people, evidence["terms"], told, evidence["events"])
    return Figures(tuple(made), tuple(relations), (whole,))


def agree(parameters: Roc, dictionaries: Mapping[str, Dictionary]) -> Roc:
    """The levels of factors, agreed over all TREs."""
    return dataclasses.replace(parameters, levels=models.agree(model_of(parameters), dictionaries).levels)


ANALYSIS: Analysis[Roc] = Analysis(
    name="roc",
    version="1.0.0",
    published="2026-11-27",
    title="ROC curve, area under it and calibration of a logistic model or of a score",
    parameters=Roc,
    rounds=MOST_ROUNDS + 2,
    fields=(
        *(field for field in glm.ANALYSIS.fields if field.id in _OF_THE_MODEL),
        Field("events:[from, to]", "people", "Frequencies", "People with the outcome and a score in the bins between."),
        Field("nonevents:[from, to]", "people", "Frequencies", "People without the outcome and a score there."),
        Field("expected", "people", "LinearAggregations", "Sum of the scores in each group of calibration."),
        Field("brier", "-", "LinearAggregations", "Sum of squared differences of outcome and score."),
    ),
    check=check,
    columns=lambda parameters: models.columns(model_of(parameters)),
    first=first,
    partial=partial,
    figures=figures,
    advance=advance,
    agree=agree,
)
