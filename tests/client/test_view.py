"""An answer for people: every figure readable, what is missing said, nobody's text obeyed."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import Console

from cinque.client.answer import Answer
from cinque.client.digits import figure
from cinque.client.view import html, renderable
from cinque.crate.answer import Missing

HIDDEN = {"suppressed": True, "at_least": 1, "at_most": 9}
UNKNOWN = {"suppressed": True, "at_least": None, "at_most": None}


def _answer(values: dict[str, Any] | None, **changes: Any) -> Answer:
    given: dict[str, Any] = {
        "request": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "question": "How many?",
        "analysis": "any",
        "parameters": {},
        "result": values,
        "exactness": "exact" if values else "",
        "answered": ("north", "south") if values else (),
        "missing": (),
        "names": {"urn:n": "north", "urn:s": "south"},
        "crate": Path("home/answer.zip"),
        "crates": {"north": Path("home/crates/north.zip")},
        "records": {},
    }
    return Answer(**(given | changes))


def _text(answer: Answer) -> str:
    console = Console(width=200, record=True, force_terminal=False)
    with console.capture() as seen:
        console.print(renderable(answer))
    return seen.get()


def _rows(answer: Answer) -> set[tuple[str, ...]]:
    return {tuple(line.split()) for line in _text(answer).splitlines() if line.strip()}


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0, "0"),
        (1844, "1,844"),
        (61.25, "61.25"),
        (1234567.891, "1.23457e+06"),
        (2 / 3, "0.666667"),
        (None, "–"),
        (True, "yes"),
        ([1, HIDDEN], "1, 1..9"),
        (HIDDEN, "1..9"),
        ({"suppressed": True, "at_least": 0, "at_most": 9}, "<10"),
        ({"suppressed": True, "at_least": None, "at_most": 9}, "<10"),
        ({"suppressed": True, "at_least": 1040, "at_most": 1049}, "1,040..1,049"),
        ({"suppressed": True, "at_least": 3, "at_most": None}, "≥3"),
        ({"suppressed": True, "at_least": None, "at_most": 2.5}, "≤2.5"),
        (UNKNOWN, "suppressed"),
    ],
)
def test_a_figure_is_printed_and_a_suppressed_one_never_as_nothing_or_0(value: Any, printed: str) -> None:
    assert figure(value) == printed


def test_a_count() -> None:
    values = {
        "people": 1844,
        "rows": {"suppressed": True, "at_least": 2001, "at_most": 2009},
        "per_tre": {"urn:n": {"people": 1800, "rows": 2000}, "urn:s": {"people": 44, "rows": HIDDEN}},
    }
    rows = _rows(_answer(values))
    assert {("TRE", "people", "rows"), ("north", "1,800", "2,000"), ("south", "44", "1..9")} <= rows
    assert ("all", "1,844", "2,001..2,009") in rows


def test_a_table_has_the_tres_side_by_side() -> None:
    levels = {"sex": ["F", "M"]}
    one = {"levels": levels, "cells": [{"levels": ["F"], "people": 20}, {"levels": ["M"], "people": HIDDEN}]}
    values = {
        "factors": ["sex"],
        "levels": levels,
        "cells": [
            {"levels": ["F"], "people": 40},
            {"levels": ["M"], "people": {"suppressed": True, "at_least": 2, "at_most": 18}},
        ],
        "margins": [],
        "n": 70,
        "missing": 0,
        "per_tre": {tre: one | {"margins": [], "n": 35, "missing": 0} for tre in ("urn:n", "urn:s")},
    }
    rows = _rows(_answer(values))
    assert {("sex", "north", "south", "all"), ("F", "20", "20", "40"), ("M", "1..9", "1..9", "2..18")} <= rows
    assert {("TRE", "n", "missing"), ("north", "35", "0"), ("all", "70", "0")} <= rows


def _group(level: str, mean: Any, over: list[str]) -> dict[str, Any]:
    return {"levels": [level], "n": 20, "missing": 0, "mean": mean, "sd": 1.5, "pooled_over": over}


def test_a_summary_says_over_whom_a_group_is_pooled_where_it_is_not_everybody() -> None:
    both = ["urn:n", "urn:s"]
    values = {
        "variable": "age",
        "by": ["sex"],
        "levels": {"sex": ["F", "M"]},
        "groups": [_group("F", 40.5, both), _group("M", 50.25, ["urn:n"])],
        "ungrouped": 0,
        "per_tre": {
            "urn:n": {"groups": [_group("F", 40.0, ["urn:n"]), _group("M", 50.25, ["urn:n"])], "ungrouped": 0},
            "urn:s": {"groups": [_group("F", 41.0, ["urn:s"]), _group("M", UNKNOWN, [])], "ungrouped": 0},
        },
    }
    rows = _rows(_answer(values))
    assert ("sex", "TRE", "n", "missing", "mean", "sd", "pooled", "over") in rows
    assert {("F", "north", "20", "0", "40.00", "1.5"), ("M", "south", "20", "0", "suppressed", "1.5")} <= rows
    assert {("F", "all", "20", "0", "40.50", "1.5"), ("M", "all", "20", "0", "50.25", "1.5", "north")} <= rows
    values["groups"] = [_group("F", 40.5, both), _group("M", 50.25, both)]
    assert "pooled over" not in _text(_answer(values)).replace("pooled over north, south", "")


def test_an_analysis_that_nobody_has_written_yet() -> None:
    values = {
        "model": "logit",
        "coefficients": [
            {"term": "age", "estimate": 0.25, "interval": [0.1, 0.4]},
            {"term": "sex", "estimate": UNKNOWN, "interval": UNKNOWN},
        ],
        "fit": {"deviance": 10.5, "nested": {"steps": 4}},
    }
    rows = _rows(_answer(values))
    assert {("age", "0.25", "0.1", "to", "0.4"), ("sex", "suppressed", "suppressed")} <= rows
    assert {("fit.deviance", "fit.nested.steps"), ("10.5", "4")} <= rows


MISSING = (Missing("east", "offline", "The TRE has not called the hub."),)
VALUES = {"people": 5, "per_tre": {}}


@pytest.mark.parametrize(
    ("changes", "said", "not_said"),
    [
        ({}, "Exact: nothing was suppressed", "Not of every TRE"),
        ({"missing": MISSING}, "Not of every TRE that was asked", "Exact"),
        ({"pending": ("west",)}, "Not of every TRE that was asked", "Exact"),
        ({"exactness": "bounded"}, "Bounded: some figures were suppressed", "Exact"),
        ({"exactness": "rounded"}, "Rounded: figures were altered", "Exact"),
        ({"values": None, "answered": ()}, "Nobody released a figure", "Exact"),
        ({"values": None, "answered": (), "pending": ("west",)}, "no answer so far", "Exact"),
    ],
)
def test_exactness_is_claimed_only_where_nothing_was_done_and_nobody_is_missing(
    changes: dict[str, Any], said: str, not_said: str
) -> None:
    answer = _answer(**({"values": VALUES} | changes))
    for seen in (_text(answer), html(answer)):
        assert said in seen
        assert not_said not in seen


def test_who_did_not_answer_and_why_and_where_the_crates_are() -> None:
    answer = _answer(VALUES, missing=MISSING, pending=("west",), records={"east": Path("home/crates/east.zip")})
    for seen in (_text(answer), html(answer)):
        assert "The TRE has not called the hub. [offline]" in seen
        assert "No answer yet." in seen
        assert all(f"home/{name}" in seen for name in ("answer.zip", "crates/north.zip", "crates/east.zip"))
        assert answer.request in seen


EVIL = "<script>alert(1)</script>\x1b[2J[bold]\u202eabc\"'&"


def test_nobodys_text_is_obeyed() -> None:
    values = {
        "factors": [EVIL],
        "cells": [{"levels": [EVIL], "people": 3}],
        EVIL: 4,
        "per_tre": {"urn:n": {"cells": [{"levels": [EVIL], "people": 3}], EVIL: 4}},
    }
    missing = (Missing(EVIL, EVIL, EVIL),)
    answer = _answer(values, question=EVIL, missing=missing, request=EVIL, names={"urn:n": EVIL}, answered=(EVIL,))
    text = _text(answer)
    assert "[bold]" in text  # printed, not read as markup
    assert not {"\x1b", "\u202e"} & set(text)

    class Tags(HTMLParser):
        seen: ClassVar[set[str]] = set()

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.add(tag)
            assert {name for name, _ in attrs} <= {"class"}

    page = html(answer)
    Tags().feed(page)
    allowed = {"div", "style", "p", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd"}
    assert Tags.seen <= allowed | {"code", "span"}
    assert not {"\x1b", "\u202e"} & set(page)
    assert "http" not in page  # fetches nothing


def test_an_answer_shows_itself_in_terminal_and_notebook() -> None:
    answer = _answer(VALUES)
    assert answer._repr_html_() == html(answer)
    console = Console(width=100)
    with console.capture() as seen:
        console.print(answer)
    assert "How many?" in seen.get()
