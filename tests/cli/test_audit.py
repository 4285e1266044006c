"""`cinque audit verify`: finds the records of all services under a home, and never writes."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
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


def test_what_a_service_has_not_yet_folded_into_its_file_is_read_and_left_as_it_is(home: Path, tmp_path: Path) -> None:
    source, copy = home / "a", tmp_path / "copy"
    copy.mkdir()
    with closing(sqlite3.connect(source / "hub.sqlite")) as reader:
        reader.execute("SELECT count(*) FROM audit").fetchall()  # while somebody reads, the journal is kept
        assert cinque("hub", "invite", source, "east").exit_code == 0
        for name in ("hub.sqlite", "hub.sqlite-wal", "hub.toml"):
            (copy / name).write_bytes((source / name).read_bytes())
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert len(before["hub.sqlite-wal"]) > 0
    (one,) = document(cinque("audit", "verify", copy, "--json"))["audits"]
    assert one["entries"] == 3
    assert {name: (copy / name).read_bytes() for name in before} == before


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
