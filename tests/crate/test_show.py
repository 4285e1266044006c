"""The terminal view says what the page says, and nothing in a crate can steer the terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cinque.crate.show import renderable
from tests.crate import examples
from tests.crate.examples import BY_STAGE, put
from tests.crate.test_check import entities


def shown(graph: list[dict[str, Any]], *, colour: bool = False) -> str:
    console = Console(width=100, force_terminal=colour, color_system="standard" if colour else None)
    with console.capture() as capture:
        console.print(renderable(graph, {"outputs/table.csv": 1234}))
    return capture.get()


@pytest.mark.parametrize("stage", BY_STAGE)
def test_every_stage_shows_its_five_safes_and_its_phases(stage: str) -> None:
    said = shown(BY_STAGE[stage]()["@graph"])
    for title in ("1 Safe people", "2 Safe projects", "3 Safe settings", "4 Safe data", "5 Safe outputs", "Phases"):
        assert title in said


def test_the_terminal_says_what_the_page_says() -> None:
    said = shown(examples.published()["@graph"])
    for text in (
        "Released",
        "Josiah Carberry",
        "TRE 72",
        "project81 (tre72)",
        "1.2 kB",
        "Approved",
        "under Agreement 7",
    ):
        assert text in said


def test_markup_and_control_characters_are_not_obeyed() -> None:
    crate = examples.published()
    put("./", name="[bold red]x[/] \x1b]0;owned\x07\x1b[2J\u202egnp.exe")(crate)
    said = shown(crate["@graph"], colour=True)
    assert "[bold red]x[/]" in said
    assert "\x1b]0;" not in said
    assert "\x1b[2J" not in said
    assert "\x07" not in said
    assert "\u202e" not in said


def test_an_address_cannot_carry_a_command_to_the_terminal() -> None:
    crate = examples.published()
    put("./", license={"@id": "https://a.example/\x1b\\\x1b[2J"})(crate)
    put("./", identifier="https://a.example/\x1b\\\x1b[2J")(crate)
    assert "\x1b[2J" not in shown(crate["@graph"], colour=True)


@settings(max_examples=75, deadline=None)
@given(st.lists(entities, max_size=6))
def test_no_graph_crashes_the_view(graph: list[dict[str, Any]]) -> None:
    assert "Safe outputs" in shown(graph)
