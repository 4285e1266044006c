"""Files of a profile put on disk: never over what is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cinque.crate import archive
from cinque.errors import Refused, Unreadable


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Write the files as a ZIP if `out` ends in .zip, else as a new folder. Raises Refused where something of that name
    exists, Unreadable where the disk says no.
    """
    if out.suffix == ".zip":
        write_file(archive.pack(files, out.stem), out)
        return
    _must_be_new(out)
    try:
        archive.write_folder(archive.Archive(out.name, dict(files), canonical=False), out)
    except OSError as error:
        raise _unwritable(out, error) from error


def write_file(data: bytes, out: Path) -> None:
    """Write one new file. Raises like `write`."""
    _must_be_new(out)
    try:
        with out.open("xb") as stream:
            stream.write(data)
    except OSError as error:
        raise _unwritable(out, error) from error


def _must_be_new(out: Path) -> None:
    if os.path.lexists(out):
        raise Refused("output-exists", f"{out} is there already.", remedy="Name something new.")


def _unwritable(out: Path, error: OSError) -> Unreadable:
    return Unreadable("output-unwritable", f"{out} cannot be written: {error.strerror}.")
