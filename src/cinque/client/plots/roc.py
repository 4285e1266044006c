"""ROC curves with the area in which they certainly run, and calibration beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cinque.client.plots.style import BLUE, INK, PALETTE, QUIET, figure, label, quiet, title
from cinque.client.records import bounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]


def roc(values: Mapping[str, Any], by_tre: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The curve of all, of each TRE too where these are given; calibration to the right where it is known."""
    groups = values["calibration"]
    made = figure(9.4 if groups else 4.9, 4.7)
    every = made.subplots(1, 2 if groups else 1, squeeze=False)[0]
    _curves(every[0], values, by_tre)
    if groups:
        _calibration(every[1], values, groups)
    return made


def middle(points: Sequence[Mapping[str, Any]]) -> list[Point]:
    """(1 - specificity, sensitivity) from the highest threshold to the lowest, between the two corners. What is not
    known is taken as evenly spread between what is, as far as its bounds allow: as the area is."""
    boxes = [((0.0, 0.0), (0.0, 0.0)), *_boxes(points), ((1.0, 1.0), (1.0, 1.0))]
    across, up = (_even([box[axis] for box in boxes]) for axis in (0, 1))
    return list(zip(across, up, strict=True))


def _even(ends: Sequence[Point]) -> list[float]:
    known = [place for place, (low, high) in enumerate(ends) if low == high]
    found = []
    for place, (low, high) in enumerate(ends):
        before, after = max(k for k in known if k <= place), min(k for k in known if k >= place)
        share = (place - before) / (after - before) if after > before else 0.0
        found.append(min(max(ends[before][0] + share * (ends[after][0] - ends[before][0]), low), high))
    return found


def outline(points: Sequence[Mapping[str, Any]], *, tied: bool) -> list[tuple[Point, Point]]:
    """The area in which the curve runs, as rectangles (left and low, right and high). `tied`: between two thresholds
    all scores are equal, and the curve is straight."""
    boxes = [((0.0, 0.0), (0.0, 0.0)), *_boxes(points), ((1.0, 1.0), (1.0, 1.0))]
    if tied:
        return [((a, c), (b, d)) for (a, b), (c, d) in boxes if a < b or c < d]
    return [((before[0][0], before[1][0]), (after[0][1], after[1][1])) for before, after in pairwise(boxes)]


def _boxes(points: Sequence[Mapping[str, Any]]) -> list[tuple[Point, Point]]:
    """Of each point, from the highest threshold on, the ends of 1 - specificity and of sensitivity."""
    found = []
    for point in reversed(points):
        low, high = bounds(point["specificity"])
        least, most = bounds(point["sensitivity"])
        if low is None or high is None or least is None or most is None:
            continue
        found.append(((1 - high, 1 - low), (least, most)))
    return found


def _curves(axes: Axes, values: Mapping[str, Any], by_tre: Mapping[str, Mapping[str, Any]]) -> None:
    from matplotlib.patches import Rectangle

    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    for turn, (name, own) in enumerate(by_tre.items()):
        if own.get("points"):
            x, y = zip(*middle(own["points"]), strict=True)
            colour = PALETTE[1 + turn % (len(PALETTE) - 2)]
            axes.plot(x, y, color=colour, linewidth=1.1, label=f"{label(name)}  {own['auc']:.3f}")
    if not by_tre:
        for (left, low), (right, high) in outline(values["points"], tied=values["tied"]):
            axes.add_patch(
                Rectangle((left, low), right - left, high - low, facecolor=BLUE, alpha=0.18, linewidth=0, zorder=1)
            )
    x, y = zip(*middle(values["points"]), strict=True)
    axes.plot(x, y, color=BLUE, linewidth=2, zorder=3, label=f"all  {values['auc']:.3f}")
    quiet(axes, grid="both", left=True)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.set_xlabel("1 - specificity")
    axes.set_ylabel("sensitivity")
    title(axes, "ROC curve")
    if by_tre:
        axes.legend(title="area under it", frameon=False, fontsize=9, title_fontsize=9, loc="lower right")
        return
    said = f"AUC {values['auc']:.3f}"
    if values["confint"] is not None:
        said += " ({:.3f} to {:.3f})".format(*values["confint"])
    if values["auc_low"] < values["auc_high"]:
        said += f"\nfor certain {values['auc_low']:.3f} to {values['auc_high']:.3f}"
    axes.annotate(
        said, (0.98, 0.04), xycoords="axes fraction", ha="right", va="bottom", fontsize=9, color=INK, linespacing=1.4
    )


def _calibration(axes: Axes, values: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]) -> None:
    known = [group for group in groups if group["people"]]
    most = min(1.0, 1.06 * max(max(group["mean_predicted"], group["upper"]) for group in known))
    axes.plot([0, most], [0, most], color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    for group in known:
        x = group["mean_predicted"]
        axes.plot([x, x], [group["lower"], group["upper"]], color=INK, linewidth=1.2, zorder=2)
    axes.scatter(
        [group["mean_predicted"] for group in known],
        [group["observed"] for group in known],
        s=38,
        color=BLUE,
        zorder=3,
    )
    quiet(axes, grid="both", left=True)
    axes.set_xlim(0, most)
    axes.set_ylim(0, most)
    axes.set_aspect("equal")
    axes.set_xlabel("predicted (mean of the group)")
    axes.set_ylabel("observed (95 % interval)")
    title(axes, "Calibration")
    said = [f"Brier {values['brier']:.3f}"]
    if values["oe"] is not None:
        said.insert(0, f"observed / expected {values['oe']:.2f}")
    axes.annotate(
        "\n".join(said),
        (0.98, 0.04),
        xycoords="axes fraction",
        ha="right",
        va="bottom",
        fontsize=9,
        color=INK,
        linespacing=1.4,
    )
