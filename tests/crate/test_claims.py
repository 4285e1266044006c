"""Profiles that a crate claims, and crates inside its payload, are held to their own rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cinque.crate.check import Report, check, examine
from cinque.crate.profiles import CLAIMED, FIVE_SAFES, INSTALLED, LAYERS, RO_CRATE, WORKFLOW_CRATE, folder, profile
from cinque.crate.profiles.examples import conforming
from tests import builders
from tests.crate import examples
from tests.crate.examples import RUN, WORKFLOW, Crate, entity, ref


def rules(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings}


# ---------------------------------------------------------------------------------------------- every requirement


def test_each_of_the_106_requirements_is_a_rule_or_says_why_not() -> None:
    five_safes = profile(FIVE_SAFES)
    ruled = {rule.requirement for rule in five_safes.rules}
    asked = {f"R{number}" for number in range(1, 107)}
    assert asked - ruled == set(five_safes.unruled)
    assert all(reason.endswith(".") for reason in five_safes.unruled.values())


@pytest.mark.parametrize("identifier", [name for name in INSTALLED if name not in (FIVE_SAFES, *LAYERS)])
def test_every_rule_that_is_not_the_profiles_own_cites_its_source(identifier: str) -> None:
    for rule in profile(identifier).rules:
        assert re.match(
            r"https://(www\.researchobject\.org/ro-crate/specification/|w3id\.org/|about\.)", rule.source["source"]
        )


# ------------------------------------------------------------------------------------------------------- claims


@pytest.mark.parametrize("claimed", CLAIMED)
def test_the_rules_of_a_profile_apply_where_it_is_claimed_and_nowhere_else(claimed: str) -> None:
    document = next(iter(conforming(folder(claimed)).values()))
    lone = {rule.requirement for rule in profile(claimed).rules} - {
        rule.requirement for rule in profile(RO_CRATE).rules
    }
    assert not rules(check(document, profile_id=RO_CRATE))
    # nothing is left but the claim
    kept = [e for e in document["@graph"] if e["@id"] in ("ro-crate-metadata.json", "./") or "Profile" in e["@type"]]
    for each in kept:
        for name in ("mainEntity", "mentions", "hasPart"):
            each.pop(name, None)
    bare = {
        **document,
        "@graph": [*kept, {"@id": "#run", "@type": "CreateAction"}, {"@id": "#step", "@type": "HowToStep"}],
    }
    assert rules(check(bare, profile_id=RO_CRATE)) & lone
    for each in kept:
        each.pop("conformsTo", None)
    assert not rules(check(bare, profile_id=RO_CRATE)) & lone


def test_a_version_without_rules_is_said_not_to_be_examined() -> None:
    crate = examples.request()
    entity(crate, "./")["conformsTo"] = [ref(FIVE_SAFES), ref("https://w3id.org/ro/wfrun/workflow/0.2")]
    assert "https://w3id.org/ro/wfrun/workflow/0.2" in {name for name, _ in check(crate).not_examined}


# ------------------------------------------------------------------------------------------------ crates inside


def with_workflow(metadata: bytes) -> tuple[Crate, dict[str, bytes]]:
    crate = examples.request()
    crate["@graph"].append({"@id": "wf/", "@type": "Dataset", "name": "Count", "conformsTo": ref(WORKFLOW_CRATE)})
    root = entity(crate, "./")
    root["mainEntity"] = ref("wf/")
    root["hasPart"] = [ref("wf/"), ref("input1.txt")]
    entity(crate, RUN)["instrument"] = ref("wf/")
    crate["@graph"].remove(entity(crate, WORKFLOW))
    files = {
        "ro-crate-metadata.json": json.dumps(crate).encode(),
        "input1.txt": b"1",
        "wf/ro-crate-metadata.json": metadata,
    }
    return crate, files | {"wf/count.ga": b"{}", "wf/count.cwl": b"{}"}


def a_workflow() -> dict[str, Any]:
    return conforming(folder(WORKFLOW_CRATE))["workflow"]


def test_a_workflow_in_the_payload_is_held_to_its_profile() -> None:
    crate, files = with_workflow(json.dumps(a_workflow()).encode())
    assert rules(check(crate, files=files)) == {"R26"}  # it is in Galaxy
    broken = a_workflow()
    del entity(broken, "count.ga")["programmingLanguage"]
    del entity(broken, "./")["name"]
    _, files = with_workflow(json.dumps(broken).encode())
    found = {(f.rule, f.entity) for f in check(crate, files=files).findings}
    assert found == {("WROC-language", "wf/count.ga"), ("RC-name", "wf/")}


def test_a_file_that_a_crate_inside_describes_and_lacks_is_named_by_its_whole_path() -> None:
    crate, files = with_workflow(json.dumps(a_workflow()).encode())
    del files["wf/count.cwl"]
    assert ("RC-file", "wf/count.cwl") in {(f.rule, f.entity) for f in check(crate, files=files).findings}


@pytest.mark.parametrize("metadata", [b"", b"not json", b"[]", b'{"@graph": 3}', b'{"a": 1, "a": 2}'])
def test_a_crate_inside_that_is_none_is_a_finding(metadata: bytes) -> None:
    crate, files = with_workflow(metadata)
    assert "RC-graph" in rules(check(crate, files=files))


def test_many_crates_inside_are_read_in_time() -> None:
    """Each file goes to its own crate: anything quadratic would take minutes at this size."""
    crate = examples.request()
    inner = json.dumps(conforming(folder(RO_CRATE))["crate"]).encode()
    files: dict[str, bytes] = {}
    for number in range(500):
        crate["@graph"].append({"@id": f"c{number}/", "@type": "Dataset"})
        files |= {f"c{number}/{name}": b"1" for name in ("notes.txt", "tables/counts.csv")}
        files[f"c{number}/ro-crate-metadata.json"] = inner
    files["ro-crate-metadata.json"] = json.dumps(crate).encode()
    assert check(crate, files=files).seconds < 10


# ------------------------------------------------------------------------------------- what is a run, and what not


def test_what_else_was_made_is_not_the_requested_run() -> None:
    """R82 and Process Run Crate: other actions may stand beside it, with other tools, agents and states."""
    crate = examples.request()
    tool = {"@id": "#tool", "@type": "SoftwareApplication", "name": "A tool"}
    preview = {"@id": "#preview", "@type": "CreateAction", "name": "Preview", "instrument": ref("#tool")}
    change = {
        "@id": "#change",
        "@type": "UpdateAction",
        "name": "Retyped",
        "object": ref("./"),
        "instrument": ref("#tool"),
    }
    crate["@graph"] += [tool, preview, change]
    entity(crate, "./")["mentions"] += [ref("#preview"), ref("#change")]
    report = check(crate)
    assert (report.stage, report.findings) == ("request", ())


def test_a_run_of_another_workflow_is_no_run_of_this_one() -> None:
    crate = examples.request()
    entity(crate, RUN)["instrument"] = ref("#tool")
    crate["@graph"].append({"@id": "#tool", "@type": "SoftwareApplication", "name": "A tool"})
    assert "R31" in rules(check(crate))


# --------------------------------------------------------------------------------------------- versions of RO-Crate


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3"])
def test_the_version_that_a_crate_declares_chooses_what_is_demanded(version: str) -> None:
    crate = conforming(folder(RO_CRATE))["crate"]
    crate["@context"] = f"https://w3id.org/ro/crate/{version}/context"
    entity(crate, "ro-crate-metadata.json")["conformsTo"] = ref(f"https://w3id.org/ro/crate/{version}")
    entity(crate, "./")["conformsTo"] = ref("https://example.com/profile")
    wanted = set() if version == "1.1" else {"RC12-profile"}
    assert rules(check(crate, profile_id=f"https://w3id.org/ro/crate/{version}")) == wanted


def test_the_draft_of_1_2_that_the_profile_cites_is_1_2() -> None:
    crate = examples.request()
    crate["@context"] = "https://w3id.org/ro/crate/1.2-DRAFT/context"
    entity(crate, "ro-crate-metadata.json")["conformsTo"] = ref("https://w3id.org/ro/crate/1.2-DRAFT")
    assert check(crate).findings == ()
    entity(crate, "./")["sourceOrganisation"] = "a slip"
    assert rules(check(crate)) == {"RC-term"}


def test_a_context_that_is_not_carried_may_define_anything() -> None:
    crate = examples.request()
    crate["@context"] = [crate["@context"], "https://example.com/context", {"mine": "https://example.com/mine"}]
    entity(crate, "./")["whatever"] = "1"
    assert not rules(check(crate))


DRAFT, PROCESS, RUN_CRATE = (
    "https://w3id.org/5s-crate/1.0",
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
)


@pytest.mark.parametrize(
    ("declared", "judge"),
    [
        ([], FIVE_SAFES),
        (["https://example.org/a-profile"], FIVE_SAFES),
        ([PROCESS], PROCESS),
        ([RUN_CRATE, PROCESS], RUN_CRATE),
        ([PROCESS, FIVE_SAFES], FIVE_SAFES),
        ([DRAFT], DRAFT),
    ],
)
def test_a_crate_is_judged_by_what_it_declares_unless_a_profile_is_named(
    declared: list[str], judge: str, tmp_path: Path
) -> None:
    crate = examples.request()
    entity(crate, "./")["conformsTo"] = [ref(name) for name in declared]
    path = tmp_path / "ro-crate-metadata.json"
    path.write_text(json.dumps(crate), "utf-8")
    assert examine(path, profile_id=None).profile == judge
    assert examine(path).profile == FIVE_SAFES
    assert examine(path, profile_id=DRAFT).profile == DRAFT


def test_an_answer_holds_the_profile_that_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "answer.zip"
    path.write_bytes(builders.an_answer())
    report = examine(path, profile_id=None)
    assert report.profile == PROCESS
    assert report.findings == ()
