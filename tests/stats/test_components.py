"""Whom a sum is a sum over: found in a stream as by looking at everybody at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.stats.components import CEILING, SAMPLE, Components
from tests.stats.arrays import Array


def streamed(parts: Array, batch: int) -> Components:
    found = Components(parts.shape[1])
    for start in range(0, len(parts), batch):
        found.add(parts[start : start + batch])
    return found


def looked_at(parts: Array) -> tuple[list[int], list[float]]:
    """The same of one column after another, with everybody at hand."""
    differing, remainder = [], []
    for column in parts.T:
        values, counts = np.unique(column, return_counts=True)
        mode = values[np.argmax(counts)]
        differing.append(int(np.count_nonzero(column != mode)))
        sizes = [np.sort(np.abs(column - origin))[::-1] for origin in (mode, 0.0)]
        remainder.append(min(float(each[2:].sum() / each[0]) if each[0] else np.inf for each in sizes))
    return differing, remainder


@pytest.mark.parametrize("people", [0, 1, 2, 50, SAMPLE - 1, SAMPLE, SAMPLE + 1, 5_000])
@pytest.mark.parametrize("batch", [1, 7, 10_000])
def test_a_stream_finds_what_one_look_finds(people: int, batch: int) -> None:
    if people * batch > 2_000_000 or (people == 5_000 and batch == 1):
        pytest.skip("slow and no different")
    generator = np.random.default_rng(people)
    parts = np.column_stack(
        [
            generator.integers(0, 2, people),  # a balanced indicator
            np.r_[np.zeros(max(people - 3, 0)), np.ones(min(people, 3))],  # a mask on the last three
            np.full(people, 4.25),  # nobody differs
        ]
    ).astype(float)
    found = streamed(parts, batch)
    if people:
        differing, remainder = looked_at(parts)
        assert found.differing().tolist() == differing
        np.testing.assert_allclose(found.remainder(), remainder)
    else:
        assert found.differing().tolist() == [0, 0, 0]


@given(st.integers(1, 40), st.integers(0, 3), st.sampled_from([0.0, 1.0, -2.5]), st.randoms(use_true_random=False))
def test_fewer_than_a_threshold_differ_exactly_when_the_stream_says_so(threshold, hidden, common, random) -> None:  # type: ignore[no-untyped-def]
    """However the few lie among the many, as long as the threshold is under the ceiling."""
    few = [common + 1 + i for i in range(threshold - 1 + hidden)]
    column = few + [common] * (SAMPLE + 100)
    random.shuffle(column)
    found = streamed(np.array(column)[:, None], 64)
    assert (found.differing()[0] < threshold) == (len(few) < threshold)


def test_where_no_value_is_common_the_count_is_never_too_large_for_a_threshold() -> None:
    """The commonest part of the sample may be another than that of all: then at least CEILING differ from either."""
    column = np.r_[np.zeros(SAMPLE // 2 + 1), np.ones(5_000)][:, None]
    found = streamed(column, 100)
    assert found.differing()[0] >= CEILING


def test_one_person_who_carries_all_is_seen() -> None:
    parts = np.r_[np.zeros(500), np.full(500, 1.0), [1e6]][:, None]
    assert streamed(parts, 100).remainder()[0] == pytest.approx((500 - 1) / 1e6)


@pytest.mark.parametrize("place", [0, 300, 5_000])
@pytest.mark.parametrize("size", [-1e6, 1e6])
def test_an_outlier_is_not_taken_for_the_commonest_part(place: int, size: float) -> None:
    """Where no part is common, the smallest is as common as any: the outlier's own, if it is below 0."""
    parts = np.random.default_rng(8).normal(size=(6_000, 1))
    parts[place] = size
    assert streamed(parts, 100).remainder()[0] < 0.1
