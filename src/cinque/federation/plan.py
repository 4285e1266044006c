"""A whole federation written to a folder: a hub, TREs with their say, one researcher; then enrolled.

ROOT/hub/  ROOT/tres/<name>/  ROOT/researcher/  ROOT/members.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cinque.crate.cards import Members, PersonCard, TreCard
from cinque.crate.keys import write_file
from cinque.federation import homes
from cinque.lib.parse import dump
from cinque.sdc.appetite import Appetite

PROJECT = "first-project"
STAFF = "urn:uuid:6f0d1c1e-5a0b-4c57-9d1e-2f6f3f9b7a10"
ORCID = "https://orcid.org/0000-0002-1825-0097"  # ORCID's own example record


@dataclass(frozen=True, slots=True)
class PlannedTre:
    """One TRE to be made. `datasets`: declarations as in datasets/*.toml, `files`: what they name, path -> source;
    `agreements`: as in agreements.toml; `appetite`: its risk appetite.
    """

    name: str
    title: str
    datasets: Sequence[Mapping[str, Any]]
    agreements: Sequence[Mapping[str, Any]]
    files: Mapping[str, Path] = field(default_factory=dict)
    appetite: Appetite = field(default_factory=Appetite)
    extra_projects: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """Where everything is."""

    root: Path
    members: Members
    tres: dict[str, TreCard]
    person: PersonCard

    @property
    def hub(self) -> Path:
        """The hub's home."""
        return self.root / "hub"

    @property
    def researcher(self) -> Path:
        """The researcher's home: the folder itself."""
        return self.root

    def tre(self, name: str) -> Path:
        """A TRE's home."""
        return self.root / "tres" / name


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports: the hub's, and per TRE gate and enclave. 0s where nothing listens."""

    hub: int = 0
    gates: Mapping[str, int] = field(default_factory=dict)
    enclaves: Mapping[str, int] = field(default_factory=dict)


def write(
    root: Path,
    planned: Sequence[PlannedTre],
    *,
    dataset: str,
    today: date,
    ports: Ports,
    project: str = PROJECT,
    researcher: str = "Josiah Carberry",
) -> Written:
    """Write every home. The researcher is ORCID's fictitious example person."""
    hub_url = f"http://127.0.0.1:{ports.hub}"
    hub = homes.new_hub(root / "hub", url=hub_url, port=ports.hub)
    home = root
    ring = homes.new_keys(home)
    person = homes.person_card(
        home,
        ring,
        id=ORCID,
        name=researcher,
        affiliation="Brown University",
        ror="https://ror.org/05gq02987",
        today=today,
    )
    staff = homes.person_card(
        root / "staff",
        homes.new_keys(root / "staff"),
        id=STAFF,
        name="TRE staff (operator and output checker)",
        affiliation="The TREs of this folder",
        today=today,
    )
    cards: dict[str, TreCard] = {}
    for tre in planned:
        place = root / "tres" / tre.name
        cards[tre.name] = homes.new_tre(
            place,
            name=tre.name,
            title=tre.title,
            today=today,
            appetite=tre.appetite,
            gate_port=ports.gates.get(tre.name, 0),
            enclave_port=ports.enclaves.get(tre.name, 0),
            scaffold=False,
        )
    for tre in planned:
        _write_say(root / "tres" / tre.name / "tre", tre, (person, staff), cards, today, project)
    members = Members.of([hub.envelope, *(card.envelope for card in cards.values())])
    homes.connect_person(home, hub_url, members, project=project, dataset=dataset)
    return Written(root, members, cards, person)


def _write_say(
    folder: Path,
    tre: PlannedTre,
    people: tuple[PersonCard, PersonCard],
    cards: Mapping[str, TreCard],
    today: date,
    project: str,
) -> None:
    def put(name: str, text: str) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text.encode(), mode=0o644, replace=True)

    until = today + timedelta(days=365)
    put("tre.toml", toml({"name": tre.name, "title": tre.title}))
    person, staff = people
    put("people/researcher.card.json", person.envelope.decode())
    put("people/staff.card.json", staff.envelope.decode())
    human = {
        "id": person.id,
        "name": person.name,
        "card": "people/researcher.card.json",
        "roles": ["researcher"],
        "training_until": until,
    }
    desk = human | {
        "id": staff.id,
        "name": staff.name,
        "card": "people/staff.card.json",
        "roles": ["operator", "checker"],
    }
    put("people.toml", tables("person", [human, desk]))
    projects = [
        {"id": name, "name": name, "people": [person.id], "valid_from": today, "valid_until": until}
        for name in (project, *tre.extra_projects)
    ]
    put("projects.toml", tables("project", projects))
    put("agreements.toml", tables("agreement", tre.agreements))
    for dataset in tre.datasets:
        put(f"datasets/{dataset['id']}.toml", toml(dataset))
    own = dump(tre.appetite)
    preset = {"preset": own.pop("name")}
    put("appetite.toml", toml(own if preset["preset"] == "custom" else preset))
    for card in cards.values():
        put(f"members/{card.name}.card.json", card.envelope.decode())
    for name, source in tre.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.resolve() != target.resolve():
            target.write_bytes(source.read_bytes())


def tables(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """TOML of an array of tables."""
    return "\n".join(f"[[{name}]]\n{toml(row)}" for row in rows)


def toml(values: Mapping[str, Any], prefix: str = "") -> str:
    """TOML of a mapping of texts, numbers, booleans, dates, lists, mappings and lists of mappings; None is left out."""
    lines: list[str] = []
    below: list[str] = []
    for key, value in values.items():
        name = f"{prefix}{json.dumps(key)}"
        if value is None:
            continue
        if isinstance(value, Mapping):
            below.append(f"\n[{name}]\n{toml(value, name + '.')}")
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            below += [f"\n[[{name}]]\n{toml(row, name + '.')}" for row in value]
        else:
            lines.append(f"{json.dumps(key)} = {_scalar(value)}")
    return "\n".join(lines) + "\n" + "".join(below)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    return repr(value)
