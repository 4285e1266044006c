"""Making the homes of a hub, a TRE and a person: keys, cards, settings, an example folder."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cinque.crate.cards import (
    HubCard,
    Members,
    PersonCard,
    TreCard,
    issue_card,
    issue_person_card,
    read_card,
    tre_id,
)
from cinque.crate.keys import KeyRing, write_file
from cinque.errors import Refused
from cinque.sdc import presets
from cinque.sdc.appetite import Appetite


def new_keys(root: Path, passphrase: bytes | None = None) -> KeyRing:
    """A person's three keys in a home: to sign, to open what comes back, to call. Refused when there are some."""
    root.mkdir(parents=True, exist_ok=True)
    ring = KeyRing.new({"sign": "sign", "open": "open", "call": "sign"})
    ring.save(root / "keys.json", passphrase)
    return ring


def person_card(
    root: Path,
    ring: KeyRing,
    *,
    id: str,
    name: str,
    affiliation: str,
    ror: str = "",
    today: date,
    valid_until: date | None = None,
) -> PersonCard:
    """The card for a person's keys, in the person's home. A later card has a higher serial."""
    path = root / "person.card.json"
    serial = 1
    if path.exists():
        before = read_card(path.read_bytes())
        serial = before.serial + 1
    envelope = issue_person_card(
        ring,
        id=id,
        name=name,
        affiliation_name=affiliation,
        affiliation_ror=ror,
        valid_from=today,
        valid_until=valid_until,
        serial=serial,
    )
    write_file(path, envelope, mode=0o644, replace=True)
    card = read_card(envelope)
    if not isinstance(card, PersonCard):
        raise Refused("card-kind", "The card that was issued is not a person's.")
    return card


def connect_person(root: Path, hub: str, members: Members, *, project: str = "", dataset: str = "") -> None:
    """Settings and pinned cards of a person's home; the person's own card is pinned too."""
    own = (root / "person.card.json").read_bytes()
    members.with_card(own).save(root / "members.json")
    lines = [f'hub = "{hub}"', f'project = "{project}"', f'dataset = "{dataset}"']
    write_file(root / "client.toml", ("\n".join(lines) + "\n").encode(), mode=0o644, replace=True)


def new_hub(
    root: Path, *, name: str = "hub", url: str = "", port: int = 8700, passphrase: bytes | None = None
) -> HubCard:
    """A hub's home: keys, card, settings."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "keys").mkdir(exist_ok=True)
    ring = KeyRing.new({"receipt": "sign", "call": "sign"})
    ring.save(root / "keys" / "hub.json", passphrase)
    envelope = issue_card(
        HubCard(name=name, url=url, receipt=ring.public("receipt"), call=ring.public("call")), ring.sign("receipt")
    )
    write_file(root / "hub.card.json", envelope, mode=0o644, replace=True)
    settings = f'name = "{name}"\nhost = "127.0.0.1"\nport = {port}\n'
    write_file(root / "hub.toml", settings.encode(), mode=0o644, replace=True)
    card = read_card(envelope)
    if not isinstance(card, HubCard):
        raise Refused("card-kind", "The card that was issued is not a hub's.")
    return card


def new_tre(
    root: Path,
    *,
    name: str,
    title: str,
    today: date,
    ror: str = "",
    appetite: Appetite | None = None,
    gate_port: int = 8710,
    enclave_port: int = 8720,
    passphrase: bytes | None = None,
    scaffold: bool = True,
) -> TreCard:
    """A TRE's home: root key (to be taken offline), gate and enclave with keys of their own, the folder of its say."""
    for folder in ("root", "gate", "enclave", "tre"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    root_ring = KeyRing.new({"root": "sign"})
    gate_ring = KeyRing.new({"transport": "sign", "record": "sign"})
    enclave_ring = KeyRing.new({"release": "sign", "seal": "open", "call": "sign"})
    root_ring.save(root / "root" / "keys.json", passphrase)
    gate_ring.save(root / "gate" / "keys.json", passphrase)
    enclave_ring.save(root / "enclave" / "keys.json", passphrase)
    card = TreCard(
        id=tre_id(root_ring.public("root")),
        name=name,
        title=title,
        ror=ror,
        root=root_ring.public("root"),
        release=enclave_ring.public("release"),
        seal=enclave_ring.public("seal"),
        enclave_call=enclave_ring.public("call"),
        gate_transport=gate_ring.public("transport"),
        gate_record=gate_ring.public("record"),
        appetite=presets.digest(appetite or Appetite()),
        serial=1,
        valid_from=today,
    )
    envelope = issue_card(card, root_ring.sign("root"))
    write_file(root / "tre.card.json", envelope, mode=0o644, replace=True)
    gate = f'hub = ""\nhost = "127.0.0.1"\nport = {gate_port}\n'
    enclave = f'gate = "http://127.0.0.1:{gate_port}"\nhost = "127.0.0.1"\nport = {enclave_port}\n'
    write_file(root / "gate" / "gate.toml", gate.encode(), mode=0o644, replace=True)
    write_file(root / "enclave" / "enclave.toml", enclave.encode(), mode=0o644, replace=True)
    if scaffold:
        from cinque.enclave.scaffold import write_scaffold

        write_scaffold(root / "tre", name=name, title=title, ror=ror)
    (root / "tre" / "members").mkdir(parents=True, exist_ok=True)
    write_file(root / "tre" / "members" / f"{name}.card.json", envelope, mode=0o644, replace=True)
    issued = read_card(envelope)
    if not isinstance(issued, TreCard):
        raise Refused("card-kind", "The card that was issued is not a TRE's.")
    return issued


def renew_tre_card(root: Path, *, today: date, appetite: Appetite, passphrase: bytes | None = None) -> TreCard:
    """A new card with a higher serial, signed by the root key, after the appetite or the validity changed."""
    from dataclasses import replace

    path = root / "tre.card.json"
    old = read_card(path.read_bytes())
    if not isinstance(old, TreCard):
        raise Refused("card-kind", "This is not a TRE's card.")
    ring = KeyRing.load(root / "root" / "keys.json", passphrase)
    card = replace(old, appetite=presets.digest(appetite), serial=old.serial + 1, valid_from=today)
    envelope = issue_card(card, ring.sign("root"))
    write_file(path, envelope, mode=0o644, replace=True)
    write_file(root / "tre" / "members" / f"{old.name}.card.json", envelope, mode=0o644, replace=True)
    issued = read_card(envelope)
    return issued if isinstance(issued, TreCard) else old
