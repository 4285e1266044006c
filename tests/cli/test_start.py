"""The command answers at once, says what it can do, and says clearly what it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cinque.cli.main import app
from tests.cli.commands import cinque, document

HEAVY = "pydantic numpy cryptography httpx2 jinja2 sqlalchemy alembic fastapi uvicorn duckdb pyarrow scipy rich"


def _run(*code: str) -> str:
    found = subprocess.run([sys.executable, *code], capture_output=True, text=True, check=True, env=dict(os.environ))
    return found.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom cinque.cli.main import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        f"print('loaded', *sorted(set('{HEAVY}'.split()) & set(sys.modules)))"
    )
    assert _run("-c", code).splitlines()[-1] == "loaded"


def test_help_answers_quickly(record_property: Any) -> None:
    best = 99.0
    for _ in range(3):
        started = time.perf_counter()
        assert "Usage: cinque" in _run("-c", "from cinque.cli.main import main; main()", "--help")
        best = min(best, time.perf_counter() - started)
    record_property("seconds", round(best, 3))
    assert best < 1.5  # the aim is 0.25 on a quiet machine


def _paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from _paths(inner, (*path, name))


COMMANDS = [*_paths(typer.main.get_command(app)), *(("ask", name) for name in ("count", "table", "summary"))]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does(path: tuple[str, ...]) -> None:
    found = cinque(*path, "--help")
    assert found.exit_code == 0
    about = found.stdout.split("\n\n")[1].strip()
    assert len(about) > 15


NAMES = """
key new|card|fingerprint
connect
members show|add
hub init|invite|run
gate run
enclave run
tre init|card|enrol|check|dataset|tasks|show|sign-off|refuse|release|withhold|explain
ask count|table|summary
status
answer
cancel
crate check|show
verify
audit verify
demo
up
"""


@pytest.mark.parametrize("names", NAMES.strip().splitlines())
def test_the_commands_have_their_exact_names(names: str) -> None:
    first, _, rest = names.partition(" ")
    assert {(first, *([name] if name else [])) for name in rest.split("|")} <= set(COMMANDS)


def test_version() -> None:
    from cinque import __version__

    assert cinque("--version").stdout == f"cinque {__version__}\n"


def test_a_mistyped_command_is_wrong_usage_and_the_right_one_is_named() -> None:
    found = cinque("crate", "chek", "x")
    assert found.exit_code == 2
    assert "check" in found.stderr
    assert "sumary" in (mistyped := cinque("ask", "sumary", "age").stderr)
    assert "summary" in mistyped.replace("sumary", "")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["ask", "count"], "key-file-unreadable"),
        (["status"], "key-file-unreadable"),
        (["answer", "0000"], "key-file-unreadable"),
        (["cancel", "0000"], "key-file-unreadable"),
        (["members", "show"], "members-unreadable"),
        (["tre", "check"], "no-tre-home"),
        (["tre", "tasks"], "key-file-unreadable"),
        (["audit", "verify", "HOME"], "no-audit"),
    ],
)
def test_a_home_that_is_none_is_unreadable_in_words_and_as_json(tmp_path: Path, args: list[str], code: str) -> None:
    args = [str(tmp_path) if arg == "HOME" else arg for arg in args]
    told = cinque(*args, home=tmp_path)
    assert told.exit_code == 2
    assert f"[{code}" in told.stderr
    assert told.stdout == ""
    problem = cinque(*args, "--json", home=tmp_path)
    assert problem.exit_code == 2
    assert document(problem)["code"] == code
