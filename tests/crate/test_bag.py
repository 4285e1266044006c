"""BagIt bags: another implementation reads what is written, and every change after sealing is found and named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import bagit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.crate import bag
from cinque.crate.archive import Archive, write_folder
from cinque.errors import Refused

URN = "urn:uuid:0a4c9e7e-5a0d-4c1b-9c55-0123456789ab"
INFO = [("External-Identifier", URN), ("Bagging-Date", "2024-02-29")]
PAYLOAD = {"ro-crate-metadata.json": b"{}", "inputs/caf\u00e9 1.csv": b"a,b\n"}
TAGS = {"request.dsse.json": b"envelope", "request/bagit.txt": b"kept"}
HELLO = (  # SHA-512 of "hello", as sha512sum prints it
    "9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7"
    "2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043"
)


def a_bag(**changes: bytes | None) -> dict[str, bytes]:
    """A sound bag with some files replaced, added or (None) removed, and nothing resealed."""
    return {k: v for k, v in {**bag.seal(PAYLOAD, TAGS, INFO), **changes}.items() if v is not None}


def resealed(**changes: bytes | None) -> dict[str, bytes]:
    """As `a_bag`, with a tag manifest over the change."""
    return bag.finish(a_bag(**changes))


def codes(files: dict[str, bytes]) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in bag.problems(files)]


def test_a_sealed_bag_has_the_files_of_rfc_8493() -> None:
    files = a_bag()
    assert files["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    assert files["bag-info.txt"] == f"External-Identifier: {URN}\nBagging-Date: 2024-02-29\n".encode()
    assert bag.payload_manifest({"b": b"hello", "a": b"hello"}) == f"{HELLO}  data/a\n{HELLO}  data/b\n".encode()
    listed = [line.split("  ", 1)[1] for line in files["tagmanifest-sha512.txt"].decode().splitlines()]
    assert listed == ["bag-info.txt", "bagit.txt", "manifest-sha512.txt", "request.dsse.json", "request/bagit.txt"]
    assert list(files)[-1] == "tagmanifest-sha512.txt"
    assert bag.problems(files) == []


def test_a_sealed_bag_is_read_back() -> None:
    found = bag.read(a_bag())
    assert (found.payload, found.tags, found.identifier) == (PAYLOAD, TAGS, URN)
    assert found.bag_info == {"external-identifier": (URN,), "bagging-date": ("2024-02-29",)}


def test_an_envelope_may_be_made_over_the_payload_manifest() -> None:
    files = bag.begin(PAYLOAD, INFO)
    assert files["manifest-sha512.txt"] == bag.payload_manifest(PAYLOAD)
    files["request.dsse.json"] = hashlib.sha256(files["manifest-sha512.txt"]).digest()
    files = bag.finish(files)
    assert bag.problems(files) == []
    assert bag.finish({**files, "tagmanifest-md5.txt": b"stale"}) == files


_name = st.lists(st.text("aB1-_ .+\u00e9\u4e2d", min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)


@given(payload=st.dictionaries(_name, st.binary(max_size=50), min_size=1, max_size=5), oxum=st.booleans())
def test_another_implementation_finds_our_bags_sound(
    payload: dict[str, bytes], oxum: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    info = [*INFO, ("Payload-Oxum", bag.payload_oxum(payload))] if oxum else INFO
    try:
        files = bag.seal(payload, TAGS, info)
    except Refused as refusal:
        assert refusal.code in {"archive-name", "archive-path-escape", "archive-collision"}  # noqa: PT017
        return
    folder = tmp_path_factory.mktemp("bags") / "bag"
    write_folder(Archive("bag", files, canonical=False), folder)
    other = bagit.Bag(str(folder))
    other.validate()
    assert other.info["External-Identifier"] == URN
    assert bag.read(files).payload == payload


def test_a_bag_of_another_implementation_is_sound(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"hello")
    bagit.make_bag(str(tmp_path), {"External-Identifier": URN}, checksums=["sha512", "sha256", "md5"])
    files = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert ("bag-version", "bagit.txt") in codes(files)  # it still writes 0.97, which R6 refuses
    files = bag.finish({**files, "bagit.txt": bag.bagit_txt()})
    assert bag.problems(files) == []
    assert bag.read(files).payload == {"a.txt": b"hello"}
    # and what it counts as broken is broken: a second algorithm may be absent (R5), not wrong
    stale = files["manifest-md5.txt"].replace(b"5d41402a", b"00000000")
    assert ("bag-digest", "data/a.txt") in codes({**files, "manifest-md5.txt": stale})


MANIFEST = bag.payload_manifest(PAYLOAD)

TAG_MANIFEST = a_bag()["tagmanifest-sha512.txt"]

BROKEN: dict[str, tuple[dict[str, bytes], str, str, str]] = {
    "no declaration": (resealed(**{"bagit.txt": None}), "bag-no-declaration", "R6", "bagit.txt"),
    "BagIt 0.97": (
        resealed(**{"bagit.txt": bag.bagit_txt().replace(b"1.0", b"0.97")}),
        "bag-version",
        "R6",
        "bagit.txt",
    ),
    "version of words": (
        resealed(**{"bagit.txt": bag.bagit_txt().replace(b"1.0", b"one")}),
        "bag-version",
        "R6",
        "bagit.txt",
    ),
    "Latin-1": (
        resealed(**{"bagit.txt": bag.bagit_txt().replace(b"UTF-8", b"ISO-8859-1")}),
        "bag-encoding",
        "R6",
        "bagit.txt",
    ),
    "declaration that says more": (
        resealed(**{"bagit.txt": bag.bagit_txt() + b"A: b\n"}),
        "bag-declaration",
        "R6",
        "bagit.txt",
    ),
    "two versions": (
        resealed(**{"bagit.txt": b"bagit-version: 0.97\n" + bag.bagit_txt()}),
        "bag-declaration",
        "R6",
        "bagit.txt",
    ),
    "declaration that is empty": (resealed(**{"bagit.txt": b""}), "bag-declaration", "R6", "bagit.txt"),
    "no payload manifest": (resealed(**{"manifest-sha512.txt": None}), "bag-no-manifest", "R3", "manifest-sha512.txt"),
    "only another algorithm": (
        resealed(
            **{
                "manifest-sha512.txt": None,
                "manifest-sha256.txt": "".join(
                    f"{hashlib.sha256(content).hexdigest()}  data/{name}\n" for name, content in PAYLOAD.items()
                ).encode(),
            }
        ),
        "bag-no-manifest",
        "R3",
        "manifest-sha512.txt",
    ),
    "payload changed": (
        a_bag(**{"data/ro-crate-metadata.json": b"{ }"}),
        "bag-digest",
        "R10",
        "data/ro-crate-metadata.json",
    ),
    "payload added": (a_bag(**{"data/new": b""}), "bag-file-unlisted", "R10", "data/new"),
    "payload removed": (
        a_bag(**{"data/inputs/caf\u00e9 1.csv": None}),
        "bag-file-missing",
        "R10",
        "data/inputs/caf\u00e9 1.csv",
    ),
    "digest of another length": (
        resealed(**{"manifest-sha512.txt": MANIFEST.replace(b"  data/ro", b"00  data/ro")}),
        "bag-digest",
        "R10",
        "data/ro-crate-metadata.json",
    ),
    "manifest lists a tag file": (
        resealed(**{"manifest-sha512.txt": MANIFEST + f"{HELLO}  bagit.txt\n".encode()}),
        "bag-manifest-path",
        "R10",
        "bagit.txt",
    ),
    "manifest lists a path outside": (
        resealed(**{"manifest-sha512.txt": MANIFEST + f"{HELLO}  ../passwd\n".encode()}),
        "bag-manifest-path",
        "R10",
        "../passwd",
    ),
    "manifest lists a file twice": (
        resealed(**{"manifest-sha512.txt": MANIFEST * 2}),
        "bag-unreadable",
        "R10",
        "manifest-sha512.txt",
    ),
    "manifest of other text": (
        resealed(**{"manifest-sha512.txt": b"hello\n"}),
        "bag-unreadable",
        "R10",
        "manifest-sha512.txt",
    ),
    "manifest not in UTF-8": (
        resealed(**{"manifest-sha512.txt": HELLO.encode() + b"  data/\xff\n"}),
        "bag-unreadable",
        "R6",
        "manifest-sha512.txt",
    ),
    "tag file changed": (a_bag(**{"request.dsse.json": b"x"}), "bag-digest", "R4", "request.dsse.json"),
    "tag file added": (a_bag(**{"new.txt": b"x"}), "bag-file-unlisted", "R4", "new.txt"),
    "tag file removed": (a_bag(**{"request.dsse.json": None}), "bag-file-missing", "R4", "request.dsse.json"),
    "payload manifest rewritten": (
        a_bag(**{"data/new": b"", "manifest-sha512.txt": bag.payload_manifest({**PAYLOAD, "new": b""})}),
        "bag-digest",
        "R4",
        "manifest-sha512.txt",
    ),
    "tag manifest lists itself": (
        a_bag(**{"tagmanifest-sha512.txt": TAG_MANIFEST + f"{HELLO}  tagmanifest-sha512.txt\n".encode()}),
        "bag-tag-manifest-listed",
        "R5",
        "tagmanifest-sha512.txt",
    ),
    "tag manifest lists the payload": (
        a_bag(**{"tagmanifest-sha512.txt": TAG_MANIFEST + f"{HELLO}  data/a\n".encode()}),
        "bag-manifest-path",
        "R4",
        "data/a",
    ),
    "files to fetch": (resealed(**{"fetch.txt": b"http://a.example/ 5 data/a\n"}), "bag-fetch", "R9", "fetch.txt"),
    "no bag-info": (resealed(**{"bag-info.txt": None}), "bag-no-info", "R11", "bag-info.txt"),
    "no identifier": (
        resealed(**{"bag-info.txt": b"Bagging-Date: 2024-02-29\n"}),
        "bag-no-identifier",
        "R11",
        "bag-info.txt",
    ),
    "empty identifier": (
        resealed(**{"bag-info.txt": b"External-Identifier:\n"}),
        "bag-no-identifier",
        "R11",
        "bag-info.txt",
    ),
    "two identifiers": (
        resealed(**{"bag-info.txt": bag.bag_info_txt([*INFO, ("external-identifier", URN)])}),
        "bag-identifiers",
        "R11",
        "bag-info.txt",
    ),
    "bag-info of prose": (resealed(**{"bag-info.txt": b"hello\n"}), "bag-unreadable", "R10", "bag-info.txt"),
    "payload of another size": (
        resealed(**{"bag-info.txt": bag.bag_info_txt([*INFO, ("Payload-Oxum", "7.2")])}),
        "bag-oxum",
        "RFC 8493, 2.2.2",
        "bag-info.txt",
    ),
}


@pytest.mark.parametrize(("files", "code", "rule", "path"), BROKEN.values(), ids=BROKEN)
def test_a_broken_bag_is_refused_for_that_alone(files: dict[str, bytes], code: str, rule: str, path: str) -> None:
    assert [(p.code, p.rule, p.path) for p in bag.problems(files) if p.level == "must"] == [(code, rule, path)]
    with pytest.raises(Refused) as refusal:
        bag.read(files)
    assert (refusal.value.code, refusal.value.rule) == (code, rule)
    assert refusal.value.remedy
    assert str(refusal.value).isascii()


TOLERATED = {
    "no tag manifest": (a_bag(**{"tagmanifest-sha512.txt": None}), "bag-no-tag-manifest", "R4", "should"),
    "identifier that is no UUID": (
        resealed(**{"bag-info.txt": b"External-Identifier: 17\n"}),
        "bag-identifier-form",
        "R12",
        "should",
    ),
    # D8: the profile's own examples
    "BagIt-version": (
        resealed(**{"bagit.txt": bag.bagit_txt().replace(b"Version", b"version")}),
        "bag-version-spelling",
        "R6",
        "note",
    ),
    "tag manifest with a blank line": (
        a_bag(**{"tagmanifest-sha512.txt": b"\n" + a_bag()["tagmanifest-sha512.txt"]}),
        "bag-manifest-form",
        "R83",
        "note",
    ),
    "unknown algorithm": (resealed(**{"manifest-blake3.txt": b"?"}), "bag-algorithm", "R5", "note"),
}


@pytest.mark.parametrize(("files", "code", "rule", "level"), TOLERATED.values(), ids=TOLERATED)
def test_what_is_no_must_is_read_and_said(files: dict[str, bytes], code: str, rule: str, level: str) -> None:
    assert [(p.code, p.rule, p.level) for p in bag.problems(files)] == [(code, rule, level)]
    assert bag.read(files).payload == PAYLOAD


def test_a_later_bagit_is_read() -> None:
    assert codes(resealed(**{"bagit.txt": bag.bagit_txt().replace(b"1.0", b"1.1")})) == []


def test_every_changed_file_is_named() -> None:
    files = a_bag()
    for path in files:
        changed = {**files, path: files[path] + b"\n\n"}
        assert path in {at for _, at in codes(changed)}


def test_paths_are_escaped_as_in_rfc_8493() -> None:
    files = {"data/100%.csv": b"hello", "data/a\nb\rc": b"hello", "data/%0A": b"hello"}
    text = bag.manifest(files).decode()
    assert sorted(line.split("  ")[1] for line in text.splitlines()) == [
        "data/%250A",
        "data/100%25.csv",
        "data/a%0Ab%0Dc",
    ]
    assert bag.parse_manifest(text.encode()) == dict.fromkeys(files, HELLO)


def test_manifests_of_other_programs_are_read() -> None:
    text = f"{HELLO.upper()} *data/a b\r\n{HELLO}\tdata/c%0ad\r{HELLO}  data/100%.csv\n\n"
    assert bag.parse_manifest(text.encode()) == dict.fromkeys(["data/a b", "data/c\nd", "data/100%.csv"], HELLO)


def test_bag_info_of_other_programs_is_read() -> None:
    text = b"Source-Organization: A\r\nDescription: one\r\n  two\r\n\tthree: 3\nEMPTY:\nDescription:again\n"
    assert bag.parse_bag_info(text) == [
        ("Source-Organization", "A"),
        ("Description", "one two three: 3"),
        ("EMPTY", ""),
        ("Description", "again"),
    ]
    for broken in (b" continues nothing\n", b": no label\n", b"\xff: a\n"):
        with pytest.raises(Refused):
            bag.parse_bag_info(broken)


_text = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)


@given(st.lists(st.tuples(_text.map(lambda t: t.replace(":", "-")), _text), max_size=4))
def test_bag_info_is_read_back_as_written(fields: list[tuple[str, str]]) -> None:
    assert bag.parse_bag_info(bag.bag_info_txt(fields)) == fields


@pytest.mark.parametrize(
    ("label", "value"),
    [("A", "x\nExternal-Identifier: y"), ("A", "x\ry"), ("A:B", "x"), (" A", "x"), ("A", "x "), ("", "x"), ("A", "")],
)
def test_no_field_smuggles_in_another(label: str, value: str) -> None:
    with pytest.raises(Refused) as refusal:
        bag.bag_info_txt([(label, value)])
    assert refusal.value.code == "bag-info-field"


@pytest.mark.parametrize(
    "name", ["bagit.txt", "bag-info.txt", "manifest-md5.txt", "tagmanifest-md5.txt", "fetch.txt", "data/x"]
)
def test_tags_may_not_take_the_names_of_bagit(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        bag.seal(PAYLOAD, {name: b""}, INFO)
    assert refusal.value.code == "bag-tag-name"


@pytest.mark.parametrize("name", ["../x", "/x", "a\nb"])
def test_no_name_leaves_the_bag(name: str) -> None:
    for payload, tags in (({name: b""}, {}), (PAYLOAD, {name: b""})):
        with pytest.raises(Refused):
            bag.seal(payload, tags, INFO)


@given(st.dictionaries(st.sampled_from(sorted(a_bag())), st.binary(max_size=80)))
def test_arbitrary_files_raise_nothing_but_a_refusal(changes: dict[str, bytes]) -> None:
    files = a_bag(**changes)
    broken = any(problem.level == "must" for problem in bag.problems(files))
    try:
        bag.read(files)
    except Refused:
        assert broken
    else:
        assert not broken
