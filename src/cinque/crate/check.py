"""Does a crate conform to Five Safes RO-Crate 0.4, at the stage it has reached?

    report = check(metadata)                       # the metadata document, as bytes or as the value in it
    report = check(metadata, files=bag, stage="request")
    report = examine(path)                         # a ZIP, a folder or a metadata file on disk
    reports = examine_together([first, second], profile_id=FIVE_SAFES_DRAFT)   # crates of one record

Fast enough for the request path: the rules are compiled once, the graph is indexed once, and nothing is asked twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from cinque.crate import bag
from cinque.crate.bag import Problem
from cinque.crate.container import METADATA, opened
from cinque.crate.index import Index
from cinque.crate.nested import claims, nested_crates, own_profile, unknown_claims
from cinque.crate.profiles import FIVE_SAFES, LEVELS, RO_CRATE, Level, Profile, Rule, Subject, profile
from cinque.crate.profiles.vocabulary import Hit
from cinque.crate.stages import phases
from cinque.errors import Refused
from cinque.lib.canonical import MAX_BYTES, strict_loads

_MOST = 100  # findings of one rule that are listed; a crate of a million faults is not a million lines
_SHOWN = 200  # characters of a crate's own text in a finding


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is broken: which, how binding, at which property of which entity, what is wrong, how to mend it.
    `rule`: the requirement; `part`: the rule's whole id, which of several rules of one requirement it is.
    """

    rule: str
    level: Level
    entity: str
    property: str
    message: str
    remedy: str
    part: str = ""

    def to_dict(self) -> dict[str, str]:
        """As in the report's JSON."""
        return {
            "rule": self.rule,
            "level": self.level,
            "entity": self.entity,
            "property": self.property,
            "message": self.message,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `not_examined`: ids of rules that need files which were not given, and what they need."""

    profile: str
    stage: str
    findings: tuple[Finding, ...]
    not_examined: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def conforms(self) -> bool:
        """Whether no MUST is broken."""
        return self.holds("must")

    def holds(self, level: Level) -> bool:
        """Whether no rule at this level or above is broken."""
        ranks = LEVELS[: LEVELS.index(level) + 1]
        return not any(finding.level in ranks for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The form of `cinque crate check --json`; what was not examined is said at the end, and breaks nothing."""
        silent = [
            Finding(_number(rule), "may", "", "", f"not examined: {rule} needs {needs}.", "Check the whole crate.")
            for rule, needs in self.not_examined
        ]
        return {
            "profile": self.profile,
            "stage": self.stage,
            "conforms": self.conforms,
            "findings": [finding.to_dict() for finding in (*self.findings, *silent)],
            "seconds": self.seconds,
        }


def _number(rule: str) -> str:
    return rule.partition("/")[0]


_NEEDS = {
    "bag": "the bag",
    "payload": "the crate's files",
    "zip": "the ZIP",
    "others": "the other crates of its record",
}
_UNREAD = "a container that can be read"


def check(
    metadata: Mapping[str, Any] | bytes | Any,
    *,
    files: Mapping[str, bytes] | None = None,
    container: tuple[Problem, ...] | None = None,
    stage: str | None = None,
    profile_id: str | Profile = FIVE_SAFES,
    others: tuple[Index, ...] | None = None,
) -> Report:
    """Every rule of the profile that applies at the crate's stage, in the order of the profile; then those of the
    profiles that the crate says it conforms to, and those of the crates in its payload.

    `metadata`: the metadata document. `files`: all files of the bag by name (`data/…` the payload), or of a crate
    folder that is no bag. `container`: what reading the ZIP found, None where there was none. `stage`: one of the
    profile's; None finds it from the graph. `profile_id`: of an installed profile, or a profile from elsewhere itself.
    `others`: the crates that this one is judged beside. Never raises for what the metadata says; raises Refused for
    bytes that are not strict JSON, for an unknown stage, NotFound for an unknown profile.
    """
    started = time.perf_counter()
    rules = _profile(profile_id, stage)
    index = metadata if isinstance(metadata, Index) else read_index(metadata)
    found = phases(index)
    at = stage if stage is not None else rules.stage_of(index, others or ())
    payload = _payload(files)
    bagged = files if files is not None and METADATA not in files else None
    problems = tuple(bag.problems(bagged)) if bagged is not None else ()
    inside = nested_crates(index, payload)
    crates = {path: crate.index for path, crate in inside.items()}
    subject = Subject(index, found, at, bagged, payload, problems, container, crates, others)
    findings, silent = _judge(subject, [rules, *map(profile, claims(index))])
    silent += [(name, "the rules of that version, which are not here") for name in unknown_claims(index)]
    for path, crate in inside.items():
        subject = Subject(crate.index, phases(crate.index), at, payload=crate.payload)
        found_inside, _ = _judge(subject, [profile(RO_CRATE), *map(profile, crate.claims)])
        findings += [replace(finding, entity=path + finding.entity.removeprefix("./")) for finding in found_inside]
    return Report(rules.id, at, tuple(findings), tuple(silent), time.perf_counter() - started)


def examine(path: Path | str, *, stage: str | None = None, profile_id: str | Profile | None = FIVE_SAFES) -> Report:
    """`check` of what lies at this path: a bag's ZIP, a bag's folder, a crate's folder, or a metadata file alone.
    `profile_id`: None for the crate's `own_profile`.

    A ZIP that cannot be taken as it is packed (R16) is reported, and nothing in it is examined. Raises what `check` and
    `cinque.crate.container.opened` raise.
    """
    found = opened(Path(path))
    if found.metadata is not None:
        index = read_index(found.metadata)
        wanted = profile_id or own_profile(index)
        return check(index, files=found.files, container=found.problems, stage=stage, profile_id=wanted)
    rules = _profile(profile_id or FIVE_SAFES, stage)
    started, at = time.perf_counter(), stage or next(iter(rules.by_stage))
    subject = Subject(Index({"@graph": []}), phases(Index({"@graph": []})), at, container=found.problems)
    zipped = [rule for rule in rules.by_stage[at] if rule.needs == "zip"]
    findings = [finding for rule in zipped for finding in _findings(rule, subject)]
    silent = tuple((rule.id, _UNREAD) for rule in rules.by_stage[at] if rule.needs != "zip")
    return Report(rules.id, at, tuple(findings), silent, time.perf_counter() - started)


def _profile(profile_id: str | Profile, stage: str | None) -> Profile:
    found = profile_id if isinstance(profile_id, Profile) else profile(profile_id)
    if stage is not None and stage not in found.by_stage:
        known = ", ".join(found.by_stage)
        raise Refused("stage-unknown", "There is no such stage of a crate.", remedy=f"Use {known}.")
    return found


def check_together(
    crates: Sequence[tuple[Any, Mapping[str, bytes] | None]], *, profile_id: str | Profile | None = FIVE_SAFES
) -> list[Report]:
    """A report a crate, each judged beside the others: what holds only across the crates of one record (R213, R214,
    R240, R241, R245) is found. `crates`: metadata document and files of each, as for `check`, which it raises like.
    """
    indices = [read_index(metadata) for metadata, _ in crates]
    return [
        check(
            index,
            files=files,
            profile_id=profile_id or own_profile(index),
            others=(*indices[:place], *indices[place + 1 :]),
        )
        for place, (index, (_, files)) in enumerate(zip(indices, crates, strict=True))
    ]


def examine_together(paths: Sequence[Path], *, profile_id: str | Profile | None = FIVE_SAFES) -> list[Report]:
    """`check_together` of what lies at these paths. Raises what `load_for_check` raises."""
    return check_together([load_for_check(path) for path in paths], profile_id=profile_id)


def read_index(metadata: Any) -> Index:
    """The index of a metadata document, as bytes or as the value in it. Raises Refused for what is not strict JSON."""
    return Index(strict_loads(metadata, max_bytes=4 * MAX_BYTES) if isinstance(metadata, bytes) else metadata)


def _judge(subject: Subject, profiles: Iterable[Profile]) -> tuple[list[Finding], list[tuple[str, str]]]:
    """The findings of these profiles' rules, each rule asked once, at the level of the first that has it; and which
    rules need what is not there.
    """
    has = {
        "graph": True,
        "payload": subject.payload is not None,
        "bag": subject.files is not None,
        "zip": subject.container is not None,
        "others": subject.others is not None,
    }
    findings: list[Finding] = []
    silent: list[tuple[str, str]] = []
    asked: dict[Any, Rule] = {}
    for each in profiles:
        for rule in each.at(subject.stage):
            asked.setdefault((rule.id, rule.find), rule)
    for rule in asked.values():
        if has[rule.needs]:
            findings += _findings(rule, subject)
        else:
            silent.append((rule.id, _NEEDS[rule.needs]))
    return findings, silent


def _findings(rule: Rule, subject: Subject) -> list[Finding]:
    hits = iter(rule.find(subject))
    found = [_finding(rule, hit) for hit in islice(hits, _MOST)]
    if len(found) == _MOST and (more := sum(1 for _ in hits)):
        message = f"The same at {more} more places."
        found.append(Finding(rule.requirement, rule.level, "", rule.property, message, rule.remedy, rule.id))
    return found


def _finding(rule: Rule, hit: Hit) -> Finding:
    message = rule.message
    if "{value}" in message:
        message = message.replace("{value}", _plain(hit.value or "the value"))
        message = message[:1].upper() + message[1:]
    where = hit.property or rule.property
    return Finding(rule.requirement, rule.level, _plain(hit.entity), _plain(where), message, rule.remedy, rule.id)


def _plain(found: str) -> str:
    """A crate's own text as it may stand in a message: short, on one line, without control characters."""
    if len(found) > _SHOWN:
        found = found[: _SHOWN - 1] + "…"
    return found if found.isprintable() else "".join(c if c.isprintable() else "�" for c in found)


def _payload(files: Mapping[str, bytes] | None) -> Mapping[str, bytes] | None:
    if files is None:
        return None
    if METADATA in files:  # a crate folder that is no bag
        return files
    return {name.removeprefix("data/"): content for name, content in files.items() if name.startswith("data/")}


def load_for_check(path: Path | str) -> tuple[bytes, dict[str, bytes] | None]:
    """The metadata document at `path` and, where they are there, all files. Raises what `opened` raises, and Refused
    for a ZIP that is not taken as it is packed.
    """
    found = opened(Path(path))
    if found.metadata is None:
        first = (found.problems or ())[0]
        raise Refused(first.code, first.sentence, rule=first.rule, remedy=first.remedy)
    return found.metadata, found.files
