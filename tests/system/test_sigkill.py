"""SIGKILL of every service at every step of a question: it still ends once, with the right answer, nothing released
unchecked or twice, and no question is lost.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

import pytest

from cinque.client.answer import Answer, CountAnswer, recompute
from cinque.client.request import Request
from cinque.crate.release import read_release
from cinque.crate.verify import verify
from cinque.errors import Unavailable
from cinque.lib.digest import sha512_hex
from cinque.model.lifecycle import State
from cinque.model.request import task_id
from cinque.wire.call import connect
from tests.system.small import TOWNS, Small, frozen, people, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PATIENCE = 150.0  # a lease that died with its holder lapses after 30 s, and a long-poll may pass first


@dataclass(frozen=True)
class Asked:
    """A question whose answer is known."""

    request: Request
    expected: dict[str, int]


QUESTIONS: tuple[tuple[str, dict[str, int | bool]], ...] = (
    (f"town == '{TOWNS[0]}'", {"town": 0}),
    (f"town == '{TOWNS[1]}'", {"town": 1}),
    ("smoker", {"smoker": True}),
    (f"not smoker and town != '{TOWNS[0]}' and town != '{TOWNS[1]}' or not smoker", {"smoker": False}),
)


def ask(fed: Small, number: int) -> Asked:
    """Ask; when the hub dies under it, hand the very same signed bytes in again, as often as it takes."""
    where, known = QUESTIONS[number % len(QUESTIONS)]
    expected = {name: people(name, **known) for name in fed.names}  # type: ignore[arg-type]
    before = {folder.id for folder in fed.client.home.all_requests()}
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return Asked(fed.client.ask("count", {"where": where}), expected)
        except Unavailable:
            assert time.monotonic() < deadline, "the hub never came back"
        new = [folder for folder in fed.client.home.all_requests() if folder.id not in before]
        for folder in new:
            submit(fed, folder.id, deadline)
            return Asked(fed.client.request(folder.id), expected)
        time.sleep(0.1)


def submit(fed: Small, request: str, deadline: float) -> bytes:
    """The receipt for a request that was signed already."""
    folder = fed.client.home.request(request)
    packet = folder.read("request.zip") or b""
    key = fed.client.home.ring().sign("call")
    headers = {"Idempotency-Key": sha512_hex(packet)[:64]}
    while True:
        caller = connect(fed.client.settings.hub, key)
        try:
            return caller.call("POST", "/requests", body=packet, content_type="application/zip", headers=headers).body
        except Unavailable:
            assert time.monotonic() < deadline, "the hub never came back"
            time.sleep(0.1)
        finally:
            caller.close()


def answered(fed: Small, asked: Asked) -> Answer:
    """The answer once every TRE has given its part; services may come and go meanwhile."""
    deadline = time.monotonic() + PATIENCE
    answer: Answer | None = None
    while time.monotonic() < deadline:
        try:
            answer = asked.request.answer(5.0)
        except Unavailable:
            time.sleep(0.1)
            continue
        if set(answer.answered) == set(fed.names):
            return answer
        time.sleep(0.05)
    raise AssertionError(f"the question was lost: {answer}")


def hold(fed: Small, asked: Asked) -> None:
    """All that the issue promises of one question."""
    answer = answered(fed, asked)
    assert isinstance(answer, CountAnswer)
    assert answer.people == sum(asked.expected.values())
    assert answer.missing == ()
    assert answer.exactness == "exact"
    assert verify(answer.crate, fed.client.members, recompute).exit_code == 0
    for name, card in fed.written.tres.items():
        task = task_id(asked.request.id, card.id)
        received = answer.crates[name].read_bytes()
        # once at the enclave: one point of no return, one end, of the very bytes that were received
        assert fed.rows(f"{name}-enclave", "SELECT kind, digest FROM released WHERE task = ?", task) == [
            ("end", sha512_hex(received))
        ]
        assert fed.rows(f"{name}-enclave", "SELECT state FROM tasks WHERE id = ?", task) == [("released",)]
        steps = fed.rows(f"{name}-enclave", "SELECT event FROM audit WHERE subject = ? ORDER BY seq", task)
        assert Counter(step for (step,) in steps) == Counter(["custody", "accept", "sign off", "release"])
        # nothing unchecked: the round that left was judged, and its crate says so
        (judged,) = fed.rows(f"{name}-enclave", "SELECT judgement FROM rounds WHERE task = ?", task)
        assert json.loads(judged[0])["rules"]
        filed = (fed.written.tre(name) / "enclave" / "crates").glob(f"*-{task.removeprefix('urn:uuid:')}.zip")
        assert [path.read_bytes() for path in filed] == [received]
        crate = read_release(received)
        assert (crate.statement.outcome, crate.statement.task) == ("released", task)
        assert disclosure_checks(crate.files["data/ro-crate-metadata.json"]) == ["CompletedActionStatus"]
        assert verify(received, fed.client.members).exit_code == 0
        # once at the hub
        assert len(fed.rows("hub", "SELECT digest FROM results WHERE task = ?", task)) == 1
        assert fed.rows("hub", "SELECT state FROM tasks WHERE id = ?", task) == [("released",)]


def disclosure_checks(metadata: bytes) -> list[str]:
    """How each disclosure check in a crate ended."""
    return [
        entity["actionStatus"].rpartition("/")[2]
        for entity in json.loads(metadata)["@graph"]
        if entity["@type"] == "AssessAction" and "DisclosureCheck" in json.dumps(entity.get("additionalType"))
    ]


def whole(fed: Small) -> None:
    """What must hold of the federation as a whole, whatever was killed."""
    heads: dict[str, list[str]] = {name: [] for name in fed.names}
    for name in fed.names:
        crates = sorted((fed.written.tre(name) / "enclave" / "crates").glob("*.zip"))
        released = fed.rows(f"{name}-enclave", "SELECT digest FROM released")
        assert sorted(digest for (digest,) in released) == sorted(sha512_hex(path.read_bytes()) for path in crates)
        heads[name] = [read_release(path.read_bytes()).statement.audit_head for path in crates]
        held = fed.rows(f"{name}-enclave", "SELECT count(*) FROM tasks WHERE state NOT IN ('released')")
        assert held == [(0,)]
    for service in fed.services():
        tre = service.rpartition("-")[0]
        report = fed.audited(service, heads[tre] if service.endswith("enclave") else ())
        assert report.broken_at is None, (service, report.sentence)


VICTIMS = ("hub", "north-gate", "north-enclave", "south-gate", "south-enclave")


@pytest.mark.parametrize("seed", range(25))
def test_killed_at_a_random_moment(fed: Small, seed: int) -> None:
    random = Random(seed)
    victims = {VICTIMS[seed % len(VICTIMS)]}
    if seed >= 15:  # two at once
        victims.add(random.choice([name for name in VICTIMS if name not in victims]))
    moment, pause = random.uniform(0.0, 0.6), random.uniform(0.0, 0.5)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(lambda: [ask(fed, seed + number) for number in range(3)])
        time.sleep(moment)
        for name in victims:
            fed.service(name).kill()
        time.sleep(pause)
        fed.restart(*victims)
        questions = asking.result()
    for asked in questions:
        hold(fed, asked)


def test_everything_killed_at_once(fed: Small) -> None:
    """A power cut."""
    questions = [ask(fed, number) for number in range(4)]
    time.sleep(0.05)
    for service in reversed(fed.processes.all()):
        service.kill()
    fed.restart(*fed.services())
    for asked in questions:
        hold(fed, asked)


# --- at each step of a question: the others are frozen or dead, so that the step before is the last -----


def test_the_hub_dies_with_a_question_that_no_gate_has(fed: Small) -> None:
    for name in fed.names:
        fed.service(f"{name}-gate").kill()
    asked = ask(fed, 0)
    fed.service("hub").kill()
    states = fed.rows("hub", "SELECT state FROM tasks WHERE request = ?", asked.request.id)
    assert states == [(State.OFFERED,)] * len(fed.names)
    fed.restart(*fed.services())
    hold(fed, asked)


def test_the_hub_dies_after_leasing_to_a_gate_that_never_heard_of_it(fed: Small) -> None:
    gate = fed.service("north-gate")
    with frozen(gate):
        asked = ask(fed, 1)
        task = task_id(asked.request.id, fed.written.tres["north"].id)
        until(
            lambda: fed.rows("hub", "SELECT 1 FROM tasks WHERE id = ? AND state = 'leased'", task),
            "leased to a gate whose connection stands open",
        )
        fed.service("hub").kill()
        gate.kill()
    assert fed.rows("north-gate", "SELECT 1 FROM tasks WHERE id = ?", task) == []
    fed.restart("hub", "north-gate")
    hold(fed, asked)


def test_the_gate_dies_with_a_request_in_quarantine(fed: Small) -> None:
    fed.service("north-enclave").kill()
    asked = ask(fed, 2)
    task = task_id(asked.request.id, fed.written.tres["north"].id)
    until(lambda: fed.rows("north-gate", "SELECT 1 FROM tasks WHERE id = ?", task), "in quarantine")
    fed.service("north-gate").kill()
    fed.restart("north-gate", "north-enclave")
    hold(fed, asked)


def test_the_enclave_dies_running(fed: Small) -> None:
    """More questions than it has workers, every one in its custody for good: nobody else would bring them back."""
    questions = [ask(fed, number) for number in range(8)]
    tasks = [task_id(asked.request.id, fed.written.tres["north"].id) for asked in questions]
    mine = {f"{task}/request" for task in tasks}
    settled = "SELECT id FROM relay_items WHERE settled AND kind = 'request'"
    until(lambda: mine <= {item for (item,) in fed.rows("north-gate", settled)}, "custody", pause=0)
    fed.service("north-enclave").kill()
    running = fed.rows("north-enclave", "SELECT count(*) FROM tasks WHERE state = 'running'")
    fed.restart("north-enclave")
    for asked in questions:
        hold(fed, asked)
    assert running[0][0] > 0, "the kill came too late"


def test_the_enclave_dies_after_the_point_of_no_return_before_anybody_heard(fed: Small) -> None:
    asked = ask(fed, 3)
    task = task_id(asked.request.id, fed.written.tres["north"].id)
    until(lambda: fed.rows("north-enclave", "SELECT 1 FROM tasks WHERE id = ?", task), "custody")
    with frozen(fed.service("north-gate")):
        until(lambda: fed.rows("north-enclave", "SELECT 1 FROM released WHERE task = ?", task), "released")
        fed.service("north-enclave").kill()
    fed.restart("north-enclave")
    hold(fed, asked)


def test_the_gate_dies_with_a_release_that_the_hub_has_not(fed: Small) -> None:
    asked = ask(fed, 0)
    task = task_id(asked.request.id, fed.written.tres["north"].id)
    until(lambda: fed.rows("north-enclave", "SELECT 1 FROM tasks WHERE id = ?", task), "custody")
    with frozen(fed.service("hub")):
        until(lambda: fed.rows("north-gate", "SELECT 1 FROM relay_outbox WHERE id = ?", f"{task}/end"), "in the outbox")
        fed.service("north-gate").kill()
    fed.restart("north-gate")
    hold(fed, asked)


def test_the_hub_dies_with_a_result_that_nobody_has_fetched(fed: Small) -> None:
    asked = ask(fed, 1)
    task = task_id(asked.request.id, fed.written.tres["north"].id)
    until(lambda: fed.rows("hub", "SELECT 1 FROM results WHERE task = ?", task), "the result is at the hub")
    fed.service("hub").kill()
    fed.restart("hub")
    hold(fed, asked)


def test_the_hub_dies_between_its_commit_and_its_receipt(fed: Small) -> None:
    """The gate hands the same return in again; the hub keeps one result."""

    def strike(asked: Asked, task: str) -> bool:
        until(
            lambda: fed.rows("hub", "SELECT 1 FROM results WHERE task = ?", task), "the result is at the hub", pause=0
        )
        fed.service("hub").kill()
        return fed.rows("north-gate", "SELECT sent FROM relay_outbox WHERE id = ?", f"{task}/end") == [(0,)]

    hit(fed, strike, "hub")


def test_the_gate_dies_between_its_commit_and_its_receipt(fed: Small) -> None:
    def strike(asked: Asked, task: str) -> bool:
        until(lambda: fed.rows("north-gate", "SELECT 1 FROM relay_outbox WHERE id = ?", f"{task}/end"), "sent", pause=0)
        fed.service("north-gate").kill()
        return fed.rows("north-enclave", "SELECT sent FROM relay_outbox WHERE id = ?", f"{task}/end") == [(0,)]

    hit(fed, strike, "north-gate")


def hit(fed: Small, strike: Callable[[Asked, str], bool], victim: str, tries: int = 6) -> None:
    """Kill at a moment that a few tries find; every try has to come out right, and one must have been in time."""
    hits = 0
    for number in range(tries):
        asked = ask(fed, number)
        hits += strike(asked, task_id(asked.request.id, fed.written.tres["north"].id))
        fed.restart(victim)
        hold(fed, asked)
        if hits:
            return
    pytest.skip(f"{tries} kills came too late to fall between the two commits; all of them came out right")


# --- what was stored is what is given again --------------------------------------------------------------------------


def test_the_same_packet_again_is_the_same_question(fed: Small) -> None:
    """After a restart of everything: the first receipt, the stored bytes, no second run."""
    asked = ask(fed, 2)
    hold(fed, asked)
    results = fed.rows("hub", "SELECT task, digest FROM results ORDER BY task")
    receipt = submit(fed, asked.request.id, time.monotonic() + 10)
    for service in fed.processes.all():
        service.kill()
    fed.restart(*fed.services())
    assert submit(fed, asked.request.id, time.monotonic() + 30) == receipt
    time.sleep(0.5)
    assert fed.rows("hub", "SELECT task, digest FROM results ORDER BY task") == results
    hold(fed, asked)


def test_a_second_delivery_gives_the_stored_bytes(fed: Small) -> None:
    """A hub that forgot that a gate took the request offers it again: the same bytes come back, no second run."""
    asked = ask(fed, 3)
    hold(fed, asked)
    task = task_id(asked.request.id, fed.written.tres["north"].id)
    before = {n: (fed.written.tre(n) / "enclave" / "crates").stat().st_mtime_ns for n in fed.names}
    for service in ("hub", "north-gate"):
        fed.service(service).kill()
    forget(fed, "hub", task)
    forget(fed, "north-gate", task)
    with sqlite3.connect(fed.database("north-enclave")) as conn:
        conn.execute("UPDATE relay_outbox SET receipt = NULL WHERE id = ?", (f"{task}/end",))
    conn.close()
    fed.restart("hub", "north-gate")
    until(
        lambda: fed.rows("north-gate", "SELECT 1 FROM relay_items WHERE id = ? AND settled", f"{task}/request"),
        "delivered again",
        60,
    )
    until(
        lambda: fed.rows("north-enclave", "SELECT receipt FROM relay_outbox WHERE id = ?", f"{task}/end") != [(None,)],
        "the stored end was handed in again",
    )
    hold(fed, asked)
    assert before == {n: (fed.written.tre(n) / "enclave" / "crates").stat().st_mtime_ns for n in fed.names}


def forget(fed: Small, service: str, task: str) -> None:
    """As if the work had been leased once more and never settled: the earlier fence counts no longer."""
    with sqlite3.connect(fed.database(service)) as conn:
        conn.execute(
            "UPDATE relay_items SET settled = 0, lease_until = 0, fence = fence + 1 WHERE id = ?", (f"{task}/request",)
        )
    conn.close()


def test_at_the_end_every_record_holds(fed: Small) -> None:
    """The last test of this file: audit chains with every published head, and the crates on disk."""
    whole(fed)
