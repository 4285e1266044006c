"""rocrate-validator, started in its own environment; `make .venv-roc/.ready` makes that from requirements/roc.txt."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cinque.crate.contexts import known, terms

ROOT = Path(__file__).resolve().parent.parent.parent
PROCESS = Path(__file__).with_name("roc_process.py")


class Found(NamedTuple):
    """An issue: of which profile, which check, how binding (REQUIRED, RECOMMENDED or OPTIONAL), on what."""

    profile: str
    check: str
    severity: str
    entity: str


class Judged(NamedTuple):
    """What rocrate-validator says of one crate, and the seconds that it took once it was loaded."""

    found: tuple[Found, ...]
    seconds: float


def environment() -> Path:
    """Its Python, made first where it is not there. Raises CalledProcessError where it cannot be made."""
    subprocess.run(["make", "--silent", ".venv-roc/.ready"], cwd=ROOT, check=True, timeout=600)
    return ROOT / ".venv-roc" / "bin" / "python"


def a_job(profile: str, crate: Path | Mapping[str, Any], severity: str = "OPTIONAL") -> dict[str, Any]:
    """One crate to judge: its metadata document alone, or the folder it lies in."""
    where = {"path": str(crate)} if isinstance(crate, Path) else {"metadata": dict(crate)}
    return {"profile": profile, "severity": severity, **where}


def judge(jobs: Sequence[Mapping[str, Any]], profiles: Path | None = None) -> list[Judged]:
    """All of them by one process. `profiles`: a folder of extra profiles."""
    contexts = {address: {"@context": terms(address)} for address in known()}
    given = {"contexts": contexts, "profiles": str(profiles) if profiles else None, "jobs": list(jobs)}
    done = subprocess.run(
        [environment(), PROCESS], input=json.dumps(given), capture_output=True, text=True, check=False, timeout=1800
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [
        Judged(tuple(Found(*issue) for issue in answer["found"]), answer["seconds"])
        for answer in json.loads(done.stdout)
    ]
