"""Values that count once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from cinque.storage.database import Database
from cinque.storage.nonces import forget_expired, use_once
from tests.storage.example import AT, USED

LATER = AT + timedelta(minutes=1)


def _use(db: Database, scope: str = "key-a", value: str = "n1") -> bool:
    with db.write() as conn:
        return use_once(conn, USED, scope, value, LATER)


def test_the_first_use_counts_and_no_other(db: Database) -> None:
    assert [_use(db), _use(db), _use(db)] == [True, False, False]


def test_each_scope_has_its_own_values(db: Database) -> None:
    assert [_use(db, "key-a"), _use(db, "key-b"), _use(db, "key-a", "n2")] == [True, True, True]


def test_a_use_rolled_back_did_not_happen(db: Database) -> None:
    def fail() -> None:
        with db.write() as conn:
            assert use_once(conn, USED, "key-a", "n1", LATER)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _use(db)


def test_of_many_at_once_one_wins(db: Database) -> None:
    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(lambda _: _use(db), range(36))) == 1


@pytest.mark.parametrize(
    ("after", "forgotten"),
    [
        (timedelta(0), 0),
        (timedelta(minutes=1), 0),  # at `until` itself the value may still be accepted
        (timedelta(minutes=1, milliseconds=1), 1),
        (timedelta(days=400), 1),
    ],
)
def test_a_value_is_forgotten_only_when_it_could_not_be_used_anyway(
    db: Database, after: timedelta, forgotten: int
) -> None:
    _use(db)
    with db.write() as conn:
        assert forget_expired(conn, USED, AT + after) == forgotten
    assert _use(db) is bool(forgotten)
