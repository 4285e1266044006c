"""Tests that stand on a table: the counts are those of `table`, released and judged as there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinque.analyses import table
from cinque.analyses.analysis import History, Partial, Result, Step
from cinque.analyses.combine import Members, exactness, one_round, total
from cinque.analyses.factors import cells, label
from cinque.errors import Refused
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures

FIELDS = table.ANALYSIS.fields
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tables:
    """`levels`: of each factor; `counts`: TRE id -> its counts, one axis a factor; only of the TREs that released every
    cell. `values`: what every test says beside itself: n, missing, per TRE, and over whom it was pooled.
    """

    levels: Mapping[str, Sequence[str]]
    counts: Mapping[str, Counts]
    values: dict[str, Any]

    def pooled(self) -> Counts:
        """The sum over the TREs."""
        shape = tuple(len(each) for each in self.levels.values())
        summed: Counts = np.sum(np.array(list(self.counts.values()) or [np.zeros(shape, np.int64)]), axis=0)
        return summed


def check(factors: Sequence[str], where: str | None, dictionary: Dictionary, *, two: Sequence[str] = ()) -> None:
    """Raises Refused when factors or filter do not fit; `two`: the factors that must have two levels."""
    table.check(table.Table(tuple(factors), where), dictionary)
    if not dictionary.one_row_a_person:
        raise Refused(
            "rows-not-people",
            "A person may be in several cells of this table, and the test takes each person once.",
            remedy="Ask a dataset, or a view of the TRE, with one row a person.",
        )
    for name in two:
        column = dictionary.column(name)
        if column.type != "boolean" and len(column.levels or ()) != 2:
            raise Refused(
                "factor-needs-two-levels",
                f"Factor `{name}` of dataset `{dictionary.dataset}` has not two levels.",
                remedy="Use a factor of two levels, or a true/false column.",
            )


def partial(source: Source, factors: Sequence[str], where: str | None) -> Partial:
    """As the analysis `table`."""
    return table.partial(source, table.Table(tuple(factors), where), Step(1, {}))


def figures(partial: Partial) -> Figures:
    """As the analysis `table`."""
    return table.figures(table.Table(tuple(partial.shape["factors"])), partial)


def read(factors: Sequence[str], history: History) -> Tables:
    """The counts of the TREs that released every cell. Raises Refused for what is no table of these factors."""
    asked = table.Table(tuple(factors))
    whole = table.advance(asked, history).values
    members: Members = one_round(history)
    levels = {name: whole["levels"][name] for name in factors}
    known = cells(factors, levels)
    counts = {}
    for tre, released in members:
        # A level that a TRE does not declare has nobody there.
        own = [released.figures.get(label("cell", cell), 0) for cell in known]
        if all(type(value) is int for value in own):
            counts[tre] = np.array(own, dtype=np.int64).reshape([len(levels[name]) for name in factors])
    everyone = [released for _, released in members]
    values = {
        "factors": list(factors),
        "levels": levels,
        "n": int(sum(own.sum() for own in counts.values())),
        "missing": total(everyone, "missing"),
        "pooled_over": list(counts),
        "per_tre": {
            tre: {"n": whole["per_tre"][tre]["n"], "missing": whole["per_tre"][tre]["missing"]} for tre, _ in members
        },
    }
    return Tables(levels, counts, values)


def result(
    found: Tables, history: History, tested: Mapping[str, Any], each: Callable[[Counts], Mapping[str, Any]]
) -> Result:
    """The test, beside it what it stands on. `each`: what is said of one TRE's own table."""
    values = {**found.values, **tested}
    if not found.counts:
        values["reason"] = "No TRE released every cell of its table."
    for tre, counts in found.counts.items():
        values["per_tre"][tre] |= each(counts)
    return Result(values, exactness(one_round(history)))


def number(value: float | None) -> float | None:
    """A number that JSON has; None for one that it has not."""
    return value if value is not None and math.isfinite(value) else None
