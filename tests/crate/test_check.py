"""The checker: each stage's example conforms, each rule catches its mutant, nothing crashes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinque.crate.archive import pack
from cinque.crate.check import Finding, Report, check, examine, load_for_check
from cinque.crate.profiles import LEVELS, profile
from cinque.crate.profiles.examples import a_bag
from cinque.crate.stages import STAGES, stage
from cinque.errors import Refused, Unreadable
from tests.crate import examples
from tests.crate.examples import BY_STAGE, DISCLOSURE, RUN, Crate, entity, put, ref

RULES = {rule.id: rule for rule in profile().rules}


def caught(report: Report, rule: str) -> list[Finding]:
    """The findings of one rule; parts of a requirement are told apart by their remedy."""
    wanted = RULES[rule]
    return [f for f in report.findings if (f.rule, f.remedy) == (wanted.requirement, wanted.remedy)]


# ------------------------------------------------------------------------------------------------ conforming crates


@pytest.mark.parametrize("name", STAGES)
def test_the_example_of_every_stage_conforms_at_every_level(name: str) -> None:
    report = check(BY_STAGE[name]())
    assert (report.stage, report.findings) == (name, ())
    assert report.conforms
    assert report.holds("may")


@pytest.mark.parametrize("name", STAGES)
def test_bytes_and_values_are_checked_alike(name: str) -> None:
    crate = BY_STAGE[name]()
    assert check(json.dumps(crate).encode()).findings == check(crate).findings


def test_the_stage_found_from_the_graph_accepts_every_form_of_a_status() -> None:
    crate = examples.withheld()
    for form in (ref(examples.FAILED), "https://schema.org/FailedActionStatus", "FailedActionStatus"):
        put(DISCLOSURE, actionStatus=form)(crate)
        assert stage(crate) == "withheld"


def test_must_is_not_broken_by_what_should_be() -> None:
    crate = examples.request()
    del entity(crate, "./")["conformsTo"]
    report = check(crate)
    assert (report.conforms, report.holds("should"), report.holds("must")) == (True, False, True)
    assert [f.rule for f in report.findings] == ["R21"]


# -------------------------------------------------------------------- defects of the published examples (D1-D14)


def _d1(crate: Crate) -> None:
    for action in (examples.CHECK, examples.VALIDATE, examples.FETCH, examples.SIGN_OFF, DISCLOSURE):
        found = entity(crate, action)
        found["type"] = found.pop("@type")


def _d4(crate: Crate) -> None:
    for action, agent in ((examples.VALIDATE, "#validator-a4a66c63"), (examples.FETCH, "http://proxy.example.com/")):
        put(action, agent=ref(agent))(crate)


def _d5(crate: Crate) -> None:
    put(RUN, result=[ref("outputs/table.csv"), ref("outputs/qa.csv")])(crate)
    entity(crate, "./")["hasPart"].remove(ref("outputs/table.csv"))


def _d6(crate: Crate) -> None:
    for name in ("name", "description", "license", "datePublished"):
        del entity(crate, "./")[name]


def _d7(crate: Crate) -> None:
    crate["@graph"].remove(entity(crate, examples.EMPLOYER))


def _d2(crate: Crate) -> None:
    root = entity(crate, "./")
    root["licence"] = root.pop("license")


def _d10(crate: Crate) -> None:
    put(RUN, endTime="2023-05-1518:00:00+01:00")(crate)
    entity(crate, RUN)["object"].append(ref("rqeuest-query.json"))
    put("#enableFastMode", name="DataSourcePassword", value="password1")(crate)


DEFECTS: dict[str, tuple[Callable[[Crate], None], set[str]]] = {
    "D1": (_d1, {"RC-type"}),
    "D2": (_d2, {"RC-license"}),
    "D3": (put("./", license=ref("http://spdx.org/licenses/CC-BY-4.0")), {"RC-license"}),
    "D4": (_d4, {"R63"}),
    "D5": (_d5, {"R47", "R81", "RC-described"}),
    "D6": (_d6, {"RC-name", "RC-description", "RC-license", "RC-datePublished"}),
    "D7": (_d7, {"R34"}),
    "D10": (_d10, {"R59", "R43", "R99"}),
    "D11": (put(RUN, actionStatus="http://schema.org/CompletetedActionStatus"), {"R32"}),
    "D13": (put(examples.PROFILE, **{"@type": "Profile"}), {"R21"}),
    "D14": (put(RUN, actionStatus=ref(examples.POTENTIAL)), {"R32"}),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_defects_of_the_published_examples_are_caught(defect: str) -> None:
    change, rules = DEFECTS[defect]
    crate = examples.published()
    change(crate)
    assert rules <= {f.rule for f in check(crate).findings}


def test_phases_typed_under_the_wrong_key_are_still_phases() -> None:
    crate = examples.published()
    _d1(crate)
    assert {f.rule for f in check(crate).findings} == {"RC-type"}
    assert stage(crate) == "published"


# --------------------------------------------------------------------------------------- leaks, requests, secrets


@pytest.mark.parametrize(
    "kept",
    [
        put(RUN, result=[ref("outputs/table.csv")]),
        lambda crate: crate["@graph"].append({"@id": "outputs/table.csv", "@type": "File"}),
        lambda crate: crate["@graph"].append({"@id": "./outputs/table.csv", "@type": "File"}),
        lambda crate: crate["@graph"].append({"@id": "#other", "@type": "CreateAction", "result": ref("x.csv")}),
    ],
    ids=["result", "file", "file under another spelling", "result of another action"],
)
def test_whatever_is_left_of_a_withheld_output_is_a_leak(kept: Callable[[Crate], None]) -> None:
    crate = examples.withheld()
    kept(crate)
    report = check(crate)
    assert not report.conforms
    assert "R76" in {f.rule for f in report.findings}


def test_a_withheld_file_in_the_payload_is_a_leak() -> None:
    files = {"data/ro-crate-metadata.json": b"{}", "data/outputs/table.csv": b"a,1", "data/input1.txt": b""}
    report = check(examples.withheld(), files=files)
    assert [f.entity for f in caught(report, "R76")] == ["outputs/table.csv"]


def test_what_an_earlier_round_let_pass_is_no_leak() -> None:
    crate = examples.published()
    put(DISCLOSURE, object=[ref("./"), ref("outputs/table.csv")])(crate)
    second = {**entity(crate, DISCLOSURE), "@id": "#disclosure-2", "actionStatus": examples.FAILED, "object": ref("./")}
    crate["@graph"].append(second)
    entity(crate, "./")["mentions"].append(ref("#disclosure-2"))
    report = check(crate)
    assert (report.stage, caught(report, "R76")) == ("withheld", [])


def test_a_withheld_crate_may_do_without_its_run() -> None:
    crate = examples.withheld()
    crate["@graph"].remove(entity(crate, RUN))
    crate["@graph"].remove(entity(crate, "#engine-run"))
    entity(crate, "./")["mentions"].remove(ref(RUN))
    assert not caught(check(crate), "R29")


@pytest.mark.parametrize("kind", ["AssessAction", "http://schema.org/AssessAction", "schema:AssessAction"])
@pytest.mark.parametrize("key", ["@type", "type"])
def test_a_request_cannot_bring_its_own_review_in_any_spelling(kind: str, key: str) -> None:
    crate = examples.request()
    crate["@graph"].append({"@id": "#mine", "@type": "Thing", key: kind})
    assert caught(check(crate, stage="request"), "R97")


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../fetch.txt", "a/../../b", "..%2Ffetch.txt", "C:\\x", "C:/x", "file:///etc/passwd", "\\\\host\\x",
     "//host/x", "~/x", "FILE:/x"],
)  # fmt: skip
def test_paths_out_of_the_payload_are_found_wherever_they_stand(path: str) -> None:
    referred, described = examples.request(), examples.request()
    put("./", image=ref(path))(referred)
    described["@graph"].append({"@id": path, "@type": "File"})
    for crate in (referred, described):
        assert caught(check(crate), "R14")


@pytest.mark.parametrize("path", ["a..b.txt", "..a/b", "outputs/a%20b.csv", "https://a.example/x/../y", "urn:x:../y"])
def test_paths_within_the_payload_pass(path: str) -> None:
    crate = examples.request()
    put("./", image=ref(path))(crate)
    assert not caught(check(crate), "R14")


def secrets() -> list[str]:
    # put together here, so that no scanner takes this file for a leak
    return [
        "-----BEGIN " + "RSA PRIVATE KEY-----",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "postgres://reader:" + "hunter2@db.example/omop",
        "Server=db;User=sa;Pass" + "word=hunter2;",
        "Authorization: Bearer " + "abcdefghijklmnopqrstuvwxyz",
        "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".dBjftJeZ4CVP",
        "npm_" + "a1B2" * 9,
        "pypi-AgE" + "IcHlwaS5vcmc" * 4,
        "DefaultEndpointsProtocol=https;Account" + "Key=" + "a1B2" * 11,
        '{"db_pass' + 'word": "hunter22"}',
        "db_pass" + "word: hunter22",
    ]


@pytest.mark.parametrize("secret", secrets(), ids=range(12))
def test_a_secret_is_named_and_never_shown(secret: str) -> None:
    crate = examples.request()
    put("./", description=f"Connect with\n{secret}\nto it")(crate)
    files = {"data/ro-crate-metadata.json": b"{}", "data/notes.txt": b"connect by\n" + secret.encode()}
    report = check(crate, files=files)
    assert [f.property for f in caught(report, "R99")] == ["description"]
    assert [f.entity for f in caught(report, "R99/payload")] == ["notes.txt"]
    assert secret not in repr(report)


def test_secrets_are_found_in_text_of_two_bytes_a_letter_and_in_tag_files_and_not_in_digests() -> None:
    token = secrets()[2]
    files = {
        "data/ro-crate-metadata.json": b"{}",
        "data/notes.txt": token.encode("utf-16"),
        "bag-info.txt": f"Contact-Email: {token}".encode(),
        "manifest-sha512.txt": token.encode(),
        "data/picture.png": b"\0" + token.encode(),
    }
    report = check(examples.request(), files=files)
    assert [f.entity for f in report.findings if f.rule == "R99"] == ["notes.txt", "bag-info.txt"]


@pytest.mark.parametrize(
    "plain",
    [
        "Passwords are set by the TRE.",
        "https://host:443/x",
        "a tokenised text",
        "urn:uuid:1234",
        "x://a:b c@d",
        '{"properties": {"password": {"type": "string"}}}',
        '{"token": "string", "secret": "${SECRET}"}',
        "password: required\ntoken: the one that your TRE gave you",
    ],
)
def test_words_about_secrets_are_no_secrets(plain: str) -> None:
    crate = examples.request()
    put("./", description=plain)(crate)
    assert not caught(check(crate), "R99")


# ------------------------------------------------------------------------------------------------------- the bag


def test_a_sound_bag_conforms_and_everything_was_examined() -> None:
    files = a_bag(examples.request())
    report = check(files["data/ro-crate-metadata.json"], files=files, container=())
    assert (report.findings, report.not_examined) == ((), ())


def test_what_needs_the_bag_is_not_examined_without_it(tmp_path: Path) -> None:
    report = check(examples.request())
    silent = {rule for rule, _ in report.not_examined}
    assert {"R3", "R10", "R11", "R12"} <= silent
    said = report.to_dict()["findings"]
    assert all(f["message"].startswith("not examined") and f["level"] == "may" for f in said)
    assert {f["rule"] for f in said} == {rule.partition("/")[0] for rule in silent}
    assert report.to_dict()["conforms"] is True


# ------------------------------------------------------------------------------------------------ reading from disk


def test_every_form_of_a_crate_on_disk_is_read(tmp_path: Path) -> None:
    files = a_bag(examples.request())
    metadata = files["data/ro-crate-metadata.json"]
    (tmp_path / "crate.zip").write_bytes(pack(files, "crate"))
    for name, content in files.items():
        (tmp_path / "bag" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bag" / name).write_bytes(content)
    (tmp_path / "alone.json").write_bytes(metadata)
    for path, whole in (("crate.zip", True), ("bag", True), ("bag/data", False), ("alone.json", False)):
        found, others = load_for_check(tmp_path / path)
        report = examine(tmp_path / path)
        assert (found, report.findings) == (metadata, ())
        assert ("R10" not in {rule for rule, _ in report.not_examined}) == whole
    found, others = load_for_check(tmp_path / "bag/data")
    assert "RC-file" not in {rule for rule, _ in check(found, files=others).not_examined}


@pytest.mark.parametrize("content", [b"", b"not json", b'{"@graph": [', b'{"a": 1, "a": 2}', b"\xff\xfe"])
def test_bytes_that_are_no_json_are_refused_in_words(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    metadata, _ = load_for_check(tmp_path / "x.json")
    with pytest.raises(Refused):
        check(metadata)


def test_a_folder_without_metadata_and_a_missing_file_are_unreadable(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.txt").write_text("a")
    for path in (tmp_path / "x", tmp_path / "nothing"):
        with pytest.raises(Unreadable):
            load_for_check(path)


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(Refused, match="stage"):
        check(examples.request(), stage="finished")


# ---------------------------------------------------------------------------------------------------- hostile input

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
IDS = ["./", "ro-crate-metadata.json", RUN, "#a", "../x", "outputs/x", ""]
TYPES = ["Dataset", "CreateAction", "AssessAction", "Person", "SoftwareApplication", "Project", "File", "Profile"]
NAMES = [
    "@id", "@type", "type", "about", "mentions", "hasPart", "agent", "result", "object", "instrument", "actionStatus",
    "additionalType", "startTime", "endTime", "license", "name", "value", "provider", "mainEntity", "datePublished",
]  # fmt: skip
likely = (
    st.sampled_from(IDS + TYPES + [examples.COMPLETED, examples.FAILED, "https://w3id.org/shp#DisclosureCheck"])
    | st.sampled_from(IDS).map(ref)
    | anything
)
entities = st.dictionaries(st.sampled_from(NAMES), likely | st.lists(likely, max_size=3), max_size=8)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(anything | st.fixed_dictionaries({"@graph": anything}) | st.fixed_dictionaries({"@graph": st.lists(entities)}))
def test_no_json_crashes_the_checker_at_any_stage(metadata: Any) -> None:
    for name in (None, "request", "withheld", "published"):
        report = check(metadata, stage=name)
        assert all(f.level in LEVELS for f in report.findings)
        json.dumps(report.to_dict())
    assert not check(metadata).conforms


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_single_change_to_a_crate_crashes_the_checker(data: st.DataObject) -> None:
    crate = examples.published()
    found = data.draw(st.sampled_from(crate["@graph"]))
    found[data.draw(st.sampled_from([*NAMES, *found]))] = data.draw(likely | st.lists(likely, max_size=3))
    check(crate)


def test_control_characters_and_length_stay_out_of_findings() -> None:
    crate = examples.request()
    put("./", image=ref("../\x1b[31m" + "x" * 100_000))(crate)
    for finding in check(crate).findings:
        assert len(finding.message) < 500
        assert "\x1b" not in finding.message + finding.entity


def test_a_million_faults_are_not_a_million_findings() -> None:
    crate = examples.request()
    crate["@graph"] += [{"@id": f"loose{i}.txt", "@type": "File"} for i in range(5_000)]
    findings = caught(check(crate), "RC-hasPart")
    assert len(findings) == 101
    assert findings[-1].message == "The same at 4900 more places."


@pytest.mark.timeout(60)
def test_a_crate_of_many_files_is_read_in_time() -> None:
    """Anything quadratic would take minutes at this size."""
    crate = examples.published()
    names = [f"outputs/{i}.csv" for i in range(20_000)]
    entity(crate, "./")["hasPart"] += [ref(name) for name in names]
    entity(crate, RUN)["result"] += [ref(name) for name in names]
    crate["@graph"] += [{"@id": name, "@type": "File", "name": name} for name in names]
    assert check(crate).findings == ()


def test_a_crate_that_came_back_because_nothing_was_done_lacks_no_phase() -> None:
    crate = examples.published()
    phases = (examples.CHECK, examples.VALIDATE, examples.FETCH, examples.SIGN_OFF, DISCLOSURE, "#engine-run")
    for name in (*phases, "outputs/table.csv"):
        crate["@graph"].remove(entity(crate, name))
        entity(crate, "./")["hasPart" if "/" in name else "mentions"].remove(
            ref(name)
        ) if name != "#engine-run" else None
    run = entity(crate, RUN)
    run["actionStatus"] = examples.FAILED
    for name in ("startTime", "endTime", "result"):
        del run[name]
    assert {f.rule for f in check(crate).findings} <= {"RC-described", "RC-hasPart"}
