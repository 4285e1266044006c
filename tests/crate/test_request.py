"""A request: what we write, what we read, and what nobody can do to it on the way."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import bagit
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from rocrate.rocrate import ROCrate

from cinque.crate.archive import pack, unpack, write_folder
from cinque.crate.bag import begin, finish, parse_bag_info
from cinque.crate.check import check as check_profile
from cinque.crate.dsse import seal_envelope
from cinque.crate.graph import Graph
from cinque.crate.release import read_release, verify_release
from cinque.crate.request import PAYLOAD_TYPE, check_statement, expired, read_request, verify_request
from cinque.crate.signed import STATEMENT, seal_statement
from cinque.errors import Refused
from cinque.lib.canonical import canonical
from cinque.lib.digest import sha512_hex
from tests.builders import (
    JSON,
    NOW,
    a_package,
    a_person,
    a_question,
    a_refusal,
    a_release,
    a_request,
    a_tre,
    some_members,
)

SIGNED = a_request()
METADATA = "data/ro-crate-metadata.json"


def resigned(edit: Any, *, statement: dict[str, Any] | None = None, extra: dict[str, bytes] | None = None) -> bytes:
    """The request with its graph edited, and signed again by its own requester: what only Ada herself could make."""
    archive = unpack(SIGNED)
    request = read_request(SIGNED)
    document = json.loads(archive.files[METADATA])
    edit(document)
    payload = {path.removeprefix("data/"): c for path, c in archive.files.items() if path.startswith("data/")}
    payload["ro-crate-metadata.json"] = json.dumps(document).encode()
    info = [f for f in parse_bag_info(archive.files["bag-info.txt"]) if f[0] != "Payload-Oxum"]
    files = begin({**payload, **(extra or {})}, info)
    stated = replace(
        request.statement,
        bag_info=sha512_hex(files["bag-info.txt"]),
        manifest=sha512_hex(files["manifest-sha512.txt"]),
        **(statement or {}),
    )
    files[STATEMENT] = seal_statement(stated, PAYLOAD_TYPE, a_person().key)
    return pack(finish(files), archive.top)


def entity(document: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e for e in document["@graph"] if e["@type"] == kind)
    return found


def test_what_was_asked_is_read() -> None:
    question = a_question()
    request = read_request(SIGNED)
    verify_request(request, a_person().card)
    assert request.parameters == question.parameters
    assert request.package == a_package()
    assert request.statement.audience == question.audience
    assert request.statement.analysis_digest == question.analysis_digest
    assert request.signer == a_person().key.id
    assert request.canonical
    assert not expired(request, NOW)
    assert expired(request, NOW + timedelta(days=8))
    assert expired(request, NOW - timedelta(hours=1))


def test_the_same_question_asked_twice_is_two_requests() -> None:
    one, other = read_request(SIGNED).statement, read_request(a_request(seed="again")).statement
    assert one.id != other.id
    assert one.nonce != other.nonce


def test_other_peoples_libraries_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "request"
    write_folder(unpack(SIGNED), folder)
    bag = bagit.Bag(str(folder))
    bag.validate()
    assert bag.info["External-Identifier"] == read_request(SIGNED).statement.id
    crate = ROCrate(str(folder / "data"))
    assert crate.name == a_question().title
    assert crate.mainEntity.id == "workflow/count/"
    assert {e.type for e in crate.root_dataset["mentions"]} == {"CreateAction"}


# requirement -> how it is seen in the files and the graph of a request
WRITTEN: dict[str, Callable[[Mapping[str, bytes], Graph], bool]] = {
    "R3": lambda f, g: "manifest-sha512.txt" in f,
    "R4": lambda f, g: "tagmanifest-sha512.txt" in f,
    "R6": lambda f, g: f["bagit.txt"].startswith(b"BagIt-Version: 1.0\n"),
    "R7": lambda f, g: METADATA in f,
    "R8": lambda f, g: "data/inputs/parameters.json" in f,
    "R11": lambda f, g: b"External-Identifier: urn:uuid:" in f["bag-info.txt"],
    "R14": lambda f, g: not any(id.startswith(("..", "/")) for id in g.entities),
    "R17": lambda f, g: g.context == "https://w3id.org/ro/crate/1.2/context",
    "R18": lambda f, g: g["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.2"},
    "R19": lambda f, g: "./" in g,
    "R21": lambda f, g: (
        g.root["conformsTo"] == {"@id": "https://w3id.org/5s-crate/0.4"}
        and g["https://w3id.org/5s-crate/0.4"]["@type"] == ["CreativeWork", "Profile"]
    ),
    "R22": lambda f, g: {"name", "description", "datePublished", "license"} <= set(g.root),
    "R23": lambda f, g: g[g.root["mainEntity"]["@id"]]["@type"] == "Dataset",
    "R25": lambda f, g: g["workflow/count/"]["conformsTo"]["@id"].endswith("workflow-ro-crate/1.0"),
    "R29": lambda f, g: g[g.root["mentions"][0]["@id"]]["@type"] == "CreateAction",
    "R30": lambda f, g: (
        len(action(g)["@id"]) == len("#query-") + 36 and action(g)["@id"][7:] not in f["bag-info.txt"].decode()
    ),
    "R31": lambda f, g: action(g)["instrument"] == g.root["mainEntity"],
    "R32": lambda f, g: action(g)["actionStatus"] == "http://schema.org/PotentialActionStatus",
    "R33": lambda f, g: g[action(g)["agent"]["@id"]]["@type"] == "Person",
    "R34": lambda f, g: g[g[action(g)["agent"]["@id"]]["affiliation"]["@id"]]["@type"] == "Organization",
    "R36": lambda f, g: g[g.root["sourceOrganization"]["@id"]]["@type"] == "Project",
    "R37": lambda f, g: g.root["sourceOrganization"] in g[action(g)["agent"]["@id"]]["memberOf"],
    "R43": lambda f, g: all(i["@id"] in g for i in action(g)["object"]),
    "R44": lambda f, g: all(
        g[g[i["@id"]]["exampleOfWork"]["@id"]]["@type"] == "FormalParameter" for i in action(g)["object"]
    ),
    "R99": lambda f, g: not any(a_person().ring.sign("sign").private_bytes() in content for content in f.values()),
    "D1": lambda f, g: not any("type" in e for e in g),
    "D2": lambda f, g: not any("licence" in e for e in g),
    "D3, D4, D7": lambda f, g: all(id in g for e in g for id in targets(e) if e["@id"] != "ro-crate-metadata.json"),
}


def action(graph: Graph) -> dict[str, Any]:
    return graph.of_type("CreateAction")[0]


def targets(entity: dict[str, Any]) -> list[str]:
    """What an entity refers to, but for the standards it conforms to and the kinds it is of."""
    values = [v for name, v in entity.items() if name not in ("conformsTo", "additionalType")]
    items = [i for v in values for i in (v if isinstance(v, list) else [v])]
    return [i["@id"] for i in items if isinstance(i, dict)]


@pytest.mark.parametrize("rule", WRITTEN)
def test_a_request_meets_the_profile(rule: str) -> None:
    request = read_request(SIGNED)
    assert WRITTEN[rule](request.files, request.graph)


def test_a_request_breaks_no_rule_of_the_profile() -> None:
    files = unpack(SIGNED).files
    assert check_profile(files[METADATA], files=files, stage="request").findings == ()


def test_somebody_elses_card_does_not_verify_it() -> None:
    request = read_request(SIGNED)
    bob = a_person("Bob Example", "https://orcid.org/0000-0001-5109-3700")
    with pytest.raises(Refused, match="another person"):
        verify_request(request, bob.card)
    with pytest.raises(Refused, match="signature-invalid"):
        verify_request(request, replace(bob.card, id=a_person().card.id))
    forged = read_request(a_request(key=bob.key))  # Bob signs in Ada's name
    with pytest.raises(Refused, match="signature-invalid"):
        verify_request(forged, a_person().card)


def assess(document: dict[str, Any], **kind: Any) -> None:
    document["@graph"].append({"@id": "#forged", "@type": "Thing"} | kind)


HOSTILE = {  # what the requester wrote into the graph -> code of the refusal
    "an assessment": (lambda d: assess(d, **{"@type": "AssessAction"}), "assessment-in-request"),
    "an assessment by its IRI": (
        lambda d: assess(d, **{"@type": ["Thing", "http://schema.org/AssessAction"]}),
        "assessment-in-request",
    ),
    "an assessment in the style of the examples (D1)": (
        lambda d: assess(d, type="AssessAction"),
        "assessment-in-request",
    ),
    "a sign-off by its term": (
        lambda d: assess(d, additionalType={"@id": "https://w3id.org/shp#SignOff"}),
        "assessment-in-request",
    ),
    "a publishing": (lambda d: assess(d, **{"@type": "UpdateAction"}), "assessment-in-request"),
    "an alias of a type": (
        lambda d: d.update({"@context": [d["@context"], {"Thing": "http://schema.org/AssessAction"}]}),
        "request-context",
    ),
    "a hidden entity": (lambda d: assess(d, about={"@id": "#x", "@type": "AssessAction"}), "metadata-nested"),
    "a reversed property": (lambda d: assess(d, **{"@reverse": {"mentions": {"@id": "./"}}}), "metadata-keyword"),
    "an included block": (lambda d: d.update({"@included": []}), "metadata-form"),
    "an entity twice": (lambda d: d["@graph"].append(dict(d["@graph"][1])), "metadata-id-twice"),
    "another requester": (
        lambda d: entity(d, "CreateAction").update({"agent": {"@id": "https://orcid.org/0000-0001-5109-3700"}}),
        "request-requester",
    ),
    "another project": (lambda d: entity(d, "Project").update(identifier="other"), "request-project"),
    "one TRE fewer": (lambda d: entity(d, "CreateAction")["provider"].pop(), "request-audience"),
    "a TRE by another name": (
        lambda d: next(e for e in d["@graph"] if e["@id"] == a_tre().card.id).update(name="The South TRE"),
        "request-audience",
    ),
    "another analysis": (
        lambda d: next(e for e in d["@graph"] if e["@id"] == "workflow/count/").update(version="2.0.0"),
        "request-analysis",
    ),
    "another dataset": (lambda d: entity(d, "PropertyValue").update(value="all"), "request-dataset"),
    "no parameters": (lambda d: entity(d, "CreateAction")["object"].pop(0), "request-parameters"),
    "another workflow than the one it mentions": (
        lambda d: entity(d, "CreateAction").update(instrument={"@id": "inputs/"}),
        "request-workflow",
    ),
    "another person": (
        lambda d: assess(d, **{"@type": "Person", "@id": "https://orcid.org/0000-0001-5109-3700"}),
        "request-people",
    ),
    "a term of the profile in other words": (
        lambda d: assess(d, **{"@id": "https://www.iana.org/assignments/named-information#sha-512", "name": "MD5"}),
        "request-reserved",
    ),
    "a phase's name": (lambda d: assess(d, **{"@id": "#software-forged"}), "request-reserved"),
    "a run that is over": (
        lambda d: entity(d, "CreateAction").update(actionStatus="http://schema.org/CompletedActionStatus"),
        "request-action",
    ),
    "a run with a result": (lambda d: entity(d, "CreateAction").update(result=[]), "request-action"),
    "a second run": (
        lambda d: d["@graph"].append({**entity(d, "CreateAction"), "@id": "#other"}),
        "request-action",
    ),
}


@pytest.mark.parametrize("edit", HOSTILE)
def test_a_graph_that_its_own_requester_made_hostile_is_refused(edit: str) -> None:
    change, code = HOSTILE[edit]
    with pytest.raises(Refused) as refused:
        read_request(resigned(change))
    assert refused.value.code == code


def test_a_request_brings_no_outputs() -> None:
    with pytest.raises(Refused, match="request-reserved"):
        read_request(resigned(lambda document: None, extra={"outputs/released.json": b"{}"}))


def test_an_unedited_request_signed_again_is_read() -> None:
    verify_request(read_request(resigned(lambda document: None)), a_person().card)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": "urn:uuid:00000000-0000-4000-8000-000000000000"}, "request-identifier"),
        ({"audience": ()}, "request-audience"),
        ({"max_rounds": 0}, "request-statement"),
        ({"reply_to": ()}, "request-statement"),
        ({"nonce": ""}, "request-statement"),
        ({"accept_until": "2026-12-23T10:00:00.001Z"}, "request-custody"),  # 30 days and a millisecond
        ({"accept_until": "2026-11-23T10:00:00.000Z"}, "request-custody"),
        ({"accept_until": "2026-11-30T10:00:00.000"}, "request-time"),
    ],
)
def test_a_statement_that_says_the_impossible_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        read_request(resigned(lambda document: None, statement=changes))
    assert refused.value.code == code


def test_thirty_days_of_custody_and_no_more() -> None:
    assert read_request(a_request(accept_until=NOW + timedelta(days=30))).statement.accept_until.startswith(
        "2026-12-23"
    )
    with pytest.raises(Refused, match="request-custody"):
        a_request(accept_until=NOW + timedelta(days=30, seconds=1))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("fetch.txt", "fetch-in-signed-crate"),
        ("manifest-md5.txt", "bag-file-unlisted"),
        ("notes.txt", "request-tag-files"),
        ("gate.dsse.json", "request-tag-files"),
    ],
)
def test_no_tag_file_can_be_added(name: str, code: str) -> None:
    archive = unpack(SIGNED)
    with pytest.raises(Refused) as refused:
        read_request(pack(finish({**archive.files, name: b""}), archive.top))
    assert refused.value.code == code


def test_a_statement_is_over_one_bag() -> None:
    one, other = read_request(SIGNED), read_request(a_request(seed="other"))
    with pytest.raises(Refused, match="differs-from-statement"):
        check_statement(one.statement, other.files)


def test_a_statement_of_another_version_is_refused() -> None:
    with pytest.raises(Refused, match="malformed"):
        read_request(resigned(lambda document: None, statement={"version": 2}))


def test_a_field_that_the_statement_does_not_have_is_refused() -> None:
    archive = unpack(SIGNED)
    payload = {**json.loads(read_request(SIGNED).envelope.payload), "priority": "high"}
    files = {**archive.files, STATEMENT: seal_envelope(PAYLOAD_TYPE, canonical(payload), a_person().key)}
    with pytest.raises(Refused, match="malformed"):
        read_request(pack(finish(files), archive.top))


def test_a_statement_has_one_form() -> None:
    archive = unpack(SIGNED)
    spaced = json.dumps(json.loads(read_request(SIGNED).envelope.payload), indent=1).encode()
    files = {**archive.files, STATEMENT: seal_envelope(PAYLOAD_TYPE, spaced, a_person().key)}
    with pytest.raises(Refused, match="statement-not-canonical"):
        read_request(pack(finish(files), archive.top))


@given(st.data())
def test_whatever_its_own_signer_writes_it_is_read_or_refused(data: st.DataObject) -> None:
    def change(document: dict[str, Any]) -> None:
        for _ in range(data.draw(st.integers(1, 2))):
            entity = data.draw(st.sampled_from(document["@graph"]))
            entity[data.draw(st.sampled_from([*entity, "hasPart", "additionalType", "object"]))] = data.draw(JSON)

    packet = resigned(change)
    with contextlib.suppress(Refused):
        read_request(packet)
        event("read")
        for answer in (a_release(request=packet), a_refusal(request=packet)):
            try:
                verify_release(read_release(answer), some_members())
            except Refused as refused:  # what was let in can always be answered
                pytest.fail(str(refused))
