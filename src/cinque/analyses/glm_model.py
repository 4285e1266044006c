"""What is asked of a generalised linear model, and which numbers each round of it holds, by the question alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cinque.analyses import models
from cinque.analyses.analysis import Step
from cinque.model import CLOSED

if TYPE_CHECKING:
    from cinque.stats.families import Family, Link

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
ERRORS: Final = ("classical", "hc0", "cluster")


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
    errors: str = field(
        default="classical",
        metadata={"description": f"Standard errors: {', '.join(ERRORS)} (`cluster`: by person)."},
    )
    levels: models.Levels = field(
        default=(), metadata={"description": "Of the factors, as all TREs declare them.", "agreed": True}
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """Which sums each figure of a round holds, as pairs of a left column (the model's, then single numbers) and a right
    one (the model's weighted, the score's, 1). The last round of robust errors holds one figure: of pairs of columns of
    people's scores."""

    figures: Mapping[str, list[tuple[int, int]]]

    @classmethod
    def of(cls, parameters: Glm, step: Step, size: int) -> Layout:
        """By the parameters and the step alone."""
        if step.values.get("meat"):
            return cls({"meat": models.upper(size)})
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


def counts_of(parameters: Glm) -> tuple[str, ...]:
    """The counts of a round: of rows too where a person may have several."""
    return (*COUNTS, "rows") if parameters.errors == "cluster" else COUNTS


def robust(parameters: Glm) -> bool:
    """Whether errors are a sandwich, whose middle takes a round of its own."""
    return parameters.errors != "classical"


def told_after(parameters: Glm, rounds: int, size: int, products: int) -> int:
    """How many numbers a TRE has given after so many rounds of the fit, with those of the round after it that robust
    errors take. Most models without terms are looked at once. `products`: of pairs of columns, how many differ."""
    null = 0.0 if null_of(parameters) == "fit" else None
    steps = [Step(1, {}), Step(2, {"null": 0.0}), *(Step(number, {"null": null}) for number in range(3, rounds + 1))]
    meat = len(models.upper(size)) if robust(parameters) else 0
    alike = len(models.upper(size)) - products
    return meat + sum(len(Layout.of(parameters, step, size).pairs) - alike for step in steps[:rounds])


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
