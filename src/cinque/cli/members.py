"""`cinque connect` and `cinque members`: whose cards are pinned. Keys are never learned from the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cinque.cli.terminal import Home, Json, agreed, emit, grid, home_of, line, listing, say, show
from cinque.errors import Refused

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cinque.crate.cards import Card, Members

app = typer.Typer(no_args_is_help=True, help="The cards that you pinned.")


def connect(
    ctx: typer.Context,
    hub: Annotated[str, typer.Argument(help="The hub's address, such as https://hub.example.org.")],
    members: Annotated[Path, typer.Option(metavar="FILE", help="The members file, not from the hub.")],
    token: Annotated[str, typer.Option(help="The hub operator's one-time token, for the first time.")] = "",
    project: Annotated[str, typer.Option(help="The project to ask for when none is named.")] = "",
    dataset: Annotated[str, typer.Option(help="The dataset to ask of when none is named.")] = "",
    home: Home = None,
) -> None:
    """Pin the federation's cards, and enrol at its hub."""
    from cinque.client.home import ClientHome, ClientSettings
    from cinque.crate.cards import Members
    from cinque.federation.homes import connect_person
    from cinque.wire.call import connect as checked_address

    place = ClientHome(home_of(ctx, home))
    own = place.card()
    checked_address(hub, None).close()
    offered = Members.load(members)
    pinned = place.members() if place.members_file.exists() else Members.of([])
    for card in offered.cards:
        pinned = pinned.with_card(card.envelope)  # a changed key only as the pinned one allows
    show(_cards(offered))
    agreed("Have you compared these fingerprints by another channel than the hub?")
    settings = place.settings() if (place.root / "client.toml").exists() else ClientSettings()
    if token:
        enrol(hub, token, own.envelope, pinned)
    connect_person(place.root, hub, pinned, project=project or settings.project, dataset=dataset or settings.dataset)
    say(f"Connected to {hub}. Next: `cinque ask count --where …`.")


def enrol(hub: str, token: str, card: bytes, pinned: Members | None = None) -> Card:
    """Exchange the token for a place at the hub; the hub's card. Raises Refused when it is not the pinned hub's."""
    from cinque.crate.cards import HubCard, read_card
    from cinque.lib.parse import dump
    from cinque.wire.call import connect
    from cinque.wire.messages import Enrolment

    caller = connect(hub, None)
    try:
        reply = caller.call("POST", "/enrol", body=dump(Enrolment(token, card.decode())))
    finally:
        caller.close()
    found = read_card(reply.body)
    known = [one for one in pinned.cards if isinstance(one, HubCard)] if pinned else []
    if known and found not in known:
        raise Refused(
            "hub-differs",
            f"{hub} answered with another card than the hub's in the list of members.",
            remedy="Ask the federation's operator which address is right, by another channel.",
        )
    return found


@app.command("show")
def shown(ctx: typer.Context, home: Home = None, json: Json = False) -> None:
    """Who is pinned, with fingerprints."""
    from cinque.client.home import ClientHome

    members = ClientHome(home_of(ctx, home)).members()
    if json:
        emit({"members": [_facts(card) for card in members.cards]})
    else:
        show(_cards(members))


@app.command("add")
def add(
    ctx: typer.Context,
    card: Annotated[Path, typer.Argument(help="The card's file.")],
    home: Home = None,
) -> None:
    """Pin one more card, or its owner's new one."""
    from cinque.client.home import ClientHome
    from cinque.crate.cards import Members, fingerprint, read_card

    place = ClientHome(home_of(ctx, home))
    envelope = card.read_bytes()
    new = read_card(envelope)
    before = place.members() if place.members_file.exists() else Members.of([])
    after = before.with_card(envelope)
    show(grid(*((label, value) for label, value in _facts(new).items() if value)))
    if fingerprint(new) not in {fingerprint(one) for one in before.cards}:
        agreed("Have you compared this fingerprint by another channel?")
    place.root.mkdir(parents=True, exist_ok=True)
    after.save(place.members_file)
    line(str(place.members_file))


def _cards(members: Members) -> RenderableType:
    rows = [
        tuple(_facts(card)[name] for name in ("type", "name", "of", "until", "fingerprint")) for card in members.cards
    ]
    return listing(("", "name", "of", "valid until", "fingerprint"), rows)


def _facts(card: Card) -> dict[str, str]:
    from cinque.crate.cards import HubCard, PersonCard, fingerprint

    if isinstance(card, HubCard):
        of, id, until = card.url, "", None
    else:
        of = card.affiliation_name if isinstance(card, PersonCard) else card.title
        id, until = card.id, card.valid_until
    return {
        "type": card.type,
        "name": card.name,
        "of": of,
        "id": id,
        "until": until.isoformat() if until else "",
        "fingerprint": fingerprint(card),
    }
