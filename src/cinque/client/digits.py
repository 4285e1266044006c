"""How figures are printed: one by itself, several that are read together, p-values, intervals, suppressed ones.

Numbers of one column, or of one line, have as many decimals as the smallest of them needs. More digits than a reader
compares are noise; whoever computes takes the values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cinque.crate.wording import short

TINY: Final = 2.2e-16  # below it R prints no p-value
_ALONE = 6  # significant digits of a number that stands by itself
_DIGITS = 4  # significant digits of the smallest number of several
_MOST: Final = 8  # decimals
_WIDEST = 8  # significant digits that the largest of them may have for the sake of the smallest
_INTERVALS: Final = ("ci", "confint", "interval", "prediction")


def figure(value: Any) -> str:
    """A figure by itself: 1,844 · 61.25 · `a..b` or `<t` where it was suppressed · – where there is nobody."""
    return _printed(value, _real)


def figures(values: Sequence[Any], name: str = "") -> list[str]:
    """Figures of one `name` that are read together: as many decimals each, p-values and intervals as such."""
    if is_p(name):
        return [_printed(value, p_value) for value in values]
    places = decimals(values)
    joined = " to " if is_interval(name) else ", "
    return [_printed(value, lambda number: fixed(number, places), joined) for value in values]


def is_p(name: str) -> bool:
    """Whether figures of this name are p-values."""
    return name.replace(".", " ").replace("_", " ").split()[-1:] == ["p"]


def is_interval(name: str) -> bool:
    """Whether figures of this name are the two ends of an interval."""
    return name.replace(".", " ").replace("_", " ").split()[-1:] in [[one] for one in _INTERVALS]


def p_value(p: float) -> str:
    """A p-value: three digits, or below what can be told from 0."""
    return "<2e-16" if p < TINY else f"{p:.3g}"


def decimals(values: Sequence[Any]) -> int | None:
    """How many decimals the real numbers of these are printed with; None where one number of them does not serve."""
    known = [abs(number) for value in values for number in _reals(value) if number]
    if not known:
        return 0
    least, most = (math.floor(math.log10(end(known))) for end in (min, max))
    if most - least >= _WIDEST - 1 or most > _WIDEST or least < -_WIDEST:
        return None
    wanted = max(1, min(_DIGITS - 1 - least, _WIDEST - 1 - most))
    return next((places for places in range(wanted) if all(_same(number, places) for number in known)), wanted)


def error_decimals(values: Mapping[str, Any]) -> int | None:
    """Decimals that give the smallest standard error three digits; None where the errors are too far apart."""
    known = [error for error in (values.get("se") or {}).values() if isinstance(error, int | float) and error]
    if not known:
        return decimals(list(values["coef"].values()))
    places = max(2, 2 - math.floor(math.log10(min(known))))
    return places if places <= _MOST else None


def fixed(number: float, places: int | None) -> str:
    """A real number with so many decimals."""
    if places is None or abs(number) >= 10.0 ** (_WIDEST + 1):
        return f"{number:.{_DIGITS}g}"
    return f"{number:,.{places}f}"


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]], labels: int = 1) -> Iterator[str]:
    """Columns of text: labels to the left, figures to the right."""
    cells = [[short(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    for row in cells:
        yield "  ".join(
            cell.ljust(width) if place < labels else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()


def _same(number: float, places: int) -> bool:
    """Whether nothing is lost with so few decimals."""
    return math.isclose(round(number, places), number, rel_tol=1e-12)


def _reals(value: Any) -> Iterator[float]:
    if isinstance(value, float) and math.isfinite(value):
        yield value
    elif isinstance(value, Mapping):
        yield from (end for key in ("at_least", "at_most") for end in _reals(value.get(key)))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _reals(item)


def _real(number: float) -> str:
    return f"{number:,.{_ALONE}g}"


def _printed(value: Any, real: Any, joined: str = ", ") -> str:
    if isinstance(value, Mapping) and value.get("suppressed") is True:
        return _bounds(value.get("at_least"), value.get("at_most"), real)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return str(real(value)) if math.isfinite(value) else ("-Inf" if value < 0 else "Inf")
    if isinstance(value, list | tuple):
        return joined.join(_printed(item, real, joined) for item in value)
    return short(str(value))


def _bounds(at_least: Any, at_most: Any, real: Any) -> str:
    def one(end: Any) -> str:
        return _printed(end, real)

    if at_most is None:
        # A count of nobody or more is what is known of any.
        return (
            "suppressed" if at_least is None or (at_least == 0 and isinstance(at_least, int)) else f"≥{one(at_least)}"
        )
    if at_least is None or (at_least == 0 and isinstance(at_most, int)):
        return f"<{one(at_most + 1)}" if isinstance(at_most, int) else f"≤{one(at_most)}"
    return f"{one(at_least)}..{one(at_most)}"
