"""The ZIP format, written in one way and read with suspicion.

The central directory is read here rather than by `zipfile`, since two readers that disagree about an archive are how a
checker is shown one file and a runner another: every byte of the container must belong to exactly one entry, or the
container is refused (R16, R92). Nothing is decompressed before all of it was judged.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from cinque.crate.names import DEPTH, NAME_BYTES, check_name, decoded, shown
from cinque.errors import Refused

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK, _ZIP64_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x07"

_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_DESCRIPTOR, _UTF8 = 0x0008, 0x0800
_ALLOWED_FLAGS = _DESCRIPTOR | _UTF8 | 0x0006  # 0x0006: how hard deflate tried
# extra fields that change neither name nor content: times of NTFS and Unix, owners, Java's mark
_TIMES_AND_OWNERS = {0x000A, 0x5455, 0x5855, 0x7855, 0x7875, 0xCAFE}
_ZIP64_EXTRA, _UNICODE_PATH = 0x0001, 0x7075

_UNIX, _VERSION = 3, 20
_DATE_1980 = 0x0021
_REGULAR, _FOLDER, _KIND = 0o100000, 0o040000, 0o170000
_DOS_FOLDER, _DOS_ODD = 0x10, 0x08 | 0x40 | 0x400  # odd: volume label, device, reparse point

_PACK_AGAIN = "Pack the folder again with `cinque` or an ordinary ZIP tool."
_SEND_AGAIN = "Fetch or send the file again."


@dataclass(frozen=True, slots=True)
class Limits:
    """What unpacking may cost (R92). Sizes in bytes."""

    container: int = 64 << 20
    entries: int = 10_000
    total: int = 256 << 20
    entry: int = 128 << 20
    ratio: int = 100  # unpacked size over packed size ...
    ratio_from: int = 1 << 20  # ... judged for entries that unpack to more than this
    name_bytes: int = NAME_BYTES
    depth: int = DEPTH


DEFAULT = Limits()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the central directory. Sizes and places in bytes."""

    raw: bytes
    name: str  # without a folder's last "/"
    folder: bool
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def written(files: Mapping[str, bytes], top: str) -> bytes:
    """The canonical ZIP of these files, whose names the caller has checked."""
    body: list[bytes] = []
    directory: list[bytes] = []
    position = 0
    made, mode = _UNIX << 8 | _VERSION, (_REGULAR | 0o644) << 16
    for name in sorted(files):
        plain, raw = files[name], f"{top}/{name}".encode()
        size, flags = len(plain), 0 if raw.isascii() else _UTF8
        shared = (flags, _STORED, 0, _DATE_1980, zlib.crc32(plain), size, size, len(raw), 0)
        directory += _CENTRAL.pack(_CENTRAL_MARK, made, _VERSION, *shared, 0, 0, 0, mode, position), raw
        body += _LOCAL.pack(_LOCAL_MARK, _VERSION, *shared), raw, plain
        position += _LOCAL.size + len(raw) + size
    index = b"".join(directory)
    return b"".join([*body, index, _END.pack(_END_MARK, 0, 0, len(files), len(files), len(index), position, 0)])


def entries(data: bytes, limits: Limits) -> list[Entry]:
    """The entries of this ZIP, all judged, none decompressed; raises `Refused`."""
    start, end, count = _find_directory(data, limits)
    found = list(_directory(data, start, end, count, limits))
    _check_layout(data, found, start)
    return found


def _find_directory(data: bytes, limits: Limits) -> tuple[int, int, int]:
    """Where the central directory starts and ends, and how many entries it claims."""
    if len(data) > limits.container:
        raise refused(
            "archive-too-large", f"The archive is larger than {limits.container} bytes.", "Leave out large files."
        )
    end = len(data) - _END.size
    if end < 0 or data[end : end + 4] != _END_MARK or data[-2:] != b"\0\0":
        if data.rfind(_END_MARK) != -1:
            _hidden("after its end, or in a comment")
        if data[:4] == _LOCAL_MARK:
            raise refused("archive-truncated", "The archive ends before its directory.", _SEND_AGAIN)
        raise refused("archive-not-zip", "The file is not a ZIP archive.", "Send the crate as a ZIP archive.", "R1")
    _, disk, first_disk, here, count, size, start, _ = _END.unpack_from(data, end)
    if data[max(end - 20, 0) : end].startswith(_ZIP64_MARK) or 0xFFFF in (here, count) or 0xFFFFFFFF in (size, start):
        _zip64()
    if disk or first_disk or here != count:
        raise refused("archive-unsupported", "The archive is one part of several.", _PACK_AGAIN, "R16")
    if start + size > end:
        raise refused("archive-truncated", "The archive's directory lies outside it.", _SEND_AGAIN)
    if start + size < end:
        _hidden("beside its directory")
    if count > limits.entries:
        raise too_many(limits.entries)
    if not count:
        raise empty()
    return start, end, count


def _directory(data: bytes, start: int, end: int, count: int, limits: Limits) -> Iterator[Entry]:
    """The entries of the central directory, each judged by itself, and their sizes together."""
    position, total = start, 0
    for _ in range(count):
        if position + _CENTRAL.size > end or data[position : position + 4] != _CENTRAL_MARK:
            raise refused("archive-truncated", "The archive's directory breaks off.", _SEND_AGAIN)
        (_, _, _, flags, method, _, _, crc, packed, size, *lengths, disk, _, attributes, offset) = _CENTRAL.unpack_from(
            data, position
        )
        named = position + _CENTRAL.size
        extra = named + lengths[0]
        position = extra + lengths[1] + lengths[2]
        if position > end:
            raise refused("archive-truncated", "The archive's directory breaks off.", _SEND_AGAIN)
        raw = data[named:extra]
        name = decoded(raw)
        folder = name.endswith("/")
        name = name[:-1] if folder else name
        check_name(name, name_bytes=limits.name_bytes, depth=limits.depth)
        _check_format(name, flags, method, disk)
        if 0xFFFFFFFF in (packed, size, offset):
            _zip64()
        _check_extra(data[extra : extra + lengths[1]], name)
        _check_kind(name, folder, attributes)
        _check_size(name, packed, size, limits)
        total += size
        if total > limits.total:
            raise too_large("The files unpack to", limits.total)
        if (method == _STORED and packed != size) or (folder and size):
            raise refused("archive-header-mismatch", f"The sizes of {shown(name)} contradict each other.", _PACK_AGAIN)
        yield Entry(raw, name, folder, flags, method, crc, packed, size, offset)
    if position != end:
        _hidden("beside its directory")


def _check_format(name: str, flags: int, method: int, disk: int) -> None:
    if flags & _ENCRYPTED:
        raise refused("archive-encrypted", f"{shown(name)} is encrypted.", "Pack the folder without a password.", "R16")
    if flags & ~_ALLOWED_FLAGS or method not in (_STORED, _DEFLATED) or disk:
        raise refused(
            "archive-unsupported", f"{shown(name)} is packed in a way other than stored or deflate.", _PACK_AGAIN, "R16"
        )
    if not name.isascii() and not flags & _UTF8:
        raise refused(
            "archive-name-encoding",
            f"The name {shown(name)} is not marked as UTF-8.",
            "Mark file names as UTF-8.",
            "R16",
        )


def _check_extra(block: bytes, name: str) -> None:
    """Take only extra fields that cannot give the entry another name, size, type or content."""
    position = 0
    while position < len(block):
        kind = int.from_bytes(block[position : position + 2], "little")
        end = position + 4 + int.from_bytes(block[position + 2 : position + 4], "little")
        if kind == _ZIP64_EXTRA:
            _zip64()
        if kind not in _TIMES_AND_OWNERS or end > len(block):
            why = "gives a second name" if kind == _UNICODE_PATH else "is not known here"
            raise refused("archive-extra", f"An extra field of {shown(name)} {why}.", _PACK_AGAIN, "R16")
        position = end


def _check_kind(name: str, folder: bool, attributes: int) -> None:
    # Judged whatever system the entry claims to come from: some readers look at the bits, some at the claim.
    odd = _DOS_ODD if folder else _DOS_ODD | _DOS_FOLDER
    if attributes >> 16 & _KIND not in (0, _FOLDER if folder else _REGULAR) or attributes & odd:
        raise not_regular(name)


def _check_size(name: str, packed: int, size: int, limits: Limits) -> None:
    if size > limits.entry:
        raise entry_too_large(name, limits.entry)
    if size > limits.ratio_from and size > limits.ratio * packed:
        raise refused(
            "archive-ratio", f"{shown(name)} unpacks to more than {limits.ratio} times its size.", "Leave out the file."
        )


def _check_layout(data: bytes, found: list[Entry], directory: int) -> None:
    """Raise `Refused` unless the entries tile the bytes before the directory.

    This refuses overlapping entries (D. Fifield, A better zip bomb, WOOT 2019) and bytes that no entry owns.
    """
    ordered = sorted(found, key=lambda entry: entry.offset)
    if ordered[0].offset:
        _hidden("before its first entry")
    for entry, until in zip(ordered, [*(e.offset for e in ordered[1:]), directory], strict=True):
        over = until - _check_local(data, entry, directory) - entry.packed
        if over < 0:
            raise refused("archive-overlap", f"{shown(entry.name)} shares bytes with another entry.", _PACK_AGAIN)
        if data[until - over : until] not in _owned_tails(entry):
            _hidden(f"after {shown(entry.name)}")


def _check_local(data: bytes, entry: Entry, directory: int) -> int:
    """Where the content begins; raises `Refused` when the local header says other than the central directory."""
    differ = refused("archive-header-mismatch", f"The two headers of {shown(entry.name)} differ.", _PACK_AGAIN)
    named = entry.offset + _LOCAL.size
    if named > directory or data[entry.offset : entry.offset + 4] != _LOCAL_MARK:
        raise differ
    _, _, flags, method, _, _, *sums, name_length, extra_length = _LOCAL.unpack_from(data, entry.offset)
    extra: int = named + name_length
    begin: int = extra + extra_length
    if (flags, method, data[named:extra]) != (entry.flags, entry.method, entry.raw):
        raise differ
    if sums != [entry.crc, entry.packed, entry.size] and not (flags & _DESCRIPTOR and sums == [0, 0, 0]):
        raise differ
    _check_extra(data[extra:begin], entry.name)
    return begin


def _owned_tails(entry: Entry) -> tuple[bytes, ...]:
    """What may stand between this entry's content and the next header."""
    if not entry.flags & _DESCRIPTOR:
        return (b"",)
    plain = struct.pack("<3L", entry.crc, entry.packed, entry.size)
    return plain, b"PK\x07\x08" + plain


def content(data: bytes, entry: Entry) -> bytes:
    """What this entry of `entries(data)` holds, at most as long as declared; raises `Refused` when damaged."""
    begin = entry.offset + _LOCAL.size + sum(struct.unpack_from("<2H", data, entry.offset + 26))
    packed = memoryview(data)[begin : begin + entry.packed]
    if entry.method == _STORED:
        plain, whole = bytes(packed), True
    else:
        inflater = zlib.decompressobj(-15)
        try:
            plain = inflater.decompress(packed, entry.size + 1)  # one more, so that a longer stream shows
        except zlib.error:
            plain = b""
        whole = inflater.eof and not inflater.unused_data and len(plain) == entry.size
    if not whole or zlib.crc32(plain) != entry.crc:
        raise refused("archive-corrupt", f"The content of {shown(entry.name)} is damaged.", _SEND_AGAIN)
    return plain


def refused(code: str, sentence: str, remedy: str, rule: str = "R92") -> Refused:
    """A refusal under R92, unless another rule is named."""
    return Refused(code, sentence, rule=rule, remedy=remedy)


def empty() -> Refused:
    """No file at all."""
    return refused("archive-empty", "The archive holds no file.", "Pack the folder of the bag.", "R15")


def too_many(most: int) -> Refused:
    """More entries than `most`."""
    return refused("archive-too-many", f"There are more than {most} entries.", "Pack fewer files.")


def too_large(what: str, most: int) -> Refused:
    """More than `most` bytes in all."""
    return refused("archive-total-too-large", f"{what} more than {most} bytes.", "Leave out large files.")


def entry_too_large(name: str, most: int) -> Refused:
    """More than `most` bytes in one file."""
    return refused("archive-entry-too-large", f"{shown(name)} is larger than {most} bytes.", "Leave out the file.")


def not_regular(name: str) -> Refused:
    """A link or a device."""
    return refused(
        "archive-not-regular",
        f"{shown(name)} is a link, a device or otherwise no regular file.",
        "Replace links by the files they point to.",
    )


def _hidden(where: str) -> NoReturn:
    raise refused("archive-hidden-bytes", f"The archive has bytes {where} that no entry owns.", _PACK_AGAIN)


def _zip64() -> NoReturn:
    raise refused(
        "archive-zip64", "The archive uses the 64-bit extension.", "Pack it without; a crate is far below 4 GB.", "R16"
    )
