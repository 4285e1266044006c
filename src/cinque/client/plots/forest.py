"""Forest plots: TREs' effects and the pooled one; the coefficients of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cinque.client.plots.style import (
    BLUE,
    INK,
    PALETTE,
    QUIET,
    beside,
    between,
    exponential,
    figure,
    interval,
    label,
    quiet,
    ratios,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cinque.client.synthesis import Synthesis

_HALF = 1.959963984540054


def forest(found: Synthesis, *, exponentiate: bool = False, reference: float | None = None) -> Figure:
    """Each TRE's effect with its 95 % interval, sized by its weight; the pooled effect as a diamond; under it, where
    there is one, the prediction interval. Numbers stand beside.
    """

    def shown(value: float) -> float:
        return exponential(value) if exponentiate else value

    result, count = found.result, len(found.names)
    made = figure(7.4, 0.34 * (count + 2 + (result.prediction is not None)) + 1.1)
    axes = made.add_subplot()
    rows = [float(row) for row in range(count, 0, -1)]
    ends = [(b - _HALF * s, b + _HALF * s) for b, s in zip(found.effects, found.ses, strict=True)]
    for row, b, (low, high), w in zip(rows, found.effects, ends, result.weights, strict=True):
        axes.plot([shown(low), shown(high)], [row, row], color=INK, linewidth=1.2, zorder=2)
        axes.scatter([shown(b)], [row], s=12 + 2.2 * w, marker="s", color=BLUE, zorder=3)
    left, right = (shown(side) for side in result.ci)
    middle = shown(result.estimate)
    axes.fill([left, middle, right, middle], [0, 0.28, 0, -0.28], color=PALETTE[1], zorder=3)
    labels, places = [*map(label, found.names), "pooled"], [*rows, 0.0]
    texts = [interval(shown, b, each) for b, each in zip(found.effects, ends, strict=True)]
    texts.append(interval(shown, result.estimate, result.ci))
    extent = [side for each in (*ends, result.ci) for side in each]
    if result.prediction is not None:
        low, high = result.prediction
        axes.plot([shown(low), shown(high)], [-1, -1], color=PALETTE[1], linewidth=2.4, zorder=2)
        labels.append("prediction")
        places.append(-1.0)
        texts.append(between((shown(low), shown(high))))
        extent += [low, high]
    _axes(axes, labels, places, texts, [shown(side) for side in extent], exponentiate, reference)
    axes.axhline(0.5, color=QUIET, linewidth=0.6)
    words = found.label.removeprefix("log ") if exponentiate else found.label
    ratio = "ratio, " if exponentiate and words == found.label else ""
    axes.set_xlabel(f"{label(words)} ({ratio}95 % interval)")
    axes.set_title(
        f"I² {result.I2:.0f} %, τ² {result.tau2:.3g}, Q {result.Q:.3g} on {result.df} df",
        fontsize=9,
        color=QUIET,
        loc="left",
    )
    return made


def coefficients(
    estimates: Mapping[str, tuple[float, float, float]], words: str, *, exponentiate: bool = False
) -> Figure:
    """A row for each term: its estimate and the ends of its 95 % interval. `words`: what the numbers are."""

    def shown(value: float) -> float:
        return exponential(value) if exponentiate else value

    count = len(estimates)
    made = figure(7.4, 0.36 * count + 1.15)
    axes = made.add_subplot()
    places = [float(row) for row in range(count, 0, -1)]
    texts = []
    for row, (value, low, high) in zip(places, estimates.values(), strict=True):
        axes.plot([shown(low), shown(high)], [row, row], color=BLUE, linewidth=1.6, zorder=2, solid_capstyle="butt")
        axes.scatter([shown(value)], [row], s=36, color=BLUE, zorder=3)
        texts.append(interval(shown, value, (low, high)))
    extent = [shown(side) for _, *ends in estimates.values() for side in ends]
    _axes(axes, [label(term) for term in estimates], places, texts, extent, exponentiate, None)
    axes.set_xlabel(f"{words} (95 % interval)")
    return made


def _axes(
    axes: Axes,
    labels: Sequence[str],
    places: Sequence[float],
    texts: Sequence[str],
    extent: Sequence[float],
    exponentiate: bool,
    reference: float | None,
) -> None:
    none = reference if reference is not None else (1.0 if exponentiate else 0.0)
    quiet(axes)
    axes.axvline(none, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    if exponentiate:
        ratios(axes, min(none, *extent) / 1.12, max(none, *extent) * 1.12)
    axes.set_yticks(list(places), list(labels))
    axes.set_ylim(min(places) - 0.7, max(places) + 0.7)
    beside(axes, places, texts)
