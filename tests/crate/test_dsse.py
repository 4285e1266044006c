"""Signed envelopes: the specification's example, and one form for each envelope."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.crate.dsse import open_envelope, pae, seal_envelope
from cinque.crate.keys import SigningKey
from cinque.errors import Refused
from cinque.lib.canonical import canonical

KIND = "https://example.org/thing"
KEY = SigningKey.from_private(bytes(range(32)))
OTHER = SigningKey.from_private(bytes(range(1, 33)))
SEALED = seal_envelope(KIND, b'{"a":1}', KEY)


def code_of(data: bytes, *publics: str) -> str:
    with pytest.raises(Refused) as refused:
        open_envelope(data, KIND).verify(*publics)
    return refused.value.code


def changed(**changes: Any) -> bytes:
    return canonical({**json.loads(SEALED), **changes})


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        # protocol.md, test vectors
        ("http://example.com/HelloWorld", b"hello world", b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"),
        ("é", b"", b"DSSEv1 2 \xc3\xa9 0 "),  # lengths are of bytes
    ],
)
def test_pae(kind: str, payload: bytes, expected: bytes) -> None:
    assert pae(kind, payload) == expected


def test_signed_by_a_standard_signature_over_the_pae() -> None:
    body = json.loads(SEALED)
    assert body["payload"] == "eyJhIjoxfQ=="
    assert base64.b64decode(body["signatures"][0]["sig"]) == KEY.sign(pae(KIND, b'{"a":1}'))


def test_what_was_sealed_is_opened_and_verified() -> None:
    envelope = open_envelope(SEALED, KIND)
    envelope.verify(KEY.public)
    assert (envelope.payload, envelope.signer()) == (b'{"a":1}', KEY.id)


def test_two_signatures_are_asked_for_by_name_and_order() -> None:
    data = seal_envelope(KIND, b"x", KEY, OTHER)
    open_envelope(data, KIND).verify(KEY.public, OTHER.public)
    for publics in ((KEY.public,), (OTHER.public, KEY.public), (), (KEY.public, OTHER.public, KEY.public)):
        assert code_of(data, *publics) == "signature-invalid"


def test_another_key_does_not_verify() -> None:
    assert code_of(SEALED, OTHER.public) == "signature-invalid"


def test_the_key_id_named_is_not_believed() -> None:
    signature = json.loads(SEALED)["signatures"][0]
    renamed = changed(signatures=[{**signature, "keyid": OTHER.id}])
    assert code_of(renamed, OTHER.public) == "signature-invalid"
    assert code_of(renamed, KEY.public) == "signature-invalid"


def test_a_signature_for_one_type_is_none_for_another() -> None:
    other_type = changed(payloadType=KIND + "s")
    with pytest.raises(Refused) as refused:
        open_envelope(other_type, KIND)
    assert refused.value.code == "envelope-type"
    with pytest.raises(Refused):
        open_envelope(other_type, KIND + "s").verify(KEY.public)


@pytest.mark.parametrize(
    "keys", [(), (KEY, KEY), tuple(SigningKey.from_private(bytes([n] * 32)) for n in range(9))], ids=["0", "twice", "9"]
)
def test_none_twice_or_too_many_keys_is_a_mistake(keys: tuple[SigningKey, ...]) -> None:
    with pytest.raises(ValueError, match="one to eight"):
        seal_envelope(KIND, b"", *keys)


BODY = json.loads(SEALED)
ONE = BODY["signatures"][0]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(BODY).encode(),  # spaces
        json.dumps(dict(reversed(BODY.items())), separators=(",", ":")).encode(),  # order
        SEALED + b"\n",
        b" " + SEALED,
        b"\xef\xbb\xbf" + SEALED,
        SEALED.replace(b"=", b"\\u003d"),  # an escape where none is needed
        SEALED.replace(b"example", b"ex\\u0061mple"),
        SEALED.replace(b'"payloadType"', b'"payload":"","payloadType"'),  # a key twice
        changed(payload="eyJhIjoxfQ"),  # no padding
        changed(payload="eyJhIjoxfR=="),  # stray bits
        changed(payload="eyJhIjox\nfQ=="),
        changed(payload="eyJhIjoxfQ==="),
        changed(payload="é"),
        changed(payload=None),
        changed(signatures=[]),
        changed(signatures=[ONE, ONE]),
        changed(signatures=[ONE, {**ONE, "keyid": OTHER.id}]),  # an extra one
        changed(signatures=[{**ONE, "more": 1}]),
        changed(signatures=[{**ONE, "sig": ONE["sig"].rstrip("=")}]),
        changed(signatures=[{**ONE, "sig": ""}]),
        changed(signatures=[{"sig": ONE["sig"]}]),
        changed(more=1),
        b"null",
        b"",
    ],
)
def test_no_other_spelling_is_accepted(data: bytes) -> None:
    assert data != SEALED
    code_of(data, KEY.public)


@pytest.mark.parametrize("count", [0, 2, 9])
def test_an_opened_envelope_names_one_to_eight_different_signers(count: int) -> None:
    many = [{**ONE, "keyid": f"{number % 9}" if count == 9 else KEY.id} for number in range(count)]
    with pytest.raises(Refused) as refused:
        open_envelope(changed(signatures=many), KIND)
    assert refused.value.code == "envelope-malformed"


def test_any_flipped_bit_is_refused() -> None:
    for place in range(len(SEALED)):
        for bit in range(8):
            data = bytearray(SEALED)
            data[place] ^= 1 << bit
            code_of(bytes(data), KEY.public)


@given(st.text(max_size=30), st.binary(max_size=200))
def test_anything_can_be_signed(kind: str, payload: bytes) -> None:
    envelope = open_envelope(seal_envelope(kind, payload, KEY), kind)
    envelope.verify(KEY.public)
    assert envelope.payload == payload


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
envelope_like = st.fixed_dictionaries(
    {
        "payload": st.text(max_size=8) | json_values,
        "payloadType": st.just(KIND) | json_values,
        "signatures": st.lists(st.fixed_dictionaries({"keyid": st.text(), "sig": st.text()}), max_size=2) | json_values,
    }
)


@given(st.binary(max_size=300) | envelope_like.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    code_of(data, KEY.public)
