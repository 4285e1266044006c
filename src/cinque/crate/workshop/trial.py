"""A profile tried on its own examples: what conforms has no finding, and each rule catches what breaks it.

A rule's failing examples are the mutants that name it; its passing examples are the conforming crates they are made of.
So every rule that a profile adds or tightens has one of each, or the trial fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cinque.crate.check import Report, check
from cinque.crate.profiles import Profile, Rule
from cinque.crate.profiles.examples import FOLDER, MUTANTS, Document, Mutant, conforming, mutants
from cinque.crate.stages import STAGES
from cinque.errors import Unreadable

ELSEWHERE = ("zip", "others")  # what a rule needs that no example of this form can be


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule and its examples. `passing`: conforming examples by name; `failing`: how many mutants name it;
    `problems`: what is wrong, [] when nothing is.
    """

    rule: Rule
    passing: tuple[str, ...]
    failing: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `examples`: the conforming ones by name; `problems`: those of the folder as a whole;
    `elsewhere`: rules on ZIPs and on several crates, of which this form has no examples.
    """

    profile: Profile
    examples: tuple[str, ...]
    rules: tuple[Tried, ...]
    problems: tuple[str, ...]
    elsewhere: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not any(tried.problems for tried in self.rules)

    def to_dict(self) -> dict[str, Any]:
        """The form of `cinque profile check --json`."""
        return {
            "profile": self.profile.id,
            "name": self.profile.name,
            "passed": self.passed,
            "examples": list(self.examples),
            "rules": [
                {
                    "rule": tried.rule.id,
                    "level": tried.rule.level,
                    "passing": list(tried.passing),
                    "failing": tried.failing,
                    "problems": list(tried.problems),
                }
                for tried in self.rules
            ],
            "off": dict(self.profile.off),
            "elsewhere": list(self.elsewhere),
            "problems": list(self.problems),
        }


def try_profile(profile: Profile) -> Trial:
    """Judge every example of the profile's folder by the profile. Raises Unreadable for examples that are not in the
    form of `cinque.crate.profiles.examples`.
    """
    if profile.place is None:
        raise ValueError("a profile that was read from no folder has no examples")
    examples, broken = conforming(profile.place), mutants(profile.place)
    problems = list(_conforming(profile, examples))
    subjects = list(_subjects(profile))
    known = {rule.id for rule in subjects}
    problems += [
        f"{FOLDER}/{MUTANTS}: {mutant.rule} is no rule that this profile adds or tightens."
        for mutant in broken
        if mutant.rule not in known
    ]
    tried = tuple(
        _tried(profile, rule, [mutant for mutant in broken if mutant.rule == rule.id], examples)
        for rule in subjects
        if rule.needs not in ELSEWHERE
    )
    elsewhere = tuple(rule.id for rule in subjects if rule.needs in ELSEWHERE)
    return Trial(profile, tuple(examples), tried, tuple(problems), elsewhere)


def judged(profile: Profile, mutant: Mutant, example: Mapping[str, Any]) -> Report:
    """The report on a mutant of this conforming example, at the stage of the example."""
    files = mutant.bag(example) if mutant.bagged else None
    stage = mutant.of if mutant.of in profile.by_stage else None
    return check(mutant.metadata(example), files=files, stage=stage, profile_id=profile)


def _subjects(profile: Profile) -> Iterator[Rule]:
    own = {rule.id for rule in profile.own}
    yield from (rule for rule in profile.rules if rule.id in own or rule.id in profile.tightened)


def _conforming(profile: Profile, examples: Mapping[str, Document]) -> Iterator[str]:
    if not examples:
        yield f"There is no conforming crate in {FOLDER}/, such as {FOLDER}/{next(iter(profile.by_stage))}.json."
    for name, document in examples.items():
        report = check(document, profile_id=profile)
        # of the 1.0 draft, the crates beside it decide too what a crate is
        if name in profile.by_stage and report.stage != name and tuple(profile.by_stage) == STAGES:
            yield f"{FOLDER}/{name}.json is at stage {report.stage} by its graph, and named after another."
        for finding in report.findings:
            yield f"{FOLDER}/{name}.json breaks {finding.part} ({finding.level.upper()}): {finding.message}"


def _tried(profile: Profile, rule: Rule, broken: Sequence[Mutant], examples: Mapping[str, Document]) -> Tried:
    problems = [] if broken else ["It has no failing example: no mutant names it."]
    if "prefix" in profile.head and rule.id not in profile.tightened and "rationale" not in rule.source:
        problems.append("It has no `rationale`.")
    for place, mutant in enumerate(broken, 1):
        which = "Its mutant" if len(broken) == 1 else f"Its mutant {place}"
        if mutant.of not in examples:
            problems.append(f"{which} changes {FOLDER}/{mutant.of}.json, which is not there.")
            continue
        try:
            report = judged(profile, mutant, examples[mutant.of])
        except Unreadable as error:
            problems.append(error.sentence)
            continue
        if rule.id not in {finding.part for finding in report.findings}:
            problems.append(f"{which} passes: the rule does not catch it at stage {report.stage}.")
        others = {finding.rule for finding in report.findings} - {rule.requirement}
        if more := sorted(others - set(mutant.also)):
            problems.append(f"{which} breaks {', '.join(more)} too: say so in `also`, or change less.")
        if less := sorted(set(mutant.also) - others):
            problems.append(f"{which} does not break {', '.join(less)}, which `also` names.")
    passing = dict.fromkeys(mutant.of for mutant in broken if mutant.of in examples)
    return Tried(rule, tuple(passing), len(broken), tuple(problems))
