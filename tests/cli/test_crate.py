"""`cinque crate check | show` and `cinque verify`, by their exit codes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyoxigraph
import pytest

from cinque.crate.archive import unpack
from tests.builders import a_person, a_refusal, a_release, a_request, a_tre, an_answer, some_members
from tests.cli.commands import cinque, document


def _put(folder: Path, data: bytes, name: str = "crate.zip") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def _altered(data: bytes) -> bytes:
    """One letter changed, and packed again so that every checksum of the container fits."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"How many people", b"Now many people"))
    return made.getvalue()


# ------------------------------------------------------------------------------------------------------------ check
def _metadata(**changes: object) -> bytes:
    found = json.loads(unpack(a_release()).files["data/ro-crate-metadata.json"])
    root = next(entity for entity in found["@graph"] if entity["@id"] == "./")
    for key, value in changes.items():
        root.pop(key) if value is None else root.update({key: value})
    return json.dumps(found).encode()


def test_a_release_conforms(tmp_path: Path) -> None:
    found = cinque("crate", "check", _put(tmp_path, a_release()))
    assert found.exit_code == 0, found.stdout
    assert "stage published" in found.stdout


def test_a_broken_must_is_named_with_its_rule_and_remedy(tmp_path: Path) -> None:
    path = _put(tmp_path, _metadata(sourceOrganization=None), "ro-crate-metadata.json")
    found = cinque("crate", "check", path)
    assert found.exit_code == 1
    assert "R36" in found.stdout
    report = cinque("crate", "check", path, "--json")
    assert report.exit_code == 1
    findings = document(report)["findings"]
    assert any(one["rule"] == "R36" and one["level"] == "must" and one["remedy"] for one in findings)


def test_the_level_decides_what_counts(tmp_path: Path) -> None:
    path = _put(tmp_path, _metadata(conformsTo=None), "ro-crate-metadata.json")  # R21, a SHOULD
    codes = {level: cinque("crate", "check", path, "--level", level).exit_code for level in ("must", "should", "may")}
    assert codes == {"must": 0, "should": 1, "may": 1}


@pytest.mark.parametrize(
    ("content", "args"),
    [
        (b"not a zip", []),
        (a_release()[:2000], []),
        (b"{}", ["--stage", "nowhere"]),
        (b"{}", ["--profile", "https://example.org/none"]),
        (b'{"@graph": [], "@graph": []}', []),
        (b"{}", ["--level", "perhaps"]),
        (None, []),
    ],
    ids=["no zip", "truncated", "unknown stage", "unknown profile", "duplicate key", "unknown level", "no file"],
)
def test_what_cannot_be_read_is_neither_good_nor_bad(tmp_path: Path, content: bytes | None, args: list[str]) -> None:
    path = tmp_path / "none.zip" if content is None else _put(tmp_path, content)
    found = cinque("crate", "check", path, *args)
    assert found.exit_code == 2
    assert found.stderr.strip()
    assert found.stdout == ""


def test_a_crate_is_shown_and_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = _put(tmp_path, a_request(title="How many\x1b[2J\x1b]0;owned\x07 people?"))
    found = cinque("crate", "show", path)
    assert found.exit_code == 0, found.stderr
    assert "How many" in found.stdout
    assert "\x1b" not in found.stdout
    assert cinque("crate", "show", _put(tmp_path, b'{"@graph": 3}', "m.json")).exit_code == 2


# -------------------------------------------------------------------------------------------------------------- rdf
def test_a_crate_as_rdf_by_the_identifier_of_its_bag(tmp_path: Path) -> None:
    path = _put(tmp_path, a_release())
    found = cinque("crate", "rdf", path)
    assert found.exit_code == 0, found.stderr
    rows = found.stdout.splitlines()
    assert all(row.endswith(" .") for row in rows)
    root = next(row.split()[0] for row in rows if row.endswith("<http://schema.org/Dataset> ."))
    assert root.startswith("<arcp://uuid,")
    turtle = cinque("crate", "rdf", path, "--format", "turtle")
    assert turtle.stdout.startswith("@prefix ")
    assert f"{root} " in turtle.stdout


def test_rdf_cannot_steer_the_terminal_and_still_says_the_same(tmp_path: Path) -> None:
    metadata = _metadata(name="x\x1b[2J\u202e \U000e0001 y")
    for form in ("nquads", "turtle"):
        found = cinque("crate", "rdf", _put(tmp_path, metadata, "m.json"), "--format", form)
        assert found.stdout.replace("\n", "").replace("\t", "").isprintable()
        again = pyoxigraph.parse(found.stdout.encode(), pyoxigraph.RdfFormat.TURTLE)  # N-Quads without graphs is Turtle
        assert "x\x1b[2J\u202e \U000e0001 y" in {statement.object.value for statement in again}


def test_a_context_that_would_be_fetched_is_refused_in_words(tmp_path: Path) -> None:
    found = cinque("crate", "rdf", _put(tmp_path, b'{"@context": "https://evil.example/", "@graph": []}', "m.json"))
    assert found.exit_code == 1
    assert "nothing is fetched" in found.stderr


# ----------------------------------------------------------------------------------------------------------- verify
CASES: dict[str, tuple[Callable[[], bytes], int]] = {
    "request": (a_request, 0),
    "release": (a_release, 0),
    "answer": (an_answer, 0),
    "altered": (lambda: _altered(a_release()), 1),
    "foreign key": (lambda: a_release(key=a_tre("south").release_key), 1),
    "no crate": (lambda: b"PK nothing", 2),
    "stranger": (lambda: a_release(tre=a_tre("east"), request=a_request(audience=(a_tre("east").audience,))), 3),
    "refusal": (a_refusal, 4),
}


@pytest.mark.parametrize("case", CASES)
def test_verify_by_exit_code_with_the_list_of_the_home_that_the_crate_lies_in(tmp_path: Path, case: str) -> None:
    make, code = CASES[case]
    some_members().save(tmp_path / "members.json")
    path = _put(tmp_path / "requests" / "one" / "crates", make())
    found = cinque("verify", path)
    assert found.exit_code == code, found.stdout + found.stderr
    verdict = cinque("verify", path, "--json")
    assert verdict.exit_code == code
    assert document(verdict)["exit_code"] == code
    assert document(verdict)["trust"] == str(tmp_path / "members.json")


def test_a_named_list_goes_before_the_nearest(tmp_path: Path) -> None:
    some_members().save(tmp_path / "members.json")
    some_members(a_person()).save(tmp_path / "people.json")
    path = _put(tmp_path, a_release())
    assert cinque("verify", path).exit_code == 0
    assert cinque("verify", path, "--trust", tmp_path / "people.json").exit_code == 3


def test_without_any_list_the_signer_is_unknown(tmp_path: Path) -> None:
    found = cinque("verify", _put(tmp_path, a_release()), "--json")
    assert found.exit_code == 3
    assert document(found)["trust"] is None


@pytest.mark.parametrize("content", [b"not json", b'{"type": "cinque-members", "version": 1, "cards": [{}]}', None])
def test_a_list_that_cannot_be_read_is_no_verdict_on_the_crate(tmp_path: Path, content: bytes | None) -> None:
    trust = tmp_path / "none.json" if content is None else _put(tmp_path, content, "trust.json")
    found = cinque("verify", _put(tmp_path, a_release()), "--trust", trust)
    assert found.exit_code == 2
    assert found.stdout == ""


def test_a_list_inside_the_crate_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "crate"
    for name, content in unpack(a_release()).files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert cinque("verify", folder).exit_code == 3
    some_members().save(folder / "members.json")
    found = cinque("verify", folder, "--json")
    assert found.exit_code == 1  # a file was added
    assert document(found)["trust"] is None
