"""The TRE's say: a folder of TOML files under the operator's version control (contracts.md section 3).

    tre.toml           name, title, ror, contact
    appetite.toml      preset = "acro-default", or own numbers
    people.toml        [[person]]      people/    the cards whose fingerprints the operator compared
    projects.toml      [[project]]
    agreements.toml    [[agreement]]   and agreements/*.toml, the same
    datasets/*.toml    one dataset each
    members/           the cards of the federation's TREs, this one's own among them
    revoked.toml       [[revoked]]     what no longer holds

Read as a whole or not at all: every mistake is found, each with file and line.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cinque.crate.cards import Members, PersonCard, TreCard, read_card
from cinque.crate.keys import key_id
from cinque.enclave import consistency
from cinque.enclave.declared import Entry, Mistake, Page, near
from cinque.enclave.say import FolderMistakes, Kind, Revoked, Say, Tre
from cinque.errors import CinqueError, Refused
from cinque.lib.digest import sha256_hex
from cinque.model.agreements import Agreement, Person, Project
from cinque.model.datasets import Column, Dataset, Source
from cinque.sdc.appetite import Appetite
from cinque.sdc.presets import appetite_from

__all__ = ["FolderMistakes", "Say", "Watcher", "compose", "digest", "read_files", "read_folder"]

FILES: Final = ("tre.toml", "appetite.toml", "people.toml", "projects.toml", "agreements.toml", "revoked.toml")
FOLDERS: Final = {"people": ".json", "agreements": ".toml", "datasets": ".toml", "members": ".json"}


def read_folder(path: Path, analyses: frozenset[str]) -> Say:
    """The say in this folder; `analyses`: names of those installed here. Raises FolderMistakes with every mistake."""
    return compose(read_files(path), analyses)


def read_files(path: Path) -> dict[str, bytes]:
    """The files of the say by their names in the folder, and nothing else that lies there, but TOML files that have no
    meaning (a misspelt name would say nothing). Raises FolderMistakes when the folder cannot be read.
    """
    try:
        names = [file.name for file in path.iterdir() if file.suffix == ".toml"]
        for folder, suffix in FOLDERS.items():
            if (path / folder).is_dir():
                inside = (path / folder).iterdir()
                names += [f"{folder}/{f.name}" for f in inside if f.suffix == suffix and not f.name.startswith(".")]
        return {name: (path / name).read_bytes() for name in sorted(names)}
    except OSError as error:
        name = Path(error.filename).name if error.filename else path.name
        raise FolderMistakes((Mistake(name, 1, f"It could not be read: {error.strerror}."),)) from error


def compose(files: Mapping[str, bytes], analyses: frozenset[str]) -> Say:
    """The say in these files (contents by name). Raises FolderMistakes."""
    return _Reading(files, analyses).say()


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 (hex) over the sorted `sha256  path` lines."""
    lines = "".join(f"{sha256_hex(content)}  {name}\n" for name, content in sorted(files.items()))
    return sha256_hex(lines.encode())


class _Reading:
    """One reading of the folder: pages, what was declared where, and the mistakes so far."""

    def __init__(self, files: Mapping[str, bytes], analyses: frozenset[str]) -> None:
        self.files = files
        self.analyses = analyses
        self.pages = {name: Page(name, content) for name, content in files.items() if name.endswith(".toml")}
        self.mistakes: list[Mistake] = []
        self.places: dict[tuple[str, str], Entry] = {}

    def say(self) -> Say:
        for name in self.files:
            if "/" not in name and name not in FILES:
                meant = near(name, FILES)
                remedy = f"Did you mean {meant}?" if meant else f"Known: {', '.join(FILES)}."
                self.mistakes.append(Mistake(name, 1, "This file has no meaning here.", remedy))
        tre = self.tre()
        appetite = self.appetite()
        revoked = tuple(self.revoked())
        gone = {(one.what, one.id) for one in revoked}
        people = self.entries("person", Person, ["people.toml"], gone)
        projects = self.entries("project", Project, ["projects.toml"], gone)
        agreements = self.entries("agreement", Agreement, ["agreements.toml", *self.inside("agreements")], gone)
        datasets = tuple(self.datasets())
        cards = {person.id: card for person in people if (card := self.card(person))}
        signers = self.signers(cards)
        members = self.members(gone)
        for page in self.pages.values():
            self.mistakes += page.mistakes
        self.mistakes += consistency.mistakes(
            consistency.Declared(
                people, projects, agreements, datasets, cards, self.places, self.unread(), self.analyses
            )
        )
        if self.mistakes or tre is None or appetite is None:
            raise FolderMistakes(tuple(sorted(set(self.mistakes))))
        return Say(
            digest(self.files),
            tre,
            appetite,
            people,
            projects,
            agreements,
            datasets,
            members,
            revoked,
            MappingProxyType(cards),
            MappingProxyType(signers),
            MappingProxyType(self.places),
        )

    def page(self, name: str) -> Page:
        return self.pages.get(name) or Page(name, b"")

    def inside(self, folder: str) -> list[str]:
        return [name for name in self.files if name.startswith(f"{folder}/")]

    def required(self, name: str, remedy: str) -> Page | None:
        """The page, unless it is missing or could not be read; either is on the list of mistakes."""
        if name not in self.pages:
            self.mistakes.append(Mistake(name, 1, "The file is missing.", remedy))
            return None
        return None if self.pages[name].mistakes else self.pages[name]

    def tre(self) -> Tre | None:
        page = self.required("tre.toml", "It says `name` and `title`.")
        tre = page.value(Tre, (), page.data, "the TRE") if page else None
        if page and tre:
            self.mistakes += consistency.tre(page.entry(), tre.name, tre.title, tre.ror)
        return tre

    def appetite(self) -> Appetite | None:
        page = self.required("appetite.toml", 'Write `preset = "acro-default"`, or `threshold = 10`.')
        if page is None:
            return None
        preset = page.data.get("preset")
        try:
            if preset is not None and (len(page.data) > 1 or not isinstance(preset, str)):
                raise Refused("appetite", "`preset` is a name in quotation marks and stands alone.")
            appetite = appetite_from(page.data if preset is None else preset)
        except CinqueError as error:
            key = next((key for key in page.data if f"`{key}`" in error.sentence), "preset")
            self.mistakes.append(page.entry().mistake(error.sentence, error.remedy, at=(key,)))
            return None
        self.places["appetite", appetite.name] = page.entry()
        return appetite

    def revoked(self) -> Iterator[Revoked]:
        for index, (one, entry) in enumerate(self.page("revoked.toml").values(Revoked, "revoked", "a revocation")):
            self.places["revoked", str(index)] = entry
            if one.what == "analysis":
                self.mistakes += consistency.revoked_analysis(entry, one.id, self.analyses)
            yield one

    def entries(self, kind: str, cls: type[Any], names: list[str], gone: set[tuple[Kind, str]]) -> Any:
        """The entries of a kind, those of revoked.toml marked revoked; an id stands for one of them."""
        found = []
        for name in names:
            for value, entry in self.page(name).values(cls, kind, _NOUNS[kind]):
                if self.place(kind, value.id, entry):
                    found.append(value)
        for name in names:
            entries = self.page(name).data.get(kind, [])
            for index, data in enumerate(entries if isinstance(entries, list) else []):
                self.mention(kind, data, self.page(name).entry(kind, index))
        return tuple(replace(one, revoked=True) if (kind, one.id) in gone else one for one in found)

    def datasets(self) -> Iterator[Dataset]:
        for name in self.inside("datasets"):
            page = self.page(name)
            nested = {"columns": Column, "source": Source}
            dataset = None if page.mistakes else page.value(Dataset, (), page.data, "a dataset", nested)
            if dataset and self.place("dataset", dataset.id, page.entry()):
                yield dataset
            self.mention("dataset", page.data, page.entry())

    def mention(self, kind: str, data: Any, entry: Entry) -> None:
        """An id is known also where the rest is not in its form, so that one mistake is not told as two."""
        if isinstance(data, dict) and isinstance(data.get("id"), str):
            self.places.setdefault((kind, data["id"]), entry)

    def unread(self) -> frozenset[str]:
        """The kinds of which some may stand in a file that is no TOML."""
        kinds = {"people": "person", "projects": "project", "datasets": "dataset"}
        broken = {name.replace(".", "/").split("/")[0] for name, page in self.pages.items() if not page.readable}
        return frozenset(kind for stem, kind in kinds.items() if stem in broken)

    def place(self, kind: str, id: str, entry: Entry) -> bool:
        """Remember where this was said; a mistake when it was said before."""
        before = self.places.setdefault((kind, id), entry)
        if before is not entry:
            where = before.mistake("")
            said = f"`{id}` is declared twice, before at {where.file}:{where.line}."
            self.mistakes.append(entry.mistake(said, "Give each its own id.", at=("id",)))
        return before is entry

    def card(self, person: Person) -> PersonCard | None:
        """The person's card, when it is theirs."""
        entry = self.places["person", person.id]
        name = person.card if "/" in person.card else f"people/{person.card}"
        content = self.files.get(name) if name.startswith("people/") else None
        if content is None:
            meant = near(name, self.inside("people"))
            remedy = f"Did you mean `{meant}`?" if meant else "Put the card that the person sent you into people/."
            self.mistakes.append(entry.mistake(f"There is no card `{name}` (a .json file).", remedy, at=("card",)))
            return None
        try:
            card = read_card(content)
        except CinqueError as error:
            said = f"The card `{name}` cannot be relied on: {error.sentence}"
            self.mistakes.append(entry.mistake(said, error.remedy, at=("card",)))
            return None
        if not isinstance(card, PersonCard):
            self.mistakes.append(entry.mistake(f"`{name}` is not the card of a person.", at=("card",)))
            return None
        for key, said, stands in (("id", person.id, card.id), ("name", person.name, card.name)):
            if said != stands:
                remedy = "Use the card's, if its fingerprint is the one that you compared."
                wrong = f"The {key} is `{said}`, but on the card `{name}` it is `{stands}`."
                self.mistakes.append(entry.mistake(wrong, remedy, at=(key,)))
        return card

    def signers(self, cards: Mapping[str, PersonCard]) -> dict[str, str]:
        """Whose signing key is whose: a key that two people have would prove nothing."""
        found: dict[str, str] = {}
        for person, card in cards.items():
            if found.setdefault(key_id("Ed25519", card.sign), person) != person:
                entry = self.places["person", person]
                said = f"Their signing key is also on the card of `{found[key_id('Ed25519', card.sign)]}`."
                self.mistakes.append(entry.mistake(said, "Each person has keys of their own.", at=("card",)))
        return found

    def members(self, gone: set[tuple[Kind, str]]) -> Members:
        """The pinned TREs that are not revoked."""
        good: list[bytes] = []
        for name in self.inside("members"):
            try:
                card = read_card(self.files[name])
                if not isinstance(card, TreCard):
                    raise Refused("member", "It is not the card of a TRE.")
                self.places["tre", card.id] = Page(name, b"").entry()
                if ("tre", card.id) not in gone:
                    Members.of([*good, self.files[name]])
                    good.append(self.files[name])
            except CinqueError as error:
                self.mistakes.append(Mistake(name, 1, error.sentence, error.remedy))
        return Members.of(good)


_NOUNS = {"person": "a person", "project": "a project", "agreement": "an agreement"}


# ---------------------------------------------------------------------------------------------------------- watching
class Watcher:
    """The say in force. Looking costs one `stat` a file; the folder is read again when one of them changed.

    A new version with mistakes is not taken: the last good one stays, and `mistakes` says why. What its revoked.toml
    revokes in addition holds at once all the same, so that a slip elsewhere cannot keep a revocation waiting.
    """

    def __init__(self, path: Path, analyses: frozenset[str]) -> None:
        """Raises FolderMistakes when there is no good version to begin with."""
        self._path = path
        self._analyses = analyses
        self._lock = threading.Lock()
        self.mistakes: tuple[Mistake, ...] = ()
        self._names: tuple[str, ...] = ()
        self._paths: tuple[str, ...] = ()
        self._seen: tuple[tuple[int, ...] | None, ...] = ()  # so the first look reads again what changed meanwhile
        self._files = read_files(path)
        self._say = compose(self._files, analyses)
        self._watch(self._files)

    def current(self) -> Say:
        """The say in force now."""
        if self._signature() != self._seen:
            with self._lock:
                self._read_again()
        return self._say

    def _read_again(self) -> None:
        seen = self._signature()
        if seen == self._seen:
            return  # another thread was first
        files: Mapping[str, bytes] = {}
        try:
            files = read_files(self._path)
            self._say, self._files, self.mistakes = compose(files, self._analyses), dict(files), ()
        except FolderMistakes as error:
            self.mistakes = error.mistakes
            self._revoke(files)
        self._seen = seen
        self._watch(files)
        if not files:
            self._seen = ()  # it could not be read: look again until it can

    def _revoke(self, files: Mapping[str, bytes]) -> None:
        if "revoked.toml" not in files:
            return
        merged = {**self._files, "revoked.toml": files["revoked.toml"]}
        try:
            say = compose(merged, self._analyses)
        except FolderMistakes:
            return
        if set(self._say.revoked) <= set(say.revoked):
            self._say, self._files = say, merged

    def _watch(self, files: Mapping[str, bytes]) -> None:
        """Watch these files from now on; folders tell of new ones. A new name is read once more when next looked at."""
        names = ("", *FOLDERS, *files)
        if names != self._names:
            before = dict(zip(self._names, self._seen, strict=False))
            self._seen = tuple(before.get(name) for name in names)
            self._names, self._paths = names, tuple(os.path.join(self._path, name) for name in names)  # noqa: PTH118

    def _signature(self) -> tuple[tuple[int, ...] | None, ...]:
        return tuple([_state(path) for path in self._paths])


def _state(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - in the path of every request: half the cost of Path.stat
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
