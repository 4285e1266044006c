"""Keyword builders: the things tests are about, whole and valid unless a keyword says otherwise."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from cinque.crate.answer import AnswerInputs, compose_answer, read_asked, read_member
from cinque.crate.cards import Members, PersonCard, TreCard, issue_card
from cinque.crate.growth import AgreementInForce, organization
from cinque.crate.keys import KeyRing, SigningKey
from cinque.crate.phases import Phase, Software, check, disclosure, policy, sign_gate_record, sign_off, validation
from cinque.crate.refusal import compose_refusal
from cinque.crate.release import ReleaseInputs, compose_release
from cinque.crate.request import Question, Request, compose_request, read_request
from cinque.lib.canonical import canonical
from cinque.lib.ids import Random
from cinque.model.request import Audience, task_id

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
APPETITE = {"name": "acro-default", "threshold": 10, "zeros": "suppress"}


_LEAF = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.sampled_from(["./", "AssessAction"])
JSON = st.recursive(  # values that an unkind writer might put into a graph
    _LEAF | st.builds(lambda value: {"@id": value}, _LEAF),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["@id", "@value", "a"]), inner),
    max_leaves=4,
)


def a_random(seed: str = "seed") -> Random:
    """Bytes that look random and are the same in every run."""
    state = [hashlib.sha512(seed.encode()).digest()]

    def random(count: int) -> bytes:
        made = b""
        while len(made) < count:
            state[0] = hashlib.sha512(state[0]).digest()
            made += state[0]
        return made[:count]

    return random


@dataclass(frozen=True)
class APerson:
    """A person with keys. `envelope`: the signed card."""

    ring: KeyRing
    envelope: bytes
    card: PersonCard

    @property
    def key(self) -> SigningKey:
        return self.ring.sign("sign")


@cache
def a_person(name: str = "Ada Example", id: str = "https://orcid.org/0000-0002-1825-0097") -> APerson:
    ring = KeyRing.new({"sign": "sign", "open": "open", "call": "sign"}, a_random(f"person {name}"))
    card = PersonCard(
        id=id,
        name=name,
        affiliation_name="Example University",
        affiliation_ror="https://ror.org/01ee9ar58",
        sign=ring.public("sign"),
        open=ring.public("open"),
        call=ring.public("call"),
        serial=1,
        valid_from=date(2026, 1, 1),
    )
    return APerson(ring, issue_card(card, ring.sign("sign")), card)


@dataclass(frozen=True)
class ATre:
    """A TRE with the keys of its root, enclave and gate."""

    root: SigningKey
    ring: KeyRing
    envelope: bytes
    card: TreCard

    @property
    def release_key(self) -> SigningKey:
        return self.ring.sign("release")

    @property
    def gate_key(self) -> SigningKey:
        return self.ring.sign("gate-record")

    @property
    def audience(self) -> Audience:
        return Audience(self.card.id, self.card.title)


@cache
def a_tre(name: str = "north", valid_until: date | None = None) -> ATre:
    random = a_random(f"tre {name}")
    root = SigningKey.generate(random)
    uses = {"release": "sign", "seal": "open", "enclave-call": "sign", "gate-transport": "sign", "gate-record": "sign"}
    ring = KeyRing.new(uses, random)  # type: ignore[arg-type]
    card = TreCard(
        id=f"urn:cinque:tre:{root.id}",
        name=name,
        title=f"The {name.title()} TRE",
        root=root.public,
        release=ring.public("release"),
        seal=ring.public("seal"),
        enclave_call=ring.public("enclave-call"),
        gate_transport=ring.public("gate-transport"),
        gate_record=ring.public("gate-record"),
        appetite=hashlib.sha256(canonical(APPETITE)).hexdigest(),
        serial=1,
        valid_from=date(2026, 1, 1),
        valid_until=valid_until,
    )
    return ATre(root, ring, issue_card(card, root), card)


def some_members(*parties: APerson | ATre) -> Members:
    """Pinned cards; by default of Ada and of the TREs north and south."""
    return Members.of(party.envelope for party in (parties or (a_person(), a_tre(), a_tre("south"))))


def a_package() -> dict[str, bytes]:
    """A nested Workflow RO-Crate, as small as one can be."""
    metadata = {
        "@context": "https://w3id.org/ro/crate/1.2/context",
        "@graph": [
            {
                "@id": "ro-crate-metadata.json",
                "@type": "CreativeWork",
                "about": {"@id": "./"},
                "conformsTo": [
                    {"@id": "https://w3id.org/ro/crate/1.2"},
                    {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
                ],
            },
            {
                "@id": "./",
                "@type": "Dataset",
                "name": "count",
                "description": "Counts people.",
                "datePublished": "2026-11-01",
                "license": {"@id": "https://spdx.org/licenses/Apache-2.0"},
                "mainEntity": {"@id": "count.cwl"},
                "hasPart": [{"@id": "count.cwl"}],
            },
            {
                "@id": "count.cwl",
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
                "name": "count",
                "programmingLanguage": {"@id": "https://w3id.org/workflowhub/workflow-ro-crate#cwl"},
            },
            {
                "@id": "https://w3id.org/workflowhub/workflow-ro-crate#cwl",
                "@type": "ComputerLanguage",
                "name": "Common Workflow Language",
            },
            {"@id": "https://spdx.org/licenses/Apache-2.0", "@type": "CreativeWork", "name": "Apache License 2.0"},
        ],
    }
    return {
        "ro-crate-metadata.json": json.dumps(metadata).encode(),
        "count.cwl": b"cwlVersion: v1.2\nclass: Workflow\n",
    }


def a_question(**changes: Any) -> Question:
    """How many people have diabetes, asked of north and south."""
    person = a_person()
    question = Question(
        title="How many people have diabetes?",
        description="A count by sex.",
        requester=person.card,
        project_id="diabetes-study",
        project_name="The diabetes study",
        dataset="demo",
        analysis="count",
        analysis_version="1.0.0",
        analysis_digest="sha256:" + "ab" * 32,
        package=a_package(),
        parameters={"by": ["sex"], "where": "diabetes = true"},
        audience=(a_tre().audience, a_tre("south").audience),
        accept_until=NOW + timedelta(days=7),
        reply_to=(person.ring.public("open"),),
    )
    return replace(question, **changes)


def a_request(*, key: SigningKey | None = None, now: datetime = NOW, seed: str = "request", **changes: Any) -> bytes:
    """The ZIP of a signed request; keywords change the question."""
    return compose_request(a_question(**changes), key or a_person().key, now=now, random=a_random(seed))


def a_software(tre: ATre, name: str = "cinque-enclave") -> Software:
    return Software(name, "0.1.0", organization(tre.card))


def a_gate_record(tre: ATre, request: Request, *, key: SigningKey | None = None, task: str = "") -> bytes:
    """Check and validation, signed by the gate."""
    agent = a_software(tre, "cinque-gate")
    phases = (check(agent, NOW), validation(agent, NOW, NOW))
    return sign_gate_record(
        task or task_id(request.statement.id, tre.card.id), request.digest, phases, key or tre.gate_key
    )


def some_phases(tre: ATre, request: Request, *, rounds: int = 1, note: str = "") -> tuple[Phase, ...]:
    """An automatic sign-off and the disclosure check of each round, as an enclave records them."""
    agent = a_software(tre)
    agreement = policy("diabetes", "3", "Diabetes counts", "sha256:" + "cd" * 32)
    objects = (request.workflow_id, request.project_id)
    return (
        sign_off(agent, NOW, objects=objects, agreement=agreement),
        *(disclosure(agent, NOW + timedelta(seconds=2), note=note, round=n) for n in range(1, rounds + 1)),
    )


def some_outputs(rounds: int = 1, count: int = 42) -> dict[str, bytes]:
    """What left: the partial of each round, and the released whole."""
    partial = json.dumps({"shape": {}, "figures": {"n": count}}).encode()
    return {
        **{f"outputs/rounds/{number:02}/partial.json": partial for number in range(1, rounds + 1)},
        "outputs/released.json": partial,
    }


def a_release(
    *, request: bytes | None = None, tre: ATre | None = None, key: SigningKey | None = None, **changes: Any
) -> bytes:
    """The ZIP of a released crate by `tre` (north); keywords change the inputs. `gate_record=None`: no gate."""
    tre = tre or a_tre()
    asked = read_request(request or a_request())
    inputs: dict[str, Any] = {
        "request": asked,
        "tre": tre.card,
        "phases": some_phases(tre, asked),
        "outputs": some_outputs(),
        "started": NOW + timedelta(seconds=1),
        "ended": NOW + timedelta(seconds=2),
        "engine": a_software(tre, "duckdb"),
        "agreement": AgreementInForce("diabetes", "3", "sha256:" + "cd" * 32),
        "appetite": APPETITE,
        "code": {"cinque": "0.1.0", "count": "sha256:" + "ab" * 32},
        "audit_head": "ef" * 32,
        "publisher": a_software(tre),
        "gate_record": a_gate_record(tre, asked),
        "statbarns": ("Frequencies",),
    }
    return compose_release(ReleaseInputs(**(inputs | changes)), key or tre.release_key, now=NOW + timedelta(seconds=3))


UNREAD = "urn:uuid:00000000-0000-4000-8000-00000000000a"  # the task of what could not be read


def a_refusal(
    *,
    request: bytes | None = b"",
    tre: ATre | None = None,
    key: SigningKey | None = None,
    outcome: Any = "refused",
    code: str = "agreement-none",
    sentence: str = "No agreement permits this analysis for this project.",
    **changes: Any,
) -> bytes:
    """The ZIP of a refusal by `tre` (north). `request=None`: of something that could not be read."""
    tre = tre or a_tre()
    asked = None if request is None else read_request(request or a_request())
    task = UNREAD if asked is None else task_id(asked.statement.id, tre.card.id)
    at = NOW + timedelta(seconds=3)
    signer = key or tre.release_key
    return compose_refusal(
        asked, tre.card, signer, task=task, outcome=outcome, code=code, sentence=sentence, now=at, **changes
    )


def an_answer(*, key: SigningKey | None = None, empty: bool = False, **changes: Any) -> bytes:
    """The ZIP of an answer over north and south, 42 and 7 people; keywords change the inputs. `empty`: no result."""
    person = a_person()
    inputs: dict[str, Any] = {
        "request": read_request(a_request()).statement.id,
        "question": "How many people have diabetes?",
        "person": person.card,
        "result": None if empty else {"n": 49},
        "members": {
            "north": a_release(),
            "south": a_release(tre=a_tre("south"), outputs=some_outputs(count=7)),
        },
    }
    inputs |= changes
    inputs["members"] = {name: read_member(packed) for name, packed in inputs["members"].items()}
    if inputs.get("asked") is not None:
        inputs["asked"] = read_asked(inputs["asked"])
    at = NOW + timedelta(seconds=10)
    return compose_answer(AnswerInputs(**inputs), key or person.key, now=at, random=a_random("answer"))


def recompute_sum(analysis: dict[str, Any], parameters: dict[str, Any], history: list[dict[str, Any]]) -> Any:
    """The combining of the analysis in these crates: a sum of n."""
    return {"n": sum(released["figures"]["n"] for released in history[0].values())}
