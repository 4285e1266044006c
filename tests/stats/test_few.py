"""Which moments tell the counts of a few-valued number, against every table of whole numbers there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from cinque.stats.few import Few


def tables(people: int, values: int) -> Iterator[tuple[int, ...]]:
    """Every table of so many people."""
    if values == 1:
        yield (people,)
        return
    for first in range(people + 1):
        for rest in tables(people - first, values - 1):
            yield (first, *rest)


def few(counts: tuple[int, ...], step: float = 1.0) -> Few:
    found = Few()
    for at, people in enumerate(counts):
        found.add(np.repeat(3.0 + step * at, people))
    return found


@pytest.mark.parametrize(("people", "values"), [(12, 7), (15, 6), (20, 6), (30, 5)])
@pytest.mark.parametrize("moments", [2, 3, 4])
def test_what_fits_few_tables_is_told(people: int, values: int, moments: int) -> None:
    powers = np.arange(values) ** np.arange(moments + 1)[:, None]
    every = np.array(list(tables(people, values)))
    fitting = Counter(map(tuple, (every @ powers.T).tolist()))
    chance = np.random.default_rng(people * moments)
    for _ in range(20):
        counts = np.bincount(chance.integers(0, values, people), minlength=values)
        if not counts.all():
            continue
        fit = fitting[tuple((powers @ counts).tolist())]
        found = few(tuple(counts.tolist()))
        if fit <= 2:
            assert found.smallest(moments) == counts.min()
        if fit >= 30:
            assert found.smallest(moments) is None


def test_six_values_of_a_thousand_people_told_by_four_moments() -> None:
    counts = (803, 150, 9, 3, 20, 15)  # the only other tables have fewer than nobody somewhere
    for step in (1.0, 0.1, 250.0):
        assert few(counts, step).smallest(4) == 3
        assert few(counts, step).smallest(3) is None


@pytest.mark.parametrize(("people", "told"), [(13, True), (60, False)])
def test_the_ages_of_few_people(people: int, told: bool) -> None:
    """Four power sums of 13 whole numbers fit, as a rule, one set of them."""
    found = Few()
    found.add(np.random.default_rng(5).integers(20, 90, people).astype(float))
    assert (found.smallest(4) == 1) == told
    assert found.smallest(2) is None


def test_numbers_without_steps_are_not_few() -> None:
    found = Few()
    found.add(np.random.default_rng(5).normal(size=200))
    assert found.smallest(4) is None
    found.add(np.arange(300.0))
    assert found.values is None
    assert found.smallest(4) is None
