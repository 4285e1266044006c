"""Pearson's chi-squared test of two factors over all TREs' counts (statistics.md 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from cinque.analyses import filters, tabulated
from cinque.analyses.analysis import Analysis, History, Partial, Result, Step
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures
from cinque.stats.contingency import chi_squared


@dataclass(frozen=True, slots=True)
class Chi2:
    """What is tested."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    factors: tuple[str, ...] = field(metadata={"description": "Two columns with declared levels, or true/false."})
    yates: bool = field(
        default=False, metadata={"description": "The continuity correction, where both factors have two levels."}
    )
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Chi2, dictionary: Dictionary) -> None:
    """Raises Refused when factors or filter do not fit the dictionary."""
    if len(parameters.factors) != 2:
        raise Refused("two-factors", "The test is of two factors.", remedy="Name two columns.")
    tabulated.check(parameters.factors, parameters.where, dictionary)


def partial(source: Source, parameters: Chi2, _step: Step) -> Partial:
    """The counts."""
    return tabulated.partial(source, parameters.factors, parameters.where)


def figures(_parameters: Chi2, partial: Partial) -> Figures:
    """As of a table."""
    return tabulated.figures(partial)


def advance(parameters: Chi2, history: History) -> Result:
    """The test on the sum of the counts of the TREs that released all of theirs: never on bounds."""
    found = tabulated.read(parameters.factors, history)

    def test(counts: tabulated.Counts) -> Mapping[str, Any]:
        return _test(counts, parameters.yates)

    return tabulated.result(found, history, test(found.pooled()), test)


def _test(counts: tabulated.Counts, yates: bool) -> dict[str, Any]:
    rows, columns = counts.sum(axis=1) > 0, counts.sum(axis=0) > 0
    made = chi_squared(counts[np.ix_(rows, columns)].tolist(), yates=yates)
    if made is None:
        return {"statistic": None, "df": None, "p": None, "cramers_v": None, "expected": None}
    expected = np.zeros(counts.shape)
    expected[np.ix_(rows, columns)] = made.expected
    return {
        "statistic": made.statistic,
        "df": made.df,
        "p": made.p,
        "cramers_v": made.v,
        "expected": expected.tolist(),
    }


ANALYSIS: Analysis[Chi2] = Analysis(
    name="chi2",
    version="1.0.0",
    published="2026-11-27",
    title="Pearson's chi-squared test of independence of two factors",
    parameters=Chi2,
    rounds=1,
    fields=tabulated.FIELDS,
    check=check,
    columns=lambda parameters: frozenset(parameters.factors) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
