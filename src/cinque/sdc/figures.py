"""The seam between analyses and disclosure control: what may leave is described here, never by the analysis's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# The statbarn of a figure: https://www.w3id.org/statbarnsdc#Frequencies and so on (acro's vocabulary).
Statbarn = Literal[
    "Frequencies",
    "LinearAggregations",
    "Shape",
    "CorrelationCoefficients",
    "StatisticalHypothesisTests",
    "HazardSurvivalTables",
]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number (or array) that an analysis would release.

    `people`: distinct people behind it (evidence; never leaves by this road). `kind`: `people`, a count of distinct
    people, whose value is `people`; `rows`, a count of their rows, whose value is `rows`; `other`, any other number.
    `rows` and `other` share the fate of the people-count named `of`.
    `known`: a total that everybody has already, as from an earlier round: it is not suppressed to hide a part.

    Evidence of an `other` figure, each over its worst number, None where the rule does not apply to it:
    `differing`: people whose part in the number is not the commonest part (rule 14; see stats/components.py);
    `remainder`: what all but the two largest parts add up to, as a share of the largest, counted from the commonest
    part (the p% rule; 0 where one person carries all that varies);
    `smallest`: fewest people in any group that the numbers would tell (the levels of a few-valued column, and the pairs
    of two, in cross products and moments: rule 13); groups that nobody can be in are left out.
    """

    id: str
    statbarn: Statbarn
    people: int
    kind: Literal["people", "rows", "other"] = "people"
    of: str | None = None
    rows: int | None = None
    differing: int | None = None
    remainder: float | None = None
    smallest: int | None = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A fit, or a session of several rounds, of whose numbers rules 6 and 15 judge whether they are too many.

    `figures`: those that fall with it, `other` figures or all of the counts that hang together; `people`: distinct
    people fitted on; `parameters`: coefficients; `numbers`: scalars released by this TRE in all rounds, this one
    included; `events`: people with the rarer of two outcomes, None where the outcome is a number.
    """

    figures: tuple[str, ...]
    people: int
    parameters: int
    numbers: int
    events: int | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """What an attacker knows to hold between counts (of people or of rows) of one answer.

    `sum`: nobody is in two parts, so total = sum of parts. `union`: somebody may be in several, so
    max(parts) <= total <= sum of parts. Rows of disjoint groups of rows are a `sum` even where their people are a
    `union`. That a group has at least as many rows as people is known without being said.
    """

    total: str
    parts: tuple[str, ...]
    kind: Literal["sum", "union"] = "sum"


@dataclass(frozen=True, slots=True)
class Figures:
    """All that one answer of one TRE would release, and how its counts hang together.

    `chains`: ids of people-counts, each chain in the order in which they only fall: people at risk as time goes by
    (rule 8). A count in a chain is in no relation: it is judged there alone.
    """

    figures: tuple[Figure, ...]
    relations: tuple[Relation, ...] = ()
    models: tuple[Model, ...] = ()
    chains: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What can be known of a suppressed figure from what was released and the published appetite; None: no bound."""

    at_least: float | int | None
    at_most: float | int | None

    def to_dict(self) -> dict[str, Any]:
        """The form of a suppressed figure, for ever."""
        return {"suppressed": True, "at_least": self.at_least, "at_most": self.at_most}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on an answer: bounds for every suppressed figure; all others may leave. `rules` names the rules
    that were applied, `findings` says in words that may leave what was done, without any figure's value or cause.
    """

    suppressed: Mapping[str, Bounds]
    rules: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def is_suppressed(value: Any) -> bool:
    """Whether a released value is the suppressed form."""
    return isinstance(value, dict) and value.get("suppressed") is True
