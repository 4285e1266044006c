"""Ranks among the people of all TREs, in ranges of values that the question declares (statistics.md 3.6).

Round one counts people in each of `bins` ranges of every number, in all ranges together, in each half of them, in each
half of these. Where few people are in a range, disclosure control suppresses it with its neighbour, and the two are
known together as the half that they make; so thin ends are ranked coarsely and full ones finely. A range is used when
every TRE released it. In round two everybody in a range has its mid-rank among the people of all TREs: that
follows from the counts, and is worked out by each enclave from what was released.

What round two tells more than round one are the products of ranks. Of few ranges by few, they are a table in disguise:
whole numbers of people with known totals, for which one exact sum of products leaves one solution or few. So where a
table of the two has at most TABLE free cells, all its cells are judged as groups of people (rule 13). Sums of products
of ranks of n people take some n^3 values, tables with f free cells some n^f: of more cells many tables have each sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, Final

from cinque.analyses import crossed, filters
from cinque.analyses.analysis import History, Partial, Released, Step
from cinque.analyses.combine import count, exact_ids, members_of
from cinque.analyses.factors import malformed
from cinque.analyses.halves import Span, halved, spans
from cinque.errors import Refused
from cinque.expr import Expr
from cinque.model.datasets import Dictionary
from cinque.query.source import Group, Source
from cinque.sdc.figures import Figure, Figures, Relation, is_suppressed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Codes = NDArray[np.int64]

BINS: Final = 32
MOST: Final = 256  # ranges of all numbers together: as many as disclosure control judges in seconds
TABLE: Final = 6


@dataclass(frozen=True, slots=True)
class Ranges:
    """`bins` ranges of equal width from low[i] to high[i] of variable i; the first and last have no outer end."""

    variables: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    bins: int

    def edges(self, place: int) -> list[float]:
        """Between the ranges of one variable, rising."""
        low, high = self.low[place], self.high[place]
        return [low + (high - low) * i / self.bins for i in range(1, self.bins)]


def check(ranges: Ranges) -> None:
    """Raises Refused for ends that are not one pair a variable, finite and in order, and for too many ranges."""
    from cinque.analyses.bins import check_range

    if not len(ranges.low) == len(ranges.high) == len(ranges.variables):
        raise Refused(
            "range-missing",
            "Ranks need to know between which values to look, for each column.",
            remedy="Give `low` and `high`, a value for each column: plausible for it, whatever the data.",
        )
    for low, high in zip(ranges.low, ranges.high, strict=True):
        check_range(low, high)
    if not 2 <= ranges.bins <= MOST // len(ranges.variables):
        raise Refused(
            "bins-wrong",
            f"`bins` is a number from 2 to {MOST // len(ranges.variables)} for {len(ranges.variables)} columns.",
        )
    for place in range(len(ranges.variables)):
        edges = [ranges.low[place], *ranges.edges(place), ranges.high[place]]
        if any(not one < other for one, other in pairwise(edges)):
            raise Refused("range-empty", "The range cannot be told apart into that many bins.")


# ---------------------------------------------------------------------------------------------------- in one TRE
def counts(source: Source, ranges: Ranges, where: str | None) -> Partial:
    """Round one: people in every range and every half, of those with a value in every column."""
    import numpy as np

    found = np.zeros((len(ranges.variables), ranges.bins), dtype=np.int64)
    n = missing = 0
    for codes, complete in _coded(source, ranges, where):
        n += int(complete.sum())
        missing += int((~complete).sum())
        for place, own in enumerate(codes):
            found[place] += np.bincount(own[complete], minlength=ranges.bins)
    values = {"n": n, "missing": missing}
    for place, own in enumerate(found):
        below = np.concatenate([[0], np.cumsum(own)])
        values |= {_id(place, (i, j)): int(below[j] - below[i]) for i, j in spans(ranges.bins)[1:]}
    return Partial({"variables": list(ranges.variables), "round": 1}, dict(values), {"people": values})


def figures(ranges: Ranges, partial: Partial) -> Figures:
    """Each range is the sum of its halves, and all ranges of every variable together are n."""
    people = partial.evidence["people"]
    relations = []
    for place in range(len(ranges.variables)):
        whole = (0, ranges.bins)
        for span in spans(ranges.bins):
            if halves := halved(span):
                total = "n" if span == whole else _id(place, span)
                relations.append(Relation(total, tuple(_id(place, half) for half in halves)))
    return Figures(tuple(Figure(id, "Frequencies", n) for id, n in people.items()), tuple(relations))


def sums(source: Source, ranges: Ranges, where: str | None, step: Step) -> Partial:
    """Round two: means and centred cross products of ranks."""
    places = {
        name: (ranges.edges(place), _by_bin(step.values["spans"][place], step.values["ranks"][place]))
        for place, name in enumerate(ranges.variables)
    }
    found = crossed.partial(_RankSource(source, places), ranges.variables, where)
    smallest = _smallest(source, ranges, where, step.values["spans"])
    known = [each for each in (found.evidence["smallest"], smallest) if each is not None]
    evidence = {**found.evidence, "smallest": min(known, default=None)}
    return Partial({**found.shape, "round": 2}, found.values, evidence)


def _smallest(source: Source, ranges: Ranges, where: str | None, spans: Sequence[Sequence[Span]]) -> int | None:
    """The fewest people in any cell of a table of two variables that one sum of products would tell. Ranges that nobody
    is in are no part of a table."""
    import numpy as np

    of = [np.repeat(np.arange(len(own)), [j - i for i, j in own]) for own in spans]
    pairs = combinations(range(len(ranges.variables)), 2)
    tables = {(j, k): np.zeros((len(spans[j]), len(spans[k])), dtype=np.int64) for j, k in pairs}
    for codes, complete in _coded(source, ranges, where):
        for (j, k), table in tables.items():
            both = of[j][codes[j][complete]] * len(spans[k]) + of[k][codes[k][complete]]
            table += np.bincount(both, minlength=table.size).reshape(table.shape)
    found = [table[table.any(axis=1)][:, table.any(axis=0)] for table in tables.values() if table.any()]
    few = [int(table.min()) for table in found if (table.shape[0] - 1) * (table.shape[1] - 1) <= TABLE]
    return min(few, default=None)


def _coded(source: Source, ranges: Ranges, where: str | None) -> Iterator[tuple[list[Codes], NDArray[np.bool_]]]:
    """Batch by batch the range of each value, variable by variable, and which rows have all; one row is one person."""
    import numpy as np

    from cinque.analyses.frame import numbers

    for batch in source.batches(ranges.variables, filters.read(where)):
        values = [numbers(batch, name) for name in ranges.variables]
        complete = np.logical_and.reduce([np.isfinite(each) for each in values])
        yield (
            [np.searchsorted(ranges.edges(place), each, side="right") for place, each in enumerate(values)],
            complete,
        )


class _RankSource:
    """The rows of a dataset with ranks in place of some columns' values; filters look at the values."""

    def __init__(self, source: Source, places: Mapping[str, tuple[Sequence[float], Array]]) -> None:
        self._source, self._places = source, places
        columns = tuple(
            replace(column, type="number", levels=None) if column.name in places else column
            for column in source.dictionary.columns
        )
        self.dictionary: Dictionary = replace(source.dictionary, columns=columns)

    def aggregate(self, columns: Sequence[str], by: Sequence[str], where: Expr | None) -> list[Group]:
        raise NotImplementedError("ranks are not in the data: they are put in place of values row by row")

    def batches(
        self, columns: Sequence[str], where: Expr | None, *, together: bool = False
    ) -> Iterator[pa.RecordBatch]:
        import numpy as np

        from cinque.analyses.frame import numbers

        for batch in self._source.batches(columns, where, together=together):
            made = batch
            for place, name in enumerate(batch.schema.names):
                if name in self._places:
                    edges, ranks = self._places[name]
                    values = numbers(batch, name)
                    found = ranks[np.searchsorted(edges, values, side="right")]
                    made = made.set_column(place, name, np.where(np.isfinite(values), found, np.nan))
            yield made


def _by_bin(spans: Sequence[Span], ranks: Sequence[float]) -> Array:
    import numpy as np

    return np.repeat(np.array(ranks, dtype=np.float64), [j - i for i, j in spans])


# ------------------------------------------------------------------------------------------------- over all members
@dataclass(frozen=True, slots=True)
class Ranked:
    """After round one: who is ranked, and for each variable the ranges that are used, people in each by TRE, and
    mid-ranks."""

    members: list[str]
    spans: list[list[Span]]
    people: dict[str, list[list[int]]]
    ranks: list[list[float]]

    @property
    def step(self) -> Step | None:
        """Round two; None where there is nobody to rank, or a column whose people are all of one rank."""
        if not self.members or any(len(own) < 2 for own in self.spans):
            return None
        return Step(2, {"spans": self.spans, "ranks": self.ranks})


def rank(ranges: Ranges, history: History) -> Ranked:
    """From what all members released in round one. Raises Refused for what is no such partial."""
    released = {tre: _read(ranges, each) for tre, each in members_of(history)}
    known = {tre: each for tre, each in released.items() if not is_suppressed(each["n"])}
    spans, ranks = [], []
    people: dict[str, list[list[int]]] = {tre: [] for tre in known}
    for place in range(len(ranges.variables)):
        own = list(_used(known, place, (0, ranges.bins))) if known else [(0, ranges.bins)]
        for tre, each in known.items():
            people[tre].append([_count(each, place, span, ranges.bins) for span in own])
        totals = [sum(people[tre][place][at] for tre in known) for at in range(len(own))]
        spans.append(own)
        ranks.append([sum(totals[:at]) + (total + 1) / 2 for at, total in enumerate(totals)])
    return Ranked(list(known), spans, people, ranks)


def consistent(ranked: Ranked, tre: str, released: Released, size: int) -> None:
    """Raises Refused where the means that a member released in round two are not those of its own counts of round one:
    its ranks were others."""
    means = released.figures.get("means")
    if not isinstance(means, list) or len(means) != size or tre not in ranked.people:
        return  # suppressed, or judged by who reads the sums
    n = sum(ranked.people[tre][0])
    for mean, people, ranks in zip(means, ranked.people[tre], ranked.ranks, strict=True):
        expected = sum(p * r for p, r in zip(people, ranks, strict=True)) / n if n else 0.0
        if not isinstance(mean, int | float) or abs(mean - expected) > 1e-9 * max(1.0, expected):
            raise malformed()


def _read(ranges: Ranges, released: Released) -> dict[str, Any]:
    ids = [_id(place, span) for place in range(len(ranges.variables)) for span in spans(ranges.bins)[1:]]
    exact_ids(released, ["n", "missing", *ids])
    if released.shape != {"variables": list(ranges.variables), "round": 1}:
        raise malformed()
    found = {id: count(released, id) for id in released.figures}
    for place in range(len(ranges.variables)):
        for span in spans(ranges.bins):
            each = [found["n" if one == (0, ranges.bins) else _id(place, one)] for one in (span, *halved(span))]
            if len(each) > 1 and not any(map(is_suppressed, each)) and each[0] != each[1] + each[2]:
                raise malformed()
    return found


def _used(known: Mapping[str, Mapping[str, Any]], place: int, span: Span) -> Iterator[Span]:
    """The finest ranges that every TRE released, each with its other half."""
    halves = halved(span)
    if halves and all(not is_suppressed(each[_id(place, half)]) for each in known.values() for half in halves):
        for half in halves:
            yield from _used(known, place, half)
    else:
        yield span


def _count(released: Mapping[str, Any], place: int, span: Span, bins: int) -> int:
    return int(released["n"] if span == (0, bins) else released[_id(place, span)])


def _id(place: int, span: Span) -> str:
    return f"in-{place}:[{span[0]},{span[1]}]"
