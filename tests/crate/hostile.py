"""ZIP archives that no writer would make, byte by byte, each with the code it must be refused with."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace

STORED, DEFLATED = 0, 8
UTF8, DESCRIPTOR, ENCRYPTED = 0x800, 0x8, 0x1
SYMLINK, FIFO, CHARACTER_DEVICE, FOLDER, FILE = (
    kind << 16 for kind in (0o120777, 0o010644, 0o020644, 0o040755, 0o100644)
)
MIB = 1 << 20


@dataclass(frozen=True)
class Member:
    """One entry; the `local_*` fields make the local header say something else."""

    name: bytes = b"bag/data/a.txt"
    content: bytes = b"hello"
    method: int = STORED
    flags: int = 0
    attributes: int = FILE
    extra: bytes = b""
    comment: bytes = b""
    packed: bytes | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    disk: int = 0
    descriptor: bytes = b""
    local_name: bytes | None = None
    local_size: int | None = None
    local_method: int | None = None
    local_flags: int | None = None
    local_crc: int | None = None
    local_extra: bytes = b""
    offset: int | None = None  # where the directory says the local header is
    ghost: bool = False  # stands in the directory only
    before: bytes = b""  # bytes in front of the local header

    def body(self) -> bytes:
        if self.packed is not None:
            return self.packed
        return deflated(self.content) if self.method == DEFLATED else self.content


@dataclass(frozen=True)
class Container:
    """A whole archive; fields left None are what an honest writer would write."""

    members: tuple[Member, ...] = (Member(),)
    prefix: bytes = b""
    suffix: bytes = b""
    comment: bytes = b""
    before_directory: bytes = b""
    after_directory: bytes = b""
    shift: int = 0  # added to every offset
    count: int | None = None
    total_count: int | None = None
    directory_size: int | None = None
    directory_offset: int | None = None
    disk: int = 0

    def bytes(self) -> bytes:
        out, directory = bytearray(self.prefix), b""
        for m in self.members:
            out += m.before
            body, offset = m.body(), len(out) - len(self.prefix) + self.shift if m.offset is None else m.offset
            size = len(m.content) if m.size is None else m.size
            packed = len(body) if m.packed_size is None else m.packed_size
            crc = zlib.crc32(m.content) if m.crc is None else m.crc
            local_name = m.name if m.local_name is None else m.local_name
            if not m.ghost:
                late = (0, 0, 0) if m.descriptor else (_or(m.local_crc, crc), packed, _or(m.local_size, size))
                out += struct.pack(
                    "<4s5H3L2H", b"PK\3\4", 20, _or(m.local_flags, m.flags), _or(m.local_method, m.method), 0, 0x21,
                    *late, len(local_name), len(m.local_extra),
                )  # fmt: skip
                out += local_name + m.local_extra + body + m.descriptor
            directory += struct.pack(
                "<4s6H3L5H2L", b"PK\1\2", 0x314, 20, m.flags, m.method, 0, 0x21, crc, packed, size,
                len(m.name), len(m.extra), len(m.comment), m.disk, 0, m.attributes, offset,
            ) + m.name + m.extra + m.comment  # fmt: skip
        out += self.before_directory
        count = _or(self.count, len(self.members))
        end = struct.pack(
            "<4s4H2LH", b"PK\5\6", self.disk, 0, count, _or(self.total_count, count),
            _or(self.directory_size, len(directory)),
            _or(self.directory_offset, len(out) - len(self.prefix) + self.shift), len(self.comment),
        )  # fmt: skip
        return bytes(out) + directory + self.after_directory + end + self.comment + self.suffix


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def deflated(content: bytes) -> bytes:
    worker = zlib.compressobj(9, zlib.DEFLATED, -15)
    return worker.compress(content) + worker.flush()


def zeros(size: int) -> bytes:
    """`size` zero bytes (whole MiB), deflated, without ever holding them: one flushed piece, many times."""
    worker = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = worker.compress(bytes(MIB)) + worker.flush(zlib.Z_FULL_FLUSH)
    return piece * (size // MIB) + deflated(b"")


def one(**changes: object) -> bytes:
    """An archive of one file, changed in this way."""
    return Container((replace(Member(), **changes),)).bytes()  # type: ignore[arg-type]


def patched(at: int, new: bytes) -> bytes:
    """An honest archive of one file with the bytes at one place overwritten; its directory begins at 49."""
    data = Container().bytes()
    return data[:at] + new + data[at + len(new) :]


def named(*names: str | bytes) -> bytes:
    """An archive of files with these names."""
    raw = [name.encode() if isinstance(name, str) else name for name in names]
    return Container(tuple(Member(name, flags=0 if name.isascii() else UTF8) for name in raw)).bytes()


def extra(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<2H", kind, len(data)) + data


def overlapping(copies: int) -> bytes:
    """Fifield's bomb in its plain form: many entries of the directory share one body."""
    member = Member(content=b"", method=DEFLATED, packed=zeros(64 * MIB), size=MIB)
    ghosts = tuple(replace(member, name=b"bag/data/%d" % n, ghost=True, offset=0) for n in range(copies))
    return Container((member, *ghosts)).bytes()


def quoted(copies: int) -> bytes:
    """Fifield's bomb in full: each file quotes the next local header as a stored block, and all share one kernel."""
    plain = bytes(MIB // 2)
    tail = deflated(plain)  # what a file's stream goes on with
    files: list[tuple[bytes, int, int, int]] = []  # name, crc, packed, size; the last one first
    step = 0
    for n in reversed(range(copies)):
        name = b"bag/data/%03d" % n
        crc = zlib.crc32(plain)
        files.append((name, crc, len(tail), len(plain)))
        local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0x21, crc, len(tail), len(plain), len(name), 0) + name
        body = local + tail
        tail = b"\0" + struct.pack("<2H", len(local), len(local) ^ 0xFFFF) + body
        plain = local + plain
        step = len(local) + 5
    directory = b"".join(
        struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 0x314, 20, 0, 8, 0, 0x21, crc, packed, size, len(name), 0, 0, 0, 0, FILE, n * step
        )
        + name
        for n, (name, crc, packed, size) in enumerate(reversed(files))
    )
    return body + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, copies, copies, len(directory), len(body), 0)


BOMBS: dict[str, tuple[str, bytes]] = {
    "one file of 1 GiB": (
        "archive-entry-too-large",
        one(content=b"", method=DEFLATED, packed=zeros(1024 * MIB), size=1024 * MIB),
    ),
    "ratio of a thousand": (
        "archive-ratio",
        one(content=b"", method=DEFLATED, packed=zeros(100 * MIB), size=100 * MIB),
    ),
    "many files, each just small enough": (
        "archive-total-too-large",
        Container(
            tuple(
                Member(b"bag/data/%d" % n, bytes(MIB), DEFLATED, packed=packed, crc=0)
                for packed in [zeros(MIB)]
                for n in range(300)
            )
        ).bytes(),
    ),
    "says small, is large": ("archive-corrupt", one(method=DEFLATED, packed=zeros(512 * MIB), size=5)),
    "overlapping": ("archive-overlap", overlapping(200)),
    "quoted overlap": ("archive-overlap", quoted(100)),
    "too many entries": (
        "archive-too-many",
        Container(tuple(Member(b"bag/data/%d" % n, b"") for n in range(10_001))).bytes(),
    ),
    "says more entries than there are": ("archive-truncated", Container(count=9_999).bytes()),
}

HOSTILE: dict[str, tuple[str, bytes]] = {
    # not an archive
    "nothing": ("archive-not-zip", b""),
    "text": ("archive-not-zip", b"hello " * 20),
    "gzip": ("archive-not-zip", b"\x1f\x8b\x08" + bytes(40)),
    "cut in the content": ("archive-truncated", Container().bytes()[:40]),
    "cut in the end record": ("archive-truncated", Container().bytes()[:-23]),
    "end record alone": ("archive-empty", Container(()).bytes()),
    "folder alone": ("archive-empty", one(name=b"bag/", content=b"", attributes=FOLDER)),
    "part of several": ("archive-unsupported", Container(disk=1).bytes()),
    "entry on another disk": ("archive-unsupported", one(disk=1)),
    "counts differ": ("archive-unsupported", Container(count=1, total_count=2).bytes()),
    "fewer entries counted than listed": (
        "archive-hidden-bytes",
        Container((Member(), Member(b"bag/b")), count=1).bytes(),
    ),
    "ghost after the entries counted": (
        "archive-hidden-bytes",
        Container((Member(), Member(b"bag/b", ghost=True, offset=0)), count=1).bytes(),
    ),
    "comment promised and not there": ("archive-hidden-bytes", Container().bytes()[:-2] + b"\5\0"),
    "directory larger than there is room": ("archive-truncated", Container(directory_size=9999).bytes()),
    "directory entry larger than the directory": ("archive-truncated", patched(49 + 32, b"\5")),
    "directory beyond the end": ("archive-truncated", Container(directory_offset=9999).bytes()),
    # bytes that nobody owns
    "leading bytes": ("archive-hidden-bytes", Container(prefix=b"#!/bin/sh\n").bytes()),
    "leading bytes, offsets adjusted": ("archive-hidden-bytes", Container(prefix=b"#!sh\n", shift=5).bytes()),
    "trailing bytes": ("archive-hidden-bytes", Container(suffix=b"x").bytes()),
    "trailing newline": ("archive-hidden-bytes", Container(suffix=b"\n").bytes()),
    "comment": ("archive-hidden-bytes", Container(comment=b"hello").bytes()),
    "comment that is a second end record": (
        "archive-hidden-bytes",
        Container(comment=Container(()).bytes()).bytes(),
    ),
    "two archives in a row": ("archive-hidden-bytes", Container().bytes() * 2),
    "gap between entries": ("archive-hidden-bytes", Container((Member(), Member(b"bag/b", before=b"gap"))).bytes()),
    "gap before the directory": ("archive-hidden-bytes", Container(before_directory=b"gap").bytes()),
    "gap after the directory": ("archive-hidden-bytes", Container(after_directory=b"gap").bytes()),
    "file that the directory does not list": (
        "archive-hidden-bytes",
        Container(before_directory=Container((Member(b"bag/secret"),)).bytes()[:45]).bytes(),
    ),
    "descriptor with other sums": (
        "archive-hidden-bytes",
        one(flags=DESCRIPTOR, descriptor=struct.pack("<3L", 1, 2, 3)),
    ),
    "descriptor missing": ("archive-hidden-bytes", one(flags=DESCRIPTOR)),
    # headers that disagree
    "other name in the local header": ("archive-header-mismatch", one(local_name=b"bag/data/b.txt")),
    "other size in the local header": ("archive-header-mismatch", one(local_size=4)),
    "other sum in the local header": ("archive-header-mismatch", one(local_crc=4)),
    "other method in the local header": ("archive-header-mismatch", one(local_method=DEFLATED)),
    "other flags in the local header": ("archive-header-mismatch", one(local_flags=UTF8)),
    "stored, but of two sizes": ("archive-header-mismatch", one(size=6)),
    "folder with content": ("archive-header-mismatch", one(name=b"bag/", attributes=FOLDER)),
    "offset into the directory": (
        "archive-header-mismatch",
        Container((Member(), Member(b"bag/b", ghost=True, offset=49))).bytes(),
    ),
    "offset to something like a header in the directory's last bytes": (
        "archive-header-mismatch",
        Container(
            (Member(size=116, packed_size=116), Member(b"bag/b", ghost=True, comment=b"PK\3\4", offset=160))
        ).bytes(),
    ),
    "local extra field that runs into the directory": ("archive-extra", patched(28, b"\xff")),
    "content runs into the next entry": (
        "archive-overlap",
        Container((Member(packed_size=30, size=30), Member(b"bag/b"))).bytes(),
    ),
    # ways of packing
    "encrypted": ("archive-encrypted", one(flags=ENCRYPTED)),
    "strongly encrypted": ("archive-encrypted", one(flags=0x41)),
    "masked headers": ("archive-encrypted", one(flags=0x2000)),
    "bzip2": ("archive-unsupported", one(method=12)),
    "deflate64": ("archive-unsupported", one(method=9)),
    "lzma": ("archive-unsupported", one(method=14)),
    "patch data": ("archive-unsupported", one(flags=0x20)),
    "zip64 sizes": ("archive-zip64", one(size=0xFFFFFFFF, packed_size=0xFFFFFFFF)),
    "zip64 extra": ("archive-zip64", one(extra=extra(1, bytes(16)))),
    "zip64 locator in the last entry's comment": (
        "archive-zip64",
        one(comment=struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)),
    ),
    "zip64 count": ("archive-zip64", Container(count=0xFFFF).bytes()),
    "second name in an extra field": ("archive-extra", one(extra=extra(0x7075, b"\1\0\0\0\0bag/data/b.txt"))),
    "second name in a local extra field": ("archive-extra", one(local_extra=extra(0x7075, b"\1\0\0\0\0bag/b"))),
    "link in an extra field": ("archive-extra", one(extra=extra(0x756E, bytes(14)))),
    "extra field that breaks off": ("archive-extra", one(extra=struct.pack("<2H", 0x5455, 9))),
    # content
    "wrong checksum": ("archive-corrupt", one(crc=1)),
    "not deflate": ("archive-corrupt", one(method=DEFLATED, packed=b"\xff\xff\xff")),
    "deflate that breaks off": ("archive-corrupt", one(method=DEFLATED, packed=deflated(b"hello")[:-1])),
    "deflate shorter than said": ("archive-corrupt", one(method=DEFLATED, size=6)),
    "deflate with a tail": ("archive-corrupt", one(method=DEFLATED, packed=deflated(b"hello") + b"tail")),
    # kinds of file
    "symbolic link": ("archive-not-regular", one(attributes=SYMLINK, content=b"/etc/passwd")),
    "pipe": ("archive-not-regular", one(attributes=FIFO)),
    "device": ("archive-not-regular", one(attributes=CHARACTER_DEVICE)),
    "folder without a slash": ("archive-not-regular", one(attributes=FOLDER)),
    "DOS folder without a slash": ("archive-not-regular", one(attributes=0x10)),
    "reparse point": ("archive-not-regular", one(attributes=0x400)),
    "file with a slash": ("archive-not-regular", one(name=b"bag/", content=b"")),
    # names
    "absolute": ("archive-path-escape", named("/bag/a")),
    "parent": ("archive-path-escape", named("bag/../../a")),
    "parent at the end": ("archive-path-escape", named("bag/..")),
    "parent alone": ("archive-path-escape", named("../a")),
    "here": ("archive-path-escape", named("bag/./a")),
    "doubled slash": ("archive-path-escape", named("bag//a")),
    "backslash": ("archive-path-escape", named("bag\\..\\a")),
    "drive": ("archive-path-escape", named("C:/a")),
    "home": ("archive-path-escape", named("~root/a")),
    "stream of NTFS": ("archive-name", named("bag/a.txt:evil")),
    "NUL": ("archive-name", named("bag/a\0.txt")),
    "newline": ("archive-name", named("bag/a\n.txt")),
    "delete": ("archive-name", named("bag/a\x7f")),
    "C1 control": ("archive-name", named("bag/a\x85")),
    "text turned round": ("archive-name", named("bag/\u202etxt.exe")),
    "zero width": ("archive-name", named("bag/a\u200b")),
    "trailing dot": ("archive-name", named("bag/a.")),
    "trailing space": ("archive-name", named("bag /a")),
    "leading space": ("archive-name", named("bag/ a")),
    "empty name": ("archive-name", named("")),
    "slash alone": ("archive-name", one(name=b"/", content=b"", attributes=FOLDER)),
    "not UTF-8": ("archive-name-encoding", Container((Member(b"bag/\xff", flags=UTF8),)).bytes()),
    "overlong UTF-8": ("archive-name-encoding", Container((Member(b"bag/\xc0\xae", flags=UTF8),)).bytes()),
    "surrogate": ("archive-name-encoding", Container((Member(b"bag/\xed\xa0\x80", flags=UTF8),)).bytes()),
    "not marked as UTF-8": ("archive-name-encoding", one(name="bag/é".encode())),
    "decomposed": ("archive-name-encoding", named("bag/e\u0301")),
    "device of Windows": ("archive-name-reserved", named("bag/data/NUL")),
    "device with an ending": ("archive-name-reserved", named("bag/com1.tar.gz")),
    "device as a folder": ("archive-name-reserved", named("bag/aux/a")),
    "long name": ("archive-name-length", named("bag/" + "a" * 240)),
    "long in bytes": ("archive-name-length", named("bag/" + "é" * 120)),
    "deep": ("archive-depth", named("bag/" + "d/" * 15 + "a")),
    "twice": ("archive-duplicate", named("bag/a", "bag/a")),
    "folder twice": (
        "archive-duplicate",
        Container((Member(), *[Member(b"bag/x/", b"", attributes=FOLDER)] * 2)).bytes(),
    ),
    "case alone": ("archive-collision", named("bag/a", "bag/A")),
    "folders by case alone": ("archive-collision", named("bag/d/a", "bag/D/b")),
    "sharp s": ("archive-collision", named("bag/stra\u00dfe", "bag/STRASSE")),
    "file and folder": ("archive-collision", named("bag/a", "bag/a/b")),
    "folder and file": ("archive-collision", named("bag/a/b", "bag/a")),
    "file and folder's own entry": (
        "archive-collision",
        Container((Member(b"bag/a"), Member(b"bag/a/", b"", attributes=FOLDER))).bytes(),
    ),
    "top by case alone": ("archive-collision", named("bag/a", "Bag/b")),
    # one folder
    "two folders": ("archive-top", named("bag/a", "__MACOSX/a")),
    "file beside the folder": ("archive-top", named("bag/a", "b")),
    "no folder": ("archive-top", named("bagit.txt")),
    "empty folder beside": ("archive-top", Container((Member(), Member(b"other/", b"", attributes=FOLDER))).bytes()),
}
