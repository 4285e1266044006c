"""The index can be deleted, damaged or out of date: the crates are the record, and it always says what they do."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinque.catalogue.index import Folder, Index, Tally, rebuild, refresh
from cinque.crate.archive import DEFAULT
from cinque.crate.cards import Members
from cinque.errors import Unavailable, Unreadable
from tests import builders
from tests.catalogue.crates import a_folder, contents, crates, lines


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with one crate of each kind."""
    for name, data in crates().items():
        (tmp_path / f"{name}.zip").write_bytes(data)
    return tmp_path


def put(path: Path, data: bytes) -> None:
    """As a service writes: whole or not at all."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)


# -------------------------------------------------------------------------------------- it says what the crates say
PINNED = (None, builders.some_members(), builders.some_members(builders.a_tre("south"), builders.a_person()))
STEPS = st.lists(
    st.tuples(st.just("put"), st.integers(0, 4), st.sampled_from(sorted(crates())))
    | st.tuples(st.just("drop"), st.integers(0, 4), st.just(""))
    | st.tuples(st.just("pin"), st.integers(0, len(PINNED) - 1), st.just(""))
    | st.tuples(st.just("refresh"), st.just(0), st.just("")),
    max_size=12,
)


@settings(max_examples=60)
@given(STEPS)
def test_kept_up_to_date_it_equals_one_made_from_scratch(steps: list[tuple[str, int, str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        members: Members | None = None
        kept, fresh = root / "kept.sqlite", root / "fresh.sqlite"

        def folders() -> list[Folder]:
            north = Folder("north", root / "north", ("*.zip",), members)
            return [north, Folder("south", root / "south", ("*.zip",), builders.some_members())]

        for folder in ("north", "south"):
            (root / folder).mkdir()
        for step, number, crate in (*steps, ("refresh", 0, "")):
            path = root / ("north", "south")[number % 2] / f"{number}.zip"
            if step == "put":
                put(path, crates()[crate])
            elif step == "drop":
                path.unlink(missing_ok=True)
            elif step == "pin":
                members = PINNED[number]
            else:
                refresh(folders(), kept)
        rebuild(folders(), fresh)
        assert contents(kept) == contents(fresh)
        assert len(lines(kept)) == len(list(root.glob("*/*.zip")))


def test_deleting_it_loses_nothing(home: Path) -> None:
    database = home / "catalogue.sqlite"
    folders = [a_folder(home)]
    refresh(folders, database)
    before = contents(database)
    assert len(before[0]) == len(crates())
    database.unlink()
    refresh(folders, database)
    assert contents(database) == before


def test_only_what_changed_is_read_again(home: Path) -> None:
    database, folders = home / "catalogue.sqlite", [a_folder(home)]
    count = len(crates())
    assert refresh(folders, database) == Tally(read=count)
    assert refresh(folders, database) == Tally(kept=count)
    (home / "text.zip").unlink()
    put(home / "empty.zip", crates()["south"])
    put(home / "another.zip", crates()["south"])
    assert refresh(folders, database) == Tally(read=2, kept=count - 2, removed=1)
    assert rebuild(folders, database) == Tally(read=count)


def test_a_change_is_seen_although_size_and_time_of_writing_are_as_before(home: Path) -> None:
    database, folders, path = home / "catalogue.sqlite", [a_folder(home)], home / "released.zip"
    refresh(folders, database)
    before = path.stat()
    altered = bytearray(path.read_bytes())
    altered[10_000] ^= 1
    path.write_bytes(altered)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    refresh(folders, database)
    (line,) = (line for line in lines(database) if line.path == "released.zip")
    assert line.verified in ("unreadable", "not authentic")


def test_other_pinned_cards_give_another_verdict(home: Path) -> None:
    database = home / "catalogue.sqlite"
    south = Members.of([builders.a_tre("south").envelope])
    verdicts = []
    for members in (south, builders.some_members(), south):
        refresh([a_folder(home, members)], database)
        verdicts.append({line.path: line.verified for line in lines(database)}["released.zip"])
    assert verdicts == ["signer unknown", "authentic", "signer unknown"]


def test_one_file_in_two_homes_is_judged_by_the_cards_of_each(tmp_path: Path) -> None:
    folders = []
    for name, party in (("north", builders.a_tre()), ("south", builders.a_tre("south"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "crate.zip").write_bytes(crates()["released"])
        folders.append(a_folder(tmp_path / name, builders.some_members(party), name))
    refresh(folders, tmp_path / "catalogue.sqlite")
    verdicts = {line.folder: line.verified for line in lines(tmp_path / "catalogue.sqlite")}
    assert verdicts == {"north": "authentic", "south": "signer unknown"}


# ------------------------------------------------------------------------------------------------ a damaged database
def _garbage(database: Path) -> None:
    database.write_bytes(b"not a database " * 1000)


def _cut(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:5000])


def _emptied(database: Path) -> None:
    database.write_bytes(b"")


def _overwritten(database: Path) -> None:
    data = bytearray(database.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    database.write_bytes(data)


def _sql(statement: str) -> Callable[[Path], None]:
    def run(database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute(statement)
            connection.commit()

    return run


@pytest.mark.parametrize(
    "damage",
    [
        _garbage,
        _cut,
        _emptied,
        _overwritten,
        _sql("DROP TABLE crate"),
        _sql("DROP TABLE words"),
        _sql("UPDATE made SET version = '0.0.0'"),
        _sql("DELETE FROM made"),
    ],
    ids=["garbage", "cut", "emptied", "overwritten", "table", "words", "version", "unmade"],
)
def test_a_damaged_or_older_index_is_made_anew(home: Path, damage: Callable[[Path], None]) -> None:
    database, folders = home / "catalogue.sqlite", [a_folder(home)]
    refresh(folders, database)
    before = contents(database)
    damage(database)
    put(home / "text.zip", crates()["text"])  # another file of the same bytes: there is something to write
    refresh(folders, database)
    after = contents(database)
    assert [(line.path, line.digest) for line in after[0]] == [(line.path, line.digest) for line in before[0]]
    assert after[1] == before[1]


def test_where_it_cannot_be_kept_a_sentence_says_so(home: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be used"):
        refresh([a_folder(home)], home / "nowhere" / "catalogue.sqlite")
    (home / "catalogue.sqlite").mkdir()
    with pytest.raises(Unavailable, match="cannot be used"):
        refresh([a_folder(home)], home / "catalogue.sqlite")


def test_it_is_for_its_owner_alone(home: Path) -> None:
    for make in (refresh, rebuild):
        (home / "catalogue.sqlite").unlink(missing_ok=True)
        make([a_folder(home)], home / "catalogue.sqlite")
        assert stat.S_IMODE((home / "catalogue.sqlite").stat().st_mode) == 0o600
    assert not [path for path in home.iterdir() if path.name.startswith(".")]  # nothing half-made is left


# ------------------------------------------------------------------------------------------------------ hostile files
def _link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _link_to_a_crate(path: Path) -> None:
    (path.parent / "elsewhere").write_bytes(crates()["released"])
    path.symlink_to(path.parent / "elsewhere")


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, DEFAULT.container + 1)


@pytest.mark.parametrize("make", [_link, _link_to_a_crate, os.mkfifo, Path.mkdir, _huge])
def test_what_is_no_plain_file_is_a_line_and_is_never_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "odd.zip")
    (tmp_path / "good.zip").write_bytes(crates()["released"])
    database, folders = tmp_path / "catalogue.sqlite", [a_folder(tmp_path)]
    refresh(folders, database)
    odd, good = sorted(lines(database), key=lambda line: line.path, reverse=True)
    assert (odd.verified, odd.digest, good.verified) == ("unreadable", "", "authentic")
    assert odd.problem
    assert refresh(folders, database) == Tally(kept=2)


def test_a_file_name_of_any_bytes_is_taken(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\xfe.zip")).write_bytes(crates()["released"])
    database, folders = tmp_path / "catalogue.sqlite", [a_folder(tmp_path)]
    refresh(folders, database)
    assert [line.verified for line in lines(database)] == ["authentic"]
    assert refresh(folders, database) == Tally(kept=1)


# --------------------------------------------------------------------------------------------------- searching words
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("diabetes", {"request.zip", "released.zip", "suppressed.zip", "south.zip", "refused.zip", "answer.zip"}),
        ("DIABÉTES", {"request.zip", "released.zip", "suppressed.zip", "south.zip", "refused.zip", "answer.zip"}),
        ("south tre", {"request.zip", "south.zip", "answer.zip"}),
        ("ada cinque-enclave", {"released.zip", "suppressed.zip", "south.zip"}),
        ("sex", {"request.zip", "released.zip", "suppressed.zip", "south.zip", "refused.zip", "answer.zip"}),
        ("diab OR nothing", set()),
        ("title:diabetes", set()),
        ('"', None),
        ("  * ", None),
    ],
)
def test_words_are_found_in_titles_parameters_and_names(home: Path, text: str, found: set[str] | None) -> None:
    refresh([a_folder(home)], home / "catalogue.sqlite")
    with Index(home / "catalogue.sqlite") as index:
        if found is None:
            with pytest.raises(Unreadable, match="no word"):
                index.entries(text)
        else:
            # an altered signature leaves the forged crate's words as they are
            assert {line.path for line in index.entries(text)} - {"forged.zip"} == found


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_no_text_is_an_operator(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "catalogue.sqlite"
        rebuild([], database)
        with Index(database) as index, contextlib.suppress(Unreadable):  # it holds no word at all
            assert index.entries(text) == []
