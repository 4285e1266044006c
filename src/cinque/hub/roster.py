"""Who is enrolled at a hub: people and TREs that came with a one-time token, and the key each of them calls with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from cinque.crate.cards import HubCard, PersonCard, TreCard, accept_change, read_card
from cinque.crate.keys import key_id
from cinque.errors import Forbidden, Refused
from cinque.hub import store
from cinque.lib.clock import Clock, rfc3339
from cinque.lib.digest import sha256_hex
from cinque.lib.ids import Random
from cinque.model.lifecycle import AuditEntry
from cinque.storage import audit
from cinque.storage.database import Database
from cinque.wire.messages import SILENT, Enrolment

TOKEN_DAYS = 7


class Roster:
    """The hub's verbs on who may call it. `waits` says whether a TRE's gate is waiting for work at this moment."""

    def __init__(
        self, database: Database, card: HubCard, waits: Callable[[str], bool], *, clock: Clock, random: Random
    ) -> None:
        self._database = database
        self._card = card
        self._waits = waits
        self._clock = clock
        self._random = random
        self._keys: dict[str, store.Party] = {}
        self._seen: dict[str, datetime] = {}
        self._since = clock()

    def invite(self, label: str) -> str:
        """A one-time token for a person or a TRE, good for a week. Only its digest is kept."""
        token = self._random(24).hex()
        with self._database.write() as conn:
            expires = self._clock().timestamp() + TOKEN_DAYS * 86400
            store.add_token(conn, sha256_hex(token.encode()), label, expires)
            self._audit(conn, AuditEntry("enrolment", "invite", "operator", self._clock(), label))
        return token

    def enrol(self, enrolment: Enrolment) -> bytes:
        """Exchange a token for a place: the card's bearer may call from now on. The hub's own card."""
        card = read_card(enrolment.card.encode())
        if isinstance(card, HubCard):
            raise Refused("card-kind", "A hub does not enrol another hub.", remedy="Send a person's or a TRE's card.")
        new = _party(card, enrolment.card)
        with self._database.write() as conn:
            known = store.party(conn, new.id)
            if known is not None:
                accept_change(known.card.encode(), enrolment.card.encode())
            other = store.party_by_key(conn, new.call_key)
            if other is not None and other.id != new.id:
                raise Refused(
                    "call-key-taken", "Somebody else here calls with this key.", remedy="Make keys of your own."
                )
            if not store.burn_token(conn, sha256_hex(enrolment.token.encode()), new.id, self._clock().timestamp()):
                raise Forbidden(
                    "token-refused",
                    "The enrolment token is unknown, used or older than a week.",
                    remedy="Ask the hub's operator for a new one.",
                )
            store.add_party(conn, new, self._clock().timestamp())
            self._audit(conn, AuditEntry(new.id, "enrol", new.call_key, self._clock(), new.kind))
        self._keys.clear()  # also the key of an earlier card, which calls no longer
        return self._card.envelope

    def public_key(self, key: str) -> str | None:
        """The public key of an enrolled caller."""
        party = self._party(key)
        return party.call_public if party else None

    def _party(self, key: str) -> store.Party | None:
        party = self._keys.get(key)
        if party is None:
            with self._database.read() as conn:
                party = store.party_by_key(conn, key)
            if party is not None:
                self._keys[key] = party
        return party

    def person(self, key: str) -> store.Party:
        """The person who calls. Raises Forbidden("not-a-person")."""
        party = self._party(key)
        if party is None or party.kind != "person":
            raise Forbidden("not-a-person", "Only an enrolled researcher may do this.")
        return party

    def peer(self, key: str) -> str:
        """The TRE whose gate calls, which is seen by it. Raises Forbidden("not-a-peer")."""
        party = self._party(key)
        if party is None or party.kind != "tre":
            raise Forbidden("not-a-peer", "Only an enrolled TRE's gate may do this.")
        self._seen[party.id] = self._clock()
        return party.id

    def tres(self) -> list[dict[str, Any]]:
        """The TREs of this federation, with the card and the signed description each gave. Pin cards elsewhere."""
        with self._database.read() as conn:
            found = store.parties(conn, "tre")
        return [
            {
                "id": p.id,
                "name": p.name,
                "card": p.card,
                "description": p.description,
                "seen": None if (seen := self._seen_at(p.id)) is None else rfc3339(seen),
            }
            for p in found
        ]

    def last_seen(self, tre: str) -> datetime:
        """When a TRE's gate called last, or, where it has not called yet, when this hub started."""
        return self._seen_at(tre) or self._since

    def silent(self, tre: str) -> bool:
        """Whether a TRE does not call. A hub that just started cannot say that of anybody."""
        return (self._clock() - self.last_seen(tre)).total_seconds() > SILENT

    def _audit(self, conn: Connection, entry: AuditEntry) -> None:
        audit.append(conn, store.AUDIT, entry, random=self._random)

    def _seen_at(self, tre: str) -> datetime | None:
        return self._clock() if self._waits(tre) else self._seen.get(tre)


def _party(card: PersonCard | TreCard, text: str) -> store.Party:
    if isinstance(card, PersonCard):
        return store.Party(card.id, "person", card.name, key_id("Ed25519", card.call), card.call, text)
    return store.Party(card.id, "tre", card.name, key_id("Ed25519", card.gate_transport), card.gate_transport, text)
