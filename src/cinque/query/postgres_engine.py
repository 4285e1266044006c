"""A dataset in the TRE's own PostgreSQL: the same statements, pushed down to where the rows are.

What protects the data here: the account that the TRE names may do no more than SELECT on the relation (its grants are
the wall); every transaction is read-only, has a time limit and asks a single SELECT that `sql.py` built.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from sqlglot import exp
from sqlglot import parse as parse_sql
from sqlglot.errors import SqlglotError

from cinque.errors import Refused
from cinque.expr import Expr
from cinque.model.datasets import ColumnType, Dataset, Dictionary
from cinque.query.batches import numbered, whole_people
from cinque.query.grouped import aggregate, not_answerable
from cinque.query.source import PERSON, Group
from cinque.query.sql import Relation, rows_query

if TYPE_CHECKING:
    import pyarrow as pa

# What a column may be in the database, by the type that is declared of it (information_schema's names).
_FITTING: Final[dict[ColumnType, tuple[str, ...]]] = {
    "integer": ("smallint", "integer", "bigint"),
    "number": ("real", "double precision", "numeric", "smallint", "integer", "bigint"),
    "text": ("text", "character varying", "character", "USER-DEFINED"),
    "boolean": ("boolean",),
    "date": ("date", "timestamp without time zone"),
}
_DATA: Final = "__dataset__"


def open_postgres(dataset: Dataset, *, seconds: int = 600, batch_rows: int = 65_536) -> PostgresSource:
    """The rows of `dataset`, whose source names a `service` of the account's connection service file (libpq's
    pg_service.conf: host, database and user stand there, the password in its password file, never with us). Opens
    nothing until the first question. `seconds`: after how long the database stops a statement.
    """
    return PostgresSource(dataset, seconds=seconds, batch_rows=batch_rows)


class PostgresSource:
    """A `query.source.Source`. Raises Refused: "dataset-…" when the data is not as declared (for the TRE's operator);
    "not_answerable" when a question fails on the data, without cause, since the cause would depend on rows.
    """

    def __init__(self, dataset: Dataset, *, seconds: int, batch_rows: int) -> None:
        self.dataset = dataset
        self._dictionary = dataset.dictionary()
        self._seconds = seconds
        self._batch_rows = batch_rows
        self._relation: Relation | None = None
        self._live: dict[int, psycopg.Connection] = {}
        self._kept: list[psycopg.Connection] = []
        self._lock = threading.Lock()

    @property
    def dictionary(self) -> Dictionary:
        """The dataset's public part."""
        return self._dictionary

    @property
    def relation(self) -> Relation:
        """Where the rows are. Raises Refused when they are not as declared."""
        if self._relation is None:
            relation = _relation(self.dataset)
            with self._connection() as connection:
                _check_columns(self.dataset, connection, relation)
            self._relation = relation
        return self._relation

    def signature(self) -> Any:
        """The same as `content`."""
        return self.content()

    def content(self) -> list[list[str]]:
        """How many rows the database says were ever written to, changed in and deleted from each table that the account
        may read. It counts within about a second of a commit, and may begin anew after a crash: what was read is
        named by the declared release first of all.
        """
        query = (
            exp.select("schemaname || '.' || relname", "n_tup_ins::text", "n_tup_upd::text", "n_tup_del::text")
            .from_("pg_stat_user_tables")
            .where("has_table_privilege(relid, 'SELECT')")
            .order_by("1")
        )
        return [list(row) for row in self.select(query)]

    def close(self) -> None:
        """Gives the connections back; the next question opens a new one."""
        with self._lock:
            kept, self._kept = self._kept, []
        for connection in kept:
            connection.close()

    def __enter__(self) -> PostgresSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def aggregate(self, columns: Sequence[str], by: Sequence[str], where: Expr | None) -> list[Group]:
        """See `query.source.Source`. Groups come in the order of the declared levels, missing last."""
        return aggregate(self.select, self.relation, self.dataset, columns, by, where)

    def batches(
        self, columns: Sequence[str], where: Expr | None, *, together: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """See `query.source.Source`. Types: int64, double, string, bool, date32. A cursor in the database keeps memory
        constant on both sides.
        """
        names = list(dict.fromkeys(columns))
        for name in names:
            self._dictionary.column(name)
        unit, types = self.dataset.unit, self._dictionary.types()
        query = rows_query(self.relation, types, unit, columns, where, together=together)
        found = self._read(query, [types[name] for name in names], names)
        if unit is None:
            return numbered(found, names)
        return whole_people(found) if together else found

    def _read(self, query: exp.Select, kinds: Sequence[ColumnType], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        arrow = {"integer": pa.int64(), "number": pa.float64(), "text": pa.string(), "boolean": pa.bool_()}
        fields = [pa.field(name, arrow.get(kind, pa.date32())) for name, kind in zip(names, kinds, strict=True)]
        unit = self.dataset.unit
        if unit is not None:
            whose = next((c.type for c in self.dataset.columns if c.name == unit), "text")
            fields.append(pa.field(PERSON, arrow[whose]))
        if not fields:  # a row without columns: only how many there are
            fields = [pa.field("one", pa.int64())]
            query = query.select("1", append=False)
        schema = pa.schema(fields)
        with self._connection() as connection, connection.cursor("rows", binary=True) as cursor:
            cursor.execute(_only_select(query))
            while rows := cursor.fetchmany(self._batch_rows):
                columns = zip(*rows, strict=True)
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def select(self, query: exp.Select) -> list[tuple[Any, ...]]:
        """All rows of a query that `sql.py` built."""
        with self._connection() as connection:
            return connection.execute(_only_select(query)).fetchall()

    def interrupt(self, thread: int) -> None:
        """Stop the query that this thread (its ident) runs, if it runs one; that thread is told `not_answerable`."""
        connection = self._live.get(thread)
        if connection is not None:
            with suppress(psycopg.Error):  # it ended in the meantime
                connection.cancel_safe(timeout=5)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        """A connection in a read-only transaction of its own, kept for the next question when all went well."""
        with self._lock:
            connection = self._kept.pop() if self._kept else None
        connection = connection or self._connect()
        ident = threading.get_ident()
        self._live[ident] = connection
        try:
            yield connection
            connection.rollback()
        except psycopg.Error as error:
            connection.close()
            raise _noted(not_answerable(), error) from None
        except BaseException:
            connection.close()
            raise
        finally:
            self._live.pop(ident, None)
        with self._lock:
            self._kept.append(connection)

    def _connect(self) -> psycopg.Connection:
        # `service` alone is ours to name; libpq reads the rest, so no secret passes through here.
        options = f"-c default_transaction_read_only=on -c statement_timeout={self._seconds * 1000} -c TimeZone=UTC"
        try:
            connection = psycopg.connect(
                service=self.dataset.source.service, options=options, application_name="cinque", connect_timeout=10
            )
        except psycopg.Error as error:
            raise _noted(
                Refused(
                    "dataset-unreadable",
                    f"The database of dataset `{self.dataset.id}` cannot be reached as it is declared.",
                    remedy="Check the service's entry in pg_service.conf, its password, and that the database runs.",
                ),
                error,
            ) from None
        connection.read_only = True
        # Figures come and go unrounded, and dates as the declaration writes them.
        connection.execute("SET extra_float_digits = 3")
        connection.execute("SET datestyle = 'ISO'")
        connection.commit()
        return connection


def _relation(dataset: Dataset) -> Relation:
    source = dataset.source
    if (source.table is None) == (source.sql is None) or source.file or source.database or source.files:
        raise _declared_badly(dataset, "a `service` has a `table`, or `sql` over its tables, and nothing else")
    if source.table is not None:
        schema, _, table = source.table.rpartition(".")
        return exp.table_(table, db=schema or None, quoted=True)
    try:
        (query,) = parse_sql(source.sql or "", dialect="postgres")
    except (SqlglotError, ValueError):
        query = None
    other = (exp.DML, exp.DDL, exp.Command, exp.Copy, exp.Into)
    if not isinstance(query, exp.Query) or any(
        isinstance(node, other) and not isinstance(node, exp.Query) for node in query.walk()
    ):
        raise _declared_badly(dataset, "`sql` must be a single SELECT")
    return query.subquery(_DATA)


def _check_columns(dataset: Dataset, connection: psycopg.Connection, relation: Relation) -> None:
    described = connection.execute(_only_select(exp.select("*").from_(relation.copy()).limit(0))).description or []
    pairs: list[tuple[int, str]] = connection.execute(
        "SELECT oid::bigint, format_type(oid, NULL) FROM pg_type"
    ).fetchall()
    kinds = dict(pairs)
    found = {column.name: str(kinds.get(column.type_code)) for column in described}
    wanted = [column.name for column in dataset.columns] + ([dataset.unit] if dataset.unit is not None else [])
    absent = [name for name in dict.fromkeys(wanted) if name not in found]
    if absent:
        raise Refused("dataset-column-missing", f"Dataset `{dataset.id}` has no column {_listed(absent)} in its data.")
    unfit = [column.name for column in dataset.columns if found[column.name] not in _FITTING[column.type]]
    if unfit:
        raise Refused(
            "dataset-column-type",
            f"In dataset `{dataset.id}` the data of {_listed(unfit)} is not of the declared type.",
            remedy="Declare the type that the data has, or cast it in a view.",
        )


def _only_select(query: exp.Select) -> bytes:
    """The query's SQL, without parameters: its constants are quoted literals."""
    return query.sql("postgres").encode()


def _declared_badly(dataset: Dataset, reason: str) -> Refused:
    return Refused("dataset-declaration", f"Dataset `{dataset.id}` has a source not declared well: {reason}.")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _noted(refused: Refused, error: Exception) -> Refused:
    # The engine's own message quotes rows and addresses; its kind is all that may be kept.
    refused.add_note(f"engine: {type(error).__name__}")
    return refused
