"""Counts as bars. What was suppressed is drawn as its range: solid to the fewest people, hatched to the most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cinque.client.digits import figure as printed
from cinque.client.plots.panels import panels
from cinque.client.plots.style import BLUE, INK, PALETTE, QUIET, figure, label, quiet, title
from cinque.client.records import bounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Counts = Mapping[str, Any]  # words -> people, or a share: a number or the suppressed form


def bars(
    of: Mapping[str, Mapping[str, Counts]], across: str, words: str, *, legend: str = "", most: float | None = None
) -> Figure:
    """Horizontal bars. `of`: panel -> series -> counts by category; several series stand below each other in colours,
    named by `legend`. `across`: what the categories are; `words`: what is counted; `most`: the end of the axis.
    """
    first = next(iter(of.values()))
    categories, series = list(next(iter(first.values()))), list(first)
    thick = 0.78 / len(series)
    height = max(1.9, (0.2 + 0.24 * len(series)) * len(categories) + 1.1)
    made, every = panels(len(of), 6.6 if len(of) == 1 else 3.4, height)
    for place, (axes, (panel, found)) in enumerate(zip(every, of.items(), strict=True)):
        for turn, name in enumerate(series):
            for row, category in enumerate(categories):
                y = len(categories) - 1 - row + (0.39 - thick / 2) - turn * thick
                _bar(axes, y, thick * 0.88, found[name].get(category), PALETTE[turn % len(PALETTE)], name, row == 0)
        quiet(axes)
        axes.set_yticks(
            [float(len(categories) - 1 - row) for row in range(len(categories))], list(map(label, categories))
        )
        axes.set_xlabel(words)
        axes.set_xlim(0, most)
        axes.margins(x=0.16)
        if len(of) > 1:
            title(axes, panel)
        if place == 0:
            axes.set_ylabel(label(across))
    if most is None:
        limit = max(axes.dataLim.x1 for axes in every) * 1.18 or 1.0
        every[0].set_xlim(0, limit)
    if len(series) > 1:
        handles, names = every[0].get_legend_handles_labels()
        made.legend(
            handles,
            names,
            title=label(legend),
            loc="outside upper right",
            ncols=min(len(names), 4),
            frameon=False,
            fontsize=9,
            title_fontsize=9,
        )
    return made


def _bar(axes: Axes, y: float, height: float, value: Any, colour: str, name: str, named: bool) -> None:
    low, high = bounds(value)
    known = low if low is not None else 0.0
    axes.barh(y, known, height=height, color=colour, label=label(name) if named else None, zorder=2)
    end = known
    if high is not None and high > known:
        axes.barh(
            y,
            high - known,
            left=known,
            height=height,
            facecolor="none",
            edgecolor=colour,
            hatch="/////",
            linewidth=0.8,
            zorder=2,
        )
        end = high
    axes.annotate(
        printed(value),
        (end, y),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        color=QUIET if isinstance(value, Mapping) else INK,
    )


def histogram(of: Mapping[str, tuple[Sequence[Any], str]], edges: Sequence[float], across: str) -> Figure:
    """Bars over the bins. `of`: panel -> people in each bin, and what is said of those outside."""
    made, every = panels(len(of), 6.6 if len(of) == 1 else 4.2, 3.0, across=2)
    for axes, (panel, (people, outside)) in zip(every, of.items(), strict=True):
        for low, high, count in zip(edges, edges[1:], people, strict=False):
            least, most = bounds(count)
            known = least or 0.0
            axes.bar(low, known, width=high - low, align="edge", color=BLUE, edgecolor="white", linewidth=0.8)
            if most is not None and most > known:
                axes.bar(
                    low,
                    most - known,
                    bottom=known,
                    width=high - low,
                    align="edge",
                    facecolor="none",
                    edgecolor=BLUE,
                    hatch="/////",
                    linewidth=0.8,
                )
        quiet(axes, grid="y", left=True)
        axes.set_xlabel(label(across))
        axes.set_ylabel("people")
        axes.set_xlim(edges[0], edges[-1])
        if len(of) > 1:
            title(axes, panel)
        if outside:
            axes.annotate(
                outside,
                (1, 1),
                xycoords="axes fraction",
                xytext=(0, 3),
                textcoords="offset points",
                ha="right",
                fontsize=8,
                color=QUIET,
            )
    return made


def matrix(names: Sequence[str], values: Sequence[Sequence[float | None]], words: str) -> Figure:
    """Correlations as squares of colour with their numbers."""
    size = len(names)
    made = figure(1.6 + 0.75 * size, 1.2 + 0.62 * size)
    axes = made.add_subplot()
    shown = [[float("nan") if value is None else value for value in row] for row in values]
    axes.imshow(shown, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
    for row in range(size):
        for column in range(size):
            value = values[row][column]
            axes.text(
                column,
                row,
                "–" if value is None else f"{round(value, 2) + 0.0:.2f}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if value is not None and abs(value) > 0.65 else INK,
            )
    axes.set_xticks(range(size), list(map(label, names)))
    axes.set_yticks(range(size), list(map(label, names)))
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=9)
    title(axes, words)
    return made
