"""The page on writing a profile: every command on it is run, on a folder made as the page says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.commands import cinque

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "write-a-profile.md").read_text("utf-8")
CODES = {"compare": 1}  # a profile that asks more differs from what it builds on
DISEASE = [
    {
        "@id": "#marfan",
        "@type": "DefinedTerm",
        "name": "Marfan syndrome",
        "termCode": "558",
        "inDefinedTermSet": {"@id": "https://www.orpha.net/"},
    },
    {"@id": "https://www.orpha.net/", "@type": "DefinedTermSet", "name": "Orphanet nomenclature"},
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_every_command_of_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    begun, shown, published = blocks("sh")
    rule, changes, mutants = blocks("toml")
    _run(begun)
    with Path("rare-diseases/rules.toml").open("a") as file:
        file.write(rule)
    found = cinque("profile", "check", "rare-diseases")
    assert found.exit_code == 1  # "the check ends with 1 and says what is missing"
    assert "RD-orphacode: It has no failing example" in found.stdout
    with Path("rare-diseases/rules.toml").open("a") as file:
        file.write(changes)
    crate = Path("rare-diseases/examples/request.json")
    document = json.loads(crate.read_text())
    next(each for each in document["@graph"] if each["@id"] == "input1.txt")["about"] = {"@id": "#marfan"}
    document["@graph"] += DISEASE
    crate.write_text(json.dumps(document))
    with Path("rare-diseases/examples/mutants.toml").open("a") as file:
        file.write(mutants)
    _run(shown)
    _run(published)
    assert Path("rare-diseases.html").is_file()
    assert cinque("crate", "check", "rare-diseases.zip").exit_code == 0


def _run(block: str) -> None:
    for line in block.splitlines():
        words = shlex.split(line)
        found = cinque(*words[1:])
        assert found.exit_code == CODES.get(words[2], 0), f"{line}: {found.stdout}{found.stderr}"
