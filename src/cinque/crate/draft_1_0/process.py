"""What happened, as values: one Action each, with the status, times and parties of the 1.0 draft (R221-R244).

A process is made by the function of its kind, so that what the draft demands of the kind is an argument that cannot be
left out. `ended` "" means that it is still running.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from cinque.crate.graph import Entity, ref
from cinque.lib.ids import derived_urn

Kind = Literal[
    "AskAction", "CreateAction", "Action", "AssessAction", "AuthorizeAction", "RejectAction", "CancelAction",
    "UpdateAction", "SendAction", "ReceiveAction",
]  # fmt: skip
_STATUS: Final = "http://schema.org/{}ActionStatus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process. `id` and everything referred to: absolute IRIs, of files in the crate their paths; `agent`: a person
    or organisation, never software (R223); `plan`: the one it executes (R233); times: RFC 3339.
    """

    id: str
    kind: Kind
    name: str
    agent: str
    ended: str = ""
    started: str = ""
    failed: bool = False
    provider: str = ""
    objects: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    recipient: str = ""
    sender: str = ""
    informed_by: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    plan: str = ""
    additional_type: str = ""
    description: str = ""
    also: tuple[str, ...] = ()  # further, more specific types

    @property
    def status(self) -> str:
        """Active, Completed or Failed (R224): what has not begun is no process."""
        return _STATUS.format("Active" if not self.ended else "Failed" if self.failed else "Completed")

    def to_entities(self) -> list[Entity]:
        """The action, and the association to its plan where it executes one."""
        action: Entity = {
            "@id": self.id,
            "@type": [self.kind, *self.also, "prov:Activity"],
            "name": self.name,
            "agent": ref(self.agent),
            "actionStatus": ref(self.status),  # R203: a reference, not text as in 0.4
        }
        single = {
            "provider": self.provider,
            "recipient": self.recipient,
            "sender": self.sender,
            "additionalType": self.additional_type,
        }
        several = {
            "object": self.objects,
            "result": self.results,
            "instrument": self.instruments,
            "prov:wasInformedBy": self.informed_by,
            "prov:used": self.used,
            "dct:hasPart": self.parts,  # R242: not schema.org's hasPart
        }
        texts = {"startTime": self.started, "endTime": self.ended, "description": self.description}
        action |= {name: ref(value) for name, value in single.items() if value}
        action |= {name: [ref(value) for value in values] for name, values in several.items() if values}
        action |= {name: value for name, value in texts.items() if value}
        if not self.plan:
            return [action]
        link = derived_urn(_NAMESPACE, f"association {self.id} {self.agent} {self.plan}")
        action["prov:qualifiedAssociation"] = ref(link)
        association = {
            "@id": link,
            "@type": "prov:Association",
            "prov:agent": ref(self.agent),
            "prov:hadPlan": ref(self.plan),
        }
        return [action, association]


_NAMESPACE: Final = "urn:uuid:6c0a2d57-6f7b-5d0e-9d0f-5a5e1c0b1a10"  # of ids that follow from other ids


def ask(id: str, name: str, *, agent: str, plan: str, recipient: str, at: str, provider: str = "") -> Process:
    """A plan was submitted to one who may act on it (R231). Several asked: one `ask` each."""
    return Process(
        id=id,
        kind="AskAction",
        name=name,
        agent=agent,
        ended=at,
        objects=(plan,),
        recipient=recipient,
        provider=provider,
    )


def decide(
    id: str,
    name: str,
    *,
    permitted: bool,
    agent: str,
    about: tuple[str, ...],
    at: str,
    informed_by: tuple[str, ...] = (),
    provider: str = "",
    instruments: tuple[str, ...] = (),
    used: tuple[str, ...] = (),
    description: str = "",
) -> Process:
    """A decision (R229, R232, R237, R244): on a plan, `informed_by` its request; on outputs, their checks."""
    return Process(
        id=id,
        kind="AuthorizeAction" if permitted else "RejectAction",
        name=name,
        agent=agent,
        ended=at,
        provider=provider,
        objects=about,
        instruments=instruments,
        informed_by=informed_by,
        used=used,
        description=description,
    )


def execution(
    id: str,
    name: str,
    *,
    agent: str,
    plan: str,
    started: str,
    ended: str = "",
    failed: bool = False,
    provider: str = "",
    objects: tuple[str, ...] = (),
    instruments: tuple[str, ...] = (),
    results: tuple[str, ...] = (),
    description: str = "",
) -> Process:
    """One attempt at a plan (R233), with the association of its agent to it; a retry is another."""
    return Process(
        id=id,
        kind="CreateAction",
        name=name,
        agent=agent,
        started=started,
        ended=ended,
        failed=failed,
        provider=provider,
        objects=objects,
        instruments=instruments,
        results=results,
        plan=plan,
        description=description,
    )


def output_check(
    id: str,
    name: str,
    *,
    agent: str,
    outputs: tuple[str, ...],
    kind: str,
    ended: str,
    started: str = "",
    provider: str = "",
    instruments: tuple[str, ...] = (),
    description: str = "",
) -> Process:
    """Outputs were assessed (R243). `kind`: a published term for the kind of check. It permits nothing by itself."""
    return Process(
        id=id,
        kind="AssessAction",
        name=name,
        agent=agent,
        started=started,
        ended=ended,
        provider=provider,
        objects=outputs,
        instruments=instruments,
        additional_type=kind,
        description=description,
    )


def review(
    id: str,
    name: str,
    *,
    agent: str,
    parts: Iterable[Process],
    ended: str,
    started: str = "",
    provider: str = "",
    informed_by: tuple[str, ...] = (),
) -> Process:
    """The overall review of outputs (R242) around the checks, decisions and requests that are its parts."""
    inner = tuple(parts)
    return Process(
        id=id,
        kind="Action",
        name=name,
        agent=agent,
        started=started,
        ended=ended,
        provider=provider,
        objects=tuple(dict.fromkeys(name for part in inner for name in part.objects)),
        parts=tuple(part.id for part in inner),
        informed_by=informed_by,
    )


def send(id: str, name: str, *, agent: str, assets: tuple[str, ...], recipient: str, started: str, ended: str = "",
         provider: str = "") -> Process:  # fmt: skip
    """Exact assets were dispatched to one party (R235)."""
    return Process(
        id=id, kind="SendAction", name=name, agent=agent, started=started, ended=ended, provider=provider,
        objects=assets, recipient=recipient,
    )  # fmt: skip


def receive(id: str, name: str, *, agent: str, assets: tuple[str, ...], sender: str, ended: str, started: str = "",
            sent: str = "", provider: str = "") -> Process:  # fmt: skip
    """Exact assets were received from one party (R235). `sent`: the dispatch that it is known to come of."""
    return Process(
        id=id, kind="ReceiveAction", name=name, agent=agent, started=started, ended=ended, provider=provider,
        objects=assets, sender=sender, informed_by=(sent,) if sent else (),
    )  # fmt: skip
