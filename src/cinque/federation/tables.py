"""A table somebody has (a CSV or Parquet file, a data frame, an Arrow table, columns) as a declared dataset.

For teaching, trying and tests alone: types and levels are read off the data, which no TRE with sensitive data may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from cinque.errors import Unreadable

TEXT_LEVELS = 1000
NUMBER_LEVELS = 50
MISSING = ["", "NA", "NaN", "nan", "null", "NULL"]


def read_table(table: Any) -> pa.Table:
    """An Arrow table. Raises Unreadable for what is no table."""
    if isinstance(table, str | Path):
        return _read_file(Path(table))
    if isinstance(table, pa.Table):
        return table
    if hasattr(table, "__arrow_c_stream__"):  # pandas, polars and others
        return pa.table(table)
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        return pa.Table.from_pandas(table, preserve_index=False)
    if isinstance(table, Mapping):
        return pa.table(dict(table))
    if isinstance(table, list) and all(isinstance(row, Mapping) for row in table):
        return pa.Table.from_pylist(table)
    raise Unreadable(
        "no-table", f"A {type(table).__name__} is no table.", remedy="Give a path, a data frame or columns."
    )


def _read_file(path: Path) -> pa.Table:
    if not path.exists():
        raise Unreadable("no-file", f"There is no file {path}.")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pq.read_table(path)
        options = pacsv.ConvertOptions(null_values=MISSING, strings_can_be_null=True)
        return pacsv.read_csv(path, convert_options=options)
    except pa.ArrowInvalid as error:
        raise Unreadable("unreadable-table", f"{path} cannot be read as a table: {error}") from error


def declare(table: pa.Table, *, id: str, file: str, unit: str | None) -> tuple[dict[str, Any], pa.Table]:
    """The declaration of a public dataset, and the table in the types it declares, to be written as Parquet `file`."""
    if unit is not None and unit not in table.column_names:
        raise Unreadable("no-unit", f"The table has no column `{unit}` that could tell people apart.")
    columns: list[dict[str, Any]] = []
    arrays: list[Any] = []
    for name in table.column_names:
        kind, array = _typed(table.column(name))
        column: dict[str, Any] = {"name": name, "type": kind, "identifying": name == unit}
        levels = _levels(kind, array) if name != unit else None
        if levels is not None:
            column["levels"] = levels
        columns.append(column)
        arrays.append(array)
    declared = {
        "id": id,
        "release": "1",
        "title": id,
        "openness": "public",
        "unit": unit,
        "source": {"file": file},
        "columns": columns,
    }
    return declared, pa.table(arrays, names=table.column_names)


def _typed(array: Any) -> tuple[str, Any]:
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return "boolean", array
    if pa.types.is_integer(kind):
        return "integer", array.cast(pa.int64())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        array = array.cast(pa.float64())
        return "number", pc.if_else(pc.is_nan(array), pa.scalar(None, pa.float64()), array)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "date", array.cast(pa.date32(), safe=False)
    if pa.types.is_null(kind):
        return "text", array.cast(pa.string())
    return "text", array.cast(pa.string())


def _levels(kind: str, array: Any) -> list[str] | None:
    if kind not in ("text", "integer"):
        return None
    most = TEXT_LEVELS if kind == "text" else NUMBER_LEVELS
    found = [value for value in pc.unique(array).to_pylist() if value is not None]
    return [str(value) for value in sorted(found)] if 0 < len(found) <= most else None


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
