"""Reading the TRE's folder: a good one whole, a bad one not at all, every mistake with file, line and meaning."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.crate.cards import issue_card
from cinque.crate.keys import key_id
from cinque.enclave.declared import Mistake
from cinque.enclave.folder import FolderMistakes, Say, Watcher, compose, read_folder
from cinque.errors import CinqueError, Refused
from cinque.sdc.presets import appetite_from
from tests.builders import a_person, a_tre
from tests.enclave.folders import (
    AGREEMENTS,
    ANALYSES,
    APPETITE,
    BEN_ID,
    DATASET,
    PEOPLE,
    PROJECTS,
    TRE,
    some_files,
    write,
)

ADA = a_person().card


def said(**changes: str | bytes | None) -> Say:
    return compose(some_files(**changes), ANALYSES)


def mistakes(**changes: str | bytes | None) -> tuple[Mistake, ...]:
    with pytest.raises(FolderMistakes) as caught:
        said(**changes)
    assert caught.value.code == "folder-mistakes"
    return caught.value.mistakes


# ------------------------------------------------------------------------------------------------------- a good folder
def test_a_good_folder_is_read_whole(tmp_path: Path) -> None:
    say = read_folder(write(tmp_path, some_files()), ANALYSES)
    assert say.tre.title == "The North TRE"
    assert say.appetite == appetite_from("acro-default")
    assert [person.name for person in say.people] == ["Ada Example", "Ben Example"]
    assert say.card_by_key(a_person().key.id) == say.card_of(ADA.id) == ADA
    assert say.opens_for(ADA.id) == (ADA.open,)
    assert say.dataset("demo").unit == "person_id"
    assert say.knows_tre(a_tre("south").card.id)
    assert say.tres.tre(a_tre().card.id) == a_tre().card
    assert not say.knows_tre(a_tre("west").card.id)


def test_the_digest_is_over_the_sorted_digests_of_the_files() -> None:
    files = some_files()
    lines = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    assert compose(files, ANALYSES).digest == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize("name", sorted(some_files()))
def test_the_digest_changes_with_any_byte_of_any_file(name: str) -> None:
    files = some_files()
    files[name] += b"\n"
    if name.endswith(".json"):
        with pytest.raises(FolderMistakes):  # a card has one form
            compose(files, ANALYSES)
    else:
        assert compose(files, ANALYSES).digest != compose(some_files(), ANALYSES).digest


def test_what_else_lies_in_the_folder_says_nothing(tmp_path: Path) -> None:
    digest = read_folder(write(tmp_path, some_files()), ANALYSES).digest
    write(tmp_path, {"data/demo.csv": b"a\n", "README.md": b"", ".git/config.toml": b"x", "people/ada.card.json~": b""})
    assert read_folder(tmp_path, ANALYSES).digest == digest


def test_agreements_may_stand_in_files_of_their_own() -> None:
    more = AGREEMENTS.replace('"counts"', '"more"')
    assert [a.id for a in said(agreements__more_toml=more).agreements] == ["counts", "more"]


def test_an_own_appetite() -> None:
    assert said(appetite_toml="threshold = 3\n").appetite.threshold == 3


def test_a_card_is_found_only_by_the_key_that_signs() -> None:
    for key in (key_id("X25519", ADA.open), key_id("Ed25519", ADA.call), a_person("Cy Else").key.id):
        with pytest.raises(Refused) as caught:
            said().card_by_key(key)
        assert caught.value.code == "unknown-signer"


# ------------------------------------------------------------------------------------------------------- revocation
def revoked(what: str, id: str) -> str:
    return f'[[revoked]]\nwhat = "{what}"\nid = "{id}"\non = 2026-11-01\nreason = "Left."\n'


def test_a_revoked_person_gets_nothing_sealed() -> None:
    say = said(revoked_toml=revoked("person", ADA.id))
    assert say.person(ADA.id).revoked
    assert not say.person(BEN_ID).revoked
    assert say.opens_for(ADA.id) == ()
    assert say.opens_for(BEN_ID) != ()
    assert said().opens_for("nobody") == ()


def test_revoked_in_place_is_as_good() -> None:
    people = PEOPLE.replace("training_until", "revoked = true\ntraining_until")
    assert said(people_toml=people).opens_for(ADA.id) == ()


@pytest.mark.parametrize("key", [key_id("X25519", ADA.open), key_id("Ed25519", ADA.sign), key_id("Ed25519", ADA.call)])
def test_with_one_key_revoked_none_is_used(key: str) -> None:
    assert said(revoked_toml=revoked("key", key)).opens_for(ADA.id) == ()


def test_a_revoked_tre_is_no_member() -> None:
    say = said(revoked_toml=revoked("tre", a_tre("south").card.id))
    assert not say.knows_tre(a_tre("south").card.id)
    assert say.knows_tre(a_tre().card.id)


def test_projects_and_agreements_are_revoked() -> None:
    both = revoked("project", "diabetes-study") + revoked("agreement", "counts")
    say = said(revoked_toml=both)
    assert say.projects[0].revoked
    assert say.agreements[0].revoked


# --------------------------------------------------------------------------------------------------------- mistakes
def other_card() -> bytes:
    card = replace(ADA, name="Ada Exemple")
    return issue_card(card, a_person().key)


def altered(card: bytes) -> bytes:
    envelope = json.loads(card)
    signature = envelope["signatures"][0]
    signature["sig"] = signature["sig"][::-1].replace("=", "") if "=" not in signature["sig"] else "A" * 86 + "=="
    return json.dumps(envelope).encode()


TABLE: dict[str, tuple[dict[str, str | bytes | None], str, int, str, str]] = {
    # what: (changed files, file, line, part of the sentence, part of the remedy)
    "no TOML": (
        {"projects_toml": PROJECTS + "\nvalid = \n"},
        *("projects.toml", 10, "not TOML", "`key = value`"),
    ),
    "no end": ({"people_toml": PEOPLE + 'x = ["a",\n'}, "people.toml", 12, "not TOML", ""),
    "a key twice": ({"tre_toml": TRE + 'name = "x"\n'}, "tre.toml", 3, "not TOML", ""),
    "not UTF-8": ({"tre_toml": b"# ok\n# \xff\n"}, "tre.toml", 2, "not UTF-8", "UTF-8"),
    "missing file": ({"tre_toml": None}, "tre.toml", 1, "missing", "`name`"),
    "no appetite": ({"appetite_toml": None}, "appetite.toml", 1, "missing", "acro-default"),
    "misspelt file": ({"revokd_toml": ""}, "revokd.toml", 1, "no meaning", "revoked.toml"),
    "misspelt key": (
        {"agreements_toml": AGREEMENTS.replace("lawful_basis", "lawfull_basis")},
        *("agreements.toml", 8, "`lawfull_basis` is not a field of an agreement", "`lawful_basis`"),
    ),
    "misspelt entry": (
        {"people_toml": PEOPLE.replace("[[person]]", "[[persons]]")},
        *("people.toml", 1, "`persons` does not belong", "`[[person]]`"),
    ),
    "one entry, not a list": (
        {"projects_toml": PROJECTS.replace("[[project]]", "[project]")},
        *("projects.toml", 1, "not a list", "`[[project]]`"),
    ),
    "missing key": (
        {"agreements_toml": AGREEMENTS.replace("valid_until = 2026-12-31\n", "")},
        *("agreements.toml", 1, "`valid_until` is missing", ""),
    ),
    "text for a date": (
        {"people_toml": PEOPLE.replace("2027-06-30", '"next year"')},
        *("people.toml", 5, "`training_until` of a person must be a date", ""),
    ),
    "date and time": (
        {"people_toml": PEOPLE.replace("2027-06-30", "2027-06-30T10:00:00")},
        *("people.toml", 5, "must be a date", ""),
    ),
    "time of day": (
        {"people_toml": PEOPLE.replace("2027-06-30", "10:00:00")},
        *("people.toml", 5, "`training_until` is a time of day", ""),
    ),
    "no number": (
        {"datasets__demo_toml": DATASET + "precision = nan\n"},
        *("datasets/demo.toml", 22, "no finite number", ""),
    ),
    "unknown choice": (
        {"agreements_toml": AGREEMENTS.replace('release = "automatic"', 'release = "never"')},
        *("agreements.toml", 12, "`release` of an agreement must be `automatic` or `person`", ""),
    ),
    "unknown role": (
        {"people_toml": PEOPLE.replace('"checker"', '"boss"')},
        *("people.toml", 11, "`roles` of a person must be `researcher`, `operator` or `checker`", ""),
    ),
    "no list": (
        {"agreements_toml": AGREEMENTS.replace('["demo"]', '"demo"')},
        *("agreements.toml", 5, "must be a list", ""),
    ),
    "a column's type": (
        {"datasets__demo_toml": DATASET.replace('"text"', '"string"')},
        *("datasets/demo.toml", 16, "`type` of a dataset must be `integer`", ""),
    ),
    "a column's misspelt key": (
        {"datasets__demo_toml": DATASET.replace("levels", "level")},
        *("datasets/demo.toml", 17, "`level` is not a field", "`levels`"),
    ),
    "unknown preset": (
        {"appetite_toml": '# ours\npreset = "acro-defualt"\n'},
        *("appetite.toml", 2, "`acro-defualt`", "`acro-default`"),
    ),
    "preset and numbers": (
        {"appetite_toml": APPETITE + "threshold = 3\n"},
        *("appetite.toml", 1, "stands alone", ""),
    ),
    "appetite's form": ({"appetite_toml": 'threshold = "10"\n'}, "appetite.toml", 1, "`threshold`", ""),
    "a TRE's name": ({"tre_toml": TRE.replace('"north"', '"North!"')}, "tre.toml", 1, "`name`", ""),
    "a TRE's ROR": ({"tre_toml": TRE + 'ror = "ror:1"\n'}, "tre.toml", 3, "`ror`", ""),
    # one declaration against another
    "unknown person": (
        {"projects_toml": PROJECTS.replace(ADA.id, ADA.id[:-1] + "8")},
        *("projects.toml", 5, "a person that people.toml does not know", f"`{ADA.id}`"),
    ),
    "unknown project": (
        {"agreements_toml": AGREEMENTS.replace("diabetes-study", "diabetis-study")},
        *("agreements.toml", 4, "unknown project: `diabetis-study`", "`diabetes-study`"),
    ),
    "unknown dataset": (
        {"agreements_toml": AGREEMENTS.replace('["demo"]', '["demo", "dem"]')},
        *("agreements.toml", 5, "unknown dataset: `dem`", "`demo`"),
    ),
    "unknown analysis": (
        {"agreements_toml": AGREEMENTS.replace('["count"]', '[\n  "table",\n  "cuont",\n]')},
        *("agreements.toml", 8, "not installed: `cuont`", "`count`"),
    ),
    "an analysis's form": (
        {"agreements_toml": AGREEMENTS.replace('["count"]', '["count@1.0.0 sha256:12"]')},
        *("agreements.toml", 6, "in no form that is known", "64 digits"),
    ),
    "unknown column": (
        {"agreements_toml": AGREEMENTS.replace('"age"', '"aeg"')},
        *("agreements.toml", 7, "none of its datasets has: `aeg`", "`age`"),
    ),
    "identifying column": (
        {"agreements_toml": AGREEMENTS.replace('"age"', '"person_id"')},
        *("agreements.toml", 7, "`person_id`, which identifies people", ""),
    ),
    "nothing permitted": (
        {"agreements_toml": AGREEMENTS.replace('["count"]', "[]")},
        *("agreements.toml", 6, "empty list of analyses", ""),
    ),
    "no round": (
        {"agreements_toml": AGREEMENTS + "max_rounds = 0\n"},
        *("agreements.toml", 13, "no round", ""),
    ),
    "dates reversed": (
        {"agreements_toml": AGREEMENTS.replace("2026-12-31", "2025-12-31")},
        *("agreements.toml", 10, "ends (2025-12-31) before it begins (2026-01-01)", ""),
    ),
    "a project's dates reversed": (
        {"projects_toml": PROJECTS.replace("2027-12-31", "2025-12-31")},
        *("projects.toml", 8, "before it begins", ""),
    ),
    "declared twice": (
        {"agreements__more_toml": AGREEMENTS},
        *("agreements/more.toml", 2, "`counts` is declared twice, before at agreements.toml:1", ""),
    ),
    "a dataset twice": (
        {"datasets__other_toml": DATASET},
        *("datasets/other.toml", 1, "`demo` is declared twice, before at datasets/demo.toml:1", ""),
    ),
    "invisible text": (
        {"agreements_toml": AGREEMENTS.replace("UK GDPR", "UK\\u202eGDPR")},
        *("agreements.toml", 8, "`lawful_basis`", ""),
    ),
    "no basis": (
        {"agreements_toml": AGREEMENTS.replace("UK GDPR 6(1)(e)", "")},
        *("agreements.toml", 8, "`lawful_basis` is empty", ""),
    ),
    "no role": (
        {"people_toml": PEOPLE.replace('["operator", "checker"]', "[]")},
        *("people.toml", 11, "no role", ""),
    ),
    "unit undeclared": (
        {"datasets__demo_toml": DATASET.replace('unit = "person_id"', 'unit = "personid"')},
        *("datasets/demo.toml", 4, "`personid`, which is not declared", "`person_id`"),
    ),
    "unit not identifying": (
        {"datasets__demo_toml": DATASET.replace("identifying = true", "")},
        *("datasets/demo.toml", 9, "single out one person", "identifying = true"),
    ),
    "a level twice": (
        {"datasets__demo_toml": DATASET.replace('["F", "M"]', '["F", "F"]')},
        *("datasets/demo.toml", 17, "the level `F` twice", ""),
    ),
    "a number's levels": (
        {"datasets__demo_toml": DATASET.replace('"text"', '"number"')},
        *("datasets/demo.toml", 17, "is a number and has levels", ""),
    ),
    "a column twice": (
        {"datasets__demo_toml": DATASET + '[[columns]]\nname = "Sex"\ntype = "text"\n'},
        *("datasets/demo.toml", 22, "`Sex` is declared twice", ""),
    ),
    "two sources": (
        {"datasets__demo_toml": DATASET.replace("[source]", '[source]\ndatabase = "x.duckdb"')},
        *("datasets/demo.toml", 6, "not exactly one place", ""),
    ),
    "no source": (
        {"datasets__demo_toml": DATASET.replace('file = "data/demo.csv"', "")},
        *("datasets/demo.toml", 6, "not exactly one place", ""),
    ),
    "a table too few": (
        {"datasets__demo_toml": DATASET.replace('file = "data/demo.csv"', 'database = "x.duckdb"')},
        *("datasets/demo.toml", 6, "A `table` is named", ""),
    ),
    "no columns": (
        {
            "datasets__demo_toml": 'id = "demo"\nrelease = "1"\ncolumns = []\nsource = { file = "a.csv" }\n',
            "agreements_toml": AGREEMENTS.replace('columns = ["sex", "age"]\n', ""),
        },
        *("datasets/demo.toml", 3, "no column", ""),
    ),
    # cards
    "card not there": (
        {"people_toml": PEOPLE.replace("ada.card.json", "aad.card.json")},
        *("people.toml", 4, "no card `people/aad.card.json`", "`people/ada.card.json`"),
    ),
    "card outside": (
        {"people_toml": PEOPLE.replace("people/ada.card.json", "members/north.card.json")},
        *("people.toml", 4, "no card", ""),
    ),
    "card of a TRE": (
        {"people__ada_card_json": a_tre().envelope},
        *("people.toml", 4, "not the card of a person", ""),
    ),
    "card altered": (
        {"people__ada_card_json": altered(a_person().envelope)},
        *("people.toml", 4, "cannot be relied on", ""),
    ),
    "card of somebody else": (
        {"people__ada_card_json": a_person("Ada Example", BEN_ID.replace("10", "11")).envelope},
        *("people.toml", 2, "The id is", "fingerprint"),
    ),
    "card of another name": (
        {"people__ada_card_json": other_card()},
        *("people.toml", 3, "on the card `people/ada.card.json` it is `Ada Exemple`", ""),
    ),
    "a key of two people": (
        {"people__ben_card_json": issue_card(replace(ADA, id=BEN_ID, name="Ben Example"), a_person().key)},
        *("people.toml", 10, "also on the card of", ""),
    ),
    "a member that is none": (
        {"members__ada_card_json": a_person().envelope},
        *("members/ada.card.json", 1, "not the card of a TRE", ""),
    ),
    "a member twice": (
        {"members__same_card_json": a_tre().envelope},
        *("members/same.card.json", 1, "Two cards have the same", ""),
    ),
    "a member's card altered": (
        {"members__south_card_json": altered(a_tre("south").envelope)},
        *("members/south.card.json", 1, "", ""),
    ),
    # revocations
    "revoked without reason": (
        {"revoked_toml": '[[revoked]]\nwhat = "person"\nid = "x"\non = 2026-01-01\n'},
        *("revoked.toml", 1, "`reason` is missing in a revocation", ""),
    ),
    "revoked what": (
        {"revoked_toml": revoked("persn", "x")},
        *("revoked.toml", 2, "`what` of a revocation must be `person`, `project`", ""),
    ),
    "revoked analysis": (
        {"revoked_toml": revoked("analysis", "cuont@1.0.0")},
        *("revoked.toml", 3, "No analysis is named `cuont@1.0.0`", "`count`"),
    ),
}


@pytest.mark.parametrize("what", TABLE)
def test_a_mistake_names_file_line_and_what_is_meant(what: str) -> None:
    changes, file, line, sentence, remedy = TABLE[what]
    found = mistakes(**changes)
    assert len(found) == 1, [str(one) for one in found]
    assert (found[0].file, found[0].line) == (file, line)
    assert sentence in found[0].sentence
    assert remedy in found[0].remedy


def test_all_mistakes_are_told_at_once_in_order() -> None:
    found = mistakes(
        agreements_toml=AGREEMENTS.replace("count", "cuont"),
        tre_toml="nam = 1\n",
        people_toml=PEOPLE.replace("Ada Example", "Ada Exampel"),
        revoked_toml="x",
    )
    assert [(one.file, one.line) for one in found] == sorted((one.file, one.line) for one in found)
    assert {one.file for one in found} == {"agreements.toml", "tre.toml", "people.toml", "revoked.toml"}


@pytest.mark.parametrize("broken", ["people_toml", "projects_toml", "datasets__demo_toml"])
def test_a_file_that_is_no_toml_is_one_mistake_not_many(broken: str) -> None:
    assert len(mistakes(**{broken: "= 1\n"})) == 1


def test_a_line_is_not_looked_for_inside_long_text() -> None:
    sql = 'sql = """\nSELECT 1\nunit = "x"\n[[columns]]\n"""\n'
    dataset = DATASET.replace('file = "data/demo.csv"\n', sql).replace('type = "text"', 'type = "string"')
    assert [one.line for one in mistakes(datasets__demo_toml=dataset)] == [20]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderMistakes):
        read_folder(tmp_path / "none", ANALYSES)


def test_a_huge_file_is_refused() -> None:
    assert "larger than 1 MB" in mistakes(tre_toml="#" * (2**20 + 1))[0].sentence


# ------------------------------------------------------------------------------------------------------- any content
KEYS = ["id", "name", "card", "roles", "people", "columns", "levels", "type", "source", "preset", "threshold", "what"]
TABLES = ["person", "project", "agreement", "revoked", "columns", "source"]
SCALARS = [
    "1",
    '"x"',
    "true",
    "2026-01-01",
    "10:00:00",
    "nan",
    "[]",
    "[1, [2]]",
    "{}",
    "{a = 1}",
    "[{}]",
    "1979-05-27T07:32:00Z",
]


@st.composite
def tomls(draw: st.DrawFn) -> str:
    lines = draw(
        st.lists(
            st.one_of(
                st.sampled_from([f"[[{name}]]" for name in TABLES] + [f"[{name}]" for name in TABLES]),
                st.builds("{} = {}".format, st.sampled_from(KEYS), st.sampled_from(SCALARS)),
                st.sampled_from((PEOPLE + PROJECTS + AGREEMENTS + DATASET).split("\n")),
                st.text(max_size=20),
            ),
            max_size=12,
        )
    )
    return "\n".join(lines)


NAMES = st.sampled_from([*some_files(), "revoked.toml", "agreements/more.toml"])


@given(st.dictionaries(NAMES, st.one_of(tomls().map(str.encode), st.binary(max_size=60)), max_size=4))
def test_whatever_stands_in_the_files_it_is_read_or_refused_with_lines(changes: dict[str, bytes]) -> None:
    files = some_files() | changes
    found: tuple[Mistake, ...] | None = None
    try:
        compose(files, ANALYSES)
    except FolderMistakes as error:
        found = error.mistakes
    assert found != ()
    for one in found or ():
        assert 1 <= one.line <= files.get(one.file, b"").count(b"\n") + 1
        assert one.sentence


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 5000, "x = " + "9" * 5000, "x = " + "[" * 400 + "]" * 400, "\x00", "\ufeff"]
)
def test_texts_that_choke_a_parser_are_mistakes(text: str) -> None:
    assert mistakes(people_toml=text)


# ---------------------------------------------------------------------------------------------------------- watching
@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, some_files())


def test_a_change_is_in_force_at_the_next_look(folder: Path) -> None:
    watcher = Watcher(folder, ANALYSES)
    first = watcher.current()
    assert watcher.current() == first
    write(folder, {"revoked.toml": revoked("person", ADA.id).encode()})
    assert watcher.current().opens_for(ADA.id) == ()
    assert watcher.current().digest != first.digest
    (folder / "revoked.toml").unlink()
    assert watcher.current().digest == first.digest


def test_a_file_of_the_same_size_and_time_is_still_seen_to_differ(folder: Path) -> None:
    watcher = Watcher(folder, ANALYSES)
    watcher.current()
    path = folder / "agreements.toml"
    before = path.stat()
    path.write_text(path.read_text().replace('sign_off = "automatic"', 'sign_off = "person"   '))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert watcher.current().agreements[0].sign_off == "person"


def test_a_new_file_in_a_folder_is_seen(folder: Path) -> None:
    watcher = Watcher(folder, ANALYSES)
    watcher.current()
    (folder / "agreements").mkdir()
    assert len(watcher.current().agreements) == 1
    write(folder, {"agreements/more.toml": AGREEMENTS.replace('"counts"', '"more"').encode()})
    assert len(watcher.current().agreements) == 2


def test_with_mistakes_the_last_good_version_stays(folder: Path) -> None:
    watcher = Watcher(folder, ANALYSES)
    first = watcher.current()
    write(folder, {"agreements.toml": b"= 1\n"})
    assert watcher.current() == first
    assert [one.file for one in watcher.mistakes] == ["agreements.toml"]
    write(folder, {"agreements.toml": AGREEMENTS.replace('"3"', '"4"').encode()})
    assert watcher.current().agreements[0].version == "4"
    assert watcher.mistakes == ()


def test_a_folder_that_goes_away_and_comes_back(folder: Path) -> None:
    watcher = Watcher(folder, ANALYSES)
    first = watcher.current()
    moved = folder.rename(folder.with_name("elsewhere"))
    assert watcher.current() == first
    assert watcher.mistakes
    moved.rename(folder)
    assert watcher.current() == first
    assert watcher.mistakes == ()


def test_a_file_that_cannot_be_read_is_looked_for_until_it_can(folder: Path) -> None:
    target = folder.with_name("people elsewhere.toml")
    (folder / "people.toml").rename(target)
    (folder / "people.toml").symlink_to(target)
    watcher = Watcher(folder, ANALYSES)
    watcher.current()
    target.unlink()
    assert len(watcher.current().people) == 2
    assert watcher.mistakes
    target.write_text(PEOPLE.replace("2027-06-30", "2028-06-30"))
    assert str(watcher.current().people[0].training_until) == "2028-06-30"
    assert watcher.mistakes == ()


def test_a_revocation_holds_at_once_though_another_file_has_a_mistake(folder: Path) -> None:
    watcher = Watcher(folder, ANALYSES)
    first = watcher.current()
    write(folder, {"agreements.toml": b"= 1\n", "revoked.toml": revoked("person", ADA.id).encode()})
    now = watcher.current()
    assert now.opens_for(ADA.id) == ()
    assert now.agreements == first.agreements
    assert now.digest != first.digest
    assert watcher.mistakes
    write(folder, {"revoked.toml": b""})  # a mistake elsewhere never gives anything back
    assert watcher.current().opens_for(ADA.id) == ()


def test_there_is_no_watching_without_a_good_version(folder: Path) -> None:
    write(folder, {"tre.toml": b"= 1\n"})
    with pytest.raises(CinqueError) as caught:
        Watcher(folder, ANALYSES)
    assert caught.value.code == "folder-mistakes"
    assert str(folder) not in str(caught.value)
