"""What the TRE's say permits, today: pure checks, repeated at custody, sign-off, run, each round and release.

Each returns or raises Refused with the field of the folder that decides (`rule`) and what would change it (`remedy`).
The sentences may leave the TRE: they name what the asker named, never a path, a value from a row, or something that
belongs to another project. A dataset that is not covered and one that does not exist get the same words.

Training: a person whose `training_until` has passed is refused everywhere. Without one, no training is on record, which
is enough for synthetic and public data only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from cinque.crate.cards import PersonCard, check_valid
from cinque.enclave.consistency import ANALYSIS
from cinque.enclave.folder import Say
from cinque.errors import Forbidden, Refused
from cinque.model.agreements import Agreement, Person, Project
from cinque.model.datasets import Dataset
from cinque.model.lifecycle import Role
from cinque.model.request import Statement

Decider = Literal["automatic", "person"]
_OPEN: Final = ("synthetic", "public")


@dataclass(frozen=True, slots=True)
class Authority:
    """Why a request may be done here. `release` is automatic only where agreement and dataset both permit it."""

    person: Person
    project: Project
    agreement: Agreement
    dataset: Dataset
    sign_off: Decider
    release: Decider


def authorise(say: Say, *, person_key: str, statement: Statement, columns: frozenset[str], today: date) -> Authority:
    """On whose and which authority the request may run, today. `person_key`: id of the key that signed it; `columns`:
    every column that it reads. Raises Refused: `unknown-signer`, `requester-differs`, `person-revoked`, `key-revoked`,
    `card-not-valid`, `not-a-researcher`, `training-expired`, `training-missing`, `unknown-project`, `not-on-project`,
    `project-…`, `analysis-…`, `…-not-in-agreement`, `agreement-…`, `too-many-rounds`, `column-identifying`.
    """
    card = say.card_by_key(person_key)
    if card.id != statement.requester:
        raise Refused("requester-differs", "The request names another person than the one who signed it.")
    person = say.person(card.id)
    check_researcher(say, person, card, today)
    project = check_project(say, statement.project, person, today)
    check_analysis(say, statement)
    agreement = covering(say, project, statement, columns, today)
    dataset = say.dataset(statement.dataset)
    check_training(person, dataset)
    for column in sorted(columns):
        dataset.dictionary().column(column)  # raises for one that identifies people, whatever the agreement lists
    release: Decider = "automatic" if releases_itself(agreement, dataset) else "person"
    return Authority(person, project, agreement, dataset, agreement.sign_off, release)


def releases_itself(agreement: Agreement, dataset: Dataset) -> bool:
    """Whether outputs leave without a checker: the agreement says so and the data are synthetic or public."""
    return agreement.release == "automatic" and dataset.openness in _OPEN


def may_decide(say: Say, id: str, role: Role, today: date) -> Person:
    """The person, who may decide in this role today. Their training is checked only when a date is on record: the TRE
    gave the role. Raises Forbidden("role-not-held") or what `check_person` says.
    """
    person = say.person(id)
    check_person(say, person, say.card_of(id), today)
    if role not in (Role.OPERATOR, Role.CHECKER) or str(role) not in person.roles:
        raise Forbidden(
            "role-not-held",
            f"{person.name} does not have the role {role} at this TRE.",
            rule="person.roles",
            remedy="Somebody with that role decides; roles stand in people.toml.",
        )
    return person


def held_for_release(authority: Authority) -> dict[str, str]:
    """Why an output waits for a checker: code, sentence, rule, remedy."""
    if authority.dataset.openness not in _OPEN:
        return {
            "code": "dataset-sensitive",
            "sentence": f"Dataset `{authority.dataset.id}` is sensitive, so a checker decides on each output.",
            "rule": "dataset.openness",
            "remedy": "`cinque tre release TASK` or `cinque tre withhold TASK`.",
        }
    return {
        "code": "release-by-person",
        "sentence": f"Agreement `{authority.agreement.id}` lets a checker decide on each output.",
        "rule": "agreement.release",
        "remedy": "`cinque tre release TASK` or `cinque tre withhold TASK`; "
        'or, from the next request on, `release = "automatic"` in the agreement.',
    }


# ----------------------------------------------------------------------------------------------- person and project
def check_person(say: Say, person: Person, card: PersonCard, today: date) -> None:
    """Raises Refused unless person, keys, card and training hold today."""
    if person.revoked:
        raise Refused(
            "person-revoked",
            "This person's access to the TRE was revoked.",
            rule="revoked",
            remedy="Ask the TRE's operator.",
        )
    if say.revoked_key(card):
        raise Refused(
            "key-revoked",
            "A key on this person's card was revoked.",
            rule="revoked",
            remedy="Make new keys, and send the new card to the TRE.",
        )
    check_valid(card, today)
    if person.training_until is not None and person.training_until < today:
        raise Refused(
            "training-expired",
            f"This person's training counted until {person.training_until}.",
            rule="person.training_until",
            remedy="Renew the training, and let the TRE's operator enter the new date.",
        )


def check_researcher(say: Say, person: Person, card: PersonCard, today: date) -> None:
    """The same, and Forbidden("not-a-researcher") for who has other roles only."""
    check_person(say, person, card, today)
    if "researcher" not in person.roles:
        raise Forbidden(
            "not-a-researcher",
            "This person does not have the role of a researcher here.",
            rule="person.roles",
            remedy="Ask the TRE's operator.",
        )


def check_training(person: Person, dataset: Dataset) -> None:
    """Raises Refused("training-missing") for sensitive data when no training is on record."""
    if person.training_until is None and dataset.openness not in _OPEN:
        raise Refused(
            "training-missing",
            f"Dataset `{dataset.id}` needs training, and none of this person's is on record here.",
            rule="person.training_until",
            remedy="Send a certificate to the TRE, and let its operator enter the date.",
        )


def check_project(say: Say, id: str, person: Person, today: date) -> Project:
    """The project, which the person is on and which holds today. Who is not on it learns nothing more of it."""
    project = next((one for one in say.projects if one.id == id), None)
    if project is None:
        raise Refused(
            "unknown-project",
            f"This TRE does not know project `{id}`.",
            rule="project.id",
            remedy="Use the id under which the TRE registered it.",
        )
    if person.id not in project.people:
        raise Refused(
            "not-on-project",
            f"This person is not on project `{id}` at this TRE.",
            rule="project.people",
            remedy="Ask the project's lead to have them added.",
        )
    if project.revoked:
        raise Refused("project-revoked", f"Project `{id}` was revoked.", rule="revoked", remedy="Ask the TRE.")
    if today < project.valid_from:
        raise Refused(
            "project-not-begun",
            f"Project `{id}` begins on {project.valid_from}.",
            rule="project.valid_from",
            remedy="Ask again then.",
        )
    if project.valid_until < today:
        raise Refused(
            "project-expired",
            f"Project `{id}` ended on {project.valid_until}.",
            rule="project.valid_until",
            remedy="Have the project extended by the TRE.",
        )
    return project


# --------------------------------------------------------------------------------------------------------- agreement
def check_analysis(say: Say, statement: Statement) -> None:
    """Raises Refused("analysis-revoked") for a name, version or digest in revoked.toml."""
    name, version = statement.analysis, f"{statement.analysis}@{statement.analysis_version}"
    if say.is_revoked("analysis", name, version, statement.analysis_digest, f"{version} {statement.analysis_digest}"):
        raise Refused(
            "analysis-revoked",
            f"The TRE no longer runs {version}.",
            rule="revoked",
            remedy="Ask with another version, or another analysis.",
        )


def covering(say: Say, project: Project, statement: Statement, columns: frozenset[str], today: date) -> Agreement:
    """The most specific agreement of the project that covers the request today; of two alike, the one that leaves more
    to people. Raises Refused with the one nearest reason when there is none: that of the agreement that fails in the
    fewest ways.
    """
    own = [agreement for agreement in say.agreements if agreement.project == project.id]
    if not own:
        raise Refused(
            "no-agreement",
            f"Project `{project.id}` has no agreement with this TRE.",
            rule="agreement.project",
            remedy="Ask the TRE for one.",
        )
    faults = {agreement.id: list(_faults(agreement, statement, columns, today)) for agreement in own}
    fitting = [agreement for agreement in own if not faults[agreement.id]]
    if fitting:
        return max(fitting, key=lambda agreement: (_specific(agreement, statement), agreement.id))
    raise min(faults.values(), key=_distance)[0]


def _distance(faults: Sequence[Refused]) -> tuple[bool, int, int]:
    """Agreements on the dataset come first, then those with fewer faults, then those whose first fault comes later."""
    first = _CODES.index(faults[0].code)
    return first == 0, len(faults), -first


def _specific(agreement: Agreement, statement: Statement) -> tuple[Any, ...]:
    return (
        max(_precision(text, statement) for text in agreement.analyses),
        agreement.columns is not None,
        -len(agreement.columns or ()),
        -len(agreement.datasets),
        -len(agreement.analyses),
        agreement.sign_off == "person",
        agreement.release == "person",
    )


def _precision(text: str, statement: Statement) -> int:
    """How exactly an agreement's entry names the analysis asked for: 0 not at all, 1 name, 2 version, 3 digest."""
    found = ANALYSIS.fullmatch(text)
    if found is None or found["name"] != statement.analysis:
        return 0
    if found["version"] is None:
        return 1
    if found["version"] != statement.analysis_version:
        return 0
    if found["digest"] is None:
        return 2
    return 3 if found["digest"] == statement.analysis_digest else 0


_CODES: Final = (
    "dataset-not-in-agreement",
    "analysis-not-approved",
    "column-not-in-agreement",
    "mode-not-in-agreement",
    "too-many-rounds",
    "agreement-not-begun",
    "agreement-expired",
    "agreement-revoked",
)


def _faults(agreement: Agreement, statement: Statement, columns: frozenset[str], today: date) -> Iterator[Refused]:
    """Every reason why this agreement does not cover the request, in the order of `_CODES`."""
    noun, ask = f"Agreement `{agreement.id}`", "Ask the TRE to extend the agreement"
    if statement.dataset not in agreement.datasets:
        yield Refused(
            _CODES[0],
            f"No agreement of project `{statement.project}` covers dataset `{statement.dataset}` here.",
            rule="agreement.datasets",
            remedy="Check the dataset's name, or ask the TRE for an agreement on it.",
        )
    if not any(_precision(text, statement) for text in agreement.analyses):
        yield Refused(
            _CODES[1],
            f"{noun} does not approve {statement.analysis}@{statement.analysis_version}"
            + (" with this digest." if _names(agreement, statement) else "."),
            rule="agreement.analyses",
            remedy=f"It approves {', '.join(agreement.analyses)}. Ask with one of these, or ask the TRE for yours.",
        )
    if agreement.columns is not None and (outside := sorted(columns - set(agreement.columns))):
        listed = ", ".join(f"`{name}`" for name in outside)
        yield Refused(
            _CODES[2],
            f"{noun} does not cover column{'s' if len(outside) > 1 else ''} {listed}.",
            rule="agreement.columns",
            remedy=f"Ask without, or: {ask[0].lower()}{ask[1:]}.",
        )
    if statement.mode not in agreement.modes:
        yield Refused(
            _CODES[3],
            f"{noun} does not permit the answer mode `{statement.mode}`.",
            rule="agreement.modes",
            remedy=f"Ask in mode {' or '.join(agreement.modes)}.",
        )
    if statement.max_rounds > agreement.max_rounds:
        yield Refused(
            _CODES[4],
            f"{noun} permits {agreement.max_rounds} round(s) of one question, and {statement.max_rounds} were asked.",
            rule="agreement.max_rounds",
            remedy=f"Ask for fewer rounds, or: {ask[0].lower()}{ask[1:]}.",
        )
    if today < agreement.valid_from:
        yield Refused(
            _CODES[5],
            f"{noun} begins on {agreement.valid_from}.",
            rule="agreement.valid_from",
            remedy="Ask again then.",
        )
    if agreement.valid_until < today:
        yield Refused(
            _CODES[6], f"{noun} ended on {agreement.valid_until}.", rule="agreement.valid_until", remedy=f"{ask}."
        )
    if agreement.revoked:
        yield Refused(_CODES[7], f"{noun} was revoked.", rule="revoked", remedy="Ask the TRE.")


def _names(agreement: Agreement, statement: Statement) -> bool:
    exact = f"{statement.analysis}@{statement.analysis_version} "
    return any(text.startswith(exact) for text in agreement.analyses)
