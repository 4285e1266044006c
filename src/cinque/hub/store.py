"""All SQL of the hub. Every function runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

METADATA = MetaData()
RELAY = relay_tables(METADATA)
AUDIT = audit_table(METADATA)
USED = used_table(METADATA)

PARTIES = Table(
    "parties",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("kind", String(10), nullable=False),  # person | tre
    Column("name", String(200), nullable=False),
    Column("call_key", String(100), nullable=False, unique=True),  # id of the key that signs its calls
    Column("call_public", String(100), nullable=False),
    Column("card", Text, nullable=False),
    Column("description", Text, nullable=True),
    Column("enrolled_at", Float, nullable=False),
)
TOKENS = Table(
    "tokens",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("label", String(200), nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_by", String(200), nullable=True),
)
REQUESTS = Table(
    "requests",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("requester", String(200), nullable=False),
    Column("packet", String(128), nullable=False),
    Column("size", Integer, nullable=False),
    Column("statement", String(128), nullable=False),
    Column("idempotency", String(200), nullable=True, unique=True),
    Column("submitted_at", Float, nullable=False),
    Column("accept_until", Float, nullable=False),
    Column("max_rounds", Integer, nullable=False),
    Column("version", Integer, nullable=False, default=1),
    Column("receipt", Text, nullable=False),
)
TASKS = Table(
    "tasks",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("request", String(100), ForeignKey("requests.id"), nullable=False, index=True),
    Column("tre", String(200), nullable=False),
    Column("requester", String(200), nullable=False),
    Column("state", String(30), nullable=False, index=True),
    Column("code", String(80), nullable=False),
    Column("round", Integer, nullable=False),
    Column("evidence", String(128), nullable=False),
)
RESULTS = Table(
    "results",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("task", String(100), ForeignKey("tasks.id"), nullable=False, index=True),
    Column("kind", String(10), nullable=False),  # round | end
    Column("round", Integer, nullable=False),
    Column("digest", String(128), nullable=False),
    Column("size", Integer, nullable=False),
    Column("release", Text, nullable=False),
)


# The statements in every question's path, built once.
_REQUEST = select(REQUESTS).where(REQUESTS.c.id == bindparam("request"))
_TASK = select(TASKS).where(TASKS.c.id == bindparam("task"))
_TASKS_OF = select(TASKS).where(TASKS.c.request == bindparam("of")).order_by(TASKS.c.tre)
_SAVE = update(TASKS).where(
    TASKS.c.id == bindparam("was_id"), TASKS.c.state == bindparam("was_state"), TASKS.c.round == bindparam("was_round")
)
_FORWARD = update(REQUESTS).where(REQUESTS.c.id == bindparam("changed")).values(version=REQUESTS.c.version + 1)
_RESULT = select(RESULTS.c.seq).where(
    RESULTS.c.task == bindparam("task"),
    RESULTS.c.kind == bindparam("kind"),
    RESULTS.c.round == bindparam("round"),
)
_RESULTS_OF = select(RESULTS).where(RESULTS.c.task.in_(bindparam("tasks", expanding=True))).order_by(RESULTS.c.seq)


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody enrolled at the hub: a person or a TRE's gate."""

    id: str
    kind: str
    name: str
    call_key: str
    call_public: str
    card: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the hub keeps it; the packet is a file."""

    id: str
    requester: str
    packet: str
    size: int
    statement: str
    idempotency: str | None
    submitted_at: float
    accept_until: float
    max_rounds: int
    version: int
    receipt: str


@dataclass(frozen=True, slots=True)
class StoredResult:
    """Sealed bytes that a TRE released."""

    task: str
    kind: str
    round: int
    digest: str
    size: int
    release: str


def add_party(conn: Connection, party: Party, now: float) -> None:
    """Enrol, or renew the card of, a party."""
    values = {name: getattr(party, name) for name in ("kind", "name", "call_key", "call_public", "card")}
    if conn.execute(select(PARTIES.c.id).where(PARTIES.c.id == party.id)).first():
        conn.execute(update(PARTIES).where(PARTIES.c.id == party.id).values(**values))
    else:
        conn.execute(insert(PARTIES).values(id=party.id, enrolled_at=now, **values))


def describe_party(conn: Connection, party: str, description: str) -> None:
    """Keep what a TRE says of itself."""
    conn.execute(update(PARTIES).where(PARTIES.c.id == party).values(description=description))


def party_by_key(conn: Connection, key: str) -> Party | None:
    """The party whose calls are signed with this key."""
    row = conn.execute(select(PARTIES).where(PARTIES.c.call_key == key)).first()
    return _party(row) if row else None


def party(conn: Connection, party_id: str) -> Party | None:
    """The party of an id."""
    row = conn.execute(select(PARTIES).where(PARTIES.c.id == party_id)).first()
    return _party(row) if row else None


def parties(conn: Connection, kind: str) -> list[Party]:
    """All of a kind, by name."""
    return [_party(row) for row in conn.execute(select(PARTIES).where(PARTIES.c.kind == kind).order_by(PARTIES.c.name))]


def _party(row: object) -> Party:
    names = ("id", "kind", "name", "call_key", "call_public", "card", "description")
    return Party(*(getattr(row, name) for name in names))


def add_token(conn: Connection, digest: str, label: str, expires_at: float) -> None:
    """Remember a one-time token by its digest."""
    conn.execute(insert(TOKENS).values(digest=digest, label=label, expires_at=expires_at))


def burn_token(conn: Connection, digest: str, party: str, now: float) -> bool:
    """Use a token; False when it is unknown, used or too old."""
    done = conn.execute(
        update(TOKENS)
        .where(TOKENS.c.digest == digest, TOKENS.c.used_by.is_(None), TOKENS.c.expires_at > now)
        .values(used_by=party)
    )
    return done.rowcount == 1


def add_request(conn: Connection, request: Request, tasks: Sequence[Task]) -> None:
    """A new request and its tasks."""
    conn.execute(insert(REQUESTS), {c.name: getattr(request, c.name) for c in REQUESTS.columns})
    conn.execute(insert(TASKS), [_row(task) for task in tasks])


def request(conn: Connection, request_id: str) -> Request | None:
    """The request of an id."""
    row = conn.execute(_REQUEST, {"request": request_id}).first()
    return Request(**row._mapping) if row else None


def request_by_idempotency(conn: Connection, key: str) -> Request | None:
    """The request that was submitted under an Idempotency-Key."""
    row = conn.execute(select(REQUESTS).where(REQUESTS.c.idempotency == key)).first()
    return Request(**row._mapping) if row else None


def requests_of(conn: Connection, requester: str, most: int) -> list[Request]:
    """A person's requests, newest first."""
    rows = conn.execute(
        select(REQUESTS).where(REQUESTS.c.requester == requester).order_by(REQUESTS.c.submitted_at.desc()).limit(most)
    )
    return [Request(**row._mapping) for row in rows]


def tasks_of(conn: Connection, request_id: str) -> list[Task]:
    """The tasks of a request, by TRE."""
    rows = conn.execute(_TASKS_OF, {"of": request_id})
    return [_task(row) for row in rows]


def task(conn: Connection, task_id: str) -> Task:
    """The task of an id; raises NotFound."""
    row = conn.execute(_TASK, {"task": task_id}).first()
    if row is None:
        raise NotFound("no-such-task", "There is no such task here.")
    return _task(row)


def save(conn: Connection, before: Task, after: Task) -> None:
    """Compare and set a task's state, and bring the request's version forward. Raises Conflict when it had moved."""
    was = {"was_id": before.id, "was_state": before.state, "was_round": before.round}
    if conn.execute(_SAVE, {**_row(after), **was}).rowcount != 1:
        raise Conflict("task-moved", "The task has moved on in the meantime.", remedy="Look again.")
    conn.execute(_FORWARD, {"changed": after.request})


def overdue(conn: Connection, now: float) -> list[Task]:
    """Tasks not yet in a TRE's custody whose accept-until has passed."""
    rows = conn.execute(
        select(TASKS)
        .join(REQUESTS, REQUESTS.c.id == TASKS.c.request)
        .where(TASKS.c.state.in_([State.OFFERED, State.LEASED]), REQUESTS.c.accept_until <= now)
    )
    return [_task(row) for row in rows]


def next_due(conn: Connection) -> float | None:
    """When the next waiting task would expire."""
    return conn.execute(
        select(REQUESTS.c.accept_until)
        .join(TASKS, REQUESTS.c.id == TASKS.c.request)
        .where(TASKS.c.state.in_([State.OFFERED, State.LEASED]))
        .order_by(REQUESTS.c.accept_until)
        .limit(1)
    ).scalar()


def add_result(conn: Connection, result: StoredResult) -> None:
    """Keep what a TRE released, once."""
    same = {"task": result.task, "kind": result.kind, "round": result.round}
    if conn.execute(_RESULT, same).first() is None:
        conn.execute(insert(RESULTS), {n: getattr(result, n) for n in StoredResult.__dataclass_fields__})


def results_of(conn: Connection, tasks: Sequence[str]) -> list[StoredResult]:
    """What was released of these tasks, in order."""
    rows = conn.execute(_RESULTS_OF, {"tasks": list(tasks)})
    return [StoredResult(*(getattr(row, n) for n in StoredResult.__dataclass_fields__)) for row in rows]


def owns_result(conn: Connection, digest: str, person: str) -> bool:
    """Whether these sealed bytes answer a request of this person, whoever else was sent the same."""
    answering = select(RESULTS.c.seq).join(TASKS, RESULTS.c.task == TASKS.c.id)
    owned = answering.where(RESULTS.c.digest == digest, TASKS.c.requester == person).limit(1)
    return conn.execute(owned).first() is not None


def ended(task: Task) -> bool:
    """Whether a task takes no further step."""
    return task.state in FINAL


def _row(task: Task) -> dict[str, object]:
    return {c.name: getattr(task, c.name) for c in TASKS.columns}


def _task(row: object) -> Task:
    values = {c.name: getattr(row, c.name) for c in TASKS.columns}
    values["state"] = State(values["state"])
    return Task(**values)
