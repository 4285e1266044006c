"""`cinque profile …`: the workshop for who writes a profile of their own. Needs no service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cinque.cli.terminal import NO, UNUSABLE, Json, emit, line, listing, say, show
from cinque.errors import Refused

if TYPE_CHECKING:
    from cinque.crate.workshop.trial import Trial

app = typer.Typer(no_args_is_help=True, help="A profile: begun, tried on its examples, printed, packed, compared.")
Named = Annotated[str, typer.Argument(metavar="PROFILE", help="A profile's folder, or the IRI of one that ships.")]


@app.command("new")
def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The new folder.")],
    extends: Annotated[
        str, typer.Option(metavar="PROFILE", help="What it builds on: a folder, or the IRI of one that ships.")
    ] = "https://w3id.org/5s-crate/0.4",
) -> None:
    """Write a small profile that works: one rule, a crate that conforms, and one that breaks the rule."""
    from cinque.crate.profiles import named
    from cinque.crate.workshop.begun import begin
    from cinque.crate.workshop.written import write

    if folder.suffix == ".zip":
        raise Refused("profile-folder", "A profile is a folder.", remedy="Name one that does not end in .zip.")
    files = begin(folder, named(extends))
    write(files, folder)
    for name in files:
        line(f"{folder / name}")
    say(f"Now: cinque profile check {folder}", style="dim")


@app.command("check")
def check(profile: Named, json: Json = False) -> None:
    """Try a profile on its own examples: 0 every rule that it adds or tightens has a crate that passes and one that it
    catches, 1 one has not, or the profile does what it may not, 2 it cannot be read.
    """
    from cinque.crate.profiles import named
    from cinque.crate.workshop.trial import try_profile

    trial = try_profile(named(profile))
    if json:
        emit(trial.to_dict())
    else:
        _print_trial(trial)
    raise typer.Exit(0 if trial.passed else NO)


def _print_trial(trial: Trial) -> None:
    for problem in trial.problems:
        line(problem, style="red")
    for tried in trial.rules:
        for problem in tried.problems:
            line(f"{tried.rule.id}: {problem}", style="red")
    name, failing = trial.profile.name, sum(tried.failing for tried in trial.rules)
    if trial.passed:
        facts = f"rules: {len(trial.rules)}, conforming crates: {len(trial.examples)}, crates that break one: {failing}"
        line(f"{name}: every rule has a crate that passes and one that it catches ({facts}).", style="bold green")
    else:
        wrong = sum(bool(tried.problems) for tried in trial.rules)
        line(f"{name} does not pass. Rules with a problem: {wrong} of {len(trial.rules)}.", style="bold red")
    if trial.elsewhere:
        say(f"Of {', '.join(trial.elsewhere)} no example of this form can be: they judge a ZIP, or several crates.")


@app.command("docs")
def docs(
    profile: Named,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="A new file: .html, else Markdown.")
    ] = None,
) -> None:
    """The profile as a page for people: every rule with its reason, what it demands and what breaks it."""
    from cinque.crate.profiles import named
    from cinque.crate.workshop.page import html_page, markdown
    from cinque.crate.workshop.written import write_file

    found = named(profile)
    if out is None:
        for row in markdown(found).splitlines():
            line(row)
        return
    write_file(html_page(found) if out.suffix == ".html" else markdown(found).encode(), out)
    line(f"{out}")


@app.command("shacl")
def shacl(
    profile: Named,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="A new folder.")],
) -> None:
    """Write the rules as SHACL: one profile of rocrate-validator a stage, and which rules no shape can say."""
    from cinque.crate.profiles import named
    from cinque.crate.shacl.export import export
    from cinque.crate.workshop.written import write

    found = export(named(profile))
    write(found.files, out)
    for token in found.tokens.values():
        line(token)
    facts = f"{len(found.exported)} rules are in the shapes, {len(found.unexported)} are not"
    say(f"{facts}: {out / 'unexported.md'} says why.", style="dim")
    say(f"Use: rocrate-validator validate --extra-profiles-path {out} -p TOKEN CRATE", style="dim")


@app.command("crate")
def crate(
    profile: Named,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="A new .zip or folder.")],
) -> None:
    """Pack a profile as a Profile Crate of RO-Crate 1.2: page, rules, shapes and examples, each with its role."""
    from cinque.crate.profiles import INSTALLED, named
    from cinque.crate.shacl.export import export
    from cinque.crate.workshop.profile_crate import profile_crate
    from cinque.crate.workshop.written import write
    from cinque.lib.clock import system_clock

    found = named(profile)
    shapes = {
        f"shacl/{path}": ("validation", f"Shapes: {path}", content) for path, content in export(found).files.items()
    }
    files = profile_crate(found, now=system_clock(), more=shapes)
    write(files, out)
    line(f"{out}: {len(files)} files")
    for base in found.bases:
        if base.id not in INSTALLED:
            say(f"{base.name}, which it builds on, is not in it: pack that folder too.")
    say(f"Check: cinque crate check {out}", style="dim")


@app.command("compare")
def compare(
    ctx: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A profile's folder or IRI.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another, such as its next version.")],
    json: Json = False,
) -> None:
    """What B asks otherwise than A, rule by rule: 0 the same rules, 1 they differ, 2 one cannot be read."""
    from cinque.cli.terminal import refuse
    from cinque.crate.profiles import named
    from cinque.crate.workshop.compared import compare
    from cinque.errors import CinqueError

    try:
        one, two = named(first), named(second)
    except CinqueError as error:  # no verdict: 1 would say that they differ
        refuse(ctx, error)
        raise typer.Exit(UNUSABLE) from None
    found = compare(one, two)
    if json:
        emit({"first": one.id, "second": two.id, "differences": [each.to_dict() for each in found]})
    elif not found:
        line(f"{one.name} and {two.name} ask the same.", style="bold")
    else:
        rows = [(each.kind, each.rule, _levels(each.was, each.now), each.how) for each in found]
        show(listing(("", "Rule", "Level", "How"), rows))
        line(f"{two.name} differs from {one.name} in {len(found)} rules.", style="bold")
    raise typer.Exit(NO if found else 0)


def _levels(was: str, now: str) -> str:
    return " → ".join(dict.fromkeys(level.upper() for level in (was, now) if level))
