"""Profile folders for tests: written from what a test says, over Five Safes 0.4 unless it says otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cinque.crate.profiles import FIVE_SAFES

KEYWORDS: dict[str, Any] = {
    "id": "OWN-keywords",
    "level": "should",
    "select": {"root": True},
    "path": "keywords",
    "min": 1,
    "message": "The root has no keywords.",
    "remedy": "Add `keywords`.",
    "rationale": "They are found by them.",
}


def a_folder(
    place: Path,
    *rules: Mapping[str, Any],
    tighten: Mapping[str, str] | None = None,
    off: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    **head: Any,
) -> Path:
    """A layer's folder. `tighten`: rule to level; `off`: rule to reason; `files`: others, by name."""
    place.mkdir(parents=True)
    said = {"id": f"https://example.org/{place.name}", "name": place.name, "extends": [FIVE_SAFES], "prefix": "OWN"}
    changes = [{"rule": rule, "level": level, "reason": "It is."} for rule, level in (tighten or {}).items()]
    offs = [{"rule": rule, "reason": reason} for rule, reason in (off or {}).items()]
    tables = {"rule": list(rules), "tighten": changes, "off": offs}
    (place / "profile.toml").write_text(toml(said | head))
    (place / "rules.toml").write_text(toml({name: value for name, value in tables.items() if value}))
    for name, content in (files or {}).items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(content)
    return place


def toml(values: Mapping[str, Any]) -> str:
    """TOML of what JSON can say, None left out; lists of tables as `[[…]]` of inline values."""
    lines, below = [], []
    for key, value in values.items():
        if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            for item in value:
                below.append(f"\n[[{key if key.isidentifier() and key.isascii() else _text(key)}]]")
                below += [f"{_text(name)} = {_inline(inner)}" for name, inner in item.items() if inner is not None]
        elif value is not None:
            lines.append(f"{_text(key)} = {_inline(value)}")
    return "\n".join((*lines, *below)) + "\n"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_text(k)} = {_inline(v)}" for k, v in value.items() if v is not None) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
