"""Means and centred cross products of several numbers: what covariances and correlations stand on.

They are the sums of a linear regression's first round, with the same evidence (analyses/lm.py): each product is judged
for dominance and for whom it varies with, few-valued columns and their pairs for small groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cinque.analyses import lm, means, models
from cinque.analyses.analysis import Exactness, Field, History, Partial, Released, Step
from cinque.analyses.combine import count, exact_ids, exactness, one_round, total
from cinque.analyses.factors import malformed
from cinque.errors import Refused
from cinque.expr.text import name_to_text
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Model, is_suppressed

if TYPE_CHECKING:
    from cinque.stats.linear import Centred

COUNTS: Final = ("n", "missing")
SUMS: Final = ("means", "cross")
MAX_VARIABLES: Final = 50
FIELDS: Final = (
    Field("n", "people", "Frequencies", "People with a value in every column."),
    Field("missing", "people", "Frequencies", "People without a value in some column."),
    Field("means", "-", "CorrelationCoefficients", "Mean of each column, over the n people."),
    Field("cross", "-", "CorrelationCoefficients", "Centred cross products, on and above the diagonal, row by row."),
)


def check(variables: Sequence[str], where: str | None, dictionary: Dictionary) -> None:
    """Raises Refused when columns or filter do not fit the dictionary, and where a person has several rows."""
    if not 2 <= len(variables) <= MAX_VARIABLES or len(set(variables)) != len(variables):
        raise Refused(
            "several-variables",
            f"A matrix is of 2 to {MAX_VARIABLES} different columns.",
            remedy="Name each column once.",
        )
    for variable in variables:
        means.check(variable, (), where, dictionary)


def partial(source: Source, variables: Sequence[str], where: str | None) -> Partial:
    """The sums over the people with a value in every column."""
    *others, last = map(name_to_text, variables)
    found = lm.partial(source, lm.Lm(f"{last} ~ {' + '.join(others)}", where=where), Step(1, {}))
    values = {name: found.values[name] for name in (*COUNTS, *SUMS)}
    return Partial({"variables": list(variables)}, values, found.evidence)


def figures(partial: Partial) -> Figures:
    """The sums share the fate of n, and all of them together are the numbers of one model (rules 6, 15)."""
    evidence, values, size = partial.evidence, partial.values, len(partial.shape["variables"])
    sums = (
        Figure(
            name,
            "CorrelationCoefficients",
            evidence["people"],
            "other",
            of="n",
            differing=evidence["sums"].differing,
            remainder=evidence["sums"].remainder,
            smallest=evidence["smallest"],
        )
        for name in SUMS
    )
    counts = (Figure(name, "Frequencies", values[name]) for name in COUNTS)
    model = Model(SUMS, evidence["people"], size, size + size * (size + 1) // 2)
    return Figures((*counts, *sums), models=(model, *models.within(SUMS, evidence["crowded"])))


@dataclass(frozen=True, slots=True)
class Matrix:
    """One statistic for each pair of columns, by name of one and of the other."""

    variables: tuple[str, ...]

    def of(self, value: Callable[[int, int], Any]) -> dict[str, dict[str, Any]]:
        """`value`: from the places of two columns."""
        return {
            one: {other: value(min(j, k), max(j, k)) for k, other in enumerate(self.variables)}
            for j, one in enumerate(self.variables)
        }


def read(
    variables: Sequence[str], history: History, told: Callable[[Centred], Mapping[str, Any]]
) -> tuple[dict[str, Any], Exactness]:
    """The values of an answer: counts, and what `told` works out of the sums of the TREs that released theirs, pooled
    and one by one. Raises Refused for what is no such partial.
    """
    from cinque.stats.linear import merge_all

    members, size = one_round(history), len(variables)
    own = {}
    for tre, released in members:
        exact_ids(released, (*COUNTS, *SUMS))
        if released.shape != {"variables": list(variables)}:
            raise malformed()
        sums = _sums(released, size)
        if sums is not None:
            own[tre] = sums
    values: dict[str, Any] = {"variables": list(variables)}
    values |= {name: total((released for _, released in members), name) for name in COUNTS}
    values |= {"pooled_over": list(own), "means": None}
    pooled = merge_all(own.values(), size)
    values |= told(pooled)
    if pooled.rows:
        values["means"] = dict(zip(variables, pooled.mean.tolist(), strict=True))
    else:
        values["reason"] = "No TRE's sums could leave, or nobody has a value in every column."
    values["per_tre"] = {
        tre: {name: count(released, name) for name in COUNTS} | (dict(told(own[tre])) if tre in own else {})
        for tre, released in members
    }
    return values, exactness(members)


def _sums(released: Released, size: int) -> Centred | None:
    import numpy as np

    from cinque.stats.linear import Centred

    n = count(released, "n")
    count(released, "missing")
    if any(models.shut(released.figures[name]) for name in SUMS):
        return None
    if is_suppressed(n):
        raise malformed()  # sums are released only where n is
    mean = models.numbers(released.figures["means"], size)
    cross = models.symmetric(models.numbers(released.figures["cross"], size * (size + 1) // 2), size)
    if (np.diag(cross) < 0).any() or (n < 2 and cross.any()):
        raise malformed()
    return Centred(n, float(n), np.array(mean), cross)
