"""One crate on disk as one line of the record: what it says of itself, and whether a pinned card vouches for it.

Everything here comes from the crate's bytes and the pinned cards alone, so the same bytes give the same line wherever
and whenever they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cinque.crate.answer import Answer
from cinque.crate.cards import Members
from cinque.crate.graph import Graph, refs
from cinque.crate.index import Index, Node
from cinque.crate.release import ReleasedCrate
from cinque.crate.request import Request
from cinque.crate.stages import phases, state
from cinque.crate.verify import ALTERED, AUTHENTIC, RECORDS_NO, UNKNOWN, UNREADABLE, verify
from cinque.errors import CinqueError
from cinque.lib.canonical import canonical, strict_loads
from cinque.lib.clock import parse_rfc3339, rfc3339
from cinque.lib.digest import sha256_hex, sha512_hex
from cinque.sdc.figures import is_suppressed

VERIFIED: Final[Mapping[int, str]] = {
    AUTHENTIC: "authentic",
    RECORDS_NO: "authentic",
    UNKNOWN: "signer unknown",
    ALTERED: "not authentic",
    UNREADABLE: "unreadable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One crate. All fields are text, empty where the crate does not say; times are RFC 3339.

    `folder`, `path`: where it lies, the path within the folder; `stamp`: what the file system knew of the file when it
    was read; `digest`: sha512 of its bytes; `trust`: digest of the pinned cards that `verified` rests on; `problem`,
    `sentence`: code and words of what is wrong with it or, with a refusal, why nothing (more) was released.
    `kind`: request, release, refusal, answer, or empty for what is no crate. `parameters`, `audience` (TRE id -> name)
    and `missing` (TRE -> [code, reason]) are canonical JSON. `release`: of the dataset, as asked for; `snapshot`: the
    TRE's opaque id of what was read. `sign_off`: approved or refused, `disclosure`: passed or failed, each with who
    decided and whether that is a person or software; `suppressed`: yes or no, empty where no figure left.
    """

    folder: str = ""
    path: str = ""
    stamp: str = ""
    digest: str = ""
    trust: str = ""
    verified: str = ""
    signer: str = ""
    problem: str = ""
    sentence: str = ""
    kind: str = ""
    outcome: str = ""
    request: str = ""
    task: str = ""
    title: str = ""
    person: str = ""
    person_name: str = ""
    project: str = ""
    project_name: str = ""
    dataset: str = ""
    release: str = ""
    snapshot: str = ""
    analysis: str = ""
    analysis_digest: str = ""
    parameters: str = ""
    audience: str = ""
    missing: str = ""
    tre: str = ""
    tre_name: str = ""
    agreement: str = ""
    agreement_version: str = ""
    agreement_title: str = ""
    sign_off: str = ""
    signed_off_by: str = ""
    signed_off_as: str = ""
    disclosure: str = ""
    checked_by: str = ""
    checked_as: str = ""
    suppressed: str = ""
    asked: str = ""
    started: str = ""
    ended: str = ""
    published: str = ""

    @property
    def names(self) -> str:
        """Everybody and everything in it that has a name, for the search in text."""
        names = (self.person_name, self.person, self.project_name, self.project, self.dataset, self.release)
        others = (self.analysis, self.tre_name, self.agreement_title, self.agreement, self.signed_off_by)
        asked = strict_loads(self.audience.encode()).values() if self.audience else ()
        return "\n".join(filter(None, (*names, *others, self.checked_by, *asked)))


def trust_of(members: Members | None) -> str:
    """A digest of these pinned cards: what a verdict of authenticity rests on."""
    cards = () if members is None else members.cards
    return sha256_hex(canonical(sorted(sha256_hex(card.envelope) for card in cards)))


def read_entry(data: bytes, members: Members | None) -> Entry:
    """The line of a crate, without its place. What cannot be read becomes a line that says why; raises nothing."""
    found = verify(data, members)
    entry = Entry(
        digest=sha512_hex(data), trust=trust_of(members), verified=VERIFIED[found.exit_code], signer=found.signer
    )
    if found.exit_code not in (AUTHENTIC, RECORDS_NO):
        entry = replace(entry, problem=found.findings[0].code, sentence=found.findings[0].sentence)
    match found.crate:
        case Request() as request:
            return replace(entry, kind="request", outcome="asked", **_asked(request))
        case ReleasedCrate() as crate:
            return _with_release(entry, crate)
        case Answer() as answer:
            missing = {each.tre: [each.code, each.reason] for each in answer.statement.missing}
            return replace(
                entry,
                **_asked(answer.request),
                kind="answer",
                outcome="answered",
                missing=canonical(missing).decode(),
                published=_time(answer.statement.issued),
            )
    return replace(entry, kind=found.kind, outcome="unreadable")


def unreadable(error: CinqueError, members: Members | None) -> Entry:
    """The line of a file that could not even be read."""
    verified = VERIFIED[UNREADABLE]
    return Entry(
        trust=trust_of(members), verified=verified, outcome=verified, problem=error.code, sentence=error.sentence
    )


# ------------------------------------------------------------------------------------------- what the crates say
def _asked(request: Request) -> dict[str, str]:
    """Who asked what of which data. The names are those that the request's own signed graph gives."""
    statement, graph = request.statement, request.graph
    (agent, *_) = refs(graph[request.action_id].get("agent"))
    inputs = [graph.get(id) for id in refs(graph[request.action_id].get("object"))]
    release = [entity.get("version") for entity in inputs if entity.get("name") == "dataset"]
    return {
        "request": statement.id,
        "title": _text(graph.root.get("name")),
        "person": statement.requester,
        "person_name": _text(graph.get(agent).get("name")),
        "project": statement.project,
        "project_name": _text(graph.get(request.project_id).get("name")),
        "dataset": statement.dataset,
        "release": _text(release[0]) if release else "",
        "analysis": f"{statement.analysis}@{statement.analysis_version}",
        "analysis_digest": statement.analysis_digest,
        "parameters": _canonical(request.parameters),
        "audience": canonical({tre.id: tre.name for tre in statement.audience}).decode(),
        "asked": _time(statement.issued),
    }


def _with_release(entry: Entry, crate: ReleasedCrate) -> Entry:
    statement, graph = crate.statement, crate.graph
    about = {} if crate.request is None else _asked(crate.request)
    if not entry.problem:
        about |= {"problem": statement.reason, "sentence": statement.sentence}
    return replace(
        entry,
        **about
        | _decided(graph)
        | {
            "kind": crate.kind,
            "outcome": statement.outcome,
            "audience": "",  # of one TRE's crate only that TRE is of interest
            "task": statement.task,
            "tre": statement.tre,
            "tre_name": _text(graph.get(statement.tre).get("name")),
            "agreement": "" if statement.agreement is None else statement.agreement.id,
            "agreement_version": "" if statement.agreement is None else statement.agreement.version,
            "suppressed": _suppression(crate.outputs),
            "published": _time(statement.issued),
        },
    )


def _decided(graph: Graph) -> dict[str, str]:
    """The two decisions and the run between them, as the crate's phases record them."""
    index = Index.of(graph)
    found = phases(index)
    said = {"Completed": ("approved", "passed"), "Failed": ("refused", "failed")}
    facts: dict[str, str] = {}
    for action in found.sign_off[-1:]:
        facts["sign_off"] = said.get(state(action), ("", ""))[0]
        facts["signed_off_by"], facts["signed_off_as"] = _agent(index, action)
        titles = [node.text("name") for node in index.linked(action, "instrument")]
        facts["agreement_title"] = "; ".join(titles)
    for action in found.disclosure[-1:]:
        facts["disclosure"] = said.get(state(action), ("", ""))[1]
        facts["checked_by"], facts["checked_as"] = _agent(index, action)
    for action in found.run[:1]:
        facts |= {"started": _time(action.text("startTime")), "ended": _time(action.text("endTime"))}
    for action in index.of_type("OrganizeAction")[:1]:
        read = [node.text("value") for node in index.linked(action, "object", "PropertyValue")]
        facts["snapshot"] = "; ".join(read)
    return facts


def _agent(index: Index, action: Node) -> tuple[str, str]:
    for agent in index.linked(action, "agent"):
        if agent.is_a("Person"):
            return agent.text("name") or agent.id, "person"
        return f"{agent.text('name')} {agent.text('softwareVersion')}".strip(), "software"
    return "", ""


def _suppression(outputs: Mapping[str, bytes]) -> str:
    """Whether any figure that left stands there as bounds: `yes` or `no`, empty where nothing left."""
    waiting: list[Any] = []
    for content in outputs.values():
        try:
            waiting.append(strict_loads(content))
        except CinqueError:
            continue  # not JSON: no figure of ours
    while waiting:
        value = waiting.pop()
        if is_suppressed(value):
            return "yes"
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return "no" if outputs else ""


def _canonical(parameters: dict[str, Any]) -> str:
    """Empty where a number in them is none that canonical JSON can say: no analysis takes it."""
    try:
        return canonical(parameters).decode()
    except ValueError:
        return ""


def _text(value: Any) -> str:
    """A property that should be text and is somebody else's."""
    return value if isinstance(value, str) else ""


def _time(text: str) -> str:
    """In the one form that sorts, empty where it is no moment."""
    try:
        return rfc3339(parse_rfc3339(text))
    except (ValueError, OverflowError):
        return ""
