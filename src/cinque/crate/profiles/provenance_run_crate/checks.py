"""What the vocabulary cannot say of Provenance Run Crate 0.5."""

from __future__ import annotations

from collections.abc import Iterator

from cinque.crate.profiles import Subject
from cinque.crate.profiles.vocabulary import Hit


def workflow_without_howto(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.by_type.get("ComputationalWorkflow", ()):
        if node.values("step") and not node.is_a("HowTo"):
            yield Hit(node.id)
