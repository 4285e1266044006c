"""A TRE's risk appetite: a frozen value, published, whose digest stands in the TRE's card and in every release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from cinque.errors import Refused

CLOSED: Any = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True)
class Appetite:
    """Thresholds count distinct people. `threshold`: a count of fewer than this many people is suppressed (strictly
    fewer: exactly `threshold` may leave). `zeros`: whether a count of nobody is suppressed like a small one (acro's
    zeros_are_disclosive) or may leave. `dof`: fewest residual degrees of freedom of a model (rule 6). `dominance`: p of
    the p% rule, as a share (rules 3 and 14). `ratio`: most parameters, and most released numbers of a session, for
    each person behind them (rules 6 and 15; DataSHIELD's nfilter.glm). `name` and `source` say where the numbers come
    from. A threshold of 0 or 1 suppresses nothing, by any rule. Raises Refused for numbers that no rule can carry out.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    name: str = "acro-default"
    source: str = "https://github.com/AI-SDC/ACRO acro/default.yaml: safe_threshold 10, zeros_are_disclosive true"
    threshold: int = 10
    zeros: Literal["suppress", "release"] = "suppress"
    dof: int = 10
    dominance: float = 0.1
    ratio: float = 0.33

    def __post_init__(self) -> None:
        if self.threshold < 0:
            raise Refused("appetite-impossible", "A threshold is a number of people, 0 or more.", rule="rule-1")
        if self.dof < 0 or not 0 <= self.dominance < 1 or not 0 < self.ratio <= 1:
            raise Refused(
                "appetite-impossible",
                "Degrees of freedom are 0 or more, dominance is a share from 0 to under 1, the ratio above 0 up to 1.",
                rule="rule-6",
            )
        if self.threshold == 2 and self.zeros == "release":
            raise Refused(
                "appetite-impossible",
                "With a threshold of 2 and zeros released, a suppressed count can only be 1: suppressing it says it.",
                rule="rule-1",
                remedy="Raise the threshold to 3 or more, or suppress zeros as well.",
            )
