"""Figures as a statistician reads them: decimals that fit together, p-values, intervals, infinite odds, bounds."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cinque.client.digits import aligned, figures

HIDDEN = {"suppressed": True, "at_least": 0.93391, "at_most": 0.93683}


@pytest.mark.parametrize(
    ("values", "name", "printed"),
    [
        ([26.710345, 27.811348, 26.306146], "mean", ["26.71", "27.81", "26.31"]),
        ([0.187118, 0.434213], "corr", ["0.1871", "0.4342"]),
        ([43926.1, 49943.0], "variance", ["43,926.1", "49,943.0"]),
        ([6.0, 6.5], "percent", ["6.0", "6.5"]),
        ([40.0, 50.0], "mean", ["40", "50"]),
        ([272.19, 0.0004123], "coef", ["272.19000", "0.00041"]),
        ([1e-12, 5.0], "coef", ["1e-12", "5"]),
        ([3.0, 2, None], "any", ["3", "2", "–"]),
        ([2.65073e-296, 0.0, 0.000328029, 0.98], "p", ["<2e-16", "<2e-16", "0.000328", "0.98"]),
        ([0.0], "between TREs: p", ["<2e-16"]),
        ([[0.159248, 0.214689], None], "confint", ["0.1592 to 0.2147", "–"]),
        ([[1.5, math.inf]], "confint", ["1.5 to Inf"]),
        ([math.inf, -math.inf], "odds_ratio", ["Inf", "-Inf"]),
        ([HIDDEN, 0.5], "survival", ["0.9339..0.9368", "0.5000"]),
        ([{"suppressed": True, "at_least": 0, "at_most": None}], "missing", ["suppressed"]),
        ([{"suppressed": True, "at_least": 25, "at_most": None}], "people", ["≥25"]),
        ([True, ""], "converged", ["yes", ""]),
    ],
)
def test_figures_that_are_read_together(values: list[Any], name: str, printed: list[str]) -> None:
    assert figures(values, name) == printed


def test_columns_of_text_keep_labels_to_the_left_and_figures_to_the_right() -> None:
    assert list(aligned(("", "n"), [("a", "5"), ("long", "1,234")])) == ["          n", "a         5", "long  1,234"]
