"""The record: who asked what of which data, on what authority, with what verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cinque.catalogue.index import Index, refresh
from cinque.catalogue.places import places
from cinque.catalogue.runs import Run, runs
from cinque.errors import Unreadable
from cinque.federation.local import Federation
from tests import builders
from tests.catalogue.crates import a_folder, crates
from tests.cli.commands import cinque, document


def recorded(root: Path, **filters: str) -> list[Run]:
    refresh([a_folder(root)], root / "catalogue.sqlite")
    with Index(root / "catalogue.sqlite") as index:
        return runs(index, **filters)


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / f"{name}.zip").write_bytes(crates()[name])


def brief(found: list[Run]) -> list[tuple[str, str, str]]:
    return [(run.tre_name, run.outcome, run.reason) for run in found]


# ----------------------------------------------------------------------------------------------- what is one run
@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["request"], [("The North TRE", "waiting", ""), ("The South TRE", "waiting", "")]),
        (["request", "released"], [("The North TRE", "released", ""), ("The South TRE", "waiting", "")]),
        (["request", "refused"], [("The North TRE", "refused", "agreement-none"), ("The South TRE", "waiting", "")]),
        (
            ["request", "released", "answer"],
            [("The North TRE", "released", ""), ("The South TRE", "missing", "offline")],
        ),
        (["released", "south"], [("The North TRE", "released", ""), ("The South TRE", "released", "")]),
        (["unread"], [("The North TRE", "refused", "agreement-none")]),
        (["answer"], []),
    ],
)
def test_a_run_is_a_question_at_a_tre(tmp_path: Path, there: list[str], expected: list[tuple[str, str, str]]) -> None:
    write(tmp_path, *there)
    assert brief(recorded(tmp_path)) == expected


def test_a_forgery_ends_nothing_and_is_called_one(tmp_path: Path) -> None:
    write(tmp_path, "request", "forged")
    found = {(run.tre_name, run.outcome, run.verified) for run in recorded(tmp_path)}
    assert found == {
        ("The North TRE", "waiting", "authentic"),
        ("The North TRE", "released", "not authentic"),
        ("The South TRE", "waiting", "authentic"),
    }


def test_what_is_no_crate_is_on_record_too(tmp_path: Path) -> None:
    write(tmp_path, "text", "empty", "altered")
    found = recorded(tmp_path)
    assert {(run.outcome, run.verified) for run in found} == {("unreadable", "unreadable")}
    assert all(run.reason and run.sentence for run in found)
    assert len(found) == 3


def test_copies_are_one_run_and_the_answer_stands_beside_them(tmp_path: Path) -> None:
    write(tmp_path, "request", "released", "answer")
    (tmp_path / "copy.zip").write_bytes(crates()["released"])
    north = recorded(tmp_path)[0]
    assert [(copy.path, copy.kind) for copy in north.crates] == [
        ("copy.zip", "release"),
        ("released.zip", "release"),
        ("answer.zip", "answer"),
    ]


def test_a_home_that_knows_better_is_believed(tmp_path: Path) -> None:
    namesake = builders.a_person("Ada Second")  # the same ORCID on a card with another key
    pinned = {
        "a": builders.some_members(),
        "b": builders.some_members(namesake, builders.a_tre()),
        "c": builders.some_members(namesake),
    }
    for name in pinned:
        (tmp_path / name).mkdir()
        write(tmp_path / name, "released")
    refresh([a_folder(tmp_path / name, members, name) for name, members in pinned.items()], tmp_path / "index")
    with Index(tmp_path / "index") as index:
        (run,) = runs(index)
    assert run.verified == "not authentic"
    assert {copy.folder: copy.verified for copy in run.crates} == {
        "a": "authentic",
        "b": "not authentic",
        "c": "signer unknown",
    }


def test_authority_and_verdict_are_said_in_words(tmp_path: Path) -> None:
    write(tmp_path, "suppressed", "refused")
    refused, released = sorted(recorded(tmp_path), key=lambda run: run.outcome)
    assert released.authority == "agreement diabetes version 3, approved automatically by cinque-enclave 0.1.0"
    assert released.verdict == "released, disclosure check passed, some figures suppressed"
    assert refused.verdict == "refused"
    assert refused.sentence == "No agreement permits this analysis for this project."
    whole = released.to_dict()
    assert whole["parameters"] == {"by": ["sex"], "where": "diabetes = true"}
    assert json.loads(json.dumps(whole))["suppressed"] is True


def test_the_newest_question_comes_first(tmp_path: Path) -> None:
    for day in (2, 0, 3, 1):
        now = builders.NOW + timedelta(days=day)
        until = now + timedelta(days=1)
        request = builders.a_request(seed=str(day), now=now, title=f"Day {day}", accept_until=until)
        (tmp_path / f"{day}.zip").write_bytes(request)
    assert [run.title for run in recorded(tmp_path)][::2] == ["Day 3", "Day 2", "Day 1", "Day 0"]


# ------------------------------------------------------------------------------------------------------- filters
@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people's questions, for two projects, of two data sets."""
    root = tmp_path_factory.mktemp("several")
    north = builders.a_tre()
    bea = builders.a_person("Bea Bold", "urn:uuid:11111111-1111-4111-8111-111111111111")
    asked: dict[str, dict[str, Any]] = {
        "one": {"audience": (north.audience,), "dataset_release": "2026-10"},
        "two": {
            "audience": (north.audience,),
            "requester": bea.card,
            "key": bea.key,
            "project_id": "asthma",
            "project_name": "Asthma in the north",
            "dataset": "visits",
            "title": "Visits by sex",
        },
    }
    for name, changes in asked.items():
        request = builders.a_request(seed=name, **changes)
        (root / f"{name}.zip").write_bytes(builders.a_release(request=request, snapshot=f"snap-{name}"))
    return root


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, {"one", "two"}),
        ({"project": "diabetes-study"}, {"one"}),
        ({"project": "DIABETES"}, {"one"}),
        ({"project": "the"}, {"one", "two"}),
        ({"project": "asth"}, {"two"}),
        ({"project": ""}, set()),
        ({"person": "https://orcid.org/0000-0002-1825-0097"}, {"one"}),
        ({"person": "0000-0002-1825-0097"}, {"one"}),
        ({"person": "0000"}, set()),
        ({"person": "bea"}, {"two"}),
        ({"data": "demo"}, {"one"}),
        ({"data": "demo@2026-10"}, {"one"}),
        ({"data": "demo@snap-one"}, {"one"}),
        ({"data": "demo@2026-11"}, set()),
        ({"data": "dem"}, set()),
        ({"data": ""}, set()),
        ({"text": "visits"}, {"two"}),
        ({"text": "sex", "person": "bea"}, {"two"}),
        ({"text": "visits", "person": "ada"}, set()),
    ],
)
def test_the_record_can_be_narrowed(several: Path, filters: dict[str, str], found: set[str]) -> None:
    assert {run.crates[0].path.removesuffix(".zip") for run in recorded(several, **filters)} == found


# --------------------------------------------------------------------------------------------- a federation's homes
@pytest.fixture(scope="module")
def federation() -> Iterator[Federation]:
    """Two TREs, one with too few people to be told; two questions were asked."""
    with Federation.local({"large": {"x": [1, 2, 3] * 10}, "small": {"x": [1] * 5}}) as fed:
        fed.count()
        fed.count(where="x = 1")
        yield fed


def test_each_home_has_its_own_record(federation: Federation) -> None:
    written = federation.written
    large, small = ("large", "released", False), ("small", "released", True)
    expected = {
        written.researcher: [large, large, small, small],
        written.tre("large"): [large, large],
        written.tre("small"): [small, small],
    }
    for home, lines in expected.items():
        found = places(home)
        for _ in range(2):
            refresh(found.folders, found.database)
            with Index(found.database) as index:
                listed = runs(index)
            assert sorted((run.tre_name, run.outcome, run.suppressed is True) for run in listed) == lines
            assert {run.verified for run in listed} == {"authentic"}
            assert {(run.signed_off_as, run.agreement) for run in listed} == {("software", "open-to-all")}
            assert all(run.snapshot for run in listed)


def test_the_command_prints_one_document(federation: Federation) -> None:
    home = federation.written.root
    for options in ([], ["--rebuild"]):
        result = cinque("runs", "--text", "count", "--json", *options, home=home)
        found = document(result)
        assert (result.exit_code, found["kind"], len(found["runs"])) == (0, "several", 4)
        folders = [{copy["folder"] for copy in run["crates"]} for run in found["runs"]]
        assert folders == [{".", "tres/large"}, {".", "tres/small"}] * 2
    assert document(cinque("runs", "--project", "another", "--json", home=home))["runs"] == []


def test_the_command_prints_a_table(federation: Federation) -> None:
    result = cinque("runs", "--home", federation.written.tre("small"))
    assert result.exit_code == 0
    for words in ("Josiah Carberry", "open-to-all 1", "approved by software", "some figures", "released"):
        assert words in result.stdout


def test_the_table_is_quiet_about_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "requests" / "one"
    folder.mkdir(parents=True)
    (tmp_path / "client.toml").write_text('hub = ""\n')
    (folder / "request.zip").write_bytes(b"\x1b[2J not a crate")
    result = cinque("runs", home=tmp_path)
    assert "UNREADABLE" in result.stdout
    assert "1 of these" in result.stderr
    assert "\x1b" not in result.stdout + result.stderr


def test_a_folder_that_is_nobodys_home_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="home of no TRE"):
        places(tmp_path)
    assert cinque("runs", home=tmp_path).exit_code == 2
    assert not list(tmp_path.iterdir())
