"""t-tests: of one mean, of two groups (Welch, or equal variances), of pairs (statistics.md 3.7)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np

from cinque.analyses import filters, frame, means
from cinque.analyses.analysis import Analysis, History, Partial, Result, Step
from cinque.analyses.factors import not_answerable
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures
from cinque.stats.central import Central
from cinque.stats.means import TTest, one_sample, two_sample
from cinque.stats.moments import NOTHING, Moments, merge_all

_TERMS = {"paired": "mean difference", "one sample": "mean", "two samples": "difference of means"}


@dataclass(frozen=True, slots=True)
class Ttest:
    """What is tested."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variable: str = field(metadata={"description": "A column of integers or numbers."})
    by: str | None = field(
        default=None, metadata={"description": "A column of two levels: the first group's mean less the second's."}
    )
    paired_with: str | None = field(
        default=None, metadata={"description": "Another number of the same person: the mean of the differences."}
    )
    mu: float = field(default=0.0, metadata={"description": "The mean, or difference, that is tested."})
    equal_variance: bool = field(
        default=False,
        metadata={"description": "Take the variances as equal (Student), not Welch's test."},
    )
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def check(parameters: Ttest, dictionary: Dictionary) -> None:
    """Raises Refused when variable, groups or filter do not fit the dictionary."""
    if parameters.by is not None and parameters.paired_with is not None:
        raise Refused("paired-groups", "A test is of pairs or of groups.", remedy="Name `by` or `paired_with`.")
    if not math.isfinite(parameters.mu):
        raise Refused("mu-not-finite", "The tested mean is not a finite number.")
    means.check(parameters.variable, _by(parameters), parameters.where, dictionary)
    if parameters.paired_with is not None:
        means.check(parameters.paired_with, (), parameters.where, dictionary)
    if parameters.by is not None:
        column = dictionary.column(parameters.by)
        if column.type != "boolean" and len(column.levels or ()) != 2:
            raise Refused(
                "factor-needs-two-levels",
                f"Factor `{parameters.by}` of dataset `{dictionary.dataset}` has not two levels.",
                remedy="Compare more groups with `anova`, or keep two by a filter on a factor of two levels.",
            )


def partial(source: Source, parameters: Ttest, _step: Step) -> Partial:
    """Counts and moments by group; of pairs those of the differences, formed here."""
    if parameters.paired_with is None:
        return means.partial(source, parameters.variable, _by(parameters), parameters.where)
    found, lost = _differences(source, parameters)
    n, told = found.n, []
    if n:
        central = Central(found.mean, len(means.MOMENTS))
        for each in _finite(source, parameters):
            central.add(each)
        if central.rows != n:
            raise not_answerable()  # no longer the rows that were counted
        told = [asdict(one) for one in central.evidence(lambda: _finite(source, parameters))]
    moments: dict[str, Any] = {"mean": found.mean if n else None, "m2": found.m2 if n else None}
    values = means.ungrouped({"n": n, "missing": lost, "rows": n, **moments})
    people = means.ungrouped({"n": n, "missing": lost, "rows": n, "mean": n, "m2": n})
    shape = {"variable": _variable(parameters), "by": [], "levels": {}, "one_row_a_person": True}
    evidence = means.ungrouped(dict(zip(means.MOMENTS, told, strict=False)))
    return Partial(shape, values, {"people": people, "moments": evidence})


def _differences(source: Source, parameters: Ttest) -> tuple[Moments, int]:
    """Moments of the differences, and how many people have none."""
    batches, lost = [], 0
    for difference in _pairs(source, parameters):
        kept = difference[np.isfinite(difference)]
        lost += len(difference) - len(kept)
        if len(kept):
            mean = float(kept.mean())
            away = kept - mean
            m2 = max(0.0, float(away @ away) - float(away.sum()) ** 2 / len(kept)) if len(kept) > 1 else 0.0
            if not math.isfinite(m2):
                raise not_answerable()  # beyond what a double can hold
            batches.append(Moments(len(kept), mean, m2))
    return (merge_all(batches) if batches else NOTHING), lost


def _finite(source: Source, parameters: Ttest) -> Iterator[frame.Numbers]:
    return (each[np.isfinite(each)] for each in _pairs(source, parameters))


def _pairs(source: Source, parameters: Ttest) -> Iterator[frame.Numbers]:
    one, other = parameters.variable, str(parameters.paired_with)
    for batch in source.batches((one, other), filters.read(parameters.where)):
        yield frame.numbers(batch, one) - frame.numbers(batch, other)


def figures(_parameters: Ttest, partial: Partial) -> Figures:
    """As of a summary."""
    return means.figures(partial)


def advance(parameters: Ttest, history: History) -> Result:
    """The test over the TREs that released every group's moments, and each one's own."""
    found = means.read(_variable(parameters), _by(parameters), history)
    kind = "paired" if parameters.paired_with else "two samples" if parameters.by else "one sample"

    def test(groups: Any) -> TTest | None:
        each = list(groups.values())
        if kind != "two samples":
            return one_sample(each[0], parameters.mu) if each else None
        if len(each) != 2:
            return None
        return two_sample(each[0], each[1], equal_variance=parameters.equal_variance, mu=parameters.mu)

    made, values = test(found.pooled), found.values
    names = ("statistic", "df", "p", "estimate", "se", "confint")
    values |= dict.fromkeys(names) if made is None else dict(zip(names, _plain(made), strict=True))
    values |= {"test": kind, "mu": parameters.mu, "equal_variance": parameters.equal_variance}
    if made is None:
        values["reason"] = "No TRE released what the test needs, or there is no spread."
    for tre, groups in found.per_tre.items():
        own = test(groups)
        term = _TERMS[kind]
        values["per_tre"][tre] |= {
            "statistic": None if own is None else own.statistic,
            "p": None if own is None else own.p,
            "coef": {term: None if own is None else own.estimate},
            "se": {term: None if own is None else own.se},
        }
    return Result(values, found.exactness)


def _plain(made: TTest) -> tuple[Any, ...]:
    return made.statistic, made.df, made.p, made.estimate, made.se, list(made.ci)


def _by(parameters: Ttest) -> tuple[str, ...]:
    return () if parameters.by is None else (parameters.by,)


def _variable(parameters: Ttest) -> str:
    return f"{parameters.variable} - {parameters.paired_with}" if parameters.paired_with else parameters.variable


def _columns(parameters: Ttest) -> frozenset[str]:
    named = {parameters.variable, parameters.by, parameters.paired_with} - {None}
    return frozenset(name for name in named if name is not None) | filters.columns(parameters.where)


ANALYSIS: Analysis[Ttest] = Analysis(
    name="ttest",
    version="1.0.0",
    published="2026-11-27",
    title="t-test of one mean, of two groups or of pairs",
    parameters=Ttest,
    rounds=1,
    fields=means.FIELDS,
    check=check,
    columns=_columns,
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
)
