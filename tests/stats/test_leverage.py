"""No combination of a model's columns tells of fewer people than the leverages say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from cinque.stats import leverage
from cinque.stats.leverage import Leverages, leverages, whitening
from tests.stats.arrays import Array


def of(z: Array, size: int = 10_000, begin: Any = None) -> tuple[int, float]:
    found = Leverages(z.shape[1])
    parts = [z[at : at + size] for at in range(0, len(z), size)]
    for part in parts:
        found.add(part, begin)

    def again() -> Iterable[tuple[Array, Any]]:
        return ((part, begin) for part in parts)

    return found.evidence(again)


def covariates(n: int, seed: int = 2) -> Array:
    r = np.random.default_rng(seed)
    return np.column_stack([np.ones(n), 50 + 10 * r.normal(size=n), r.random(n) < 0.4]).astype(float)


def test_leverages_are_the_diagonal_of_the_hat_matrix() -> None:
    z = covariates(200)
    hat = z @ np.linalg.solve(z.T @ z, z.T)
    white, lost = whitening(z.T @ z)
    assert np.allclose(leverages(z, white), np.diag(hat), rtol=1e-10)
    assert not lost.size


@pytest.mark.parametrize("n", [300, 50_000])
def test_ordinary_columns_tell_of_many(n: int) -> None:
    people, remainder = of(covariates(n))
    assert people >= 40
    assert remainder > 5


@pytest.mark.parametrize("n", [300, 50_000])
@pytest.mark.parametrize("marked", [1, 2, 9])
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-5])
def test_a_difference_of_two_columns_that_marks_few_people_is_seen(n: int, marked: int, size: float) -> None:
    # Each column alone is over everybody; the second less the first is a mask.
    x = covariates(n)
    mask = np.zeros(n)
    mask[n - 30 : n - 30 + marked] = size
    people, remainder = of(np.column_stack([x, x[:, 1] + mask]))
    assert people <= marked
    if marked == 1:
        assert remainder < 0.1


def test_a_mark_too_small_to_be_seen_in_the_products_is_not_taken_for_rounding() -> None:
    x = covariates(2_000)
    mask = np.zeros(2_000)
    mask[7] = 1e-8
    assert of(np.column_stack([x, x[:, 1] / 10 + mask])) == (0, 0.0)


def test_columns_that_are_exactly_collinear_tell_nothing_more() -> None:
    x = covariates(2_000)
    people, remainder = of(np.column_stack([x, x[:, 1] * 3 - 7 * x[:, 2]]))
    assert people >= 100
    assert remainder > 5


def test_a_saturated_model_tells_of_one() -> None:
    assert of(np.random.default_rng(0).normal(size=(8, 8)))[0] == 1


def test_a_level_of_twelve_people_tells_of_about_twelve() -> None:
    level = np.zeros(500)
    level[:12] = 1
    people, _ = of(np.column_stack([np.ones(500), level]))
    assert 11 <= people <= 12


def test_rows_of_one_person_are_one() -> None:
    z = np.column_stack([np.ones(400), np.concatenate([np.random.default_rng(4).normal(size=40) * 50, np.zeros(360)])])
    assert of(z, 400)[0] > 5
    assert of(z, 400, np.concatenate([[0], np.arange(40, 400)]))[0] == 1


def test_batches_that_a_bound_settles_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    z = covariates(60_000)
    z[41_000, 1] = 4_000.0  # in a batch of which the bound says nothing
    with_bound = of(z, 5_000)
    monkeypatch.setattr(leverage, "CEILING", 10**9)  # no batch is below
    monkeypatch.setattr(leverage, "_largest", lambda top, found: np.sort(np.concatenate([top, found]))[::-1][:200])
    without = of(z, 5_000)
    assert with_bound[0] <= 200
    assert with_bound[1] == pytest.approx(without[1])
