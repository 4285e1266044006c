"""Every profile's own examples: the conforming conform, and each broken one is caught by the rule it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinque.crate.check import check
from cinque.crate.profiles import INSTALLED, folder, profile
from cinque.crate.profiles.examples import Mutant, conforming, mutants
from cinque.crate.stages import STAGES
from cinque.crate.workshop.trial import judged, try_profile
from cinque.errors import Unreadable

MUTANTS = [(name, mutant) for name in INSTALLED for mutant in mutants(folder(name))]


@pytest.mark.parametrize("identifier", INSTALLED)
def test_the_conforming_examples_conform_at_every_level(identifier: str) -> None:
    examples = conforming(folder(identifier))
    assert examples
    for name, document in examples.items():
        report = check(document, profile_id=identifier)
        assert report.findings == ()
        assert report.stage == name or name not in STAGES


@pytest.mark.parametrize(
    ("identifier", "mutant"), MUTANTS, ids=[f"{place}-{mutant.rule}" for place, (_, mutant) in enumerate(MUTANTS, 1)]
)
def test_each_mutant_is_caught_by_the_rule_it_breaks_and_by_those_it_names(identifier: str, mutant: Mutant) -> None:
    report = judged(profile(identifier), mutant, conforming(folder(identifier))[mutant.of])
    found = [finding for finding in report.findings if finding.part == mutant.rule]
    assert found
    assert {f.rule for f in report.findings} - {found[0].rule} == set(mutant.also)


@pytest.mark.parametrize("identifier", INSTALLED)
def test_every_rule_of_a_profile_has_its_mutant(identifier: str) -> None:
    # no ZIP and no second crate is an example: tests/crate/test_container.py and test_draft_profile.py break those
    own = {rule.id for rule in profile(identifier).own if rule.needs not in ("zip", "others")}
    assert {mutant.rule for mutant in mutants(folder(identifier))} == own | set(profile(identifier).tightened)
    assert try_profile(profile(identifier)).passed


@pytest.mark.parametrize("text", ["[[mutant]]\nrule = 1", '[[mutant]]\nrule = "R1"\nof = "x"\ndo = 1', "[[mutant"])
def test_mutants_that_are_not_well_written_are_refused_in_words(text: str, tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "mutants.toml").write_text(text)
    with pytest.raises(Unreadable, match=r"mutants\.toml"):
        mutants(tmp_path)


def test_a_mutant_that_does_not_fit_its_example_says_so() -> None:
    example = {"@graph": [{"@id": "./", "mentions": []}]}
    for mutant in (
        Mutant("R1", "x", lose=["#no"]),
        Mutant("R1", "x", drop={"./": ["name"]}),
        Mutant("R1", "x", unlink={"./": {"mentions": ["#a"]}}),
        Mutant("R1", "x", set={"#no": {"name": "A"}}),
    ):
        with pytest.raises(Unreadable, match="does not fit"):
            mutant.metadata(example)
