"""The phases of a crate as a timeline: who, when, on what authority, with what verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cinque.crate.index import Index, Node
from cinque.crate.stages import Phases, state
from cinque.crate.wording import Line, Text, named, short, when

_MOST = 200  # actions of one phase


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


_WORDS = {
    "Completed": ("passed", "Passed"),
    "Failed": ("failed", "Failed"),
    "Active": ("running", "Running"),
    "Potential": ("waiting", "Waiting"),
}
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


def timeline(index: Index, found: Phases) -> tuple[Moment, ...]:
    """The phases in the profile's order, and at the end why nothing, or nothing more, left."""
    order: Iterable[str] = _PHASES
    answer, organized = combined(found), organizing(index)
    if answer:  # what was received is what was combined
        order = ("receiving", *(key for key in _PHASES if key != "receiving"))
    actions = ((_PHASES[key], action) for key in order for action in getattr(found, key)[:_MOST])
    moments = [_moment(index, organized, phase, action) for phase, action in actions]
    # why nothing, or nothing more, was released; of an answer, who is not in it
    outcome, verdict, word = ("Missing", "waiting", "Not in it") if answer else ("Outcome", "failed", "Ended")
    for reason in index.linked(index.root, "mentions", "DefinedTerm")[:_MOST]:
        sentence = short(reason.text("description"))
        name = short(reason.text("name"))
        moments.append(Moment(outcome, name, "", Text(""), Line("", ()), verdict, word, sentence))
    return tuple(moments)


def organizing(index: Index) -> dict[str, list[Node]]:
    """By the id of a run, the actions by which an engine ran it (R74)."""
    found: dict[str, list[Node]] = {}
    for action in index.of_type("OrganizeAction"):
        for run in action.ids("result"):
            found.setdefault(run, []).append(action)
    return found


def combined(found: Phases) -> frozenset[str]:
    """The ids of the received crates that the run was made from: an answer has some, other crates have none."""
    received = {name for action in found.receiving for name in action.ids("object")}
    return frozenset(name for run in found.run for name in run.ids("object") if name in received)


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


def _moment(index: Index, organized: Mapping[str, list[Node]], phase: str, action: Node) -> Moment:
    verdict, word = _WORDS.get(state(action), ("waiting", "Not stated"))
    word = _OWN_WORDS.get((phase, verdict), word)
    agents = action.texts("agent")
    reasons = [reason.text("description") for reason in index.linked(action, "error")]
    if phase == "Execution":
        engines = [name for other in organized.get(action.id, ()) for name in other.texts("instrument")]
        label, basis = "Engine", engines
    elif phase == "Receiving":
        label, basis = "Of", [name for name in action.texts("object") if name != "./"]
    else:
        label, basis = _BASIS.get(phase, "Against"), action.texts("instrument")
    start, end = when(action.text("startTime")), when(action.text("endTime"))
    return Moment(
        phase,
        short(action.text("name")),
        _span(start, end),
        named(index, agents[0]) if agents else Text(""),
        Line(label, tuple(named(index, name) for name in basis[:10])),
        verdict,
        word,
        short(" ".join((action.text("description"), *reasons)).strip()),
    )


def _span(start: str, end: str) -> str:
    """From when to when; the day is said once where it is one."""
    if not start or not end or start == end:
        return end or start
    day, _, time = end.partition(", ")
    if time.endswith(" UTC") and start.startswith(f"{day}, ") and start.endswith(" UTC"):
        return f"{start.removesuffix(' UTC')} to {time}"
    return f"{start} to {end}"
