"""Sums over people of products of two columns (X'WX, a score, a deviance), and whom each sum is a sum over.

The part of person i in a sum is left_ij * right_ik. Disclosure control needs for each sum what stats/components.py
finds by looking at every part: how many people differ from the commonest part (rule 14), and whether one or two carry
nearly all (rule 3). Looking at every part of every sum costs more than the sums. So the parts of the first people are
looked at in full, and then only what they do not settle:

- Once CEILING people differ from the commonest part, the count is settled. Sums for which the first people do not show
  that, or most of whose parts are one number that is not 0, are looked at in full to the end.
- No part is larger than the product of the largest entries of its two columns in its batch. Where the sum of absolute
  parts, at least that of the first people and at least the sum itself, is three times such a bound, no one or two
  people dominate, whatever p of the p% rule. Sums for which that is not shown are looked at in a second pass.

So either way the verdict is that of looking at everybody, and memory is constant in the number of people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinque.stats.components import CEILING, SAMPLE, Components

FIRST: Final = 16_384  # people whose parts are all looked at
_CHUNK: Final = 8_192  # people whose parts are held at once

Array = NDArray[np.float64]
Pairs = Iterable[tuple[Array, Array]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Of one batch: left'right, and the largest absolute entry of each column of left and of right."""

    product: Array
    left: Array
    right: Array


class Products:
    """Sums of left_j * right_k over rows for chosen pairs (j, k). `several`: whether a person may have several rows,
    whose parts are then added up before they are looked at, and all of them are looked at."""

    def __init__(self, pairs: Sequence[tuple[int, int]], *, several: bool = False) -> None:
        self._several = several
        self._left = np.array([j for j, _ in pairs], dtype=np.intp)
        self._right = np.array([k for _, k in pairs], dtype=np.intp)
        size = len(pairs)
        self._everything: Array | None = None  # left'right, over all people
        self._seen = 0
        self._sample: list[Array] = []
        self._early = Components(size)
        self._absolute = np.zeros(size)  # of the first people: the sum of absolute parts
        self._largest = np.zeros(size)  # no part is larger
        self._exact: NDArray[np.intp] | None = None  # sums that are looked at in full to the end
        self._rest = Components(0)

    def add(self, left: Array, right: Array, begin: NDArray[np.int64] | None = None) -> Batch:
        """`left`, `right`: rows x columns, finite, best in column order; `begin`: where each person's rows begin, where
        there may be several; no person in two batches."""
        with np.errstate(over="ignore", invalid="ignore"):
            product = left.T @ right
        self._everything = product if self._everything is None else self._everything + product
        found = Batch(product, _largest(left), _largest(right))
        if self._several:
            if len(left):
                parts = self._parts(left, right)
                self._early.add(parts if begin is None else np.add.reduceat(parts, begin, axis=0))
            return found
        at = 0
        while self._seen < FIRST and at < len(left):
            stop = min(len(left), at + min(_CHUNK, FIRST - self._seen))
            self._look(self._parts(left[at:stop], right[at:stop]))
            self._seen += stop - at
            at = stop
        if at < len(left):
            self._bound(left[at:], right[at:], found)
        return found

    def sums(self) -> Array:
        """For each pair its sum."""
        if self._everything is None:
            return np.zeros(len(self._left))
        return np.asarray(self._everything[self._left, self._right])

    def evidence(self, again: Callable[[], Pairs]) -> tuple[NDArray[np.int64], Array]:
        """For each pair: people whose part differs from the commonest (at least that many, where it is CEILING or
        more), and the remainder of Components (at least that, where it is 1 or more). `again`: the same batches once
        more, asked for only where what was seen does not settle it.
        """
        differing, remainder = self._early.differing().copy(), self._early.remainder().copy()
        if self._exact is None:  # everybody was among the first
            return differing, remainder
        total = np.maximum(self._absolute, np.abs(self.sums()))
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = np.where(self._largest > 0, total / self._largest - 2, np.inf)
        remainder = shown
        differing[self._exact], remainder[self._exact] = self._rest.differing(), self._rest.remainder()
        open_ = np.setdiff1d(np.flatnonzero(~(shown >= 1)), self._exact)
        if len(open_):
            found = Components(len(open_))
            for left, right in again():
                for parts in self._chunks(left, right, open_):
                    found.add(parts)
            differing[open_], remainder[open_] = found.differing(), found.remainder()
        return differing, remainder

    def _look(self, parts: Array) -> None:
        self._early.add(parts)
        self._absolute += np.abs(parts).sum(axis=0)
        if len(parts):
            self._largest = np.maximum(self._largest, np.abs(parts).max(axis=0))
        self._sample.append(parts)

    def _bound(self, left: Array, right: Array, batch: Batch) -> None:
        if self._exact is None:
            first = np.concatenate(self._sample)
            self._sample = []
            # A value that more than half of the sample share is its median.
            middle = np.median(first[:SAMPLE], axis=0)
            shared = (first[:SAMPLE] == middle).sum(axis=0) > SAMPLE // 2
            self._exact = np.flatnonzero((self._early.differing() < CEILING) | (shared & (middle != 0)))
            self._rest = Components(len(self._exact))
            self._rest.add(first[:, self._exact])
        if len(self._exact):
            for parts in self._chunks(left, right, self._exact):
                self._rest.add(parts)
        self._largest = np.maximum(self._largest, batch.left[self._left] * batch.right[self._right])

    def _parts(self, left: Array, right: Array) -> Array:
        return np.asarray(left[:, self._left] * right[:, self._right])

    def _chunks(self, left: Array, right: Array, which: NDArray[np.intp]) -> Iterable[Array]:
        for at in range(0, len(left), _CHUNK):
            here = slice(at, at + _CHUNK)
            yield left[here][:, self._left[which]] * right[here][:, self._right[which]]


def _largest(columns: Array) -> Array:
    if not len(columns):
        return np.zeros(columns.shape[1])
    return np.asarray(np.maximum(columns.max(axis=0), -columns.min(axis=0)))
