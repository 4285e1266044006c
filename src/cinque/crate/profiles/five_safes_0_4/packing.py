"""How a Five Safes crate is packed: the ZIP and the bag (R1, R3 to R13, R15, R16, R83)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cinque.crate.bag import parse_bag_info
from cinque.crate.profiles import Subject
from cinque.crate.profiles.vocabulary import Hit
from cinque.errors import Refused

Check = Callable[[Subject], Iterator[Hit]]

# ------------------------------------------------------------------------------------------ the container (R1, R15-R16)


def zip_without_bag(subject: Subject) -> Iterator[Hit]:
    if any(problem.code == "archive-no-bag" for problem in subject.container or ()):
        yield Hit("")


def zip_top(subject: Subject) -> Iterator[Hit]:
    for problem in subject.container or ():
        if problem.rule == "R15":
            yield Hit("", problem.sentence)


def zip_features(subject: Subject) -> Iterator[Hit]:
    for problem in subject.container or ():
        if problem.rule == "R16" and problem.level != "note":
            yield Hit("", problem.sentence)


def zip_packed_again(subject: Subject) -> Iterator[Hit]:
    for problem in subject.container or ():
        if problem.code == "archive-repacked":
            yield Hit("", problem.sentence)


# ------------------------------------------------------------------------------------------------ the bag (R3-R14)

_NAMED = {
    "bag-no-manifest", "bag-no-tag-manifest", "bag-algorithm", "bag-tag-manifest-listed", "bag-no-declaration",
    "bag-declaration", "bag-version", "bag-encoding", "bag-version-spelling", "bag-fetch", "bag-no-info",
    "bag-no-identifier", "bag-identifiers", "bag-identifier-form", "bag-manifest-form",
}  # fmt: skip


def _bag(*codes: str) -> Check:
    def found(subject: Subject) -> Iterator[Hit]:
        for problem in subject.problems:
            if problem.code in codes:
                yield Hit(problem.path, problem.sentence)

    return found


def _other_problems(*, tags: bool) -> Check:
    def found(subject: Subject) -> Iterator[Hit]:
        for problem in subject.problems:
            if problem.code not in _NAMED and (problem.rule == "R4") == tags:
                yield Hit(problem.path, problem.sentence)

    return found


bag_no_manifest = _bag("bag-no-manifest")
bag_no_tag_manifest = _bag("bag-no-tag-manifest")
bag_algorithms = _bag("bag-algorithm", "bag-tag-manifest-listed")
bag_declaration = _bag("bag-no-declaration", "bag-declaration", "bag-version", "bag-encoding")
bag_spelling = _bag("bag-version-spelling")
bag_fetch = _bag("bag-fetch")
bag_no_identifier = _bag("bag-no-info", "bag-no-identifier", "bag-identifiers")
bag_identifier_form = _bag("bag-identifier-form")
bag_form = _bag("bag-manifest-form")
bag_tags = _other_problems(tags=True)
bag_payload = _other_problems(tags=False)


def bag_without_metadata(subject: Subject) -> Iterator[Hit]:
    if "data/ro-crate-metadata.json" not in (subject.files or ()):
        yield Hit("data/ro-crate-metadata.json")


def bag_without_more(subject: Subject) -> Iterator[Hit]:
    if not any(name != "ro-crate-metadata.json" for name in subject.payload or ()):
        yield Hit("data/")


def identifier_changed(subject: Subject) -> Iterator[Hit]:
    """R13, where the request travels inside the response."""
    own, request = external_identifier(subject, "bag-info.txt"), external_identifier(subject, "request/bag-info.txt")
    if request and own != request:
        yield Hit("bag-info.txt")


def external_identifier(subject: Subject, path: str) -> str:
    files = subject.files or {}
    try:
        fields = parse_bag_info(files[path], path) if path in files else []
    except Refused:
        return ""  # said by the rules on the bag
    return next((value for label, value in fields if label.lower() == "external-identifier"), "")
