"""Files by digest: whole or absent, verified, private, and no way out of the folder."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.errors import NotFound, Refused, Unavailable
from cinque.storage.files import Files

DATA = b"a crate"
DIGEST = hashlib.sha512(DATA).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "files")


def _everything(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


def test_what_was_put_is_got(files: Files) -> None:
    assert not files.has(DIGEST)
    assert files.put(DATA) == DIGEST
    assert files.has(DIGEST)
    assert files.get(DIGEST) == DATA
    assert files.path(DIGEST).read_bytes() == DATA


def test_putting_twice_keeps_one(files: Files, tmp_path: Path) -> None:
    assert files.put(DATA) == files.put(DATA)
    assert _everything(tmp_path) == [tmp_path / "files" / DIGEST[:2] / DIGEST[2:4] / DIGEST]


def test_many_threads_may_put_the_same(files: Files, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: files.put(DATA), range(40))) == {DIGEST}
    assert len(_everything(tmp_path)) == 1
    assert files.get(DIGEST) == DATA


@pytest.mark.parametrize("damage", [b"", b"a cratf", b"a crate and more"])
def test_a_damaged_file_is_refused_and_mended_by_putting_it_again(files: Files, damage: bytes) -> None:
    files.put(DATA)
    files.path(DIGEST).write_bytes(damage)
    with pytest.raises(Refused) as refusal:
        files.get(DIGEST)
    assert refusal.value.code == "file-damaged"
    files.put(DATA)
    assert files.get(DIGEST) == DATA


def test_a_missing_file_is_not_found_and_its_place_not_told(files: Files, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as refusal:
        files.get(DIGEST)
    assert str(tmp_path) not in str(refusal.value)


def test_deleted_is_gone_and_deleting_again_is_no_fault(files: Files, tmp_path: Path) -> None:
    files.put(DATA)
    files.delete(DIGEST)
    files.delete(DIGEST)
    assert not files.has(DIGEST)
    assert _everything(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../etc/passwd",
        "/etc/passwd",
        DIGEST[:-1],
        DIGEST + "0",
        DIGEST + "\n",
        DIGEST.upper(),
        "." * 128,
        "../" + DIGEST[3:],
        "\0" + DIGEST[1:],
        "٣" + DIGEST[1:],  # a digit, but not a hexadecimal one
    ],
)
def test_only_a_digest_is_a_name(files: Files, name: str) -> None:
    for use in (files.get, files.has, files.path, files.delete):
        with pytest.raises(Refused) as refusal:
            use(name)
        assert refusal.value.code == "not-a-digest"


@given(name=st.text(alphabet="0123456789abcdef./\\\n\0~é", min_size=120, max_size=130))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    files = Files.__new__(Files)
    files._root = Path("/files")
    try:
        path = files.path(name)
    except Refused:
        return
    assert path.parts == ("/", "files", name[:2], name[2:4], name)


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    root = tmp_path / "files"
    root.mkdir(mode=0o755)
    old = os.umask(0)
    try:
        Files(root).put(DATA)
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")] if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in _everything(tmp_path)} == {0o600}


def test_a_full_disk_keeps_nothing_and_does_not_tell_the_place(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left") as refusal:
        files.put(DATA)
    assert str(tmp_path) not in str(refusal.value)
    assert _everything(tmp_path) == []


def test_what_a_crash_left_half_written_is_not_a_file_and_is_cleared(files: Files, tmp_path: Path) -> None:
    files.put(DATA)
    (tmp_path / "files" / "incoming" / "tmpx").write_bytes(b"half of someth")
    assert files.clear_incoming() == 1
    assert [path.name for path in _everything(tmp_path)] == [DIGEST]


def test_the_bytes_are_on_the_disk_before_the_name(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order that survives a power cut: the data, then the rename, then the folder that holds the new name."""
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watch_fsync(handle: int) -> None:
        seen.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "data")
        fsync(handle)

    def watch_replace(self: Path, target: Path) -> Path:
        seen.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "replace", watch_replace)
    files.put(DATA)
    assert seen == ["folder", "folder", "data", "rename", "folder"]
