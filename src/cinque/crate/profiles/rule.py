"""What a rule, a profile and the subject of a check are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Any, Literal

from cinque.crate.bag import Problem
from cinque.crate.index import Index
from cinque.crate.profiles.vocabulary import Hit
from cinque.crate.stages import Phases, stage

Level = Literal["must", "should", "may"]
LEVELS: tuple[Level, ...] = ("must", "should", "may")
EVERY = "all"  # in a rule's stages: every one of whichever profile it is used in


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
    # the rule as written, its selection spelt out where it was a name, for export and reference pages
    source: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile's identity and all its rules, those it builds on first. `unruled`: requirements of its own that no rule
    tests, each with the reason; `stage_of`: how a crate's stage is found, from its graph and the crates beside it.

    `head`: profile.toml; `place`: the folder; `bases`: what it builds on; `own`: the rules that it adds; `tightened`:
    inherited rules that bind more here, with the level that they had and the reason; `off`: inherited rules that it
    switches off, with the reason; `select`, `groups`: the names for selections and for stages that its rules may use.
    """

    id: str
    name: str
    extends: tuple[str, ...]
    rules: tuple[Rule, ...]
    by_stage: Mapping[str, tuple[Rule, ...]] = field(compare=False)
    unruled: Mapping[str, str] = field(compare=False, default_factory=dict)
    stage_of: Callable[[Index, tuple[Index, ...]], str] = field(compare=False, default=lambda index, _: stage(index))
    head: Mapping[str, Any] = field(compare=False, default_factory=dict)
    place: Traversable | None = field(compare=False, default=None)
    bases: tuple[Profile, ...] = field(compare=False, default=())
    own: tuple[Rule, ...] = field(compare=False, default=())
    tightened: Mapping[str, tuple[Level, str]] = field(compare=False, default_factory=dict)
    off: Mapping[str, str] = field(compare=False, default_factory=dict)
    select: Mapping[str, Mapping[str, Any]] = field(compare=False, default_factory=dict)
    groups: Mapping[str, list[str]] = field(compare=False, default_factory=dict)

    @property
    def draft(self) -> bool:
        """Whether the profile may still change: said wherever its verdict is."""
        return "draft" in self.name

    def at(self, stage: str) -> tuple[Rule, ...]:
        """The rules at a stage; at another profile's, those that hold at every one."""
        found = self.by_stage.get(stage)
        return tuple(rule for rule in self.rules if EVERY in rule.stages) if found is None else found
