"""Cochran-Mantel-Haenszel: exposure and outcome of two levels each, stratified by TRE and by further factors
(statistics.md 3.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cinque.analyses import filters, tabulated
from cinque.analyses.analysis import Analysis, History, Partial, Result, Step
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures
from cinque.stats.contingency import log_odds_ratio, mantel_haenszel

TERM = "log odds ratio"
_NOTHING = ("statistic", "df", "p", "odds_ratio", "confint", "log_se", "homogeneity")


@dataclass(frozen=True, slots=True)
class Cmh:
    """What is tested."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    exposure: str = field(metadata={"description": "A column of two levels, or true/false; the second is the exposed."})
    outcome: str = field(metadata={"description": "A column of two levels, or true/false; the second is the event."})
    strata: tuple[str, ...] = field(
        default=(),
        metadata={"description": "Further columns with declared levels; TREs always are strata."},
    )
    correct: bool = field(default=True, metadata={"description": "The continuity correction of the test."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Cmh, dictionary: Dictionary) -> None:
    """Raises Refused when factors or filter do not fit the dictionary."""
    two = (parameters.exposure, parameters.outcome)
    tabulated.check(_factors(parameters), parameters.where, dictionary, two=two)


def partial(source: Source, parameters: Cmh, _step: Step) -> Partial:
    """The counts."""
    return tabulated.partial(source, _factors(parameters), parameters.where)


def figures(_parameters: Cmh, partial: Partial) -> Figures:
    """As of a table."""
    return tabulated.figures(partial)


def advance(parameters: Cmh, history: History) -> Result:
    """The test over the strata of the TREs that released every cell of their tables."""
    found = tabulated.read(_factors(parameters), history)
    every = [table for counts in found.counts.values() for table in _tables(counts)]
    return tabulated.result(found, history, _test(every, parameters.correct), _own)


def _factors(parameters: Cmh) -> tuple[str, ...]:
    return (*parameters.strata, parameters.exposure, parameters.outcome)


def _tables(counts: tabulated.Counts) -> list[list[list[int]]]:
    """[[exposed with the event, exposed without], [not exposed with, without]] of every stratum of one TRE."""
    if counts.shape[-2:] != (2, 2):
        return []
    tables: list[list[list[int]]] = counts.reshape(-1, 2, 2)[:, ::-1, ::-1].tolist()
    return tables


def _test(tables: list[list[list[int]]], correct: bool) -> dict[str, Any]:
    made = mantel_haenszel(tables, correct=correct) if tables else None
    if made is None:
        return {**dict.fromkeys(_NOTHING), "corrected": correct, "strata": 0}
    homogeneity = None
    if made.homogeneity is not None:
        statistic, df, p = made.homogeneity
        homogeneity = {"statistic": float(statistic), "df": df, "p": p}
    return {
        "statistic": made.statistic,
        "df": 1,
        "p": made.p,
        "corrected": made.corrected,
        "odds_ratio": tabulated.number(made.odds_ratio),
        "confint": [tabulated.number(side) for side in made.ci],
        "log_se": tabulated.number(made.log_se),
        "strata": made.strata,
        "homogeneity": homogeneity,
    }


def _own(counts: tabulated.Counts) -> dict[str, Any]:
    """One TRE: its own common odds ratio, on the log scale with its error, in the form that `meta` reads."""
    tables = _tables(counts)
    if len(tables) == 1:
        found = log_odds_ratio(tables[0])
    else:
        made = mantel_haenszel(tables) if tables else None
        finite = made is not None and tabulated.number(made.log_se) is not None
        found = (math.log(made.odds_ratio), made.log_se) if made is not None and finite else None
    return {
        "odds_ratio": None if found is None else math.exp(found[0]),
        "coef": {TERM: None if found is None else found[0]},
        "se": {TERM: None if found is None else found[1]},
    }


ANALYSIS: Analysis[Cmh] = Analysis(
    name="cmh",
    version="1.0.0",
    published="2026-11-27",
    title="Cochran-Mantel-Haenszel test and common odds ratio, stratified by TRE",
    parameters=Cmh,
    rounds=1,
    fields=tabulated.FIELDS,
    check=check,
    columns=lambda parameters: frozenset(_factors(parameters)) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
