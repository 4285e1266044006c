"""Evidence for rule 13: the fewest people in any group that moments and cross products of a model would tell.

A column of few values has no more moments than values, so sums of it and of its products are a frequency table: of its
levels, and with another such column of the pairs of their levels. Few: a factor, whatever its number of levels, and a
number of at most FEW values among these rows (n, sum and sum of squares tell three counts).
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cinque.analyses.design import Design, Rows

FEW: Final = 3

Codes = NDArray[np.int64]


class Groups:
    """People by level and by pair of levels, over the batches of one TRE."""

    def __init__(self, design: Design) -> None:
        self._sizes = {name: len(levels) for name, levels in design.levels.items()}
        self._own: dict[str, Codes] = {name: np.zeros(size, np.int64) for name, size in self._sizes.items()}
        self._pairs: dict[tuple[str, str], Codes] = {}
        self._values: dict[str, list[float]] | None = None
        # "" is the response; one of two declared values is among the codes already.
        self._numeric = [name for name in design.names if name != "(Intercept)" and "[" not in name]
        self._numeric += [] if design.binary else [""]
        self._places = {name: design.names.index(name) for name in self._numeric if name}

    def add(self, rows: Rows) -> None:
        """A batch's complete rows, nobody in two batches."""
        if not len(rows.y):
            return
        coded = dict(rows.codes)
        if self._values is None:
            self._values = {name: [] for name in self._numeric}
        for name, values in list(self._values.items()):
            column = rows.x[:, self._places[name]] if name else rows.y
            found = self._read(values, column)
            if found is None:
                self._forget(name)
            else:
                coded[f"={name}"] = found
        for name, codes in coded.items():
            size = self._sizes.get(name, FEW)
            counts = self._own.setdefault(name, np.zeros(size, np.int64))
            counts += _people(codes, size, rows.begin)
        for one, other in combinations(sorted(coded), 2):
            wide = self._sizes.get(other, FEW)
            size = self._sizes.get(one, FEW) * wide
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

    def _every(self) -> Codes:
        used = {f"={name}": len(values) for name, values in (self._values or {}).items()} | self._sizes
        found = [counts[: used[name]] for name, counts in self._own.items()]
        for (one, other), counts in self._pairs.items():
            table = counts.reshape(self._sizes.get(one, FEW), self._sizes.get(other, FEW))
            found.append(table[: used[one], : used[other]].ravel())
        return np.concatenate([each for each in found if len(each)] or [np.zeros(0, np.int64)])

    def _read(self, values: list[float], column: NDArray[np.float64]) -> Codes | None:
        """The column as places among its values so far, which grow; None when there are more than FEW."""
        new = np.setdiff1d(column[:1_000] if not values else column, values)
        if len(values) + len(new) <= FEW:
            new = np.setdiff1d(column, values)
        if len(values) + len(new) > FEW:
            return None
        values.extend(new.tolist())
        order = np.argsort(values)
        return order[np.searchsorted(np.array(values)[order], column)]

    def _forget(self, name: str) -> None:
        assert self._values is not None  # noqa: S101 - set by who calls
        del self._values[name]
        self._own.pop(f"={name}", None)
        self._pairs = {pair: counts for pair, counts in self._pairs.items() if f"={name}" not in pair}


def _people(codes: Codes, size: int, begin: Codes) -> Codes:
    """Distinct people with a row of each code."""
    if len(begin) == len(codes):
        return np.bincount(codes, minlength=size)
    person = np.zeros(len(codes), np.int64)
    person[begin[1:]] = 1
    seen = np.unique(np.cumsum(person) * size + codes)
    return np.bincount(seen % size, minlength=size)
