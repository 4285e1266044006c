"""`cinque runs`: the record, read from the crates of a home through an index that it keeps up to date itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cinque.cli.terminal import Home, Json, emit, err, home_of, listing, say, show

if TYPE_CHECKING:
    from cinque.catalogue.index import Progress
    from cinque.catalogue.runs import Run


def runs(
    ctx: typer.Context,
    project: Annotated[
        str | None, typer.Option(metavar="P", help="Of this project: its id or part of its name.")
    ] = None,
    person: Annotated[str | None, typer.Option(metavar="O", help="Asked by: an ORCID or part of a name.")] = None,
    data: Annotated[str | None, typer.Option(metavar="D", help="Of this dataset, or of DATASET@RELEASE.")] = None,
    text: Annotated[str | None, typer.Option(metavar="T", help="With these words in question or names.")] = None,
    home: Home = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Read every crate again, trusting no index.")] = False,
    json: Json = False,
) -> None:
    """Who asked what of which data, on what authority, with what verdict: at a TRE, or in your own home."""
    from cinque.catalogue import index
    from cinque.catalogue.places import places
    from cinque.catalogue.runs import runs as on_record

    where = home_of(ctx, home)
    found = places(where)
    with _progress() as progress:
        tally = (index.rebuild if rebuild else index.refresh)(found.folders, found.database, progress)
    with index.Index(found.database) as opened:
        listed = on_record(opened, project=project, person=person, data=data, text=text)
    if json:
        crates = tally.read + tally.kept
        emit({"home": str(where), "kind": found.kind, "crates": crates, "runs": [run.to_dict() for run in listed]})
        return
    if not listed:
        wanted = [option for option in (project, person, data, text) if option is not None]
        say("No run on record fits." if wanted else "There is no run on record here yet.")
        return
    show(
        listing(("asked", "by, for", "question", "data", "TRE", "authority", "verdict"), [_row(run) for run in listed])
    )
    doubtful = sum(run.verified != "authentic" for run in listed)
    if doubtful:
        say(
            f"{doubtful} of these rest on a crate that no pinned card vouches for: see `cinque verify`.", style="yellow"
        )


@contextmanager
def _progress() -> Iterator[Progress]:
    from rich.progress import Progress as Bar

    console = err()
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Reading crates", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _row(run: Run) -> tuple[str, ...]:
    at = run.asked or run.published
    version = run.release or run.snapshot[:8]
    decided = run.signed_off_by if run.signed_off_as == "person" else run.signed_off_as
    figures = {True: "some figures suppressed", False: "nothing suppressed", None: ""}[run.suppressed]
    return (
        _lines(at[:10], at[11:16]),
        _lines(run.person_name or run.person, run.project),
        run.title or run.sentence,
        _lines(run.dataset, version and f"@{version}"),
        run.tre_name,
        _lines(f"{run.agreement} {run.agreement_version}".strip(), decided and f"{run.sign_off} by {decided}"),
        _lines(run.outcome, figures or run.reason, "" if run.verified == "authentic" else run.verified.upper()),
    )


def _lines(*parts: str) -> str:
    return "\n".join(filter(None, parts))
