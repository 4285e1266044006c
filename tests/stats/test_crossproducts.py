"""Evidence of sums of products: what looking at every part of everybody says, and no mask gets past it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinque.stats import crossproducts
from cinque.stats.components import Components
from cinque.stats.crossproducts import Products
from tests.stats.arrays import Array

N = 3_000


def column(kind: str, r: np.random.Generator) -> Array:
    one = np.zeros(N)
    one[int(r.integers(N))] = 1
    x = r.normal(size=N)
    columns: dict[str, Any] = {
        "normal": x,
        "ones": np.ones(N),
        "one person": one,
        "all but one": 1 - one,
        "one huge": np.where(one == 1, 1e9, x),
        "one huge, positive": np.where(one == 1, 1e9, np.abs(x)),
        "few": (r.random(N) < 0.004).astype(float),
        "many": (r.random(N) < 0.4).astype(float),
        "most": (r.random(N) < 0.99).astype(float),
        "nobody": np.zeros(N),
        "heavy": r.standard_cauchy(size=N),
        "tiny": x * 1e-9,
        "five": np.where(np.arange(N) % 601 == 7, 3.0, 0.0),
    }
    found: Array = columns[kind]
    return found


KINDS = (
    "normal", "ones", "one person", "all but one", "one huge", "one huge, positive", "few", "many", "most", "nobody",
    "heavy", "tiny", "five",
)  # fmt: skip


def by_everybody(left: Array, right: Array, pairs: list[tuple[int, int]]) -> Components:
    found = Components(len(pairs))
    found.add(np.column_stack([left[:, j] * right[:, k] for j, k in pairs]))
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(KINDS), min_size=2, max_size=5),
    st.sampled_from(["ones", "many", "one person", "normal"]),
    st.integers(0, 10_000),
    st.sampled_from([150, 999, 3_000]),
)
def test_the_verdict_is_that_of_looking_at_everybody(kinds: list[str], weight: str, seed: int, size: int) -> None:
    r = np.random.default_rng(seed)
    left = np.column_stack([column(kind, r) for kind in kinds])
    right = left * np.abs(column(weight, r))[:, None]
    pairs = [(j, k) for j in range(len(kinds)) for k in range(j, len(kinds))]
    batches = [(left[at : at + size], right[at : at + size]) for at in range(0, N, size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossproducts, "FIRST", 600)  # so that most people are not among the first
        products = Products(pairs)
        for batch in batches:
            products.add(*batch)
        differing, remainder = products.evidence(lambda: batches)
    brute = by_everybody(left, right, pairs)
    assert np.allclose(products.sums(), [left[:, j] @ right[:, k] for j, k in pairs], rtol=1e-10, atol=1e-6)
    for threshold in (2, 10, 100, 200):
        assert ((differing < threshold) == (brute.differing() < threshold)).all()
    # Where no part is common, the p% rule is of the parts themselves.
    assert ((remainder < 0.1) == (brute.remainder() < 0.1)).all()


def test_few_people_are_looked_at_in_full() -> None:
    r = np.random.default_rng(5)
    left = np.column_stack([column(kind, r) for kind in KINDS])[:500]
    pairs = [(j, k) for j in range(len(KINDS)) for k in range(len(KINDS))]
    products = Products(pairs)
    for at in range(0, 500, 77):
        products.add(left[at : at + 77], left[at : at + 77])

    def never() -> Any:
        raise AssertionError("no second pass is needed")

    differing, remainder = products.evidence(never)
    brute = by_everybody(left, left, pairs)
    assert (differing == brute.differing()).all()
    assert np.allclose(remainder, brute.remainder(), rtol=1e-12)


@pytest.mark.parametrize("place", [3, 20_000, 59_999])
@pytest.mark.parametrize("kind", ["mask", "all but one", "carries nearly all", "in one product alone"])
def test_one_person_is_seen_wherever_they_stand(kind: str, place: int) -> None:
    n = 60_000
    r = np.random.default_rng(1)
    one = np.arange(n) == place
    x, y = r.normal(size=n), r.normal(size=n)
    if kind == "in one product alone":
        x = np.where(one, 1.0, np.where(np.arange(n) % 2, x, 0.0))
        y = np.where(one, 1.0, np.where(np.arange(n) % 2, 0.0, y))
    else:
        x = {"mask": one.astype(float), "all but one": 1.0 - one, "carries nearly all": x + one * 1e12}[kind]
    left = np.column_stack([np.ones(n), x, y])
    pairs = [(0, 0), (0, 2), (1, 1), (1, 2)]
    products = Products(pairs)
    batches = [(left[at : at + 16_000], left[at : at + 16_000]) for at in range(0, n, 16_000)]
    for batch in batches:
        products.add(*batch)
    differing, remainder = products.evidence(lambda: batches)
    caught = (differing < 10) | (remainder < 0.1)
    ones = kind in ("mask", "carries nearly all")
    expected = {"mask": [0, 2, 3], "all but one": [0, 2], "carries nearly all": [0, 2, 3]}.get(kind, [0, 3])
    assert np.flatnonzero(caught).tolist() == expected, (ones, differing, remainder)


@pytest.mark.parametrize("place", [30, 50_000])
def test_one_person_away_from_what_most_share(place: int) -> None:
    # From 0 nobody stands out; from the part that six of ten have, one person does.
    r = np.random.default_rng(6)
    column = np.where(np.arange(60_000) % 10 < 6, 5.0, 5 + 1e-6 * r.normal(size=60_000))
    column[place] = 8.0
    left = np.column_stack([column, np.ones(60_000)])
    products = Products([(0, 1)])
    for at in range(0, 60_000, 16_000):
        products.add(left[at : at + 16_000], left[at : at + 16_000])
    differing, remainder = products.evidence(list)
    assert differing[0] > 1_000
    assert remainder[0] < 0.1


def test_the_rows_of_a_person_are_one_part() -> None:
    # 1,000 rows, 500 of one person: by rows nobody stands out.
    x = np.ones((1_000, 1))
    begin = np.concatenate([[0], np.arange(500, 1_000)])
    several, rows = Products([(0, 0)], several=True), Products([(0, 0)])
    x[500:, 0] = np.random.default_rng(0).random(500)
    several.add(x, x, begin)
    rows.add(x, x)
    assert several.evidence(list)[1][0] < 0.8 < 10 < rows.evidence(list)[1][0]
    assert several.sums()[0] == pytest.approx(rows.sums()[0])


def test_nothing_at_all() -> None:
    products = Products([(0, 0)])
    products.add(np.zeros((0, 1)), np.zeros((0, 1)))
    assert products.sums().tolist() == [0.0]
    assert products.evidence(list)[0].tolist() == [0]
