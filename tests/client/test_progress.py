"""Who waits sees how each TRE stands: in a terminal and in a notebook, and nothing where nobody looks."""

from __future__ import annotations

import io
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from rich.console import Console

import cinque
from cinque.client.progress import html, live, rows, standing, watching

TABLES = {name: {"sex": ["F", "M"] * 20} for name in ("dover", "rye")}


def test_a_terminal_shows_each_tre_and_forgets_it_in_the_end() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=60)
    with cinque.Federation.local(TABLES) as fed:
        request = fed.ask("count")
        with live(request, console) as seen:
            answer = request.answer(60, progress=seen)
        found = rows(request, request.status())
        assert answer.people == 80
        with watching(request) as quiet:  # pytest reads standard error: nobody looks
            assert quiet is None
    assert found == [("dover", "released", "green"), ("rye", "released", "green")]
    assert "dover" in text.getvalue()
    assert "released" in text.getvalue()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("running", ""), "running"),
        (("refused", "agreement-missing"), "refused (agreement-missing)"),
        (("released", "released", 1), "released"),
        (("running", "", 4), "running, round 4"),
    ],
)
def test_a_task_in_words(given: tuple[Any, ...], said: str) -> None:
    assert standing(*given) == said


def test_the_hubs_words_are_made_harmless() -> None:
    assert "\x1b" not in standing("\x1b[2J", "\x1b[31m")


def test_nobodys_text_is_obeyed_in_a_notebook() -> None:
    page = html([("<b>", "<i>", "red"), ("rye", "running", "")])
    assert "<b>" not in page
    assert "<i>" not in page


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
def test_a_notebook_shows_one_table_that_changes() -> None:
    cell = (
        "import cinque, cinque.client.progress as p\n"
        "p.PATIENCE = 0.0\n"
        f"fed = cinque.Federation.local({TABLES!r})\n"
        "fed.count().people"
    )
    notebook: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=100, kernel_name="python3").execute()
    shown, result = notebook.cells[0].outputs
    assert shown.output_type == "display_data"
    assert "cinque-progress" in shown.data["text/html"]
    assert "released" in shown.data["text/html"]  # the last of its changes
    assert result.data["text/plain"] == "80"
