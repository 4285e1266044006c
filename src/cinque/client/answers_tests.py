"""Answers of tests: the test's figures below each other, then what they stand on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cinque.client.answer import Answer
from cinque.client.answers_summary import described

# What is printed, by its key, and in which words; what an analysis has not is left out.
_TEST: Final = (
    ("statistic", "statistic"),
    ("f", "F"),
    ("df", "degrees of freedom"),
    ("df_between", "degrees of freedom, between"),
    ("df_within", "degrees of freedom, within"),
    ("p", "p"),
    ("estimate", "estimate"),
    ("odds_ratio", "odds ratio"),
    ("confint", "95 % interval"),
    ("cramers_v", "Cramer's V"),
    ("eta2", "eta squared"),
    ("strata", "strata"),
    ("n", "people"),
    ("missing", "people with something missing"),
)


@dataclass(frozen=True, repr=False)
class TestAnswer(Answer):
    """`statistic`, `df`, `p`, and what else the test has, by the names of its values; a test on figures that were
    suppressed is None, and `reason` says so.
    """

    __test__ = False  # no test of pytest's

    def sheets(self) -> Sequence[Any]:
        """The test, then the groups that it compares, if it has them."""
        from cinque.client.view import sheets

        if self.result is None:
            return []
        values = self.known
        per_tre = {tre: {"test": list(_lines(own)), **_groups(own)} for tre, own in values.get("per_tre", {}).items()}
        whole = {"test": [*_lines(values), *_homogeneity(values)], **_groups(values)}
        by = {"by": values["by"]} if values.get("by") else {}
        return sheets(replace(self, result={**by, **whole, "per_tre": per_tre}))

    @property
    def warnings(self) -> list[str]:
        """Why there is no test, or over fewer TREs than answered."""
        found = [str(self.result["reason"])] if (self.result or {}).get("reason") else []  # type: ignore[index]
        over = self.pooled_over
        left = [tre for tre in self.per_tre if tre not in over]
        return found + ([f"Not in the test, because what it needs could not leave: {', '.join(left)}."] if left else [])


@dataclass(frozen=True, repr=False)
class OddsAnswer(TestAnswer):
    """As of a test; `odds_ratio` and the ends of its `confint` may be infinite (`inf`). JSON has no infinite number:
    there they are null, and `infinite` of the values names them.
    """

    @property
    def known(self) -> dict[str, Any]:
        """The values with the infinite numbers that JSON leaves out."""
        return _infinite(self.result or {})

    @property
    def odds_ratio(self) -> float | None:
        """The odds ratio; None where no TRE released its table."""
        found: float | None = self.known.get("odds_ratio")
        return found

    @property
    def confint(self) -> list[float] | None:
        """The ends of its interval."""
        found: list[float] | None = self.known.get("confint")
        return found

    def to_dict(self) -> dict[str, Any]:
        """As of any answer; `infinite` names what is null because JSON has no number for it."""
        found = super().to_dict()
        if found["values"] is not None:
            for values in (found["values"], *found["values"].get("per_tre", {}).values()):
                if names := _named_infinite(values):
                    values["infinite"] = names
        return found


def _infinite(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for name in _named_infinite(values):
        if name == "odds_ratio":
            found[name] = math.inf
        else:
            found["confint"] = [values["confint"][0], math.inf]
    if "per_tre" in found:
        found["per_tre"] = {tre: _infinite(own) for tre, own in found["per_tre"].items()}
    return found


def _named_infinite(values: Mapping[str, Any]) -> list[str]:
    """Beside a p that is known, an odds ratio or an upper end that is not there is infinite (stats/contingency.py)."""
    if values.get("p") is None:
        return []
    ratio = ["odds_ratio"] if "odds_ratio" in values and values["odds_ratio"] is None else []
    ends = values.get("confint")
    return ratio + (["confint.1"] if isinstance(ends, list) and len(ends) == 2 and ends[1] is None else [])


def _lines(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    # A TRE's own estimate stands under the name by which a meta-analysis finds it.
    own = next(iter((values.get("coef") or {}).values()), None)
    for name, words in _TEST:
        value = own if name == "estimate" and own is not None else values.get(name)
        if value is not None:
            yield {"test": words, "value": value}


def _homogeneity(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = values.get("homogeneity")
    if found:
        yield {"test": f"one odds ratio in all strata: chi-squared on {found['df']} df", "value": found["statistic"]}
        yield {"test": "one odds ratio in all strata: p", "value": found["p"]}


def _groups(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"groups": described(values)["groups"]} if values.get("groups") else {}
