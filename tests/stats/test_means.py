"""t-tests and analysis of variance: R's published values, scipy (NIST's in tests/analyses/test_nist.py)."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from cinque.stats.means import one_sample, one_way, two_sample
from cinque.stats.moments import Moments, of_values

# R's sleep: extra hours with two drugs, ten people (Student 1908).
ONE = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
TWO = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_student_1908() -> None:
    """R: t.test(extra ~ group): t -1.8608, df 17.776, p 0.07939; equal variances: p 0.07919; paired: t -4.0621."""
    welch = two_sample(of_values(ONE), of_values(TWO))
    equal = two_sample(of_values(ONE), of_values(TWO), equal_variance=True)
    paired = one_sample(of_values([a - b for a, b in zip(ONE, TWO, strict=True)]))
    assert welch is not None
    assert equal is not None
    assert paired is not None
    assert (welch.statistic, welch.df) == pytest.approx((-1.8608, 17.776), abs=5e-4)
    assert welch.p == pytest.approx(0.07939, abs=5e-6)
    assert welch.ci == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)
    assert (equal.df, equal.p) == pytest.approx((18, 0.07919), abs=5e-6)
    assert (paired.statistic, paired.p) == pytest.approx((-4.0621, 0.002833), abs=6e-5)


def drawn(seed: int, groups: int) -> list[list[float]]:
    r = np.random.default_rng(seed)
    return [(r.normal(r.normal(), r.uniform(0.1, 5), r.integers(3, 30))).tolist() for _ in range(groups)]


@given(st.integers(0, 10**6), st.booleans())
def test_two_samples_are_scipys(seed: int, equal: bool) -> None:
    one, two = drawn(seed, 2)
    found = two_sample(of_values(one), of_values(two), equal_variance=equal)
    expected = scipy.stats.ttest_ind(one, two, equal_var=equal)
    assert found is not None
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-6, abs=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    low, high = expected.confidence_interval()
    assert found.ci == pytest.approx((low, high), rel=1e-6, abs=1e-6)


def test_nothing_to_test() -> None:
    assert one_sample(Moments(1, 3.0, 0.0)) is None
    assert one_sample(of_values([2.0, 2.0, 2.0])) is None
    assert two_sample(of_values([1.0, 2.0]), Moments(1, 3.0, 0.0)) is None
    assert one_way([of_values([1.0, 2.0])]) is None
    assert one_way([of_values([1.0]), of_values([2.0])]) is None


@given(st.integers(0, 10**6), st.integers(2, 5))
def test_anova_is_scipys(seed: int, groups: int) -> None:
    values = drawn(seed, groups)
    found = one_way([*map(of_values, values), Moments(0, 0.0, 0.0)])
    expected = scipy.stats.f_oneway(*values)
    assert found is not None
    assert found.f == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-8)
    assert 0 <= found.eta2 <= 1
