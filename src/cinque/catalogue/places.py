"""Whose home a folder is, and where its crates lie: a TRE's, a researcher's, or both with TREs below (a demo's)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cinque.catalogue.index import Folder
from cinque.crate.cards import Card, HubCard, Members, read_card
from cinque.errors import CinqueError, Unreadable

DATABASE: Final = "catalogue.sqlite"
_TRE: Final = ("enclave/crates/*.zip",)
_CLIENT: Final = ("requests/*/request.zip", "requests/*/crates/*.zip", "requests/*/answer.zip")


@dataclass(frozen=True, slots=True)
class Places:
    """The folders with crates, and the index over them, which lies beside them."""

    kind: Literal["tre", "client", "several"]
    folders: tuple[Folder, ...]
    database: Path


def places(home: Path) -> Places:
    """What `home` is. Raises Unreadable where it is nobody's home."""
    own = [_tre(home, ".")] if (home / "tre.card.json").is_file() else []
    if (home / "client.toml").is_file():
        own.append(_client(home, "."))
    tres = sorted(home.glob("tres/*/tre.card.json"))
    held = [_tre(path.parent, f"tres/{path.parent.name}") for path in tres]
    if not own and not held:
        raise Unreadable(
            "no-home",
            f"{home} is the home of no TRE and of no researcher.",
            remedy="Name a home with --home, or the folder that `cinque demo --dir` wrote.",
        )
    if held or len(own) > 1:
        return Places("several", (*own, *held), home / DATABASE)
    if own[0].patterns == _TRE:
        return Places("tre", tuple(own), home / "enclave" / DATABASE)
    return Places("client", tuple(own), home / DATABASE)


def _client(home: Path, name: str) -> Folder:
    """A researcher's home: requests, answers and what came back; pinned in members.json."""
    members = Members.load(home / "members.json") if (home / "members.json").is_file() else None
    return Folder(name, home, _CLIENT, members)


def _tre(home: Path, name: str) -> Folder:
    """A TRE's home: what left its enclave; pinned by its own card and the cards in the folder of its say."""
    cards = (home / "tre.card.json", *home.glob("tre/people/*.card.json"), *home.glob("tre/members/*.card.json"))
    return Folder(name, home, _TRE, _pinned(cards))


def _pinned(paths: Iterable[Path]) -> Members | None:
    """The cards in these files, the latest of each party; one that cannot be read vouches for nobody."""
    latest: dict[str, Card] = {}
    for path in sorted(paths):
        try:
            card = read_card(path.read_bytes())
        except (CinqueError, OSError):
            continue
        if isinstance(card, HubCard):
            continue
        if card.id not in latest or card.serial > latest[card.id].serial:
            latest[card.id] = card
    try:
        return Members.of(card.envelope for card in latest.values())
    except CinqueError:  # two parties with one name or one key: nobody can say whose it is
        return None
