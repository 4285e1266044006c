"""The relay's tables: work offered downwards under leases, and messages waiting to go upwards."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text


@dataclass(frozen=True, slots=True)
class RelayTables:
    """`items`: what is offered to the peers below. `received`: ids of returns already taken. `outbox`: what goes up."""

    items: Table
    received: Table
    outbox: Table


def relay_tables(metadata: MetaData) -> RelayTables:
    """The tables, in the service's own metadata. Times are seconds since 1970, UTC."""
    items = Table(
        "relay_items",
        metadata,
        Column("seq", Integer, primary_key=True, autoincrement=True),
        Column("id", String(200), nullable=False, unique=True),
        Column("peer", String(200), nullable=False),
        Column("kind", String(20), nullable=False),
        Column("task", String(100), nullable=False),
        Column("body", Text, nullable=False),
        Column("blobs", Text, nullable=False),  # JSON list of [sha512, size]
        Column("fence", Integer, nullable=False, default=0),
        Column("lease_until", Float, nullable=False, default=0.0),
        Column("settled", Boolean, nullable=False, default=False),
    )
    Index("relay_items_open", items.c.peer, items.c.settled, items.c.lease_until)
    received = Table(
        "relay_received",
        metadata,
        Column("id", String(200), primary_key=True),
        Column("at", Float, nullable=False),
    )
    outbox = Table(
        "relay_outbox",
        metadata,
        Column("seq", Integer, primary_key=True, autoincrement=True),
        Column("id", String(200), nullable=False, unique=True),
        Column("message", Text, nullable=False),  # JSON of a wire Return; its blob is a file, by digest
        Column("sent", Boolean, nullable=False, default=False),
        Column("receipt", LargeBinary, nullable=True),
    )
    Index("relay_outbox_open", outbox.c.sent, outbox.c.seq)
    return RelayTables(items, received, outbox)
