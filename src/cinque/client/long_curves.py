"""A curve on a long grid is printed in so many rows as can be read."""

from __future__ import annotations

from typing import Final

_ROWS: Final = 60


def printed(points: int) -> range:
    """The places of the points that a printed curve has: all of them, or every second, third, … Rows that leave points
    out have no counts of single intervals."""
    every = -(-points // _ROWS)
    return range(every - 1, points, every)


def left_out(points: int) -> str:
    """Says so where not all are printed, otherwise empty."""
    shown = len(printed(points))
    return "" if shown == points else f"Printed are {shown} of {points:,} points; `.to_pandas()` has all."
