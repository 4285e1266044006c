"""Digests in lower-case hexadecimal."""

from __future__ import annotations

import hashlib
import hmac


def sha512_hex(data: bytes) -> str:
    """128 hexadecimal digits."""
    return hashlib.sha512(data).hexdigest()


def sha256_hex(data: bytes) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def keyed_hex(key: bytes, data: bytes) -> str:
    """HMAC-SHA-256, 64 hexadecimal digits: a digest that cannot be tried against guesses without the key."""
    return hmac.new(key, data, hashlib.sha256).hexdigest()
