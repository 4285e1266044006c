"""Which analyses have an answer of a form of their own; all others have `Answer`."""

from __future__ import annotations

from typing import Final

from cinque.client.answer import Answer, CountAnswer, TableAnswer
from cinque.client.answers_association import MatrixAnswer
from cinque.client.answers_description import HistogramAnswer, MissingAnswer, QuantilesAnswer, TableOneAnswer
from cinque.client.answers_models import ModelAnswer
from cinque.client.answers_roc import RocAnswer
from cinque.client.answers_summary import SummaryAnswer
from cinque.client.answers_survival import CoxAnswer, CurveAnswer, LogrankAnswer
from cinque.client.answers_tests import OddsAnswer, TestAnswer

KINDS: Final[dict[str, type[Answer]]] = {
    "count": CountAnswer,
    "table": TableAnswer,
    "summary": SummaryAnswer,
    "histogram": HistogramAnswer,
    "missing": MissingAnswer,
    "quantiles": QuantilesAnswer,
    "table_one": TableOneAnswer,
    "chi2": TestAnswer,
    "fisher": OddsAnswer,
    "cmh": OddsAnswer,
    "ttest": TestAnswer,
    "anova": TestAnswer,
    "cov": MatrixAnswer,
    "corr": MatrixAnswer,
    "lm": ModelAnswer,
    "glm": ModelAnswer,
    "roc": RocAnswer,
    "km": CurveAnswer,
    "logrank": LogrankAnswer,
    "cox": CoxAnswer,
}
