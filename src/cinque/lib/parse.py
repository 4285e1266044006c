"""From untrusted JSON to frozen dataclasses: strict types, unknown fields refused, the place of a mistake named.

A dataclass says `__pydantic_config__ = CLOSED` to be closed to unknown fields; the dictionary needs no import of the
parsing library, so that the pure packages stay pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from cinque.errors import Refused
from cinque.lib.canonical import MAX_BYTES, strict_loads

T = TypeVar("T")


_adapters: dict[Any, TypeAdapter[Any]] = {}  # by class: a handful in a process, each costs milliseconds to build


def _adapter(cls: Any) -> TypeAdapter[Any]:
    adapter = _adapters.get(cls)
    if adapter is None:
        adapter = _adapters[cls] = TypeAdapter(cls)
    return adapter


def parse(cls: type[T], data: Any, what: str, *, code: str = "malformed") -> T:
    """`data` (a JSON value, dates allowed as in TOML) as a `cls`. Raises Refused(code) naming `what` and each place."""
    return parse_json(cls, json.dumps(data, default=_date).encode(), what, code=code)


def parse_json(cls: type[T], data: bytes, what: str, *, code: str = "malformed") -> T:
    """The same from JSON bytes that `strict_loads` has already accepted or that this process wrote itself."""
    try:
        result: T = _adapter(cls).validate_json(data, strict=True)
    except ValidationError as error:
        places = "; ".join(_place(e) for e in error.errors(include_input=False, include_url=False)[:5])
        raise Refused(code, f"{what} is not in its form: {places}.") from None
    return result


def parse_strict(cls: type[T], data: bytes, what: str, *, code: str = "malformed", max_bytes: int = MAX_BYTES) -> T:
    """The same from anybody's JSON bytes, refused as `strict_loads` does where two readers could read two things."""
    strict_loads(data, max_bytes=max_bytes)
    return parse_json(cls, data, what, code=code)


def parse_toml(cls: type[T], text: str, what: str, *, code: str = "settings") -> T:
    """The same from TOML text. Raises Refused(code) with the line of a syntax error."""
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused(code, f"{what} is not TOML: {error}.", remedy="Mend that line.") from None
    return parse(cls, data, what, code=code)


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where data is not in its form. `kind`: pydantic's name of what is wrong, e.g. `missing`."""

    place: tuple[str | int, ...]
    kind: str
    message: str


def faults(cls: Any, data: Any) -> list[Fault]:
    """Every place where `data` (as for `parse`) is not a `cls`, for who must say where in a file it stands."""
    try:
        _adapter(cls).validate_json(json.dumps(data, default=_date), strict=True)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        return [Fault(e["loc"], e["type"], e["msg"]) for e in found]
    return []


def dump(value: Any) -> Any:
    """A dataclass (of `cls`) as a JSON value: tuples become lists, dates become text."""
    return _adapter(type(value)).dump_python(value, mode="json")


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
