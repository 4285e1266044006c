"""The packaged workflow, run by someone else's engine, lets out the same bytes as the enclave's worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cinque.analyses import registry
from cinque.analyses.package import package
from cinque.analyses.run import main
from cinque.analyses.work import next_step, parameters_of, released_bytes, work
from cinque.lib.parse import dump
from cinque.query.duckdb_engine import open_duckdb
from tests.analyses import several_rounds
from tests.analyses.tres import TEN, Row, a_dataset, write

BIN = Path(sys.executable).parent
ROWS: list[Row] = [
    {
        "person": f"p{i % 60}",
        "sex": ("F", "M", None)[i % 7 % 3],
        "drug": ("celecoxib", "diclofenac", "none")[i % 11 % 3],
        "smokes": i % 5 == 0,
        "x": i / 7 if i % 4 else None,
        "visits": i % 13,
    }
    for i in range(200)
]
QUESTIONS: dict[str, dict[str, Any]] = {
    "count": {"where": "smokes and visits > 2"},
    "table": {"factors": ["sex", "drug"], "where": "x < 20"},
    "summary": {"variable": "x", "by": ["sex"]},
}
MEDIAN = {"variable": "x", "low": 0.0, "high": 32.0}


def files(folder: Path, parameters: Any, unit: str | None, history: Any = ()) -> dict[str, str]:
    """What the workflow reads, written to `folder`: input -> path."""
    write(ROWS, folder / "rows.csv")
    values = {
        "dataset": {"dictionary": dump(a_dataset(unit=unit).dictionary()), "unit": unit},
        "parameters": parameters,
        "history": history,
        "appetite": dump(TEN),
    }
    for name, value in values.items():
        (folder / f"{name}.json").write_text(json.dumps(value), "utf-8")
    return {"data": str(folder / "rows.csv")} | {name: str(folder / f"{name}.json") for name in values}


def expected(analysis: Any, folder: Path, parameters: Any, unit: str | None, history: Any = ()) -> bytes:
    value = parameters_of(analysis, parameters)
    with open_duckdb(a_dataset(unit=unit), folder) as source:
        return released_bytes(work(analysis, source, value, next_step(analysis, value, history), TEN)[2])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "unit"), [("count", None), ("table", "person"), ("summary", "person")])
def test_cwltool_gets_the_bytes_of_the_worker(name: str, unit: str | None, tmp_path: Path) -> None:
    analysis = registry.get(name)
    given = files(tmp_path, QUESTIONS[name], unit)
    for path, content in package(analysis).items():
        (tmp_path / path).write_bytes(content)
    job = {input: {"class": "File", "path": path} for input, path in given.items()}
    (tmp_path / "job.json").write_text(json.dumps(job), "utf-8")
    ran = subprocess.run(
        [BIN / "cwltool", "--no-container", "--outdir", "out", f"{name}.cwl", "job.json"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    released = (tmp_path / "out" / "released.json").read_bytes()
    assert released == expected(analysis, tmp_path, QUESTIONS[name], unit)
    assert b"suppressed" in released or name != "table"


def run(module: str, given: dict[str, str], output: Path) -> int:
    arguments = [part for name, path in given.items() for part in (f"--{name}", path)]
    return main([module, *arguments, "--output", str(output)])


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_program_gets_the_bytes_of_the_worker(name: str, tmp_path: Path) -> None:
    analysis = registry.get(name)
    assert run(analysis.partial.__module__, files(tmp_path, QUESTIONS[name], None), tmp_path / "out.json") == 0
    assert (tmp_path / "out.json").read_bytes() == expected(analysis, tmp_path, QUESTIONS[name], None)


def test_a_later_round_is_derived_from_what_was_released(tmp_path: Path) -> None:
    analysis, module = several_rounds.ANALYSIS, several_rounds.__name__
    assert run(module, files(tmp_path, MEDIAN, None), tmp_path / "1.json") == 0
    history = [{"here": json.loads((tmp_path / "1.json").read_bytes())}]
    assert run(module, files(tmp_path, MEDIAN, None, history), tmp_path / "2.json") == 0
    second = json.loads((tmp_path / "2.json").read_bytes())
    assert len(second["shape"]["splits"]) == 2
    assert json.loads((tmp_path / "1.json").read_bytes())["figures"].items() <= second["figures"].items()
    assert analysis.partial.__module__ == module


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"parameters": {"by": ["sex"]}}, "parameters-malformed"),
        ({"parameters": {"where": "height > 3"}}, "filter-unknown-column"),
        ({"dataset": {"unit": "person"}}, "malformed"),
        ({"dataset": {"dictionary": dump(a_dataset(unit="person").dictionary()), "unit": None}}, "dataset-declaration"),
        ({"history": [{"here": {"shape": {}, "figures": {}}}]}, "session-complete"),
        ({"history": {}}, "malformed"),
        ({"appetite": {"threshold": -1}}, "appetite-impossible"),
    ],
)
def test_bad_input_is_refused_and_nothing_written(
    change: dict[str, Any], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = files(tmp_path, {}, None)
    for name, value in change.items():
        Path(given[name]).write_text(json.dumps(value), "utf-8")
    assert run("cinque.analyses.count", given, tmp_path / "out.json") == 1
    assert f"[{code}]" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
