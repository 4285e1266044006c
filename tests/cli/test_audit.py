"""`cinque audit verify`: finds the records of all services under a home, and never writes."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from tests.cli.commands import cinque, document


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two hubs, each with two entries."""
    for name in ("a", "b"):
        assert cinque("hub", "init", tmp_path / name).exit_code == 0
        for label in ("north", "south"):
            assert cinque("hub", "invite", tmp_path / name, label).exit_code == 0
    return tmp_path


def test_every_record_under_a_folder_is_verified(home: Path) -> None:
    found = cinque("audit", "verify", home, "--json")
    assert found.exit_code == 0
    audits = document(found)["audits"]
    assert [(Path(one["home"]).name, one["service"], one["entries"]) for one in audits] == [
        ("a", "hub", 2),
        ("b", "hub", 2),
    ]
    assert audits[0]["head"] in cinque("audit", "verify", home / "a").stdout


def test_one_changed_entry_is_found_and_nothing_is_written(home: Path) -> None:
    with sqlite3.connect(home / "b" / "hub.sqlite") as conn:
        conn.execute("DROP TRIGGER audit_no_update")
        conn.execute("UPDATE audit SET detail = 'east' WHERE seq = 2")
    conn.close()
    before = (home / "b" / "hub.sqlite").read_bytes()
    found = cinque("audit", "verify", home)
    assert found.exit_code == 1
    assert "Entry 2" in found.stdout
    assert (home / "b" / "hub.sqlite").read_bytes() == before
    assert document(cinque("audit", "verify", home, "--json"))["unbroken"] is False


def test_a_database_that_is_none_is_no_unbroken_record(home: Path) -> None:
    (home / "a" / "hub.sqlite").write_bytes(b"not a database" * 100)
    found = cinque("audit", "verify", home / "a")
    assert (found.exit_code, "cannot be read from entry 1" in found.stdout) == (1, True)


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    found = cinque("audit", "verify", home)
    assert found.exit_code == 2
    assert "`sqlalchemy`" in found.stderr
    assert "cinque[hub]" in found.stderr
