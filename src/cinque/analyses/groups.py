"""Evidence for rule 13: the fewest people in any group that moments and cross products of a model would tell.

A column of few values has no more moments than values, so sums of it and of its products are a frequency table: of its
levels, and with another such column of the pairs of their levels. A product of two terms is of all their factors at
once: `a*b + c` tells how many people are at each level of a, b and c. Few is, for a factor, any number of levels; for a
number, or all numbers that a model computes from the same columns (`x` and `I(x^2)`; a spline), at most as many
different values among these rows as sums tell the counts of: n, the sums of the numbers, and of their products with
each other. Within a level of a factor these sums are told too, so that `x` in `x:g` is looked at as if it stood alone.

Numbers are the response, what is taken off it, and weights as well. What is told of numbers that are not few is for
`analyses/within.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinque.analyses.coding import CodedTerm, own_levels
from cinque.analyses.design import Design, Rows
from cinque.analyses.within import Numbers, Within, part_of
from cinque.expr.terms import Factor, Number, Survival, columns_read
from cinque.model.datasets import Dictionary

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Names = frozenset[str]

_SAMPLE: Final = 1_000
"""Rows of a batch in which a column of many values is found out first."""


class Groups:
    """People by level and by the levels of what stands in two terms, over the batches of one TRE. `weights`: the column
    of prior weights, if there is one."""

    def __init__(self, design: Design, dictionary: Dictionary, weights: str | None = None) -> None:
        self._sizes = {name: len(levels) for name, levels in design.levels.items()}
        response = design.formula.response
        pieces = [frozenset(), *(_factors(term) for term in design.terms)]
        if isinstance(response, Survival):
            self._sizes.setdefault(response.event, 2)
            pieces.append(frozenset({response.event}))
        elif design.binary:  # one of two declared values is among the codes
            pieces.append(columns_read(response))
        self._here = {name: _declared(name, levels, dictionary) for name, levels in design.levels.items()}
        self._pieces = list(dict.fromkeys(pieces))
        numbers = _numbers(design, weights)
        self._few = {name: _Few(each) for name, each in _looked_at(numbers).items()}
        self._together: dict[Names, Codes] = {}
        self._within = Within(numbers, self._pieces)

    def add(self, rows: Rows, weights: Array | None = None) -> None:
        """A batch's complete rows, nobody in two batches, and their weights where there are any."""
        if not len(rows.y):
            return
        coded = dict(rows.codes)
        for name, few in list(self._few.items()):
            found = few.read(rows, weights)
            if found is None:
                self._together = {names: each for names, each in self._together.items() if name not in names}
                del self._few[name]
            else:
                coded[name] = found
        for names in self._unions():
            codes = self._codes(names, coded)
            counts = self._together.setdefault(names, np.zeros(int(np.prod(self._shape(names))), np.int64))
            counts += _people(codes, len(counts), rows.begin)
        self._within.add(rows, weights, coded, self._numbers(), self._codes)

    def smallest(self) -> int | None:
        """None when there is no column of few values."""
        every = self._every()
        return int(every.min()) if len(every) else None

    def fewest(self) -> int | None:
        """The same without groups that nobody is in, behind which, where these may be told, a small one would hide."""
        every = self._every()
        return int(every[every > 0].min()) if every.any() else None

    def within(self) -> tuple[int, float]:
        """As `Within.evidence`."""
        return self._within.evidence(self._levels(), self._numbers())

    def crowded(self) -> list[tuple[int, int]]:
        """As `Within.crowded`."""
        return self._within.crowded(self._levels(), self._numbers())

    def _unions(self) -> list[Names]:
        """The columns whose levels some product tells of together."""
        few = [each | {name} for name, of in self._few.items() for each in of.numbers.beside]
        both = (one | other for one, other in combinations_with_replacement([*self._pieces, *few], 2))
        return [names for names in dict.fromkeys(both) if names]

    def _numbers(self) -> dict[str, Numbers]:
        """Those that have few values so far."""
        return {name: few.numbers for name, few in self._few.items()}

    def _levels(self) -> dict[str, int]:
        """How many levels each of the columns that make groups has."""
        return self._sizes | {name: len(few.known) for name, few in self._few.items()}

    def _shape(self, names: Iterable[str]) -> list[int]:
        return [self._sizes[name] if name in self._sizes else self._few[name].most for name in sorted(names)]

    def _codes(self, names: Iterable[str], coded: Mapping[str, Codes]) -> Codes:
        """One code a row for the levels of all these columns, the last by name fastest."""
        first, *others = sorted(names)
        found = coded[first]
        for name, size in zip(others, self._shape(names)[1:], strict=True):
            found = found * size + coded[name]
        return found

    def _read(self, name: str) -> Names:
        return frozenset({name}) if name in self._sizes else self._few[name].numbers.read_from

    def _every(self) -> Codes:
        levels = self._levels()
        found = [self._within.counts(levels, self._numbers())]
        for names, counts in self._together.items():
            table = counts.reshape(self._shape(names))
            told = table[np.ix_(*(self._may_be(name, levels[name]) for name in sorted(names)))].ravel()
            # What is computed from the same column has pairs that cannot be, in which nobody is.
            read = [column for name in names for column in self._read(name)]
            found.append(told[told > 0] if len(set(read)) < len(read) else told)
        return np.concatenate(found)

    def _may_be(self, name: str, used: int) -> Codes:
        """The places of the levels that there may be here: that nobody has a level which the TRE's own dictionary does
        not declare is known from the dictionary, and tells of nobody.
        """
        return self._here[name] if name in self._here else np.arange(used)


class _Few:
    """Numbers that are looked at together, and their different values so far, `most` at the most."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        k = len(numbers.parts)
        self.most = 1 + k + k * (k + 1) // 2
        self.known: dict[tuple[float, ...], int] = {}

    def read(self, rows: Rows, weights: Array | None) -> Codes | None:
        """The rows as places among the values, which grow; None when there are more than `most`."""
        parts = [part_of(rows, weights, part) for part in self.numbers.parts]
        if any(len(np.unique(part[:_SAMPLE])) > self.most for part in parts):
            return None
        codes, first = np.zeros(len(rows.y), np.int64), np.zeros(1, np.int64)
        for part in parts:
            values, own = np.unique(part, return_inverse=True)
            if len(values) > self.most:
                return None
            _, first, codes = np.unique(codes * len(values) + own, return_index=True, return_inverse=True)
        found = list(zip(*(part[first].tolist() for part in parts), strict=True))
        if len(self.known.keys() | set(found)) > self.most:
            return None
        return np.array([self.known.setdefault(each, len(self.known)) for each in found], np.int64)[codes]


def _numbers(design: Design, weights: str | None) -> list[Numbers]:
    """The numbers of all terms, those that are computed from the same columns together, and those of the rows.

    The first term with these numbers has every level of its factors (`coding`), of which each row has one: its columns
    add up to the numbers themselves, exactly, for all others are 0.
    """
    parts: dict[Names, list[tuple[int, ...]]] = {}
    beside: dict[Names, list[Names]] = {}
    seen: set[frozenset[object]] = set()
    at = int(design.formula.intercept)
    for term in design.terms:
        shape = [len(coded.names) for coded in term]
        places = at + np.arange(int(np.prod(shape))).reshape(shape, order="F")
        at += places.size
        numbers = frozenset(coded.variable for coded in term if not coded.levels)
        if not numbers:
            continue
        read = frozenset(name for variable in numbers for name in columns_read(variable))
        beside.setdefault(read, []).append(_factors(term))
        if numbers not in seen:
            seen.add(numbers)
            over = [axis for axis, coded in enumerate(term) if coded.levels]
            moved = np.moveaxis(places, over, range(-len(over), 0)).reshape(-1, _width(term))
            parts.setdefault(read, []).extend(tuple(each) for each in moved.tolist())
    found = [Numbers(tuple(each), read, tuple(dict.fromkeys(beside[read]))) for read, each in parts.items()]
    response, offsets = design.formula.response, design.formula.offsets
    if not isinstance(response, Survival):
        taken = frozenset(name for variable in offsets for name in columns_read(variable))
        if not design.binary:
            found.append(Numbers(("y",), columns_read(response)))
        if offsets:
            found += [Numbers(("offset",), taken), Numbers(("left",), taken | columns_read(response))]
    if weights is not None:
        found.append(Numbers(("weights",), frozenset({weights})))
    return found


def _looked_at(numbers: Sequence[Numbers]) -> dict[str, Numbers]:
    """By name: each number alone, and all that are computed from the same columns together."""
    found = [Numbers((part,), of.read_from, of.beside) for of in numbers for part in of.parts]
    found += [of for of in numbers if len(of.parts) > 1]
    return {f"={place}": of for place, of in enumerate(found)}


def _factors(term: CodedTerm) -> Names:
    every = (coded.variable for coded in term if coded.levels)
    return frozenset(variable.column for variable in every if isinstance(variable, Number | Factor))


def _width(term: CodedTerm) -> int:
    """Columns that add up to one number: the combinations of the levels of its factors."""
    return int(np.prod([len(coded.names) for coded in term if coded.levels], dtype=int))


def _declared(name: str, levels: Sequence[str], dictionary: Dictionary) -> Codes:
    """The places of the agreed levels that the TRE's own dictionary has."""
    own = own_levels(name, dictionary)
    return np.flatnonzero([own is None or level in own for level in levels])


def _people(codes: Codes, size: int, begin: Codes) -> Codes:
    """Distinct people with a row of each code."""
    if len(begin) == len(codes):
        return np.bincount(codes, minlength=size)
    person = np.zeros(len(codes), np.int64)
    person[begin[1:]] = 1
    seen = np.unique(np.cumsum(person) * size + codes)
    return np.bincount(seen % size, minlength=size)
