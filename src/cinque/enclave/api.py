"""The enclave over HTTP, for the TRE's own people alone; nothing outside the TRE ever calls it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from anyio import to_thread
from fastapi import Depends, FastAPI, Query, Request, Response

from cinque.crate.cards import PersonCard
from cinque.crate.keys import key_id
from cinque.enclave import people, policy, store
from cinque.enclave.service import Enclave
from cinque.errors import CinqueError, Forbidden, Refused
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.clock import rfc3339
from cinque.model.lifecycle import FINAL, State, steps_from
from cinque.storage import audit
from cinque.wire.receive import Call, application, identify

JSON = "application/json"
STAFF = frozenset({"operator", "checker"})


def build(
    enclave: Enclave, use_once: Callable[[str, str, datetime], bool], on_error: Callable[[BaseException], None]
) -> FastAPI:
    """The staff's application."""
    app = application("Cinque enclave", on_error=on_error)
    identified = identify(lambda key: card.call if (card := _card(enclave, key)) else None, use_once, enclave.clock)

    async def staff(request: Request) -> Call:
        call = await to_thread.run_sync(await identified(request))
        card = _card(enclave, call.key)
        if card is None or not any(
            p.id == card.id and STAFF & set(p.roles) and not p.revoked for p in enclave.say.people
        ):
            raise Forbidden("not-staff", "Only an operator or output checker of this TRE may look here.")
        return call

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "service": "enclave"}

    @app.get("/tasks", dependencies=[Depends(staff)])
    def tasks(open_only: bool = Query(default=False)) -> Response:
        states = [s for s in State if s not in FINAL] if open_only else None
        with enclave.database.read() as conn:
            found = store.all_tasks(conn, states)
        return Response(canonical([_brief(record) for record in found]), media_type=JSON)

    @app.get("/tasks/{task_id}", dependencies=[Depends(staff)])
    def task(task_id: str) -> Response:
        with enclave.database.read() as conn:
            record = store.get(conn, task_id)
        return Response(canonical(_whole(enclave, record)), media_type=JSON)

    @app.post("/tasks/{task_id}/decide")
    def decide(task_id: str, call: Call = Depends(staff)) -> Response:
        record = people.decide(enclave, call.body, task_id)
        return Response(canonical(_brief(record)), media_type=JSON)

    @app.get("/audit", dependencies=[Depends(staff)])
    def audited() -> Response:
        with enclave.database.read() as conn:
            report = audit.verify(conn, store.AUDIT)
        found = {
            "entries": report.entries,
            "head": report.head,
            "broken_at": report.broken_at,
            "sentence": report.sentence,
        }
        return Response(canonical(found), media_type=JSON)

    return app


def _card(enclave: Enclave, key: str) -> PersonCard | None:
    """The card of the person who calls with this key: `call`, which signs nothing else."""
    say = enclave.say
    card = next((card for card in say.cards.values() if key_id("Ed25519", card.call) == key), None)
    if card is not None:
        with suppress(Refused):
            policy.check_person(say, say.person(card.id), card, enclave.clock().date())
            return card
    return None


def _brief(record: store.Record) -> dict[str, Any]:
    found = record.authority
    return {
        "task": record.task.id,
        "request": record.task.request,
        "state": record.task.state,
        "code": record.task.code,
        "round": record.task.round,
        "person": record.task.requester,
        "person_name": found.get("person_name", ""),
        "project": found.get("project", ""),
        "dataset": found.get("dataset", ""),
        "agreement": found.get("agreement", ""),
        "accepted": rfc3339(datetime.fromtimestamp(record.accepted_at, UTC)),
        "why": record.why,
    }


def _whole(enclave: Enclave, record: store.Record) -> dict[str, Any]:
    whole = _brief(record) | {"steps": list(steps_from(record.task.state))}
    try:
        request = enclave.request(record)
    except CinqueError:
        return whole  # what could not be read has nothing more to show
    statement = request.statement
    whole |= {
        "title": request.graph.root.get("name", ""),
        "analysis": f"{statement.analysis}@{statement.analysis_version}",
        "analysis_digest": statement.analysis_digest,
        "parameters": request.parameters,
        "audience": [a.name for a in statement.audience],
        "mode": statement.mode,
    }
    with enclave.database.read() as conn:
        rows = store.rounds(conn, record.task.id)
        decisions = store.decisions(conn, record.task.id)
    whole["rounds"] = [{"round": row.round, "judgement": row.judgement, "released": bool(row.envelope)} for row in rows]
    whole["decisions"] = [{"decision": d["decision"], "person": d["person"]} for d in decisions]
    row = people.pending(enclave, record.task.id)
    if row is not None and record.task.state is State.IN_REVIEW:
        whole["output"] = strict_loads(enclave.files.get(row.released))
        whole["seen"] = people.seen_digest(enclave, row)
    return whole
