"""An answer as a federated activity record: each member's crate as it came, and its node's provenance."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from cinque.crate.answer import ANSWER, REQUEST, Answer
from cinque.crate.bag import PAYLOAD
from cinque.crate.draft_1_0.accounts import Ledger
from cinque.crate.draft_1_0.carried import Parts, Source
from cinque.crate.draft_1_0.convert import convert
from cinque.crate.draft_1_0.process import Process, receive
from cinque.crate.draft_1_0.record import DRAFT, Asset, CrateReference
from cinque.crate.draft_1_0.written import Converted, Identity, payload_of, single, written
from cinque.crate.graph import METADATA, ROOT, ref
from cinque.crate.index import Index, Node, is_absolute
from cinque.lib.canonical import strict_loads
from cinque.lib.clock import rfc3339
from cinque.lib.digest import sha512_hex
from cinque.lib.ids import Random, urn_uuid


def federated(
    answer: Answer, digest: str, name: str, now: datetime, random: Random, identity: Identity
) -> tuple[Converted, ...]:
    """One federated record; each member's crate as received, and what it becomes: its node's provenance (R245)."""
    nodes = []
    for short, member in answer.members.items():
        file = f"crates/{short}.zip"
        crate = Index(strict_loads(member.files[PAYLOAD + METADATA]))
        own = Identity(urn_uuid(random), 1, "")
        nodes.append(
            (
                single(
                    crate,
                    member.files,
                    sha512_hex(answer.files[PAYLOAD + file]),
                    f"{short}.zip",
                    now,
                    random,
                    own,
                    short,
                ),
                member,
                file,
            )
        )

    asked = Index(answer.request.graph.to_json())
    statement = answer.statement
    shared = Source(asked, answer.request.statement.id, answer.request.statement.id, frozenset(asked.by_id), ROOT)
    parts = convert(shared)
    index = Index(answer.graph.to_json())
    source = Source(index, statement.id, statement.id, frozenset(), statement.id)
    own_parts = convert(source)
    combination = next(node for node in index.of_type("CreateAction"))

    parts.root, parts.mentions, parts.identifiers = own_parts.root, own_parts.mentions, own_parts.identifiers
    parts.ledger = Ledger(own_parts.ledger.notes, own_parts.ledger.read)
    parts.tre = ""
    plan_parts = set(parts.plan.parts) if parts.plan is not None else set()
    inside = {path for path in plan_parts if not is_absolute(path)}
    parts.plan = (
        replace(parts.plan, parts=tuple(p for p in parts.plan.parts if p not in inside)) if parts.plan else None
    )
    parts.others = {id: e for id, e in parts.others.items() if is_absolute(id)} | own_parts.others
    references = []
    received: list[str] = []
    parts.processes = [process for process in parts.processes if process.kind == "AskAction"]
    for node, member, file in nodes:
        tre = member.statement.tre
        parts.others.pop(file, None)
        why = "The crate as it came: referred to, not contained."
        read = ("name", "identifier", "publisher", "conformsTo", "encodingFormat")
        parts.ledger.entity(file, node.original.id, why, *read)
        shown = _of_the_node(node, parts)
        parts.processes += shown
        parts.assets += [each for each in node.assets if any(each.id in p.results for p in shown)]
        parts.assets += [
            each for each in node.assets if any(each.id in p.objects for p in shown) and each not in parts.assets
        ]
        about = tuple(process.id for process in shown) or (
            (parts.plan.id,) if parts.plan is not None else (identity.record,)
        )
        references.append(
            CrateReference(
                id=node.identifier, name=f"Provenance of {node.role} ({DRAFT})", published=rfc3339(now),
                record=node.record, version=node.version, about=about, publisher=tre, derived_from=node.original.id,
            )
        )  # fmt: skip
        references.append(node.original)
        received.append(node.original.id)
    _exchange(index, parts, source, combination, nodes, received)
    original = CrateReference(
        id=statement.id, name=f"The original: {name}, an answer of Cinque", published=statement.issued, digest=digest
    )
    payload = {path: content for path, content in payload_of(answer.files).items() if path in (ANSWER, REQUEST)}
    for tag in sorted(path for path in answer.files if not path.startswith(PAYLOAD)):
        parts.ledger.entity(
            tag, "", "A tag file or the signature of the original, and stays with it: 1.0 knows no bag."
        )
    whole = written(index, source.name, parts, original, payload, now, random, identity, "", tuple(references))
    return (whole, *(node for node, _, _ in nodes))


def _of_the_node(node: Converted, parts: Parts) -> list[Process]:
    """What the federated record tells of a node: its decisions on the plan and its runs, under their own ids."""
    plan = parts.plan.id if parts.plan is not None else ""
    shown = []
    for process in node.processes:
        if process.plan or (process.kind in ("AuthorizeAction", "RejectAction") and plan in process.objects):
            known = {each.id for each in parts.processes}
            kept = tuple(id for id in process.informed_by if id in known)
            objects = (plan,) if process.plan else process.objects
            shown.append(replace(process, instruments=(), objects=objects, informed_by=kept))
    return shown


def _exchange(
    index: Index, parts: Parts, source: Source, combination: Node, nodes: list[Any], received: list[str]
) -> None:
    """What the person did: received each crate, and combined them."""
    by_file = {file: (node.original.id, member.statement.tre) for node, member, file in nodes}
    person = combination.ids("agent")[0]
    for action in index.of_type("ReceiveAction"):
        id, tre = by_file[action.ids("object")[0]]
        parts.processes.append(
            receive(
                source.name(action.id), action.text("name"), agent=source.name(person), assets=(id,), sender=tre,
                ended=action.text("endTime"),
            )
        )  # fmt: skip
        parts.ledger.notes.pop((action.id, ""), None)
        parts.ledger.entity(action.id, source.name(action.id), "Of the crate as it came.", "object")
    result = Asset(source.mint("asset", ANSWER), "The answer")
    parts.assets = [each for each in parts.assets if each.id != result.id] + [result]
    parts.others[ANSWER] = parts.others[ANSWER] | {"encodesCreativeWork": ref(result.id)}
    parts.processes.append(
        Process(
            id=source.name(combination.id), kind="CreateAction", name=combination.text("name"),
            agent=source.name(person), ended=combination.text("endTime"), objects=tuple(received),
            instruments=tuple(source.name(id) for id in combination.ids("instrument")), results=(result.id,),
        )
    )  # fmt: skip
    parts.ledger.notes.pop((combination.id, ""), None)
    parts.ledger.entity(combination.id, source.name(combination.id), "Of the crates as they came.", "object", "result")
