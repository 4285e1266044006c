"""Correlations of several numbers over all TREs, Pearson's and Spearman's, with tests (statistics.md 3.6).

Pearson's take one round, equal to the pooled rows'. Spearman's are Pearson's of ranks among the people of all TREs,
which a first round tells in ranges of values (ranks.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cinque.analyses import crossed, filters, models, ranks
from cinque.analyses.analysis import Analysis, Field, History, Partial, Released, Result, Step
from cinque.analyses.combine import count, exactness, members_of, total
from cinque.analyses.factors import malformed
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures

if TYPE_CHECKING:
    from cinque.stats.linear import Centred

METHODS: Final = ("pearson", "spearman")


@dataclass(frozen=True, slots=True)
class Corr:
    """What is compared."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variables: tuple[str, ...] = field(metadata={"description": "Columns of integers or numbers, two or more."})
    method: str = field(default="pearson", metadata={"description": f"One of: {', '.join(METHODS)}."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})
    low: tuple[float, ...] = field(
        default=(), metadata={"description": "With `spearman`, for each column: below it hardly anybody is expected."}
    )
    high: tuple[float, ...] = field(
        default=(), metadata={"description": "With `spearman`, for each column: above it hardly anybody is expected."}
    )
    bins: int = field(
        default=ranks.BINS,
        metadata={"description": "With `spearman`: in so many ranges from low to high people are told apart."},
    )


def check(parameters: Corr, dictionary: Dictionary) -> None:
    """Raises Refused when columns, method, ranges or filter do not fit the dictionary."""
    models.choice("method", parameters.method, METHODS)
    crossed.check(parameters.variables, parameters.where, dictionary)
    if _ranked(parameters):
        ranks.check(_ranges(parameters))
    elif parameters.low or parameters.high:
        raise Refused(
            "range-not-needed",
            "Pearson's correlations are of the values themselves, whatever their range.",
            remedy='Leave out `low` and `high`, or ask with `method="spearman"`.',
        )


def _ranked(parameters: Corr) -> bool:
    return parameters.method == "spearman"


def _ranges(parameters: Corr) -> ranks.Ranges:
    low, high = (tuple(map(float, ends)) for ends in (parameters.low, parameters.high))
    return ranks.Ranges(parameters.variables, low, high, parameters.bins)


def partial(source: Source, parameters: Corr, step: Step) -> Partial:
    """Means and centred cross products, of values or of ranks; before ranks, people in ranges."""
    if not _ranked(parameters):
        return crossed.partial(source, parameters.variables, parameters.where)
    if step.round == 1:
        return ranks.counts(source, _ranges(parameters), parameters.where)
    return ranks.sums(source, _ranges(parameters), parameters.where, step)


def figures(parameters: Corr, partial: Partial) -> Figures:
    """As `crossed` and `ranks` say."""
    return ranks.figures(_ranges(parameters), partial) if partial.shape.get("round") == 1 else crossed.figures(partial)


def advance(parameters: Corr, history: History) -> Step | Result:
    """The matrix over the TREs that released their sums, and each one's own; ranks before it."""
    told = _told(parameters)
    if not _ranked(parameters):
        return Result(*crossed.read(parameters.variables, history, told))
    ranked = ranks.rank(_ranges(parameters), history)
    if len(history) == 1 and ranked.step is not None:
        return ranked.step
    return _of_ranks(parameters, history, ranked)


def _told(parameters: Corr) -> Callable[[Centred], dict[str, Any]]:
    matrix = crossed.Matrix(parameters.variables)

    def told(sums: Centred) -> dict[str, Any]:
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

        names = {"corr": "r", "t": "t", "p": "p"} | ({} if _ranked(parameters) else {"confint": "ci"})
        return {called: value(name) for called, name in names.items()} | {"df": max(sums.rows - 2, 0)}

    return told


def _of_ranks(parameters: Corr, history: History, ranked: ranks.Ranked) -> Result:
    """The answer after round two, or after round one where there are no ranks. Each TRE's own products are of ranks
    among all, which are no correlations of its own."""
    size, last = len(parameters.variables), dict(members_of(history, len(history)))
    if len(history) > 2 or (len(history) == 2 and ranked.step is None):
        raise malformed()
    used: dict[str, Released] = {}
    for tre in ranked.members if len(history) == 2 else ():
        shape = dict(last[tre].shape)
        if shape.pop("round", None) != 2 or count(last[tre], "n") != count(history[0][tre], "n"):
            raise malformed()
        ranks.consistent(ranked, tre, last[tre], size)
        used[tre] = Released(shape, last[tre].figures)
    values, _ = crossed.read(parameters.variables, [used], _told(parameters))
    everyone = members_of(history)
    values |= {name: total((released for _, released in everyone), name) for name in crossed.COUNTS}
    if ranked.members and not used:
        values["reason"] = "Of some column no two ranges of people could leave, so that there are no ranks."
    if len(values["pooled_over"]) < len(used):
        # Ranks are among the people of TREs whose products are not known: what the others' add up to is no correlation.
        values |= dict.fromkeys(("corr", "t", "p"), crossed.Matrix(parameters.variables).of(lambda _j, _k: None))
        values |= {"pooled_over": [], "means": None, "reason": "In the second round a TRE's sums could not leave."}
    values["ranges"] = {name: len(own) for name, own in zip(parameters.variables, ranked.spans, strict=True)}
    values["rounds"] = len(history)
    values["per_tre"] = {tre: {name: count(released, name) for name in crossed.COUNTS} for tre, released in everyone}
    bounded = "bounded" in {exactness(members_of(history, number + 1)) for number in range(len(history))}
    return Result(values, "bounded" if bounded else "exact")


ANALYSIS: Analysis[Corr] = Analysis(
    name="corr",
    version="1.0.0",
    published="2026-11-27",
    title="Correlation matrix of several numbers, or of their ranks",
    parameters=Corr,
    rounds=2,
    fields=(
        *crossed.FIELDS,
        Field(
            "in-i:[j,k]", "people", "Frequencies", "Before ranks: people whose column i is in one of the ranges j to k."
        ),
    ),
    check=check,
    columns=lambda parameters: frozenset(parameters.variables) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
