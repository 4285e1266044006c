"""The house's one dependency rule: it holds on the real tree, and each contract fails when it is broken on purpose."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "pyproject.toml"
TOOLS = tomllib.loads(CONFIG.read_text())["tool"]
CONTRACTS = [contract["id"] for contract in TOOLS["importlinter"]["contracts"]]
BANNED = sorted(TOOLS["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"])

BREAKS = [  # contract, module to offend in (made if absent), what is wrong there
    ("floors", "model/offence.py", "import cinque.stats"),  # up
    ("floors", "hub/offence.py", "import cinque.gate"),  # across
    ("floors", "unplaced/__init__.py", ""),  # a package without a floor
    ("service-floors", "hub/store.py", "import cinque.hub.service"),
    ("service-floors", "gate/settings.py", "import cinque.gate.store"),
    ("service-floors", "enclave/api.py", "import cinque.enclave.loop"),
    ("pure", "sdc/offence.py", "import sqlalchemy"),
    ("pure", "stats/offence.py", "import cinque.lib.parse"),  # which reaches pydantic
    ("light-client", "client/offence.py", "import duckdb"),
    ("light-client", "client/offence.py", "import cinque.query.engine_offence"),  # indirectly
    ("no-data-outside", "gate/offence.py", "import duckdb"),
    ("one-door", "enclave/offence.py", "import httpx2"),
    ("one-door", "storage/offence.py", "from socket import create_connection"),
    ("no-cycles", "lib/offence.py", "import cinque.lib.offence_too"),
]
BESIDE = {  # what the offences above lean on, so that they import something that is there
    "hub/service.py": "",
    "gate/store.py": "",
    "enclave/loop.py": "",
    "query/engine_offence.py": "import duckdb",
    "lib/offence_too.py": "import cinque.lib.offence",
}


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the contracts on the package `cinque` that lies in `folder`, whichever is installed."""
    # lint-imports puts its working folder first on sys.path, ahead of an editable install, and so finds this copy.
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    arguments = ["--config", str(CONFIG), "--no-cache", "--no-logo", *options]
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def append(module: Path, line: str) -> None:
    module.parent.mkdir(exist_ok=True)
    with module.open("a") as file:
        file.write(f"\n{line}\n")


def test_the_real_tree_keeps_every_contract() -> None:
    result = lint(ROOT / "src")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in result.stdout


def test_every_contract_is_broken_on_purpose_below() -> None:
    assert {contract for contract, _, _ in BREAKS} == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "module", "line"), BREAKS)
def test_a_contract_fails_when_broken_on_purpose(contract: str, module: str, line: str, tmp_path: Path) -> None:
    package = tmp_path / "cinque"
    shutil.copytree(ROOT / "src" / "cinque", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in BESIDE.items():
        append(package / name, text)
    append(package / module, line)

    result = lint(tmp_path, "--contract", contract)

    assert result.returncode == 1, result.stdout + result.stderr
    assert "Contracts: 0 kept, 1 broken." in result.stdout
    offender = module.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]
    assert offender in result.stdout  # it fails for this offence, not for another


@pytest.mark.parametrize("banned", BANNED)
@pytest.mark.parametrize(("module", "findings"), [("hub/offence.py", 1), ("wire/call.py", 0)])
def test_a_part_of_a_package_is_banned_by_name(banned: str, module: str, findings: int) -> None:
    parent, _, part = banned.rpartition(".")
    options = ["--config", str(CONFIG), "--select", "TID251", "--no-cache", "--output-format", "concise"]
    result = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *options, "--stdin-filename", f"src/cinque/{module}", "-"],
        input=f"from {parent} import {part}\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.count("TID251") == findings, result.stdout + result.stderr
