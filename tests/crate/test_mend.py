"""Mending: what has one right answer, said in words, in a derivative that names its original. Nothing else, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bagit
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rocrate.rocrate import ROCrate

from cinque.crate.archive import pack, unpack
from cinque.crate.check import check, examine
from cinque.crate.mend import Mended, mend, write
from cinque.crate.mends import Draft, mend_graph
from cinque.crate.profiles import FIVE_SAFES_DRAFT, INSTALLED, folder, profile
from cinque.crate.profiles.examples import Mutant, a_bag, conforming, mutants
from cinque.crate.signed import STATEMENT
from cinque.crate.verify import verify
from cinque.errors import CinqueError, Refused, Unreadable
from cinque.lib.digest import sha512_hex
from tests.builders import a_release, a_request, some_members
from tests.crate import examples
from tests.crate.examples import DISCLOSURE, RUN, Crate, entity, ref
from tests.crate.test_check import anything, entities

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
FOR_MENDING = [name for name in INSTALLED if not profile(name).draft]
MUTANTS = [(name, mutant) for name in FOR_MENDING for mutant in mutants(folder(name))]


def put(tmp_path: Path, crate: Crate | bytes, name: str = "crate.json") -> Path:
    path = tmp_path / name
    path.write_bytes(crate if isinstance(crate, bytes) else json.dumps(crate).encode())
    return path


def mended(tmp_path: Path, crate: Crate) -> tuple[Crate, Mended]:
    found = mend(put(tmp_path, crate), now=NOW)
    return json.loads(found.metadata), found


# ------------------------------------------------------------------------------------------------- every mutant


def broken(tmp_path: Path, identifier: str, mutant: Mutant) -> Path:
    example = conforming(folder(identifier))[mutant.of]
    if mutant.bagged:
        return put(tmp_path, pack(mutant.bag(example), "crate"), "crate.zip")
    return put(tmp_path, mutant.metadata(example))


@pytest.mark.parametrize(
    ("identifier", "mutant"), MUTANTS, ids=[f"{place}-{mutant.rule}" for place, (_, mutant) in enumerate(MUTANTS, 1)]
)
def test_mending_breaks_no_rule_and_mending_again_changes_nothing(
    tmp_path: Path, identifier: str, mutant: Mutant
) -> None:
    path = broken(tmp_path, identifier, mutant)
    try:
        once = mend(path, now=NOW, profile_id=identifier)
    except (Refused, Unreadable):
        assert mutant.rule in ("R7", "R9", "RC-graph")  # no metadata; files to be fetched; not a graph
        return
    before = {f.rule for f in examine(path, profile_id=identifier).findings}
    assert {f.rule for f in once.report.findings if f.level == "must"} <= before
    if once.changes:
        out = tmp_path / f"mended{path.suffix}"
        write(once, out, path)
        twice = mend(out, now=NOW, profile_id=identifier)
        assert (twice.changes, twice.metadata) == ((), once.metadata)


def test_a_crate_of_the_draft_is_not_mended_into_something_else(tmp_path: Path) -> None:
    for document in conforming(folder(FIVE_SAFES_DRAFT)).values():
        with pytest.raises(Refused, match=r"1\.0 draft"):
            mend(put(tmp_path, document), now=NOW)


@pytest.mark.parametrize("identifier", FOR_MENDING)
def test_what_conforms_is_left_as_it_is(tmp_path: Path, identifier: str) -> None:
    for document in conforming(folder(identifier)).values():
        assert mend(put(tmp_path, document), now=NOW, profile_id=identifier).changes == ()


@pytest.mark.parametrize("data", [a_request(), a_release()], ids=["request", "release"])
def test_what_cinque_writes_needs_no_mending(tmp_path: Path, data: bytes) -> None:
    found = mend(put(tmp_path, data, "crate.zip"), now=NOW)
    assert (found.changes, found.report.findings) == ((), ())


# ------------------------------------------------------------------- as the field wrote it: D1 to D14 in one crate


def as_the_field_wrote_it() -> dict[str, bytes]:
    """The defects of the published examples of 0.4 (D1 to D14), in a crate of our own."""
    crate = examples.published()
    for action in (examples.CHECK, examples.VALIDATE, examples.FETCH, examples.SIGN_OFF, DISCLOSURE):
        found = entity(crate, action)
        found["type"] = found.pop("@type")  # D1
    root = entity(crate, "./")
    root["licence"] = ref("http://spdx.org/licenses/CC-BY-4.0")  # D2, D3
    for name in ("license", "name", "description"):  # D6
        del root[name]
    entity(crate, examples.VALIDATE)["agent"] = ref("#validator-a4a66c63")  # D4
    entity(crate, RUN)["result"] = [ref("outputs/table.csv"), ref("outputs/qa.csv")]  # D5
    root["hasPart"].remove(ref("outputs/table.csv"))
    crate["@graph"].remove(entity(crate, examples.EMPLOYER))  # D7
    entity(crate, RUN)["endTime"] = "2026-11-2310:10:00+00:00"  # D10
    entity(crate, "#enableFastMode").update(name="DataSourcePassword", value="hunter22")
    entity(crate, examples.PUBLISHING)["actionStatus"] = "http://schema.org/CompletetedActionStatus"  # D11
    entity(crate, examples.PROFILE)["@type"] = "Profile"  # D13
    entity(crate, RUN)["actionStatus"] = ref(examples.COMPLETED)  # D14
    files = a_bag(crate)
    files["bagit.txt"] = files["bagit.txt"].replace(b"BagIt-Version", b"BagIt-version")  # D8
    files["data/outputs/table.csv"] = b"changed after the manifests were written\n"  # D9
    return files


FOUND = {  # defect -> rules that say so; D12 is a slip of the profile's prose, which no crate can hold
    "D1": {"RC-type"}, "D2": {"RC-license"}, "D3": {"RC-described"}, "D4": {"R63"}, "D5": {"R47", "R81"},
    "D6": {"RC-name", "RC-description"}, "D7": {"R34", "R41"}, "D8": {"R6"}, "D9": {"R10"}, "D10": {"R59", "R99"},
    "D11": {"R84"}, "D13": {"R21"}, "D14": {"R32"},
}  # fmt: skip
MENDED = {"RC-type", "RC-license", "R6", "R10", "R59", "R84", "R21", "R32"}


def test_every_defect_of_the_published_examples_is_found_at_once_and_mended_where_there_is_one_answer(
    tmp_path: Path,
) -> None:
    path = put(tmp_path, pack(as_the_field_wrote_it(), "crate"), "crate.zip")
    report = examine(path)
    rules = {finding.rule for finding in report.findings}
    assert report.stage == "published"
    for defect, wanted in FOUND.items():
        if defect != "D7":
            assert wanted <= rules, defect
    assert FOUND["D7"] & rules
    findings = mend(path, now=NOW).report.findings
    left = {finding.rule for finding in findings}
    assert not left & MENDED
    assert not any("table.csv" in finding.message for finding in findings)  # qa.csv is nowhere, and stays so
    assert {"R63", "R47", "RC-name", "RC-description", "R99"} <= left  # nobody but their writer knows


def test_the_derivative_names_its_original_and_lists_every_change(tmp_path: Path) -> None:
    data = pack(as_the_field_wrote_it(), "crate")
    path = put(tmp_path, data, "crate.zip")
    found = mend(path, now=NOW)
    write(found, tmp_path / "mended.zip", path)

    assert path.read_bytes() == data
    crate = json.loads(unpack((tmp_path / "mended.zip").read_bytes()).files["data/ro-crate-metadata.json"])
    (original,) = entity(crate, "./")["isBasedOn"]
    assert entity(crate, original["@id"])["identifier"] == "sha512:" + sha512_hex(data)
    (action,) = (each for each in crate["@graph"] if str(each["@id"]).startswith("#mended-"))
    assert ref(action["@id"]) in entity(crate, "./")["mentions"]
    assert action["object"] == ref("./")
    assert len(action["description"].splitlines()) == len(found.changes) > 10
    assert entity(crate, action["instrument"]["@id"])["name"] == "Cinque"
    assert examine(tmp_path / "mended.zip").stage == "published"  # the record is no phase


def test_other_peoples_software_reads_what_is_written(tmp_path: Path) -> None:
    path = put(tmp_path, pack(as_the_field_wrote_it(), "crate"), "crate.zip")
    write(mend(path, now=NOW), tmp_path / "mended", path)
    bagit.Bag(str(tmp_path / "mended")).validate()
    crate = ROCrate(tmp_path / "mended" / "data")
    assert crate.root_dataset["isBasedOn"]
    assert len(crate.dereference(DISCLOSURE).type) > 0


# ------------------------------------------------------------------------------------------ what is never touched


def test_a_signed_crate_is_never_rewritten_and_its_derivative_is_unsigned(tmp_path: Path) -> None:
    files = unpack(a_release()).files
    files["data/outputs/extra.csv"] = b"added\n"
    data = pack(files, "crate")
    path = put(tmp_path, data, "crate.zip")
    found = mend(path, now=NOW)
    write(found, tmp_path / "mended.zip", path)

    assert path.read_bytes() == data
    out = unpack((tmp_path / "mended.zip").read_bytes()).files
    assert STATEMENT not in out
    assert {change.entity for change in found.changes} >= {STATEMENT, "gate.dsse.json", "data/outputs/extra.csv"}
    assert out["request/ro-crate-metadata.json"] == files["request/ro-crate-metadata.json"]  # the question stays
    assert verify(tmp_path / "mended.zip", some_members()).exit_code not in (0, 4)


@pytest.mark.parametrize("name", ["crate.zip", "there", "bag/inside.zip", "bag/data/inside"])
def test_nothing_is_written_over_the_original_or_into_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    for file, content in as_the_field_wrote_it().items():
        (tmp_path / "bag" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bag" / file).write_bytes(content)
    zipped = put(tmp_path, pack(as_the_field_wrote_it(), "crate"), "crate.zip")
    source = tmp_path / "bag" if name.startswith("bag") else zipped
    with pytest.raises(Refused, match="that name"):
        write(mend(source, now=NOW), tmp_path / name, source)


def test_metadata_alone_cannot_become_a_crate(tmp_path: Path) -> None:
    crate = examples.request()
    entity(crate, RUN)["type"] = entity(crate, RUN).pop("@type")
    path = put(tmp_path, crate)
    with pytest.raises(Refused, match="alone"):
        write(mend(path, now=NOW), tmp_path / "out.zip", path)
    write(mend(path, now=NOW), tmp_path / "out.json", path)
    assert check((tmp_path / "out.json").read_bytes()).findings == ()


def test_a_folder_that_is_no_bag_becomes_one_only_as_a_zip(tmp_path: Path) -> None:
    (tmp_path / "crate").mkdir()
    crate = examples.request()
    entity(crate, "./")["hasPart"].remove(ref("input1.txt"))
    put(tmp_path / "crate", crate, "ro-crate-metadata.json")
    put(tmp_path / "crate", b"1\n", "input1.txt")
    found = mend(tmp_path / "crate", now=NOW)
    write(found, tmp_path / "plain", tmp_path / "crate")
    write(found, tmp_path / "bag.zip", tmp_path / "crate")
    assert sorted(each.name for each in (tmp_path / "plain").iterdir()) == ["input1.txt", "ro-crate-metadata.json"]
    assert examine(tmp_path / "bag.zip").findings == ()


# ------------------------------------------------------------------------------------------------- one right answer


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("2023-05-1518:00:00+01:00", "2023-05-15T18:00:00+01:00"),
        ("2023-05-15 18:00:00Z", "2023-05-15T18:00:00Z"),
        ("2023-05-15T18:00:00+0100", "2023-05-15T18:00:00+01:00"),
        ("2023-05-15T18:00Z", "2023-05-15T18:00:00Z"),
        ("20230515T180000Z", "2023-05-15T18:00:00Z"),
        ("2023/05/15 18:00:00.5 Z", "2023-05-15T18:00:00.5Z"),
        ("2023-05-15T18:00:00", None),  # in which zone?
        ("15/05/2023 18:00:00Z", None),
        ("03/04/2023", None),  # March or April?
        ("2023-13-45T18:00:00 Z", None),
        ("yesterday", None),
    ],
)
def test_a_time_is_mended_where_it_parses_in_one_way(tmp_path: Path, written: str, right: str | None) -> None:
    crate = examples.executed()
    entity(crate, RUN)["endTime"] = written
    out, _ = mended(tmp_path, crate)
    assert entity(out, RUN)["endTime"] == (right or written)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("https://schema.org/CompletedActionStatus", examples.COMPLETED),
        ("CompletedActionStatus", examples.COMPLETED),
        ("schema:FailedActionStatus", examples.FAILED),
        ("http://schema.org/CompletetedActionStatus", examples.COMPLETED),
        ("completed", examples.COMPLETED),
        (ref(examples.ACTIVE), examples.ACTIVE),
        ("done", None),
        ("http://schema.org/ActionStatus", None),
    ],
)
def test_a_status_is_mended_where_it_can_mean_one_thing(tmp_path: Path, written: Any, right: str | None) -> None:
    crate = examples.executed()
    entity(crate, RUN)["actionStatus"] = written
    out, _ = mended(tmp_path, crate)
    assert entity(out, RUN)["actionStatus"] == (right or written)


def test_a_review_that_the_root_does_not_mention_stays_unmentioned(tmp_path: Path) -> None:
    """A TRE takes such references out of what a client sent (R97). To put one back would vouch for it."""
    crate = examples.published()
    entity(crate, "./")["mentions"].remove(ref(examples.SIGN_OFF))
    out, found = mended(tmp_path, crate)
    assert ref(examples.SIGN_OFF) not in entity(out, "./")["mentions"]
    assert "R80" in {finding.rule for finding in found.report.findings}


def test_outputs_of_a_failed_disclosure_check_are_not_linked_in(tmp_path: Path) -> None:
    crate = examples.withheld()
    crate["@graph"].append({"@id": "outputs/table.csv", "@type": "File"})
    out, found = mended(tmp_path, crate)
    assert ref("outputs/table.csv") not in entity(out, "./")["hasPart"]
    assert "R76" in {finding.rule for finding in found.report.findings}


def _two_licences(crate: Crate) -> None:
    entity(crate, "./")["licence"] = ref("https://example.com/other")


def _ambiguous(crate: Crate) -> None:
    crate["@graph"] += [{"@id": name, "@type": "Thing"} for name in ("http://a.example/x", "https://a.example/x/")]
    entity(crate, "./")["about"] = ref("https://a.example/x")


@pytest.mark.parametrize("change", [_two_licences, _ambiguous])
def test_where_two_answers_are_possible_nothing_is_changed(tmp_path: Path, change: Callable[[Crate], None]) -> None:
    crate = examples.request()
    change(crate)
    assert mend(put(tmp_path, crate), now=NOW).changes == ()


def test_a_part_of_a_file_is_not_the_file(tmp_path: Path) -> None:
    crate = examples.request()
    entity(crate, RUN)["error"] = ref("input1.txt#line-3")
    files = a_bag(crate)
    assert mend(put(tmp_path, pack(files, "crate"), "crate.zip"), now=NOW).changes == ()


def test_an_entity_inside_another_moves_beside_it(tmp_path: Path) -> None:
    crate = examples.request()
    inner = {"@id": "https://example.com/funder", "type": "Organization", "name": "A funder"}
    entity(crate, "./")["funder"] = inner
    out, _ = mended(tmp_path, crate)
    assert entity(out, "./")["funder"] == ref("https://example.com/funder")
    assert entity(out, "https://example.com/funder")["@type"] == "Organization"


# ---------------------------------------------------------------------------------------------------- hostile input


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(entities | anything), st.sampled_from([None, {}, {"a.txt": b"", "outputs/x": b""}]))
def test_no_graph_crashes_the_mender_and_it_settles(graph: list[Any], payload: dict[str, bytes] | None) -> None:
    draft = Draft({"@graph": graph}, payload)
    mend_graph(draft)
    again = Draft(json.loads(json.dumps(draft.document)), payload)
    mend_graph(again)
    assert again.changes == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(anything)
def test_what_is_no_crate_is_refused_in_words(tmp_path: Path, document: Any) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document))
    with pytest.raises(CinqueError):
        mend(path, now=NOW)


@pytest.mark.timeout(60)
def test_a_crate_of_many_slips_is_mended_in_time(tmp_path: Path) -> None:
    """Anything quadratic would take minutes at this size."""
    crate = examples.request()
    crate["@graph"] += [{"@id": f"inputs/{i}.txt", "type": "File", "name": "Input"} for i in range(10_000)]
    out, found = mended(tmp_path, crate)
    assert len(found.changes) == 20_000
    assert found.report.findings == ()
    assert len(entity(out, "./")["hasPart"]) == 10_002
