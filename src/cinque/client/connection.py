"""`cinque.connect(…)`: the Python face of a federation over HTTP."""

from __future__ import annotations

from pathlib import Path

from cinque.client.asking import Asking
from cinque.client.client import Client
from cinque.client.home import ClientHome


class Connection(Asking):
    """A person's connection to a hub; `fed.count(…)` and the rest as in a local federation."""

    def __init__(self, client: Client, timeout: float | None) -> None:
        self.client = client
        self._timeout = timeout


def connect(
    hub: str = "", *, home: str | Path, passphrase: bytes | None = None, timeout: float | None = None
) -> Connection:
    """Connect with the keys and pinned cards of a home folder (made by `cinque key new` and `cinque connect`).

    `hub`: its address, if another than the home's; `timeout`: seconds to wait for an answer (None: until all TREs that
    may answer by themselves have). Raises Unreadable for a folder that is nobody's home.
    """
    return Connection(Client.open(ClientHome(Path(home)), passphrase, hub), timeout)
