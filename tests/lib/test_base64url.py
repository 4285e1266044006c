"""One text for each string of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.lib import base64url


@pytest.mark.parametrize(
    ("data", "text"), [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"\xff\xfe", "__4"), (b"\xfb", "-w")]
)
def test_known(data: bytes, text: str) -> None:
    assert base64url.encode(data) == text
    assert base64url.decode(text) == data


@pytest.mark.parametrize("text", ["Zg==", "Zh", "A", "+w", "/w", "Z g", "Zg\n", "Zé", "Zm8="])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        base64url.decode(text)


@given(st.text(max_size=12))
def test_what_is_read_is_what_would_be_written(text: str) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text
