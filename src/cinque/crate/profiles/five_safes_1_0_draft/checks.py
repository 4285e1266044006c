"""What the vocabulary cannot say of Five Safes RO-Crate 1.0: each function yields where its rule is broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime

from cinque.crate.index import Index, Node, is_absolute, is_local_path, reference
from cinque.crate.profiles import Subject
from cinque.crate.profiles.five_safes_1_0_draft.kinds import canonical, record, representations, version
from cinque.crate.profiles.five_safes_1_0_draft.processes import (
    answer_to_nothing,
    association,
    check_without_kind,
    checked_copy,
    decision_without_checks,
    moved_before_published,
    no_activity,
    no_listed_kind,
    permission_assessed,
    received_before_sent,
    reversal_unsaid,
    review_parts,
    unmentioned,
    used_before_published,
)
from cinque.crate.profiles.five_safes_1_0_draft.sequence import (
    branch,
    crate_reference_differs,
    id_reused,
    node_of_federation,
    number_not_greater,
    number_taken,
    plan_changed,
    predecessor_elsewhere,
    snapshot_changed,
    status_went_back,
)
from cinque.crate.profiles.vocabulary import Hit

__all__ = [
    "answer_to_nothing", "association", "branch", "check_without_kind", "checked_copy", "crate_reference_differs",
    "decision_without_checks", "id_reused", "moved_before_published", "no_activity", "no_listed_kind",
    "node_of_federation", "number_not_greater", "number_taken", "permission_assessed", "plan_changed",
    "predecessor_elsewhere", "received_before_sent", "reversal_unsaid", "review_parts", "snapshot_changed",
    "status_went_back", "unmentioned", "used_before_published",
]  # fmt: skip

CORE = "https://w3id.org/5s-crate/1.0"
MODULES = CORE + "/modules/"
GENERIC = "https://w3id.org/ro/crate"
_VERSIONED = re.compile(r"https?://w3id\.org/ro/crate/\d")

# --------------------------------------------------------------------------------- document and ids (R202-R204, R238)


def context_form(subject: Subject) -> Iterator[Hit]:
    found = subject.index.context
    if type(found) is not list or not found or found[0] != "https://w3id.org/ro/crate/1.3/context":
        yield Hit("")


def term_as_text(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.nodes:
        for name in ("actionStatus", "additionalType"):
            for value in node.values(name):
                target = reference(value)
                if target is None or not is_absolute(target):
                    yield Hit(node.id, target or str(value)[:80], name)
        if any(type(kind) is dict for kind in node.values("@type")):
            yield Hit(node.id, "of the type", "@type")


def id_not_absolute(subject: Subject) -> Iterator[Hit]:
    index = subject.index
    for node in index.nodes:
        if node is index.root or node is index.descriptor or not node.id or is_absolute(node.id):
            continue
        if not (node.is_a("File", "Dataset") and is_local_path(node.id)):
            yield Hit(node.id)


def party_not_absolute(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.of_type("Person", "Organization"):
        if not is_absolute(node.id):
            yield Hit(node.id)


# -------------------------------------------------------------------------------------------- the root (R206-R214)


def module_without_core(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.linked(subject.index.root, "conformsTo"):
        if node.id.startswith(MODULES) and CORE not in node.ids("isProfileOf"):
            yield Hit(node.id)


def module_of_module(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.of_type("Profile"):
        if CORE in node.ids("isProfileOf"):  # of the core, so a module, wherever it was published
            for other in node.ids("isProfileOf"):
                target = subject.index.by_id.get(other)
                if other.startswith(MODULES) or (target is not None and CORE in target.ids("isProfileOf")):
                    yield Hit(node.id, other)


def representation_unnamed(subject: Subject) -> Iterator[Hit]:
    root = subject.index.root
    if root is None:
        return
    found = representations(subject.index)
    literal = any(reference(value) is None for value in root.values("identifier"))
    if literal or len(found) != 1 or not is_absolute(found[0]):
        yield Hit(root.id)


def version_no_number(subject: Subject) -> Iterator[Hit]:
    if subject.index.root is not None and version(subject.index) is None:
        yield Hit(subject.index.root.id)


def predecessor(subject: Subject) -> Iterator[Hit]:
    """R214, by the number: none before the first, one before each other, never itself."""
    root, number = subject.index.root, version(subject.index)
    if root is None or number is None:
        return
    before = root.values("pav:previousVersion")
    found = root.ids("pav:previousVersion")
    if number == 1 and before:
        yield Hit(root.id, "Snapshot 1 has a snapshot before it.")
    elif number > 1 and not (len(before) == len(found) == 1 and is_absolute(found[0])):
        yield Hit(root.id, "The snapshot does not name the one snapshot before it.")
    elif canonical(subject.index) in found:
        yield Hit(root.id, "The snapshot names itself as the one before it.")


def label_no_text(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.nodes:
        if node is subject.index.root or is_crate_reference(node):
            continue
        if any(type(value) is not str for value in node.values("version")):
            yield Hit(node.id)


# ----------------------------------------------------------------------------------------------- assets (R215-R220)

# Types under CreativeWork in schema.org that field and profile use; "or one of its subtypes" has no end.
_WORKS = (
    "CreativeWork", "Dataset", "SoftwareApplication", "SoftwareSourceCode", "HowTo", "DigitalDocument", "Report",
    "Article", "ScholarlyArticle", "TechArticle", "Book", "Chapter", "Collection", "DataCatalog", "DataDownload",
    "MediaObject", "File", "ImageObject", "VideoObject", "AudioObject", "Map", "Photograph", "WebPage", "WebSite",
    "PresentationDigitalDocument", "SpreadsheetDigitalDocument", "TextDigitalDocument", "Thesis", "Legislation",
    "DefinedTermSet", "LearningResource", "ComputationalWorkflow", "Plan",
)  # fmt: skip


def unreached(subject: Subject) -> Iterator[Hit]:
    index = subject.index
    reached = index.parts()
    for node in index.of_type("File", "Dataset"):
        if node is not index.root and node is not index.descriptor and node.id not in reached:
            yield Hit(node.id)


def copy_of_nothing(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.of_type("File"):
        for value in node.values("encodesCreativeWork"):
            name = reference(value) or ""
            target = subject.index.by_id.get(name)
            if target is None or not is_absolute(name) or not target.is_a(*_WORKS):
                yield Hit(node.id, name)


def folder_encodes(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.of_type("Dataset"):
        if is_local_path(node.id) and not node.is_a("File") and node.values("encodesCreativeWork"):
            yield Hit(node.id)


def copy_derived(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.of_type("File", "Dataset"):
        for name in node.ids("prov:wasDerivedFrom"):
            if name in (*node.ids("encodesCreativeWork"), *node.ids("exampleOfWork")):
                yield Hit(node.id, name)


def made_of_itself(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.of_type("CreateAction"):
        for name in set(node.ids("object")) & set(node.ids("result")):
            yield Hit(node.id, name)


def location_untyped(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.nodes:
        for value in node.values("prov:atLocation"):
            name = reference(value) or ""
            target = subject.index.by_id.get(name)
            if target is None or not is_absolute(name) or not (target.is_a("Thing") and target.is_a("Location")):
                yield Hit(node.id, name)


def plan_untyped(subject: Subject) -> Iterator[Hit]:
    index = subject.index
    for node in index.of_type("Plan"):
        if not node.is_a("CreativeWork") or not is_absolute(node.id):
            yield Hit(node.id)
    for link in index.of_type("Association"):
        for node in index.linked(link, "prov:hadPlan"):
            if not node.is_a("Plan"):
                yield Hit(node.id)


# ----------------------------------------------------------------------------------------------- dates (R239, R240)

_DATES = {"dateCreated", "dateModified", "datePublished", "startTime", "endTime"}


def well_dated(value: str) -> bool:
    """A `Date` or `DateTime` of ISO 8601, a time with its zone."""
    try:
        if "T" not in value:
            return len(value) == len("2027-03-14") and bool(date.fromisoformat(value))
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def date_malformed(subject: Subject) -> Iterator[Hit]:
    """Of the representation, of processes, and of referenced crates; the dates of an asset are its author's."""
    index = subject.index
    for node in index.nodes:
        if node is index.root or node.is_a("Activity") or is_crate_reference(node):
            for name in _DATES & node.data.keys():
                for value in node.values(name):
                    if type(value) is not str or not well_dated(value):
                        yield Hit(node.id, str(value)[:80], name)


def validity_open(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.of_type("EducationalOccupationalCredential"):
        found = node.values("dct:valid")
        if found and not (len(found) == 1 and type(found[0]) is str and _closed(found[0])):
            yield Hit(node.id)


def _closed(interval: str) -> bool:
    start, _, end = interval.partition("/")
    if not (well_dated(start) and well_dated(end)) or ("T" in start) != ("T" in end):
        return False
    return datetime.fromisoformat(start) <= datetime.fromisoformat(end)


def record_is_representation(subject: Subject) -> Iterator[Hit]:
    found = record(subject.index)
    if subject.index.root is not None and found and found == canonical(subject.index):
        yield Hit(subject.index.root.id)


# ---------------------------------------------------------------------------------------- other crates (R241, R245)


def is_crate_reference(node: Node) -> bool:
    """Whether the entity stands for another crate: elsewhere, and either an RO-Crate or of an activity record."""
    if not node.is_a("Dataset") or not is_absolute(node.id):
        return False
    marks = node.ids("conformsTo")
    return bool(node.values("dct:isVersionOf")) or any(
        name.rstrip("/") == GENERIC or _VERSIONED.match(name) for name in marks
    )


def references(index: Index) -> Iterator[Node]:
    """The entities that stand for other crates."""
    return (node for node in index.of_type("Dataset") if node is not index.root and is_crate_reference(node))


def crate_reference(subject: Subject) -> Iterator[Hit]:
    own = canonical(subject.index)
    for node in references(subject.index):
        if node.id == own:
            yield Hit(node.id, "The crate refers to itself as to another.", "@id")
        if any(_VERSIONED.match(name) for name in node.ids("conformsTo")):
            yield Hit(node.id, "The reference to another crate names a version of RO-Crate.", "conformsTo")
        for value in node.values("version"):
            if record_of(node) and type(value) is not int:
                yield Hit(node.id, "The other crate's number is not a JSON integer, as on its own root.", "version")


def record_of(node: Node) -> str:
    """The record that a referenced crate is said to represent."""
    found = node.ids("dct:isVersionOf")
    return found[0] if found else ""


def crate_reference_unmarked(subject: Subject) -> Iterator[Hit]:
    for node in references(subject.index):
        if GENERIC not in (name.rstrip("/") for name in node.ids("conformsTo")):
            yield Hit(node.id)


def node_references(index: Index) -> Iterator[Node]:
    """References to node provenance crates: those with `about`, and those to another record that nothing else names.

    A crate that a decision used (R237), that was exchanged (R236) or that a process worked on is there for that.
    """
    named = {
        name
        for node in index.of_type("Activity")
        for way in ("object", "result", "instrument", "prov:used")
        for name in node.ids(way)
    }
    for node in references(index):
        elsewhere = record_of(node) and record_of(node) != record(index)
        if node.values("about") or (elsewhere and node.id not in named):
            yield node


def node_reference(subject: Subject) -> Iterator[Hit]:
    for node in node_references(subject.index):
        about = node.values("about")
        if not about or not all(is_absolute(reference(value) or "") for value in about):
            yield Hit(node.id, "The node provenance crate is about no process, asset or record under an absolute IRI.")
        if record_of(node) == record(subject.index) != "":
            yield Hit(node.id, "The node provenance crate is said to be a version of this federated record.")


def node_unpublished(subject: Subject) -> Iterator[Hit]:
    for node in node_references(subject.index):
        if not subject.index.linked(node, "publisher", "Organization"):
            yield Hit(node.id)
