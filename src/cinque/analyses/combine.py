"""Combining what the members of a session released. Their partials are other institutions' bytes: read with care."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from cinque.analyses.analysis import Exactness, History, Released
from cinque.analyses.factors import malformed
from cinque.sdc.figures import is_suppressed
from cinque.sdc.interval import add, bounds_of

Members = list[tuple[str, Released]]


def members_of(history: History, round: int = 1) -> Members:
    """TRE id and what it released in this round (counted from 1), sorted by id: no result depends on arrival."""
    return sorted(history[round - 1].items())


def one_round(history: History) -> Members:
    """The members of an analysis that has one round only. Raises Refused for any other history."""
    if len(history) != 1:
        raise malformed()
    return members_of(history)


def exact_ids(released: Released, ids: Collection[str]) -> None:
    """Raises Refused unless these and no other figures were released."""
    if released.figures.keys() != set(ids):
        raise malformed()


def count(released: Released, id: str) -> Any:
    """A released count: a whole number, or the suppressed form with bounds. Raises Refused for anything else."""
    value = released.figures.get(id)
    if type(value) is int and value >= 0:
        return value
    sides = bounds_of(value)
    if any(side is not None and (not isinstance(side, int) or side < 0) for side in sides):
        raise malformed()
    return value


def total(members: Iterable[Released], id: str) -> Any:
    """A count over all members that have it; 0 when none has, as for a level that nobody declares."""
    counts = [count(released, id) for released in members if id in released.figures]
    return sum(counts) if all(type(each) is int for each in counts) else add(counts)


def exactness(members: Members) -> Exactness:
    """`exact` where no figure of any member was suppressed. That no TRE is missing, and that nobody is in the data of
    two TREs, is for the reader of the answer to know."""
    suppressed = any(is_suppressed(figure) for _, released in members for figure in released.figures.values())
    return "bounded" if suppressed else "exact"
