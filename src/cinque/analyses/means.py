"""Tests that stand on means by group: the figures are those of `summary`, released and judged as there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cinque.analyses import summary
from cinque.analyses.analysis import History, Partial, Step
from cinque.analyses.combine import exactness, one_round
from cinque.analyses.factors import label
from cinque.errors import Refused
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures, is_suppressed
from cinque.stats.moments import Moments

MOMENTS = summary.MOMENTS[: summary.SPREAD]
NEEDED = ("rows", *MOMENTS)
FIELDS = tuple(
    each for each in summary.ANALYSIS.fields if each.id.partition(":")[0] not in summary.MOMENTS[summary.SPREAD :]
)


@dataclass(frozen=True, slots=True)
class Groups:
    """`pooled`: group's levels -> moments over the TREs that released every group; `per_tre`: the same of each of
    these; `values`: what every test says beside itself.
    """

    pooled: Mapping[tuple[str, ...], Moments]
    per_tre: Mapping[str, Mapping[tuple[str, ...], Moments]]
    values: dict[str, Any]
    exactness: Any


def check(variable: str, by: Sequence[str], where: str | None, dictionary: Dictionary) -> None:
    """Raises Refused when variable, groups or filter do not fit, and where a person has several rows."""
    summary.check(summary.Summary(variable, tuple(by), where), dictionary)
    if not dictionary.one_row_a_person:
        raise Refused(
            "rows-not-people",
            "The test takes each row as one independent person, and here a person may have several.",
            remedy="Ask a dataset, or a view of the TRE, with one row a person.",
        )


def partial(source: Source, variable: str, by: Sequence[str], where: str | None) -> Partial:
    """As the analysis `summary`, up to the spread."""
    return summary.partial(source, summary.Summary(variable, tuple(by), where), Step(1, {}), summary.SPREAD)


def figures(partial: Partial) -> Figures:
    """As the analysis `summary`."""
    asked = summary.Summary(partial.shape["variable"], tuple(partial.shape["by"]))
    return summary.figures(asked, partial, summary.SPREAD)


def read(variable: str, by: Sequence[str], history: History) -> Groups:
    """The moments of the TREs that released those of every group. Raises Refused for what is no summary of these."""
    asked = summary.Summary(variable, tuple(by))
    members = one_round(history)
    whole = summary.advance(asked, history, summary.SPREAD).values
    complete = {tre: released for tre, released in members if _complete(released.figures)}
    pooled = summary.advance(asked, [complete], summary.SPREAD).values if complete else {"groups": [], "per_tre": {}}
    values = {
        "variable": variable,
        "by": list(by),
        "groups": [{**group, "pooled_over": list(complete)} for group in pooled["groups"]],
        "n": _sum(group["n"] for group in pooled["groups"]),
        "missing": _sum(group["missing"] for group in whole["groups"]),
        "pooled_over": list(complete),
        "per_tre": {tre: {"groups": whole["per_tre"][tre]["groups"]} for tre, _ in members},
    }
    own = {tre: _moments(each["groups"]) for tre, each in pooled["per_tre"].items()}
    return Groups(_moments(pooled["groups"]), own, values, exactness(members))


def _complete(released: Mapping[str, Any]) -> bool:
    """Whether every moment that a test needs is there; group sizes beside them are counts of the same people."""
    return not any(is_suppressed(value) for id, value in released.items() if id.partition(":")[0] in NEEDED)


def _moments(groups: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], Moments]:
    found = {}
    for group in groups:
        n, mean, variance = group["rows"], group["mean"], group["variance"]
        m2 = 0.0 if variance is None else variance * (n - 1)
        found[tuple(group["levels"])] = Moments(n, mean if n else 0.0, m2)
    return found


def _sum(counts: Any) -> Any:
    from cinque.sdc.interval import add

    each = list(counts)
    return sum(each) if all(type(count) is int for count in each) else add(each)


def ungrouped(values: Mapping[str, Any]) -> dict[str, Any]:
    """Ids of an ungrouped summary for figures by plain name."""
    return {label(name, ()): value for name, value in values.items()}
