"""A profile read from its folder: its own rules compiled, what it builds on inherited, tightened or switched off.

A layer, which is a profile that builds on another, may add rules, may make an inherited rule more binding and may
switch off an inherited SHOULD or MAY with a reason. It may never switch off a MUST or make a rule less binding: a crate
that conforms to a layer conforms to what lies under it (docs/decisions/0014-profiles-as-data.md).
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources.abc import Traversable
from typing import Any

from cinque.crate.index import Index
from cinque.crate.profiles import form
from cinque.crate.profiles.rule import EVERY, LEVELS, Level, Profile, Rule, Subject
from cinque.crate.profiles.vocabulary import Hit, compile_rule
from cinque.crate.stages import STAGES
from cinque.errors import Refused, Unreadable

HEAD, RULES = "profile.toml", "rules.toml"
PAGE = "docs/howto/write-a-profile.md"
_MOST = 2**20  # bytes of a file


def read(place: Traversable, bases: Callable[[Sequence[str]], tuple[Profile, ...]], package: str = "") -> Profile:
    """The profile in a folder. `bases`: gives what its `extends` names; `package`: of its Python checks, "" where there
    may be none.

    Raises Unreadable for a file that is not in the form of `cinque.crate.profiles.form`, naming file and line, and
    Refused for what a layer may not do; and what `bases` raises.
    """
    head, _ = _toml(place, HEAD)
    _formed(place, HEAD, 0, "", lambda: form.check_head(head))
    rules, lines = _toml(place, RULES)
    _formed(place, RULES, 0, "", lambda: form.check_rules(rules))
    if "kinds" in head and not package:
        raise Refused(
            "profile-python",
            f"{_named(place, HEAD)}: `kinds` needs Python, which only Cinque's own profiles have.",
            remedy="Use the stages of what it builds on.",
        )
    under = bases(head.get("extends", ()))
    select = _merged(base.select for base in under) | head.get("select", {})
    groups = _merged(base.groups for base in under) | head.get("stages", {})
    stages = _stages(place, head, under)
    writer = _Writer(place, package, select, groups, stages, head.get("prefix", ""))
    own = tuple(writer.rule(entry, line) for entry, line in _entries(rules, "rule", lines))
    inherited = _inherited(place, under)
    _own_names(place, own, head.get("prefix", ""), inherited)
    tightened = dict(_tightened(place, _entries(rules, "tighten", lines), inherited))
    off = dict(_off(place, _entries(rules, "off", lines), inherited, tightened))
    kept = [replace(r, level=tightened[r.id][0]) if r.id in tightened else r for r in inherited.values()]
    held = tuple(rule for rule in (*kept, *own) if rule.id not in off)
    made = Profile(
        id=head["id"],
        name=head["name"],
        extends=tuple(base.id for base in under),
        rules=held,
        by_stage={stage: tuple(rule for rule in held if rule.stages & {stage, EVERY}) for stage in stages},
        unruled={entry["requirement"]: entry["reason"] for entry in head.get("unruled", ())},
        head=head,
        place=place,
        bases=under,
        own=own,
        tightened={name: (inherited[name].level, reason) for name, (_, reason) in tightened.items()},
        off=off,
        select=select,
        groups=groups,
    )
    return replace(made, stage_of=_stage_of(head, under, package) or made.stage_of)


# ------------------------------------------------------------------------------------------------------- files


def _toml(place: Traversable, name: str) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """A file of the folder, and the lines at which its `[[…]]` begin, by what stands in them."""
    try:
        data = (place / name).read_bytes()
        if len(data) > _MOST:
            raise ValueError(f"it is larger than {_MOST} bytes")
        text = data.decode()
        found = tomllib.loads(text)
    except OSError as error:
        raise _unreadable(place, name, 0, error.strerror or "it cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(place, name, 0, f"it is no TOML: {str(error) or 'too deep'}") from error
    lines: dict[str, list[int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*\[\[\s*(\w+)\s*\]\]", line):
            lines.setdefault(match[1], []).append(number)
    return found, lines


def _entries(
    rules: Mapping[str, Any], kind: str, lines: Mapping[str, list[int]]
) -> Iterator[tuple[dict[str, Any], int]]:
    """The tables of one kind, each with its line, 0 where they are not written with `[[…]]`."""
    entries, known = rules.get(kind, []), lines.get(kind, [])
    yield from zip(entries, known if len(known) == len(entries) else [0] * len(entries), strict=True)


def _formed(place: Traversable, name: str, line: int, who: str, check: Callable[[], None]) -> None:
    try:
        check()
    except ValueError as error:
        raise _unreadable(place, name, line, f"{who}{': ' if who else ''}{error}") from None


def _unreadable(place: Traversable, name: str, line: int, what: str) -> Unreadable:
    return Unreadable(
        "profile-unreadable",
        f"{_named(place, name, line)}: {what.rstrip('.')}.",
        remedy=f"The form of a profile is described in {PAGE}.",
    )


def _named(place: Traversable, name: str, line: int = 0) -> str:
    return f"{place.name}/{name}" + (f", line {line}" if line else "")


# ------------------------------------------------------------------------------------------------------- own rules


class _Writer:
    """Makes rules of what a folder's rules.toml says, with the names that the folder may use."""

    def __init__(
        self,
        place: Traversable,
        package: str,
        select: Mapping[str, Any],
        groups: Mapping[str, list[str]],
        stages: Sequence[str],
        prefix: str,
    ) -> None:
        self.place, self.package, self.select, self.prefix = place, package, select, prefix
        self.groups, self.stages = groups, stages
        for name, members in groups.items():
            self._known(members, f"the group `{name}`", HEAD, 0)

    def rule(self, entry: dict[str, Any], line: int) -> Rule:
        """The rule of one entry."""
        who = f"rule {entry['id']}" if isinstance(entry.get("id"), str) else "a rule"
        _formed(self.place, RULES, line, who, lambda: form.check_rule(entry, self.select))
        path = entry.get("property", entry.get("path", ""))
        source = dict(entry)
        if isinstance(source.get("select"), str):
            source["select"] = self.select[source["select"]]
        return Rule(
            id=entry["id"],
            requirement=entry["id"].partition("/")[0],
            level=entry["level"],
            stages=self._stages(entry, who, line),
            needs=entry.get("needs", "graph"),
            message=entry["message"],
            remedy=entry["remedy"],
            property=path.rpartition("/")[2].lstrip("^"),
            find=self._find(source, who, line),
            source=source,
        )

    def _find(self, source: Mapping[str, Any], who: str, line: int) -> Callable[[Subject], Iterable[Hit]]:
        if "check" in source:
            if not self.package:
                where = _named(self.place, RULES, line)
                raise Refused(
                    "profile-python",
                    f"{where}: {who} names a Python check, which only Cinque's own profiles have.",
                    remedy="Say it in the words of the vocabulary, or leave the rule out.",
                )
            found: Callable[[Subject], Iterable[Hit]] = getattr(
                importlib.import_module(f"{self.package}.checks"), source["check"]
            )
            return found
        demand = {word: value for word, value in source.items() if word not in form.HEADER}
        try:
            on_index = compile_rule(source["id"], demand, {})
        except ValueError as error:
            raise _unreadable(self.place, RULES, line, str(error)) from None

        def find(subject: Subject) -> Iterator[Hit]:
            return on_index(subject.index)

        return find

    def _stages(self, entry: Mapping[str, Any], who: str, line: int) -> frozenset[str]:
        written = entry.get("stages", EVERY)
        named = [written] if isinstance(written, str) else written
        plain = [stage for name in named for stage in self.groups.get(name, [name])]
        self._known(plain, who, RULES, line)
        return frozenset(plain)

    def _known(self, names: Iterable[str], who: str, file: str, line: int) -> None:
        for name in names:
            if name != EVERY and name not in self.stages:
                raise Refused(
                    "profile-stage-unknown",
                    f"{_named(self.place, file, line)}: {who}: no stage or group of stages is called `{name}`.",
                    remedy=f"The stages are {', '.join(self.stages)}.",
                )


def _own_names(place: Traversable, own: Sequence[Rule], prefix: str, inherited: Mapping[str, Rule]) -> None:
    """Each id is used once, and begins with the folder's own prefix, where it has one."""
    begin = f"{prefix}-"
    if prefix and (taken := next((name for name in inherited if name.startswith(begin)), "")):
        raise Refused(
            "profile-prefix", f"The prefix {prefix} is taken: {taken} is inherited.", remedy="Choose another `prefix`."
        )
    seen: set[str] = set()
    for rule in own:
        if rule.id in seen or rule.id in inherited:
            whose = "inherited already" if rule.id in inherited else "there twice"
            raise Refused(
                "profile-rule-twice",
                f"{_named(place, RULES)}: the rule {rule.id} is {whose}.",
                remedy="Give it an id of its own; an inherited rule is changed by `[[tighten]]` or `[[off]]`.",
            )
        if prefix and not rule.id.startswith(begin):
            raise Refused(
                "profile-prefix",
                f"{_named(place, RULES)}: the rule {rule.id} does not begin with `{begin}`.",
                remedy="Let the ids of a layer's rules begin with its `prefix`.",
            )
        seen.add(rule.id)


# ------------------------------------------------------------------------------------------------------- inherited


def _merged(each: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for mapping in each for name, value in mapping.items()}


def _stages(place: Traversable, head: Mapping[str, Any], under: Sequence[Profile]) -> tuple[str, ...]:
    """The stages of a crate, as the profiles underneath see them: those whose rules speak of stages must agree."""
    if "kinds" in head:
        return tuple(head["kinds"])
    seen = {tuple(base.by_stage) for base in under if any(EVERY not in rule.stages for rule in base.rules)}
    if len(seen) > 1:
        raise Refused(
            "profile-stages-differ",
            f"{_named(place, HEAD)}: {' and '.join(base.name for base in under)} know different stages of a crate.",
            remedy="Build on one of them.",
        )
    return seen.pop() if seen else tuple(STAGES)


def _stage_of(
    head: Mapping[str, Any], under: Sequence[Profile], package: str
) -> Callable[[Index, tuple[Index, ...]], str] | None:
    if "kinds" in head:  # representations in the place of 0.4's stages: the folder's own function tells them apart
        kinds: Callable[[Index, tuple[Index, ...]], str] = importlib.import_module(f"{package}.kinds").kind
        return kinds
    return next((base.stage_of for base in under if tuple(base.by_stage) != STAGES), None)


def _inherited(place: Traversable, under: Sequence[Profile]) -> dict[str, Rule]:
    """The rules of what lies underneath by id; of one that comes by two roads, the more binding."""
    found: dict[str, Rule] = {}
    for base in under:
        for rule in base.rules:
            there = found.setdefault(rule.id, rule)
            if there.find is not rule.find:
                raise Refused(
                    "profile-rule-twice",
                    f"{_named(place, HEAD)}: two of the profiles it builds on have a rule {rule.id}.",
                    remedy="Build on one of them, or ask its writers for another prefix.",
                )
            if LEVELS.index(rule.level) < LEVELS.index(there.level):
                found[rule.id] = rule
    return found


def _tightened(
    place: Traversable, entries: Iterable[tuple[dict[str, Any], int]], inherited: Mapping[str, Rule]
) -> Iterator[tuple[str, tuple[Level, str]]]:
    for rule, entry, where in _changes(place, "tighten", entries, inherited):
        if LEVELS.index(entry["level"]) >= LEVELS.index(rule.level):
            raise Refused(
                "profile-loosens",
                f"{where}: {rule.id} is {rule.level.upper()} already, and {entry['level'].upper()} does not bind more.",
                remedy="Tighten SHOULD to MUST, or MAY to either; a layer never loosens what it builds on.",
            )
        yield rule.id, (entry["level"], entry["reason"])


def _off(
    place: Traversable,
    entries: Iterable[tuple[dict[str, Any], int]],
    inherited: Mapping[str, Rule],
    tightened: Mapping[str, Any],
) -> Iterator[tuple[str, str]]:
    for rule, entry, where in _changes(place, "off", entries, inherited):
        if rule.level == "must":
            raise Refused(
                "profile-off-must",
                f"{where}: {rule.id} is a MUST, and a layer never switches off a MUST.",
                remedy="Leave it on, or build on a profile that does not demand it.",
            )
        if rule.id in tightened:
            raise Refused(
                "profile-rule-twice", f"{where}: {rule.id} is both tightened and switched off.", remedy="Choose one."
            )
        yield rule.id, entry["reason"]


def _changes(
    place: Traversable, kind: str, entries: Iterable[tuple[dict[str, Any], int]], inherited: Mapping[str, Rule]
) -> Iterator[tuple[Rule, dict[str, Any], str]]:
    seen: set[str] = set()
    for entry, line in entries:
        where = _named(place, RULES, line)

        def check(entry: dict[str, Any] = entry) -> None:
            form.check_change(kind, entry)

        _formed(place, RULES, line, "", check)
        rule = inherited.get(entry["rule"])
        if rule is None:
            parts = [name for name in inherited if name.startswith(f"{entry['rule']}/")]
            raise Refused(
                "profile-rule-unknown",
                f"{where}: no rule {entry['rule']} is inherited.",
                remedy=f"Meant may be {', '.join(parts)}."
                if parts
                else "See what is there with `cinque profile docs ID`.",
            )
        if rule.id in seen:
            raise Refused(
                "profile-rule-twice", f"{where}: {rule.id} is named twice in `[[{kind}]]`.", remedy="Name it once."
            )
        seen.add(rule.id)
        yield rule, entry, where
