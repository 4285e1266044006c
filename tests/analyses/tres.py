"""Small TREs on real files and the real engine, and a question put to them without the road between."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cinque.analyses.analysis import Analysis, Released, Result
from cinque.analyses.work import next_step, parameters_of, released_bytes, work
from cinque.lib.parse import dump, parse_json
from cinque.model.datasets import Column, Dataset, Source
from cinque.query.duckdb_engine import DuckDBSource, open_duckdb
from cinque.sdc.appetite import Appetite

Row = Mapping[str, Any]

OPEN = Appetite("open", "tests", threshold=0)
TEN = Appetite("ten", "tests", threshold=10)
TEN_AND_ZEROS = Appetite("ten-zeros", "tests", threshold=10, zeros="release")

COLUMNS = (
    Column("person", "text", identifying=True),
    Column("sex", "text", levels=("F", "M")),
    Column("drug", "text", levels=("celecoxib", "diclofenac", "none")),
    Column("smokes", "boolean"),
    Column("x", "number"),
    Column("visits", "integer"),
)


def a_dataset(file: str = "rows.csv", columns: tuple[Column, ...] = COLUMNS, unit: str | None = None) -> Dataset:
    return Dataset("data", "2026-1", Source(file=file), columns, unit)


def write(rows: Sequence[Row], path: Path, columns: tuple[Column, ...] = COLUMNS) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_MINIMAL)
        writer.writerow([column.name for column in columns])
        for row in rows:
            values = [row.get(column.name) for column in columns]
            writer.writerow(["" if v is None else str(v).lower() if isinstance(v, bool) else v for v in values])


@contextmanager
def a_source(
    rows: Sequence[Row], columns: tuple[Column, ...] = COLUMNS, unit: str | None = None
) -> Iterator[DuckDBSource]:
    with tempfile.TemporaryDirectory() as folder:
        write(rows, Path(folder) / "rows.csv", columns)
        with open_duckdb(a_dataset(columns=columns, unit=unit), Path(folder)) as source:
            yield source


@contextmanager
def sources(tres: Mapping[str, Sequence[Row]], unit: str | None = None) -> Iterator[dict[str, DuckDBSource]]:
    with ExitStack() as stack:
        yield {tre: stack.enter_context(a_source(rows, unit=unit)) for tre, rows in tres.items()}


def released(analysis: Analysis[Any], source: Any, parameters: Any, appetite: Appetite = OPEN) -> Released:
    """What leaves in round one, read back from its bytes as everybody else reads it."""
    value = parameters_of(analysis, parameters)
    out = work(analysis, source, value, analysis.first(value), appetite)[2]
    return parse_json(Released, released_bytes(out), "released")


def ask(
    analysis: Analysis[Any], tres: Mapping[str, Any], parameters: Any, appetite: Appetite = OPEN
) -> tuple[Result, list[dict[str, Released]]]:
    """The answer over all TREs (name -> source), and the history of what they released."""
    value = parameters_of(analysis, parameters)
    history: list[dict[str, Released]] = []
    while True:
        step = next_step(analysis, value, history)
        one = {tre: work(analysis, source, value, step, appetite)[2] for tre, source in tres.items()}
        history.append({tre: parse_json(Released, released_bytes(out), "released") for tre, out in one.items()})
        found = analysis.advance(value, history)
        if isinstance(found, Result):
            return found, history


def agreed(analysis: Analysis[Any], asked: Mapping[str, Any], tres: Mapping[str, Any]) -> Any:
    """The parameters as the asker signs them, over these sources."""
    parameters = parameters_of(analysis, asked)
    if analysis.agree is None:
        return parameters
    return analysis.agree(parameters, {tre: source.dictionary for tre, source in tres.items()})


def question(
    analysis: Analysis[Any],
    tres: Mapping[str, Sequence[Row]],
    columns: tuple[Column, ...],
    appetite: Appetite = OPEN,
    **asked: Any,
) -> tuple[Result, list[dict[str, Released]]]:
    """The answer over TREs (name -> their rows), agreed as the client does, and what they released."""
    with ExitStack() as stack:
        found = {tre: stack.enter_context(a_source(rows, columns)) for tre, rows in tres.items()}
        return ask(analysis, found, dump(agreed(analysis, asked, found)), appetite)
