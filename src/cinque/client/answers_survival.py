"""Answers of time to event: curves as tables by time, Cox's model in the layout of a statistician's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Final

from cinque.client.answer import Answer
from cinque.client.answers_models import ModelAnswer
from cinque.client.answers_tests import TestAnswer
from cinque.client.long_curves import left_out, printed

_COLUMNS: Final = ("at_risk", "events", "censored", "survival", "lower", "upper")
_STEPS: Final = ("events", "censored")  # of one interval: not in a table that leaves intervals out
_WHOLE: Final = ("n", "median", "median_interval", "restricted_mean", "restricted_mean_se")


@dataclass(frozen=True, repr=False)
class CurveAnswer(Answer):
    """`times`, and by time `survival`, `at_risk`, `events`, `censored`, `lower`, `upper`, `nelson_aalen`; `median`,
    `median_interval`, `restricted_mean` and its `restricted_mean_se`, `n`. With `by` each is a dict by group;
    `answer["level"]` is one group.
    """

    def __getitem__(self, level: str) -> dict[str, Any]:
        """One group, with the keys of a curve without groups. Raises KeyError for a level that is none."""
        result = self.result or {}
        if level not in _levels(result):
            raise KeyError(level)
        return {name: value[level] for name, value in _grouped(result).items()} | {"times": result["times"]}

    def sheets(self) -> Sequence[Any]:
        """The pooled curve by time, then what there is of each TRE."""
        from cinque.client.view import sheets

        if self.result is None:
            return []
        per_tre = {tre: {"curves": list(_summary(own))} for tre, own in self.result["per_tre"].items()}
        shown = {"curve": list(_by_time(self.result)), "curves": list(_summary(self.result)), "per_tre": per_tre}
        return sheets(replace(self, result=shown))

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        from cinque.client.view import renderable

        said = left_out(len((self.result or {}).get("times", ())))
        return Group(renderable(self), *([Text(said)] if said else []))

    def _repr_html_(self) -> str:
        from cinque.client.view import html

        said = left_out(len((self.result or {}).get("times", ())))
        return html(self) + (f"<p>{escape(said)}</p>" if said else "")


@dataclass(frozen=True, repr=False)
class LogrankAnswer(TestAnswer):
    """`statistic`, `df`, `p`; by group `n`, `observed`, `expected`; on a grid the `points` on which it stands. Where
    there is no statistic `reason` says why."""

    def sheets(self) -> Sequence[Any]:
        """The groups, then the test."""
        from cinque.client.view import sheets

        if self.result is None:
            return []
        per_tre = {tre: _compared(own) for tre, own in self.result["per_tre"].items()}
        return sheets(replace(self, result={**_compared(self.result), "per_tre": per_tre}))


@dataclass(frozen=True, repr=False)
class CoxAnswer(ModelAnswer):
    """`coef`, `se`, `z`, `p`, `confint`, `hazard_ratio`, `hazard_ratio_confint` by term; `loglik`, `null_loglik`, and
    the tests `lr`, `wald` and `score`."""

    def _beside(self, terms: Sequence[str]) -> dict[str, list[tuple[str, bool]]]:
        from cinque.client.view import cells

        ratios = (self.result or {}).get("hazard_ratio") or {}
        return {"exp(coef)": cells([ratios.get(term) for term in terms])}

    def _tests(self) -> Iterator[dict[str, Any]]:
        result = self.result or {}
        for name, words in (
            ("events", "people with the event"),
            ("loglik", "log partial likelihood"),
            ("null_loglik", "without terms"),
        ):
            if result.get(name) is not None:
                yield {"fit": words, "value": result[name]}
        for name, words in (("lr", "likelihood ratio"), ("wald", "Wald"), ("score", "score")):
            if result.get(name):
                yield {"fit": f"{words} on {result[name]['df']} degrees of freedom", "value": result[name]["statistic"]}
                yield {"fit": f"{words}: p", "value": result[name]["p"]}
        yield from super()._tests()


def _compared(values: Mapping[str, Any]) -> dict[str, Any]:
    """Records of the groups, and of the test."""
    names = ("n", "observed", "expected")
    groups = [{"group": level, **{name: (values[name] or {}).get(level) for name in names}} for level in values["n"]]
    test = {"log-rank": "test", **{name: values[name] for name in ("statistic", "df", "p")}}
    if values.get("points"):
        test["steps"] = len(values["points"])
    return {"compared": groups, "test": [test]}


def _grouped(values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {name: values[name] for name in (*_COLUMNS, *_WHOLE, "nelson_aalen", "nelson_aalen_variance")}


def _levels(values: Mapping[str, Any]) -> list[str]:
    """The groups; none without `by`."""
    return list(values["n"]) if values.get("by") is not None else []


def _by_time(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    levels: Sequence[str | None] = _levels(values) or (None,)
    for level in levels:
        one = values if level is None else {name: each[level] for name, each in _grouped(values).items()}
        if one["survival"] is None:
            continue
        places = printed(len(values["times"]))
        names = _COLUMNS if len(places) == len(values["times"]) else [n for n in _COLUMNS if n not in _STEPS]
        for place in places:
            group = {} if level is None else {"group": level}
            yield {**group, "time": f"{values['times'][place]:g}", **{name: one[name][place] for name in names}}


def _summary(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    names = ("n", "median", "restricted_mean")
    if isinstance(values["n"], Mapping) and "suppressed" not in values["n"]:
        for level in values["n"]:
            yield {"group": level, **{name: values[name][level] for name in names}}
    else:
        yield {"group": "everybody", **{name: values[name] for name in names}}
