"""The protocol between an analysis and the data of one TRE. Analyses import this, never an engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from cinque.expr import Expr
from cinque.model.datasets import Dictionary

if TYPE_CHECKING:
    import pyarrow as pa

PERSON: Final = "__person__"
"""The name of the column that tells people apart, in every query and batch."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Of one numeric column within one group: people and rows with a value, people without, mean, centred sum of
    squares M2 = sum((x - mean)^2), both over rows with a value (units of the column, and squared). Mean and m2 are
    None where no row has a value.
    """

    people: int
    rows: int
    people_missing: int
    rows_missing: int
    mean: float | None
    m2: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """One group of rows: `levels` in the order of `by` (text; None where the factor is missing), distinct people, rows,
    and moments for each numeric column asked for.
    """

    levels: tuple[str | None, ...]
    people: int
    rows: int
    moments: Mapping[str, Moments]


class Source(Protocol):
    """The rows of one dataset, read-only. Engines push `aggregate` down to where the data is."""

    @property
    def dictionary(self) -> Dictionary:
        """The dataset's public part: an analysis takes levels and types from here, never from the rows."""
        ...

    def aggregate(self, columns: Sequence[str], by: Sequence[str], where: Expr | None) -> list[Group]:
        """One pass. Groups that have no row are absent; with `by` empty there is exactly one group, of zero rows too.
        Levels of a factor are given as text: booleans `true`/`false`, integers in decimal, dates ISO 8601.
        """
        ...

    def batches(
        self, columns: Sequence[str], where: Expr | None, *, together: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """The chosen columns of the rows where `where` is true, in constant memory, in no fixed order.
        The dataset's person column comes last under the name `__person__` (a row number where one row is one person;
        never missing). `together`: the rows of a person follow each other within one batch, which costs a sort.
        """
        ...
