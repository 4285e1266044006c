"""The workshop: a profile begun passes its own trial, a bad one does not; pages, Profile Crates and comparisons."""

from __future__ import annotations

import io
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from cinque.crate.check import check, examine
from cinque.crate.profiles import COHORT_DISCOVERY, FIVE_SAFES, INSTALLED, LAYERS, folder, in_folder, named, profile
from cinque.crate.profiles.examples import conforming
from cinque.crate.workshop.compared import compare
from cinque.crate.workshop.page import blocks, html_page, markdown
from cinque.crate.workshop.profile_crate import ROLES, profile_crate
from cinque.crate.workshop.trial import Trial, try_profile
from cinque.errors import Refused
from tests.builders import NOW
from tests.cli.commands import cinque, document
from tests.crate.folders import KEYWORDS, a_folder

REQUEST = json.dumps(conforming(folder(FIVE_SAFES))["request"])
MARKED = REQUEST.replace('"mainEntity"', '"keywords": "bleeds", "mainEntity"', 1)
MUTANT = '[[mutant]]\nrule = "OWN-keywords"\nof = "request"\ndrop."./" = ["keywords"]\n'


def tried(place: Path, *rules: Any, mutants: str = MUTANT, crate: str = MARKED, **changes: Any) -> Trial:
    files = {"examples/request.json": crate, "examples/mutants.toml": mutants}
    return try_profile(in_folder(a_folder(place, *rules, files=files, **changes)))


# ------------------------------------------------------------------------------------------------------------- begun


@pytest.mark.parametrize("base", INSTALLED)
def test_what_new_writes_passes_check_on_every_profile_that_ships(base: str, tmp_path: Path) -> None:
    made = tmp_path / "rare diseases"
    assert cinque("profile", "new", made, "--extends", base).exit_code == 0
    found = cinque("profile", "check", made)
    assert found.exit_code == 0, found.stdout
    assert named(str(made)).extends == (base,)


def test_a_profile_is_begun_on_another_folder_and_on_that_one_more(tmp_path: Path) -> None:
    for name, base in (("one", FIVE_SAFES), ("two", tmp_path / "one"), ("three", tmp_path / "two")):
        assert cinque("profile", "new", tmp_path / name, "--extends", base).exit_code == 0
        assert cinque("profile", "check", tmp_path / name).exit_code == 0
    (tmp_path / "elsewhere").mkdir()
    for name in ("one", "two", "three"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)  # together they can be moved
    assert cinque("profile", "check", tmp_path / "elsewhere" / "three").exit_code == 0


@pytest.mark.parametrize("name", ["x", "9", "ünï", "RC", "a" * 80, 'say "so"', "r-c"])
def test_a_profile_may_have_any_name(name: str, tmp_path: Path) -> None:
    assert cinque("profile", "new", tmp_path / name).exit_code == 0
    assert cinque("profile", "check", tmp_path / name).exit_code == 0


def test_new_never_writes_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert cinque("profile", "new", tmp_path / "mine").exit_code == 1
    assert list((tmp_path / "mine").iterdir()) == []
    assert cinque("profile", "new", tmp_path / "nowhere" / "mine").exit_code == 2
    assert cinque("profile", "new", tmp_path / "other", "--extends", "nowhere").exit_code == 1


# ------------------------------------------------------------------------------------------------------------- tried


def test_a_rule_with_its_examples_passes(tmp_path: Path) -> None:
    trial = tried(tmp_path / "layer", KEYWORDS)
    assert trial.passed
    assert trial.to_dict()["rules"] == [
        {"rule": "OWN-keywords", "level": "should", "passing": ["request"], "failing": 1, "problems": []}
    ]


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ("no failing example", {"mutants": ""}),
        ("does not catch it", {"mutants": MUTANT.replace("keywords\"]", "name\"]")}),
        ("does not fit the example request", {"mutants": MUTANT.replace("keywords\"]", "nothing\"]")}),
        ("breaks R36 too", {"mutants": MUTANT.replace('"keywords"]', '"keywords", "sourceOrganization"]')}),
        ("does not break R36", {"mutants": MUTANT.replace("of =", 'also = ["R36"]\nof =')}),
        ("which is not there", {"mutants": MUTANT.replace("request", "published")}),
        ("R39: It has no failing example", {"tighten": {"R39": "must"}}),
        ("R36 is no rule that this profile adds", {"mutants": MUTANT + MUTANT.replace("OWN-keywords", "R36")}),
        ("request.json breaks OWN-keywords (SHOULD)", {"crate": REQUEST, "mutants": ""}),
        ("named after another", {"crate": json.dumps(conforming(folder(FIVE_SAFES))["checked"])}),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_profile_is_said(said: str, change: dict[str, Any], tmp_path: Path) -> None:
    trial = tried(tmp_path / "layer", KEYWORDS, **change)
    assert not trial.passed
    found = cinque("profile", "check", tmp_path / "layer")
    assert found.exit_code == 1
    assert said in found.stdout
    assert document(cinque("profile", "check", tmp_path / "layer", "--json"))["passed"] is False


def test_a_rule_without_a_reason_or_any_example_is_refused(tmp_path: Path) -> None:
    trial = tried(tmp_path / "layer", {k: v for k, v in KEYWORDS.items() if k != "rationale"})
    assert [each.problems for each in trial.rules] == [("It has no `rationale`.",)]
    a_folder(tmp_path / "bare", KEYWORDS)
    found = cinque("profile", "check", tmp_path / "bare")
    assert found.exit_code == 1
    assert "no conforming crate in examples/, such as examples/request.json" in found.stdout


def test_the_mutant_of_a_tightened_rule_breaks_a_must(tmp_path: Path) -> None:
    mutant = f'[[mutant]]\nrule = "R39"\nof = "request"\ndrop."{_project()}" = ["identifier"]\n'
    assert tried(tmp_path / "layer", tighten={"R39": "must"}, mutants=mutant).passed


def _project() -> str:
    found = next(each["@id"] for each in json.loads(REQUEST)["@graph"] if each["@type"] == "Project")
    return str(found)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("check", "{layer}"), 1, "profile-off-must"),
        (("docs", "{layer}"), 1, "never switches off a MUST"),
        (("check", "{bad}"), 2, "profile-unreadable"),
        (("compare", "{bad}", FIVE_SAFES), 2, "profile-unreadable"),
        (("compare", "{layer}", FIVE_SAFES), 2, "profile-off-must"),
        (("check", "nowhere"), 1, "profile-unknown"),
    ],
)
def test_a_profile_that_is_refused_ends_each_command_with_words(
    args: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    a_folder(tmp_path / "layer", off={"R36": "No."})
    a_folder(tmp_path / "bad", files={"rules.toml": "= ="})
    found = cinque("profile", *(arg.format(layer=tmp_path / "layer", bad=tmp_path / "bad") for arg in args))
    assert found.exit_code == code
    assert said in found.stderr
    assert "What to do" in found.stderr


# --------------------------------------------------------------------------------------------- a crate is judged by it


def test_crate_check_judges_by_a_folder(tmp_path: Path) -> None:
    layer = a_folder(tmp_path / "layer", KEYWORDS | {"level": "must"}, off={"R37": "Not here."})
    crate = tmp_path / "ro-crate-metadata.json"
    crate.write_text(REQUEST)
    assert cinque("crate", "check", crate).exit_code == 0
    found = cinque("crate", "check", crate, "--profile", layer)
    assert found.exit_code == 1
    assert re.search(r"MUST +OWN-keywords +\./ keywords", found.stdout)
    assert "of layer, at stage request" in found.stdout
    report = document(cinque("crate", "check", crate, "--profile", layer, "--json"))
    assert (report["profile"], report["conforms"]) == ("https://example.org/layer", False)
    assert "OWN-keywords" in {finding["rule"] for finding in report["findings"]}
    crate.write_text(MARKED)
    assert cinque("crate", "check", crate, "--profile", layer).exit_code == 0


def test_crate_check_judges_by_a_layer_that_ships_and_by_a_declared_one_unasked(tmp_path: Path) -> None:
    crate = tmp_path / "ro-crate-metadata.json"
    crate.write_text(REQUEST)
    assert cinque("crate", "check", crate, "--profile", COHORT_DISCOVERY).exit_code == 1
    crate.write_text(json.dumps(conforming(folder(COHORT_DISCOVERY))["request"]))
    found = cinque("crate", "check", crate, "--level", "may")
    assert found.exit_code == 0
    assert "Cohort discovery" in found.stdout


@pytest.mark.parametrize("what", ["layer", "nowhere"])
def test_crate_check_by_what_is_no_profile_is_no_verdict(what: str, tmp_path: Path) -> None:
    a_folder(tmp_path / "layer", files={"checks.py": ""})
    crate = tmp_path / "ro-crate-metadata.json"
    crate.write_text(REQUEST)
    assert cinque("crate", "check", crate, "--profile", tmp_path / what).exit_code == 2


# ------------------------------------------------------------------------------------------------------------- printed


@pytest.mark.parametrize("identifier", INSTALLED)
def test_the_page_has_every_rule_with_level_demand_reason_and_example(identifier: str) -> None:
    found = profile(identifier)
    text = markdown(found)
    for rule in found.own:
        section = text.split(f"### {rule.id}: {rule.level.upper()}\n")[1].split("\n##")[0]
        assert "- Demanded: " in section
        assert "- What to do: " in section
        if identifier in LAYERS:
            assert "- Why: " in section
            assert "- Breaks it: the same, where " in section
    for name in found.off:
        assert f"| `{name}` |" in text.split("## What is switched off")[1].split("\n##")[0]
    inherited = text.split("## What it inherits")[-1]
    assert all(f"| `{rule.id}` |" in inherited for rule in found.rules if rule not in found.own)


class _Open(HTMLParser):
    """Collects what a browser would open or run, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [f"{name}={value}" for name, value in attrs if name in ("src", "href") or name[:2] == "on"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_strangers_words_are_words_in_page_and_terminal(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> [here](javascript:x) ![](https://x.example/) \x1b[31m `</code><img src=x>`"
    rule = KEYWORDS | {"message": evil, "remedy": evil, "rationale": evil, "pattern": "<img>|`"}
    place = a_folder(tmp_path / "layer", rule, about=evil, off={"R37": evil})
    page = _Open()
    page.feed(html_page(in_folder(place)).decode())
    assert page.tags.isdisjoint({"script", "img", "a", "iframe", "link"})
    assert page.fetched == []
    assert "alert(1)" in page.text
    text = markdown(in_folder(place))
    outside_code = re.sub(r"(`+).*?\1", "", text)
    assert not re.search(r"(?<!\\)[<\[]", outside_code)
    shown = cinque("profile", "docs", place)
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout


def test_docs_writes_markdown_or_html_and_never_over_a_file(tmp_path: Path) -> None:
    assert cinque("profile", "docs", COHORT_DISCOVERY, "-o", tmp_path / "a.html").exit_code == 0
    assert (tmp_path / "a.html").read_bytes().startswith(b"<!doctype html>")
    assert cinque("profile", "docs", COHORT_DISCOVERY, "-o", tmp_path / "a.md").exit_code == 0
    assert (tmp_path / "a.md").read_text() == markdown(profile(COHORT_DISCOVERY))
    assert cinque("profile", "docs", COHORT_DISCOVERY, "-o", tmp_path / "a.md").exit_code == 1
    assert sum(block.kind == 3 for block in blocks(profile(COHORT_DISCOVERY))) == len(profile(COHORT_DISCOVERY).own)


# ------------------------------------------------------------------------------------------------------------- packed


@pytest.mark.parametrize("identifier", INSTALLED)
def test_a_profile_crate_is_a_sound_crate(identifier: str, tmp_path: Path) -> None:
    for out in (tmp_path / "crate.zip", tmp_path / "crate"):
        assert cinque("profile", "crate", identifier, "-o", out).exit_code == 0
        assert cinque("crate", "check", out, "--level", "may").exit_code == 0
        assert examine(out, profile_id=None).findings == ()
    read = ROCrate(tmp_path / "crate")  # another's software
    assert {"Dataset", "Profile"} <= set(read.root_dataset.type)


def test_a_profile_crate_is_what_ro_crate_1_2_says() -> None:
    files = profile_crate(profile(COHORT_DISCOVERY), now=NOW)
    graph = {entity["@id"]: entity for entity in json.loads(files["ro-crate-metadata.json"])["@graph"]}
    root = graph[COHORT_DISCOVERY]
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": COHORT_DISCOVERY}
    assert root["@type"] == ["Dataset", "Profile"]
    assert root["identifier"] == COHORT_DISCOVERY
    assert {"@id": "https://w3id.org/ro/crate/1.2"} in root["isProfileOf"]
    assert {"@id": FIVE_SAFES} in root["isProfileOf"]
    roles = {}
    for each in root["hasResource"]:
        resource = graph[each["@id"]]
        assert resource["@type"] == "ResourceDescriptor"
        assert resource["hasArtifact"] in root["hasPart"]
        roles[resource["hasArtifact"]["@id"]] = resource["hasRole"]["@id"].removeprefix(ROLES)
    assert roles == {
        "profile.html": "specification",
        "profile.toml": "schema",
        "rules.toml": "constraints",
        "examples/executed.json": "example",
        "examples/published.json": "example",
        "examples/request.json": "example",
        "examples/mutants.toml": "validation",
    }
    assert graph["profile.html"]["encodingFormat"] == "text/html"
    assert graph["profile.html"]["about"] == {"@id": COHORT_DISCOVERY}
    assert set(files) == {"ro-crate-metadata.json", *roles}


def test_more_files_travel_in_a_profile_crate_with_their_role() -> None:
    files = profile_crate(
        profile(COHORT_DISCOVERY), now=NOW, more={"shapes.ttl": ("validation", "The rules in SHACL", b"# none\n")}
    )
    assert files["shapes.ttl"] == b"# none\n"
    graph = {entity["@id"]: entity for entity in json.loads(files["ro-crate-metadata.json"])["@graph"]}
    assert graph["shapes.ttl"]["encodingFormat"] == "text/turtle"
    assert not check(graph_of(files), files=files, profile_id="https://w3id.org/ro/crate/1.2").findings


def graph_of(files: dict[str, bytes]) -> bytes:
    return files["ro-crate-metadata.json"]


def test_a_profile_out_of_a_crate_is_a_profile_again(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    assert cinque("profile", "new", place).exit_code == 0
    assert cinque("profile", "crate", place, "-o", tmp_path / "mine.zip").exit_code == 0
    with zipfile.ZipFile(io.BytesIO((tmp_path / "mine.zip").read_bytes())) as packed:
        packed.extractall(tmp_path / "out")
    assert cinque("profile", "check", tmp_path / "out" / "mine").exit_code == 0
    assert cinque("profile", "compare", place, tmp_path / "out" / "mine").exit_code == 0


def test_packing_says_what_is_not_in_it(tmp_path: Path) -> None:
    for name, base in (("one", FIVE_SAFES), ("two", tmp_path / "one")):
        assert cinque("profile", "new", tmp_path / name, "--extends", base).exit_code == 0
    said = cinque("profile", "crate", tmp_path / "two", "-o", tmp_path / "two.zip").stderr
    assert "One 0.1, which it builds on, is not in it" in said


def test_a_profile_without_a_licence_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="licence"):
        profile_crate(in_folder(a_folder(tmp_path / "layer", KEYWORDS)), now=NOW)


# ------------------------------------------------------------------------------------------------------------- compared


def differences(place: Path, first: dict[str, Any], second: dict[str, Any]) -> set[tuple[str, str]]:
    both = []
    for name, said in (("first", first), ("second", second)):
        changes = dict(said)
        both.append(in_folder(a_folder(place / name, *changes.pop("rules", ()), **changes)))
    return {(each.kind, each.rule) for each in compare(*both)}


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({}, {}, set()),
        ({}, {"rules": [KEYWORDS]}, {("added", "OWN-keywords")}),
        ({"rules": [KEYWORDS]}, {}, {("removed", "OWN-keywords")}),
        ({}, {"tighten": {"R39": "must"}}, {("tightened", "R39")}),
        ({"tighten": {"R39": "must"}}, {}, {("loosened", "R39")}),
        ({}, {"off": {"R37": "No."}}, {("switched off", "R37")}),
        ({"off": {"R37": "No."}}, {}, {("switched on", "R37")}),
        ({"rules": [KEYWORDS]}, {"rules": [KEYWORDS | {"level": "may"}]}, {("loosened", "OWN-keywords")}),
        ({"rules": [KEYWORDS]}, {"rules": [KEYWORDS | {"stages": "request"}]}, {("loosened", "OWN-keywords")}),
        ({"rules": [KEYWORDS | {"stages": "request"}]}, {"rules": [KEYWORDS]}, {("tightened", "OWN-keywords")}),
        ({"rules": [KEYWORDS]}, {"rules": [KEYWORDS | {"min": 2}]}, {("changed", "OWN-keywords")}),
        ({"rules": [KEYWORDS]}, {"rules": [KEYWORDS | {"message": "Another word."}]}, set()),
        (
            {"rules": [KEYWORDS]},
            {"rules": [KEYWORDS | {"level": "must", "stages": "request"}]},
            {("changed", "OWN-keywords")},
        ),
    ],
)  # fmt: skip
def test_compare_tells_what_another_version_asks(
    first: dict[str, Any], second: dict[str, Any], found: set[tuple[str, str]], tmp_path: Path
) -> None:
    assert differences(tmp_path, first, second) == found


def test_compare_ends_with_one_where_profiles_differ(tmp_path: Path) -> None:
    layer = a_folder(tmp_path / "layer", KEYWORDS, off={"R37": "Members stand elsewhere."})
    found = cinque("profile", "compare", FIVE_SAFES, layer)
    assert found.exit_code == 1
    assert "Members stand elsewhere." in found.stdout
    report = document(cinque("profile", "compare", FIVE_SAFES, layer, "--json"))
    assert [(each["kind"], each["rule"]) for each in report["differences"]] == [
        ("added", "OWN-keywords"),
        ("switched off", "R37"),
    ]
    assert cinque("profile", "compare", layer, layer).exit_code == 0
    assert cinque("profile", "compare", FIVE_SAFES, "https://w3id.org/5s-crate/1.0").exit_code == 1
