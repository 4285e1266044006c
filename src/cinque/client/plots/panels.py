"""Panels side by side: one for each TRE and one for all, or one for all alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cinque.client.plots.style import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4


def panels(count: int, width: float, height: float, *, across: int = ACROSS) -> tuple[Figure, Sequence[Axes]]:
    """`count` axes of that size in inches, in rows of at most `across`; those in a column share x, in a row y."""
    columns = min(count, across)
    rows = math.ceil(count / columns)
    made = figure(width * columns, height * rows)
    grid = made.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    each = [axes for line in grid for axes in line]
    for axes in each[count:]:
        axes.set_visible(False)
    return made, each[:count]
