"""Running a command as a person would, in this process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from cinque.cli.main import app

_RUNNER = CliRunner()


def cinque(*args: object, home: Path | None = None, passphrase: str | None = None) -> Result:
    """What `cinque ARGS` did. An error that was not raised on purpose fails the test."""
    env = {"CINQUE_HOME": str(home) if home else os.devnull, "CINQUE_PASSPHRASE": passphrase, "COLUMNS": "200"}
    result = _RUNNER.invoke(app, [str(arg) for arg in args], env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def document(result: Result) -> Any:
    """Standard output, which must be one JSON document and nothing else."""
    return json.loads(result.stdout)


def a_home(home: Path, *, name: str = "Ada Example", orcid: str = "0000-0002-1825-0097") -> Path:
    """A person's home with keys and card."""
    assert cinque("key", "new", home=home).exit_code == 0
    made = cinque("key", "card", "--name", name, "--id", orcid, "--affiliation", "Example University", home=home)
    assert made.exit_code == 0, made.stderr
    return home
