"""0.4 crates become snapshots of the 1.0 draft: of every stage, outcome and a real run; nothing is lost unsaid."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rocrate.rocrate import ROCrate

import cinque
from cinque.crate.archive import unpack, write_folder
from cinque.crate.check import Report, check_together, load_for_check
from cinque.crate.draft_1_0.conversion import convert_crate, digested
from cinque.crate.draft_1_0.written import Converted
from cinque.crate.index import Index
from cinque.crate.preview import preview_html
from cinque.crate.profiles import FIVE_SAFES_DRAFT
from cinque.crate.stages import STAGES
from cinque.crate.view import view
from cinque.errors import Refused
from cinque.lib.digest import sha512_hex
from cinque.lib.ids import system_random
from tests.builders import NOW, a_random, a_release, a_request, a_tre, an_answer
from tests.cli.commands import cinque as command
from tests.cli.commands import document
from tests.crate import examples
from tests.crate.examples import DISCLOSURE, PROJECT, RUN, TRE, entity
from tests.crate.test_release import WRITTEN

METADATA = "data/ro-crate-metadata.json"


def converted(data: bytes, previous: Converted | None = None, seed: str = "convert") -> tuple[Converted, ...]:
    """Of a ZIP, or of a metadata document."""
    files = unpack(data).files if data[:2] == b"PK" else None
    return convert_crate(
        files[METADATA] if files is not None else data,
        files,
        digest=sha512_hex(data),
        name="crate.zip",
        now=NOW,
        random=a_random(seed),
        previous=None if previous is None else Index(previous.graph.to_json()),
    )


def judged(*crates: Converted) -> list[Report]:
    return check_together([(each.graph.to_json(), None) for each in crates], profile_id=FIVE_SAFES_DRAFT)


def of(crate: Any) -> Index:
    """The index of what a 0.4 metadata document becomes."""
    return Index(converted(json.dumps(crate).encode())[0].graph.to_json())


def kinds(index: Index) -> list[str]:
    return sorted(kind for node in index.of_type("Activity") for kind in node.types if kind != "Activity")


# ------------------------------------------------------------------------------------------------- it conforms


@pytest.mark.parametrize("stage", STAGES)
def test_a_crate_of_any_maker_becomes_a_conforming_snapshot_at_each_stage(stage: str) -> None:
    (made,) = converted(json.dumps(examples.BY_STAGE[stage]()).encode())
    (report,) = judged(made)
    assert report.stage == "snapshot"
    assert report.holds("should"), report.findings


@pytest.mark.parametrize("outcome", [*WRITTEN, "request"])
def test_each_crate_that_cinque_writes_becomes_a_conforming_snapshot(outcome: str) -> None:
    (made,) = converted(WRITTEN.get(outcome) or a_request())
    (report,) = judged(made)
    assert report.holds("should"), report.findings


def test_an_answer_becomes_a_federated_record_and_the_provenance_of_each_node() -> None:
    made = converted(an_answer())
    reports = judged(*made)
    assert [each.role for each in made] == ["", "north", "south"]
    assert [report.stage for report in reports] == ["snapshot", "node-provenance", "node-provenance"]
    assert all(report.holds("should") for report in reports), [report.findings for report in reports]
    assert len({each.record for each in made}) == 3


def test_a_real_federation_leaves_crates_that_convert_to_conforming_ones(tmp_path: Path) -> None:
    people = {"sex": ["F", "M"] * 40, "age": list(range(20, 100))}
    with cinque.Federation.local({"hastings": people, "romney": people}) as federation:
        answer = federation.count(where="sex == 'F' and age >= 40")
        for path in (answer.crate, *answer.crates.values(), answer.crate.parent / "request.zip"):
            assert path is not None
            metadata, files = load_for_check(path)
            made = convert_crate(
                metadata,
                files,
                digest=digested(path, metadata, files),
                name=path.name,
                now=NOW,
                random=system_random,
            )
            assert all(report.holds("should") for report in judged(*made))
            assert made[0].original.digest == sha512_hex(path.read_bytes())


# ------------------------------------------------------------------------------------------- what becomes of what


def test_a_request_is_a_plan_and_one_asking_for_each_tre() -> None:
    index = Index(converted(a_request())[0].graph.to_json())
    asked = index.of_type("AskAction")
    assert kinds(index) == ["AskAction", "AskAction"]
    assert {node.text("recipient") for node in asked} == {a_tre().card.id, a_tre("south").card.id}
    assert {node.text("object") for node in asked} == {plan.id for plan in index.of_type("Plan")}


def test_a_request_to_nobody_is_a_plan_alone_and_it_is_said() -> None:
    (made,) = converted(json.dumps(examples.request()).encode())
    index = Index(made.graph.to_json())
    assert (len(index.of_type("Plan")), kinds(index)) == (1, [])
    assert any("submitted" in each.why and not each.to for each in made.moved)


def test_a_released_crate_has_its_decisions_apart_from_its_checks() -> None:
    index = of(examples.published())
    assert kinds(index) == [
        "Action", "Action", "AskAction", "AssessAction", "AssessAction", "AssessAction", "AuthorizeAction",
        "AuthorizeAction", "CreateAction", "DownloadAction",
    ]  # fmt: skip  # the review and the retrieval; check, validation and output check; sign-off and release
    plan, release = index.of_type("AuthorizeAction")[:2]
    if not index.linked(plan, "object", "Plan"):
        plan, release = release, plan
    assert [node.types for node in index.linked(plan, "prov:wasInformedBy")] == [("AskAction", "Activity")]
    (review,) = [node for node in index.of_type("Action") if node.values("dct:hasPart")]
    assert release.id in review.ids("dct:hasPart")


def test_software_steps_back_behind_the_organisation_that_it_acted_for() -> None:
    for node in of(examples.published()).of_type("AssessAction"):
        assert node.text("agent") == TRE
    assert examples.SOFTWARE in {
        id for n in of(examples.published()).of_type("AssessAction") for id in n.ids("instrument")
    }


def test_a_run_of_the_same_request_is_another_process_in_each_tre() -> None:
    record, *nodes = converted(an_answer())
    runs = [node.id for node in Index(record.graph.to_json()).of_type("CreateAction") if node.values("provider")]
    assert len(set(runs)) == len(runs) == len(nodes)


@pytest.mark.parametrize("stage", ["withheld", "refused"])
def test_a_no_is_a_reject_action_and_lets_nothing_out(stage: str) -> None:
    crate = examples.BY_STAGE[stage]()
    index = of(crate)
    assert len(index.of_type("RejectAction")) == 1
    assert not [node for node in index.of_type("CreateAction") if node.values("result")]
    assert not any("outputs/" in node.id for node in index.nodes)


def test_a_refusal_says_why_in_the_words_that_may_leave() -> None:
    index = Index(converted(WRITTEN["refused"])[0].graph.to_json())
    (refusal,) = index.of_type("RejectAction")
    assert refusal.text("description")
    assert index.linked(refusal, "prov:wasInformedBy", "AskAction")


def test_whether_a_failed_run_ran_is_not_said_in_either_form() -> None:
    (made,) = converted(WRITTEN["failed"])
    assert not Index(made.graph.to_json()).of_type("CreateAction")
    assert any(each.property == "actionStatus" and not each.to for each in made.moved)


def test_an_anticipated_check_has_no_place() -> None:
    crate = examples.executed()
    crate["@graph"].append({**entity(examples.published(), DISCLOSURE), "actionStatus": examples.POTENTIAL})
    entity(crate, "./")["mentions"].append({"@id": DISCLOSURE})
    (made,) = converted(json.dumps(crate).encode())
    assert [each.to for each in made.moved if (each.entity, each.property) == (DISCLOSURE, "")] == [""]


# --------------------------------------------------------------------------------------------- nothing lost unsaid


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("stage", STAGES)
def test_each_thing_stands_there_still_or_is_in_the_report(stage: str) -> None:
    crate = examples.BY_STAGE[stage]()
    crate["@context"] = [crate["@context"], {"colour": "https://example.com/terms#colour"}]
    crate["@graph"].append({"@id": "#odd", "@type": "Thing", "name": "Odd", "colour": "blue"})
    entity(crate, RUN)["subjectOf"] = {"@id": "#odd"}
    entity(crate, PROJECT)["foundingDate"] = "2020"
    (made,) = converted(json.dumps(crate).encode())
    told = {(each.entity, each.property) for each in made.moved}
    assert {(RUN, "subjectOf"), (PROJECT, "foundingDate")} <= told
    text = made.graph.to_bytes().decode()
    for each in crate["@graph"]:
        if (each["@id"], "") in told:
            continue
        for name, value in each.items():
            if name not in ("@id", "@type") and (each["@id"], name) not in told:
                for one in _values(value):
                    assert json.dumps(name) in text
                    assert isinstance(one, dict) or json.dumps(one) in text


def test_the_new_crate_names_its_original_with_its_digest_and_says_that_it_is_a_draft() -> None:
    data = a_release()
    (made,) = converted(data)
    root = made.graph.root
    (original,) = [made.graph[root["prov:wasDerivedFrom"]["@id"]]]
    assert original["identifier"] == f"sha512:{sha512_hex(data)}"
    assert original["@id"] in [part["@id"] for part in root["hasPart"]]
    assert "working draft" in root["name"]
    assert "working draft" in root["description"]
    page = preview_html(made.graph, {}).decode()
    assert "Working draft of profile 1.0: snapshot 1" in page
    assert "Refused" not in page
    assert not any(name.startswith(("statement", "request/", "bagit")) for name in made.files)


def test_the_page_of_a_draft_tells_agreements_from_software_and_reviews_from_steps() -> None:
    seen = view(converted(a_release())[0].graph, {})
    assert {card.role for card in seen.sections[1].cards} == {"agreement"}
    assert not any("enclave" in card.title.text for card in seen.sections[1].cards)
    assert {"Request", "Check", "Decision", "Execution", "Review"} <= {moment.phase for moment in seen.timeline}
    assert (seen.status, seen.tone) == ("Working draft of profile 1.0: snapshot 1 of an activity record", "open")


def test_a_record_goes_on_with_the_crate_that_came_before() -> None:
    (first,) = converted(a_request(), seed="one")
    (later,) = converted(a_release(), first, seed="two")
    assert (later.record, later.version) == (first.record, 2)
    assert all(report.holds("should") for report in judged(first, later)), [r.findings for r in judged(first, later)]
    (fresh,) = converted(a_release(), seed="three")
    assert (fresh.record != first.record, fresh.version) == (True, 1)


def test_the_rocrate_library_reads_it_and_the_payload_is_whole(tmp_path: Path) -> None:
    data = a_release()
    (made,) = converted(data)
    write_folder(unpack(made.to_zip("made")), tmp_path / "made")
    read = ROCrate(str(tmp_path / "made"))
    assert read.root_dataset["version"] == 1
    before = unpack(data).files
    for name, content in made.files.items():
        if not name.startswith("ro-crate-"):
            assert before[f"data/{name}"] == content


# ------------------------------------------------------------------------------------------------- refused in words


@pytest.mark.parametrize("data", [b"{}", b"[]", b"null", b'{"@graph": 3}', b'{"@graph": [{"@id": 1}]}'])
def test_what_is_no_crate_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        converted(data)


def test_a_crate_that_breaks_a_must_is_refused_with_the_rule() -> None:
    crate = examples.request()
    del entity(crate, "./")["sourceOrganization"]
    crate["@graph"].remove(entity(crate, RUN))
    with pytest.raises(Refused, match=r"R36|R29") as refusal:
        converted(json.dumps(crate).encode())
    assert "cinque crate check" in refusal.value.remedy


def test_a_converted_crate_is_not_converted_again() -> None:
    (made,) = converted(a_request())
    with pytest.raises(Refused) as refusal:
        converted(made.files["ro-crate-metadata.json"])
    assert refusal.value.code == "converted-already"


def test_only_a_snapshot_can_come_before() -> None:
    metadata = json.dumps(examples.request()).encode()
    with pytest.raises(Refused, match="no numbered snapshot"):
        convert_crate(
            metadata, None, digest="0", name="x", now=NOW, random=a_random("x"), previous=Index(examples.request())
        )


likely = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["./", RUN, DISCLOSURE, "outputs/table.csv", examples.PERSON, examples.FAILED]).map(
        lambda name: {"@id": name}
    )
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_change_to_a_crate_crashes_the_conversion(data: st.DataObject) -> None:
    crate = data.draw(st.sampled_from([examples.published, examples.withheld, examples.refused]))()
    found = data.draw(st.sampled_from(crate["@graph"]))
    names = ["@type", "version", "additionalType", "conformsTo", "identifier", "license", "agent", *found]
    found[data.draw(st.sampled_from(names))] = data.draw(likely | st.lists(likely, max_size=3))
    try:
        (made,) = converted(json.dumps(crate).encode())
    except Refused:
        return
    assert judged(made)[0].conforms


# ----------------------------------------------------------------------------------------------------- the command


def _put(folder: Path, data: bytes) -> Path:
    (folder / "crate.zip").write_bytes(data)
    return folder / "crate.zip"


def _files(report: Mapping[str, Any]) -> list[str]:
    return [each["file"] for each in report["crates"]]


def test_the_command_writes_reports_and_says_draft(tmp_path: Path) -> None:
    path = _put(tmp_path, a_release())
    ran = command("crate", "convert", path, "--to", "1.0")
    assert ran.exit_code == 0, ran.output
    assert "working draft" in ran.stdout
    assert "statement.dsse.json" in ran.stdout
    assert (tmp_path / "crate-1.0-draft.zip").is_file()
    again = command("crate", "convert", path, "--to", "1.0")
    assert again.exit_code == 1
    assert "already" in again.output
    shown = command("crate", "show", tmp_path / "crate-1.0-draft.zip")
    assert "Working draft of profile 1.0" in shown.stdout


def test_an_answer_is_written_as_several_crates_that_check_together(tmp_path: Path) -> None:
    path = _put(tmp_path, an_answer())
    report = document(command("crate", "convert", path, "--to", "1.0", "-o", tmp_path / "new.zip", "--json"))
    assert report["draft"] is True
    assert [Path(file).name for file in _files(report)] == ["new.zip", "new-north.zip", "new-south.zip"]
    ran = command("crate", "check", *_files(report), "--profile", FIVE_SAFES_DRAFT, "--level", "should", "--json")
    assert ran.exit_code == 0, ran.output
    assert [each["stage"] for each in document(ran)] == ["snapshot", "node-provenance", "node-provenance"]
    assert "draft" in command("crate", "check", _files(report)[0], "--profile", FIVE_SAFES_DRAFT).output


def test_a_strange_file_is_refused_in_words(tmp_path: Path) -> None:
    for data in (b"", b"PK\x03\x04", b"\xff\xfe", b"{}"):
        ran = command("crate", "convert", _put(tmp_path, data), "--to", "1.0")
        assert ran.exit_code in (1, 2)
        assert "Traceback" not in ran.output
