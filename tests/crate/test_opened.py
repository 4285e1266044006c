"""The library's face: a crate opened, grown and written by a program that has no service, and nothing of it lost."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import bagit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rocrate.rocrate import ROCrate

import cinque.crate
from cinque.crate import Crate, Software, bag, phases
from cinque.crate.archive import pack
from cinque.errors import CinqueError, Refused, Unreadable
from tests.builders import NOW, a_refusal, a_release, a_request, an_answer, some_members
from tests.crate import examples
from tests.crate.test_check import anything

ID = "urn:uuid:5b4a1d6e-5a3a-4c39-8a8e-0d9f2f6f3a10"
TRE = phases.Organization("https://tre72.example.com/", "TRE 72")
VALIDATOR = Software("validator", "2.1", TRE)


def a_bag(document: dict[str, Any] | None = None, info: tuple[tuple[str, str], ...] = ()) -> bytes:
    """The ZIP of an unsigned request, as another tool would hand it in."""
    payload = {"ro-crate-metadata.json": json.dumps(document or examples.request()).encode(), "input1.txt": b"a\n"}
    fields = [("External-Identifier", ID), ("Bagging-Date", "2026-11-23"), *info]
    return pack(bag.seal(payload, {"README.txt": b"read me\n"}, fields), "request")


# --------------------------------------------------------------------------------------------------------- opening
def test_a_bag_a_folder_and_metadata_alone_open_alike(tmp_path: Path) -> None:
    packed = a_bag()
    (tmp_path / "request.zip").write_bytes(packed)
    Crate.open(packed).write(tmp_path / "bag")
    plain = tmp_path / "crate"
    plain.mkdir()
    for name, content in Crate.open(packed).payload.items():
        (plain / name).write_bytes(content)
    metadata = plain / "ro-crate-metadata.json"
    opened = [
        Crate.open(source) for source in (packed, tmp_path / "request.zip", str(tmp_path / "bag"), plain, metadata)
    ]
    opened.append(Crate.open(metadata.read_bytes()))
    assert {json.dumps(crate.document) for crate in opened} == {json.dumps(examples.request())}
    assert [crate.identifier for crate in opened] == [ID, ID, ID, "", "", ""]
    assert [sorted(crate.payload) for crate in opened[:4]] == [["input1.txt", "ro-crate-metadata.json"]] * 4
    assert {crate.stage for crate in opened} == {"request"}
    assert opened[0].root["name"] == opened[0]["./"]["name"] == "How many people had a bleed"


@pytest.mark.parametrize("make", [a_request, a_release, a_refusal, an_answer])
def test_signed_crates_open_check_verify_and_are_written_as_they_were(make: Any, tmp_path: Path) -> None:
    crate = Crate.open(make())
    assert crate.signed
    assert crate.verify(some_members()).exit_code in (0, 4)
    assert crate.verify(None).exit_code == 3
    crate.write(tmp_path / "same.zip")
    assert (tmp_path / "same.zip").read_bytes() == make()
    assert crate.preview() == crate.payload["ro-crate-preview.html"]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.builds(lambda value: json.dumps(value).encode(), anything))
def test_bytes_that_are_no_crate_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(CinqueError):
        Crate.open(data)


def test_a_path_without_a_crate_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.txt").write_bytes(b"x")
    for place in (tmp_path / "none.zip", tmp_path / "empty"):
        with pytest.raises(Unreadable):
            Crate.open(place)


# --------------------------------------------------------------------------------------------------------- growing
def test_phases_take_an_unsigned_request_from_stage_to_stage(tmp_path: Path) -> None:
    crate = Crate.open(a_bag())
    late = NOW + timedelta(minutes=1)
    objects, agreement = (examples.WORKFLOW, examples.PROJECT), phases.policy("agreement-7", "2", "Agreement 7")
    for phase, stage in (
        (phases.check(VALIDATOR, NOW), "checked"),
        (phases.validation(VALIDATOR, NOW, late), "validated"),
        (phases.sign_off(VALIDATOR, late, objects=objects, agreement=agreement), "signed-off"),
    ):
        crate = crate.record(phase)
        crate.write(tmp_path / f"{stage}.zip")
        crate.write(tmp_path / stage)
        again = Crate.open(tmp_path / f"{stage}.zip")
        assert again.stage == stage
        assert again.identifier == ID  # R13: unchanged through all phases
        assert again.check().findings == ()
        assert bagit.Bag(str(tmp_path / stage)).validate()
        assert b"Agreement 7" in again.payload["ro-crate-preview.html"] or stage != "signed-off"
        assert again.files is not None
        assert again.files["README.txt"] == b"read me\n"
    assert len(ROCrate(tmp_path / "signed-off" / "data").root_dataset["mentions"]) == 4


def test_a_phase_recorded_twice_is_there_once() -> None:
    phase = phases.check(VALIDATOR, NOW)
    once = Crate.open(a_bag()).record(phase)
    assert once.record(phase) == once
    with pytest.raises(Refused, match="already, and otherwise"):
        once.record(phases.check(VALIDATOR, NOW + timedelta(seconds=1)))


def test_a_failed_phase_is_a_refusal_with_its_reason() -> None:
    refusal = ("agreement-none", "No agreement covers this project.")
    crate = Crate.open(a_bag()).record(phases.sign_off(VALIDATOR, NOW, objects=(), agreement=None, refusal=refusal))
    assert crate.stage == "refused"
    assert b"No agreement covers this project." in crate.preview()


def test_people_keep_the_words_in_which_they_are_described() -> None:
    before = Crate.open(a_bag())
    impostor = phases.Person(examples.PERSON, "Somebody Else")
    crate = before.record(phases.sign_off(impostor, NOW, objects=(), agreement=None))
    assert crate[examples.PERSON] == before[examples.PERSON]


def test_a_signed_crate_is_never_rewritten() -> None:
    with pytest.raises(Refused, match="never rewritten"):
        Crate.open(a_request()).record(phases.check(VALIDATOR, NOW))


def test_what_nothing_identifies_needs_a_task() -> None:
    alone = Crate.open(json.dumps(examples.request()).encode())
    unidentified = pack(bag.seal(dict(Crate.open(a_bag()).payload), {}, [("External-Identifier", "mine")]), "x")
    for crate in (alone, Crate.open(unidentified)):
        with pytest.raises(Refused, match="No UUID identifies"):
            crate.record(phases.check(VALIDATOR, NOW))
        assert crate.record(phases.check(VALIDATOR, NOW), task=ID).stage == "checked"


def test_a_crate_changed_in_memory_has_no_verdict_yet() -> None:
    with pytest.raises(Refused, match="changed since it was read"):
        Crate.open(a_bag()).record(phases.check(VALIDATOR, NOW)).verify(some_members())


NAMES = st.text(max_size=8).filter(lambda name: not name.startswith("@"))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
UNKNOWN = st.dictionaries(NAMES, VALUES, max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.lists(UNKNOWN, max_size=3), UNKNOWN, UNKNOWN)
def test_what_nobody_knows_survives_a_read_a_phase_and_a_write(
    entities: list[dict[str, Any]], of_the_root: dict[str, Any], of_the_document: dict[str, Any]
) -> None:
    document = examples.request()
    root = examples.entity(document, "./")
    root |= {name: value for name, value in of_the_root.items() if name not in root}
    document["@graph"] += [{"@id": f"#u{place}", "@type": "Unknown"} | each for place, each in enumerate(entities)]
    document |= of_the_document
    read = Crate.open(a_bag(document))
    grown = read.record(phases.check(VALIDATOR, NOW))
    with tempfile.TemporaryDirectory() as folder:
        for crate, name in ((read, "read"), (grown, "grown")):
            crate.write(f"{folder}/{name}.zip")
            crate.write(f"{folder}/{name}.json")
        same, alone = Crate.open(f"{folder}/read.zip"), Crate.open(f"{folder}/read.json")
        again, grown_alone = Crate.open(f"{folder}/grown.zip"), Crate.open(f"{folder}/grown.json")
    assert same.document == alone.document == document
    assert again.document == grown_alone.document
    assert {k: v for k, v in again.document.items() if k != "@graph"} == {
        k: v for k, v in document.items() if k != "@graph"
    }
    for before, after in zip(document["@graph"], again.document["@graph"], strict=False):
        free = ("mentions",) if before.get("@id") == "./" else ()
        assert {k: v for k, v in after.items() if k not in free} == {k: v for k, v in before.items() if k not in free}
    assert again.root["mentions"][: len(root["mentions"])] == root["mentions"]


# --------------------------------------------------------------------------------------------------------- writing
def test_nothing_is_overwritten(tmp_path: Path) -> None:
    crate = Crate.open(a_bag())
    for place in ("x.zip", "x.json", "x"):
        crate.write(tmp_path / place)
        with pytest.raises(Refused, match="already something"):
            crate.write(tmp_path / place)
    with pytest.raises(Refused, match="Only a bag"):
        Crate.open(tmp_path / "x.json").write(tmp_path / "y.zip")


# ------------------------------------------------------------------------------------------------------- the names
def test_every_name_is_there_and_named_for_type_checkers() -> None:
    source = Path(cinque.crate.__file__).read_text("utf-8")
    for name in cinque.crate.__all__:
        assert getattr(cinque.crate, name).__name__ == name
        assert f" import {name} as {name}\n" in source
    with pytest.raises(AttributeError):
        _ = cinque.crate.nothing_of_the_kind  # type: ignore[attr-defined]


def test_importing_it_is_light() -> None:
    code = "import sys, time; t = time.perf_counter(); import cinque.crate; "
    code += "print(time.perf_counter() - t); print(*sys.modules)"
    took = []
    for _ in range(5):
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        seconds, modules = ran.stdout.splitlines()
        took.append(float(seconds))
        assert not {"pydantic", "cryptography", "jinja2", "pyoxigraph"} & set(modules.split())
    assert min(took) < 0.1
    code = code.replace("import cinque.crate;", "from cinque.crate import Crate;")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic", "cryptography", "jinja2", "pyoxigraph"} & set(ran.stdout.split())
