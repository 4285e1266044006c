"""Shares of counts that may be known between bounds only."""

from __future__ import annotations

from typing import Any

from cinque.sdc.figures import Bounds, is_suppressed
from cinque.sdc.interval import bounds_of


def percent(part: Any, whole: Any) -> Any:
    """100 x part / whole: a number where both are; None of nobody; otherwise the suppressed form with the bounds that
    follow. Raises Refused for what is no figure.
    """
    low, high = bounds_of(part)
    least, most = bounds_of(whole)
    if not is_suppressed(part) and not is_suppressed(whole) and low is not None:
        return 100.0 * low / least if least else None
    at_least = 100.0 * low / most if low is not None and most else None
    at_most = min(100.0, 100.0 * high / least) if high is not None and least else None
    return Bounds(at_least, at_most).to_dict()
