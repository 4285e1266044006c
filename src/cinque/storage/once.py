"""A row that is written the first time and left alone ever after, in one statement on either database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_once(conn: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Whether `row` was new: no other one had its primary key, or a value that may stand only once."""
    # RETURNING rather than a row count, which PostgreSQL's driver does not give for every INSERT.
    return conn.execute(_insert(table, conn.dialect.name), row).first() is not None


@cache
def _insert(table: Table, dialect: str) -> Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing().returning(*table.primary_key.columns)
