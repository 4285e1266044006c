"""How each TRE stands, while somebody waits: one changing table on a terminal or in a notebook, quiet elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, Final

from cinque.crate.wording import short

if TYPE_CHECKING:
    from rich.console import Console

    from cinque.client.request import Request
    from cinque.wire.messages import RequestStatus

Seen = Callable[["RequestStatus"], None]
PATIENCE: Final = 1.0  # seconds before a notebook shows anything: most answers are there by then
_TONES: Final = {"released": "green", "refused": "red", "withheld": "red", "failed": "red"}
_COLOURS: Final = {"green": "#009e73", "red": "#d55e00", "dim": "#6f777b"}


@contextmanager
def watching(request: Request) -> Iterator[Seen | None]:
    """What `Request.answer` is given as `progress` in Python: in a notebook or a terminal somebody looks; else None."""
    if (display := _notebook()) is not None:
        yield _page(request, display)
        return
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with live(request, Console(stderr=True, highlight=False, markup=False, emoji=False)) as seen:
        yield seen


@contextmanager
def live(request: Request, console: Console) -> Iterator[Seen]:
    """A table on a terminal that changes, and is gone in the end."""
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.table import Table
    from rich.text import Text

    spinner = Spinner("dots")

    def table(status: RequestStatus) -> Table:
        made = Table.grid(padding=(0, 1))
        for name, words, tone in rows(request, status):
            made.add_row(Text("●", tone) if tone else spinner, Text(name), Text(words, "dim"))
        return made

    with Live(console=console, transient=True, refresh_per_second=8) as shown:
        yield lambda status: shown.update(table(status), refresh=True)


def rows(request: Request, status: RequestStatus) -> list[tuple[str, str, str]]:
    """(TRE, how its task stands, colour) each, by name; no colour before its end. The words are made harmless."""
    from cinque.model.lifecycle import FINAL

    names: dict[str, str] = request.folder.note()["tres"]
    ended = {str(state) for state in FINAL}
    return sorted(
        (
            short(names.get(task.tre, task.tre)),
            standing(task.state, task.code, task.round),
            _TONES.get(task.state, "dim") if task.state in ended else "",
        )
        for task in status.tasks
    )


def standing(state: str, code: str, round: int = 1) -> str:
    """The state of a task, with its code where that says more, and its round where there are several."""
    words = f"{state} ({code})" if code and code != state else state
    return short(words + (f", round {round}" if round > 1 else ""))


# --------------------------------------------------------------------------------------------------------- notebooks
def _notebook() -> Any:
    """IPython's display, where a notebook shows it; None elsewhere. Nothing is imported that is not there already."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or type(shell).__name__ != "ZMQInteractiveShell":
        return None
    from importlib import import_module

    return import_module("IPython.display")


def _page(request: Request, display: Any) -> Seen:
    began = time.monotonic()
    handle: list[Any] = []

    def seen(status: RequestStatus) -> None:
        if not handle and time.monotonic() - began < PATIENCE:
            return
        page = display.HTML(html(rows(request, status)))
        if handle:
            handle[0].update(page)
        else:
            handle.append(display.display(page, display_id=True))

    return seen


def html(found: list[tuple[str, str, str]]) -> str:
    """The table for a notebook."""
    lines = "".join(
        f'<tr><td style="color:{_COLOURS.get(tone, "inherit")}">{"●" if tone else "○"}</td>'
        f"<td>{escape(name)}</td><td>{escape(words)}</td></tr>"
        for name, words, tone in found
    )
    return f'<table class="cinque-progress">{lines}</table>'
