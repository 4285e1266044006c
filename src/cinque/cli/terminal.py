"""How every command speaks, and how a refusal ends one: a sentence and what to do next, never a traceback.

Standard output carries the result (with `--json` exactly one document), standard error everything said besides. Nothing
heavy is imported until something is said: `cinque --help` must answer at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from cinque.errors import CinqueError, Refused, Unreadable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

T = TypeVar("T")

OK, NO, UNUSABLE = 0, 1, 2  # exit codes: done; refused or failed; wrong usage or unreadable
_JSON = "cinque.json"
_SENTENCE = 200  # characters of a command's first sentence in a list of commands
_WIDTH = 120  # columns where the output is no terminal


@dataclass(frozen=True, slots=True)
class Here:
    """Where a command works, as the environment says: the home folder and, if set, the passphrase of its keys."""

    home: Path
    passphrase: bytes | None


def here(ctx: typer.Context) -> Here:
    """What the environment says; read once, in main.py."""
    found = ctx.find_object(Here)
    if found is None:
        raise RuntimeError("the commands were called without their main")
    return found


def home_of(ctx: typer.Context, given: Path | None) -> Path:
    """The home that was named, or the usual one."""
    return given or here(ctx).home


# ------------------------------------------------------------------------------------------------ options they share
def _remember(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[_JSON] = value
    return value


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.", callback=_remember)]
Home = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="The home folder, if not CINQUE_HOME or ~/.cinque.")
]
Protect = Annotated[bool, typer.Option("--protect", help="Ask for a passphrase that protects the new keys.")]


# -------------------------------------------------------------------------------------------------------- speaking
def out() -> Console:
    """The console of standard output."""
    return _console(error=False)


def err() -> Console:
    """The console of standard error."""
    return _console(error=True)


def _console(*, error: bool) -> Console:
    from rich.console import Console

    terminal = (sys.stderr if error else sys.stdout).isatty()
    return Console(stderr=error, highlight=False, markup=False, emoji=False, width=None if terminal else _WIDTH)


def say(text: str, *, style: str = "") -> None:
    """A line on standard error, kept whole for those who copy it. Other people's text is made harmless."""
    err().print(harmless(text), style=style or None, soft_wrap=True)


def show(renderable: RenderableType) -> None:
    """The result, for people."""
    out().print(renderable)


def line(text: str, *, style: str = "") -> None:
    """A line of the result, whole: a path, a token, an id."""
    out().print(harmless(text), style=style or None, soft_wrap=True)


def emit(value: Any) -> None:
    """The result, for machines. ASCII, so that nobody's text can steer a terminal."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def harmless(text: str) -> str:
    """Text without control characters, line by line."""
    from cinque.crate.wording import short

    return "\n".join(part if part.isprintable() else short(part) for part in text.split("\n"))


def grid(*rows: tuple[str, str]) -> RenderableType:
    """Labels and what stands beside them."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in rows:
        table.add_row(label, Text(harmless(value)))
    return table


def listing(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> RenderableType:
    """A table of text."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(Text(harmless(cell)) for cell in row))
    return table


# --------------------------------------------------------------------------------------------------------- refusals
class Grouped(TyperGroup):
    """Commands listed under the headings that they were given."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One section a heading, in the order of the first command of each."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            heading = command.rich_help_panel
            text = command.get_short_help_str(_SENTENCE)
            sections.setdefault(heading if isinstance(heading, str) else "Commands", []).append((name, text))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


class Root(Grouped):
    """The command `cinque`: what any command refuses is said here, once."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what it raises on purpose becomes words and an exit code."""
        try:
            return super().invoke(ctx)
        except CinqueError as error:
            refuse(ctx, error)
            raise typer.Exit(UNUSABLE if isinstance(error, Unreadable) else NO) from None
        except ModuleNotFoundError as error:
            if (error.name or "cinque").partition(".")[0] == "cinque":
                raise
            refuse(ctx, _not_installed(error.name or ""))
            raise typer.Exit(UNUSABLE) from None
        except OSError as error:
            if error.filename is None:  # a closed pipe and the like: typer knows
                raise
            problem = Unreadable("file", f"{error.filename}: {error.strerror}.")
            refuse(ctx, problem)
            raise typer.Exit(UNUSABLE) from None


def _not_installed(module: str) -> CinqueError:
    return Unreadable(
        "not-installed",
        f"This command needs the package `{module}`, which is not installed: `pip install cinque` is the client alone.",
        remedy="Install `cinque[hub]` for a hub, `cinque[tre]` for a TRE, `cinque[rdf]` for RDF, `cinque[demo]` for "
        "the demo.",
    )


def refuse(ctx: Any, error: CinqueError) -> None:
    """Say why not: a problem document with `--json`, else words."""
    if ctx.meta.get(_JSON):
        emit(error.to_dict())
        return
    from rich.text import Text

    parts: list[Any] = [(f"{error.title}: ", "bold red"), harmless(error.sentence)]
    if error.remedy:
        parts += ["\n", ("What to do: ", "bold"), harmless(error.remedy)]
    parts.append((f"\n[{harmless(error.code)}" + (f", rule {harmless(error.rule)}" if error.rule else "") + "]", "dim"))
    err().print(Text.assemble(*parts), soft_wrap=True)


# ------------------------------------------------------------------------------------------- questions to the person
def agreed(question: str) -> None:
    """Ask, where a person sits at the terminal; elsewhere the command itself is the consent. Ends the command on no."""
    if sys.stdin.isatty() and sys.stderr.isatty():
        typer.confirm(question, abort=True, err=True)


def with_passphrase(ctx: typer.Context, use: Callable[[bytes | None], T]) -> T:
    """`use` with the passphrase of the environment, asked for when the keys turn out to need one."""
    try:
        return use(here(ctx).passphrase)
    except Refused as refusal:
        if refusal.code != "key-passphrase-needed":
            raise
        if not sys.stdin.isatty():
            raise Refused(refusal.code, refusal.sentence, remedy="Set CINQUE_PASSPHRASE.") from None
    return use(typer.prompt("Passphrase", hide_input=True, err=True).encode())


def new_passphrase(ctx: typer.Context, protect: bool) -> bytes | None:
    """The passphrase for new keys: the environment's, or asked for twice."""
    found = here(ctx).passphrase
    if found is None and protect:
        asked: str = typer.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
        found = asked.encode()
    return found
