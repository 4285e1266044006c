"""What holds a crate on disk, opened for checking: a ZIP, a folder, or the metadata file alone.

Reading is tolerant where the field is: a ZIP of a bag's files without the bag's folder, or with what an operating
system put beside it, is read, and what is wrong is said. It is as strict as `cinque.crate.archive` in all that could
hide or hurt: nothing is unpacked from an archive whose layout, names or sizes are not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cinque.crate import archive, zipped
from cinque.crate.bag import DECLARATION, PAYLOAD, Problem
from cinque.crate.names import check_apart
from cinque.errors import Refused, Unreadable

METADATA: Final = "ro-crate-metadata.json"
_PACK = "Pack the bag's folder itself, and nothing beside it."


@dataclass(frozen=True, slots=True)
class Container:
    """A crate on disk. `metadata`: the document, None where the ZIP is not taken as it is packed; `files`: all files of
    the bag (`data/…` the payload) or of a crate's folder that is no bag, None for a metadata file alone; `problems`:
    what is wrong with the ZIP, None where it is none; `data`: the file's bytes, b"" for a folder; `top`: the name of
    the folder that the files lie in, "" where there is none.
    """

    metadata: bytes | None
    files: dict[str, bytes] | None
    problems: tuple[Problem, ...] | None
    data: bytes
    top: str = ""

    @property
    def bagged(self) -> bool:
        """Whether the files are those of a bag."""
        return self.files is not None and METADATA not in self.files


def opened(path: Path) -> Container:
    """What lies at this path. Raises Refused for a hostile or damaged archive, Unreadable for what is no crate."""
    try:
        if path.is_dir():
            found = archive.read_folder(path)
            return Container(_metadata(found.files, path), found.files, None, b"", found.top)
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable("file-unreadable", f"{path} cannot be read: {error.strerror}.") from error
    if data[:2] != b"PK":
        return Container(data, None, None, data)
    try:
        found = archive.unpack(data)
    except Refused as refusal:
        if refusal.code == "archive-top":
            files, top = _loose(data)
            return Container(_metadata(files, path), files, _problems(files, refusal), data, top)
        if refusal.rule == "R16":
            return Container(None, None, (_problem(refusal),), data)
        raise
    problems = _problems(found.files)
    if not found.canonical:
        sentence = "The ZIP is not packed in the one form that is the same on every machine."
        remedy = "Nothing, or pack it with Cinque; what is in it is the same."
        problems = (*problems, Problem("archive-repacked", "R16", "", sentence, remedy, "note"))
    return Container(_metadata(found.files, path), found.files, problems, data, found.top)


def _problems(files: dict[str, bytes], *refusals: Refused) -> tuple[Problem, ...]:
    found = [_problem(refusal) for refusal in refusals]
    if DECLARATION not in files:
        sentence = f"The ZIP holds no bag: there is no {DECLARATION} in its folder."
        found.append(Problem("archive-no-bag", "R15", "", sentence, _PACK))
    return tuple(found)


def _problem(refusal: Refused) -> Problem:
    return Problem(refusal.code, refusal.rule, "", refusal.sentence, refusal.remedy)


def _loose(data: bytes) -> tuple[dict[str, bytes], str]:
    """The files of a ZIP without one top folder: those of its one bag, else all of them as they lie."""
    found = zipped.entries(data, zipped.DEFAULT)
    names = [entry.name for entry in found if not entry.folder]
    check_apart(names)
    bags = {name.partition("/")[0] for name in names if name.count("/") == 1 and name.endswith("/" + DECLARATION)}
    top = bags.pop() if DECLARATION not in names and len(bags) == 1 else ""
    under = f"{top}/" if top else ""
    inside = (entry for entry in found if not entry.folder and entry.name.startswith(under))
    return {entry.name.removeprefix(under): zipped.content(data, entry) for entry in inside}, top


def _metadata(files: dict[str, bytes], path: Path) -> bytes:
    for name in (METADATA, PAYLOAD + METADATA):
        if name in files:
            return files[name]
    raise Unreadable(
        "no-crate",
        f"{path} holds no {METADATA}.",
        remedy="Give a bag (ZIP or folder), a crate's folder, or its metadata file.",
    )
