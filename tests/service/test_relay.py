"""Leases with fencing, items nobody can take, the outbox, the long-poll, and cancels that arrive at any moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cinque.errors import Conflict, Refused, TooMany
from cinque.gate import store as gate_store
from cinque.lib.canonical import strict_loads
from cinque.lib.parse import dump
from cinque.relay import store as relay
from cinque.relay.api import LEASE_SECONDS, Waiters
from cinque.relay.below import TRIES
from cinque.sdc.judge import judge
from cinque.wire.messages import Return
from tests.service.harness import World


def lease(world: World, name: str = "north") -> list[Any]:
    found: list[Any] = world.sites[name].to_hub.real("POST", "/relay/lease?wait=0", body={}).json()["items"]
    return found


def settle(world: World, item: Any, name: str = "north") -> Any:
    """What the hub says when an item is settled: work, and what lapsed."""
    body = {"settled": [{"item": item["id"], "fence": item["fence"]}]}
    return world.sites[name].to_hub.real("POST", "/relay/lease?wait=0", body=body).json()


# ----------------------------------------------------------------------------------------------------------- leases


def test_a_lease_lapses_and_the_work_is_offered_again_behind_a_higher_fence(north: World) -> None:
    asked = north.ask()
    (first,) = lease(north)
    assert north.sites["north"].states(asked.id)[0] == "leased"
    assert lease(north) == []
    north.time.forward(seconds=LEASE_SECONDS - 1)
    assert lease(north) == []
    north.time.forward(seconds=2)
    (second,) = lease(north)
    assert (second["id"], second["fence"]) == (first["id"], first["fence"] + 1)
    assert settle(north, first)["lapsed"] == [first["id"]]
    body = {"item": first["id"], "fence": first["fence"]}
    with pytest.raises(Conflict) as refused:
        north.sites["north"].to_hub.real("POST", "/relay/heartbeat", body=body)
    assert refused.value.code == "lease-lapsed"
    assert settle(north, second) == {"items": [], "lapsed": []}
    assert settle(north, second) == {"items": [], "lapsed": []}  # twice is harmless
    north.time.forward(seconds=LEASE_SECONDS + 1)
    assert lease(north) == []


def test_a_heartbeat_keeps_a_lease(north: World) -> None:
    north.ask()
    (item,) = lease(north)
    for _ in range(3):
        north.time.forward(seconds=LEASE_SECONDS - 1)
        body = {"item": item["id"], "fence": item["fence"]}
        north.sites["north"].to_hub.real("POST", "/relay/heartbeat", body=body)
    north.time.forward(seconds=LEASE_SECONDS - 1)
    assert lease(north) == []


def test_nobody_leases_or_settles_anothers_work(world: World) -> None:
    world.ask(tres=["north"])
    assert lease(world, "south") == []
    (item,) = lease(world)
    assert settle(world, item, "south")["lapsed"] == [item["id"]]
    world.time.forward(seconds=LEASE_SECONDS + 1)
    assert [again["id"] for again in lease(world)] == [item["id"]]
    digest = item["blobs"][0]["digest"]
    with pytest.raises(Refused):
        world.sites["south"].to_hub.real("GET", f"/relay/blobs/{digest}")


@pytest.mark.parametrize("body", [{}, {"item": "x"}, {"item": 1, "fence": 1}, {"item": "x", "fence": True}, [], "x"])
def test_a_lease_is_named_in_its_form(shared: World, body: Any) -> None:
    for path, said in (("lease", {"settled": [body]}), ("heartbeat", body)):
        with pytest.raises(Refused) as refused:
            shared.sites["north"].to_hub.real("POST", f"/relay/{path}", body=said)
        assert refused.value.code == "malformed"


# ------------------------------------------------------------------------------------- what cannot be taken or sent


@pytest.mark.parametrize("error", [ValueError("surprise"), Refused("no", "No.")], ids=["unforeseen", "refused"])
def test_one_item_that_cannot_be_taken_holds_up_nobody(north: World, error: Exception) -> None:
    site = north.sites["north"]
    bad, good = north.ask(), north.ask(where="age >= 40")
    poller = next(loop for loop in site.gate_up.loops if loop.name == "poll")._tick.__self__  # type: ignore[attr-defined]
    take = poller._take
    tries: list[int] = []

    def poisoned(item: Any, blobs: Any) -> None:
        if item.task == site.task(bad.id):
            tries.append(item.fence)
            raise error
        take(item, blobs)

    poller._take = poisoned
    north.run()
    assert not north.answer(good).missing
    for _ in range(TRIES + 2):
        north.time.forward(seconds=LEASE_SECONDS + 1)
        north.run()
    assert tries == list(range(1, TRIES + 1))  # then it is given up here, in the log
    assert [event for event, _ in north.events].count("item-refused") == TRIES


def test_bytes_that_are_lost_hold_up_nobody(north: World) -> None:
    site = north.sites["north"]
    lost, good = north.ask(), north.ask(where="age >= 40")
    with north.hub.database.read() as conn:
        packet = conn.exec_driver_sql("SELECT packet FROM requests WHERE id = ?", (lost.id,)).scalar_one()
    north.hub.files.delete(packet)
    north.run()
    assert not north.answer(good).missing
    assert site.states(lost.id)[1:] == ("", "")


def test_a_return_that_is_refused_holds_up_nobody_and_is_kept(north: World) -> None:
    site = north.sites["north"]
    with site.gate.database.write() as conn:
        stray = Return("stray", "status", "urn:uuid:of-nobody", ())
        relay.send(conn, gate_store.RELAY, stray.id, dump(stray))
    asked = north.ask()
    north.run()
    assert not north.answer(asked).missing
    with site.gate.database.read() as conn:
        assert [strict_loads(raw)["id"] for _, raw in relay.unsent(conn, gate_store.RELAY, 10)] == ["stray"]


def test_a_return_that_arrives_twice_counts_once(north: World) -> None:
    site = north.sites["north"]
    asked = north.ask()
    north.run()
    version = asked.status().version
    with site.gate.database.write() as conn:
        relay.resend(conn, gate_store.RELAY, f"{site.task(asked.id)}/")
    north.run()
    assert asked.status().version == version
    with north.hub.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM audit WHERE event = 'late report'").scalar() == 0
    with north.hub.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM results").scalar() == 1


# ------------------------------------------------------------------------------------------------------------ cancel


def files(world: World) -> set[str]:
    root = world.sites["north"].home / "enclave" / "files"
    return {path.name for path in root.rglob("*") if path.is_file()}


def test_cancelled_before_any_tre_took_it(north: World) -> None:
    asked = north.ask()
    asked.cancel()
    north.run()
    assert north.sites["north"].states(asked.id) == ("cancelled", "", "")
    assert north.answer(asked).missing[0].code == "cancelled"


def test_a_cancel_that_overtakes_its_request_waits_for_it(north: World) -> None:
    site = north.sites["north"]
    asked = north.ask()
    site.poll_hub()
    (request,) = site.to_gate.real("POST", "/relay/lease?wait=0", body={}).json()[
        "items"
    ]  # leased, and the enclave dies
    asked.cancel()
    north.run()
    assert site.states(asked.id)[2] == ""
    north.time.forward(seconds=LEASE_SECONDS + 1)
    site.poll_hub()
    site.poll_gate()
    site.poll_gate()
    north.run()
    assert request["kind"] == "request"
    assert site.states(asked.id) == ("cancelled",) * 3
    assert site.releases() == []


def test_cancelled_while_it_waits_to_run(north: World) -> None:
    site = north.sites["north"]
    asked = north.ask()
    site.poll_hub()
    site.poll_gate()
    before = files(north)
    asked.cancel()
    site.poll_hub()
    site.poll_gate()
    assert site.states(asked.id)[2] == "cancelled"
    north.run()  # the worker comes to it now
    assert files(north) == before
    assert site.releases() == []
    assert site.states(asked.id) == ("cancelled",) * 3


def test_cancelled_while_it_runs_the_result_is_dropped(north: World, monkeypatch: pytest.MonkeyPatch) -> None:
    site = north.sites["north"]
    asked = north.ask()
    site.poll_hub()
    site.poll_gate()
    before = files(north)
    interrupted: list[str] = []

    def meanwhile(*args: Any) -> Any:
        monkeypatch.setattr("cinque.analyses.work.judge", judge)
        stop = site.enclave.on_cancelled

        def on_cancelled(task: str) -> None:
            interrupted.append(site.states(asked.id)[2])
            stop(task)

        site.enclave.on_cancelled = on_cancelled
        asked.cancel()
        site.poll_hub()
        site.poll_gate()
        return judge(*args)

    monkeypatch.setattr("cinque.analyses.work.judge", meanwhile)
    north.run()
    assert interrupted == ["cancelled"]  # the running query is told after the commit, so it cannot end as a failure
    assert site.states(asked.id) == ("cancelled",) * 3
    assert files(north) == before
    assert site.releases() == []


def test_cancelled_in_review_the_output_is_destroyed(north: World) -> None:
    site = north.sites["north"]
    site.say(dataset={"openness": "sensitive"})
    asked = north.ask()
    north.run()
    with site.enclave.database.read() as conn:
        output = conn.exec_driver_sql("SELECT released FROM rounds").scalar_one()
    envelope = site.decision(asked.id, "release")
    asked.cancel()
    north.run()
    assert site.states(asked.id) == ("cancelled",) * 3
    assert output not in files(north)
    with pytest.raises(Conflict):
        site.staff().call("POST", f"/tasks/{site.task(asked.id)}/decide", body=envelope)
    assert site.releases() == []


def test_cancelled_after_release_is_too_late(north: World) -> None:
    asked = north.ask()
    north.run()
    with pytest.raises(Conflict) as refused:
        asked.cancel()
    assert refused.value.code == "too-late"
    assert "released at 2026-11-23T10:00:00.000Z" in refused.value.sentence
    assert not north.answer(asked).missing


def test_a_release_committed_before_the_cancel_stands(north: World) -> None:
    site = north.sites["north"]
    asked = north.ask()
    site.poll_hub()
    site.poll_gate()
    site.work()  # released in the enclave; nobody outside knows
    asked.cancel()
    north.run()
    assert site.states(asked.id) == ("released",) * 3
    assert not north.answer(asked).missing
    with site.enclave.database.read() as conn:
        events = conn.exec_driver_sql("SELECT count(*) FROM audit WHERE detail LIKE '%too late: released at%'").scalar()
    assert events == 1


def test_cancelling_twice_is_harmless(north: World) -> None:
    asked = north.ask()
    assert asked.cancel().tasks[0].state == "cancelled"
    assert asked.cancel().tasks[0].state == "cancelled"


# --------------------------------------------------------------------------------------------------------- long-poll


class _Caller:
    """A request whose caller stays, until told to go."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def waited(waiters: Waiters, *keys: str) -> None:
    """Until somebody waits for each of these keys, and has looked."""
    while not all(map(waiters.waits, keys)):  # noqa: ASYNC110 - the thing under test is the only event there is
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)


def test_a_wake_is_heard_at_once_and_never_lost() -> None:
    async def story() -> list[str]:
        waiters, told, things = Waiters(), [], list[str]()

        async def waiter(name: str, key: str) -> None:
            found = await waiters.until(key, lambda: list(things) if key == "a" else [], 3600, _Caller())  # type: ignore[arg-type]
            told.append(f"{name} got {found}")

        first = asyncio.create_task(waiter("first", "a"))
        other = asyncio.create_task(waiter("other", "b"))
        await waited(waiters, "a", "b")
        told.append("offered")
        things.append("work")
        await asyncio.to_thread(waiters.wake, "a")
        await asyncio.wait_for(first, 20)  # not after an hour
        assert not other.done()
        waiters.close()
        await asyncio.wait_for(other, 20)
        assert not waiters.waits("a")
        return told

    assert asyncio.run(story()) == ["offered", "first got ['work']", "other got []"]


def test_a_wake_during_the_look_is_not_lost() -> None:
    async def story() -> Any:
        waiters, things, looks = Waiters(), list[str](), list[int]()

        def look() -> list[str]:
            looks.append(1)
            found = list(things)
            if len(looks) == 1:  # work arrives after this look has read the table
                things.append("work")
                waiters.wake("a")
            return found

        return await asyncio.wait_for(waiters.until("a", look, 3600, _Caller()), 20)  # type: ignore[arg-type]

    assert asyncio.run(story()) == ["work"]


def test_more_waiters_than_places_are_told_so() -> None:
    async def story() -> None:
        waiters = Waiters(places=2)
        waiting = [
            asyncio.create_task(waiters.until(key, lambda: None, 3600, _Caller()))  # type: ignore[arg-type]
            for key in ("a", "b")
        ]
        await waited(waiters, "a", "b")
        with pytest.raises(TooMany) as refused:
            await waiters.until("c", lambda: None, 3600, _Caller())  # type: ignore[arg-type]
        assert refused.value.status == 429
        waiters.close()
        await asyncio.wait_for(asyncio.gather(*waiting), 20)

    asyncio.run(story())


def test_work_is_not_leased_to_a_caller_that_has_gone() -> None:
    async def story() -> Any:
        waiters, caller, things = Waiters(), _Caller(), list[str]()
        waiting = asyncio.create_task(waiters.until("a", lambda: list(things), 3600, caller))  # type: ignore[arg-type]
        await waited(waiters, "a")
        caller.gone.set()
        found = await asyncio.wait_for(waiting, 20)
        things.append("work")
        return found

    assert asyncio.run(story()) is None
