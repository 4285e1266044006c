"""`make bench`: the whole journey of a warm federated mean over three TREs on loopback, and where its time goes.

Each question is a new one: signed, checked twice, signed off, run, judged, released as a crate, sealed, verified and
combined, with durable commits for nonces, ledger and audit. Beside it, in the same run, the limits: the bare queries
without any governance, and one durable write of this machine's disk.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from cinque.client.client import Client
from cinque.client.home import ClientHome
from cinque.crate.release import read_release
from cinque.federation import omop
from cinque.federation.processes import Processes, enrol, prepare
from cinque.lib.clock import system_clock

AIM_ONE, AIM_EIGHT = 0.080, 0.300
IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Journey:
    """One question: when it was asked, was submitted, had ended at every TRE, was answered; and the released crates."""

    started: float
    submitted: float
    ended: float
    finished: float
    crates: tuple[Path, ...]

    @property
    def seconds(self) -> float:
        """From asking to answer."""
        return self.finished - self.started

    def steps(self) -> dict[str, float]:
        """Seconds of each step by name, in order, read from the crates."""
        marks = [_marks(path) for path in self.crates]
        last = {name: max(mark[name] for mark in marks) for name in marks[0]}
        moments = {"signed and submitted": self.submitted, **last}
        moments |= {"sealed, returned, noticed": self.ended, "opened, verified, combined, kept": self.finished}
        steps: dict[str, float] = {}
        before = self.started
        for name, moment in moments.items():
            steps[name] = max(0.0, moment - before)
            before = max(before, moment)
        return steps


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark; a table for people, and one JSON document with --json FILE."""
    parser = argparse.ArgumentParser(prog="python -m cinque.federation.bench", description=__doc__)
    parser.add_argument("--questions", type=int, default=100, help="questions of each kind (default 100)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    wanted = parser.parse_args(argv)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="cinque-bench-") as folder:
        found = measure(Path(folder), wanted.questions, console)
    console.print(_table(found))
    if wanted.json is not None:
        wanted.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def measure(root: Path, questions: int, console: Console) -> dict[str, Any]:
    """All figures, in seconds."""
    planned = omop.plan(root / "split", system_clock().date())
    written = prepare(root, planned, dataset="people")
    enrol(written, ClientHome(root).settings().hub)
    with Processes(written) as federation:
        started = time.monotonic()
        federation.start()
        up = time.monotonic() - started
        client = Client.open(ClientHome(root))
        client.wait_described("people")
        console.print(f"seven processes up in {up:.1f} s; asking {questions} questions one at a time…", style="dim")
        for _ in range(5):
            _ask(client)
        before = {service: _cpu(service.pid) for service in federation.all()}
        own = time.process_time()
        one = [_ask(client) for _ in range(questions)]
        cpu = {"client": (time.process_time() - own) / questions}
        for service, spent in before.items():
            cpu[service.kind] = cpu.get(service.kind, 0.0) + (_cpu(service.pid) - spent) / questions
        console.print(f"…and {questions} with {IN_FLIGHT} in flight…", style="dim")
        began = time.monotonic()
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            eight = list(pool.map(lambda _: _ask(client), range(questions)))
        rate = questions / (time.monotonic() - began)
        memory = {service.kind: _memory(service.pid) for service in federation.all()}
        client.close()
    steps = [journey.steps() for journey in one]
    bare = _timed(lambda: _bare(root, list(written.tres)), 20)
    durable = _timed(lambda: _durable(root), 50)
    return {
        "questions": questions,
        "one_at_a_time": _spread([j.seconds for j in one]),
        "eight_in_flight": _spread([j.seconds for j in eight]) | {"questions_per_second": rate},
        "steps": {name: statistics.median(step[name] for step in steps) for name in steps[0]},
        "cpu": cpu,
        "bare_queries": bare,
        "durable_write": durable,
        "ratio_to_bare": statistics.median(j.seconds for j in one) / bare,
        "start_seconds": up,
        "memory_mib": memory,
        "aims": {"one_at_a_time": AIM_ONE, "eight_in_flight": AIM_EIGHT},
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
    }


def _ask(client: Client) -> Journey:
    started = time.time()
    request = client.ask("summary", {"variable": "age"}, dataset="first-exposure")
    submitted = time.time()
    status = request.wait(60)
    ended = time.time()
    answer = request.combine(status)
    finished = time.time()
    if len(answer.answered) != 3:
        raise SystemExit(f"not every TRE answered: {answer.missing} {status}")
    return Journey(started, submitted, ended, finished, tuple(answer.crates.values()))


def _marks(path: Path) -> dict[str, float]:
    """The moments that a released crate records (milliseconds; all processes share this machine's clock)."""
    crate = read_release(path.read_bytes())
    found: dict[str, float] = {}
    names = {
        "CheckValue": ("gate: leased, fetched, checked", "endTime"),
        "ValidationCheck": ("gate: validated against the profile", "endTime"),
        "SignOff": ("enclave: taken, checked again, signed off", "endTime"),
    }
    for entity in crate.graph.to_json()["@graph"]:
        extra = entity.get("additionalType", {})
        kind = str(extra.get("@id", "")).partition("#")[2] if isinstance(extra, dict) else ""
        if kind in names:
            label, end = names[kind]
            found[label] = _instant(entity[end])
        if entity.get("@type") == "CreateAction":
            found["enclave: query and disclosure control"] = _instant(entity["endTime"])
    found["enclave: crate composed"] = _instant(crate.statement.issued)
    order = [label for label, _ in names.values()]
    order += ["enclave: query and disclosure control", "enclave: crate composed"]
    return {label: found[label] for label in order}


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _bare(root: Path, names: list[str]) -> None:
    for name in names:
        with duckdb.connect(str(root / "tres" / name / "tre" / "data" / "omop.duckdb"), read_only=True) as data:
            sql = omop.EXPOSURE_SQL.replace("data.", "")
            data.execute(f"SELECT count(*), avg(age), var_pop(age) FROM ({sql})").fetchall()  # noqa: S608, our constant


def _durable(root: Path) -> None:
    with (root / "durable").open("ab") as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())


def _timed(work: Callable[[], None], times: int) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median": statistics.median(ordered),
        "p95": ordered[int(0.95 * (len(ordered) - 1))],
        "min": ordered[0],
        "max": ordered[-1],
    }


def _memory(pid: int) -> float:
    """Resident MiB of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _table(found: dict[str, Any]) -> Table:
    table = Table(title="A warm federated mean over three TREs, question to verified answer", title_justify="left")
    table.add_column("figure")
    table.add_column("median", justify="right")
    table.add_column("p95", justify="right")
    table.add_column("aim", justify="right")
    for label, key, aim in (
        ("one at a time", "one_at_a_time", AIM_ONE),
        (f"{IN_FLIGHT} in flight", "eight_in_flight", AIM_EIGHT),
    ):
        spread = found[key]
        table.add_row(label, _ms(spread["median"]), _ms(spread["p95"]), _ms(aim))
    rate = found["eight_in_flight"]["questions_per_second"]
    table.add_row(f"questions a second, {IN_FLIGHT} in flight", f"{rate:.1f}", "", "", end_section=True)
    for name, seconds in found["steps"].items():
        table.add_row(f"  {name}", _ms(seconds), "", "")
    table.add_section()
    for name, seconds in found["cpu"].items():
        table.add_row(
            f"  processor time a question: {name}{'' if name in ('client', 'hub') else 's'}", _ms(seconds), "", ""
        )
    table.add_section()
    table.add_row("limit: the three bare queries, cold files, no governance", _ms(found["bare_queries"]), "", "")
    table.add_row("limit: one durable write here", _ms(found["durable_write"]), "", "")
    table.add_row("the journey as a multiple of the bare queries", f"{found['ratio_to_bare']:.1f} x", "", "")
    return table


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main()
