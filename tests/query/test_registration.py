"""A dataset is asked only when it is what its declaration says; the refusal names columns and never a value."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cinque.errors import Refused
from cinque.model.datasets import Column, Dataset, Source
from cinque.query.duckdb_engine import open_duckdb
from cinque.query.registration import register, snapshot

COLUMNS = (
    Column("person", "text", identifying=True),
    Column("age", "integer"),
    Column("bmi", "number"),
    Column("sex", "text", levels=("F", "M")),
    Column("alive", "boolean"),
    Column("born", "date"),
)
HEADER = "person,age,bmi,sex,alive,born,undeclared"
GOOD = ("p1,30,20.5,F,true,1990-01-31,x", "p1,-3,1e2,M,0,1990-02-28,", 'p2,,,,,,"a,b"')


def a_cohort(folder: Path, *rows: str, header: str = HEADER, end: str = "\n", **changes: Any) -> Dataset:
    (folder / "cohort.csv").write_bytes(end.join((header, *rows, "")).encode())
    dataset = Dataset("cohort", "r1", Source(file="cohort.csv"), COLUMNS, "person")
    return replace(dataset, **changes)


def _register(dataset: Dataset, folder: Path) -> None:
    with open_duckdb(dataset, folder) as source:
        register(source)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_good_file_is_accepted(tmp_path: Path, end: str, mark: str) -> None:
    _register(a_cohort(tmp_path, *GOOD, header=mark + HEADER, end=end), tmp_path)


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("p3,SECRET,1,F,true,1990-01-01,", "dataset-unfit", "age"),
        ("p3,31.5,1,F,true,1990-01-01,", "dataset-unfit", "age"),
        ("p3,31.0,1,F,true,1990-01-01,", "dataset-unfit", "age"),
        ("p3,0x1F,1,F,true,1990-01-01,", "dataset-unfit", "age"),
        ("p3,1_000,1,F,true,1990-01-01,", "dataset-unfit", "age"),
        ("p3,9999999999999999999,1,F,true,1990-01-01,", "dataset-unfit", "age"),
        ("p3,NA,1,F,true,1990-01-01,", "dataset-unfit", "age"),
        ('p3,31,"1,5",F,true,1990-01-01,', "dataset-unfit", "bmi"),
        ("p3,31,nan,F,true,1990-01-01,", "dataset-unfit", "bmi"),
        ("p3,31,1,F,yes,1990-01-01,", "dataset-unfit", "alive"),
        ("p3,31,1,F,true,31/01/1990,", "dataset-unfit", "born"),
        ("p3,31,1,F,true,1990-02-30,", "dataset-unfit", "born"),
        ("p3,31,1,SECRET,true,1990-01-01,", "dataset-undeclared-level", "sex"),
        ("p3,31,1,f,true,1990-01-01,", "dataset-undeclared-level", "sex"),
        (",31,1,F,true,1990-01-01,", "dataset-unit-missing", "person"),
        ("  ,31,1,F,true,1990-01-01,", "dataset-unit-missing", "person"),
        ("p3,31,1,F,true,1990-01-01", "dataset-unfit", "to its end"),
        ("p3,31,1,F,true,1990-01-01,x,SECRET", "dataset-unfit", "to its end"),
        ('p3,31,1,F,true,1990-01-01,"SECRET', "dataset-unfit", "to its end"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_without_its_value(tmp_path: Path, row: str, code: str, column: str) -> None:
    with pytest.raises(Refused, match=column) as refused:
        _register(a_cohort(tmp_path, *GOOD, row), tmp_path)
    assert refused.value.code == code
    others = {"age", "bmi", "sex", "alive", "born"} - {column}
    assert not any(f"`{other}`" in str(refused.value) for other in others)
    for field in ("SECRET", "31.5", "0x1F", "9999", "31/01", "02-30"):
        assert field not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


PERSON, *REST = COLUMNS
DECLARED_WRONGLY: dict[str, tuple[dict[str, Any], str]] = {
    "a unit that is not there": ({"unit": "nobody"}, "dataset-column-missing"),
    "a column that is not there": ({"columns": (*COLUMNS, Column("height", "number"))}, "dataset-column-missing"),
    "two names that differ by case": ({"columns": (*COLUMNS, Column("AGE", "number"))}, "dataset-declaration"),
    "a reserved name": ({"columns": (*COLUMNS, Column("__person__", "text"))}, "dataset-declaration"),
    "a unit that is not identifying": ({"columns": (Column("person", "text"), *REST)}, "dataset-unit"),
    "a unit that is a number": ({"unit": "bmi"}, "dataset-unit"),
    "a number with levels": ({"columns": (PERSON, Column("bmi", "number", levels=("1",)))}, "dataset-levels"),
    "a level twice": ({"columns": (PERSON, Column("sex", "text", levels=("F", "F")))}, "dataset-levels"),
    "a factor of no level": ({"columns": (PERSON, Column("sex", "text", levels=()))}, "dataset-undeclared-level"),
}
HEADERS = ["", "person,age,bmi,sex,alive,born,age", "person,age,bmi,sex,alive,born,Age", "a,,b"]


@pytest.mark.parametrize("fault", DECLARED_WRONGLY)
def test_a_declaration_that_does_not_fit(tmp_path: Path, fault: str) -> None:
    changes, code = DECLARED_WRONGLY[fault]
    with pytest.raises(Refused) as refused:
        _register(a_cohort(tmp_path, *GOOD, **changes), tmp_path)
    assert refused.value.code == code


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_does_not_name_each_column(tmp_path: Path, header: str) -> None:
    with pytest.raises(Refused, match="distinct column names"):
        _register(a_cohort(tmp_path, *GOOD, header=header), tmp_path)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds no row"):
        _register(a_cohort(tmp_path), tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    dataset = a_cohort(tmp_path, *GOOD)
    path = tmp_path / "cohort.csv"
    path.write_bytes(path.read_bytes() + "p9,1,1,F,true,1990-01-01,é\n".encode("latin-1"))
    with pytest.raises(Refused, match="UTF-8"):
        _register(dataset, tmp_path)


def test_types_of_a_database_are_not_bent(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "c.duckdb")) as connection:
        connection.execute("create table t as select 1.5 as age, 'x' as bmi, 2::hugeint as n")
    for name, kind in (("age", "integer"), ("bmi", "number"), ("n", "integer"), ("age", "text"), ("bmi", "date")):
        columns = (Column(name, kind),)  # type: ignore[arg-type]
        with pytest.raises(Refused, match=name) as refused:
            _register(Dataset("c", "1", Source(database="c.duckdb", table="t"), columns), tmp_path)
        assert refused.value.code == "dataset-column-type"


# --------------------------------------------------------------------------------------------------------- snapshot


def test_a_snapshot_changes_with_what_would_be_read(tmp_path: Path) -> None:
    dataset = a_cohort(tmp_path, *GOOD)
    first = snapshot(open_duckdb(dataset, tmp_path), b"salt")
    assert len(first) == 64
    os.utime(tmp_path / "cohort.csv", ns=(1, 1))
    assert snapshot(open_duckdb(dataset, tmp_path), b"salt") == first  # the same bytes are the same data
    assert snapshot(open_duckdb(dataset, tmp_path), b"other") != first
    assert snapshot(open_duckdb(replace(dataset, release="r2"), tmp_path), b"salt") != first
    viewed = replace(dataset, source=Source(file="cohort.csv", sql="SELECT * FROM data"))
    assert snapshot(open_duckdb(viewed, tmp_path), b"salt") != first
    (tmp_path / "cohort.csv.wal").write_bytes(b"")
    assert snapshot(open_duckdb(dataset, tmp_path), b"salt") != first
    (tmp_path / "cohort.csv.wal").unlink()
    a_cohort(tmp_path, *GOOD[:-1], GOOD[-1].replace("a,b", "a,c"))
    assert snapshot(open_duckdb(dataset, tmp_path), b"salt") != first


def test_a_large_file_is_known_by_size_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinque.query.duckdb_files.SMALL", 10)
    dataset = a_cohort(tmp_path, *GOOD)
    first = snapshot(open_duckdb(dataset, tmp_path), b"salt")
    assert snapshot(open_duckdb(dataset, tmp_path), b"salt") == first
    os.utime(tmp_path / "cohort.csv", ns=(1, 1))
    assert snapshot(open_duckdb(dataset, tmp_path), b"salt") != first


def test_a_snapshot_covers_every_named_file(tmp_path: Path) -> None:
    a_cohort(tmp_path, *GOOD)
    (tmp_path / "second.csv").write_text("a\n1\n")
    dataset = Dataset("c", "1", Source(sql="SELECT 1", files={"a": "cohort.csv", "b": "second.csv"}), COLUMNS)
    first = snapshot(open_duckdb(dataset, tmp_path), b"salt")
    (tmp_path / "second.csv").write_text("a\n2\n")
    assert snapshot(open_duckdb(dataset, tmp_path), b"salt") != first
