"""Answers that are matrices: printed with a row for each pair of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any, Final

from cinque.client.answer import Answer

PAIRWISE: Final = ("corr", "t", "p", "confint")


@dataclass(frozen=True, repr=False)
class MatrixAnswer(Answer):
    """`answer.corr["x"]["y"]`, or `answer.cov["x"]["y"]`; both ways round."""

    def sheets(self) -> Sequence[Any]:
        """The pairs, over all TREs; then who they are over."""
        from cinque.client.view import ALL, Sheet, cells, heading

        values = self.result
        if values is None:
            return []
        names = [name for name in ("cov", *PAIRWISE) if name in values]
        pairs = list((combinations_with_replacement if "cov" in values else combinations)(values["variables"], 2))
        columns = [cells([values[name][one][other] for one, other in pairs], name) for name in names]
        rows = [
            ((one, False), (other, False), *(column[place] for column in columns))
            for place, (one, other) in enumerate(pairs)
        ]
        tres = [*self.per_tre.items(), (ALL, values)]
        counts = [cells([own[name] for _, own in tres]) for name in ("n", "missing")]
        people = [((tre, False), *(column[place] for column in counts)) for place, (tre, _) in enumerate(tres)]
        return [
            Sheet("", ("variable", "with", *map(heading, names)), 2, tuple(rows)),
            Sheet("people", ("TRE", "n", "missing"), 1, tuple(people)),
        ]
