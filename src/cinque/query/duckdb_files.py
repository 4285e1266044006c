"""From a declaration to what DuckDB may read: named files attached read-only, and the door shut behind them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from cinque.errors import Refused
from cinque.lib.digest import sha256_hex
from cinque.model.datasets import ColumnType, Dataset
from cinque.query.source import PERSON

_FITTING: dict[ColumnType, tuple[str, ...]] = {
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"),
    "number": (
        *("FLOAT", "DOUBLE", "DECIMAL", "HUGEINT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    ),
    "text": ("VARCHAR", "ENUM"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"),
}
# What a field of a CSV file must look like. A cast alone would take 1.5 for the integer 2.
_FIELDS: dict[ColumnType, str] = {
    "integer": r"[+-]?[0-9]{1,19}",
    "number": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
    "boolean": r"(?i)true|false|0|1",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
}
_CASTS = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE"}
_VIEW = "__dataset__"
_DATA = "data"
SMALL = 16 * 2**20
"""Bytes up to which a file's content is read for the snapshot's id."""


def attach(dataset: Dataset, folder: Path, connection: duckdb.DuckDBPyConnection) -> exp.Table:
    """Makes the rows of `dataset` readable in a fresh connection, locks it, and says where they are. Raises Refused:
    "dataset-declaration", "dataset-column-missing", "dataset-column-type"; and duckdb.Error for what cannot be read.
    """
    _check_names(dataset)
    relation = _Attaching(dataset, folder, connection).relation()
    _check_columns(dataset, connection, relation)
    connection.execute("SET lock_configuration = true")
    return relation


def files_of(dataset: Dataset, folder: Path) -> dict[str, list[Path]]:
    """The files that a dataset is read from, by name; a DuckDB file's newest changes stand in the log beside it."""
    source = dataset.source
    named = {**source.files, "": source.file or source.database or ""}
    paths = {name: (folder / path).resolve() for name, path in named.items() if path}
    return {name: [path, path.with_name(path.name + ".wal")] for name, path in paths.items()}


def fingerprint(path: Path) -> list[str]:
    """Size, and SHA-256 of the content of a file of up to SMALL bytes, else its time of change."""
    if not path.is_file():
        return ["absent"]
    found = path.stat()
    content = sha256_hex(path.read_bytes()) if found.st_size <= SMALL else f"at {found.st_mtime_ns}"
    return [str(found.st_size), content]


class _Attaching:
    """Attaches what the declaration names, and shuts the door: the only statements that are not SELECT."""

    def __init__(self, dataset: Dataset, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.dataset = dataset
        self.folder = folder
        self.connection = connection

    def relation(self) -> exp.Table:
        source = self.dataset.source
        named = dict(source.files)
        main = source.file or source.database
        if (source.file is not None) + (source.database is not None) > 1 or (main is None and source.sql is None):
            raise self.refused("name one `file`, or one `database` with its `table`, or `sql` over `files`")
        if (source.database is not None and source.sql is None) != (source.table is not None):
            raise self.refused("a `table` is named with a `database`, and only then")
        if named and source.sql is None:
            raise self.refused("`files` are for `sql`")
        if main is not None:
            if _DATA in named:
                raise self.refused(f"the name `{_DATA}` is taken")
            named[_DATA] = main
        paths = {name: self.path(name, path) for name, path in named.items()}
        # The files are permitted one by one, before anything else is switched off.
        allowed = ", ".join(_quoted(str(path)) for path in paths.values())
        self.connection.execute(f"SET allowed_paths = [{allowed}]")
        for name, path in paths.items():
            if path.suffix == ".duckdb":
                self.connection.execute(f"ATTACH {_quoted(str(path))} AS {_identifier(name)} (READ_ONLY)")
        self.connection.execute("SET enable_external_access = false")
        for name, path in paths.items():
            if path.suffix != ".duckdb":
                reader = f"read_parquet({_quoted(str(path))})" if path.suffix == ".parquet" else self.csv(path)
                self.connection.execute(f"CREATE VIEW {_identifier(name)} AS {self.fields(reader, path)}")
        if source.sql is not None:
            self.connection.execute(f"CREATE VIEW {_identifier(_VIEW)} AS {self.view(source.sql)}")
            return exp.table_(_VIEW, quoted=True)
        if source.table is not None:
            schema, _, table = source.table.rpartition(".")
            return exp.table_(table, db=schema or "main", catalog=_DATA, quoted=True)
        return exp.table_(_DATA, quoted=True)

    def path(self, name: str, written: str) -> Path:
        path = (self.folder / written).resolve()
        if not (name.isascii() and name.isidentifier()) or name.lower() in ("main", "memory", "system", "temp"):
            raise self.refused(f"`{name}` cannot be the name of a file: use a word")
        if path.suffix not in (".csv", ".parquet", ".duckdb"):
            raise self.refused(f"`{name}` must end with .csv, .parquet or .duckdb")
        if any(character in str(path) for character in "*?["):
            raise self.refused(f"`{name}` names several files")
        if not path.is_file():
            raise self.refused(f"the file of `{name}` is not there")
        return path

    def csv(self, path: Path) -> str:
        """Nothing is guessed: a sniffer silently drops rows that do not fit its guess."""
        columns = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in self.header(path))
        return (
            f"read_csv({_quoted(str(path))}, columns = {{{columns}}}, header = true, auto_detect = false, "
            "delim = ',', quote = '\"', escape = '\"', comment = '', nullstr = '', strict_mode = true, "
            "null_padding = false, ignore_errors = false, encoding = 'utf-8')"
        )

    def header(self, path: Path) -> list[str]:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                names = next(csv.reader(file, strict=True), [])
        except (UnicodeDecodeError, csv.Error):
            names = []
        if not names or not all(names) or len({name.casefold() for name in names}) != len(names):
            raise self.refused("a CSV file begins with a line of distinct column names, in UTF-8")
        return names

    def fields(self, reader: str, path: Path) -> str:
        """A view's SQL. In the dataset's own CSV file a field is empty (missing) or looks like its declared type."""
        declared = {column.name: column.type for column in self.dataset.columns}
        if path.suffix != ".csv" or self.dataset.source.sql is not None:
            return f"SELECT * FROM {reader}"  # noqa: S608 - the reader's parts are quoted
        selected = []
        for name in self.header(path):
            field, kind = _identifier(name), declared.get(name, "text")
            if kind in _FIELDS:
                cast = f"CAST({field} AS {_CASTS[kind]})"
                fits = f"regexp_full_match({field}, {_quoted(_FIELDS[kind])})"
                unfit = f"CAST(error('does not fit its declared type') AS {_CASTS[kind]})"
                field = f"CASE WHEN {field} IS NULL THEN NULL WHEN {fits} THEN {cast} ELSE {unfit} END AS {field}"
            selected.append(field)
        return f"SELECT {', '.join(selected)} FROM {reader}"  # noqa: S608 - its parts are quoted

    def view(self, sql: str) -> str:
        """The TRE's own SQL, if it is one SELECT and nothing else."""
        try:
            parsed = sqlglot.parse(sql, dialect="duckdb")
            statements = duckdb.extract_statements(sql)
        except (sqlglot.errors.SqlglotError, duckdb.Error):
            parsed, statements = [], []
        query = parsed[0] if len(parsed) == len(statements) == 1 else None
        other = (exp.DML, exp.DDL, exp.Command, exp.Copy, exp.Into)
        if (
            not isinstance(query, exp.Query)
            or statements[0].type != duckdb.StatementType.SELECT
            or any(isinstance(node, other) and not isinstance(node, exp.Query) for node in query.walk())
        ):
            raise self.refused("`sql` must be a single SELECT")
        return statements[0].query.strip().rstrip(";")

    def refused(self, reason: str) -> Refused:
        return Refused("dataset-declaration", f"Dataset `{self.dataset.id}` has a source not declared well: {reason}.")


def _check_names(dataset: Dataset) -> None:
    # Engines ignore the case of a name, so that two columns could be taken for each other.
    names = [column.name.casefold() for column in dataset.columns]
    twice = sorted({name for name in names if names.count(name) > 1 or name == PERSON})
    if twice:
        raise Refused(
            "dataset-declaration", f"Dataset `{dataset.id}` declares {_listed(twice)} twice, or it is a reserved name."
        )


def _check_columns(dataset: Dataset, connection: duckdb.DuckDBPyConnection, relation: exp.Table) -> None:
    described = connection.execute(exp.select("*").from_(relation).limit(0).sql("duckdb")).description
    found = {str(row[0]): str(row[1]) for row in described or ()}
    wanted = [column.name for column in dataset.columns] + ([dataset.unit] if dataset.unit is not None else [])
    absent = [name for name in dict.fromkeys(wanted) if name not in found]
    if absent:
        raise Refused("dataset-column-missing", f"Dataset `{dataset.id}` has no column {_listed(absent)} in its data.")
    unfit = [c.name for c in dataset.columns if found[c.name].split("(")[0] not in _FITTING[c.type]]
    if unfit:
        raise Refused(
            "dataset-column-type",
            f"In dataset `{dataset.id}` the data of {_listed(unfit)} is not of the declared type.",
            remedy="Declare the type that the data has, or cast it in a view.",
        )


def _quoted(text: str) -> str:
    return exp.Literal.string(text).sql("duckdb")


def _identifier(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("duckdb")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
