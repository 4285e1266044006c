"""Values on a line: quantiles as the intervals that contain them, means with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cinque.client.plots.style import BLUE, INK, PALETTE, QUIET, beside, figure, interval, label, quiet, written
from cinque.client.records import number
from cinque.errors import Refused

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED = {"0.5": "median", "0.25": "lower quartile", "0.75": "upper quartile"}


def quantiles(rows: Sequence[Mapping[str, Any]], across: str) -> Figure:
    """A row for each quantile, of each group: a bar where it lies, a dot where it is known, an arrow where an end is
    not.
    """
    if all(row["at_least"] is row["at_most"] is row["value"] is None for row in rows):
        raise Refused(
            "no-figures", "No end of any quantile is known: there is nothing to draw.", remedy="See `.warnings`."
        )
    made = figure(6.8, 0.4 * len(rows) + 1.1)
    axes = made.add_subplot()
    ends = [end for row in rows for end in (row["at_least"], row["at_most"], row["value"]) if end is not None]
    span = (max(ends) - min(ends) or abs(max(ends)) or 1.0) if ends else 1.0
    texts, places = [], [float(place) for place in range(len(rows), 0, -1)]
    for place, row in zip(places, rows, strict=True):
        low, high, value = row["at_least"], row["at_most"], row["value"]
        if value is not None:
            axes.scatter([value], [place], s=44, color=BLUE, zorder=3)
            texts.append(f"{value:g}")
            continue
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=BLUE, linewidth=6, solid_capstyle="butt", zorder=2)
            texts.append(f"{low:g} to {high:g}")
            continue
        known = low if low is not None else high
        if known is None:
            texts.append("not known")
            continue
        away = span * (0.12 if high is None else -0.12)
        axes.annotate(
            "", (known + away, place), xytext=(known, place), arrowprops={"arrowstyle": "->", "color": BLUE, "lw": 2}
        )
        axes.plot([known, known + away], [place, place], alpha=0)  # so that the axis reaches there
        texts.append(f"{known:g} or more" if high is None else f"{known:g} or less")
    quiet(axes)
    axes.set_yticks(places, list(map(_named, rows)))
    axes.set_ylim(0.4, len(rows) + 0.6)
    axes.set_xlabel(label(across))
    axes.margins(x=0.06)
    beside(axes, places, texts)
    return made


def _named(row: Mapping[str, Any]) -> str:
    words = _NAMED.get(row["probability"], f"{float(row['probability']):.4g} quantile")
    return ": ".join(filter(None, [label(", ".join(row.get("levels", ()))), words]))


def means(groups: Mapping[str, Mapping[str, Mapping[str, Any]]], across: str) -> Figure:
    """A block for each group, a row in it for each TRE and for all. `groups`: group -> TRE or "all" -> mean, ends."""
    rows = [(group, tre, found) for group, by_tre in groups.items() for tre, found in by_tre.items()]
    made = figure(7.4, 0.3 * len(rows) + 0.18 * len(groups) + 1.1)
    axes = made.add_subplot()
    places, texts, names = [], [], []
    y = 0.0
    for turn, (group, tre, found) in enumerate(rows):
        if turn and group != rows[turn - 1][0]:
            y -= 0.6
            axes.axhline(y + 0.8, color=QUIET, linewidth=0.5)
        mean, ends = number(found.get("mean")), found["ends"]
        whole = tre == "all"
        colour = PALETTE[1] if whole else BLUE
        if mean is None:
            texts.append("suppressed" if isinstance(found.get("mean"), Mapping) else "–")
        else:
            if ends is not None:
                axes.plot(ends, [y, y], color=INK if not whole else colour, linewidth=1.4, zorder=2)
            axes.scatter([mean], [y], s=42, marker="D" if whole else "s", color=colour, zorder=3)
            texts.append(written(mean, 0) if ends is None else interval(lambda value: value, mean, ends))
        names.append(f"{label(group)}: {tre}" if group and whole else tre)
        places.append(y)
        y -= 1.0
    quiet(axes)
    axes.set_yticks(places, list(map(label, names)))
    axes.set_ylim(min(places) - 0.7, 0.7)
    axes.set_xlabel(f"mean of {label(across)} (95 % interval)")
    beside(axes, places, texts)
    return made
