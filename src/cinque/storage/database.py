"""Opening, migrating and using a service's database: SQLite by default, PostgreSQL for who outgrows it.

One rule on both engines: **one write transaction at a time**. SQLite has it from `BEGIN IMMEDIATE`; on PostgreSQL the
transaction (READ COMMITTED) first takes one advisory lock. What a verb reads inside `db.write()` is therefore still
true when it commits: nothing has to be retried, and compare-and-set means the same on both. Reads run beside the writer
on a snapshot of their own (WAL; REPEATABLE READ) and cannot write. A commit is on the disk when `write` returns
(`synchronous=FULL`: an answer already given must survive a power cut). A service has its database to itself.

How a service uses it
---------------------
`store.py` holds the tables, on one `MetaData`, as the code sees them today::

    METADATA = MetaData()
    TASKS = Table("task", METADATA, Column("id", Text, primary_key=True), Column("state", Text, nullable=False))
    AUDIT = audit_table(METADATA)
    USED = used_table(METADATA)

`migrations/` is a package with an empty `__init__.py` and one plain Alembic revision file a change. Revision ids carry
the service's name, so that a hub's database is not taken for a gate's. `migrations/r0001_first.py`::

    import sqlalchemy as sa
    from alembic import op
    from cinque.storage.audit import create_audit
    from cinque.storage.nonces import create_used

    revision = "hub_0001"
    down_revision = None

    def upgrade() -> None:
        op.create_table("task", sa.Column("id", sa.Text, primary_key=True), sa.Column("state", sa.Text, nullable=False))
        create_audit(op.get_bind())  # the table and the triggers that refuse UPDATE and DELETE
        create_used(op.get_bind())

A revision is frozen once released: it spells out its columns and imports nothing of the store. There is no way down:
going back means restoring the copy made before. `main.py` opens it, `service.py` uses it::

    db = open_database("sqlite:////var/lib/cinque/hub.sqlite", METADATA, "cinque.hub.migrations")
    with db.write() as conn: ...   # one verb, one transaction: the state and its audit row together
    with db.read() as conn: ...

`differences(conn, METADATA)` in a service's test says where its revisions and its tables disagree.
"""

from __future__ import annotations

import importlib.util
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, NullPool, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cinque.errors import Refused, Unavailable, Unreadable

WAIT = 10  # seconds a transaction waits for its turn before the caller is told to try again
WRITE_LOCK = 0x63696E717565  # the advisory lock's number: "cinque" in ASCII
READERS = 8  # connections kept open for reading; as many again as a service has threads may be opened beyond them
THREADS = 64
VERSION_TABLE = "alembic_version"

_alembic = threading.Lock()  # Alembic's `op` is one global a process; several services may start in one process
_REVISION = re.compile(r"""^(revision|down_revision)(?:\s*:[^=\n]+)?\s*=\s*(?:["']([^"'\n]+)["']|None)""", re.M)


class Database:
    """A service's database. Raises Unreadable for an address that is neither a SQLite file nor PostgreSQL."""

    def __init__(self, url: str) -> None:
        address = _address(url)
        self._address = address
        if address.get_backend_name() == "sqlite":
            _make_private_file(Path(str(address.database)))
            # One connection writes: threads queue for it in order instead of polling SQLite's lock.
            self._writer = _sqlite(address, pool_size=1, max_overflow=0, pool_timeout=WAIT)
            self._reader = _sqlite(address, query_only=True, pool_size=READERS, max_overflow=THREADS, pool_timeout=WAIT)
            self._begin_write: tuple[str, ...] = ("PRAGMA synchronous=FULL", "BEGIN IMMEDIATE")
            self._begin_light: tuple[str, ...] = ("PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE")
            self._begin_read: tuple[str, ...] = ("BEGIN",)
        else:
            self._writer = create_engine(
                address,
                isolation_level="READ COMMITTED",
                pool_size=READERS,
                max_overflow=THREADS,
                pool_timeout=WAIT,
                pool_pre_ping=True,  # a restarted server costs one retry inside the pool, not a failed verb
                connect_args={"options": f"-c lock_timeout={WAIT}s", "connect_timeout": WAIT},
            )
            self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._begin_write = (f"SELECT pg_advisory_xact_lock({WRITE_LOCK})",)
            self._begin_light = ("SET LOCAL synchronous_commit TO OFF", *self._begin_write)
            self._begin_read = ()

    def write(self, *, durable: bool = True) -> AbstractContextManager[Connection]:
        """A connection in the one write transaction: committed at the end, rolled back on any exception.

        `durable=False` is for what may be forgotten by a power cut (never by a kill) because it would only be done
        again: used call tokens, leases, marks that a message was sent. The next durable commit takes it along.

        Raises Unavailable(`database-busy`) when its turn does not come within WAIT seconds. Not to be nested.
        """
        begin = self._begin_write if durable else self._begin_light
        return _transaction(self._writer, *begin)

    def read(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction on one snapshot, which refuses to write."""
        return _transaction(self._reader, *self._begin_read)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A write transaction for changing tables: SQLite's foreign keys are checked once at its end, because
        rebuilding a table under them would delete the rows that point to it (and they cannot be switched within one).
        """
        if self._address.get_backend_name() != "sqlite":
            with self.write() as conn:
                yield conn
            return
        engine = _sqlite(self._address, foreign_keys=False, poolclass=NullPool)
        with _transaction(engine, *self._begin_write) as conn:
            yield conn
            if conn.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise Refused("database-inconsistent", "A migration would leave rows that point nowhere; undone.")

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()
        self._writer.dispose()


def open_database(url: str, metadata: MetaData, migrations: str) -> Database:
    """The database at `url`, brought to the newest revision in the package `migrations` (a dotted name).

    All pending revisions run in one transaction, so a crash leaves the old version whole, and a second process that
    starts at the same time waits and finds the work done. A database already at the newest revision never imports
    Alembic. Raises Refused(`database-newer`) for a revision this code does not know, Unavailable(
    `database-unreachable`) when it cannot be opened, and ValueError when the revisions do not form one line.
    """
    folder = _folder(migrations)
    known, newest = _revisions(folder)
    db = Database(url)
    try:
        try:
            with db.read() as conn:
                current = _current(conn)
        except DBAPIError as error:
            raise Unavailable(
                "database-unreachable",
                "The database could not be opened.",
                remedy="Check that its address names a database of this service and that the server runs.",
            ) from error
        if current != newest:
            with _alembic, db.migrating() as conn:
                _upgrade(conn, metadata, folder, known)
    except BaseException:
        db.close()
        raise
    return db


def differences(conn: Connection, metadata: MetaData) -> list[str]:
    """Where the tables in the database and those in the code disagree; empty when the revisions are complete."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    return [str(change) for change in compare_metadata(MigrationContext.configure(conn), metadata)]


# ------------------------------------------------------------------------------------------------- connections


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        address = None
    if address is not None:
        if address.drivername == "postgresql+psycopg":
            return address
        if address.drivername in ("sqlite", "sqlite+pysqlite") and address.database not in (None, "", ":memory:"):
            return address
    raise Unreadable(  # the address is not repeated: it may hold a password
        "database-address",
        "A database address is neither a SQLite file nor PostgreSQL.",
        remedy="Write `sqlite:////folder/file.sqlite` or `postgresql+psycopg://user@host/name`.",
    )


def _make_private_file(path: Path) -> None:
    # SQLite gives its -wal and -shm files the mode of the database file.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)


def _sqlite(address: URL, *, foreign_keys: bool = True, query_only: bool = False, **pool: Any) -> Engine:
    engine = create_engine(
        address,
        # isolation_level None: the driver begins nothing of its own; `_transaction` says BEGIN.
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": WAIT, "cached_statements": 256},
        **pool,
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _record: object) -> None:
        _enter_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA foreign_keys={int(foreign_keys)}")
        connection.execute(f"PRAGMA query_only={int(query_only)}")

    return engine


def _enter_wal(connection: sqlite3.Connection) -> None:
    # The change to WAL, once in a file's life, does not wait its turn as everything else does: two processes that open
    # a new file at once would see "database is locked".
    deadline = time.monotonic() + WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def _transaction(engine: Engine, *begin: str) -> Iterator[Connection]:
    try:
        conn = engine.connect()
    except PoolTimeout as error:
        raise _busy() from error
    with conn, conn.begin():
        for statement in begin:
            try:
                conn.exec_driver_sql(statement)
            except DBAPIError as error:
                if _is_busy(error):
                    raise _busy() from error
                raise
        yield conn


def _is_busy(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return bool(code & 0xFF == sqlite3.SQLITE_BUSY)
    return getattr(error.orig, "sqlstate", None) == "55P03"  # lock_not_available


def _busy() -> Unavailable:
    return Unavailable("database-busy", f"The database was busy for {WAIT} seconds.", remedy="Try again.")


# -------------------------------------------------------------------------------------------------- migrations


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"{package} is not a package of migrations")
    return Path(next(iter(spec.submodule_search_locations)))


def _revisions(folder: Path) -> tuple[frozenset[str], str]:
    """All revision ids in the folder, and the newest, read from the text: importing them would import Alembic."""
    known, followed = set(), set()
    for path in folder.glob("*.py"):
        found = dict(_REVISION.findall(path.read_text(encoding="utf-8")))
        if "revision" in found:
            known.add(found["revision"])
            followed.add(found.get("down_revision", ""))
    heads = known - followed
    if len(heads) != 1:
        raise ValueError(f"the migrations have {len(heads)} newest revisions, not one")
    return frozenset(known), heads.pop()


def _current(conn: Connection) -> str:
    """The database's revision; empty for an empty database."""
    if not inspect(conn).has_table(VERSION_TABLE):
        return ""
    rows = conn.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalars().all()  # noqa: S608 (a constant)
    return ",".join(sorted(rows))


def _check_known(current: str, known: frozenset[str]) -> None:
    if current and current not in known:
        raise Refused(
            "database-newer",
            f"The database is at version {current}, which this version of Cinque does not know: a newer version has "
            "used it, or it belongs to another service. Nothing was changed.",
            remedy="Run the newer version, or restore the copy made before it was installed.",
        )


def _upgrade(conn: Connection, metadata: MetaData, folder: Path, known: frozenset[str]) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    current = _current(conn)  # again, under the lock: another process may have been first
    _check_known(current, known)
    scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])
    context = MigrationContext.configure(conn, opts={"target_metadata": metadata})
    with Operations.context(context):
        for script in reversed(list(scripts.iterate_revisions("head", current or "base"))):
            script.module.upgrade()
            context.stamp(scripts, script.revision)
