"""`cinque crate` and `cinque verify`: a crate on disk, checked, shown and verified. Needs no service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cinque.cli.terminal import NO, UNUSABLE, Json, emit, grid, line, refuse, say, show
from cinque.errors import CinqueError

if TYPE_CHECKING:
    from cinque.crate.cards import Members
    from cinque.crate.check import Report
    from cinque.crate.verify import Verification

app = typer.Typer(no_args_is_help=True, help="A crate on disk: does it conform, and what is in it?")
Crate = Annotated[Path, typer.Argument(metavar="PATH", help="A bag (ZIP or folder), a crate's folder or its metadata.")]


@app.command("check")
def check(
    ctx: typer.Context,
    path: Crate,
    level: Annotated[
        Literal["must", "should", "may"], typer.Option(help="The least binding rules that count.")
    ] = "must",
    stage: Annotated[str | None, typer.Option(help="The stage to judge it at, if not the one it shows.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="ID", help="Another profile than Five Safes 0.4.")] = None,
    json: Json = False,
) -> None:
    """Check against Five Safes RO-Crate 0.4: 0 it conforms, 1 a rule is broken, 2 it cannot be read."""
    from cinque.crate.check import check, load_for_check
    from cinque.crate.profiles import FIVE_SAFES

    try:
        metadata, files = load_for_check(path)
        report = check(metadata, files=files, stage=stage, profile_id=profile or FIVE_SAFES)
    except CinqueError as error:
        refuse(ctx, error)
        raise typer.Exit(UNUSABLE) from None
    if json:
        emit(report.to_dict())
    else:
        _print_report(path, report, level)
    raise typer.Exit(0 if report.holds(level) else NO)


def _print_report(path: Path, report: Report, level: Literal["must", "should", "may"]) -> None:
    from rich.text import Text

    from cinque.cli.terminal import harmless
    from cinque.crate.profiles import LEVELS

    counted = LEVELS[: LEVELS.index(level) + 1]
    tones = {"must": "bold red", "should": "yellow", "may": "dim"}
    for finding in report.findings:
        if finding.level not in counted:
            continue
        where = " ".join(part for part in (finding.entity, finding.property) if part)
        text = Text.assemble((f"{finding.level.upper():6} {finding.rule:5} ", tones[finding.level]), harmless(where))
        text.append(f"\n             {harmless(finding.message)}")
        if finding.remedy:
            text.append(f"\n             {harmless(finding.remedy)}", "dim")
        show(text)
    rest = sum(1 for finding in report.findings if finding.level not in counted)
    verdict = "holds every" if report.holds(level) else "breaks a"
    facts = (
        f"{path} {verdict} rule of level {level} or above, at stage {report.stage} ({report.seconds * 1000:.0f} ms)."
    )
    line(facts, style="bold green" if report.holds(level) else "bold red")
    if rest:
        say(f"{rest} findings of lower levels: see them with --level may.", style="dim")
    if report.not_examined:
        needs = ", ".join(sorted({needs for _, needs in report.not_examined}))
        say(f"{len(report.not_examined)} rules were not examined, for they need {needs}.", style="dim")


@app.command("show")
def shown(path: Crate) -> None:
    """What a crate says: the five safes, the phases, how to repeat it."""
    from cinque.crate.check import load_for_check
    from cinque.crate.show import renderable
    from cinque.errors import Unreadable
    from cinque.lib.canonical import strict_loads

    metadata, files = load_for_check(path)
    document = strict_loads(metadata)
    graph = document.get("@graph") if isinstance(document, dict) else None
    if not isinstance(graph, list) or not all(isinstance(entity, dict) for entity in graph):
        raise Unreadable("no-graph", f"{path} holds no graph.", remedy="See what is wrong with `cinque crate check`.")
    inside = files or {}
    bagged = any(name.startswith("data/") for name in inside)
    sizes = {
        name.removeprefix("data/"): len(content)
        for name, content in inside.items()
        if not bagged or name.startswith("data/")
    }
    show(renderable(graph, sizes))


@app.command("rdf")
def rdf(
    path: Crate,
    format: Annotated[Literal["nquads", "turtle"], typer.Option(help="How the statements are written.")] = "nquads",
) -> None:
    """What a crate states, as RDF: with the contexts that Cinque carries, and never from the network."""
    from cinque.crate.check import load_for_check
    from cinque.crate.rdf import base_of, to_nquads, to_turtle

    metadata, files = load_for_check(path)
    written = (to_turtle if format == "turtle" else to_nquads)(metadata, base=base_of(metadata, files))
    rows = written.decode().split("\n")
    typer.echo("\n".join(row if row.replace("\t", "").isprintable() else _escaped(row) for row in rows), nl=False)


def _escaped(row: str) -> str:
    """A row of RDF with what could steer a terminal as an escape, which means the same there."""
    return "".join(c if c.isprintable() or c == "\t" else f"\\U{ord(c):08X}" for c in row)


_WORDS = {
    0: ("authentic and complete", "bold green"),
    1: ("NOT authentic, or altered", "bold red"),
    2: ("unreadable", "bold red"),
    3: ("sound, but nobody pinned here signed it", "bold yellow"),
    4: ("authentic; it records a refusal, withholding or failure", "bold blue"),
}


def verify(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A signed crate: request, release, refusal or answer.")],
    trust: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pinned cards, if not those of the home it lies in.")
    ] = None,
    json: Json = False,
) -> None:
    """Is it authentic and complete? 0 yes · 1 no, or altered · 2 unreadable · 3 signer unknown · 4 yes: it says no."""
    from cinque.client.answer import recompute
    from cinque.crate.cards import Members
    from cinque.crate.verify import verify

    list_of = trust or _pinned_near(path)
    members: Members | None = None
    if list_of is not None:
        try:
            members = Members.load(list_of)
        except CinqueError as error:  # no verdict on the crate: 1 would say that it was altered
            refuse(ctx, error)
            raise typer.Exit(UNUSABLE) from None
    found = verify(path, members, recompute)
    if json:
        emit(_verdict(found) | {"trust": None if list_of is None else str(list_of)})
    else:
        _print_verdict(path, found, list_of)
    raise typer.Exit(found.exit_code)


def _pinned_near(path: Path) -> Path | None:
    """The pinned cards of the home folder that the crate lies in (contracts section 4); never from within the crate."""
    for folder in path.absolute().parents:
        if (folder / "members.json").is_file():
            return folder / "members.json"
    return None


def _verdict(found: Verification) -> dict[str, Any]:
    return {
        "exit_code": found.exit_code,
        "verdict": _WORDS[found.exit_code][0],
        "kind": found.kind,
        "signer": found.signer,
        "findings": [{"level": f.level, "code": f.code, "sentence": f.sentence} for f in found.findings],
        "facts": dict(found.facts),
    }


def _print_verdict(path: Path, found: Verification, trust: Path | None) -> None:
    from rich.text import Text

    words, style = _WORDS[found.exit_code]
    show(Text.assemble((f"{found.kind or 'crate'}: ", "bold"), (words, style)))
    rows = [("file", str(path)), ("signed by", found.signer), ("trusting", str(trust) if trust else "no list of cards")]
    proven = found.exit_code in (0, 4)
    rows += [(name.replace("_", " "), _plain(value)) for name, value in found.facts.items()]
    if found.facts and not proven:
        rows.insert(3, ("", "what follows is what it says of itself, unproven"))
    show(grid(*((label, value) for label, value in rows if value)))
    for finding in found.findings:
        say(f"{finding.level}: {finding.sentence} [{finding.code}]", style="red" if finding.level == "error" else "dim")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_brief(inner)}" for name, inner in value.items())
    return _brief(value)


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(str(value[name]) for name in ("outcome", "reason", "audit_head") if value.get(name))
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
