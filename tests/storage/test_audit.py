"""The audit chain: what it shows, what it hides, what only a published head shows."""

from __future__ import annotations

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from cinque.storage.audit import START, AuditReport, append, head, verify
from cinque.storage.database import Database
from tests.storage.example import AT, AUDIT, entry, save

SIX = 6


def _fixed(count: int) -> bytes:
    return b"\x07" * count


@pytest.fixture
def heads(db: Database) -> list[str]:
    """The heads of a chain of six entries."""
    return [save(db, f"task-{number}") for number in range(SIX)]


def _report(db: Database, *published: str) -> AuditReport:
    with db.read() as conn:
        return verify(conn, AUDIT, published_heads=published)


def _drop_triggers(conn: Connection) -> None:
    if conn.dialect.name == "sqlite":
        for name in ("audit_no_update", "audit_no_delete", "audit_next_only"):
            conn.exec_driver_sql(f"DROP TRIGGER {name}")
    else:
        conn.exec_driver_sql("DROP TRIGGER audit_no_change ON audit")


def test_an_empty_chain_has_a_head_and_holds(db: Database) -> None:
    with db.read() as conn:
        assert head(conn, AUDIT) == START
    assert _report(db, START) == AuditReport(0, START, None, "All 0 entries of the audit are unchanged and in order.")


def test_the_hash_is_what_the_documentation_says(db: Database) -> None:
    """Recomputed here with the standard library alone, as an auditor without this code would."""
    with db.write() as conn:
        made = append(conn, AUDIT, entry("task-é", "offered -> leased"), random=_fixed)
    commitment = hmac.new(b"\x07" * 32, b"offered -> leased", "sha256").hexdigest()
    covered = {
        "seq": 1,
        "at": "2026-11-23T10:00:00.000Z",
        "subject": "task-é",
        "event": "lease",
        "actor": "gate-a",
        "commitment": commitment,
        "previous": "0" * 64,
    }
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert made == hashlib.sha256(text.encode()).hexdigest()


def test_the_chain_holds_and_every_head_it_ever_had_is_in_it(db: Database, heads: list[str]) -> None:
    report = _report(db, *heads)
    assert (report.entries, report.head, report.broken_at) == (SIX, heads[-1], None)
    with db.read() as conn:
        assert head(conn, AUDIT) == heads[-1]


def test_the_same_words_twice_give_nothing_to_recognise(db: Database) -> None:
    """Salts differ, so equal details have unlike commitments, and a head says nothing about them."""
    save(db, "t1")
    save(db, "t2")
    with db.read() as conn:
        rows = conn.execute(select(AUDIT).order_by(AUDIT.c.seq)).all()
    assert rows[0].detail == rows[1].detail
    assert len(rows[0].salt) == len(rows[1].salt) == 64
    assert rows[0].salt != rows[1].salt
    assert rows[0].commitment != rows[1].commitment


def test_a_transaction_rolled_back_leaves_no_gap(db: Database, heads: list[str]) -> None:
    def fail() -> None:
        with db.write() as conn:
            append(conn, AUDIT, entry("never"), random=_fixed)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    last = save(db, "after")
    assert _report(db, *heads, last).entries == SIX + 1


def test_many_threads_make_one_chain(db: Database) -> None:
    with ThreadPoolExecutor(12) as pool:
        heads = list(pool.map(lambda number: save(db, f"task-{number}"), range(120)))
    report = _report(db, *heads)
    assert (report.entries, report.broken_at) == (120, None)


# --------------------------------------------------------------------------------------------------- tampering

UPDATE = "UPDATE audit SET {} WHERE seq = 3"
TAMPERING = [
    *(
        pytest.param([UPDATE.format(f"{column} = '{value}'")], 3, "", id=f"change-{column}")
        for column, value in {
            "at": "2026-11-23T10:00:00.001Z",
            "subject": "task-9",
            "event": "release",
            "actor": "gate-b",
            "detail": "offered -> expired",
            "salt": "00" * 32,
            "commitment": "00" * 32,
            "previous": "00" * 31 + "01",
            "hash": "00" * 32,
        }.items()
    ),
    pytest.param([UPDATE.format("detail = ''")], 3, "changed detail", id="empty-detail"),
    pytest.param([UPDATE.format("salt = ''")], 3, "not in its form", id="empty-salt"),
    pytest.param([UPDATE.format("salt = salt || '00'")], 3, "not in its form", id="padded-salt"),
    pytest.param(["DELETE FROM audit WHERE seq = 3"], 3, "missing", id="remove-middle"),
    pytest.param(["DELETE FROM audit WHERE seq = 1"], 1, "missing", id="remove-first"),
    pytest.param(
        ["DELETE FROM audit WHERE seq = 3", *(f"UPDATE audit SET seq = {n - 1} WHERE seq = {n}" for n in (4, 5, 6))],
        3,
        "does not follow",
        id="remove-and-renumber",
    ),
    pytest.param(
        [f"UPDATE audit SET seq = {new} WHERE seq = {old}" for old, new in ((3, 99), (4, 3), (99, 4))],
        3,
        "does not follow",
        id="swap",
    ),
    pytest.param(
        [
            "UPDATE audit SET previous = 'x' || previous WHERE seq IN (3, 4, 5)",  # out of the unique index's way
            "UPDATE audit SET seq = 99 WHERE seq = 3",
            "UPDATE audit SET seq = 3, previous = (SELECT hash FROM audit WHERE seq = 2) WHERE seq = 4",
            "UPDATE audit SET seq = 4, previous = (SELECT hash FROM audit WHERE seq = 3) WHERE seq = 99",
        ],
        3,
        "was changed",
        id="swap-and-relink",
    ),
    pytest.param(
        [
            "INSERT INTO audit SELECT 7, at, subject, event, actor, detail, salt, commitment, hash, hash || 'x' "
            "FROM audit WHERE seq = 6"
        ],
        7,
        "was changed",
        id="forge-an-entry-at-the-end",
    ),
]


@pytest.mark.parametrize(("statements", "broken_at", "says"), TAMPERING)
def test_tampering_shows_where(
    db: Database, heads: list[str], statements: list[str], broken_at: int, says: str
) -> None:
    with db.write() as conn:
        _drop_triggers(conn)
        for statement in statements:
            conn.exec_driver_sql(statement)
    report = _report(db)
    assert report.broken_at == broken_at
    assert says in report.sentence
    assert report.entries == broken_at - 1
    assert report.head == (heads[broken_at - 2] if broken_at > 1 else START)


def test_only_a_published_head_shows_that_the_end_was_cut_off(db: Database, heads: list[str]) -> None:
    with db.write() as conn:
        _drop_triggers(conn)
        conn.exec_driver_sql("DELETE FROM audit WHERE seq > 4")
    assert _report(db, *heads[:4]).broken_at is None
    report = _report(db, *heads)
    assert report.broken_at == 5
    assert "2 published head(s)" in report.sentence


def test_only_a_published_head_shows_that_the_chain_was_written_anew(db: Database, heads: list[str]) -> None:
    with db.write() as conn:
        _drop_triggers(conn)
        conn.exec_driver_sql("DELETE FROM audit")
        for number in range(SIX):
            append(conn, AUDIT, entry(f"task-{number}", "something else"), random=_fixed)
    assert _report(db).broken_at is None
    assert _report(db, heads[2]).broken_at == SIX + 1


@pytest.mark.parametrize("value", ["x'ff'", "cast(x'ff' as text)", "17"])
def test_a_row_that_is_not_text_is_reported_not_raised(db: Database, heads: list[str], value: str) -> None:
    with db.write() as conn:
        if conn.dialect.name != "sqlite":
            pytest.skip("PostgreSQL holds its columns to their types")
        _drop_triggers(conn)
        conn.exec_driver_sql(UPDATE.format(f"detail = {value}"))
    assert _report(db).broken_at is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET detail = '' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 6",
        "DELETE FROM audit",
    ],
)
def test_rows_are_never_changed_or_removed(db: Database, heads: list[str], statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), db.write() as conn:
        conn.exec_driver_sql(statement)
    assert _report(db, *heads).entries == SIX


ROW = "'a', 'b', 'c', 'd', 'e', 'f', 'g'"


@pytest.mark.parametrize(
    ("statement", "engine"),
    [
        (f"INSERT OR REPLACE INTO audit VALUES (3, {ROW}, 'p', 'h')", "sqlite"),
        (f"INSERT OR REPLACE INTO audit SELECT 7, {ROW}, previous, 'h' FROM audit WHERE seq = 3", "sqlite"),
        (f"INSERT OR REPLACE INTO audit SELECT 3, {ROW}, hash, 'h' FROM audit WHERE seq = 6", "sqlite"),
        (f"INSERT INTO audit VALUES (9, {ROW}, 'p', 'h')", "sqlite"),
        ("TRUNCATE audit", "postgresql"),
    ],
)
def test_nor_by_the_side_doors(db: Database, heads: list[str], statement: str, engine: str) -> None:
    with db.write() as conn:
        if conn.dialect.name != engine:
            pytest.skip(f"a side door of {engine}")
    with pytest.raises(DBAPIError, match="append-only"), db.write() as conn:
        conn.exec_driver_sql(statement)
    assert _report(db, *heads).entries == SIX


def test_a_chain_cannot_fork_even_without_the_write_lock(db: Database, heads: list[str]) -> None:
    with db.write() as conn:
        _drop_triggers(conn)
    with pytest.raises(IntegrityError), db.write() as conn:
        conn.exec_driver_sql(f"INSERT INTO audit SELECT 7, {ROW}, previous, 'h' FROM audit WHERE seq = 3")


def test_the_time_needs_a_zone(db: Database) -> None:
    with pytest.raises(ValueError, match="zone"), db.write() as conn:
        append(conn, AUDIT, replace(entry("t"), at=AT.replace(tzinfo=None)), random=_fixed)
