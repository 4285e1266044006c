"""What is known of the TREs of a federation: pinned cards, and what a TRE says under its own signature."""

from __future__ import annotations

from dataclasses import dataclass

from cinque.crate import dsse
from cinque.crate.cards import TreCard
from cinque.errors import Refused
from cinque.lib.parse import parse_strict
from cinque.wire.messages import DESCRIPTION_TYPE, Description


@dataclass(frozen=True, slots=True)
class Known:
    """A TRE of the federation: its pinned card, and what it says may be asked there (None: it said nothing yet)."""

    card: TreCard
    description: Description | None
    seen: str | None


def description(card: TreCard, envelope: str | None) -> Description | None:
    """What the TRE says may be asked there, when its card's release key signed it; else None."""
    if not envelope:
        return None
    try:
        signed = dsse.open_envelope(envelope.encode(), DESCRIPTION_TYPE)
        signed.verify(card.release)
        found = parse_strict(Description, signed.payload, "A TRE's description")
    except Refused:
        return None
    return found if found.tre == card.id else None
