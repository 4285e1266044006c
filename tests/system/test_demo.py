"""`cinque demo` as a newcomer runs it: its fixed form, its totals, and every crate it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cinque.client.answer import recompute
from cinque.crate.archive import pack, unpack
from cinque.crate.cards import Members
from cinque.crate.check import examine
from cinque.crate.verify import verify
from cinque.federation import omop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Demo:
    """What one run said, and where it left everything."""

    said: dict[str, Any]
    home: Path
    seconds: float

    def question(self, name: str) -> dict[str, Any]:
        """One question of it."""
        found: list[dict[str, Any]] = [q for q in self.said["questions"] if q["name"] == name]
        assert len(found) == 1
        return found[0]

    def paths(self, kind: str) -> list[Path]:
        """Crates, records or answer crates of all questions."""
        found = [question[kind] for question in self.said["questions"]]
        return [Path(path) for paths in found for path in ([paths] if isinstance(paths, str) else paths)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    home = tmp_path_factory.mktemp("demo") / "home"
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "cinque.cli", "demo", "--json", "--dir", str(home)],
        capture_output=True,
        timeout=240,
        check=False,
    )
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr.decode()
    return Demo(json.loads(done.stdout), home, seconds)


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "cinque.cli", *arguments], capture_output=True, timeout=60, check=False
    )


def test_it_takes_less_than_a_minute(demo: Demo, record_property: Callable[[str, object], None]) -> None:
    record_property("seconds", demo.seconds)
    assert demo.seconds < 90  # 60 on a machine that does nothing else


def test_the_form_is_the_fixed_one(demo: Demo) -> None:
    assert {"tres", "questions", "seconds"} == demo.said.keys()
    assert demo.said["tres"] == ["dover", "hythe", "sandwich"]
    assert 0 < demo.said["seconds"] <= demo.seconds
    fixed: dict[str, Any] = {
        "name": str,
        "analysis": str,
        "answer": (dict, type(None)),
        "answered": list,
        "missing": list,
        "suppressed": int,
        "crates": list,
        "records": list,
        "answer_crate": str,
        "seconds": float,
    }
    for question in demo.said["questions"]:
        for key, kind in fixed.items():
            assert isinstance(question[key], kind), (question["name"], key)
        asked = {*question["answered"], *(m["tre"] for m in question["missing"])}
        assert asked <= set(demo.said["tres"])
        assert len(question["crates"]) == len(question["answered"])
        for missing in question["missing"]:
            assert missing.keys() == {"tre", "code", "reason"}
            assert missing["code"]
            assert missing["reason"]


@pytest.mark.parametrize(("name", "total"), [("celecoxib", 1844), ("diclofenac", 850), ("gi-bleed", 479)])
def test_the_totals_come_out_of_the_federation(demo: Demo, name: str, total: int) -> None:
    question = demo.question(name)
    assert question["answer"]["people"] == total
    assert sorted(question["answered"]) == ["dover", "hythe", "sandwich"]
    assert question["missing"] == []
    assert question["suppressed"] == 0
    assert question["exactness"] == "exact"
    assert sum(part["people"] for part in question["answer"]["per_tre"].values()) == total


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("refused-by-agreement", {"sandwich": "column-not-in-agreement"}),
        ("one-tre-down", {"hythe": "offline"}),
        ("gi-bleed-by-sex-and-drug", {}),
        ("age-at-first-exposure", {}),
        ("small-cells", {}),
    ],
)
def test_who_is_missing_and_why(demo: Demo, name: str, missing: dict[str, str]) -> None:
    question = demo.question(name)
    assert {m["tre"]: m["code"] for m in question["missing"]} == missing
    assert len(question["answered"]) == (2 if missing or name == "small-cells" else 3)
    # a refusal comes back as a signed crate; who was down can have signed nothing
    assert len(question["records"]) == (name == "refused-by-agreement")


def test_a_missing_tre_is_not_a_zero(demo: Demo) -> None:
    """2,694 people in all; one who does not answer makes the total no total."""
    question = demo.question("one-tre-down")
    assert question["answer"]["people"] < 2694
    assert set(question["answer"]["per_tre"]) == {"dover", "sandwich"}


def test_exactness_is_not_claimed_while_a_tre_is_missing(demo: Demo) -> None:
    assert demo.question("one-tre-down")["exactness"] == "bounded"


def test_the_regression_is_the_one_on_all_rows_together(demo: Demo) -> None:
    """Against statsmodels, on the data set itself."""
    import duckdb
    import numpy as np
    import statsmodels.api as sm

    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{omop.source_file()}' AS data (READ_ONLY)")
        rows = connection.execute(
            f"SELECT drug, sex, gi_bleed FROM ({omop.PEOPLE_SQL}) WHERE drug IS NOT NULL"
        ).fetchall()
    design = np.array([[1.0, drug == "diclofenac", sex == "M"] for drug, sex, _ in rows])
    pooled = sm.GLM([float(bled) for *_, bled in rows], design, sm.families.Binomial()).fit()
    question = demo.question("odds-of-gi-bleed")
    answer = question["answer"]
    assert question["missing"] == []
    assert answer["n"] == len(rows)
    assert answer["rounds"] > 1
    assert list(answer["coef"].values()) == pytest.approx(list(pooled.params), rel=1e-7)
    assert list(answer["se"].values()) == pytest.approx(list(pooled.bse), rel=1e-6)


def test_rows_are_not_people(demo: Demo) -> None:
    """Plenty of rows of too few people: suppressed, with bounds, never the number of rows."""
    question = demo.question("rows-are-not-people")
    assert question["suppressed"] > 0
    for figures in (question["answer"], *question["answer"]["per_tre"].values()):
        for name in ("people", "rows"):
            assert figures[name]["suppressed"] is True
            assert figures[name]["at_least"] >= 0
    assert question["answer"]["people"]["at_most"] < 3 * 10


def test_small_cells_are_suppressed(demo: Demo) -> None:
    question = demo.question("small-cells")
    assert question["suppressed"] > 0
    assert question["exactness"] == "bounded"


@pytest.mark.parametrize(("kind", "least"), [("crates", 20), ("records", 1), ("answer_crate", 9)])
def test_every_crate_conforms_to_what_it_declares(demo: Demo, kind: str, least: int) -> None:
    """At MUST and SHOULD: released crates, refusals and answers."""
    paths = demo.paths(kind)
    assert len(paths) >= least
    for path in paths:
        report = examine(path, profile_id=None)
        assert [f for f in report.findings if f.level != "may"] == [], (path, report.profile)


def test_the_command_agrees(demo: Demo) -> None:
    """The same by the commands, once: exit codes are part of the form."""
    released, record = str(demo.paths("crates")[0]), str(demo.paths("records")[0])
    assert run("crate", "check", released).returncode == 0
    assert run("crate", "check", released, "--level", "should").returncode == 0
    assert run("verify", released).returncode == 0
    assert run("verify", record).returncode == 4
    answer = run("verify", str(demo.paths("answer_crate")[0]), "--json")
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["facts"]["recomputed"] is True


def test_every_crate_verifies_and_every_answer_recomputes(demo: Demo) -> None:
    members = Members.load(demo.home / "members.json")
    for path in demo.paths("crates"):
        assert verify(path, members).exit_code == 0, path
    for path in demo.paths("records"):
        assert verify(path, members).exit_code == 4, path
    answers = demo.paths("answer_crate")
    assert len(answers) == len(demo.said["questions"])
    for path in answers:
        found = verify(path, members, recompute)
        assert (found.exit_code, found.facts["recomputed"]) == (0, True), path
        assert not [f for f in found.findings if f.level in ("error", "warning")], path


# --- whatever is changed fails ----------------------------------------------------------------------------------------

Change = Callable[[dict[str, bytes], str, Random], dict[str, bytes]]


def _byte(files: dict[str, bytes], name: str, random: Random) -> dict[str, bytes]:
    data = bytearray(files[name] or b"\0")
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return files | {name: bytes(data)}


def _removed(files: dict[str, bytes], name: str, random: Random) -> dict[str, bytes]:
    return {other: data for other, data in files.items() if other != name}


def _renamed(files: dict[str, bytes], name: str, random: Random) -> dict[str, bytes]:
    return {(other + "x" if other == name else other): data for other, data in files.items()}


def _added(files: dict[str, bytes], name: str, random: Random) -> dict[str, bytes]:
    """A file beside each file there is."""
    return files | {f"{name}.more": b"more"}


@pytest.mark.parametrize("change", [_byte, _removed, _renamed, _added])
@pytest.mark.parametrize("kind", ["crates", "records", "answer_crate"])
def test_whatever_is_changed_fails(demo: Demo, kind: str, change: Change) -> None:
    members = Members.load(demo.home / "members.json")
    random = Random(f"{kind}{change.__name__}")
    for path in random.sample(demo.paths(kind), min(3, len(demo.paths(kind)))):
        archive = unpack(path.read_bytes())
        files = dict(archive.files)
        assert pack(files, archive.top) == path.read_bytes()  # the change alone makes the difference
        for name in files:
            altered = verify(pack(change(files, name, random), archive.top), members, recompute)
            assert altered.exit_code in (1, 2), (path.name, change.__name__, name)


def test_changing_any_byte_of_a_crates_container_fails_or_says_so(demo: Demo) -> None:
    """The ZIP's own bytes hold no content: where a change of one leaves every file as it was, it is at least told."""
    members = Members.load(demo.home / "members.json")
    path = demo.paths("crates")[0]
    whole = path.read_bytes()
    random = Random(5)
    for _ in range(300):
        data = bytearray(whole)
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        found = verify(bytes(data), members)
        assert found.exit_code in (1, 2) or any(f.code == "repacked" for f in found.findings)


def test_nothing_is_left_running(demo: Demo) -> None:
    """Every service ended with the demo: no process has its home on its command line."""
    left = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(str(demo.home).encode() in word for word in words):
            left.append(words)
    assert left == []


def test_no_key_of_the_demo_lies_open(demo: Demo) -> None:
    keys = [*demo.home.rglob("keys.json"), *demo.home.rglob("hub.json")]
    assert len(keys) >= 11
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
