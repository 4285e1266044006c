"""BagIt 1.0 (RFC 8493) with SHA-512: a crate's files and the manifests over them (R1-R13, R83-R86).

The order of writing is that of R86: payload, payload manifest, whatever signs it, tag manifest.

    files = begin(payload, bag_info)      # bagit.txt, bag-info.txt, data/..., manifest-sha512.txt
    files["..."] = envelope               # a tag file made over what stands so far
    files = finish(files)                 # tagmanifest-sha512.txt over every tag file
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cinque.crate.names import check_apart, check_name, shown
from cinque.errors import Refused
from cinque.lib.digest import sha512_hex

DECLARATION, BAG_INFO, MANIFEST, TAG_MANIFEST, FETCH = (
    "bagit.txt",
    "bag-info.txt",
    "manifest-sha512.txt",
    "tagmanifest-sha512.txt",
    "fetch.txt",
)
PAYLOAD = "data/"
IDENTIFIER = "External-Identifier"

_LINE_END = re.compile(r"\r\n|\r|\n")
_MANIFEST_LINE = re.compile(r"([0-9A-Fa-f]+)[ \t]+\*?(.+)")  # the star: what sha512sum writes for binary files
_MANIFEST_NAME = re.compile(r"(tag)?manifest-([0-9a-z]+)\.txt")
_ESCAPED = {"%0a": "\n", "%0d": "\r", "%25": "%"}
_URN_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ALGORITHMS = {"md5", "sha1", "sha224", "sha256", "sha384", "sha512"}

Level = Literal["must", "should", "note"]


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag whose manifests hold."""

    bag_info: dict[str, tuple[str, ...]]  # label in lower case -> its values, in order
    payload: dict[str, bytes]  # names without "data/"
    tags: dict[str, bytes]  # tag files other than bagit.txt, bag-info.txt and the manifests

    @property
    def identifier(self) -> str:
        """The one External-Identifier (R11)."""
        return self.bag_info[IDENTIFIER.lower()][0]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a bag. "must": it is no bag for us; "should": better mended; "note": read in spite of it."""

    code: str
    rule: str
    path: str
    sentence: str
    remedy: str
    level: Level = "must"


# ------------------------------------------------------------------------------------------------------- writing


def bagit_txt() -> bytes:
    """The bag declaration (R6), spelt as in RFC 8493 (D8)."""
    return b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def bag_info_txt(fields: Sequence[tuple[str, str]]) -> bytes:
    """`bag-info.txt` of these labels and values, in their order, each on one line.

    Raises `Refused` for what would not be read back as it was written: line breaks and other control characters, a
    colon in a label, space around either, nothing.
    """
    for label, value in fields:
        if not (label and value and label == label.strip() and value == value.strip() and ":" not in label) or any(
            ord(c) < 32 or 127 <= ord(c) < 160 for c in label + value
        ):
            raise Refused(
                "bag-info-field",
                f"The field {shown(label)} cannot be written to bag-info.txt.",
                rule="R11",
                remedy="Write label and value on one line, without control characters or surrounding spaces.",
            )
    return "".join(f"{label}: {value}\n" for label, value in fields).encode()


def manifest(files: Mapping[str, bytes]) -> bytes:
    """Lines `sha512  path`, sorted by path; line ends and "%" in a path are percent-encoded (RFC 8493, 2.1.3)."""
    return _manifest_txt({path: sha512_hex(content) for path, content in files.items()})


def payload_manifest(payload: Mapping[str, bytes]) -> bytes:
    """`manifest-sha512.txt` of the payload (R3, R10); names without "data/"."""
    return manifest({PAYLOAD + name: content for name, content in payload.items()})


def payload_oxum(payload: Mapping[str, bytes]) -> str:
    """The value of Payload-Oxum: bytes.files."""
    return f"{sum(map(len, payload.values()))}.{len(payload)}"


def begin(payload: Mapping[str, bytes], bag_info: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """The bag up to its payload manifest, ready for a signature over it. Raises `Refused` for a bad name or field."""
    files = {PAYLOAD + name: content for name, content in payload.items()}
    for path in files:
        check_name(path)
    check_apart(files)
    return {**files, DECLARATION: bagit_txt(), BAG_INFO: bag_info_txt(bag_info), MANIFEST: manifest(files)}


def finish(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The bag with its tag manifest over every other tag file (R4, R83); earlier tag manifests are dropped (R85)."""
    kept = {path: content for path, content in files.items() if not _is_tag_manifest(path)}
    tags = {path: content for path, content in kept.items() if not path.startswith(PAYLOAD)}
    for path in tags:
        check_name(path)
    check_apart(kept)
    return {**kept, TAG_MANIFEST: manifest(tags)}


def seal(
    payload: Mapping[str, bytes], tags: Mapping[str, bytes], bag_info: Sequence[tuple[str, str]]
) -> dict[str, bytes]:
    """A whole bag at once, where `tags` do not depend on the payload manifest."""
    files = begin(payload, bag_info)
    for path in tags:
        if path in files or path.startswith(PAYLOAD) or _MANIFEST_NAME.fullmatch(path) or path == FETCH:
            raise Refused(
                "bag-tag-name",
                f"{shown(path)} is a name that BagIt keeps for itself.",
                rule="R83",
                remedy="Give the tag file another name.",
            )
    return finish({**files, **tags})


def _manifest_txt(digests: Mapping[str, str]) -> bytes:
    return "".join(f"{digests[path]}  {_encoded(path)}\n" for path in sorted(digests)).encode()


def _encoded(path: str) -> str:
    return path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


# ------------------------------------------------------------------------------------------------------- reading


def parse_manifest(data: bytes, path: str = MANIFEST) -> dict[str, str]:
    """Path -> digest in lower-case hexadecimal. Raises `Refused` naming the line; digests are not judged here."""
    found: dict[str, str] = {}
    for number, line in enumerate(_lines(data, path), 1):
        if not line:
            continue
        match = _MANIFEST_LINE.fullmatch(line)
        if match is None:
            raise _unreadable(path, number, "is not a digest and a path")
        name = re.sub("%0[aAdD]|%25", lambda escape: _ESCAPED[escape[0].lower()], match[2])
        if name in found:
            raise _unreadable(path, number, "lists a file a second time")
        found[name] = match[1].lower()
    return found


def parse_bag_info(data: bytes, path: str = BAG_INFO) -> list[tuple[str, str]]:
    """Labels and values of a tag file in their order; indented lines continue a value (RFC 8493, 2.2.2)."""
    fields: list[tuple[str, list[str]]] = []
    for number, line in enumerate(_lines(data, path), 1):
        if line[:1] in (" ", "\t"):
            if not fields:
                raise _unreadable(path, number, "continues nothing")
            fields[-1][1].append(line.strip())
        elif line:
            label, colon, value = line.partition(":")
            if not colon or not label.strip():
                raise _unreadable(path, number, "is not a label, a colon and a value")
            fields.append((label.strip(), [value.strip()]))
    return [(label, " ".join(filter(None, parts))) for label, parts in fields]


def _lines(data: bytes, path: str) -> list[str]:
    try:
        return _LINE_END.split(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refused(
            "bag-unreadable", f"{shown(path)} is not valid UTF-8.", rule="R6", remedy="Write tag files in UTF-8."
        ) from None


def _unreadable(path: str, number: int, what: str) -> Refused:
    sentence = f"Line {number} of {shown(path)} {what}."
    return Refused("bag-unreadable", sentence, rule="R10", remedy="Write the file again.")


# ------------------------------------------------------------------------------------------------------ checking


def problems(files: Mapping[str, bytes]) -> list[Problem]:
    """Everything wrong with this bag; empty when it is sound. Every file is hashed once for each manifest over it."""
    return list(_problems(files))


def read(files: Mapping[str, bytes]) -> Bag:
    """The bag in these files; raises the first problem that breaks a MUST as `Refused`."""
    for problem in _problems(files):
        if problem.level == "must":
            raise Refused(problem.code, problem.sentence, rule=problem.rule, remedy=problem.remedy)
    payload: dict[str, bytes] = {}
    tags: dict[str, bytes] = {}
    for path, content in files.items():
        if path.startswith(PAYLOAD):
            payload[path.removeprefix(PAYLOAD)] = content
        elif path not in (DECLARATION, BAG_INFO) and not _MANIFEST_NAME.fullmatch(path):
            tags[path] = content
    return Bag(_gathered(parse_bag_info(files[BAG_INFO])), payload, tags)


def _problems(files: Mapping[str, bytes]) -> Iterator[Problem]:
    yield from _or_refusal(_declaration(files), DECLARATION)
    yield from _or_refusal(_info(files), BAG_INFO)
    if FETCH in files:
        # R9 allows it; but a TRE would then run what no signature over this bag covers
        yield Problem("bag-fetch", "R9", FETCH, "The bag leaves files to be fetched.", "Put every file into the bag.")
    if MANIFEST not in files:
        yield Problem("bag-no-manifest", "R3", MANIFEST, f"The bag has no {MANIFEST}.", "List the payload in it.")
    if TAG_MANIFEST not in files:
        sentence = f"The bag has no {TAG_MANIFEST}."
        yield Problem("bag-no-tag-manifest", "R4", TAG_MANIFEST, sentence, "Write it last.", "should")
    for path in files:
        if named := _MANIFEST_NAME.fullmatch(path):
            yield from _or_refusal(_manifest(files, path, named[2], tags=bool(named[1])), path)


def _or_refusal(found: Iterator[Problem], path: str) -> Iterator[Problem]:
    try:
        yield from found
    except Refused as refusal:
        yield Problem(refusal.code, refusal.rule, path, refusal.sentence, refusal.remedy)


def _declaration(files: Mapping[str, bytes]) -> Iterator[Problem]:
    def problem(code: str, sentence: str, level: Level = "must") -> Problem:
        written = "Write `BagIt-Version: 1.0` and `Tag-File-Character-Encoding: UTF-8`."
        return Problem(code, "R6", DECLARATION, sentence, written, level)

    if DECLARATION not in files:
        yield problem("bag-no-declaration", "The folder has no bagit.txt, so it is no bag.")
        return
    fields = parse_bag_info(files[DECLARATION], DECLARATION)
    labels = {label.lower(): value for label, value in fields}
    if len(fields) != 2 or labels.keys() != {"bagit-version", "tag-file-character-encoding"}:
        yield problem("bag-declaration", "bagit.txt does not say version and encoding, and these alone.")
        return
    version = re.fullmatch(r"([0-9]{1,4})\.[0-9]{1,4}", labels["bagit-version"])
    if version is None or int(version[1]) < 1:
        yield problem("bag-version", "bagit.txt does not say BagIt 1.0 or later.")
    if labels["tag-file-character-encoding"].upper() != "UTF-8":
        yield problem("bag-encoding", "bagit.txt says an encoding other than UTF-8.")
    if "BagIt-Version" not in dict(fields):  # D8: the profile's own examples misspell it
        yield problem("bag-version-spelling", "bagit.txt spells BagIt-Version otherwise than RFC 8493.", "note")


def _info(files: Mapping[str, bytes]) -> Iterator[Problem]:
    def problem(code: str, rule: str, sentence: str, remedy: str, level: Level = "must") -> Problem:
        return Problem(code, rule, BAG_INFO, sentence, remedy, level)

    fresh = f"Write one line `{IDENTIFIER}: urn:uuid:...` with a fresh UUID."
    if BAG_INFO not in files:
        yield problem("bag-no-info", "R11", f"The bag has no {BAG_INFO}.", fresh)
        return
    info = _gathered(parse_bag_info(files[BAG_INFO]))
    identifiers = info.get(IDENTIFIER.lower(), ())
    if not any(identifiers):
        yield problem("bag-no-identifier", "R11", f"{BAG_INFO} has no {IDENTIFIER}.", fresh)
    elif len(identifiers) > 1:
        yield problem("bag-identifiers", "R11", f"{BAG_INFO} has more than one {IDENTIFIER}.", fresh)
    elif not _URN_UUID.fullmatch(identifiers[0]):
        yield problem("bag-identifier-form", "R12", f"The {IDENTIFIER} is not a UUID URN.", fresh, "should")
    oxums = info.get("payload-oxum", ())
    if oxums:
        payload = {path: content for path, content in files.items() if path.startswith(PAYLOAD)}
        if oxums != (payload_oxum(payload),):
            remedy = "Write the payload's size in bytes, a full stop, the number of its files."
            yield problem("bag-oxum", "RFC 8493, 2.2.2", "Payload-Oxum differs from the payload.", remedy)


def _manifest(files: Mapping[str, bytes], path: str, algorithm: str, *, tags: bool) -> Iterator[Problem]:
    """What is wrong with one manifest: payload manifests list all of data/ (R10), tag manifests all the rest (R4)."""
    rule = "R4" if tags else "R10"
    again = "Write the manifests again after the last change."

    def problem(code: str, at: str, sentence: str) -> Problem:
        return Problem(code, rule, at, sentence, again)

    if algorithm not in _ALGORITHMS:
        sentence = f"{shown(path)} uses an algorithm that is not known here, and was not checked."
        yield Problem("bag-algorithm", "R5", path, sentence, "Leave the file out.", "note")
        return
    listed = parse_manifest(files[path], path)
    for name, digest in listed.items():
        if tags and _is_tag_manifest(name):
            yield Problem("bag-tag-manifest-listed", "R5", name, f"{shown(path)} lists a tag manifest.", again)
        elif name.startswith(PAYLOAD) == tags:
            where = "a payload file" if tags else "a path outside data/"
            yield problem("bag-manifest-path", name, f"{shown(path)} lists {where}: {shown(name)}.")
        elif name not in files:
            yield problem("bag-file-missing", name, f"{shown(path)} lists {shown(name)}, which is not in the bag.")
        elif digest != _digest(algorithm, files[name]):
            yield problem("bag-digest", name, f"{shown(name)} differs from its digest in {shown(path)}.")
    for name in files:
        if name not in listed and name.startswith(PAYLOAD) != tags and not _is_tag_manifest(name):
            yield problem("bag-file-unlisted", name, f"{shown(name)} is not listed in {shown(path)}.")
    if tags and files[path] != _manifest_txt(listed):
        # no signature covers a tag manifest: that its bytes are the only possible ones stands in for it
        sentence = f"{shown(path)} is not written as Cinque writes it."
        yield Problem("bag-manifest-form", "R83", path, sentence, "Sort it; two spaces, no blank lines.", "note")


def _digest(algorithm: str, data: bytes) -> str:
    if algorithm == "sha512":
        return sha512_hex(data)
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()  # in addition to SHA-512 (R5), never instead


def _gathered(fields: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for label, value in fields:
        found.setdefault(label.lower(), []).append(value)
    return {label: tuple(values) for label, values in found.items()}


def _is_tag_manifest(path: str) -> bool:
    named = _MANIFEST_NAME.fullmatch(path)
    return named is not None and named[1] is not None
