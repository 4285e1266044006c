"""The request's statement: what a person signs (contracts.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from cinque.lib.ids import derived_urn
from cinque.model import CLOSED

AnswerMode = Literal["open", "pooled", "secure"]

STATEMENT_TYPE: Final = "https://w3id.org/cinque/statement/request"
STATEMENT_VERSION: Final = 1
CUSTODY_LIMIT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Audience:
    """One TRE that is asked: its id (urn:cinque:tre:<thumbprint of its root key>) and the name that the asker uses."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Statement:
    """RFC 8785 JSON in a DSSE envelope. `id` is the bag's External-Identifier. `bagit`, `bag_info`, `manifest`: sha512
    (hex) of bagit.txt, bag-info.txt and manifest-sha512.txt, so of every payload byte. `analysis`: name, version and
    package digest, e.g. `count@1.0.0 sha256:…`. `issued`, `accept_until`: RFC 3339; custody must be taken before
    the latter, at most 30 days on. `reply_to`: the X25519 public keys (base64url) to which results are sealed.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["https://w3id.org/cinque/statement/request"]
    version: Literal[1]
    id: str
    bagit: str
    bag_info: str
    manifest: str
    requester: str
    project: str
    dataset: str
    analysis: str
    analysis_version: str
    analysis_digest: str
    audience: tuple[Audience, ...]
    mode: AnswerMode
    max_rounds: int
    issued: str
    accept_until: str
    nonce: str
    reply_to: tuple[str, ...]


def task_id(request: str, tre: str) -> str:
    """The task of a request at a TRE: the same urn:uuid for everyone who derives it, so nobody has to be believed."""
    return derived_urn(request, tre)
