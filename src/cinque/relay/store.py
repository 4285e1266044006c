"""All SQL of the relay. Every function runs inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, Update, and_, bindparam, select, update

from cinque.errors import Conflict
from cinque.relay.tables import RelayTables
from cinque.storage.once import insert_once
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
    return insert_once(
        conn,
        tables.items,
        {
            "id": offer.id,
            "peer": offer.peer,
            "kind": offer.kind,
            "task": offer.task,
            "body": json.dumps(offer.body),
            "blobs": json.dumps(offer.blobs),
            "fence": 0,
            "lease_until": 0.0,
            "settled": False,
        },
    )


@cache
def _open(items: Table) -> Select[Any]:
    free = and_(items.c.settled.is_(False), items.c.lease_until <= bindparam("now"))
    chosen = select(items).where(items.c.peer == bindparam("peer"), free).order_by(items.c.seq)
    return chosen.limit(bindparam("most"))


def waiting(conn: Connection, tables: RelayTables, peer: str, now: float) -> bool:
    """Whether there is work that `peer` could lease: a cheap look before a write transaction."""
    return conn.execute(_open(tables.items), {"peer": peer, "now": now, "most": 1}).first() is not None


@cache
def _lease(items: Table) -> Update:
    taken = update(items).where(items.c.seq == bindparam("b_seq"))
    return taken.values(fence=items.c.fence + 1, lease_until=bindparam("until"))


def lease(conn: Connection, tables: RelayTables, peer: str, now: float, seconds: float, most: int) -> tuple[Offer, ...]:
    """Lease the oldest open work of `peer`: each gets a higher fencing number than it ever had."""
    rows = conn.execute(_open(tables.items), {"peer": peer, "now": now, "most": most}).all()
    if not rows:
        return ()
    until = now + seconds
    conn.execute(_lease(tables.items), [{"b_seq": row.seq, "until": until} for row in rows])
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


@cache
def _settle(items: Table) -> Update:
    held = and_(items.c.id == bindparam("item"), items.c.peer == bindparam("by"), items.c.fence == bindparam("held"))
    return update(items).where(held).values(settled=True)


def settle(conn: Connection, tables: RelayTables, peer: str, item: str, fence: int) -> bool:
    """The peer has custody: the lease has done its work. Settling twice is harmless; with an older fencing number it
    changes nothing, and False says so: the work was offered again in the meantime.
    """
    return conn.execute(_settle(tables.items), {"item": item, "by": peer, "held": fence}).rowcount == 1


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
    return insert_once(conn, tables.received, {"id": f"{peer}/{message}", "at": now})


def send(conn: Connection, tables: RelayTables, message_id: str, message: dict[str, Any]) -> None:
    """Put a return into the outbox; a second one of the same id is dropped."""
    insert_once(conn, tables.outbox, {"id": message_id, "message": json.dumps(message), "sent": False})


@cache
def _unsent(outbox: Table) -> Select[Any]:
    chosen = select(outbox.c.seq, outbox.c.message).where(outbox.c.sent.is_(False)).order_by(outbox.c.seq)
    return chosen.limit(bindparam("most"))


def unsent(conn: Connection, tables: RelayTables, most: int, without: Collection[int] = ()) -> list[tuple[int, bytes]]:
    """The oldest messages (JSON) that still have to go up, in order; those of `without` are left aside."""
    chosen = _unsent(tables.outbox)
    if without:
        chosen = chosen.where(tables.outbox.c.seq.not_in(without))
    return [(row.seq, row.message.encode()) for row in conn.execute(chosen, {"most": most})]


@cache
def _sent(outbox: Table) -> Update:
    return update(outbox).where(outbox.c.seq == bindparam("b_seq")).values(sent=True, receipt=bindparam("receipt"))


def sent(conn: Connection, tables: RelayTables, seq: int, receipt: bytes | None) -> None:
    """It arrived; `receipt` is what the other side signed for it."""
    conn.execute(_sent(tables.outbox), {"b_seq": seq, "receipt": receipt})


def resend(conn: Connection, tables: RelayTables, prefix: str) -> None:
    """Send again what was sent of a task: the same bytes, when the same request is seen again."""
    outbox = tables.outbox
    conn.execute(update(outbox).where(outbox.c.id.startswith(prefix, autoescape=True)).values(sent=False))
