"""One-way analysis of variance over all TREs' groups (statistics.md 3.7)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from cinque.analyses import filters, means
from cinque.analyses.analysis import Analysis, History, Partial, Result, Step
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures
from cinque.stats.means import one_way

_NAMES = ("ss_between", "df_between", "ss_within", "df_within", "f", "p", "eta2")


@dataclass(frozen=True, slots=True)
class Anova:
    """What is tested."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variable: str = field(metadata={"description": "A column of integers or numbers."})
    by: str = field(metadata={"description": "A column with declared levels: the groups."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Anova, dictionary: Dictionary) -> None:
    """Raises Refused when variable, groups or filter do not fit the dictionary."""
    means.check(parameters.variable, (parameters.by,), parameters.where, dictionary)


def partial(source: Source, parameters: Anova, _step: Step) -> Partial:
    """Counts and moments by group."""
    return means.partial(source, parameters.variable, (parameters.by,), parameters.where)


def figures(_parameters: Anova, partial: Partial) -> Figures:
    """As of a summary."""
    return means.figures(partial)


def advance(parameters: Anova, history: History) -> Result:
    """The test over the TREs that released every group's moments, and each one's own."""
    found = means.read(parameters.variable, (parameters.by,), history)
    values = found.values
    made = one_way(list(found.pooled.values()))
    values |= dict.fromkeys(_NAMES) if made is None else asdict(made)
    if made is None:
        values["reason"] = "No TRE released what the test needs, or there is nothing to compare."
    for tre, groups in found.per_tre.items():
        own = one_way(list(groups.values()))
        values["per_tre"][tre] |= {"f": None if own is None else own.f, "p": None if own is None else own.p}
    return Result(values, found.exactness)


ANALYSIS: Analysis[Anova] = Analysis(
    name="anova",
    version="1.0.0",
    published="2026-11-27",
    title="One-way analysis of variance",
    parameters=Anova,
    rounds=1,
    fields=means.FIELDS,
    check=check,
    columns=lambda parameters: frozenset({parameters.variable, parameters.by}) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
