"""People whose value of a number lies in each of some ranges that the question declares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cinque.analyses.factors import Cell, Levels, cells
from cinque.errors import Refused
from cinque.expr import Expr
from cinque.model.datasets import Dictionary
from cinque.query.source import Source

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from cinque.analyses.frame import Codes


def check_number(name: str, dictionary: Dictionary) -> None:
    """Raises Refused unless this is a usable column of integers or numbers."""
    column = dictionary.column(name)
    if column.type not in ("integer", "number"):
        raise Refused(
            "not-numeric",
            f"Column `{column.name}` of dataset `{dictionary.dataset}` is {column.type} and has no ranges.",
            remedy="Ask of a column of integers or numbers, or ask a table of this one.",
        )


def check_range(low: float | None, high: float | None) -> None:
    """Raises Refused unless both ends are there, finite and in order: a range never comes from the rows, whose lowest
    and highest values are single people's (rule 7).
    """
    if low is None or high is None:
        raise Refused(
            "range-missing",
            "The question does not say between which values to look.",
            remedy="Give `low` and `high`: a range that is plausible for the variable, whatever the data.",
        )
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise Refused("range-empty", "The range's low end is not below its high end.", remedy="Give `low` < `high`.")


def people_in_bins(
    source: Source,
    variable: str,
    edges: Sequence[float],
    *,
    by: Sequence[str] = (),
    levels: Levels | None = None,
    where: Expr | None = None,
    closed: bool = False,
) -> dict[Cell, list[int]]:
    """Group -> distinct people with a value below the first edge, in each [edge, next), and from the last edge on; one
    more than there are edges. `closed`: the last range holds its upper edge too, as numpy.histogram's does.
    One pass in constant memory; rows with a missing factor are in no group. Raises Refused("not_answerable") for an
    undeclared level.
    """
    import numpy as np  # the client plans rounds with this module's checks, and need not wait for it

    from cinque.analyses.frame import numbers, starts

    known = cells(by, levels or {})
    ends = np.asarray(edges, dtype=np.float64)
    width = len(ends) + 1
    found = np.zeros(len(known) * width, dtype=np.int64)
    alone = source.dictionary.one_row_a_person
    for batch in source.batches((variable, *by), where, together=not alone):
        if not batch.num_rows:
            continue
        values = numbers(batch, variable)
        place = np.searchsorted(ends, values, side="right")
        if closed:
            place[values == ends[-1]] = width - 2
        group, used = _groups(batch, by, levels or {})
        used &= ~np.isnan(values)
        place = group * width + place
        if alone:
            found += np.bincount(place[used], minlength=len(found))
        else:
            begin = starts(batch)
            person = np.repeat(np.arange(len(begin)), np.diff(np.append(begin, batch.num_rows)))
            once = np.unique(person[used] * len(found) + place[used])
            found += np.bincount(once % len(found), minlength=len(found))
    return {cell: found[i * width : (i + 1) * width].tolist() for i, cell in enumerate(known)}


def each_once_in_bins(
    source: Source,
    variable: str,
    edges: Sequence[float],
    *,
    by: Sequence[str] = (),
    levels: Levels | None = None,
    where: Expr | None = None,
) -> dict[Cell, tuple[list[int], int]]:
    """Group -> distinct people by their value, as `people_in_bins` counts, and people without any. Each is in one range
    of a group only: somebody with several rows in it by the mean of their values there.
    """
    import numpy as np

    from cinque.analyses.frame import numbers, per_person, starts

    known = cells(by, levels or {})
    ends = np.asarray(edges, dtype=np.float64)
    width = len(ends) + 1
    found = np.zeros(len(known) * width, dtype=np.int64)
    without = np.zeros(len(known), dtype=np.int64)
    alone = source.dictionary.one_row_a_person
    for batch in source.batches((variable, *by), where, together=not alone):
        values = numbers(batch, variable)
        group, used = _groups(batch, by, levels or {})
        if not alone and len(values):
            begin = starts(batch)
            own = np.repeat(np.arange(len(begin)), np.diff(np.append(begin, len(values))))
            order = np.flatnonzero(used)
            order = order[np.argsort(own[order] * len(known) + group[order], kind="stable")]
            own, group, values = own[order], group[order], values[order]
            first = np.flatnonzero(np.diff(own * len(known) + group, prepend=-1))
            both = per_person(np.column_stack([np.nan_to_num(values), ~np.isnan(values)]), first)
            group, used = group[first], np.ones(len(first), dtype=bool)
            with np.errstate(invalid="ignore"):
                values = both[:, 0] / both[:, 1]  # NaN where a person has no value
        has = used & ~np.isnan(values)
        without += np.bincount(group[used & ~has], minlength=len(known))
        place = np.searchsorted(ends, values[has], side="right")
        found += np.bincount(group[has] * width + place, minlength=len(found))
    return {cell: (found[i * width : (i + 1) * width].tolist(), int(without[i])) for i, cell in enumerate(known)}


def _groups(batch: pa.RecordBatch, by: Sequence[str], levels: Levels) -> tuple[Codes, NDArray[np.bool_]]:
    """For each row the place of its group among the cells, and whether it has one."""
    import numpy as np

    from cinque.analyses.frame import codes

    group = np.zeros(batch.num_rows, dtype=np.int64)
    used = np.ones(batch.num_rows, dtype=bool)
    for name in by:
        code = codes(batch, name, levels[name])
        used &= code >= 0
        group = group * len(levels[name]) + code
    return group, used
