"""All SQL of the gate. Every function runs inside the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, bindparam, insert, select, update

from cinque.errors import Conflict
from cinque.model.lifecycle import State, Task
from cinque.relay.tables import relay_tables
from cinque.storage.audit import audit_table
from cinque.storage.nonces import used_table

METADATA = MetaData()
RELAY = relay_tables(METADATA)
AUDIT = audit_table(METADATA)
USED = used_table(METADATA)

TASKS = Table(
    "tasks",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("request", String(100), nullable=False),
    Column("tre", String(200), nullable=False),
    Column("requester", String(200), nullable=False),
    Column("state", String(30), nullable=False),
    Column("code", String(80), nullable=False),
    Column("round", Integer, nullable=False),
    Column("evidence", String(128), nullable=False),
    Column("packet", String(128), nullable=False),  # sha512 of the quarantined request
    Column("record", Text, nullable=False),  # the gate's signed statements about it
)


# The statements in every question's path, built once.
_TASK = select(TASKS).where(TASKS.c.id == bindparam("task"))
_PACKET = select(TASKS.c.packet).where(TASKS.c.id == bindparam("task"))
_SAVE = update(TASKS).where(
    TASKS.c.id == bindparam("was_id"), TASKS.c.state == bindparam("was_state"), TASKS.c.round == bindparam("was_round")
)


def add_task(conn: Connection, task: Task, packet: str, record: str) -> None:
    """A task that came down."""
    conn.execute(insert(TASKS), {**_row(task), "packet": packet, "record": record})


def task(conn: Connection, task_id: str) -> Task | None:
    """The task of an id."""
    row = conn.execute(_TASK, {"task": task_id}).first()
    return _task(row) if row else None


def packet(conn: Connection, task_id: str) -> str | None:
    """The sha512 of the bytes that came down for a task, or None for one that is unknown."""
    return conn.execute(_PACKET, {"task": task_id}).scalar()


def tasks(conn: Connection, most: int) -> list[Task]:
    """The tasks of this gate."""
    return [_task(row) for row in conn.execute(select(TASKS).order_by(TASKS.c.id).limit(most))]


def save(conn: Connection, before: Task, after: Task) -> None:
    """Compare and set. Raises Conflict when the task had moved."""
    was = {"was_id": before.id, "was_state": before.state, "was_round": before.round}
    if conn.execute(_SAVE, {**_row(after), **was}).rowcount != 1:
        raise Conflict("task-moved", "The task has moved on in the meantime.", remedy="Look again.")


def _row(task: Task) -> dict[str, object]:
    return {name: getattr(task, name) for name in Task.__dataclass_fields__}


def _task(row: object) -> Task:
    values = {name: getattr(row, name) for name in Task.__dataclass_fields__}
    return Task(**{**values, "state": State(values["state"])})
