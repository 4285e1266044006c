"""A whole federation in this process: services, crates, signatures and checks as over HTTP, without sockets."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from cinque.analyses import registry
from cinque.client.asking import Asking
from cinque.client.client import Client
from cinque.client.home import ClientHome
from cinque.crate.keys import KeyRing
from cinque.enclave.main import open_enclave
from cinque.errors import Unreadable
from cinque.federation.plan import PROJECT, PlannedTre, Ports, Written, write
from cinque.federation.tables import declare, read_table, write_parquet
from cinque.gate.main import open_gate
from cinque.hub.main import open_hub
from cinque.hub.service import Hub
from cinque.lib.clock import Clock, system_clock
from cinque.lib.parse import dump
from cinque.sdc.appetite import Appetite
from cinque.sdc.presets import appetite_from
from cinque.wire.call import Caller, LocalTransport, local_loop
from cinque.wire.messages import Enrolment


class Federation(Asking):
    """A federation that answers `fed.count(…)`, `fed.table(…)`, `fed.summary(…)`; a context manager."""

    def __init__(self, stack: ExitStack, client: Client, written: Written, hub: Hub) -> None:
        self._stack = stack
        self._timeout = 120.0
        self.client = client
        self.written = written
        self.hub = hub

    @classmethod
    def local(
        cls,
        tables: Mapping[str, Any],
        *,
        dataset: str = "data",
        unit: str | None = None,
        appetite: str | Path | Mapping[str, Any] = "acro-default",
    ) -> Federation:
        """A TRE for each table (a path to CSV or Parquet, a data frame, an Arrow table, columns), all in this process.

        The tables count as public: this is for teaching, trying and tests. `unit`: the column that tells people apart;
        None when one row is one person. `appetite`: a preset's name, a TOML file, or values such as {"threshold": 3}.
        """
        if not tables:
            raise Unreadable("no-tables", "A federation needs at least one table.", remedy='Give {"name": table, …}.')
        wanted = read_appetite(appetite)
        stack = ExitStack()
        try:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cinque-", ignore_cleanup_errors=True)))
            planned = [_planned(root, name, table, dataset, unit, wanted) for name, table in tables.items()]
            made = assemble(stack, root, planned, dataset=dataset)
            made.client.wait_described(dataset)
            return made
        except BaseException:
            stack.close()
            raise

    def close(self) -> None:
        """Stop the services and remove their folders."""
        self._stack.close()

    def __enter__(self) -> Federation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_appetite(appetite: str | Path | Mapping[str, Any]) -> Appetite:
    """An appetite from a preset's name, a TOML file, or values."""
    if isinstance(appetite, Path) or (isinstance(appetite, str) and appetite.endswith(".toml")):
        import tomllib

        return appetite_from(tomllib.loads(Path(appetite).read_text("utf-8")))
    return appetite_from(appetite)


def _planned(root: Path, name: str, table: Any, dataset: str, unit: str | None, appetite: Appetite) -> PlannedTre:
    declared, typed = declare(read_table(table), id=dataset, file=f"data/{dataset}.parquet", unit=unit)
    source = root / "tables" / f"{name}.parquet"
    write_parquet(typed, source)
    today = system_clock().date()
    agreement = {
        "id": "open-to-all",
        "version": "1",
        "title": "Any analysis of public tables",
        "project": PROJECT,
        "datasets": [dataset],
        "analyses": list(registry.names()),
        "lawful_basis": "Public data",
        "valid_from": today,
        "valid_until": today + timedelta(days=365),
        "sign_off": "automatic",
        "release": "automatic",
        "max_rounds": 100,
    }
    files = {f"data/{dataset}.parquet": source}
    return PlannedTre(name, name.capitalize(), [declared], [agreement], files, appetite)


def assemble(
    stack: ExitStack, root: Path, planned: list[PlannedTre], *, dataset: str, clock: Clock = system_clock
) -> Federation:
    """Write, enrol and start a federation in this process; `stack` stops it."""
    written = write(root, planned, dataset=dataset, today=clock().date(), ports=Ports())
    loop = local_loop()
    stack.callback(loop.call_soon_threadsafe, loop.stop)
    hub, hub_up = open_hub(written.hub, quiet, clock=clock)
    stack.callback(hub_up.stop)
    hub_up.start()

    def call_hub(key: Any) -> Caller:
        return Caller(LocalTransport(hub_up.app, loop, "http://hub.localhost"), key, clock=clock)

    cards = {**{name: card.envelope for name, card in written.tres.items()}, "researcher": written.person.envelope}
    for name, card in cards.items():
        call_hub(None).call("POST", "/enrol", body=dump(Enrolment(hub.roster.invite(name), card.decode())))
    for name in written.tres:
        home = written.tre(name)
        gate_ring = KeyRing.load(home / "gate" / "keys.json", None)
        enclave_ring = KeyRing.load(home / "enclave" / "keys.json", None)
        _, gate_up = open_gate(home, quiet, hub=call_hub(gate_ring.sign("transport")), clock=clock)
        stack.callback(gate_up.stop)
        gate_caller = Caller(
            LocalTransport(gate_up.app, loop, f"http://{name}.localhost"), enclave_ring.sign("call"), clock=clock
        )
        _, enclave_up = open_enclave(home, quiet, gate=gate_caller, clock=clock)
        stack.callback(enclave_up.stop)
        gate_up.start()
        enclave_up.start()
    person = ClientHome(written.researcher)
    ring = person.ring()
    client = Client(person, call_hub(ring.sign("call")), ring, clock=clock)
    return Federation(stack, client, written, hub)


def quiet(event: str, **about: Any) -> None:
    """No log: a local federation raises what goes wrong, or answers with the reason."""
