"""What analyses of time to event have in common: their question, its grid of time points, and their rows.

A time leaves a TRE only as the interval of a declared grid in which it lies. Points are the intervals' ends: a time
belongs to the first point that is not before it, and the first interval begins at 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

from cinque.analyses import filters
from cinque.errors import Refused
from cinque.expr.formula import Formula, Survival, parse_formula
from cinque.expr.text import name_to_text
from cinque.model.datasets import Dictionary
from cinque.query.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cinque.analyses.design import Design
    from cinque.analyses.groups import Groups

    Array = NDArray[np.float64]
    Codes = NDArray[np.int64]

MAX_POINTS: Final = 4_000
Levels = tuple[tuple[str, ...], ...]
Grid = float | tuple[float, ...] | None


class Gridded(Protocol):
    """Parameters that hold a grid; `points` is what was agreed that it means."""

    @property
    def grid(self) -> Grid: ...
    @property
    def until(self) -> float | None: ...
    @property
    def points(self) -> tuple[float, ...]: ...


@dataclass(frozen=True, slots=True)
class Rows:
    """The people used: time and event (n), columns (n x p), code of the group (n; 0 without groups). `missing`: people
    in whose row something misses, `outside`: those whose time is before 0."""

    time: Array
    event: Array
    x: Array
    group: Codes
    missing: int
    outside: int


def formula(time: str, event: str, by: str | None) -> Formula:
    """`Surv(time, event) ~ factor(by)`. Raises Refused as `parse_formula`."""
    right = "1" if by is None else f"factor({name_to_text(by)})"
    return parse_formula(f"Surv({name_to_text(time)}, {name_to_text(event)}) ~ {right}")


def time_of(formula: Formula) -> str:
    """The column of the time in `Surv(time, event)`, which the left side is: `check`."""
    assert isinstance(formula.response, Survival)  # noqa: S101 - `check` has seen to it
    return formula.response.time


def check(of: Formula, levels: Levels, where: str | None, dictionary: Dictionary) -> Design:
    """The columns of the question at this TRE. Raises Refused as `design` does, for a left side that is no time to an
    event, and for a dataset in which a person may have several rows; needs no data.
    """
    from cinque.analyses.design import design

    if not isinstance(of.response, Survival):
        raise Refused(
            "formula-response",
            "The left side is not a time to an event.",
            remedy="Write it as `Surv(time, event) ~ …`.",
        )
    if not dictionary.one_row_a_person:
        raise Refused(
            "rows-not-people",
            f"In dataset `{dictionary.dataset}` a person may have several rows, and a person has one time to an event.",
            remedy="Ask of a dataset in which one row is one person.",
        )
    made = design(of, dictionary, levels)
    filters.check(where, dictionary)
    return made


def read(source: Source, made: Design, where: str | None, by: str | None = None, groups: Groups | None = None) -> Rows:
    """All people of one TRE. Raises Refused("not_answerable") as `Design.build`. Memory: p + 2 numbers a person."""
    import numpy as np

    parts: list[tuple[Array, Array, Array, Codes]] = []
    missing = outside = 0
    for batch in source.batches(made.columns, filters.read(where)):
        rows = made.build(batch)
        missing += rows.missing_people
        use = rows.time >= 0
        outside += int((~use).sum())
        assert rows.event is not None  # noqa: S101 - the left side is Surv(…): `check`
        codes = rows.codes if by is not None else {}
        code = codes[by] if by is not None else np.zeros(len(use), np.int64)
        if groups is not None and use.any():
            kept = {name: each[use] for name, each in rows.codes.items()}
            begin = np.arange(int(use.sum()))
            groups.add(dataclasses.replace(rows, x=rows.x[use], y=rows.y[use], codes=kept, begin=begin))
        parts.append((rows.time[use], rows.event[use], rows.x[use], code[use]))
    if not parts:
        parts = [(np.zeros(0), np.zeros(0), np.zeros((0, len(made.names))), np.zeros(0, np.int64))]
    time, event, x, group = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Rows(time, event, x, group, missing, outside)


def agreed_points(question: Gridded, time: str, dictionaries: Mapping[str, Dictionary]) -> tuple[float, ...]:
    """The grid's points. Without a grid the width is the coarsest precision that the dictionaries declare of the time.
    Raises Refused naming what to give."""
    width = question.grid
    if width is None:
        precisions = [dictionary.column(time).precision for dictionary in dictionaries.values()]
        if question.until is None or not precisions or any(each is None for each in precisions):
            raise Refused(
                "grid-missing",
                f"The grid of time points is not given, and the dictionary does not declare one for `{time}`.",
                remedy="Give `grid=` a width with `until=` the last point, or `grid=` the points themselves.",
            )
        width = max(each for each in precisions if each is not None)
    return _points(width, question.until)


def agreed_unit(time: str, dictionaries: Mapping[str, Dictionary]) -> str:
    """In what the time is measured, as far as the dictionaries say. Raises Refused where they say different things: a
    point of the grid would be another time in each."""
    units = {dictionary.column(time).unit_of_measure for dictionary in dictionaries.values()} - {""}
    if len(units) > 1:
        raise _other_unit(f"The TREs measure `{time}` in different units: {', '.join(sorted(units))}.")
    return next(iter(units), "")


def check_unit(unit: str, time: str, dictionary: Dictionary) -> None:
    """Raises Refused where this TRE measures the time in another unit than was agreed."""
    own = dictionary.column(time).unit_of_measure
    if own and own != unit:
        raise _other_unit(f"`{time}` is measured in {own} here, and the question's grid in {unit or 'no unit'}.")


def _other_unit(sentence: str) -> Refused:
    return Refused("unit-differs", sentence, remedy="Ask the TREs for a column in one unit, or ask each apart.")


def check_points(question: Gridded) -> None:
    """Raises Refused for a grid that does not rise, is too long, or is not the one that was asked for."""
    if not question.points:
        raise Refused("grid-missing", "The grid of time points was not agreed.", remedy="Ask again with `grid=`.")
    _check(question.points)
    if question.grid is not None and _points(question.grid, question.until) != question.points:
        raise Refused("grid-differs", "The agreed points are not those of the grid asked for.")


def _points(grid: float | tuple[float, ...], until: float | None) -> tuple[float, ...]:
    if isinstance(grid, tuple):
        points = tuple(float(point) for point in grid if until is None or point <= until)
        _check(points)
        return points
    if until is None:
        raise Refused(
            "grid-missing",
            "A grid of equal steps needs its last point: it is not taken from data.",
            remedy="Give `until=`, the time up to which the curve is wanted.",
        )
    if not (math.isfinite(grid) and grid > 0 and math.isfinite(until) and until >= grid):
        raise Refused("grid-malformed", "The grid's width is above 0 and not above `until`.")
    steps = math.floor(until / grid * (1 + 1e-12))
    if steps > MAX_POINTS:
        raise _too_long()
    return tuple(float(grid) * (k + 1) for k in range(steps))


def _check(points: tuple[float, ...]) -> None:
    if len(points) > MAX_POINTS:
        raise _too_long()
    good = bool(points) and all(math.isfinite(each) for each in points) and points[0] >= 0
    if not good or any(not one < other for one, other in pairwise(points)):
        raise Refused("grid-malformed", "The grid's points are finite, rise, and the first is 0 or more.")


def _too_long() -> Refused:
    return Refused(
        "grid-too-long", f"The grid has more than {MAX_POINTS} points.", remedy="Give wider steps, or an earlier end."
    )


def place(time: Array, points: tuple[float, ...]) -> Codes:
    """The place of the point to which each time belongs; len(points) for those after the last."""
    import numpy as np

    return np.searchsorted(np.array(points), time, side="left").astype(np.int64)
