"""What the enclave checks, from the bytes and with its own lists, before it takes custody of a request.

The gate is hostile input: everything it checked is checked again. Authorisation happens here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cinque.analyses import package, registry
from cinque.analyses.analysis import Analysis
from cinque.crate.cards import TreCard
from cinque.crate.check import check
from cinque.crate.phases import read_gate_record
from cinque.crate.request import Request, expired, read_request, verify_request
from cinque.enclave.folder import Say
from cinque.enclave.policy import Authority, authorise
from cinque.errors import Refused
from cinque.lib.parse import parse
from cinque.model.datasets import Dataset
from cinque.model.request import task_id


@dataclass(frozen=True, slots=True)
class Custody:
    """A request that passed: what will run, with which parameters, on which data, on what authority."""

    request: Request
    analysis: Analysis[Any]
    parameters: Any
    dataset: Dataset
    authority: Authority


def open_packet(packet: bytes, task: str, card: TreCard, now: datetime) -> Request:
    """The request in the bytes, for this TRE, in time. Raises Refused."""
    request = read_request(packet)
    statement = request.statement
    if card.id not in {a.id for a in statement.audience}:
        raise Refused(
            "not-for-this-tre", "The request is for other TREs.", remedy="Ask this TRE in the signed audience."
        )
    if task != task_id(statement.id, card.id):
        raise Refused("task-mismatch", "The task offered is not that of this request at this TRE.")
    if expired(request, now):
        raise Refused("expired", "The last moment to accept this request has passed.", remedy="Compose it anew.")
    return request


def gate_record(record: str, request: Request, task: str, card: TreCard) -> str:
    """The gate's record, when the gate signed it for this task and these bytes. Raises Refused otherwise."""
    read_gate_record(record.encode(), card.gate_record, task=task, request_digest=request.digest)
    return record


def examine(request: Request, say: Say, now: datetime, *, again: bool = False) -> Custody:
    """Every check that needs the TRE's own say, at custody and again at every later step: revocation is read each time.
    Raises Refused with the rule and what would change it. `again`: what follows from the request's bytes alone, its
    profile and its package, was found good at custody and is not looked at a second time.
    """
    statement = request.statement
    person_card = say.card_by_key(request.signer)
    verify_request(request, person_card)
    analysis = chosen(statement.analysis, statement.analysis_version)
    if not again:
        _examine_bytes(request, analysis)
    parameters = parse(analysis.parameters, request.parameters, "The analysis's parameters", code="parameters")
    authority = authorise(
        say,
        person_key=request.signer,
        statement=statement,
        columns=analysis.columns(parameters),
        today=now.date(),
    )
    if set(statement.reply_to) != {person_card.open}:
        raise Refused(
            "reply-to",
            "The request asks that results be sealed to a key that is not its person's.",
            rule="contracts 1",
            remedy="Reply to the opening key on the person's card.",
        )
    dataset = say.dataset(statement.dataset)
    analysis.check(parameters, dataset.dictionary())
    if analysis.rounds > 1:
        _check_members(statement.audience, say)
    return Custody(request, analysis, parameters, dataset, authority)


def _examine_bytes(request: Request, analysis: Analysis[Any]) -> None:
    report = check(request.files["data/ro-crate-metadata.json"], files=request.files, stage="request")
    if not report.conforms:
        first = next(finding for finding in report.findings if finding.level == "must")
        raise Refused("profile", f"The request breaks rule {first.rule}: {first.message}", rule=first.rule)
    package.verify_package(request.package, analysis)
    if request.statement.analysis_digest != package.digest(request.package):  # what agreements and revocations go by
        raise Refused(
            "analysis-differs",
            "The request was signed with another digest than that of the analysis it carries.",
            remedy="Ask with the digest of the package.",
        )


def chosen(name: str, version: str) -> Analysis[Any]:
    """The installed analysis of this name and version; raises Refused."""
    analysis = registry.get(name)
    if analysis.version != version:
        raise Refused(
            "analysis-version",
            f"Version {version} of `{name}` is not installed here; {analysis.version} is.",
            remedy="Ask with that version.",
        )
    return analysis


def _check_members(audience: Sequence[Any], say: Say) -> None:
    for member in audience:
        if not say.knows_tre(member.id):
            raise Refused(
                "unknown-member",
                f"This TRE holds no card of `{member.name}`, so it could not check that member's part of a round.",
                remedy="Ask the TRE's operator to put that card into its members folder, or ask fewer TREs.",
            )
