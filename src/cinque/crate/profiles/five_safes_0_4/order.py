"""The phases in their order: what the recorded times may not say. A time that is missing or malformed orders nothing;
other rules ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from cinque.crate.index import Node
from cinque.crate.profiles import Subject
from cinque.crate.profiles.vocabulary import Hit
from cinque.crate.stages import state


def moment(node: Node, name: str) -> datetime | None:
    """A date or time of an entity; a date alone is its first moment, a missing zone is UTC."""
    try:
        found = datetime.fromisoformat(node.text(name))
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except ValueError:
        return None


def _moments(actions: Iterable[Node], name: str) -> list[datetime]:
    return [found for action in actions if (found := moment(action, name)) is not None]


def _completed(actions: tuple[Node, ...]) -> list[Node]:
    return [action for action in actions if state(action) == "Completed"]


def _earlier(later: Iterable[Node], before: tuple[Node, ...], what: str) -> Iterator[Hit]:
    """Those of `later` that were completed before the first completed action of `before` was, or in spite of it."""
    ends = _moments(_completed(before), "endTime")
    failed = bool(before) and state(before[-1]) == "Failed"
    for action in later:
        end = moment(action, "endTime")
        if failed and state(action) == "Completed":
            yield Hit(action.id, f"although {what} failed")
        elif ends and end is not None and end < min(ends):
            yield Hit(action.id, f"before {what}, which comes first")


def validation_too_early(subject: Subject) -> Iterator[Hit]:
    yield from _earlier(subject.phases.validation, subject.phases.check, "the check of the manifests")


def sign_off_too_early(subject: Subject) -> Iterator[Hit]:
    yield from _earlier(subject.phases.sign_off, subject.phases.validation, "the validation")


def run_too_early(subject: Subject) -> Iterator[Hit]:
    """Nothing runs before, or in spite of, a check, a validation, a retrieval or a sign-off."""
    found = subject.phases
    before = (
        ("the check of the manifests", found.check),
        ("the validation", found.validation),
        ("the retrieval of the workflow", found.retrieval),
        ("the sign-off", found.sign_off),
    )
    for run in found.run:
        if state(run) not in ("Active", "Completed") and not run.values("startTime"):
            continue
        start = moment(run, "startTime")
        for what, actions in before:
            ends = _moments(_completed(actions), "endTime")
            if actions and state(actions[-1]) == "Failed":
                yield Hit(run.id, f"although {what} failed")
            elif start is not None and ends and start < min(ends):
                yield Hit(run.id, f"before {what} ended")


def _run_ends(subject: Subject) -> list[datetime]:
    ended = [run for run in subject.phases.run if state(run) in ("Completed", "Failed")]
    return _moments(ended, "endTime")


def disclosure_too_early(subject: Subject) -> Iterator[Hit]:
    """The last check: those of earlier rounds end while the run goes on."""
    decided = [action for action in subject.phases.disclosure if state(action) in ("Completed", "Failed")]
    ends, run_ends = _moments(decided, "endTime"), _run_ends(subject)
    if ends and run_ends and max(ends) < max(run_ends):
        yield Hit(decided[-1].id)


def published_too_early(subject: Subject) -> Iterator[Hit]:
    before = [*_moments(subject.phases.disclosure, "endTime"), *_run_ends(subject)]
    for action in subject.phases.publishing[-1:]:
        start = moment(action, "startTime")
        if start is not None and before and start < max(before):
            yield Hit(action.id)


def published_before(subject: Subject) -> Iterator[Hit]:
    root = subject.index.root
    published = moment(root, "datePublished") if root is not None else None
    if root is None or published is None or "T" not in root.text("datePublished").upper():
        return
    ends = [*_moments(subject.phases.disclosure, "endTime"), *_run_ends(subject)]
    if ends and published < max(ends):
        yield Hit(root.id, "the run or the disclosure check ended")
