"""Moments over parts equal moments of the whole."""

from __future__ import annotations

import math
import random
import statistics
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from cinque.stats.moments import (
    NOTHING,
    Moments,
    adjusted_kurtosis,
    adjusted_skewness,
    confidence,
    from_released,
    kurtosis,
    merge,
    merge_all,
    of_values,
    sd,
    skewness,
    variance,
)

NIST = Path(scipy.__file__).parent / "stats/tests/data/nist_anova"


numbers = st.floats(-1e6, 1e6).map(lambda x: x + 0.0)
parts = st.lists(st.lists(numbers, max_size=20), min_size=1, max_size=10)


@given(parts)
def test_parts_merge_to_the_whole(parts: list[list[float]]) -> None:
    values = [x for part in parts for x in part]
    merged = merge_all(of_values(part) for part in parts)
    assert merged.n == len(values)
    if not values:
        assert merged == NOTHING
        return
    # In exact arithmetic, and to 1e-12 of the data's own size.
    exact = [Fraction(x) for x in values]
    mean = sum(exact) / len(exact)
    m2 = sum((x - mean) ** 2 for x in exact)
    size = max(map(abs, values))
    assert abs(merged.mean - float(mean)) <= 1e-12 * size
    assert abs(merged.m2 - float(m2)) <= 1e-12 * (float(m2) + len(values) * size * size * 1e-3)


@pytest.mark.parametrize("parts", range(2, 11))
def test_any_partition_gives_the_pooled_variance(parts: int) -> None:
    rng = random.Random(parts)
    values = [rng.gauss(120, 15) for _ in range(1000)]
    members = [of_values(values[k::parts]) for k in range(parts)]
    merged = merge_all(members)
    assert merged.mean == pytest.approx(statistics.fmean(values), rel=1e-12)
    assert variance(merged) == pytest.approx(float(np.var(np.array(values), ddof=1)), rel=1e-12)
    assert sd(merged) == pytest.approx(statistics.stdev(values), rel=1e-12)


@given(parts, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_bits(parts: list[list[float]], order: random.Random) -> None:
    members = [of_values(part) for part in parts]
    merged = merge_all(members)
    order.shuffle(members)
    again = merge_all(members)
    assert repr(again) == repr(merged)  # repr of a double is its bits


@given(parts)
def test_skewness_and_kurtosis_of_parts_are_scipys_of_the_whole(parts: list[list[float]]) -> None:
    values = [x for part in parts for x in part]
    merged = merge_all(of_values(part) for part in parts)
    exact = [Fraction(x) for x in values]
    mean = sum(exact, Fraction(0)) / max(1, len(exact))
    for power, found in ((3, merged.m3), (4, merged.m4)):
        size = float(sum(abs(x - mean) ** power for x in exact))
        scale = max(map(abs, values), default=0.0) ** power * len(values)
        expected = float(sum((x - mean) ** power for x in exact))
        assert found is None or abs(found - expected) <= 1e-12 * size + 1e-15 * scale
    spread = merged.m2 > 1e-9 * sum(x * x for x in values)
    if spread and merged.m2 > 1e-60:
        assert skewness(merged) == pytest.approx(scipy.stats.skew(values), rel=1e-8, abs=1e-8)
        assert kurtosis(merged) == pytest.approx(scipy.stats.kurtosis(values), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("parts", range(2, 11))
def test_any_partition_gives_the_pooled_shape(parts: int) -> None:
    rng = random.Random(parts)
    values = [rng.gammavariate(2, 15) for _ in range(1000)]
    merged = merge_all(of_values(values[k::parts]) for k in range(parts))
    g1, g2 = skewness(merged), kurtosis(merged)
    assert g1 == pytest.approx(scipy.stats.skew(values), rel=1e-11)
    assert g2 == pytest.approx(scipy.stats.kurtosis(values), rel=1e-11)
    assert adjusted_skewness(g1 or 0, 1000) == pytest.approx(scipy.stats.skew(values, bias=False), rel=1e-11)
    assert adjusted_kurtosis(g2 or 0, 1000) == pytest.approx(scipy.stats.kurtosis(values, bias=False), rel=1e-11)
    low, high = scipy.stats.t.interval(0.95, 999, np.mean(values), scipy.stats.sem(values))
    assert confidence(merged) == pytest.approx((low, high), rel=1e-12)


def test_what_is_not_known_of_one_is_not_known_of_all() -> None:
    one, other = Moments(12, 1.0, 8.0, 2.0, 9.0), Moments(12, 2.0, 8.0, 2.0)
    assert (merge(one, other).m3 is None, merge(one, other).m4) == (False, None)
    assert merge(one, Moments(12, 2.0, 8.0, None, 9.0)).m4 is None  # a fourth moment merges by the third
    assert kurtosis(other) is None
    assert merge(one, Moments(12, 1e90, 8.0, 2.0, 9.0)).m4 is None


@given(st.lists(numbers, min_size=1, max_size=20))
def test_an_empty_site_changes_nothing(values: list[float]) -> None:
    site = of_values(values)
    assert merge(site, NOTHING) == merge(NOTHING, site) == merge_all([NOTHING, site, NOTHING]) == site


def test_where_sums_of_squares_lose_every_digit() -> None:
    # 1e9 + {4, 7, 13, 16}: variance 30. A double holds x^2 = 1e18 to 128.
    site, other = of_values([1e9 + 4, 1e9 + 7]), of_values([1e9 + 13, 1e9 + 16])
    assert variance(merge(site, other)) == 30.0


@pytest.mark.parametrize("moments", [None, NOTHING, Moments(1, 3.0, 0.0)])
def test_no_variance_of_fewer_than_two(moments: Moments | None) -> None:
    assert variance(moments) is None
    assert sd(moments) is None


SUPPRESSED = {"suppressed": True, "at_least": 0, "at_most": 9}


@pytest.mark.parametrize(
    ("figures", "moments"),
    [
        ((12, 3, 4.5), Moments(12, 3.0, 4.5)),
        ((0, None, None), NOTHING),
        ((SUPPRESSED, 3.0, 4.5), None),
        ((12, SUPPRESSED, 4.5), None),
        ((12, 3.0, SUPPRESSED), None),
        ((12, None, None), None),
    ],
)
def test_what_is_known_only_in_bounds_is_not_guessed(figures: tuple[object, ...], moments: Moments | None) -> None:
    assert from_released(*figures) == moments


@pytest.mark.parametrize(
    ("n", "mean", "m2"),
    [(-1, 0.0, 0.0), (3, math.nan, 1.0), (3, 1.0, math.inf), (3, 1.0, -1.0), (1, 1.0, 2.0), (0, 1.0, 0.0)],
)
def test_moments_that_no_data_can_have(n: int, mean: float, m2: float) -> None:
    with pytest.raises(ValueError, match="no data"):
        Moments(n, mean, m2)
