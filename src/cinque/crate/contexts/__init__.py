"""The JSON-LD contexts of RO-Crate, inside the package: what a term of a crate means is never asked of the network.

A context that a crate could make a service fetch is a request that a stranger chose, and a context that can change is
a crate that can change. So four are here, with their origins (`origins.toml`), and any other is refused.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib import resources
from typing import Any

from cinque.errors import Refused

_SHOWN = 120  # characters of a crate's own text in a sentence


@cache
def known() -> dict[str, str]:
    """The addresses that are known here, and the file of each."""
    origins = tomllib.loads((resources.files(__name__) / "origins.toml").read_text("utf-8"))
    return {url: context["file"] for context in origins["context"] for url in context["urls"]}


@cache
def terms(url: str) -> dict[str, str]:
    """The terms of a known context: short name to IRI. One dictionary for all callers: do not change it.

    Raises Refused for an address that is not known.
    """
    if url not in known():
        raise _unknown(f"The crate's context {url[:_SHOWN]!a} is none that is known here")
    found: dict[str, str] = json.loads((resources.files(__name__) / known()[url]).read_bytes())["@context"]
    return found


def inlined(context: Any) -> Any:
    """A crate's `@context` with its addresses replaced by what stands there; a crate's own terms stay as they are.

    Raises Refused for a context that would have to be fetched, and for none at all.
    """
    if isinstance(context, str):
        return terms(context)
    if isinstance(context, list):
        return [None if part is None else inlined(part) for part in context]
    if not isinstance(context, dict):
        raise _refused("context-missing", "The crate's metadata has no `@context`, so that its terms mean nothing.")
    if "@import" in context:
        raise _unknown("The crate's context imports another")
    return context


def nested() -> Refused:
    """The refusal of a context inside an entity or a term that only a fetch could tell."""
    return _unknown("A part of the crate's metadata has a context of its own elsewhere")


def _unknown(what: str) -> Refused:
    return _refused("context-unknown", f"{what}, and nothing is fetched to learn what its terms mean.")


def _refused(code: str, sentence: str) -> Refused:
    remedy = f"Use one of {', '.join(known())}, and write further terms into the `@context` itself."
    return Refused(code, sentence, rule="R17", remedy=remedy)
