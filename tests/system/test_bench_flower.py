"""The peer of `tools/bench-flower`: Flower for real, as the benchmark starts, asks and stops it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from statistics import fmean, variance

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tools.bench import flower

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

ROWS = {"dover": [3.0, 5.5, -2.0, 8.25], "romney": [100.0, 101.0]}


@pytest.fixture(scope="module", autouse=True)
def environment() -> None:
    """Flower's own, made first where it is not there."""
    subprocess.run(["make", "--silent", ".venv-flwr/.ready"], cwd=flower.ROOT, check=True, timeout=600)


def test_flower_merges_what_its_nodes_give_and_leaves_nothing_running(tmp_path: Path) -> None:
    for name, values in ROWS.items():
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"x0": values}), tmp_path / name / "rows.parquet")
    with flower.Fleet(tmp_path / "home", {name: tmp_path / name for name in ROWS}) as fleet:
        answered = fleet.ask("mean", "rows.parquet", 50)
        assert len(running(fleet.home)) >= 1 + len(ROWS)
    assert running(fleet.home) == []
    pooled = [value for values in ROWS.values() for value in values]
    assert answered.values["n"] == len(pooled)
    assert answered.values["mean"] == pytest.approx(fmean(pooled), rel=1e-12)
    assert answered.values["variance"] == pytest.approx(variance(pooled), rel=1e-12)
    assert 0 < answered.inside < answered.command


def test_flower_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flower, "BIN", tmp_path / ".venv-none" / "bin")
    with (
        pytest.raises(flower.NotMeasured, match=r"is not installed in .* `make .venv-none/.ready`"),
        flower.Fleet(tmp_path / "home", {"dover": tmp_path}),
    ):
        pass


def running(home: Path) -> list[int]:
    """Processes, dead ones that nobody has waited for apart, whose environment names this home."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                named = f"FLWR_HOME={home}\0".encode() in (entry / "environ").read_bytes()
            except OSError:
                continue  # it has ended, or is another user's
            if named:
                found.append(int(entry.name))
    return found
