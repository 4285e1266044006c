"""A crate in the terminal: the same reading as the page, as rich renderables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text as Rich

from cinque.crate.timeline import Moment
from cinque.crate.view import Card, Section, View, view
from cinque.crate.wording import Line, Text

_TONES = {"good": "green", "bad": "red", "open": "blue"}
_COLOURS = {"people": "magenta", "projects": "blue", "settings": "cyan", "data": "yellow", "outputs": "bright_magenta"}
_MARKS = {"passed": ("●", "green"), "failed": ("●", "red"), "running": ("◐", "blue"), "waiting": ("○", "dim")}


def renderable(graph: Iterable[Mapping[str, Any]], files: Mapping[str, int]) -> Group:
    """What `cinque crate show` prints. `graph`: the crate's entities; `files`: size of each payload file, in bytes.

    A crate's text is never read as markup, and holds no control characters: nothing in it can steer the terminal.
    """
    seen = view(graph, files)
    parts: list[RenderableType] = [_head(seen)]
    for number, section in enumerate(seen.sections, 1):
        parts += _section(number, section)
    parts += ["", Rule(Rich("Phases", "bold"), align="left", style="dim"), _timeline(seen)]
    parts += ["", Rule(Rich("The workflow, and how to repeat it", "bold"), align="left", style="dim")]
    parts += [_card(card) for card in seen.workflow]
    steps = Table.grid(padding=(0, 1))
    steps.add_column(no_wrap=True)
    steps.add_column(overflow="fold")
    for number, step in enumerate(seen.repeat, 1):
        steps.add_row(Rich(f"  {number}."), _coded(step))
    return Group(*parts, steps)


def _head(seen: View) -> Panel:
    tone = _TONES[seen.tone]
    parts: list[RenderableType] = [Rich(seen.title, "bold")]
    if seen.description and seen.description != seen.title:
        parts.append(_coded(seen.description, "dim"))
    if seen.reason:
        parts.append(_coded(seen.reason, tone))
    return Panel(
        Group(*parts, *([_table(seen.facts)] if seen.facts else [])),
        title=Rich(f" {seen.status} ", f"bold {tone}"),
        title_align="left",
        border_style=tone,
        padding=(0, 1),
    )


def _section(number: int, section: Section) -> list[RenderableType]:
    title = Rich.assemble(
        (f"{number} {section.title}", f"bold {_COLOURS[section.key]}"), "  ", (section.question, "dim")
    )
    cards: list[RenderableType] = [_card(card) for card in section.cards]
    return ["", Rule(title, align="left", style=_COLOURS[section.key]), *(cards or [Rich("  " + section.empty, "dim")])]


def _card(card: Card) -> Padding:
    title = Rich.assemble((card.title.text, "bold"), (f"  {card.role}", "dim"))
    return Padding(Group(title, *([_table(card.lines)] if card.lines else [])), (0, 0, 0, 2), expand=False)


def _table(lines: Iterable[Line]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(Rich("  " + line.label), _texts(line.values))
    return table


def _texts(values: Iterable[Text]) -> Rich:
    return Rich("\n").join([_text(value) for value in values])


def _text(value: Text) -> Rich:
    # a terminal opens web addresses; a path within the crate would mean nothing to it
    web = value.href.lower().startswith(("https://", "http://"))
    return Rich(value.text, Style(link=value.href) if web else "")


def _timeline(seen: View) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for moment in seen.timeline:
        mark, colour = _MARKS[moment.verdict]
        table.add_row(Rich(f"  {mark}", colour), _moment(moment, colour))
    return table if seen.timeline else Rich("  Nothing has happened yet.", "dim")


def _moment(moment: Moment, colour: str) -> Rich:
    found = Rich.assemble((moment.phase, "bold"), "  ", (moment.word, colour))
    details = [part for part in (moment.when, moment.who.text) if part]
    if moment.basis.values:
        details.append(f"{moment.basis.label.lower()} {', '.join(value.text for value in moment.basis.values)}")
    if moment.name:
        found.append("\n" + moment.name)
    if moment.sentence:
        found.append("\n").append_text(_coded(moment.sentence, colour if moment.verdict == "failed" else "dim"))
    if details:
        found.append("\n" + " · ".join(details), "dim")
    return found


def _coded(text: str, style: str = "") -> Rich:
    """A text with what stands between two backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one without its fellow is a character like any other
        return Rich(text, style)
    found = Rich("", style)
    for place, part in enumerate(parts):
        found.append(part, "bold cyan" if place % 2 else "")
    return found
