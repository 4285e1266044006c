"""Profiles as data: one folder a profile, rules in TOML, Python only for what words cannot say.

A folder holds `profile.toml` (id, name, what it builds on, groups of stages, named selections), `rules.toml`, and,
where needed, a `checks.py` whose functions the rules name, and `examples/`, which `cinque.crate.profiles.examples`
reads. The words are those of `cinque.crate.profiles.vocabulary`.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

from cinque.crate.bag import Problem
from cinque.crate.index import Index
from cinque.crate.profiles.vocabulary import Hit, compile_rule
from cinque.crate.stages import STAGES, Phases, stage
from cinque.errors import NotFound

Level = Literal["must", "should", "may"]
LEVELS: tuple[Level, ...] = ("must", "should", "may")
EVERY = "all"  # in a rule's stages: every one of whichever profile it is used in
_HEADER = {
    "id", "level", "source", "stages", "needs", "message", "remedy", "property", "check", "unexported", "rationale",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """What a check may look at. `files`: the bag's files by name, None when only the metadata is there; `payload`: the
    files beside the metadata, None likewise; `problems`: what reading the bag found; `container`: what reading the ZIP
    found, None where there was none; `nested`: the crates inside the payload, by their folder; `others`: the crates
    that are checked together with this one, None when it is checked alone.
    """

    index: Index
    phases: Phases
    stage: str
    files: Mapping[str, bytes] | None = None
    payload: Mapping[str, bytes] | None = None
    problems: tuple[Problem, ...] = ()
    container: tuple[Problem, ...] | None = None
    nested: Mapping[str, Index] = field(default_factory=dict)
    others: tuple[Index, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `id`: requirement, and after a slash which part of it; `needs`: "graph", "payload", "bag", "zip" or
    "others".
    """

    id: str
    requirement: str  # its number, such as R36
    level: Level
    stages: frozenset[str]
    needs: str
    message: str
    remedy: str
    property: str
    find: Callable[[Subject], Iterable[Hit]] = field(compare=False)
    source: Mapping[str, Any] = field(compare=False)  # the rule as written, for export and reference pages


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile's identity and all its rules, those it builds on first. `unruled`: requirements of its own that no rule
    tests, each with the reason; `stage_of`: how a crate's stage is found, from its graph and the crates beside it.
    """

    id: str
    name: str
    extends: tuple[str, ...]
    rules: tuple[Rule, ...]
    by_stage: Mapping[str, tuple[Rule, ...]] = field(compare=False)
    unruled: Mapping[str, str] = field(compare=False, default_factory=dict)
    stage_of: Callable[[Index, tuple[Index, ...]], str] = field(compare=False, default=lambda index, _: stage(index))

    @property
    def draft(self) -> bool:
        """Whether the profile may still change: said wherever its verdict is."""
        return "draft" in self.name

    def at(self, stage: str) -> tuple[Rule, ...]:
        """The rules at a stage; at another profile's, those that hold at every one."""
        found = self.by_stage.get(stage)
        return tuple(rule for rule in self.rules if EVERY in rule.stages) if found is None else found


FIVE_SAFES = "https://w3id.org/5s-crate/0.4"
FIVE_SAFES_DRAFT = "https://w3id.org/5s-crate/1.0"
RO_CRATE = "https://w3id.org/ro/crate/1.2"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
CLAIMED = {  # profiles that are applied wherever a crate says that it conforms to them
    WORKFLOW_CRATE: "workflow_ro_crate",
    "https://w3id.org/ro/wfrun/process/0.5": "process_run_crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "workflow_run_crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "provenance_run_crate",
}
FAMILIES = ("https://w3id.org/ro/wfrun/", "https://w3id.org/workflowhub/workflow-ro-crate/")
_FOLDERS = {FIVE_SAFES: "five_safes_0_4", FIVE_SAFES_DRAFT: "five_safes_1_0_draft", RO_CRATE: "ro_crate", **CLAIMED}
INSTALLED = tuple(_FOLDERS)
# one set of rules: what a version of RO-Crate demands of its own looks at the version that the crate declares
_FOLDERS |= {"https://w3id.org/ro/crate/1.1": "ro_crate", "https://w3id.org/ro/crate/1.3": "ro_crate"}


@cache
def profile(identifier: str = FIVE_SAFES) -> Profile:
    """The profile of this IRI, compiled once. Raises NotFound for one that is not installed."""
    head, found = read(folder(identifier).name)
    inherited = [rule for other in head.get("extends", ()) for rule in profile(other).rules]
    rules = tuple(dict.fromkeys((*inherited, *found)))
    stages = head.get("kinds", STAGES)
    by_stage = {stage: tuple(rule for rule in rules if rule.stages & {stage, EVERY}) for stage in stages}
    unruled = {entry["requirement"]: entry["reason"] for entry in head.get("unruled", ())}
    made = Profile(identifier, head["name"], tuple(head.get("extends", ())), rules, by_stage, unruled)
    if "kinds" in head:  # representations in the place of 0.4's stages: the folder's own function tells them apart
        kinds = importlib.import_module(f"{__package__}.{folder(identifier).name}.kinds")
        made = replace(made, stage_of=kinds.kind)
    return made


def folder(identifier: str) -> Traversable:
    """The folder of an installed profile. Raises NotFound for one that is not installed."""
    name = _FOLDERS.get(identifier)
    if name is None:
        raise NotFound(
            "profile-unknown",
            "There is no rule set for this profile.",
            remedy=f"Known are {', '.join(_FOLDERS)}.",
        )
    return resources.files(__package__) / name


def read(folder: str) -> tuple[dict[str, Any], tuple[Rule, ...]]:
    """The head and the compiled rules of a profile's folder. Raises ValueError for a rule that is not well written."""
    files = resources.files(__package__) / folder
    head = tomllib.loads((files / "profile.toml").read_text("utf-8"))
    entries = tomllib.loads((files / "rules.toml").read_text("utf-8"))["rule"]
    seen = {entry["id"] for entry in entries}
    if len(seen) != len(entries):
        raise ValueError(f"{folder}: two rules have the same id")
    return head, tuple(_rule(folder, head, entry) for entry in entries)


def _rule(folder: str, head: Mapping[str, Any], entry: dict[str, Any]) -> Rule:
    if entry["level"] not in LEVELS or not entry["message"] or not entry["remedy"]:
        raise ValueError(f"{entry['id']}: a rule needs a level, a message and a remedy")
    find: Callable[[Subject], Iterable[Hit]]
    if "check" in entry:
        if extra := set(entry) - _HEADER:
            raise ValueError(f"{entry['id']}: a Python check takes no {', '.join(sorted(extra))}")
        find = getattr(importlib.import_module(f"{__package__}.{folder}.checks"), entry["check"])
    else:
        demand = {key: value for key, value in entry.items() if key not in _HEADER}
        on_index = compile_rule(entry["id"], demand, head.get("select", {}))

        def find(subject: Subject) -> Iterator[Hit]:
            return on_index(subject.index)

    path = entry.get("property", entry.get("path", ""))
    return Rule(
        id=entry["id"],
        requirement=entry["id"].partition("/")[0],
        level=entry["level"],
        stages=_stages(entry["id"], entry.get("stages", EVERY), head),
        needs=entry.get("needs", "graph"),
        message=entry["message"],
        remedy=entry["remedy"],
        property=path.rpartition("/")[2].lstrip("^"),
        find=find,
        source=entry,
    )


def _stages(rule: str, named: str | list[str], head: Mapping[str, Any]) -> frozenset[str]:
    groups: Mapping[str, list[str]] = head.get("stages", {})
    found: set[str] = set()
    for name in [named] if isinstance(named, str) else named:
        if name in groups:
            found.update(groups[name])
        elif name == EVERY or name in head.get("kinds", STAGES):
            found.add(name)
        else:
            raise ValueError(f"{rule}: no stage or group of stages is called {name}")
    return frozenset(found)
