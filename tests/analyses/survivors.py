"""People with a time, an event and columns, spread over TREs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

People = Sequence[Mapping[str, Any]]


def split(people: People, sites: int, seed: int = 1) -> dict[str, list[Mapping[str, Any]]]:
    """The people at random over so many TREs."""
    where = np.random.default_rng(seed).integers(0, sites, len(people))
    return {f"tre{site}": [row for row, at in zip(people, where, strict=True) if at == site] for site in range(sites)}
