"""JSON in and out: RFC 8785 on the way out, strict on the way in."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import rfc8785

from cinque.errors import Refused

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64


def canonical(value: Any) -> bytes:
    """RFC 8785 (JCS) bytes of a JSON value. Raises ValueError for what JSON cannot say (NaN, integers beyond 2**53)."""
    return rfc8785.dumps(value)


def strict_loads(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """The JSON value in `data` (UTF-8). Raises Refused for what two readers could read in two ways or choke on:
    duplicate keys, NaN and infinities, lone surrogates, depth over `max_depth`, size over `max_bytes`.
    """
    if len(data) > max_bytes:
        raise Refused("json-too-large", f"A JSON document has more than {max_bytes} bytes.")
    _check_depth(data, max_depth)
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise Refused("json-encoding", "A JSON document is not valid UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise Refused("json-syntax", "A JSON document has a syntax error.") from error
    return value


def _check_depth(data: bytes, max_depth: int) -> None:
    # Counted on the bytes before parsing: the parser itself recurses. Brackets inside strings are skipped.
    if data.count(b"[") + data.count(b"{") <= max_depth:
        return
    depth = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            if depth > max_depth:
                raise Refused("json-too-deep", f"A JSON document is nested more than {max_depth} levels deep.")
        elif byte in (0x5D, 0x7D):
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Refused("json-duplicate-key", "A JSON object names a key twice, so two readers could read two things.")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
