"""What a gate's home holds, and where it listens. Only main.py reads the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cinque.model import CLOSED


@dataclass(frozen=True, slots=True)
class GateSettings:
    """gate.toml. `hub`: the hub's address. `database`: empty for the SQLite file in the home."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    hub: str = ""
    host: str = "127.0.0.1"
    port: int = 8710
    database: str = ""


@dataclass(frozen=True, slots=True)
class GateHome:
    """The gate's places in a TRE's home folder."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "gate" / "gate.toml"

    @property
    def keys(self) -> Path:
        return self.root / "gate" / "keys.json"

    @property
    def card(self) -> Path:
        return self.root / "tre.card.json"

    @property
    def files(self) -> Path:
        return self.root / "gate" / "files"

    def database(self, settings: GateSettings) -> str:
        """The database's address."""
        return settings.database or f"sqlite:///{self.root / 'gate' / 'gate.sqlite'}"
