"""Sealing: what only its recipients can read, also not the hub that stores it (contracts.md section 1).

One random content key encrypts the content (ChaCha20-Poly1305); HPKE (RFC 9180: base mode, DHKEM(X25519, HKDF-SHA256),
HKDF-SHA256, ChaCha20-Poly1305) wraps that key for each recipient. Sealing hides; it does not say who sealed: the digest
of what is sealed, or what is inside, is signed elsewhere.

    magic        14  "cinque-sealed\\n"
    version       1  1
    count         1  recipients, 1..255
    commitment   32  SHA-256 of a label and the content key: all recipients open with one key, so all read one content
    recipients    n x (32 key id, the thumbprint of the X25519 key; 80 wrapped content key)
    content          ciphertext and tag; the associated data is everything before it
    in the content:  8 length, big-endian; the plaintext; zeros

The hub sees sizes, so the content is filled with zeros to the next multiple of 4 KiB and, from there, to the next size
that Padmé allows (Nikitin et al., PETS 2019): small results all look alike and large ones give away a few bits of their
length, at a cost of 4 KiB or, beyond 128 KiB, a few per cent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from cinque.crate.keys import OpeningKey, key_id, public_bytes
from cinque.errors import Incompatible, Refused
from cinque.lib import base64url
from cinque.lib.ids import Random, system_random

_MAGIC = b"cinque-sealed\n"
_VERSION = 1
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_ID, _WRAPPED = 32, 32 + 32 + 16
_ENTRY = _ID + _WRAPPED
_FIXED = len(_MAGIC) + 2 + 32
_BLOCK = 4096
# RFC 8439 section 2.8 asks for unique pairs of key and nonce: each content key encrypts one message.
_NONCE = bytes(12)


def seal(plaintext: bytes, recipients: Sequence[str], context: bytes, *, random: Random = system_random) -> bytes:
    """`plaintext` for the holders of these X25519 public keys (base64url), who must name the same `context` to open it.

    Raises Refused("seal-recipients") for none, more than 255 or one twice, `key-malformed` for what is no such key.
    """
    if not 1 <= len(set(recipients)) == len(recipients) <= 255:
        raise Refused("seal-recipients", "A result is sealed to 1 to 255 different keys.")
    key = random(32)
    entries = [_wrapped(key, public, context) for public in recipients]
    header = b"".join([_MAGIC, bytes([_VERSION, len(entries)]), _commitment(key), *entries])
    size = padded_size(8 + len(plaintext))
    content = (len(plaintext).to_bytes(8, "big") + plaintext).ljust(size, b"\0")
    return header + ChaCha20Poly1305(key).encrypt(_NONCE, content, header)


def unseal(sealed: bytes, key: OpeningKey, context: bytes) -> bytes:
    """What was sealed to this key in this context. Raises Refused with `sealed-malformed`, `sealed-not-for-this-key`,
    `sealed-altered`, or Incompatible("sealed-version").
    """
    if not sealed.startswith(_MAGIC) or len(sealed) < _FIXED:
        raise Refused("sealed-malformed", "This is not something that Cinque sealed.")
    version, count = sealed[len(_MAGIC)], sealed[len(_MAGIC) + 1]
    if version != _VERSION:
        raise Incompatible(
            "sealed-version", "This was sealed in a version unknown here.", remedy="Upgrade Cinque, then open it."
        )
    commitment, end = sealed[_FIXED - 32 : _FIXED], _FIXED + count * _ENTRY
    entries = [sealed[place : place + _ENTRY] for place in range(_FIXED, end, _ENTRY)]
    own = [entry[_ID:] for entry in entries if entry[:_ID] == base64url.decode(key.id)]
    if not own:
        raise Refused(
            "sealed-not-for-this-key",
            "This was not sealed to your key, so it cannot be opened with it.",
            remedy="Use the key whose public half stood in the signed request.",
        )
    try:
        content_key = _SUITE.decrypt(own[0], key.private, info=_info(context))
        if _commitment(content_key) != commitment:
            raise _altered()
        content = ChaCha20Poly1305(content_key).decrypt(_NONCE, sealed[end:], sealed[:end])
    except InvalidTag as error:
        raise _altered() from error
    length = int.from_bytes(content[:8], "big")
    # Known to the sealer alone, yet checked: one content has one sealed form, with nothing hidden in the filling.
    if len(content) != padded_size(8 + length) or content[8 + length :].strip(b"\0"):
        raise _altered()
    return content[8 : 8 + length]


def padded_size(length: int) -> int:
    """Bytes to which a content of `length` bytes is filled: the next 4 KiB, then Padmé (Nikitin et al. 2019)."""
    length = max(_BLOCK, -(-length // _BLOCK) * _BLOCK)
    exponent = length.bit_length() - 1  # floor(log2 L)
    free = exponent - exponent.bit_length()  # E - S, where S = floor(log2 E) + 1; L >= 4096, so E >= 12
    mask = (1 << free) - 1
    return (length + mask) & ~mask


def _wrapped(key: bytes, public: str, context: bytes) -> bytes:
    recipient = X25519PublicKey.from_public_bytes(public_bytes("X25519", public))
    try:
        wrapped = _SUITE.encrypt(key, recipient, info=_info(context))
    except ValueError as error:  # a point of small order: everyone could open it
        raise Refused("key-malformed", "A public key is not a proper X25519 key.") from error
    return base64url.decode(key_id("X25519", public)) + wrapped


def _info(context: bytes) -> bytes:
    return _MAGIC + bytes([_VERSION]) + context


def _commitment(key: bytes) -> bytes:
    return hashlib.sha256(b"cinque-sealed commitment 1 " + key).digest()


def _altered() -> Refused:
    return Refused(
        "sealed-altered",
        "This was altered after it was sealed, or belongs to another question.",
        remedy="Fetch it again; if it persists, ask the TRE to send it again.",
    )
