"""`verify`: its exit codes, and that nothing at all can be changed in a crate without it saying so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cinque.crate.archive import pack, unpack, write_folder
from cinque.crate.bag import MANIFEST, TAG_MANIFEST, begin, finish, parse_bag_info
from cinque.crate.signed import STATEMENT
from cinque.crate.verify import AUTHENTIC, Verification, same, verify
from cinque.errors import Refused, Unavailable
from tests.builders import a_person, a_refusal, a_release, a_request, a_tre, an_answer, recompute_sum, some_members

CRATES = {"request": a_request(), "release": a_release(), "refusal": a_refusal(), "answer": an_answer()}
WHOLE = {"request": 0, "release": 0, "refusal": 4, "answer": 0}
POSITIONS = {"request": 60, "release": 14, "refusal": 14, "answer": 24}  # sampled in each file; all in a shorter one
MEMBERS = some_members()
Files = dict[str, bytes]


def seen(files: Files, top: str = "bag") -> Verification:
    return verify(pack(files, top), MEMBERS, recompute_sum)


def repaired(files: Files) -> Files:
    """The bag with manifests and Payload-Oxum that fit it: what an attacker does, who lacks only a key."""
    payload = {path.removeprefix("data/"): content for path, content in files.items() if path.startswith("data/")}
    tags = {path: content for path, content in files.items() if not path.startswith("data/")}
    if "bag-info.txt" in files:
        try:
            info = [f for f in parse_bag_info(files["bag-info.txt"]) if f[0] != "Payload-Oxum"]
            size = f"{sum(map(len, payload.values()))}.{len(payload)}"
            text = "".join(f"{k}: {v}\n" for k, v in [*info, ("Payload-Oxum", size)]).encode()
            if size.encode() not in files["bag-info.txt"]:
                tags["bag-info.txt"] = text
        except Refused:
            pass
    if payload:
        tags[MANIFEST] = begin(payload, [("External-Identifier", "urn:uuid:0")])[MANIFEST]
    return finish({**{"data/" + path: content for path, content in payload.items()}, **tags})


def edits(files: Files, positions: int) -> Iterator[tuple[str, Files]]:
    """Every way to change one byte (sampled), and to add, remove, empty, lengthen, rename or swap a file."""
    for path, content in files.items():
        step = max(1, len(content) // positions)
        for place in {*range(0, len(content), step), len(content) - 1}:
            for bit in (0x01, 0x20):  # 0x20: the case of letters, and of hexadecimal digits
                changed = bytearray(content)
                changed[place] ^= bit
                yield f"{path} byte {place} ^ {bit}", {**files, path: bytes(changed)}
        without = {p: c for p, c in files.items() if p != path}
        yield f"{path} removed", without
        yield f"{path} renamed", {**without, path + "x": content}
        yield f"{path} emptied", {**files, path: b""}
        yield f"{path} longer by a line", {**files, path: content + b"\n"}
        yield f"{path} in Windows lines", {**files, path: content.replace(b"\n", b"\r\n") + b"\r\n"}
    for name in ("data/more.txt", "data/outputs/more.json", "data/crates/west.zip", "more.txt", "request/more.txt"):
        yield f"{name} added", {**files, name: b"more"}
    for name in ("fetch.txt", "manifest-md5.txt", "tagmanifest-md5.txt", "gate.dsse.json"):
        if name not in files:
            yield f"{name} added", {**files, name: b""}
    for one, other in pairwise(files):
        if files[one] != files[other]:
            yield f"{one} and {other} swapped", {**files, one: files[other], other: files[one]}


@pytest.mark.parametrize("kind", CRATES)
def test_a_whole_crate_verifies(kind: str, tmp_path: Path) -> None:
    found = verify(CRATES[kind], MEMBERS, recompute_sum)
    assert (found.exit_code, found.kind) == (WHOLE[kind], kind)
    assert found.signer in ("Ada Example", "The North TRE")
    assert not [finding for finding in found.findings if finding.level != "note"]
    assert "repacked" not in [finding.code for finding in found.findings]
    path = tmp_path / "crate.zip"
    path.write_bytes(CRATES[kind])
    assert verify(path, MEMBERS, recompute_sum) == found


@pytest.mark.parametrize("kind", CRATES)
def test_an_unpacked_or_repacked_crate_verifies_and_it_is_said(kind: str, tmp_path: Path) -> None:
    archive = unpack(CRATES[kind])
    write_folder(archive, tmp_path / "any-name")
    for source in (tmp_path / "any-name", CRATES[kind].replace(archive.top.encode(), b"X" * len(archive.top))):
        found = verify(source, MEMBERS, recompute_sum)
        assert found.exit_code == WHOLE[kind]
        if isinstance(source, Path):
            assert "repacked" in [finding.code for finding in found.findings]


@pytest.mark.parametrize("repair", [dict, repaired], ids=["as it is", "manifests repaired"])
@pytest.mark.parametrize("kind", CRATES)
def test_no_edit_goes_unnoticed(kind: str, repair: Callable[[Files], Files]) -> None:
    files = unpack(CRATES[kind]).files
    assert seen(repair(files)).exit_code == WHOLE[kind]  # repairing what is whole changes nothing
    unnoticed = []
    tried = 0
    for what, edited in edits(files, POSITIONS[kind]):
        edited = repair(edited)
        if edited == files:
            continue  # an edit of a manifest that was repaired away
        tried += 1
        if seen(edited).exit_code not in (1, 2, 3):
            unnoticed.append(what)
    assert unnoticed == []
    assert tried > 20 * len(files)


@pytest.mark.parametrize("kind", ["request", "refusal"])
def test_no_byte_of_the_container_hides_anything(kind: str) -> None:
    data = CRATES[kind]
    whole = unpack(data).files
    for place in range(0, len(data), max(1, len(data) // 700)):
        changed = bytearray(data)
        changed[place] ^= 0x01
        found = verify(bytes(changed), MEMBERS, recompute_sum)
        if found.exit_code in (0, 4):  # the folder's name or a time: the same files, and it is said or no container's
            archive = unpack(bytes(changed))
            assert archive.files == whole
            assert not archive.canonical or archive.top != unpack(data).top


@pytest.mark.parametrize("kind", CRATES)
def test_without_pinned_cards_a_crate_is_sound_at_most(kind: str) -> None:
    found = verify(CRATES[kind], None, recompute_sum)
    assert (found.exit_code, found.kind, found.signer) == (3, kind, "")
    assert found.findings[0].code == "no-trust-list"
    assert verify(CRATES[kind], some_members(a_tre("west")), recompute_sum).exit_code == 3


def test_an_answer_needs_every_member_pinned() -> None:
    assert verify(CRATES["answer"], some_members(a_person(), a_tre()), recompute_sum).exit_code == 3
    assert verify(CRATES["answer"], some_members(a_tre(), a_tre("south")), recompute_sum).exit_code == 3


def test_a_release_whose_requester_is_not_pinned_rests_on_its_tre() -> None:
    found = verify(CRATES["release"], some_members(a_tre()))
    assert found.exit_code == AUTHENTIC
    assert [finding.code for finding in found.findings] == ["requester-unknown"]


def test_a_release_of_a_request_that_its_requester_did_not_sign_is_found_out() -> None:
    bob = a_person("Bob Example", "https://orcid.org/0000-0001-5109-3700")
    release = a_release(request=a_request(key=bob.key))  # Bob asked in Ada's name, and the TRE did not notice
    assert verify(release, MEMBERS).exit_code == 1


def test_another_appetite_than_the_pinned_one_is_said() -> None:
    found = verify(a_release(appetite={"name": "bold", "threshold": 1}), MEMBERS)
    assert found.exit_code == AUTHENTIC
    assert [finding.code for finding in found.findings] == ["appetite-differs"]


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"not a zip", pack({"bagit.txt": b"x"}, "bag"), pack({STATEMENT: b"{}"}, "bag")],
    ids=["nothing", "two letters", "text", "no statement", "an empty statement"],
)
def test_what_is_no_crate_is_unreadable(data: bytes) -> None:
    found = verify(data, MEMBERS)
    assert (found.exit_code, found.kind) == (2, "")


def test_a_file_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    found = verify(tmp_path / "absent.zip", MEMBERS)
    assert found.exit_code == 2
    assert str(tmp_path) not in found.findings[0].sentence


def test_one_kind_of_statement_does_not_serve_as_another() -> None:
    kinds = {kind: unpack(data) for kind, data in CRATES.items()}
    for kind, archive in kinds.items():
        for other in kinds:
            if other != kind:
                files = repaired({**archive.files, STATEMENT: kinds[other].files[STATEMENT]})
                assert seen(files).exit_code in (1, 2)


def test_an_analysis_that_is_not_installed_leaves_the_answer_unchecked() -> None:
    def absent(*_: object) -> object:
        raise Unavailable("analysis-absent", "The analysis is not installed here.")

    found = verify(CRATES["answer"], MEMBERS, absent)
    assert (found.exit_code, found.facts["recomputed"]) == (0, False)
    assert found.findings[0].level == "warning"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, 1, True),
        (1, 2, False),
        (1, True, False),
        (1.0, 1, True),
        (0.1 + 0.2, 0.3, True),
        (1.0, 1.00001, False),
        (1.0, True, False),
        (10**15, 10**15 + 1, False),
        ({"a": [1.0]}, {"a": [1.0 + 1e-12]}, True),
        ({"a": 1}, {"b": 1}, False),
        ([1], [1, 2], False),
        (None, None, True),
        (None, 0, False),
        ("1", 1, False),
    ],
)
def test_counts_are_compared_exactly_and_reals_nearly(one: object, other: object, expected: bool) -> None:
    assert same(one, other) is expected


def test_the_tag_manifest_is_in_its_one_form() -> None:
    files = unpack(CRATES["request"]).files
    lines = files[TAG_MANIFEST].decode().splitlines(keepends=True)
    for other in ("".join(reversed(lines)), files[TAG_MANIFEST].decode().upper(), "".join(lines).replace("  ", "\t")):
        assert seen({**files, TAG_MANIFEST: other.encode()}).exit_code == 1
