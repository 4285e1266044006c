"""The closed vocabulary of rules, compiled to functions over an `Index`.

A rule selects entities and demands something of each:

    select      which entities: root, descriptor, type, additionalType, conformsTo, linked (a path from the root), or a
                name for one
    when        only where this demand holds
    path        a property, or several joined by "/"; "^" in front reads a property backwards, "+" or "*" behind repeats
                it
    min, max    how many different values there are at the path
    type        every value refers to an entity of one of these types
    some        at least one value does
    value       at least one value is one of these
    in          every value is one of these
    pattern     every value matches this regular expression, which looks neither ahead nor behind
    datatype    every value is a "text", "integer", "number" or "boolean" of JSON
    node        every value is a "reference" or a "literal"
    described   every value refers to an entity that has a type
    equals      the values at the path are those of this other property
    disjoint    no value at the path is one of this other property
    before      every value at the path is a moment not after any of this other property
    any, all, not   demands combined

Each word has one meaning here and one in SHACL Core (`cinque.crate.profiles.shacl`), tested together on the same
examples; what they cannot say is a Python check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cinque.crate.index import Index, Node, reference, text


class Hit(NamedTuple):
    """Where a rule is broken: the entity, the value that breaks it (None: the entity as a whole), the property where it
    is not the rule's own.
    """

    entity: str
    value: str | None = None
    property: str = ""


Select = Callable[[Index], "list[Node]"]
Values = Callable[[Index, Node], "list[Any]"]
Demand = Callable[[Index, Node], "list[str | None]"]  # what breaks it: values, or [None]; [] when it holds

SELECT = frozenset(("root", "descriptor", "type", "additionalType", "conformsTo", "linked"))
_COMPARED = ("equals", "disjoint", "before")
ON_VALUES = frozenset(
    ("min", "max", "type", "some", "value", "in", "pattern", "datatype", "node", "described", *_COMPARED)
)
DEMAND = ON_VALUES | {"path", "any", "all", "not"}
_BROKEN: list[str | None] = [None]


def compile_rule(
    rule: str, words: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]
) -> Callable[[Index], Iterator[Hit]]:
    """The function that yields where `words` are broken. Raises ValueError for a word outside the vocabulary."""
    if unknown := set(words) - DEMAND - {"select", "when"}:
        raise ValueError(f"{rule}: the vocabulary has no word {', '.join(sorted(unknown))}")
    chosen = words["select"]
    select = _selection(rule, named[chosen] if isinstance(chosen, str) else chosen)
    when = compile_demand(rule, words["when"]) if "when" in words else None
    demand = compile_demand(rule, {key: value for key, value in words.items() if key in DEMAND})

    owner = _path(words["path"].rpartition("/")[0]) if "/" in words.get("path", "") else None

    def find(index: Index) -> Iterator[Hit]:
        for node in select(index):
            if when is None or not when(index, node):
                for value in demand(index, node):
                    yield Hit(_owner(index, node, owner), value)

    return find


def _owner(index: Index, node: Node, owner: Values | None) -> str:
    """Whose property it is: at the path `agent/affiliation` the agent, where there is one and it is described."""
    owners = [text(value) or "" for value in owner(index, node)] if owner is not None else []
    return owners[0] if len(owners) == 1 and owners[0] in index.by_id else node.id


def _selection(rule: str, words: Mapping[str, Any]) -> Select:
    if unknown := set(words) - SELECT:
        raise ValueError(f"{rule}: a selection has no word {', '.join(sorted(unknown))}")
    types = tuple(_listed(words.get("type", ())))
    named = [(name, words[name]) for name in ("additionalType", "conformsTo") if name in words]

    def filtered(nodes: list[Node]) -> list[Node]:
        if types:
            nodes = [node for node in nodes if node.is_a(*types)]
        for name, wanted in named:
            nodes = [node for node in nodes if wanted in node.texts(name)]
        return nodes

    if "linked" in words:
        values = _path(words["linked"])

        def linked(index: Index) -> list[Node]:
            if index.root is None:
                return []
            ids = dict.fromkeys(found for v in values(index, index.root) if (found := reference(v)) is not None)
            return filtered(index.described(ids))

        return linked
    if words.get("root"):
        return lambda index: [] if index.root is None else filtered([index.root])
    if words.get("descriptor"):
        return lambda index: [] if index.descriptor is None else [index.descriptor]
    if not types:
        raise ValueError(f"{rule}: a selection of every entity is a Python check")
    if named:
        return lambda index: filtered(index.of_type(*types))
    return lambda index: index.of_type(*types)


def compile_demand(rule: str, words: Mapping[str, Any]) -> Demand:
    """The function that gives what breaks this demand on an entity."""
    if unknown := set(words) - DEMAND:
        raise ValueError(f"{rule}: a demand has no word {', '.join(sorted(unknown))}")
    if "path" not in words and (loose := set(words) & ON_VALUES):
        raise ValueError(f"{rule}: {', '.join(sorted(loose))} needs a path")
    parts: list[Demand] = []
    if "path" in words:
        parts += _on_values(words, _path(words["path"]))
    if "any" in words:
        parts.append(_any([compile_demand(rule, each) for each in words["any"]]))
    if "all" in words:
        parts += [compile_demand(rule, each) for each in words["all"]]
    if "not" in words:
        parts.append(_not(compile_demand(rule, words["not"])))
    if not parts:
        raise ValueError(f"{rule}: nothing is demanded")
    if len(parts) == 1:
        return parts[0]

    def every(index: Index, node: Node) -> list[str | None]:
        for part in parts:
            if broken := part(index, node):
                return broken
        return []

    return every


def _any(options: list[Demand]) -> Demand:
    def demand(index: Index, node: Node) -> list[str | None]:
        return _BROKEN if all(option(index, node) for option in options) else []

    return demand


def _not(other: Demand) -> Demand:
    return lambda index, node: [] if other(index, node) else _BROKEN


def _on_values(words: Mapping[str, Any], values: Values) -> list[Demand]:
    least, most = words.get("min", 0), words.get("max")
    whole: list[Callable[[Index, Node, list[Any]], bool]] = []
    each: list[Callable[[Index, Any], bool]] = []
    if "some" in words:
        some = tuple(_listed(words["some"]))
        whole.append(lambda index, _, found: any(_typed(index, value, some) for value in found))
    if "value" in words:
        wanted = frozenset(_listed(words["value"]))
        whole.append(lambda _index, _node, found: any(text(value) in wanted for value in found))
    for word, compare in (("equals", set.__eq__), ("disjoint", set.isdisjoint), ("before", _not_after)):
        if word in words:
            whole.append(_compared(words[word], compare))
    if "type" in words:
        types = tuple(_listed(words["type"]))
        each.append(lambda index, value: _typed(index, value, types))
    if "in" in words:
        allowed = frozenset(words["in"])
        each.append(lambda _, value: text(value) in allowed)
    if "pattern" in words:
        match = re.compile(words["pattern"]).search
        each.append(lambda _, value: (found := text(value)) is not None and match(found) is not None)
    if "datatype" in words:
        datatype = DATATYPES[words["datatype"]]
        each.append(lambda _, value: datatype(value))
    if "node" in words:
        each.append(_NODE[words["node"]])
    if words.get("described"):
        each.append(_described)

    def demand(index: Index, node: Node) -> list[str | None]:
        found = values(index, node)
        if len(found) < least or (most is not None and len(found) > most and len(_set(found)) > most):
            return _BROKEN
        for test in whole:
            if not test(index, node, found):
                return _BROKEN
        broken: list[str | None] = []
        for value in found:
            for test_value in each:
                if not test_value(index, value):
                    broken.append(text(value) or "")
                    break
        return broken

    return [demand]


def _compared(name: str, compare: Callable[[Any, Any], bool]) -> Callable[[Index, Node, list[Any]], bool]:
    return lambda _, node, found: compare(_set(found), _set(node.values(name)))


def _not_after(found: set[str | None], others: set[str | None]) -> bool:
    """What is no moment orders nothing; other rules ask for the form."""
    first = [moment for value in found if (moment := _moment(value)) is not None]
    last = [moment for value in others if (moment := _moment(value)) is not None]
    return not first or not last or max(first) <= min(last)


def _moment(value: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _number(value: Any) -> bool:
    return type(value) is int or type(value) is float


DATATYPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: type(value) is str,
    "integer": lambda value: type(value) is int or (type(value) is float and value.is_integer()),
    "number": _number,
    "boolean": lambda value: type(value) is bool,
}
_NODE: dict[str, Callable[[Index, Any], bool]] = {
    "reference": lambda _, value: reference(value) is not None,
    "literal": lambda _, value: type(value) is not dict or "@value" in value,
}


def _described(index: Index, value: Any) -> bool:
    node = index.by_id.get(found) if (found := reference(value)) is not None else None
    return node is not None and bool(node.types)


def _path(path: str) -> Values:
    steps = path.split("/")
    if len(steps) == 1 and path[0] != "^" and path[-1] not in "+*":
        return lambda _, node: node.values(path)

    def values(index: Index, node: Node) -> list[Any]:
        here: list[Any] = [node]
        for place, step in enumerate(steps):
            if place:
                here = index.described(dict.fromkeys(found for v in here if (found := reference(v)) is not None))
            here = _repeated(index, here, step) if step[-1] in "+*" else _step(index, here, step)
        return here

    return values


def _step(index: Index, here: list[Node], step: str) -> list[Any]:
    if step[0] == "^":
        return [{"@id": subject.id} for found in here for subject in index.subjects(found, step[1:])]
    return [value for found in here for value in found.values(step)]


def _repeated(index: Index, here: list[Node], step: str) -> list[Any]:
    """The property once or more ("+"), or not at all as well ("*"); each value once, so that a circle ends."""
    reached: dict[str | None, Any] = {node.id: {"@id": node.id} for node in here} if step[-1] == "*" else {}
    waiting = here
    while waiting:
        fresh = {text(value): value for value in _step(index, waiting, step[:-1]) if text(value) not in reached}
        reached |= fresh
        waiting = index.described(found for value in fresh.values() if (found := reference(value)) is not None)
    return list(reached.values())


def _typed(index: Index, value: Any, types: tuple[str, ...]) -> bool:
    node = index.by_id.get(found) if (found := reference(value)) is not None else None
    return node is not None and node.is_a(*types)


def _set(values: list[Any]) -> set[str | None]:
    return {text(value) for value in values}


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
