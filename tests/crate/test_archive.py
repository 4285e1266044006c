"""A crate's container: what is written is read back the same; what is hostile is refused before it costs anything."""

from __future__ import annotations

import io
import os
import random
import stat
import subprocess
import time
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cinque.crate.archive import DEFAULT, Archive, Limits, pack, read_folder, unpack, write_folder
from cinque.errors import Refused, Unreadable
from tests.crate.hostile import (
    BOMBS,
    DEFLATED,
    DESCRIPTOR,
    FOLDER,
    HOSTILE,
    Container,
    Member,
    deflated,
    extra,
    named,
    one,
)

FILES = {"bagit.txt": b"BagIt\n", "data/a.txt": b"hello", "data/caf\u00e9/b.bin": bytes(range(256)), "data/empty": b""}

_part = st.text(st.sampled_from("aB1-_. %+\u00e9\u00df\u4e2d"), min_size=1, max_size=8)
_name = st.lists(_part, min_size=1, max_size=4).map("/".join)


@given(files=st.dictionaries(_name, st.binary(max_size=200), min_size=1, max_size=6), top=_part)
@example(files={"a": b"", "b/c": b"PK\x05\x06" + bytes(18)}, top="bag")  # content that looks like the end
def test_what_is_packed_is_unpacked_the_same(files: dict[str, bytes], top: str) -> None:
    try:
        data = pack(files, top)
    except Refused as refusal:
        assume(refusal.code not in {"archive-name", "archive-path-escape", "archive-collision"})
        raise
    assert unpack(data) == Archive(top, files, canonical=True)
    assert pack(dict(reversed(files.items())), top) == data
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert {name: other.read(name) for name in other.namelist()} == {f"{top}/{n}": c for n, c in files.items()}


def test_the_canonical_form_byte_by_byte() -> None:
    # From PKWARE's APPNOTE 6.3.3: local header, directory, end record; nothing else.
    name, sums = b"bag/a".hex(), "86a61036 05000000 05000000"
    local = f"504b0304 1400 0000 0000 0000 2100 {sums} 0500 0000 {name}" + b"hello".hex()
    central = f"504b0102 1403 1400 0000 0000 0000 2100 {sums} 0500 0000 0000 0000 0000 0000a481 00000000 {name}"
    end = "504b0506 0000 0000 0100 0100 33000000 28000000 0000"
    assert pack({"a": b"hello"}, "bag") == bytes.fromhex(local + central + end)


@pytest.mark.parametrize(("code", "data"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused(code: str, data: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        unpack(data)
    assert refusal.value.code == code
    assert refusal.value.rule
    assert refusal.value.remedy
    assert str(refusal.value).isascii()
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(("code", "data"), BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused_before_they_cost_anything(code: str, data: bytes) -> None:
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with pytest.raises(Refused) as refusal:
            unpack(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refusal.value.code == code
    assert peak < 2 << 20
    assert time.perf_counter() - begun < 1


def test_the_members_of_the_table_are_sound_but_for_what_the_table_changes() -> None:
    # Else a row of the table could be refused for another fault of the builder.
    assert unpack(Container((Member(), Member(b"bag/b"))).bytes()).files == {"data/a.txt": b"hello", "b": b"hello"}
    assert unpack(one(method=DEFLATED)).files == {"data/a.txt": b"hello"}
    assert unpack(named("bag/\u00e9", "bag/" + "d/" * 14 + "a")).top == "bag"
    assert unpack(named("bag/" + "a" * 236)).top == "bag"


@pytest.mark.parametrize(
    "data",
    [
        one(method=DEFLATED, packed=deflated(b"hello")),
        one(flags=DESCRIPTOR, descriptor=bytes.fromhex("86a61036 05000000 05000000")),
        one(flags=DESCRIPTOR, descriptor=bytes.fromhex("504b0708 86a61036 05000000 05000000")),
        one(extra=extra(0x5455, b"\3" + bytes(4)), local_extra=extra(0x5455, b"\3" + bytes(8))),
        one(comment=b"a note"),
        Container(
            (Member(b"bag/", b"", attributes=FOLDER), Member(b"bag/data/", b"", attributes=FOLDER), Member())
        ).bytes(),
        one(attributes=0),
    ],
    ids=["deflate", "descriptor", "marked descriptor", "times", "comment of an entry", "folders", "no attributes"],
)
def test_what_ordinary_tools_write_is_read_and_said_to_be_repacked(data: bytes) -> None:
    assert unpack(data) == Archive("bag", {"data/a.txt": b"hello"}, canonical=False)


@pytest.mark.parametrize(
    "command", [["zip", "-qr"], ["zip", "-qrX"], ["zip", "-qr0"], ["python", "-m", "zipfile", "-c"]]
)
def test_archives_of_other_programs_are_read(command: list[str], tmp_path: Path) -> None:
    files = {name: content for name, content in FILES.items() if name.isascii()}  # Info-ZIP marks no UTF-8
    write_folder(Archive("bag", files, canonical=False), tmp_path / "bag")
    try:
        subprocess.run([*command, "bag.zip", "bag"], cwd=tmp_path, check=True)
    except FileNotFoundError:
        pytest.skip(f"{command[0]} is not installed")
    assert unpack((tmp_path / "bag.zip").read_bytes()) == Archive("bag", files, canonical=False)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_a_refusal(data: bytes) -> None:
    with pytest.raises(Refused):
        unpack(data)


GOOD = [pack(FILES, "bag"), Container((Member(method=DEFLATED), Member(b"bag/x/", b"", attributes=FOLDER))).bytes()]


@given(st.sampled_from(GOOD), st.integers(0, 2**32))
def test_damaged_archives_raise_nothing_but_a_refusal(good: bytes, seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(good)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data))
        match dice.randrange(4):
            case 0:
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                data[at] = dice.choice([0, 0xFF])
            case 2:
                del data[at : at + dice.randint(1, 20)]
            case _:
                data[at:at] = dice.randbytes(dice.randint(1, 20))
    try:
        found = unpack(bytes(data))
    except Refused:
        return
    assert not found.canonical or data == good


def test_no_change_of_one_byte_goes_unseen() -> None:
    good = pack({"a": b"hi", "b/c": b""}, "bag")
    for at in range(len(good)):
        for value in range(256):
            data = good[:at] + bytes([value]) + good[at + 1 :]
            try:
                found = unpack(data)
            except Refused:
                continue
            # a changed name may well be a canonical archive of other content
            assert data == good or not found.canonical or (found.top, found.files) != ("bag", {"a": b"hi", "b/c": b""})


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (replace(DEFAULT, container=600), "archive-too-large"),
        (replace(DEFAULT, entries=3), "archive-too-many"),
        (replace(DEFAULT, total=266), "archive-total-too-large"),
        (replace(DEFAULT, entry=255), "archive-entry-too-large"),
        (replace(DEFAULT, name_bytes=19), "archive-name-length"),
        (replace(DEFAULT, depth=3), "archive-depth"),
    ],
)
def test_each_limit_holds_and_is_not_one_too_strict(limits: Limits, code: str, tmp_path: Path) -> None:
    data = pack(FILES, "bag")
    exact = Limits(len(data), entries=4, total=267, entry=256, name_bytes=20, depth=4)
    assert unpack(data, exact).files == FILES
    with pytest.raises(Refused) as refusal:
        unpack(data, limits)
    assert refusal.value.code == code

    write_folder(Archive("bag", FILES, canonical=True), tmp_path / "bag")
    assert read_folder(tmp_path / "bag", replace(exact, entries=6)).files == FILES  # two folders are counted too
    if code != "archive-too-large":
        with pytest.raises(Refused) as refusal:
            read_folder(tmp_path / "bag", limits)
        assert refusal.value.code == code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../a", "archive-path-escape"),
        ("/a", "archive-path-escape"),
        ("a\\b", "archive-path-escape"),
        ("", "archive-name"),
        ("a/", "archive-name"),
        ("C:a", "archive-name"),
        ("a\nb", "archive-name"),
        ("\ud800", "archive-name"),
        ("e\u0301", "archive-name-encoding"),
        ("nul.txt", "archive-name-reserved"),
        ("A", "archive-collision"),
        ("a/b", "archive-collision"),
    ],
)
def test_nothing_is_packed_or_written_that_would_not_be_read(name: str, code: str, tmp_path: Path) -> None:
    files = {"a": b"", name: b"x"}
    with pytest.raises(Refused) as refusal:
        pack(files, "bag")
    assert refusal.value.code == code
    with pytest.raises(Refused):
        write_folder(Archive("bag", files, canonical=False), tmp_path / "inner" / "bag")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("top", ["", "a/b", "..", ".", "/", "nul", "a:b"])
def test_the_folder_has_a_plain_name(top: str) -> None:
    with pytest.raises(Refused):
        pack(FILES, top)


def test_an_empty_archive_is_not_packed() -> None:
    with pytest.raises(Refused) as refusal:
        pack({}, "bag")
    assert refusal.value.code == "archive-empty"


def test_a_folder_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_folder(unpack(pack(FILES, "bag")), tmp_path / "bag")
    assert read_folder(tmp_path / "bag") == Archive("bag", FILES, canonical=False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["bag"]
    assert stat.S_IMODE((tmp_path / "bag").stat().st_mode) == 0o700


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bag").symlink_to(tmp_path / "nowhere")
    with pytest.raises(Refused) as refusal:
        write_folder(Archive("bag", FILES, canonical=True), tmp_path / "bag")
    assert refusal.value.code == "archive-folder-exists"
    assert [entry.name for entry in tmp_path.iterdir()] == ["bag"]


def test_a_folder_that_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_folder(Archive("bag", {"a": b"", "b": None}, canonical=True), tmp_path / "bag")  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []


def test_no_link_or_pipe_in_a_folder_is_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a").write_bytes(b"secret")
    for number, target in enumerate(["../secret/a", "../secret", "nowhere", None]):
        bag = tmp_path / f"bag{number}"
        bag.mkdir()
        (bag / "a").write_bytes(b"a")
        if target is None:
            os.mkfifo(bag / "x")
        else:
            (bag / "x").symlink_to(target)
        with pytest.raises(Refused) as refusal:
            read_folder(bag)
        assert refusal.value.code == "archive-not-regular"
        assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ([b"a\\b"], "archive-path-escape"),
        ([b"a:b"], "archive-name"),
        ([b"\xff"], "archive-name"),
        (["e\u0301".encode()], "archive-name-encoding"),
        ([b"a", b"A"], "archive-collision"),
        ([], "archive-empty"),
    ],
)
def test_names_in_a_folder_follow_the_same_rules(names: list[bytes], code: str, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    bag.mkdir()
    for name in names:
        Path(os.fsdecode(os.fsencode(bag) + b"/" + name)).write_bytes(b"")
    with pytest.raises(Refused) as refusal:
        read_folder(bag)
    assert refusal.value.code == code


def test_a_folder_that_is_none_is_unreadable_without_saying_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in ("file", "nothing"):
        with pytest.raises(Unreadable) as refusal:
            read_folder(tmp_path / name)
        assert str(tmp_path) not in str(refusal.value)
