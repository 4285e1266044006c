"""Flower's deployment engine on loopback: a SuperLink and a SuperNode for each TRE, started, asked and stopped.

It has an environment of its own, which `make .venv-flwr/.ready` makes from requirements/flwr.txt. Nothing here opens a
connection beyond this machine: Flower's telemetry, its check for updates and its installing of what an app depends on
are turned off, and its home is a folder of the benchmark.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from cinque.federation.processes import end_with_parent
from cinque.wire.call import free_ports

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = ROOT / ".venv-flwr" / "bin"
APP = Path(__file__).with_name("flower_app")
HOST, LINK = "127.0.0.1", "here"
START_SECONDS, END_SECONDS = 90.0, 5.0


class NotMeasured(Exception):
    """Flower did not do what it was asked; the sentence says what."""


class Answered(NamedTuple):
    """What the app wrote; seconds from the start of `flwr run`, and those within its ServerApp."""

    values: dict[str, Any]
    command: float
    inside: float


class Fleet:
    """A SuperLink and its SuperNodes. A context manager that stops what it started, and what that started.

    `home`: an empty folder, for Flower's files and the logs; `folders`: where each node's rows are, by its name.
    """

    def __init__(self, home: Path, folders: Mapping[str, Path]) -> None:
        self.home = home
        self.folders = folders
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Fleet:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ask(self, question: str, rows: str, seconds: float = 300.0) -> Answered:
        """One question (`mean` or `logistic`) of the file of this name at every node. Raises NotMeasured without an
        answer after that long."""
        result = self.home / "answer.json"
        result.unlink(missing_ok=True)
        config = {"question": question, "rows": rows, "result": str(result), "nodes": len(self.folders)}
        given = " ".join(f"{name}={json.dumps(value)}" for name, value in config.items())
        started = time.perf_counter()
        deadline = time.monotonic() + seconds
        run = self._flwr("run", str(APP), LINK, "--run-config", given, "--format", "json", seconds=seconds)
        self._wait(result.exists, deadline, f"Flower gave no answer to `{question}` within {seconds:.0f} s")
        command = time.perf_counter() - started
        values = json.loads(result.read_bytes())
        if "failed" in values:
            raise NotMeasured(f"Flower's app failed at `{question}`. {values['failed']}")
        # The next question begins when this one's processes have ended.
        self._wait(lambda: self._ended(run["run-id"]), deadline, f"Flower's run of `{question}` did not end")
        return Answered(values, command, values.pop("seconds"))

    def stop(self) -> None:
        """End every process that was started, SuperNodes first, and what is left of those that they started."""
        below = [pid for process in self._started for pid in _descendants(process.pid)]
        for process in reversed(self._started):
            process.terminate()
        for process in reversed(self._started):
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        # A SuperExec goes on looking for its SuperNode for a while: it is not waited for, nor what it started.
        left = [each for each in below if _born(each[0]) == each[1]]
        left += [pid for above, _ in left for pid in _descendants(above)]
        for pid, born in left:
            if _born(pid) == born:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + END_SECONDS
        while any(_born(pid) == born for pid, born in left) and time.monotonic() < deadline:
            time.sleep(0.02)
        self._started = []

    # ------------------------------------------------------------------------------------------------------- inside
    def _start(self) -> None:
        if not (BIN / "flower-superlink").exists():
            raise NotMeasured(f"Flower is not installed in {BIN.parent}: `make {BIN.parent.name}/.ready`")
        self.home.mkdir(parents=True, exist_ok=True)
        port, *ports = free_ports(1 + len(self.folders))
        address = f"{HOST}:{port}"
        (self.home / "config.toml").write_text(f'[superlink.{LINK}]\naddress = "{address}"\ninsecure = true\n', "utf-8")
        serve = ["--insecure", "--host", HOST, "--port"]
        self._launch("superlink", "superlink", *serve, str(port), "--disable-runtime-dependency-installation")
        for (name, folder), own in zip(self.folders.items(), ports, strict=True):
            node = ["--superlink", address, "--node-config", f"folder={json.dumps(str(folder))}"]
            self._launch("supernode", name, *serve, str(own), *node)
        deadline = time.monotonic() + START_SECONDS
        for name in self.folders:
            self._wait(
                lambda name=name: b"SuperNode ID:" in self._log(name).read_bytes(),  # type: ignore[misc]
                deadline,
                f"Flower's SuperNode of {name} did not register within {START_SECONDS:.0f} s",
            )

    def _launch(self, kind: str, name: str, *arguments: str) -> None:
        try:
            with self._log(name).open("wb") as log:
                process = subprocess.Popen(
                    [BIN / f"flower-{kind}", *arguments],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment(), cwd=self.home,
                    preexec_fn=end_with_parent,
                )  # fmt: skip
        except OSError as reason:
            raise NotMeasured(f"Flower's {kind} cannot be started: {reason}") from reason
        self._started.append(process)

    def _environment(self) -> dict[str, str]:
        # Not ours: no proxy may stand before loopback, and bytecode is kept.
        return {
            "PATH": f"{BIN}{os.pathsep}{os.defpath}",
            "HOME": str(self.home),
            "FLWR_HOME": str(self.home),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",  # seconds; 1 by itself
            "OPENBLAS_NUM_THREADS": "1",  # three nodes work at once: more threads make them slower here
        }

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def _flwr(self, *arguments: str, seconds: float = 60.0) -> dict[str, Any]:
        """What a `flwr` command answers as JSON."""
        said = "nothing"
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                [BIN / "flwr", *arguments],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=seconds,
                env=self._environment(), cwd=self.home,
            )  # fmt: skip
            said = _plain(done.stderr + done.stdout) or said
            with suppress(ValueError):
                answer = json.loads(done.stdout[done.stdout.index("{") :])
                if isinstance(answer, dict) and answer.get("success"):
                    return answer
        raise NotMeasured(f"`flwr {arguments[0]}` failed. The last that it said: {said.splitlines()[-1]}")

    def _ended(self, run: str) -> bool:
        (found,) = self._flwr("list", LINK, "--run-id", run, "--format", "json")["runs"]
        return str(found["status"]).startswith("finished")

    def _wait(self, until: Callable[[], bool], deadline: float, otherwise: str) -> None:
        while not until():
            dead = any(process.poll() is not None for process in self._started)
            if dead or time.monotonic() > deadline:
                why = "A process of Flower's ended early" if dead else otherwise
                raise NotMeasured(f"{why}. The ends of its logs:\n{self._ends()}")
            time.sleep(0.02)

    def _ends(self) -> str:
        logs = [self._log(name) for name in ("superlink", *self.folders) if self._log(name).exists()]
        ends = [(log, _plain(log.read_text("utf-8", "replace")).splitlines()[-3:]) for log in logs]
        return "\n".join(f"{log.name}: {line}" for log, lines in ends for line in lines)


def _plain(text: str) -> str:
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip()


def _descendants(root: int) -> list[tuple[int, str]]:
    """Processes below one, each with when it was born, so that a number used again is not taken for it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return [(pid, born) for pid in found[1:] if (born := _born(pid))]


def _born(pid: int) -> str:
    """When a process began, in ticks since the machine did; "" where there is none, or a dead one alone."""
    try:
        fields = _stat(pid)
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third, which is the state."""
    return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
