"""From untrusted JSON to frozen dataclasses: strict types, unknown fields refused, the place of a mistake named.

A dataclass says `__pydantic_config__ = CLOSED` to be closed to unknown fields; the dictionary needs no import of the
parsing library, so that the pure packages stay pure.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from cinque.errors import Refused

T = TypeVar("T")


@cache  # by class: a handful in a process
def _adapter(cls: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def parse(cls: type[T], data: Any, what: str, *, code: str = "malformed") -> T:
    """`data` (a JSON value, dates allowed as in TOML) as a `cls`. Raises Refused(code) naming `what` and each place."""
    return parse_json(cls, json.dumps(data, default=_date).encode(), what, code=code)


def parse_json(cls: type[T], data: bytes, what: str, *, code: str = "malformed") -> T:
    """The same from JSON bytes that `strict_loads` has already accepted or that this process wrote itself."""
    try:
        result: T = _adapter(cast(Hashable, cls)).validate_json(data, strict=True)
    except ValidationError as error:
        places = "; ".join(_place(e) for e in error.errors(include_input=False, include_url=False)[:5])
        raise Refused(code, f"{what} is not in its form: {places}.") from None
    return result


def dump(value: Any) -> Any:
    """A dataclass (of `cls`) as a JSON value: tuples become lists, dates become text."""
    return _adapter(cast(Hashable, type(value))).dump_python(value, mode="json")


def json_schema(cls: Any) -> dict[str, Any]:
    """JSON Schema (2020-12) of a dataclass."""
    return _adapter(cls).json_schema()


def _place(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the whole"
    reason = {"extra_forbidden": "is not a field of this form", "missing": "is missing"}.get(
        error["type"], error["msg"]
    )
    return f"`{where}` {reason[0].lower() + reason[1:]}"


def _date(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
