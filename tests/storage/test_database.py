"""Opening, migrating, and transactions that are whole or nothing, one writer at a time."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, inspect, select
from sqlalchemy.exc import DBAPIError

from cinque.errors import Refused, Unavailable, Unreadable
from cinque.storage import database
from cinque.storage.audit import verify
from cinque.storage.database import Database, differences, open_database
from tests.storage.example import AUDIT, FAILING, METADATA, NEW, NOTES, OLD, TASKS, save

ROOT = Path(__file__).parents[2]


def _tasks(db: Database) -> int:
    with db.read() as conn:
        return conn.execute(select(func.count()).select_from(TASKS)).scalar_one()


# -------------------------------------------------------------------------------------------------- migrations


def test_an_empty_database_gets_the_tables_of_the_code(db: Database) -> None:
    with db.write() as conn:
        assert differences(conn, METADATA) == []


def test_an_older_database_is_brought_forward_with_its_rows(url: str) -> None:
    old = open_database(url, METADATA, OLD)
    with old.write() as conn:
        conn.exec_driver_sql("INSERT INTO task VALUES ('t1', 'leased')")
        conn.exec_driver_sql("INSERT INTO note VALUES ('n1', 't1')")  # rebuilding `task` must not cascade to it
        assert differences(conn, METADATA) != []
    old.close()
    new = open_database(url, METADATA, NEW)
    with new.read() as conn:
        assert conn.execute(select(TASKS)).all() == [("t1", "leased", 0)]
        assert conn.execute(select(NOTES)).all() == [("n1", "t1")]
    new.close()


def test_a_newer_database_is_refused_and_left_alone(url: str) -> None:
    open_database(url, METADATA, NEW).close()
    with pytest.raises(Refused) as refusal:
        open_database(url, METADATA, OLD)
    assert refusal.value.code == "database-newer"
    assert "example_0002" in refusal.value.sentence
    again = open_database(url, METADATA, NEW)
    assert save(again, "t1")
    again.close()


def test_a_revision_that_fails_leaves_the_old_version_whole(url: str) -> None:
    open_database(url, METADATA, OLD).close()
    with pytest.raises(DBAPIError):
        open_database(url, METADATA, FAILING)
    db = open_database(url, METADATA, OLD)  # still at the first revision: else this would be refused
    with db.read() as conn:
        assert not inspect(conn).has_table("extra")
    db.close()


def test_a_revision_that_leaves_rows_pointing_nowhere_is_undone(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/service.sqlite", METADATA, NEW)
    with pytest.raises(Refused, match="point nowhere"), db.migrating() as conn:
        conn.execute(NOTES.insert(), {"id": "n1", "task": "nobody"})
    with db.read() as conn:
        assert conn.execute(select(NOTES)).all() == []
    db.close()


def test_eight_openings_at_once_migrate_once(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_database(url, METADATA, NEW), range(8)))
    with opened[0].read() as conn:
        assert conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == ["example_0002"]
    for one in opened:
        one.close()


def test_services_in_one_process_may_migrate_their_own_databases_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        urls = [f"sqlite:///{tmp_path}/{number}.sqlite" for number in range(8)]
        opened = list(pool.map(lambda url: open_database(url, METADATA, NEW), urls))
    for one in opened:
        with one.write() as conn:
            assert differences(conn, METADATA) == []
        one.close()


def test_two_processes_may_start_on_an_empty_database_at_once(url: str) -> None:
    both = [_start(url, name, "20") for name in ("a", "b")]
    heads = [line for process in both for line in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in both] == [0, 0]
    db = open_database(url, METADATA, NEW)
    assert _tasks(db) == 40
    with db.read() as conn:
        assert verify(conn, AUDIT, published_heads=heads).broken_at is None
    db.close()


def test_a_database_at_the_newest_revision_opens_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/service.sqlite"
    open_database(url, METADATA, NEW).close()
    code = f"""
import sys
from cinque.storage.database import open_database
from tests.storage.example import METADATA, NEW
open_database({url!r}, METADATA, NEW)
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


def test_revisions_that_fork_are_a_mistake_of_ours(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(f'revision = "{name}"\ndown_revision: str | None = None\n')
    with pytest.raises(ValueError, match="2 newest"):
        database._revisions(tmp_path)


# ------------------------------------------------------------------------------------------------ transactions


def test_what_fails_leaves_nothing(db: Database) -> None:
    def fail() -> None:
        with db.write() as conn:
            conn.execute(TASKS.insert(), {"id": "t1", "state": "leased"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _tasks(db) == 0
    save(db, "t2")
    assert _tasks(db) == 1


def test_a_read_cannot_write(db: Database) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)read.?only"), db.read() as conn:
        conn.execute(TASKS.insert(), {"id": "t1", "state": "leased"})
    assert _tasks(db) == 0


def test_foreign_keys_hold(db: Database) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"), db.write() as conn:
        conn.execute(NOTES.insert(), {"id": "n1", "task": "nobody"})


def test_a_read_stands_on_one_snapshot_and_does_not_wait_for_the_writer(db: Database) -> None:
    save(db, "t1")
    with db.read() as conn:
        count = select(func.count()).select_from(TASKS)
        assert conn.execute(count).scalar() == 1
        save(db, "t2")  # would wait for ten seconds if readers held writers up
        assert conn.execute(count).scalar() == 1
    assert _tasks(db) == 2


def test_what_a_writer_has_read_stays_true_until_it_commits(db: Database) -> None:
    """Read, think, write from many threads loses no update: the write transactions come one after another."""
    save(db, "t1")

    def add_one(_: int) -> None:
        with db.write() as conn:
            count = conn.execute(select(TASKS.c.round)).scalar_one()
            conn.execute(TASKS.update().values(round=count + 1))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(add_one, range(120)))
    with db.read() as conn:
        assert conn.execute(select(TASKS.c.round)).scalar_one() == 120


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same-process", "another-process"])
def test_who_waits_too_long_is_told_to_try_again(url: str, elsewhere: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT", 1)
    db = open_database(url, METADATA, NEW)
    other = open_database(url, METADATA, NEW) if elsewhere else db  # a pool of its own, as in another process
    begun, done = threading.Event(), threading.Event()

    def hold() -> None:
        with other.write():
            begun.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert begun.wait(20)
        with pytest.raises(Unavailable) as refusal, db.write():
            pass
        assert refusal.value.code == "database-busy"
    finally:
        done.set()
        holder.join()
    save(db, "t1")
    db.close()
    other.close()


# --------------------------------------------------------------------------------------------------- hardness


def test_sqlite_is_durable_private_and_waits(tmp_path: Path) -> None:
    path = tmp_path / "new" / "service.sqlite"
    db = open_database(f"sqlite:///{path}", METADATA, NEW)
    save(db, "t1")
    for transaction in (db.write, db.read):
        with transaction() as conn:
            settings = {
                name: conn.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
            }
        assert settings == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000, "foreign_keys": 1}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert (path.parent / "service.sqlite-wal").exists()
    db.close()


@pytest.mark.parametrize(
    "url",
    ["", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/d", "postgresql://u:secret@h/d", "not an address"],
)
def test_other_addresses_are_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        Database(url)
    assert refusal.value.code == "database-address"
    assert "secret" not in str(refusal.value)


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "service.sqlite").write_bytes(b"id,state\n" * 100)
    with pytest.raises(Unavailable) as refusal:
        open_database(f"sqlite:///{tmp_path}/service.sqlite", METADATA, NEW)
    assert refusal.value.code == "database-unreachable"
    assert str(tmp_path) not in str(refusal.value)


def test_a_process_killed_at_any_moment_leaves_whole_transactions_only(url: str) -> None:
    heads: list[str] = []
    for turn in range(6):
        process = _start(url, f"turn{turn}")
        assert process.stdout is not None
        heads += [process.stdout.readline().strip() for _ in range(5 + 7 * turn)]
        process.kill()  # SIGKILL, somewhere in a transaction
        heads += process.communicate(timeout=60)[0].split("\n")[:-1]
        db = open_database(url, METADATA, NEW)
        with db.write() as conn:  # on PostgreSQL: once the server has seen the process go
            report = verify(conn, AUDIT, published_heads=heads)  # every head printed was committed before
            tasks = conn.execute(select(TASKS.c.id)).scalars().all()
            audited = conn.execute(select(AUDIT.c.subject)).scalars().all()
        db.close()
        assert report.broken_at is None, report.sentence
        assert report.entries >= len(heads)
        assert sorted(tasks) == sorted(audited)


def _start(*arguments: str) -> subprocess.Popen[str]:
    program = Path(__file__).with_name("writer.py")
    return subprocess.Popen([sys.executable, str(program), *arguments], stdout=subprocess.PIPE, text=True)
