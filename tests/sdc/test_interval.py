"""Sums over released figures."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.errors import Refused
from cinque.sdc.interval import add, bounds_of


def hidden(low: float | None, high: float | None) -> dict[str, Any]:
    return {"suppressed": True, "at_least": low, "at_most": high}


@pytest.mark.parametrize(
    ("figures", "total"),
    [
        ([], 0),
        ([5, 7], 12),
        ([5, hidden(0, 9)], hidden(5, 14)),
        ([hidden(1, 9), hidden(0, 9), 100], hidden(101, 118)),
        ([5, hidden(3, None)], hidden(8, None)),
        ([hidden(None, None), 1.5], hidden(None, None)),
        ([hidden(4, 4)], hidden(4, 4)),  # suppressed stays said, even where it is known
        ([0.1] * 10, 1.0),
        ([2**60, 1], 2**60 + 1),
    ],
)
def test_sums(figures: list[Any], total: Any) -> None:
    assert add(figures) == total


@pytest.mark.parametrize(
    "figure",
    [
        None, True, "5", [5], math.nan, math.inf, {}, {"suppressed": True}, {"suppressed": False}, hidden(9, 0),
        hidden(math.nan, None), hidden(0, True), {**hidden(0, 9), "value": 3},
    ],
)  # fmt: skip
def test_what_is_not_a_released_figure_is_refused(figure: Any) -> None:
    with pytest.raises(Refused, match="released figure"):
        add([1, figure])


members = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)).map(sorted).map(tuple), max_size=6
)


@given(members, st.randoms(use_true_random=False))
def test_the_true_total_lies_within_in_any_order(members: list[tuple[int, int, int]], random: Any) -> None:
    figures = [hidden(low, high) if low < high else low for low, _, high in members]
    total = add(figures)
    low, high = bounds_of(total)
    assert low is not None
    assert high is not None
    assert low <= sum(truth for _, truth, _ in members) <= high
    random.shuffle(figures)
    assert add(figures) == total
