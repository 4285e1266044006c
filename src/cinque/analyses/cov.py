"""Covariances of several numbers over all TREs (statistics.md 3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from cinque.analyses import crossed, filters
from cinque.analyses.analysis import Analysis, History, Partial, Result, Step
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures

if TYPE_CHECKING:
    from cinque.stats.linear import Centred


@dataclass(frozen=True, slots=True)
class Cov:
    """What is compared."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variables: tuple[str, ...] = field(metadata={"description": "Columns of integers or numbers, two or more."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Cov, dictionary: Dictionary) -> None:
    """Raises Refused when columns or filter do not fit the dictionary."""
    crossed.check(parameters.variables, parameters.where, dictionary)


def partial(source: Source, parameters: Cov, _step: Step) -> Partial:
    """Means and centred cross products."""
    return crossed.partial(source, parameters.variables, parameters.where)


def figures(_parameters: Cov, partial: Partial) -> Figures:
    """As `crossed` says."""
    return crossed.figures(partial)


def advance(parameters: Cov, history: History) -> Result:
    """The matrix over the TREs that released their sums, and each one's own."""
    matrix = crossed.Matrix(parameters.variables)

    def told(sums: Centred) -> Mapping[str, Any]:
        def value(j: int, k: int) -> float | None:
            return float(sums.cross[j, k]) / (sums.rows - 1) if sums.rows > 1 else None

        return {"cov": matrix.of(value)}

    return Result(*crossed.read(parameters.variables, history, told))


ANALYSIS: Analysis[Cov] = Analysis(
    name="cov",
    version="1.0.0",
    published="2026-11-27",
    title="Covariance matrix of several numbers",
    parameters=Cov,
    rounds=1,
    fields=crossed.FIELDS,
    check=check,
    columns=lambda parameters: frozenset(parameters.variables) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
