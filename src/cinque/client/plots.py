"""Pictures of answers: matplotlib figures without global state, legible in print and for the colour-blind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from cinque.errors import Unavailable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cinque.client.synthesis import Synthesis

INK: Final = "#1d1d1b"
QUIET: Final = "#6f777b"
BLUE: Final = "#0072b2"  # of the palette of Okabe and Ito (2008), as are the others
PALETTE: Final = (BLUE, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, which a notebook shows. Raises Unavailable without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise Unavailable(
            "no-matplotlib", "Pictures need matplotlib.", remedy="Install it: `pip install 'cinque[plots]'`."
        ) from None

    class Picture(Figure):
        """Shown by a notebook as it is, without pyplot and its list of open figures."""

        def _repr_png_(self) -> bytes:
            import io

            written = io.BytesIO()
            self.savefig(written, format="png", dpi=110)
            return written.getvalue()

    return Picture(figsize=(width, height), layout="constrained")


def forest(found: Synthesis, *, exponentiate: bool = False, reference: float | None = None) -> Figure:
    """Each TRE's effect with its 95 % interval, sized by its weight; the pooled effect as a diamond; under it, where
    there is one, the prediction interval. Numbers stand beside.
    """

    def shown(value: float) -> float:
        return math.exp(value) if exponentiate else value

    result, count = found.result, len(found.names)
    made = figure(7.2, 0.34 * (count + 2 + (result.prediction is not None)) + 1.1)
    axes = made.add_subplot()
    rows = list(range(count, 0, -1))
    for row, b, s, w in zip(rows, found.effects, found.ses, result.weights, strict=True):
        axes.plot([shown(b - 1.959964 * s), shown(b + 1.959964 * s)], [row, row], color=INK, linewidth=1.2, zorder=2)
        axes.scatter([shown(b)], [row], s=12 + 2.2 * w, marker="s", color=BLUE, zorder=3)
    low, high = (shown(side) for side in result.ci)
    middle = shown(result.estimate)
    axes.fill([low, middle, high, middle], [0, 0.28, 0, -0.28], color=PALETTE[1], zorder=3)
    labels = [*found.names, "pooled"]
    places = [*rows, 0]
    texts = [
        _interval(shown, b, (b - 1.959964 * s, b + 1.959964 * s)) for b, s in zip(found.effects, found.ses, strict=True)
    ]
    texts.append(_interval(shown, result.estimate, result.ci))
    if result.prediction is not None:
        axes.plot([shown(side) for side in result.prediction], [-1, -1], color=PALETTE[1], linewidth=2.4, zorder=2)
        labels.append("prediction")
        places.append(-1)
        texts.append(f"{_number(shown(result.prediction[0]))} to {_number(shown(result.prediction[1]))}")
    none = reference if reference is not None else (1.0 if exponentiate else 0.0)
    axes.axvline(none, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    if exponentiate:
        _ratios(axes)
    axes.set_yticks(places, labels)
    axes.set_ylim(min(places) - 0.7, count + 0.7)
    axes.set_xlabel(f"{found.label}{' (ratio, 95 % interval)' if exponentiate else ' (95 % interval)'}")
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(places, texts)
    beside.tick_params(length=0)
    for each in (axes, beside):
        each.tick_params(axis="y", length=0, labelsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    beside.spines["right"].set_visible(False)
    axes.set_title(
        f"I² {result.I2:.0f} %, τ² {result.tau2:.3g}, Q {result.Q:.3g} on {result.df} df", fontsize=9, color=QUIET
    )
    return made


def _ratios(axes: Axes) -> None:
    """A logarithmic axis with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _interval(shown: Any, value: float, ends: tuple[float, float]) -> str:
    return f"{_number(shown(value))} ({_number(shown(ends[0]))} to {_number(shown(ends[1]))})"


def _number(value: float) -> str:
    return f"{value:.2f}" if 0.005 <= abs(value) < 1_000 or value == 0 else f"{value:.2e}"
