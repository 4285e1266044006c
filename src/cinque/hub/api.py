"""The hub over HTTP: five lines a route; what is decided is in service.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from anyio import to_thread
from fastapi import Depends, FastAPI, Header, Query, Request, Response

from cinque.errors import Refused
from cinque.hub.service import Hub
from cinque.lib.canonical import canonical
from cinque.lib.parse import dump, parse_strict
from cinque.relay.api import LONGEST_WAIT, relay_router
from cinque.wire.messages import Enrolment
from cinque.wire.receive import Identify, application, identify, read_body, same_version

JSON = "application/json"
CRATE_PROFILE = '<https://w3id.org/ro/crate>; rel="profile"'  # R102


def build(
    hub: Hub, use_once: Callable[[str, str, datetime], bool], on_error: Callable[[BaseException], None]
) -> FastAPI:
    """The hub's application."""
    app = application("Cinque hub", on_error=on_error)
    identified = identify(hub.roster.public_key, use_once, hub.clock)
    app.include_router(relay_router(hub, identified))

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "service": "hub"}

    @app.post("/enrol")
    async def enrol(request: Request) -> Response:
        same_version(request)
        enrolment = parse_strict(Enrolment, await read_body(request), "An enrolment", max_bytes=65536)
        return Response(await to_thread.run_sync(hub.roster.enrol, enrolment), media_type=JSON)

    @app.get("/tres")
    def tres(who: Identify = Depends(identified)) -> Response:
        who()
        return Response(canonical(hub.roster.tres()), media_type=JSON)

    @app.post("/requests")
    def submit(
        who: Identify = Depends(identified), idempotency_key: str | None = Header(default=None, max_length=200)
    ) -> Response:
        call = who()
        if not call.body:
            raise Refused("empty", "The call carries no request crate.")
        receipt = hub.submit(call.key, call.body, idempotency_key)
        return Response(receipt, status_code=201, media_type=JSON, headers={"Link": CRATE_PROFILE})

    @app.get("/requests")
    def requests(who: Identify = Depends(identified)) -> Response:
        return Response(canonical([dump(status) for status in hub.requests(who().key)]), media_type=JSON)

    @app.get("/requests/{request_id}")
    async def status(
        request: Request,
        request_id: str,
        newer_than: int = Query(default=0, ge=0),
        wait: float = Query(default=0.0, ge=0, le=LONGEST_WAIT),
        settled: bool = Query(default=False),
        results: bool = Query(default=False),
        who: Identify = Depends(identified),
    ) -> Response:
        call = await to_thread.run_sync(who)
        found = await hub.waiters.until(
            f"request:{request_id}",
            lambda: hub.status(call.key, request_id, newer_than, settled=settled, results=results),
            wait,
            request,
        )
        if found is None:
            return Response(status_code=204)
        return Response(canonical(dump(found)), media_type=JSON)

    @app.post("/requests/{request_id}/cancel")
    def cancel(request_id: str, who: Identify = Depends(identified)) -> Response:
        call = who()
        return Response(canonical(dump(hub.cancel(call.key, request_id, call.body))), media_type=JSON)

    @app.get("/results/{digest}")
    def result(digest: str, who: Identify = Depends(identified)) -> Response:
        return Response(hub.result(who().key, digest), media_type="application/octet-stream")

    return app
