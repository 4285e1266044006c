"""What crosses a wall: versioned messages, closed to unknown fields. Bytes travel inline (base64) or by digest."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from cinque.errors import Refused
from cinque.lib.digest import sha512_hex
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary

WIRE_VERSION = 1
WIRE_HEADER = "Cinque-Wire"

INLINE_LIMIT = 512 * 1024  # bytes of a blob that travels inside its message; larger ones are fetched by digest
INLINE_TOTAL = 4 * 1024 * 1024  # bytes of all blobs inside one item or status; eight such items still make one call
BODY_LIMIT = 64 * 1024 * 1024  # bytes of any one call
SILENT = 5.0  # seconds after which a TRE whose gate does not wait at the hub counts as offline


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes by sha512, with the bytes themselves in base64 when they are few."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    digest: str
    size: int
    inline: str | None = None

    @staticmethod
    def of(data: bytes) -> Blob:
        """The blob of `data`, inline when it is small enough."""
        inline = base64.b64encode(data).decode() if len(data) <= INLINE_LIMIT else None
        return Blob(sha512_hex(data), len(data), inline)

    def data(self) -> bytes | None:
        """The inline bytes, or None when they must be fetched. Raises Refused when the digest is of others."""
        if self.inline is None:
            return None
        try:
            data = base64.b64decode(self.inline, validate=True)
        except (ValueError, binascii.Error):
            raise Refused("blob-encoding", "The bytes inside a message are not valid base64.") from None
        return checked(data, self.digest)


def checked(data: bytes, digest: str) -> bytes:
    """`data` when its sha512 is `digest`; raises Refused otherwise."""
    if sha512_hex(data) != digest:
        raise Refused("digest-mismatch", "Bytes arrived that are not the ones announced: their sha512 differs.")
    return data


ItemKind = Literal["request", "round", "cancel", "receipt"]


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work offered downwards (hub to gate, gate to enclave), under a lease with a fencing number."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    kind: ItemKind
    task: str
    body: dict[str, Any]
    blobs: tuple[Blob, ...]
    fence: int
    lease_until: str


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that the caller holds: the item and its fencing number."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    item: str
    fence: int


@dataclass(frozen=True, slots=True)
class Asking:
    """A call for work, and what of earlier work is in the caller's custody: the leases on it end."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    settled: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """The answer to a call for work. `lapsed`: items that were settled too late, and offered again before."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    items: tuple[Item, ...]
    lapsed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """One step of a task's life cycle that happened below, reported upwards."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    step: str
    role: str
    at: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Return:
    """What goes upwards of a task: the steps taken, and for a round or an end the sealed bytes with the enclave's
    signed statement of what they are. `id` makes a second delivery harmless. A description is of the TRE.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    kind: Literal["status", "round", "end", "description"]
    task: str
    steps: tuple[Taken, ...]
    release: str | None = None
    blob: Blob | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A one-time token and the card of who enrols."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    token: str
    card: str


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """How a task stands, as the hub was told (unsigned: the signed word is in the released crate). `results`: the
    sealed crate that ended it, with its bytes where they were asked for.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    task: str
    tre: str
    state: str
    code: str
    round: int
    results: tuple[Blob, ...]
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """How a request stands. `version` grows with every change: wait for one higher than the last seen."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    digest: str
    submitted: str
    accept_until: str
    version: int
    tasks: tuple[TaskStatus, ...]


@dataclass(frozen=True, slots=True)
class SealedStatement:
    """Signed by the enclave's release key, readable by the gate: these sealed bytes may leave, for this task."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["https://w3id.org/cinque/statement/sealed"]
    version: Literal[1]
    task: str
    request: str
    tre: str
    kind: Literal["round", "end"]
    round: int
    sealed: str
    size: int
    at: str


SEALED_TYPE: Literal["https://w3id.org/cinque/statement/sealed"] = "https://w3id.org/cinque/statement/sealed"


@dataclass(frozen=True, slots=True)
class CancelStatement:
    """Signed by the person who asked: stop this request. A hub alone cannot make an enclave destroy outputs."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["https://w3id.org/cinque/statement/cancel"]
    version: Literal[1]
    request: str
    issued: str


CANCEL_TYPE: Literal["https://w3id.org/cinque/statement/cancel"] = "https://w3id.org/cinque/statement/cancel"


@dataclass(frozen=True, slots=True)
class Description:
    """What a TRE says of itself, signed by its release key: what may be asked there, without any count."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["https://w3id.org/cinque/statement/description"]
    version: Literal[1]
    tre: str
    at: str
    appetite: dict[str, Any]
    datasets: tuple[Dictionary, ...]
    analyses: tuple[str, ...]


DESCRIPTION_TYPE: Literal["https://w3id.org/cinque/statement/description"] = (
    "https://w3id.org/cinque/statement/description"
)
