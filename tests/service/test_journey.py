"""The journey of a question through real services: answered, held, decided upon by people, refused, explained."""

from __future__ import annotations

from typing import Any

import pytest

import cinque
from cinque.analyses import package, registry
from cinque.analyses import work as analyses_work
from cinque.crate.verify import AUTHENTIC, RECORDS_NO, verify
from cinque.errors import CinqueError, Conflict, Forbidden, Refused, Unauthenticated
from cinque.federation.plan import ORCID
from cinque.model.lifecycle import FINAL
from cinque.relay import api as relay_api
from cinque.wire.call import Reply
from cinque.wire.messages import SILENT
from tests.service.harness import BEN, SECRET, Send, World, broken_rules, forger

HELD_FOR_SIGN_OFF = {"sign_off": "person"}
HELD_FOR_REVIEW = {"release": "person"}


def test_a_question_is_answered_by_three_tres(world: World) -> None:
    asked = world.ask(tres=["north", "south", "east"])
    world.run()
    answer = world.answer(asked)
    assert (answer.values or {})["people"] == 600 + 450 + 300
    assert answer.exactness == "exact"
    assert not answer.missing
    assert not world.errors
    assert {site.states(asked.id) for site in world.sites.values()} == {("released", "released", "released")}
    for name, site in world.sites.items():
        found = verify(answer.crates[name], world.members)
        assert (found.exit_code, found.kind, found.facts["outcome"]) == (AUTHENTIC, "release", "released")
        assert len(site.releases()) == 1
        kept = list((site.home / "enclave" / "crates").iterdir())
        assert [path.read_bytes() for path in kept] == [answer.crates[name].read_bytes()]
    assert verify(answer.crate, world.members).exit_code == AUTHENTIC


def test_receipts_of_what_left_come_back_to_the_enclave(north: World) -> None:
    asked = north.ask()
    north.run()
    site = north.sites["north"]
    with site.enclave.database.read() as conn:
        rows = conn.exec_driver_sql("SELECT task, receipt FROM receipts").all()
    assert [row.task for row in rows] == [site.task(asked.id)]


def test_nothing_of_a_row_is_seen_outside_the_enclave(north: World) -> None:
    north.ask(where="sex = 'F'")
    north.run()
    site = north.sites["north"]
    outside = [north.root / "hub", site.home / "gate", north.root / "requests"]
    for path in (path for folder in outside for path in folder.rglob("*") if path.is_file()):
        assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("entry", ["count", "count@1.0.0", "count@1.0.0 {digest}"])
def test_an_agreement_names_an_analysis_as_exactly_as_it_likes(shared: World, entry: str) -> None:
    digest = package.digest(package.package(registry.get("count")))
    shared.sites["north"].say(agreement={"analyses": [entry.format(digest=digest)]})
    asked = shared.ask()
    shared.run()
    assert not shared.answer(asked).missing
    shared.sites["north"].say(agreement={"analyses": [f"count@1.0.0 sha256:{'0' * 64}"]})
    asked = shared.ask()
    shared.run()
    assert shared.answer(asked).missing[0].code == "analysis-not-approved"


# ------------------------------------------------------------------------------------------------- held for sign-off


def test_a_held_request_runs_once_an_operator_signs_it_off(north: World) -> None:
    site = north.sites["north"]
    site.say(agreement=HELD_FOR_SIGN_OFF)
    asked = north.ask()
    north.run()
    assert site.states(asked.id) == ("awaiting sign-off",) * 3
    shown = site.show(asked.id)
    assert shown["why"]["rule"] == "agreement.sign_off"
    assert "sign-off" in shown["why"]["remedy"]
    assert shown["steps"] == ["sign off", "refuse", "cancel", "expire"]
    assert north.answer(asked).missing[0].code == "awaiting-sign-off"

    site.decide(asked.id, "sign-off")
    north.run()
    answer = north.answer(asked)
    assert (answer.values or {})["people"] == 600
    crate = verify(answer.crates["north"], north.members)
    assert crate.exit_code == AUTHENTIC
    graph = answer.crates["north"].read_bytes()
    assert b"Ben Example" in graph  # who signed off stands in the crate (R62)
    with site.enclave.database.read() as conn:
        kept = conn.exec_driver_sql("SELECT decision, person, envelope FROM decisions").all()
    assert [(row.decision, row.person) for row in kept] == [("sign-off", BEN)]


def test_an_operator_refuses_in_words_of_his_own(north: World) -> None:
    site = north.sites["north"]
    site.say(agreement=HELD_FOR_SIGN_OFF)
    asked = north.ask()
    north.run()
    site.decide(asked.id, "refuse", reason="A matter for us alone.", answer="Please ask with a protocol.")
    north.run()
    answer = north.answer(asked)
    assert [(m.code, m.reason) for m in answer.missing] == [("refused-by-person", "Please ask with a protocol.")]
    assert site.states(asked.id) == ("refused",) * 3
    assert verify(answer.records["north"], north.members).exit_code == RECORDS_NO
    assert broken_rules(answer.records["north"]) == []
    assert b"A matter for us" not in answer.records["north"].read_bytes()
    assert site.releases()[0][2] == "end"


# --------------------------------------------------------------------------------------------------- held for review


@pytest.fixture
def reviewed(north: World) -> tuple[World, str]:
    """A question whose output waits for a checker."""
    north.sites["north"].say(dataset={"openness": "sensitive"})  # automatic release is for open data alone
    asked = north.ask()
    north.run()
    assert north.sites["north"].states(asked.id) == ("in review",) * 3
    return north, asked.id


def test_an_output_of_sensitive_data_leaves_once_a_checker_releases_it(reviewed: tuple[World, str]) -> None:
    world, request = reviewed
    site = world.sites["north"]
    assert not site.releases()
    shown = site.show(request)
    assert shown["why"]["rule"] == "dataset.openness"
    assert shown["output"]["figures"]
    site.decide(request, "release")
    world.run()
    answer = world.answer(world.client().request(request))
    assert (answer.values or {})["people"] == 600
    assert b"Ben Example" in answer.crates["north"].read_bytes()
    assert len(site.releases()) == 1


def test_a_checker_withholds_and_the_output_is_destroyed(reviewed: tuple[World, str]) -> None:
    world, request = reviewed
    site = world.sites["north"]
    with site.enclave.database.read() as conn:
        output = conn.exec_driver_sql("SELECT released FROM rounds").scalar_one()
    assert site.enclave.files.has(output)
    site.decide(request, "withhold", reason="Too small a place.", answer="Ask for a larger area.")
    world.run()
    answer = world.answer(world.client().request(request))
    assert [(m.code, m.reason) for m in answer.missing] == [("withheld", "Ask for a larger area.")]
    assert verify(answer.records["north"], world.members).exit_code == RECORDS_NO
    assert broken_rules(answer.records["north"]) == []
    assert site.states(request) == ("withheld",) * 3
    assert not site.enclave.files.has(output)


def test_a_changed_output_is_not_released_by_an_earlier_look(reviewed: tuple[World, str]) -> None:
    world, request = reviewed
    site = world.sites["north"]
    envelope = site.decision(request, "release")
    other = site.enclave.files.put(b'{"figures":{}}')
    with site.enclave.database.write() as conn:
        conn.exec_driver_sql("UPDATE rounds SET released = ?", (other,))
    with pytest.raises(Refused) as refused:
        site.staff().call("POST", f"/tasks/{site.task(request)}/decide", body=envelope)
    assert refused.value.code == "not-what-was-shown"
    assert not site.releases()


# decision, changes, who calls and signs -> the code that refuses it. Each line of people.py that says no.
REFUSED_DECISIONS: list[tuple[str, dict[str, Any], str, str]] = [
    ("release", {"reason": " "}, "ben", "no-reason"),
    ("release", {"reason": "x" * 2001}, "ben", "no-reason"),
    ("release", {"seen": "0" * 64}, "ben", "not-what-was-shown"),
    ("release", {"seen": ""}, "ben", "not-what-was-shown"),
    ("withhold", {"seen": "0" * 64}, "ben", "not-what-was-shown"),
    ("release", {}, "researcher", "four-eyes"),
    ("release", {"at": "2026-11-23T08:00:00Z"}, "ben", "decision-stale"),
    ("release", {"at": "at noon"}, "ben", "decision-stale"),
    ("release", {"at": "2026-11-23T10:00:00"}, "ben", "decision-stale"),
    ("release", {"version": 2}, "ben", "malformed"),
    ("release", {"extra": True}, "ben", "malformed"),
    ("publish", {"seen": ""}, "ben", "malformed"),
    ("sign-off", {}, "ben", "step-not-possible"),
    ("refuse", {}, "ben", "step-not-possible"),
]


def test_decisions_that_are_no_decisions_change_nothing(reviewed: tuple[World, str]) -> None:
    world, request = reviewed
    site = world.sites["north"]
    for decision, changes, person, code in REFUSED_DECISIONS:
        with pytest.raises(CinqueError) as refused:
            site.decide(request, decision, person, **changes)
        assert refused.value.code == code, (decision, changes)
    assert site.states(request) == ("in review",) * 3
    assert not site.releases()
    with site.enclave.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM decisions").scalar() == 0


def test_who_may_decide(reviewed: tuple[World, str]) -> None:
    world, request = reviewed
    site = world.sites["north"]
    path = f"/tasks/{site.task(request)}/decide"
    good = site.decision(request, "release")
    with pytest.raises(Forbidden, match="Only an operator or output checker"):
        site.staff("eve").call("POST", path, body=good)
    with pytest.raises(Unauthenticated):
        site.staff("mallory").call("POST", path, body=good)
    by_calling_key = site.decision(request, "release", key=world.ring("ben").sign("call"))
    by_stranger = site.decision(request, "release", key=world.ring("mallory").sign("sign"))
    by_researcher_alone = site.decision(request, "release", key=world.ring("eve").sign("sign"))
    forged = site.decision(request, "release", key=forger(world.ring("ben").sign("sign")))
    for envelope, code in (
        (forged, "signature-invalid"),
        (by_calling_key, "unknown-signer"),
        (by_stranger, "unknown-signer"),
        (by_researcher_alone, "role-not-held"),
    ):
        with pytest.raises(CinqueError) as refused:
            site.staff().call("POST", path, body=envelope)
        assert refused.value.code == code
    assert not site.releases()


def test_a_decision_counts_for_its_own_task_and_once(reviewed: tuple[World, str]) -> None:
    world, request = reviewed
    site = world.sites["north"]
    other = world.ask(where="age >= 30")
    world.run()
    envelope = site.decision(request, "release")
    with pytest.raises(Refused) as refused:
        site.staff().call("POST", f"/tasks/{site.task(other.id)}/decide", body=envelope)
    assert refused.value.code == "decision-other-task"
    path = f"/tasks/{site.task(request)}/decide"
    site.staff().call("POST", path, body=envelope)
    with pytest.raises(Conflict):
        site.staff().call("POST", path, body=envelope)
    assert len(site.releases()) == 1
    assert site.states(other.id)[2] == "in review"


def test_staff_whose_card_is_revoked_see_nothing(reviewed: tuple[World, str]) -> None:
    world, request = reviewed
    site = world.sites["north"]
    envelope = site.decision(request, "release")
    site.say(dataset={"openness": "sensitive"}, revoked=[("person", BEN)])
    with pytest.raises(Unauthenticated):
        site.staff().call("GET", "/tasks")
    with pytest.raises(Unauthenticated):
        site.staff().call("POST", f"/tasks/{site.task(request)}/decide", body=envelope)


def test_four_eyes_at_sign_off(north: World) -> None:
    site = north.sites["north"]
    site.say(agreement=HELD_FOR_SIGN_OFF)
    asked = north.ask()
    north.run()
    assert site.record(asked.id).task.requester == ORCID
    with pytest.raises(Forbidden) as refused:
        site.decide(asked.id, "sign-off", "researcher")
    assert refused.value.code == "four-eyes"
    assert site.states(asked.id)[2] == "awaiting sign-off"


# -------------------------------------------------------------------------------------- revoked on the way, and time

REVOCATIONS = [
    ("person", ORCID, "person-revoked"),
    ("project", "first-project", "project-revoked"),
    ("agreement", "open-to-all", "agreement-revoked"),
    ("analysis", "count", "analysis-revoked"),
    ("analysis", "count@1.0.0", "analysis-revoked"),
]


@pytest.mark.parametrize(("what", "id", "code"), REVOCATIONS)
def test_what_is_revoked_after_custody_does_not_run(north: World, what: str, id: str, code: str) -> None:
    """worker.run examines the request again."""
    site = north.sites["north"]
    asked = north.ask()
    site.poll_hub()
    site.poll_gate()
    assert site.states(asked.id)[2] == "running"
    site.say(revoked=[(what, id)])
    north.run()
    assert site.record(asked.id).task.code == code
    assert site.states(asked.id) == ("refused",) * 3
    record = north.answer(asked).records["north"]
    assert verify(record, north.members).exit_code == RECORDS_NO
    assert broken_rules(record) == []


@pytest.mark.parametrize(("what", "id", "code"), REVOCATIONS[:3])
def test_what_is_revoked_while_it_runs_does_not_leave(
    north: World, what: str, id: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """worker.release_round asks for the authority again, right before the release; the output is destroyed."""
    site = north.sites["north"]
    asked = north.ask()
    files: list[str] = []
    put = site.enclave.files.put

    def computed(data: bytes) -> str:
        digest = put(data)
        if data.startswith(b'{"figures"'):
            files.append(digest)
            site.say(revoked=[(what, id)])
        return digest

    monkeypatch.setattr(site.enclave.files, "put", computed)
    north.run()
    assert site.record(asked.id).task.code == code
    assert [site.enclave.files.has(digest) for digest in files] == [False]
    assert [row[2] for row in site.releases()] == ["end"]  # the refusal


def test_what_is_revoked_in_review_cannot_be_released(reviewed: tuple[World, str]) -> None:
    world, request = reviewed
    site = world.sites["north"]
    site.say(dataset={"openness": "sensitive"}, revoked=[("agreement", "open-to-all")])
    with pytest.raises(Refused) as refused:
        site.decide(request, "release")
    assert refused.value.code == "agreement-revoked"
    assert not site.releases()
    site.decide(request, "withhold")
    assert site.states(request)[2] == "withheld"


def test_what_is_revoked_before_sign_off_is_not_signed_off(north: World) -> None:
    site = north.sites["north"]
    site.say(agreement=HELD_FOR_SIGN_OFF)
    asked = north.ask()
    north.run()
    site.say(agreement=HELD_FOR_SIGN_OFF, revoked=[("project", "first-project")])
    with pytest.raises(Refused) as refused:
        site.decide(asked.id, "sign-off")
    assert refused.value.code == "project-revoked"


@pytest.mark.parametrize("changes", [{"agreement": HELD_FOR_SIGN_OFF}, {"agreement": HELD_FOR_REVIEW}])
def test_what_nobody_decides_on_expires(north: World, changes: dict[str, Any]) -> None:
    site = north.sites["north"]
    site.say(**changes)
    asked = north.ask()
    north.run()
    north.time.forward(days=30, seconds=-1)
    site.enclave.expire()
    assert site.states(asked.id)[2] not in FINAL
    north.time.forward(seconds=2)
    site.enclave.expire()
    north.run()
    assert site.states(asked.id) == ("expired",) * 3
    assert north.answer(asked).missing[0].code == "expired"
    with site.enclave.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM rounds").scalar() == 0


def test_what_depends_on_data_is_withheld_without_its_cause(north: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def partial(*_: Any) -> Any:
        raise Refused("column-empty", f"Column holds {SECRET}.")

    site = north.sites["north"]
    asked = north.ask()
    monkeypatch.setattr(analyses_work, "judge", partial)
    north.run()
    answer = north.answer(asked)
    assert answer.missing[0].code == "not_answerable"
    assert SECRET.encode() not in answer.records["north"].read_bytes()
    assert site.states(asked.id) == ("withheld",) * 3


def test_a_failure_inside_is_a_failure_without_its_cause(north: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def partial(*_: Any) -> Any:
        raise ZeroDivisionError(SECRET)

    site = north.sites["north"]
    asked = north.ask()
    monkeypatch.setattr(analyses_work, "judge", partial)
    north.run()
    answer = north.answer(asked)
    assert answer.missing[0].code == "failed"
    assert SECRET.encode() not in answer.records["north"].read_bytes()
    assert site.states(asked.id) == ("failed",) * 3


# ---------------------------------------------------------------------------------------- what comes with the status


def test_results_come_with_the_settled_status_as_far_as_there_is_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = world.ask(tres=["north", "south"])
    world.run()
    calls: list[str] = []

    def tap(send: Send, how: str, where: str, body: Any, rest: dict[str, Any]) -> Reply:
        calls.append(where)
        return send(how, where, body=body, **rest)

    world.hop().tap = tap
    assert len(world.answer(asked).answered) == 2
    assert [where for where in calls if where.startswith("/results")] == []
    world.client().home.request(asked.id).crate("north").unlink()
    world.client().home.request(asked.id).crate("south").unlink()
    status = world.client().status(asked.id)
    assert status is not None
    smallest = min(task.results[0].size for task in status.tasks)
    monkeypatch.setattr(relay_api, "INLINE_TOTAL", smallest)  # room for one of the two
    assert len(world.answer(asked).answered) == 2
    assert len([where for where in calls if where.startswith("/results")]) == 1


def test_nobody_waits_long_for_a_tre_that_is_offline(world: World) -> None:
    """The hub counts a question as settled when all that is left waits for a TRE that has not called for a while."""
    asked = world.ask(tres=["north", "south"])
    world.sites["south"].to_hub.down = True
    world.run()
    assert world.client().status(asked.id, settled=True) is None  # south may be there yet
    world.time.forward(seconds=SILENT + 1)
    status = world.client().status(asked.id, settled=True)
    assert status is not None
    assert {task.state for task in status.tasks} == {"released", "offered"}
    assert [(m.tre, m.code) for m in world.answer(asked).missing] == [("south", "offline")]


def test_an_appetite_of_ones_own_arrives_whole() -> None:
    wanted = {"threshold": 4, "zeros": "release", "dof": 2, "dominance": 0.2, "ratio": 0.5, "source": "our board"}
    with cinque.Federation.local({"rye": {"x": [1, 2, 3]}}, appetite=wanted) as federation:
        federation.client.wait_described("data")
        (known,) = federation.client.tres().values()
    assert known.description is not None
    assert known.description.appetite == {"name": "custom", **wanted}
