"""`cinque up`: the demo's federation on fixed loopback ports, left running until it is told to stop."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from rich.console import Console
from rich.panel import Panel

from cinque.client.home import ClientHome
from cinque.crate.cards import Members, PersonCard, TreCard, read_card
from cinque.federation import omop
from cinque.federation.plan import Ports, Written
from cinque.federation.processes import Processes, enrol, prepare
from cinque.lib.clock import system_clock

PORTS = Ports(
    8700,
    {"dover": 8711, "hythe": 8712, "sandwich": 8713},
    {"dover": 8721, "hythe": 8722, "sandwich": 8723},
)


def main(directory: Path | None = None) -> None:
    """Start it in a folder (kept; `cinque-federation` unless named) and wait for Ctrl-C. A folder that was made before
    is started again as it is, with all its requests and records.
    """
    console = Console()
    root = directory or Path("cinque-federation")
    written = _reopened(root) if (root / "client.toml").exists() else None
    if written is None:
        console.print("Splitting 2,694 synthetic people over three TREs…", style="dim")
        planned = omop.plan(root / "split", system_clock().date())
        written = prepare(root, planned, dataset="people", ports=PORTS)
        enrol(written, ClientHome(written.researcher).settings().hub)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Processes(written) as processes:
        console.print("Starting a hub, three gates and three enclaves…", style="dim")
        processes.start()
        console.print(Panel(_words(written, ClientHome(root).settings().hub), title="up", title_align="left"))
        stop.wait()
        console.print("Stopping…", style="dim")


def _reopened(root: Path) -> Written:
    home = ClientHome(root)
    names = sorted(path.name for path in (root / "tres").iterdir())
    cards = {name: read_card((root / "tres" / name / "tre.card.json").read_bytes()) for name in names}
    tres = {name: card for name, card in cards.items() if isinstance(card, TreCard)}
    person: PersonCard = home.card()
    return Written(root, Members.load(home.members_file), tres, person)


def _words(written: Written, hub: str) -> str:
    root = written.root
    return (
        f"The hub is at {hub}; the TREs are {', '.join(written.tres)}. This folder is your home: {root}\n\n"
        "In another terminal:\n"
        f"  export CINQUE_HOME={root.resolve()}\n"
        "  cinque ask count --where \"sex == 'F' and gi_bleed\"\n"
        "  cinque ask table drug gi_bleed\n"
        "  cinque ask summary age --by drug --data first-exposure\n"
        "  cinque ask count --project second-project --detach     # people decide on this one\n"
        f"  cinque tre tasks --home {root}/tres/dover --as {root}/staff\n"
        "  cinque runs\n\n"
        "Ctrl-C stops it; the same command starts it again."
    )
