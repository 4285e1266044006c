"""An activity record of the 1.0 draft, read for people: its processes as a timeline, and as the phases of a crate.

One reading serves the page and the terminal; both say that it is a draft.
"""

from __future__ import annotations

from cinque.crate.index import Index, Node
from cinque.crate.stages import Phases, state
from cinque.crate.timeline import Moment
from cinque.crate.wording import Line, named, short, when

DRAFT = "https://w3id.org/5s-crate/1.0"
_MOST = 500  # processes on one timeline
# kind -> what it is called, and how it ended when it completed
_KINDS = {
    "AskAction": ("Request", "Asked"),
    "AuthorizeAction": ("Decision", "Permitted"),
    "RejectAction": ("Decision", "Refused"),
    "CancelAction": ("Withdrawal", "Withdrawn"),
    "CreateAction": ("Execution", "Completed"),
    "AssessAction": ("Check", "Checked"),
    "UpdateAction": ("Change", "Changed"),
    "SendAction": ("Dispatch", "Sent"),
    "ReceiveAction": ("Receipt", "Received"),
    "Action": ("Step", "Completed"),
}
_STATES = {"Failed": ("failed", "Failed"), "Active": ("running", "Running"), "Completed": ("passed", "")}


def is_draft(index: Index) -> bool:
    """Whether the crate says that it follows the 1.0 draft."""
    return index.root is not None and DRAFT in index.root.ids("conformsTo")


def standing(index: Index) -> str:
    """Which representation it is, in words that say that the profile is a draft."""
    version = index.root.text("version") if index.root is not None else ""
    which = f"snapshot {short(version)}" if version else "working record"
    return f"Working draft of profile 1.0: {which} of an activity record"


def activity(index: Index) -> Phases:
    """The processes by what they are in 0.4's order, for what is shown of people, data and outputs."""
    decisions = index.of_type("AuthorizeAction", "RejectAction")
    on_plans = [node for node in decisions if index.linked(node, "object", "Plan")]
    made = {id for run in index.of_type("CreateAction") for id in run.ids("result")}
    checks = index.of_type("AssessAction")
    of_outputs = [node for node in checks if made & set(node.ids("object"))]
    return Phases(
        check=tuple(node for node in checks if node not in of_outputs),
        validation=(),
        retrieval=tuple(index.of_type("DownloadAction")),
        sign_off=tuple(on_plans),
        run=(*index.of_type("AskAction"), *index.of_type("CreateAction")),
        disclosure=tuple(of_outputs),
        publishing=(),
        receiving=tuple(index.of_type("ReceiveAction")),
    )


def parties(index: Index) -> list[tuple[Node, str]]:
    """Who provided the settings, and what helped there, each with its part in it."""
    nodes = index.of_type(*_KINDS)
    found: dict[Node, str] = {}
    for node in nodes:
        for provider in index.linked(node, "provider", "Organization"):
            found.setdefault(provider, "provided the environment")
    for node in nodes:
        for asked in index.linked(node, "recipient", "Organization"):
            found.setdefault(asked, "was asked")
        for tool in index.linked(node, "instrument", "SoftwareApplication"):
            found.setdefault(tool, "software that helped")
    for publisher in index.linked(index.root, "publisher"):
        found.setdefault(publisher, "published this")
    return list(found.items())


def processes(index: Index) -> tuple[Moment, ...]:
    """Every process in the order of its end, those that still run last."""
    nodes = index.of_type(*_KINDS)
    return tuple(_moment(index, node) for node in sorted(nodes, key=_order)[:_MOST])


def _order(node: Node) -> tuple[str, str]:
    return (node.text("endTime") or "~", node.text("startTime"))


def _moment(index: Index, node: Node) -> Moment:
    kind = next(name for name in _KINDS if node.is_a(name))
    phase, done = ("Review", "Completed") if node.values("dct:hasPart") else _KINDS[kind]
    verdict, word = _STATES.get(state(node), ("waiting", "Not stated"))
    if kind == "RejectAction" and verdict == "passed":
        verdict = "failed"
    agents, helped = node.texts("agent"), node.texts("instrument")
    start, end = when(node.text("startTime")), when(node.text("endTime"))
    return Moment(
        phase,
        short(node.text("name")),
        f"{start} to {end}" if start and end and start != end else end or start,
        named(index, agents[0]) if agents else named(index, ""),
        Line("With", tuple(named(index, name) for name in helped[:10])),
        verdict,
        word or done,
        short(node.text("description")),
    )
