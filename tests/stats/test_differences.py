"""Standardised differences, against their definitions written in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.stats.differences import difference_of_means, difference_of_shares

COUNTS = st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=2, max_size=6)


def test_of_means() -> None:
    """Austin (2009): 0.2 spreads apart is 0.2."""
    assert difference_of_means(10.0, 4.0, 10.4, 4.0) == pytest.approx(0.2)
    assert difference_of_means(1.0, 9.0, 4.0, 1.0) == pytest.approx(3 / np.sqrt(5))
    assert difference_of_means(1.0, 0.0, 1.0, 0.0) == 0.0
    assert difference_of_means(1.0, 0.0, 2.0, 0.0) is None


def test_of_two_shares() -> None:
    """Austin (2009), for a yes or no: |p - q| / sqrt((p(1 - p) + q(1 - q)) / 2)."""
    p, q = 0.3, 0.45
    expected = abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert difference_of_shares([30, 70], [90, 110]) == pytest.approx(expected)
    assert difference_of_shares([70, 0, 30], [110, 0, 90]) == pytest.approx(expected)


@given(COUNTS)
def test_of_several_shares(counts: list[tuple[int, int]]) -> None:
    """Yang and Dalton (2012), by numpy's inverse; whichever level is left out."""
    one, other = np.array(counts).T
    p, q = one / one.sum(), other / other.sum()
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    gap = (p - q)[1:]
    expected = np.sqrt(gap @ np.linalg.solve(covariance[1:, 1:], gap))
    assert difference_of_shares(one.tolist(), other.tolist()) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert difference_of_shares(one.tolist()[::-1], other.tolist()[::-1]) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_of_nobody_and_of_all_alike() -> None:
    assert difference_of_shares([0, 0], [3, 4]) is None
    assert difference_of_shares([5], [7]) == 0.0
    assert difference_of_shares([5, 0], [0, 7]) is None
