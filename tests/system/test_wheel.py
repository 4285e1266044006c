"""What a user installs: a wheel, in an environment that has the base dependencies and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builders import a_request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BASE = ("cryptography", "httpx2", "jinja2", "numpy", "pydantic", "rfc8785", "rich", "typer")


def uv(*arguments: str, cwd: Path) -> str:
    """Run uv; skip where it cannot reach what it needs, and say so."""
    program = Path(sys.executable).with_name("uv")
    if not program.exists():
        pytest.skip("uv is not installed beside this Python")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, cwd=cwd, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is written into the tree; with the builder that is pinned."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy / name)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    pinned = ("--build-constraints", str(ROOT / "requirements" / "build.txt"), "--require-hashes")
    uv("build", "--wheel", "--out-dir", str(folder), *pinned, "--python", sys.executable, cwd=copy)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment with the wheel and its base dependencies, in the versions that are tested here."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    pins = place.with_name("pins.txt")
    pins.write_text(uv("pip", "freeze", "--exclude-editable", "--python", sys.executable, cwd=ROOT), "utf-8")
    uv("venv", "--quiet", "--python", sys.executable, str(place), cwd=ROOT)
    python = place / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", str(python), "-c", str(pins), str(wheel), cwd=ROOT)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def run(environment: Path, *arguments: str, program: str = "cinque") -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": str(environment.parent), "LANG": "C.UTF-8"}  # no PYTHONPATH
    return subprocess.run(
        [environment / "bin" / program, *arguments],
        capture_output=True,
        text=True,
        cwd=environment.parent,
        env=clean,
        timeout=60,
        check=False,
    )


def test_the_wheel_carries_what_is_no_python(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    source = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src" / "cinque").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == source
    for ending in (".toml", ".css", ".html", "py.typed", "migrations/r0001_first.py"):
        assert any(name.endswith(ending) for name in names), ending
    assert not any(name.startswith(("tests/", "docs/")) for name in names)


def test_it_brings_the_light_client_alone(environment: Path) -> None:
    listed = uv("pip", "list", "--format", "json", "--python", str(environment / "bin" / "python"), cwd=ROOT)
    installed = {package["name"] for package in json.loads(listed)}
    assert set(BASE) <= installed
    assert not installed & {"duckdb", "sqlalchemy", "fastapi", "alembic", "pyarrow", "uvicorn", "structlog"}


def test_help_answers_at_once(environment: Path, record_property: Callable[[str, object], None]) -> None:
    assert run(environment, "--help").returncode == 0  # the first start compiles
    times = []
    for _ in range(3):
        started = time.monotonic()
        done = run(environment, "--help")
        times.append(time.monotonic() - started)
        assert "Usage: cinque" in done.stdout
    record_property("seconds", min(times))
    assert min(times) < 1.5  # 0.5 on a machine that does nothing else


def test_the_package_opens_a_connection_from_python(environment: Path) -> None:
    done = run(environment, "-c", "import cinque; print(cinque.connect.__name__, cinque.__version__)", program="python")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("connect ")


def test_crates_are_checked_verified_and_shown(environment: Path, tmp_path: Path) -> None:
    crate = tmp_path / "request.zip"
    crate.write_bytes(a_request())
    assert run(environment, "crate", "check", str(crate)).returncode == 0
    assert run(environment, "crate", "show", str(crate)).returncode == 0
    assert run(environment, "verify", str(crate)).returncode == 3  # sound; nobody is pinned
    rdf = run(environment, "crate", "rdf", str(crate))
    assert rdf.returncode == 2
    assert "cinque[rdf]" in rdf.stderr
    face = "import cinque.crate as c, sys; print(c.Crate.open(sys.argv[1]).check().conforms, len(c.contexts.known()))"
    done = run(environment, "-c", face.replace("as c,", "as c, cinque.crate.contexts,"), str(crate), program="python")
    assert done.stdout == "True 5\n", done.stderr  # the contexts travel in the wheel
    crate.write_bytes(a_request()[:-30])
    assert run(environment, "crate", "check", str(crate)).returncode == 2
    assert run(environment, "verify", str(crate)).returncode == 2


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("demo",), "cinque[demo]"),
        (("up",), "cinque[demo]"),
        (("hub", "init", "hub"), ""),
        (("hub", "run", "hub"), "cinque[hub]"),
        (("gate", "run", "tre"), "cinque[tre]"),
        (("enclave", "run", "tre"), "cinque[tre]"),
    ],
)
def test_what_needs_an_extra_says_which(environment: Path, command: tuple[str, ...], extra: str) -> None:
    done = run(environment, *command)
    told = done.stdout + done.stderr
    assert "Traceback" not in told
    if extra:
        assert done.returncode not in (0, 1)
        assert extra in told
    else:
        assert done.returncode == 0, told
