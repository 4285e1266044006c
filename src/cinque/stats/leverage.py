"""Whom the cross products of a model's columns would tell of, in whatever way the columns are put together.

Each sum of X'WX may be over many people while a difference of two of them is over one: of `x`, and of `x` changed for
one person. What holds for every combination c of the columns is told by leverages. The parts of (c'X)'W(c'X) are at
most h_i of the whole, h_i = w_i x_i' (X'WX)^-1 x_i, and if only the people of a set S have a part in it, the leverages
of S add up to at least 1. So the two largest leverages bound the p% rule from below over all combinations, and how many
of the largest add up to 1 bounds the number of people in any one of them.

Leverages are worked out in the same pass, with the cross products so far. As those only grow, such a leverage is at
least the true one, and what it shows is safe; where it does not show enough, a second pass looks at the true ones. And
no leverage is more than the scaled squares of its row over the smallest eigenvalue: batches whose largest entries show
that all of theirs are below 1 / CEILING are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinque.stats.components import CEILING

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

_TOLERANCE: Final = 1e-13  # eigenvalues of the scaled cross products up to here are rounding
_WHOLE: Final = 0.99  # leverages that add up to this add up to 1: just above the tolerance two digits are left
_ROUNDING: Final = 1e-12  # and so are parts up to here, beside entries of order 1


class Leverages:
    """Leverages of the rows of Z = sqrt(W) X, summed over each person's rows."""

    def __init__(self, size: int) -> None:
        self._cross = np.zeros((size, size))
        self._top = np.zeros(0)
        self._batches = 0
        self._below = 0.0  # all leverages that were not looked at are

    def add(self, z: Array, begin: Codes | None = None) -> None:
        """`z`: rows x columns, finite; `begin`: where each person's rows begin, where that is not every row."""
        if len(z):
            alone = begin is None or len(begin) == len(z)
            self.add_sums(z.T @ z, np.square(z).max(axis=0), lambda: z, begin, alone=alone)

    def add_sums(
        self, cross: Array, largest: Array, z: Callable[[], Array], begin: Codes | None = None, *, alone: bool = True
    ) -> None:
        """The same for who has Z'Z and, for each column, a bound on its squared entries already: `z` is then made only
        where it is needed. `alone`: whether nobody has several rows."""
        self._cross += cross
        self._batches += 1
        if not np.isfinite(self._cross).all():
            return
        white, lost = whitening(self._cross)
        if alone and not lost.size and white.shape[1]:
            length = _lengths(self._cross)
            # A's columns are as long as the roots of the inverse eigenvalues, for columns of Z scaled to length 1.
            bound = float((largest / length**2).sum() * np.square(white * length[:, None]).sum(axis=0).max())
            if bound < 1 / CEILING:
                self._below = max(self._below, bound)
                return
        self._top = _largest(self._top, _per_person(z(), white, begin))

    def evidence(self, again: Callable[[], Iterable[tuple[Array, Codes | None]]]) -> tuple[int, float]:
        """(at least how many people any combination of the columns tells of, at least what all but the two largest
        parts are beside the largest). The first is exact up to CEILING where one batch was added, or a second was
        asked for with `again`. (0, 0) where columns are collinear but for less than a product can hold, and where
        products are beyond a double.
        """
        if not np.isfinite(self._cross).all():
            return 0, 0.0
        white, lost = whitening(self._cross)
        unseen = np.full(CEILING if self._below else 0, self._below)
        people, remainder = _shown(np.sort(np.concatenate([self._top, unseen]))[::-1][:CEILING])
        if lost.shape[1] == 0 and (self._batches <= 1 or (people >= CEILING and remainder >= 1)):
            return people, remainder
        top, hidden, scale = np.zeros(0), 0.0, 0.0
        for z, begin in again():
            if len(z):
                top = _largest(top, _per_person(z, white, begin))
                hidden = max(hidden, float(np.abs(z @ lost).max(initial=0.0)))
                scale = max(scale, float(np.abs(z / _lengths(self._cross)).max(initial=0.0)))
        return (0, 0.0) if hidden > _ROUNDING * scale else _shown(top)


def whitening(cross: Array) -> tuple[Array, Array]:
    """(A, N): the rows of Z A are orthonormal columns where Z'Z = `cross`, so that their squares add up to leverages;
    the columns of N span what is collinear, for columns of Z scaled to length 1. Columns of zeros are left out of both.
    """
    length = _lengths(cross)
    values, vectors = np.linalg.eigh(cross / np.outer(length, length))
    kept = values > _TOLERANCE * max(1.0, float(values[-1]) if len(values) else 1.0)
    empty = np.diag(cross) == 0
    lost = vectors[:, ~kept] / length[:, None]
    lost[empty] = 0.0
    lost = lost[:, np.abs(lost).max(axis=0, initial=0.0) > 0]
    return vectors[:, kept] / np.sqrt(values[kept]) / length[:, None], lost


def leverages(z: Array, white: Array) -> Array:
    """The leverage of each row of Z, given A of `whitening`."""
    turned = z @ white
    return np.asarray(np.einsum("ij,ij->i", turned, turned))


def _lengths(cross: Array) -> Array:
    diagonal = np.diag(cross)
    return np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def _per_person(z: Array, white: Array, begin: Codes | None) -> Array:
    found = leverages(z, white)
    return found if begin is None or len(begin) == len(found) else np.asarray(np.add.reduceat(found, begin))


def _largest(top: Array, found: Array) -> Array:
    """The CEILING largest, the largest first."""
    if len(found) > CEILING:
        found = np.partition(found, len(found) - CEILING)[-CEILING:]
    return np.sort(np.concatenate([top, found]))[::-1][:CEILING]


def _shown(top: Array) -> tuple[int, float]:
    if not len(top) or top[0] <= 0:
        return 0, 0.0
    reached = np.flatnonzero(np.cumsum(top) >= _WHOLE)
    first, second = top[0], top[1] if len(top) > 1 else 0.0
    return int(reached[0]) + 1 if len(reached) else CEILING, max(0.0, float((1 - first - second) / first))
