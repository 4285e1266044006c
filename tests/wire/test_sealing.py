"""Sealing: readable by its recipients alone, in its context alone, and unchanged."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from cinque.crate.keys import OpeningKey
from cinque.errors import CinqueError, Incompatible, Refused
from cinque.lib import base64url
from cinque.wire.sealing import padded_size, seal, unseal

ONE, TWO, THREE = (OpeningKey.from_private(bytes([number] * 32)) for number in (1, 2, 3))
CONTEXT = b"cinque result urn:uuid:2f1c"
SEALED = seal(b"the answer", [ONE.public, TWO.public], CONTEXT)
HEADER = 14 + 2 + 32 + 2 * 112


def refusal(sealed: bytes, key: OpeningKey = ONE, context: bytes = CONTEXT) -> str:
    with pytest.raises(Refused) as refused:
        unseal(sealed, key, context)
    return refused.value.code


def test_every_recipient_opens_it_and_nobody_else() -> None:
    assert unseal(SEALED, ONE, CONTEXT) == unseal(SEALED, TWO, CONTEXT) == b"the answer"
    assert refusal(SEALED, THREE) == "sealed-not-for-this-key"


def test_an_entry_cannot_be_handed_to_another_key() -> None:
    place = SEALED.index(base64url.decode(ONE.id))
    renamed = SEALED[:place] + base64url.decode(THREE.id) + SEALED[place + 32 :]
    assert refusal(renamed, THREE) == "sealed-altered"
    assert refusal(renamed, TWO) == "sealed-altered"  # the list of recipients is authenticated


def test_the_context_is_bound() -> None:
    for context in (b"", CONTEXT + b"0", CONTEXT[:-1]):
        assert refusal(SEALED, context=context) == "sealed-altered"


def test_any_flipped_bit_of_the_header_and_some_of_the_content_are_refused() -> None:
    places = [*range(HEADER), *range(HEADER, len(SEALED), 97), len(SEALED) - 1]
    for place in places:
        data = bytearray(SEALED)
        data[place] ^= 1 << place % 8
        refusal(bytes(data))


@pytest.mark.parametrize("cut", [0, 13, 15, 47, 48, 160, HEADER - 1, HEADER, HEADER + 15, len(SEALED) - 1])
def test_a_cut_or_longer_text_is_refused(cut: int) -> None:
    refusal(SEALED[:cut])
    refusal(SEALED + b"\0")


def test_parts_of_two_sealed_results_do_not_fit() -> None:
    other = seal(b"the answer", [ONE.public, TWO.public], CONTEXT)
    assert refusal(SEALED[:HEADER] + other[HEADER:]) == "sealed-altered"
    assert refusal(SEALED[:48] + other[48:]) == "sealed-altered"  # the commitment of one, the keys of the other


def test_a_recipient_dropped_by_the_way_is_noticed() -> None:
    dropped = SEALED[:15] + b"\1" + SEALED[16 : 48 + 112] + SEALED[HEADER:]
    assert refusal(dropped) == "sealed-altered"
    assert refusal(dropped, TWO) == "sealed-not-for-this-key"


def sealed_by_hand(content: bytes, *, committed: bytes = bytes(32)) -> bytes:
    """Sealed to ONE with a content key of zeros, as the module's documentation lays it out."""
    recipient = X25519PublicKey.from_public_bytes(base64url.decode(ONE.public))
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    wrapped = suite.encrypt(bytes(32), recipient, info=b"cinque-sealed\n\1" + CONTEXT)
    commitment = hashlib.sha256(b"cinque-sealed commitment 1 " + committed).digest()
    header = b"cinque-sealed\n\1\1" + commitment + base64url.decode(ONE.id) + wrapped
    return header + ChaCha20Poly1305(bytes(32)).encrypt(bytes(12), content, header)


def test_the_form_is_as_documented() -> None:
    assert unseal(sealed_by_hand(bytes(7) + b"\2hi" + bytes(4086)), ONE, CONTEXT) == b"hi"


@pytest.mark.parametrize(
    "content",
    [
        bytes(7) + b"\2hi" + bytes(4085) + b"x",  # something hidden in the filling
        bytes(7) + b"\2hi",  # not filled
        bytes(7) + b"\2hi" + bytes(8182),  # filled too much
        b"\xff" * 8 + bytes(4088),  # longer than it is
        b"",
    ],
)
def test_a_sealer_cannot_choose_another_filling(content: bytes) -> None:
    assert refusal(sealed_by_hand(content)) == "sealed-altered"


def test_a_sealer_cannot_give_each_recipient_another_content_key() -> None:
    assert refusal(sealed_by_hand(bytes(4096), committed=b"x" * 32)) == "sealed-altered"


def test_another_version_is_said_in_words() -> None:
    with pytest.raises(Incompatible) as refused:
        unseal(SEALED[:14] + b"\2" + SEALED[15:], ONE, CONTEXT)
    assert refused.value.code == "sealed-version"


def test_something_else_is_said_in_words() -> None:
    assert refusal(b"PK\x03\x04" + bytes(200)) == "sealed-malformed"


def test_nothing_is_sealed_twice_alike_or_in_the_clear() -> None:
    assert seal(b"the answer", [ONE.public], CONTEXT) != seal(b"the answer", [ONE.public], CONTEXT)
    assert b"the answer" not in SEALED


@pytest.mark.parametrize(
    ("recipients", "code"),
    [
        ([], "seal-recipients"),
        ([ONE.public, ONE.public], "seal-recipients"),
        ([ONE.public, "x"], "key-malformed"),
        ([base64url.encode(bytes(32))], "key-malformed"),  # a point of small order: the secret would be known to all
        ([base64url.encode((1).to_bytes(32, "little"))], "key-malformed"),
    ],
)
def test_it_is_not_sealed_to_nobody_or_to_everybody(recipients: list[str], code: str) -> None:
    with pytest.raises(Refused) as refused:
        seal(b"", recipients, CONTEXT)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("length", "size"),
    [
        (0, 4096),
        (4096, 4096),
        (4097, 8192),
        (9000, 12288),
        (200_000, 200_704),  # 49 blocks; Padmé's step is 4096 there
        # floor(log2 1003520) = 19, so 5 bits are kept and the last 14 are zero: a multiple of 16384
        (1_000_000, 1_015_808),
    ],
)
def test_sizes_hide_lengths(length: int, size: int) -> None:
    assert padded_size(length) == size


@given(st.integers(0, 2**40))
def test_padding_never_shrinks_and_costs_little(length: int) -> None:
    size = padded_size(length)
    assert length <= size <= max(length + 4096, length * 1.064)
    assert padded_size(size) == size


def test_small_results_look_alike() -> None:
    assert len({len(seal(bytes(length), [ONE.public], CONTEXT)) for length in (0, 1, 100, 4088)}) == 1


@given(st.binary(max_size=10_000), st.binary(max_size=100))
def test_whatever_was_sealed_comes_back(plaintext: bytes, context: bytes) -> None:
    assert unseal(seal(plaintext, [TWO.public, ONE.public], context), ONE, context) == plaintext


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda tail: SEALED[:15] + tail), st.binary(max_size=10))
def test_arbitrary_bytes_are_refused_and_nothing_else_happens(sealed: bytes, context: bytes) -> None:
    with pytest.raises(CinqueError) as refused:
        unseal(sealed, ONE, context)
    assert isinstance(refused.value, Refused)
