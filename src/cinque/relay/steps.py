"""Steps of a task's life cycle that were taken on the more protected side, followed here as they are reported."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cinque.errors import Conflict, Forbidden
from cinque.model.lifecycle import Actor, AuditEntry, Role, Task, advance
from cinque.wire.messages import Taken


def follow(task: Task, steps: Sequence[Taken], now: datetime) -> tuple[Task, list[AuditEntry]]:
    """The task after these steps, and an audit entry for each. One that does not follow from what is known here changes
    nothing, and is on record as a late report.
    """
    entries: list[AuditEntry] = []
    for taken in steps:
        role = Role(taken.role)
        actor = Actor(task.requester if role is Role.RESEARCHER else task.tre, role)
        try:
            task, entry = advance(task, taken.step, actor, datetime.fromisoformat(taken.at), code=taken.code)
        except (Conflict, Forbidden) as late:
            entry = AuditEntry(task.id, "late report", task.tre, now, late.code)
        entries.append(entry)
    return task, entries
