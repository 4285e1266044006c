"""The form of a profile's files: which words there are, and what each of them takes.

Whatever stands in a file is either of this form, or ValueError says in words what is not. `profile.toml`:

    id, name        an absolute IRI, and what people call it
    extends         what it builds on: IRIs of profiles that ship with Cinque, or paths of folders beside this one
    prefix          with what the ids of its own rules begin
    about           what it is for, in Markdown
    version, license    as a Profile Crate states them
    [stages]        names for groups of stages; [select] names for selections
    [[unruled]]     requirement, reason: what is demanded and no rule tests

`rules.toml`: `[[rule]]` with id, level, stages, message, remedy, rationale and words of the vocabulary; `[[tighten]]`
with rule, level, reason; `[[off]]` with rule, reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from cinque.crate.profiles.rule import LEVELS
from cinque.crate.profiles.vocabulary import DATATYPES, DEMAND, ON_VALUES, SELECT

NEEDS = ("graph", "payload", "bag", "zip", "others")
HEADER = frozenset({
    "id", "level", "source", "stages", "needs", "message", "remedy", "property", "check", "unexported", "rationale",
})  # fmt: skip
_PATH = re.compile(r"\^?(@id|[A-Za-z][\w:.-]*)[+*]?(/\^?(@id|[A-Za-z][\w:.-]*)[+*]?)*", re.ASCII)
_PROPERTY = re.compile(r"@?[A-Za-z][\w:.-]*", re.ASCII)
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[^\s<>\"{}|\\^`]+")
_PREFIX = re.compile(r"[A-Z][A-Z0-9]{1,11}")
_ID = re.compile(r"[A-Za-z0-9]+([-.][A-Za-z0-9]+)*(/[A-Za-z0-9.-]+)?")
_DEEPEST = 8  # demands inside demands
_LONGEST = 2_000  # characters of a pattern

Check = Callable[[Any], str]  # what is wrong, "" for nothing


def _is(kind: type, called: str) -> Check:
    return lambda value: "" if type(value) is kind else f"takes {called}"


_TEXT = _is(str, "a text")


def _said(value: Any) -> str:
    return _TEXT(value) or ("" if value.strip() else "says nothing")


def _line(value: Any) -> str:
    return _said(value) or ("" if value.isprintable() else "takes one line of printable text")


def _texts(value: Any) -> str:
    good = type(value) is list and value and all(type(item) is str for item in value)
    return "" if good else "takes a list of texts, and at least one"


def _text_or_texts(value: Any) -> str:
    return "" if type(value) is str else _texts(value)


def _from(least: int) -> Check:
    return lambda value: "" if type(value) is int and value >= least else f"takes a whole number from {least} on"


def _true(value: Any) -> str:
    return "" if value is True else "takes true, or is left out"


def _of(expression: re.Pattern[str], called: str) -> Check:
    return lambda value: _TEXT(value) or ("" if expression.fullmatch(value) else f"takes {called}")


def _one_of(*values: str) -> Check:
    return lambda value: "" if type(value) is str and value in values else f"takes one of {', '.join(values)}"


def _pattern(value: Any) -> str:
    if wrong := _TEXT(value):
        return wrong
    if len(value) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    if re.search(r"\(\?(?!:)|\\[1-9]", value):
        return "looks ahead or behind, refers back or sets flags, which not every reader of it can"
    if _repeats_repetition(value):
        return "repeats a group that repeats without end, which can take hours on a hostile text"
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}"
    return ""


def _repeats_repetition(pattern: str) -> bool:
    """Whether a group with an endless repetition in it is itself repeated endlessly. The commonest trap, not all."""
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern, flags=re.DOTALL)
    endless, groups = re.compile(r"[*+]|\{\d*,\}"), [False]
    for place, sign in enumerate(plain):
        if sign == "(":
            groups.append(False)
        elif sign == ")" and len(groups) > 1:
            inside = groups.pop()
            again = endless.match(plain, place + 1) is not None
            if inside and again:
                return True
            groups[-1] |= inside or again
        elif endless.match(plain, place):
            groups[-1] = True
    return False


def _table(value: Any) -> str:
    return "" if isinstance(value, Mapping) else "takes a table"


def _tables(value: Any) -> str:
    good = type(value) is list and all(isinstance(item, Mapping) for item in value)
    return "" if good else "takes a list of tables"


_CHECKS: dict[str, Check] = {  # words of a selection and of a demand
    "root": _true,
    "descriptor": _true,
    "type": _text_or_texts,
    "additionalType": _TEXT,
    "conformsTo": _TEXT,
    "linked": _of(_PATH, "a path"),
    "path": _of(_PATH, "a path: properties joined by `/`, with `^` in front or `+` or `*` behind"),
    "min": _from(1),
    "max": _from(0),
    "some": _text_or_texts,
    "value": _text_or_texts,
    "in": _texts,
    "pattern": _pattern,
    "datatype": _one_of(*DATATYPES),
    "node": _one_of("reference", "literal"),
    "described": _true,
    "equals": _of(_PROPERTY, "a property"),
    "disjoint": _of(_PROPERTY, "a property"),
    "before": _of(_PROPERTY, "a property"),
    "any": _tables,
    "all": _tables,
    "not": _table,
}
_OF_RULE: dict[str, Check] = {
    "id": _of(_ID, "letters, digits, `-` and `.`, and after a `/` which part it is"),
    "level": _one_of(*LEVELS),
    "source": _said,
    "stages": _text_or_texts,
    "needs": _one_of(*NEEDS),
    "message": _said,
    "remedy": _said,
    "property": _TEXT,
    "check": _of(_PROPERTY, "the name of a function"),
    "unexported": _said,
    "rationale": _said,
}
_OF_HEAD: dict[str, Check] = {
    "id": _of(_IRI, "an absolute IRI"),
    "name": _line,
    "extends": _texts,
    "prefix": _of(_PREFIX, "two to twelve capital letters or digits"),
    "about": _said,
    "version": _line,
    "license": _of(_IRI, "an absolute IRI"),
    "kinds": _texts,
    "stages": _table,
    "select": _table,
    "unruled": _tables,
}
_OF_RULES: dict[str, Check] = {"rule": _tables, "tighten": _tables, "off": _tables}
_CHANGES: dict[str, dict[str, Check]] = {
    "tighten": {"rule": _TEXT, "level": _one_of(*LEVELS), "reason": _said},
    "off": {"rule": _TEXT, "reason": _said},
    "unruled": {"requirement": _said, "reason": _said},
}


def check_head(head: Mapping[str, Any]) -> None:
    """Raise ValueError unless this is a profile.toml."""
    _words(head, _OF_HEAD, "a profile", needed=("id", "name"))
    for name, stages in head.get("stages", {}).items():
        if wrong := _texts(stages):
            raise ValueError(f"the group of stages `{name}` {wrong}")
    for name, selection in head.get("select", {}).items():
        try:
            check_selection(selection)
        except ValueError as error:
            raise ValueError(f"the selection `{name}`: {error}") from None
    for entry in head.get("unruled", ()):
        check_change("unruled", entry)


def check_rules(rules: Mapping[str, Any]) -> None:
    """Raise ValueError unless these are the tables of a rules.toml. What is in each, the next two check."""
    _words(rules, _OF_RULES, "rules.toml")


def check_change(kind: str, entry: Mapping[str, Any]) -> None:
    """Raise ValueError unless this is an entry of `kind`: tighten, off or unruled."""
    _words(entry, _CHANGES[kind], f"`[[{kind}]]`", needed=tuple(_CHANGES[kind]))


def check_rule(entry: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ValueError unless this is a rule, with a selection of its own or one of those `named`."""
    header = {word: value for word, value in entry.items() if word in HEADER}
    _words(header, _OF_RULE, "a rule", needed=("id", "level", "message", "remedy"))
    words = {word: value for word, value in entry.items() if word not in HEADER}
    if "check" in entry:
        if words:
            raise ValueError(f"a Python check takes no {_quoted(words)}")
        return
    if "select" not in words:
        raise ValueError("a rule needs `select`")
    chosen = words.pop("select")
    if isinstance(chosen, str):
        if chosen not in named:
            raise ValueError(f"no selection is called `{chosen}`; known are {', '.join(named) or 'none'}")
    elif wrong := _table(chosen):
        raise ValueError(f"`select` {wrong} or the name of one")
    else:
        check_selection(chosen)
    if "when" in words:
        if wrong := _table(words["when"]):
            raise ValueError(f"`when` {wrong}")
        _demand(words.pop("when"), 0)
    _demand(words, 0)


def check_selection(words: Mapping[str, Any]) -> None:
    """Raise ValueError unless these words select entities."""
    if wrong := _table(words):
        raise ValueError(f"it {wrong}")
    _words(words, {word: _CHECKS[word] for word in SELECT}, "a selection")
    if not any(words.get(word) for word in ("root", "descriptor", "type", "linked")):
        raise ValueError("a selection needs `root`, `descriptor`, `type` or `linked`")


def _demand(words: Mapping[str, Any], depth: int) -> None:
    _words(words, {word: _CHECKS[word] for word in DEMAND}, "a demand")
    if "path" in words and not words.keys() & ON_VALUES:
        raise ValueError(f"nothing is said of what stands at `{words['path']}`")
    if not words.keys() - {"all"} and not words.get("all"):
        raise ValueError("nothing is demanded")
    if depth > _DEEPEST:
        raise ValueError(f"demands stand more than {_DEEPEST} deep in each other")
    for word in ("any", "all"):
        if word in words and not words[word]:
            raise ValueError(f"`{word}` is empty")
        for each in words.get(word, ()):
            _demand(each, depth + 1)
    if "not" in words:
        _demand(words["not"], depth + 1)


def _words(entry: Mapping[str, Any], known: Mapping[str, Check], of: str, needed: tuple[str, ...] = ()) -> None:
    if unknown := [word for word in entry if word not in known]:
        raise ValueError(f"{of} has no word {_quoted(unknown)}; its words are {', '.join(sorted(known))}")
    if missing := [word for word in needed if word not in entry]:
        raise ValueError(f"{of} needs {_quoted(missing)}")
    for word, value in entry.items():
        if wrong := known[word](value):
            raise ValueError(f"`{word}` {wrong}")


def _quoted(words: Any) -> str:
    return ", ".join(f"`{word}`" for word in words)
