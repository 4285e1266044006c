"""RFC 8785 on the way out, whichever encoder writes it; on the way in, depth counted as a reader would."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from cinque.errors import Refused
from cinque.lib.canonical import canonical, strict_loads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def written(encode: Any, value: Any) -> bytes | None:
    try:
        return bytes(encode(value))
    except ValueError:
        return None


@given(JSON)
def test_every_value_is_written_or_refused_as_the_reference_encoder_does(value: Any) -> None:
    assert written(canonical, value) == written(rfc8785.dumps, value)


@pytest.mark.parametrize(
    "value",
    [
        {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},  # RFC 8785, 3.2.3
        {"a": "\u0000\u001f\u007f\u2028</script>", "b": [True, 2**53 - 1]},
        {1: "a key that is no text"},
        [2**53],
        ["\ud800"],
        [1.0, 1e30, 4.50, 2e-3],
    ],
)
def test_what_the_fast_encoder_would_write_otherwise(value: Any) -> None:
    assert written(canonical, value) == written(rfc8785.dumps, value)


def nested(data: bytes) -> int:
    """How deep the brackets outside strings go, byte by byte."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            in_string, escaped = byte != 0x22 or escaped, byte == 0x5C and not escaped
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


@given(st.text(alphabet='[]{}"\\a,:', max_size=80), st.integers(0, 4))
def test_depth_is_that_of_the_brackets_outside_strings(text: str, most: int) -> None:
    data = text.encode()
    try:
        strict_loads(data, max_depth=most)
        code = ""
    except Refused as refused:
        code = refused.code
    assert (code == "json-too-deep") == (nested(data) > most)


@pytest.mark.parametrize("most", [1, 3, 64])
def test_the_deepest_that_is_taken_and_the_first_that_is_not(most: int) -> None:
    for opened, closed in ((b"[", b"]"), (b'{"a":', b"}")):
        assert strict_loads(opened * most + b"1" + closed * most, max_depth=most)
        with pytest.raises(Refused) as refused:
            strict_loads(opened * (most + 1) + b"1" + closed * (most + 1), max_depth=most)
        assert refused.value.code == "json-too-deep"


def test_a_million_brackets_are_refused_before_they_are_parsed() -> None:
    for data in (b"[" * 10**6, b"[]" * 10**6 + b"[" * 65, b'{"a":' * 10**5):
        with pytest.raises(Refused) as refused:
            strict_loads(data)
        assert refused.value.code == "json-too-deep"
