"""What an engine is beyond the protocol that analyses see, and which one reads a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from sqlglot import exp

from cinque.errors import Unavailable
from cinque.model.datasets import Dataset
from cinque.query.source import Source
from cinque.query.sql import Relation


class Engine(Source, Protocol):
    """A source with its dataset: what registration looks at and the enclave keeps warm."""

    @property
    def dataset(self) -> Dataset:
        """As the TRE declares it."""
        ...

    @property
    def relation(self) -> Relation:
        """Where the rows are. Raises Refused("dataset-…") when they are not as declared."""
        ...

    def select(self, query: exp.Select) -> list[tuple[Any, ...]]:
        """All rows of a query that `sql.py` built."""
        ...

    def signature(self) -> Any:
        """A value that is cheap to have and changes when the data may have changed."""
        ...

    def content(self) -> Any:
        """JSON: what is known of the content as it is read now, for the snapshot's id."""
        ...

    def interrupt(self, thread: int) -> None:
        """Stop what this thread (its ident) has asked, if it has."""
        ...

    def close(self) -> None:
        """Give back what is held open; the next question opens it again."""
        ...


def open_engine(dataset: Dataset, folder: Path, *, memory_limit: str = "1GB", threads: int = 1) -> Engine:
    """The engine that reads where the dataset's source says its rows are. Opens nothing until the first question.
    Raises Unavailable where PostgreSQL's driver is wanted and not installed.
    """
    if dataset.source.service is None:
        from cinque.query.duckdb_engine import open_duckdb

        return open_duckdb(dataset, folder, memory_limit=memory_limit, threads=threads)
    try:
        from cinque.query.postgres_engine import open_postgres
    except ModuleNotFoundError:
        raise Unavailable(
            "no-postgres-driver",
            "A dataset is in PostgreSQL, and its driver is not installed here.",
            remedy="Install it: `pip install 'cinque[tre,postgres]'`.",
        ) from None
    return open_postgres(dataset)
