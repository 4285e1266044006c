"""A release and a refusal: what we write, what the request keeps, and what a TRE cannot pretend."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import bagit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rocrate.rocrate import ROCrate

from cinque.crate.archive import pack, unpack, write_folder
from cinque.crate.bag import begin, finish, parse_bag_info
from cinque.crate.check import check as check_profile
from cinque.crate.graph import Graph
from cinque.crate.growth import PAYLOAD_TYPE
from cinque.crate.keys import SigningKey
from cinque.crate.phases import disclosure, read_gate_record, retrieval, sign_gate_record, sign_off
from cinque.crate.release import read_release, verify_release
from cinque.crate.request import read_request
from cinque.crate.signed import STATEMENT, file_digests, seal_statement
from cinque.errors import NotFound, Refused
from cinque.model.request import task_id
from tests.builders import (
    JSON,
    NOW,
    a_gate_record,
    a_person,
    a_refusal,
    a_release,
    a_request,
    a_software,
    a_tre,
    some_members,
    some_outputs,
    some_phases,
)

METADATA = "data/ro-crate-metadata.json"
REQUEST = read_request(a_request())
RELEASE = a_release()
ROUNDS = a_release(outputs=some_outputs(3), phases=some_phases(a_tre(), REQUEST, rounds=3))
OUTCOMES: dict[str, Any] = {
    "refused": {"code": "agreement-none"},
    "withheld": {"code": "not_answerable", "sentence": "This cannot be answered."},
    "failed": {"code": "engine-stopped", "sentence": "The run ended without a result."},
    "expired": {"code": "sign-off-late", "sentence": "Nobody decided in time."},
    "cancelled": {"code": "by-requester", "sentence": "The requester withdrew the question."},
}
REFUSALS = {outcome: a_refusal(outcome=outcome, **words) for outcome, words in OUTCOMES.items()}
UNREADABLE = a_refusal(request=None, code="archive-top", sentence="The archive does not hold one folder.")
WRITTEN = {"released": RELEASE, "released in rounds": ROUNDS, **REFUSALS, "unreadable": UNREADABLE}


def resigned(
    data: bytes,
    edit: Callable[[dict[str, Any]], object] = lambda document: None,
    *,
    key: SigningKey | None = None,
    files: Mapping[str, bytes | None] | None = None,
    **stated: Any,
) -> bytes:
    """The crate edited and made whole again, manifests, statement and signature: what only its TRE could make."""
    archive = unpack(data)
    document = json.loads(archive.files[METADATA])
    edit(document)
    changed = {**archive.files, METADATA: json.dumps(document).encode(), **(files or {})}
    kept = {path: content for path, content in changed.items() if content is not None}
    payload = {path.removeprefix("data/"): c for path, c in kept.items() if path.startswith("data/")}
    info = [f for f in parse_bag_info(kept["bag-info.txt"]) if f[0] != "Payload-Oxum"]
    whole = {p: c for p, c in kept.items() if not p.startswith("data/") and p != STATEMENT} | begin(payload, info)
    whole.pop("tagmanifest-sha512.txt")
    statement = replace(read_release(data).statement, files=file_digests(whole), **stated)
    whole[STATEMENT] = seal_statement(statement, PAYLOAD_TYPE, key or a_tre().release_key)
    return pack(finish(whole), archive.top)


def of_type(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entity for entity in document["@graph"] if entity["@type"] == kind]


def root(document: dict[str, Any]) -> dict[str, Any]:
    return next(entity for entity in document["@graph"] if entity["@id"] == "./")


def of_phase(graph: Graph, term: str) -> list[dict[str, Any]]:
    return [act for act in graph if act.get("additionalType") == {"@id": f"https://w3id.org/shp#{term}"}]


@pytest.mark.parametrize("written", WRITTEN)
def test_other_peoples_libraries_read_it(written: str, tmp_path: Path) -> None:
    folder = tmp_path / "crate"
    write_folder(unpack(WRITTEN[written]), folder)
    bagit.Bag(str(folder)).validate()
    assert ROCrate(str(folder / "data")).root_dataset["publisher"].id == a_tre().card.id


@pytest.mark.parametrize("written", WRITTEN)
def test_its_tre_signed_it_and_it_reads_back(written: str) -> None:
    crate = read_release(WRITTEN[written])
    assert verify_release(crate, some_members()) == a_tre().card
    assert crate.statement.outcome == written.split()[0].replace("unreadable", "refused")
    assert crate.canonical
    if crate.request is not None:
        assert crate.statement.task == task_id(REQUEST.statement.id, a_tre().card.id)
        assert crate.request.parameters == REQUEST.parameters
        assert crate.request.package == REQUEST.package
        assert crate.request.digest == REQUEST.digest == crate.statement.request_digest


@pytest.mark.parametrize("written", ["released", "released in rounds"])
def test_a_release_breaks_no_rule_of_the_profile(written: str) -> None:
    files = unpack(WRITTEN[written]).files
    assert check_profile(files[METADATA], files=files).findings == ()


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_refusal_breaks_no_binding_rule_of_the_profile(outcome: str) -> None:
    files = unpack(REFUSALS[outcome]).files
    assert not [f for f in check_profile(files[METADATA], files=files).findings if f.level == "must"]


# requirement -> how it is seen in the files and the graph of a release in three rounds
RULES: dict[str, Callable[[Mapping[str, bytes], Graph], bool]] = {
    "R13": lambda f, g: REQUEST.statement.id.encode() in f["bag-info.txt"],
    "R46": lambda f, g: len(run(g)["result"]) == 4,
    "R48": lambda f, g: all(g[path["@id"]]["@type"] == "File" for path in run(g)["result"]),
    "R49": lambda f, g: all("data/" + path["@id"] in f for path in run(g)["result"]),
    "R51, R80": lambda f, g: {a["@id"] for a in g.of_type("AssessAction")} <= ids(g.root["mentions"]),
    "R54": lambda f, g: all(a["actionStatus"].startswith("http://schema.org/") for a in g.of_type("AssessAction")),
    "R55": lambda f, g: all({"@id": "./"} in a["object"] for a in g.of_type("AssessAction")),
    "R57": lambda f, g: all(": " in a["name"] for a in g.of_type("AssessAction")),
    "R59": lambda f, g: all(a["endTime"].endswith("Z") for a in g.of_type("AssessAction")),
    "R61, R63": lambda f, g: all(g[a["agent"]["@id"]]["name"] for a in g.of_type("AssessAction")),
    "R62": lambda f, g: all(
        g[s["provider"]["@id"]]["@type"] == "Organization" for s in g.of_type("SoftwareApplication")
    ),
    "R64": lambda f, g: (
        [a["instrument"] for a in of_phase(g, "CheckValue")]
        == [[{"@id": "https://www.iana.org/assignments/named-information#sha-512"}]]
    ),
    "R67": lambda f, g: (
        [a["instrument"] for a in of_phase(g, "ValidationCheck")] == [[{"@id": "https://w3id.org/5s-crate/0.4"}]]
    ),
    "R69": lambda f, g: not g.of_type("DownloadAction"),  # nothing was fetched
    "R71, R72": lambda f, g: (
        [ids(a["object"]) for a in of_phase(g, "SignOff")] == [{"./", "workflow/count/", "#project-diabetes-study"}]
        and g[of_phase(g, "SignOff")[0]["instrument"][0]["@id"]]["version"] == "3"
    ),
    "R73": lambda f, g: {"actionStatus", "startTime", "endTime"} <= set(run(g)),
    "R74": lambda f, g: [a["result"] for a in g.of_type("OrganizeAction")] == [{"@id": run(g)["@id"]}],
    "R75": lambda f, g: (
        len(of_phase(g, "DisclosureCheck")) == 3
        and set.union(*(ids(a["object"]) for a in of_phase(g, "DisclosureCheck"))) == {"./", *ids(run(g)["result"])}
    ),
    "R77": lambda f, g: g.root["datePublished"] == "2026-11-23T10:00:03.000Z",
    "R78": lambda f, g: g.root["publisher"] == {"@id": a_tre().card.id},
    "R79": lambda f, g: g.root["license"]["@id"] in g,
    "R81": lambda f, g: ids(run(g)["result"]) <= ids(g.root["hasPart"]),
    "R84": lambda f, g: (
        [set(a) & {"startTime", "endTime", "result"} for a in of_phase(g, "GenerateCheckValue")] == [{"startTime"}]
        and of_phase(g, "GenerateCheckValue")[0]["@type"] == "UpdateAction"
    ),
    "D1": lambda f, g: not any("type" in entity for entity in g),
    "D4": lambda f, g: all(a["agent"]["@id"] in g for a in g if "agent" in a),
}


def ids(references: list[dict[str, str]]) -> set[str]:
    return {reference["@id"] for reference in references}


def run(graph: Graph) -> dict[str, Any]:
    return graph.of_type("CreateAction")[0]


@pytest.mark.parametrize("rule", RULES)
def test_a_release_meets_the_profile(rule: str) -> None:
    crate = read_release(ROUNDS)
    assert RULES[rule](crate.files, crate.graph)


def test_the_request_lies_in_it_byte_for_byte() -> None:
    files = unpack(RELEASE).files
    for name in ("bagit.txt", "bag-info.txt", "manifest-sha512.txt", STATEMENT):
        assert files[f"request/{name}"] == REQUEST.files[name]
    assert files["request/ro-crate-metadata.json"] == REQUEST.files[METADATA]
    for path in REQUEST.files:
        if path.startswith("data/") and "ro-crate-" not in path:
            assert files[path] == REQUEST.files[path]


def test_an_automatic_sign_off_names_software_agreement_and_version() -> None:
    (action,) = of_phase(read_release(RELEASE).graph, "SignOff")
    assert action["agent"]["@id"].startswith("#software-cinque-enclave-0.1.0")
    assert "Automatic" in action["description"]
    assert "Diabetes counts at version 3" in action["description"]


def test_the_engine_and_the_snapshot_that_were_used_are_named() -> None:
    graph = read_release(a_release(snapshot="s-81")).graph
    (organized,) = graph.of_type("OrganizeAction")
    assert graph[organized["instrument"]["@id"]]["name"] == "duckdb"
    assert graph[organized["object"][0]["@id"]]["value"] == "s-81"


def test_each_output_stands_under_the_disclosure_check_of_its_round() -> None:
    graph = read_release(ROUNDS).graph
    by_round = {act["name"]: ids(act["object"]) - {"./"} for act in of_phase(graph, "DisclosureCheck")}
    assert by_round == {
        "Disclosure check of round 1: passed": {"outputs/rounds/01/partial.json"},
        "Disclosure check of round 2: passed": {"outputs/rounds/02/partial.json"},
        "Disclosure check of round 3: passed": {"outputs/rounds/03/partial.json", "outputs/released.json"},
    }


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_refusal_carries_no_result_and_says_why(outcome: str) -> None:
    crate = read_release(REFUSALS[outcome])
    assert crate.outputs == {}
    assert not set(run(crate.graph)) & {"result", "startTime", "endTime"}
    words = OUTCOMES[outcome]
    assert crate.statement.reason == words["code"]
    assert [t["description"] for t in crate.graph.of_type("DefinedTerm") if t.get("termCode") == words["code"]]


def test_a_refusal_fails_at_sign_off_and_a_withholding_at_disclosure() -> None:
    for outcome, term in (("refused", "SignOff"), ("withheld", "DisclosureCheck")):
        (action,) = of_phase(read_release(REFUSALS[outcome]).graph, term)
        assert action["actionStatus"] == "http://schema.org/FailedActionStatus"


def test_a_session_that_stops_keeps_the_rounds_that_left() -> None:
    left = {path: content for path, content in some_outputs(2).items() if "rounds" in path}
    crate = read_release(a_refusal(outcome="failed", outputs=left, phases=some_phases(a_tre(), REQUEST, rounds=2)))
    assert crate.outputs == left
    assert crate.statement.rounds == 2
    assert run(crate.graph)["actionStatus"] == "http://schema.org/FailedActionStatus"


def test_nothing_of_an_unreadable_request_is_repeated() -> None:
    crate = read_release(UNREADABLE)
    assert crate.request is None
    assert not [path for path in crate.files if path.startswith("request/")]


# ------------------------------------------------------------------------------------ what cannot be composed


def test_an_output_without_a_completed_disclosure_check_is_not_written() -> None:
    agent = a_software(a_tre())
    failed = disclosure(agent, NOW, refusal=("not_answerable", "This cannot be answered."))
    for phases in (some_phases(a_tre(), REQUEST)[:1], (*some_phases(a_tre(), REQUEST)[:1], failed)):
        with pytest.raises(Refused, match="output-not-disclosed"):
            a_release(phases=phases)
    with pytest.raises(Refused, match="output-not-disclosed"):
        a_release(outputs=some_outputs(2))  # the second round was not checked
    with pytest.raises(Refused, match="output-not-disclosed"):
        a_release(outputs={"inputs/parameters.json": b"{}"})  # nor may a request's file be overwritten
    with pytest.raises(Refused, match="release-empty"):
        a_release(outputs={})


def test_a_tre_that_was_not_asked_has_no_say() -> None:
    with pytest.raises(Refused, match="tre-not-asked"):
        a_release(tre=a_tre("west"))
    crate = read_release(a_refusal(tre=a_tre("west")))  # it may say no, and repeats nothing
    assert crate.request is None
    verify_release(crate, some_members(a_tre("west")))


# ------------------------------------------------------------------------------------ what only the TRE could forge


def forged(document: dict[str, Any], **entity: Any) -> None:
    document["@graph"].append({"@id": "#forged", "@type": "Thing", **entity})


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another question": (lambda d: root(d).update(name="What else?"), "growth"),
    "another requester": (lambda d: of_type(d, "Person")[0].update(name="Bob"), "growth"),
    "another dataset": (lambda d: of_type(d, "PropertyValue")[0].update(value="all"), "growth"),
    "an entity dropped": (lambda d: d["@graph"].remove(of_type(d, "Project")[0]), "growth"),
    "another workflow": (lambda d: of_type(d, "CreateAction")[0].update(instrument={"@id": "x/"}), "growth"),
    "a mention dropped": (lambda d: root(d)["mentions"].pop(0), "growth"),
    "a part dropped": (lambda d: root(d)["hasPart"].pop(0), "growth"),
    "another context": (lambda d: d.update({"@context": "https://w3id.org/ro/crate/1.1/context"}), "growth"),
    "another publisher": (lambda d: root(d).update(publisher={"@id": a_tre("south").card.id}), "release-publisher"),
    "another task": (lambda d: root(d).update(identifier="urn:uuid:0"), "release-publisher"),
    "a result not in the bag": (
        lambda d: of_type(d, "CreateAction")[0]["result"].append({"@id": "outputs/more.json"}),
        "release-results",
    ),
    "a result not listed": (lambda d: of_type(d, "CreateAction")[0]["result"].pop(), "release-results"),
    "no disclosure check": (
        lambda d: next(a for a in of_type(d, "AssessAction") if "disclosure" in a["@id"]).update(
            actionStatus="http://schema.org/PotentialActionStatus"
        ),
        "release-undisclosed",
    ),
    "a check that does not cover an output": (
        lambda d: next(a for a in of_type(d, "AssessAction") if "disclosure" in a["@id"])["object"].pop(),
        "release-undisclosed",
    ),
    "an assessment not mentioned": (lambda d: forged(d, **{"@type": "AssessAction"}), "release-mentions"),
    "a failed run": (
        lambda d: of_type(d, "CreateAction")[0].update(actionStatus="http://schema.org/FailedActionStatus"),
        "release-status",
    ),
    "a failed check": (
        lambda d: next(a for a in of_type(d, "AssessAction") if "signoff" in a["@id"]).update(
            actionStatus={"@id": "http://schema.org/FailedActionStatus"}
        ),
        "release-status",
    ),
    "a second run": (
        lambda d: forged(d, **{"@type": "CreateAction", "result": [{"@id": "outputs/released.json"}]}),
        "release-results",
    ),
}


@pytest.mark.parametrize("edit", HOSTILE)
def test_a_graph_that_its_own_tre_made_untrue_is_refused(edit: str) -> None:
    change, code = HOSTILE[edit]
    with pytest.raises(Refused) as refused:
        read_release(resigned(RELEASE, change))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"outcome": "withheld"}, "release-status"),
        ({"outcome": "refused"}, "release-status"),
        ({"task": "urn:uuid:00000000-0000-4000-8000-000000000000"}, "release-task"),
        ({"tre": a_tre("south").card.id}, "release-task"),
        ({"rounds": 2}, "release-undisclosed"),
        ({"request": "urn:uuid:00000000-0000-4000-8000-000000000000"}, "release-identifier"),
        ({"request_digest": "00" * 64}, "release-request"),
        ({"request_digest": ""}, "release-request"),
    ],
)
def test_a_statement_that_does_not_fit_its_crate_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        read_release(resigned(RELEASE, **changes))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"data/inputs/parameters.json": b"{}"}, "release-payload"),
        ({"data/inputs/parameters.json": None}, "release-payload"),
        ({"data/inputs/more.json": b"{}"}, "release-payload"),
        ({"request/bagit.txt": None}, "release-request"),
        ({"request/more.txt": b""}, "release-request"),
        ({"request/bag-info.txt": b"External-Identifier: x\n"}, "differs-from-statement"),
        ({"request/manifest-sha512.txt": b""}, "differs-from-statement"),
        ({"request/ro-crate-metadata.json": b"{}"}, "release-request"),
        ({f"request/{STATEMENT}": b"{}"}, "envelope-malformed"),
    ],
)
def test_a_request_that_its_answer_changed_is_refused(files: dict[str, bytes | None], code: str) -> None:
    with pytest.raises(Refused) as refused:
        read_release(resigned(RELEASE, files=files))
    assert refused.value.code == code


def test_an_unedited_release_signed_again_verifies() -> None:
    verify_release(read_release(resigned(RELEASE)), some_members())


# ------------------------------------------------------------------------------------ who may sign what


def test_only_the_release_key_signs_a_release() -> None:
    north, south = a_tre(), a_tre("south")
    for key in (south.release_key, north.gate_key, north.root, a_person().key, north.ring.sign("gate-transport")):
        with pytest.raises(Refused):
            verify_release(read_release(resigned(RELEASE, key=key)), some_members())


def test_a_gate_may_refuse_and_let_expire_and_nothing_else() -> None:
    for outcome in OUTCOMES:
        crate = read_release(a_refusal(outcome=outcome, key=a_tre().gate_key))
        if outcome in ("refused", "expired"):
            verify_release(crate, some_members())
        else:
            with pytest.raises(Refused, match="gate-signed-release"):
                verify_release(crate, some_members())


def test_a_member_that_was_not_asked_cannot_answer() -> None:
    west = a_tre("west")
    task = task_id(REQUEST.statement.id, west.card.id)

    def as_west(document: dict[str, Any]) -> None:
        root(document).update(publisher={"@id": west.card.id}, identifier=task)

    data = resigned(REFUSALS["refused"], as_west, key=west.release_key, tre=west.card.id, task=task)
    with pytest.raises(Refused, match="tre-not-asked"):
        verify_release(read_release(data), some_members(west))


def test_an_unknown_tre_is_not_trusted() -> None:
    with pytest.raises(NotFound, match="tre-unknown"):
        verify_release(read_release(RELEASE), some_members(a_tre("south")))


def test_a_card_counts_on_its_days_only() -> None:
    with pytest.raises(Refused, match="card-not-valid"):
        verify_release(read_release(RELEASE), some_members(a_tre("north", date(2026, 11, 22))))
    verify_release(read_release(RELEASE), some_members(a_tre("north", date(2026, 11, 23))))


# ------------------------------------------------------------------------------------ the gate's record


def test_another_tres_gate_record_cannot_be_replayed() -> None:
    south = a_gate_record(a_tre("south"), REQUEST)
    with pytest.raises(Refused, match="signature-invalid"):
        a_release(gate_record=south)
    with pytest.raises(Refused, match="signature-invalid"):
        verify_release(read_release(resigned(RELEASE, files={"gate.dsse.json": south})), some_members())


def test_a_gate_record_of_another_task_or_request_cannot_be_replayed() -> None:
    other = read_request(a_request(seed="other"))
    task = task_id(REQUEST.statement.id, a_tre().card.id)
    for record in (a_gate_record(a_tre(), other), a_gate_record(a_tre(), other, task=task)):
        with pytest.raises(Refused, match="gate-record-differs"):
            a_release(gate_record=record)


def test_a_gate_records_only_what_a_gate_does() -> None:
    north = a_tre()
    phase = sign_off(a_software(north), NOW, objects=(), agreement=None)
    record = sign_gate_record("urn:uuid:1", "00", (phase,), north.gate_key)
    with pytest.raises(Refused, match="gate-record-phase"):
        read_gate_record(record, north.card.gate_record, task="urn:uuid:1", request_digest="00")


def test_what_the_gate_recorded_stands_in_the_graph() -> None:
    def later(document: dict[str, Any]) -> None:
        validated = next(a for a in of_type(document, "AssessAction") if "validate" in a["@id"])
        validated["endTime"] = "2026-11-23T09:00:00.000Z"

    with pytest.raises(Refused, match="gate-record-differs"):
        verify_release(read_release(resigned(RELEASE, later)), some_members())


def test_a_retrieval_is_recorded_when_bytes_were_fetched() -> None:
    fetched = retrieval(
        a_software(a_tre(), "cinque-gate"),
        NOW,
        NOW + timedelta(seconds=1),
        distribution="https://workflowhub.eu/workflows/289/ro_crate?version=1",
        result="workflow/289/",
    )
    action = fetched.to_entities("urn:uuid:00000000-0000-4000-8000-000000000001")[0]
    assert action["@type"] == "DownloadAction"
    assert "additionalType" not in action
    assert action["object"] == [{"@id": "https://workflowhub.eu/workflows/289/ro_crate?version=1"}]
    assert action["result"] == {"@id": "workflow/289/"}


@given(st.data())
def test_whatever_its_own_signer_writes_it_is_read_or_refused(data: st.DataObject) -> None:
    def change(document: dict[str, Any]) -> None:
        for _ in range(data.draw(st.integers(1, 3))):
            entity = data.draw(st.sampled_from(document["@graph"]))
            if isinstance(entity, dict) and entity:
                entity[data.draw(st.sampled_from([*entity, "@type", "additionalType", "object"]))] = data.draw(JSON)

    with contextlib.suppress(Refused):
        read_release(resigned(RELEASE, change))
