"""TREs with the columns of a model, and a model asked of them without the road between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pandas as pd

from cinque.analyses.analysis import Analysis, Released, Result
from cinque.analyses.work import parameters_of
from cinque.lib.parse import dump
from cinque.model.datasets import Column
from cinque.sdc.appetite import Appetite
from tests.analyses.tres import OPEN, a_source, ask

COLUMNS = (
    Column("person", "text", identifying=True),
    Column("y", "number"),
    Column("case", "boolean"),
    Column("x", "number"),
    Column("z", "integer"),
    Column("g", "text", levels=("a", "b", "c")),
    Column("w", "number"),
    Column("o", "number"),
)


def models(
    analysis: Analysis[Any],
    tres: Mapping[str, pd.DataFrame],
    appetite: Appetite = OPEN,
    *,
    columns: Sequence[Column] = COLUMNS,
    unit: str | None = None,
    levels: Mapping[str, tuple[str, ...]] | None = None,
    **parameters: Any,
) -> tuple[Result, list[dict[str, Released]]]:
    """`levels`: of `g` at a TRE, where it declares others than the rest."""
    with ExitStack() as stack:
        sources = {}
        for tre, rows in tres.items():
            own = tuple(
                replace(c, levels=levels[tre]) if levels and c.name == "g" and tre in levels else c for c in columns
            )
            plain = rows.astype(object).where(rows.notna(), None)
            sources[tre] = stack.enter_context(a_source(plain.to_dict("records"), own, unit))
        value = parameters_of(analysis, parameters)
        assert analysis.agree is not None
        value = analysis.agree(value, {tre: source.dictionary for tre, source in sources.items()})
        return ask(analysis, sources, dump(value), appetite)


def split(rows: pd.DataFrame, sites: int, seed: int = 0) -> dict[str, pd.DataFrame]:
    """The rows at random in so many TREs, some of which may have none."""
    import numpy as np

    where = np.random.default_rng(seed).integers(0, sites, len(rows))
    return {f"t{i}": rows[where == i] for i in range(sites)}
