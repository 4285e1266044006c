"""The answer of a ROC curve: discrimination by TRE, calibration, the model, and the points of the curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cinque.client.answers_models import ModelAnswer

_DISCRIMINATION: Final = {"n": "people", "events": "events", "auc": "AUC", "se": "se"}
_FURTHER: Final = {
    "auc_low": "AUC at least",
    "auc_high": "AUC at most",
    "expected": "expected",
    "oe": "O/E",
    "brier": "Brier",
}
_GROUP: Final = ("predicted", "people", "events", "expected", "observed", "lower", "upper")


@dataclass(frozen=True, repr=False)
class RocAnswer(ModelAnswer):
    """`auc`, certainly between `auc_low` and `auc_high`; `se` and `confint` of sampling; `points` of the curve;
    `calibration`, `expected`, `oe`, `brier`; `model`, the values of the fitted model as `glm` gives them."""

    @property
    def thresholds(self) -> list[float]:
        """Of the points."""
        return [float(point["threshold"]) for point in (self.result or {}).get("points", [])]

    @property
    def warnings(self) -> list[str]:
        """What must be known of the curve before it is used."""
        found = super().warnings
        if self.result is not None and self.result["auc"] is None:
            found.append("Fewer `bins`, or fewer terms, are fewer numbers: smaller TREs can take part.")
        return found

    def sheets(self) -> Sequence[Any]:
        """Discrimination of each TRE and of all, calibration, coefficients, the curve of all."""
        from cinque.client.view import sheets

        if self.result is None:
            return []
        per_tre = {tre: _measures(own) for tre, own in self.result["per_tre"].items()}
        model = replace(self, result=self.result.get("model") or {})
        shown = {
            **_measures(self.result),
            "calibration": [{name: group[name] for name in _GROUP} for group in self.result["calibration"]],
            "per_tre": per_tre,
        }
        points = {"points": self.result["points"], "per_tre": {}}
        return [*sheets(replace(self, result=shown)), *model._terms(), *sheets(replace(self, result=points))]


def _measures(values: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The area with its error; its bounds, and the predictions beside what happened."""
    low, high = values.get("confint") or (None, None)
    area = {words: values.get(name) for name, words in _DISCRIMINATION.items()} | {"2.5 %": low, "97.5 %": high}
    return {"area": [area], "further": [{words: values.get(name) for name, words in _FURTHER.items()}]}
