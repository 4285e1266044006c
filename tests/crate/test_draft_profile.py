"""The rules of the 1.0 draft: each requirement has one, and the crates of one record are judged together."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from cinque.crate.check import Report, check, check_together
from cinque.crate.index import Index
from cinque.crate.profiles import FIVE_SAFES, FIVE_SAFES_DRAFT, folder, profile
from cinque.crate.profiles.examples import conforming
from cinque.crate.profiles.five_safes_1_0_draft.kinds import kind

EXAMPLES: dict[str, Any] = conforming(folder(FIVE_SAFES_DRAFT))
DRAFT = profile(FIVE_SAFES_DRAFT)
RULES = {rule.id: rule for rule in DRAFT.rules}
OWN = {rule.id for rule in DRAFT.rules if rule.id.startswith("R2")}
RECORD = "https://tre.example.org/activities/7"


def found(crate: Any, at: str) -> Report:
    return check(crate, stage=at, profile_id=FIVE_SAFES_DRAFT)


def entity(crate: Any, name: str) -> dict[str, Any]:
    one: dict[str, Any] = next(each for each in crate["@graph"] if each["@id"] == name)
    return one


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_each_representation_conforms_as_what_it_is(name: str) -> None:
    assert found(EXAMPLES[name], name).findings == ()


def test_each_requirement_has_a_rule_or_the_reason_why_not() -> None:
    ruled = {RULES[rule].requirement for rule in OWN}
    assert ruled | set(DRAFT.unruled) == {f"R{number}" for number in range(201, 247)}
    assert {number for number in DRAFT.unruled if number not in ruled} == {"R234"}


def test_the_profile_says_that_it_is_a_draft() -> None:
    assert DRAFT.draft
    assert not profile(FIVE_SAFES).draft


# ------------------------------------------------------------------------------------------------ several crates


def a_snapshot(number: int, before: int = 0) -> Any:
    crate = copy.deepcopy(EXAMPLES["snapshot"])
    root = entity(crate, "./")
    root["version"] = number
    root["identifier"][0] = {"@id": f"{RECORD}/versions/{number}"}
    root.pop("pav:previousVersion")
    if before:
        root["pav:previousVersion"] = {"@id": f"{RECORD}/versions/{before}"}
    else:
        root["hasPart"].remove({"@id": f"{RECORD}/versions/1"})
        crate["@graph"].remove(entity(crate, f"{RECORD}/versions/1"))
        entity(crate, f"{RECORD}/decisions/1").pop("prov:used")
        root["datePublished"] = "2027-03-14T09:10:00Z"
    return crate


def together(*crates: Any) -> list[set[str]]:
    """The requirements that each breaks."""
    reports = check_together([(crate, None) for crate in crates], profile_id=FIVE_SAFES_DRAFT)
    return [{each.rule for each in report.findings} for report in reports]


def test_a_record_in_one_line_conforms_with_its_working_record_and_its_nodes() -> None:
    crates = [
        EXAMPLES["working-record"],
        a_snapshot(1),
        a_snapshot(2, 1),
        a_snapshot(5, 2),
        EXAMPLES["node-provenance"],
    ]
    assert together(*crates) == [set()] * 5


def test_a_number_is_used_once() -> None:
    other = a_snapshot(1)
    entity(other, "./")["identifier"][0] = {"@id": f"{RECORD}/versions/one"}
    assert together(a_snapshot(1), other) == [{"R213"}, {"R213"}]


def test_a_later_snapshot_has_a_greater_number() -> None:
    later = a_snapshot(2, 3)
    assert together(a_snapshot(3, 1), later) == [set(), {"R213"}]


def test_a_history_has_no_branch() -> None:
    assert together(a_snapshot(2, 1), a_snapshot(3, 1)) == [{"R214"}, {"R214"}]


def test_the_snapshot_before_is_of_the_same_record() -> None:
    first = a_snapshot(1)
    entity(first, "./")["dct:isVersionOf"] = {"@id": "urn:uuid:2f7b2c1e-6a0f-4f6a-8c55-2f6a6de0a001"}
    assert together(first, a_snapshot(2, 1))[1] == {"R208", "R241"}


def test_an_iri_is_never_used_for_a_second_thing() -> None:
    later = a_snapshot(2, 1)
    entity(later, f"{RECORD}/assets/ages/1").update({"@type": "Person"})
    assert "R240" in together(a_snapshot(1), later)[1]


def test_a_published_snapshot_is_never_changed() -> None:
    other = a_snapshot(1)
    entity(other, "./")["name"] = "Another name"
    assert together(a_snapshot(1), other) == [{"R240"}, {"R240"}]
    assert together(a_snapshot(1), a_snapshot(1)) == [set(), set()]


def test_what_failed_does_not_run_again() -> None:
    first, later = a_snapshot(1), a_snapshot(2, 1)
    for crate, state in ((first, "Failed"), (later, "Completed")):
        entity(crate, f"{RECORD}/runs/2")["actionStatus"] = {"@id": f"http://schema.org/{state}ActionStatus"}
    assert together(first, later) == [set(), {"R233"}]


def test_a_submitted_plan_is_not_rewritten() -> None:
    later = a_snapshot(2, 1)
    entity(later, f"{RECORD}/plans/1")["text"] = "Count people by sex and age."
    assert together(a_snapshot(1), later) == [{"R230"}, {"R230"}]


def test_a_reference_says_what_the_crate_says() -> None:
    node = copy.deepcopy(EXAMPLES["node-provenance"])
    entity(node, "./")["datePublished"] = "2027-03-14T11:01:00Z"
    assert together(EXAMPLES["snapshot"], node) == [{"R241"}, set()]


def test_a_node_keeps_a_record_of_its_own() -> None:
    node = copy.deepcopy(EXAMPLES["node-provenance"])
    entity(node, "./")["dct:isVersionOf"] = {"@id": RECORD}
    assert "R245" in together(EXAMPLES["snapshot"], node)[1]


def test_each_rule_over_several_crates_is_seen_above() -> None:
    text = Path(__file__).read_text("utf-8")
    over = {RULES[rule].requirement for rule in OWN if RULES[rule].needs == "others"}
    assert over <= set(re.findall(r'"(R\d+)"', text.partition("# ---")[2]))


def test_what_needs_the_others_is_said_to_be_unexamined_alone() -> None:
    silent = {rule for rule, _ in found(EXAMPLES["snapshot"], "snapshot").not_examined}
    assert silent >= {"R213/sequence", "R214/branch", "R240/changed", "R241/copies"}


def test_dates_do_not_tell_a_working_record_from_a_snapshot() -> None:
    crate = copy.deepcopy(EXAMPLES["working-record"])
    del entity(crate, "./")["dateModified"]
    assert kind(Index(crate)) == "working-record"
    assert kind(Index(EXAMPLES["snapshot"])) == "snapshot"
    assert kind(Index(EXAMPLES["node-provenance"]), (Index(EXAMPLES["snapshot"]),)) == "node-provenance"
