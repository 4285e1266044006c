"""The released crate: the request verbatim, what was done with it, and what left (contracts section 4, R73-R86)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from cinque.crate.archive import Archive
from cinque.crate.bag import BAG_INFO, DECLARATION, MANIFEST, PAYLOAD, parse_manifest
from cinque.crate.cards import Members, TreCard, check_valid
from cinque.crate.dsse import Envelope
from cinque.crate.graph import METADATA, ROOT, Entity, Graph, fragment, ref, refs, status_of
from cinque.crate.growth import (
    GATE_RECORD,
    KEPT,
    PAYLOAD_TYPE,
    AgreementInForce,
    ReleaseStatement,
    asks,
    check_growth,
    grown,
    this_software,
    write_release,
)
from cinque.crate.keys import SigningKey, key_id
from cinque.crate.phases import SHP, Instrument, Phase, Software, Status, read_gate_record
from cinque.crate.request import OUTPUTS, Request, assembled, check_statement
from cinque.crate.request import PAYLOAD_TYPE as REQUEST_TYPE
from cinque.crate.signed import PREVIEW, STATEMENT, altered, check_listed, open_statement, read_signed
from cinque.errors import Refused
from cinque.lib.canonical import canonical
from cinque.lib.clock import parse_rfc3339, rfc3339
from cinque.lib.digest import sha256_hex, sha512_hex
from cinque.lib.ids import derived_urn
from cinque.model.request import Statement, task_id

_STATBARNS: Final = "https://www.w3id.org/statbarnsdc#"
DISCLOSURE: Final = SHP + "DisclosureCheck"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseInputs:
    """What a TRE puts together. `phases`: the enclave's (sign-off, one disclosure check a round), in their order; the
    gate's come in `gate_record`. `outputs`: path in the payload (`outputs/rounds/01/partial.json`) -> bytes.
    `engine`: what ran; `appetite`: the published value, whose digest stands in the TRE's card; `statbarns`: of the
    outputs' figures; `publisher`: the software that writes the crate, by default this one. `started`, `ended`: of the
    run. `snapshot`: the TRE's opaque id of the data that was read. `license`: of the outputs.
    """

    request: Request
    tre: TreCard
    phases: tuple[Phase, ...]
    outputs: Mapping[str, bytes]
    started: datetime
    ended: datetime
    engine: Software
    agreement: AgreementInForce
    appetite: Mapping[str, Any]
    code: Mapping[str, str]
    audit_head: str
    publisher: Software | None = None
    gate_record: bytes | None = None
    statbarns: tuple[str, ...] = ()
    snapshot: str = ""
    license: str = "https://spdx.org/licenses/CC-BY-4.0"
    license_name: str = "Creative Commons Attribution 4.0 International"


# ------------------------------------------------------------------------------------------------------- writing


def compose_release(inputs: ReleaseInputs, release_key: SigningKey, *, now: datetime) -> bytes:
    """The canonical ZIP of a released crate, signed by the enclave's release key.

    Raises Refused when an output is covered by no completed disclosure check (R76), when nothing is to be released,
    when the request does not ask this TRE, or when the gate's record is not about this task.
    """
    if not inputs.outputs:
        raise Refused("release-empty", "There is no output to release.", remedy="Compose a refusal instead.")
    request, tre = inputs.request, inputs.tre
    task = task_id(request.statement.id, tre.id)
    used = _appetite(inputs.appetite)
    phases = tuple(_with_tool(phase, used) for phase in inputs.phases)
    graph, phases = grown(
        request, tre, phases, inputs.outputs, inputs.gate_record, inputs.publisher or this_software(tre), now
    )
    action = graph[request.action_id]
    action |= {  # R73
        "actionStatus": str(Status.COMPLETED),
        "startTime": rfc3339(inputs.started),
        "endTime": rfc3339(inputs.ended),
        "result": [ref(path) for path in sorted(inputs.outputs)],  # R46
    }
    graph.root["license"] = ref(inputs.license)  # R79
    licence = "Under what conditions the outputs may be used."
    graph.describe(
        {"@id": inputs.license, "@type": "CreativeWork", "name": inputs.license_name, "description": licence}
    )
    graph[used.id]["text"] = canonical(dict(inputs.appetite)).decode()
    for name in inputs.statbarns:
        graph.describe({"@id": _STATBARNS + name, "@type": "DefinedTerm", "name": name})
    for path in inputs.outputs:
        if inputs.statbarns:
            graph[path]["about"] = [ref(_STATBARNS + name) for name in inputs.statbarns]
    _organize(graph, request, task, inputs)
    statement = ReleaseStatement(
        type="https://w3id.org/cinque/statement/release",
        version=1,
        outcome="released",
        request=request.statement.id,
        request_digest=request.digest,
        task=task,
        tre=tre.id,
        rounds=sum(phase.kind == "disclosure" and not phase.failed for phase in phases),
        agreement=inputs.agreement,
        appetite=sha256_hex(canonical(dict(inputs.appetite))),
        code=dict(inputs.code),
        audit_head=inputs.audit_head,
        reason="",
        sentence="",
        issued=rfc3339(now),
        files={},
    )
    return write_release(graph, request, inputs.outputs, inputs.gate_record, statement, release_key, now)


def _appetite(value: Mapping[str, Any]) -> Instrument:
    digest = sha256_hex(canonical(dict(value)))
    return Instrument(
        f"#appetite-{digest[:16]}", ("CreativeWork",), f"Risk appetite {value.get('name', '')}".strip(), "", digest
    )


def _with_tool(phase: Phase, used: Instrument) -> Phase:
    return replace(phase, instruments=(*phase.instruments, used)) if phase.kind == "disclosure" else phase


def _organize(graph: Graph, request: Request, task: str, inputs: ReleaseInputs) -> None:
    """R74: which engine ran the workflow, on which snapshot of the data, as in Provenance Run Crate."""
    id = "#engine-" + derived_urn(task, "engine").removeprefix("urn:uuid:")
    action, engine = graph[request.action_id], inputs.engine
    for entity in engine.to_entities():
        (graph.describe if entity["@type"] == "Organization" else graph.add)(entity)
    organized: Entity = {
        "@id": id,
        "@type": "OrganizeAction",
        "name": f"Run of {engine.name} {engine.version}",
        "agent": ref(inputs.tre.id),
        "instrument": ref(engine.id),
        "result": ref(request.action_id),
        **{name: action[name] for name in ("actionStatus", "startTime", "endTime")},
    }
    if inputs.snapshot:
        snapshot = fragment("snapshot", inputs.snapshot)
        value = {"name": f"Snapshot of {request.statement.dataset} that was read", "value": inputs.snapshot}
        graph.add({"@id": snapshot, "@type": "PropertyValue", **value})
        organized["object"] = [ref(snapshot)]
    graph.add(organized)
    graph.link(ROOT, "mentions", id)


# ------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class ReleasedCrate:
    """A release or refusal whose parts agree; `verify_release` says whether its TRE signed it.

    `request`: rebuilt from the folder `request/` (its preview is not kept), None in the refusal of what could not be
    read; `outputs`: path in the payload -> bytes; `digest`: sha512 of the statement's payload.
    """

    statement: ReleaseStatement
    envelope: Envelope
    digest: str
    files: Mapping[str, bytes]
    graph: Graph
    outputs: Mapping[str, bytes]
    request: Request | None
    gate_record: bytes | None
    canonical: bool

    @property
    def kind(self) -> Literal["release", "refusal"]:
        """What it is."""
        return "release" if self.statement.outcome == "released" else "refusal"


def read_release(data: bytes | Archive) -> ReleasedCrate:
    """The released crate or refusal in a ZIP. Every check that needs no key: bag, statement against files, the kept
    request against the statement and its own bytes, the graph against the request's, results against disclosure
    checks (R76). Raises Refused naming what does not fit.
    """
    signed = read_signed(data)
    statement, envelope = open_statement(
        signed.files[STATEMENT], PAYLOAD_TYPE, ReleaseStatement, "The release's statement"
    )
    check_listed(signed.files, statement.files)
    if signed.bag.identifier != statement.request:  # R13
        raise altered("release-identifier", "The External-Identifier is not that of the request.")
    outputs = {path: c for path, c in signed.bag.payload.items() if path.startswith(OUTPUTS)}
    request = None
    if statement.request_digest:
        request = _kept(signed.files, statement, outputs)
        if statement.task != task_id(request.statement.id, statement.tre):
            raise altered("release-task", "The task is not that of this question at this TRE.")
        check_growth(request.graph, signed.graph, request.action_id)
    elif outputs or statement.outcome == "released":
        raise altered("release-request", "Outputs were released without the request that they answer.")
    check_outcome(signed.graph, statement, outputs)
    return ReleasedCrate(
        statement,
        envelope,
        sha512_hex(envelope.payload),
        signed.files,
        signed.graph,
        outputs,
        request,
        signed.files.get(GATE_RECORD),
        signed.archive.canonical,
    )


def _kept(files: Mapping[str, bytes], statement: ReleaseStatement, outputs: Mapping[str, bytes]) -> Request:
    """The request in the tag folder: signed statement, digests of bagit, bag-info, manifest, and through the manifest
    of its metadata and of every payload file but the preview, which the release writes anew.
    """
    kept = {path.removeprefix(KEPT): content for path, content in files.items() if path.startswith(KEPT)}
    if kept.keys() != {DECLARATION, BAG_INFO, MANIFEST, STATEMENT, METADATA}:
        raise altered("release-request", "The request in the crate is not whole.")
    asked, envelope = open_statement(kept[STATEMENT], REQUEST_TYPE, Statement, "The request's statement")
    if (asked.id, sha512_hex(envelope.payload)) != (statement.request, statement.request_digest):
        raise altered("release-request", "The crate keeps another request than the one it says that it answers.")
    check_statement(asked, kept)
    listed = parse_manifest(kept[MANIFEST])
    if listed.get(PAYLOAD + METADATA) != sha512_hex(kept[METADATA]):
        raise altered("release-request", "The request's metadata in the crate is not what was asked.")
    own = {PAYLOAD + METADATA, PAYLOAD + PREVIEW}
    expected = {path: digest for path, digest in listed.items() if path not in own}
    found = {path: digest for path, digest in statement.files.items() if path.startswith(PAYLOAD) and path not in own}
    if found != expected | {PAYLOAD + path: sha512_hex(content) for path, content in outputs.items()}:
        raise altered("release-payload", "The payload is not that of the request with the released outputs.")
    whole = {path: files[path] for path in expected}
    parts = {DECLARATION, BAG_INFO, MANIFEST, STATEMENT}
    whole |= {path: content for path, content in kept.items() if path in parts}
    return assembled(
        asked, envelope, whole | {PAYLOAD + METADATA: kept[METADATA]}, Graph.read(kept[METADATA]), canonical=False
    )


def check_outcome(graph: Graph, statement: ReleaseStatement, outputs: Mapping[str, bytes]) -> None:
    """Raise Refused unless the graph says of outputs and phases what the statement's outcome does."""
    root = graph.root
    if refs(root.get("publisher")) != (statement.tre,) or root.get("identifier") != statement.task:  # R78
        raise altered("release-publisher", "The crate's metadata names another publisher or task than its statement.")
    results = [path for run in graph.of_type("CreateAction") for path in refs(run.get("result"))]
    if sorted(results) != sorted(outputs) or not set(outputs) <= set(refs(root.get("hasPart"))):  # R81
        raise altered("release-results", "The outputs in the crate are not the results that its metadata lists.")
    checks = [act for act in graph.of_type("AssessAction") if refs(act.get("additionalType")) == (DISCLOSURE,)]
    passed = [act for act in checks if status_of(act) == "CompletedActionStatus"]
    covered = {path for act in passed for path in refs(act.get("object"))}
    if not set(outputs) <= covered or len(passed) != statement.rounds:  # R76
        raise altered("release-undisclosed", "An output stands in the crate without a completed disclosure check.")
    assessed = [act["@id"] for act in graph.of_type("AssessAction")]
    if not set(assessed) <= set(refs(root.get("mentions"))):  # R80
        raise altered("release-mentions", "The crate records an assessment that its root does not mention.")
    runs = {status_of(run) for run in graph.of_type("CreateAction")}
    said_no = [act for act in graph.of_type("AssessAction") if status_of(act) == "FailedActionStatus"]
    fits = {
        "released": runs == {"CompletedActionStatus"} and not said_no,
        "refused": runs <= {"FailedActionStatus" if outputs else "PotentialActionStatus"} and (said_no or not runs),
        "withheld": runs == {"FailedActionStatus"} and len(checks) > len(passed),
    }
    if not fits.get(statement.outcome, runs <= {"FailedActionStatus"}):
        raise altered("release-status", "The crate's metadata does not record what its statement says came of it.")


def verify_release(crate: ReleasedCrate, members: Members) -> TreCard:
    """The card of the TRE that signed the crate. Raises NotFound where no such TRE is pinned, and Refused unless its
    release key signed (its gate's record key may sign what was refused or expired without outputs), the card was valid
    on that day, the request asked this TRE, and the gate's record is its own gate's and stands in the graph.
    """
    statement, request = crate.statement, crate.request
    tre = members.tre(statement.tre)
    by_gate = crate.envelope.signer() == key_id("Ed25519", tre.gate_record)
    if by_gate and (crate.outputs or statement.outcome not in ("refused", "expired")):
        raise altered("gate-signed-release", "A gate signed what only an enclave may release.")
    crate.envelope.verify(tre.gate_record if by_gate else tre.release)
    check_valid(tre, parse_rfc3339(statement.issued).date())
    if request is not None and not asks(request, tre):
        raise altered("tre-not-asked", "The crate answers a request that did not ask this TRE.")
    if crate.gate_record is not None:
        phases = read_gate_record(
            crate.gate_record, tre.gate_record, task=statement.task, request_digest=statement.request_digest
        )
        for phase in phases:
            action = phase.to_entities(statement.task)[0]
            if crate.graph.get(action["@id"]) != action:
                raise altered("gate-record-differs", "The crate's metadata does not say what the gate recorded.")
    return tre
