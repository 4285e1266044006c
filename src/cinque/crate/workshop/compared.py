"""Two profiles, or two versions of one, rule by rule: what a crate that conformed to the first meets in the second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cinque.crate.profiles import EVERY, LEVELS, Profile, Rule
from cinque.crate.profiles.form import HEADER

Kind = Literal["added", "removed", "tightened", "loosened", "switched off", "switched on", "changed"]
KINDS: tuple[Kind, ...] = ("added", "removed", "tightened", "loosened", "switched off", "switched on", "changed")


@dataclass(frozen=True, slots=True)
class Difference:
    """One rule that is not the same in both. `was`, `now`: its level, "" where it is not there; `how`: in words."""

    kind: Kind
    rule: str
    was: str
    now: str
    how: str

    def to_dict(self) -> dict[str, str]:
        """As in the JSON of `cinque profile compare`."""
        return {"kind": self.kind, "rule": self.rule, "was": self.was, "now": self.now, "how": self.how}


def compare(first: Profile, second: Profile) -> list[Difference]:
    """The differences, by kind and then in the order of the rules. A rule counts as tightened when it binds more or
    holds at more stages and nothing else of it is weaker; what it demands in other words is `changed`, for no program
    can say which of two demands is the narrower.
    """
    one, two = _rules(first), _rules(second)
    found = [*_gone(one, two, second), *_new(one, two, first)]
    for name in one.keys() & two.keys():
        found += _both(first, second, one[name], two[name])
    places = {name: place for place, name in enumerate((*one, *two))}
    return sorted(found, key=lambda each: (KINDS.index(each.kind), places[each.rule]))


def _rules(profile: Profile) -> dict[str, Rule]:
    return {rule.id: rule for rule in profile.rules}


def _gone(one: Mapping[str, Rule], two: Mapping[str, Rule], second: Profile) -> Iterator[Difference]:
    for name in one.keys() - two.keys():
        reason = _off(second, name)
        kind: Kind = "removed" if reason is None else "switched off"
        yield Difference(kind, name, one[name].level, "", reason or one[name].message)


def _new(one: Mapping[str, Rule], two: Mapping[str, Rule], first: Profile) -> Iterator[Difference]:
    for name in two.keys() - one.keys():
        kind: Kind = "added" if _off(first, name) is None else "switched on"
        yield Difference(kind, name, "", two[name].level, two[name].message)


def _off(profile: Profile, rule: str) -> str | None:
    """Why the profile, or one that it builds on, switches the rule off; None where none does."""
    if rule in profile.off:
        return profile.off[rule]
    return next((reason for base in profile.bases if (reason := _off(base, rule)) is not None), None)


def _both(first: Profile, second: Profile, was: Rule, now: Rule) -> Iterator[Difference]:
    levels = LEVELS.index(was.level) - LEVELS.index(now.level)
    before, after = _stages(first, was), _stages(second, now)
    hows: list[str] = []
    if after - before:
        hows.append(f"also at {', '.join(sorted(after - before))}")
    if before - after:
        hows.append(f"no longer at {', '.join(sorted(before - after))}")
    more, less = levels > 0 or bool(after - before), levels < 0 or bool(before - after)
    changed = _demand(was) != _demand(now)
    if changed:
        hows.append("it demands something else")
    if not hows and not levels:
        return
    kind: Kind = "changed" if changed or (more and less) else "tightened" if more else "loosened"
    reason = second.tightened.get(now.id, ("", "" if hows else now.message))[1] if levels else ""
    yield Difference(kind, now.id, was.level, now.level, ": ".join(filter(None, ("; ".join(hows), reason))))


def _stages(profile: Profile, rule: Rule) -> set[str]:
    return set(profile.by_stage) if EVERY in rule.stages else set(rule.stages)


def _demand(rule: Rule) -> dict[str, Any]:
    """What is demanded of what, without what is said of it."""
    kept = {word: value for word, value in rule.source.items() if word not in HEADER}
    return kept | {word: rule.source[word] for word in ("check", "needs") if word in rule.source}
