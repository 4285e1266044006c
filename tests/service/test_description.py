"""Description of three TREs' people the whole road: hub, gates and enclaves, and quantiles in several rounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cinque
from cinque.crate.verify import AUTHENTIC, verify
from cinque.federation.local import Federation


def a_table(seed: int, n: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": random.normal(52, 14, n).round().clip(18, 95).astype(int),
            "arm": np.where(random.random(n) < 0.5, "drug", "placebo"),
            "smokes": random.random(n) < 0.3,
            "bmi": np.where(random.random(n) < 0.2, np.nan, random.normal(26, 4, n).round(1)),
        }
    )


TABLES = {"north": a_table(1, 400), "south": a_table(2, 300), "west": a_table(3, 350)}
POOLED = pd.concat(TABLES.values())


@pytest.fixture(scope="module")
def fed() -> Iterator[Federation]:
    appetite = {"threshold": 10, "zeros": "release"}
    with cinque.Federation.local(TABLES, appetite=appetite) as found:
        yield found


def test_quantiles_take_several_rounds_and_hold_the_pooled_value(fed: Federation) -> None:
    asked = [0.001, 0.25, 0.5, 0.75]
    answer = fed.quantiles("age", asked, low=0, high=110)
    assert not answer.missing
    assert answer.rounds > 3
    assert answer.parameters["precision"] == 1.0  # as whole years are recorded: agreed before signing
    truth = np.quantile(POOLED.age, asked)
    for (low, high), value, known in zip(answer.intervals, truth, answer.values, strict=True):
        assert low <= value <= high
        assert known is None or known == value
    assert answer.intervals[0][0] == -math.inf  # nobody's lowest age
    assert answer.intervals[2][1] - answer.intervals[2][0] <= 6
    assert answer.median == answer.values[2]
    assert answer.to_dict()["values"]["rounds"] == answer.rounds
    assert "-Inf to" in str(answer)
    assert "0.25" in answer._repr_html_()
    assert verify(answer.crate, fed.client.members).exit_code == AUTHENTIC


def test_quantiles_by_group_are_dicts_by_level(fed: Federation) -> None:
    asked = [0.25, 0.5]
    answer: Any = fed.quantiles("age", asked, low=0, high=110, by="arm")
    assert not answer.missing
    assert list(answer.intervals) == list(answer.values) == ["drug", "placebo"]
    for arm in ("drug", "placebo"):
        own = POOLED[POOLED.arm == arm]
        truth = np.quantile(own.age, asked)
        for (low, high), value, known in zip(answer.intervals[arm], truth, answer.values[arm], strict=True):
            assert low <= value <= high
            assert known is None or known == value
        assert (answer[arm].n, answer[arm].missing) == (len(own), 0)
        assert answer[arm].median == answer.median[arm] == answer.values[arm][1]
    assert answer.probabilities == asked
    assert "placebo" in str(answer)
    assert "placebo" in answer.summary()
    frame = answer.to_pandas("quantiles")
    assert list(frame[frame.tre == "all"].arm) == ["drug", "drug", "placebo", "placebo"]
    assert list(answer.to_pandas("groups").query("tre == 'all'").n) == [answer[arm].n for arm in ("drug", "placebo")]
    labels = [text.get_text() for text in answer.plot().axes[0].get_yticklabels()]
    assert labels == ["drug: lower quartile", "drug: median", "placebo: lower quartile", "placebo: median"]
    assert "drug, 0.5" in str(answer.chart().to_dict())
    assert "Each group was searched by itself" in answer.methods()
    crossed: Any = fed.quantiles("age", 0.5, low=0, high=110, by=["arm", "smokes"])
    assert list(crossed.intervals) == [(arm, s) for arm in ("drug", "placebo") for s in ("false", "true")]
    assert crossed["drug", "true"].n == len(POOLED[(POOLED.arm == "drug") & POOLED.smokes])


def test_histogram_and_missing(fed: Federation) -> None:
    drawn = fed.histogram("age", bins=4, low=20, high=80)
    counts, edges = np.histogram(POOLED.age, 4, (20, 80))
    assert drawn.edges == edges.tolist()
    assert drawn.counts[1:3] == counts[1:3].tolist()
    assert "35 to 50" in str(drawn)
    lacking: Any = fed.missing()
    assert lacking["bmi"]["missing"] == int(POOLED.bmi.isna().sum())
    assert lacking["age"]["missing"] == 0
    assert lacking.complete == len(POOLED.dropna())
    grouped: Any = fed.histogram("age", edges=[0, 50, 100], by="arm")
    assert grouped["drug"]["counts"] == np.histogram(POOLED[POOLED.arm == "drug"].age, [0, 50, 100])[0].tolist()


def test_table_one_as_a_paper_prints_it(fed: Federation) -> None:
    answer: Any = fed.table_one(["age", "bmi", "smokes"], by="arm")
    groups = [POOLED[POOLED.arm == arm] for arm in ("drug", "placebo")]
    printed = [" ".join(line.split()) for line in str(answer).splitlines()]
    ages = [f"{own.age.mean():.2f} ({own.age.std():.2f})" for own in (*groups, POOLED)]
    spread = math.sqrt(sum(own.age.var() for own in groups) / 2)
    smd = abs(groups[0].age.mean() - groups[1].age.mean()) / spread
    assert f"age, mean (SD) {' '.join(ages)} {smd:.3f}" in printed
    smoking = [f"{own.smokes.sum():,} ({100 * own.smokes.mean():.1f}%)" for own in (*groups, POOLED)]
    assert f"- true {' '.join(smoking)}" in printed
    assert f"bmi, missing {' '.join(str(int(own.bmi.isna().sum())) for own in (*groups, POOLED))}" in printed
    assert answer["age"]["smd"] == pytest.approx(smd)
    assert "mean (SD)" in answer._repr_html_()
    assert answer.exactness == "exact"
