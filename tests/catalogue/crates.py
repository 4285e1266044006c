"""Crates for the catalogue's tests, composed once, and a folder of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

from cinque.catalogue.entry import Entry
from cinque.catalogue.index import Folder, Index
from cinque.crate.answer import Missing
from cinque.crate.cards import Members
from tests import builders

BOUNDS = {"suppressed": True, "at_least": 1, "at_most": 9}


@cache
def crates() -> dict[str, bytes]:
    """One of each kind that a home can hold, two that nobody signed, and two that are none."""
    released = builders.a_release()
    return {
        "request": builders.a_request(),
        "released": released,
        "suppressed": suppressed(),
        "south": builders.a_release(tre=builders.a_tre("south")),
        "refused": builders.a_refusal(),
        "unread": builders.a_refusal(request=None),
        "answer": an_answer_without_south(),
        "forged": builders.a_release(key=builders.a_tre("south").release_key),
        "altered": released[:-200] + b"\0" + released[-199:],
        "text": b"Dear catalogue, I am no crate.",
        "empty": b"",
    }


def suppressed() -> bytes:
    """A release with one figure that left as bounds."""
    partial = json.dumps({"shape": {}, "figures": {"n": 42, "men": BOUNDS}}).encode()
    return builders.a_release(outputs={"outputs/rounds/01/partial.json": partial})


def an_answer_without_south() -> bytes:
    """North answered, south did not."""
    reason = "The TRE has not called the hub since the question was asked."
    missing = (Missing("The South TRE", "offline", reason),)
    return builders.an_answer(members={"north": builders.a_release()}, missing=missing)


def a_folder(root: Path, members: Members | None = None, name: str = ".") -> Folder:
    """A folder whose ZIPs are crates, with everybody pinned unless other cards are given."""
    return Folder(name, root, ("*.zip",), members or builders.some_members())


def lines(database: Path) -> list[Entry]:
    """What the index holds."""
    with Index(database) as index:
        return index.entries()


def contents(database: Path) -> tuple[list[Entry], Sequence[object]]:
    """Everything in the index but the numbers of its rows: the lines, and the words that can be searched."""
    with closing(sqlite3.connect(database)) as connection:
        words = connection.execute(
            "SELECT folder, path, words.title, words.parameters, words.names FROM words"
            " LEFT JOIN crate ON crate.id = words.rowid ORDER BY 1, 2, 3, 4, 5"
        ).fetchall()
    return lines(database), words
