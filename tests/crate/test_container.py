"""What no metadata shows: how the crate is packed. Each way of packing it wrong is found, and none of them crashes."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from cinque.crate.archive import pack
from cinque.crate.check import examine, load_for_check
from cinque.crate.profiles import profile
from cinque.crate.profiles.examples import a_bag
from cinque.errors import Refused
from tests.crate import examples


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """As an ordinary tool packs them."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def under(top: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{top}/{name}": content for name, content in files.items()}


def the_bag() -> dict[str, bytes]:
    return a_bag(examples.request())


def found(tmp_path: Path, data: bytes) -> set[tuple[str, str]]:
    (tmp_path / "crate.zip").write_bytes(data)
    return {(f.rule, f.level) for f in examine(tmp_path / "crate.zip").findings}


def test_a_zip_in_the_one_form_breaks_nothing_and_leaves_nothing_unexamined(tmp_path: Path) -> None:
    (tmp_path / "crate.zip").write_bytes(pack(the_bag(), "crate"))
    report = examine(tmp_path / "crate.zip")
    assert (report.findings, report.not_examined) == ((), ())


def test_the_same_files_packed_by_another_tool_are_told_and_break_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, zipped(under("crate", the_bag()))) == {("R16", "may")}


@pytest.mark.parametrize(
    "files",
    [
        the_bag(),
        {**under("crate", the_bag()), "__MACOSX/._crate": b"x"},
        {**under("crate", the_bag()), "README.txt": b"read me"},
    ],
    ids=["no folder", "what macOS adds", "a file beside it"],
)
def test_a_zip_without_exactly_one_folder_is_found_and_its_bag_read_all_the_same(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    assert found(tmp_path, zipped(files)) == {("R15", "must")}


def test_a_zip_of_a_crate_that_is_in_no_bag(tmp_path: Path) -> None:
    payload = {"ro-crate-metadata.json": json.dumps(examples.request()).encode(), "input1.txt": b"1"}
    expected = {("R1", "should"), ("R15", "must")}
    assert found(tmp_path, zipped(payload)) == expected
    assert found(tmp_path, pack(payload, "crate")) == expected
    assert "R3" in {rule for rule, _ in examine(tmp_path / "crate.zip").not_examined}


def test_what_the_container_rules_out_is_reported_and_nothing_inside_is_judged(tmp_path: Path) -> None:
    data = zipped(under("crate", the_bag()), compression=zipfile.ZIP_BZIP2)
    assert found(tmp_path, data) == {("R16", "should")}
    silent = {rule for rule, _ in examine(tmp_path / "crate.zip").not_examined}
    assert silent == {rule.id for rule in profile().by_stage["request"] if rule.needs != "zip"}
    with pytest.raises(Refused):
        load_for_check(tmp_path / "crate.zip")


@pytest.mark.parametrize("data", [b"PK nothing", pack(the_bag(), "crate")[:-9], zipped(under("..", the_bag()))])
def test_damaged_and_hostile_containers_are_refused_before_anything_is_read(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Refused):
        found(tmp_path, data)


def test_metadata_alone_leaves_bag_files_and_zip_unexamined(tmp_path: Path) -> None:
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(examples.request()))
    report = examine(tmp_path / "ro-crate-metadata.json")
    assert report.findings == ()
    wanted = {rule.id for rule in profile().by_stage["request"] if rule.needs != "graph"}
    assert {rule for rule, _ in report.not_examined} == wanted
    assert {"R1", "R10", "R15", "R16", "R99/payload", "RC-file"} <= wanted
