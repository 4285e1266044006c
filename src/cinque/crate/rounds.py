"""One TRE's signed part of one round: what the other members' enclaves check before they derive the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from cinque.crate.cards import Members
from cinque.crate.keys import SigningKey, key_id
from cinque.crate.signed import open_statement, seal_statement
from cinque.errors import Refused
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.digest import sha256_hex
from cinque.model import CLOSED

if TYPE_CHECKING:
    from cinque.crate.release import ReleasedCrate

ROUND_TYPE: Final = "application/vnd.cinque.round+json"


@dataclass(frozen=True, slots=True)
class RoundStatement:
    """`transcript`: digest of all members' earlier rounds, "" in round one, so that who was given another history than
    the others is found out; `released`: the partial after disclosure control (shape and figures).
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    type: Literal["https://w3id.org/cinque/statement/round"]
    version: Literal[1]
    request: str
    request_digest: str
    task: str
    tre: str
    round: int
    transcript: str
    released: dict[str, Any]


STATEMENT: Final[Literal["https://w3id.org/cinque/statement/round"]] = "https://w3id.org/cinque/statement/round"


def sign_round(statement: RoundStatement, key: SigningKey) -> bytes:
    """The envelope, signed by the enclave's release key."""
    return seal_statement(statement, ROUND_TYPE, key)


def transcript_digest(rounds: Sequence[Sequence[bytes]]) -> str:
    """SHA-256 over the digests of all envelopes, round by round, sorted within a round; "" for none."""
    if not rounds:
        return ""
    return sha256_hex(canonical([sorted(sha256_hex(envelope) for envelope in members) for members in rounds]))


def read_transcript(
    envelopes: Sequence[bytes], members: Members, *, request: str, request_digest: str, number: int, transcript: str
) -> Mapping[str, RoundStatement]:
    """TRE id -> its part of round `number`, every signature checked with the pinned cards.

    Raises Refused when one is not signed by the TRE it names, is of another request, round or history, or comes twice.
    """
    parts: dict[str, RoundStatement] = {}
    for data in envelopes:
        statement, envelope = open_statement(data, ROUND_TYPE, RoundStatement, "A round")
        card = members.tre(statement.tre)
        if envelope.signer() != key_id("Ed25519", card.release):
            raise Refused("round-signer", f"A round that names `{card.name}` is not signed by that TRE's release key.")
        envelope.verify(card.release)
        if (statement.request, statement.request_digest) != (request, request_digest):
            raise Refused("round-other-request", f"The round of `{card.name}` belongs to another request.")
        if statement.round != number or statement.transcript != transcript:
            raise Refused(
                "round-other-history", f"`{card.name}` worked from another history than this TRE in round {number}."
            )
        if statement.tre in parts:
            raise Refused("round-twice", f"`{card.name}` appears twice in round {number}.")
        parts[statement.tre] = statement
    return parts


def history(members: Mapping[str, ReleasedCrate]) -> list[dict[str, Any]]:
    """Round by round, TRE id -> what it released (`outputs/rounds/NN/partial.json`): what an analysis combines."""
    rounds: list[dict[str, Any]] = []
    for crate in members.values():
        if crate.statement.outcome != "released":
            continue
        for number in range(1, crate.statement.rounds + 1):
            content = crate.outputs.get(f"outputs/rounds/{number:02}/partial.json")
            if content is None:
                continue
            while len(rounds) < number:
                rounds.append({})
            rounds[number - 1][crate.statement.tre] = strict_loads(content)
    return rounds
