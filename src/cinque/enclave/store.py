"""All SQL of the enclave. Every function runs inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)

from cinque.errors import Conflict, NotFound
from cinque.model.lifecycle import FINAL, State, Task
from cinque.relay.tables import relay_tables
from cinque.storage.audit import audit_table
from cinque.storage.nonces import used_table
from cinque.storage.once import insert_once

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
    Column("state", String(30), nullable=False, index=True),
    Column("code", String(80), nullable=False),
    Column("round", Integer, nullable=False),
    Column("evidence", String(128), nullable=False),
    Column("packet", String(128), nullable=False),  # sha512 of the request, a file
    Column("record", Text, nullable=False),  # the gate's signed statements
    Column("authority", Text, nullable=False),  # JSON: on what authority it may run
    Column("why", Text, nullable=False),  # JSON: the rule and what would change it, when held or refused
    Column("unreported", Text, nullable=False),  # JSON list of steps that the hub has not been told yet
    Column("accepted_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
)
# One row a round: what was computed (a file inside the enclave), and the verdict. `step`: the derived step, JSON.
ROUNDS = Table(
    "rounds",
    METADATA,
    Column("task", String(100), ForeignKey("tasks.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("released", String(128), nullable=False),  # sha512 of released.json, a file
    Column("judgement", Text, nullable=False),  # JSON: rules and findings
    Column("started", Float, nullable=False),
    Column("ended", Float, nullable=False),
    Column("phase", Text, nullable=False, default=""),  # JSON: the disclosure check, once it was made
    Column("envelope", Text, nullable=False, default=""),  # the signed round, once it was released
)
# The step that every member works at: the signed rounds of all members that it was derived from.
TRANSCRIPTS = Table(
    "transcripts",
    METADATA,
    Column("task", String(100), ForeignKey("tasks.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("file", String(128), nullable=False),
)
# The one point of no return: a row here is the release.
RELEASED = Table(
    "released",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("task", String(100), ForeignKey("tasks.id"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("digest", String(128), nullable=False),
    Column("at", Float, nullable=False),
    UniqueConstraint("task", "round", "kind"),
)
DECISIONS = Table(
    "decisions",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("task", String(100), ForeignKey("tasks.id"), nullable=False),
    Column("decision", String(20), nullable=False),
    Column("person", String(200), nullable=False),
    Column("at", Float, nullable=False),
    Column("envelope", Text, nullable=False),
)
RECEIPTS = Table(
    "receipts",
    METADATA,
    Column("id", String(250), primary_key=True),
    Column("task", String(100), nullable=False),
    Column("receipt", Text, nullable=False),
)

# The statements in every question's path, built once.
_TASK = select(TASKS).where(TASKS.c.id == bindparam("task"))
_SAVE = update(TASKS).where(
    TASKS.c.id == bindparam("was_id"), TASKS.c.state == bindparam("was_state"), TASKS.c.round == bindparam("was_round")
)
_ROUNDS = select(ROUNDS).where(ROUNDS.c.task == bindparam("of")).order_by(ROUNDS.c.round)
_TRANSCRIPTS = select(TRANSCRIPTS.c.file).where(TRANSCRIPTS.c.task == bindparam("of")).order_by(TRANSCRIPTS.c.round)


@dataclass(frozen=True, slots=True)
class Record:
    """A task and what the enclave keeps with it."""

    task: Task
    packet: str
    record: str
    authority: dict[str, Any]
    why: dict[str, str]
    unreported: list[dict[str, str]]
    accepted_at: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class Round:
    """What one round computed and how it was judged; it has left when `envelope` is not empty."""

    task: str
    round: int
    released: str
    judgement: dict[str, Any]
    started: float
    ended: float
    phase: str = ""
    envelope: str = ""


def add(conn: Connection, record: Record) -> None:
    """A task in this enclave's custody."""
    conn.execute(insert(TASKS), _values(record))


def find(conn: Connection, task_id: str) -> Record | None:
    """The task of an id, or None."""
    row = conn.execute(_TASK, {"task": task_id}).first()
    return _record(row) if row else None


def get(conn: Connection, task_id: str) -> Record:
    """The task of an id; raises NotFound. The first characters of an id are enough when they are nobody else's."""
    record = find(conn, task_id)
    if record is not None:
        return record
    rows: Iterable[Any] = ()
    if len(task_id) >= 4:
        stem = task_id if task_id.startswith("urn:uuid:") else f"urn:uuid:{task_id}"
        rows = conn.execute(select(TASKS).where(TASKS.c.id.startswith(stem, autoescape=True)).limit(2)).all()
    found = [_record(row) for row in rows]
    if len(found) != 1:
        raise NotFound("no-such-task", "There is no such task here.", remedy="See `cinque tre tasks`.")
    return found[0]


def all_tasks(conn: Connection, states: Iterable[State] | None = None, most: int = 1000) -> list[Record]:
    """Tasks, newest first, of some states or of all."""
    chosen = select(TASKS).order_by(TASKS.c.accepted_at.desc()).limit(most)
    if states is not None:
        chosen = chosen.where(TASKS.c.state.in_([str(s) for s in states]))
    return [_record(row) for row in conn.execute(chosen)]


def running(conn: Connection) -> list[str]:
    """Ids of tasks that a worker should be at, oldest first."""
    chosen = select(TASKS.c.id).where(TASKS.c.state == State.RUNNING).order_by(TASKS.c.accepted_at)
    return [row.id for row in conn.execute(chosen)]


def unreported(conn: Connection) -> list[tuple[str, float]]:
    """Tasks with steps that the hub has not been told, and when they last moved."""
    chosen = select(TASKS.c.id, TASKS.c.changed_at).where(TASKS.c.unreported != "[]")
    return [(row.id, row.changed_at) for row in conn.execute(chosen)]


def save(conn: Connection, before: Record, after: Record) -> None:
    """Compare and set. Raises Conflict when the task had moved."""
    was = {"was_id": before.task.id, "was_state": before.task.state, "was_round": before.task.round}
    if conn.execute(_SAVE, {**_values(after), **was}).rowcount != 1:
        raise Conflict("task-moved", "The task has moved on in the meantime.", remedy="Look again.")


def keep_round(conn: Connection, row: Round) -> None:
    """The computed round, replacing what a worker that was killed may have left."""
    values = {name: getattr(row, name) for name in Round.__dataclass_fields__}
    values["judgement"] = json.dumps(row.judgement)
    if not insert_once(conn, ROUNDS, values):
        conn.execute(update(ROUNDS).where(ROUNDS.c.task == row.task, ROUNDS.c.round == row.round).values(**values))


def rounds(conn: Connection, task_id: str) -> list[Round]:
    """The rounds of a task, in order."""
    found = conn.execute(_ROUNDS, {"of": task_id})
    return [Round(**{**row._mapping, "judgement": json.loads(row.judgement)}) for row in found]


def holds(conn: Connection, digest: str) -> bool:
    """Whether some round on record computed this file."""
    return conn.execute(select(ROUNDS.c.task).where(ROUNDS.c.released == digest).limit(1)).first() is not None


def drop_unreleased(conn: Connection, task_id: str) -> list[str]:
    """Forget rounds that did not leave; the files to destroy."""
    where = (ROUNDS.c.task == task_id, ROUNDS.c.envelope == "")
    files = [row.released for row in conn.execute(select(ROUNDS.c.released).where(*where))]
    conn.execute(ROUNDS.delete().where(*where))
    kept = {row.released for row in conn.execute(select(ROUNDS.c.released))}
    return [digest for digest in files if digest not in kept]


def keep_transcript(conn: Connection, task_id: str, number: int, file: str) -> None:
    """The signed rounds of all members after round `number`, once."""
    insert_once(conn, TRANSCRIPTS, {"task": task_id, "round": number, "file": file})


def transcripts(conn: Connection, task_id: str) -> list[str]:
    """Files of the transcripts of a task, in order of rounds."""
    return [row.file for row in conn.execute(_TRANSCRIPTS, {"of": task_id})]


def mark_released(conn: Connection, task_id: str, number: int, kind: str, digest: str, at: float) -> None:
    """The point of no return. The unique key makes a second release an error, whatever the code above it thinks."""
    conn.execute(insert(RELEASED), {"task": task_id, "round": number, "kind": kind, "digest": digest, "at": at})


def released_at(conn: Connection, task_id: str) -> float | None:
    """When the task's end left, if it did."""
    return conn.execute(select(RELEASED.c.at).where(RELEASED.c.task == task_id, RELEASED.c.kind == "end")).scalar()


def releases(conn: Connection) -> list[tuple[str, int, str, str]]:
    """(task, round, kind, sha512) of all that ever left, in order: what auditors compare with what receivers hold."""
    chosen = select(RELEASED).order_by(RELEASED.c.seq)
    return [(row.task, row.round, row.kind, row.digest) for row in conn.execute(chosen)]


def keep_decision(conn: Connection, task_id: str, decision: str, person: str, at: float, envelope: str) -> None:
    """A person's signed decision; it stays inside the TRE."""
    conn.execute(insert(DECISIONS).values(task=task_id, decision=decision, person=person, at=at, envelope=envelope))


def decisions(conn: Connection, task_id: str) -> list[dict[str, Any]]:
    """The decisions on a task, in order."""
    chosen = select(DECISIONS).where(DECISIONS.c.task == task_id).order_by(DECISIONS.c.seq)
    return [dict(row._mapping) for row in conn.execute(chosen)]


def keep_receipt(conn: Connection, receipt_id: str, task_id: str, receipt: str) -> None:
    """What the hub signed for a release, once."""
    insert_once(conn, RECEIPTS, {"id": receipt_id, "task": task_id, "receipt": receipt})


def ended(record: Record) -> bool:
    """Whether the task takes no further step."""
    return record.task.state in FINAL


def _values(record: Record) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(record.task, name) for name in Task.__dataclass_fields__}
    return values | {
        "packet": record.packet,
        "record": record.record,
        "authority": json.dumps(record.authority),
        "why": json.dumps(record.why),
        "unreported": json.dumps(record.unreported),
        "accepted_at": record.accepted_at,
        "changed_at": record.changed_at,
    }


def _record(row: Any) -> Record:
    values = {name: getattr(row, name) for name in Task.__dataclass_fields__}
    return Record(
        Task(**{**values, "state": State(values["state"])}),
        row.packet,
        row.record,
        json.loads(row.authority),
        json.loads(row.why),
        json.loads(row.unreported),
        row.accepted_at,
        row.changed_at,
    )
