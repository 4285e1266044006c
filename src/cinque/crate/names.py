"""Which names a file of a crate may have (R92 "bad characters, path escape", R96).

One rule for archives, folders and manifests, so that a name that passed here means the same file on every machine: the
list of the EPUB container guidance (R16), and what Windows and macOS would silently change.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from cinque.errors import Refused

NAME_BYTES = 240  # of the whole path in UTF-8; leaves room for a folder to unpack into under the 260 of Windows
DEPTH = 16  # components of the path, the top folder among them

_ESCAPES = re.compile(r"^/|//|\\|^[A-Za-z]:|(?:^|/)\.{1,2}(?:/|$)|^~")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f"*:<>?|]|/$|[ .](?:/|$)|(?:^|/) ')
_RESERVED = re.compile(r"(?:^|/)(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.[^/]*)?(?:/|$)", re.I)


def shown(name: str) -> str:
    """The name as it may stand in a message: ASCII, escaped, at most 80 characters."""
    text = ascii(name)
    return text if len(text) <= 80 else text[:77] + "..."


def decoded(raw: bytes) -> str:
    """The name in these bytes; raises `Refused` when they are not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(
            "archive-name-encoding",
            f"A file name is not valid UTF-8: {raw[:40]!a}.",
            rule="R92",
            remedy="Write file names in UTF-8.",
        ) from None


def check_name(name: str, *, name_bytes: int = NAME_BYTES, depth: int = DEPTH) -> None:
    """Raise `Refused` unless `name` is a relative path with "/" that every file system keeps as it is (R92, R96)."""
    if not name:
        raise Refused("archive-name", "A file has no name.", rule="R92", remedy="Give every file a name.")
    if len(name) > name_bytes or len(name.encode("utf-8", "surrogatepass")) > name_bytes:
        raise Refused(
            "archive-name-length",
            f"The file name {shown(name)} is longer than {name_bytes} bytes.",
            rule="R92",
            remedy="Shorten the name or its folders.",
        )
    if _ESCAPES.search(name):
        raise Refused(
            "archive-path-escape",
            f"The file name {shown(name)} could leave the crate's folder.",
            rule="R96",
            remedy='Use relative paths with "/", without "..", backslashes or drive letters.',
        )
    if name.count("/") >= depth:
        raise Refused(
            "archive-depth",
            f"The file {shown(name)} lies more than {depth} folders deep.",
            rule="R92",
            remedy="Use fewer nested folders.",
        )
    if _FORBIDDEN.search(name) or (not name.isascii() and any(map(_unprintable, name))):
        raise Refused(
            "archive-name",
            f"The file name {shown(name)} has a character that not every file system keeps.",
            rule="R92",
            remedy='Leave out control and invisible characters, " * : < > ? |, empty parts, and parts that begin or '
            "end with a space or end with a dot.",
        )
    if _RESERVED.search(name):
        raise Refused(
            "archive-name-reserved",
            f"The file name {shown(name)} is the name of a device on some machines.",
            rule="R92",
            remedy="Rename the file.",
        )
    if not unicodedata.is_normalized("NFC", name):
        raise Refused(
            "archive-name-encoding",
            f"The file name {shown(name)} is not in Unicode normal form C.",
            rule="R92",
            remedy="Write file names in normal form C (NFC).",
        )


def check_apart(files: Iterable[str], folders: Iterable[str] = ()) -> None:
    """Raise `Refused` when two of these paths are one path on some file system, or one is both a file and a folder.

    `folders` are those an archive names explicitly; the folders that the files lie in are known from their names.
    """
    kinds: dict[str, bool] = {}  # path as written -> is a folder
    for name, folder in [*((name, False) for name in files), *((name, True) for name in dict.fromkeys(folders))]:
        end = name.find("/")
        while end != -1:
            _settle(kinds, name[:end], folder=True)
            end = name.find("/", end + 1)
        if not folder and kinds.get(name) is False:
            raise duplicate(name)
        _settle(kinds, name, folder=folder)
    spellings: dict[str, str] = {}
    for path in kinds:
        if (other := spellings.setdefault(_folded(path), path)) != path:
            raise _collision(other, path)


def _settle(kinds: dict[str, bool], path: str, *, folder: bool) -> None:
    if kinds.setdefault(path, folder) != folder:
        raise _collision(path, path + "/")


def _collision(one: str, other: str) -> Refused:
    return Refused(
        "archive-collision",
        f"{shown(one)} and {shown(other)} are the same path on some machines.",
        rule="R92",
        remedy="Rename one of them; names may not differ by case alone, nor be both a file and a folder.",
    )


def duplicate(name: str) -> Refused:
    """The refusal of a name that stands twice."""
    return Refused(
        "archive-duplicate",
        f"The name {shown(name)} stands twice in the archive.",
        rule="R92",
        remedy="Pack every file once.",
    )


def _folded(path: str) -> str:
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path.casefold())


def _unprintable(character: str) -> bool:
    # Cc, Cf (bidirectional overrides, zero-width), Cs, Co, Cn, and the line and paragraph separators
    category = unicodedata.category(character)
    return category[0] == "C" or category in ("Zl", "Zp")
