"""What the vocabulary cannot say of Workflow RO-Crate 1.0."""

from __future__ import annotations

from collections.abc import Iterator

from cinque.crate.profiles import Subject
from cinque.crate.profiles.vocabulary import Hit


def abstract_unlinked(subject: Subject) -> Iterator[Hit]:
    """A description in CWL of a workflow in another language: `File`, `SoftwareSourceCode` and `HowTo`."""
    index = subject.index
    for workflow in index.linked(index.root, "mainEntity", "ComputationalWorkflow"):
        described = set(workflow.ids("subjectOf"))
        for node in index.by_type.get("HowTo", ()):
            abstract = node.is_a("File") and node.is_a("SoftwareSourceCode") and not node.is_a("ComputationalWorkflow")
            if abstract and node.id not in described:
                yield Hit(workflow.id, node.id)
