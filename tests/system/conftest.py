"""One small federation for all tests of a file: starting its processes costs more than asking it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.small import Small, small_federation


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with small_federation(tmp_path_factory.mktemp("federation")) as running:
        yield running
