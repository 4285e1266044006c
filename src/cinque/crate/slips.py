"""Slips of the pen that have one right reading: dates and statuses as the field wrote them."""

from __future__ import annotations

import difflib
import re
from datetime import datetime

from cinque.crate.stages import STATES, STATUSES

_LOOSE = re.compile(
    r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})"
    r"(?:[Tt ]?(\d{2}):?(\d{2})(?::?(\d{2})(\.\d+)?)?\s*([Zz]|[+-]\d{2}(?::?\d{2})?)?)?"
)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d([Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d))?")


def moment(written: str) -> str:
    """The date or time of RFC 3339 that `written` can only mean; "" where it is one already, and where it may mean
    several: the year must come first, and a time needs its zone, without which nobody knows which moment it is.
    """
    if _RFC3339.fullmatch(written):
        return ""
    match = _LOOSE.fullmatch(written.strip())
    if match is None:
        return ""
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    found = f"{year}-{month}-{day}"
    if hour is not None:
        if zone is None:
            return ""
        zone = "Z" if zone in "Zz" else zone[:3] + ":" + (zone[3:].lstrip(":") or "00")
        found += f"T{hour}:{minute}:{second or '00'}{fraction or ''}{zone}"
    try:
        datetime.fromisoformat(found)
    except ValueError:
        return ""
    return found


def status(name: str) -> str:
    """The one of the four states that `name` can only mean, as its IRI; "" where there is none."""
    word = name.strip().replace("#", "/").replace(":", "/").rpartition("/")[2]
    names = {f"{one}ActionStatus": status for one, status in zip(STATES, STATUSES, strict=True)}
    short = {one.lower(): status for one, status in zip(STATES, STATUSES, strict=True)}
    close = difflib.get_close_matches(word, names, n=2, cutoff=0.88)
    return short.get(word.lower(), names[close[0]] if len(close) == 1 else "")
