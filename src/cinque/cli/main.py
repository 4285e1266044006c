"""The command `cinque`. This module alone reads the environment; the commands live beside it and import what they
need when they run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cinque import __version__
from cinque.cli import ask, audit, crate, key, members, play, profile, requests, runs, services, staff, synthesis, tre
from cinque.cli.terminal import Here, Root

app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # typer's rich help costs a third of a second: Markdown, highlighting, tracebacks
    pretty_exceptions_enable=False,  # a traceback would print local values, keys among them
    help="One question to many Trusted Research Environments, one answer, every step signed.",
)


def _version(value: bool) -> None:
    if value:
        print(f"cinque {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="The version.", callback=_version, is_eager=True)] = False,  # noqa: ARG001  the callback has read it
) -> None:
    home = os.environ.get("CINQUE_HOME", "")
    passphrase = os.environ.get("CINQUE_PASSPHRASE", "")
    ctx.obj = Here(Path(home) if home else Path.home() / ".cinque", passphrase.encode() or None)


_RESEARCH, _CRATES, _TRE, _FEDERATION, _TRY = "Asking", "Crates", "A TRE", "A federation", "Trying it"

app.command("demo", rich_help_panel=_TRY)(play.demo)
app.command("up", rich_help_panel=_TRY)(play.up)
app.add_typer(ask.app, name="ask", rich_help_panel=_RESEARCH)
app.command("status", rich_help_panel=_RESEARCH)(requests.status)
app.command("answer", rich_help_panel=_RESEARCH)(requests.answer)
app.command("cancel", rich_help_panel=_RESEARCH)(requests.cancel)
app.command("meta", rich_help_panel=_RESEARCH)(synthesis.meta)
app.add_typer(key.app, name="key", rich_help_panel=_RESEARCH)
app.command("connect", rich_help_panel=_RESEARCH)(members.connect)
app.add_typer(members.app, name="members", rich_help_panel=_RESEARCH)
app.command("runs", rich_help_panel=_CRATES)(runs.runs)
app.command("verify", rich_help_panel=_CRATES)(crate.verify)
app.add_typer(crate.app, name="crate", rich_help_panel=_CRATES)
app.add_typer(profile.app, name="profile", rich_help_panel=_CRATES)
staff.add_to(tre.app)
app.add_typer(tre.app, name="tre", rich_help_panel=_TRE)
app.add_typer(services.gate, name="gate", rich_help_panel=_TRE)
app.add_typer(services.enclave, name="enclave", rich_help_panel=_TRE)
app.add_typer(services.hub, name="hub", rich_help_panel=_FEDERATION)
app.add_typer(audit.app, name="audit", rich_help_panel=_FEDERATION)


def main() -> None:
    """The entry point."""
    app(prog_name="cinque")
