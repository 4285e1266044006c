"""The same tests on SQLite and, marked slow, on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from cinque.storage.database import Database, open_database
from tests.storage.example import METADATA, NEW
from tests.storage.postgres import running_postgres

_number = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as folder:
        yield folder


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/service.sqlite"
    folder = request.getfixturevalue("postgres")
    name = f"test{next(_number)}"
    engine = create_engine(f"postgresql+psycopg://postgres@/postgres?host={folder}", isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"postgresql+psycopg://postgres@/{name}?host={folder}"


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    """A database at the newest revision of the example service."""
    database = open_database(url, METADATA, NEW)
    yield database
    database.close()
