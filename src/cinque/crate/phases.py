"""The phases of a Five Safes crate as values, and the entities they become (the profile's phase table, R51-R63).

A phase is recorded when it has happened. Gate and enclave each record their own; the gate's arrive in the enclave as a
gate record that the gate signed, and enter the graph as its statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal

from cinque.crate.graph import PROFILE, ROOT, SHA512_TERM, Entity, fragment, local_id, ref
from cinque.crate.keys import SigningKey
from cinque.crate.signed import altered, open_statement, seal_statement
from cinque.errors import Refused
from cinque.lib.clock import rfc3339
from cinque.lib.ids import derived_urn
from cinque.model import CLOSED

SHP: Final = "https://w3id.org/shp#"


class Status(StrEnum):
    """`actionStatus` as literals, http and never https (R32, R105)."""

    POTENTIAL = "http://schema.org/PotentialActionStatus"
    ACTIVE = "http://schema.org/ActiveActionStatus"
    COMPLETED = "http://schema.org/CompletedActionStatus"
    FAILED = "http://schema.org/FailedActionStatus"


# ------------------------------------------------------------------------------------------------------- agents


@dataclass(frozen=True, slots=True)
class Organization:
    """A TRE or another organisation; `id` an IRI (ROR, or the TRE's urn)."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    name: str
    kind: Literal["organization"] = "organization"

    def to_entities(self) -> list[Entity]:
        """R63: a contextual entity with a name."""
        return [{"@id": self.id, "@type": "Organization", "name": self.name}]


@dataclass(frozen=True, slots=True)
class Person:
    """A person who decided; `id` an IRI (ORCID) or a local name."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    name: str
    kind: Literal["person"] = "person"

    def to_entities(self) -> list[Entity]:
        """R63."""
        return [{"@id": local_id("person", self.id), "@type": "Person", "name": self.name}]


@dataclass(frozen=True, slots=True)
class Software:
    """Software that acted for a TRE. `name` and `version` are those of the software that ran, never of another."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    name: str
    version: str
    provider: Organization
    kind: Literal["software"] = "software"

    @property
    def id(self) -> str:
        """One entity for a software, its version and the TRE it acted for."""
        return fragment("software", f"{self.name}-{self.version}-{self.provider.id.rpartition(':')[2]}")

    def to_entities(self) -> list[Entity]:
        """R62: `provider` is the TRE."""
        software = {
            "@id": self.id,
            "@type": "SoftwareApplication",
            "name": self.name,
            "softwareVersion": self.version,
            "version": self.version,
            "provider": ref(self.provider.id),
        }
        return [software, *self.provider.to_entities()]


Agent = Software | Person | Organization


# ------------------------------------------------------------------------------------------------------- phases

Kind = Literal["check", "validation", "retrieval", "sign-off", "disclosure", "publishing"]

# kind -> Action's type, additionalType, the word that its @id begins with (R56 and the phase table)
_FORMS: Final[dict[str, tuple[str, str, str]]] = {
    "check": ("AssessAction", SHP + "CheckValue", "check"),
    "validation": ("AssessAction", SHP + "ValidationCheck", "validate"),
    "retrieval": ("DownloadAction", "", "download"),
    "sign-off": ("AssessAction", SHP + "SignOff", "signoff"),
    "disclosure": ("AssessAction", SHP + "DisclosureCheck", "disclosure"),
    "publishing": ("UpdateAction", SHP + "GenerateCheckValue", "bagit"),
}


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a check was made against: a term, a profile, a policy (an agreement at a version, a risk appetite)."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    id: str
    type: tuple[str, ...]
    name: str
    version: str = ""
    identifier: str = ""

    def to_entities(self) -> list[Entity]:
        """A contextual entity."""
        types: str | list[str] = self.type[0] if len(self.type) == 1 else list(self.type)
        entity: Entity = {"@id": self.id, "@type": types, "name": self.name}
        if self.version:
            entity["version"] = self.version
        if self.identifier:
            entity["identifier"] = self.identifier
        return [entity]


SHA512: Final = Instrument(SHA512_TERM, ("DefinedTerm",), "SHA-512")
THE_PROFILE: Final = Instrument(PROFILE, ("CreativeWork", "Profile"), "Five Safes RO-Crate profile", "0.4")


def policy(id: str, version: str, title: str, digest: str = "") -> Instrument:
    """An agreement as the instrument of a sign-off (R72); `digest` of the TRE's folder in force."""
    return Instrument(fragment("agreement", id), ("CreativeWork",), title, version, digest)


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase that happened. `name`: the kind of check and its outcome, for people (R57); `objects`: ids assessed
    beside the root; `code`, `sentence`: why it failed, in words that may leave; `round`: of a disclosure check, from 1.
    Times are RFC 3339. Made by the functions below.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    kind: Kind
    name: str
    status: Status
    agent: Agent
    started: str = ""
    ended: str = ""
    objects: tuple[str, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    result: str = ""
    description: str = ""
    code: str = ""
    sentence: str = ""
    round: int = 0

    @property
    def failed(self) -> bool:
        """Whether the phase said no."""
        return self.status is Status.FAILED

    def id(self, task: str) -> str:
        """`#check-<uuid>`: derived from task, phase, round and agent: each records a phase once."""
        return f"#{_FORMS[self.kind][2]}-{_uuid(task, f'{self.kind}/{self.round}/{self.agent.id}')}"

    def to_entities(self, task: str) -> list[Entity]:
        """The action first, then whom and what it refers to."""
        kind, additional, _ = _FORMS[self.kind]
        action: Entity = {
            "@id": self.id(task),
            "@type": kind,
            "name": self.name,
            "actionStatus": str(self.status),  # R54
            "agent": ref(self.agent.to_entities()[0]["@id"]),
        }
        if self.kind == "retrieval":  # R69: the distribution alone
            action["object"] = [ref(id) for id in self.objects]
        else:
            action["object"] = [ref(id) for id in dict.fromkeys((ROOT, *self.objects))]  # R55
        if additional:
            action["additionalType"] = ref(additional)
        if self.started:
            action["startTime"] = self.started  # R60
        if self.ended and self.kind != "publishing":  # R84: the manifest is not written yet when this is
            action["endTime"] = self.ended  # R59
        if self.instruments:
            action["instrument"] = [ref(item.id) for item in self.instruments]
        if self.result:
            action["result"] = ref(self.result)
        if self.description:
            action["description"] = self.description
        entities = [action, *self.agent.to_entities()]
        if self.code:
            reason = reason_entity(task, self.code, self.sentence, suffix=f"{self.kind}-{self.round}")
            action["error"] = ref(reason["@id"])
            entities.append(reason)
        for item in self.instruments:
            entities += item.to_entities()
        return entities


def reason_entity(task: str, code: str, sentence: str, *, suffix: str) -> Entity:
    """Why something was refused: a stable code and a sentence."""
    id = f"#reason-{suffix}-{_uuid(task, 'reason/' + suffix)}"
    return {"@id": id, "@type": "DefinedTerm", "name": code, "termCode": code, "description": sentence}


def _uuid(task: str, what: str) -> str:
    return derived_urn(task, what).removeprefix("urn:uuid:")


def _time(instant: datetime | None) -> str:
    return "" if instant is None else rfc3339(instant)


def _outcome(refusal: tuple[str, str] | None) -> tuple[Status, str, str, str]:
    if refusal is None:
        return Status.COMPLETED, "passed", "", ""
    return Status.FAILED, "failed", *refusal


def check(agent: Agent, ended: datetime, *, refusal: tuple[str, str] | None = None) -> Phase:
    """Payload and tag manifest were compared (R64). `refusal`: code and sentence when they did not hold."""
    status, word, code, sentence = _outcome(refusal)
    name = f"Check of payload and tag manifests: {word}"
    return Phase("check", name, status, agent, "", rfc3339(ended), (), (SHA512,), "", "", code, sentence)


def validation(agent: Agent, started: datetime, ended: datetime, *, refusal: tuple[str, str] | None = None) -> Phase:
    """The crate was compared with the profile (R67)."""
    status, word, code, sentence = _outcome(refusal)
    name = f"Validation against the Five Safes RO-Crate profile 0.4: {word}"
    times = rfc3339(started), rfc3339(ended)
    return Phase("validation", name, status, agent, *times, (), (THE_PROFILE,), "", "", code, sentence)


def retrieval(agent: Agent, started: datetime, ended: datetime, *, distribution: str, result: str) -> Phase:
    """A workflow was fetched (R69, R70). Record it only when bytes were fetched."""
    name = "Retrieval of the requested workflow: completed"
    times = rfc3339(started), rfc3339(ended)
    return Phase("retrieval", name, Status.COMPLETED, agent, *times, (distribution,), (), result)


def sign_off(
    agent: Agent,
    ended: datetime,
    *,
    objects: tuple[str, ...],
    agreement: Instrument | None,
    refusal: tuple[str, str] | None = None,
) -> Phase:
    """This request fits, or does not fit, a standing agreement (R71, R72).

    `objects`: ids of the workflow and the project (`Request.workflow_id`, `Request.project_id`). An automatic sign-off
    has a Software as its agent, and says so in its description.
    """
    status, _, code, sentence = _outcome(refusal)
    described = ""
    if agreement is not None:
        by = "Automatic: permitted without a person by" if isinstance(agent, Software) else "Judged by a person against"
        described = f"{by} the agreement {agreement.name} at version {agreement.version}."
    instruments = () if agreement is None else (agreement,)
    name = f"Sign-off: {'approved' if refusal is None else 'refused'}"
    return Phase(
        "sign-off", name, status, agent, "", rfc3339(ended), objects, instruments, "", described, code, sentence
    )


def disclosure(
    agent: Agent,
    ended: datetime,
    *,
    started: datetime | None = None,
    tools: tuple[Instrument, ...] = (),
    note: str = "",
    round: int = 1,
    refusal: tuple[str, str] | None = None,
) -> Phase:
    """The outputs of one round were checked before they leave (R75). `note`: what was suppressed, in words that may
    leave; with suppression the check is Completed all the same. Its objects are added when the release is composed.
    """
    status, word, code, sentence = _outcome(refusal)
    name = f"Disclosure check of round {round}: {word}"
    return Phase(
        "disclosure", name, status, agent, _time(started), rfc3339(ended), (), tools, "", note, code, sentence, round
    )


def publishing(agent: Agent, started: datetime) -> Phase:
    """The manifests are about to be written (R84): Completed already, without end and result."""
    return Phase(
        "publishing",
        "Generation of payload and tag manifests: completed",
        Status.COMPLETED,
        agent,
        rfc3339(started),
        instruments=(SHA512,),
    )


@dataclass(frozen=True, slots=True)
class Receiving:
    """A client received a crate (R87, R89): written into the client's own crate, never into the TRE's."""

    agent: Person
    at: datetime
    object: str  # id of the received crate
    name: str = "Receipt of a released crate: manifests, signature and phases checked"

    def to_entities(self, namespace: str) -> list[Entity]:
        """A ReceiveAction of the phase table."""
        action: Entity = {
            "@id": f"#receive-{_uuid(namespace, 'receive/' + self.object)}",
            "@type": "ReceiveAction",
            "name": self.name,
            "actionStatus": str(Status.COMPLETED),
            "agent": ref(local_id("person", self.agent.id)),
            "object": [ref(self.object)],
            "endTime": rfc3339(self.at),
        }
        return [action, *self.agent.to_entities()]


# ------------------------------------------------------------------------------------------------ the gate's record

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
