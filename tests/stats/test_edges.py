"""Ranges are divided inside themselves, and values are placed at the ends of their ranges."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cinque.stats.edges import cuts, parts
from cinque.stats.quantiles import at, positions

GRID = (0, 1000)


@given(
    edges=st.lists(st.integers(0, 1000), max_size=8, unique=True).map(sorted),
    counts=st.lists(st.integers(0, 5000), min_size=9, max_size=9),
    fewest=st.integers(0, 5000),
)
def test_edges_are_new_inside_the_range_and_come_to_an_end(edges: list[int], counts: list[int], fewest: int) -> None:
    gaps = parts((None, None), edges)
    for place, (low, high) in enumerate(gaps):
        seen = []
        for tried in range(40):
            found = cuts(place, gaps, counts[: len(gaps)], GRID, tried, fewest)
            if not found:
                break
            assert all(a < b for a, b in pairwise(found))
            assert all(0 <= e <= 1000 and (low is None or low < e) and (high is None or e < high) for e in found)
            seen.append(found)
        else:
            raise AssertionError("never left alone")
        assert len(set(seen)) == len(seen)
        assert seen or (low is not None and high == low + 1) or (low, high) in ((None, 0), (1000, None))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.floats(0.001, 0.999))
def test_between_the_ends_lies_the_quantile_of_numpy(values: list[int], p: float) -> None:
    edges = [5, 10, 20, 30]
    gaps = parts((None, None), edges)
    counts = np.histogram(values, [-1, *edges, 100])[0].tolist()
    low, high = positions(Fraction(repr(p)), len(values), (0, 0))
    assert low == high
    truth = float(np.quantile(values, p))
    below, above = at(low, gaps, counts, upper=False), at(low, gaps, counts, upper=True)
    assert below is None or below <= truth + 1e-9
    assert above is None or above >= truth - 1e-9


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=40),
    st.lists(st.integers(-50, 90), max_size=10),
    st.floats(0.001, 0.999),
)
def test_people_of_whom_nothing_is_known_may_be_anywhere(known: list[int], unknown: list[int], p: float) -> None:
    gaps = [(value, value + 1) for value in range(41)]
    counts = [known.count(value) for value in range(41)]
    low, high = positions(Fraction(repr(p)), len(known), (0, 10))
    truth = float(np.quantile([*known, *unknown], p))
    below = at(low, gaps, counts, upper=False)
    above = None if high is None else at(high, gaps, counts, upper=True)
    assert below is None or below <= truth + 1e-9
    assert above is None or above >= truth - 1e-9
