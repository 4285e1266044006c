"""What all pictures share: colours, an empty figure, quiet axes, numbers beside marks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from cinque.errors import Unavailable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#1d1d1b"
QUIET: Final = "#6f777b"
FAINT: Final = "#e4e7e8"
BLUE: Final = "#0072b2"  # of the palette of Okabe and Ito (2008), as are the others
PALETTE: Final = (BLUE, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
_FINE: Final = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)  # of a log axis
WORDS: Final = 34  # characters of a label; more are cut


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

    return Picture(figsize=(width, min(height, 40.0)), layout="constrained")


def label(text: Any) -> str:
    """Somebody's words on a picture: in one line, and never read as mathematics."""
    from cinque.crate.wording import short

    words = short(str(text))
    return (words if len(words) <= WORDS else words[: WORDS - 1] + "…").replace("$", r"\$")


def quiet(axes: Axes, *, grid: str = "x", left: bool = False) -> None:
    """No frame, a faint grid behind the marks."""
    for side in ("top", "right") if left else ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET)
    axes.grid(axis=grid, color=FAINT, linewidth=0.8)  # type: ignore[arg-type]  # "x", "y" or "both"
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9, length=0 if not left else 3)
    axes.xaxis.label.set_fontsize(9.5)
    axes.yaxis.label.set_fontsize(9.5)


def title(axes: Axes, text: str) -> None:
    """Above the axes, to the left."""
    axes.set_title(label(text) if len(text) <= WORDS else text, fontsize=10, color=INK, loc="left")


def beside(axes: Axes, places: Sequence[float], texts: Sequence[str]) -> None:
    """Numbers to the right of the axes, one at each place."""
    right = axes.secondary_yaxis("right")
    right.set_yticks(list(places), list(texts))
    right.tick_params(axis="y", length=0, labelsize=9, colors=INK)
    right.spines["right"].set_visible(False)


def ratios(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis from `low` to `high` with plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    for marks in (_FINE, (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0,)):
        ticks = [m * 10.0**d for d in decades for m in marks if low <= m * 10.0**d <= high]
        if len(ticks) <= 8:
            break
    if len(ticks) < 2:  # everything within one mark and the next
        span = math.log(high / low)
        ticks = [float(f"{low * math.exp(span * part):.3g}") for part in (0.1, 0.5, 0.9)]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(low, high)


def interval(shown: Callable[[float], float], value: float, ends: tuple[float, float]) -> str:
    """`1.20 (0.90 to 1.60)`: all with as many decimals as the width of the interval deserves."""
    low, high = shown(ends[0]), shown(ends[1])
    return f"{written(shown(value), high - low)} ({between((low, high))})"


def between(ends: tuple[float, float]) -> str:
    """`0.90 to 1.60`."""
    return " to ".join(written(end, ends[1] - ends[0]) for end in ends)


def written(value: float, width: float) -> str:
    """A number beside a mark, of an interval of that width."""
    places = max(2, 1 - math.floor(math.log10(width))) if 0 < width < math.inf else 2
    return f"{value:.1e}" if places > 5 or abs(value) >= 1e5 else f"{value:.{places}f}"


def exponential(value: float) -> float:
    """exp, as far as numbers go."""
    return math.exp(min(value, 700.0))
