"""`cinque audit verify`: the hash-chained audits under a home, read and recomputed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cinque.cli.terminal import NO, OK, Json, emit, show
from cinque.errors import Unreadable

if TYPE_CHECKING:
    from cinque.storage.audit import AuditReport

app = typer.Typer(no_args_is_help=True, help="The record of what happened, in order.")


@app.callback()
def _audit() -> None:
    """The record of what happened, in order."""


@app.command("verify")
def verify(
    home: Annotated[Path, typer.Argument(metavar="HOME", help="A hub's or TRE's home, or a folder of several.")],
    json: Json = False,
) -> None:
    """Is every entry unchanged and in its place? 0 yes, 1 no. An end that was cut off shows only against a head kept
    elsewhere, such as those in released crates.
    """
    found = [(place, service, _report(address)) for place, service, address in _audits(home)]
    if not found:
        raise Unreadable("no-audit", f"No service under {home} has a record yet.", remedy="Name a hub's or TRE's home.")
    broken = any(report.broken_at is not None for _, _, report in found)
    if json:
        emit({"unbroken": not broken, "audits": [_facts(*one) for one in found]})
    else:
        from rich.text import Text

        for place, service, report in found:
            tone = "green" if report.broken_at is None else "bold red"
            show(Text.assemble((f"{service} ", "bold"), (f"{place}\n", "dim"), (f"  {report.sentence}", tone)))
            show(Text(f"  head {report.head}", "dim"))
    raise typer.Exit(NO if broken else OK)


def _facts(place: Path, service: str, report: AuditReport) -> dict[str, Any]:
    return {
        "home": str(place),
        "service": service,
        "entries": report.entries,
        "head": report.head,
        "broken_at": report.broken_at,
        "sentence": report.sentence,
    }


def _audits(home: Path) -> Iterator[tuple[Path, str, str]]:
    """Home, service and database address of every service under `home` that has a database."""
    from cinque.enclave.settings import EnclaveHome, EnclaveSettings
    from cinque.gate.settings import GateHome, GateSettings
    from cinque.hub.settings import HubHome, HubSettings
    from cinque.lib.parse import parse_toml

    services: tuple[tuple[str, str, Any, Any], ...] = (
        ("hub", "hub.toml", HubHome, HubSettings),
        ("gate", "gate/gate.toml", GateHome, GateSettings),
        ("enclave", "enclave/enclave.toml", EnclaveHome, EnclaveSettings),
    )
    for service, settings, of_home, cls in services:
        for file in sorted(home.rglob(settings)):
            root = file.parents[settings.count("/")]
            found = parse_toml(cls, file.read_text("utf-8"), str(file))
            address = of_home(root).database(found)
            if not address.startswith("sqlite:///") or Path(address.removeprefix("sqlite:///")).exists():
                yield root, service, address


def _report(address: str) -> AuditReport:
    from sqlalchemy import MetaData, create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    from cinque.storage import audit

    if address.startswith("sqlite:///"):  # only reading: not even the journal's mode is touched
        path = Path(address.removeprefix("sqlite:///")).absolute()
        address = f"sqlite:///{path.as_uri()}?mode=ro&uri=true"
    engine = create_engine(address, poolclass=NullPool)
    try:
        with engine.connect() as conn:
            return audit.verify(conn, audit.audit_table(MetaData()))
    except DBAPIError as error:
        raise Unreadable(
            "database-unreadable", "A service's database could not be opened or holds no audit."
        ) from error
    finally:
        engine.dispose()
