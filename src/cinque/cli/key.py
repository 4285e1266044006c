"""`cinque key`: a person's own keys and card."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cinque.cli.terminal import Home, Protect, grid, home_of, line, new_passphrase, say, show, with_passphrase

app = typer.Typer(no_args_is_help=True, help="Your keys and your card.")


@app.command("new")
def new(ctx: typer.Context, home: Home = None, protect: Protect = False) -> None:
    """Make your keys: to sign, to open what comes back, to call."""
    from cinque.federation.homes import new_keys

    root = home_of(ctx, home)
    passphrase = new_passphrase(ctx, protect)
    new_keys(root, passphrase)
    line(str(root / "keys.json"))
    say("Under a passphrase." if passphrase else "Without a passphrase: whoever reads this file can sign as you.")
    say("Next: `cinque key card --name NAME --id ORCID --affiliation NAME`.", style="dim")


@app.command("card")
def card(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option(help="Your name.")] = None,
    id: Annotated[str | None, typer.Option(metavar="ORCID", help="Your ORCID, or a urn:uuid.")] = None,
    affiliation: Annotated[str | None, typer.Option(help="Where you work.")] = None,
    ror: Annotated[str | None, typer.Option(metavar="URL", help="Its ROR, https://ror.org/….")] = None,
    home: Home = None,
) -> None:
    """Make your card, or a new one with what changed: others put it into their lists of people."""
    from cinque.client.home import ClientHome
    from cinque.crate.cards import fingerprint
    from cinque.federation.homes import person_card

    place = ClientHome(home_of(ctx, home))
    before = place.card() if (place.root / "person.card.json").exists() else None
    if before:
        name, id = name or before.name, id or before.id
        affiliation, ror = affiliation or before.affiliation_name, before.affiliation_ror if ror is None else ror
    wanted = {"--name": name, "--id": id, "--affiliation": affiliation}
    if missing := [option for option, value in wanted.items() if not value]:
        raise typer.BadParameter(f"A first card needs {', '.join(missing)}.")
    ring = with_passphrase(ctx, place.ring)
    made = person_card(
        place.root,
        ring,
        id=_address("https://orcid.org/", id or ""),
        name=name or "",
        affiliation=affiliation or "",
        ror=_address("https://ror.org/", ror or ""),
        today=datetime.now(UTC).date(),
    )
    if place.members_file.exists():
        place.members().with_card(made.envelope).save(place.members_file)
    line(str(place.root / "person.card.json"))
    show(grid(("name", made.name), ("id", made.id), ("serial", str(made.serial)), ("fingerprint", fingerprint(made))))
    say("Send the card to each TRE, and read the fingerprint to its operator by another channel.", style="dim")


def _address(base: str, text: str) -> str:
    """The address of a bare identifier; an address stays as it is."""
    return base + text if text and ":" not in text else text


@app.command("fingerprint")
def fingerprint(
    ctx: typer.Context,
    card: Annotated[Path | None, typer.Argument(metavar="[CARD]", help="A card's file; your own if none.")] = None,
    home: Home = None,
) -> None:
    """What two people compare by telephone before one pins the other's card."""
    from cinque.client.home import ClientHome
    from cinque.crate.cards import fingerprint, read_card

    found = read_card(card.read_bytes()) if card else ClientHome(home_of(ctx, home)).card()
    say(f"{found.type} {found.name}", style="dim")
    line(fingerprint(found))
