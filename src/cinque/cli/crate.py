"""`cinque crate` and `cinque verify`: a crate on disk, checked, shown and verified. Needs no service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cinque.cli.terminal import NO, UNUSABLE, Json, emit, grid, line, refuse, say, show
from cinque.errors import CinqueError, Refused, Unreadable

if TYPE_CHECKING:
    from cinque.crate.cards import Members
    from cinque.crate.check import Report
    from cinque.crate.draft_1_0.written import Converted
    from cinque.crate.mend import Mended
    from cinque.crate.profiles import Profile
    from cinque.crate.verify import Verification

app = typer.Typer(no_args_is_help=True, help="A crate on disk: does it conform, and what is in it?")
Crate = Annotated[Path, typer.Argument(metavar="PATH", help="A bag (ZIP or folder), a crate's folder or its metadata.")]


@app.command("check")
def check(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Crates: each a bag (ZIP or folder), a folder or its metadata."),
    ],
    level: Annotated[
        Literal["must", "should", "may"], typer.Option(help="The least binding rules that count.")
    ] = "must",
    stage: Annotated[str | None, typer.Option(help="The stage to judge it at, if not the one it shows.")] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="ID", help="The profile to judge by: an IRI, or a profile's folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Check against a profile: 0 it conforms, 1 a rule is broken, 2 it cannot be read.

    Without --profile: Five Safes RO-Crate, or the layer of a community that the crate declares; another profile where
    it declares that alone, as an answer does. Several crates are judged together: those of the 1.0 draft as of one
    activity record.
    """
    from cinque.crate.check import examine, examine_together
    from cinque.crate.profiles import named

    try:
        judge = None if profile is None else named(profile)
        if len(paths) == 1 or stage is not None:
            reports = [examine(path, stage=stage, profile_id=judge) for path in paths]
        else:
            reports = examine_together(paths, profile_id=judge)
    except CinqueError as error:
        refuse(ctx, error)
        raise typer.Exit(UNUSABLE) from None
    if json:
        emit(reports[0].to_dict() if len(reports) == 1 else [report.to_dict() for report in reports])
    else:
        for path, report in zip(paths, reports, strict=True):
            _print_report(path, report, level, judge)
    raise typer.Exit(0 if all(report.holds(level) for report in reports) else NO)


def _print_report(
    path: Path, report: Report, level: Literal["must", "should", "may"], judge: Profile | None = None
) -> None:
    from rich.text import Text

    from cinque.cli.terminal import harmless
    from cinque.crate.profiles import LEVELS
    from cinque.crate.profiles import profile as profile_of

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
    judge = judge or profile_of(report.profile)
    facts = (
        f"{path} {verdict} rule of level {level} or above of {judge.name}, at stage {report.stage} "
        f"({report.seconds * 1000:.0f} ms)."
    )
    line(facts, style="bold green" if report.holds(level) else "bold red")
    if judge.draft:
        say(f"{judge.name} may change.", style="dim")
    if rest:
        say(f"{rest} findings of lower levels: see them with --level may.", style="dim")
    if report.not_examined:
        needs = ", ".join(sorted({needs for _, needs in report.not_examined}))
        say(f"{len(report.not_examined)} rules were not examined, for they need {needs}.", style="dim")


@app.command("mend")
def mended(
    ctx: typer.Context,
    path: Crate,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUT", help="A new .zip, .json (the metadata alone) or folder.")
    ],
    json: Json = False,
) -> None:
    """Write a mended, unsigned derivative that names its original: 0 it conforms, 1 a rule is still broken, 2 it cannot
    be read or mended. Mends what has one right answer, and says what it changed and what it could not mend.
    """
    from cinque.crate.mend import mend, write
    from cinque.lib.clock import system_clock

    try:
        found = mend(path, now=system_clock())
        if found.changes:
            write(found, out, path)
    except CinqueError as error:
        refuse(ctx, error)
        raise typer.Exit(UNUSABLE) from None
    if json:
        emit(
            {
                "original": f"sha512:{found.original}",
                "written": str(out) if found.changes else None,
                "changes": [change.to_dict() for change in found.changes],
                "conforms": found.report.conforms,
                "left": [finding.to_dict() for finding in found.report.findings],
            }
        )
    else:
        _print_changes(path, out, found)
    raise typer.Exit(0 if found.report.conforms else NO)


def _print_changes(path: Path, out: Path, found: Mended) -> None:
    from cinque.cli.terminal import harmless

    for change in found.changes:
        where = " ".join(part for part in (change.entity, change.property) if part)
        line(harmless(f"{where + ': ' if where else ''}{change.sentence} [{change.rule}]"))
    if found.changes:
        line(f"{len(found.changes)} changes. {out} is unsigned and names its original.", style="bold")
    else:
        line(f"Nothing to mend: nothing is written. Use {path} as it is.", style="bold")
    if found.report.findings:
        say("What is left has no one right answer:", style="dim")
        _print_report(out if found.changes else path, found.report, "may")


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


@app.command("convert")
def convert(
    ctx: typer.Context,
    path: Crate,
    to: Annotated[Literal["1.0"], typer.Option(help="The profile's version: 1.0, a working draft.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="OUT", help="The new ZIP.")] = None,
    previous: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The converted crate that this one follows, in one record.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a 0.4 crate anew as a snapshot of the 1.0 draft, unsigned, and say where each thing went.

    An answer becomes a federated record, with the provenance of each TRE in a crate of its own beside it.
    """
    from cinque.crate.check import load_for_check, read_index
    from cinque.crate.draft_1_0.conversion import convert_crate, digested
    from cinque.lib.clock import system_clock
    from cinque.lib.ids import system_random

    try:
        metadata, files = load_for_check(path)
        before = None if previous is None else read_index(load_for_check(previous)[0])
        made = convert_crate(
            metadata,
            files,
            digest=digested(path, metadata, files),
            name=path.name,
            now=system_clock(),
            random=system_random,
            previous=before,
        )
        target = out or path.with_name(f"{path.stem}-{to}-draft.zip")
        written = [target.with_name(f"{target.stem}-{each.role}.zip") if each.role else target for each in made]
        for file, each in zip(written, made, strict=True):
            _write_new(file, each.to_zip(file.stem))
    except CinqueError as error:
        refuse(ctx, error)
        raise typer.Exit(UNUSABLE if isinstance(error, Unreadable) else NO) from None
    if json:
        crates = [each.to_dict() | {"file": str(file)} for file, each in zip(written, made, strict=True)]
        emit({"profile": "https://w3id.org/5s-crate/1.0", "draft": True, "original": str(path), "crates": crates})
        return
    for file, each in zip(written, made, strict=True):
        _print_conversion(file, each)
    say("Written to the working draft of Five Safes RO-Crate 1.0, which may change. Not signed: keep the original.")
    say(f"Check: cinque crate check {' '.join(map(str, written))} --profile https://w3id.org/5s-crate/1.0", style="dim")


def _write_new(file: Path, data: bytes) -> None:
    try:
        with file.open("xb") as stream:
            stream.write(data)
    except FileExistsError:
        raise Refused("output-exists", f"{file} is there already.", remedy="Name another with -o.") from None
    except OSError as error:
        raise Unreadable("output-unwritable", f"{file} cannot be written: {error.strerror}.") from error


def _print_conversion(file: Path, made: Converted) -> None:
    from cinque.cli.terminal import grid

    what = f"provenance of {made.role}" if made.role else f"snapshot {made.version} of the activity record"
    line(f"{file}: {what} (1.0 working draft)", style="bold green")
    lost = [each for each in made.moved if not each.to]
    show(grid(*((f"{each.entity[:60]} {each.property}".strip(), each.why) for each in lost)))
    say(f"{len(lost)} things have no place in 1.0; {len(made.moved) - len(lost)} went elsewhere: --json lists them.")


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
