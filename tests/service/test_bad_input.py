"""What is wrong with a question ends in a refusal with a code and a sentence, and in nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cinque.crate.keys import KeyRing
from cinque.crate.request import read_request
from cinque.crate.verify import RECORDS_NO, verify
from cinque.errors import CinqueError, Conflict, Forbidden, NotFound, Refused
from cinque.model.request import Audience
from tests.builders import a_random
from tests.service.harness import BASE, EVE, SECRET, World, broken_rules

YESTERDAY = BASE.date() - timedelta(days=1)
TOMORROW = BASE.date() + timedelta(days=1)

# What the TRE says, what is asked, and the code of the refusal that reaches the researcher under the TRE's signature.
REFUSALS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("unknown project", {}, {"project_id": "no-such-project"}, "unknown-project"),
    ("a project of others", {}, {"project_id": "other-project"}, "not-on-project"),
    ("person not on the project", {"project": {"people": [EVE]}}, {}, "not-on-project"),
    ("project past its date", {"project": {"valid_until": YESTERDAY}}, {}, "project-expired"),
    ("project before its date", {"project": {"valid_from": TOMORROW}}, {}, "project-not-begun"),
    ("training past its date", {"researcher": {"training_until": YESTERDAY}}, {}, "training-expired"),
    (
        "no training for sensitive data",
        {"researcher": {"training_until": None}, "dataset": {"openness": "sensitive"}},
        {},
        "training-missing",
    ),
    ("not a researcher", {"researcher": {"roles": ["operator"]}}, {}, "not-a-researcher"),
    ("agreement past its date", {"agreement": {"valid_until": YESTERDAY}}, {}, "agreement-expired"),
    ("agreement before its date", {"agreement": {"valid_from": TOMORROW}}, {}, "agreement-not-begun"),
    ("no agreement", {"agreement": {"project": "other-project"}}, {}, "no-agreement"),
    ("dataset not in the agreement", {}, {"dataset": "other-data"}, "dataset-not-in-agreement"),
    (
        "column not in the agreement",
        {"agreement": {"columns": ["sex"]}},
        {"parameters": {"where": "age > 40"}},
        "column-not-in-agreement",
    ),
    ("column that identifies people", {}, {"parameters": {"where": "nhs = 'x'"}}, "column-identifying"),
    ("analysis not approved", {"agreement": {"analyses": ["table"]}}, {}, "analysis-not-approved"),
    ("version not approved", {"agreement": {"analyses": ["count@9.9.9"]}}, {}, "analysis-not-approved"),
    ("analysis that is not installed", {}, {"analysis_version": "9.9.9"}, "analysis-version"),
    ("analysis that is unknown", {}, {"analysis": "count", "analysis_name": "secrets"}, "unknown-analysis"),
    ("more rounds than agreed", {"agreement": {"max_rounds": 1}}, {"max_rounds": 2}, "too-many-rounds"),
    ("mode not in the agreement", {}, {"mode": "pooled"}, "mode-not-in-agreement"),
    ("filter with a syntax error", {}, {"parameters": {"where": "age >"}}, "filter-syntax"),
    ("filter with a type error", {}, {"parameters": {"where": "age = 'x'"}}, "filter-type"),
    ("filter on an unknown column", {}, {"parameters": {"where": "height > 3"}}, "unknown-column"),
    ("a parameter that is none", {}, {"parameters": {"whither": "x"}}, "parameters"),
    ("a parameter of another type", {}, {"parameters": {"where": 3}}, "parameters"),
]


@pytest.mark.parametrize(("said", "asked", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_question_that_does_not_fit_is_refused_in_words(
    shared: World, said: Mapping[str, Any], asked: dict[str, Any], code: str
) -> None:
    site = shared.sites["north"]
    site.say(**said)
    packet = shared.packet(**asked) if "analysis_name" not in asked else _another_name(shared, asked["analysis_name"])
    question = shared.keep(packet)
    shared.submit(packet)
    shared.run()
    answer = shared.answer(question)
    assert [m.code for m in answer.missing] == [code]
    reason = answer.missing[0].reason
    assert len(reason) > 20
    assert reason.splitlines()[0].rstrip(".") != code
    assert SECRET not in reason
    assert str(shared.root) not in reason
    assert site.states(question.id) == ("refused",) * 3
    record = answer.records["north"]
    assert verify(record, shared.members).exit_code == RECORDS_NO
    assert broken_rules(record) == []
    task = site.task(question.id)
    with site.enclave.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM rounds WHERE task = ?", (task,)).scalar() == 0
    assert [row[2] for row in site.releases() if row[0] == task] == ["end"]  # the refusal itself
    assert site.show(question.id)["why"]["code"] == code  # what `cinque tre explain` reads
    assert not shared.errors


def _another_name(world: World, name: str) -> bytes:
    from cinque.analyses import count, registry

    registry.REGISTRY[name] = replace(count.ANALYSIS, name=name)
    try:
        return world.packet(analysis=name)
    finally:
        del registry.REGISTRY[name]


def test_an_analysis_whose_package_differs_is_refused(shared: World) -> None:
    from cinque.analyses import count, package

    files = dict(package.package(count.ANALYSIS))
    files["code.json"] = files["code.json"].replace(b"cinque.analyses", b"cinque.others")
    for changes in ({"package": files}, {"analysis_digest": "sha256:" + "0" * 64}):
        request = shared.submit(shared.packet(**changes))
        shared.run()
        assert shared.sites["north"].record(request).task.code == "analysis-differs"
        assert shared.sites["north"].states(request) == ("refused",) * 3


def test_results_are_sealed_to_the_card_of_the_person_alone(shared: World) -> None:
    """custody.examine: reply-to must be the person's own opening key; nothing is sealed to another."""
    for reply_to in [(shared.card("eve").open,), (shared.card().open, shared.card("eve").open)]:
        packet = shared.packet(reply_to=reply_to)
        request = shared.submit(packet)
        shared.run()
        site = shared.sites["north"]
        assert site.record(request).task.code == "reply-to"
        status = shared.client().status(request)
        assert status is not None
        assert status.tasks[0].state == "refused"
        assert status.tasks[0].results == ()


# ------------------------------------------------------------------------------------------- who signed, for whom, when


def test_a_person_unknown_to_the_tre_gets_a_code_and_nothing_sealed(north: World) -> None:
    packet = north.packet("mallory")
    request = north.submit(packet, "mallory")
    north.run()
    site = north.sites["north"]
    assert site.states(request) == ("refused",) * 3
    assert site.record(request).task.code == "unknown-signer"
    assert site.releases() == []


def test_a_key_that_is_not_the_persons_own_is_refused(north: World) -> None:
    """The hub looks too; here it is left out, as a hostile one would."""
    stranger = KeyRing.new({"sign": "sign"}).sign("sign")
    for key in (stranger, north.ring("eve").sign("sign"), north.ring("researcher").sign("call")):
        packet = north.packet(key=key)
        with pytest.raises(Refused):
            north.submit(packet)
        request = _past_the_hub(north, packet)
        north.run()
        assert north.sites["north"].record(request).task.state == "refused"
        assert north.sites["north"].record(request).task.code in ("unknown-signer", "requester-differs")
    assert north.sites["north"].releases() == [] or all(r[2] == "end" for r in north.sites["north"].releases())


def _past_the_hub(world: World, packet: bytes, *, task: str = "") -> str:
    """A hostile hub offers whatever it likes, as work of its own."""
    from cinque.hub import store as hub_store
    from cinque.relay import store as relay

    site = world.sites["north"]
    request = read_request(packet).statement.id
    task = task or site.task(request)
    digest = world.hub.files.put(packet)
    with world.hub.database.write() as conn:
        offer = relay.Offer(f"{task}/request/{digest[:8]}", site.card.id, "status", task, {}, ((digest, len(packet)),))  # type: ignore[arg-type]
        relay.offer(conn, hub_store.RELAY, replace(offer, kind="request"))
    world.hub.leased = lambda *_: None  # type: ignore[method-assign]  # it keeps no honest books either
    return request


def test_a_request_for_another_tre_is_refused(world: World) -> None:
    packet = world.packet(tres=["south"])
    request = _past_the_hub(world, packet)
    world.run()
    assert world.sites["north"].states(request)[1:] == ("refused", "")
    assert world.sites["north"].releases() == []


def test_a_tre_that_is_not_enrolled_is_refused_by_the_hub(shared: World) -> None:
    audience = (Audience("urn:cinque:tre:" + "A" * 43, "nowhere"),)
    with pytest.raises(Refused) as refused:
        shared.submit(shared.packet(audience=audience))
    assert refused.value.code == "tre-not-enrolled"
    assert "nowhere" in refused.value.sentence


def test_what_is_past_its_time_at_the_hub(north: World) -> None:
    packet = north.packet(accept_until=north.time() + timedelta(minutes=5))
    north.time.forward(minutes=6)
    with pytest.raises(Refused) as refused:
        north.submit(packet)
    assert refused.value.code == "expired"


def test_what_is_past_its_time_on_the_way_expires_everywhere(north: World) -> None:
    """At the gate (still at the hub), and at the enclave (still at the gate)."""
    site = north.sites["north"]
    first = north.packet(accept_until=north.time() + timedelta(minutes=5))
    question = north.keep(first)
    north.submit(first)
    north.time.forward(minutes=6)
    site.poll_hub()
    north.run()
    assert site.states(question.id)[:2] == ("refused", "refused")
    assert north.answer(question).missing[0].code == "expired"
    second = north.packet(accept_until=north.time() + timedelta(minutes=5))
    again = north.keep(second)
    north.submit(second)
    site.poll_hub()
    north.time.forward(minutes=6)
    north.run()
    assert site.states(again.id) == ("refused",) * 3
    assert north.answer(again).missing[0].code == "expired"


def test_the_hub_expires_what_no_tre_took(north: World) -> None:
    packet = north.packet(accept_until=north.time() + timedelta(minutes=5))
    question = north.keep(packet)
    north.submit(packet)
    north.time.forward(minutes=6)
    north.hub.expire()
    assert north.answer(question).missing[0].code == "expired"
    north.run()
    assert north.sites["north"].states(question.id) == ("expired", "", "")


@pytest.mark.parametrize("days", [31, 60])
def test_custody_of_more_than_thirty_days_cannot_be_asked(shared: World, days: int) -> None:
    with pytest.raises(Refused) as refused:
        shared.packet(accept_until=shared.time() + timedelta(days=days))
    assert refused.value.code == "request-custody"


def test_a_request_from_the_future_is_refused(shared: World) -> None:
    packet = shared.packet(now=shared.time() + timedelta(hours=1))
    with pytest.raises(Refused) as refused:
        shared.submit(packet)
    assert refused.value.code == "expired"


# ------------------------------------------------------------------------------------------------------------- replay


def test_the_same_packet_again_has_the_same_answer_and_no_second_run(north: World) -> None:
    packet = north.packet()
    question = north.keep(packet)
    receipt = north.hop().call("POST", "/requests", body=packet, content_type="application/zip").body
    north.run()
    site = north.sites["north"]
    first = north.answer(question).crates["north"].read_bytes()
    again = north.hop().call("POST", "/requests", body=packet, content_type="application/zip").body
    assert again == receipt
    _past_the_hub(north, packet)  # and a hub that offers it as new work
    with site.gate.database.write() as conn:
        conn.exec_driver_sql("UPDATE relay_items SET settled = 0, lease_until = 0 WHERE kind = 'request'")
    north.run()
    assert len(site.releases()) == 1
    status = north.client().status(question.id)
    assert status is not None
    assert len(status.tasks[0].results) == 1
    question.folder.crate("north").unlink()
    assert north.answer(question).crates["north"].read_bytes() == first


def test_what_the_hub_lost_comes_again_byte_for_byte(north: World) -> None:
    packet = north.packet()
    question = north.keep(packet)
    north.submit(packet)
    north.run()
    with north.hub.database.write() as conn:
        before = conn.exec_driver_sql("SELECT digest FROM results").scalars().all()
        conn.exec_driver_sql("DELETE FROM results")
        conn.exec_driver_sql("DELETE FROM relay_received")
    assert north.answer(question).missing
    _past_the_hub(north, packet)
    north.run()
    with north.hub.database.read() as conn:
        assert conn.exec_driver_sql("SELECT digest FROM results").scalars().all() == before
    assert len(north.sites["north"].releases()) == 1


def test_an_enclave_asked_twice_sends_the_same_bytes_and_runs_nothing(north: World) -> None:
    """A gate that lost what it was given, or says so: intake._seen_again."""
    site = north.sites["north"]
    packet = north.packet()
    item = site.item(packet)
    north.submit(packet)
    north.run()
    with site.enclave.database.read() as conn:
        first = conn.exec_driver_sql("SELECT id, message, sent FROM relay_outbox ORDER BY seq").all()
        runs = conn.exec_driver_sql("SELECT count(*) FROM rounds").scalar()
    assert all(row.sent for row in first)
    site.give(item)
    with site.enclave.database.read() as conn:
        again = conn.exec_driver_sql("SELECT id, message, sent FROM relay_outbox ORDER BY seq").all()
        assert conn.exec_driver_sql("SELECT count(*) FROM rounds").scalar() == runs
    assert [row[:2] for row in again] == [row[:2] for row in first]
    assert [row.id for row in again if not row.sent] == [f"{item['task']}/end"]
    assert not site.pool.waiting
    other = site.item(north.packet(), item["task"])  # other bytes under the same task: nothing at all
    north.run()
    site.give(other)
    with site.enclave.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM relay_outbox WHERE NOT sent").scalar() == 0


def test_a_nonce_counts_once_per_person(shared: World) -> None:
    """Replay under another id: the enclave's store of nonces, not the hub, refuses it."""

    def fixed(seed: str) -> Callable[[int], bytes]:
        ids, rest = a_random(seed), a_random("the same nonce")
        first = [True]

        def random(count: int) -> bytes:
            if first[0]:
                first[0] = False
                return ids(count)
            return rest(count)

        return random

    one, two = shared.packet(random=fixed("one")), shared.packet(random=fixed("two"))
    assert read_request(one).statement.nonce == read_request(two).statement.nonce
    assert read_request(one).statement.id != read_request(two).statement.id
    question, replay = shared.keep(one), shared.keep(two)
    shared.submit(one)
    shared.submit(two)
    shared.run()
    assert not shared.answer(question).missing
    assert shared.answer(replay).missing[0].code == "nonce-used"
    assert shared.sites["north"].states(replay.id) == ("refused",) * 3


def test_another_request_under_a_used_id_is_refused(shared: World) -> None:
    one = shared.packet(random=a_random("same"))
    two = shared.packet(random=a_random("same"), title="Another question")
    shared.submit(one)
    with pytest.raises(Conflict) as refused:
        shared.submit(two)
    assert refused.value.code == "request-exists"


def test_an_idempotency_key_names_one_request(shared: World) -> None:
    one, two = shared.packet(), shared.packet()
    shared.submit(one, headers={"Idempotency-Key": "k"})
    shared.submit(one, headers={"Idempotency-Key": "k"})
    with pytest.raises(Conflict) as refused:
        shared.submit(two, headers={"Idempotency-Key": "k"})
    assert refused.value.code == "request-exists"
    shared.submit(
        shared.packet("eve", project_id="other-project"), "eve", headers={"Idempotency-Key": "k"}
    )  # her own k


# ------------------------------------------------------------------------------------------- altered or not readable


def test_no_byte_of_a_request_may_change_on_the_way(north: World) -> None:
    """Past the hub, as hostile hubs do: the gate refuses, and so does an enclave whose gate looked away."""
    packet = north.packet()
    site = north.sites["north"]
    places = range(40, len(packet), len(packet) // 24)
    for place in places:
        altered = packet[:place] + bytes([packet[place] ^ 1]) + packet[place + 1 :]
        with pytest.raises(CinqueError):
            north.submit(altered)
    _offer_bytes(north, site, packet, places)
    north.run()
    with site.gate.database.read() as conn:
        states = set(conn.exec_driver_sql("SELECT state FROM tasks").scalars())
    assert states == {"refused"}
    assert site.releases() == []


def _offer_bytes(world: World, site: Any, packet: bytes, places: range) -> None:
    from cinque.hub import store as hub_store
    from cinque.relay import store as relay

    world.hub.leased = lambda *_: None  # type: ignore[method-assign]
    with world.hub.database.write() as conn:
        for place in places:
            altered = packet[:place] + bytes([packet[place] ^ 1]) + packet[place + 1 :]
            digest = world.hub.files.put(altered)
            task = f"urn:uuid:00000000-0000-5000-8000-{place:012d}"
            offer = relay.Offer(f"{task}/request", site.card.id, "request", task, {}, ((digest, len(altered)),))
            relay.offer(conn, hub_store.RELAY, offer)


@pytest.mark.parametrize(
    "packet", [b"", b"PK", b"not a zip", b"{}", b"\0" * 4096], ids=["empty", "two bytes", "text", "json", "zeros"]
)
def test_what_is_no_request_at_all(shared: World, packet: bytes) -> None:
    with pytest.raises(CinqueError) as refused:
        shared.hop().call("POST", "/requests", body=packet, content_type="application/zip")
    assert refused.value.status in (400, 422)
    assert refused.value.code not in ("internal", "http-error")


def test_a_truncated_request(shared: World) -> None:
    packet = shared.packet()
    with pytest.raises(CinqueError) as refused:
        shared.hop().call("POST", "/requests", body=packet[: len(packet) // 2], content_type="application/zip")
    assert refused.value.status in (400, 422)


def test_nothing_of_a_refused_call_is_kept_at_the_hub(north: World) -> None:
    for bad in (north.packet(key=north.ring("eve").sign("sign")), north.packet("eve")):
        with pytest.raises(CinqueError):
            north.submit(bad)
    with north.hub.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM requests").scalar() == 0
        assert conn.exec_driver_sql("SELECT count(*) FROM tasks").scalar() == 0
    assert [p for p in (north.root / "hub" / "files").rglob("*") if p.is_file()] == []


def test_who_may_not_ask_for_whom(shared: World) -> None:
    mine = shared.packet()
    with pytest.raises(Forbidden) as refused:
        shared.submit(mine, "eve")
    assert refused.value.code == "not-yours"
    shared.submit(mine)
    with pytest.raises(NotFound):
        shared.client("eve").status(read_request(mine).statement.id)


# --------------------------------------------------------------------------------- the client says it before sending


@pytest.mark.parametrize(
    ("parameters", "code", "word"),
    [
        ({"where": "age >"}, "filter-syntax", "age >"),
        ({"where": "age = 'x'"}, "filter-type", "age"),
        ({"where": "agee > 3"}, "filter-unknown-column", "age"),
        ({"where": "nhs = 'x'"}, "column-identifying", "nhs"),
    ],
)
def test_the_client_refuses_what_no_tre_could_answer(
    north: World, parameters: dict[str, Any], code: str, word: str
) -> None:
    with pytest.raises(Refused) as refused:
        north.ask(**parameters)
    assert refused.value.code == code
    assert word in str(refused.value)
    with north.hub.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM requests").scalar() == 0


def test_dates_are_read_anew_at_each_step(north: World) -> None:
    """The agreement holds at custody and is over when the output would leave."""
    site = north.sites["north"]
    site.say(agreement={"valid_until": BASE.date()}, dataset={"openness": "sensitive"})
    asked = north.ask()
    north.run()
    assert site.states(asked.id)[2] == "in review"
    north.time.forward(days=1)
    with pytest.raises(Refused) as refused:
        site.decide(asked.id, "release")
    assert refused.value.code == "agreement-expired"
    assert site.states(asked.id)[2] == "in review"
