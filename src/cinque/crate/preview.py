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
from markupsafe import Markup

from cinque.crate.view import view


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
    return environment.from_string((pages / "preview.html").read_text("utf-8"))
