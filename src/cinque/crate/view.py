"""What a crate tells people: the five safes, the phases, the workflow. One reading for the page and the terminal.

Everything in a crate is somebody else's text. Here it becomes plain values; only http(s) and relative addresses become
links, and the page escapes what it prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cinque.crate.index import Index, Node, is_absolute, is_local_path, payload_path
from cinque.crate.stages import Phases, phases, stage_of, state

_MOST = 200  # entries of one list; the rest are counted
_LONG = 600  # characters of one text


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text, and where it leads ("" nowhere)."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A label and what stands beside it."""

    label: str
    values: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One person, project, place, input or output."""

    title: Text
    role: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One of the five safes."""

    key: str
    title: str
    question: str
    cards: tuple[Card, ...]
    empty: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One phase on the timeline. `verdict`: passed, failed, running or waiting; `word`: the same for people."""

    phase: str
    name: str
    when: str
    who: Text
    basis: Line  # on what authority, or against what; of the execution, by which engine
    verdict: str
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class View:
    """A whole crate."""

    title: str
    description: str
    stage: str
    status: str
    tone: str  # good, bad or open
    reason: str  # why nothing left, "" where something did or may yet
    facts: tuple[Line, ...]
    sections: tuple[Section, ...]
    timeline: tuple[Moment, ...]
    workflow: tuple[Card, ...]
    repeat: tuple[str, ...]


_STATUS = {
    "request": ("Asked, not yet answered", "open"),
    "checked": ("Checked: the files arrived as they were sent", "open"),
    "validated": ("Validated against the profile", "open"),
    "retrieved": ("The workflow was fetched", "open"),
    "signed-off": ("Signed off: it may run", "open"),
    "running": ("Running", "open"),
    "executed": ("Run; the outputs are not yet checked", "open"),
    "disclosed": ("The outputs may leave", "good"),
    "withheld": ("Withheld: the outputs may not leave", "bad"),
    "published": ("Released", "good"),
    "received": ("Received", "good"),
    "refused": ("Refused", "bad"),
}
_WORDS = {
    "Completed": ("passed", "Passed"),
    "Failed": ("failed", "Failed"),
    "Active": ("running", "Running"),
    "Potential": ("waiting", "Waiting"),
}


def view(entities: Iterable[Mapping[str, Any]], sizes: Mapping[str, int]) -> View:
    """The reading of a crate's entities. `sizes`: bytes of each payload file by its name."""
    index = Index.of(entities)
    found = phases(index)
    stage = stage_of(found)
    status, tone = _STATUS[stage]
    failed = [run for run in found.run if state(run) == "Failed"]
    if failed and stage in ("published", "received") and not any(run.values("result") for run in failed):
        status, tone = "Ended without an answer", "bad"
    root = index.root or Node("./", (), {})
    timeline = _timeline(index, found)
    return View(
        title=_short(root.text("name")) or "Untitled crate",
        description=_short(root.text("description")),
        stage=stage,
        status=status,
        tone=tone,
        reason=next((m.sentence for m in timeline if m.verdict == "failed" and m.sentence), ""),
        facts=_facts(index, root),
        sections=(
            Section("people", "Safe people", "Who asked, and who decided?", _people(index, found), "Nobody is named."),
            Section("projects", "Safe projects", "For what, and by what right?", _projects(index, root, found),
                    "No project is named."),
            Section("settings", "Safe settings", "Where, and on what?", _settings(index, root, found),
                    "No place is named yet."),
            Section("data", "Safe data", "Which data, and what was asked of them?", _data(index, found, sizes),
                    "No inputs are named."),
            Section("outputs", "Safe outputs", "What left, and who checked it?", _outputs(index, found, sizes),
                    _no_outputs(stage)),
        ),
        timeline=timeline,
        workflow=_workflow(index, root),
        repeat=_repeat(index, root, found, sizes),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- sections


def _facts(index: Index, root: Node) -> tuple[Line, ...]:
    return _lines(
        ("Published by", [_named(index, name) for name in root.texts("publisher")]),
        ("Date", [Text(when(root.text("datePublished")))]),
        ("Licence", [_named(index, name) for name in root.texts("license")]),
        ("Identifier", [_identifier(index, value) for value in root.values("identifier")]),
    )


def _people(index: Index, found: Phases) -> tuple[Card, ...]:
    asked = _unique(person for run in found.run for person in index.linked(run, "agent"))
    decided = _unique(person for action in _reviews(found) for person in index.linked(action, "agent", "Person"))
    cards = [_person(index, person, "asked") for person in asked]
    return tuple(cards + [_person(index, person, "decided at the TRE") for person in decided if person not in asked])


def _person(index: Index, person: Node, role: str) -> Card:
    return Card(
        _title(person),
        role,
        _lines(
            ("Works at", [_named(index, name) for name in person.texts("affiliation")]),
            ("Member of", [_named(index, name) for name in person.texts("memberOf")]),
            ("Identifier", [link(person.id)] if is_absolute(person.id) else []),
        ),
    )


def _projects(index: Index, root: Node, found: Phases) -> tuple[Card, ...]:
    cards = [
        Card(
            _title(project),
            "responsible project",
            _lines(
                ("Identifier", [_identifier(index, value) for value in project.values("identifier")]),
                ("Funded by", [_named(index, name) for name in project.texts("funding")]),
                ("Members", [_named(index, name) for name in project.texts("member")]),
            ),
        )
        for project in index.linked(root, "sourceOrganization")
    ]
    policies = _unique(node for action in found.sign_off for node in index.linked(action, "instrument"))
    cards += [
        Card(
            _title(policy),
            "agreement",
            _lines(
                ("Version", [Text(_short(policy.text("version")))]),
                ("Digest of the TRE's rules", [Text(_short(name)) for name in policy.texts("identifier")]),
            ),
        )
        for policy in policies
    ]
    return tuple(cards)


def _settings(index: Index, root: Node, found: Phases) -> tuple[Card, ...]:
    publishers = index.linked(root, "publisher")
    asked = _unique(tre for run in found.run for tre in index.linked(run, "provider", "Organization"))
    cards = [Card(_title(tre), "ran it" if _ran(found) else "answered", _where(tre)) for tre in publishers]
    cards += [Card(_title(tre), "was asked", _where(tre)) for tre in asked if tre not in publishers]
    engines = _unique(
        tool
        for action in index.of_type("OrganizeAction")
        for name in ("instrument", "agent")
        for tool in index.linked(action, name, "SoftwareApplication")
    )
    acted = _unique(tool for action in _reviews(found) for tool in index.linked(action, "agent", "SoftwareApplication"))
    for tool in (*engines, *(each for each in acted if each not in engines)):
        cards.append(
            Card(
                _title(tool),
                "engine" if tool in engines else "acted for the TRE",
                _lines(
                    ("Version", [Text(_short(tool.text("softwareVersion") or tool.text("version")))]),
                    ("For", [_named(index, name) for name in tool.texts("provider")]),
                ),
            )
        )
    return tuple(cards)


def _where(tre: Node) -> tuple[Line, ...]:
    return _lines(("Identifier", [link(tre.id)] if is_absolute(tre.id) else []))


def _data(index: Index, found: Phases, sizes: Mapping[str, int]) -> tuple[Card, ...]:
    inputs = _unique(node for run in found.run for node in index.linked(run, "object"))
    return tuple(
        Card(
            _title(node),
            "input",
            _lines(
                ("Value", [Text(_short(value)) for value in node.texts("value")]),
                ("File", [link(node.id)] if is_local_path(node.id) else []),
                ("Size", _size(node, sizes)),
                ("Version", [Text(_short(node.text("version")))]),
                ("For parameter", [_named(index, name) for name in node.texts("exampleOfWork")]),
            ),
        )
        for node in inputs[:_MOST]
    )


def _outputs(index: Index, found: Phases, sizes: Mapping[str, int]) -> tuple[Card, ...]:
    results = _unique(node for run in found.run for node in index.linked(run, "result"))
    cards = [
        Card(
            _title(node),
            "output",
            _lines(
                ("File", [link(node.id)] if is_local_path(node.id) else []),
                ("Value", [Text(_short(value)) for value in node.texts("value")]),
                ("Size", _size(node, sizes)),
                ("Format", [_named(index, name) for name in node.texts("encodingFormat")]),
                ("Kind of statistic", [_named(index, name) for name in node.texts("about")]),
                ("Checked by", _checked_by(found, node)),
                ("Who may read it", _permitted(index, node)),
            ),
        )
        for node in results[:_MOST]
    ]
    if len(results) > _MOST:
        cards.append(Card(Text(f"{len(results) - _MOST} more outputs"), "output", ()))
    return tuple(cards)


def _checked_by(found: Phases, output: Node) -> list[Text]:
    covering = [action for action in found.disclosure if output.id in action.ids("object")] or found.disclosure
    return [
        Text(_short(action.text("name")) or "Disclosure check") for action in covering if state(action) == "Completed"
    ][:5]


def _permitted(index: Index, output: Node) -> list[Text]:
    permissions = index.linked(output, "hasDigitalDocumentPermission")
    return [_named(index, name) for permission in permissions for name in permission.texts("grantee")]


def _no_outputs(stage: str) -> str:
    if stage in ("withheld", "refused"):
        return "Nothing left the TRE. The reason stands in the timeline."
    return "Nothing has left." if stage in ("published", "received") else "There are no outputs yet."


# ------------------------------------------------------------------------------------------- timeline and workflow

_PHASES = {
    "check": "Check",
    "validation": "Validation",
    "retrieval": "Workflow retrieval",
    "sign_off": "Sign-off",
    "run": "Execution",
    "disclosure": "Disclosure check",
    "publishing": "Publishing",
    "receiving": "Receiving",
}


def _timeline(index: Index, found: Phases) -> tuple[Moment, ...]:
    moments = [_moment(index, name, action) for key, name in _PHASES.items() for action in getattr(found, key)[:_MOST]]
    mentioned = index.linked(index.root, "mentions", "DefinedTerm")
    for reason in mentioned:  # why nothing, or nothing more, was released
        sentence = _short(reason.text("description"))
        moments.append(
            Moment("Outcome", _short(reason.text("name")), "", Text(""), Line("", ()), "failed", "Ended", sentence)
        )
    return tuple(moments)


_OWN_WORDS = {
    ("Execution", "passed"): "Completed",
    ("Execution", "waiting"): "Not begun",
    ("Sign-off", "passed"): "Approved",
    ("Sign-off", "failed"): "Refused",
    ("Disclosure check", "failed"): "Withheld",
    ("Workflow retrieval", "passed"): "Fetched",
    ("Publishing", "passed"): "Manifests written",
    ("Receiving", "passed"): "Received",
}
_BASIS = {"Sign-off": "Under", "Disclosure check": "Under", "Publishing": "By"}


def _moment(index: Index, phase: str, action: Node) -> Moment:
    verdict, word = _WORDS.get(state(action), ("waiting", "Not stated"))
    word = _OWN_WORDS.get((phase, verdict), word)
    agents = action.texts("agent")
    reasons = [reason.text("description") for reason in index.linked(action, "error")]
    if phase == "Execution":
        organized = index.subjects(action, "result")
        engines = [name for other in organized if other.is_a("OrganizeAction") for name in other.texts("instrument")]
        label, basis = "Engine", engines
    else:
        label, basis = _BASIS.get(phase, "Against"), action.texts("instrument")
    start, end = when(action.text("startTime")), when(action.text("endTime"))
    return Moment(
        phase,
        _short(action.text("name")),
        f"{start} to {end}" if start and end and start != end else end or start,
        _named(index, agents[0]) if agents else Text(""),
        Line(label, tuple(_named(index, name) for name in basis[:10])),
        verdict,
        word,
        _short(" ".join((action.text("description"), *reasons)).strip()),
    )


def _workflow(index: Index, root: Node) -> tuple[Card, ...]:
    return tuple(
        Card(
            _title(node),
            "workflow",
            _lines(
                ("Version", [Text(_short(node.text("version")))]),
                ("Digest", [Text(_short(name)) for name in node.texts("identifier")]),
                ("Where", [link(node.id)]),
                ("Download", [link(name) for name in node.ids("distribution")]),
                ("Follows", [_named(index, name) for name in node.texts("conformsTo")]),
            ),
        )
        for node in index.linked(root, "mainEntity")
    )


def _repeat(index: Index, root: Node, found: Phases, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """How to do it again, in sentences. Commands are named only for files that are in the crate."""
    steps = ["Verify the crate first: `cinque verify CRATE` says who signed it and whether a byte has changed."]
    inputs = [_short(node.text("name") or node.id) for run in found.run for node in index.linked(run, "object")]
    for node in index.linked(root, "mainEntity"):
        if is_local_path(node.id):
            folder = payload_path(node.id)
            plans = sorted(name for name in sizes if name.startswith(folder) and name.endswith(".cwl"))
            plan = f" Any CWL engine runs it: `cwltool {_short(plans[0])}`." if plans else ""
            steps.append(f"The workflow lies in the folder `{_short(folder)}` of this crate.{plan}")
        else:
            steps.append("Fetch the workflow from the address above, at the version that stands there.")
    if inputs:
        steps.append(f"Give it the same inputs: {', '.join(inputs[:10])}.")
    if index.linked(root, "publisher"):
        steps.append("The data stay in the TRE: to run it on them, send the same request to the same TRE again.")
    return tuple(steps)


# --------------------------------------------------------------------------------------------------------- pieces


def link(target: str) -> Text:
    """An address as text, and as a link where it is safe to follow: http(s), or a path within the crate."""
    return Text(_short(target), _safe(target))


_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


def _safe(target: str) -> str:
    if _CONTROL.search(target) or len(target) > 2_000:  # what a browser would drop or turn round could hide a scheme
        return ""
    lowered = target.lower()
    if lowered.startswith(("https://", "http://")):
        return target
    path = payload_path(target)
    inside = is_local_path(target) and ":" not in target and is_local_path(path)
    if inside and not path.startswith("/") and ".." not in path.split("/") and not _CONTROL.search(path):
        return target
    return ""


def _named(index: Index, identifier: str) -> Text:
    node = index.by_id.get(identifier)
    name = node.text("name") if node is not None else ""
    return Text(_short(name) or _short(identifier), _safe(identifier) if is_absolute(identifier) else "")


def _title(node: Node) -> Text:
    """A name without a link; the identifier that leads on stands below it."""
    return Text(_short(node.text("name")) or _short(node.id))


def _identifier(index: Index, value: Any) -> Text:
    """An identifier, or the local one that a PropertyValue holds (R40)."""
    identifier = value.get("@id") if isinstance(value, dict) else value
    node = index.by_id.get(identifier) if isinstance(identifier, str) else None
    if node is not None and node.text("value"):
        return Text(f"{_short(node.text('value'))} ({_short(node.text('name'))})")
    if not isinstance(identifier, str):
        return Text("")
    return link(identifier) if is_absolute(identifier) else Text(_short(identifier))


def _lines(*rows: tuple[str, Sequence[Text]]) -> tuple[Line, ...]:
    found = ((label, tuple(value for value in values if value.text)) for label, values in rows)
    return tuple(Line(label, values[:_MOST]) for label, values in found if values)


def _size(node: Node, sizes: Mapping[str, int]) -> list[Text]:
    size = sizes.get(payload_path(node.id)) if is_local_path(node.id) else None
    if size is None:
        return []
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return [Text(f"{size / factor:.1f} {unit}")]
    return [Text(f"{size} byte{'' if size == 1 else 's'}")]


def when(value: str) -> str:
    """A moment for people, in UTC, to the second: 23 November 2026, 10:00:03 UTC. What is no moment stays as it is."""
    try:
        found = datetime.fromisoformat(value)
        if "T" not in value.upper():
            return f"{found.day} {found:%B %Y}"
        found = found.astimezone(UTC) if found.tzinfo is not None else found
    except (ValueError, OverflowError):
        return _short(value)
    found -= timedelta(microseconds=found.microsecond)
    return f"{found.day} {found:%B %Y, %H:%M:%S}" + (" UTC" if found.tzinfo is not None else "")


def _short(value: str) -> str:
    """Text without control characters and marks that turn writing round, of bounded length."""
    if len(value) > _LONG:
        value = value[: _LONG - 1] + "…"
    if value.isprintable():
        return value
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def _reviews(found: Phases) -> list[Node]:
    return [*found.check, *found.validation, *found.retrieval, *found.sign_off, *found.disclosure, *found.publishing]


def _ran(found: Phases) -> bool:
    return any(state(run) == "Completed" for run in found.run)


def _unique(nodes: Iterable[Node]) -> list[Node]:
    return list(dict.fromkeys(nodes))
