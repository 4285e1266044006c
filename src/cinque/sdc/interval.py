"""Arithmetic of released figures: numbers, and the suppressed form with its bounds. Used where answers are combined.

What is not known stays said: a sum over a suppressed figure is a suppressed figure whose bounds are the sums of bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from cinque.errors import Refused
from cinque.sdc.figures import Bounds, is_suppressed

Number = int | float
Side = Number | None


def bounds_of(figure: Any) -> tuple[Side, Side]:
    """Between what the figure lies; a number lies between itself and itself; None: no bound on that side.

    Raises Refused for what is neither a finite number nor the suppressed form: a released crate is another's bytes.
    """
    if is_suppressed(figure) and figure.keys() == {"suppressed", "at_least", "at_most"}:
        low, high = figure["at_least"], figure["at_most"]
        if all(side is None or _is_number(side) for side in (low, high)) and (
            low is None or high is None or low <= high
        ):
            return low, high
    elif _is_number(figure):
        return figure, figure
    raise Refused("figure-malformed", "A released figure is neither a number nor a suppressed figure with its bounds.")


def add(figures: Iterable[Any]) -> Any:
    """The sum: a number when every figure is one, otherwise the suppressed form. Independent of the order: whole
    numbers add exactly, others with one rounding (math.fsum). Raises Refused as bounds_of.
    """
    members = list(figures)
    sides = [bounds_of(figure) for figure in members]
    low, high = _total(low for low, _ in sides), _total(high for _, high in sides)
    return Bounds(low, high).to_dict() if any(is_suppressed(figure) for figure in members) else low


def _total(sides: Iterable[Side]) -> Side:
    terms: list[Number] = []
    for side in sides:
        if side is None:
            return None
        terms.append(side)
    return sum(terms) if all(isinstance(term, int) for term in terms) else math.fsum(terms)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
