"""base64url without padding (RFC 7515 section 2), one text for each string of bytes."""

from __future__ import annotations

import base64
import binascii


def encode(data: bytes) -> str:
    """`data` in the URL-safe alphabet, without `=`."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes; raises ValueError for any text that `encode` would not have written (padding, other alphabet, stray
    bits at the end), so that no second text means the same bytes.
    """
    if not text.isascii():
        raise ValueError("not base64url")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if encode(data) != text:
        raise ValueError("not canonical base64url")
    return data
