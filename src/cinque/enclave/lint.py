"""`cinque tre check`: what the TRE's folder says, in words; what is wrong with it, and what will surprise.

A mistake keeps the folder from being used; a warning does not. Warnings depend on the day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cinque.crate.cards import TreCard, check_valid
from cinque.enclave import policy
from cinque.enclave.declared import Mistake, meant
from cinque.enclave.folder import FolderMistakes, Say, read_folder
from cinque.enclave.say import card_keys
from cinque.errors import Refused
from cinque.model.agreements import Agreement, Person, Project
from cinque.model.datasets import Dataset
from cinque.model.lifecycle import Role
from cinque.sdc import presets


@dataclass(frozen=True, slots=True)
class Report:
    """What the check found. `says`: sentences, when there is no mistake."""

    says: tuple[str, ...] = ()
    warnings: tuple[Mistake, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 when there is a mistake, else 0: warnings are for reading."""
        return 1 if self.mistakes else 0

    def lines(self) -> list[str]:
        """All of it for a terminal, what matters most last."""
        lines = [*self.says]
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"mistake: {mistake}" for mistake in self.mistakes]
        return lines


def inspect(path: Path, analyses: frozenset[str], today: date) -> Report:
    """Check the folder at `path`; `analyses`: names of those installed. Never raises for what stands in the folder."""
    try:
        say = read_folder(path, analyses)
    except FolderMistakes as error:
        return Report(mistakes=error.mistakes)
    return words(say, today)


def words(say: Say, today: date) -> Report:
    """Who may do what on which data, until when, with which sign-off and release; and the warnings."""
    says = [_rule(say)]
    for project in say.projects:
        for agreement in say.agreements:
            if agreement.project == project.id:
                says += _permissions(say, project, agreement, today)
    if len(says) == 1:
        says.append("Nobody may ask anything yet: there is no agreement.")
    says += _deciders(say, today)
    return Report(tuple(says), tuple(sorted(set(warnings(say, today)))))


# ------------------------------------------------------------------------------------------------------------- words
def _rule(say: Say) -> str:
    appetite = say.appetite
    zeros = "zero included" if appetite.zeros == "suppress" else "zero excepted"
    return (
        f"{say.tre.title} (`{say.tre.name}`) suppresses counts of fewer than {appetite.threshold} people, {zeros}, and "
        f"other numbers by the p% rule at {appetite.dominance:g}, with under {appetite.dof} degrees of freedom, or "
        f"of more than {appetite.ratio:g} for each person (appetite `{appetite.name}`)."
    )


def _permissions(say: Say, project: Project, agreement: Agreement, today: date) -> Iterator[str]:
    for id in agreement.datasets:
        dataset = say.dataset(id)
        if ended := _not_in_force(project, agreement, today):
            yield f"Nobody may use dataset `{id}` under agreement `{agreement.id}`: {ended}."
            continue
        analyses = [text for text in agreement.analyses if not _revoked(say, text)]
        if not analyses:
            yield f"Nobody may use dataset `{id}` under agreement `{agreement.id}`: its analyses were revoked."
            continue
        may: list[str] = []
        may_not: list[str] = []
        for person in project.people:
            reason = _barred(say, say.person(person), dataset, today)
            (may_not if reason else may).append(f"{say.person(person).name}{f' ({reason})' if reason else ''}")
        until = min(agreement.valid_until, project.valid_until)
        if may:
            yield (
                f"{_listed(may)} of project `{project.id}` may run {_listed(analyses)} on "
                f"{dataset.openness} dataset `{id}`, {_columns(agreement)}, in mode {_listed(agreement.modes, 'or')}, "
                f"at most {agreement.max_rounds} round{'s' if agreement.max_rounds > 1 else ''} a question, until "
                f"{until} (agreement `{agreement.id}` version {agreement.version}; {agreement.lawful_basis}). "
                f"{_sign_off(agreement)} {_release(agreement, dataset)}"
            )
        if may_not:
            yield f"Not on dataset `{id}` under agreement `{agreement.id}`: {'; '.join(may_not)}."
        if not project.people:
            yield f"Nobody may use dataset `{id}` under agreement `{agreement.id}`: the project has no people."


def _not_in_force(project: Project, agreement: Agreement, today: date) -> str:
    for noun, value in (("the project", project), ("the agreement", agreement)):
        if value.revoked:
            return f"{noun} was revoked"
        if value.valid_until < today:
            return f"{noun} ended on {value.valid_until}"
        if today < value.valid_from:
            return f"{noun} begins on {value.valid_from}"
    return ""


def _barred(say: Say, person: Person, dataset: Dataset, today: date) -> str:
    """Why this person may not ask of this dataset today, whatever the agreement; "" when they may."""
    try:
        policy.check_researcher(say, person, say.card_of(person.id), today)
        policy.check_training(person, dataset)
    except Refused as refusal:
        return refusal.code.replace("-", " ")
    return ""


def _revoked(say: Say, text: str) -> bool:
    """Whether an agreement's entry names an analysis that revoked.toml takes back, by name, version or digest."""
    return say.is_revoked("analysis", text, text.partition("@")[0], *text.split(" "))


def _columns(agreement: Agreement) -> str:
    if agreement.columns is None:
        return "every column that does not identify people"
    return f"columns {_listed([f'`{name}`' for name in agreement.columns])}" if agreement.columns else "no column"


def _sign_off(agreement: Agreement) -> str:
    if agreement.sign_off == "automatic":
        return "A fitting request starts by itself."
    return "A person signs off each request."


def _release(agreement: Agreement, dataset: Dataset) -> str:
    if policy.releases_itself(agreement, dataset):
        return "Its output leaves by itself after the disclosure rules."
    return "A checker decides on each output."


def _deciders(say: Say, today: date) -> Iterator[str]:
    for role, does in (("operator", "sign off requests"), ("checker", "decide on outputs")):
        names = [person.name for person in _holders(say, role, today)]
        yield f"{_listed(names)} may {does}." if names else f"Nobody may {does}."


def _holders(say: Say, role: str, today: date) -> list[Person]:
    def holds(person: Person) -> bool:
        try:
            policy.may_decide(say, person.id, Role(role), today)
        except Refused:
            return False
        return True

    return [person for person in say.people if holds(person)]


def _listed(parts: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


# ---------------------------------------------------------------------------------------------------------- warnings
def warnings(say: Say, today: date) -> Iterator[Mistake]:
    """What is in form and will surprise: dates that have passed, permissions that lead nowhere."""
    yield from _empty(say)
    yield from _people(say, today)
    yield from _projects(say, today)
    yield from _agreements(say, today)
    yield from _revocations(say, today)
    yield from _cards(say, today)


def _empty(say: Say) -> Iterator[Mistake]:
    for file, found, noun in (
        ("people.toml", say.people, "people"),
        ("projects.toml", say.projects, "projects"),
        ("datasets", say.datasets, "datasets"),
        ("agreements.toml", say.agreements, "agreements"),
        ("members", say.tres.cards, "members' cards"),
    ):
        if not found:
            yield Mistake(file, 1, f"There are no {noun} yet.")


def _people(say: Say, today: date) -> Iterator[Mistake]:
    on_projects = {id for project in say.projects for id in project.people}
    for person in say.people:
        entry = say.places["person", person.id]
        if person.training_until is not None and person.training_until < today:
            said = f"The training of {person.name} counted until {person.training_until}: they are refused."
            yield entry.mistake(said, "Enter the new date when they have renewed it.", at=("training_until",))
        try:
            check_valid(say.card_of(person.id), today)
        except Refused as refusal:
            yield entry.mistake(refusal.sentence, refusal.remedy, at=("card",))
        if person.id in on_projects and "researcher" not in person.roles:
            said = f"{person.name} is on a project and is no researcher here: what they ask is refused."
            yield entry.mistake(said, 'Add "researcher" to their roles.', at=("roles",))


def _projects(say: Say, today: date) -> Iterator[Mistake]:
    with_agreement = {agreement.project for agreement in say.agreements}
    for project in say.projects:
        entry = say.places["project", project.id]
        if project.valid_until < today:
            yield entry.mistake(f"Project `{project.id}` ended on {project.valid_until}.", at=("valid_until",))
        if not project.people:
            yield entry.mistake(f"Project `{project.id}` has no people.", at=("people",))
        if project.id not in with_agreement:
            yield entry.mistake(f"Project `{project.id}` has no agreement, so it may ask nothing.")


def _agreements(say: Say, today: date) -> Iterator[Mistake]:
    for agreement in say.agreements:
        entry = say.places["agreement", agreement.id]
        if agreement.valid_until < today:
            yield entry.mistake(f"Agreement `{agreement.id}` ended on {agreement.valid_until}.", at=("valid_until",))
            continue
        for text in agreement.analyses:
            if _revoked(say, text):
                said = f"Agreement `{agreement.id}` lists {text}, which revoked.toml takes back."
                yield entry.mistake(said, at=("analyses",), value=text)
        datasets = [say.dataset(id) for id in agreement.datasets]
        held = [dataset for dataset in datasets if not policy.releases_itself(agreement, dataset)]
        if agreement.release == "automatic":
            for dataset in held:
                said = f"Dataset `{dataset.id}` is sensitive: its outputs are held for a checker all the same."
                yield entry.mistake(said, "Only synthetic and public data leave by themselves.", at=("release",))
        project = next(one for one in say.projects if one.id == agreement.project)
        for role, needed, key in (
            ("operator", agreement.sign_off == "person", "sign_off"),
            ("checker", bool(held), "release"),
        ):
            holders = {person.id for person in _holders(say, role, today)}
            if needed and not holders:
                said = f"Requests under agreement `{agreement.id}` wait for a person, and nobody has the role {role}."
                yield entry.mistake(said, f'Give somebody the role "{role}" in people.toml.', at=(key,))
            elif needed and len(holders) == 1 and holders <= set(project.people):
                said = f"The only {role} is on project `{project.id}`, and nobody may decide on their own request."
                yield entry.mistake(said, f'Give another person the role "{role}".', at=(key,))


def _revocations(say: Say, today: date) -> Iterator[Mistake]:
    kinds = ("person", "project", "agreement", "tre")
    known = {kind: [id for found, id in say.places if found == kind] for kind in kinds}
    known["key"] = [id for card in say.cards.values() for id in card_keys(card)]
    for index, one in enumerate(say.revoked):
        entry = say.places["revoked", str(index)]
        if one.what in known and one.id not in known[one.what]:
            said = f"This revokes the {one.what} `{one.id}`, and the folder has none with that id."
            yield entry.mistake(said, meant(one.id, known[one.what]), at=("id",))
        if one.on > today:
            said = f"This revocation is dated {one.on} and counts already."
            yield entry.mistake(said, "To end something later, set its `valid_until`.", at=("on",))


def _cards(say: Say, today: date) -> Iterator[Mistake]:
    cards = [card for card in say.tres.cards if isinstance(card, TreCard)]
    for card in cards:
        try:
            check_valid(card, today)
        except Refused as refusal:
            yield say.places["tre", card.id].mistake(refusal.sentence, refusal.remedy)
    own = [card for card in cards if card.name == say.tre.name]
    if cards and not own:
        yield Mistake("members", 1, f"The card of this TRE (`{say.tre.name}`) is not among its members.")
    if own and own[0].appetite != presets.digest(say.appetite):
        said = "The risk appetite is not the one that this TRE's card publishes."
        remedy = "Issue a new card with `cinque tre card`, or take the change back."
        yield say.places["appetite", say.appetite.name].mistake(said, remedy)
