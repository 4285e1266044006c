"""One federation is written and enrolled; the tests run copies of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.harness import World, a_world, build

# In memory where there is a file system for it: every commit here is synchronous, and nobody pulls the plug on a test.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cinque-tests-", dir=_MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def template(place: Path) -> Path:
    build(place / "template")
    return place / "template"


@pytest.fixture
def fresh(place: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "world"


@pytest.fixture
def world(template: Path, fresh: Path) -> Iterator[World]:
    """Three TREs: north, south, east."""
    with a_world(template, fresh) as found:
        yield found


@pytest.fixture
def north(template: Path, fresh: Path) -> Iterator[World]:
    """One TRE alone."""
    with a_world(template, fresh, ("north",)) as found:
        yield found


@pytest.fixture(scope="module")
def kept(template: Path, place: Path) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(dir=place))
    with a_world(template, folder / "world", ("north",)) as found:
        yield found


@pytest.fixture
def shared(kept: World) -> World:
    """One TRE that the tests of a module ask one after another; its say is as usual again."""
    kept.sites["north"].say()
    kept.errors.clear()
    return kept
