"""What a person gave as the parameters of an analysis: made plain, and refused in words before anything is sent."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field
from functools import cache
from typing import Any, Final

from cinque.analyses import filters
from cinque.analyses.analysis import Analysis, asked_fields
from cinque.analyses.work import parameters_of
from cinque.errors import Refused
from cinque.expr import Column, Compare, Expr, In, Literal
from cinque.expr.text import name_to_text, show
from cinque.expr.tree import walk
from cinque.lib.parse import faults
from cinque.model.datasets import Dictionary

_MANY: Final = 12  # names up to which all are listed
_KINDS: Final[dict[Any, str]] = {str: "text", bool: "True or False", int: "a whole number", float: "a number"}


def arguments(analysis: Analysis[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON: a single value where several are meant becomes a list of one, numpy's numbers and pandas'
    columns become numbers and lists, None is left out. Raises Refused for what has no such form.
    """
    hints = _hints(analysis)
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        plain = _plain(analysis, name, value)
        several = name in hints and typing.get_origin(hints[name]) is tuple
        found[name] = [plain] if several and isinstance(plain, str | int | float) else plain
    return found


def typed(analysis: Analysis[Any], given: Mapping[str, Any]) -> Any:
    """The parameters in JSON values. Raises Refused: "unknown-parameter" with the nearest, "missing-parameter",
    "parameter-type" with what is wanted and what was given.
    """
    known = {field.name: field for field in asked_fields(analysis.parameters)}
    for name in given:
        if name not in known:
            raise unknown_parameter(analysis, name, known)
    for name, field in known.items():
        if name not in given and _required(field):
            raise missing_parameter(analysis, field)
    for fault in faults(analysis.parameters, dict(given)):
        name = str(fault.place[0]) if fault.place else ""
        if name in known:
            wanted, value = _wanted(_hints(analysis)[name]), given[name]
            inside = " that holds something else" if _kind(value) == wanted.split(" of ")[0] else ""
            raise Refused(
                "parameter-type",
                f"`{name}` of `{analysis.name}` is {wanted}, and what was given is {_kind(value)}{inside}.",
                remedy=_described(known[name]),
            )
    return parameters_of(analysis, dict(given))


def unknown_parameter(analysis: Analysis[Any], name: str, known: Iterable[str]) -> Refused:
    """No parameter has this name."""
    return Refused(
        "unknown-parameter", f"`{analysis.name}` has no parameter `{name}`.", remedy=nearest(name, known, "It has")
    )


def missing_parameter(analysis: Analysis[Any], field: Field[Any]) -> Refused:
    """A parameter that must be given was not."""
    return Refused(
        "missing-parameter", f"`{analysis.name}` needs `{field.name}`.", remedy=f"Give it: {_described(field)}"
    )


def nearest(name: str, known: Iterable[str], otherwise: str = "Known") -> str:
    """A remedy for a name that is not known."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    more = "" if len(names) <= _MANY else ", …"
    return f"{otherwise}: {', '.join(f'`{one}`' for one in names[:_MANY])}{more}." if names else ""


def check_levels(where: str | None, dictionaries: Sequence[Dictionary]) -> None:
    """Text that a filter compares with a factor is one of its levels at some TRE: else the filter keeps nobody, or
    everybody. Raises Refused("unknown-level") with the place and the nearest.
    """
    whole = filters.read(where)
    if whole is None:
        return
    for column, value in _compared(whole):
        each = [_levels(dictionary, column.name) for dictionary in dictionaries]
        if not each or None in each:
            continue  # not declared somewhere: anything may stand there
        levels = list(dict.fromkeys(level for found in each for level in found or ()))
        if value.value not in levels:
            raise Refused(
                "unknown-level",
                f"No TRE asked declares such a level of `{name_to_text(column.name)}`.{show(whole, value)}",
                remedy=nearest(str(value.value), levels, "Its levels are"),
            )


# ---------------------------------------------------------------------------------------------------------- the forms
def _plain(analysis: Analysis[Any], name: str, value: Any) -> Any:
    """A value as JSON has it. numpy and pandas are known by what their things can do, not imported."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "dtype") and hasattr(value, "tolist"):  # a number or an array of numpy's, a column of pandas'
        return _plain(analysis, name, value.tolist())
    if isinstance(value, list | tuple | range):
        return [_plain(analysis, name, item) for item in value]
    wanted = _wanted(_hints(analysis)[name]) if name in _hints(analysis) else "text, a number or a list"
    raise Refused(
        "parameter-type",
        f"`{name}` of `{analysis.name}` is {wanted}, and what was given is {_kind(value)}.",
        remedy="Give a list, whose order is known." if isinstance(value, set | frozenset) else "",
    )


def _kind(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "a list"
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def _wanted(hint: Any) -> str:
    """What a parameter's type is in words."""
    if hint in _KINDS:
        return _KINDS[hint]
    kinds = [kind for kind in typing.get_args(hint) if kind not in (type(None), Ellipsis)]
    if typing.get_origin(hint) is tuple:
        inner = {"text": "names", "a number": "numbers"}.get(_wanted(kinds[0]), "values")
        return f"a list of {inner}"
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return " or ".join(map(_wanted, kinds))
    return "another value"


@cache
def _hints(analysis: Analysis[Any]) -> dict[str, Any]:
    return typing.get_type_hints(analysis.parameters)


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _described(field: Field[Any]) -> str:
    return str(field.metadata.get("description", ""))


# --------------------------------------------------------------------------------------------------------- the filter
def _compared(whole: Expr) -> Iterator[tuple[Column, Literal]]:
    for part, _ in walk(whole):
        match part:
            case Compare("==" | "!=", Column() as column, Literal(str()) as value):
                yield column, value
            case Compare("==" | "!=", Literal(str()) as value, Column() as column):
                yield column, value
            case In(Column() as column, values):
                yield from ((column, value) for value in values if isinstance(value.value, str))


def _levels(dictionary: Dictionary, name: str) -> tuple[str, ...] | None:
    return next((column.levels or None for column in dictionary.columns if column.name == name), None)
