"""A service's tables as its newest code sees them, and what several tests do with them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, Text

from cinque.lib.ids import system_random
from cinque.model.lifecycle import AuditEntry
from cinque.storage.audit import append, audit_table
from cinque.storage.database import Database
from cinque.storage.nonces import used_table

METADATA = MetaData()
TASKS = Table(
    "task",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("state", String(40), nullable=False),
    Column("round", Integer, nullable=False, server_default="0"),
)
NOTES = Table(
    "note",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("task", Text, ForeignKey("task.id", ondelete="CASCADE"), nullable=False),
)
AUDIT = audit_table(METADATA)
USED = used_table(METADATA)
OLD, NEW, FAILING = (f"tests.storage.migrations_{name}" for name in ("old", "new", "failing"))
AT = datetime(2026, 11, 23, 10, tzinfo=UTC)


def entry(subject: str, detail: str = "offered -> leased") -> AuditEntry:
    """One audit entry."""
    return AuditEntry(subject, "lease", "gate-a", AT, detail)


def save(db: Database, task: str) -> str:
    """A verb as services write them: a state and its audit row in one transaction; the new head."""
    with db.write() as conn:
        conn.execute(TASKS.insert(), {"id": task, "state": "leased"})
        return append(conn, AUDIT, entry(task), random=system_random)
