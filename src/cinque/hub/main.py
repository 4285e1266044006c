"""`cinque hub run HOME`: opens a hub's home and serves it."""

from __future__ import annotations

from pathlib import Path

from cinque.crate.cards import HubCard, read_card
from cinque.crate.keys import KeyRing
from cinque.errors import Unreadable
from cinque.hub import store
from cinque.hub.api import build
from cinque.hub.loop import Expiry
from cinque.hub.service import Hub
from cinque.hub.settings import HubHome, HubSettings
from cinque.lib.clock import Clock, system_clock
from cinque.lib.ids import Random, system_random
from cinque.relay.below import Loop
from cinque.relay.running import Log, Running, alone, on_error, serve, settings, structured_log, used_tokens
from cinque.storage.database import open_database
from cinque.storage.files import Files


def open_hub(
    root: Path,
    log: Log,
    *,
    passphrase: bytes | None = None,
    clock: Clock = system_clock,
    random: Random = system_random,
) -> tuple[Hub, Running]:
    """The hub of a home folder, ready to be served. Raises Unreadable when the folder is no hub's home."""
    home = HubHome(root)
    if not home.card.exists():
        raise Unreadable("no-hub-home", f"{root} is not a hub's home.", remedy="Make one with `cinque hub init HOME`.")
    found = settings(HubSettings, home.settings)
    card = read_card(home.card.read_bytes())
    if not isinstance(card, HubCard):
        raise Unreadable("card-kind", f"{home.card} is not a hub's card.")
    database = open_database(home.database(found), store.METADATA, "cinque.hub.migrations")
    hub = Hub(database, Files(home.files), KeyRing.load(home.keys, passphrase), card, clock=clock, random=random)
    app = build(hub, used_tokens(database, store.USED, clock), on_error(log))
    expiry = Expiry(hub, clock)
    loops = [Loop("expiry", expiry.tick, log, random)]

    def close() -> None:
        expiry.wake()
        hub.waiters.close()
        database.close()

    return hub, Running(app, loops, close)


def run(root: Path, passphrase: bytes | None = None, *, port: int | None = None) -> None:
    """Serve until told to stop."""
    log = structured_log("hub")
    found = settings(HubSettings, HubHome(root).settings)
    with alone(root):
        hub, running = open_hub(root, log, passphrase=passphrase)
        hub.files.clear_incoming()  # not in open_hub: `invite` opens it beside a hub that runs
        serve(running, found.host, found.port if port is None else port, log, waiters_close=hub.waiters.close)
