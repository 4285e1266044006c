"""One crate as one line: what it says of itself, and whether anybody vouches for it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.catalogue.entry import _canonical, _decided, read_entry, trust_of
from cinque.crate.cards import Members
from cinque.crate.growth import AgreementInForce
from cinque.crate.phases import Person, disclosure, policy, sign_off
from cinque.crate.release import read_release
from cinque.crate.request import read_request
from cinque.lib.digest import sha512_hex
from cinque.model.request import task_id
from tests import builders
from tests.catalogue import crates as made
from tests.crate import hostile

REQUEST = read_request(builders.a_request()).statement.id
NORTH = builders.a_tre().card
ASKED = {
    "request": REQUEST,
    "title": "How many people have diabetes?",
    "person": "https://orcid.org/0000-0002-1825-0097",
    "person_name": "Ada Example",
    "project": "diabetes-study",
    "project_name": "The diabetes study",
    "dataset": "demo",
    "analysis": "count@1.0.0",
    "analysis_digest": "sha256:" + "ab" * 32,
    "parameters": '{"by":["sex"],"where":"diabetes = true"}',
    "asked": "2026-11-23T10:00:00.000Z",
}
RELEASED = ASKED | {
    "kind": "release",
    "outcome": "released",
    "task": task_id(REQUEST, NORTH.id),
    "tre": NORTH.id,
    "tre_name": "The North TRE",
    "agreement": "diabetes",
    "agreement_version": "3",
    "agreement_title": "Diabetes counts",
    "sign_off": "approved",
    "signed_off_by": "cinque-enclave 0.1.0",
    "signed_off_as": "software",
    "disclosure": "passed",
    "checked_by": "cinque-enclave 0.1.0",
    "checked_as": "software",
    "suppressed": "no",
    "started": "2026-11-23T10:00:01.000Z",
    "ended": "2026-11-23T10:00:02.000Z",
    "published": "2026-11-23T10:00:03.000Z",
    "verified": "authentic",
    "signer": "The North TRE",
    "problem": "",
}
REFUSED = ASKED | {
    "kind": "refusal",
    "outcome": "refused",
    "agreement": "",
    "sign_off": "refused",
    "signed_off_as": "software",
    "disclosure": "",
    "suppressed": "",
    "started": "",
    "verified": "authentic",
    "problem": "agreement-none",
    "sentence": "No agreement permits this analysis for this project.",
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("request", ASKED | {"kind": "request", "outcome": "asked", "task": "", "verified": "authentic"}),
        ("released", RELEASED),
        ("suppressed", RELEASED | {"suppressed": "yes"}),
        ("refused", REFUSED),
        ("unread", {"kind": "refusal", "outcome": "refused", "person": "", "title": "", "problem": "agreement-none"}),
        ("answer", ASKED | {"kind": "answer", "outcome": "answered", "published": "2026-11-23T10:00:10.000Z"}),
        ("forged", {"verified": "not authentic", "signer": "", "task": RELEASED["task"], "kind": "release"}),
        ("altered", {"verified": "unreadable", "outcome": "unreadable", "task": ""}),
        ("text", {"verified": "unreadable", "outcome": "unreadable", "kind": ""}),
        ("empty", {"verified": "unreadable", "outcome": "unreadable", "kind": ""}),
    ],
)
def test_a_line_says_what_the_crate_says(name: str, expected: dict[str, str]) -> None:
    data = made.crates()[name]
    members = builders.some_members()
    entry = asdict(read_entry(data, members))
    assert {field: entry[field] for field in expected} == expected
    assert (entry["digest"], entry["trust"]) == (sha512_hex(data), trust_of(members))
    assert bool(entry["problem"]) == bool(entry["sentence"])


def test_people_who_decided_are_told_from_software_and_the_snapshot_is_named() -> None:
    tre, request = builders.a_tre(), builders.a_request(dataset_release="2026-10")
    asked = read_request(request)
    objects = (asked.workflow_id, asked.project_id)
    phases = (
        sign_off(
            Person("https://orcid.org/0000-0001-5109-3700", "Sam Signer"),
            builders.NOW,
            objects=objects,
            agreement=policy("d", "1", "T"),
        ),
        disclosure(Person("urn:uuid:00000000-0000-4000-8000-000000000001", "Chris Checker"), builders.NOW),
    )
    data = builders.a_release(
        request=request,
        tre=tre,
        phases=phases,
        gate_record=None,
        snapshot="snap-7",
        agreement=AgreementInForce("d", "1", "sha256:" + "00" * 32),
    )
    entry = read_entry(data, builders.some_members())
    assert (entry.signed_off_by, entry.signed_off_as) == ("Sam Signer", "person")
    assert (entry.checked_by, entry.checked_as) == ("Chris Checker", "person")
    assert (entry.release, entry.snapshot) == ("2026-10", "snap-7")


def test_what_earlier_rounds_released_is_told_also_where_the_end_was_withheld() -> None:
    asked = read_request(builders.a_request())
    partial = json.dumps({"shape": {}, "figures": {"n": made.BOUNDS}}).encode()
    data = builders.a_refusal(
        outcome="withheld",
        phases=builders.some_phases(builders.a_tre(), asked),
        outputs={"outputs/rounds/01/partial.json": partial},
    )
    entry = read_entry(data, builders.some_members())
    assert (entry.outcome, entry.disclosure, entry.suppressed) == ("withheld", "failed", "yes")


@pytest.mark.parametrize(
    ("members", "verified", "problem"),
    [
        (None, "signer unknown", "no-trust-list"),
        (builders.some_members(builders.a_person()), "signer unknown", "tre-unknown"),
        (builders.some_members(builders.a_tre()), "authentic", ""),
    ],
)
def test_only_a_pinned_card_makes_it_authentic(members: Members | None, verified: str, problem: str) -> None:
    entry = read_entry(builders.a_release(), members)
    assert (entry.verified, entry.problem) == (verified, problem)
    assert entry.person_name == "Ada Example"  # what it says of itself can be read, proven or not


@pytest.mark.parametrize(
    "data",
    [
        hostile.named("../escape"),
        hostile.named("bag/a", "bag/A"),
        hostile.overlapping(4),
        hostile.one(content=b"x" * 100)[:-30],
        builders.a_release()[:20_000],
    ],
)
def test_a_hostile_archive_is_a_line_with_its_refusal(data: bytes) -> None:
    entry = read_entry(data, builders.some_members())
    assert (entry.verified, entry.outcome, entry.kind) == ("unreadable", "unreadable", "")
    assert entry.problem
    assert entry.sentence


@pytest.mark.parametrize(("number", "text"), [(0.5, '{"by":0.5}'), (2**60, ""), (float("inf"), ""), (-(10**400), "")])
def test_parameters_that_canonical_json_cannot_say_stop_nothing(number: float, text: str) -> None:
    # compose_request would not write them, but another's software might: 1e400 is read as infinity
    assert _canonical({"by": number}) == text


@given(st.dictionaries(st.sampled_from(["name", "agent", "instrument", "startTime", "softwareVersion"]), builders.JSON))
def test_a_graph_of_any_words_gives_text(changes: dict[str, Any]) -> None:
    # What check_growth lets a TRE add is the TRE's own: any JSON may stand in it.
    graph = read_release(builders.a_release()).graph.copy()
    for kind in ("AssessAction", "OrganizeAction", "CreateAction", "SoftwareApplication", "CreativeWork"):
        for entity in graph.of_type(kind):
            entity.update(changes)
    assert all(isinstance(value, str) for value in _decided(graph).values())
