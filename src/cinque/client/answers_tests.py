"""Answers of tests: the test's figures below each other, then what they stand on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cinque.client.answer import Answer

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
        per_tre = {
            tre: {"test": list(_lines(own)), **_groups(own)} for tre, own in self.result.get("per_tre", {}).items()
        }
        whole = {"test": [*_lines(self.result), *_homogeneity(self.result)], **_groups(self.result)}
        by = {"by": self.result["by"]} if self.result.get("by") else {}
        return sheets(replace(self, result={**by, **whole, "per_tre": per_tre}))

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        from cinque.client.view import renderable

        reason = (self.result or {}).get("reason")
        return Group(renderable(self), *([Text(reason, "yellow")] if reason else []))

    def _repr_html_(self) -> str:
        from html import escape

        from cinque.client.view import html

        reason = (self.result or {}).get("reason")
        return html(self) + (f"<p>{escape(reason)}</p>" if reason else "")


def _lines(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, words in _TEST:
        value = values.get(name)
        if name == "confint" and isinstance(value, list):
            for side, end in zip(("lower", "upper"), value, strict=True):
                yield {"test": f"{words}, {side} end", "value": end}
        elif value is not None:
            yield {"test": words, "value": value}


def _homogeneity(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = values.get("homogeneity")
    if found:
        yield {"test": f"one odds ratio in all strata: chi-squared on {found['df']} df", "value": found["statistic"]}
        yield {"test": "its p", "value": found["p"]}


def _groups(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"groups": values["groups"]} if values.get("groups") else {}
