"""JSON Schema (2020-12) of an analysis's parameters, written from the dataclass itself: the parsing library writes
schemas too, but not the same ones in every version, and a digest stands over these.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, fields
from typing import Any, Union, get_args, get_origin, get_type_hints

_SIMPLE: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def parameter_schema(parameters: type[Any]) -> dict[str, Any]:
    """The schema of a frozen dataclass closed to unknown fields, whose fields are str, int, float, bool, None, tuples
    of one of them, or unions. A field's `metadata["description"]` says what it is. Raises TypeError for any other type.
    """
    hints = get_type_hints(parameters)
    properties: dict[str, Any] = {}
    required = []
    for field in fields(parameters):
        schema = _of(hints[field.name])
        if "description" in field.metadata:
            schema["description"] = field.metadata["description"]
        if field.default is MISSING:
            required.append(field.name)
        else:
            schema["default"] = list(field.default) if isinstance(field.default, tuple) else field.default
        properties[field.name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _of(hint: Any) -> dict[str, Any]:
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    arguments = get_args(hint)
    if get_origin(hint) is tuple and len(arguments) == 2 and arguments[1] is ...:
        return {"type": "array", "items": _of(arguments[0])}
    if get_origin(hint) in (Union, types.UnionType):
        return {"anyOf": [_of(argument) for argument in arguments]}
    raise TypeError(f"no schema for {hint!r}")
