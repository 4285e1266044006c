"""The request: one question as one signed bag (contracts section 2; profile section "Requested workflow run")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cinque.crate.archive import Archive
from cinque.crate.bag import BAG_INFO, DECLARATION, MANIFEST, PAYLOAD, TAG_MANIFEST
from cinque.crate.cards import PersonCard
from cinque.crate.dsse import Envelope
from cinque.crate.graph import (
    CONTEXT,
    CRATE,
    METADATA,
    PROFILE,
    ROOT,
    WORKFLOW_CRATE,
    Entity,
    Graph,
    local_id,
    ref,
    refs,
    status_of,
    types,
)
from cinque.crate.keys import SigningKey
from cinque.crate.phases import THE_PROFILE, Status
from cinque.crate.signed import STATEMENT, altered, open_statement, read_signed, seal_statement, write_signed
from cinque.errors import Refused
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.clock import parse_rfc3339, rfc3339
from cinque.lib.digest import sha512_hex
from cinque.lib.ids import Random, derived_urn, urn_uuid
from cinque.model.request import (
    CUSTODY_LIMIT_DAYS,
    STATEMENT_TYPE,
    STATEMENT_VERSION,
    AnswerMode,
    Audience,
    Statement,
)

PAYLOAD_TYPE: Final = "application/vnd.cinque.request+json"
PARAMETERS: Final = "inputs/parameters.json"
OUTPUTS: Final = "outputs/"
# Where an @id of a release may begin: taken beforehand by a requester, it would stop the TRE from recording its step.
_PHASES: Final = ("bagit", "check", "disclosure", "download", "engine", "signoff", "validate")
_THINGS: Final = ("agreement", "appetite", "reason", "snapshot", "software")
_TERMS: Final = ("https://www.iana.org/", "https://w3id.org/shp#", "https://www.w3id.org/statbarnsdc#")
RESERVED: Final = (OUTPUTS, *(f"#{name}-" for name in (*_PHASES, *_THINGS)), *_TERMS)
_TAGS: Final = frozenset({DECLARATION, BAG_INFO, MANIFEST, TAG_MANIFEST, STATEMENT})


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks. `package`: the nested Workflow RO-Crate of the analysis, path -> bytes; `analysis_digest`:
    of that package; `parameters`: a JSON object; `reply_to`: X25519 public keys (base64url) that open the results;
    `license`: an IRI, and `license_name` what it is called.
    """

    title: str
    description: str
    requester: PersonCard
    project_id: str
    project_name: str
    dataset: str
    analysis: str
    analysis_version: str
    analysis_digest: str
    package: Mapping[str, bytes]
    parameters: Mapping[str, Any]
    audience: tuple[Audience, ...]
    accept_until: datetime
    reply_to: tuple[str, ...]
    mode: AnswerMode = "open"
    max_rounds: int = 1
    dataset_release: str | None = None
    license: str = "https://spdx.org/licenses/CC-BY-4.0"
    license_name: str = "Creative Commons Attribution 4.0 International"


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose parts agree with each other and with its statement; `verify_request` says who signed it.

    `digest`: sha512 of the statement's payload; `files`: every file of the bag by its path; `package`: path -> bytes;
    `canonical`: whether the container was the one canonical ZIP.
    """

    statement: Statement
    envelope: Envelope
    digest: str
    files: Mapping[str, bytes]
    graph: Graph
    parameters: dict[str, Any]
    package: Mapping[str, bytes]
    canonical: bool

    @property
    def signer(self) -> str:
        """Key id that the envelope names."""
        return self.envelope.signer()

    @property
    def workflow_id(self) -> str:
        """`@id` of the Workflow RO-Crate in the graph."""
        return refs(self.graph.root["mainEntity"])[0]

    @property
    def project_id(self) -> str:
        """`@id` of the project in the graph."""
        return refs(self.graph.root["sourceOrganization"])[0]

    @property
    def action_id(self) -> str:
        """`@id` of the requested run in the graph."""
        return refs(self.graph.root["mentions"])[0]


# ------------------------------------------------------------------------------------------------------- writing


def compose_request(question: Question, sign_key: SigningKey, *, now: datetime, random: Random) -> bytes:
    """The canonical ZIP of the signed request. Raises Refused for a bad file name or more than 30 days of custody."""
    id, issued = urn_uuid(random), rfc3339(now)
    until = rfc3339(question.accept_until)
    _check_times(issued, until)
    folder = f"workflow/{question.analysis}/"
    payload = {folder + path: content for path, content in question.package.items()}
    payload[PARAMETERS] = canonical(dict(question.parameters))

    def sign(files: Mapping[str, bytes]) -> bytes:
        statement = Statement(
            type=STATEMENT_TYPE,
            version=STATEMENT_VERSION,
            id=id,
            bagit=sha512_hex(files[DECLARATION]),
            bag_info=sha512_hex(files[BAG_INFO]),
            manifest=sha512_hex(files[MANIFEST]),
            requester=question.requester.id,
            project=question.project_id,
            dataset=question.dataset,
            analysis=question.analysis,
            analysis_version=question.analysis_version,
            analysis_digest=question.analysis_digest,
            audience=question.audience,
            mode=question.mode,
            max_rounds=question.max_rounds,
            issued=issued,
            accept_until=until,
            nonce=random(16).hex(),
            reply_to=question.reply_to,
        )
        return seal_statement(statement, PAYLOAD_TYPE, sign_key)

    graph = _graph(question, id, issued, folder, len(payload[PARAMETERS]))
    top = "request-" + id.removeprefix("urn:uuid:")
    return write_signed(graph, payload, {}, identifier=id, now=now, top=top, sign=sign)


def _graph(question: Question, id: str, issued: str, folder: str, size: int) -> Graph:
    action = "#query-" + derived_urn(id, "query").removeprefix("urn:uuid:")  # R30
    project = local_id("project", question.project_id)
    person = local_id("person", question.requester.id)
    objects = [PARAMETERS, "#input-dataset"]
    entities: list[Entity] = [
        {"@id": METADATA, "@type": "CreativeWork", "about": ref(ROOT), "conformsTo": ref(CRATE)},  # R17, R18
        {
            "@id": ROOT,
            "@type": "Dataset",
            "name": question.title,  # R22: RO-Crate wants these four on every root
            "description": question.description or question.title,
            "datePublished": issued,
            "license": ref(question.license),
            "conformsTo": ref(PROFILE),  # R21
            "hasPart": [ref(folder), ref(PARAMETERS)],
            "mainEntity": ref(folder),  # R23
            "mentions": [ref(action)],  # R29
            "sourceOrganization": ref(project),  # R36
        },
        *THE_PROFILE.to_entities(),
        {
            "@id": question.license,
            "@type": "CreativeWork",
            "name": question.license_name,
            "description": "Under what conditions the contents of this crate may be used.",
        },
        {
            "@id": folder,
            "@type": "Dataset",
            "name": question.analysis,
            "version": question.analysis_version,
            "identifier": question.analysis_digest,
            "conformsTo": ref(WORKFLOW_CRATE),  # R25
        },
        {
            "@id": action,
            "@type": "CreateAction",
            "name": f"Run of {question.analysis} {question.analysis_version}: {question.title}",
            "actionStatus": str(Status.POTENTIAL),  # R32
            "agent": ref(person),  # R33
            "instrument": ref(folder),  # R31
            "object": [ref(input) for input in objects],  # R42
            # The TREs that are asked: a convention of Cinque, the profile has no word for it.
            "provider": [ref(tre.id) for tre in question.audience],
        },
        *({"@id": tre.id, "@type": "Organization", "name": tre.name} for tre in question.audience),
        {"@id": project, "@type": "Project", "name": question.project_name, "identifier": question.project_id},
        {
            "@id": PARAMETERS,
            "@type": "File",
            "name": "Parameters of the analysis",
            "encodingFormat": "application/json",
            "contentSize": str(size),
            "exampleOfWork": ref("#parameter-parameters"),  # R44
        },
        {
            "@id": "#input-dataset",
            "@type": "PropertyValue",
            "name": "dataset",
            "value": question.dataset,
            "exampleOfWork": ref("#parameter-dataset"),
        },
        {"@id": "#parameter-parameters", "@type": "FormalParameter", "name": "parameters", "additionalType": "File"},
        {"@id": "#parameter-dataset", "@type": "FormalParameter", "name": "dataset", "additionalType": "Text"},
        *_requester(question.requester, person, project),
    ]
    graph = Graph(entities)
    if question.dataset_release:
        graph["#input-dataset"]["version"] = question.dataset_release
    return graph


def _requester(card: PersonCard, person: str, project: str) -> list[Entity]:
    """R33, R34, R37: the person, where they work, and the project they belong to."""
    employer = card.affiliation_ror or local_id("organization", card.affiliation_name)
    return [
        {"@id": person, "@type": "Person", "name": card.name, "affiliation": ref(employer), "memberOf": [ref(project)]},
        {"@id": employer, "@type": "Organization", "name": card.affiliation_name},
    ]


# ------------------------------------------------------------------------------------------------------- reading


def read_request(data: bytes | Archive) -> Request:
    """The request in a ZIP (or its files). Every check that needs neither a key nor the time: container, bag, envelope,
    statement against bag, graph against statement. Raises Refused naming what does not fit.
    """
    signed = read_signed(data)
    files = signed.files
    outside = {path for path in files if not path.startswith(PAYLOAD)}
    if outside != _TAGS:
        raise altered("request-tag-files", "The request has other files beside its payload than a signed request has.")
    statement, envelope = open_statement(files[STATEMENT], PAYLOAD_TYPE, Statement, "The request's statement")
    if signed.bag.identifier != statement.id:
        raise altered("request-identifier", "The External-Identifier is not the id that the request's statement says.")
    check_statement(statement, files)
    return assembled(statement, envelope, signed.files, signed.graph, canonical=signed.archive.canonical)


def assembled(
    statement: Statement, envelope: Envelope, files: Mapping[str, bytes], graph: Graph, *, canonical: bool
) -> Request:
    """The request of these parts, whose digests the caller has compared. Raises Refused where they do not agree."""
    check_graph_agrees(graph, statement)
    payload = {path.removeprefix(PAYLOAD): c for path, c in files.items() if path.startswith(PAYLOAD)}
    if any(path.startswith(OUTPUTS) for path in payload) or any(id.startswith(RESERVED) for id in graph.entities):
        raise Refused(
            "request-reserved",
            f"The request uses a name that is kept for what a TRE adds: a file in `{OUTPUTS}`, or an `@id` of a phase.",
            remedy="Rename it.",
        )
    parameters = strict_loads(payload.get(PARAMETERS, b"null"))
    if not isinstance(parameters, dict):
        raise Refused("request-parameters", f"The request has no JSON object in `{PARAMETERS}`.", rule="R42")
    folder = refs(graph.root["mainEntity"])[0]
    package = {path.removeprefix(folder): c for path, c in payload.items() if path.startswith(folder)}
    digest = sha512_hex(envelope.payload)
    return Request(statement, envelope, digest, files, graph, parameters, package, canonical)


def verify_request(request: Request, card: PersonCard) -> None:
    """Raise Refused unless the request was signed by this person's signing key and names this person."""
    if request.statement.requester != card.id:
        raise altered("requester-differs", "The request names another person than the card does.")
    request.envelope.verify(card.sign)


def expired(request: Request, now: datetime) -> bool:
    """Whether custody can no longer be taken: `accept_until` has passed, or `now` lies before `issued`."""
    statement = request.statement
    return not parse_rfc3339(statement.issued) - _SKEW <= now <= parse_rfc3339(statement.accept_until)


_SKEW: Final = timedelta(minutes=5)  # clocks of two institutions may differ by this much


def check_statement(statement: Statement, files: Mapping[str, bytes]) -> None:
    """Raise Refused unless the statement is over these files, and says nothing impossible."""
    stated = statement.bagit, statement.bag_info, statement.manifest
    if stated != tuple(sha512_hex(files[path]) for path in (DECLARATION, BAG_INFO, MANIFEST)):
        raise altered("differs-from-statement", "The bag is not the one that the request's statement was signed over.")
    _check_times(statement.issued, statement.accept_until)
    tres = [tre.id for tre in statement.audience]
    if not tres or len(set(tres)) != len(tres):
        raise Refused("request-audience", "The request asks no TRE, or asks one twice.")
    if statement.max_rounds < 1 or not statement.reply_to or len(statement.nonce) < 32:
        raise Refused("request-statement", "The request lacks a round, a key to reply to, or a nonce of 16 bytes.")


def _check_times(issued: str, until: str) -> None:
    try:
        custody = parse_rfc3339(until) - parse_rfc3339(issued)
    except ValueError:
        raise Refused("request-time", "A time in the request is not RFC 3339 with a zone.", rule="R59") from None
    if not timedelta(0) < custody <= timedelta(days=CUSTODY_LIMIT_DAYS):
        raise Refused(
            "request-custody",
            f"The request may be accepted for more than {CUSTODY_LIMIT_DAYS} days, or for none.",
            remedy=f"Choose a last moment within {CUSTODY_LIMIT_DAYS} days of signing.",
        )


_OF_THE_TRE: Final = frozenset({"AssessAction", "UpdateAction", "DownloadAction", "ReceiveAction", "OrganizeAction"})


def check_graph_agrees(graph: Graph, statement: Statement) -> None:
    """Raise Refused unless graph and statement ask the same of the same, and the graph records nothing that is for a
    TRE to record.
    """
    if graph.context != CONTEXT:  # an alias could call an AssessAction something else
        raise Refused("request-context", f"The request's metadata has another @context than {CONTEXT}.", rule="R17")
    if any(types(entity) & _OF_THE_TRE or "shp#" in str(entity.get("additionalType")) for entity in graph):
        raise Refused(
            "assessment-in-request",
            "The request carries an assessment, which only a TRE may record.",
            rule="R97",  # met by refusal: stripping would change what was signed
            remedy="Remove assessments from the crate, then sign it again.",
        )
    root = graph.root
    actions = refs(root.get("mentions"))
    if (
        len(actions) != 1
        or len(graph.of_type("CreateAction")) != 1
        or "CreateAction" not in types(graph.get(actions[0]))
    ):
        raise Refused("request-action", "The request does not mention exactly one CreateAction.", rule="R29")
    action = graph[actions[0]]
    if status_of(action) != "PotentialActionStatus" or any(k in action for k in ("result", "startTime", "endTime")):
        raise Refused("request-action", "The requested run says that it has begun already.", rule="R32")
    workflow = refs(root.get("mainEntity"))
    if len(workflow) != 1 or not workflow[0].endswith("/") or refs(action.get("instrument")) != workflow:
        raise Refused("request-workflow", "The requested run is not one of the request's nested workflow.", rule="R31")
    instrument = graph.get(workflow[0])
    project = refs(root.get("sourceOrganization"))
    providers = refs(action.get("provider"))
    inputs = refs(action.get("object"))
    datasets = [graph.get(input) for input in inputs if graph.get(input).get("name") == "dataset"]
    agrees = {
        "project": [graph.get(id).get("identifier") for id in project] == [statement.project],  # R36
        "requester": refs(action.get("agent")) == (local_id("person", statement.requester),),  # R33
        "analysis": [instrument.get(name) for name in ("name", "version", "identifier")]
        == [statement.analysis, statement.analysis_version, statement.analysis_digest],
        "audience": [(id, graph.get(id).get("name")) for id in providers]
        == [(tre.id, tre.name) for tre in statement.audience],
        "dataset": [entity.get("value") for entity in datasets] == [statement.dataset],
        "parameters": PARAMETERS in inputs,  # R42
        # Anybody else described here would keep these words when they sign off or check the request.
        "people": [person["@id"] for person in graph.of_type("Person")] == [local_id("person", statement.requester)],
    }
    for what, same in agrees.items():
        if not same:
            raise Refused(
                f"request-{what}",
                f"The request's metadata and its signed statement do not agree on the {what}.",
                remedy="Compose the request again; nothing in it may be edited after signing.",
            )
