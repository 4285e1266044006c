"""A federation as real processes: hub, gates and enclaves over loopback HTTP, started and stopped from here."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from cinque.errors import Unavailable
from cinque.federation.plan import PlannedTre, Ports, Written, write
from cinque.hub.main import open_hub
from cinque.lib.clock import system_clock
from cinque.wire.call import free_ports
from cinque.wire.messages import Enrolment

START_SECONDS = 60.0


class Service:
    """One service in a process of its own; its log is a file in its home."""

    def __init__(self, kind: str, home: Path, log: Path) -> None:
        self.kind = kind
        self.home = home
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._from = 0
        self._asked = False

    def start(self) -> None:
        """Start it; `ready` waits until it serves."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cinque.cli", self.kind, "run", str(self.home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )
        self._asked = False

    def ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until its log says that it serves. Raises Unavailable with the end of the log when it ended first."""
        deadline = time.monotonic() + seconds
        while True:
            written = self.log.read_bytes()[self._from :]
            for line in written.splitlines():
                if line.startswith(b"{") and json.loads(line).get("event") == "ready":
                    return
            code = self._process.poll() if self._process else None
            if code is not None or time.monotonic() > deadline:
                tail = written.decode("utf-8", "replace").strip().splitlines()[-8:]
                raise Unavailable("not-started", f"The {self.kind} of {self.home} did not start:\n" + "\n".join(tail))
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """The process id; 0 when it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def kill(self) -> None:
        """SIGKILL: at once, with nothing tidied up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def ask_to_end(self) -> None:
        """SIGTERM, once."""
        if self.pid and self._process is not None and not self._asked:
            self._asked = True
            self._process.send_signal(signal.SIGTERM)

    def stop(self, seconds: float = 8.0) -> None:
        """Ask it to end, and see that it does."""
        if self._process is None:
            return
        self.ask_to_end()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()


class Processes:
    """All services of a written federation; a context manager that stops what it started."""

    def __init__(self, written: Written) -> None:
        self.written = written
        logs = written.root / "logs"
        self.hub = Service("hub", written.hub, logs / "hub.log")
        self.gates = {name: Service("gate", written.tre(name), logs / f"{name}-gate.log") for name in written.tres}
        self.enclaves = {
            name: Service("enclave", written.tre(name), logs / f"{name}-enclave.log") for name in written.tres
        }

    def all(self) -> list[Service]:
        """Hub first, then gates, then enclaves."""
        return [self.hub, *self.gates.values(), *self.enclaves.values()]

    def start(self, services: Iterable[Service] | None = None) -> None:
        """Start services at the same time, and wait until all serve. Each outlasts that another is not there yet."""
        chosen = list(services if services is not None else self.all())
        for service in chosen:
            service.start()
        for service in chosen:
            service.ready()

    def stop(self) -> None:
        """Stop everything, the protected side first."""
        for zone in (self.enclaves.values(), self.gates.values(), (self.hub,)):
            for service in zone:
                service.ask_to_end()
            for service in zone:
                service.stop()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def prepare(root: Path, planned: list[PlannedTre], *, dataset: str, ports: Ports | None = None) -> Written:
    """Write the homes for real processes; the hub is on loopback, at free ports unless they are given."""
    if ports is None:
        free = iter(free_ports(1 + 2 * len(planned)))
        names = [tre.name for tre in planned]
        ports = Ports(next(free), {n: next(free) for n in names}, {n: next(free) for n in names})
    return write(root, planned, dataset=dataset, today=system_clock().date(), ports=ports)


def enrol(written: Written, url: str) -> None:
    """Exchange one-time tokens for places at a hub that is not yet serving, and tell each gate where the hub is."""
    hub, _ = open_hub(written.hub, lambda *_args, **_more: None)
    tokens = {name: hub.roster.invite(name) for name in (*written.tres, "researcher")}
    for name, card in written.tres.items():
        hub.roster.enrol(Enrolment(tokens[name], card.envelope.decode()))
        gate = written.tre(name) / "gate" / "gate.toml"
        gate.write_text(gate.read_text("utf-8").replace('hub = ""', f'hub = "{url}"'), "utf-8")
    hub.roster.enrol(Enrolment(tokens["researcher"], written.person.envelope.decode()))
    hub.database.close()


def end_with_parent() -> None:
    """In a child, before its program: have it end when its parent does, so that a killed demo leaves nothing running.

    Linux alone (PR_SET_PDEATHSIG is 1). Linux means the *thread* that started the child: start services from one that
    lives as long as they do.
    """
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
