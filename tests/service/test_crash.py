"""Each service dies before and after each of its commits, is started again on the same home, and the question still
ends once, with the right answer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cinque.crate.request import read_request
from cinque.enclave import store
from cinque.errors import CinqueError
from cinque.storage import audit
from cinque.storage.database import Database
from tests.service.harness import Crash, World, a_world

SERVICES = ("hub", "gate", "enclave")


@pytest.fixture(scope="module")
def mortal(template: Path, place: Path) -> Iterator[World]:
    with a_world(template, Path(tempfile.mkdtemp(dir=place)) / "world", ("north",)) as found:
        yield found


def doomed(database: Database, at: int, before: bool) -> Callable[[], bool]:
    """Let the service die at its `at`-th write transaction, just before or just after its commit; whether it did."""
    real = database.write
    seen = [0]

    @contextmanager
    def write(**how: bool) -> Iterator[Any]:
        seen[0] += 1
        dies = seen[0] == at
        with real(**how) as conn:
            yield conn
            if dies and before:
                raise Crash
        if dies:
            raise Crash

    database.write = write  # type: ignore[method-assign]
    return lambda: seen[0] >= at


def carried_on(world: World, service: str, died: Callable[[], bool]) -> None:
    """Step until everything rests; the one that died is started again, its leases lapse."""
    site = world.sites["north"]
    restart = {"hub": world.restart_hub, "gate": site.restart_gate, "enclave": site.restart_enclave}[service]
    restarted = False
    for _ in range(40):
        moved = True
        with suppress(Crash):
            moved = world.step()
        if died() and not restarted:
            restarted = True
            restart()
            world.time.forward(seconds=31)
        elif not moved:
            return
    raise AssertionError("the federation does not come to rest")


@pytest.mark.parametrize("before", [True, False], ids=["before its commit", "after its commit"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_dies_at_every_commit(mortal: World, service: str, before: bool) -> None:
    world, site = mortal, mortal.sites["north"]
    for at in range(1, 60):
        packet = world.packet()
        asked = world.keep(packet)
        databases = {"hub": world.hub.database, "gate": site.gate.database, "enclave": site.enclave.database}
        database = databases[service]
        died = doomed(database, at, before)
        for _ in range(2):  # who got no receipt sends the same again
            try:
                world.submit(packet)
                break
            except CinqueError:
                world.restart_hub()
        carried_on(world, service, died)
        ended = died()
        if service == "hub":
            world.restart_hub()  # unharmed, for who reads the answer
        where = f"{service}, write {at}, {'before' if before else 'after'} its commit"
        assert (world.answer(asked).values or {}).get("people") == 600, where
        assert site.states(asked.id) == ("released",) * 3, where
        task = site.task(asked.id)
        assert [row[2] for row in site.releases() if row[0] == task] == ["end"], where
        with world.hub.database.read() as conn:
            results = conn.exec_driver_sql("SELECT count(*) FROM results WHERE task = ?", (task,)).scalar()
        assert results == 1, where
        if not ended:
            break
    else:
        raise AssertionError("there are more commits than this test looks at")
    assert at > 4  # it did die at several
    with site.enclave.database.read() as conn:
        assert audit.verify(conn, store.AUDIT).broken_at is None
    for one in (world.hub.database, site.gate.database, site.enclave.database):
        one.__dict__.pop("write", None)


@pytest.mark.parametrize("before", [True, False], ids=["before its commit", "after its commit"])
def test_the_enclave_dies_while_a_checker_decides(mortal: World, before: bool) -> None:
    world, site = mortal, mortal.sites["north"]
    for decision, state in (("release", "released"), ("withhold", "withheld")):
        site.say(dataset={"openness": "sensitive"})
        asked = world.ask()
        world.run()
        assert site.states(asked.id)[2] == "in review"
        envelope = site.decision(asked.id, decision)
        # The first write is the call's token, the second the decision itself.
        doomed(site.enclave.database, 2, before)
        path = f"/tasks/{site.task(asked.id)}/decide"
        with pytest.raises(CinqueError):
            site.staff().call("POST", path, body=envelope)
        site.restart_enclave()
        inside = site.states(asked.id)[2]
        assert inside == ("in review" if before else state)
        if before:
            site.staff().call("POST", path, body=envelope)
        world.run()
        assert site.states(asked.id) == (state,) * 3
        task = site.task(asked.id)
        assert [row[2] for row in site.releases() if row[0] == task] == ["end"]
        with site.enclave.database.read() as conn:
            kept = conn.exec_driver_sql("SELECT count(*) FROM decisions WHERE task = ?", (task,)).scalar()
        assert kept == 1
        crates = [p.name for p in (site.home / "enclave" / "crates").iterdir() if task[9:] in p.name]
        assert crates == [f"{state}-{task[9:]}.zip"]
        site.say()


def test_the_same_home_opens_the_same_request(mortal: World) -> None:
    """What a gate or an enclave took is still there after it was started again, without anybody's help."""
    world, site = mortal, mortal.sites["north"]
    packet = world.packet()
    asked = world.keep(packet)
    world.submit(packet)
    site.poll_hub()
    site.restart_gate()
    assert site.states(asked.id)[1] == "leased"
    site.poll_gate()
    site.restart_enclave()
    assert site.states(asked.id)[2] == "running"
    assert len(site.pool.waiting) == 1  # taken up again at the start
    world.run()
    assert (world.answer(asked).values or {})["people"] == 600
    assert read_request(packet).statement.id == asked.id
