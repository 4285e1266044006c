"""`ro-crate-preview.html`: a crate as one page for people, self-contained, without script, deterministic.

Everything in a crate is hostile text: the template escapes all of it, links are those of `cinque.crate.wording`, and a
policy in the page forbids scripts, frames, forms and requests even where a browser is fooled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from cinque.crate.view import view
from cinque.crate.wording import Text


def preview_html(graph: Iterable[Mapping[str, Any]], files: Mapping[str, int]) -> bytes:
    """The page of a crate. `graph`: its entities; `files`: size in bytes of each payload file (the page itself may be
    left out). Never raises for what the entities say.
    """
    return _template().render(view=view(graph, files)).encode()


@cache
def _template() -> Template:
    pages = resources.files(__package__) / "pages"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals["style"] = Markup((pages / "preview.css").read_text("utf-8"))  # noqa: S704  our own stylesheet
    environment.globals |= {"coded": _coded, "piece": _piece}
    return environment.from_string((pages / "preview.html").read_text("utf-8"))


# What the template asks for many times a page. Every text is escaped here; `Markup.format` would do it at ten times the
# cost, and the page is made while somebody waits.
_EXACT = ("sha256:", "sha512:", "urn:")  # what is compared sign by sign is set in letters of one width


def _piece(value: Text) -> Markup:
    """A text with its link."""
    text = escape(value.text)
    if value.href:
        return Markup(f'<a href="{escape(value.href)}" rel="noreferrer">{text}</a>')  # noqa: S704  escaped above
    return _code(text) if value.text.startswith(_EXACT) else text


def _coded(text: str) -> Markup:
    """A text with what stands between two backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one without its fellow is a character like any other
        return escape(text)
    return Markup("").join(_code(escape(part)) if place % 2 else part for place, part in enumerate(parts))


def _code(escaped: Markup) -> Markup:
    return Markup(f"<code>{escaped}</code>")  # noqa: S704  escaped by its callers
