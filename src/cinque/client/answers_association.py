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
        from cinque.client.view import ALL, Sheet, figure

        values = self.result
        if values is None:
            return []
        names = [name for name in ("cov", *PAIRWISE) if name in values]
        pairs = (combinations_with_replacement if "cov" in values else combinations)(values["variables"], 2)
        rows = [
            ((one, False), (other, False), *((figure(values[name][one][other]), False) for name in names))
            for one, other in pairs
        ]
        people = [
            ((tre, False), *((figure(own[name]), isinstance(own[name], dict)) for name in ("n", "missing")))
            for tre, own in [*self.per_tre.items(), (ALL, values)]
        ]
        return [
            Sheet("", ("variable", "with", *names), 2, tuple(rows)),
            Sheet("people", ("TRE", "n", "missing"), 1, tuple(people)),
        ]
