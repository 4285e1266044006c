"""An answer: the client's own crate around the crates of the TREs, and what its author cannot pretend."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import bagit
import pytest
from rocrate.rocrate import ROCrate

from cinque.crate.answer import PAYLOAD_TYPE, Missing, read_answer, verify_answer
from cinque.crate.archive import pack, unpack, write_folder
from cinque.crate.bag import begin, finish, parse_bag_info
from cinque.crate.check import check as check_profile
from cinque.crate.keys import SigningKey
from cinque.crate.rounds import history
from cinque.crate.signed import STATEMENT, file_digests, seal_statement
from cinque.crate.verify import verify
from cinque.errors import Refused
from cinque.lib.canonical import canonical
from cinque.lib.digest import sha512_hex
from tests.builders import (
    a_person,
    a_question,
    a_refusal,
    a_release,
    a_request,
    a_tre,
    an_answer,
    recompute_sum,
    some_members,
    some_outputs,
)

ANSWER = an_answer()
SOUTH = a_refusal(tre=a_tre("south"))
PARTLY = an_answer(
    result={"n": 42},
    members={"north": a_release(), "south": SOUTH},
    missing=(Missing(a_tre("south").card.id, "agreement-none", "No agreement permits this analysis."),),
)


def resigned(
    edit: Callable[[dict[str, Any]], object] = lambda document: None,
    *,
    files: dict[str, bytes] | None = None,
    key: SigningKey | None = None,
    **stated: Any,
) -> bytes:
    """The answer with its `answer.json` edited, whole again and signed: what only Ada herself could make."""
    archive = unpack(ANSWER)
    document = json.loads(archive.files["data/answer.json"])
    edit(document)
    changed = {**archive.files, "data/answer.json": canonical(document), **(files or {})}
    payload = {path.removeprefix("data/"): c for path, c in changed.items() if path.startswith("data/")}
    info = [f for f in parse_bag_info(changed["bag-info.txt"]) if f[0] != "Payload-Oxum"]
    whole = begin(payload, info)
    statement = replace(read_answer(ANSWER).statement, files=file_digests(whole), **stated)
    whole[STATEMENT] = seal_statement(statement, PAYLOAD_TYPE, key or a_person().key)
    return pack(finish(whole), archive.top)


@pytest.mark.parametrize("data", [ANSWER, PARTLY], ids=["whole", "partly"])
def test_other_peoples_libraries_read_it(data: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "answer"
    write_folder(unpack(data), folder)
    bagit.Bag(str(folder)).validate()
    crate = ROCrate(str(folder / "data"))
    mentions = {entity.type for entity in crate.root_dataset["mentions"]}
    assert {"CreateAction", "ReceiveAction"} <= mentions


@pytest.mark.parametrize("data", [ANSWER, PARTLY], ids=["whole", "partly"])
def test_it_breaks_no_rule_of_ro_crate(data: bytes) -> None:
    files = unpack(data).files
    found = check_profile(files["data/ro-crate-metadata.json"], files=files, profile_id="https://w3id.org/ro/crate/1.2")
    assert found.findings == ()


def test_it_holds_the_crates_unchanged_and_says_what_was_done_with_them() -> None:
    answer = read_answer(ANSWER)
    verify_answer(answer, a_person().card)
    assert answer.files["data/crates/north.zip"] == a_release()
    (action,) = answer.graph.of_type("CreateAction")
    assert [o["@id"] for o in action["object"]] == ["crates/north.zip", "crates/south.zip"]
    assert answer.graph[action["instrument"]["@id"]]["identifier"] == a_question().analysis_digest
    assert action["result"] == {"@id": "answer.json"}
    assert f"sha512:{sha512_hex(a_release())}" in answer.graph["crates/north.zip"]["identifier"]
    received = [a["object"][0]["@id"] for a in answer.graph.of_type("ReceiveAction")]
    assert sorted(received) == ["crates/north.zip", "crates/south.zip"]
    assert answer.result == {"n": 49}
    assert answer.document["over"] == [a_tre().card.id, a_tre("south").card.id]


def test_who_is_missing_is_said_and_is_no_zero() -> None:
    answer = read_answer(PARTLY)
    assert answer.document["over"] == [a_tre().card.id]
    assert [missing["code"] for missing in answer.document["missing"]] == ["agreement-none"]
    assert list(history(answer.members)[0]) == [a_tre().card.id]
    found = verify(PARTLY, some_members(), recompute_sum)
    assert found.exit_code == 0
    assert found.facts["recomputed"]
    assert "agreement-none" in [finding.code for finding in found.findings]


def test_an_answer_of_refusals_alone_records_a_no() -> None:
    members = {"north": a_refusal(), "south": SOUTH}
    data = an_answer(result={}, members=members)
    assert verify(data, some_members(), recompute_sum).exit_code == 1  # a result from nothing
    archive = unpack(data)
    assert json.loads(archive.files["data/answer.json"])["over"] == []


def test_where_nobody_answered_the_answer_says_so() -> None:
    missing = (Missing(a_tre().card.id, "offline", "Its gate has not called."),)
    data = an_answer(result={}, members={}, asked=a_request(), missing=missing)
    answer = read_answer(data)
    assert answer.request.statement.analysis == "count"
    assert answer.files["data/request.zip"] == a_request()
    assert verify(data, some_members(), recompute_sum).exit_code == 1  # a result that nobody gave
    found = verify(an_answer(empty=True, members={}, asked=a_request(), missing=missing), some_members(), recompute_sum)
    assert found.exit_code == 4
    with pytest.raises(Refused, match="answer-members"):
        an_answer(asked=a_request(seed="other"))
    assert verify(an_answer(asked=a_request()), some_members(), recompute_sum).exit_code == 0
    with pytest.raises(Refused, match="answer-members"):
        read_answer(resigned(files={"data/request.zip": a_request(seed="other")}))


def test_figures_from_which_no_answer_follows_are_no_warning() -> None:
    def refuse(*_: object) -> object:
        raise Refused("session-unfinished", "The session did not reach its result.")

    assert verify(ANSWER, some_members(), refuse).exit_code == 1


def test_crates_that_do_not_belong_together_are_not_combined() -> None:
    other = a_release(request=a_request(seed="other"), tre=a_tre("south"))
    for members in (
        {"north": a_release(), "south": other},
        {"north": other},
        {"north": a_release(), "again": a_release(outputs=some_outputs(count=1))},
        {"north": a_refusal(request=None)},
        {},
    ):
        with pytest.raises(Refused, match="answer-members"):
            an_answer(members=members)


def test_a_compressed_crate_is_not_taken_in(tmp_path: Path) -> None:
    files = unpack(a_release())
    path = tmp_path / "crate.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in files.files.items():
            archive.writestr(f"{files.top}/{name}", content)
    with pytest.raises(Refused, match="archive-total-too-large"):
        an_answer(members={"north": path.read_bytes()})


def test_an_unedited_answer_signed_again_verifies() -> None:
    assert verify(resigned(), some_members(), recompute_sum).exit_code == 0


def test_an_answer_that_the_members_do_not_give_is_found_out() -> None:
    forged = resigned(lambda document: document["result"].update(n=50))
    found = verify(forged, some_members(), recompute_sum)
    assert (found.exit_code, found.findings[0].code) == (1, "answer-differs")
    unchecked = verify(forged, some_members())  # nobody to work it out again: said, not hidden
    assert not unchecked.facts["recomputed"]
    assert "not-recomputed" in [finding.code for finding in unchecked.findings]


DOCUMENTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a member fewer": lambda d: d["over"].pop(),
    "a TRE missing": lambda d: d["missing"].append({"tre": "x", "code": "y", "reason": "z"}),
    "another request": lambda d: d.update(request="urn:uuid:0"),
    "a field more": lambda d: d.update(more=1),
    "no question": lambda d: d.pop("question"),
}


@pytest.mark.parametrize("edit", DOCUMENTS)
def test_a_document_that_its_statement_does_not_bear_out_is_refused(edit: str) -> None:
    with pytest.raises(Refused, match="answer-document"):
        read_answer(resigned(DOCUMENTS[edit]))


def test_members_cannot_be_exchanged_by_the_answers_own_author() -> None:
    other = a_release(outputs=some_outputs(count=1000))  # by north as well, for the same request
    statement = read_answer(ANSWER).statement
    with pytest.raises(Refused, match="answer-member-differs"):
        read_answer(resigned(files={"data/crates/north.zip": other}))
    with pytest.raises(Refused, match="answer-member-differs"):
        read_answer(resigned(files={"data/crates/north.zip": SOUTH}))
    with pytest.raises(Refused, match="answer-files"):
        read_answer(resigned(files={"data/crates/west.zip": other}))
    with pytest.raises(Refused, match="answer-files"):
        read_answer(resigned(members=statement.members[:1]))
    for changes in ({"outcome": "refused"}, {"tre": a_tre("south").card.id}, {"task": "urn:uuid:0"}, {"name": "x"}):
        members = (replace(statement.members[0], **changes), statement.members[1])  # type: ignore[arg-type]
        with pytest.raises(Refused, match="answer-member-differs"):
            read_answer(resigned(members=members))


@pytest.mark.parametrize(
    "stated",
    [
        {"request": "urn:uuid:00000000-0000-4000-8000-000000000000"},
        {"request_digest": "00" * 64},
        {"analysis": "mean"},
        {"analysis_version": "2.0.0"},
        {"analysis_digest": "sha256:00"},
        {"id": "urn:uuid:00000000-0000-4000-8000-000000000000"},
    ],
)
def test_an_answer_to_another_question_is_refused(stated: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="answer-"):
        read_answer(resigned(**stated))


def test_a_crate_under_another_tres_name_is_said() -> None:
    found = verify(an_answer(members={"south": a_release()}, result={"n": 42}), some_members(), recompute_sum)
    assert [finding.code for finding in found.findings] == ["member-name"]


def test_only_its_person_signs_it() -> None:
    bob = a_person("Bob Example", "https://orcid.org/0000-0001-5109-3700")
    members = some_members(a_person(), bob, a_tre(), a_tre("south"))
    assert verify(resigned(key=bob.key), members, recompute_sum).exit_code == 1
    assert verify(resigned(key=a_person().ring.sign("call")), members, recompute_sum).exit_code == 1
    assert verify(resigned(key=a_tre().release_key), members, recompute_sum).exit_code == 1


def test_the_card_must_be_the_authors_and_of_that_day() -> None:
    answer, ada = read_answer(ANSWER), a_person().card
    verify_answer(answer, replace(ada, valid_until=date(2026, 11, 23)))
    with pytest.raises(Refused, match="card-not-valid"):
        verify_answer(answer, replace(ada, valid_until=date(2026, 11, 22)))
    with pytest.raises(Refused, match="answer-requester"):
        verify_answer(answer, replace(ada, id="https://orcid.org/0000-0001-5109-3700"))


def test_a_member_that_another_key_signed_is_found_out() -> None:
    forged = a_release(outputs=some_outputs(count=1000), key=a_tre("south").release_key)
    data = an_answer(result={"n": 1000}, members={"north": forged})
    assert verify(data, some_members(), recompute_sum).exit_code == 1
