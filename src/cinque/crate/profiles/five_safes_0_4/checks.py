"""What the vocabulary cannot say of Five Safes RO-Crate 0.4: each function yields where its rule is broken."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cinque.crate.index import Index, Node, is_absolute, is_local_path, payload_path
from cinque.crate.profiles import Subject
from cinque.crate.profiles.five_safes_0_4.order import (
    disclosure_too_early,
    published_before,
    published_too_early,
    run_too_early,
    sign_off_too_early,
    validation_too_early,
)
from cinque.crate.profiles.five_safes_0_4.packing import (
    bag_algorithms,
    bag_declaration,
    bag_fetch,
    bag_form,
    bag_identifier_form,
    bag_no_identifier,
    bag_no_manifest,
    bag_no_tag_manifest,
    bag_payload,
    bag_spelling,
    bag_tags,
    bag_without_metadata,
    bag_without_more,
    external_identifier,
    identifier_changed,
    zip_features,
    zip_packed_again,
    zip_top,
    zip_without_bag,
)
from cinque.crate.profiles.five_safes_0_4.secrets import secret, secret_in_payload, secret_in_tags
from cinque.crate.profiles.vocabulary import Hit
from cinque.crate.stages import state

__all__ = [
    "bag_algorithms", "bag_declaration", "bag_fetch", "bag_form", "bag_identifier_form", "bag_no_identifier",
    "bag_no_manifest", "bag_no_tag_manifest", "bag_payload", "bag_spelling", "bag_tags", "bag_without_metadata",
    "bag_without_more", "disclosure_too_early", "identifier_changed", "published_before", "published_too_early",
    "run_too_early", "secret", "secret_in_payload", "secret_in_tags", "sign_off_too_early", "validation_too_early",
    "zip_features", "zip_packed_again", "zip_top", "zip_without_bag",
]  # fmt: skip

WORKFLOW_LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#"

# ------------------------------------------------------------------------------------------------ paths (R14, R96)

_OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|^~|^file:", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def outside_payload(subject: Subject) -> Iterator[Hit]:
    for node, key, identifier in _identifiers(subject):
        if _leads_out(identifier):
            yield Hit(node, identifier, key)


def _leads_out(identifier: str) -> bool:
    if identifier.startswith(("https://", "http://", "#", "urn:", "_:")):
        return False
    if is_absolute(identifier):
        return identifier[:5].lower() == "file:"
    plain = payload_path(identifier) if "%" in identifier else ""
    return _OUTSIDE.search(identifier) is not None or _OUTSIDE.search(plain) is not None


def odd_path(subject: Subject) -> Iterator[Hit]:
    """R96: a URI reference in form. Letters beyond ASCII pass, as in an IRI."""
    for node, key, identifier in _identifiers(subject):
        if _URI.fullmatch(identifier) and ("%" not in identifier or not _BAD_PERCENT.search(identifier)):
            continue
        iri = not identifier.isascii() and identifier.isprintable() and not any(c in ' "<>\\^`{|}' for c in identifier)
        if not iri and not _leads_out(identifier):
            yield Hit(node, identifier, key)


def _identifiers(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """Every id once: where it is described, else where it is first referred to."""
    known = subject.index.by_id
    for identifier in known:
        yield identifier, "@id", identifier
    seen: set[str] = set()
    for node, key, target in subject.index.dangling():
        if target not in seen:
            seen.add(target)
            yield node.id, key, target


# ------------------------------------------------------------------------------ descriptor, root, profile (R17-R21)

_VERSION = re.compile(r"https?://w3id\.org/ro/crate/1\.([0-9]{1,3})(?:-DRAFT)?")


def crate_version(subject: Subject) -> Iterator[Hit]:
    descriptor = subject.index.descriptor
    declared = descriptor.texts("conformsTo") if descriptor is not None else []
    versions = [match for name in declared if (match := _VERSION.fullmatch(name))]
    if declared and descriptor is not None and not any(int(match[1]) >= 2 for match in versions):
        yield Hit(descriptor.id, versions[0][0] if versions else "no RO-Crate version that is known")


def root_elsewhere(subject: Subject) -> Iterator[Hit]:
    root = subject.index.root
    if root is not None and root.id != "./":
        yield Hit(root.id, root.id)


def profile_alone(subject: Subject) -> Iterator[Hit]:
    """D13."""
    for node in subject.index.of_type("Profile"):
        if node.types == ("Profile",):
            yield Hit(node.id)


# ---------------------------------------------------------------------- project, workflow, requested run (R23-R46)


def _workflows(subject: Subject) -> list[Node]:
    return subject.index.linked(subject.index.root, "mainEntity")


def _is_web(identifier: str) -> bool:
    return identifier[:8].lower().startswith(("http://", "https://"))


def workflow_address(subject: Subject) -> Iterator[Hit]:
    for node in _workflows(subject):
        if not is_absolute(node.id) and not (is_local_path(node.id) and node.id.endswith("/")):
            yield Hit(node.id)


def workflow_without_download(subject: Subject) -> Iterator[Hit]:
    for node in _workflows(subject):
        if _is_web(node.id) and not subject.index.linked(node, "distribution", "DataDownload"):
            yield Hit(node.id)


def no_run(subject: Subject) -> Iterator[Hit]:
    """Not of a crate whose outputs were withheld: there the run may have been removed (R76)."""
    root = subject.index.root
    if root is not None and not subject.index.linked(root, "mentions", "CreateAction") and not _withheld(subject):
        yield Hit(root.id)


def _workflow_inside(subject: Subject) -> tuple[str, Index] | None:
    """The requested Workflow RO-Crate, where it lies in the payload: its folder and its graph."""
    for node in _workflows(subject):
        path = payload_path(node.id).rstrip("/") + "/"
        if is_local_path(node.id) and path in subject.nested:
            return path, subject.nested[path]
    return None


_RUNNABLE = {WORKFLOW_LANGUAGE + "cwl", WORKFLOW_LANGUAGE + "nextflow"}


def workflow_language(subject: Subject) -> Iterator[Hit]:
    """R26: declared inside the Workflow RO-Crate. That one is declared at all is the Workflow RO-Crate's own rule."""
    inside = _workflow_inside(subject)
    for workflow in inside[1].linked(inside[1].root, "mainEntity") if inside is not None else ():
        languages = workflow.texts("programmingLanguage")
        if languages and _RUNNABLE.isdisjoint(languages):
            yield Hit((inside[0] if inside else "") + workflow.id, languages[0])


def parameter_unknown(subject: Subject) -> Iterator[Hit]:
    """R45: by name, where the workflow in the payload describes its inputs."""
    inside = _workflow_inside(subject)
    workflows = inside[1].linked(inside[1].root, "mainEntity") if inside is not None else []
    known = {p.text("name") for w in workflows if inside is not None for p in inside[1].linked(w, "input")}
    inputs = (given for run in subject.phases.run for given in subject.index.linked(run, "object"))
    wanted = (p for given in inputs for p in subject.index.linked(given, "exampleOfWork", "FormalParameter"))
    for parameter in dict.fromkeys(wanted) if known else ():
        if parameter.text("name") not in known:
            yield Hit(parameter.id, parameter.text("name"))


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def run_id(subject: Subject) -> Iterator[Hit]:
    for run in subject.phases.run:
        if not _UUID.search(run.id):
            yield Hit(run.id)


def run_is_bag(subject: Subject) -> Iterator[Hit]:
    uuid = _UUID.search(external_identifier(subject, "bag-info.txt"))
    for run in subject.phases.run:
        if uuid is not None and uuid[0].lower() in run.id.lower():
            yield Hit(run.id)


_STATES = {  # what the run may be at a stage
    "request": ("Potential",),
    "checked": ("Potential",),
    "validated": ("Potential",),
    "retrieved": ("Potential",),
    "signed-off": ("Potential",),
    "running": ("Active",),
    "executed": ("Completed", "Failed"),
    "disclosed": ("Completed", "Failed"),
    "published": ("Completed", "Failed"),
    "refused": ("Potential", "Failed"),
}


def run_state(subject: Subject) -> Iterator[Hit]:
    """Of a withheld or received crate every state is possible: it may have been refused, cancelled or expired."""
    for run in subject.phases.run:
        allowed = _STATES.get(subject.stage)
        if allowed and state(run) and state(run) not in allowed:
            yield Hit(run.id, state(run).lower())


def result_unlinked(subject: Subject) -> Iterator[Hit]:
    """R81: every output that is a data entity, reached directly or through a folder that is reached."""
    results = [name for run in subject.phases.run for name in run.ids("result")]
    if not results or subject.index.root is None:
        return
    reached = subject.index.parts()
    folders = tuple(name for name in reached if name.endswith("/") and name != "./")
    for name in results:
        node = subject.index.by_id.get(name)
        contextual = node is not None and node.is_a("PropertyValue") and not node.is_a("File", "Dataset")
        if name not in reached and not contextual and not name.startswith(folders):
            yield Hit(subject.index.root.id, name)


# --------------------------------------------------------------------------------------------- phases (R53, R61-R84)


def review_in_request(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.of_type("AssessAction"):
        yield Hit(node.id)


def _none_completed(actions: tuple[Node, ...], subject: Subject) -> Iterator[Hit]:
    """A crate may come back because nothing was done: expired, cancelled. Then no phase is missing."""
    done = any(state(run) in ("Active", "Completed") or run.values("result") for run in subject.phases.run)
    if subject.stage == "published" and not done:
        return
    if subject.index.root is not None and not any(state(action) == "Completed" for action in actions):
        yield Hit(subject.index.root.id)


def no_check(subject: Subject) -> Iterator[Hit]:
    yield from _none_completed(subject.phases.check, subject)


def no_validation(subject: Subject) -> Iterator[Hit]:
    yield from _none_completed(subject.phases.validation, subject)


def no_sign_off(subject: Subject) -> Iterator[Hit]:
    yield from _none_completed(subject.phases.sign_off, subject)


def no_publishing(subject: Subject) -> Iterator[Hit]:
    if subject.index.root is not None and not subject.phases.publishing:
        yield Hit(subject.index.root.id)


def no_disclosure(subject: Subject) -> Iterator[Hit]:
    """A failed run without any output leaves nothing to check."""
    leaves = any(state(run) == "Completed" or run.values("result") for run in subject.phases.run)
    if leaves and not subject.phases.disclosure and subject.index.root is not None:
        yield Hit(subject.index.root.id)


def _withheld(subject: Subject) -> bool:
    checks = subject.phases.disclosure
    return bool(checks) and state(checks[-1]) == "Failed"


def undecided(subject: Subject) -> Iterator[Hit]:
    results = any(run.values("result") for run in subject.phases.run)
    for action in subject.phases.disclosure[-1:]:
        if results and state(action) not in ("Completed", "Failed"):
            yield Hit(action.id)


def leak(subject: Subject) -> Iterator[Hit]:
    """R76: after a failed disclosure check no output may be in the crate, save what an earlier check (of an earlier
    round) let pass by name.
    """
    if not _withheld(subject):
        return
    passed: set[str] = set()
    for action in subject.phases.disclosure:
        names = set(action.ids("object")) - {"./"}
        passed = passed | names if state(action) == "Completed" else passed - names
    paths = {payload_path(name) for name in passed}
    for action in subject.index.of_type("CreateAction"):
        for name in action.texts("result"):
            if name not in passed:
                yield Hit(action.id, f"the output {name}", "result")
    for name, node in subject.index.by_id.items():
        inside = is_local_path(name) and payload_path(name).startswith("outputs/")
        if inside and name not in passed and not _is_folder_of(name, paths) and not node.is_a("CreateAction"):
            yield Hit(name, "its description", "@id")
    for path in subject.payload or ():
        if (
            path.startswith("outputs/")
            and path not in paths
            and not any(folder.endswith("/") and path.startswith(folder) for folder in paths)
        ):
            yield Hit(path, "the file")


def _is_folder_of(name: str, paths: set[str]) -> bool:
    return name.endswith("/") and any(path.startswith(payload_path(name)) for path in paths)


def https_term(subject: Subject) -> Iterator[Hit]:
    """R105, where terms stand: types, states, permissions."""
    for node in subject.index.nodes:
        for key in ("@type", "type", "actionStatus", "additionalType", "permissionType"):
            for name in node.texts(key) if key in node.data else ():
                if name.startswith("https://schema.org/"):
                    yield Hit(node.id, name, key)


_PERMALINK = re.compile(r"http://w3id\.org/(?:5s-crate/|shp#|ro/(?:crate|wfrun|terms)\b|workflowhub/)")


def http_permalink(subject: Subject) -> Iterator[Hit]:
    """The profile's own names (R21, R56, R18, R25): one letter less, and it is another name."""
    for node, key, identifier in _identifiers(subject):
        if _PERMALINK.match(identifier):
            yield Hit(node, identifier, key)
