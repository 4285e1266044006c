"""Rows of a batch as arrays: numbers, factor codes, and who is whose row.

A value that was never declared is never repeated and never tells why: Refused("not_answerable").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cinque.analyses.factors import not_answerable
from cinque.query.source import PERSON

if TYPE_CHECKING:
    import pyarrow as pa

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]


def numbers(batch: pa.RecordBatch, name: str) -> Numbers:
    """A column of integers, numbers or true/false (1, 0) as doubles; NaN where missing."""
    import pyarrow as pa

    return np.asarray(batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def codes(batch: pa.RecordBatch, name: str, levels: Sequence[str]) -> Codes:
    """A factor's column as places in `levels`, -1 where missing. Raises Refused("not_answerable") for another value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = batch.column(name).cast(pa.string())
    found = pc.index_in(text, value_set=pa.array(list(levels), pa.string()))
    if found.null_count != text.null_count:
        raise not_answerable()
    return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)


def starts(batch: pa.RecordBatch) -> Codes:
    """Where each person's rows begin, in a batch in which they stand together (`Source.batches(…, together=True)`): for
    np.add.reduceat. Empty for no rows.
    """
    import pyarrow.compute as pc

    column = batch.column(PERSON)
    if len(column) < 2:
        return np.arange(len(column))
    changed = pc.not_equal(column.slice(1), column.slice(0, len(column) - 1)).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], 1 + np.flatnonzero(changed)])


def per_person(parts: Numbers, begin: Codes) -> Numbers:
    """Rows x columns summed over each person's rows: people x columns (rule 0)."""
    if len(begin) == len(parts):
        return parts
    return np.asarray(np.add.reduceat(parts, begin, axis=0), dtype=np.float64)
