"""Keys and their files: published vectors, one text a key, and files that keep their secrets."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinque.crate.keys import KeyRing, OpeningKey, SigningKey, key_id, verify_signature
from cinque.errors import CinqueError, Refused, Unreadable
from cinque.lib import base64url

P = 2**255 - 19


def _text(number: int) -> str:
    return base64url.encode(number.to_bytes(32, "little"))


# ------------------------------------------------------------------------------------------------ published vectors
def test_rfc8037_key_and_thumbprint() -> None:
    key = SigningKey.from_private(base64url.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))  # RFC 8037 A.1
    assert key.public == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"  # A.2
    assert key.id == key_id("Ed25519", key.public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"  # A.3


def test_rfc8037_jws_signature() -> None:
    key = SigningKey.from_private(base64url.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"  # A.4
    assert base64url.encode(key.sign(signed)) == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


def test_rfc8032_signature() -> None:  # section 7.1, test 3
    key = SigningKey.from_private(bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"))
    public = base64url.encode(bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"))
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert key.public == public
    assert key.sign(b"\xaf\x82") == signature
    assert verify_signature(public, signature, b"\xaf\x82")


def test_rfc7748_public_key() -> None:  # section 6.1, the second party
    private = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    public = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    assert OpeningKey.from_private(private).public == base64url.encode(public)


# ------------------------------------------------------------------------------------------------------ public keys
def test_a_signature_fits_one_key_and_one_message() -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    signature = key.sign(b"yes")
    assert verify_signature(key.public, signature, b"yes")
    assert not verify_signature(key.public, signature, b"no")
    assert not verify_signature(other.public, signature, b"yes")


def test_a_signature_has_one_form() -> None:
    key = SigningKey.generate()
    signature = key.sign(b"yes")
    order = 2**252 + 27742317777372353535851937790883648493
    shifted = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not verify_signature(key.public, shifted, b"yes")  # RFC 8032 section 8.4


@pytest.mark.parametrize(
    "number",
    [
        0,
        1,
        2**255 + 1,  # the neutral element again, with the sign bit
        P - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,  # order eight
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,  # its opposite
        P,  # 0 again
        P + 3,  # 3 again
    ],
)
def test_signing_keys_that_bind_nobody_or_have_two_texts_are_refused(number: int) -> None:
    with pytest.raises(Refused) as refused:
        key_id("Ed25519", _text(number))
    assert refused.value.code == "key-malformed"
    assert not verify_signature(_text(number), bytes(64), b"")


def test_the_forgery_that_small_order_allows_is_refused() -> None:
    # A = neutral element, S = 0, R = neutral element satisfies the equation of RFC 8032 for every message.
    assert not verify_signature(_text(1), (1).to_bytes(32, "little") + bytes(32), b"any message")


def test_opening_keys_have_one_text() -> None:
    good = OpeningKey.generate().public
    raw = int.from_bytes(base64url.decode(good), "little")
    for number in (raw | 2**255, P + 3):  # RFC 7748 readers ignore the top bit and reduce the rest
        with pytest.raises(Refused):
            key_id("X25519", _text(number))


@pytest.mark.parametrize("public", ["", "A" * 42, "A" * 44, "A" * 43 + "=", "é" * 43])
def test_what_is_no_key_is_refused(public: str) -> None:
    with pytest.raises(Refused):
        key_id("X25519", public)


def test_the_same_bytes_have_another_id_for_another_use() -> None:
    # Bytes that are a key of either kind: an Ed25519 key whose sign bit is not set.
    public = next(
        key.public
        for n in range(256)
        if base64url.decode((key := SigningKey.from_private(bytes([n]) * 32)).public)[31] < 128
    )
    assert key_id("Ed25519", public) != key_id("X25519", public)


@given(st.text(max_size=50), st.binary(max_size=70), st.binary(max_size=10))
def test_arbitrary_keys_and_signatures_verify_nothing(public: str, signature: bytes, data: bytes) -> None:
    assert not verify_signature(public, signature, data)
    assert not verify_signature(SigningKey.from_private(bytes(32)).public, signature, data)


# -------------------------------------------------------------------------------------------------------- key files
def a_ring() -> KeyRing:
    return KeyRing.new({"sign": "sign", "open": "open", "call": "sign"})


@pytest.mark.parametrize("passphrase", [None, b"four plain english words"])
def test_a_ring_comes_back_as_it_was_saved(tmp_path: Path, passphrase: bytes | None) -> None:
    ring, path = a_ring(), tmp_path / "keys.json"
    ring.save(path, passphrase)
    again = KeyRing.load(path, passphrase)
    assert again.keys == ring.keys
    assert verify_signature(ring.sign("call").public, again.sign("call").sign(b"x"), b"x")
    assert again.open("open").private_bytes() == ring.open("open").private_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]  # no draft is left behind


def test_names_and_uses_are_held_apart() -> None:
    ring = a_ring()
    assert len({ring.public(name) for name in ("sign", "open", "call")}) == 3
    for wrong in (
        lambda: ring.open("sign"),
        lambda: ring.sign("open"),
        lambda: ring.sign("x"),
        lambda: ring.public("x"),
    ):
        with pytest.raises(Refused) as refused:
            wrong()
        assert refused.value.code == "key-missing"
    with pytest.raises(Refused):
        KeyRing.new({"../escape": "sign"})


def test_nothing_private_is_shown() -> None:
    ring = a_ring()
    shown = repr(ring) + str(ring)
    for key in ring.keys.values():
        assert base64url.encode(key.private_bytes()) not in shown
        assert key.private_bytes().hex() not in shown


def test_a_passphrase_hides_the_private_part(tmp_path: Path) -> None:
    ring, path = a_ring(), tmp_path / "keys.json"
    ring.save(path, b"secret")
    text = path.read_text()
    assert all(key.public in text for key in ring.keys.values())
    assert not any(base64url.encode(key.private_bytes()) in text for key in ring.keys.values())
    for passphrase, code in ((None, "key-passphrase-needed"), (b"Secret", "key-passphrase"), (b"", "key-passphrase")):
        with pytest.raises(Refused) as refused:
            KeyRing.load(path, passphrase)
        assert refused.value.code == code


def test_the_public_part_is_bound_to_the_private_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    a_ring().save(path, b"secret")
    path.write_text(path.read_text().replace('"call"', '"cull"'))
    with pytest.raises(Refused) as refused:
        KeyRing.load(path, b"secret")
    assert refused.value.code == "key-passphrase"


def test_files_are_0600_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        a_ring().save(tmp_path / "keys.json", None)
    finally:
        os.umask(before)
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o666])
def test_a_file_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    a_ring().save(path, None)
    path.chmod(mode)
    with pytest.raises(Refused) as refused:
        KeyRing.load(path, None)
    assert refused.value.code == "key-file-open"
    assert "chmod 600" in refused.value.remedy
    assert str(tmp_path) not in str(refused.value)
    path.chmod(0o400)
    KeyRing.load(path, None)


def test_keys_are_never_overwritten_unless_told(tmp_path: Path) -> None:
    first, second, path = a_ring(), a_ring(), tmp_path / "keys.json"
    first.save(path, None)
    with pytest.raises(Refused) as refused:
        second.save(path, None)
    assert refused.value.code == "key-file-exists"
    assert KeyRing.load(path, None).keys == first.keys
    second.save(path, None, replace=True)
    assert KeyRing.load(path, None).keys == second.keys
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "keys.json"
    path.symlink_to(target)
    with pytest.raises(Refused):
        a_ring().save(path, None)
    assert not target.exists()


def test_missing_folders_and_files_are_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as unreadable:
        KeyRing.load(tmp_path / "none.json", None)
    assert unreadable.value.code == "key-file-unreadable"
    with pytest.raises(Unreadable):
        KeyRing.load(tmp_path, None)
    with pytest.raises(Unreadable):
        a_ring().save(tmp_path / "none" / "keys.json", None)


def _change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"type": "x"},
        {"more": 1},
        {"private": None},
        {"private": {}},
        {"private": {"sign": "AA", "open": "AA", "call": "AA"}},
        {"private": {"sign": "é", "open": "é", "call": "é"}},
        {"private": {name: base64url.encode(bytes(32)) for name in ("sign", "open", "call")}},  # not the listed keys
        {"sealed": {"kdf": "scrypt", "n": 131072, "r": 8, "p": 1, "salt": "", "nonce": "", "box": ""}},
        {"private": None, "sealed": {"kdf": "scrypt", "n": 2**30, "r": 8, "p": 1, "salt": "", "nonce": "", "box": ""}},
        {"private": None, "sealed": {"kdf": "scrypt", "n": 131072, "r": 8, "p": 1, "salt": "", "nonce": "", "box": ""}},
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    path = tmp_path / "keys.json"
    a_ring().save(path, None)
    _change(path, **changes)
    with pytest.raises(Refused) as refused:
        KeyRing.load(path, b"x")
    assert refused.value.code == "key-file-malformed"


def test_one_key_under_two_names_is_refused(tmp_path: Path) -> None:
    key, path = SigningKey.generate(), tmp_path / "keys.json"
    KeyRing({"sign": key, "call": key}).save(path, None)
    with pytest.raises(Refused) as refused:
        KeyRing.load(path, None)
    assert refused.value.code == "key-file-malformed"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: json.dumps({"type": text}).encode()))
def test_arbitrary_files_are_refused_and_nothing_else_happens(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.json"
    path.touch(mode=0o600)
    path.write_bytes(data)
    with pytest.raises(CinqueError):
        KeyRing.load(path, b"x")
