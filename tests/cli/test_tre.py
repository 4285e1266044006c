"""A TRE's home from the command line; a hub's beside it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cinque.crate.cards import TreCard, fingerprint, read_card
from cinque.crate.keys import KeyRing
from cinque.enclave.folder import read_folder
from tests.cli.commands import a_home, cinque, document


def _card(home: Path) -> TreCard:
    found = read_card((home / "tre.card.json").read_bytes())
    assert isinstance(found, TreCard)
    return found


@pytest.fixture
def tre(tmp_path: Path) -> Path:
    home = tmp_path / "north"
    made = cinque("tre", "init", home, "--name", "north", "--title", "The North TRE")
    assert made.exit_code == 0, made.stderr
    assert fingerprint(_card(home)) in made.stdout
    return home


def test_a_new_tre_permits_nothing_and_says_so(tre: Path) -> None:
    found = cinque("tre", "check", tre)
    assert found.exit_code == 0, found.stdout
    assert "Nobody may ask anything yet" in found.stdout
    assert document(cinque("tre", "check", tre, "--json"))["usable"] is True
    assert cinque("tre", "check", tre / "tre").stdout == found.stdout
    assert cinque("tre", "check", home=tre).stdout == found.stdout


def test_a_mistake_in_the_folder_is_named_by_file_and_line(tre: Path) -> None:
    (tre / "tre" / "projects.toml").write_text('[[project]]\nid = "p"\nname = P\n')
    found = cinque("tre", "check", tre)
    assert found.exit_code == 1
    assert "projects.toml:3" in found.stdout.replace("\n", "")
    report = document(cinque("tre", "check", tre, "--json"))
    assert [(one["file"], one["line"]) for one in report["mistakes"]] == [("projects.toml", 3)]
    assert report["usable"] is False


def test_a_home_is_made_whole_or_not_at_all(tmp_path: Path, tre: Path) -> None:
    before = {path: path.read_bytes() for path in tre.rglob("*") if path.is_file()}
    again = cinque("tre", "init", tre, "--name", "other", "--title", "Another")
    assert again.exit_code == 1
    assert "[home-exists]" in again.stderr
    wrong = cinque("tre", "init", tmp_path / "wrong", "--name", "Not A Name", "--title", "Wrong")
    assert wrong.exit_code == 1
    assert {path: path.read_bytes() for path in tre.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["north"]


def test_a_renewed_card_is_signed_by_the_same_root_and_carries_the_appetite_in_force(tre: Path) -> None:
    old = _card(tre)
    (tre / "tre" / "appetite.toml").write_text('threshold = 20\nzeros = "suppress"\n')
    found = cinque("tre", "card", tre, "--renew", "--json")
    assert found.exit_code == 0, found.stderr
    new = _card(tre)
    assert (new.serial, new.root, new.id) == (2, old.root, old.id)
    assert new.appetite != old.appetite
    assert document(found)["fingerprint"] == fingerprint(old)
    assert fingerprint(old) in cinque("tre", "card", tre).stdout


def test_keys_of_a_tre_can_be_under_a_passphrase(tmp_path: Path) -> None:
    home = tmp_path / "safe"
    made = cinque("tre", "init", home, "--name", "safe", "--title", "Safe", passphrase="open sesame")
    assert made.exit_code == 0
    assert KeyRing.load(home / "root" / "keys.json", b"open sesame").sign("root").public == _card(home).root
    refused = cinque("tre", "card", home, "--renew")
    assert (refused.exit_code, "CINQUE_PASSPHRASE" in refused.stderr) == (1, True)
    assert _card(home).serial == 1


@pytest.mark.parametrize(
    ("hub", "exit_code", "code"),
    [
        ("hub.example.org", 2, "address"),
        ('https://hub.example.org"\nport = 1', 2, "address"),
        ("http://hub.example.org", 1, "plain-http"),
        ("http://127.0.0.1:9", 1, "no-answer"),
    ],
)
def test_an_enrolment_that_fails_leaves_the_gate_as_it_was(tre: Path, hub: str, exit_code: int, code: str) -> None:
    before = (tre / "gate" / "gate.toml").read_bytes()
    found = cinque("tre", "enrol", hub, "token", "--home", tre)
    assert (found.exit_code, f"[{code}" in found.stderr) == (exit_code, True), found.stderr
    assert (tre / "gate" / "gate.toml").read_bytes() == before


def test_a_drafted_dataset_reads_as_it_stands(tmp_path: Path, tre: Path) -> None:
    data = tmp_path / "Clinic Visits.csv"
    data.write_text("person,sex,age\n1,F,40\n2,M,50\n")
    found = cinque("tre", "dataset", data, "--unit", "person", "--release", "2026-11")
    assert found.exit_code == 0, found.stderr
    assert tomllib.loads(found.stdout)["id"] == "clinic-visits"
    (tre / "tre" / "datasets" / "visits.toml").write_text(found.stdout)
    (dataset,) = read_folder(tre / "tre", frozenset()).datasets
    assert (dataset.unit, [column.type for column in dataset.columns]) == ("person", ["integer", "text", "integer"])
    assert cinque("tre", "dataset", tmp_path / "none.csv").exit_code == 2
    assert cinque("tre", "dataset", data, "--unit", "nobody").exit_code == 1


def test_a_decision_needs_a_reason(tre: Path, tmp_path: Path) -> None:
    me = a_home(tmp_path / "me")
    for verb in ("sign-off", "refuse", "release", "withhold"):
        found = cinque("tre", verb, "0000", "--as", me, "--home", tre)
        assert (found.exit_code, "--reason" in found.stderr) == (2, True)


def test_an_enclave_that_does_not_run_is_said(tre: Path, tmp_path: Path) -> None:
    found = cinque("tre", "tasks", "--as", a_home(tmp_path / "me"), "--enclave", "http://127.0.0.1:9")
    assert (found.exit_code, "does not answer" in found.stderr) == (1, True)


def test_a_hub_invites_with_a_token_of_its_own_each_time(tmp_path: Path) -> None:
    made = cinque("hub", "init", tmp_path / "hub", "--port", "8123")
    assert made.exit_code == 0, made.stderr
    tokens = [cinque("hub", "invite", tmp_path / "hub", "north").stdout.strip() for _ in range(2)]
    assert len(set(tokens)) == 2
    assert all(len(token) >= 32 for token in tokens)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "hub").rglob("*") if path.is_file())
    assert not any(token.encode() in stored for token in tokens)
    assert cinque("hub", "invite", tmp_path / "nowhere", "north").exit_code == 2


def test_a_hub_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    assert cinque("hub", "init", tmp_path / "hub", "--url", "no address").exit_code == 1
    assert list(tmp_path.iterdir()) == []
    assert cinque("hub", "init", tmp_path / "hub").exit_code == 0
    before = (tmp_path / "hub" / "hub.card.json").read_bytes()
    assert cinque("hub", "init", tmp_path / "hub").exit_code == 1
    assert (tmp_path / "hub" / "hub.card.json").read_bytes() == before
