"""Evidence for rule 13: the fewest people in any group that moments and cross products of a model would tell.

A column of few values has no more moments than values, so sums of it and of its products are a frequency table: of its
levels, and with another such column of the pairs of their levels. Few is, for a factor, any number of levels; for a
number, or all numbers that a model computes from the same columns (`x` and `I(x^2)`; a spline), at most as many
different values among these rows as sums tell the counts of: n, the sums of the numbers, and of their products with
each other. Within a level of a factor these sums are told too, so that `x` in `x:g` is looked at as if it stood alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinque.analyses.coding import CodedTerm, own_levels
from cinque.analyses.design import Design, Rows
from cinque.expr.terms import Survival, columns_read
from cinque.model.datasets import Dictionary

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

_SAMPLE: Final = 1_000
"""Rows of a batch in which a column of many values is found out first."""


class Groups:
    """People by level and by pair of levels, over the batches of one TRE."""

    def __init__(self, design: Design, dictionary: Dictionary) -> None:
        self._sizes = {name: len(levels) for name, levels in design.levels.items()}
        response = design.formula.response
        if isinstance(response, Survival):
            self._sizes.setdefault(response.event, 2)
        self._here = {name: _declared(name, levels, dictionary) for name, levels in design.levels.items()}
        self._own: dict[str, Codes] = {name: np.zeros(size, np.int64) for name, size in self._sizes.items()}
        self._pairs: dict[tuple[str, str], Codes] = {}
        self._few = _numbers(design)
        # One of two declared values is among the codes already.
        if not design.binary:
            self._few["y"] = _Few([[-1]], columns_read(response))  # type: ignore[arg-type]  # a time is declared binary

    def add(self, rows: Rows) -> None:
        """A batch's complete rows, nobody in two batches."""
        if not len(rows.y):
            return
        coded = dict(rows.codes)
        for name, few in list(self._few.items()):
            found = few.read(rows)
            if found is None:
                self._forget(name)
            else:
                coded[f"={name}"] = found
        for name, codes in coded.items():
            size = self._size(name)
            counts = self._own.setdefault(name, np.zeros(size, np.int64))
            counts += _people(codes, size, rows.begin)
        for one, other in combinations(sorted(coded), 2):
            wide = self._size(other)
            size = self._size(one) * wide
            counts = self._pairs.setdefault((one, other), np.zeros(size, np.int64))
            counts += _people(coded[one] * wide + coded[other], size, rows.begin)

    def smallest(self) -> int | None:
        """None when there is no column of few values."""
        every = self._every()
        return int(every.min()) if len(every) else None

    def fewest(self) -> int | None:
        """The same without groups that nobody is in, behind which, where these may be told, a small one would hide."""
        every = self._every()
        return int(every[every > 0].min()) if every.any() else None

    def _size(self, name: str) -> int:
        return self._sizes[name] if name in self._sizes else self._few[name[1:]].most

    def _read(self, name: str) -> frozenset[str]:
        return frozenset({name}) if name in self._sizes else self._few[name[1:]].read_from

    def _every(self) -> Codes:
        used = {f"={name}": len(few.known) for name, few in self._few.items()} | self._sizes
        found = [counts[: used[name]][self._declared(name, used)] for name, counts in self._own.items()]
        for (one, other), counts in self._pairs.items():
            table = counts.reshape(self._size(one), self._size(other))
            here = np.outer(self._declared(one, used), self._declared(other, used))
            told = table[: used[one], : used[other]][here]
            # What is computed from the same column has pairs that cannot be, in which nobody is.
            found.append(told[told > 0] if self._read(one) & self._read(other) else told)
        return np.concatenate([each for each in found if len(each)] or [np.zeros(0, np.int64)])

    def _declared(self, name: str, used: Mapping[str, int]) -> NDArray[np.bool_]:
        """Which groups there may be here: that nobody has a level which the TRE's own dictionary does not declare is
        known from the dictionary, and tells of nobody.
        """
        return self._here.get(name, np.ones(used[name], np.bool_))

    def _forget(self, name: str) -> None:
        self._pairs = {pair: counts for pair, counts in self._pairs.items() if f"={name}" not in pair}
        self._own.pop(f"={name}", None)
        del self._few[name]


class _Few:
    """Numbers that are looked at together, each as places of the columns that add up to it (-1: the response), and the
    columns of the dataset that they are computed from; their different values so far, `most` at the most."""

    def __init__(self, parts: list[list[int]], read_from: frozenset[str]) -> None:
        self.parts = parts
        self.read_from = read_from
        k = len(parts)
        self.most = 1 + k + k * (k + 1) // 2
        self.known: dict[tuple[float, ...], int] = {}

    def read(self, rows: Rows) -> Codes | None:
        """The rows as places among the values, which grow; None when there are more than `most`."""
        parts = [self._part(rows, places) for places in self.parts]
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

    @staticmethod
    def _part(rows: Rows, places: list[int]) -> Array:
        if len(places) == 1:
            return rows.y if places[0] < 0 else rows.x[:, places[0]]
        return np.asarray(rows.x[:, places].sum(axis=1))


def _numbers(design: Design) -> dict[str, _Few]:
    """The numbers of every term, each alone and all that are computed from the same columns together.

    The first term with these numbers has every level of its factors (`coding`), of which each row has one: its columns
    add up to the numbers themselves, exactly, for all others are 0.
    """
    alike: dict[frozenset[str], list[list[int]]] = {}
    seen: set[frozenset[object]] = set()
    at = int(design.formula.intercept)
    for term in design.terms:
        shape = [len(coded.names) for coded in term]
        places = at + np.arange(int(np.prod(shape))).reshape(shape, order="F")
        at += places.size
        numbers = frozenset(coded.variable for coded in term if not coded.levels)
        if not numbers or numbers in seen:
            continue
        seen.add(numbers)
        over = [axis for axis, coded in enumerate(term) if coded.levels]
        moved = np.moveaxis(places, over, range(-len(over), 0)).reshape(-1, _width(term))
        read = frozenset(name for variable in numbers for name in columns_read(variable))
        alike.setdefault(read, []).extend(moved.tolist())
    found = [_Few([part], read) for read, parts in alike.items() for part in parts]
    found += [_Few(parts, read) for read, parts in alike.items() if len(parts) > 1]
    return {str(place): few for place, few in enumerate(found)}


def _width(term: CodedTerm) -> int:
    """Columns that add up to one number: the combinations of the levels of its factors."""
    return int(np.prod([len(coded.names) for coded in term if coded.levels], dtype=int))


def _declared(name: str, levels: Sequence[str], dictionary: Dictionary) -> NDArray[np.bool_]:
    own = own_levels(name, dictionary)
    return np.array([own is None or level in own for level in levels], np.bool_)


def _people(codes: Codes, size: int, begin: Codes) -> Codes:
    """Distinct people with a row of each code."""
    if len(begin) == len(codes):
        return np.bincount(codes, minlength=size)
    person = np.zeros(len(codes), np.int64)
    person[begin[1:]] = 1
    seen = np.unique(np.cumsum(person) * size + codes)
    return np.bincount(seen % size, minlength=size)
