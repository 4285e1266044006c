"""Effects of an exposure on an event from four counts, with their standard errors, for pooling over TREs.

A table is [[a, b], [c, d]]: the first row the unexposed, the second the exposed; the first column people without the
event, the second with it (as cmh takes its levels). Where a count is 0, one half is added to all four (as
metafor's escalc does); a table in which a row or a column is empty tells nothing of the effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from cinque.errors import Refused

MEASURES: Final = {"or": "log odds ratio", "rr": "log risk ratio", "rd": "risk difference"}


def effect(table: Sequence[Sequence[Any]], measure: str) -> tuple[float, float] | None:
    """The effect and its standard error: `or` Woolf's log odds ratio, `rr` the log risk ratio, `rd` the difference of
    risks. None for a table that tells nothing. Raises Refused("two-by-two-input") for anything but four counts, a
    suppressed count among them, and for a measure that there is not.
    """
    if measure not in MEASURES:
        names = ", ".join(f"{name} ({words})" for name, words in MEASURES.items())
        raise Refused("two-by-two-input", f"There is no measure `{measure}`.", remedy=f"Choose one of: {names}.")
    a, b, c, d = _counts(table)
    if 0 in (a + b, c + d, a + c, b + d):
        return None
    if 0 in (a, b, c, d):
        a, b, c, d = a + 0.5, b + 0.5, c + 0.5, d + 0.5
    unexposed, exposed = a + b, c + d
    if measure == "or":
        return math.log(a * d / (b * c)), math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    if measure == "rr":
        return math.log(d / exposed / (b / unexposed)), math.sqrt(1 / d - 1 / exposed + 1 / b - 1 / unexposed)
    return d / exposed - b / unexposed, math.sqrt(c * d / exposed**3 + a * b / unexposed**3)


def _counts(table: Sequence[Sequence[Any]]) -> tuple[float, float, float, float]:
    try:
        (a, b), (c, d) = table
    except (TypeError, ValueError):
        raise Refused("two-by-two-input", "A table of two by two is two rows of two counts.") from None
    for count in (a, b, c, d):
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise Refused(
                "two-by-two-input",
                "Each of the four counts is a whole number of people; bounds are no count.",
                remedy="Leave out a TRE that suppressed one of its counts.",
            )
    return a, b, c, d
