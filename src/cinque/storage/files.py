"""Files named by what is in them: crates and outputs, under the SHA-512 of their bytes."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

from cinque.errors import NotFound, Refused, Unavailable
from cinque.lib.digest import sha512_hex

_DIGEST = re.compile(r"[0-9a-f]{128}")


class Files:
    """A folder of files by digest, for its owner alone (folders 0700, files 0600).

    A file is `ab/cd/abcd…`, so that no folder grows too large. It appears whole or not at all, and is on the disk when
    `put` returns. A file being written lies in `incoming/`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.chmod(0o700)
        self._incoming.mkdir(mode=0o700, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Store `data`; its digest, 128 hexadecimal digits. Storing it again changes nothing, or mends a damaged copy.

        Raises Unavailable when the disk does not take it; then nothing is kept.
        """
        digest = sha512_hex(data)
        path = self.path(digest)
        try:
            self._make_folder(path.parent)
            if not _holds(path, data):
                self._write(path, data)
            _sync(path.parent)  # also for a file just put by another thread, whose name may not be on the disk yet
        except OSError as error:
            reason = os.strerror(error.errno or 0)  # the error's own text would hold the path
            raise Unavailable("file-not-stored", f"A file could not be stored: {reason}.") from error
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes, verified. Raises NotFound when there is no such file, Refused when its bytes have changed."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise NotFound(
                "no-such-file", f"There is no stored file {digest[:12]}….", remedy="It may have been deleted."
            ) from None
        if sha512_hex(data) != digest:
            raise Refused(
                "file-damaged",
                f"The stored file {digest[:12]}… no longer has the digest it was stored under, so it is not used.",
                remedy="Restore it from a copy; storing the same bytes again mends it.",
            )
        return data

    def has(self, digest: str) -> bool:
        """Whether such a file is there (its bytes are verified by `get`)."""
        return self.path(digest).is_file()

    def path(self, digest: str) -> Path:
        """Where the file is or would be. Raises Refused for anything but a digest, such as a way out of the folder."""
        if not _DIGEST.fullmatch(digest):
            raise Refused("not-a-digest", "A name of a stored file is not a SHA-512 digest in lower-case hexadecimal.")
        return self._root / digest[:2] / digest[2:4] / digest

    def delete(self, digest: str) -> None:
        """Remove the file; gone for good when this returns. Nothing happens when it is not there."""
        path = self.path(digest)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            _sync(path.parent)

    def clear_incoming(self) -> int:
        """At a service's start, before it stores anything: remove what a crash left half written; how many."""
        left = list(self._incoming.iterdir())
        for path in left:
            path.unlink()
        return len(left)

    def _make_folder(self, folder: Path) -> None:
        for level in (folder.parent, folder):
            if not level.is_dir():
                level.mkdir(mode=0o700, exist_ok=True)
                _sync(level.parent)

    def _write(self, path: Path, data: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self._incoming)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
