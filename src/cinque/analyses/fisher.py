"""Fisher's exact test of two factors of two levels over all TREs' counts (statistics.md 3.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from cinque.analyses import filters, tabulated
from cinque.analyses.analysis import Analysis, History, Partial, Result, Step
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures
from cinque.stats import contingency


@dataclass(frozen=True, slots=True)
class Fisher:
    """What is tested."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    factors: tuple[str, ...] = field(metadata={"description": "Two columns of two levels each, or true/false columns."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Fisher, dictionary: Dictionary) -> None:
    """Raises Refused when factors or filter do not fit the dictionary."""
    if len(parameters.factors) != 2:
        raise Refused("two-factors", "The test is of two factors.", remedy="Name two columns.")
    tabulated.check(parameters.factors, parameters.where, dictionary, two=parameters.factors)


def partial(source: Source, parameters: Fisher, _step: Step) -> Partial:
    """The counts."""
    return tabulated.partial(source, parameters.factors, parameters.where)


def figures(_parameters: Fisher, partial: Partial) -> Figures:
    """As of a table."""
    return tabulated.figures(partial)


def advance(parameters: Fisher, history: History) -> Result:
    """The test on the sum of the counts of the TREs that released all of theirs."""
    found = tabulated.read(parameters.factors, history)
    tested = _test(found.pooled()) if found.counts else dict.fromkeys(("p", "odds_ratio", "confint"))
    return tabulated.result(found, history, tested, _test)


def _test(counts: tabulated.Counts) -> dict[str, Any]:
    if counts.shape != (2, 2) or not counts.sum():
        return dict.fromkeys(("p", "odds_ratio", "confint"))
    made = contingency.fisher(counts.tolist())
    return {
        "p": made.p,
        "odds_ratio": tabulated.number(made.odds_ratio),
        "confint": [tabulated.number(side) for side in made.ci],
    }


ANALYSIS: Analysis[Fisher] = Analysis(
    name="fisher",
    version="1.0.0",
    published="2026-11-27",
    title="Fisher's exact test of two factors of two levels",
    parameters=Fisher,
    rounds=1,
    fields=tabulated.FIELDS,
    check=check,
    columns=lambda parameters: frozenset(parameters.factors) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
