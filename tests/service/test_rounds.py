"""A session of several rounds over three TREs: every member derives each step from what all released and signed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cinque.crate.rounds import ROUND_TYPE, RoundStatement, sign_round
from cinque.crate.signed import open_statement
from cinque.crate.verify import AUTHENTIC, RECORDS_NO, verify
from cinque.enclave import rounds as enclave_rounds
from cinque.errors import Refused
from cinque.wire.sealing import seal, unseal
from tests.service.harness import World, broken_rules, rows

QUESTION: dict[str, Any] = {"variable": "age", "low": 20, "high": 80}


def pooled_median() -> int:
    ages = sorted(age for tre in ("north", "south", "east") for age in rows(tre)["age"])
    return int(ages[(len(ages) - 1) // 2])


def ask(world: World) -> Any:
    return world.ask("median-interval", tres=["north", "south", "east"], **QUESTION)


def partials(crate: Path) -> list[str]:
    with zipfile.ZipFile(crate) as archive:
        return sorted(name.partition("/data/")[2] for name in archive.namelist() if "/data/outputs/" in name)


def disclosure_checks(crate: Path) -> int:
    with zipfile.ZipFile(crate) as archive:
        name = next(n for n in archive.namelist() if n.endswith("/data/ro-crate-metadata.json"))
        graph = json.loads(archive.read(name))["@graph"]
    checks = [e for e in graph if "DisclosureCheck" in str(e.get("additionalType", ""))]
    assert all(check["actionStatus"].endswith("CompletedActionStatus") for check in checks)
    return len(checks)


def test_the_session_goes_the_whole_road(world: World) -> None:
    asked = ask(world)
    world.run(200)
    answer = world.answer(asked)
    assert not world.errors
    assert not answer.missing
    values = answer.values or {}
    assert values["n"] == 1350
    low, high = values["at_least"], values["below"]
    assert low <= pooled_median() < high
    assert values["rounds"] >= 3
    assert {site.states(asked.id) for site in world.sites.values()} == {("released",) * 3}
    names = [f"outputs/rounds/{number:02d}/partial.json" for number in range(1, values["rounds"] + 1)]
    for name in world.sites:
        crate = answer.crates[name]
        assert verify(crate, world.members).exit_code == AUTHENTIC
        assert broken_rules(crate) == []
        assert partials(crate) == names
        assert disclosure_checks(crate) == values["rounds"]
    assert verify(answer.crate, world.members).exit_code == AUTHENTIC
    kinds = [row[2] for row in world.sites["north"].releases()]
    assert kinds == ["round"] * values["rounds"] + ["end"]


def until_round(world: World, name: str, number: int) -> list[bytes]:
    """Run until the hub offers all parts of round `number` to a TRE's gate; the sealed parts."""
    site = world.sites[name]
    found: list[list[bytes]] = []
    take = site.gate.take

    def held(item: Any, blobs: Any) -> None:
        if item.kind == "round" and item.id.endswith(f"/round/{number}"):
            found.append(list(blobs))
        else:
            take(item, blobs)

    for loop in site.gate_up.loops:
        if loop.name == "poll":
            loop._tick.__self__._take = held  # type: ignore[attr-defined]
    world.run(200)
    for loop in site.gate_up.loops:
        if loop.name == "poll":
            loop._tick.__self__._take = take  # type: ignore[attr-defined]
    assert len(found) == 1
    return found[0]


def resealed(world: World, request: str, blobs: list[bytes], change: Callable[[Any], Any], tre: str, key: str) -> Any:
    """The parts of a round, with that of `tre` changed and signed by the release key of `key`."""
    site = world.sites["north"]
    context = request.encode()
    opened = [unseal(blob, site.enclave.ring.open("seal"), context) for blob in blobs]
    out = []
    for envelope in opened:
        statement = open_statement(envelope, ROUND_TYPE, RoundStatement, "A round")[0]
        if statement.tre == world.sites[tre].card.id:
            envelope = sign_round(change(statement), world.sites[key].enclave.ring.sign("release"))
        out.append(seal(envelope, (site.card.seal,), context))
    return out


def figures_changed(statement: RoundStatement) -> RoundStatement:
    released = json.loads(json.dumps(statement.released))
    name = next(iter(released["figures"]))
    released["figures"][name] = 11
    return replace(statement, released=released)


# What is changed, in whose part, by whose key it is signed; the code with which the enclave refuses it.
TAMPERED: list[tuple[str, Callable[[RoundStatement], RoundStatement], str, str, str]] = [
    ("another's part, signed by a third", figures_changed, "south", "east", "round-signer"),
    ("its own part, signed by another", figures_changed, "north", "south", "round-signer"),
    ("its own part, signed by itself", figures_changed, "north", "north", "round-own-missing"),
    ("another round", lambda s: replace(s, round=2), "south", "south", "round-other-history"),
    ("another history", lambda s: replace(s, transcript="0" * 64), "south", "south", "round-other-history"),
    ("another request", lambda s: replace(s, request="urn:uuid:x"), "south", "south", "round-other-request"),
    (
        "other bytes of the request",
        lambda s: replace(s, request_digest="0" * 128),
        "south",
        "south",
        "round-other-request",
    ),
]


def test_a_transcript_that_was_tampered_with_goes_no_further(world: World) -> None:
    asked = ask(world)
    blobs = until_round(world, "north", 1)
    site = world.sites["north"]
    task = site.task(asked.id)
    for what, change, tre, key, code in TAMPERED:
        changed = resealed(world, asked.id, blobs, change, tre, key)
        with pytest.raises(Refused) as refused:
            enclave_rounds.take(site.enclave, task, changed, stopped="")
        assert refused.value.code == code, what
    for what, parts, code in (
        ("its own is missing", [b for b in blobs if not _of(world, asked.id, b, "north")], "round-own-missing"),
        ("one comes twice", [*blobs, blobs[0]], "round-twice"),
        ("nothing", [], "round-own-missing"),
        ("not sealed", [b"x"], "sealed-malformed"),
        ("altered", [blobs[0][:-1] + bytes([blobs[0][-1] ^ 1]), *blobs[1:]], "sealed-altered"),
    ):
        with pytest.raises(Refused) as refused:
            enclave_rounds.take(site.enclave, task, parts, stopped="")
        assert refused.value.code == code, what
    assert site.states(asked.id)[2] == "round released"
    assert not site.pool.waiting
    # The true parts still carry it on: what was refused changed nothing.
    enclave_rounds.take(site.enclave, task, blobs, stopped="")
    world.run(200)
    assert not world.answer(asked).missing


def _of(world: World, request: str, blob: bytes, tre: str) -> bool:
    key = world.sites["north"].enclave.ring.open("seal")
    envelope = unseal(blob, key, request.encode())
    found: str = open_statement(envelope, ROUND_TYPE, RoundStatement, "A round")[0].tre
    return found == world.sites[tre].card.id


def test_the_members_of_round_one_are_the_members(world: World) -> None:
    asked = ask(world)
    until_round(world, "north", 1)
    blobs = world_round(world, asked.id, 1)
    site = world.sites["north"]
    enclave_rounds.take(site.enclave, site.task(asked.id), blobs, stopped="")
    until_round_two = until_round(world, "north", 2)
    without = [blob for blob in until_round_two if not _of(world, asked.id, blob, "east")]
    with pytest.raises(Refused) as refused:
        enclave_rounds.take(site.enclave, site.task(asked.id), without, stopped="")
    assert refused.value.code == "members-differ"


def world_round(world: World, request: str, number: int) -> list[bytes]:
    """The sealed parts of a round, as the hub keeps them."""
    with world.hub.database.read() as conn:
        found = conn.exec_driver_sql("SELECT digest FROM results WHERE kind = 'round' AND round = ?", (number,))
        return [world.hub.files.get(row.digest) for row in found]


def test_members_who_were_told_of_different_members_stop(world: World) -> None:
    """A hub that shows each member another session: the histories differ, and round two says so."""
    asked = ask(world)
    blobs = until_round(world, "north", 1)
    site = world.sites["north"]
    fewer = [blob for blob in blobs if not _of(world, asked.id, blob, "east")]
    enclave_rounds.take(site.enclave, site.task(asked.id), fewer, stopped="")
    world.run(200)
    events = [about.get("code") for event, about in world.events if event == "item-refused"]
    assert "round-other-history" in events or "members-differ" in events
    assert world.answer(asked).values is None
    assert "released" not in {s.states(asked.id)[2] for s in world.sites.values()}


def test_a_repeated_round_changes_nothing_and_returns_the_stored_bytes(world: World) -> None:
    asked = ask(world)
    blobs = until_round(world, "north", 2)
    site = world.sites["north"]
    task = site.task(asked.id)
    first = world_round(world, asked.id, 1)
    before = site.releases()
    for _ in range(2):
        enclave_rounds.take(site.enclave, task, first, stopped="")
    assert site.releases() == before
    enclave_rounds.take(site.enclave, task, blobs, stopped="")
    enclave_rounds.take(site.enclave, task, blobs, stopped="")
    world.run(200)
    assert not world.answer(asked).missing
    rounds = [row[1] for row in site.releases() if row[2] == "round"]
    assert rounds == sorted(set(rounds))


def test_a_member_that_drops_out_ends_the_session_with_a_crate_of_what_left(world: World) -> None:
    asked = ask(world)
    for name in world.sites:
        world.sites[name].say()
    until_round(world, "east", 1)
    east = world.sites["east"]
    assert east.states(asked.id)[2] == "round released"
    east.say(revoked=[("project", "first-project")])
    enclave_rounds.take(east.enclave, east.task(asked.id), world_round(world, asked.id, 1), stopped="")
    world.run(200)
    answer = world.answer(asked)
    assert answer.values is None
    assert {m.tre: m.code for m in answer.missing} == {
        "east": "project-revoked",
        "north": "member-dropped-out",
        "south": "member-dropped-out",
    }
    for name, rounds in (("north", 2), ("south", 2), ("east", 1)):
        record = answer.records[name]
        assert verify(record, world.members).exit_code == RECORDS_NO
        assert broken_rules(record, "must") == []
        assert len(partials(record)) == rounds, name
        assert disclosure_checks(record) == rounds


def test_who_refuses_before_round_one_is_no_member(world: World) -> None:
    world.sites["east"].say(agreement={"analyses": ["count"]})
    asked = ask(world)
    world.run(200)
    answer = world.answer(asked)
    assert [m.code for m in answer.missing] == ["analysis-not-approved"]
    assert (answer.values or {})["n"] == 1050


def test_a_round_may_wait_for_a_checker(world: World) -> None:
    world.sites["south"].say(dataset={"openness": "sensitive"})
    asked = ask(world)
    south = world.sites["south"]
    decisions = 0
    for _ in range(10):
        world.run(200)
        if south.states(asked.id)[2] != "in review":
            break
        south.decide(asked.id, "release")
        decisions += 1
    answer = world.answer(asked)
    assert not answer.missing
    assert (answer.values or {})["rounds"] == decisions
    assert verify(answer.crates["south"], world.members).exit_code == AUTHENTIC


def test_the_agreement_counts_at_each_round(world: World) -> None:
    for site in world.sites.values():
        site.say(agreement={"max_rounds": 5})
    asked = ask(world)
    until_round(world, "north", 1)
    site = world.sites["north"]
    site.say(agreement={"max_rounds": 1})
    enclave_rounds.take(site.enclave, site.task(asked.id), world_round(world, asked.id, 1), stopped="")
    world.run(200)
    assert site.record(asked.id).task.code == "too-many-rounds"
    assert world.answer(asked).values is None


def test_a_card_that_is_not_pinned_is_no_members(world: World) -> None:
    """custody._check_members: an enclave takes part only with members whose cards it holds."""
    (world.sites["north"].home / "tre" / "members" / "east.card.json").unlink()
    asked = ask(world)
    world.run(200)
    assert {m.tre: m.code for m in world.answer(asked).missing} == {"north": "unknown-member"}
