"""A dataset read by DuckDB: CSV, Parquet, a DuckDB file, or the TRE's own view over them.

What protects the data here: files are attached read-only and by name, everything else outside is switched off and the
configuration locked; and the connection runs nothing but single SELECT statements that `sql.py` built. The lock by
itself would still allow `COPY … TO` onto the named files, so a TRE keeps them unwritable for this process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from cinque.errors import Refused
from cinque.expr import Expr
from cinque.model.datasets import ColumnType, Dataset, Dictionary
from cinque.query.batches import numbered, whole_people
from cinque.query.duckdb_files import attach, files_of, fingerprint
from cinque.query.grouped import aggregate, not_answerable
from cinque.query.source import Group
from cinque.query.sql import rows_query

if TYPE_CHECKING:
    import pyarrow as pa


def open_duckdb(
    dataset: Dataset, folder: Path, *, memory_limit: str = "1GB", threads: int = 1, batch_rows: int = 65_536
) -> DuckDBSource:
    """The rows of `dataset`, whose files are named relative to `folder`. Opens nothing until the first question; then
    one connection is kept until `close`. `memory_limit` as DuckDB writes it; no spilling to disk. Questions may come
    from several threads. One thread inside the engine gives bit for bit the same answer to the same question.
    """
    return DuckDBSource(dataset, folder, memory_limit=memory_limit, threads=threads, batch_rows=batch_rows)


class DuckDBSource:
    """A `query.source.Source`. Raises Refused: "dataset-…" when the data is not as declared (for the TRE's operator);
    "not_answerable" when a question fails on the data, without cause, since the cause would depend on rows.
    """

    def __init__(self, dataset: Dataset, folder: Path, *, memory_limit: str, threads: int, batch_rows: int) -> None:
        self.dataset = dataset
        self._dictionary = dataset.dictionary()
        self._folder = folder
        self._live: dict[int, duckdb.DuckDBPyConnection] = {}
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": str(threads),
            "temp_directory": "",
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            # Otherwise a table that is not found is looked for among Python's variables.
            "python_enable_replacements": "false",
        }
        self._batch_rows = batch_rows
        self._lock = threading.Lock()
        self._opened: tuple[duckdb.DuckDBPyConnection, exp.Table] | None = None

    @property
    def dictionary(self) -> Dictionary:
        """The dataset's public part."""
        return self._dictionary

    @property
    def relation(self) -> exp.Table:
        """Where the rows are, in the open connection."""
        return self._open()[1]

    def signature(self) -> tuple[tuple[int, int] | None, ...]:
        """(size, time of change in ns) of each file of the dataset."""
        paths = [path for group in files_of(self.dataset, self._folder).values() for path in group]
        return tuple((path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else None for path in paths)

    def content(self) -> dict[str, list[list[str]]]:
        """For each file its size and its content (up to SMALL bytes) or its time of change: a large file rewritten with
        its old size and time stays the same.
        """
        return {
            name: [fingerprint(path) for path in paths] for name, paths in files_of(self.dataset, self._folder).items()
        }

    def close(self) -> None:
        """Gives the connection back; the next question opens a new one."""
        with self._lock:
            if self._opened is not None:
                self._opened[0].close()
                self._opened = None

    def __enter__(self) -> DuckDBSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def aggregate(self, columns: Sequence[str], by: Sequence[str], where: Expr | None) -> list[Group]:
        """See `query.source.Source`. Groups come in the order of the declared levels, missing last."""
        return aggregate(self.select, self.relation, self.dataset, columns, by, where)

    def batches(
        self, columns: Sequence[str], where: Expr | None, *, together: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """See `query.source.Source`. Types: int64, double, string, bool, date32."""
        unit, names = self.dataset.unit, list(dict.fromkeys(columns))
        query = rows_query(self.relation, self._types(columns), unit, columns, where, together=together)
        found = self._read(query)
        if unit is None:
            return numbered(found, names)
        return whole_people(found) if together else found

    def _read(self, query: exp.Select) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa  # not needed for counts, and slow to import

        with self._cursor() as cursor:
            try:
                yield from cursor.sql(_only_select(query)).to_arrow_reader(self._batch_rows)
            except (pa.ArrowException, OSError) as error:  # a failure in mid-stream comes as OSError
                raise _failed(error) from None

    def select(self, query: exp.Select) -> list[tuple[Any, ...]]:
        """All rows of a query that `sql.py` built."""
        with self._cursor() as cursor:
            return cursor.execute(_only_select(query)).fetchall()

    def interrupt(self, thread: int) -> None:
        """Stop the query that this thread (its ident) runs, if it runs one; that thread is told `not_answerable`."""
        connection = self._live.get(thread)
        if connection is not None:
            with suppress(duckdb.Error):  # it ended in the meantime
                connection.interrupt()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor that `interrupt` reaches while it is in use."""
        cursor = self._open()[0].cursor()
        ident = threading.get_ident()
        self._live[ident] = cursor
        try:
            yield cursor
        except duckdb.Error as error:
            raise _failed(error) from None
        finally:
            self._live.pop(ident, None)
            cursor.close()

    def _types(self, columns: Sequence[str]) -> Mapping[str, ColumnType]:
        for name in columns:
            self._dictionary.column(name)
        return self._dictionary.types()

    def _open(self) -> tuple[duckdb.DuckDBPyConnection, exp.Table]:
        with self._lock:
            if self._opened is None:
                self._opened = self._connect()
            return self._opened

    def _connect(self) -> tuple[duckdb.DuckDBPyConnection, exp.Table]:
        connection = duckdb.connect(":memory:", config=self._config)
        try:
            relation = attach(self.dataset, self._folder, connection)
        except duckdb.Error as error:
            connection.close()
            raise _noted(
                Refused(
                    "dataset-unreadable",
                    f"Dataset `{self.dataset.id}` cannot be opened as it is declared.",
                    remedy="Check the file's format, the table's name and the view's SQL.",
                ),
                error,
            ) from None
        except BaseException:
            connection.close()
            raise
        return connection, relation


def _only_select(query: exp.Select) -> str:
    """The query's SQL. Raises Refused unless DuckDB itself reads it as one SELECT."""
    # Plain means drift by their rounding error; this one carries it along (Kahan 1965).
    sql = query.transform(_compensated, copy=False).sql("duckdb", copy=False)
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise Refused("not-a-query", "Only a single SELECT is ever run.")
    return sql


def _compensated(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Avg):
        return exp.Anonymous(this="FAVG", expressions=[node.this])
    if isinstance(node, exp.Sum):
        return exp.Anonymous(this="FSUM", expressions=[node.this])
    return node


def _failed(error: Exception) -> Refused:
    return _noted(not_answerable(), error)


def _noted(refused: Refused, error: Exception) -> Refused:
    # The engine's own message quotes rows and paths; its kind is all that may be kept.
    refused.add_note(f"engine: {type(error).__name__}")
    return refused
