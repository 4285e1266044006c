"""Identifiers. Randomness is an argument: `Random` returns n bytes nobody can guess."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable

Random = Callable[[int], bytes]


def system_random(count: int) -> bytes:
    """`count` bytes from the operating system."""
    return os.urandom(count)


def urn_uuid(random: Random) -> str:
    """A fresh `urn:uuid:` (version 4)."""
    return uuid.UUID(bytes=random(16), version=4).urn


def derived_urn(namespace: str, name: str) -> str:
    """The `urn:uuid:` (version 5) of `name` under another `urn:uuid:`: the same for everyone who derives it."""
    return uuid.uuid5(uuid.UUID(namespace), name).urn
