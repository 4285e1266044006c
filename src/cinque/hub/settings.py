"""What a hub's home holds, and where it listens. Only main.py reads the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cinque.model import CLOSED


@dataclass(frozen=True, slots=True)
class HubSettings:
    """hub.toml. `database`: empty for the SQLite file in the home, or a postgresql+psycopg:// address."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    name: str = "hub"
    host: str = "127.0.0.1"
    port: int = 8700
    database: str = ""


@dataclass(frozen=True, slots=True)
class HubHome:
    """The places in a hub's home folder."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "hub.toml"

    @property
    def keys(self) -> Path:
        return self.root / "keys" / "hub.json"

    @property
    def card(self) -> Path:
        return self.root / "hub.card.json"

    @property
    def files(self) -> Path:
        return self.root / "files"

    def database(self, settings: HubSettings) -> str:
        """The database's address."""
        return settings.database or f"sqlite:///{self.root / 'hub.sqlite'}"
