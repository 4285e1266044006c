"""Where a crate stands on its way (the phases of Five Safes RO-Crate 0.4), read from its graph.

A stage is a pattern on the graph: which phases are recorded, and how they ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cinque.crate.index import Index, Node

SHP = "https://w3id.org/shp#"
CHECK, VALIDATION, SIGN_OFF = SHP + "CheckValue", SHP + "ValidationCheck", SHP + "SignOff"
DISCLOSURE, CHECKSUMS = SHP + "DisclosureCheck", SHP + "GenerateCheckValue"

STATES = ("Potential", "Active", "Completed", "Failed")
STATUSES = tuple(f"http://schema.org/{state}ActionStatus" for state in STATES)
_STATE_OF = {
    form + state + "ActionStatus": state
    for state in STATES
    for form in ("http://schema.org/", "https://schema.org/", "schema:", "")
}

STAGES = (
    "request", "checked", "validated", "retrieved", "signed-off", "running", "executed", "disclosed", "withheld",
    "published", "received", "refused",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Phases:
    """The actions of a crate by phase, each in the order of the root's `mentions`; unmentioned ones at the end."""

    check: tuple[Node, ...]
    validation: tuple[Node, ...]
    retrieval: tuple[Node, ...]
    sign_off: tuple[Node, ...]
    run: tuple[Node, ...]
    disclosure: tuple[Node, ...]
    publishing: tuple[Node, ...]
    receiving: tuple[Node, ...]


def state(action: Node) -> str:
    """Potential, Active, Completed or Failed, in whichever form it was written; "" for none or another."""
    found = action.texts("actionStatus")
    return _STATE_OF.get(found[0], "") if found else ""


def phases(index: Index) -> Phases:
    """The actions of the crate by phase. The run is a CreateAction that the root mentions (R29) and that has the
    requested workflow as its instrument (R31): others say what else was made (R82). Without such a one it is any that
    the root mentions, else any.
    """
    root = index.root
    order = {name: place for place, name in enumerate(root.ids("mentions"))} if root is not None else {}
    last = len(order)

    def of(kind: str, additional: str = "") -> tuple[Node, ...]:
        found = index.by_type.get(kind, ())
        chosen = [node for node in found if not additional or additional in node.texts("additionalType")]
        return tuple(sorted(chosen, key=lambda node: order.get(node.id, last)))

    runs = of("CreateAction")
    mentioned = tuple(node for node in runs if node.id in order)
    workflow = set(root.ids("mainEntity")) if root is not None else set()
    requested = tuple(node for node in mentioned if not workflow.isdisjoint(node.ids("instrument")))
    return Phases(
        check=of("AssessAction", CHECK),
        validation=of("AssessAction", VALIDATION),
        retrieval=of("DownloadAction"),
        sign_off=of("AssessAction", SIGN_OFF),
        run=requested or mentioned or runs,
        disclosure=of("AssessAction", DISCLOSURE),
        publishing=of("UpdateAction", CHECKSUMS),
        receiving=of("ReceiveAction"),
    )


def stage(crate: Index | dict[str, Any]) -> str:
    """The stage of this crate, one of STAGES; "request" for a graph that records nothing."""
    return stage_of(phases(crate if isinstance(crate, Index) else Index(crate)))


def stage_of(found: Phases) -> str:
    """The stage that these phases make. A failure that ended the journey comes before how far the papers got."""
    if found.receiving:
        return "received"
    if found.disclosure and state(found.disclosure[-1]) == "Failed":
        return "withheld"
    if any(state(a) == "Failed" for a in (*found.check, *found.validation, *found.retrieval, *found.sign_off)):
        return "refused"
    if found.publishing:
        return "published"
    if any(state(a) == "Completed" for a in found.disclosure):
        return "disclosed"
    runs = {state(a) for a in found.run}
    if runs & {"Completed", "Failed"}:
        return "executed"
    if "Active" in runs:
        return "running"
    for name, actions in (
        ("signed-off", found.sign_off),
        ("retrieved", found.retrieval),
        ("validated", found.validation),
        ("checked", found.check),
    ):
        if any(state(a) == "Completed" for a in actions):
            return name
    return "request"
