"""The exported rules in rocrate-validator give the checker's verdicts; its own profiles judge what Cinque writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from cinque.analyses import registry
from cinque.analyses.package import package
from cinque.crate.archive import unpack
from cinque.crate.check import check
from cinque.crate.profiles import COHORT_DISCOVERY, INSTALLED, folder, profile
from cinque.crate.profiles.examples import conforming, mutants
from cinque.crate.shacl.export import export
from cinque.crate.workshop.profile_crate import profile_crate
from cinque.crate.workshop.written import write
from tests import builders
from tests.crate import examples, roc
from tests.crate.disagreements import DISAGREE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("identifier", INSTALLED, ids=[profile(name).name for name in INSTALLED])
def test_the_exported_rules_give_the_checkers_verdict_on_every_example_and_mutant(
    identifier: str, tmp_path: Path
) -> None:
    found, made, valid = profile(identifier), export(profile(identifier)), conforming(folder(identifier))
    write(made.files, tmp_path / "profiles")
    family = [(name, "", document) for name, document in valid.items()]
    family += [
        (mutant.of, mutant.rule, mutant.metadata(valid[mutant.of]))
        for mutant in mutants(folder(identifier))
        if not mutant.bagged and mutant.rule != "RC-context"  # a bag is no RDF; nor is a crate in no known context
    ]
    reports = [check(document, profile_id=found) for _, _, document in family]
    tokens = [made.tokens.get(report.stage, next(iter(made.tokens.values()))) for report in reports]
    jobs = [roc.a_job(token, document) for token, (_, _, document) in zip(tokens, family, strict=True)]
    disagree = {}
    for (of, mutant, _), report, judged in zip(family, reports, roc.judge(jobs, tmp_path / "profiles"), strict=True):
        ours = {finding.part for finding in report.findings} & set(made.exported)
        if differs := ours ^ {issue.check for issue in judged.found}:
            disagree[mutant, of] = differs
    listed = {(mutant, of) for of, mutant, _ in family}
    assert disagree == {key: rules for key, rules in DISAGREE.items() if key in listed}


def test_a_level_is_the_severity_of_rocrate_validator(tmp_path: Path) -> None:
    made = export(profile())
    write(made.files, tmp_path / "profiles")
    crate = examples.request()
    del examples.entity(crate, "./")["sourceOrganization"]  # R36, a MUST
    del examples.entity(crate, examples.PERSON)["affiliation"]  # R34, a SHOULD
    jobs = [roc.a_job(made.tokens["request"], crate, severity) for severity in ("REQUIRED", "RECOMMENDED")]
    must, should = roc.judge(jobs, tmp_path / "profiles")
    assert [(found.check, found.severity) for found in must.found] == [("R36", "REQUIRED")]
    assert {(found.check, found.severity) for found in should.found} == {("R36", "REQUIRED"), ("R34", "RECOMMENDED")}
    assert all(found.profile.startswith("cinque-five-safes") for found in should.found)


# ------------------------------------------------------------------------------- what Cinque writes, by its own rules
CRATE, PROCESS, WORKFLOW = "ro-crate-1.2", "process-run-crate-0.5", "workflow-ro-crate-1.0"
URL = "SoftwareApplication/ComputerLanguage: REQUIRED `url`"  # asked of languages alone, in the specification
VERSION = "SoftwareApplication/ComputerLanguage: REQUIRED `version`"  # Workflow RO-Crate 1.0 gives the language none
DECLARED = "Metadata File Descriptor entity: `conformsTo` property"  # its run profiles know RO-Crate 1.1 alone


def payload(archive: bytes) -> dict[str, bytes]:
    files = unpack(archive).files.items()
    return {name.removeprefix("data/"): content for name, content in files if name.startswith("data/")}


def an_outcome(outcome: str) -> dict[str, bytes]:
    return payload(builders.a_refusal(outcome=outcome))


def an_analysis(name: str) -> Mapping[str, bytes]:
    return package(registry.get(name))


# what is written, the profile that judges it, and the MUSTs on which the two disagree (docs/decisions/0015)
WRITTEN: list[tuple[str, Callable[[], Mapping[str, bytes]], str, set[str]]] = [
    ("request", lambda: payload(builders.a_request()), CRATE, set()),
    ("release", lambda: payload(builders.a_release()), CRATE, {URL}),
    *((outcome, partial(an_outcome, outcome), CRATE, {URL}) for outcome in ("refused", "withheld", "failed")),
    ("answer", lambda: payload(builders.an_answer()), CRATE, {URL}),
    ("answer", lambda: payload(builders.an_answer()), PROCESS, {DECLARED}),
    *((name, partial(an_analysis, name), CRATE, {VERSION}) for name in registry.names()),
    *((name, partial(an_analysis, name), WORKFLOW, {DECLARED}) for name in registry.names()),
    ("profile crate", lambda: profile_crate(profile(COHORT_DISCOVERY), now=builders.NOW), CRATE, set()),
]


def test_its_own_profiles_find_what_cinque_writes_sound_but_for_what_is_listed(tmp_path: Path) -> None:
    jobs = []
    for place, (_, make, judge, _) in enumerate(WRITTEN):
        write(make(), tmp_path / str(place))
        jobs.append(roc.a_job(judge, tmp_path / str(place), "REQUIRED"))
    judged = [{issue.check for issue in each.found} for each in roc.judge(jobs)]
    found = [(name, judge, checks) for (name, _, judge, _), checks in zip(WRITTEN, judged, strict=True)]
    assert found == [(name, judge, known) for name, _, judge, known in WRITTEN]


def test_rocrate_validator_does_find_what_is_missing(tmp_path: Path) -> None:
    crate = examples.request()
    del examples.entity(crate, "./")["license"]
    (judged,) = roc.judge([roc.a_job(CRATE, crate, "REQUIRED")])
    assert any("license" in issue.check.lower() for issue in judged.found)
