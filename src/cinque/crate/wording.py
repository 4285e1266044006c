"""Somebody else's text, made fit to show: short, without control characters, and a link only where it is safe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cinque.crate.index import Index, is_absolute, is_local_path, payload_path

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_LONG = 600  # characters of one text


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text, and where it leads ("" nowhere)."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A label and what stands beside it."""

    label: str
    values: tuple[Text, ...]


def link(target: str) -> Text:
    """An address as text, and as a link where it is safe to follow: http(s), or a path within the crate."""
    return Text(short(target), safe(target))


_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


def safe(target: str) -> str:
    """The address itself where a reader may follow it, "" where not."""
    if _CONTROL.search(target) or len(target) > 2_000:  # what a browser would drop or turn round could hide a scheme
        return ""
    lowered = target.lower()
    if lowered.startswith(("https://", "http://")):
        return target
    path = payload_path(target)
    inside = is_local_path(target) and ":" not in target
    if inside and not path.startswith("/") and ".." not in path.split("/") and not _CONTROL.search(path):
        return target
    return ""


def named(index: Index, identifier: str) -> Text:
    """The name of an entity, or its identifier; a link where the identifier is an address."""
    node = index.by_id.get(identifier)
    name = node.text("name") if node is not None else ""
    return Text(short(name) or short(identifier), safe(identifier) if is_absolute(identifier) else "")


def size(count: int) -> str:
    """A number of bytes for people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} byte{'' if count == 1 else 's'}"


def when(value: str) -> str:
    """A moment for people, in UTC, to the second: 23 November 2026, 10:00:03 UTC. What is no moment stays as it is."""
    try:
        found = datetime.fromisoformat(value)
        if "T" not in value.upper():
            return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"
        found = found.astimezone(UTC) if found.tzinfo is not None else found
    except (ValueError, OverflowError):
        return short(value)
    day = f"{found.day} {_MONTHS[found.month - 1]} {found.year}"
    return f"{day}, {found:%H:%M:%S}" + (" UTC" if found.tzinfo is not None else "")


def short(value: str) -> str:
    """Text without control characters and marks that turn writing round, of bounded length."""
    if len(value) > _LONG:
        value = value[: _LONG - 1] + "…"
    if value.isprintable():
        return value
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())
