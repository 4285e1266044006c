"""What a crate tells people: the five safes, the phases, the workflow. One reading for the page and the terminal.

Everything in a crate is somebody else's text. Here it becomes plain values; only http(s) and relative addresses become
links, and the page escapes what it prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cinque.crate.activity import activity, is_draft, parties, processes, standing
from cinque.crate.index import Index, Node, is_absolute, is_local_path, payload_path
from cinque.crate.stages import Phases, phases, stage_of, state
from cinque.crate.timeline import Moment, combined, organizing, timeline
from cinque.crate.wording import Line, Text, link, named, short, size, when

_MOST = 200  # entries of one list; the rest are counted


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
    way: tuple[tuple[str, str, str], ...]  # the timeline at a glance: phase, word, verdict, each once
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
    moments = timeline(index, found)
    answer = combined(found)
    if answer:
        missing = sum(1 for moment in moments if moment.phase == "Missing")
        status = "Answered" + (f", without {missing} of the TREs" if missing else "")
    if is_draft(index):  # another model: processes of an activity record, and no stages
        found, moments, stage, status, tone = activity(index), processes(index), "draft", standing(index), "open"
        answer = frozenset()
    return View(
        title=short(root.text("name")) or "Untitled crate",
        description=short(root.text("description")),
        stage=stage,
        status=status,
        tone=tone,
        reason=next((m.sentence for m in moments if m.verdict == "failed" and m.sentence), "") or _missing(moments),
        facts=_facts(index, root),
        sections=(
            Section("people", "Safe people", "Who asked, and who decided?", _people(index, found), "Nobody is named."),
            Section("projects", "Safe projects", "For what, and by what right?", _projects(index, root, found),
                    "It stands in the request, which lies in this crate." if answer else "No project is named."),
            Section("settings", "Safe settings", "Where, and on what?", _settings(index, root, found, answer),
                    "No place is named yet."),
            Section("data", "Safe data", "Which data, and what was asked of them?", _data(index, found, sizes),
                    "No inputs are named."),
            Section("outputs", "Safe outputs", "What left, and who checked it?", _outputs(index, found, sizes),
                    _no_outputs(stage)),
        ),
        way=tuple(dict.fromkeys((moment.phase, moment.word, moment.verdict) for moment in moments)),
        timeline=moments,
        workflow=_workflow(index, root, found),
        repeat=_repeat(index, root, found, sizes, answer),
    )  # fmt: skip


def _missing(moments: Iterable[Moment]) -> str:
    return short(" ".join(f"{m.name}: {m.sentence}" for m in moments if m.phase == "Missing"))


# ------------------------------------------------------------------------------------------------------- sections


def _facts(index: Index, root: Node) -> tuple[Line, ...]:
    return _lines(
        ("Published by", [named(index, name) for name in root.texts("publisher")]),
        ("Date", [Text(when(root.text("datePublished")))]),
        ("Licence", [named(index, name) for name in root.texts("license")]),
        ("Identifier", [_identifier(index, value) for value in root.values("identifier")]),
    )


def _people(index: Index, found: Phases) -> tuple[Card, ...]:
    only = ("Person",) if is_draft(index) else ()  # there, the agent of a run is who performed it
    asked = _unique(person for run in found.run for person in index.linked(run, "agent", *only))
    decided = _unique(person for action in _reviews(found) for person in index.linked(action, "agent", "Person"))
    cards = [_person(index, person, "asked") for person in asked]
    return _capped(cards + [_person(index, person, "decided at the TRE") for person in _without(decided, asked)])


def _person(index: Index, person: Node, role: str) -> Card:
    return Card(
        _title(person),
        role,
        _lines(
            ("Works at", [named(index, name) for name in person.texts("affiliation")]),
            ("Member of", [named(index, name) for name in person.texts("memberOf")]),
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
                ("Funded by", [named(index, name) for name in project.texts("funding")]),
                ("Members", [named(index, name) for name in project.texts("member")]),
            ),
        )
        for project in index.linked(root, "sourceOrganization")
    ]
    helped = _unique(node for action in found.sign_off for node in index.linked(action, "instrument"))
    policies = [node for node in helped if not node.is_a("SoftwareApplication")]
    cards += [
        Card(
            _title(policy),
            "agreement",
            _lines(
                ("Version", [Text(short(policy.text("version")))]),
                ("Rules in force", [Text(short(name)) for name in policy.texts("identifier")]),
            ),
        )
        for policy in policies
    ]
    return _capped(cards)


def _settings(index: Index, root: Node, found: Phases, answer: frozenset[str]) -> tuple[Card, ...]:
    if is_draft(index):
        return _capped(Card(_title(party), role, _where(party)) for party, role in parties(index))
    publishers = index.linked(root, "publisher")
    released = _unique(tre for crate in index.described(sorted(answer)) for tre in index.linked(crate, "publisher"))
    asked = _unique(tre for run in found.run for tre in index.linked(run, "provider", "Organization"))
    role = "ran it" if any(state(run) == "Completed" for run in found.run) else "answered"
    cards = [Card(_title(tre), role, _where(tre)) for tre in publishers]
    cards += [Card(_title(tre), "released what is in it", _where(tre)) for tre in _without(released, publishers)]
    cards += [Card(_title(tre), "was asked", _where(tre)) for tre in _without(asked, [*publishers, *released])]
    engines = _unique(
        tool
        for action in index.of_type("OrganizeAction")
        for name in ("instrument", "agent")
        for tool in index.linked(action, name, "SoftwareApplication")
    )
    acted = _unique(tool for action in _reviews(found) for tool in index.linked(action, "agent", "SoftwareApplication"))
    tools = [(tool, "engine") for tool in engines]
    tools += [(tool, "acted for the TRE") for tool in _without(acted, engines)]
    for tool, role in tools:
        cards.append(
            Card(
                _title(tool),
                role,
                _lines(
                    ("Version", [Text(short(tool.text("softwareVersion") or tool.text("version")))]),
                    ("For", [named(index, name) for name in tool.texts("provider")]),
                ),
            )
        )
    return _capped(cards)


def _where(tre: Node) -> tuple[Line, ...]:
    return _lines(("Identifier", [link(tre.id)] if is_absolute(tre.id) else []))


def _data(index: Index, found: Phases, sizes: Mapping[str, int]) -> tuple[Card, ...]:
    inputs = _unique(node for run in found.run for node in index.linked(run, "object"))
    engines = organizing(index)
    organized = _unique(action for run in found.run for action in engines.get(run.id, ()))
    read = _without(_unique(node for action in organized for node in index.linked(action, "object")), inputs)
    return _capped(
        Card(
            _title(node),
            role,
            _lines(
                ("Value", [Text(short(value)) for value in node.texts("value")]),
                ("File", [link(node.id)] if is_local_path(node.id) else []),
                ("Size", _size(node, sizes)),
                ("Version", [Text(short(node.text("version")))]),
                ("For parameter", [named(index, name) for name in node.texts("exampleOfWork")]),
            ),
        )
        for nodes, role in ((inputs, "input"), (read, "what was read"))
        for node in nodes
    )


def _outputs(index: Index, found: Phases, sizes: Mapping[str, int]) -> tuple[Card, ...]:
    results = _unique(node for run in found.run for node in index.linked(run, "result"))
    cards = [
        Card(
            _title(node),
            "output",
            _lines(
                ("File", [link(node.id)] if is_local_path(node.id) else []),
                ("Value", [Text(short(value)) for value in node.texts("value")]),
                ("Size", _size(node, sizes)),
                ("Format", [named(index, name) for name in node.texts("encodingFormat")]),
                ("Kind of statistic", [named(index, name) for name in node.texts("about")]),
                ("Checked by", _checked_by(found, node)),
                ("Who may read it", _permitted(index, node)),
            ),
        )
        for node in results[:_MOST]
    ]
    if len(results) > _MOST:
        cards.append(Card(Text(f"{len(results) - _MOST} more outputs"), "output", ()))
    rules = _unique(rule for action in found.disclosure for rule in index.linked(action, "instrument"))
    if results:  # where nothing left, the rule stands in the timeline
        cards += [
            Card(
                _title(rule),
                "what they were checked by",
                _lines(
                    ("Version", [Text(short(rule.text("version")))]),
                    ("Digest", [Text(short(name)) for name in rule.texts("identifier")]),
                ),
            )
            for rule in rules
        ]
    return tuple(cards)


def _checked_by(found: Phases, output: Node) -> list[Text]:
    covering = [action for action in found.disclosure if output.id in action.ids("object")] or found.disclosure
    return [
        Text(short(action.text("name")) or "Disclosure check") for action in covering if state(action) == "Completed"
    ][:5]


def _permitted(index: Index, output: Node) -> list[Text]:
    permissions = index.linked(output, "hasDigitalDocumentPermission")
    return [named(index, name) for permission in permissions for name in permission.texts("grantee")]


def _no_outputs(stage: str) -> str:
    if stage in ("withheld", "refused"):
        return "Nothing left the TRE. The reason stands in the timeline."
    return "Nothing has left." if stage in ("published", "received") else "There are no outputs yet."


# ------------------------------------------------------------------------------------------------------- workflow


def _workflow(index: Index, root: Node, found: Phases) -> tuple[Card, ...]:
    workflows = index.linked(root, "mainEntity")
    if not workflows:  # a run of software that is no workflow
        workflows = _unique(tool for run in found.run for tool in index.linked(run, "instrument"))
    return _capped(
        Card(
            _title(node),
            "analysis" if node.is_a("SoftwareApplication") else "workflow",
            _lines(
                ("Version", [Text(short(node.text("version")))]),
                ("Digest", [Text(short(name)) for name in node.texts("identifier")]),
                ("Where", [link(node.id)] if node.id[:1] != "#" else []),
                ("Download", [link(name) for name in node.ids("distribution")]),
                ("Follows", [named(index, name) for name in node.texts("conformsTo")]),
            ),
        )
        for node in workflows
    )


def _repeat(
    index: Index, root: Node, found: Phases, sizes: Mapping[str, int], answer: frozenset[str]
) -> tuple[str, ...]:
    """How to do it again, in sentences. Commands are named only for files that are in the crate."""
    steps = ["Verify the crate first: `cinque verify CRATE` says who signed it and whether a byte has changed."]
    if answer:
        steps.append(
            "The same command verifies each TRE's crate inside, and works the answer out again from what they released."
        )
        return tuple(steps)
    inputs = [short(node.text("name") or node.id) for run in found.run for node in index.linked(run, "object")]
    for node in index.linked(root, "mainEntity")[:10]:
        if is_local_path(node.id):
            folder = payload_path(node.id)
            plans = sorted((n for n in sizes if n.startswith(folder) and n.endswith(".cwl")), key=lambda n: (len(n), n))
            plan = ""
            if plans:
                plan = f" Any CWL engine runs it; `cwltool --make-template {short(plans[0])}` prints what it needs."
            steps.append(f"The workflow lies in the folder `{short(folder)}` of this crate.{plan}")
        else:
            steps.append("Fetch the workflow from the address above, at the version that stands there.")
    if inputs:
        steps.append(f"Give it the same inputs: {', '.join(inputs[:10])}.")
    if index.linked(root, "publisher"):
        steps.append(
            "The data stay in the TRE: to run it on them, ask the same question of the same TRE in a new request."
        )
    return tuple(steps)


# --------------------------------------------------------------------------------------------------------- pieces


def _title(node: Node) -> Text:
    """A name without a link; the identifier that leads on stands below it."""
    return Text(short(node.text("name")) or short(node.id))


def _identifier(index: Index, value: Any) -> Text:
    """An identifier, or the local one that a PropertyValue holds (R40)."""
    identifier = value.get("@id") if isinstance(value, dict) else value
    node = index.by_id.get(identifier) if isinstance(identifier, str) else None
    if node is not None and node.text("value"):
        return Text(f"{short(node.text('value'))} ({short(node.text('name'))})")
    if not isinstance(identifier, str):
        return Text("")
    return link(identifier) if is_absolute(identifier) else Text(short(identifier))


def _lines(*rows: tuple[str, Sequence[Text]]) -> tuple[Line, ...]:
    found = ((label, tuple(value for value in values if value.text)) for label, values in rows)
    return tuple(Line(label, values[:_MOST]) for label, values in found if values)


def _size(node: Node, sizes: Mapping[str, int]) -> list[Text]:
    found = sizes.get(payload_path(node.id)) if is_local_path(node.id) else None
    return [] if found is None else [Text(size(found))]


def _reviews(found: Phases) -> list[Node]:
    return [*found.check, *found.validation, *found.retrieval, *found.sign_off, *found.disclosure, *found.publishing]


def _unique(nodes: Iterable[Node]) -> list[Node]:
    return list(dict.fromkeys(nodes))


def _without(nodes: Iterable[Node], others: Iterable[Node]) -> list[Node]:
    taken = set(others)
    return [node for node in nodes if node not in taken]


def _capped(cards: Iterable[Card]) -> tuple[Card, ...]:
    """The first cards of a section; the rest are counted."""
    whole = tuple(cards)
    more = len(whole) - _MOST
    return whole if more <= 0 else (*whole[:_MOST], Card(Text(f"{more} more"), "not shown", ()))
