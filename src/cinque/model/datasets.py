"""What a TRE declares of a dataset, and the part of it that researchers may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from cinque.errors import Refused
from cinque.model import CLOSED

ColumnType = Literal["integer", "number", "text", "boolean", "date"]
Openness = Literal["sensitive", "synthetic", "public"]
_MANY = 20  # columns up to which all are named


def listed(names: Sequence[str]) -> str:
    """Columns by name, for who looks for one."""
    return ", ".join(f"`{name}`" for name in names[:_MANY]) + (", …" if len(names) > _MANY else "")


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column. `levels`: every value that may occur, as text, for a factor; `precision`: the step in which
    a number is recorded (1 for whole years); `identifying`: never usable in an analysis.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    name: str
    type: ColumnType
    description: str = ""
    unit_of_measure: str = ""
    levels: tuple[str, ...] | None = None
    precision: float | None = None
    identifying: bool = False


@dataclass(frozen=True, slots=True)
class Dictionary:
    """What a researcher sees of a dataset: no count, no path, no value that was not declared by hand."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    dataset: str
    release: str
    columns: tuple[Column, ...]
    title: str = ""
    one_row_a_person: bool = True

    def column(self, name: str) -> Column:
        """The usable column; raises Refused for one that is undeclared or identifying, naming the nearest."""
        for column in self.columns:
            if column.name == name:
                if column.identifying:
                    raise Refused(
                        "column-identifying",
                        f"Column `{name}` of dataset `{self.dataset}` identifies people and cannot be used.",
                        remedy="Ask without it; people are counted by the dataset's own declaration.",
                    )
                return column
        import difflib

        usable = [c.name for c in self.columns if not c.identifying]
        near = difflib.get_close_matches(name, usable, n=1)
        raise Refused(
            "unknown-column",
            f"Dataset `{self.dataset}` has no column `{name}`.",
            remedy=f"Did you mean `{near[0]}`?" if near else f"It has: {listed(usable)}.",
        )

    def types(self) -> dict[str, ColumnType]:
        """Usable columns and their types: what an expression is checked against."""
        return {c.name: c.type for c in self.columns if not c.identifying}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows are, inside the TRE: exactly one of `file` (CSV, Parquet), `database` (a DuckDB file) with
    `table`, or either with `sql` (the TRE's own single SELECT; files and databases are named in `files`); or `service`
    (an entry of the account's pg_service.conf: a PostgreSQL database) with a `table` or `sql`.
    Paths are relative to the TRE's folder. Never leaves the TRE.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    file: str | None = None
    database: str | None = None
    table: str | None = None
    sql: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as its TRE declares it. `unit`: the column that identifies a person, or None when one row is one
    person. Every threshold counts distinct people.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    release: str
    source: Source
    columns: tuple[Column, ...]
    unit: str | None = None
    openness: Openness = "sensitive"
    title: str = ""
    description: str = ""

    def dictionary(self) -> Dictionary:
        """The public part."""
        return Dictionary(self.id, self.release, self.columns, self.title, self.unit is None)
