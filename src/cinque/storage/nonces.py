"""Values that count once: ids of call tokens, nonces of requests. They are kept until they could not be used anyway."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Connection, Index, MetaData, Table, Text, delete

from cinque.lib.clock import rfc3339
from cinque.storage.once import insert_once


def used_table(metadata: MetaData, name: str = "used") -> Table:
    """The table of used values, on a service's own metadata."""
    return Table(
        name,
        metadata,
        Column("scope", Text, primary_key=True),
        Column("value", Text, primary_key=True),
        Column("until", Text, nullable=False),
        Index(f"{name}_until", "until"),
    )


def create_used(conn: Connection, name: str = "used") -> None:
    """In a service's migration: the table."""
    used_table(MetaData(), name).create(conn)


def use_once(conn: Connection, table: Table, scope: str, value: str, until: datetime) -> bool:
    """True the first time `value` is used in `scope` (a person's key, a caller), False ever after, until forgotten.

    It counts when the caller's write transaction commits. `until`: when the value stops being accepted by itself.
    """
    return insert_once(conn, table, {"scope": scope, "value": value, "until": rfc3339(until)})


def forget_expired(conn: Connection, table: Table, now: datetime) -> int:
    """Drop what has been past its `until` before `now`; how many."""
    # Both times are cut to milliseconds: strictly earlier after cutting is earlier before it.
    return conn.execute(delete(table).where(table.c.until < rfc3339(now))).rowcount
