"""The exported rules in rocrate-validator give the checker's verdicts; its own profiles judge what Cinque writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinque.crate.check import check
from cinque.crate.profiles import INSTALLED, folder, profile
from cinque.crate.profiles.examples import conforming, mutants
from cinque.crate.shacl.export import export
from cinque.crate.workshop.written import write
from tests.crate import examples, roc

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
# (profile's IRI, rule whose mutant it is, example) -> rules on which the two disagree, and why. Exact: what is listed
# and no longer differs fails too.
DISAGREE: dict[tuple[str, str, str], set[str]] = {}


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
    for (of, mutant, _), report, judged in zip(
        family, reports, roc.judge(jobs, tmp_path / "profiles"), strict=True
    ):
        ours = {finding.part for finding in report.findings} & set(made.exported)
        if differs := ours ^ {issue.check for issue in judged.found}:
            disagree[identifier, mutant, of] = differs
    assert disagree == {key: rules for key, rules in DISAGREE.items() if key[0] == identifier}


def test_a_level_is_the_severity_of_rocrate_validator(tmp_path: Path) -> None:
    made = export(profile())
    write(made.files, tmp_path / "profiles")
    crate = examples.request()
    del examples.entity(crate, "./")["sourceOrganization"]  # R36, a MUST
    del examples.entity(crate, examples.PERSON)["memberOf"]  # R37, a SHOULD
    jobs = [roc.a_job(made.tokens["request"], crate, severity) for severity in ("REQUIRED", "RECOMMENDED")]
    must, should = roc.judge(jobs, tmp_path / "profiles")
    assert [(found.check, found.severity) for found in must.found] == [("R36", "REQUIRED")]
    assert {(found.check, found.severity) for found in should.found} == {("R36", "REQUIRED"), ("R37", "RECOMMENDED")}
    assert all(found.profile.startswith("cinque-five-safes") for found in should.found)
