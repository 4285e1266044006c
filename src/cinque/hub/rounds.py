"""The hub's part in a session of several rounds: it gathers what members released, and offers it again to all."""

from __future__ import annotations

from sqlalchemy import Connection

from cinque.hub import store
from cinque.model.lifecycle import State, Task
from cinque.relay import store as relay
from cinque.relay.store import Offer


def go_on(conn: Connection, task: Task) -> list[str]:
    """Offer the next round, or the end, once every member still in the session has released the last. Whom to wake."""
    request = store.request(conn, task.request)
    if request is None or request.max_rounds <= 1:
        return []
    tasks = store.tasks_of(conn, task.request)
    lost = [t for t in tasks if store.ended(t) and t.state is not State.RELEASED]
    members = [t for t in tasks if t not in lost]
    number = max((t.round for t in members), default=0)
    between = [t for t in members if t.state is State.ROUND_RELEASED]
    dropped = [t for t in lost if t.round > 0]
    if dropped:
        for t in between:
            body = {"stopped": "member-dropped-out"}
            relay.offer(conn, store.RELAY, Offer(f"{t.id}/round/stop", t.tre, "round", t.id, body))
        return [t.tre for t in between]
    if not number or any(t.round < number or t.state is not State.ROUND_RELEASED for t in members):
        return []
    results = [r for r in store.results_of(conn, [t.id for t in members]) if r.kind == "round" and r.round == number]
    blobs = tuple((r.digest, r.size) for r in results)
    for t in members:
        relay.offer(conn, store.RELAY, Offer(f"{t.id}/round/{number}", t.tre, "round", t.id, {"round": number}, blobs))
    return [t.tre for t in members]
