"""`cinque tre check` in words; warnings; the first files of a TRE's folder and the draft of a dataset."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.crate.cards import issue_card
from cinque.crate.keys import key_id
from cinque.enclave.folder import Say, compose, read_folder
from cinque.enclave.lint import Report, inspect, words
from cinque.enclave.scaffold import declare_csv, write_scaffold
from cinque.errors import Refused, Unreadable
from cinque.sdc import presets
from tests.builders import a_person, a_tre
from tests.enclave.folders import AGREEMENTS, ANALYSES, BEN_ID, DATASET, PEOPLE, PROJECTS, TRE, some_files, write

TODAY = date(2026, 11, 23)
ADA = a_person().card


def north_card() -> bytes:
    """The card of the TRE north, publishing the appetite of the example."""
    card = replace(a_tre().card, appetite=presets.digest(presets.appetite_from("acro-default")))
    return issue_card(card, a_tre().root)


def said(**changes: str | bytes | None) -> Say:
    return compose(some_files(**{"members__north_card_json": north_card(), **changes}), ANALYSES)


def report(**changes: str | bytes | None) -> Report:
    return words(said(**changes), TODAY)


# ------------------------------------------------------------------------------------------------------------- words
def test_a_good_folder_has_no_warning_and_says_everything() -> None:
    found = report()
    assert found.warnings == ()
    assert found.exit_code == 0
    text = " ".join(found.says)
    for part in (
        "fewer than 10 people",
        "Ada Example of project `diabetes-study` may run count on synthetic dataset `demo`, columns `sex` and `age`",
        "in mode open, at most 1 round a question, until 2026-12-31 (agreement `counts` version 3; UK GDPR 6(1)(e))",
        "A fitting request starts by itself. Its output leaves by itself",
        "Ben Example may sign off requests.",
        "Ben Example may decide on outputs.",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"agreements_toml": AGREEMENTS.replace("automatic", "person")}, "A person signs off each request."),
        ({"agreements_toml": AGREEMENTS.replace("automatic", "person")}, "A checker decides on each output."),
        ({"datasets__demo_toml": DATASET.replace("synthetic", "sensitive")}, "A checker decides on each output."),
        ({"agreements_toml": AGREEMENTS.replace('columns = ["sex", "age"]', "")}, "every column that does not"),
        ({"agreements_toml": ""}, "Nobody may ask anything yet"),
        ({"agreements_toml": AGREEMENTS.replace("2026-12-31", "2026-02-01")}, "the agreement ended on 2026-02-01"),
        ({"projects_toml": PROJECTS.replace("2027-12-31", "2026-02-01")}, "the project ended on 2026-02-01"),
        ({"projects_toml": PROJECTS.replace("2026-01-01", "2027-01-01")}, "the project begins on 2027-01-01"),
        ({"projects_toml": PROJECTS.replace("2027-12-31", "2026-11-30")}, "until 2026-11-30"),  # the earlier end
        ({"people_toml": PEOPLE.replace("2027", "2026")}, "Ada Example (training expired)"),
        ({"people_toml": PEOPLE.replace('"operator", ', "")}, "Nobody may sign off requests."),
    ],
)
def test_the_words_say_what_the_folder_says(changes: dict[str, str], part: str) -> None:
    assert part in " ".join(report(**changes).says)


@pytest.mark.parametrize(
    ("what", "id", "part"),
    [
        ("person", ADA.id, "Ada Example (person revoked)"),
        ("key", key_id("Ed25519", ADA.sign), "Ada Example (key revoked)"),
        ("project", "diabetes-study", "the project was revoked"),
        ("agreement", "counts", "the agreement was revoked"),
        ("analysis", "count", "its analyses were revoked"),
    ],
)
def test_the_words_know_what_was_revoked(what: str, id: str, part: str) -> None:
    text = " ".join(report(revoked_toml=revoked(what, id)).says)
    assert part in text
    assert "may run" not in text


# ---------------------------------------------------------------------------------------------------------- warnings
def revoked(what: str, id: str, on: str = "2026-11-01") -> str:
    return f'[[revoked]]\nwhat = "{what}"\nid = "{id}"\non = {on}\nreason = "Left."\n'


SOLE = PROJECTS.replace(f'"{ADA.id}",', f'"{ADA.id}", "{BEN_ID}",')
BY_PERSON = AGREEMENTS.replace('sign_off = "automatic"', 'sign_off = "person"')

WARNINGS: dict[str, tuple[dict[str, str | bytes | None], str, int, str]] = {
    "release": (
        {"datasets__demo_toml": DATASET.replace("synthetic", "sensitive")},
        *("agreements.toml", 12, "held for a checker all the same"),
    ),
    "agreement over": (
        {"agreements_toml": AGREEMENTS.replace("2026-12-31", "2026-11-22")},
        *("agreements.toml", 10, "ended on 2026-11-22"),
    ),
    "project over": (
        {"projects_toml": PROJECTS.replace("2027-12-31", "2026-11-22")},
        *("projects.toml", 8, "ended on 2026-11-22"),
    ),
    "training over": (
        {"people_toml": PEOPLE.replace("2027-06-30", "2026-11-22")},
        *("people.toml", 5, "counted until 2026-11-22"),
    ),
    "project without agreement": (
        {"projects_toml": PROJECTS + PROJECTS.replace("diabetes-study", "other")},
        *("projects.toml", 9, "`other` has no agreement"),
    ),
    "nobody signs off": (
        {"people_toml": PEOPLE.replace('"operator", ', ""), "agreements_toml": BY_PERSON},
        *("agreements.toml", 11, "nobody has the role operator"),
    ),
    "sole operator": (
        {
            "people_toml": PEOPLE.replace('["operator"', '["researcher", "operator"'),
            "projects_toml": SOLE,
            "agreements_toml": BY_PERSON,
        },
        *("agreements.toml", 11, "nobody may decide on their own request"),
    ),
    "no researcher": ({"projects_toml": SOLE}, "people.toml", 11, "no researcher here"),
    "revoked nobody": (
        {"revoked_toml": revoked("person", ADA.id[:-1] + "8")},
        *("revoked.toml", 3, "none with that id"),
    ),
    "revoked no key": ({"revoked_toml": revoked("key", "x")}, "revoked.toml", 3, "none with that id"),
    "revoked no TRE": ({"revoked_toml": revoked("tre", "x")}, "revoked.toml", 3, "none with that id"),
    "revoked later": (
        {"revoked_toml": revoked("person", BEN_ID, "2026-11-24")},
        *("revoked.toml", 4, "counts already"),
    ),
    "revoked analysis listed": (
        {"revoked_toml": revoked("analysis", "count")},
        *("agreements.toml", 6, "revoked.toml takes back"),
    ),
    "own card missing": ({"members__north_card_json": None}, "members", 1, "(`north`) is not among"),
    "other appetite": ({"appetite_toml": "threshold = 5\n"}, "appetite.toml", 1, "not the one that this TRE's card"),
    "member's card over": (
        {"members__west_card_json": a_tre("west", date(2026, 11, 22)).envelope},
        *("members/west.card.json", 1, "not valid on 2026-11-23"),
    ),
}


@pytest.mark.parametrize("what", WARNINGS)
def test_what_will_surprise_is_a_warning_with_its_line(what: str) -> None:
    changes, file, line, sentence = WARNINGS[what]
    found = report(**changes)
    assert found.exit_code == 0
    assert (file, line) in [(one.file, one.line) for one in found.warnings if sentence in one.sentence]


@pytest.mark.parametrize("what", ["person", "project", "agreement", "tre", "key"])
def test_a_revocation_that_names_something_is_no_warning(what: str) -> None:
    ids = {
        "person": BEN_ID,
        "project": "diabetes-study",
        "agreement": "counts",
        "tre": a_tre("south").card.id,
        "key": key_id("X25519", ADA.open),
    }
    found = report(revoked_toml=revoked(what, ids[what]))
    assert not [one for one in found.warnings if one.file == "revoked.toml"]


def test_a_mistake_is_exit_1_and_a_line_to_click_on(tmp_path: Path) -> None:
    found = inspect(write(tmp_path, some_files(tre_toml=TRE + "nam = 1\n")), ANALYSES, TODAY)
    assert found.exit_code == 1
    assert found.lines() == ["mistake: tre.toml:3: `nam` is not a field of the TRE. Did you mean `name`?"]


def test_a_folder_that_is_not_there_is_exit_1(tmp_path: Path) -> None:
    assert inspect(tmp_path / "none", ANALYSES, TODAY).exit_code == 1


# ------------------------------------------------------------------------------------------------- the first files
@pytest.mark.parametrize(
    ("title", "ror"), [("The North TRE", ""), ('Tré "N" \\ 北', "https://ror.org/01ee9ar58"), ("# x = 'y'", "")]
)
def test_first_files_are_valid_and_permit_nothing(tmp_path: Path, title: str, ror: str) -> None:
    write_scaffold(tmp_path / "tre", name="north", title=title, ror=ror)
    found = inspect(tmp_path / "tre", ANALYSES, TODAY)
    assert found.mistakes == ()
    assert {one.sentence for one in found.warnings} == {
        f"There are no {noun} yet." for noun in ("people", "projects", "datasets", "agreements", "members' cards")
    }
    assert "Nobody may ask anything yet: there is no agreement." in found.says
    say = read_folder(tmp_path / "tre", ANALYSES)
    assert (say.tre.title, say.tre.ror) == (title, ror)
    assert not say.people


def test_first_files_uncommented_are_a_valid_example(tmp_path: Path) -> None:
    write_scaffold(tmp_path, name="north", title="The North TRE")
    (tmp_path / "datasets" / "demo.toml.example").rename(tmp_path / "datasets" / "demo.toml")
    for name in ("people.toml", "projects.toml", "agreements.toml", "revoked.toml"):
        lines = (tmp_path / name).read_text().split("\n")
        begin = next(number for number, line in enumerate(lines) if line.startswith("# [["))
        (tmp_path / name).write_text("\n".join(line.removeprefix("# ") for line in lines[begin:]))
    write(tmp_path, {"people/ada.card.json": a_person().envelope})  # whose id and name the example uses
    assert inspect(tmp_path, ANALYSES, TODAY).mistakes == ()


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, some_files())
    with pytest.raises(Refused) as caught:
        write_scaffold(tmp_path, name="south", title="The South TRE")
    assert caught.value.code == "folder-exists"
    assert (tmp_path / "tre.toml").read_text() == TRE


# ------------------------------------------------------------------------------------------------- a dataset's draft
CSV = """\
person_id,sex,age,bmi,seen,smoker,note,empty
1,F,34,21.5,2020-01-31,true,a,
2,M,41,30,2020-02-28,false,b,
2,M,41,,2020-02-28,false,"c, d",
"""


def drafted(path: Path, content: str = CSV, **options: str) -> str:
    file = path / "demo.csv"
    file.write_text(content, encoding="utf-8")
    return declare_csv(file, "demo", release="2026-11", **options)


def test_a_draft_guesses_types_and_is_valid(tmp_path: Path) -> None:
    draft = drafted(tmp_path, unit="person_id", source="data/demo.csv")
    dataset = said(datasets__demo_toml=draft).dataset("demo")
    assert {column.name: column.type for column in dataset.columns} == {
        "person_id": "integer",
        "sex": "text",
        "age": "integer",
        "bmi": "number",
        "seen": "date",
        "smoker": "boolean",
        "note": "text",
        "empty": "text",
    }
    assert [column.name for column in dataset.columns if column.identifying] == ["person_id"]
    assert (dataset.unit, dataset.openness, dataset.source.file) == ("person_id", "sensitive", "data/demo.csv")


def test_levels_come_from_the_data_so_a_person_confirms_them(tmp_path: Path) -> None:
    draft = drafted(tmp_path)
    assert '\n# levels = ["F", "M"]\n' in draft
    assert all(column.levels is None for column in said(datasets__demo_toml=draft).dataset("demo").columns)
    confirmed = draft.replace('# levels = ["F", "M"]', 'levels = ["F", "M"]')
    assert said(datasets__demo_toml=confirmed).dataset("demo").columns[1].levels == ("F", "M")


def test_many_different_texts_are_no_levels(tmp_path: Path) -> None:
    assert "levels" not in drafted(tmp_path, "name\n" + "".join(f"person {n}\n" for n in range(13)))
    assert "levels" in drafted(tmp_path, "name\n" + "".join(f"group {n % 12}\n" for n in range(99)))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2"], "integer"),
        (["007", "010"], "text"),  # a code: as a number it would lose its zeros
        (["0.5", "-1.25", ".5"], "number"),
        (["1", "x"], "text"),
        (["1", "2.5"], "number"),
        (["1e5"], "number"),
        (["9" * 19], "number"),  # too long for 64 bits
        (["nan"], "text"),
        (["0", "1"], "integer"),
        (["true", "FALSE"], "boolean"),
        (["2020-01-01", ""], "date"),
        (["01/02/2020"], "text"),
    ],
)
def test_a_type_is_guessed_from_every_value(tmp_path: Path, values: list[str], kind: str) -> None:
    draft = drafted(tmp_path, "a,b\n" + "".join(f"{value},1\n" for value in values))
    assert f'name = "a"\ntype = "{kind}"' in draft


@pytest.mark.parametrize("content", ["", "a,a\n", "a,A\n", "a,\n", "a,b\n1\n", 'a\n"1\n', "a\n1,2\n"])
def test_what_is_no_csv_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(Unreadable) as caught:
        drafted(tmp_path, content)
    assert caught.value.code == "csv-unreadable"


def test_a_unit_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        drafted(tmp_path, unit="patient")
    assert caught.value.code == "unknown-column"


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=4))
def test_any_text_makes_a_draft_that_is_toml(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    file = tmp_path_factory.mktemp("draft") / "x.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, quoting=csv.QUOTE_ALL)
        writer.writerow(["a"])
        writer.writerows([text] for text in texts)
    draft = declare_csv(file, "x", release="1")
    assert tomllib.loads(draft)["columns"][0]["name"] == "a"
    assert tomllib.loads(draft.replace("# levels", "levels"))
