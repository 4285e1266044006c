"""Central moments of a stream, and whom each of them tells of: evidence for rules 3, 13 and 14 of disclosure.md.

A moment is a sum over people: the mean of x, the others of powers of its deviations from the mean. The stream is a
second pass, about the mean that the first found, so that no digit is lost where the spread is small beside the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinque.stats.components import SAMPLE
from cinque.stats.crossproducts import Products
from cinque.stats.few import Few

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

# Columns 1, x, x - a middle value, d = x - mean, d^2; every moment is a sum of products of two of them.
_PAIRS: Final = ((1, 0), (2, 0), (3, 3), (3, 4), (4, 4))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one moment, as `sdc.figures.Figure` has it."""

    differing: int
    remainder: float
    smallest: int | None


class Central:
    """One group's moments up to `order` (2 or 4) about `mean`, a value very near its mean. `several`: whether a person
    may have several rows; their parts are then added up (rule 0).

    The mean is judged by x itself and by its distance from the middle of the first people: where no value is common, a
    total that hides one person among large numbers is seen there.
    """

    def __init__(self, mean: float, order: int, *, several: bool = False) -> None:
        self._mean = mean
        self._order = order
        self._middle: float | None = None
        self._products = Products(_PAIRS[: order + 1], several=several)
        self._sums = np.zeros((5, 5))
        self._few = Few()

    def add(self, values: Array, begin: Codes | None = None) -> None:
        """`values`: finite; `begin`: where each person's rows begin, where there may be several; no person twice over
        all calls."""
        if not len(values):
            return
        if self._middle is None:
            self._middle = float(np.median(values[:SAMPLE]))
        with np.errstate(over="ignore", invalid="ignore"):
            columns = self._columns(values)
            product = self._products.add(columns, columns, begin).product
            self._sums[: len(product), : len(product)] += product
        self._few.add(values, begin)

    @property
    def rows(self) -> int:
        """Values seen."""
        return round(float(self._sums[0, 0]))

    def higher(self) -> tuple[float, float]:
        """Third and fourth central moments, corrected for the rounding error of `mean` as Chan, Golub and LeVeque
        (1983) correct the second. Raises OverflowError where a double cannot hold them.
        """
        n, first, second, third, fourth = (float(self._sums[at]) for at in ((0, 0), (3, 0), *_PAIRS[2:]))
        off = first / n if n else 0.0
        m3 = third - off * (3 * second - 2 * off * first)
        m4 = fourth - off * (4 * third - off * (6 * second - 3 * off * first))
        if not (np.isfinite(m3) and np.isfinite(m4)):
            raise OverflowError("moments beyond what a double can hold")
        return (m3, max(0.0, m4)) if n > 1 else (0.0, 0.0)

    def evidence(self, again: Callable[[], Iterable[Array]]) -> list[Evidence]:
        """Of the mean, the second moment and so on. `again`: the same values once more, asked for only where one look
        does not settle it (stats/crossproducts.py)."""
        with np.errstate(over="ignore", invalid="ignore"):
            found = self._products.evidence(lambda: ((each, each) for each in map(self._columns, again())))
        differing, remainder = (each.tolist() for each in found)
        mean = Evidence(min(differing[:2]), min(remainder[:2]), self._few.smallest(1))
        sums = enumerate(zip(differing[2:], remainder[2:], strict=True), start=2)
        rest = [Evidence(d, r, self._few.smallest(moments)) for moments, (d, r) in sums]
        if self._few.values is not None and self._few.values <= 2:
            # Two values as far from their mean differ in no square, but these say only what n and mean say.
            rest = [Evidence(mean.differing, each.remainder, each.smallest) for each in rest]
        return [mean, *rest]

    def _columns(self, values: Array) -> Array:
        columns = np.empty((len(values), 4 if self._order == 2 else 5), order="F")
        columns[:, 0], columns[:, 1] = 1.0, values
        columns[:, 2], columns[:, 3] = values - self._middle, values - self._mean  # type: ignore[operator]  # set by add
        if self._order > 2:
            columns[:, 4] = columns[:, 3] * columns[:, 3]
        return columns
