"""A whole federation of real services, stepped by hand: no socket, no thread of a service, no waiting, and a clock of
the test's own. What crosses each hop can be looked at or replaced, so that a test can stand in for a hostile hub or a
gate that lies.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import pyarrow as pa

from cinque.analyses import package, registry
from cinque.analyses.analysis import Analysis
from cinque.client.answer import Answer
from cinque.client.client import Client
from cinque.client.home import ClientHome
from cinque.client.request import Request as Asked
from cinque.crate import dsse, phases
from cinque.crate.cards import HubCard, Members, PersonCard, TreCard, read_card
from cinque.crate.check import check, load_for_check
from cinque.crate.keys import KeyRing, SigningKey
from cinque.crate.phases import Organization, Software, sign_gate_record
from cinque.crate.request import Question, compose_request, read_request
from cinque.enclave import store as enclave_store
from cinque.enclave import worker as enclave_worker
from cinque.enclave.intake import take
from cinque.enclave.loop import Housekeeping
from cinque.enclave.main import open_enclave
from cinque.enclave.service import Enclave
from cinque.errors import CinqueError, Unavailable
from cinque.federation import homes
from cinque.federation.plan import ORCID, PROJECT, PlannedTre, Ports, tables, toml, write
from cinque.federation.tables import write_parquet
from cinque.gate import store as gate_store
from cinque.gate.main import open_gate
from cinque.gate.service import Gate
from cinque.hub import store as hub_store
from cinque.hub.main import open_hub
from cinque.lib.canonical import canonical
from cinque.lib.clock import rfc3339
from cinque.lib.ids import Random, system_random
from cinque.lib.parse import dump, parse
from cinque.model.request import Audience, task_id
from cinque.relay import store as relay
from cinque.relay.below import Sender
from cinque.relay.running import Running
from cinque.sdc.appetite import Appetite
from cinque.storage.database import Database
from cinque.wire.call import Caller, LocalTransport, Reply, local_loop
from cinque.wire.messages import Blob, Enrolment, Item
from tests.analyses import several_rounds

BASE = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
TRES = ("north", "south", "east")
BEN = "urn:uuid:0b9d3c2e-8f52-4a6e-9b1c-5d2f7a1e4c10"  # operator and checker at every TRE
EVE = "urn:uuid:5f0f8a3e-6d3c-4d0e-8a51-2f7f1f0f9d11"  # a researcher known to every TRE, on another project
MALLORY = "urn:uuid:9e1c55f2-02a4-4a8b-b7a5-7f7a1c9d3e22"  # enrolled at the hub, known to no TRE
PEOPLE = {"researcher": ORCID, "ben": BEN, "eve": EVE, "mallory": MALLORY}
NAMES = {"researcher": "Josiah Carberry", "ben": "Ben Example", "eve": "Eve Example", "mallory": "Mallory Example"}
APPETITE = {"threshold": 10, "zeros": "suppress", "source": "tests"}
SECRET = "marker-of-a-row-value"  # a value in every TRE's data that must never be seen outside it

registry.REGISTRY.setdefault(several_rounds.ANALYSIS.name, several_rounds.ANALYSIS)
LOOP = cache(lambda: local_loop("tests"))


def rows(tre: str) -> dict[str, list[Any]]:
    """One row a person. north: 600 people, south: 450, east: 300; ages 20 to 79, a third of them F."""
    count = {"north": 600, "south": 450, "east": 300}[tre]
    return {
        "nhs": [f"{SECRET}-{tre}-{i}" for i in range(count)],
        "sex": ["F" if i % 3 == 0 else "M" for i in range(count)],
        "age": [20 + (i * 7) % 60 for i in range(count)],
    }


DATASET: dict[str, Any] = {
    "id": "data",
    "release": "1",
    "title": "People",
    "openness": "public",
    "source": {"file": "data/data.parquet"},
    "columns": [
        {"name": "nhs", "type": "text", "identifying": True},
        {"name": "sex", "type": "text", "levels": ["F", "M"]},
        {"name": "age", "type": "integer"},
    ],
}
AGREEMENT: dict[str, Any] = {
    "id": "open-to-all",
    "version": "1",
    "project": PROJECT,
    "datasets": ["data"],
    "analyses": ["count", "table", "median-interval"],
    "lawful_basis": "Public data",
    "valid_from": BASE.date() - timedelta(days=30),
    "valid_until": BASE.date() + timedelta(days=365),
    "sign_off": "automatic",
    "release": "automatic",
    "max_rounds": 100,
}


class Crash(BaseException):
    """The process dies here: nothing in the services catches it."""


class Time:
    """The clock of every service and client."""

    def __init__(self) -> None:
        self.now = BASE

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


class Send(Protocol):
    def __call__(self, method: str, path: str, *, body: Any = None, **rest: Any) -> Reply: ...


Tap = Callable[[Send, str, str, Any, dict[str, Any]], Reply]


class Hop(Caller):
    """A caller that never long-polls. `tap`, when set, stands in the middle: it gets the real call and may change what
    is said, what is answered, or both.
    """

    tap: Tap | None = None
    down = False

    def call(self, method: str, path: str, *, body: Any = None, **rest: Any) -> Reply:
        path = "/relay/lease?wait=0" if path.startswith("/relay/lease") else path
        if self.down:
            raise Unavailable("no-answer", "Nobody answers.")
        if self.tap is None:
            return self.real(method, path, body=body, **rest)
        return self.tap(self.real, method, path, body, rest)

    def real(self, method: str, path: str, *, body: Any = None, **rest: Any) -> Reply:
        try:
            return super().call(method, path, body=body, **rest)
        except Crash:  # the service called died in the middle of the call
            raise Unavailable("no-answer", "Nobody answers.") from None


def forger(named: SigningKey) -> SigningKey:
    """A key that names another's and signs with its own."""
    return SigningKey(named.id, named.public, SigningKey.generate(system_random)._key)


class Pool:
    """The worker's threads, as a list of what is to be done when the test says so."""

    def __init__(self, *_: Any) -> None:
        self.waiting: list[tuple[Callable[..., Any], Any]] = []

    def submit(self, work: Callable[..., Any], *args: Any) -> None:
        self.waiting.append((work, args))

    def shutdown(self, **_: Any) -> None:
        self.waiting.clear()


@dataclass
class Site:
    """One TRE: its gate and enclave, and what each is asked to do next."""

    world: World
    name: str
    card: TreCard
    home: Path
    to_hub: Hop
    to_gate: Hop = field(init=False)
    gate: Gate = field(init=False)
    gate_up: Running = field(init=False)
    enclave: Enclave = field(init=False)
    enclave_up: Running = field(init=False)
    pool: Pool = field(init=False)

    def open_gate(self) -> None:
        self.gate, self.gate_up = open_gate(self.home, self.world.log, hub=self.to_hub, clock=self.world.time)

    def open_enclave(self) -> None:
        ring = KeyRing.load(self.home / "enclave" / "keys.json", None)
        transport = LocalTransport(self.gate_up.app, LOOP(), f"http://{self.name}.localhost")
        tap = self.to_gate.tap if hasattr(self, "to_gate") else None
        self.to_gate = Hop(transport, ring.sign("call"), clock=self.world.time)
        self.to_gate.tap = tap
        self.pool = Pool()
        with patch.object(enclave_worker, "ThreadPoolExecutor", lambda *_: self.pool):
            self.enclave, self.enclave_up = open_enclave(
                self.home, self.world.log, gate=self.to_gate, clock=self.world.time
            )

    def restart_gate(self) -> None:
        _stop(self.gate_up)
        self.open_gate()
        self.restart_enclave()  # whose caller speaks to the application that is gone

    def restart_enclave(self) -> None:
        _stop(self.enclave_up)
        self.open_enclave()

    def poll_hub(self) -> None:
        _loop(self.gate_up, "poll").once()

    def send_to_hub(self) -> bool:
        return _send(self.gate_up, self.gate.database, gate_store.RELAY)

    def poll_gate(self) -> None:
        _loop(self.enclave_up, "poll").once()

    def send_to_gate(self) -> bool:
        return _send(self.enclave_up, self.enclave.database, enclave_store.RELAY)

    def work(self) -> bool:
        """Run what the worker was given."""
        waiting, self.pool.waiting = self.pool.waiting, []
        for work, args in waiting:
            work(*args)
        return bool(waiting)

    def task(self, request: str) -> str:
        return task_id(request, self.card.id)

    def record(self, request: str) -> enclave_store.Record:
        with self.enclave.database.read() as conn:
            return enclave_store.get(conn, self.task(request))

    def states(self, request: str) -> tuple[str, str, str]:
        """How hub, gate and enclave say that this TRE's task stands; "" where it is unknown."""
        task = self.task(request)
        with self.world.hub.database.read() as conn:
            try:
                hub = str(hub_store.task(conn, task).state)
            except CinqueError:
                hub = ""
        with self.gate.database.read() as conn:
            at_gate = gate_store.task(conn, task)
        with self.enclave.database.read() as conn:
            inside = enclave_store.find(conn, task)
        return hub, str(at_gate.state) if at_gate else "", str(inside.task.state) if inside else ""

    def item(self, packet: bytes, task: str = "", kind: str = "request") -> dict[str, Any]:
        """A request as this TRE's gate would hand it on, with a record that it signed well: a gate may record lies."""
        request = read_request(packet)
        ring = KeyRing.load(self.home / "gate" / "keys.json", None)
        task = task or task_id(request.statement.id, self.card.id)
        agent = Software("Cinque gate", "1", Organization(self.card.id, self.card.title))
        checks = (phases.check(agent, self.world.time()),)
        record = sign_gate_record(task, request.digest, checks, ring.sign("record")).decode()
        blobs = [dump(Blob.of(packet))]
        told = {"id": f"{task}/request", "kind": kind, "task": task, "body": {"record": record}, "blobs": blobs}
        return told | {"fence": 1, "lease_until": "0"}

    def give(self, item: Mapping[str, Any]) -> None:
        """Hand an item straight to the enclave."""
        found = parse(Item, item, "An item")
        take(self.enclave, found, [blob.data() or b"" for blob in found.blobs])

    def releases(self) -> list[tuple[str, int, str, str]]:
        """All that this enclave ever let go."""
        with self.enclave.database.read() as conn:
            return enclave_store.releases(conn)

    def say(
        self,
        *,
        agreement: Mapping[str, Any] | None = None,
        project: Mapping[str, Any] | None = None,
        researcher: Mapping[str, Any] | None = None,
        dataset: Mapping[str, Any] | None = None,
        revoked: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Write the TRE's folder: as usual but for what is given (a value of None takes a field away)."""
        write_say(self.home / "tre", agreement, project, researcher, dataset, revoked)

    def staff(self, person: str = "ben") -> Hop:
        """A person of the TRE calling its enclave."""
        ring = self.world.ring(person)
        transport = LocalTransport(self.enclave_up.app, LOOP(), f"http://{self.name}-enclave.localhost")
        return Hop(transport, ring.sign("call"), clock=self.world.time)

    def show(self, request: str, person: str = "ben") -> dict[str, Any]:
        """`cinque tre show`."""
        found: dict[str, Any] = self.staff(person).call("GET", f"/tasks/{self.task(request)}").json()
        return found

    def decision(self, request: str, decision: str, person: str = "ben", **changes: Any) -> bytes:
        """A signed decision: of what is shown, with a reason, unless a keyword says otherwise."""
        key = changes.pop("key", None) or self.world.ring(person).sign("sign")
        seen = "" if decision in ("sign-off", "refuse") else self.show(request).get("seen", "")
        body = {
            "type": "https://w3id.org/cinque/statement/decision",
            "version": 1,
            "task": self.task(request),
            "decision": decision,
            "reason": "It was looked at.",
            "answer": "",
            "seen": seen,
            "at": rfc3339(self.world.time()),
        }
        return dsse.seal_envelope(body["type"], canonical(body | changes), key)  # type: ignore[arg-type]

    def decide(self, request: str, decision: str, person: str = "ben", **changes: Any) -> dict[str, Any]:
        envelope = self.decision(request, decision, person, **changes)
        path = f"/tasks/{self.task(request)}/decide"
        found: dict[str, Any] = self.staff(person).call("POST", path, body=envelope).json()
        return found


class World:
    """Hub, TREs and people, over the homes in `root`."""

    def __init__(self, root: Path, tres: Sequence[str] = TRES) -> None:
        self.root = root
        self.time = Time()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[CinqueError] = []
        self.latest = ""  # id of the request that was asked last
        self.to_hub: list[Hop] = []
        self.open_hub()
        self.sites: dict[str, Site] = {}
        for name in tres:
            home = root / "tres" / name
            card = read_card((home / "tre.card.json").read_bytes())
            assert isinstance(card, TreCard)
            ring = KeyRing.load(home / "gate" / "keys.json", None)
            site = Site(self, name, card, home, self.hub_caller(ring.sign("transport")))
            site.open_gate()
            site.open_enclave()
            self.sites[name] = site
        self.hops: dict[str, Hop] = {}
        self.clients: dict[str, Client] = {}

    def open_hub(self) -> None:
        self.hub, self.hub_up = open_hub(self.root / "hub", self.log, clock=self.time)
        for hop in self.to_hub:
            hop._transport = LocalTransport(self.hub_up.app, LOOP(), "http://hub.localhost")

    def restart_hub(self) -> None:
        _stop(self.hub_up)
        self.open_hub()

    def hub_caller(self, key: SigningKey | None) -> Hop:
        hop = Hop(LocalTransport(self.hub_up.app, LOOP(), "http://hub.localhost"), key, clock=self.time)
        self.to_hub.append(hop)
        return hop

    def log(self, event: str, **about: Any) -> None:
        self.events.append((event, about))

    def close(self) -> None:
        for site in self.sites.values():
            _stop(site.enclave_up)
            _stop(site.gate_up)
        _stop(self.hub_up)

    # --- people ----------------------------------------------------------------------------------------------------

    def home(self, person: str) -> Path:
        return self.root if person == "researcher" else self.root / "people" / person

    def ring(self, person: str) -> KeyRing:
        return KeyRing.load(self.home(person) / "keys.json", None)

    def hop(self, person: str = "researcher") -> Hop:
        """How a person calls the hub."""
        if person not in self.hops:
            self.hops[person] = self.hub_caller(self.ring(person).sign("call"))
        return self.hops[person]

    def client(self, person: str = "researcher") -> Client:
        if person not in self.clients:
            home = ClientHome(self.home(person))
            self.clients[person] = Client(home, self.hop(person), home.ring(), clock=self.time)
        return self.clients[person]

    def card(self, person: str = "researcher") -> PersonCard:
        return ClientHome(self.home(person)).card()

    @property
    def members(self) -> Members:
        return Members.load(self.root / "members.json")

    # --- asking ----------------------------------------------------------------------------------------------------

    def ask(self, analysis: str = "count", tres: Sequence[str] = ("north",), **parameters: Any) -> Asked:
        """The researcher asks, as anybody does."""
        asked = self.client().ask(analysis, parameters, tres=tres)
        self.latest = asked.id
        return asked

    def packet(self, person: str = "researcher", tres: Sequence[str] = ("north",), **changes: Any) -> bytes:
        """A signed request that nobody has checked: valid unless a keyword says otherwise."""
        analysis: Analysis[Any] = registry.get(changes.pop("analysis", "count"))
        key: SigningKey = changes.pop("key", None) or self.ring(person).sign("sign")
        random: Random = changes.pop("random", system_random)
        card = changes.pop("requester", None) or self.card(person)
        now = changes.pop("now", self.time())
        asked: dict[str, Any] = {
            "title": "A question",
            "description": "A question.",
            "requester": card,
            "project_id": PROJECT,
            "project_name": PROJECT,
            "dataset": "data",
            "analysis": analysis.name,
            "analysis_version": analysis.version,
            "analysis_digest": package.digest(package.package(analysis)),
            "package": package.package(analysis),
            "parameters": {},
            "audience": tuple(Audience(self.sites[name].card.id, name) for name in tres),
            "accept_until": now + timedelta(days=7),
            "reply_to": (card.open,),
            "max_rounds": analysis.rounds,
        }
        return compose_request(Question(**(asked | changes)), key, now=now, random=random)

    def submit(self, packet: bytes, person: str = "researcher", **rest: Any) -> str:
        """Hand a request to the hub without the client's own checks; its id."""
        self.hop(person).call("POST", "/requests", body=packet, content_type="application/zip", **rest)
        return read_request(packet).statement.id

    def keep(self, packet: bytes) -> Asked:
        """The researcher's folder of a request that was composed by `packet`."""
        statement = read_request(packet).statement
        folder = self.client().home.new_request(statement.id)
        tres = {a.id: a.name for a in statement.audience}
        folder.write("question.json", canonical({"title": "A question", "tres": tres, "analysis": statement.analysis}))
        folder.write("request.zip", packet)
        return Asked(self.client(), folder)

    # --- steps -----------------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Every party does what there is for it to do, once; whether anything moved. Failures are kept in `errors`."""
        moved = False
        for site in self.sites.values():
            before = len(self.errors)
            for act in (site.poll_hub, site.poll_gate, site.work, site.send_to_gate, site.send_to_hub):
                try:
                    moved = bool(act()) or moved
                except CinqueError as error:
                    self.errors.append(error)
            moved = moved and len(self.errors) == before
        return moved or self._leasable()

    def _leasable(self) -> bool:
        now = self.time().timestamp()
        with self.hub.database.read() as conn:
            if any(relay.waiting(conn, hub_store.RELAY, site.card.id, now) for site in self.sites.values()):
                return not any(site.to_hub.down or site.to_hub.tap for site in self.sites.values())
        for site in self.sites.values():
            with site.gate.database.read() as conn:
                if relay.waiting(conn, gate_store.RELAY, "enclave", now) and not (
                    site.to_gate.down or site.to_gate.tap
                ):
                    return True
        return False

    def run(self, most: int = 60) -> None:
        """Until nothing moves any more."""
        for _ in range(most):
            if not self.step():
                return
        raise AssertionError("the federation does not come to rest")

    def describe(self) -> None:
        """Every TRE tells the hub what may be asked there."""
        for site in self.sites.values():
            Housekeeping(site.enclave).describe()
        self.run()

    def answer(self, asked: Asked) -> Answer:
        return asked.answer(timeout=0)


def _loop(up: Running, name: str) -> Any:
    return next(loop for loop in up.loops if loop.name == name)


def _send(up: Running, database: Database, outbox: Any) -> bool:
    sender: Sender = _loop(up, "send")._tick.__self__

    def left() -> list[int]:  # what it has set aside would be tried again only after seconds of waiting
        with database.read() as conn:
            return [seq for seq, _ in relay.unsent(conn, outbox, 100, sender._set_aside)]

    before = left()
    if before:
        sender.tick()
    return left() != before


def _stop(up: Running) -> None:
    with suppress(Exception):
        up.stop()


def write_say(
    folder: Path,
    agreement: Mapping[str, Any] | None = None,
    project: Mapping[str, Any] | None = None,
    researcher: Mapping[str, Any] | None = None,
    dataset: Mapping[str, Any] | None = None,
    revoked: Sequence[tuple[str, str]] = (),
) -> None:
    """The folder of a TRE's say."""
    day = BASE.date()

    def put(name: str, text: str) -> None:
        (folder / name).write_text(text, "utf-8")

    def person(name: str, *roles: str) -> dict[str, Any]:
        return {
            "id": PEOPLE[name],
            "name": NAMES[name],
            "card": f"people/{name}.card.json",
            "roles": list(roles),
            "training_until": day + timedelta(days=200),
        }

    people = [
        person("researcher", "researcher", "operator", "checker") | dict(researcher or {}),
        person("ben", "operator", "checker"),
        person("eve", "researcher"),
    ]
    usual = {"valid_from": day - timedelta(days=30), "valid_until": day + timedelta(days=365)}
    projects = [
        {"id": PROJECT, "name": PROJECT, "people": [ORCID], **usual} | dict(project or {}),
        {"id": "other-project", "name": "Another", "people": [EVE], **usual},
    ]
    put("people.toml", tables("person", people))
    put("projects.toml", tables("project", projects))
    other = AGREEMENT | {"id": "of-the-other", "project": "other-project", "datasets": ["data"]}
    put("agreements.toml", tables("agreement", [AGREEMENT | dict(agreement or {}), other]))
    put("datasets/data.toml", toml(DATASET | dict(dataset or {})))
    gone = [{"what": what, "id": id, "on": day, "reason": "For a test."} for what, id in revoked]
    put("revoked.toml", tables("revoked", gone) if gone else "")


def build(root: Path) -> None:
    """Write every home, enrol everybody, and stop: what the worlds of the tests are copies of."""
    time = Time()
    planned = []
    for name in TRES:
        source = root / "tables" / f"{name}.parquet"
        write_parquet(pa.table(rows(name)), source)
        files = {"data/data.parquet": source}
        planned.append(PlannedTre(name, name.title(), [DATASET], [AGREEMENT], files, Appetite("custom", **_custom())))
    written = write(root, planned, dataset="data", today=BASE.date(), ports=Ports())
    cards: dict[str, bytes] = {name: card.envelope for name, card in written.tres.items()}
    cards["researcher"] = written.person.envelope
    for name in ("ben", "eve", "mallory"):
        home = root / "people" / name
        ring = homes.new_keys(home)
        card = homes.person_card(
            home, ring, id=PEOPLE[name], name=NAMES[name], affiliation="Example University", today=BASE.date()
        )
        homes.connect_person(home, "http://hub.localhost", written.members, project=PROJECT, dataset="data")
        cards[name] = card.envelope
    for name in TRES:
        folder = written.tre(name) / "tre"
        for person in ("ben", "eve"):
            shutil.copy(root / "people" / person / "person.card.json", folder / "people" / f"{person}.card.json")
        write_say(folder)
    hub, up = open_hub(written.hub, lambda *_, **__: None, clock=time)
    caller = Caller(LocalTransport(up.app, LOOP(), "http://hub.localhost"), None, clock=time)
    for name, card_bytes in cards.items():
        caller.call("POST", "/enrol", body=dump(Enrolment(hub.roster.invite(name), card_bytes.decode())))
    _stop(up)
    world = World(root)
    world.describe()
    world.close()


def _custom() -> dict[str, Any]:
    return {"source": "tests", "threshold": APPETITE["threshold"], "zeros": APPETITE["zeros"]}


@contextmanager
def a_world(template: Path, root: Path, tres: Sequence[str] = TRES) -> Iterator[World]:
    """A copy of the template, running."""
    shutil.copytree(template, root)
    world = World(root, tres)
    try:
        yield world
    finally:
        world.close()


def hub_card(world: World) -> HubCard:
    """The hub's own card."""
    card = read_card((world.root / "hub" / "hub.card.json").read_bytes())
    assert isinstance(card, HubCard)
    return card


def broken_rules(crate: Path, *levels: str) -> list[tuple[str, str]]:
    """Rules of the profile (of these levels, or any) that a crate on disk breaks: (rule, message)."""
    metadata, files = load_for_check(crate)
    found = check(metadata, files=files).findings
    return [(one.rule, one.message) for one in found if one.level in levels or not levels]
