"""`cinque gate run HOME`: opens the gate in a TRE's home, polls the hub, and serves the enclave."""

from __future__ import annotations

from pathlib import Path

from cinque.crate.cards import TreCard, read_card
from cinque.crate.keys import KeyRing, SigningKey
from cinque.errors import Unreadable
from cinque.gate import store
from cinque.gate.api import build
from cinque.gate.service import Gate
from cinque.gate.settings import GateHome, GateSettings
from cinque.lib.clock import Clock, system_clock
from cinque.lib.ids import Random, system_random
from cinque.relay.below import Loop, Poller, Sender
from cinque.relay.running import Log, Running, alone, on_error, serve, settings, structured_log, used_tokens
from cinque.storage.database import open_database
from cinque.storage.files import Files
from cinque.wire.call import Caller, connect


def open_gate(
    root: Path,
    log: Log,
    *,
    hub: Caller | None = None,
    passphrase: bytes | None = None,
    clock: Clock = system_clock,
    random: Random = system_random,
) -> tuple[Gate, Running]:
    """The gate of a TRE's home. `hub`: another way to call it than HTTP. Raises Unreadable for no such home."""
    home = GateHome(root)
    found = settings(GateSettings, home.settings)
    card = tre_card(home.card)
    ring = KeyRing.load(home.keys, passphrase)
    if hub is None:
        if not found.hub:
            raise Unreadable("not-enrolled", "This gate has no hub yet.", remedy="Use `cinque tre enrol HUB TOKEN`.")
        hub = connect(found.hub, ring.sign("transport"), clock=clock, random=random)
    database = open_database(home.database(found), store.METADATA, "cinque.gate.migrations")
    files = Files(home.files)
    files.clear_incoming()
    gate = Gate(database, files, ring, card, clock=clock, random=random)
    poller = Poller(hub, gate.take, log)
    sender = Sender(hub, database, store.RELAY, files, log, gate.receipted)
    gate.on_outgoing = sender.wake
    app = build(gate, used_tokens(database, store.USED, clock), on_error(log))
    loops = [Loop("poll", poller.tick, log, random), Loop("send", sender.tick, log, random)]

    def close() -> None:
        hub.close()
        sender.wake()
        gate.waiters.close()
        for loop in loops:
            loop.join(1.0)
        database.close()

    return gate, Running(app, loops, close)


def transport_key(root: Path, passphrase: bytes | None = None) -> SigningKey:
    """The key with which this gate calls its hub."""
    return KeyRing.load(GateHome(root).keys, passphrase).sign("transport")


def tre_card(path: Path) -> TreCard:
    """The TRE's own card. Raises Unreadable when there is none."""
    if not path.exists():
        raise Unreadable(
            "no-tre-home", f"{path.parent} is not a TRE's home.", remedy="Make one with `cinque tre init HOME`."
        )
    card = read_card(path.read_bytes())
    if not isinstance(card, TreCard):
        raise Unreadable("card-kind", f"{path} is not a TRE's card.")
    return card


def run(root: Path, passphrase: bytes | None = None, *, port: int | None = None) -> None:
    """Serve until told to stop."""
    log = structured_log("gate")
    found = settings(GateSettings, GateHome(root).settings)
    with alone(root / "gate"):
        gate, running = open_gate(root, log, passphrase=passphrase)
        serve(running, found.host, found.port if port is None else port, log, waiters_close=gate.waiters.close)
