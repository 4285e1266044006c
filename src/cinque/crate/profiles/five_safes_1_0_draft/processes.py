"""Checks on processes: plans and their answers, executions, exchanges, decisions, reviews (R216, R221-R244)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

from cinque.crate.index import Index, Node, is_local_path
from cinque.crate.profiles import Subject
from cinque.crate.profiles.vocabulary import Hit
from cinque.crate.stages import SIGN_OFF, state

KINDS = (
    "AskAction", "CreateAction", "Action", "AssessAction", "AuthorizeAction", "RejectAction", "CancelAction",
    "UpdateAction", "SendAction", "ReceiveAction",
)  # fmt: skip
DECISIONS = ("AuthorizeAction", "RejectAction")
_ACTIVITY = ("prov:Activity", "http://www.w3.org/ns/prov#Activity")


def processes(index: Index) -> list[Node]:
    """Everything that is a process or means to be one: an activity, or of a type that ends in "Action"."""
    kinds = [kind for kind in index.by_type if kind == "Activity" or kind.endswith("Action")]
    return index.of_type(*kinds) if kinds else []


def moment(node: Node, name: str) -> datetime | None:
    """A time of an entity; a date alone is its first moment. None where it is missing or malformed."""
    try:
        found = datetime.fromisoformat(node.text(name))
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except ValueError:
        return None


def unmentioned(subject: Subject) -> Iterator[Hit]:
    index = subject.index
    mentioned = set(index.root.ids("mentions")) if index.root is not None else set()
    for node in processes(index):
        if node.id not in mentioned:
            yield Hit(node.id)


def no_activity(subject: Subject) -> Iterator[Hit]:
    for node in processes(subject.index):
        if not any(kind in _ACTIVITY for kind in node.values("@type")):
            yield Hit(node.id)


def no_listed_kind(subject: Subject) -> Iterator[Hit]:
    for node in processes(subject.index):
        if not node.is_a(*KINDS):
            yield Hit(node.id)


def permission_assessed(subject: Subject) -> Iterator[Hit]:
    """R229: one entity that is both, or an assessment of 0.4's kind that was a decision."""
    for node in subject.index.of_type("AssessAction"):
        if node.is_a(*DECISIONS):
            yield Hit(node.id, "it is a decision as well")
        elif SIGN_OFF in node.texts("additionalType"):
            yield Hit(node.id, "it is a sign-off", "additionalType")


# -------------------------------------------------------------------------------------- plans, executions (R232, R233)


def answer_to_nothing(subject: Subject) -> Iterator[Hit]:
    index = subject.index
    for node in index.of_type(*DECISIONS):
        plans = [other.id for other in index.linked(node, "object", "Plan")]
        if not plans:
            continue
        if len(node.values("object")) != 1:
            yield Hit(node.id, "has other objects beside the plan", "object")
        asked = node.ids("prov:wasInformedBy")
        known = [index.by_id[name] for name in asked if name in index.by_id]
        answers = any(other.is_a("AskAction") and other.ids("object") == plans[:1] for other in known)
        if not answers and len(known) == len(asked):  # what is not described here may be the request
            yield Hit(node.id, "does not name the request that it answers")


def association(subject: Subject) -> Iterator[Hit]:
    index = subject.index
    for node in index.of_type("CreateAction", "Action"):
        links = node.ids("prov:qualifiedAssociation")
        planned = [way for way in ("object", "instrument", "prov:used") if index.linked(node, way, "Plan")]
        if planned and not links:
            yield Hit(node.id, "The execution of a plan is not linked to it by an association.")
        for name in links:
            link = index.by_id.get(name)
            if link is None or not link.is_a("Association"):
                yield Hit(node.id, "The association is not described as a `prov:Association`.")
                continue
            agents, plans = link.ids("prov:agent"), link.ids("prov:hadPlan")
            if len(agents) != 1 or agents[0] not in node.ids("agent"):
                yield Hit(link.id, "The association's one agent is not an agent of the execution.", "prov:agent")
            if len(plans) != 1:
                yield Hit(link.id, "The association does not name exactly one plan.", "prov:hadPlan")


# ----------------------------------------------------------------------------------- exchanges, decisions (R235-R237)


def received_before_sent(subject: Subject) -> Iterator[Hit]:
    index = subject.index
    for node in index.of_type("ReceiveAction"):
        end = moment(node, "endTime")
        for sent in index.linked(node, "prov:wasInformedBy", "SendAction"):
            start = moment(sent, "startTime")
            if start is not None and end is not None and start > end:
                yield Hit(node.id, sent.id)


def moved_before_published(subject: Subject) -> Iterator[Hit]:
    completed = [n for n in subject.index.of_type("SendAction", "ReceiveAction") if state(n) == "Completed"]
    yield from _published_later(subject.index, completed, "object")


def used_before_published(subject: Subject) -> Iterator[Hit]:
    yield from _published_later(subject.index, subject.index.of_type(*DECISIONS), "prov:used")


def _published_later(index: Index, nodes: list[Node], way: str) -> Iterator[Hit]:
    """Snapshots that a process names although they were not yet there."""
    for node in nodes:
        end = moment(node, "endTime")
        for other in index.linked(node, way, "Dataset"):
            if not other.values("dct:isVersionOf"):
                continue  # no snapshot: any other asset
            published = moment(other, "datePublished")
            if published is None or (end is not None and published > end):
                yield Hit(node.id, other.id)


def reversal_unsaid(subject: Subject) -> Iterator[Hit]:
    """Of two decisions of one body on the same object the later, where it says the opposite."""
    index = subject.index
    by_object: dict[tuple[str, str], list[Node]] = {}
    for node in index.of_type(*DECISIONS):
        for name in node.ids("object"):
            by_object.setdefault((name, _body(node)), []).append(node)
    for decided in by_object.values():
        dated = [(when, node) for node in decided if (when := moment(node, "endTime")) is not None]
        dated.sort(key=lambda pair: pair[0])
        for (_, before), (_, after) in pairwise(dated):
            opposite = before.is_a("AuthorizeAction") != after.is_a("AuthorizeAction")
            if opposite and before.id not in after.ids("prov:wasInformedBy"):
                yield Hit(after.id, before.id)


def _body(node: Node) -> str:
    return node.text("provider") or node.text("agent")


# ---------------------------------------------------------------------------------------------- reviews (R242-R244)


def review_parts(subject: Subject) -> Iterator[Hit]:
    index = subject.index
    for node in processes(index):
        parts = node.ids("dct:hasPart")
        if parts and not node.is_a("Action"):
            yield Hit(node.id, "A process with parts is not the overall `Action`.", "@type")
        for name in parts:
            part = index.by_id.get(name)
            if part is None or not part.is_a("Activity"):
                yield Hit(node.id, "A part of the review is not described as a process.")
        if any(other.is_a("Activity") for other in index.linked(node, "hasPart")):
            yield Hit(node.id, "The review's parts stand under `hasPart`, which is for data.", "hasPart")


def outputs(index: Index) -> set[str]:
    """What recorded processes made, by each of its names: the asset, and its copies in the crate."""
    made = {name for node in index.of_type("CreateAction") for name in node.ids("result")}
    for node in index.of_type("File", "Dataset"):
        works = {*node.ids("encodesCreativeWork"), *node.ids("exampleOfWork")}
        if node.id in made:
            made |= works
        elif works & made:
            made.add(node.id)
    return made


def output_checks(index: Index) -> list[Node]:
    """Assessments of what recorded processes made."""
    made = outputs(index)
    return [node for node in index.of_type("AssessAction") if made & set(node.ids("object"))]


def checked_copy(subject: Subject) -> Iterator[Hit]:
    for node in output_checks(subject.index):
        for name in node.ids("object"):
            if is_local_path(name):
                yield Hit(node.id, name)


def check_without_kind(subject: Subject) -> Iterator[Hit]:
    for node in output_checks(subject.index):
        if not node.values("additionalType"):
            yield Hit(node.id)


def decision_without_checks(subject: Subject) -> Iterator[Hit]:
    index = subject.index
    checks = output_checks(index)
    for node in index.of_type(*DECISIONS):
        about = set(node.ids("object"))
        recorded = [check.id for check in checks if about & set(check.ids("object")) and _body(check) == _body(node)]
        if recorded and not set(recorded) & set(node.ids("prov:wasInformedBy")):
            yield Hit(node.id, recorded[0])
