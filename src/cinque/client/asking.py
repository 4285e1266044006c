"""`fed.count(…)`, `fed.table(…)`: one method for each analysis of the registry, made from its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any

from cinque.analyses import registry
from cinque.analyses.analysis import Analysis, asked_fields
from cinque.client.answer import Answer
from cinque.client.arguments import arguments, missing_parameter, nearest, unknown_parameter
from cinque.client.client import Client
from cinque.client.request import Request
from cinque.errors import Refused

if TYPE_CHECKING:
    from cinque.client.synthesis import Synthesis

OWN = ("data", "project", "tres", "timeout", "title")


class Asking:
    """What a connection and a local federation have in common. `ask` returns at once; the methods named after analyses
    wait for the answer.
    """

    client: Client
    _timeout: float | None = None

    def ask(
        self,
        analysis: str,
        *,
        data: str = "",
        project: str = "",
        tres: Sequence[str] | None = None,
        title: str = "",
        **parameters: Any,
    ) -> Request:
        """Ask and return a request that can be waited for, here or in another process on another day."""
        chosen = registry.get(analysis)
        return self.client.ask(
            analysis, arguments(chosen, parameters), dataset=data, project=project, tres=tres, title=title
        )

    @staticmethod
    def meta(effects: Any, ses: Any = None, **how: Any) -> Synthesis:
        """One effect from the estimates of several TREs: see `cinque.meta`. Nothing is asked."""
        from cinque.client.synthesis import synthesise

        return synthesise(effects, ses, **how)

    def request(self, request: str) -> Request:
        """A request asked earlier, by its id."""
        return self.client.request(request)

    def close(self) -> None:
        """Let go of the connection."""
        self.client.close()

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        if name.startswith("_") or name not in registry.REGISTRY:
            hint = "" if name.startswith("_") else f" {nearest(name, registry.names(), 'The analyses are')}"
            raise AttributeError(f"{type(self).__name__} has no analysis or attribute `{name}`.{hint}")
        return method(self, registry.get(name))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *registry.names()]


def method(asking: Asking, analysis: Analysis[Any]) -> Callable[..., Answer]:
    """The method of one analysis: positional parameters in the order of its dataclass, then data, project, tres…"""
    named = inspect.Parameter.POSITIONAL_OR_KEYWORD
    only = inspect.Parameter.KEYWORD_ONLY
    own = [inspect.Parameter(f.name, named, default=_default(f)) for f in _fields(analysis)]
    shared = [inspect.Parameter(name, only, default=None) for name in OWN]
    signature = inspect.Signature([*own, *shared])

    def ask_and_wait(*args: Any, **kwargs: Any) -> Answer:
        given = _bound(analysis, signature, args, kwargs)
        about = {name: given.pop(name) for name in OWN if name in given}
        request = asking.ask(
            analysis.name,
            data=about.get("data") or "",
            project=about.get("project") or "",
            tres=about.get("tres"),
            title=about.get("title") or "",
            **given,
        )
        timeout = about.get("timeout")
        from cinque.client.progress import watching

        with watching(request) as seen:
            return request.answer(asking._timeout if timeout is None else timeout, progress=seen)

    ask_and_wait.__name__ = analysis.name
    ask_and_wait.__doc__ = _doc(analysis)
    ask_and_wait.__signature__ = signature  # type: ignore[attr-defined]  # what help() and notebooks show
    return ask_and_wait


def _bound(
    analysis: Analysis[Any], signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The arguments by name. Raises Refused where they are not those of the analysis, in words of its own."""
    fields = _fields(analysis)
    for name in kwargs:
        if name not in signature.parameters:
            raise unknown_parameter(analysis, name, signature.parameters)
    if len(args) > len(fields):
        raise Refused(
            "too-many-parameters",
            f"`{analysis.name}` takes {len(fields)} parameters without a name, and {len(args)} were given.",
            remedy=f"Name them: {', '.join(f'`{name}=`' for name in signature.parameters)}.",
        )
    if twice := [field.name for field in fields[: len(args)] if field.name in kwargs]:
        raise Refused("parameter-twice", f"`{twice[0]}` of `{analysis.name}` is given twice.", remedy="Give it once.")
    for field in fields[len(args) :]:
        if field.name not in kwargs and _default(field) is inspect.Parameter.empty:
            raise missing_parameter(analysis, field)
    bound = signature.bind(*args, **kwargs).arguments
    if not isinstance(bound.get("timeout"), int | float | None):
        raise Refused(
            "timeout-type", "`timeout` is a number of seconds.", remedy="Leave it out to wait as long as it takes."
        )
    return bound


def _fields(analysis: Analysis[Any]) -> tuple[Any, ...]:
    return asked_fields(analysis.parameters)


def _default(field: Any) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _doc(analysis: Analysis[Any]) -> str:
    lines = [f"{analysis.title}.", ""]
    lines += [f"{f.name}: {f.metadata.get('description', '')}" for f in _fields(analysis)]
    lines += [
        "data: the dataset; project: on whose behalf; tres: names of the TREs to ask (default: all pinned);",
        "timeout: seconds to wait for TREs that have not answered.",
    ]
    return "\n".join(lines)
