"""`cinque tre`: a TRE's home, its card, its place at the hub, and the check of what its folder says."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cinque.cli.fresh import fresh
from cinque.cli.members import enrol as enrol_at
from cinque.cli.terminal import (
    Grouped,
    Json,
    Protect,
    emit,
    grid,
    here,
    new_passphrase,
    say,
    show,
    with_passphrase,
)
from cinque.errors import Unreadable

if TYPE_CHECKING:
    from cinque.crate.cards import TreCard

app = typer.Typer(cls=Grouped, no_args_is_help=True, help="A TRE's operators and checkers.")

HomeArgument = Annotated[Path, typer.Argument(metavar="HOME", help="The TRE's home folder.")]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="HOME", help="The TRE's home, if neither this folder nor CINQUE_HOME."),
]


def tre_home(ctx: typer.Context, given: Path | None) -> Path:
    """The TRE's home: the named one, this folder if it is one, else the usual one. Raises Unreadable for no home."""
    found = given or (Path() if Path("tre.card.json").exists() else here(ctx).home)
    if not (found / "tre.card.json").exists():
        raise Unreadable(
            "no-tre-home", f"{found} is not a TRE's home.", remedy="Name it, or make one with `cinque tre init HOME`."
        )
    return found


def _today() -> date:
    return datetime.now(UTC).date()


def _analyses() -> frozenset[str]:
    from cinque.analyses import registry

    return frozenset(registry.names())


@app.command("init")
def init(
    ctx: typer.Context,
    home: HomeArgument,
    name: Annotated[str, typer.Option(help="Its short name: lower-case letters, digits and -.")],
    title: Annotated[str, typer.Option(help="Its name for people.")],
    ror: Annotated[str, typer.Option(metavar="URL", help="Its ROR, https://ror.org/….")] = "",
    gate_port: Annotated[int, typer.Option(min=1, max=65535, help="The gate's port.")] = 8710,
    enclave_port: Annotated[int, typer.Option(min=1, max=65535, help="The enclave's port.")] = 8720,
    protect: Protect = False,
) -> None:
    """Make a TRE's home: root key, gate, enclave, and the folder of its say, which permits nothing yet."""
    from cinque.federation.homes import new_tre

    passphrase = new_passphrase(ctx, protect)
    with fresh(home) as draft:
        made = new_tre(
            draft,
            name=name,
            title=title,
            ror=ror,
            today=_today(),
            gate_port=gate_port,
            enclave_port=enclave_port,
            passphrase=passphrase,
        )
    _print_card(home, made)
    say(f"Take {home / 'root'} offline: its key signs this card and its changes, nothing else.")
    say(f"Next: write {home / 'tre'}, and see what it says with `cinque tre check {home}`.", style="dim")


@app.command("card")
def card(
    ctx: typer.Context,
    home: HomeArgument,
    renew: Annotated[bool, typer.Option("--renew", help="Sign a new one with the root key.")] = False,
    json: Json = False,
) -> None:
    """The TRE's card; with --renew a new one, after the risk appetite changed."""
    from cinque.crate.cards import TreCard, fingerprint, read_card
    from cinque.lib.parse import dump

    root = tre_home(ctx, home)
    found = read_card((root / "tre.card.json").read_bytes())
    if renew:
        from cinque.enclave.folder import read_folder
        from cinque.federation.homes import renew_tre_card

        appetite = read_folder(root / "tre", _analyses()).appetite
        found = with_passphrase(
            ctx, lambda passphrase: renew_tre_card(root, today=_today(), appetite=appetite, passphrase=passphrase)
        )
    if not isinstance(found, TreCard):
        raise Unreadable("card-kind", f"{root / 'tre.card.json'} is not a TRE's card.")
    if json:
        facts = {name: value for name, value in dump(found).items() if name != "envelope"}
        emit(facts | {"fingerprint": fingerprint(found), "file": str(root / "tre.card.json")})
    else:
        _print_card(root, found)
    if renew:
        say("Send the new card to the federation's members, and to the hub with `cinque tre enrol`.", style="dim")


def _print_card(home: Path, card: TreCard) -> None:
    from cinque.crate.cards import fingerprint

    rows = [
        ("name", card.name),
        ("title", card.title),
        ("id", card.id),
        ("ROR", card.ror),
        ("appetite", card.appetite),
        ("serial", str(card.serial)),
        ("valid from", card.valid_from.isoformat()),
        ("valid until", card.valid_until.isoformat() if card.valid_until else ""),
        ("card", str(home / "tre.card.json")),
        ("fingerprint", fingerprint(card)),
    ]
    show(grid(*((label, value) for label, value in rows if value)))


@app.command("enrol")
def enrol(
    ctx: typer.Context,
    hub: Annotated[str, typer.Argument(metavar="HUB", help="The hub's address, such as https://hub.example.org.")],
    token: Annotated[str, typer.Argument(help="The hub operator's one-time token.")],
    home: HomeOption = None,
) -> None:
    """Take the TRE's place at a hub; its gate polls it from then on."""
    from cinque.crate.cards import fingerprint
    from cinque.crate.keys import write_file
    from cinque.gate.settings import GateHome, GateSettings
    from cinque.lib.parse import parse_toml

    root = tre_home(ctx, home)
    place = GateHome(root).settings
    before = place.read_text("utf-8") if place.exists() else ""
    after = _with_hub(before, hub)
    parse_toml(GateSettings, after, str(place))  # before the token is spent
    theirs = enrol_at(hub, token, (root / "tre.card.json").read_bytes())
    write_file(place, after.encode(), mode=0o644, replace=True)
    show(grid(("hub", f"{theirs.name} at {hub}"), ("fingerprint", fingerprint(theirs))))
    say(f"Next: `cinque gate run {root}` and `cinque enclave run {root}`.", style="dim")


def _with_hub(settings: str, hub: str) -> str:
    """gate.toml with this hub, everything else as the operator wrote it. Raises Unreadable for what is no address."""
    if not re.fullmatch(r"https?://[!#-\[\]-~]{1,400}", hub):
        raise Unreadable("address", "The hub's address is not an http or https address.")
    wanted = f'hub = "{hub}"'
    changed, count = re.subn(r"(?m)^[ \t]*hub[ \t]*=.*$", lambda _: wanted, settings, count=1)
    return changed if count else f"{wanted}\n{settings}"


@app.command("check")
def check(
    ctx: typer.Context,
    home: Annotated[Path | None, typer.Argument(metavar="[HOME]", help="The TRE's home, or the folder itself.")] = None,
    json: Json = False,
) -> None:
    """What the folder says in words, and every mistake in it: 0 it can be used, 1 it cannot."""
    from rich.text import Text

    from cinque.cli.terminal import harmless
    from cinque.enclave.lint import inspect

    folder = home if home and (home / "tre.toml").exists() else tre_home(ctx, home) / "tre"
    report = inspect(folder, _analyses(), _today())
    if json:
        marks = {"mistakes": report.mistakes, "warnings": report.warnings}
        found = {
            kind: [{"file": m.file, "line": m.line, "sentence": m.sentence, "remedy": m.remedy} for m in listed]
            for kind, listed in marks.items()
        }
        emit({"folder": str(folder), "usable": not report.mistakes, "says": list(report.says), **found})
        raise typer.Exit(report.exit_code)
    for sentence in report.says:
        show(Text(harmless(sentence)))
    for listed, word, tone in ((report.warnings, "warning", "yellow"), (report.mistakes, "mistake", "bold red")):
        for mistake in listed:
            where = f"{folder / mistake.file}:{mistake.line}"
            show(Text.assemble((f"{word}: ", tone), where, "\n  ", harmless(mistake.sentence)))
            if mistake.remedy:
                show(Text(f"  {harmless(mistake.remedy)}", "dim"))
    if report.mistakes:
        say("The folder cannot be used as it is; an enclave keeps the last good one.", style="bold red")
    raise typer.Exit(report.exit_code)


@app.command("dataset")
def dataset(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file with a header.")],
    id: Annotated[str, typer.Option(help="The dataset's id; the file's name if none.")] = "",
    unit: Annotated[str | None, typer.Option(help="The column that tells people apart.")] = None,
    release: Annotated[str, typer.Option(help="The name of this state of the data; today if none.")] = "",
) -> None:
    """Draft a dataset's declaration, for the operator to read and to put into datasets/."""
    from cinque.enclave.scaffold import declare_csv

    name = id or re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-") or "data"
    text = declare_csv(file, name, release=release or _today().isoformat(), unit=unit, source=str(file.absolute()))
    typer.echo(text, nl=False)
    say("A draft: read it, then save it in the TRE's folder tre/datasets/.", style="dim")
