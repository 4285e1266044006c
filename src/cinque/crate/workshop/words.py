"""What a rule demands, in words: the vocabulary read out, for who does not read TOML."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cinque.crate.profiles import EVERY, Profile, Rule
from cinque.crate.profiles.form import HEADER

_NEEDS = {
    "payload": "the crate's files",
    "bag": "the bag",
    "zip": "the ZIP",
    "others": "the other crates of its record",
}
_NODES = {"reference": "a reference", "literal": "a literal, not a reference"}


def demanded(profile: Profile, rule: Rule) -> str:
    """A sentence or two in Markdown. Of a Python check, its own first sentence, where it has one."""
    if "check" in rule.source:
        needs = f", on {_NEEDS[rule.needs]}" if rule.needs in _NEEDS else ""
        return f"A check in Python{needs}. {_first_sentence(rule)}".rstrip()
    words = {word: value for word, value in rule.source.items() if word not in HEADER}
    where = selected(profile, words["select"])
    only = f", where {_demand(words['when'])}" if "when" in words else ""
    demand = {word: value for word, value in words.items() if word not in ("select", "when")}
    return f"For {where}{only}: {_demand(demand)}."


def stages(profile: Profile, rule: Rule) -> str:
    """At which stages the rule holds."""
    if EVERY in rule.stages:
        return "every stage"
    return ", ".join(stage for stage in profile.by_stage if stage in rule.stages) or ", ".join(sorted(rule.stages))


def selected(profile: Profile, words: Mapping[str, Any]) -> str:
    """Which entities are meant, by the name that the profile has for them where it has one."""
    for place in (profile, *_bases(profile)):
        for name, selection in place.select.items():
            if selection == words:
                return f"each *{name}* ({_selection(words)})" if name not in ("root", "descriptor") else f"the {name}"
    whole = words.get("root") or words.get("descriptor")
    return _selection(words) if whole else f"each {_selection(words)}"


def _bases(profile: Profile) -> Iterator[Profile]:
    for base in profile.bases:
        yield base
        yield from _bases(base)


def _selection(words: Mapping[str, Any]) -> str:
    if words.get("descriptor"):
        return "the descriptor"
    kind = f"{_either(words['type'])}" if "type" in words else "entity"
    kind = "the root" if words.get("root") else kind
    parts = [f"`{name}` {_code(words[name])}" for name in ("additionalType", "conformsTo") if name in words]
    if "linked" in words:
        parts.insert(0, f"that the root reaches by `{words['linked']}`")
    return " ".join((kind, *([] if not parts else [_joined(parts, "and")])))


def _demand(words: Mapping[str, Any]) -> str:
    parts = list(_on_values(words)) if "path" in words else []
    if "any" in words:
        parts.append("either " + _joined([_demand(each) for each in words["any"]], "or"))
    parts += [_demand(each) for each in words.get("all", ())]
    if "not" in words:
        parts.append(_denied(words["not"]))
    return _joined(parts, "and")


def _denied(words: Mapping[str, Any]) -> str:
    path = f"`{words.get('path')}`"
    if words.keys() == {"path", "disjoint"}:
        return f"a value of {path} is one of `{words['disjoint']}`"
    if words.keys() == {"path", "value"}:
        return f"no value of {path} is {_either(words['value'])}"
    if words.keys() == {"path", "some"}:
        return f"no value of {path} refers to {_either(words['some'])}"
    if words.keys() == {"path", "min"} and words["min"] == 1:
        return f"{path} is not there"
    return f"not so: {_demand(words)}"


def _on_values(words: Mapping[str, Any]) -> Iterator[str]:
    path = f"`{words['path']}`"
    if words.get("max") == 0:
        yield f"{path} is not there"
        return
    if words.get("min", 0) or "max" in words:
        yield f"{path} is there{_count(words.get('min', 0), words.get('max'))}"
    for word, text in (("value", "a value of {} is {}"), ("some", "a value of {} refers to {}")):
        if word in words:
            yield text.format(path, _either(words[word]))
    if said := list(_each(words)):
        yield f"each value of {path} {_joined(said, 'and')}"
    for word, text in (
        ("equals", "the values of {} are those of `{}`"),
        ("disjoint", "no value of {} is one of `{}`"),
        ("before", "{} is not after `{}`"),
    ):
        if word in words:
            yield text.format(path, words[word])


def _each(words: Mapping[str, Any]) -> Iterator[str]:
    if "type" in words:
        yield f"refers to {_either(words['type'])}"
    if "in" in words:
        yield f"is {_either(words['in'])}"
    if "pattern" in words:
        yield "says something" if words["pattern"] == r"\S" else f"matches {_code(words['pattern'])}"
    if "datatype" in words:
        yield f"is of JSON type {words['datatype']}"
    if "node" in words:
        yield f"is {_NODES[words['node']]}"
    if words.get("described"):
        yield "refers to an entity that is described"


def _count(least: int, most: int | None) -> str:
    if least == most:
        return " exactly once" if most == 1 else f" exactly {most} times"
    if most is None:
        return f" at least {least} times" if least > 1 else ""
    return f" {least} to {most} times" if least else f" at most {'once' if most == 1 else f'{most} times'}"


def _either(values: str | Iterable[str]) -> str:
    return _joined([_code(value) for value in ([values] if isinstance(values, str) else values)], "or")


def _code(value: str) -> str:
    ticks = "``" if "`" in value else "`"
    return f"{ticks}{value}{ticks}"


def _joined(parts: list[str], word: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _first_sentence(rule: Rule) -> str:
    module = importlib.import_module(rule.find.__module__)
    return " ".join((inspect.getdoc(getattr(module, rule.source["check"], rule.find)) or "").split("\n\n")[0].split())
