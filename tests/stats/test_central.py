"""Central moments in a stream, and whom they tell of: as one look at everybody finds them."""

from __future__ import annotations

import numpy as np
import pytest

from cinque.stats.central import Central
from tests.stats.arrays import Array


def streamed(values: Array, batch: int, mean: float | None = None, order: int = 4) -> Central:
    found = Central(float(values.mean()) if mean is None else mean, order)
    for start in range(0, len(values), batch):
        found.add(values[start : start + batch])
    return found


@pytest.mark.parametrize("batch", [1_000, 40_000])
@pytest.mark.parametrize("off", [0.0, 1e-3])
def test_third_and_fourth_moment_of_a_long_stream(batch: int, off: float) -> None:
    values = 1e6 + np.random.default_rng(1).gamma(2.0, 3.0, 60_000)
    away = values - values.mean()
    found = streamed(values, batch, float(values.mean()) + off)
    assert found.rows == 60_000
    assert found.higher() == pytest.approx((np.sum(away**3), np.sum(away**4)), rel=1e-8)


@pytest.mark.parametrize("place", [3, 300, 50_000])
def test_in_a_long_stream_as_in_a_short_one_few_are_few(place: int) -> None:
    mask = np.zeros(60_000)
    mask[place : place + 4] = 1.0
    tail = np.random.default_rng(2).normal(size=60_000)
    tail[place] = 1e6
    for values, told in ((mask, "differing"), (tail, "remainder")):
        found = streamed(values, 10_000)
        every = found.evidence(lambda values=values: iter(np.split(values, 6)))  # type: ignore[misc]
        assert len(every) == 4
        assert all(one.differing == 4 for one in every) == (told == "differing")
        assert all(one.remainder < 0.1 for one in every) == (told == "remainder")
        assert {one.smallest for one in every} == {4 if told == "differing" else None}


@pytest.mark.parametrize(
    ("order", "values", "smallest"),
    [
        (4, 5, [None, None, 12, 12]),
        (4, 9, [None, None, None, 6]),
        (4, 20, [None] * 4),
        (2, 3, [None, 20]),
        (2, 2, [30, 30]),
    ],
)
def test_few_values_are_those_that_the_moments_so_far_tell(order: int, values: int, smallest: list[int | None]) -> None:
    found = streamed(np.repeat(np.arange(float(values)), 60 // values), 7, order=order)
    assert [one.smallest for one in found.evidence(lambda: ())] == smallest


def test_people_at_a_value_are_counted_once() -> None:
    found = Central(0.5, 2, several=True)
    found.add(np.array([0.0, 0.0, 1.0, 1.0, 1.0, 0.0]), np.array([0, 3, 5]))
    found.add(np.array([1.0, 1.0]), np.array([0]))
    assert {one.smallest for one in found.evidence(lambda: ())} == {2}  # 0: two people, 1: three


def test_moments_beyond_a_double_are_an_overflow() -> None:
    with pytest.raises(OverflowError):
        streamed(np.array([1e100, -1e100, 0.0]), 10).higher()
