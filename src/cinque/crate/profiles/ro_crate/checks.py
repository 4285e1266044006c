"""What the vocabulary cannot say of RO-Crate: faults of the JSON itself, and rules over every entity or path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cinque.crate import contexts
from cinque.crate.index import Index, is_local_path, payload_path
from cinque.crate.profiles import Subject
from cinque.crate.profiles.vocabulary import Hit

_CONTEXT = re.compile(r"https?://w3id\.org/ro/crate/(1\.\d{1,3})(?:-DRAFT)?/context")
_VERSION = re.compile(r"https?://w3id\.org/ro/crate/(1\.\d{1,3})(?:-DRAFT)?")
# properties whose values are entities, never plain text: not `license`, which may be a text
REFERENCES = frozenset((
    "about", "affiliation", "agent", "author", "conformsTo", "creator", "distribution", "exampleOfWork", "funder",
    "funding", "grantee", "hasDigitalDocumentPermission", "hasPart", "input", "instrument", "isBasedOn", "mainEntity",
    "member", "memberOf", "mentions", "object", "output", "parentOrganization", "programmingLanguage", "provider",
    "publisher", "result", "sourceOrganization", "step", "workExample",
))  # fmt: skip
_FAULTS = {
    "object": "the document is not a JSON object",
    "graph": "`@graph` is missing or not a list",
    "entity": "an item of `@graph` is not an object",
    "id": "an entity has no `@id`",
    "twice": "two entities have the same `@id`",
    "nested": "an entity stands inside another",
}


def graph(subject: Subject) -> Iterator[Hit]:
    """A list of entities with unique ids, none inside another."""
    for fault, where in subject.index.faults:
        yield Hit(where, _FAULTS[fault], "@graph")
    for node in subject.index.nodes:
        for key, value in node.data.items():
            if (type(value) is dict or type(value) is list) and _nests(value):
                yield Hit(node.id, _FAULTS["nested"], key)


def _nests(value: Any) -> bool:
    for item in value if type(value) is list else (value,):
        if type(item) is dict:
            if len(item) != 1 or type(item.get("@id")) is not str:
                literal = type(item.get("@value")) in (str, int, float, bool)
                if not (literal and item.keys() <= {"@value", "@type", "@language"}):
                    return True
        elif type(item) is list:
            return True
    return False


def version(index: Index) -> str:
    """The version of RO-Crate that the descriptor declares, such as "1.2"; "" for none or one that is none."""
    declared = index.descriptor.texts("conformsTo") if index.descriptor is not None else []
    return next((match[1] for name in declared if (match := _VERSION.fullmatch(name))), "")


def _contexts(index: Index) -> list[str]:
    """The versions of RO-Crate whose contexts are named."""
    found = index.context if type(index.context) is list else [index.context]
    return [match[1] for item in found if type(item) is str and (match := _CONTEXT.fullmatch(item))]


def context(subject: Subject) -> Iterator[Hit]:
    """RO-Crate's context, alone or in a list; 1.1 allows to spell it out."""
    if version(subject.index) != "1.1" and not _contexts(subject.index):
        yield Hit("")


def context_1_1(subject: Subject) -> Iterator[Hit]:
    if version(subject.index) == "1.1" and not _contexts(subject.index):
        yield Hit("")


def context_of_another(subject: Subject) -> Iterator[Hit]:
    declared, named = version(subject.index), _contexts(subject.index)
    if declared not in ("", "1.0", "1.1") and named and declared not in named:
        yield Hit("", f"RO-Crate {declared} and uses the context of {named[0]}")


def unknown_property(subject: Subject) -> Iterator[Hit]:
    """Each key once, where it first stands; not what another rule says (D1, D2)."""
    if not (known := _terms(subject.index)):
        return
    used: set[str] = set()
    for node in subject.index.nodes:
        used.update(node.data)
    for key in sorted(used - known - {"type", "licence"}):
        if key[:1] != "@" and ":" not in key:
            first = next(node for node in subject.index.nodes if key in node.data)
            yield Hit(first.id, f"`{key}`", key)


def unknown_type(subject: Subject) -> Iterator[Hit]:
    known = _terms(subject.index)
    for kind, nodes in subject.index.by_type.items() if known else ():
        if kind not in known:
            written = [str(each) for key in ("@type", "type") for each in nodes[0].values(key)]
            if kind in written:  # an IRI's last part is no term
                yield Hit(nodes[0].id, f"`{kind}`")


def _terms(index: Index) -> frozenset[str]:
    """Every term of the crate's contexts; none where one of them is not here: it may define anything."""
    found: frozenset[str] = frozenset()
    for part in index.context if type(index.context) is list else [index.context]:
        if type(part) is dict and "@vocab" not in part and "@import" not in part:
            found |= part.keys()
        elif type(part) is str and (terms := _carried(part)):
            found = found | terms if found else terms
        else:
            return frozenset()
    return found


@lru_cache(16)
def _carried(url: str) -> frozenset[str]:
    """The terms of a context that Cinque carries, none for another. The draft of 1.2 had those of 1.2."""
    url = url.replace("/1.2-DRAFT/", "/1.2/")
    return frozenset(contexts.terms(url)) if url in contexts.known() else frozenset()


def untyped(subject: Subject) -> Iterator[Hit]:
    for node in subject.index.nodes:
        if not node.types:
            yield Hit(node.id)


def type_misspelt(subject: Subject) -> Iterator[Hit]:
    """D1: the profile's own examples do it."""
    for node in subject.index.nodes:
        if "type" in node.data and "@type" not in node.data and node.types:
            yield Hit(node.id)


def licence_misspelt(subject: Subject) -> Iterator[Hit]:
    """D2."""
    for node in subject.index.nodes:
        if "licence" in node.data:
            yield Hit(node.id)


def no_descriptor(subject: Subject) -> Iterator[Hit]:
    if subject.index.descriptor is None:
        yield Hit("ro-crate-metadata.json")


def descriptor_type(subject: Subject) -> Iterator[Hit]:
    descriptor = subject.index.descriptor
    if descriptor is not None and not descriptor.is_a("CreativeWork"):
        yield Hit(descriptor.id)


def no_root(subject: Subject) -> Iterator[Hit]:
    root = subject.index.root
    if root is None or not root.is_a("Dataset"):
        yield Hit("./")


def local_path_undescribed(subject: Subject) -> Iterator[Hit]:
    yield from _undescribed(subject.index, paths=True)


def local_name_undescribed(subject: Subject) -> Iterator[Hit]:
    yield from _undescribed(subject.index, paths=False)


def _undescribed(index: Index, *, paths: bool) -> Iterator[Hit]:
    for node, key, target in index.dangling():
        if is_local_path(target):
            if paths:
                yield Hit(node.id, target, key)
        elif not paths and target[:1] in ("#", "_"):
            yield Hit(node.id, target, key)


def unlinked_file(subject: Subject) -> Iterator[Hit]:
    """Data entities with a path are reached from the root; those on the web may stay context."""
    index = subject.index
    reached = index.parts()
    for node in index.of_type("File", "Dataset"):
        if (
            node is not index.root
            and node is not index.descriptor
            and node.id not in reached
            and is_local_path(node.id)
        ):
            yield Hit(node.id)


def file_missing(subject: Subject) -> Iterator[Hit]:
    payload = subject.payload or {}
    for node in subject.index.by_type.get("File", ()):
        if is_local_path(node.id) and payload_path(node.id) not in payload:
            yield Hit(node.id)


def folder_missing(subject: Subject) -> Iterator[Hit]:
    """A ZIP of files alone knows no empty folder, so an empty one is as good as none."""
    index, folders = subject.index, set[str]()
    for path in subject.payload or ():
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders.add(path)
    for node in index.by_type.get("Dataset", ()):
        if node is not index.root and is_local_path(node.id) and payload_path(node.id).rstrip("/") not in folders:
            yield Hit(node.id)


def other_scheme(subject: Subject) -> Iterator[Hit]:
    """D3: `http` refers to nothing where `https` is described."""
    known = subject.index.by_id
    for node, key, target in subject.index.dangling():
        if (other := swapped(target)) and other in known:
            yield Hit(node.id, target, key)


def swapped(identifier: str) -> str:
    """The same address under the other of http and https, "" for what is neither."""
    if identifier.startswith("https://"):
        return "http" + identifier[5:]
    return "https" + identifier[4:] if identifier.startswith("http://") else ""


def reference_as_text(subject: Subject) -> Iterator[Hit]:
    known = subject.index.by_id
    for node in subject.index.nodes:
        for key, value in node.data.items():
            if key in REFERENCES:
                for item in value if type(value) is list else (value,):
                    if type(item) is str and item in known:
                        yield Hit(node.id, item, key)


def descriptor_id(subject: Subject) -> Iterator[Hit]:
    descriptor = subject.index.descriptor
    if descriptor is not None and descriptor.id != "ro-crate-metadata.json":
        yield Hit(descriptor.id, descriptor.id)


def workflow_types(subject: Subject) -> Iterator[Hit]:
    """A workflow described inside another file is context, no file (Provenance Run Crate: subworkflows)."""
    for node in subject.index.by_type.get("ComputationalWorkflow", ()):
        wanted = ("SoftwareSourceCode",) if "#" in node.id else ("File", "SoftwareSourceCode")
        if missing := [name for name in wanted if not node.is_a(name)]:
            yield Hit(node.id, " and ".join(f"a `{name}`" for name in missing))


def part_without_path(subject: Subject) -> Iterator[Hit]:
    if version(subject.index) == "1.1":
        for name in subject.index.parts():
            node = subject.index.by_id.get(name)
            if name.startswith(("#", "_:")) and node is not None and node.is_a("File", "Dataset"):
                yield Hit(name)


def preview_without_metadata(subject: Subject) -> Iterator[Hit]:
    preview = (subject.payload or {}).get("ro-crate-preview.html")
    if preview is not None and version(subject.index) == "1.1" and b"application/ld+json" not in preview:
        yield Hit("ro-crate-preview.html")
