"""Answers of summaries: a number by groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cinque.client.answer import Answer
from cinque.sdc.figures import is_suppressed
from cinque.stats.moments import adjusted_kurtosis, adjusted_skewness

_SUMMARISED = ("n", "missing", "rows", "mean", "variance", "sd", "se", "ci", "skewness", "kurtosis")


@dataclass(frozen=True)
class GroupSummary:
    """One group of a summary; a number (of `ci` two), None (nobody) or the suppressed form each. Skewness and kurtosis
    are g1 and g2, those of the values; with `adjusted_` before, G1 and G2. `pooled_rows`: rows of the TREs that the
    mean and what follows are over.
    """

    n: Any
    missing: Any
    rows: Any
    mean: Any
    variance: Any
    sd: Any
    se: Any
    ci: Any
    skewness: Any
    kurtosis: Any
    pooled_over: tuple[str, ...]
    pooled_rows: int

    @property
    def adjusted_skewness(self) -> Any:
        """G1, of SAS, SPSS and Excel."""
        return self._adjusted(adjusted_skewness, self.skewness)

    @property
    def adjusted_kurtosis(self) -> Any:
        """G2, of SAS, SPSS and Excel."""
        return self._adjusted(adjusted_kurtosis, self.kurtosis)

    def _adjusted(self, adjusted: Callable[[float, int], float | None], found: Any) -> Any:
        return found if found is None or is_suppressed(found) else adjusted(found, self.pooled_rows)


@dataclass(frozen=True, repr=False)
class SummaryAnswer(Answer):
    """`answer["x"]` without groups; with groups `answer["level"]` or `answer["a", "b"]`."""

    @property
    def groups(self) -> dict[tuple[str, ...], GroupSummary]:
        """By tuple of levels; one, under (), without groups."""
        result = self.result or {}
        found: list[dict[str, Any]] = result.get("groups", [])
        shapes: list[dict[str, Any]] = result.get("shape", [{}] * len(found))  # answers of version 1.0.0 have none
        return {
            tuple(g["levels"]): GroupSummary(
                **{name: (g | shape).get(name) for name in _SUMMARISED},
                pooled_over=tuple(sorted(self.names.get(tre, tre) for tre in g["pooled_over"])),
                pooled_rows=sum(self._rows(tre, g["levels"]) for tre in g["pooled_over"]),
            )
            for g, shape in zip(found, shapes, strict=True)
        }

    def sheets(self) -> Sequence[Any]:
        """A row for each group and TRE; the variance is the square of the standard deviation."""
        from cinque.client.view import sheets

        if self.result is None:
            return []
        per_tre = {tre: described(own) for tre, own in self.result["per_tre"].items()}
        return sheets(replace(self, result={**described(self.result), "per_tre": per_tre}))

    def _rows(self, tre: str, levels: list[str]) -> int:
        own = (self.result or {})["per_tre"][tre]["groups"]
        return next(int(group["rows"]) for group in own if group["levels"] == levels)

    def __getitem__(self, key: str | tuple[str, ...]) -> GroupSummary:
        groups = self.groups
        if () in groups and key == self.parameters.get("variable"):
            return groups[()]
        return groups[(key,) if isinstance(key, str) else key]


_PRINTED = ("n", "missing", "rows", "mean", "sd", "se", "ci", "skewness", "kurtosis")


def described(values: Mapping[str, Any]) -> dict[str, Any]:
    """Groups as records, each with its shape; `rows` where they are not as many as people."""
    found = values["groups"]
    shapes: list[dict[str, Any]] = values.get("shape") or [{}] * len(found)
    rows = any(group["rows"] != group["n"] for group in found)
    names = [name for name in _PRINTED if rows or name != "rows"]
    groups = [
        {"levels": group["levels"], "pooled_over": group["pooled_over"]}
        | {name: (group | shape)[name] for name in names if name in group | shape}
        for group, shape in zip(found, shapes, strict=True)
    ]
    kept = {name: values[name] for name in ("by", "ungrouped") if name in values}
    return {**kept, "groups": groups}
