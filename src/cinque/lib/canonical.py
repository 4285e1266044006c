"""JSON in and out: RFC 8785 on the way out, strict on the way in."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any, NoReturn

import rfc8785

from cinque.errors import Refused

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode
_MOST = 2**53 - 1  # the largest integer that every reader of JSON keeps as it is (RFC 8785, 3.2.2.3)


def canonical(value: Any) -> bytes:
    """RFC 8785 (JCS) bytes of a JSON value. Raises ValueError for what JSON cannot say (NaN, integers beyond 2**53)."""
    return _encode(value).encode() if _plain(value) else rfc8785.dumps(value)


def _plain(value: Any) -> bool:
    """Whether Python's own encoder, many times as fast, writes this value as RFC 8785 does: it does not where numbers
    have a fraction, or where keys sort otherwise by UTF-16 than by code point.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        return all(type(key) is str and key.isascii() for key in value) and all(map(_plain, value.values()))
    if kind is list or kind is tuple:
        return all(map(_plain, value))
    return kind is int and -_MOST <= value <= _MOST


def strict_loads(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """The JSON value in `data` (UTF-8). Raises Refused for what two readers could read in two ways or choke on:
    duplicate keys, NaN and infinities, lone surrogates, depth over `max_depth`, size over `max_bytes`.
    """
    if len(data) > max_bytes:
        raise Refused("json-too-large", f"A JSON document has more than {max_bytes} bytes.")
    _check_depth(data, max_depth)
    try:
        text = data.decode("utf-8")
        value = _decode(text)
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
    brackets = left = _STRING.sub(b"", data).translate(_SQUARE, _NO_BRACKETS)
    for _ in range(max_depth):  # each time the innermost level goes
        if not left:
            return
        left = left.replace(b"[]", b"")
    # Something is left: it is nested deeper, or its brackets do not fit together, which is for the parser to say.
    if max(accumulate(1 if bracket == 0x5B else -1 for bracket in brackets), default=0) > max_depth:
        raise Refused("json-too-deep", f"A JSON document is nested more than {max_depth} levels deep.")


_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # one that does not end goes on to the end of the document
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Refused("json-duplicate-key", "A JSON object names a key twice, so two readers could read two things.")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).decode
