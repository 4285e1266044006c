"""Whether what the TRE's folder declares fits together: each check gives the mistakes it finds, pointing at a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cinque.crate.cards import PersonCard
from cinque.enclave.declared import Entry, Mistake, meant
from cinque.model.agreements import Agreement, Person, Project
from cinque.model.datasets import Column, Dataset

ANALYSIS = re.compile(r"(?P<name>[a-z][a-z0-9_-]*)(?:@(?P<version>[^\s@]+)(?: (?P<digest>sha256:[0-9a-f]{64}))?)?")
"""How an agreement names an analysis: `name`, `name@version` or `name@version sha256:…`."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,40}")
_ROR = re.compile(r"https://ror\.org/0[a-hj-km-np-tv-z0-9]{6}[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Declared:
    """What was read in form. `places`: every id that stands in the folder, by kind;
    `unread`: kinds of which not every file could be read; `analyses`: names installed."""

    people: Sequence[Person]
    projects: Sequence[Project]
    agreements: Sequence[Agreement]
    datasets: Sequence[Dataset]
    cards: Mapping[str, PersonCard]
    places: Mapping[tuple[str, str], Entry]
    unread: frozenset[str]
    analyses: frozenset[str]

    def lacks(self, kind: str, id: str) -> bool:
        """Whether nothing of this kind has this id, as far as everything of the kind could be read."""
        return (kind, id) not in self.places and kind not in self.unread

    def ids(self, kind: str) -> list[str]:
        """The ids of a kind."""
        return [id for known, id in self.places if known == kind]


def mistakes(declared: Declared) -> Iterator[Mistake]:
    """Every mistake that shows only when one declaration is held against another."""
    for person in declared.people:
        yield from _text(declared.places["person", person.id], id=person.id, name=person.name)
        if not person.roles:
            yield declared.places["person", person.id].mistake("They have no role here.", at=("roles",))
    for project in declared.projects:
        yield from _project(declared, project)
    for agreement in declared.agreements:
        yield from _agreement(declared, agreement)
    for dataset in declared.datasets:
        yield from _dataset(declared.places["dataset", dataset.id], dataset)


def tre(entry: Entry, name: str, title: str, ror: str) -> Iterator[Mistake]:
    """What tre.toml says of the TRE, in the forms that its card will have."""
    yield from _text(entry, title=title)
    if not _SLUG.fullmatch(name):
        said = "`name` must be lower-case letters, digits and -, at most 41 of them, a letter first."
        yield entry.mistake(said, "It is the short name on the TRE's card.", at=("name",))
    if ror and not _ROR.fullmatch(ror):
        yield entry.mistake(
            "`ror` must be of the form https://ror.org/0….", "Leave it out if there is none.", at=("ror",)
        )


def revoked_analysis(entry: Entry, id: str, analyses: frozenset[str]) -> Iterator[Mistake]:
    """A revocation that names nothing would revoke nothing."""
    found = ANALYSIS.fullmatch(id)
    if not _DIGEST.fullmatch(id) and (found is None or found["name"] not in analyses):
        remedy = meant(id.partition("@")[0], analyses) or "Write `name`, `name@version` or the digest, `sha256:…`."
        yield entry.mistake(f"No analysis is named `{id}`.", remedy, at=("id",))


def _project(declared: Declared, project: Project) -> Iterator[Mistake]:
    entry = declared.places["project", project.id]
    yield from _text(entry, id=project.id, name=project.name)
    yield from _dates(entry, project)
    for person in project.people:
        if declared.lacks("person", person):
            remedy = meant(person, declared.ids("person")) or "People are named by their id: add them to people.toml."
            said = f"Project `{project.id}` names a person that people.toml does not know: `{person}`."
            yield entry.mistake(said, remedy, at=("people",), value=person)


def _agreement(declared: Declared, agreement: Agreement) -> Iterator[Mistake]:
    entry = declared.places["agreement", agreement.id]
    yield from _text(entry, id=agreement.id, version=agreement.version, lawful_basis=agreement.lawful_basis)
    yield from _dates(entry, agreement)
    noun = f"Agreement `{agreement.id}`"
    for key, listed in (
        ("datasets", agreement.datasets),
        ("analyses", agreement.analyses),
        ("modes", agreement.modes),
    ):
        if not listed:
            yield entry.mistake(f"{noun} has an empty list of {key}, so it would permit nothing.", at=(key,))
    if agreement.max_rounds < 1:
        yield entry.mistake(f"{noun} allows no round.", "At least 1.", at=("max_rounds",))
    if declared.lacks("project", agreement.project):
        remedy = meant(agreement.project, declared.ids("project")) or "Add it to projects.toml."
        yield entry.mistake(f"{noun} names an unknown project: `{agreement.project}`.", remedy, at=("project",))
    for name in agreement.datasets:
        if declared.lacks("dataset", name):
            remedy = meant(name, declared.ids("dataset")) or "Declare it in datasets/."
            yield entry.mistake(f"{noun} names an unknown dataset: `{name}`.", remedy, at=("datasets",), value=name)
    for text in agreement.analyses:
        yield from _analysis(declared, entry, noun, text)
    yield from _columns(declared, entry, noun, agreement)


def _analysis(declared: Declared, entry: Entry, noun: str, text: str) -> Iterator[Mistake]:
    found = ANALYSIS.fullmatch(text)
    if found is None:
        said = f"{noun} names an analysis in no form that is known: `{text}`."
        remedy = "Write `name`, `name@version`, or `name@version sha256:…` with all 64 digits."
        yield entry.mistake(said, remedy, at=("analyses",), value=text)
    elif found["name"] not in declared.analyses:
        remedy = meant(found["name"], declared.analyses) or f"Installed: {', '.join(sorted(declared.analyses))}."
        said = f"{noun} names an analysis that is not installed: `{found['name']}`."
        yield entry.mistake(said, remedy, at=("analyses",), value=text)


def _columns(declared: Declared, entry: Entry, noun: str, agreement: Agreement) -> Iterator[Mistake]:
    """Each listed column is usable in one of the agreement's datasets at least."""
    covered = [dataset for dataset in declared.datasets if dataset.id in agreement.datasets]
    if agreement.columns is None or len(covered) != len(set(agreement.datasets)):
        return  # which columns there are is known only when every dataset could be read
    known = [column for dataset in covered for column in dataset.columns]
    for name in agreement.columns:
        found = [column for column in known if column.name == name]
        if not found:
            usable = [column.name for column in known if not column.identifying]
            said = f"{noun} names a column that none of its datasets has: `{name}`."
            yield entry.mistake(said, meant(name, usable), at=("columns",), value=name)
        elif all(column.identifying for column in found):
            said = f"{noun} names column `{name}`, which identifies people and is never usable."
            yield entry.mistake(said, "Take it out: people are counted without it.", at=("columns",), value=name)


def _dataset(entry: Entry, dataset: Dataset) -> Iterator[Mistake]:
    yield from _text(entry, id=dataset.id, release=dataset.release)
    source = dataset.source
    if source.service is not None:
        if (source.table is None) == (source.sql is None) or source.file or source.database or source.files:
            remedy = 'Write `service = "…"` with either `table = "schema.table"` or `sql = "SELECT …"`.'
            yield entry.mistake("A `service` has a `table` or `sql`, and nothing else.", remedy, at=("source",))
    elif source.sql is None and (source.file is None) == (source.database is None):
        remedy = 'Write `file = "…"`, `database = "…"` with `table = "…"`, `sql` over `files`, or `service = "…"`.'
        yield entry.mistake("The source names not exactly one place where the rows are.", remedy, at=("source",))
    elif source.sql is None and (source.database is not None) != (source.table is not None):
        yield entry.mistake("A `table` is named with a `database`, and only then.", at=("source",))
    if not dataset.columns:
        yield entry.mistake("The dataset declares no column.", "Add one `[[columns]]` for each.", at=("columns",))
    names = [column.name for column in dataset.columns]
    if dataset.unit is not None and dataset.unit not in names:
        remedy = meant(dataset.unit, names) or "Declare it, with `identifying = true`."
        yield entry.mistake(f"The unit is column `{dataset.unit}`, which is not declared.", remedy, at=("unit",))
    for index, column in enumerate(dataset.columns):
        yield from _column(entry, index, column, dataset)


def _column(entry: Entry, index: int, column: Column, dataset: Dataset) -> Iterator[Mistake]:
    place = ("columns", index)
    # Engines ignore the case of a name.
    if column.name.casefold() in {before.name.casefold() for before in dataset.columns[:index]}:
        yield entry.mistake(f"Column `{column.name}` is declared twice.", "Case makes no difference.", at=place)
    if column.name == dataset.unit and not column.identifying:
        said = f"Column `{column.name}` tells people apart, so a filter on it could single out one person."
        yield entry.mistake(said, "Add `identifying = true`.", at=place)
    if column.levels is None:
        return
    at = (*place, "levels")
    for level in sorted({level for level in column.levels if column.levels.count(level) > 1}):
        yield entry.mistake(f"Column `{column.name}` has the level `{level}` twice.", at=at, value=level)
    if column.type == "number":
        yield entry.mistake(f"Column `{column.name}` is a number and has levels.", "Make it text or integer.", at=at)


def _dates(entry: Entry, value: Project | Agreement) -> Iterator[Mistake]:
    if value.valid_until < value.valid_from:
        said = f"`{value.id}` ends ({value.valid_until}) before it begins ({value.valid_from})."
        yield entry.mistake(said, "Exchange the two dates, or mend one.", at=("valid_until",))


def _text(entry: Entry, **fields: str) -> Iterator[Mistake]:
    # These stand in messages, crates and terminals: nothing empty, invisible, or turning the line around.
    for key, text in fields.items():
        if not (1 <= len(text) <= 200 and text.isprintable() and text == text.strip()):
            said = f"`{key}` is empty, longer than 200 characters, or has characters that do not print."
            yield entry.mistake(said, at=(key,))
