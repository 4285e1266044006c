"""Keys and cards of a person, and whose cards are pinned."""

from __future__ import annotations

import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cinque.client.home import ClientHome
from cinque.crate.cards import HubCard, Members, PersonCard, fingerprint, issue_card, issue_person_card, read_card
from cinque.crate.keys import KeyRing
from tests.builders import a_person, a_tre, some_members
from tests.cli.commands import a_home, cinque, document


# -------------------------------------------------------------------------------------------------------------- key
def test_keys_are_private_and_never_written_over(tmp_path: Path) -> None:
    assert cinque("key", "new", "--home", tmp_path / "me").exit_code == 0
    file = tmp_path / "me" / "keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    again = cinque("key", "new", "--home", tmp_path / "me")
    assert again.exit_code == 1
    assert "[key-file-exists]" in again.stderr
    assert file.read_bytes() == before


def test_keys_under_a_passphrase_need_it(tmp_path: Path) -> None:
    assert cinque("key", "new", home=tmp_path, passphrase="open sesame").exit_code == 0
    card = ("key", "card", "--name", "Ada Example", "--id", "0000-0002-1825-0097", "--affiliation", "Example")
    assert "CINQUE_PASSPHRASE" in cinque(*card, home=tmp_path).stderr
    assert "[key-passphrase]" in cinque(*card, home=tmp_path, passphrase="wrong").stderr
    assert not (tmp_path / "person.card.json").exists()
    assert cinque(*card, home=tmp_path, passphrase="open sesame").exit_code == 0


def test_a_card_takes_a_bare_orcid_and_a_later_one_keeps_what_is_not_said(tmp_path: Path) -> None:
    a_home(tmp_path)
    first = ClientHome(tmp_path).card()
    assert (first.id, first.serial) == ("https://orcid.org/0000-0002-1825-0097", 1)
    assert cinque("key", "card", "--affiliation", "Elsewhere", home=tmp_path).exit_code == 0
    second = ClientHome(tmp_path).card()
    assert (second.name, second.affiliation_name, second.serial) == ("Ada Example", "Elsewhere", 2)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--name", "Ada"], 2, "--id, --affiliation"),
        (["--name", "Ada", "--id", "0000-0002-1825-0098", "--affiliation", "X"], 1, "ORCID"),
        (["--name", "Ada", "--id", "0000-0002-1825-0097", "--affiliation", "X", "--ror", "nonsense"], 1, "ROR"),
    ],
)
def test_a_wrong_card_is_not_written(tmp_path: Path, args: list[str], code: int, said: str) -> None:
    assert cinque("key", "new", home=tmp_path).exit_code == 0
    found = cinque("key", "card", *args, home=tmp_path)
    assert (found.exit_code, said in found.stderr) == (code, True), found.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys.json"]


def test_a_fingerprint_is_the_same_at_both_ends_of_the_telephone(tmp_path: Path) -> None:
    a_home(tmp_path)
    own = cinque("key", "fingerprint", home=tmp_path).stdout
    assert own == cinque("key", "fingerprint", tmp_path / "person.card.json").stdout
    assert own.strip() == fingerprint(ClientHome(tmp_path).card())
    (tmp_path / "no.json").write_text("{}")
    assert cinque("key", "fingerprint", tmp_path / "no.json").exit_code == 1
    assert cinque("key", "fingerprint", tmp_path / "nowhere.json").exit_code == 2


# ---------------------------------------------------------------------------------------------------------- members
def test_members_are_shown_with_fingerprints(tmp_path: Path) -> None:
    some_members().save(tmp_path / "members.json")
    found = document(cinque("members", "show", "--json", home=tmp_path))["members"]
    assert {(one["type"], one["name"]) for one in found} == {
        ("person", "Ada Example"),
        ("tre", "north"),
        ("tre", "south"),
    }
    told = cinque("members", "show", home=tmp_path).stdout
    assert all(one["fingerprint"] in told for one in found)


def test_a_card_is_pinned_but_never_another_key_for_the_same_person(tmp_path: Path) -> None:
    card = tmp_path / "ada.card.json"
    card.write_bytes(a_person().envelope)
    home = tmp_path / "home"
    assert cinque("members", "add", card, home=home).exit_code == 0
    before = (home / "members.json").read_bytes()
    ring = KeyRing.new({"sign": "sign", "open": "open", "call": "sign"})
    old = a_person().card
    card.write_bytes(
        issue_person_card(
            ring, id=old.id, name=old.name, affiliation_name="Example", valid_from=old.valid_from, serial=2
        )
    )
    found = cinque("members", "add", card, home=home)
    assert found.exit_code == 1
    assert "[card-key-changed]" in found.stderr
    assert (home / "members.json").read_bytes() == before


def test_connect_pins_the_cards_of_the_file_and_says_whose(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    Members.of([a_tre().envelope, a_tre("south").envelope]).save(tmp_path / "members.json")
    found = cinque(
        "connect", "https://hub.example.org", "--members", tmp_path / "members.json", "--project", "p", home=home
    )
    assert found.exit_code == 0, found.stderr
    assert all(fingerprint(tre.card) in found.stdout for tre in (a_tre(), a_tre("south")))
    place = ClientHome(home)
    assert place.settings().hub == "https://hub.example.org"
    assert {card.name for card in place.members().cards} == {"north", "south", "Ada Example"}
    again = cinque("connect", "https://new.example.org", "--members", tmp_path / "members.json", home=home)
    assert again.exit_code == 0
    assert (place.settings().hub, place.settings().project) == ("https://new.example.org", "p")


@pytest.mark.parametrize(
    ("hub", "members", "exit_code", "code"),
    [
        ("http://hub.example.org", "good", 1, "plain-http"),
        ("hub.example.org", "good", 1, "address"),
        ("https://hub.example.org", "missing", 2, "members-unreadable"),
        ("https://hub.example.org", "changed", 1, "card-key-changed"),
        ("http://127.0.0.1:9", "good", 1, "no-answer"),
    ],
)
def test_a_connection_that_cannot_be_made_changes_nothing(
    tmp_path: Path, hub: str, members: str, exit_code: int, code: str
) -> None:
    home = a_home(tmp_path / "home")
    Members.of([a_person("Kit", "urn:uuid:00000000-0000-4000-8000-000000000001").envelope]).save(home / "members.json")
    Members.of([a_tre().envelope]).save(tmp_path / "good")
    other = a_person("Kim", "urn:uuid:00000000-0000-4000-8000-000000000001")
    Members.of([other.envelope]).save(tmp_path / "changed")
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    found = cinque("connect", hub, "--members", tmp_path / members, "--token", "aa", home=home)
    assert (found.exit_code, f"[{code}" in found.stderr) == (exit_code, True), found.stderr
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def _hub_card() -> bytes:
    ring = KeyRing.new({"receipt": "sign", "call": "sign"})
    card = HubCard(name="hub", receipt=ring.public("receipt"), call=ring.public("call"))
    return issue_card(card, ring.sign("receipt"))


@pytest.mark.parametrize(("pinned", "exit_code"), [("the same", 0), ("another", 1), ("none", 0)])
def test_a_hub_that_shows_another_card_than_the_pinned_one_is_not_connected_to(
    tmp_path: Path, pinned: str, exit_code: int
) -> None:
    shown, other = (_hub_card() for _ in range(2))
    known = {"the same": [shown], "another": [other], "none": []}[pinned]
    Members.of([a_tre().envelope, *known]).save(tmp_path / "members.json")
    home = a_home(tmp_path / "home")

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(shown)

        def log_message(self, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        found = cinque("connect", address, "--members", tmp_path / "members.json", "--token", "aa", home=home)
        thread.join()
    assert found.exit_code == exit_code, found.stderr
    assert ("[hub-differs" in found.stderr) == (exit_code == 1)
    assert (home / "client.toml").exists() == (exit_code == 0)
    assert (home / "members.json").exists() == (exit_code == 0)


def test_the_card_of_a_pinned_person_follows_their_own(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    Members.of([a_tre().envelope]).save(tmp_path / "members.json")
    assert (
        cinque("connect", "https://hub.example.org", "--members", tmp_path / "members.json", home=home).exit_code == 0
    )
    assert cinque("key", "card", "--name", "Ada E. Example", home=home).exit_code == 0
    own = read_card((home / "person.card.json").read_bytes())
    assert isinstance(own, PersonCard)
    assert ClientHome(home).members().person(own.id).name == "Ada E. Example"
