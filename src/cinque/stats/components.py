"""Whom a released sum is a sum over: evidence for the component and dominance rules (disclosure.md rules 3 and 14).

A released number is a sum over people of parts a_i. If all but a few people have the same part, the sum tells of the
few, however many people there are: an indicator of one person, or of all but one. So what counts is how many people's
parts differ from the commonest part, and whether one or two of those differences make up nearly all.

The commonest part need be known only where nearly everybody has it, so it is looked for among the first SAMPLE people:
with a threshold of at most CEILING, fewer than a threshold of people differ from the commonest part if, and only if,
fewer than it differ from the commonest part of that sample. Memory is constant in the number of people.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

CEILING: Final = 200  # thresholds up to here are judged exactly; above, the count may only be too small
SAMPLE: Final = 2 * CEILING - 1

Array = NDArray[np.float64]


class Components:
    """Parts of `size` sums, given person by person in batches."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._first: list[Array] = []
        self._held = 0
        self._mode: Array | None = None
        self._differing = np.zeros(size, dtype=np.int64)
        # Sums, and the two largest, of absolute parts: counted from the commonest part (rule 14) and as they are (3).
        self._total = np.zeros((2, size))
        self._top = np.zeros((2, 2, size))

    def add(self, parts: Array) -> None:
        """`parts`: people x size, one row a person, no person twice over all batches."""
        if self._mode is None:
            self._first.append(np.asarray(parts, dtype=np.float64))
            self._held += len(parts)
            if self._held < SAMPLE:
                return
            self._settle()
        else:
            self._count(parts)

    def differing(self) -> NDArray[np.int64]:
        """For each sum, people whose part is not the commonest."""
        self._settle()
        return self._differing

    def remainder(self) -> Array:
        """For each sum, (all - first - second) / first over the absolute parts, the two largest being first and second
        (the p% rule fails where this is below p), or over their differences from the commonest part where that is less:
        where no part is common, the commonest may be anybody's, the outlier's too. inf where there is nothing but 0.
        """
        self._settle()
        first, second = self._top[:, 0], self._top[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.maximum(self._total - first - second, 0.0) / first
        return np.asarray(np.where(first > 0, found, np.inf).min(axis=0))

    def _settle(self) -> None:
        if self._mode is None:
            seen = np.concatenate(self._first) if self._first else np.zeros((0, self._size))
            self._mode = np.array([_commonest(column) for column in seen[:SAMPLE].T])
            self._first = []
            if len(seen):
                self._count(seen)

    def _count(self, parts: Array) -> None:
        away = np.abs(parts - self._mode)  # type: ignore[operator]  # settled before
        self._differing += np.count_nonzero(away, axis=0)
        self._add(0, away)
        self._add(1, np.abs(parts))

    def _add(self, place: int, sizes: Array) -> None:
        self._total[place] += sizes.sum(axis=0)
        if len(sizes) > 2:
            sizes = np.partition(sizes, len(sizes) - 2, axis=0)[-2:]
        self._top[place] = np.sort(np.concatenate([self._top[place], sizes]), axis=0)[:-3:-1]


def _commonest(column: Array) -> float:
    if not len(column):
        return 0.0
    values, counts = np.unique(column, return_counts=True)
    return float(values[np.argmax(counts)])
