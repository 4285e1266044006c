"""A TRE's risk appetite: a frozen value, published, whose digest stands in the TRE's card and in every release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

CLOSED: Any = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True)
class Appetite:
    """Thresholds count distinct people. `threshold`: a count of fewer than this many people is suppressed (strictly
    fewer: exactly `threshold` may leave). `zeros`: whether a count of nobody is suppressed like a small one (acro's
    zeros_are_disclosive) or may leave. `name` and `source` say where the numbers come from.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    name: str = "acro-default"
    source: str = "https://github.com/AI-SDC/ACRO acro/default.yaml: safe_threshold 10, zeros_are_disclosive true"
    threshold: int = 10
    zeros: Literal["suppress", "release"] = "suppress"
