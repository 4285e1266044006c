"""What an enclave's home holds, and where it finds its gate. Only main.py reads the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cinque.model import CLOSED


@dataclass(frozen=True, slots=True)
class EnclaveSettings:
    """enclave.toml. `gate`: the gate's address; `port`: of the staff's own interface; `workers`: tasks at a time;
    `memory`, `threads`: of the query engine. `sign_off_days`, `review_days`: how long people may take.
    """

    __pydantic_config__: ClassVar[Any] = CLOSED
    gate: str = "http://127.0.0.1:8710"
    host: str = "127.0.0.1"
    port: int = 8720
    database: str = ""
    workers: int = 2
    memory: str = "2GB"
    threads: int = 2
    sign_off_days: int = 30
    review_days: int = 30


@dataclass(frozen=True, slots=True)
class EnclaveHome:
    """The enclave's places in a TRE's home folder."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "enclave" / "enclave.toml"

    @property
    def keys(self) -> Path:
        return self.root / "enclave" / "keys.json"

    @property
    def card(self) -> Path:
        return self.root / "tre.card.json"

    @property
    def say(self) -> Path:
        """The folder that holds the TRE's say."""
        return self.root / "tre"

    @property
    def files(self) -> Path:
        return self.root / "enclave" / "files"

    @property
    def crates(self) -> Path:
        """Every crate that left, by task: the record, over which the catalogue is an index."""
        return self.root / "enclave" / "crates"

    def database(self, settings: EnclaveSettings) -> str:
        """The database's address."""
        return settings.database or f"sqlite:///{self.root / 'enclave' / 'enclave.sqlite'}"
