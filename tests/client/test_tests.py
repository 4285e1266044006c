"""Answers of tests: as R prints them, infinite odds said, TREs by name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest

import cinque

# In every TRE nobody who is exposed lacks the event: Fisher's conditional odds ratio is infinite.
EXPOSED = {"exposed": [True] * 12 + [False] * 12, "event": [True] * 12 + [True, False] * 6}
NUMBERS = {"value": [float(i % 7) for i in range(24)], "before": [float(i % 5) for i in range(24)]}
ROWS = EXPOSED | NUMBERS | {"arm": ["a", "b", "c"] * 8, "sex": ["F", "F", "M"] * 8}


@pytest.fixture(scope="module")
def federation() -> Iterator[cinque.Federation]:
    with cinque.Federation.local({"dover": ROWS, "hythe": ROWS}, appetite={"threshold": 0}) as made:
        yield made


def test_infinite_odds_are_printed_and_named_where_json_has_no_number(federation: cinque.Federation) -> None:
    answer = federation.fisher(["exposed", "event"])
    assert answer.odds_ratio == math.inf
    assert answer.confint[1] == math.inf
    assert answer.confint[0] > 1
    assert "Inf" in str(answer)
    assert "odds ratio: Inf, 95 % interval" in answer.summary()
    said = answer.to_dict()["values"]
    assert json.loads(json.dumps(said, allow_nan=False))["infinite"] == ["odds_ratio", "confint.1"]
    assert said["odds_ratio"] is None
    assert said["per_tre"]["dover"]["infinite"] == ["odds_ratio", "confint.1"]
    frame = answer.to_pandas("totals").set_index("tre")
    assert frame.loc["all", "odds_ratio"] == math.inf
    finite = federation.fisher(["sex", "event"])
    assert "infinite" not in finite.to_dict()["values"]
    assert math.isfinite(finite.odds_ratio)


def test_tres_are_named_and_their_ids_are_where_the_values_are(federation: cinque.Federation) -> None:
    answer = federation.cmh("sex", "event")
    assert answer.pooled_over == ("dover", "hythe")
    assert answer.result is not None
    assert sorted(answer.names[tre] for tre in answer.result["pooled_over"]) == ["dover", "hythe"]
    assert federation.count().pooled_over == ("dover", "hythe")
    groups = federation.ttest("value", by="sex").per_tre["dover"]["groups"]
    assert groups[0]["pooled_over"] == ["dover"]


@pytest.mark.parametrize(
    ("ask", "lines"),
    [
        (
            lambda f: f.ttest("value", by="sex"),
            ["Welch two-sample t-test of value by sex", "difference of means (F - M)"],
        ),
        (lambda f: f.ttest("value", by="sex", equal_variance=True), ["Two-sample t-test of value by sex"]),
        (lambda f: f.ttest("value", mu=3), ["One-sample t-test of value", "tested against 3"]),
        (lambda f: f.ttest("value", paired_with="before"), ["Paired t-test of value and before", "mean difference: "]),
        (lambda f: f.anova("value", by="arm"), ["One-way analysis of variance of value", "Residuals", "Pr(>F)"]),
        (lambda f: f.chi2(["arm", "event"]), ["Pearson's chi-squared test of arm and event", "X-squared = 0, df = 2"]),
        (lambda f: f.chi2(["sex", "event"], yates=True), ["with continuity correction"]),
        (lambda f: f.cmh("sex", "event"), ["Mantel-Haenszel chi-squared test of sex and event", "common odds ratio: "]),
        (lambda f: f.fisher(["sex", "event"]), ["Fisher's exact test of sex and event", "odds ratio: "]),
    ],
)
def test_a_summary_begins_as_r_prints_the_test(federation: cinque.Federation, ask: object, lines: list[str]) -> None:
    said = ask(federation).summary()  # type: ignore[operator]
    for line in lines:
        assert line in said


def test_the_figures_are_those_of_r(federation: cinque.Federation) -> None:
    # v = rep(0:23 %% 7, 2); summary(aov(v ~ factor(rep(c("a", "b", "c"), 16)))); t.test(v ~ rep(c("F", "F", "M"), 16))
    rows = [line.split() for line in federation.anova("value", by="arm").summary().splitlines()]
    assert ["arm", "2", "0.5", "0.2500", "0.05844", "0.943"] in rows
    assert ["Residuals", "45", "192.5", "4.2778"] in rows
    welch = federation.ttest("value", by="sex").summary()
    assert "t = -0.3055, df = 31.82, p = 0.762" in welch
    assert "difference of means (F - M): -0.1875, 95 % interval -1.4378 to 1.0628" in welch


def test_a_missing_attribute_names_those_that_there_are(federation: cinque.Federation) -> None:
    with pytest.raises(AttributeError, match=r"has no `oddsratio`; it has .*`statistic`"):
        _ = federation.cmh("sex", "event").oddsratio
