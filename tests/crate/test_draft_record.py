"""An activity record of the 1.0 draft, composed by hand: a whole life, from a plan to what was received."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cinque.crate.check import check, check_together
from cinque.crate.draft_1_0.process import ask, decide, execution, output_check, receive, review, send
from cinque.crate.draft_1_0.record import Asset, CrateReference, Party, Plan, Record, snapshot, working_record
from cinque.crate.graph import Graph, refs
from cinque.crate.profiles import FIVE_SAFES_DRAFT
from cinque.errors import Refused

BASE = "https://tre.example.org/activities/9"
TRE, PERSON, CHECKER = (
    "https://tre.example.org/node",
    "https://orcid.org/0000-0002-1825-0097",
    "urn:uuid:" + "1" * 8 + "-1111-4111-8111-111111111111",
)
PLAN, COUNTS, AGES = Plan(BASE + "/plans/1", "Counts"), Asset(BASE + "/counts", "Counts"), Asset(BASE + "/ages", "Ages")


def at(minute: int) -> str:
    return f"2027-03-14T10:{minute:02}:00Z"


ASKED = ask(BASE + "/asks/1", "Asked", agent=PERSON, plan=PLAN.id, recipient=TRE, at=at(1))
PERMITTED = decide(BASE + "/d/1", "Permitted", permitted=True, agent=TRE, about=(PLAN.id,), at=at(2), informed_by=(ASKED.id,))  # fmt: skip # noqa: E501
RUNNING = execution(BASE + "/runs/1", "Run", agent=TRE, plan=PLAN.id, started=at(3), provider=TRE, objects=("query.sql",))  # fmt: skip # noqa: E501
RUN = replace(RUNNING, ended=at(4), results=(COUNTS.id, AGES.id))
CHECK = output_check(BASE + "/c/1", "Check", agent=CHECKER, outputs=(COUNTS.id, AGES.id), kind="https://w3id.org/dpv/risk#RiskAssessment", ended=at(5), started=at(5))  # fmt: skip # noqa: E501
RELEASE = decide(BASE + "/d/2", "Counts may leave", permitted=True, agent=CHECKER, about=(COUNTS.id,), at=at(6), informed_by=(CHECK.id,))  # fmt: skip # noqa: E501
REFUSAL = decide(BASE + "/d/3", "Ages may not", permitted=False, agent=CHECKER, about=(AGES.id,), at=at(6), informed_by=(CHECK.id,))  # fmt: skip # noqa: E501
REVIEW = review(BASE + "/r/1", "Review", agent=CHECKER, parts=(CHECK, RELEASE, REFUSAL), ended=at(6), started=at(5))
SENT = send(BASE + "/s/1", "Sent", agent=TRE, assets=(COUNTS.id,), recipient=PERSON, started=at(7), ended=at(7))
RECEIVED = receive(BASE + "/s/2", "Received", agent=PERSON, assets=(COUNTS.id,), sender=TRE, ended=at(8), sent=SENT.id)

RECORD = Record(
    id=BASE,
    name="Counts",
    description="Counts of people, asked of one TRE.",
    license="https://spdx.org/licenses/CC-BY-4.0",
    publisher=TRE,
    parties=(
        Party(TRE, "TRE", "Organization"),
        Party(PERSON, "Josiah Carberry", "Person", TRE),
        Party(CHECKER, "Checker 4", "Person"),
    ),
    plans=(PLAN,),
    processes=(ASKED, PERMITTED, RUNNING),
    others=(
        {"@id": "query.sql", "@type": "File", "name": "Query"},
        {"@id": "https://spdx.org/licenses/CC-BY-4.0", "@type": "CreativeWork", "name": "CC BY", "description": "By."},
    ),
)
DONE = replace(
    RECORD,
    assets=(COUNTS, AGES),
    processes=(ASKED, PERMITTED, RUN, CHECK, RELEASE, REFUSAL, REVIEW, SENT, RECEIVED),
    references=(
        CrateReference(
            id=BASE + "/versions/1", name="At submission", published=at(2), record=BASE, version=1
        ),
        CrateReference(
            id="https://other.example.org/p/1", name="A node", published=at(8), record="https://other.example.org/p",
            version=1, about=(RUN.id,), publisher=TRE,
        ),
    ),
)  # fmt: skip


def test_a_record_is_written_from_its_first_day_to_its_last() -> None:
    working = working_record(RECORD, BASE + "/current", created=at(0), published=at(1), modified=at(3))
    first = snapshot(RECORD, BASE + "/versions/1", version=1, created=at(2), published=at(2))
    last = snapshot(
        DONE, BASE + "/versions/2", version=2, previous=BASE + "/versions/1", created=at(9), published=at(9)
    )
    crates: list[tuple[Any, None]] = [(graph.to_json(), None) for graph in (first, last)]
    assert [report.findings for report in check_together(crates, profile_id=FIVE_SAFES_DRAFT) if not report.holds("should")] == []  # fmt: skip # noqa: E501
    alone = check(working.to_json(), profile_id=FIVE_SAFES_DRAFT)
    assert (alone.stage, alone.holds("should")) == ("working-record", True), alone.findings


def test_an_execution_is_associated_with_its_plan_and_its_agent() -> None:
    graph = snapshot(RECORD, BASE + "/versions/1", version=1, created=at(2), published=at(2))
    (link,) = refs(graph[RUN.id]["prov:qualifiedAssociation"])
    assert (refs(graph[link]["prov:agent"]), refs(graph[link]["prov:hadPlan"])) == ((TRE,), (PLAN.id,))


@pytest.mark.parametrize(("version", "previous"), [(0, ""), (1, BASE + "/x"), (2, ""), (2, BASE + "/v")])
def test_a_number_and_what_came_before_must_fit(version: int, previous: str) -> None:
    with pytest.raises(Refused, match="do not fit"):
        snapshot(RECORD, BASE + "/v", version=version, previous=previous, created=at(2), published=at(2))


def test_what_has_not_ended_is_active_and_what_failed_says_so() -> None:
    assert RUNNING.status.endswith("/ActiveActionStatus")
    assert RUN.status.endswith("/CompletedActionStatus")
    assert replace(RUN, failed=True).status.endswith("/FailedActionStatus")


def test_two_things_never_share_an_iri() -> None:
    with pytest.raises(Refused):
        snapshot(
            replace(RECORD, processes=(ASKED, replace(ASKED, name="Otherwise"))),
            BASE + "/versions/1", version=1, created=at(2), published=at(2),
        )  # fmt: skip


def test_it_is_read_as_it_was_written() -> None:
    graph = snapshot(RECORD, BASE + "/versions/1", version=1, created=at(2), published=at(2))
    assert Graph.read(graph.to_bytes()).to_bytes() == graph.to_bytes()
