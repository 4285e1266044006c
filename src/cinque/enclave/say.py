"""What a TRE says, as one value: read from its folder (folder.py), decided upon in policy.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Literal, TypeVar

from cinque.crate.cards import Members, PersonCard, TreCard
from cinque.crate.keys import key_id
from cinque.enclave.declared import Entry, Mistake
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.agreements import Agreement, Person, Project
from cinque.model.datasets import Dataset
from cinque.sdc.appetite import Appetite

T = TypeVar("T")
Kind = Literal["person", "project", "agreement", "analysis", "key", "tre"]


@dataclass(frozen=True, slots=True)
class Tre:
    """tre.toml: who speaks. `name`: short, as on the TRE's card; `contact`: what a refused researcher is told."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    name: str
    title: str
    ror: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Revoked:
    """One entry of revoked.toml. It counts from the moment it stands there: `on` and `reason` are for the record.
    `id` of an analysis: `name`, `name@version` or its digest `sha256:…`; of a key: its thumbprint.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    what: Kind
    id: str
    on: date
    reason: str


class FolderMistakes(Refused):
    """The folder says nothing that could be relied on. `mistakes`: all of them, in the order of files and lines."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        count = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("folder-mistakes", f"The TRE's folder has {count}.", remedy="`cinque tre check` names each.")
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Say:
    """What a TRE says, at one moment. `digest`: SHA-256 (hex) over the sorted `sha256  path` lines of its files, which
    every sign-off records. `tres`: pinned cards of TREs, without revoked ones. `places`: where each thing was said,
    by kind and id. `cards`: by person; `signers`: persons by the id of their signing key.
    """

    digest: str
    tre: Tre
    appetite: Appetite
    people: tuple[Person, ...]
    projects: tuple[Project, ...]
    agreements: tuple[Agreement, ...]
    datasets: tuple[Dataset, ...]
    tres: Members
    revoked: tuple[Revoked, ...]
    cards: Mapping[str, PersonCard]
    signers: Mapping[str, str]
    places: Mapping[tuple[str, str], Entry] = field(repr=False, compare=False)

    def person(self, id: str) -> Person:
        """Raises Refused("unknown-person"), also for the next."""
        return _found((one for one in self.people if one.id == id), "unknown-person", "This TRE does not know {}.", id)

    def card_of(self, person: str) -> PersonCard:
        """The card of the person with this id."""
        card = self.cards.get(person)
        return _found([card] if card else [], "unknown-person", "This TRE does not know {}.", person)

    def card_by_key(self, key: str) -> PersonCard:
        """The card of the person whose signing key has this id. Raises Refused("unknown-signer")."""
        if key in self.signers:
            return self.cards[self.signers[key]]
        raise Refused(
            "unknown-signer",
            "This was signed with a key that this TRE does not know.",
            rule="contracts 1",
            remedy="Send your card to the TRE and let its operator compare the fingerprint by another channel.",
        )

    def dataset(self, id: str) -> Dataset:
        """Raises Refused("unknown-dataset")."""
        return _found((one for one in self.datasets if one.id == id), "unknown-dataset", "There is no dataset {}.", id)

    def opens_for(self, person: str) -> tuple[str, ...]:
        """The keys to which something may be sealed for this person: none for who is unknown or revoked."""
        card = self.cards.get(person)
        if card is None or self.person(person).revoked or self.revoked_key(card):
            return ()
        return (card.open,)

    def knows_tre(self, id: str) -> bool:
        """Whether this TRE's card is pinned, and not revoked."""
        return any(isinstance(card, TreCard) and card.id == id for card in self.tres.cards)

    def is_revoked(self, what: Kind, *ids: str) -> bool:
        """Whether revoked.toml names one of these."""
        return any(one.what == what and one.id in ids for one in self.revoked)

    def revoked_key(self, card: PersonCard) -> bool:
        """Whether one of the keys on this card is revoked: then none of them is used."""
        return self.is_revoked("key", *card_keys(card))


def card_keys(card: PersonCard) -> tuple[str, str, str]:
    """The ids (thumbprints) of the keys that sign, open and call."""
    return key_id("Ed25519", card.sign), key_id("X25519", card.open), key_id("Ed25519", card.call)


def _found(found: Iterable[T], code: str, sentence: str, id: str) -> T:
    for one in found:
        return one
    raise Refused(code, sentence.format(f"`{id}`"), remedy="Ask the TRE's operator.")
