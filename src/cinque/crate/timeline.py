"""The phases of a crate as a timeline: who, when, on what authority, with what verdict."""

from __future__ import annotations

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
    moments = [_moment(index, name, action) for key, name in _PHASES.items() for action in getattr(found, key)[:_MOST]]
    mentioned = index.linked(index.root, "mentions", "DefinedTerm")
    for reason in mentioned:  # why nothing, or nothing more, was released
        sentence = short(reason.text("description"))
        moments.append(
            Moment("Outcome", short(reason.text("name")), "", Text(""), Line("", ()), "failed", "Ended", sentence)
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
        short(action.text("name")),
        f"{start} to {end}" if start and end and start != end else end or start,
        named(index, agents[0]) if agents else Text(""),
        Line(label, tuple(named(index, name) for name in basis[:10])),
        verdict,
        word,
        short(" ".join((action.text("description"), *reasons)).strip()),
    )
