"""Signed envelopes: DSSE v1 (github.com/secure-systems-lab/dsse), in one form only.

The specification lets a reader accept many spellings of one envelope. Here an envelope is RFC 8785 JSON with padded
standard base64, and its signatures are exactly those asked for: whoever adds, drops, reorders or re-encodes anything
makes an envelope that is refused, so the digest of an envelope stands for its content.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cinque.crate.keys import SigningKey, key_id, verify_signature
from cinque.errors import Refused
from cinque.lib.canonical import canonical
from cinque.lib.parse import parse_strict
from cinque.model import CLOSED

MAX_SIGNATURES = 8


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was signed and by whom; nothing is proven before `verify`. `signatures`: (key id, 64 bytes), in order."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]

    def verify(self, *publics: str) -> None:
        """Raises Refused("signature-invalid") unless the signatures are one by each of these keys (base64url), in this
        order, and none besides.
        """
        if not publics or [signer for signer, _ in self.signatures] != [key_id("Ed25519", one) for one in publics]:
            raise Refused(
                "signature-invalid",
                "The signature is not by the key it should be by.",
                remedy="Compare the key ids with the cards you pinned; do not use the document.",
            )
        signed = pae(self.payload_type, self.payload)
        for public, (_, signature) in zip(publics, self.signatures, strict=True):
            if not verify_signature(public, signature, signed):
                raise Refused(
                    "signature-invalid",
                    "The signature does not fit: the document was altered, or was never signed by this key.",
                    remedy="Fetch it again from its author; do not use it.",
                )

    def signer(self) -> str:
        """The id of the first key that the envelope names: whom to look up, before `verify`."""
        return self.signatures[0][0]


@dataclass(frozen=True, slots=True)
class _Signature:
    __pydantic_config__: ClassVar[Any] = CLOSED
    keyid: str
    sig: str


@dataclass(frozen=True, slots=True)
class _Wire:
    __pydantic_config__: ClassVar[Any] = CLOSED
    payload: str
    payloadType: str  # the specification's spelling
    signatures: tuple[_Signature, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE v1 pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal_envelope(payload_type: str, payload: bytes, *keys: SigningKey) -> bytes:
    """The envelope's bytes, signed by each key in this order. Raises ValueError without a key or with one twice."""
    if not 1 <= len({key.id for key in keys}) == len(keys) <= MAX_SIGNATURES:
        raise ValueError("an envelope takes one to eight different keys")
    signed = pae(payload_type, payload)
    return _encoded(payload_type, payload, [(key.id, key.sign(signed)) for key in keys])


def open_envelope(data: bytes, expected_type: str) -> Envelope:
    """The envelope in `data`, its form checked and its signatures not yet. Raises Refused with `envelope-malformed`,
    `envelope-not-canonical`, `envelope-type`, or what `strict_loads` says.
    """
    wire = parse_strict(_Wire, data, "The signed envelope", code="envelope-malformed")
    if wire.payloadType != expected_type:
        raise Refused("envelope-type", f"The signed document is not a {expected_type}, which was expected here.")
    signers = {one.keyid for one in wire.signatures}
    if not 1 <= len(signers) == len(wire.signatures) <= MAX_SIGNATURES:
        raise Refused("envelope-malformed", "A signed envelope has one to eight signatures, each by another key.")
    try:
        payload = base64.b64decode(wire.payload, validate=True)
        signatures = tuple((one.keyid, base64.b64decode(one.sig, validate=True)) for one in wire.signatures)
    except (binascii.Error, ValueError) as error:
        raise Refused("envelope-malformed", "A signed envelope's base64 is damaged.") from error
    if _encoded(wire.payloadType, payload, signatures) != data:
        raise Refused(
            "envelope-not-canonical",
            "The signed envelope is not in its one canonical form (RFC 8785 JSON, padded base64).",
            remedy="Pass signed documents on byte for byte; fetch this one again.",
        )
    return Envelope(wire.payloadType, payload, signatures)


def _encoded(payload_type: str, payload: bytes, signatures: Sequence[tuple[str, bytes]]) -> bytes:
    return canonical(
        {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": payload_type,
            "signatures": [{"keyid": one, "sig": base64.b64encode(sig).decode("ascii")} for one, sig in signatures],
        }
    )
