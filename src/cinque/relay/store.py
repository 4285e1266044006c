"""All SQL of the relay. Every function runs inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from cinque.errors import Conflict
from cinque.relay.tables import RelayTables
from cinque.wire.messages import ItemKind


@dataclass(frozen=True, slots=True)
class Offer:
    """A row of work: its `id` makes a second offer of the same harmless. `blobs`: (sha512, size) of each."""

    id: str
    peer: str
    kind: ItemKind
    task: str
    body: dict[str, Any]
    blobs: tuple[tuple[str, int], ...] = ()
    fence: int = 0
    lease_until: float = 0.0


def offer(conn: Connection, tables: RelayTables, offer: Offer) -> bool:
    """Offer work to a peer; False when it is already offered."""
    items = tables.items
    if conn.execute(select(items.c.seq).where(items.c.id == offer.id)).first():
        return False
    conn.execute(
        insert(items).values(
            id=offer.id,
            peer=offer.peer,
            kind=offer.kind,
            task=offer.task,
            body=json.dumps(offer.body),
            blobs=json.dumps(offer.blobs),
            fence=0,
            lease_until=0.0,
            settled=False,
        )
    )
    return True


def waiting(conn: Connection, tables: RelayTables, peer: str, now: float) -> bool:
    """Whether there is work that `peer` could lease: a cheap look before a write transaction."""
    items = tables.items
    open_now = and_(items.c.peer == peer, items.c.settled.is_(False), items.c.lease_until <= now)
    return conn.execute(select(items.c.seq).where(open_now).limit(1)).first() is not None


def lease(conn: Connection, tables: RelayTables, peer: str, now: float, seconds: float, most: int) -> tuple[Offer, ...]:
    """Lease the oldest open work of `peer`: each gets a higher fencing number than it ever had."""
    items = tables.items
    rows = conn.execute(
        select(items)
        .where(items.c.peer == peer, items.c.settled.is_(False), items.c.lease_until <= now)
        .order_by(items.c.seq)
        .limit(most)
    ).all()
    if not rows:
        return ()
    until = now + seconds
    conn.execute(
        update(items)
        .where(items.c.seq.in_([row.seq for row in rows]))
        .values(fence=items.c.fence + 1, lease_until=until)
    )
    return tuple(
        Offer(
            row.id,
            row.peer,
            row.kind,
            row.task,
            json.loads(row.body),
            tuple((digest, size) for digest, size in json.loads(row.blobs)),
            row.fence + 1,
            until,
        )
        for row in rows
    )


def let_go(conn: Connection, tables: RelayTables, peer: str) -> None:
    """End the leases of a peer that holds nothing: it has just started, or never heard what it was given. Should it
    hold something after all, the higher fencing number of the next lease tells.
    """
    items = tables.items
    held = and_(items.c.peer == peer, items.c.settled.is_(False), items.c.lease_until > 0)
    conn.execute(update(items).where(held).values(lease_until=0.0))


def heartbeat(
    conn: Connection, tables: RelayTables, peer: str, item: str, fence: int, now: float, seconds: float
) -> None:
    """Keep a lease. Raises Conflict when it lapsed and somebody else holds the work."""
    items = tables.items
    held = conn.execute(
        update(items)
        .where(items.c.id == item, items.c.peer == peer, items.c.fence == fence, items.c.settled.is_(False))
        .values(lease_until=now + seconds)
    )
    if held.rowcount != 1:
        raise Conflict(
            "lease-lapsed", "The lease has lapsed and the work was offered again.", remedy="Drop it and ask for work."
        )


def settle(conn: Connection, tables: RelayTables, peer: str, item: str, fence: int) -> bool:
    """The peer has custody: the lease has done its work. Settling twice is harmless; with an older fencing number it
    changes nothing, and False says so: the work was offered again in the meantime.
    """
    items = tables.items
    done = conn.execute(
        update(items).where(items.c.id == item, items.c.peer == peer, items.c.fence == fence).values(settled=True)
    )
    return done.rowcount == 1


def withdraw(conn: Connection, tables: RelayTables, task: str, kinds: Sequence[ItemKind]) -> None:
    """Offer the task's work no longer."""
    items = tables.items
    conn.execute(update(items).where(items.c.task == task, items.c.kind.in_(kinds)).values(settled=True))


def offered_blob(conn: Connection, tables: RelayTables, peer: str, digest: str) -> bool:
    """Whether some work offered to `peer` names these bytes: nobody fetches what was not offered to him."""
    items = tables.items
    return (
        conn.execute(
            select(items.c.seq).where(items.c.peer == peer, items.c.blobs.contains(digest, autoescape=True)).limit(1)
        ).first()
        is not None
    )


def receive_once(conn: Connection, tables: RelayTables, peer: str, message: str, now: float) -> bool:
    """Whether a return arrives for the first time (its id is remembered in the same transaction as its effect)."""
    received = tables.received
    key = f"{peer}/{message}"
    if conn.execute(select(received.c.id).where(received.c.id == key)).first():
        return False
    conn.execute(insert(received).values(id=key, at=now))
    return True


def send(conn: Connection, tables: RelayTables, message_id: str, message: dict[str, Any]) -> None:
    """Put a return into the outbox; a second one of the same id is dropped."""
    outbox = tables.outbox
    if conn.execute(select(outbox.c.seq).where(outbox.c.id == message_id)).first():
        return
    conn.execute(insert(outbox).values(id=message_id, message=json.dumps(message), sent=False))


def unsent(
    conn: Connection, tables: RelayTables, most: int, without: Collection[int] = ()
) -> list[tuple[int, dict[str, Any]]]:
    """The oldest messages that still have to go up, in order; those of `without` are left aside."""
    outbox = tables.outbox
    chosen = select(outbox.c.seq, outbox.c.message).where(outbox.c.sent.is_(False)).order_by(outbox.c.seq)
    if without:
        chosen = chosen.where(outbox.c.seq.not_in(without))
    return [(row.seq, json.loads(row.message)) for row in conn.execute(chosen.limit(most))]


def sent(conn: Connection, tables: RelayTables, seq: int, receipt: bytes | None) -> None:
    """It arrived; `receipt` is what the other side signed for it."""
    conn.execute(update(tables.outbox).where(tables.outbox.c.seq == seq).values(sent=True, receipt=receipt))


def resend(conn: Connection, tables: RelayTables, prefix: str) -> None:
    """Send again what was sent of a task: the same bytes, when the same request is seen again."""
    outbox = tables.outbox
    conn.execute(update(outbox).where(outbox.c.id.startswith(prefix, autoescape=True)).values(sent=False))
