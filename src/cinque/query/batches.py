"""Batches of rows as every engine gives them: who is who, and a person's rows together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cinque.query.source import PERSON

if TYPE_CHECKING:
    import pyarrow as pa


def numbered(batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """One row is one person: the row's number tells people apart."""
    import pyarrow as pa

    row = 0
    for batch in batches:
        numbers = pa.array(np.arange(row, row + batch.num_rows, dtype=np.int64))
        row += batch.num_rows
        yield pa.RecordBatch.from_arrays([*(batch.column(name) for name in names), numbers], names=[*names, PERSON])


def whole_people(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches in which a person's rows follow each other, cut anew so that nobody is in two."""
    import pyarrow as pa
    import pyarrow.compute as pc

    held: list[pa.RecordBatch] = []  # rows of the last person so far
    for batch in batches:
        if not batch.num_rows:
            continue
        last = batch.column(PERSON)[batch.num_rows - 1]
        begin = pc.index(batch.column(PERSON), last).as_py()
        if held and (begin or held[-1].column(PERSON)[0] != last):
            yield pa.concat_batches([*held, batch.slice(0, begin)])
            held = []
        elif begin:
            yield batch.slice(0, begin)
        held.append(batch.slice(begin))
    if held:
        yield pa.concat_batches(held)
