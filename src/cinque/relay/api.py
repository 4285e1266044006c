"""The serving side over HTTP: settle what is held and ask for more, keep a lease, fetch bytes, hand in returns.

POST /relay/lease?wait=S     Asking -> Lease   long-poll; the one `async` wait of the house
                  &fresh=1                  the caller holds nothing more: its earlier leases end at once
POST /relay/heartbeat        Held
GET  /relay/blobs/{sha512}   bytes offered to the caller
PUT  /relay/blobs/{sha512}   bytes that a return will name
POST /relay/returns          Return -> receipt
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response

from cinque.errors import Forbidden, NotFound, Refused, TooMany
from cinque.lib.canonical import canonical
from cinque.lib.clock import Clock, parse_rfc3339
from cinque.lib.parse import dump, parse_strict
from cinque.model.lifecycle import Role
from cinque.relay import store
from cinque.relay.store import Offer
from cinque.relay.tables import RelayTables
from cinque.storage.database import Database
from cinque.storage.files import Files
from cinque.wire.messages import (
    BODY_LIMIT,
    INLINE_LIMIT,
    INLINE_TOTAL,
    Asking,
    Blob,
    Held,
    Item,
    Lease,
    Return,
    Taken,
    checked,
)
from cinque.wire.receive import Identify

LEASE_SECONDS = 30.0
LONGEST_WAIT = 25.0
MOST_ITEMS = 8
WAITING_PLACES = 256


class Waiters:
    """Wakes long-polls: no thread and no connection is held while waiting; the database stays the truth."""

    def __init__(self, places: int = WAITING_PLACES) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._places = places
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def wake(self, key: str) -> None:
        """Wake those who wait for `key`; from any thread."""
        if self._loop is not None and key in self._waiting:
            self._loop.call_soon_threadsafe(self._set, key)

    def close(self) -> None:
        """Wake everybody: the service stops."""
        self._closed = True
        if self._loop is not None:
            for key in list(self._waiting):
                self._loop.call_soon_threadsafe(self._set, key)

    def _set(self, key: str) -> None:
        for event in self._waiting.get(key, ()):
            event.set()

    def waits(self, key: str) -> bool:
        """Whether somebody waits for `key` now."""
        return bool(self._waiting.get(key))

    async def until(self, key: str, look: Callable[[], Any], seconds: float, request: Request) -> Any:
        """What `look` (run in a worker thread) finds, at once or after a wake, at most `seconds` later; else None.
        A caller that has gone (`request` says so) is given nothing: work is not leased to nobody.
        """
        self._loop = asyncio.get_running_loop()
        if sum(map(len, self._waiting.values())) >= self._places:
            raise TooMany("too-many-waiting", "Too many callers are waiting here.", remedy="Try again in a moment.")
        deadline = self._loop.time() + seconds
        event = asyncio.Event()
        gone = asyncio.create_task(_gone(request, event))
        self._waiting.setdefault(key, set()).add(event)
        try:
            while True:
                event.clear()  # before the look: a wake that comes during it is not lost
                found = await to_thread.run_sync(look)
                left = deadline - self._loop.time()
                if found or left <= 0 or self._closed:
                    return found
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), left)
                if gone.done():
                    return None
        finally:
            gone.cancel()
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]


async def _gone(request: Request, event: asyncio.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    event.set()


class Serving(Protocol):
    """What the relay asks of the service that offers work."""

    database: Database
    tables: RelayTables
    files: Files
    waiters: Waiters
    clock: Clock

    def peer(self, key: str) -> str:
        """The enrolled peer whose transport key this is; raises Forbidden."""
        ...

    def leased(self, peer: str, offers: Sequence[Offer], conn: Any) -> None:
        """Work was leased: take the life cycle's step, in the same transaction."""
        ...

    def returned(self, peer: str, message: Return, data: bytes | None) -> bytes:
        """A return arrived (perhaps again): take its effect in one transaction; the receipt."""
        ...


def relay_router(service: Serving, identified: Callable[[Request], Awaitable[Identify]]) -> APIRouter:
    """The routes, for callers identified by `identified`."""
    router = APIRouter(prefix="/relay")

    def take(peer: str) -> tuple[Offer, ...]:
        now = service.clock().timestamp()
        with service.database.read() as conn:
            if not store.waiting(conn, service.tables, peer, now):
                return ()
        with service.database.write(durable=False) as conn:
            offers = store.lease(conn, service.tables, peer, now, LEASE_SECONDS, MOST_ITEMS)
            service.leased(peer, offers, conn)
        return offers

    def settle(who: Identify, fresh: bool) -> tuple[str, tuple[str, ...]]:
        """The peer, and the items that it settles too late."""
        call = who()
        peer = service.peer(call.key)
        asking = parse_strict(Asking, call.body, "A call for work", max_bytes=BODY_LIMIT)
        if not asking.settled and not fresh:
            return peer, ()
        with service.database.write(durable=False) as conn:
            lapsed = [h.item for h in asking.settled if not store.settle(conn, service.tables, peer, h.item, h.fence)]
            if fresh:
                store.let_go(conn, service.tables, peer)
        return peer, tuple(lapsed)

    @router.post("/lease")
    async def lease(
        request: Request,
        wait: float = Query(default=0.0, ge=0, le=LONGEST_WAIT),
        fresh: bool = Query(default=False),
        who: Identify = Depends(identified),
    ) -> Response:
        peer, lapsed = await to_thread.run_sync(settle, who, fresh)
        offers = await service.waiters.until(peer, lambda: take(peer), wait, request)
        return _json(Lease(tuple(_item(o) for o in offers or ()), lapsed))

    def _item(offered: Offer) -> Item:
        blobs = inlined(service.files, offered.blobs)
        until = str(offered.lease_until)
        return Item(offered.id, offered.kind, offered.task, offered.body, blobs, offered.fence, until)

    @router.post("/heartbeat")
    def heartbeat(who: Identify = Depends(identified)) -> Response:
        call = who()
        held = parse_strict(Held, call.body, "A heartbeat", max_bytes=4096)
        now = service.clock().timestamp()
        with service.database.write(durable=False) as conn:
            store.heartbeat(conn, service.tables, service.peer(call.key), held.item, held.fence, now, LEASE_SECONDS)
        return Response(status_code=204)

    @router.get("/blobs/{digest}")
    def fetch(digest: str, who: Identify = Depends(identified)) -> Response:
        call = who()
        with service.database.read() as conn:
            if not store.offered_blob(conn, service.tables, service.peer(call.key), digest):
                raise NotFound("no-such-bytes", "No work offered to this caller names these bytes.")
        return Response(service.files.get(digest), media_type="application/octet-stream")

    @router.put("/blobs/{digest}")
    def put(digest: str, who: Identify = Depends(identified)) -> Response:
        call = who()
        service.peer(call.key)
        service.files.put(checked(call.body, digest))
        return Response(status_code=204)

    @router.post("/returns")
    def returns(who: Identify = Depends(identified)) -> Response:
        call = who()
        message = parse_strict(Return, call.body, "A return", max_bytes=BODY_LIMIT)
        for taken in message.steps:
            _check_taken(taken)
        data: bytes | None = None
        if message.blob is not None:
            data = message.blob.data()
            data = service.files.get(message.blob.digest) if data is None else data
            if len(data) != message.blob.size:
                raise Refused("blob-size", "Bytes arrived that have not the size announced.")
        receipt = service.returned(service.peer(call.key), message, data)
        return Response(receipt, media_type="application/json")

    return router


def inlined(files: Files, named: Iterable[tuple[str, int]]) -> tuple[Blob, ...]:
    """Bytes by (sha512, size), with the bytes themselves where they are few, each and all together: a reply for many
    members must stay one that its caller takes.
    """
    left = INLINE_TOTAL
    found = []
    for digest, size in named:
        blob = Blob(digest, size)
        if size <= min(INLINE_LIMIT, left):
            left -= size
            with suppress(Refused):  # bytes that are lost: who fetches them is told, not all whose call names them
                blob = Blob.of(files.get(digest))
        found.append(blob)
    return tuple(found)


def _check_taken(taken: Taken) -> None:
    try:
        Role(taken.role), parse_rfc3339(taken.at)
    except ValueError:
        raise Refused("malformed", "A return reports a step by nobody's role, or at no time.") from None


def _json(value: Any) -> Response:
    return Response(canonical(dump(value)), media_type="application/json")


def enrolled(peers: dict[str, str], key: str) -> str:
    """The peer of a transport key; Forbidden for a key that may call but is nobody's."""
    peer = peers.get(key)
    if peer is None:
        raise Forbidden("not-a-peer", "This key is not that of an enrolled peer.")
    return peer
