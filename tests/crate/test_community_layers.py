"""The two layers that ship, against crates that Cinque itself writes: what they lack, and that it can be added."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cinque
from cinque.crate.check import Report, check, load_for_check
from cinque.crate.index import Index
from cinque.crate.nested import own_profile
from cinque.crate.profiles import COHORT_DISCOVERY, LAYERS, STATISTICAL_ANALYSIS, profile
from cinque.lib.canonical import strict_loads
from tests.crate import examples
from tests.crate.examples import Crate, entity, ref

CDM = "https://ohdsi.github.io/CommonDataModel/cdm54.html"
CONCEPT, ATHENA = "https://athena.ohdsi.org/search-terms/terms/192671", "https://athena.ohdsi.org/"
FREQUENCIES = "https://www.w3id.org/statbarnsdc#Frequencies"
PLAN = "https://example.com/plans/bleeds"


@pytest.fixture(scope="module")
def released() -> dict[str, tuple[Crate, dict[str, bytes]]]:
    """A crate of each analysis, as a TRE of this software releases it."""
    people = {"sex": ["F", "M"] * 40, "age": list(range(20, 100)), "gi_bleed": [True, True, False, False] * 20}
    with cinque.Federation.local({"hastings": people}) as federation:
        answers = {
            "count": federation.count(where="gi_bleed"),
            "table": federation.table(["sex", "gi_bleed"]),
            "summary": federation.summary("age", by="sex"),
        }
        found = {}
        for name, answer in answers.items():
            metadata, files = load_for_check(next(iter(answer.crates.values())))
            found[name] = (strict_loads(metadata), files or {})
        return found


def rules(report: Report, level: str = "") -> set[str]:
    return {finding.part for finding in report.findings if level in ("", finding.level)}


def judged(crate: Crate, files: dict[str, bytes], layer: str) -> Report:
    # the crate is signed: what is added is judged beside the files, not written into them
    return check(crate, files=files, profile_id=layer)


def declaring(crate: Crate, layer: str) -> Crate:
    copy: Crate = json.loads(json.dumps(crate))
    root = entity(copy, "./")
    root["conformsTo"] = [ref(examples.PROFILE), ref(layer)]
    copy["@graph"].append({"@id": layer, "@type": ["CreativeWork", "Profile"], "name": profile(layer).name})
    return copy


def run_of(crate: Crate) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in crate["@graph"] if each["@type"] == "CreateAction")
    return found


def with_what_cohort_discovery_asks(crate: Crate) -> Crate:
    made = declaring(crate, COHORT_DISCOVERY)
    run_of(made)["description"] = "Feasibility: are there enough people for a study of bleeds?"
    entity(made, "#input-dataset").update(conformsTo=ref(CDM), version="2026-11")
    entity(made, "inputs/parameters.json")["about"] = [ref(CONCEPT)]
    entity(made, entity(made, "./")["mainEntity"]["@id"])["about"] = ref(FREQUENCIES)
    made["@graph"] += [
        {"@id": CDM, "@type": "CreativeWork", "name": "OMOP Common Data Model", "version": "5.4"},
        {
            "@id": CONCEPT,
            "@type": "DefinedTerm",
            "name": "Gastrointestinal hemorrhage",
            "termCode": "192671",
            "inDefinedTermSet": ref(ATHENA),
        },
        {"@id": ATHENA, "@type": "DefinedTermSet", "name": "OMOP vocabularies", "version": "v5.0 27-AUG-25"},
    ]
    return made


def with_what_statistical_analysis_asks(crate: Crate) -> Crate:
    made = declaring(crate, STATISTICAL_ANALYSIS)
    entity(made, entity(made, "./")["sourceOrganization"]["@id"])["subjectOf"] = ref(PLAN)
    entity(made, entity(made, "./")["mainEntity"]["@id"])["softwareRequirements"] = "cinque 0.1.0"
    made["@graph"].append({"@id": PLAN, "@type": "CreativeWork", "name": "Analysis plan", "version": "1.0"})
    for output in outputs(made):
        output["description"] = "Ages of all people, by sex; unweighted."
    return made


def outputs(crate: Crate) -> Iterator[dict[str, Any]]:
    for result in run_of(crate)["result"]:
        yield entity(crate, result["@id"])


# What docs/explanation/community-layers.md says that Cinque's own crates lack.
LACKING = {
    COHORT_DISCOVERY: {"CD-concept", "CD-dataset", "CD-declared", "CD-purpose", "CD-workflow/counts"},
    STATISTICAL_ANALYSIS: {"SA-declared", "SA-described", "SA-plan", "SA-software/packages"},
}


@pytest.mark.parametrize("analysis", ["count", "table"])
def test_a_count_lacks_of_cohort_discovery_what_only_its_community_knows(
    analysis: str, released: dict[str, tuple[Crate, dict[str, bytes]]]
) -> None:
    crate, files = released[analysis]
    report = judged(crate, files, COHORT_DISCOVERY)
    assert rules(report) == LACKING[COHORT_DISCOVERY]
    assert report.stage == "published"
    assert not report.conforms


@pytest.mark.parametrize("analysis", ["count", "table"])
def test_a_count_that_carries_what_is_asked_conforms_to_cohort_discovery(
    analysis: str, released: dict[str, tuple[Crate, dict[str, bytes]]]
) -> None:
    crate, files = released[analysis]
    assert judged(with_what_cohort_discovery_asks(crate), files, COHORT_DISCOVERY).findings == ()


def test_means_are_no_cohort_discovery_whatever_else_is_said(
    released: dict[str, tuple[Crate, dict[str, bytes]]],
) -> None:
    crate, files = released["summary"]
    report = judged(with_what_cohort_discovery_asks(crate), files, COHORT_DISCOVERY)
    assert rules(report) == {"CD-counts"}


@pytest.mark.parametrize("analysis", ["count", "table", "summary"])
def test_an_analysis_lacks_its_plan_and_conforms_to_statistical_analysis_with_it(
    analysis: str, released: dict[str, tuple[Crate, dict[str, bytes]]]
) -> None:
    crate, files = released[analysis]
    report = judged(crate, files, STATISTICAL_ANALYSIS)
    assert rules(report) == LACKING[STATISTICAL_ANALYSIS]
    assert rules(report, "must") == {"SA-plan"}
    assert judged(with_what_statistical_analysis_asks(crate), files, STATISTICAL_ANALYSIS).findings == ()


def test_who_asked_may_not_check_in_any_of_several_checks(released: dict[str, tuple[Crate, dict[str, bytes]]]) -> None:
    crate, files = released["summary"]
    made = with_what_statistical_analysis_asks(crate)
    first = next(e for e in made["@graph"] if e.get("additionalType") == ref("https://w3id.org/shp#DisclosureCheck"))
    second = {**first, "@id": "#disclosure-second", "agent": run_of(made)["agent"]}
    made["@graph"].append(second)
    entity(made, "./")["mentions"].append(ref("#disclosure-second"))
    assert rules(judged(made, files, STATISTICAL_ANALYSIS)) == {"SA-four-eyes"}


def test_a_file_left_among_the_outputs_is_found_though_everything_else_is_right(
    released: dict[str, tuple[Crate, dict[str, bytes]]],
) -> None:
    crate, files = released["count"]
    made = with_what_cohort_discovery_asks(crate)
    made["@graph"].append({"@id": "outputs/people.csv", "@type": "File", "name": "Rows"})
    entity(made, "./")["hasPart"].append(ref("outputs/people.csv"))
    report = judged(made, files | {"data/outputs/people.csv": b"1,F\n"}, COHORT_DISCOVERY)
    assert "CD-outputs" in rules(report, "must")


@pytest.mark.parametrize("layer", LAYERS)
def test_a_crate_that_declares_a_layer_is_judged_by_it(layer: str) -> None:
    crate = declaring(examples.request(), layer)
    assert own_profile(Index(crate)) == layer
    assert own_profile(Index(examples.request())) == examples.PROFILE


@pytest.mark.parametrize("layer", LAYERS)
def test_services_hold_a_crate_that_declares_a_layer_to_five_safes(layer: str) -> None:
    """A layer is asked by who wants to know; it never makes a TRE refuse what Five Safes allows."""
    assert check(declaring(examples.request(), layer)).findings == ()


@pytest.mark.parametrize("layer", LAYERS)
def test_every_rule_of_a_layer_that_ships_says_why(layer: str) -> None:
    found = profile(layer)
    assert all(rule.source["rationale"].endswith(".") for rule in found.own)
    assert all(reason.endswith(".") for _, reason in found.tightened.values())
    assert all(reason.endswith(".") for reason in found.off.values())
    place = Path(str(found.place))
    assert {file.name for file in place.glob("*.py")} == {"__init__.py"}  # data alone
