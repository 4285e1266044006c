"""The index over the crates on disk, and all its SQL. It can be deleted at any time; the crates are the record.

It is one SQLite file through the standard library, not through `storage.database`: a researcher's home has one too, and
the light client carries no SQLAlchemy. There is nothing to migrate: a file that is damaged, or was written by another
version of Cinque, is built again from the crates.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Final

from cinque.catalogue.entry import Entry, read_entry, trust_of, unreadable
from cinque.crate.archive import DEFAULT
from cinque.crate.cards import Members
from cinque.errors import CinqueError, Unavailable, Unreadable
from cinque.lib.digest import sha512_hex
from cinque.lib.version import VERSION

Progress = Callable[[int, int], None]  # how many of how many files were looked at

_COLUMNS: Final = tuple(field.name for field in fields(Entry))
_WHERE: Final = ", ".join(_COLUMNS)  # the names of our own fields, the only text that is ever put into SQL
_MARKS: Final = ", ".join("?" for _ in _COLUMNS)
_SCHEMA: Final = f"""
CREATE TABLE made (version TEXT NOT NULL) STRICT;
CREATE TABLE crate (id INTEGER PRIMARY KEY, {", ".join(f"{name} TEXT NOT NULL" for name in _COLUMNS)},
  UNIQUE (folder, path)) STRICT;
CREATE INDEX crate_digest ON crate (digest);
CREATE VIRTUAL TABLE words USING fts5 (title, parameters, names, tokenize = 'unicode61 remove_diacritics 2');
"""
_MADE_BY: Final = f"{VERSION} {_WHERE}"  # a new column makes a new index, also between two releases
_WAIT: Final = 60.0  # seconds for another process that is indexing
# What no rebuilding mends; everything else that SQLite says means that the file is damaged.
_NOT_DAMAGE: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}
    | {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM}
)


@dataclass(frozen=True, slots=True)
class Folder:
    """Where crates lie. `name`: what the index calls it, wherever it is moved to; `patterns`: globs within `root`;
    `members`: the pinned cards of whose folder it is, None where there are none.
    """

    name: str
    root: Path
    patterns: tuple[str, ...]
    members: Members | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What a refresh did, in numbers of files: `read` afresh, `kept` as indexed, `removed` because they are gone."""

    read: int = 0
    kept: int = 0
    removed: int = 0


# -------------------------------------------------------------------------------------------------------- making it
def rebuild(folders: Sequence[Folder], database: Path, progress: Progress | None = None) -> Tally:
    """Make the index anew from every crate in the folders; the old file stays in use until the new one is whole.

    Raises Unavailable when the disk does not take it.
    """
    with _disk(database):
        handle, name = tempfile.mkstemp(dir=database.parent, prefix=f".{database.name}-")  # mode 0600
        os.close(handle)
        new = Path(name)
        try:
            with closing(_connect(new)) as connection:
                connection.executescript(_SCHEMA)
                connection.execute("INSERT INTO made VALUES (?)", (_MADE_BY,))
                tally = _refresh(connection, folders, progress)
            # A journal that a crash left beside the old file would be played back into the new one.
            database.with_name(database.name + "-journal").unlink(missing_ok=True)
            new.replace(database)
        finally:
            new.unlink(missing_ok=True)
    return tally


def refresh(folders: Sequence[Folder], database: Path, progress: Progress | None = None) -> Tally:
    """Bring the index up to date: files that are new or look changed are read, lines of vanished ones removed.

    A crate is read again also when other cards are pinned than its verdict rests on. A file that is missing, damaged or
    of another version is made anew. Raises Unavailable when the disk does not take it.
    """
    with _disk(database):
        if not database.exists():
            return rebuild(folders, database, progress)
        try:
            with closing(_connect(database)) as connection:
                if not _ours(connection):
                    return rebuild(folders, database, progress)
                return _refresh(connection, folders, progress)
        except sqlite3.Error as error:
            if _code(error) in _NOT_DAMAGE:
                raise
        return rebuild(folders, database, progress)


def _refresh(connection: sqlite3.Connection, folders: Sequence[Folder], progress: Progress | None) -> Tally:
    connection.execute("BEGIN IMMEDIATE")
    known = {
        (folder, path): (id, stamp, trust)
        for id, folder, path, stamp, trust in connection.execute("SELECT id, folder, path, stamp, trust FROM crate")
    }
    found = {
        (folder.name, _name(path, folder)): (folder, path, trust)
        for folder, trust in [(folder, trust_of(folder.members)) for folder in folders]
        for path in sorted({path for pattern in folder.patterns for path in folder.root.glob(pattern)})
    }
    read = kept = 0
    gone = set(known) - set(found)
    for number, (key, (folder, path, trust)) in enumerate(found.items(), 1):
        if progress is not None:
            progress(number, len(found))
        try:
            stamp = _stamp(path.lstat())
        except FileNotFoundError:  # gone since the folder was listed
            gone |= {key} & set(known)
            continue
        if key in known and known[key][1:] == (stamp, trust):
            kept += 1
            continue
        entry = _entry(connection, path, folder.members, trust)
        if key in known:
            _remove(connection, known[key][0])
        _insert(connection, replace(entry, folder=key[0], path=key[1], stamp=entry.stamp or stamp))
        read += 1
    for key in gone:
        _remove(connection, known[key][0])
    connection.execute("COMMIT")
    return Tally(read, kept, len(gone))


def _entry(connection: sqlite3.Connection, path: Path, members: Members | None, trust: str) -> Entry:
    """The line of a file, from the index itself where the same bytes were judged by the same cards before."""
    try:
        data, stamp = _read(path)
    except CinqueError as error:
        return unreadable(error, members)
    row = connection.execute(
        f"SELECT {_WHERE} FROM crate WHERE digest = ? AND trust = ? LIMIT 1",  # noqa: S608
        (sha512_hex(data), trust),
    ).fetchone()
    return replace(Entry(**dict(zip(_COLUMNS, row, strict=True))) if row else read_entry(data, members), stamp=stamp)


def _insert(connection: sqlite3.Connection, entry: Entry) -> None:
    id = connection.execute(
        f"INSERT INTO crate ({_WHERE}) VALUES ({_MARKS})",  # noqa: S608
        astuple(entry),
    ).lastrowid
    connection.execute(
        "INSERT INTO words (rowid, title, parameters, names) VALUES (?, ?, ?, ?)",
        (id, entry.title, entry.parameters, entry.names),
    )


def _remove(connection: sqlite3.Connection, id: int) -> None:
    connection.execute("DELETE FROM crate WHERE id = ?", (id,))
    connection.execute("DELETE FROM words WHERE rowid = ?", (id,))


# ------------------------------------------------------------------------------------------------------- reading it
class Index:
    """An index that was made or refreshed, opened for reading. A context manager."""

    def __init__(self, database: Path) -> None:
        self._database = database
        with _disk(database):
            self._connection = _connect(database)

    def entries(self, text: str | None = None) -> list[Entry]:
        """Every line, or those with all words of `text` in title, parameters or names (a word may be the beginning of
        a longer one), in the order of folder and path. Raises Unreadable when `text` holds no word.
        """
        found = f"SELECT {_WHERE} FROM crate"  # noqa: S608
        words: tuple[str, ...] = ()
        if text is not None:
            found += " WHERE id IN (SELECT rowid FROM words WHERE words MATCH ?)"
            words = (_phrases(text),)
        with _disk(self._database):
            rows = self._connection.execute(found + " ORDER BY folder, path", words).fetchall()
        return [Entry(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _phrases(text: str) -> str:
    """The words as quoted phrases of FTS5: nothing in them is an operator."""
    words = [word for word in text.replace("\0", " ").split() if any(character.isalnum() for character in word)]
    if not words:
        raise Unreadable("text-empty", "The text to look for holds no word.", remedy="Give a word of the question.")
    return " ".join('"' + word.replace('"', '""') + '"*' for word in words)


# ------------------------------------------------------------------------------------------------------------ files
def _connect(database: Path) -> sqlite3.Connection:
    # Never made here: `rebuild` makes the file, for its owner alone, like the crates.
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT, isolation_level=None)


def _ours(connection: sqlite3.Connection) -> bool:
    made = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'made'").fetchone()[0]
    return bool(made) and connection.execute("SELECT version FROM made").fetchall() == [(_MADE_BY,)]


@contextmanager
def _disk(database: Path) -> Iterator[None]:
    """What disk and SQLite say, in words."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unavailable(
            "catalogue-unavailable",
            f"The index {database} cannot be used: {reason}.",
            remedy="See that its folder can be written to. The file may be deleted: it holds nothing of its own.",
        ) from error


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _name(path: Path, folder: Folder) -> str:
    return path.relative_to(folder.root).as_posix().encode("utf-8", "backslashreplace").decode()


def _stamp(found: os.stat_result) -> str:
    """Everything that the file system changes when it replaces or writes a file; the digest has the last word."""
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}-{found.st_ctime_ns}"


def _read(path: Path) -> tuple[bytes, str]:
    """The bytes and the stamp of the very file they came from. Follows no link, waits for no pipe."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise Unreadable("not-a-file", "This is not a regular file.")
            if found.st_size > DEFAULT.container:
                raise Unreadable("archive-too-large", f"The file is larger than {DEFAULT.container} bytes.")
            return file.read(found.st_size), _stamp(found)
    except OSError as error:
        raise Unreadable("file-unreadable", f"The file cannot be read: {os.strerror(error.errno or 0)}.") from None
