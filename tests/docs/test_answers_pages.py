"""The pages on answers: their Python runs, prints what they say, and draws the pictures that they show."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["howto/read-an-answer.md", "analyses/meta.md", "analyses/roc.md"])
def test_a_page_prints_what_it_says_and_draws_what_it_shows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DOCS / name).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", text, re.DOTALL | re.MULTILINE)
    known: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    for code, said in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, name, "exec"), known)
        if said:  # in any width; what changes with every run is an ellipsis
            expected = ".*".join(map(re.escape, " ".join(said.split()).split("…")))
            assert re.fullmatch(expected, " ".join(printed.getvalue().split())), printed.getvalue()
    shown = set(re.findall(r"_pictures/([a-z-]+\.svg)", text))
    assert shown
    assert all("<svg" in (tmp_path / picture).read_text("utf-8") for picture in shown)


def test_the_pages_with_pictures_are_those_that_are_drawn_when_the_pages_are_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(DOCS)
    import pictures  # type: ignore[import-not-found]  # beside Sphinx's settings

    sys.modules.pop("pictures")
    using = {str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md") if "_pictures/" in p.read_text("utf-8")}
    assert using == set(pictures.PAGES)
