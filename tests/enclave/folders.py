"""A TRE's folder, whole and valid unless a keyword says otherwise."""

from __future__ import annotations

from pathlib import Path

from tests.builders import a_person, a_tre

ANALYSES = frozenset({"count", "table", "summary"})
BEN_ID = "urn:uuid:0b9d3c2e-8f52-4a6e-9b1c-5d2f7a1e4c10"

TRE = 'name = "north"\ntitle = "The North TRE"\n'
APPETITE = 'preset = "acro-default"\n'
PEOPLE = f"""\
[[person]]
id = "{a_person().card.id}"
name = "Ada Example"
card = "people/ada.card.json"
training_until = 2027-06-30

[[person]]
id = "{BEN_ID}"
name = "Ben Example"
card = "people/ben.card.json"
roles = ["operator", "checker"]
"""
PROJECTS = f"""\
[[project]]
id = "diabetes-study"
name = "The diabetes study"
people = [
    "{a_person().card.id}",
]
valid_from = 2026-01-01
valid_until = 2027-12-31
"""
AGREEMENTS = """\
[[agreement]]
id = "counts"
version = "3"
project = "diabetes-study"
datasets = ["demo"]
analyses = ["count"]
columns = ["sex", "age"]
lawful_basis = "UK GDPR 6(1)(e)"
valid_from = 2026-01-01
valid_until = 2026-12-31
sign_off = "automatic"
release = "automatic"
"""
DATASET = """\
id = "demo"
release = "2026-10"
openness = "synthetic"
unit = "person_id"

[source]
file = "data/demo.csv"

[[columns]]
name = "person_id"
type = "integer"
identifying = true

[[columns]]
name = "sex"
type = "text"
levels = ["F", "M"]

[[columns]]
name = "age"
type = "integer"
"""


def a_ben() -> bytes:
    return a_person("Ben Example", BEN_ID).envelope


def some_files(**changes: str | bytes | None) -> dict[str, bytes]:
    """The files by name; a keyword names one (`/` as `__`, `.` as `_`) or None takes it away."""
    files: dict[str, bytes | str] = {
        "tre.toml": TRE,
        "appetite.toml": APPETITE,
        "people.toml": PEOPLE,
        "projects.toml": PROJECTS,
        "agreements.toml": AGREEMENTS,
        "datasets/demo.toml": DATASET,
        "people/ada.card.json": a_person().envelope,
        "people/ben.card.json": a_ben(),
        "members/north.card.json": a_tre().envelope,
        "members/south.card.json": a_tre("south").envelope,
    }
    for key, content in changes.items():
        name = key.replace("__", "/").replace("_toml", ".toml").replace("_card_json", ".card.json")
        if content is None:
            del files[name]
        else:
            files[name] = content
    return {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
