"""Cards: who somebody is and which keys are theirs, signed by themselves (contracts.md section 1).

A card proves that one party wrote all of it, never who that party is: that is what `fingerprint` is for, compared once
by another channel before a card is pinned. Keys are never learned from the hub. After pinning, `accept_change` lets a
card be replaced only by whom the old one already named. `read_card` keeps the signed bytes in `envelope`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from cinque.crate.dsse import open_envelope, seal_envelope
from cinque.crate.keys import KeyRing, Kind, SigningKey, key_id, public_bytes, write_file
from cinque.errors import Incompatible, NotFound, Refused, Unreadable
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.parse import dump, parse, parse_strict
from cinque.model import CLOSED

CARD_TYPE = "https://w3id.org/cinque/card"
TRE_PREFIX = "urn:cinque:tre:"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonCard:
    """A person. `id`: ORCID (https://orcid.org/…) or urn:uuid; `sign`, `open`, `call`: public keys (base64url);
    `serial` grows with each change; valid on every day from `valid_from` to `valid_until`, both included.
    `replaces`: the signing key that this card's takes over from, which then has signed the card too.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["person"] = "person"
    version: Literal[1] = 1
    id: str
    name: str
    affiliation_name: str
    affiliation_ror: str = ""
    sign: str
    open: str
    call: str
    serial: int
    valid_from: date
    valid_until: date | None = None
    replaces: str | None = None
    envelope: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreCard:
    """A TRE. `id`: urn:cinque:tre: and the id of `root`; `name`: short, for folders and messages; `seal` opens what is
    sealed to the enclave, every other key signs; `appetite`: SHA-256 (hex) of the risk appetite in force.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["tre"] = "tre"
    version: Literal[1] = 1
    id: str
    name: str
    title: str
    ror: str = ""
    root: str
    release: str
    seal: str
    enclave_call: str
    gate_transport: str
    gate_record: str
    appetite: str
    serial: int
    valid_from: date
    valid_until: date | None = None
    envelope: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCard:
    """The hub: `receipt` signs that something arrived, never that it may be done; `call` signs its calls."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["hub"] = "hub"
    version: Literal[1] = 1
    name: str
    url: str = ""
    receipt: str
    call: str
    serial: int = 1
    envelope: bytes = field(default=b"", repr=False, compare=False)


Card = PersonCard | TreCard | HubCard
_CLASSES: dict[str, type[Card]] = {"person": PersonCard, "tre": TreCard, "hub": HubCard}


# ----------------------------------------------------------------------------------------------- reading and issuing
def read_card(data: bytes) -> Card:
    """The card in this signed envelope, its form and signatures checked (a TRE's by its root, others by themselves).

    Raises Refused: `card-malformed`, `card-version` (Incompatible), `signature-invalid`, or what `open_envelope` says.
    Neither trust nor validity on a day is implied.
    """
    envelope = open_envelope(data, CARD_TYPE)
    body = strict_loads(envelope.payload)
    kind = body.get("type") if isinstance(body, dict) else None
    cls = _CLASSES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise _malformed("its type is not person, tre or hub")
    if body.get("version") != 1:
        raise Incompatible("card-version", "The card is of a version unknown here.", remedy="Upgrade Cinque.")
    card = parse(cls, body, "The card", code="card-malformed")
    _check(card)
    if _payload(card) != envelope.payload:
        raise _malformed("its JSON is not in canonical form (RFC 8785)")
    envelope.verify(*_signers(card))
    return replace(card, envelope=data)


def issue_card(card: Card, *keys: SigningKey) -> bytes:
    """The signed envelope (a TRE's by its root, a hub's by `receipt`). Raises Refused as `read_card` of it would."""
    return read_card(seal_envelope(CARD_TYPE, _payload(card), *keys)).envelope


def issue_person_card(
    ring: KeyRing,
    *,
    id: str,
    name: str,
    affiliation_name: str,
    valid_from: date,
    affiliation_ror: str = "",
    valid_until: date | None = None,
    serial: int = 1,
    replaces: SigningKey | None = None,
) -> bytes:
    """The card of a person with the keys `sign`, `open`, `call`; also signed by the key it `replaces`, if any."""
    card = PersonCard(
        id=id,
        name=name,
        affiliation_name=affiliation_name,
        affiliation_ror=affiliation_ror,
        sign=ring.sign("sign").public,
        open=ring.open("open").public,
        call=ring.sign("call").public,
        serial=serial,
        valid_from=valid_from,
        valid_until=valid_until,
        replaces=replaces.public if replaces else None,
    )
    return issue_card(card, ring.sign("sign"), *([replaces] if replaces else []))


def tre_id(root: str) -> str:
    """The id of the TRE with this root key (base64url)."""
    return TRE_PREFIX + key_id("Ed25519", root)


def fingerprint(card: Card) -> str:
    """What two people compare by telephone: eight groups of four characters (A-Z, 2-7), 160 bits of the SHA-256 of the
    card's type and its own key (a TRE's root, a person's `sign`, a hub's `receipt`). The whole card is signed by this
    key, so nobody else can make another card with the same fingerprint, and it stays the same while the key does.
    """
    own = public_bytes("Ed25519", _signers(card)[0])
    digest = hashlib.sha256(b"cinque card 1 " + card.type.encode("ascii") + b" " + own).digest()
    text = base64.b32encode(digest[:20]).decode("ascii")
    return "-".join(text[place : place + 4] for place in range(0, 32, 4))


def check_valid(card: PersonCard | TreCard, day: date) -> None:
    """Raises Refused("card-not-valid") unless the card is valid on this day."""
    if day < card.valid_from or (card.valid_until is not None and day > card.valid_until):
        raise Refused(
            "card-not-valid",
            f"The card of {card.name} is not valid on {day.isoformat()}.",
            remedy="Ask its owner for the present card.",
        )


def accept_change(pinned: bytes, offered: bytes) -> Card:
    """The offered card, when it may take the place of the pinned one; the same card again is no change.

    A TRE's root signs every change, a person's or hub's own key theirs; a person's new signing key needs the old one's
    signature besides. Raises Refused: `card-key-changed`, `card-outdated` (serial not higher), `card-other`, or what
    `read_card` says of either.
    """
    old, new = read_card(pinned), read_card(offered)
    if new == old:
        return old
    if type(new) is not type(old) or _identity(new) != _identity(old):
        raise Refused("card-other", "The new card is of somebody else than the pinned one.")
    own, before = _signers(new)[0], _signers(old)[0]
    if own != before and not (isinstance(new, PersonCard) and new.replaces == before):
        raise Refused(
            "card-key-changed",
            f"The card of {new.name} has another key than the pinned one, and the pinned key did not sign the change.",
            remedy="Ask its owner by another channel. If the key was lost, compare the new fingerprint, then pin anew.",
        )
    if new.serial <= old.serial:
        raise Refused(
            "card-outdated",
            f"The card of {new.name} differs from the pinned one, yet its serial ({new.serial}) is not higher.",
            remedy="Ask its owner for the present card.",
        )
    return new


# ----------------------------------------------------------------------------------------------------------- checks
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ORCID = re.compile(r"https://orcid\.org/((?:[0-9]{4}-){3}[0-9]{3}[0-9X])")
_ROR = re.compile(r"https://ror\.org/0[a-hj-km-np-tv-z0-9]{6}[0-9]{2}")
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,40}")
_URL = re.compile(r"https?://[!-~]{1,400}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _payload(card: Card) -> bytes:
    return canonical({name: value for name, value in dump(card).items() if name != "envelope"})


def _signers(card: Card) -> tuple[str, ...]:
    """The keys whose signatures the card must carry, its own first."""
    if isinstance(card, TreCard):
        return (card.root,)
    if isinstance(card, HubCard):
        return (card.receipt,)
    return (card.sign,) if card.replaces is None else (card.sign, card.replaces)


def _keys(card: Card) -> list[tuple[Kind, str]]:
    if isinstance(card, PersonCard):
        return [("Ed25519", card.sign), ("X25519", card.open), ("Ed25519", card.call)]
    if isinstance(card, HubCard):
        return [("Ed25519", card.receipt), ("Ed25519", card.call)]
    signing = (card.root, card.release, card.enclave_call, card.gate_transport, card.gate_record)
    return [*(("Ed25519", key) for key in signing), ("X25519", card.seal)]


def _identity(card: Card) -> str:
    return "hub" if isinstance(card, HubCard) else card.id


def _check(card: Card) -> None:
    for kind, key in _keys(card):
        public_bytes(kind, key)
    if len({key for _, key in _keys(card)}) != len(_keys(card)):
        raise _malformed("it has one key for two jobs")
    if not 1 <= card.serial <= 2**31:
        raise _malformed("its serial is not a number from 1")
    _check_text("name", card.name)
    if isinstance(card, HubCard):
        if card.url and not _URL.fullmatch(card.url):
            raise _malformed("its url is no web address")
        return
    if card.valid_until is not None and card.valid_until < card.valid_from:
        raise _malformed("it ends before it begins")
    ror = card.ror if isinstance(card, TreCard) else card.affiliation_ror
    if ror and not _ROR.fullmatch(ror):
        raise _malformed("its ROR is not of the form https://ror.org/0…")
    if isinstance(card, TreCard):
        if card.id != tre_id(card.root):
            raise _malformed("its id is not that of its root key")
        if not _SLUG.fullmatch(card.name):
            raise _malformed("its name is not lower-case letters, digits and -, at most 41 of them")
        if not _SHA256.fullmatch(card.appetite):
            raise _malformed("its appetite is not a SHA-256")
        _check_text("title", card.title)
        return
    if card.replaces is not None and card.replaces in {key for _, key in _keys(card)}:
        raise _malformed("it replaces a key by itself")
    if not (_UUID.fullmatch(card.id) or _is_orcid(card.id)):
        raise _malformed("its id is neither an ORCID (https://orcid.org/…) nor a urn:uuid")
    _check_text("affiliation_name", card.affiliation_name)


def _check_text(which: str, text: str) -> None:
    # A person reads this beside the fingerprint: nothing invisible, nothing that turns the line around.
    if not (1 <= len(text) <= 200 and text.isprintable() and text == text.strip()):
        raise _malformed(f"its {which} is empty, longer than 200 characters, or has characters that do not print")


def _is_orcid(text: str) -> bool:
    # ISO 7064 MOD 11-2, as ORCID describes it: a mistyped digit is somebody else.
    match = _ORCID.fullmatch(text)
    if not match:
        return False
    digits = match[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == digits[-1]


def _malformed(why: str) -> Refused:
    return Refused("card-malformed", f"The card is refused: {why}.", remedy="Ask its owner to issue it again.")


# ---------------------------------------------------------------------------------------------------------- members
T = TypeVar("T", PersonCard, TreCard, HubCard)


@dataclass(frozen=True, slots=True)
class _MembersFile:
    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["cinque-members"]
    version: Literal[1]
    cards: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Members:
    """Pinned cards. Made by `of`: one id, one name of a TRE, one key stands on one card."""

    cards: tuple[Card, ...]
    _by_key: Mapping[str, Card] = field(repr=False, compare=False)

    @classmethod
    def of(cls, envelopes: Iterable[bytes]) -> Members:
        """The members with these cards. Raises Refused("members-duplicate") or what `read_card` says."""
        cards = tuple(read_card(one) for one in envelopes)
        _check_apart("id", [_identity(card) for card in cards])
        _check_apart("name", [card.name for card in cards if isinstance(card, TreCard)])
        _check_apart("key", [public for card in cards for _, public in _keys(card)])
        return cls(cards, {key_id(kind, public): card for card in cards for kind, public in _keys(card)})

    @classmethod
    def load(cls, path: Path) -> Members:
        """From a members file. Raises Unreadable("members-unreadable") or Refused (`members-malformed`, …)."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Unreadable(
                "members-unreadable", f"The members file {path.name} could not be read: {error.strerror}."
            ) from error
        file = parse_strict(_MembersFile, data, "The members file", code="members-malformed")
        try:
            return cls.of(canonical(card) for card in file.cards)
        except ValueError as error:
            raise Refused("members-malformed", "The members file holds a number that no card has.") from error

    def save(self, path: Path) -> None:
        """Write the members file, whole or not at all, in the place of the old one."""
        body = {"type": "cinque-members", "version": 1, "cards": [strict_loads(card.envelope) for card in self.cards]}
        write_file(path, canonical(body) + b"\n", mode=0o644, replace=True)

    def with_card(self, envelope: bytes) -> Members:
        """These members and this card: a pinned one is replaced as `accept_change` allows, a new one is pinned, which
        the caller decides by its fingerprint.
        """
        new = read_card(envelope)
        same = [card for card in self.cards if _identity(card) == _identity(new)]
        for card in same:
            accept_change(card.envelope, envelope)
        return Members.of([*(card.envelope for card in self.cards if card not in same), envelope])

    def tre(self, id: str) -> TreCard:
        """By urn:cinque:tre:… Raises NotFound("tre-unknown"), as do the next two."""
        return _found(TreCard, "tre", (card for card in self.cards if _identity(card) == id))

    def tre_by_name(self, name: str) -> TreCard:
        """By its short name."""
        return _found(TreCard, "tre", (card for card in self.cards if isinstance(card, TreCard) and card.name == name))

    def tre_by_key(self, key: str) -> TreCard:
        """By the id of any of its keys; the caller then uses the key of the job, not the one named."""
        return _found(TreCard, "tre", [self._by_key.get(key)])

    def person(self, id: str) -> PersonCard:
        """By ORCID or urn:uuid. Raises NotFound("person-unknown"), as does the next."""
        return _found(PersonCard, "person", (card for card in self.cards if _identity(card) == id))

    def person_by_key(self, key: str) -> PersonCard:
        """By the id of any of their keys; the caller then uses the key of the job, not the one named."""
        return _found(PersonCard, "person", [self._by_key.get(key)])

    def hub(self) -> HubCard:
        """Raises NotFound("hub-unknown")."""
        return _found(HubCard, "hub", self.cards)


def _check_apart(what: str, values: list[str]) -> None:
    if len(set(values)) != len(values):
        raise Refused(
            "members-duplicate",
            f"Two cards have the same {what}, so it would not be clear whose it is.",
            remedy="Keep the one whose fingerprint you compared.",
        )


def _found(cls: type[T], what: str, cards: Iterable[Card | None]) -> T:
    for card in cards:
        if isinstance(card, cls):
            return card
    raise NotFound(
        f"{what}-unknown",
        f"No pinned card of this {'TRE' if what == 'tre' else what}.",
        remedy="Get the card by a channel other than the hub, compare its fingerprint, and pin it.",
    )
