"""The gate's record: what a gate states that it did with a request, signed, for its enclave to write into the crate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from cinque.crate.keys import SigningKey
from cinque.crate.phases import Phase
from cinque.crate.signed import altered, open_statement, seal_statement
from cinque.errors import Refused
from cinque.model import CLOSED

GATE_RECORD_TYPE: Final = "application/vnd.cinque.gate-record+json"


@dataclass(frozen=True, slots=True)
class GateRecord:
    """What a gate states that it did with one request: `task` binds it to question and TRE, `request` (sha512 of the
    request's statement) to the very bytes, so that no other TRE's record can stand in its place.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["https://w3id.org/cinque/statement/gate-record"]
    version: Literal[1]
    task: str
    request: str
    phases: tuple[Phase, ...]


def sign_gate_record(task: str, request_digest: str, phases: tuple[Phase, ...], key: SigningKey) -> bytes:
    """The record in an envelope signed by the gate's record key."""
    record = GateRecord("https://w3id.org/cinque/statement/gate-record", 1, task, request_digest, phases)
    return seal_statement(record, GATE_RECORD_TYPE, key)


def read_gate_record(data: bytes, public: str, *, task: str, request_digest: str) -> tuple[Phase, ...]:
    """The phases in a gate's record. Raises Refused unless this gate (public record key, base64url) signed it for this
    task and these bytes, and it records only what a gate does.
    """
    record, envelope = open_statement(data, GATE_RECORD_TYPE, GateRecord, "The gate's record")
    envelope.verify(public)
    if (record.task, record.request) != (task, request_digest):
        raise altered("gate-record-differs", "The gate's record is about another task or another request.")
    if any(phase.kind not in ("check", "validation", "retrieval") for phase in record.phases):
        raise Refused("gate-record-phase", "The gate's record holds a phase that only an enclave may record.")
    return record.phases
