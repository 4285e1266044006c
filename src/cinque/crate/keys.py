"""Keys: Ed25519 to sign, X25519 to open; never one key doing two jobs (contracts.md section 1).

A key is named by the RFC 7638 thumbprint of its public half (RFC 8037 section 2). A public key has one text: a second
encoding of the same point, and points under which one signature would fit many messages, are refused.

A key file is JSON. Its private part is in the clear, or under a passphrase: scrypt (RFC 7914; N 2**17, r 8, p 1: 128 MB
and a fraction of a second for each guess), then ChaCha20-Poly1305 with the public part as associated data.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from cinque.errors import Refused, Unreadable
from cinque.lib import base64url
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.ids import Random, system_random
from cinque.lib.parse import parse, parse_strict
from cinque.model import CLOSED

Kind = Literal["Ed25519", "X25519"]
Use = Literal["sign", "open"]

_P = 2**255 - 19  # the field of Curve25519
# y of the eight points of small order: under such a key one signature is valid for many messages, so nobody is bound.
_Y_OF_ORDER_EIGHT = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y_OF_ORDER_EIGHT, _P - _Y_OF_ORDER_EIGHT})


def public_bytes(kind: Kind, public: str) -> bytes:
    """The 32 bytes of a public key. Raises Refused("key-malformed") for another length, alphabet or encoding, and for
    Ed25519 points of small order.
    """
    with contextlib.suppress(ValueError):
        raw = base64url.decode(public)
        number = int.from_bytes(raw, "little")
        if kind == "Ed25519":
            number &= 2**255 - 1  # the top bit is the sign of x
        if len(raw) == 32 and number < _P and not (kind == "Ed25519" and number in _SMALL_ORDER):
            return raw
    raise Refused("key-malformed", f"A public key is not a proper {kind} key: 32 bytes in base64url.")


def key_id(kind: Kind, public: str) -> str:
    """RFC 7638 thumbprint (SHA-256, base64url, 43 characters). Raises Refused("key-malformed")."""
    public_bytes(kind, public)
    # base64url needs no escape, so this text is the canonical JSON of RFC 7638 section 3.
    jwk = f'{{"crv":"{kind}","kty":"OKP","x":"{public}"}}'
    return base64url.encode(hashlib.sha256(jwk.encode("ascii")).digest())


def verify_signature(public: str, signature: bytes, data: bytes) -> bool:
    """Whether `signature` (RFC 8032, 64 bytes) over `data` is by this Ed25519 key; a malformed key verifies nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(public_bytes("Ed25519", public)).verify(signature, data)
    except (InvalidSignature, Refused, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key. `id`: thumbprint; `public`: base64url of 32 bytes. The private half is never shown."""

    id: str
    public: str
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, random: Random = system_random) -> SigningKey:
        """A fresh key."""
        return cls.from_private(random(32))

    @classmethod
    def from_private(cls, private: bytes) -> SigningKey:
        """The key with this seed (32 bytes, RFC 8032). Raises Refused("key-malformed")."""
        if len(private) != 32:
            raise Refused("key-malformed", "A private signing key has 32 bytes.")
        key = Ed25519PrivateKey.from_private_bytes(private)
        public = base64url.encode(key.public_key().public_bytes_raw())
        return cls(key_id("Ed25519", public), public, key)

    def sign(self, data: bytes) -> bytes:
        """64 bytes; the same for the same data."""
        return self._key.sign(data)

    def private_bytes(self) -> bytes:
        """The seed, for the key file alone."""
        return self._key.private_bytes_raw()


@dataclass(frozen=True, slots=True)
class OpeningKey:
    """An X25519 key. `id`: thumbprint; `public`: base64url of 32 bytes; `private`: what HPKE opens with."""

    id: str
    public: str
    private: X25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, random: Random = system_random) -> OpeningKey:
        """A fresh key."""
        return cls.from_private(random(32))

    @classmethod
    def from_private(cls, private: bytes) -> OpeningKey:
        """The key with this scalar (32 bytes, RFC 7748). Raises Refused("key-malformed")."""
        if len(private) != 32:
            raise Refused("key-malformed", "A private opening key has 32 bytes.")
        key = X25519PrivateKey.from_private_bytes(private)
        public = base64url.encode(key.public_key().public_bytes_raw())
        return cls(key_id("X25519", public), public, key)

    def private_bytes(self) -> bytes:
        """The scalar, for the key file alone."""
        return self.private.private_bytes_raw()


_FILE_TYPE = "cinque-keys"
_FILE_BYTES = 256 * 1024
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")


@dataclass(frozen=True, slots=True)
class _Public:
    __pydantic_config__: ClassVar[Any] = CLOSED
    use: Use
    public: str


@dataclass(frozen=True, slots=True)
class _Sealed:
    """The version fixes the cost: a file cannot ask its reader for all of the memory, nor for none of the work."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    kdf: Literal["scrypt"]
    n: Literal[131072]
    r: Literal[8]
    p: Literal[1]
    salt: str
    nonce: str
    box: str


@dataclass(frozen=True, slots=True)
class _File:
    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["cinque-keys"]
    version: Literal[1]
    keys: dict[str, _Public]
    private: dict[str, str] | None = None
    sealed: _Sealed | None = None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one party, by name. A person has `sign`, `open`, `call`; a TRE's root lies in a file of its own."""

    keys: Mapping[str, SigningKey | OpeningKey]

    @classmethod
    def new(cls, names: Mapping[str, Use], random: Random = system_random) -> KeyRing:
        """A fresh key for each name. Raises Refused("key-name") for a name that is not lower-case ASCII."""
        for name in names:
            if not _NAME.fullmatch(name):
                raise Refused("key-name", "A key's name is lower-case letters, digits, - and _, at most 41 of them.")
        return cls({name: _CLASSES[use].generate(random) for name, use in names.items()})

    def sign(self, name: str) -> SigningKey:
        """Raises Refused("key-missing") when there is no signing key of this name."""
        key = self.keys.get(name)
        if not isinstance(key, SigningKey):
            raise _missing("signing", name)
        return key

    def open(self, name: str) -> OpeningKey:
        """Raises Refused("key-missing") when there is no opening key of this name."""
        key = self.keys.get(name)
        if not isinstance(key, OpeningKey):
            raise _missing("opening", name)
        return key

    def public(self, name: str) -> str:
        """The public half (base64url) of the key of either use. Raises Refused("key-missing")."""
        if name not in self.keys:
            raise _missing("", name)
        return self.keys[name].public

    def save(
        self, path: Path, passphrase: bytes | None, *, replace: bool = False, random: Random = system_random
    ) -> None:
        """Write the file, whole or not at all, mode 0600. Raises Refused("key-file-exists") unless `replace`."""
        public = {name: {"use": _use(key), "public": key.public} for name, key in self.keys.items()}
        head = {"type": _FILE_TYPE, "version": 1, "keys": public}
        private = {name: base64url.encode(key.private_bytes()) for name, key in self.keys.items()}
        if passphrase is None:
            body = {**head, "private": private}
        else:
            salt, nonce = random(32), random(12)
            box = ChaCha20Poly1305(_stretch(passphrase, salt)).encrypt(nonce, canonical(private), canonical(head))
            parts = {"salt": salt, "nonce": nonce, "box": box}
            texts = {name: base64url.encode(part) for name, part in parts.items()}
            body = {**head, "sealed": {"kdf": "scrypt", "n": 2**17, "r": 8, "p": 1, **texts}}
        try:
            write_file(path, canonical(body) + b"\n", mode=0o600, replace=replace, random=random)
        except FileExistsError as error:
            raise Refused(
                "key-file-exists",
                f"The key file {path.name} exists and was left as it is.",
                remedy="Choose another name, or move the old file away once nobody needs its keys.",
            ) from error

    @classmethod
    def load(cls, path: Path, passphrase: bytes | None) -> KeyRing:
        """The keys of a file. Raises Unreadable("key-file-unreadable") when it cannot be opened, and Refused with
        `key-file-open` (group or others have any right on it), `key-file-malformed`, `key-passphrase-needed` or
        `key-passphrase`.
        """
        data = _read_private(path)
        try:
            file = parse_strict(_File, data, "The key file")
        except Refused as error:
            raise _malformed() from error
        if (file.private is None) == (file.sealed is None):
            raise _malformed()
        private = file.private if file.sealed is None else _unsealed(file, file.sealed, passphrase)
        if private is None or private.keys() != file.keys.keys():
            raise _malformed()
        if len({known.public for known in file.keys.values()}) != len(file.keys):
            raise _malformed()  # one key under two names would do two jobs
        try:
            keys = {
                name: _CLASSES[known.use].from_private(base64url.decode(private[name]))
                for name, known in file.keys.items()
            }
        except (ValueError, Refused) as error:
            raise _malformed() from error
        if any(keys[name].public != known.public for name, known in file.keys.items()):
            raise _malformed()
        return cls(keys)


_CLASSES: dict[Use, type[SigningKey] | type[OpeningKey]] = {"sign": SigningKey, "open": OpeningKey}


def write_file(path: Path, data: bytes, *, mode: int, replace: bool, random: Random = system_random) -> None:
    """Put `data` at `path` at once or not at all, on the disk before this returns. Raises FileExistsError (nothing is
    changed) when something is there and not `replace`; Unreadable when the folder cannot be written.
    """
    draft = path.with_name(f".{path.name}.{random(8).hex()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)  # whatever the umask
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.replace(path)
            else:
                path.hardlink_to(draft)  # fails when something is there: no moment between looking and writing
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise
    except OSError as error:
        raise Unreadable("file-not-written", f"The file {path.name} could not be written: {error.strerror}.") from error


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode  # of what was opened, not of what the name means a moment later
            if stat.S_IMODE(mode) & 0o077:
                raise Refused(
                    "key-file-open",
                    f"The key file {path.name} can be read or changed by other users of this machine.",
                    remedy="Run `chmod 600` on it; if others had access to the machine, make new keys.",
                )
            return file.read(_FILE_BYTES)
    except OSError as error:
        raise Unreadable(
            "key-file-unreadable", f"The key file {path.name} could not be read: {error.strerror}."
        ) from error


def _stretch(passphrase: bytes, salt: bytes) -> bytes:
    if not passphrase:
        raise Refused("key-passphrase", "The passphrase is empty.", remedy="Choose a passphrase, or give none at all.")
    return Scrypt(salt=salt, length=32, n=2**17, r=8, p=1).derive(passphrase)


def _unsealed(file: _File, sealed: _Sealed, passphrase: bytes | None) -> dict[str, str]:
    if passphrase is None:
        raise Refused("key-passphrase-needed", "The key file is protected by a passphrase.", remedy="Give it.")
    head = {
        "type": file.type,
        "version": file.version,
        "keys": {name: {"use": known.use, "public": known.public} for name, known in file.keys.items()},
    }
    try:
        salt, nonce, box = (base64url.decode(text) for text in (sealed.salt, sealed.nonce, sealed.box))
        opened = ChaCha20Poly1305(_stretch(passphrase, salt)).decrypt(nonce, box, canonical(head))
        return parse(dict[str, str], strict_loads(opened), "The private part of the key file")
    except InvalidTag as error:
        raise Refused("key-passphrase", "The passphrase is wrong, or the key file was altered.") from error
    except ValueError as error:
        raise _malformed() from error


def _use(key: SigningKey | OpeningKey) -> Use:
    return "sign" if isinstance(key, SigningKey) else "open"


def _malformed() -> Refused:
    return Refused("key-file-malformed", "This is not a key file, or it was damaged.", remedy="Restore it from a copy.")


def _missing(use: str, name: str) -> Refused:
    return Refused("key-missing", f"The key file has no {use} key named {name}.".replace("  ", " "))
