"""Pictures of answers: what is drawn is what was released, bounds as ranges, nobody's text obeyed, no global state."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cinque
from cinque.client.answer import Answer
from cinque.client.plots.choose import kind
from cinque.errors import Refused, Unavailable
from tests.client.test_results import COUNTS, HIDDEN, an_answer


def _axes(answer: Answer, *args: Any, **how: Any) -> Any:
    return answer.plot(*args, **how).get_axes()[0]


def _all_axes(answer: Answer) -> list[Any]:
    return list(answer.plot().get_axes())


def _labels(axes: Any) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


MODEL = {
    "terms": ["(Intercept)", "age", "sex[M]"],
    "family": "binomial",
    "link": "logit",
    "coef": {"(Intercept)": -1.0, "age": 0.5, "sex[M]": -0.25},
    "se": {"(Intercept)": 0.1, "age": 0.1, "sex[M]": 0.1},
    "confint": {"(Intercept)": [-1.2, -0.8], "age": [0.3, 0.7], "sex[M]": [-0.45, -0.05]},
    "n": 100,
    "per_tre": {
        "urn:n": {"n": 50, "coef": {"age": 0.4}, "se": {"age": 0.2}},
        "urn:s": {"n": 50, "coef": {"age": 0.6}, "se": {"age": 0.2}},
    },
}
CURVE = {
    "time": "days",
    "event": "died",
    "by": "arm",
    "times": [1.0, 2.0, 3.0],
    "n": {"A": 30, "B": 20},
    "at_risk": {"A": [30, 20, 10], "B": [20, HIDDEN, 5]},
    "events": {"A": [5, 5, 5], "B": [2, HIDDEN, 1]},
    "survival": {"A": [0.8, 0.6, 0.3], "B": [0.9, {"suppressed": True, "at_least": 0.5, "at_most": 0.7}, 0.4]},
    "lower": {"A": [0.7, 0.5, 0.2], "B": [0.8, 0.4, None]},
    "upper": {"A": [0.9, 0.7, 0.4], "B": [0.95, 0.8, None]},
    "median": {"A": 3.0, "B": 3.0},
    "median_interval": {"A": [2.0, None], "B": [2.0, None]},
    "per_tre": {},
}
HISTOGRAM = {
    "variable": "age",
    "edges": [0.0, 10.0, 20.0],
    "counts": [12, HIDDEN],
    "bins": [{"bin": "0 to 10", "people": 12}, {"bin": "10 to 20", "people": HIDDEN}],
    "under": 0,
    "over": HIDDEN,
    "n": 20,
    "per_tre": {"urn:n": {"counts": [12, HIDDEN], "bins": [], "n": 20}},
}
QUANTILES = {
    "variable": "age",
    "quantiles": [
        {"probability": "0.05", "at_least": None, "at_most": 20.0, "value": None},
        {"probability": "0.5", "at_least": 41.0, "at_most": 44.0, "value": None},
        {"probability": "0.95", "at_least": 70.0, "at_most": 70.0, "value": 70.0},
    ],
    "n": 50,
    "per_tre": {},
}
MEANS = {
    "variable": "age",
    "groups": [{"levels": [], "n": 100, "mean": 40.0, "sd": 10.0}],
    "per_tre": {
        "urn:n": {"groups": [{"levels": [], "n": 25, "mean": 41.0, "sd": 5.0}]},
        "urn:s": {"groups": [{"levels": [], "n": HIDDEN, "mean": HIDDEN, "sd": HIDDEN}]},
    },
}
MISSING = {"variables": [{"variable": "age", "missing": 5, "percent_missing": 5.0}], "per_tre": {}}
CORRELATION = {"variables": ["x", "y"], "corr": {"x": {"x": 1.0, "y": -0.5}, "y": {"x": -0.5, "y": 1.0}}, "per_tre": {}}
LOGRANK = {
    "by": "arm",
    "n": {"A": 9, "B": 9},
    "observed": {"A": 5, "B": 3},
    "expected": {"A": 4.0, "B": 4.0},
    "per_tre": {},
}
ROC = {
    "auc": 0.8,
    "auc_low": 0.75,
    "auc_high": 0.85,
    "confint": [0.7, 0.9],
    "tied": False,
    "points": [
        {"threshold": "0.1", "sensitivity": 1.0, "specificity": 0.25},
        {
            "threshold": "0.2",
            "sensitivity": {"suppressed": True, "at_least": 0.5, "at_most": 1.0},
            "specificity": {"suppressed": True, "at_least": 0.25, "at_most": 0.75},
        },
        {"threshold": "0.3", "sensitivity": 0.5, "specificity": 0.75},
    ],
    "calibration": [
        {
            "predicted": "0 to 0.2",
            "people": 50,
            "events": 5,
            "expected": 6.0,
            "mean_predicted": 0.12,
            "observed": 0.1,
            "lower": 0.04,
            "upper": 0.21,
        }
    ],
    "brier": 0.1,
    "oe": 0.83,
    "per_tre": {},
}
SITES = {
    "statistic": 1.0,
    "per_tre": {
        "urn:n": {"coef": {"log odds ratio": 0.4}, "se": {"log odds ratio": 0.2}},
        "urn:s": {"coef": {"log odds ratio": None}, "se": {}},
    },
}
PEOPLE = {"people": 30, "per_tre": {"urn:n": {"people": 21}, "urn:s": {"people": HIDDEN}}}
EACH: dict[str, dict[str, Any]] = {
    "coefficients": MODEL,
    "curve": CURVE,
    "roc": ROC,
    "histogram": HISTOGRAM,
    "quantiles": QUANTILES,
    "means": MEANS,
    "missing": MISSING,
    "matrix": CORRELATION,
    "observed": LOGRANK,
    "forest": SITES,
    "people": PEOPLE,
    "bars": COUNTS,
}


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("form", ["svg", "png"])
def test_each_shape_of_values_has_its_picture(name: str, form: str, tmp_path: Path) -> None:
    assert kind(EACH[name]) == name
    an_answer(EACH[name]).plot().savefig(tmp_path / f"picture.{form}")
    assert (tmp_path / f"picture.{form}").stat().st_size > 4_000


def test_values_without_a_picture_and_answers_of_nobody_are_refused() -> None:
    for values, code in (({"words": "none", "per_tre": {}}, "no-picture"), (None, "no-figures")):
        for draw in (an_answer(values).plot, an_answer(values).chart):
            with pytest.raises(Refused) as refused:
                draw()
            assert refused.value.code == code
    with pytest.raises(Refused):
        an_answer(MODEL | {"coef": {"age": None}, "terms": ["age"]}).plot()


# ------------------------------------------------------------------------------------------------ what is drawn where
def test_a_suppressed_count_is_drawn_from_its_fewest_to_its_most_people() -> None:
    axes = _axes(an_answer(COUNTS))
    solid, ranges = ([p for p in axes.patches if bool(p.get_hatch()) is hatched] for hatched in (False, True))
    assert [patch.get_width() for patch in solid] == [40, 1]
    (hidden,) = ranges
    assert (hidden.get_x(), hidden.get_x() + hidden.get_width()) == (1, 18)
    assert dict(zip(_labels(axes), axes.get_yticks(), strict=True)) == {"F": 1, "M": 0}
    assert {text.get_text() for text in axes.texts} == {"40", "1..18"}


def test_each_tre_has_a_panel_beside_all() -> None:
    axes = an_answer(COUNTS).plot(by_tre=True).get_axes()
    assert [one.get_title(loc="left") for one in axes] == ["north", "south", "all"]


def test_bins_are_drawn_at_their_edges_and_who_is_outside_is_said() -> None:
    axes = _axes(an_answer(HISTOGRAM))
    assert [(p.get_x(), p.get_width(), p.get_height()) for p in axes.patches if not p.get_hatch()] == [
        (0, 10, 12),
        (10, 10, 1),
    ]
    (hidden,) = [p for p in axes.patches if p.get_hatch()]
    assert (hidden.get_y(), hidden.get_height()) == (1, 8)
    assert "above 1..9" in {text.get_text() for text in axes.texts}


def test_coefficients_are_ratios_where_the_model_is_of_logarithms() -> None:
    axes = _axes(an_answer(MODEL))
    assert _labels(axes) == ["age", "sex[M]"]
    assert axes.get_xlabel() == "odds ratio (95 % interval)"
    assert axes.get_xscale() == "log"
    ends = [list(line.get_xdata()) for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert ends[0] == pytest.approx([math.exp(0.3), math.exp(0.7)])
    plain = _axes(an_answer(MODEL), exponentiate=False, intercept=True)
    assert (_labels(plain), plain.get_xscale()) == (["(Intercept)", "age", "sex[M]"], "linear")


def test_a_terms_forest_is_of_the_tres_own_estimates() -> None:
    axes = _axes(an_answer(MODEL), "age")
    assert _labels(axes) == ["north", "south", "pooled"]
    pooled = cinque.meta([0.4, 0.6], [0.2, 0.2])
    diamond = axes.patches[0].get_xy()
    assert diamond[:, 0].min() == pytest.approx(math.exp(pooled.ci[0]))
    with pytest.raises(Refused) as refused:
        an_answer(MODEL).plot("weight")
    assert refused.value.code == "no-site-estimates"
    assert _labels(_axes(an_answer(SITES))) == ["north", "pooled"]


def test_a_curve_is_steps_from_one_and_an_area_where_it_is_not_known() -> None:
    top, below = _all_axes(an_answer(CURVE))
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in top.lines]
    assert lines[0] == lines[1] == ([0, 1, 2, 3], [1, 0.8, 0.6, 0.3])
    assert lines[2:] == [([0, 1, 2, 3], [1, 0.9, 0.7, 0.4]), ([0, 1, 2, 3], [1, 0.9, 0.5, 0.4])]
    assert all(line.get_drawstyle() == "steps-post" for line in top.lines)
    assert [text.get_text() for text in top.get_legend().get_texts()] == ["A", "B"]
    # at risk beyond 0, 1 and 2: as the intervals begin; beyond 3 nothing was asked
    assert [text.get_text() for text in below.texts] == ["30", "20", "10", "20", "1..9", "5"]


def test_a_roc_curve_runs_in_the_area_of_its_bounds() -> None:
    left, right = _all_axes(an_answer(ROC))
    even, line = left.lines
    assert list(even.get_xdata()) == [0, 1]
    assert list(zip(*line.get_data(), strict=True)) == [(0, 0), (0.25, 0.5), (0.5, 0.75), (0.75, 1), (1, 1)]
    boxes = [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in left.patches]
    assert boxes == [(0, 0, 0.25, 0.5), (0.25, 0.5, 0.5, 0.5), (0.25, 0.5, 0.5, 0.5), (0.75, 1, 0.25, 0)]
    assert [text.get_text() for text in left.texts] == ["AUC 0.800 (0.700 to 0.900)\nfor certain 0.750 to 0.850"]
    assert [text.get_text() for text in right.texts] == ["observed / expected 0.83\nBrier 0.100"]
    # Where everybody of a bin has one score the curve is straight there, and only what is suppressed is an area.
    tied = _all_axes(an_answer(ROC | {"tied": True}))[0]
    assert [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in tied.patches] == [(0.25, 0.5, 0.5, 0.5)]


def test_marks_of_time_are_round_in_its_unit_and_the_band_begins_at_the_first_event() -> None:
    points = [float(month) for month in range(1, 61)]
    survival = [1.0] * 5 + [0.9] * 55
    one = {
        "by": None,
        "unit": "months",
        "time": "t",
        "times": points,
        "n": 90,
        "at_risk": [90 - place for place in range(60)],
        "survival": survival,
        "lower": [None] * 5 + [0.8] * 55,
        "upper": [None] * 5 + [0.95] * 55,
        "median": None,
    }
    top, below = _all_axes(an_answer(CURVE | {"per_tre": {}} | one))
    assert [text.get_text() for text in below.get_xticklabels()] == ["0", "12", "24", "36", "48", "60"]
    assert below.get_xlabel() == "t (months)"
    assert [text.get_text() for text in below.texts] == ["90", "78", "66", "54", "42"]
    corners = [tuple(each.tolist()) for path in top.collections[1].get_paths() for each in path.vertices]
    assert {(60.0, 0.8), (60.0, 0.95)} <= set(corners)  # to the end, though there is none at first
    weeks = an_answer(CURVE | {"per_tre": {}} | one | {"unit": ""}).plot().get_axes()[1]
    assert [text.get_text() for text in weeks.get_xticklabels()] == ["0", "10", "20", "30", "40", "50", "60"]


def test_means_stand_with_their_intervals_and_a_suppressed_one_with_a_word() -> None:
    axes = _axes(an_answer(MEANS))
    assert _labels(axes) == ["north", "south", "all"]
    assert list(axes.lines[0].get_xdata()) == pytest.approx([41 - 2.063899, 41 + 2.063899], rel=1e-6)  # qt(0.975, 24)
    (beside,) = axes.child_axes
    assert [label.get_text() for label in beside.get_yticklabels()][1] == "suppressed"


def test_a_quantile_without_an_end_is_an_arrow_and_never_a_number() -> None:
    axes = _axes(an_answer(QUANTILES))
    (beside,) = axes.child_axes
    assert [label.get_text() for label in beside.get_yticklabels()] == ["20 or less", "41 to 44", "70"]
    assert list(axes.lines[1].get_xdata()) == [41, 44]


@pytest.mark.parametrize("evil", ["$\\frac$", "<script>\x1b[2J", "a\nb", "\u202e", "x" * 500, ""])
def test_nobodys_text_is_obeyed_or_breaks_a_picture(evil: str, tmp_path: Path) -> None:
    values = {"factors": [evil], "cells": [{"levels": [evil], "people": 3}], "per_tre": {}}
    an_answer(values, question=evil).plot().savefig(tmp_path / "picture.svg")
    written = (tmp_path / "picture.svg").read_text("utf-8")
    assert "<script>" not in written
    assert "\x1b" not in written
    an_answer(values, question=evil).chart().to_dict()


# -------------------------------------------------------------------------------------------------------------- charts
CHARTS = ("coefficients", "curve", "roc", "histogram", "quantiles", "means", "people", "bars")


@pytest.mark.parametrize("name", CHARTS)
def test_the_same_as_a_specification(name: str) -> None:
    made = an_answer(EACH[name]).chart().to_dict()  # altair holds it against Vega-Lite's schema
    assert "vega-lite" in made["$schema"]
    assert "http" not in str({key: value for key, value in made.items() if key != "$schema"})


def test_a_specification_has_the_bounds_as_data() -> None:
    made = an_answer(COUNTS).chart().to_dict()
    rows = made["data"]["values"]
    assert [(row["category"], row["at_least"], row["at_most"]) for row in rows] == [("F", 40, 40), ("M", 1, 18)]


# ----------------------------------------------------------------------------------------------------------- packages
@pytest.mark.parametrize(("package", "draw"), [("matplotlib.figure", "plot"), ("altair", "chart")])
def test_what_is_not_installed_is_said(package: str, draw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(Unavailable, match=r"cinque\[plots\]"):
        getattr(an_answer(COUNTS), draw)()


def test_nothing_heavy_is_imported_before_it_is_wanted_and_pyplot_never() -> None:
    code = (
        "import sys, cinque, cinque.client.connection, cinque.cli.main\n"
        "heavy = {'matplotlib', 'altair', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "found = cinque.meta([1, 2], [1, 1]); found.plot(); str(found.methods())\n"
        "sys.exit(f'{heavy}' if heavy else 'pyplot' if 'matplotlib.pyplot' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
