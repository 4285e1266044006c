"""`cinque ask`: a command for each analysis of the registry, made from its parameters when `ask` runs."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, Field
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cinque.cli.terminal import Home, Json, emit, home_of, line, say

if TYPE_CHECKING:
    from cinque.analyses.analysis import Analysis


class Analyses(TyperGroup):
    """Looks at the registry only when a command under `ask` is wanted."""

    def _load(self) -> None:
        if not self.commands:
            from cinque.analyses import registry

            for name in registry.names():
                self.commands[name] = command(registry.get(name))

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the analyses."""
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of one analysis."""
        self._load()
        return super().get_command(ctx, cmd_name)


app = typer.Typer(cls=Analyses, no_args_is_help=True, help="Ask a question of the TREs.")


@app.callback()
def _ask() -> None:
    """Ask a question of the TREs."""


def send(
    ctx: typer.Context,
    analysis: str,
    parameters: dict[str, Any],
    dataset: Annotated[str, typer.Option("--dataset", "--data", help="The dataset to ask of.")] = "",
    project: Annotated[str, typer.Option(help="The project on whose behalf.")] = "",
    tres: Annotated[
        list[str] | None, typer.Option(metavar="NAMES", help="The TREs to ask, if not every one that is pinned.")
    ] = None,
    title: Annotated[str, typer.Option(help="The question in words, for people.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Print the request's id and do not wait.")] = False,
    timeout: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="How long to wait at most.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Ask, wait, and print the answer; or ask alone."""
    from cinque.cli.requests import answer_of, opened

    with opened(ctx, home_of(ctx, home)) as client:
        request = client.ask(
            analysis,
            parameters,
            dataset=dataset,
            project=project,
            tres=split(tres) or None,
            title=title,
        )
        if detach:
            if json:
                emit({"request": request.id, "folder": str(request.folder.path)})
            else:
                line(request.id)
                say(f"Asked. Read what came back with `cinque answer {request.id[9:17]}`.", style="dim")
            return
        say(f"Asked as {request.id}.", style="dim")
        answer_of(request, timeout, json)


def command(analysis: Analysis[Any]) -> Any:
    """The command of an analysis."""
    one = typer.Typer(add_completion=False, rich_markup_mode=None)
    one.command(analysis.name, help=f"{analysis.title}.")(function(analysis))
    return typer.main.get_command(one)


def function(analysis: Analysis[Any]) -> Callable[..., None]:
    """What typer makes the command of: the analysis's parameters, then those of every question. A parameter without
    default is positional. Raises ValueError for one that no command line can give, or that is named like an option.
    """
    from cinque.analyses.analysis import asked_fields

    hints = typing.get_type_hints(analysis.parameters)
    known = asked_fields(analysis.parameters)
    template = inspect.signature(send, eval_str=True).parameters
    shared = [p for name, p in template.items() if name not in ("ctx", "analysis", "parameters")]
    own = [_parameter(field, hints[field.name]) for field in known]

    def run(ctx: typer.Context, **given: Any) -> None:
        parameters = {field.name: _value(hints[field.name], given.pop(field.name)) for field in known}
        send(ctx, analysis.name, {name: value for name, value in parameters.items() if value is not None}, **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    first = template["ctx"]
    signature = [first, *(p.replace(kind=keyword) for p in (*own, *shared))]
    run.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {p.name: p.annotation for p in signature}
    return run


def _parameter(field: Field[Any], hint: Any) -> inspect.Parameter:
    """How a parameter is given: a tuple as several, anything else once."""
    described = str(field.metadata.get("description", "")) or None
    required = field.default is MISSING and field.default_factory is MISSING
    asked: Any = _asked(hint)
    if required:
        note: Any = typer.Argument(help=described)
        return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[asked, note])
    option = field.name.replace("_", "-")
    # What is on unless it is turned off needs a word for that. What is not given is not sent: the analysis has its
    # default, which is only shown here.
    usual = field.default
    shown = (
        str(usual) if isinstance(usual, int | float | str) and not isinstance(usual, bool) and usual != "" else False
    )
    flags = f"--{option}/--no-{option}" if usual is True else f"--{option}"
    note = typer.Option(flags, help=described, show_default=shown)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[asked | None, note]
    )


def _asked(hint: Any) -> Any:
    """The type that the command line reads for a parameter's type. Raises ValueError for one that has no such form."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        if len(kinds) == 1:
            return _asked(kinds[0])
        if _one_or_several(hint):
            return list[kinds[0]]  # type: ignore[valid-type]  # built from what is found at run time
    if typing.get_origin(hint) is tuple and typing.get_args(hint)[1:] == (...,):
        return list[typing.get_args(hint)[0]]  # type: ignore[misc]  # built from what is found at run time
    if hint in (str, int, float, bool) or typing.get_origin(hint) is typing.Literal:
        return hint
    raise ValueError(f"a parameter of type {hint} cannot be given on the command line")


def _one_or_several(hint: Any) -> bool:
    """Whether a parameter is one value or a tuple of such values, as a width or edges."""
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return len(kinds) == 2 and typing.get_args(kinds[1]) == (kinds[0], ...)


def _value(hint: Any, given: Any) -> Any:
    """A list of names may be written with commas; an empty list is as if not given."""
    if not isinstance(given, list | tuple):
        return given
    if _one_or_several(hint) and len(given) == 1:
        return given[0]
    return (split(given) if typing.get_args(hint)[:1] == (str,) else list(given)) or None


def split(names: typing.Sequence[str] | None) -> list[str]:
    """`a,b c` as written on a command line: commas and spaces alike."""
    return [part.strip() for name in names or () for part in name.split(",") if part.strip()]
