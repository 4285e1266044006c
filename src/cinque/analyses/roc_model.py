"""What is asked of a ROC curve, the model that it is of, and where its ranges of the score are divided."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cinque.analyses import models
from cinque.analyses.analysis import Step
from cinque.analyses.glm_model import FAMILIES, Glm, family_of
from cinque.expr.formula import columns_read, parse_formula
from cinque.expr.text import name_to_text
from cinque.model import CLOSED
from cinque.model.datasets import Column, Dictionary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BINS: Final = (2, 64)  # as many as disclosure control judges in seconds
GROUPS: Final = 10  # of calibration, at most
OUTCOMES: Final = {"events": 1, "nonevents": 0}


@dataclass(frozen=True, slots=True)
class Roc:
    """Whose score tells which outcome."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    formula: str = field(
        metadata={"description": "`y ~ age + sex`, a model of a yes or no; the outcome alone where there is a score."}
    )
    link: str | None = field(default=None, metadata={"description": f"{', '.join(FAMILIES['binomial'])}."})
    score: str | None = field(
        default=None, metadata={"description": "Instead of a model: a column with a score, high where there is a yes."}
    )
    low: float | None = field(default=None, metadata={"description": "The lowest score that there can be."})
    high: float | None = field(
        default=None, metadata={"description": "The highest; within 0 and 1 scores are read as probabilities."}
    )
    bins: int = field(
        default=32, metadata={"description": f"Ranges of the score, {BINS[0]} to {BINS[1]}."}
    )  # fmt: skip
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})
    levels: models.Levels = field(
        default=(), metadata={"description": "Of the factors, as all TREs declare them.", "agreed": True}
    )

    @property
    def probability(self) -> bool:
        """Whether the scores are probabilities of the outcome, which can be compared with what happened."""
        return self.score is None or (
            self.low is not None and self.low >= 0 and self.high is not None and self.high <= 1
        )


def model_of(parameters: Roc) -> Glm:
    """The model that is fitted; of a score that is in the data, the one whose second column is that score."""
    formula = parameters.formula
    if parameters.score is not None:
        parse_formula(f"{formula} ~ 1")  # a mistake is shown in what was written
        formula = f"{formula} ~ {name_to_text(parameters.score)}"
    return Glm(formula, "binomial", parameters.link, where=parameters.where, levels=parameters.levels)


def later(parameters: Roc) -> int:
    """How many numbers a TRE gives beside the model's: people of each outcome in ranges, then sums."""
    told = patterns(parameters)
    return 2 * (parameters.bins if told is None else len(told)) + (GROUPS + 1 if parameters.probability else 0)


def score_edges(parameters: Roc) -> list[float]:
    """Between the bins of a score that is in the data: of equal width over its range."""
    low, high, bins = float(parameters.low or 0), float(parameters.high or 0), parameters.bins
    return [low + (high - low) * place / bins for place in range(1, bins)]


def patterns(parameters: Roc) -> list[list[int]] | None:
    """The rows that a model of factors alone can have, by what was asked: its columns for each combination of levels.
    None where the model has a number, or too many combinations, and for a score in the data."""
    from cinque.analyses.design import design

    formula = models.formula_of(model_of(parameters))
    levels = {name: each for name, *each in parameters.levels}
    names = sorted({name for term in formula.terms for variable in term for name in columns_read(variable)})
    if parameters.score is not None or not set(names) <= levels.keys():
        return None
    if math.prod(len(levels[name]) for name in names) > BINS[1]:
        return None
    told = [Column(name, "text", levels=tuple(each)) for name, each in levels.items()]
    told += [Column(name, "number") for name in sorted(formula.columns - levels.keys())]
    needs = models.factor_levels(design(formula, Dictionary("", "", tuple(told)), parameters.levels))
    combined = (dict(zip(names, each, strict=True)) for each in product(*(levels[name] for name in names)))
    return [[int(all(one[name] == level for name, level in need.items())) for need in needs] for one in combined]


def fitted_edges(parameters: Roc, information: Array, beta: Sequence[float]) -> tuple[list[float], bool]:
    """Between the bins of fitted probabilities, and whether all people of a bin have one probability.

    A model of factors has few: each is a bin. Otherwise the edges are where bins would hold equally many, were the
    linear predictor normal. Its mean and variance follow from X'WX of round one (X's first column is 1), whose weights
    at R's starting means are equal for all but the complementary log-log link. Six digits, so that all enclaves divide
    at the same places.
    """
    from statistics import NormalDist

    import numpy as np

    b = np.array(beta)
    link = family_of(model_of(parameters))[1]
    every = patterns(parameters)
    if every is not None:
        different = sorted({float(f"{p:.6g}") for p in link.mu(np.array(every, float) @ b).tolist()})
        if len(different) > 1:
            return [float(f"{(one + other) / 2:.8g}") for one, other in pairwise(different)], True
    weight = float(information[0, 0])
    mean = float(information[0] @ b) / weight
    spread = max(float(b @ information @ b) / weight - mean * mean, 0.0) ** 0.5
    places = [mean + spread * NormalDist().inv_cdf(k / parameters.bins) for k in range(1, parameters.bins)]
    return [float(f"{p:.6g}") for p in link.mu(np.array(places)).tolist()], False


def first(parameters: Roc) -> Step:
    """A model's first round, or the counts of a score."""
    return Step(1, {} if parameters.score is None else {"edges": score_edges(parameters)})


def groups(edges: Sequence[float], known: Sequence[int], people: Sequence[int]) -> tuple[list[int], list[float]]:
    """Of the places at which everybody is known, those nearest to where tenths of the people lie, and their edges.
    `people`: below each of the places 0 to B, over all TREs. A place is the number of bins below.
    """
    inner = [place for place in known if 0 < place < len(people) - 1]
    chosen = set()
    for tenth in range(1, GROUPS):
        if inner:
            chosen.add(min(inner, key=lambda place: (abs(GROUPS * people[place] - tenth * people[-1]), place)))
    places = sorted(chosen)
    return places, [edges[place - 1] for place in places]
