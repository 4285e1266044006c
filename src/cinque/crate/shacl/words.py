"""Each word of the vocabulary in SHACL Core: selections and demands as shapes, written in Turtle.

A rule is one node shape. Its targets are broad (a class, or whatever some property refers to); which of them the rule
selects, and when it holds, is a condition, and the shape says `not condition, or demand`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from cinque.crate.contexts import known, terms
from cinque.crate.index import DESCRIPTOR, is_absolute

PREFIXES: Final[Mapping[str, str]] = {
    "bioschemas": "https://bioschemas.org/terms/",
    "dct": "http://purl.org/dc/terms/",
    "pav": "http://purl.org/pav/",
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "schema": "http://schema.org/",
    "sh": "http://www.w3.org/ns/shacl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_MOMENT: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DATATYPES: Final = {
    "text": "sh:datatype xsd:string",
    "integer": "sh:datatype xsd:integer",
    "number": "sh:or ( [ sh:datatype xsd:integer ] [ sh:datatype xsd:double ] [ sh:datatype xsd:decimal ] )",
    "boolean": "sh:datatype xsd:boolean",
}


_AS_WRITTEN: Final = "it is about an id as it is written; in RDF every id is an absolute IRI"


class Unsaid(Exception):
    """SHACL Core, or RDF, cannot say this rule; the message is the reason."""


Words = Mapping[str, Any]


def shape(words: Words) -> list[str]:
    """What a node shape holds for a rule: its targets, and `not selected or demanded`. Raises Unsaid."""
    select = words["select"]
    conditions = _selected(select)
    if "when" in words:
        conditions.append(demand(words["when"]))
    wanted = demand({key: value for key, value in words.items() if key not in ("select", "when")})
    targets = _targets(select)
    if not conditions:  # within a list, so that what is found is found by the rule's own shape and by no part of it
        return [*targets, f"sh:and ( [ {wanted} ] )"]
    return [*targets, f"sh:or ( [ sh:not {_all(conditions)} ] [ {wanted} ] )"]


# ------------------------------------------------------------------------------------------------------------ selection
def _targets(select: Words) -> list[str]:
    """Where to look: at least what is selected, and never the whole graph."""
    if "linked" in select:
        last = select["linked"].rpartition("/")[2].rstrip("+*")
        side = "Subjects" if last.startswith("^") else "Objects"
        itself = [f"sh:targetObjectsOf {', '.join(iris('about'))}"] if select["linked"].endswith("*") else []
        return [f"sh:target{side}Of {', '.join(iris(last.lstrip('^')))}", *itself]
    if select.get("root"):
        return [f"sh:targetObjectsOf {', '.join(iris('about'))}"]
    if select.get("descriptor"):
        return [f"sh:targetSubjectsOf {', '.join(iris('about'))}"]
    return [f"sh:targetClass {', '.join(iri for name in _listed(select['type']) for iri in iris(name))}"]


def _selected(select: Words) -> list[str]:
    """What else must hold of a target for it to be selected."""
    found = []
    if select.get("root"):
        found += [_root(), _DESCRIBED]
    if select.get("descriptor"):
        found.append(_DESCRIPTOR)
    if "linked" in select:
        # The path read backwards ends at the root.
        back = _path("/".join(_turned(step) for step in reversed(select["linked"].split("/"))))
        found += [f"sh:property [ sh:path {back} ; {_some(_root())} ]", _DESCRIBED]
    if "type" in select and ("linked" in select or select.get("root")):
        found.append(_classes(_listed(select["type"])))
    for name in ("additionalType", "conformsTo"):
        if name in select:
            found.append(f"sh:property [ sh:path {_path(name)} ; {_some(_in([select[name]]))} ]")
    return found


# An entity that the graph describes has a type (RO-Crate demands one); an id that is only referred to has none.
_DESCRIBED: Final = "sh:property [ sh:path rdf:type ; sh:minCount 1 ]"
_DESCRIPTOR: Final = f'sh:nodeKind sh:IRI ; sh:pattern "(^|/){DESCRIPTOR.replace(".", "[.]")}$"'


def _root() -> str:
    return f"sh:property [ sh:path {_path('^about')} ; {_some(_DESCRIPTOR)} ]"


def _turned(step: str) -> str:
    return step[1:] if step.startswith("^") else f"^{step}"


# -------------------------------------------------------------------------------------------------------------- demands
def demand(words: Words) -> str:
    """What a node shape holds for a demand. Raises Unsaid."""
    parts = []
    if "path" in words:
        parts.append(_on_values(words))
    if "any" in words:
        parts.append(f"sh:or ( {' '.join(f'[ {demand(each)} ]' for each in words['any'])} )")
    if "all" in words:
        parts.append(f"sh:and ( {' '.join(f'[ {demand(each)} ]' for each in words['all'])} )")
    if "not" in words:
        parts.append(f"sh:not [ {demand(words['not'])} ]")
    return " ; ".join(parts)


def _on_values(words: Words) -> str:
    if words["path"] == "@id":
        return _on_itself(words)
    if words.get("node") == "reference" and words.get("pattern", "").startswith("^"):
        raise Unsaid(_AS_WRITTEN)
    found = [f"sh:path {_path(words['path'])}"]
    if "min" in words:
        found.append(f"sh:minCount {words['min']}")
    if "max" in words:
        found.append(f"sh:maxCount {words['max']}")
    if "some" in words:
        found.append(_some(_classes(_listed(words["some"]))))
    found += [said for word in _EACH if (said := _each(word, words))]
    for word in ("equals", "disjoint"):
        if word in words:
            found += [f"sh:{word} {iri}" for iri in _one(word, words[word])]
    whole = [" ; ".join(found)]
    if "value" in words:  # a second count on one property shape would count the first's values too
        whole.append(f"sh:path {_path(words['path'])} ; {_some(_in(_listed(words['value'])))}")
    parts = [f"sh:property [ {part} ]" for part in whole]
    if "before" in words:
        parts.append(_before(words["path"], words["before"]))
    return " ; ".join(parts)


def _before(path: str, other: str) -> str:
    """SHACL orders what a crate writes as texts. Texts of one form, in UTC to the second, come in the order of their
    moments; where any is of another form nothing is said, rather than what is wrong.
    """
    formed = [f"sh:property [ sh:path {_path(each)} ; sh:pattern {_literal(_MOMENT)} ]" for each in (path, other)]
    later = " ; ".join(f"sh:lessThanOrEquals {iri}" for iri in _one("before", other))
    ordered = f"sh:property [ sh:path {_path(path)} ; {later} ]"
    return f"sh:or ( [ sh:not [ {' ; '.join(formed)} ] ] [ {ordered} ] )"


_EACH: Final = ("type", "in", "pattern", "datatype", "node", "described")


def _each(word: str, words: Words) -> str:
    """What one word demands of every value; "" where the word is not there."""
    if word not in words or words[word] is False:
        return ""
    value = words[word]
    match word:
        case "type":
            return _classes(_listed(value))
        case "in":
            return _in(value)
        case "pattern":
            return f"sh:pattern {_literal(value)}"
        case "datatype":
            return _DATATYPES[value]
        case "node":
            return "sh:nodeKind " + ("sh:BlankNodeOrIRI" if value == "reference" else "sh:Literal")
        case _:
            return f"sh:node [ {_DESCRIBED} ]"


def _on_itself(words: Words) -> str:
    """What is demanded of the entity's own id."""
    if set(words) - {"path", "pattern", "in", "value", "min", "max"}:
        raise Unsaid("what is demanded of an id beside its form is no constraint of SHACL on a node")
    found = []
    if pattern := words.get("pattern"):
        if pattern.startswith("^") or not pattern.endswith("$"):
            raise Unsaid(_AS_WRITTEN)
        found.append(f"sh:pattern {_literal(pattern)}")
    for word in ("in", "value"):
        if word in words:
            found += [_in(_listed(words[word]))]
    return " ; ".join(found) or _DESCRIBED


# ---------------------------------------------------------------------------------------------------------------- parts
def _some(condition: str) -> str:
    """At least one value is so."""
    return f"sh:qualifiedValueShape [ {condition} ] ; sh:qualifiedMinCount 1"


def _all(conditions: list[str]) -> str:
    if len(conditions) == 1:
        return f"[ {conditions[0]} ]"
    return f"[ sh:and ( {' '.join(f'[ {each} ]' for each in conditions)} ) ]"


def _classes(names: list[str]) -> str:
    classes = [iri for name in names for iri in iris(name)]
    if len(classes) == 1:
        return f"sh:class {classes[0]}"
    return f"sh:or ( {' '.join(f'[ sh:class {iri} ]' for iri in classes)} )"


def _in(values: list[str]) -> str:
    """A value is one of these, whether it was written as text, as a reference, or as a number or truth value."""
    said = []
    for value in values:
        counts = value in ("true", "false") or _INTEGER.fullmatch(value)  # what JSON has kinds of its own for
        if not is_absolute(value) and not value.isidentifier() and "/" not in value.strip("/") and not counts:
            raise Unsaid(_AS_WRITTEN)
        said.append(_literal(value))
        if is_absolute(value):
            said.append(f"<{value}>")
        if counts:
            said.append(value)
    return f"sh:in ( {' '.join(said)} )"


def _path(path: str) -> str:
    steps = [_step(step) for step in path.split("/")]
    return steps[0] if len(steps) == 1 else f"( {' '.join(steps)} )"


def _step(step: str) -> str:
    if step[-1] in "+*":
        repeated = "oneOrMorePath" if step[-1] == "+" else "zeroOrMorePath"
        return f"[ sh:{repeated} {_step(step[:-1])} ]"
    found = iris(step.lstrip("^"))
    path = found[0] if len(found) == 1 else f"[ sh:alternativePath ( {' '.join(found)} ) ]"
    return f"[ sh:inversePath {path} ]" if step.startswith("^") else path


def _one(word: str, name: str) -> tuple[str, ...]:
    """The property that another is compared with."""
    found = iris(name)
    if word == "equals" and len(found) > 1:
        raise Unsaid(f"`{name}` is another property in each version of RO-Crate's context")
    return found


@cache
def iris(name: str) -> tuple[str, ...]:
    """A property or type of a crate in RDF, in every version of the contexts, the same one once. Raises Unsaid for one
    that no context defines.
    """
    if name == "@type":
        return ("rdf:type",)
    found = [iri for address in known() if is_absolute(iri := terms(address).get(name, ""))]
    if not found:
        prefix, colon, _ = name.partition(":")
        if not colon or prefix not in PREFIXES:
            raise Unsaid(f"no context of RO-Crate defines `{name}`, so that RDF has no such statement")
        return (name,)
    return tuple(dict.fromkeys(map(_short, found)))


def _short(iri: str) -> str:
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace) and iri[len(namespace) :].isalnum():
            return f"{prefix}:{iri[len(namespace) :]}"
    return f"<{iri}>"


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
