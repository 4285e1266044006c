"""What `cinque crate mend` changes in a graph, and nothing else: slips that have one right answer.

Each mend is a function that changes a `Draft` and says so; it leaves the graph in a state in which it has nothing more
to do. Where two answers are possible, or where an answer would vouch for something (a review that the root does not
mention may be one that a TRE removed, R97), nothing is changed and the finding stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from cinque.crate.graph import SHA512_TERM
from cinque.crate.index import DESCRIPTOR, Index, is_local_path, payload_path, reference
from cinque.crate.profiles import CLAIMED, FIVE_SAFES, profile
from cinque.crate.profiles.ro_crate.checks import REFERENCES, swapped
from cinque.crate.profiles.ro_crate.checks import version as declared_version
from cinque.crate.slips import moment, status
from cinque.crate.stages import phases, state

_ROUNDS = 8  # two are enough for what people write; a graph that never settles ends here


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed, in words: at which property of which entity (or file), under which rule."""

    entity: str
    property: str
    sentence: str
    rule: str

    def to_dict(self) -> dict[str, str]:
        """As in the command's JSON."""
        return {"entity": self.entity, "property": self.property, "change": self.sentence, "rule": self.rule}


@dataclass(slots=True)
class Draft:
    """A metadata document on its way. `payload`: the files beside it, None where they are not there."""

    document: dict[str, Any]
    payload: Mapping[str, bytes] | None
    changes: list[Change] = field(default_factory=list)
    places: dict[str, str] | None = None

    @property
    def entities(self) -> list[dict[str, Any]]:
        """The entities of the graph that are JSON objects."""
        return [entity for entity in self.document["@graph"] if type(entity) is dict]

    @property
    def names(self) -> set[str]:
        """The ids of the entities that have one."""
        return {entity["@id"] for entity in self.entities if type(entity.get("@id")) is str}

    @property
    def index(self) -> Index:
        """The graph as it is now, indexed anew."""
        return Index(self.document)

    def say(self, entity: Any, property: str, sentence: str, rule: str) -> None:
        """Record a change."""
        self.changes.append(Change(entity if type(entity) is str else "", property, sentence, rule))

    def values(self) -> Iterator[tuple[dict[str, Any], str, list[Any]]]:
        """Every property of every entity as a list that can be written to; a value alone becomes one again after."""
        for entity in self.entities:
            for key, value in list(entity.items()):
                if key not in ("@id", "@type"):
                    items = list(value) if type(value) is list else [value]
                    yield entity, key, items
                    if items != (value if type(value) is list else [value]):
                        entity[key] = items if type(value) is list else items[0]

    def link(self, owner: str, name: str, *targets: str) -> None:
        """Append references to a property of an entity."""
        if targets:
            entity = next(each for each in self.entities if each.get("@id") == owner)
            value = entity.get(name)
            values = [] if value is None else list(value) if type(value) is list else [value]
            entity[name] = [*values, *({"@id": target} for target in targets)]

    def kind(self, name: str) -> str:
        """What lies at this path in the payload: a `File`, a `Dataset`, "" for nothing, and for a part of a file."""
        if "#" in name or "?" in name:
            return ""
        if self.places is None:
            self.places = {}
            for path in self.payload or ():
                self.places[path] = "File"
                while (path := path.rpartition("/")[0]) and path not in self.places:
                    self.places[path] = "Dataset"
        return self.places.get(payload_path(name).rstrip("/"), "")


def mend_graph(draft: Draft) -> None:
    """Every mend, in the order in which one prepares the next, until a round finds nothing more to do."""
    for _ in range(_ROUNDS):
        before = len(draft.changes)
        for mend in _MENDS:
            mend(draft)
        if len(draft.changes) == before:
            return


# ------------------------------------------------------------------------------------------------ keys and names

_KEY_RULES = {"@type": "RC-type", "@id": "RC-graph", "license": "RC-license"}
_ALIASES = {"type": "@type", "id": "@id", "licence": "license"}
_KEYS = {
    key.lower(): key
    for key in (
        "actionStatus", "additionalType", "conformsTo", "datePublished", "encodingFormat", "endTime", "exampleOfWork",
        "hasPart", "license", "mainEntity", "memberOf", "mentions", "sourceOrganization", "startTime",
    )
}  # fmt: skip


def _keys(draft: Draft) -> None:
    """D1, D2, and letters of another case."""
    for entity in draft.entities:
        for key in list(entity):
            right = _ALIASES.get(key) or _KEYS.get(key.lower(), key)
            if right != key and right not in entity and (right != "@id" or type(entity[key]) is str):
                pairs = [(right if name == key else name, value) for name, value in entity.items()]
                entity.clear()
                entity.update(pairs)
                draft.say(entity.get("@id"), right, f"`{key}` is now `{right}`.", _KEY_RULES.get(right, "RC-term"))


_PERMALINK = re.compile(r"http://(?=w3id\.org/(?:5s-crate/|shp#|ro/(?:crate|wfrun|terms)\b|workflowhub/))")
_TERM = re.compile(r"https://(?=schema\.org/)")
_TERM_KEYS = ("@type", "actionStatus", "additionalType", "permissionType")


def _schemes(draft: Draft) -> None:
    """Names that differ from the right one by the `s` of `https` (R105)."""
    known = draft.names
    context = draft.document.get("@context")
    for place, name in enumerate(context if type(context) is list else [context]):
        if type(name) is str and _PERMALINK.match(name):
            right = _PERMALINK.sub("https://", name)
            draft.document["@context"] = (
                [*context[:place], right, *context[place + 1 :]] if type(context) is list else right
            )
            draft.say("", "@context", f"`{name}` is now `{right}`.", "R105")
            context = draft.document["@context"]
    for entity in draft.entities:
        name = entity.get("@id")
        if type(name) is str and _PERMALINK.match(name) and (right := _PERMALINK.sub("https://", name)) not in known:
            entity["@id"] = right
            known.add(right)
            draft.say(right, "@id", f"`{name}` is now `{right}`.", "R105")
        if "@type" in entity:
            kinds = entity["@type"] if type(entity["@type"]) is list else [entity["@type"]]
            for kind in [kind for kind in kinds if type(kind) is str and _TERM.match(kind)]:
                kinds = [_TERM.sub("http://", kind) if each == kind else each for each in kinds]
                entity["@type"] = kinds if type(entity["@type"]) is list else kinds[0]
                draft.say(name, "@type", f"`{kind}` is now `{_TERM.sub('http://', kind)}`.", "R105")
    for entity, key, items in draft.values():
        for place, item in enumerate(items):
            name = item if type(item) is str and key in _TERM_KEYS else reference(item)
            if name is not None and (_PERMALINK.match(name) or (key in _TERM_KEYS and _TERM.match(name))):
                right = _TERM.sub("http://", _PERMALINK.sub("https://", name))
                items[place] = right if type(item) is str else {**item, "@id": right}
                draft.say(entity.get("@id"), key, f"`{name}` is now `{right}`.", "R105")


def _descriptor(draft: Draft) -> None:
    names = draft.names
    if DESCRIPTOR not in names and "./" + DESCRIPTOR in names:
        for entity in draft.entities:
            if entity.get("@id") == "./" + DESCRIPTOR:
                entity["@id"] = DESCRIPTOR
                draft.say(DESCRIPTOR, "@id", f"`./{DESCRIPTOR}` is now `{DESCRIPTOR}`.", "RC-descriptor")
        for _, _, items in draft.values():
            items[:] = [{"@id": DESCRIPTOR} if item == {"@id": "./" + DESCRIPTOR} else item for item in items]
        names.add(DESCRIPTOR)
    context = draft.document.get("@context")
    named = [c for c in (context if type(context) is list else [context]) if type(c) is str]
    versions = [c.removesuffix("/context") for c in named if c.startswith("https://w3id.org/ro/crate/1.")]
    if DESCRIPTOR not in names and "./" in names and versions:
        made = {"@id": DESCRIPTOR, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": versions[0]}}
        draft.document["@graph"].insert(0, made)
        draft.say(DESCRIPTOR, "", "The metadata descriptor is added, as its context implies.", "RC-descriptor")
    for entity in draft.entities:
        if entity.get("@id") == DESCRIPTOR and "about" not in entity and "./" in names:
            entity["about"] = {"@id": "./"}
            draft.say(DESCRIPTOR, "about", "It is now said to be about `./`.", "RC-descriptor")


# ------------------------------------------------------------------------------------------------ the graph's form


def _nested(draft: Draft) -> None:
    """An entity inside another, with a name of its own, moves beside it."""
    graph = draft.document["@graph"]
    known = draft.names
    moved = True
    while moved:
        moved = False
        for entity, _, items in draft.values():
            for place, item in enumerate(items):
                if type(item) is dict and len(item) > 1 and type(item.get("@id")) is str and "@value" not in item:
                    if item["@id"] in known or not {"@type", "type"} & item.keys():
                        continue
                    items[place] = {"@id": item["@id"]}
                    graph.append(item)
                    known.add(item["@id"])
                    moved = True
                    draft.say(
                        item["@id"], "", f"It stood inside `{entity.get('@id')}`, and now stands beside it.", "RC-graph"
                    )
    _keys(draft)


def _references(draft: Draft) -> None:
    """References written as text, and references that miss what they mean by a scheme, `./`, `/` or a percent sign."""
    known = draft.names
    for entity, key, items in draft.values():
        for place, item in enumerate(items):
            if type(item) is str and key in REFERENCES and item in known:
                items[place] = {"@id": item}
                draft.say(entity.get("@id"), key, f"The text `{item}` is now a reference.", "RC-reference")
            elif (target := reference(item)) is not None and target not in known and len(item) == 1:
                meant = {name for name in _spellings(target) if name in known}
                if len(meant) == 1:
                    right = meant.pop()
                    items[place] = {"@id": right}
                    draft.say(
                        entity.get("@id"),
                        key,
                        f"The reference `{target}` is now `{right}`, as it is described.",
                        "RC-described",
                    )


def _spellings(name: str) -> set[str]:
    found = {swapped(name), name.removesuffix("/"), name + "/"}
    if is_local_path(name) and "#" not in name and "?" not in name:
        plain = payload_path(name)
        found |= {plain, "./" + plain, quote(plain), plain.removesuffix("/"), plain + "/"}
    return found - {name, "", "/", "./"}


def _types(draft: Draft) -> None:
    index = draft.index
    for entity in draft.entities:
        name, kinds = entity.get("@id"), entity.get("@type")
        listed = [kind for kind in (kinds if type(kinds) is list else [kinds]) if type(kind) is str]
        wanted = ""
        if index.root is not None and name == index.root.id and not index.root.is_a("Dataset"):
            wanted = "Dataset"
        elif name == DESCRIPTOR and "CreativeWork" not in listed:
            wanted = "CreativeWork"
        elif listed == ["Profile"]:
            entity["@type"] = ["CreativeWork", "Profile"]
            draft.say(name, "@type", "A `Profile` is now a `CreativeWork` as well.", "R21")
        elif not listed and type(name) is str and is_local_path(name):
            wanted = draft.kind(name)
        if wanted:
            entity["@type"] = [*listed, wanted] if listed else wanted
            draft.say(name, "@type", f"It is now a `{wanted}`.", "RC-type")


# ------------------------------------------------------------------------------------------------ what is implied


def _known_things(draft: Draft) -> None:
    """Terms that everybody calls by these names, and the profiles that the root declares (RC12-profile)."""
    index = draft.index
    kinds = (
        "CreativeWork" if declared_version(index) == "1.1" else ["CreativeWork", "Profile"]
    )  # 1.1 knows no `Profile`
    things: dict[str, dict[str, Any]] = {SHA512_TERM: {"@id": SHA512_TERM, "@type": "DefinedTerm", "name": "SHA-512"}}
    for name in (FIVE_SAFES, *CLAIMED):
        title, _, version = profile(name).name.rpartition(" ")
        things[name] = {"@id": name, "@type": kinds, "name": title, "version": version}
    named = {target for _, key, _, target in index.references() if key == "instrument"}
    named |= set(index.root.ids("conformsTo")) if index.root is not None else set()
    for target, thing in things.items():
        if target in named and target not in index.by_id:
            draft.document["@graph"].append(thing)
            draft.say(target, "", f"It is now described: {thing['name']}.", "RC-described")


def _files(draft: Draft) -> None:
    """Files of the payload that the graph refers to and does not describe."""
    index = draft.index
    for target in dict.fromkeys(target for _, _, _, target in index.references()):
        if target not in index.by_id and is_local_path(target) and (kind := draft.kind(target)):
            draft.document["@graph"].append({"@id": target, "@type": kind, "name": payload_path(target)})
            draft.say(target, "", f"It is now described as a `{kind}`: it is in the payload.", "RC-described")


def _parts(draft: Draft) -> None:
    """`hasPart` (RC-hasPart, R81). Not what a failed disclosure check should have taken out (R76)."""
    index = draft.index
    if index.root is None:
        return
    found = phases(index)
    withheld = bool(found.disclosure) and state(found.disclosure[-1]) == "Failed"
    results = {name for run in found.run for name in run.ids("result")}
    reached, added = index.parts(), list[str]()
    for node in index.nodes:
        apart = node is index.root or node is index.descriptor or node.id in reached
        data = node.is_a("File", "Dataset") and is_local_path(node.id)
        output = node.id in results and node.is_a("File", "Dataset", "Collection", "DigitalDocument")
        held = withheld and (node.id in results or payload_path(node.id).startswith("outputs/"))
        if not apart and (data or output) and not held:
            added.append(node.id)
            draft.say(
                index.root.id, "hasPart", f"`{node.id}` is now part of the crate.", "R81" if output else "RC-hasPart"
            )
    draft.link(index.root.id, "hasPart", *added)


def _mentions(draft: Draft) -> None:
    """The requested run (R29) and what is no review (R51). Reviews are not mentioned for anybody: see R97."""
    index = draft.index
    if index.root is None:
        return
    mentioned, workflow = set(index.root.ids("mentions")), set(index.root.ids("mainEntity"))
    runs = [node for node in index.of_type("CreateAction") if not workflow.isdisjoint(node.ids("instrument"))]
    implied = [runs[0]] if len(runs) == 1 else []
    for node in [*implied, *index.of_type("DownloadAction", "UpdateAction", "ReceiveAction")]:
        if node.id and node.id not in mentioned:
            draft.link(index.root.id, "mentions", node.id)
            draft.say(index.root.id, "mentions", f"`{node.id}` is now mentioned.", "R29" if node in implied else "R51")


# ------------------------------------------------------------------------------------------------ values


def _statuses(draft: Draft) -> None:
    """Any spelling of one of the four states becomes that state, as text (R32, D11, D14)."""
    for entity, key, items in draft.values():
        if key != "actionStatus" or len(items) != 1:
            continue
        name = reference(items[0]) or items[0]
        right = status(name) if type(name) is str else ""
        if right and items[0] != right:
            said = f"`{name}` is now `{right}`." if name != right else f"The reference to `{right}` is now text."
            items[0] = right
            draft.say(entity.get("@id"), key, said, "R32")


_DATES = ("startTime", "endTime", "datePublished", "dateCreated", "dateModified")


def _dates(draft: Draft) -> None:
    """Dates that parse in one way: year first. A time without a zone stays: nobody knows which moment it is."""
    for entity, key, items in draft.values():
        for place, item in enumerate(items):
            if key in _DATES and type(item) is str and (right := moment(item)):
                items[place] = right
                draft.say(
                    entity.get("@id"),
                    key,
                    f"`{item}` is now `{right}`.",
                    "R59" if "Time" in key else "RC-datePublished",
                )


_MENDS: Final[tuple[Callable[[Draft], None], ...]] = (
    _keys, _nested, _schemes, _descriptor, _references, _types, _statuses, _dates, _files, _known_things, _parts,
    _mentions,
)  # fmt: skip
