"""Profiles that build on profiles: what a folder may do, what it may not, and that nothing in it crashes the reader."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinque.crate.check import Report, check, examine
from cinque.crate.profiles import FIVE_SAFES, FIVE_SAFES_DRAFT, RO_CRATE, folder, in_folder, named, profile
from cinque.crate.profiles.form import check_rule
from cinque.crate.profiles.vocabulary import DEMAND
from cinque.crate.stages import STAGES
from cinque.crate.workshop.compared import compare
from cinque.crate.workshop.page import html_page, markdown
from cinque.crate.workshop.trial import try_profile
from cinque.errors import NotFound, Refused, Unreadable
from tests.crate import examples
from tests.crate.examples import entity
from tests.crate.folders import KEYWORDS, a_folder, toml


def rules(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings}


# ------------------------------------------------------------------------------------------------ what a layer may do


def test_a_layer_asks_what_lies_under_it_and_its_own(tmp_path: Path) -> None:
    layer = in_folder(a_folder(tmp_path / "layer", KEYWORDS))
    crate = examples.request()
    assert rules(check(crate, profile_id=layer)) == {"OWN-keywords"}
    entity(crate, "./")["keywords"] = "bleeds"
    assert rules(check(crate, profile_id=layer)) == set()
    del entity(crate, "./")["sourceOrganization"]
    assert "R36" in rules(check(crate, profile_id=layer))


def test_a_folder_builds_on_another_folder(tmp_path: Path) -> None:
    a_folder(tmp_path / "under", KEYWORDS, tighten={"R39": "must"}, off={"R37": "Not here."})
    second = KEYWORDS | {"id": "TOP-credit", "path": "creditText"}
    top = in_folder(a_folder(tmp_path / "top", second, extends=["../under"], prefix="TOP"))
    crate = examples.request()
    del entity(crate, examples.PERSON)["memberOf"]  # R37
    del entity(crate, examples.PROJECT)["identifier"]
    report = check(crate, profile_id=top)
    assert rules(report) == {"OWN-keywords", "TOP-credit", "R39"}
    assert not report.conforms


def test_a_tightened_should_is_a_must_and_says_what_it_was(tmp_path: Path) -> None:
    layer = in_folder(a_folder(tmp_path / "layer", tighten={"R39": "must"}))
    crate = examples.request()
    del entity(crate, examples.PROJECT)["identifier"]
    assert check(crate).conforms
    report = check(crate, profile_id=layer)
    assert [(finding.rule, finding.level) for finding in report.findings] == [("R39", "must")]
    assert layer.tightened == {"R39": ("should", "It is.")}
    assert next(rule.level for rule in profile(FIVE_SAFES).rules if rule.id == "R39") == "should"


def test_a_rule_that_is_switched_off_is_not_asked_and_keeps_its_reason(tmp_path: Path) -> None:
    layer = in_folder(a_folder(tmp_path / "layer", off={"R37": "Members are listed elsewhere."}))
    crate = examples.request()
    del entity(crate, examples.PERSON)["memberOf"]
    assert rules(check(crate)) == {"R37"}
    assert rules(check(crate, profile_id=layer)) == set()
    assert layer.off == {"R37": "Members are listed elsewhere."}


def test_what_the_crate_claims_besides_is_asked_all_the_same_and_once(tmp_path: Path) -> None:
    layer = in_folder(a_folder(tmp_path / "layer", tighten={"RC-license/described": "must"}))
    crate = examples.published()
    entity(crate, "./")["conformsTo"] = [
        {"@id": FIVE_SAFES},
        {"@id": "https://w3id.org/ro/wfrun/process/0.5"},
    ]
    crate["@graph"].remove(entity(crate, examples.LICENCE))
    found = [f for f in check(crate, profile_id=layer).findings if f.part == "RC-license/described"]
    assert [f.level for f in found] == ["must"]


def test_rules_of_a_layer_hold_at_the_stages_they_name(tmp_path: Path) -> None:
    rule = KEYWORDS | {"stages": ["after-run", "late"]}
    layer = in_folder(a_folder(tmp_path / "layer", rule, stages={"late": ["refused"]}))
    broken = {name for name in STAGES if rules(check(examples.BY_STAGE[name](), profile_id=layer))}
    assert broken == {"executed", "disclosed", "withheld", "published", "received", "refused"}


def test_a_layer_on_the_draft_tells_its_representations_apart(tmp_path: Path) -> None:
    layer = in_folder(a_folder(tmp_path / "layer", KEYWORDS | {"stages": "snapshot"}, extends=[FIVE_SAFES_DRAFT]))
    assert tuple(layer.by_stage) == tuple(profile(FIVE_SAFES_DRAFT).by_stage)
    assert "OWN-keywords" in {rule.id for rule in layer.at("snapshot")}
    assert "OWN-keywords" not in {rule.id for rule in layer.at("working-record")}


def test_names_for_selections_are_inherited(tmp_path: Path) -> None:
    layer = in_folder(a_folder(tmp_path / "layer", KEYWORDS | {"select": "project", "path": "funder"}))
    report = check(examples.request(), profile_id=layer)
    assert [(f.rule, f.entity) for f in report.findings] == [("OWN-keywords", examples.PROJECT)]


def test_of_two_ways_to_one_rule_the_more_binding_counts(tmp_path: Path) -> None:
    a_folder(tmp_path / "strict", tighten={"R39": "must"})
    for extends in (["../strict", FIVE_SAFES], [FIVE_SAFES, "../strict"]):
        layer = in_folder(a_folder(tmp_path / f"both{len(extends[0])}", extends=extends))
        assert [rule.level for rule in layer.rules if rule.id == "R39"] == ["must"]
        assert len(layer.rules) == len(profile(FIVE_SAFES).rules)


def test_a_folder_that_two_build_on_is_one(tmp_path: Path) -> None:
    a_folder(tmp_path / "under", KEYWORDS)
    a_folder(tmp_path / "left", extends=["../under"], prefix="LEFT")
    a_folder(tmp_path / "right", extends=["../under"], prefix="RIGHT")
    layer = in_folder(a_folder(tmp_path / "top", extends=["../left", "../right"], prefix="TOP"))
    assert [rule.id for rule in layer.rules].count("OWN-keywords") == 1


def test_a_profile_is_named_by_its_iri_or_its_folder(tmp_path: Path) -> None:
    place = a_folder(tmp_path / "layer", KEYWORDS)
    assert named(str(place)).id == "https://example.org/layer"
    assert named(FIVE_SAFES) is profile(FIVE_SAFES)
    assert named(str(folder(FIVE_SAFES))) is profile(FIVE_SAFES)  # whose Python is Cinque's own
    crate = tmp_path / "ro-crate-metadata.json"
    crate.write_bytes(Path(str(folder(FIVE_SAFES))).joinpath("examples/request.json").read_bytes())
    assert examine(crate, profile_id=named(str(place))).profile == "https://example.org/layer"


# -------------------------------------------------------------------------------------------- what a layer may not do

Make = Callable[[Path], Path]
UNKNOWN_WORD = KEYWORDS | {"minimum": 1}
REFUSED: dict[str, tuple[str, Make, str]] = {
    "a MUST switched off": ("profile-off-must", lambda p: a_folder(p, off={"R36": "No project."}), "never"),
    "a MUST switched off after it was tightened": (
        "profile-off-must",
        lambda p: a_folder(p, off={"R39": "No."}, extends=[str(a_folder(p.parent / "under", tighten={"R39": "must"}))]),
        "R39 is a MUST",
    ),
    "tightened and switched off": (
        "profile-rule-twice",
        lambda p: a_folder(p, tighten={"R38": "should"}, off={"R38": "No."}),
        "both",
    ),
    "a MUST loosened": ("profile-loosens", lambda p: a_folder(p, tighten={"R36": "should"}), "MUST already"),
    "a SHOULD tightened to what it is": ("profile-loosens", lambda p: a_folder(p, tighten={"R39": "should"}), "SHOULD"),
    "a rule that is not inherited": ("profile-rule-unknown", lambda p: a_folder(p, off={"R999": "No."}), "R999"),
    "an id that is inherited": ("profile-rule-twice", lambda p: a_folder(p, KEYWORDS | {"id": "R39"}), "inherited"),
    "an id twice": ("profile-rule-twice", lambda p: a_folder(p, KEYWORDS, KEYWORDS), "there twice"),
    "an id of two others": (
        "profile-rule-twice",
        lambda p: a_folder(
            p,
            extends=[str(a_folder(p.parent / "a", KEYWORDS)), str(a_folder(p.parent / "b", KEYWORDS))],
            prefix="TOP",
        ),
        "two of the profiles",
    ),
    "an id without the prefix": ("profile-prefix", lambda p: a_folder(p, KEYWORDS | {"id": "keywords"}), "OWN-"),
    "a prefix that is taken": ("profile-prefix", lambda p: a_folder(p, prefix="RC"), "RC is taken"),
    "a stage that is none": (
        "profile-stage-unknown",
        lambda p: a_folder(p, KEYWORDS | {"stages": ["done"]}),
        "line 2: rule OWN-keywords: no stage",
    ),
    "a group of stages that are none": (
        "profile-stage-unknown",
        lambda p: a_folder(p, stages={"late": ["done"]}),
        "`late`",
    ),
    "Python": ("profile-python", lambda p: a_folder(p, files={"checks.py": "raise SystemExit(99)"}), "holds Python"),
    "a rule that names Python": (
        "profile-python",
        lambda p: a_folder(p, {k: v for k, v in KEYWORDS.items() if k not in DEMAND | {"select"}} | {"check": "leak"}),
        "Python check",
    ),
    "stages of its own": ("profile-python", lambda p: a_folder(p, kinds=["a", "b"]), "needs Python"),
    "itself underneath": ("profile-circle", lambda p: a_folder(p, extends=["."]), "builds on itself"),
    "a circle": (
        "profile-circle",
        lambda p: a_folder(p, extends=[str(a_folder(p.parent / "other", extends=[f"../{p.name}"]))]),
        "builds on itself",
    ),
    "a base that is nowhere": ("profile-unknown", lambda p: a_folder(p, extends=["../nowhere"]), "nowhere"),
    "a base of another's": ("profile-unknown", lambda p: a_folder(p, extends=["https://example.org/x"]), "example.org"),
    "an id of another's": ("profile-id-taken", lambda p: a_folder(p, id=RO_CRATE), "another profile"),
    "bases that know other stages": (
        "profile-stages-differ",
        lambda p: a_folder(p, extends=[FIVE_SAFES, FIVE_SAFES_DRAFT]),
        "different stages",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_layer_may_not_do_is_refused_in_words(what: str, tmp_path: Path) -> None:
    code, make, said = REFUSED[what]
    with pytest.raises(Refused) as refusal:
        in_folder(make(tmp_path / "layer"))
    assert refusal.value.code == code
    assert said in refusal.value.sentence
    assert refusal.value.remedy


@pytest.mark.parametrize("rule", [rule.id for rule in profile(FIVE_SAFES).rules if rule.level == "must"])
def test_no_must_at_all_can_be_switched_off(rule: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="never switches off a MUST"):
        in_folder(a_folder(tmp_path / "layer", off={rule: "We would rather not."}))


@pytest.mark.parametrize("rule", [rule.id for rule in profile(FIVE_SAFES).rules if rule.level != "must"])
def test_every_should_and_may_can_be_switched_off(rule: str, tmp_path: Path) -> None:
    layer = in_folder(a_folder(tmp_path / "layer", off={rule: "Not here."}))
    assert {r.id for r in profile(FIVE_SAFES).rules} - {r.id for r in layer.rules} == {rule}


def test_python_beside_a_profile_is_never_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    code = f"from pathlib import Path\nPath({str(trace)!r}).touch()\n"
    names = ("checks.py", "__init__.py", "kinds.py")
    place = a_folder(tmp_path / "layer", files=dict.fromkeys(names, code))
    with pytest.raises(Refused, match="runs no Python"):
        named(str(place))
    assert not trace.exists()


def test_a_copy_of_a_shipped_profile_elsewhere_is_a_strangers(tmp_path: Path) -> None:
    shutil.copytree(str(folder(RO_CRATE)), tmp_path / "copy")
    with pytest.raises(Refused, match="holds Python"):
        in_folder(tmp_path / "copy")


# ------------------------------------------------------------------------------------------------- what is not written

UNREADABLE: dict[str, tuple[Make, str]] = {
    "no TOML": (lambda p: a_folder(p, files={"rules.toml": "[[rule]]\nid = \n"}), r"rules\.toml.*no TOML.*line 2"),
    "no UTF-8": (lambda p: _bytes(p, b"name = '\xff'"), r"profile\.toml"),
    "too deep": (lambda p: a_folder(p, files={"rules.toml": "a = " + "[" * 5000}), "no TOML"),
    "a number too long": (lambda p: a_folder(p, files={"rules.toml": "a = " + "9" * 9000}), "no TOML"),
    "no rules.toml": (lambda p: _without(p, "rules.toml"), r"rules\.toml"),
    "a word of a rule": (lambda p: a_folder(p, UNKNOWN_WORD), r"line 2.*OWN-keywords.*no word `minimum`"),
    "a word of a profile": (lambda p: a_folder(p, nmae="x"), "no word `nmae`"),
    "a word of a change": (lambda p: a_folder(p, files={"rules.toml": "[[off]]\nrule = 'R37'\n"}), "line 1.*`reason`"),
    "a table that is none": (lambda p: a_folder(p, files={"rules.toml": "[[rules]]\n"}), "no word `rules`"),
    "no id": (lambda p: a_folder(p, id=None), "needs `id`"),
    "an id that is no IRI": (lambda p: a_folder(p, id="mine"), "absolute IRI"),
    "a level": (lambda p: a_folder(p, KEYWORDS | {"level": "MUST"}), "must, should, may"),
    "no message": (lambda p: a_folder(p, KEYWORDS | {"message": " "}), "says nothing"),
    "a selection that is none": (lambda p: a_folder(p, KEYWORDS | {"select": "nobody"}), "called `nobody`"),
    "a selection of everything": (lambda p: a_folder(p, KEYWORDS | {"select": {"conformsTo": "x"}}), "needs `root`"),
    "no demand": (lambda p: a_folder(p, {k: v for k, v in KEYWORDS.items() if k not in DEMAND}), "nothing"),
    "a demand that is none": (lambda p: a_folder(p, KEYWORDS | {"min": 0}), "from 1 on"),
    "a path alone": (lambda p: a_folder(p, KEYWORDS | {"min": None}), "nothing is said"),
    "a path": (lambda p: a_folder(p, KEYWORDS | {"path": "a//b"}), "a path"),
    "a word without a path": (lambda p: a_folder(p, KEYWORDS | {"path": None}), "needs a path"),
    "a pattern": (lambda p: a_folder(p, KEYWORDS | {"pattern": "("}), "regular expression"),
    "a pattern that looks ahead": (lambda p: a_folder(p, KEYWORDS | {"pattern": "a(?=b)"}), "looks ahead"),
    "a pattern that never ends": (lambda p: a_folder(p, KEYWORDS | {"pattern": "^(a+)+$"}), "hours"),
    "demands too deep": (lambda p: a_folder(p, KEYWORDS | {"not": _deep(40)}), "more than 8 deep"),
    "a datatype": (lambda p: a_folder(p, KEYWORDS | {"datatype": "date"}), "one of text"),
}


def _deep(levels: int) -> dict[str, Any]:
    return {"path": "name", "min": 1} if levels == 0 else {"not": _deep(levels - 1)}


def _bytes(place: Path, head: bytes) -> Path:
    a_folder(place)
    (place / "profile.toml").write_bytes(head)
    return place


def _without(place: Path, name: str) -> Path:
    (a_folder(place) / name).unlink()
    return place


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_is_not_written_well_is_refused_with_file_line_and_meaning(what: str, tmp_path: Path) -> None:
    make, said = UNREADABLE[what]
    with pytest.raises(Unreadable, match=said) as refusal:
        in_folder(make(tmp_path / "layer"))
    assert refusal.value.code == "profile-unreadable"
    assert refusal.value.remedy


@pytest.mark.parametrize("text", ["https://example.org/none", "nowhere", "", "a\0b", "x" * 5000])
def test_a_profile_that_is_nowhere_is_not_found(text: str) -> None:
    with pytest.raises(NotFound, match="neither installed nor a folder"):
        named(text)


@pytest.mark.parametrize(
    ("pattern", "good"),
    [
        ("^(a|b)+$", True),
        (r"^\d{4}(-\d\d)?$", True),
        (r"[(*+)]+x*", True),
        (r"\(a+\)+", True),
        ("(a*)*", False),
        ("((ab)+c)+", False),
        ("(a+){2,}", False),
        ("(?:x*y)*", False),
        (r"(a)\1", False),
        ("(?i)a", False),
    ],
)
def test_a_pattern_that_could_run_for_hours_or_not_everywhere_is_refused(pattern: str, good: bool) -> None:
    rule = KEYWORDS | {"pattern": pattern}
    if good:
        check_rule(rule, {})
    else:
        with pytest.raises(ValueError, match="pattern"):
            check_rule(rule, {})


# -------------------------------------------------------------------------------------------- whatever stands in a file

WORDS = [*DEMAND, "select", "when", "root", "linked", "id", "level", "stages", "message", "remedy", "rule", "reason"]
PATHS = ["name", "^agent", "mentions/agent+", "hasPart*", "@id", "a//b", "^", "+", ""]
leaves = (
    st.booleans()
    | st.integers(-2, 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=6)
    | st.sampled_from(
        [*PATHS, "root", "run", "File", "must", "should", "text", "reference", "(a+)+", "[", "R37", "R36"]
    )
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text("ab", max_size=2), inner)
    ),
    max_leaves=8,
)
paths = st.sampled_from(["name", "^agent", "mentions/agent+", "hasPart*", "@id", "mainEntity/^instrument/result"])
names = st.sampled_from(["File", "Person", "name", "result", "http://schema.org/CompletedActionStatus"])
listed = names | st.lists(names, min_size=1, max_size=2)
linked = st.fixed_dictionaries(
    {"linked": paths}, optional={"type": listed, "conformsTo": names, "additionalType": names}
)
selections = st.sampled_from(["root", "run", "project"]) | linked
ON_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "min": st.integers(1, 2),
    "max": st.integers(0, 2),
    "pattern": st.sampled_from([r"\S", "^#", "(a|b)?"]),
    "datatype": st.sampled_from(["text", "number", "integer", "boolean"]),
    "node": st.sampled_from(["reference", "literal"]),
    "described": st.just(True),
    "in": st.lists(names, min_size=1, max_size=2),
    **dict.fromkeys(("type", "some", "value"), listed),
    **dict.fromkeys(("equals", "disjoint", "before"), st.sampled_from(["name", "result", "endTime"])),
}
demands = st.recursive(
    st.fixed_dictionaries({"path": paths}, optional=ON_VALUES).filter(lambda words: len(words) > 1),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "any": st.lists(inner, min_size=1, max_size=2),
            "all": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    ).filter(bool),
    max_leaves=3,
)


@st.composite
def rules_of_any_kind(draw: st.DrawFn) -> dict[str, Any]:
    """A rule that is well written, and at times spoilt at a word."""
    rule = KEYWORDS | {"id": f"OWN-{draw(st.integers(0, 9))}", "select": draw(selections)} | {"path": None, "min": None}
    rule |= draw(demands)
    if draw(st.booleans()):
        rule["when"] = draw(demands)
    if draw(st.booleans()):
        rule["stages"] = draw(st.lists(st.sampled_from(["request", "after-run", "all"]), min_size=1, max_size=2))
    if draw(st.integers(0, 3)) == 3:
        rule[draw(st.sampled_from([*WORDS, "needs", "check", "property"]))] = draw(values)
    return rule


changes = st.fixed_dictionaries({"rule": st.sampled_from(["R37", "R39", "R8", "R38"]), "reason": st.just("So.")})
rule_files = st.fixed_dictionaries(
    {},
    optional={
        "rule": st.lists(rules_of_any_kind(), max_size=2),
        "tighten": st.lists(changes.map(lambda change: change | {"level": "must"}), max_size=1),
        "off": st.lists(changes, max_size=2),
    },
) | st.dictionaries(st.sampled_from(["rule", "tighten", "off", "more"]), values)


@st.composite
def heads(draw: st.DrawFn) -> dict[str, Any]:
    """A profile.toml, at times spoilt at a word."""
    head: dict[str, Any] = {"id": "https://example.org/x", "name": "x", "extends": [FIVE_SAFES]}
    if draw(st.booleans()):
        head["select"] = draw(st.dictionaries(st.sampled_from(["run", "mine"]), linked))
    if draw(st.integers(0, 3)) == 3:
        head[draw(st.sampled_from(["id", "name", "extends", "prefix", "select", "stages", "kinds", "unruled"]))] = draw(
            values
        )
    return head


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(heads(), rule_files)
def test_whatever_tables_a_folder_holds_it_is_read_or_refused(head: dict[str, Any], written: dict[str, Any]) -> None:
    _read_or_refused(toml(head), toml(written))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(rules_of_any_kind(), min_size=1, max_size=2))
def test_whatever_rules_a_folder_holds_they_judge_or_are_refused(written: list[dict[str, Any]]) -> None:
    _read_or_refused(
        toml({"id": "https://example.org/x", "name": "x", "extends": [FIVE_SAFES]}), toml({"rule": written})
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_bytes_a_folder_holds_it_is_read_or_refused(data: bytes) -> None:
    _read_or_refused('id = "https://example.org/x"\nname = "x"\n', data)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.fixed_dictionaries(
            {"rule": st.just("OWN-keywords") | values, "of": st.just("request") | values},
            optional={
                "also": values,
                "lose": values | st.just(["./"]),
                "drop": values | st.just({"./": ["name"]}),
                "unlink": values,
                "set": values | st.dictionaries(st.just("./"), st.dictionaries(st.just("@graph"), values)),
                "add": values | st.lists(st.dictionaries(st.sampled_from(["@id", "@type", "x"]), values), max_size=2),
                "document": values | st.dictionaries(st.just("@graph"), values),
                "files": values,
                "remove": values | st.just(["bagit.txt"]),
            },
        ),
        max_size=2,
    )
)
def test_whatever_mutants_a_folder_holds_they_are_tried_or_refused(written: list[dict[str, Any]]) -> None:
    crate = Path(str(folder(FIVE_SAFES))).joinpath("examples/request.json").read_text()
    with tempfile.TemporaryDirectory() as place:
        files = {"examples/request.json": crate, "examples/mutants.toml": toml({"mutant": written})}
        layer = in_folder(a_folder(Path(place) / "layer", KEYWORDS, files=files))
        with suppress(Unreadable):
            assert not try_profile(layer).passed


def _read_or_refused(head: str, rules_file: str | bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "profile.toml").write_text(head, "utf-8")
        (Path(place) / "rules.toml").write_bytes(
            rules_file if isinstance(rules_file, bytes) else rules_file.encode("utf-8")
        )
        with suppress(Refused, Unreadable):
            made = in_folder(Path(place))
            for name in ("request", "published"):
                check(examples.BY_STAGE[name](), profile_id=made)
            assert markdown(made)
            assert html_page(made)
            assert compare(made, made) == []
