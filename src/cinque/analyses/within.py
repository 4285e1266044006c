"""Evidence for rules 3, 4, 13, 14 and 15 within groups: whom the sums of numbers within a level tell of.

The product of a level's column and a number is a sum over the people at that level, and the product with the column of
ones says how many they are. So together they tell what a table of means by group would tell, and are judged as that is:
how many people of the group have another value than its commonest, whether one or two of them make up nearly all, how
many are at each value where there are no more values than sums, and how many sums there are for so many people. About
all rows none of this shows, as those at other levels have a part of 0.

The same is looked at over everybody for numbers that are no columns of the model: what is taken off the response, and
weights. And where most people share a value b of one number, its product with another is told about b, and so is a sum
over those who have not b: were nearly all of these at one value of the other, it would tell of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinque.analyses.design import Rows
from cinque.stats.components import CEILING, SAMPLE, Components
from cinque.stats.crossproducts import FIRST

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Names = frozenset[str]
CodesOf = Callable[[Iterable[str], Mapping[str, Codes]], Codes]

_MOST: Final = 2.0**53
_SHARED: Final = 0.4  # of the first rows that have a value; a product of few parts needs half for one of its numbers


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers computed from the same columns of the dataset, `read_from`. Each is the sum of the model's columns at
    these places, or named: `y`, `offset`, `left` (y less the offset), `weights`. `beside`: the factors that stand with
    them in a term, one set a term.
    """

    parts: tuple[tuple[int, ...] | str, ...]
    read_from: Names
    beside: tuple[Names, ...] = (frozenset(),)

    @property
    def most(self) -> int:
        """Values whose counts n and the sums within a group tell: of the numbers and, where a term holds the group's
        factors too, of their products."""
        k = len(self.parts)
        return 1 + k + (k * (k + 1) // 2 if any(self.beside) else 0)

    def of(self, rows: Rows, weights: Array | None) -> Array:
        """Rows x numbers."""
        return np.column_stack([part_of(rows, weights, part) for part in self.parts])


def part_of(rows: Rows, weights: Array | None, part: tuple[int, ...] | str) -> Array:
    """One number, row by row."""
    if isinstance(part, str):
        named = {"y": rows.y, "offset": rows.offset, "left": rows.y - rows.offset}
        return np.ones(len(rows.y)) if part == "weights" and weights is None else named.get(part, weights)  # type: ignore[return-value]
    return rows.x[:, part[0]] if len(part) == 1 else np.asarray(rows.x[:, list(part)].sum(axis=1))


class Within:
    """What is told of `numbers` within the levels of every one of `pieces`: the factors of each term, and the response
    where it has two values."""

    def __init__(self, numbers: Sequence[Numbers], pieces: Sequence[Names]) -> None:
        self._numbers = numbers
        self._pieces = pieces
        self._tables: dict[Names, _Table] = {}
        self._shared: list[tuple[int, int, float, _Table]] | None = None
        self._high: list[Array] = []
        self._low: list[Array] = []

    def add(
        self, rows: Rows, weights: Array | None, coded: Mapping[str, Codes], few: Mapping[str, Numbers], codes: CodesOf
    ) -> None:
        """A batch's complete rows with their codes; `few`: the numbers that are few-valued so far, among the codes."""
        if not self._numbers:
            return
        made: dict[int, Array] = {}

        def values(at: int) -> Array:
            if at not in made:
                made[at] = self._numbers[at].of(rows, weights)
            return made[at]

        self._reach(rows, values)
        for names, of in self._sets(few).items():
            if names not in self._tables:
                self._tables[names] = _Table(of, [self._numbers[at] for at in of])
            self._tables[names].add(values, codes(names, coded) if names else None, rows.begin)
        self._tables = {names: table for names, table in self._tables.items() if names <= coded.keys()}
        if self._shared is None:
            self._shared = list(self._common([values(at) for at in range(len(self._numbers))]))
        for at, part, common, table in self._shared:
            if not all(cell.settled for cell in table.cells.values()) or not table.cells:
                table.add(values, np.where(values(at)[:, part] == common, -1, 0), rows.begin)

    def _reach(self, rows: Rows, values: Callable[[int], Array]) -> None:
        """The largest and the smallest of each number over all rows."""
        high, low = rows.x.max(axis=0), rows.x.min(axis=0)
        for at, numbers in enumerate(self._numbers):
            single = [part[0] for part in numbers.parts if not isinstance(part, str) and len(part) == 1]
            whole = len(single) == len(numbers.parts)
            most, least = (high[single], low[single]) if whole else (values(at).max(axis=0), values(at).min(axis=0))
            if len(self._high) == at:
                self._high.append(most)
                self._low.append(least)
            self._high[at], self._low[at] = np.maximum(self._high[at], most), np.minimum(self._low[at], least)

    def _common(self, values: Sequence[Array]) -> Iterator[tuple[int, int, float, _Table]]:
        """Numbers with a common value: their places, the value, and a table of all others that are computed from other
        columns, for the people who have another value."""
        for at, numbers in enumerate(self._numbers):
            of = [k for k, other in enumerate(self._numbers) if not other.read_from & numbers.read_from]
            for part, column in enumerate(values[at].T if of else ()):
                known, counts = np.unique(column[:SAMPLE], return_counts=True)
                if counts.max() > _SHARED * counts.sum():
                    yield at, part, float(known[counts.argmax()]), _Table(of, [self._numbers[k] for k in of])

    def _sets(self, few: Mapping[str, Numbers]) -> dict[Names, list[int]]:
        """Columns whose levels together make groups -> which of the numbers are told within them: only the finest, for
        what holds within each of these holds within what they make up."""
        found: dict[Names, list[int]] = {}
        for at, numbers in enumerate(self._numbers):
            own = {beside | piece for beside in numbers.beside for piece in self._pieces}
            own = {names for names in own if not any(names < other for other in own)}
            own |= {
                beside | {name} | inside
                for name, other in few.items()
                if not other.read_from & numbers.read_from
                for beside in numbers.beside
                for inside in other.beside
            }
            for names in own:
                found.setdefault(names, []).append(at)
        return found

    def _judged(self, levels: Mapping[str, int], few: Mapping[str, Numbers]) -> Iterator[tuple[_Table, list[int]]]:
        """Tables with those of their numbers that are not few-valued over all rows: counts of people judge these. A
        few-valued number makes groups where its sums tell of each of its values."""
        looked_at = {part for other in few.values() for part in other.parts}
        for names, table in self._tables.items():
            if all(name not in few or levels[name] <= 1 + len(few[name].parts) for name in names):
                kept = [at for at, numbers in enumerate(table.numbers) if not looked_at.issuperset(numbers.parts)]
                if kept:
                    yield table, kept

    def evidence(self, levels: Mapping[str, int], few: Mapping[str, Numbers]) -> tuple[int, float]:
        """(fewest people who differ from the commonest value of their group where some do, least remainder), over all
        numbers."""
        differing, remainder = 2**53, _MOST
        for table, kept in self._judged(levels, few):
            for at in kept:
                high, low = self._high[table.of[at]], self._low[table.of[at]]
                for cell in table.cells.values():
                    differing = min([differing, *(people for people in cell.differing(at) if people)])
                    remainder = min(remainder, cell.remainder(at, high, low))
        for *_, table in self._shared or ():
            for cell in table.cells.values():
                found = (people for at in range(len(table.of)) for people in cell.differing(at) if people)
                differing = min([differing, *found])
        return differing, remainder

    def counts(self, levels: Mapping[str, int], few: Mapping[str, Numbers]) -> Codes:
        """People at each value within a group where these are so few that the sums within it tell them; and 0 for a
        group in which nobody has another value than the rest (rules 2 and 4)."""
        judged = [
            (cell, at) for table, kept in self._judged(levels, few) for cell in table.cells.values() for at in kept
        ]
        found = [people for cell, at in judged for people in (cell.values[at] or {}).values()]
        judged += [
            (cell, at)
            for *_, table in self._shared or ()
            for cell in table.cells.values()
            for at in range(len(table.of))
        ]
        return np.array([*found, *(0 for cell, at in judged if cell.people > 1 and 0 in cell.differing(at))], np.int64)

    def crowded(self, levels: Mapping[str, int], few: Mapping[str, Numbers]) -> list[tuple[int, int]]:
        """For each kind of group (people of the smallest that anybody is in, numbers told of them beside their
        count)."""
        return [
            (min(cell.people for cell in table.cells.values()), sum(len(table.numbers[at].parts) for at in kept))
            for table, kept in self._judged(levels, few)
            if table.grouped and table.cells
        ]


class _Table:
    """Groups by code, with the same numbers in each; `of`: which of all numbers these are."""

    def __init__(self, of: Sequence[int], numbers: Sequence[Numbers]) -> None:
        self.of = of
        self.numbers = numbers
        self.cells: dict[int, _Cell] = {}
        self.grouped = False

    def add(self, values: Callable[[int], Array], codes: Codes | None, begin: Codes) -> None:
        """`values`: by place among all numbers; `codes`: the group of each row, -1 for none, None where all are one."""
        if codes is None:
            if not self._cell(0).settled:
                every = [values(at) for at in self.of]
                self._cell(0).add(every, None if len(begin) == len(every[0]) else begin)
            return
        self.grouped = True
        rows = len(codes)
        settled = [-1, *(code for code, cell in self.cells.items() if cell.settled)]
        use = np.flatnonzero(~np.isin(codes, settled))
        if not len(use):
            return
        order = use[np.argsort(codes[use], kind="stable")]
        ordered = codes[order]
        ends = [*(np.flatnonzero(np.diff(ordered)) + 1).tolist(), len(order)]
        every = [values(at) for at in self.of]
        person = np.zeros(0, np.int64)
        if len(begin) < rows:
            person = np.zeros(rows, np.int64)
            person[begin[1:]] = 1
            person = np.cumsum(person)
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            here = order[start:end]
            own = np.flatnonzero(np.diff(person[here], prepend=-1)) if len(person) else None
            self._cell(int(ordered[start])).add([each[here] for each in every], own)

    def _cell(self, code: int) -> _Cell:
        return self.cells.setdefault(code, _Cell(self.numbers))


class _Cell:
    """One group: for each kind of numbers its parts, about 0 and about a middle, and its values while they are few.

    As in stats/crossproducts.py the first people are looked at in full, and all until CEILING of them differ from the
    commonest value. For the others it is enough that no part is larger than the largest of all rows.
    """

    def __init__(self, numbers: Sequence[Numbers]) -> None:
        self.people = 0
        self.parts = [Components(2 * len(each.parts)) for each in numbers]
        self.values: list[dict[tuple[float, ...], int] | None] = [{} for _ in numbers]
        self._most = [each.most for each in numbers]
        self._middle: list[Array] = []
        self._absolute = [np.zeros(2 * len(each.parts)) for each in numbers]
        self._looked = 0
        self._several = self._enough = False

    @property
    def settled(self) -> bool:
        """Whether its further rows need not be looked at."""
        return self._enough and not self._several and all(values is None for values in self.values)

    def add(self, values: Sequence[Array], begin: Codes | None) -> None:
        """`begin`: where each person's rows begin, where there may be several."""
        self._several |= begin is not None
        if not self._middle:
            self._middle = [np.median(each[:SAMPLE], axis=0) for each in values]
        people = len(values[0]) if begin is None else len(begin)
        self.people += people
        look = self._several or not self._enough
        self._looked += people if look else 0
        for at, each in enumerate(values):
            if look:
                both = np.hstack([each, each - self._middle[at]])
                if begin is not None:
                    both = np.add.reduceat(both, begin, axis=0)
                self.parts[at].add(both)
                self._absolute[at] += np.abs(both).sum(axis=0)
            self._count(at, each, begin)
        if self._looked >= FIRST and not self._enough:
            self._enough = all(int(parts.differing().min()) >= CEILING for parts in self.parts)

    def differing(self, at: int) -> list[int]:
        """People who have another than the commonest value, of each of these numbers."""
        return [int(people) for people in self.parts[at].differing()]

    def remainder(self, at: int, high: Array, low: Array) -> float:
        """`high`, `low`: the largest and the smallest of these numbers over all rows."""
        if self._looked == self.people and not self.settled:
            return float(self.parts[at].remainder().min())
        middle = self._middle[at]
        away = np.maximum(high - middle, middle - low)
        largest = np.concatenate([np.maximum(np.abs(high), np.abs(low)), away])
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.where(largest > 0, self._absolute[at] / largest - 2, np.inf).min())

    def _count(self, at: int, values: Array, begin: Codes | None) -> None:
        known = self.values[at]
        if known is None:
            return
        if any(len(np.unique(column)) > self._most[at] for column in values[:SAMPLE].T):
            self.values[at] = None
            return
        codes, first = np.zeros(len(values), np.int64), np.zeros(1, np.int64)
        for column in values.T:
            _, own = np.unique(column, return_inverse=True)
            _, first, codes = np.unique(codes * len(column) + own, return_index=True, return_inverse=True)
            if len(first) > self._most[at]:
                self.values[at] = None
                return
        for place, row in enumerate(first):
            of = codes == place
            people = np.count_nonzero(of if begin is None else np.logical_or.reduceat(of, begin))
            value = tuple(values[row].tolist())
            known[value] = known.get(value, 0) + int(people)
        if len(known) > self._most[at]:
            self.values[at] = None
