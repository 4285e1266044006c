"""The hash-chained audit: what happened, in order, so that a later change of the record shows.

Each row's hash covers its number, time, subject, event, actor, a *commitment* to its detail and the hash before it. The
commitment is HMAC-SHA-256 of the detail under a fresh salt of 256 bits that stays in the table. A head (the last hash)
may therefore be published: without the salts, nobody can try guesses against it, not even for the short words in an
event. Whoever kept a head can later tell that everything up to it is still there, in order and unchanged.

A chain alone cannot show that its end was cut off, or that all of it was written anew; a head kept elsewhere can. Every
release and receipt carries one. The triggers refuse UPDATE and DELETE: they stop accidents and leave evidence, but
whoever owns the database can drop them, and then the chain is what tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    UniqueConstraint,
    select,
)
from sqlalchemy.exc import DBAPIError

from cinque.lib.canonical import canonical
from cinque.lib.clock import rfc3339
from cinque.lib.digest import keyed_hex
from cinque.lib.ids import Random
from cinque.model.lifecycle import AuditEntry

START = "0" * 64
"""The head of an empty chain."""

NAME = "audit"
SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What `verify` found. `entries` and `head`: of the part that holds. `broken_at`: the number of the first entry
    that is changed, missing or out of place; one past the end when only a published head is not in the chain.
    """

    entries: int
    head: str
    broken_at: int | None
    sentence: str


def audit_table(metadata: MetaData) -> Table:
    """The table `audit`, on a service's own metadata."""
    return Table(
        NAME,
        metadata,
        Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
        *(
            Column(name, Text, nullable=False)
            for name in ("at", "subject", "event", "actor", "detail", "salt", "commitment", "previous", "hash")
        ),
        UniqueConstraint("previous", name="audit_previous_once"),  # the chain cannot fork, whoever appends
    )


def create_audit(conn: Connection) -> None:
    """In a service's first migration: the table and its triggers."""
    audit_table(MetaData()).create(conn)
    create_audit_triggers(conn)


def create_audit_triggers(conn: Connection) -> None:
    """Triggers that abort UPDATE and DELETE (and TRUNCATE on PostgreSQL); for a migration that rebuilds the table.

    On SQLite, INSERT OR REPLACE deletes rows without firing a DELETE trigger: there an entry that is not the next one
    of the chain is refused too.
    """
    for statement in _TRIGGERS[conn.dialect.name]:
        conn.exec_driver_sql(statement)


_REFUSAL = "the audit is append-only"
_TRIGGERS = {
    "sqlite": (
        f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON {NAME} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
        f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON {NAME} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
        f"CREATE TRIGGER audit_next_only BEFORE INSERT ON {NAME} "  # noqa: S608 (constants)
        f"WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM {NAME}) "
        f"OR NEW.previous IS NOT coalesce((SELECT hash FROM {NAME} ORDER BY seq DESC LIMIT 1), '{START}') "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    ),
    "postgresql": (
        f"CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$",
        f"CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {NAME} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    ),
}


def append(conn: Connection, table: Table, *entries: AuditEntry, random: Random) -> str:
    """Add `entries` in the caller's write transaction, in their order; the new head (64 hexadecimal digits).

    The order is that of the commits, because `Database.write` lets one writer in at a time. A rolled back transaction
    leaves no gap. `random` gives the salts. Raises ValueError when an entry's time has no zone.
    """
    last = conn.execute(_last(table)).first()
    before, head = (last.seq, last.hash) if last else (0, START)
    rows = []
    for seq, entry in enumerate(entries, start=before + 1):
        salt = random(SALT_BYTES)
        row = {
            "seq": seq,
            "at": rfc3339(entry.at),
            "subject": entry.subject,
            "event": entry.event,
            "actor": entry.actor,
            "commitment": keyed_hex(salt, entry.detail.encode()),
            "previous": head,
        }
        head = _link(row)
        rows.append({**row, "detail": entry.detail, "salt": salt.hex(), "hash": head})
    if rows:
        conn.execute(table.insert(), rows)
    return head


@cache
def _last(table: Table) -> Select[Any]:
    return select(table.c.seq, table.c.hash).order_by(table.c.seq.desc()).limit(1)


def head(conn: Connection, table: Table) -> str:
    """The hash of the last entry as the table has it; START when there is none."""
    last = conn.execute(_last(table)).first()
    return last.hash if last else START


def verify(conn: Connection, table: Table, *, published_heads: Iterable[str] = ()) -> AuditReport:
    """Recompute the whole chain from its rows, in constant memory.

    Finds an entry changed, removed, inserted or moved; with `published_heads` (kept outside the database, in any order)
    also an end cut off or a chain written anew. Never raises for what somebody wrote into the table.
    """
    missing = set(published_heads) - {START}
    last, entries = START, 0
    try:
        rows = conn.execute(select(table).order_by(table.c.seq), execution_options={"yield_per": 500})
        for row in rows:
            fault = _fault(row, entries + 1, last)
            if fault:
                rows.close()
                return AuditReport(entries, last, entries + 1, f"Entry {entries + 1} of the audit {fault}.")
            last, entries = row.hash, entries + 1
            missing.discard(last)
    except DBAPIError:  # text that is not text, put there past the driver
        return AuditReport(entries, last, entries + 1, f"The audit cannot be read from entry {entries + 1} on.")
    if missing:
        return AuditReport(
            entries,
            last,
            entries + 1,
            f"The {entries} entries of the audit fit together, but {len(missing)} published head(s) are not among "
            "them: entries were removed at the end, or the chain was written anew.",
        )
    return AuditReport(entries, last, None, f"All {entries} entries of the audit are unchanged and in order.")


def _fault(row: Row[Any], seq: int, previous: str) -> str:
    """What is wrong with the row that should be number `seq`; empty when nothing is."""
    found = row._asdict()
    if found["seq"] != seq:
        return "is missing"
    text = [value for name, value in found.items() if name != "seq"]
    if not all(isinstance(value, str) for value in text) or not _is_salt(found["salt"]):
        return "is not in its form"
    if found["previous"] != previous:
        return "does not follow from the one before it"
    if keyed_hex(bytes.fromhex(found["salt"]), found["detail"].encode()) != found["commitment"]:
        return "has a changed detail or salt"
    if _link(found) != found["hash"]:
        return "was changed"
    return ""


def _is_salt(text: str) -> bool:
    # HMAC pads short keys with zeros, so only one length may count: else two salts would open one commitment.
    return len(text) == 2 * SALT_BYTES and all(c in "0123456789abcdef" for c in text)


def _link(row: dict[str, Any]) -> str:
    covered = ("seq", "at", "subject", "event", "actor", "commitment", "previous")
    return hashlib.sha256(canonical({name: row[name] for name in covered})).hexdigest()
