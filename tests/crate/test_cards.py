"""Cards: written by one party, pinned by fingerprint, changed only by whom the pinned card named."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.crate.cards import (
    CARD_TYPE,
    HubCard,
    Members,
    PersonCard,
    TreCard,
    accept_change,
    check_valid,
    fingerprint,
    issue_card,
    issue_person_card,
    read_card,
    tre_id,
)
from cinque.crate.dsse import open_envelope, seal_envelope
from cinque.crate.keys import KeyRing, OpeningKey, SigningKey
from cinque.errors import CinqueError, Incompatible, NotFound, Refused, Unreadable
from cinque.lib.canonical import canonical

ORCID = "https://orcid.org/0000-0002-1825-0097"  # the example of ORCID's own documentation
START = date(2026, 1, 1)


def a_ring() -> KeyRing:
    return KeyRing.new({"sign": "sign", "open": "open", "call": "sign"})


def a_person(ring: KeyRing, **changes: Any) -> bytes:
    fields = {"id": ORCID, "name": "Josiah Carberry", "affiliation_name": "Brown University", "valid_from": START}
    return issue_person_card(ring, **{**fields, **changes})


def a_tre(root: SigningKey, **changes: Any) -> TreCard:
    fields = {
        "id": tre_id(root.public),
        "name": "north",
        "title": "North Data Centre",
        "ror": "https://ror.org/05gq02987",
        "root": root.public,
        "seal": OpeningKey.generate().public,
        "appetite": "0" * 64,
        "serial": 1,
        "valid_from": START,
    }
    jobs = ("release", "enclave_call", "gate_transport", "gate_record")
    return TreCard(**{**fields, **{job: SigningKey.generate().public for job in jobs}, **changes})


def a_hub(receipt: SigningKey, **changes: Any) -> HubCard:
    fields = {"name": "hub", "url": "https://hub.example", "receipt": receipt.public}
    return HubCard(**{**fields, "call": SigningKey.generate().public, **changes})


def refusal(data: bytes) -> str:
    with pytest.raises(Refused) as refused:
        read_card(data)
    return refused.value.code


def change_refused(pinned: bytes, offered: bytes) -> str:
    with pytest.raises(Refused) as refused:
        accept_change(pinned, offered)
    return refused.value.code


# ---------------------------------------------------------------------------------------------------------- reading
def test_a_person_card_says_what_was_put_in() -> None:
    ring = a_ring()
    data = a_person(ring, valid_until=date(2027, 1, 1))
    card = read_card(data)
    assert isinstance(card, PersonCard)
    assert (card.id, card.name, card.serial, card.envelope) == (ORCID, "Josiah Carberry", 1, data)
    assert (card.sign, card.open, card.call) == tuple(ring.public(name) for name in ("sign", "open", "call"))
    assert (card.valid_from, card.valid_until) == (START, date(2027, 1, 1))


def test_a_tre_and_a_hub_come_back_as_issued() -> None:
    root, receipt = SigningKey.generate(), SigningKey.generate()
    tre, hub = a_tre(root), a_hub(receipt)
    assert read_card(issue_card(tre, root)) == tre
    assert read_card(issue_card(hub, receipt)) == hub


def test_a_card_by_another_key_is_refused() -> None:
    root, other = SigningKey.generate(), SigningKey.generate()
    data = seal_envelope(CARD_TYPE, open_envelope(issue_card(a_tre(root), root), CARD_TYPE).payload, other)
    assert refusal(data) == "signature-invalid"
    with pytest.raises(Refused):
        issue_card(a_tre(root), other)


def test_an_extra_signature_is_refused() -> None:
    root, other = SigningKey.generate(), SigningKey.generate()
    payload = open_envelope(issue_card(a_tre(root), root), CARD_TYPE).payload
    assert refusal(seal_envelope(CARD_TYPE, payload, root, other)) == "signature-invalid"


def resigned(data: bytes, key: SigningKey, payload: bytes | None = None, **changes: Any) -> bytes:
    body = json.loads(open_envelope(data, CARD_TYPE).payload)
    return seal_envelope(CARD_TYPE, payload or canonical({**body, **changes}), key)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "robot"},
        {"type": ["person"]},
        {"type": "hub"},
        {"more": 1},
        {"envelope": ""},
        {"serial": 0},
        {"serial": 1.5},
        {"serial": "1"},
        {"serial": 2**40},
        {"name": ""},
        {"name": " Josiah"},
        {"name": "Josiah\n"},
        {"name": "Josiah \u202eyrrebraC"},  # turns the line around where a person compares it
        {"name": "x" * 201},
        {"affiliation_name": "\u200b"},
        {"affiliation_ror": "https://example.org/05gq02987"},
        {"id": "https://orcid.org/0000-0002-1825-0098"},  # wrong check digit
        {"id": "https://orcid.org/0000-0002-1825-009X"},
        {"id": "urn:uuid:x"},
        {"id": "Josiah"},
        {"sign": "x"},
        {"open": "x"},
        {"valid_from": "2026-1-1"},
        {"valid_from": "2026-01-01T00:00:00Z"},
        {"valid_until": "2025-12-31"},  # before it begins
        {"replaces": "x"},
    ],
)
def test_malformed_cards_are_refused_even_when_signed(changes: Any) -> None:
    ring = a_ring()
    refusal(resigned(a_person(ring), ring.sign("sign"), **changes))


def test_one_key_for_two_jobs_is_refused() -> None:
    ring = a_ring()
    data = a_person(ring)
    doubled: list[dict[str, Any]] = [
        {"call": ring.public("sign")},
        {"call": ring.public("open")},
        {"replaces": ring.public("sign")},
    ]
    for changes in doubled:
        assert refusal(resigned(data, ring.sign("sign"), **changes)) == "card-malformed"


def test_a_card_has_one_spelling() -> None:
    ring = a_ring()
    data = a_person(ring)
    body = json.loads(open_envelope(data, CARD_TYPE).payload)
    without_default = {name: value for name, value in body.items() if name != "valid_until"}
    for payload in (json.dumps(body).encode(), canonical(without_default)):
        assert refusal(resigned(data, ring.sign("sign"), payload)) == "card-malformed"


def test_another_version_is_said_in_words() -> None:
    ring = a_ring()
    with pytest.raises(Incompatible):
        read_card(resigned(a_person(ring), ring.sign("sign"), version=2))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "urn:cinque:tre:" + SigningKey.from_private(bytes(32)).id},  # not the id of its root
        {"name": "North"},
        {"name": "north/../south"},
        {"name": "1north"},
        {"name": "x" * 42},
        {"appetite": "A" * 64},
        {"title": ""},
    ],
)
def test_malformed_tres_are_not_even_issued(changes: dict[str, Any]) -> None:
    root = SigningKey.generate()
    with pytest.raises(Refused) as refused:
        issue_card(a_tre(root, **changes), root)
    assert refused.value.code == "card-malformed"


@pytest.mark.parametrize(
    ("day", "valid"),
    [("2025-12-31", False), ("2026-01-01", True), ("2026-06-30", True), ("2026-07-01", False)],
)
def test_validity_counts_both_days(day: str, valid: bool) -> None:
    card = a_tre(SigningKey.generate(), valid_until=date(2026, 6, 30))
    if valid:
        check_valid(card, date.fromisoformat(day))
    else:
        with pytest.raises(Refused):
            check_valid(card, date.fromisoformat(day))


def test_an_open_end_stays_open() -> None:
    check_valid(a_tre(SigningKey.generate()), date(2099, 1, 1))


def test_fingerprints_follow_the_key_that_signs() -> None:
    one, other = SigningKey.generate(), SigningKey.generate()
    card = a_tre(one)
    shown = fingerprint(card)
    assert [len(group) for group in shown.split("-")] == [4] * 8
    assert set(shown) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567-")
    assert shown == fingerprint(a_tre(one, serial=2))
    assert shown != fingerprint(a_tre(other))
    assert shown != fingerprint(a_hub(one))  # the same key as a hub is not the same party


# ---------------------------------------------------------------------------------------------------------- changes
def test_a_root_changes_its_cards_keys() -> None:
    root = SigningKey.generate()
    old, new = issue_card(a_tre(root), root), issue_card(a_tre(root, serial=2), root)
    assert accept_change(old, new).serial == 2
    assert accept_change(old, old).serial == 1
    assert change_refused(new, old) == "card-outdated"


def test_a_card_does_not_change_without_a_higher_serial() -> None:
    root = SigningKey.generate()
    assert change_refused(issue_card(a_tre(root), root), issue_card(a_tre(root), root)) == "card-outdated"


def test_another_tre_of_the_same_name_is_another_tre() -> None:
    one, other = SigningKey.generate(), SigningKey.generate()
    assert change_refused(issue_card(a_tre(one), one), issue_card(a_tre(other, serial=2), other)) == "card-other"


def test_a_person_changes_keys_by_the_key_they_have() -> None:
    ring, new = a_ring(), a_ring()
    old = a_person(ring)
    moved = KeyRing({"sign": ring.sign("sign"), "open": new.open("open"), "call": new.sign("call")})
    assert accept_change(old, a_person(moved, serial=2)).serial == 2
    changed = accept_change(old, a_person(new, serial=2, replaces=ring.sign("sign")))
    assert isinstance(changed, PersonCard)
    assert changed.sign == new.public("sign")
    assert change_refused(old, a_person(new, serial=1, replaces=ring.sign("sign"))) == "card-outdated"


def test_somebody_else_with_the_same_id_is_refused() -> None:
    ring, thief = a_ring(), a_ring()
    old = a_person(ring)
    assert change_refused(old, a_person(thief, serial=2)) == "card-key-changed"
    assert change_refused(old, a_person(thief, serial=2, replaces=SigningKey.generate())) == "card-key-changed"
    honest = read_card(a_person(thief, serial=2))
    assert isinstance(honest, PersonCard)
    claimed = replace(honest, replaces=ring.public("sign"))  # says so, but the old key did not sign
    for keys in ((thief.sign("sign"),), (thief.sign("sign"), thief.sign("call"))):
        with pytest.raises(Refused) as refused:
            issue_card(claimed, *keys)
        assert refused.value.code == "signature-invalid"
    stripped = json.loads(a_person(a_ring(), serial=2, replaces=ring.sign("sign")))
    stripped["signatures"] = stripped["signatures"][:1]
    assert change_refused(old, canonical(stripped)) == "signature-invalid"


def test_a_hub_changes_by_its_receipt_key_alone() -> None:
    one, other = SigningKey.generate(), SigningKey.generate()
    old = issue_card(a_hub(one), one)
    assert accept_change(old, issue_card(a_hub(one, serial=2), one)).serial == 2
    assert change_refused(old, issue_card(a_hub(other, serial=2), other)) == "card-key-changed"


# ---------------------------------------------------------------------------------------------------------- members
ROOT, RECEIPT, RING = SigningKey.generate(), SigningKey.generate(), a_ring()
TRE, HUB, PERSON = issue_card(a_tre(ROOT), ROOT), issue_card(a_hub(RECEIPT), RECEIPT), a_person(RING)


def test_members_are_found_by_what_identifies_them(tmp_path: Path) -> None:
    Members.of([TRE, HUB, PERSON]).save(tmp_path / "members.json")
    members = Members.load(tmp_path / "members.json")
    assert members == Members.of([TRE, HUB, PERSON])
    tre = members.tre(tre_id(ROOT.public))
    assert tre == members.tre_by_name("north") == members.tre_by_key(ROOT.id) == read_card(TRE)
    assert members.hub() == read_card(HUB)
    for name in ("sign", "call"):
        assert members.person_by_key(RING.sign(name).id) == members.person(ORCID) == read_card(PERSON)
    assert members.person_by_key(RING.open("open").id).id == ORCID


def test_who_is_not_pinned_is_not_known() -> None:
    members = Members.of([TRE, PERSON])
    for look in (
        lambda: members.tre("urn:cinque:tre:x"),
        lambda: members.tre(ORCID),
        lambda: members.tre_by_name("south"),
        lambda: members.tre_by_key(RING.sign("sign").id),  # a person's key is no TRE's
        lambda: members.person_by_key(ROOT.id),
        lambda: members.person_by_key("x"),
        lambda: members.person(tre_id(ROOT.public)),
        lambda: members.hub(),
    ):
        with pytest.raises(NotFound):
            look()


def test_no_two_cards_have_one_id_name_or_key() -> None:
    other = SigningKey.generate()
    same_key = a_person(
        KeyRing({**a_ring().keys, "call": RING.sign("call")}), id="urn:uuid:" + "0" * 8 + "-0000-4000-8000-" + "0" * 12
    )
    for cards in (
        [PERSON, PERSON],
        [PERSON, a_person(a_ring())],  # an id twice
        [TRE, issue_card(a_tre(other), other)],  # a name twice
        [HUB, issue_card(a_hub(other), other)],  # two hubs
        [PERSON, same_key],
    ):
        with pytest.raises(Refused) as refused:
            Members.of(cards)
        assert refused.value.code == "members-duplicate"


def test_a_pinned_card_is_replaced_only_as_it_may_change() -> None:
    members = Members.of([TRE, HUB, PERSON])
    newer = a_person(a_ring(), serial=2, replaces=RING.sign("sign"))
    changed = members.with_card(newer)
    assert changed.person(ORCID).serial == 2
    assert len(changed.cards) == 3
    with pytest.raises(NotFound):
        changed.person_by_key(RING.sign("sign").id)  # the replaced key is gone
    with pytest.raises(Refused) as refused:
        members.with_card(a_person(a_ring(), serial=2))
    assert refused.value.code == "card-key-changed"
    other = SigningKey.generate()
    assert len(members.with_card(issue_card(a_tre(other, name="south"), other)).cards) == 4


@pytest.mark.parametrize("change", [("Josiah", "Jonathan"), ('"version":1', '"version":2'), ('"cards"', '"cars"')])
def test_an_altered_members_file_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "members.json"
    Members.of([PERSON]).save(path)
    text = path.read_text()
    if change[0] == "Josiah":  # inside the signed payload
        body = json.loads(text)
        flipped = body["cards"][0]["payload"]
        body["cards"][0]["payload"] = flipped[:40] + ("A" if flipped[40] != "A" else "B") + flipped[41:]
        path.write_text(json.dumps(body))
    else:
        path.write_text(text.replace(*change, 1))
    with pytest.raises(Refused):
        Members.load(path)


def test_a_members_file_may_be_laid_out_for_reading(tmp_path: Path) -> None:
    path = tmp_path / "members.json"
    Members.of([PERSON, TRE]).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2))
    assert len(Members.load(path).cards) == 2


def test_a_missing_members_file_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        Members.load(tmp_path / "none.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SIGNED = json.loads(open_envelope(PERSON, CARD_TYPE).payload)


@given(st.sampled_from(sorted(SIGNED)), json_values)
def test_arbitrary_fields_are_refused_and_nothing_else_happens(which: str, value: Any) -> None:
    payload = json.dumps({**SIGNED, which: value}).encode()
    try:
        card = read_card(seal_envelope(CARD_TYPE, payload, RING.sign("sign")))
    except Refused:
        return
    assert isinstance(card, PersonCard)


@given(st.binary(max_size=100) | json_values.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_payloads_and_files_are_refused_and_nothing_else_happens(tmp_path_factory: Any, data: bytes) -> None:
    refusal(data)
    refusal(seal_envelope(CARD_TYPE, data, RING.sign("sign")))
    path = tmp_path_factory.mktemp("members") / "members.json"
    for content in (data, b'{"cards":[{"a":' + data + b'}],"type":"cinque-members","version":1}'):
        path.write_bytes(content)
        with pytest.raises(CinqueError):
            Members.load(path)
