"""A researcher's home folder: own keys and card, pinned members, and every request with what came back of it.

keys.json  person.card.json  members.json  client.toml
requests/<id>/request.zip  question.json  receipt.json  crates/<tre>.zip  answer.zip
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cinque.crate.cards import Members, PersonCard, read_card
from cinque.crate.keys import KeyRing, write_file
from cinque.errors import NotFound, Unreadable
from cinque.lib.parse import parse_toml
from cinque.model import CLOSED


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """client.toml: the hub's address, and the project that is asked for when none is named."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    hub: str = ""
    project: str = ""
    dataset: str = ""


@dataclass(frozen=True, slots=True)
class ClientHome:
    """The places in a home, and what is kept there."""

    root: Path

    @property
    def requests(self) -> Path:
        """One folder a request."""
        return self.root / "requests"

    @property
    def members_file(self) -> Path:
        """The pinned cards."""
        return self.root / "members.json"

    def settings(self) -> ClientSettings:
        """The settings; Unreadable when the folder is nobody's home."""
        path = self.root / "client.toml"
        if not path.exists():
            raise Unreadable(
                "no-home",
                f"{self.root} is not a researcher's home.",
                remedy="Make one with `cinque key new` and `cinque connect`, or name it with --home.",
            )
        return parse_toml(ClientSettings, path.read_text("utf-8"), str(path))

    def ring(self, passphrase: bytes | None = None) -> KeyRing:
        """The person's keys."""
        return KeyRing.load(self.root / "keys.json", passphrase)

    def card(self) -> PersonCard:
        """The person's own card."""
        path = self.root / "person.card.json"
        if not path.exists():
            raise Unreadable("no-card", f"{self.root} holds no card.", remedy="Make one with `cinque key card`.")
        card = read_card(path.read_bytes())
        if not isinstance(card, PersonCard):
            raise Unreadable("card-kind", f"{path} is not a person's card.")
        return card

    def members(self) -> Members:
        """The pinned cards of TREs, hub and people."""
        return Members.load(self.members_file)

    def request(self, request: str) -> RequestFolder:
        """The folder of a request, by its id or the first characters of it. Raises NotFound."""
        short = request.removeprefix("urn:uuid:")
        found = [folder for folder in self.all_requests() if folder.id.removeprefix("urn:uuid:").startswith(short)]
        if len(short) < 4 or len(found) != 1:
            raise NotFound(
                "no-such-request", f"No single request here begins with `{short}`.", remedy="See `cinque status`."
            )
        return found[0]

    def new_request(self, request: str) -> RequestFolder:
        """A folder for a request that was just signed."""
        if not re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", request):
            raise Unreadable("request-id", "A request's id is a urn:uuid.")
        path = self.requests / request.removeprefix("urn:uuid:")
        (path / "crates").mkdir(parents=True, exist_ok=True)
        return RequestFolder(path)

    def all_requests(self) -> Iterator[RequestFolder]:
        """Every request in this home."""
        if self.requests.is_dir():
            for path in sorted(self.requests.iterdir()):
                if (path / "request.zip").exists():
                    yield RequestFolder(path)


@dataclass(frozen=True, slots=True)
class RequestFolder:
    """What is kept of one request."""

    path: Path

    @property
    def id(self) -> str:
        """The request's id."""
        return f"urn:uuid:{self.path.name}"

    def write(self, name: str, data: bytes) -> Path:
        """Keep bytes, whole or not at all."""
        write_file(self.path / name, data, mode=0o600, replace=True)
        return self.path / name

    def read(self, name: str) -> bytes | None:
        """What was kept under a name."""
        path = self.path / name
        return path.read_bytes() if path.exists() else None

    def note(self) -> dict[str, Any]:
        """The question in short, as it was kept when it was asked."""
        found: dict[str, Any] = json.loads((self.path / "question.json").read_text("utf-8"))
        return found

    def crate(self, tre: str) -> Path:
        """Where the crate that a TRE released or refused with is kept; TRE names are short and plain."""
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", tre):
            raise Unreadable("tre-name", "A TRE's short name is lower-case letters, digits and hyphens.")
        return self.path / "crates" / f"{tre}.zip"
