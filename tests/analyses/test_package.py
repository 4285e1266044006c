"""An analysis as a crate: the same bytes everywhere, and any other bytes are another analysis."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

import cinque
from cinque.analyses import code, registry
from cinque.analyses.package import digest, identity, package, verify_package
from cinque.crate.check import check
from cinque.errors import Refused
from tests.analyses import several_rounds

DIGESTS = Path(__file__).with_name("digests.json")
# Other tests add analyses of their own to the registry of this process.
SHIPPED = ("chi2", "cmh", "count", "fisher", "glm", "lm", "summary", "table")
EVERY: dict[str, Any] = {name: registry.get(name) for name in SHIPPED}
EVERY["median-interval"] = several_rounds.ANALYSIS


@pytest.mark.parametrize("name", SHIPPED)
def test_a_version_keeps_its_digest(name: str) -> None:
    analysis = registry.get(name)
    known = json.loads(DIGESTS.read_text("utf-8")).get(f"{name}@{analysis.version}")
    assert digest(package(analysis)) == known, (
        f"The code of `{name}` {analysis.version} is not what digests.json has of that version. If it was published, "
        "raise its `version` and `published`; then run `.venv/bin/python tools/analysis-digests`."
    )


def test_the_digest_is_that_of_sha256sum(tmp_path: Path) -> None:
    files = package(registry.get("table"))
    for path, content in files.items():
        (tmp_path / path).write_bytes(content)
    lines = subprocess.run(["sha256sum", *files], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    expected = hashlib.sha256("".join(sorted(lines.splitlines(keepends=True))).encode()).hexdigest()
    assert digest(files) == f"sha256:{expected}"
    assert identity(registry.get("table")) == f"table@1.0.0 sha256:{expected}"


PRINT = """
from cinque.analyses import package, registry
print(*map(package.identity, map(registry.get, registry.names())))
"""


def test_another_place_other_line_ends_and_another_seed_give_the_same_digest(tmp_path: Path) -> None:
    shutil.copytree(Path(cinque.__file__).parent, tmp_path / "cinque", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path / "cinque").rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    found = subprocess.run(
        [sys.executable, "-c", f"import cinque; assert {str(tmp_path)!r} in cinque.__file__{PRINT}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found.split("\n")[0] == " ".join(identity(registry.get(name)) for name in SHIPPED)


@pytest.mark.parametrize("name", EVERY)
def test_the_installed_package_is_accepted_and_any_other_refused(name: str) -> None:
    analysis = EVERY[name]
    files = dict(package(analysis))
    verify_package(files, analysis)
    altered = [
        {**files, "code.json": files["code.json"].replace(b"0", b"1", 1)},
        {**files, "another.cwl": b""},
        {path: content for path, content in files.items() if path != f"{name}.cwl"},
        {},
    ]
    for other in altered:
        assert digest(other) != digest(files)
        with pytest.raises(Refused) as caught:
            verify_package(other, analysis)
        assert caught.value.code == "analysis-differs"


def test_a_foreign_files_name_is_not_repeated() -> None:
    analysis = registry.get("count")
    with pytest.raises(Refused) as caught:
        verify_package({**package(analysis), "Jane Doe": b""}, analysis)
    assert "Jane" not in str(caught.value)


def test_nobody_can_change_the_kept_package() -> None:
    with pytest.raises(TypeError):
        package(registry.get("count"))["code.json"] = b"{}"  # type: ignore[index]


def test_another_version_is_another_package() -> None:
    count = registry.get("count")
    assert digest(package(replace(count, version="1.0.1"))) != digest(package(count))


def test_code_covers_what_makes_the_numbers_and_not_the_machinery() -> None:
    modules = code.digests("cinque.analyses.summary")
    assert {"cinque.analyses.summary", "cinque.stats.moments", "cinque.expr.parser", "cinque.sdc.interval"} <= set(
        modules
    )
    assert not [name for name in modules if re.match(r"cinque\.(query|model|lib|errors)|cinque.sdc.judge", name)]
    source = Path(cinque.__file__).parent / "stats" / "moments.py"
    assert modules["cinque.stats.moments"] == hashlib.sha256(source.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", EVERY)
def test_it_is_a_workflow_ro_crate(name: str, tmp_path: Path) -> None:
    files = package(EVERY[name])
    for path, content in files.items():
        (tmp_path / path).write_bytes(content)
    crate = ROCrate(str(tmp_path))  # someone else's reader
    assert crate.mainEntity.id == f"{name}.cwl"
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} == set(crate.mainEntity.type)
    assert crate.mainEntity["programmingLanguage"].id.endswith("#cwl")  # R26
    assert {entity.id for entity in crate.get_entities() if "File" in entity.type} == files.keys() - {
        "ro-crate-metadata.json"
    }
    assert json.loads(files["analysis.json"])["parameters"]["additionalProperties"] is False
    report = check(files["ro-crate-metadata.json"], files=files, profile_id="https://w3id.org/ro/crate/1.2")
    assert report.findings == ()
