"""A crate's container: bytes <-> files, and a folder on disk <-> files.

`pack` writes the one canonical ZIP; `unpack` reads any sane ZIP and says whether it was canonical (R1, R15, R16, R92).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from cinque.crate.names import NAME_BYTES, check_apart, check_name, duplicate
from cinque.crate.zipped import (
    DEFAULT,
    Entry,
    Limits,
    content,
    empty,
    entries,
    entry_too_large,
    not_regular,
    refused,
    too_large,
    too_many,
    written,
)
from cinque.errors import Unreadable

__all__ = ["DEFAULT", "Archive", "Limits", "check_top", "pack", "read_folder", "unpack", "write_folder"]


@dataclass(frozen=True, slots=True)
class Archive:
    """The files of one bag, by their names relative to the folder `top`."""

    top: str
    files: dict[str, bytes]
    canonical: bool  # the container was byte for byte `pack(files, top)`


def pack(files: Mapping[str, bytes], top: str) -> bytes:
    """The canonical ZIP of `files` in the folder `top`: the same bytes on every machine.

    Entries are sorted by name and *stored*: builds of zlib deflate differently, and crates are small. No times, extra
    fields, comments, folders, descriptors or gaps; the UTF-8 flag where a name is not ASCII. Raises `Refused` for a
    name that `unpack` would refuse and for more than a ZIP can hold without its 64-bit extension.
    """
    if not files:
        raise empty()
    check_top(top)
    for name in files:
        check_name(f"{top}/{name}")
    check_apart(files)
    # 46 + 30 bytes of headers and the name twice, for every entry
    if len(files) >= 0xFFFF or sum(len(c) + 76 + 2 * NAME_BYTES for c in files.values()) >= 0xFFFFFFFF:
        raise refused("archive-too-large", "The files are more than a plain ZIP holds.", "Leave out large files.")
    return written(files, top)


def check_top(top: str) -> None:
    """Raise `Refused` unless `top` can be the one folder of an archive (R15)."""
    check_name(top, depth=1)


def unpack(data: bytes, limits: Limits = DEFAULT) -> Archive:
    """The files in this ZIP; raises `Refused`, and nothing else, for anything it will not take.

    At most `limits.total` bytes are decompressed, and none before names, types, sizes, ratios and the layout of the
    whole container were judged. Folders' own entries are dropped.
    """
    found = entries(data, limits)
    top = _judge_names(found)
    contents = [(entry, content(data, entry)) for entry in found]
    files = {entry.name.removeprefix(f"{top}/"): plain for entry, plain in contents if not entry.folder}
    stored = sum(map(len, files.values())) < len(data)  # else it is not canonical, and writing it would cost its size
    return Archive(top, files, stored and written(files, top) == data)


def read_folder(path: Path, limits: Limits = DEFAULT) -> Archive:
    """The files of the bag in the folder `path`, under the same rules as `unpack`; never canonical.

    No link inside the folder is followed, and nothing but regular files is read. Raises `Refused`, and `Unreadable`
    where the disk says no; their sentences name paths inside the folder, never where the folder lies.
    """
    top = path.absolute().name
    check_top(top)
    files: dict[str, bytes] = {}
    total = 0
    try:
        with _opened(path, os.O_DIRECTORY) as root:
            for name, plain in _gathered(root, top, count(1), limits):
                total += len(plain)
                if total > limits.total:
                    raise too_large("The folder holds", limits.total)
                files[name.removeprefix(f"{top}/")] = plain
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise Unreadable(
            "archive-unreadable", f"The folder cannot be read: {why}.", remedy="Name a bag's folder."
        ) from None
    if not files:
        raise empty()
    check_apart(files)
    return Archive(top, dict(sorted(files.items())), canonical=False)


def _gathered(folder: int, prefix: str, number: Iterator[int], limits: Limits) -> Iterator[tuple[str, bytes]]:
    with os.scandir(folder) as found:
        for item in found:
            name = f"{prefix}/{item.name}"
            check_name(name, name_bytes=limits.name_bytes, depth=limits.depth)
            if next(number) > limits.entries:
                raise too_many(limits.entries)
            if item.is_dir(follow_symlinks=False):
                with _opened(item.name, os.O_DIRECTORY | os.O_NOFOLLOW, folder) as inner:
                    yield from _gathered(inner, name, number, limits)
            elif item.is_file(follow_symlinks=False):
                # not blocking: what was a file a moment ago may be a pipe by now
                with _opened(item.name, os.O_NOFOLLOW | os.O_NONBLOCK, folder) as opened:
                    yield name, _read(opened, name, limits.entry)
            else:
                raise not_regular(name)


@contextlib.contextmanager
def _opened(path: str | Path, flags: int, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(descriptor: int, name: str, most: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise not_regular(name)
    with open(descriptor, "rb", closefd=False) as stream:
        plain = stream.read(most + 1)
    if len(plain) > most:
        raise entry_too_large(name, most)
    return plain


def write_folder(archive: Archive, path: Path) -> None:
    """Write the files into the new folder `path`, all of them or none.

    They are written beside it and moved in one step; the folder is readable by its owner alone. Nothing is forced to
    disk: who needs that calls `fsync`. Raises `Refused` when `path` exists or a name could leave it, and `OSError`.
    """
    for name in archive.files:
        check_name(name)
    check_apart(archive.files)
    path = path.absolute()
    if os.path.lexists(path):
        raise refused("archive-folder-exists", "There is already something of that name.", "Name a new folder.", "R2")
    beside = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=path.parent))
    try:
        for name, plain in archive.files.items():
            target = beside / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as stream:
                stream.write(plain)
        beside.rename(path)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _judge_names(entries: list[Entry]) -> str:
    """The one top folder (R15)."""
    files = [e.name for e in entries if not e.folder]
    folders = [e.name for e in entries if e.folder]
    if twice := [name for name, times in Counter(folders).items() if times > 1]:
        raise duplicate(twice[0])
    check_apart(files, folders)
    if not files:
        raise empty()
    tops = {name.partition("/")[0] for name in (*files, *folders)}
    if len(tops) > 1 or any("/" not in name for name in files):
        raise refused(
            "archive-top",
            "The archive must hold exactly one folder, the bag, and nothing beside it.",
            "Pack the bag's folder itself, and leave out what the system added (such as __MACOSX).",
            "R15",
        )
    return tops.pop()
