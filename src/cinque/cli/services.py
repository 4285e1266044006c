"""`cinque hub`, `cinque gate`, `cinque enclave`: making and running the services."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cinque.cli.fresh import fresh
from cinque.cli.terminal import Protect, grid, line, new_passphrase, say, show, with_passphrase

hub = typer.Typer(no_args_is_help=True, help="The federation's hub.")
gate = typer.Typer(no_args_is_help=True, help="A TRE's gate, in its DMZ.")
enclave = typer.Typer(no_args_is_help=True, help="A TRE's enclave, in its controlled zone.")

HubHome = Annotated[Path, typer.Argument(metavar="HOME", help="The hub's home folder.")]
TreHome = Annotated[Path, typer.Argument(metavar="HOME", help="The TRE's home folder.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Another port than in the settings.")]


@hub.command("init")
def init(
    ctx: typer.Context,
    home: HubHome,
    name: Annotated[str, typer.Option(help="The hub's name.")] = "hub",
    url: Annotated[str, typer.Option(help="The address under which others reach it.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port it listens on.")] = 8700,
    protect: Protect = False,
) -> None:
    """Make a hub's home: keys, card, settings."""
    from cinque.crate.cards import fingerprint
    from cinque.federation.homes import new_hub

    passphrase = new_passphrase(ctx, protect)
    with fresh(home) as draft:
        card = new_hub(draft, name=name, url=url, port=port, passphrase=passphrase)
    show(grid(("home", str(home)), ("card", str(home / "hub.card.json")), ("fingerprint", fingerprint(card))))
    say(
        f"Next: `cinque hub run {home}`, and a token for each who joins: `cinque hub invite {home} LABEL`.", style="dim"
    )


@hub.command("invite")
def invite(
    ctx: typer.Context,
    home: HubHome,
    label: Annotated[str, typer.Argument(help="For whom, in the hub's record.")],
) -> None:
    """A one-time token with which a person or a TRE enrols, good for a week."""
    from cinque.hub.main import open_hub

    service, running = with_passphrase(ctx, lambda p: open_hub(home, lambda *_args, **_kwargs: None, passphrase=p))
    try:
        line(service.roster.invite(label))
    finally:
        running.close()


@hub.command("run")
def run_hub(ctx: typer.Context, home: HubHome, port: Port = None) -> None:
    """Serve until told to stop."""
    from cinque.hub.main import run

    with_passphrase(ctx, lambda passphrase: run(home, passphrase, port=port))


@gate.command("run")
def run_gate(ctx: typer.Context, home: TreHome, port: Port = None) -> None:
    """Serve the enclave and poll the hub until told to stop."""
    from cinque.gate.main import run

    with_passphrase(ctx, lambda passphrase: run(home, passphrase, port=port))


@enclave.command("run")
def run_enclave(ctx: typer.Context, home: TreHome, port: Port = None) -> None:
    """Work, and serve the TRE's own people, until told to stop."""
    # Sums of small matrices are slower in several threads, and several tasks run at once. Set before numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cinque.enclave.main import run

    with_passphrase(ctx, lambda passphrase: run(home, passphrase, port=port))


def _only(app: typer.Typer, about: str) -> None:
    """Keep `run` a word of its own though it is the only command."""

    @app.callback(help=about)
    def _group() -> None:
        return


_only(gate, "A TRE's gate, in its DMZ.")
_only(enclave, "A TRE's enclave, in its controlled zone.")
