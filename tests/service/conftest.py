"""One federation is written and enrolled; every test runs a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.harness import World, a_world, build


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("federation") / "template"
    build(root)
    return root


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Iterator[World]:
    """Three TREs: north, south, east."""
    with a_world(template, tmp_path / "world") as found:
        yield found


@pytest.fixture
def north(template: Path, tmp_path: Path) -> Iterator[World]:
    """One TRE alone."""
    with a_world(template, tmp_path / "world", ("north",)) as found:
        yield found
