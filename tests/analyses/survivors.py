"""People with a time, an event and columns, spread over TREs, and a question of time to event put to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from cinque.analyses.analysis import Analysis, Released, Result
from cinque.analyses.work import parameters_of
from cinque.lib.parse import dump
from cinque.model.datasets import Column
from cinque.sdc.appetite import Appetite
from tests.analyses.tres import OPEN, a_source, ask

People = Sequence[Mapping[str, Any]]


def question(
    analysis: Analysis[Any],
    tres: Mapping[str, People],
    columns: tuple[Column, ...],
    appetite: Appetite = OPEN,
    **asked: Any,
) -> tuple[Result, list[dict[str, Released]]]:
    """The answer over TREs (name -> their people), agreed as the client does."""
    with ExitStack() as stack:
        sources = {tre: stack.enter_context(a_source(rows, columns)) for tre, rows in tres.items()}
        parameters = parameters_of(analysis, asked)
        assert analysis.agree is not None
        agreed = analysis.agree(parameters, {tre: source.dictionary for tre, source in sources.items()})
        return ask(analysis, sources, dump(agreed), appetite)


def split(people: People, sites: int, seed: int = 1) -> dict[str, list[Mapping[str, Any]]]:
    """The people at random over so many TREs."""
    import numpy as np

    where = np.random.default_rng(seed).integers(0, sites, len(people))
    return {f"tre{site}": [row for row, at in zip(people, where, strict=True) if at == site] for site in range(sites)}
