"""A profile as profiles of rocrate-validator: a folder a stage, in it one shapes graph a level.

    <token>/profile.ttl            who it is: a profile on its own, so that its verdict is that of these rules
    <token>/must/rules.ttl         the shapes; also should/, may/
    unexported.md                  the rules that are not there, each with the reason

A token is unique: `cinque-five-safes-ro-crate-0.4-request`. The same profile gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cinque.crate.profiles import EVERY, LEVELS, Profile, Rule
from cinque.crate.shacl.words import PREFIXES, Unsaid, shape

NAMESPACE = "https://w3id.org/cinque/shacl/"
_SEVERITY = {"must": "sh:Violation", "should": "sh:Warning", "may": "sh:Info"}
_HEADER = frozenset(
    ("id", "level", "source", "stages", "needs", "message", "remedy", "property", "check", "unexported", "rationale")
)


@dataclass(frozen=True, slots=True)
class Export:
    """`files`: path -> Turtle or Markdown; `tokens`: stage -> the name of its profile; `exported`: the ids of the rules
    that are there; `unexported`: id -> why not, of the others.
    """

    files: Mapping[str, bytes]
    tokens: Mapping[str, str]
    exported: tuple[str, ...]
    unexported: Mapping[str, str]


def export(profile: Profile) -> Export:
    """All stages of a profile with all its rules, those that it inherits included."""
    shapes: dict[str, str] = {}
    unexported: dict[str, str] = {}
    for rule in profile.rules:
        try:
            shapes[rule.id] = _shape(rule)
        except Unsaid as reason:
            unexported[rule.id] = str(reason)
    files: dict[str, bytes] = {}
    tokens = {stage: f"cinque-{slug(profile)}-{stage}" for stage in _stages(profile)}
    for stage, token in tokens.items():
        files[f"{token}/profile.ttl"] = _head(profile, stage, token).encode()
        held = [rule for rule in profile.at(stage) if rule.id in shapes]
        for level in LEVELS:
            blocks = [shapes[rule.id].replace(_PLACE, token) for rule in held if rule.level == level]
            if blocks:
                files[f"{token}/{level}/rules.ttl"] = (_prefixes() + "\n".join(blocks)).encode()
    files["unexported.md"] = _left_out(profile, unexported).encode()
    return Export(dict(sorted(files.items())), tokens, tuple(shapes), unexported)


def slug(profile: Profile) -> str:
    """The profile's name for tokens: `five-safes-ro-crate-0.4`."""
    name = profile.name.lower()
    return re.sub(r"[^a-z0-9.]+", "-", name).strip("-")


def _stages(profile: Profile) -> tuple[str, ...]:
    """Those that differ; a profile without stages has one."""
    if all(EVERY in rule.stages for rule in profile.rules):
        return (EVERY,)
    return tuple(profile.by_stage)


_PLACE = "\0"  # where a shape's name tells its stage


def _shape(rule: Rule) -> str:
    """One rule as Turtle. Raises Unsaid."""
    if reason := rule.source.get("unexported"):
        raise Unsaid(str(reason))
    if rule.needs != "graph":
        raise Unsaid(
            f"it looks at the {'other crates' if rule.needs == 'others' else rule.needs}, and not at the graph"
        )
    if "check" in rule.source:
        raise Unsaid("a Python check: the words of the vocabulary cannot say it")
    words = {key: value for key, value in rule.source.items() if key not in _HEADER}
    said = rule.message.replace("{value}", "a value").replace("{entity}", "the entity")
    lines = [
        f"<{NAMESPACE}{_PLACE}#{rule.id.replace('/', '-')}>",
        "    a sh:NodeShape ;",
        f"    sh:name {json.dumps(rule.id)} ;",
        f"    sh:description {json.dumps(f'{said} {rule.remedy}', ensure_ascii=False)} ;",
        f"    sh:message {json.dumps(f'{rule.id}: {said}', ensure_ascii=False)} ;",
        f"    sh:severity {_SEVERITY[rule.level]} ;",
        *(f"    {part} ;" for part in shape(words)),
    ]
    return "\n".join(lines)[:-1] + ".\n"


def _prefixes() -> str:
    return "".join(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in PREFIXES.items()) + "\n"


def _head(profile: Profile, stage: str, token: str) -> str:
    at = "" if stage == EVERY else f" at the stage {stage}"
    return (
        "@prefix dct: <http://purl.org/dc/terms/> .\n"
        "@prefix prof: <http://www.w3.org/ns/dx/prof/> .\n"
        "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n\n"
        f"<{NAMESPACE}{token}>\n"
        "    a prof:Profile ;\n"
        f"    rdfs:label {json.dumps(f'{profile.name}{at}', ensure_ascii=False)} ;\n"
        f"    rdfs:comment {json.dumps(f'Exported from the rules that Cinque checks: {profile.id}{at}.')} ;\n"
        f"    dct:isPartOf <{profile.id}> ;\n"
        f"    prof:hasToken {json.dumps(token)} .\n"
    )


def _left_out(profile: Profile, unexported: Mapping[str, str]) -> str:
    def lines() -> Iterator[str]:
        yield f"# Rules of {profile.name} that are not in its shapes\n"
        yield f"{len(unexported)} of {len(profile.rules)} rules. `cinque crate check` knows them all.\n"
        yield "| Rule | Why not |\n| --- | --- |"
        yield from (f"| {rule} | {reason[:1].upper()}{reason[1:]}. |" for rule, reason in unexported.items())

    return "\n".join(lines()) + "\n"
