"""Survival curves as steps, with their 95 % bands and the people at risk below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cinque.client.digits import figure as printed
from cinque.client.plots.style import INK, PALETTE, QUIET, figure, label, quiet
from cinque.client.records import Entry, bounds
from cinque.sdc.figures import is_suppressed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TICKS = 8
_STEPS = {"month": (1, 3, 6, 12, 24, 60), "week": (1, 2, 4, 13, 26, 52, 104)}  # between marks, where the unit has such


def survival(curves: Mapping[str, Sequence[Entry]], across: str, legend: str, unit: str = "") -> Figure:
    """A colour for each curve (name -> its points in time). Where steps were suppressed a curve is the area between
    its two bounds; the light area is the band. Below: the people at risk after each marked time. `unit`: that of the
    time, as the dictionaries have it.
    """
    made = figure(7.4, 4.3 + 0.24 * len(curves))
    top, below = made.subplots(2, 1, sharex=True, height_ratios=[4.0, 0.3 + 0.26 * len(curves)])
    last = max(float(points[-1].labels["time"]) for points in curves.values())
    for turn, (name, points) in enumerate(curves.items()):
        _curve(top, points, PALETTE[turn % len(PALETTE)], label(name))
    quiet(top, grid="y", left=True)
    top.set_ylim(0, 1.02)
    top.set_xlim(0, last)
    top.set_ylabel("survival")
    bounded = any(is_suppressed(point.figures.get("survival")) for points in curves.values() for point in points)
    said = "light: 95 % band" + (
        "; between two lines: where the curve lies, as steps were suppressed" if bounded else ""
    )
    top.set_title(said, fontsize=8.5, color=QUIET, loc="left", pad=4)
    if len(curves) > 1:
        top.legend(title=label(legend), frameon=False, fontsize=9, title_fontsize=9, loc="best")
    _at_risk(below, curves, last, unit)
    below.set_xlabel(label(f"{across} ({unit})" if unit else across))
    return made


def _curve(axes: Axes, points: Sequence[Entry], colour: str, name: str) -> None:
    times = [0.0]
    least, most = [1.0], [1.0]
    for point in points:
        low, high = bounds(point.figures.get("survival"))
        if low is None or high is None:
            break
        times.append(float(point.labels["time"]))
        least.append(low)
        most.append(high)
    axes.step(times, most, where="post", color=colour, linewidth=1.8, label=name, zorder=3)
    axes.step(times, least, where="post", color=colour, linewidth=1.8, zorder=3)
    axes.fill_between(times, least, most, step="post", color=colour, alpha=0.4, linewidth=0, zorder=2)
    band = [(0.0, 1.0, 1.0)]
    for point in points:
        lower, upper = (bounds(point.figures.get(end))[0] for end in ("lower", "upper"))
        low, high = bounds(point.figures.get("survival"))
        if lower is None and high == 1:  # before the first event there is no variance
            lower, upper = low, high
        if lower is None or upper is None:
            break
        band.append((float(point.labels["time"]), lower, upper))
    at, lowers, uppers = zip(*band, strict=True)
    axes.fill_between(at, lowers, uppers, step="post", color=colour, alpha=0.15, linewidth=0, zorder=1)


def _marks(times: Sequence[float], unit: str) -> list[float]:
    """Round times that are points of the grid; where it has few of them, every so many points."""
    last = times[-1]
    steps = _STEPS.get(unit.strip().lower().rstrip("s"), ())
    power = 10.0 ** math.floor(math.log10(last / _TICKS))
    step = next((one for one in (*steps, power, 2 * power, 5 * power, 10 * power) if last / one <= _TICKS), last)
    known = set(times)
    found = [mark for k in range(int(last / step * (1 + 1e-9)) + 1) if (mark := float(k * step)) in known]
    return found if len(found) > _TICKS // 2 else list(times[:: max(1, math.ceil((len(times) - 1) / _TICKS))])


def _at_risk(axes: Axes, curves: Mapping[str, Sequence[Entry]], last: float, unit: str) -> None:
    times = [0.0, *(float(point.labels["time"]) for point in next(iter(curves.values())))]
    shown = _marks(times, unit)
    for turn, points in enumerate(curves.values()):
        y = len(curves) - 1 - turn
        for time in shown:
            place = times.index(time)
            if place < len(points):  # beyond the last time nothing is told
                value: Any = points[place].figures.get("at_risk")
                axes.text(
                    time,
                    y,
                    printed(value),
                    ha="left" if time == 0 else "center",
                    va="center",
                    fontsize=8.5,
                    color=PALETTE[turn % len(PALETTE)] if len(curves) > 1 else INK,
                )
    axes.set_yticks(
        [float(len(curves) - 1 - t) for t in range(len(curves))], [label(n) if n else "all" for n in curves]
    )
    axes.set_ylim(-0.6, len(curves) - 0.4)
    axes.set_xticks(shown, [f"{time:g}" for time in shown])
    axes.set_xlim(0, last)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.tick_params(axis="y", pad=12)
    axes.set_title("number at risk after that time", fontsize=8.5, color=QUIET, loc="left", pad=2)
