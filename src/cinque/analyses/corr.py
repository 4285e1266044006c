"""Pearson's correlations of several numbers over all TREs, with tests and intervals (statistics.md 3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cinque.analyses import crossed, filters, models
from cinque.analyses.analysis import Analysis, History, Partial, Result, Step
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures

if TYPE_CHECKING:
    from cinque.stats.linear import Centred

METHODS: Final = ("pearson",)


@dataclass(frozen=True, slots=True)
class Corr:
    """What is compared."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variables: tuple[str, ...] = field(metadata={"description": "Columns of integers or numbers, two or more."})
    method: str = field(default="pearson", metadata={"description": "`pearson`."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Corr, dictionary: Dictionary) -> None:
    """Raises Refused when columns, method or filter do not fit the dictionary."""
    models.choice("method", parameters.method, METHODS)
    crossed.check(parameters.variables, parameters.where, dictionary)


def partial(source: Source, parameters: Corr, _step: Step) -> Partial:
    """Means and centred cross products."""
    return crossed.partial(source, parameters.variables, parameters.where)


def figures(_parameters: Corr, partial: Partial) -> Figures:
    """As `crossed` says."""
    return crossed.figures(partial)


def advance(parameters: Corr, history: History) -> Result:
    """The matrix over the TREs that released their sums, and each one's own."""
    matrix = crossed.Matrix(parameters.variables)

    def told(sums: Centred) -> Mapping[str, Any]:
        from cinque.stats.correlation import Correlation, correlation

        def found(j: int, k: int) -> Correlation | None:
            cross = sums.cross
            return correlation(float(cross[j, k]), float(cross[j, j]), float(cross[k, k]), sums.rows)

        def value(name: str) -> dict[str, dict[str, Any]]:
            # With itself a column correlates by what it is: nothing is tested.
            def one(j: int, k: int) -> Any:
                made = found(j, k)
                if made is None or (j == k and name != "r"):
                    return None
                given = 1.0 if j == k else getattr(made, name)
                return list(given) if isinstance(given, tuple) else given

            return matrix.of(one)

        names = {"corr": "r", "t": "t", "p": "p", "confint": "ci"}
        return {called: value(name) for called, name in names.items()} | {"df": max(sums.rows - 2, 0)}

    return Result(*crossed.read(parameters.variables, history, told))


ANALYSIS: Analysis[Corr] = Analysis(
    name="corr",
    version="1.0.0",
    published="2026-11-27",
    title="Correlation matrix of several numbers",
    parameters=Corr,
    rounds=1,
    fields=crossed.FIELDS,
    check=check,
    columns=lambda parameters: frozenset(parameters.variables) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
