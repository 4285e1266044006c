"""`cinque status`, `cinque answer`, `cinque cancel`: requests asked earlier, by this or another process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cinque.cli.terminal import (
    NO,
    OK,
    Home,
    Json,
    emit,
    err,
    grid,
    home_of,
    listing,
    say,
    show,
    with_passphrase,
)

if TYPE_CHECKING:
    from cinque.client.client import Client
    from cinque.client.home import RequestFolder
    from cinque.client.request import Request
    from cinque.wire.messages import RequestStatus

Id = Annotated[str, typer.Argument(metavar="ID", help="A request's id, or its first characters.")]


@contextmanager
def opened(ctx: typer.Context, home: Path) -> Iterator[Client]:
    """The client of a home, closed at the end."""
    from cinque.client.client import Client
    from cinque.client.home import ClientHome

    client = with_passphrase(ctx, lambda passphrase: Client.open(ClientHome(home), passphrase))
    try:
        yield client
    finally:
        client.close()


def status(
    ctx: typer.Context,
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A request's id, or its first characters.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """How your requests stand at each TRE."""
    with opened(ctx, home_of(ctx, home)) as client:
        if id is not None:
            request = client.request(id)
            found = facts(request.folder, request.status())
            if json:
                emit(found)
            else:
                _print(found)
            return
        requests = [_standing(client.request(folder.id)) for folder in client.home.all_requests()]
    requests.sort(key=lambda one: str(one["asked"]))
    if json:
        emit({"requests": requests})
    elif requests:
        rows = [(one["request"][9:17], one["asked"], one["title"], _states(one)) for one in requests]
        show(listing(("id", "asked", "question", "TREs"), rows))
    else:
        say("No question was asked from this home yet. Try `cinque ask --help`.")


def _standing(request: Request) -> dict[str, Any]:
    """As `facts`; a hub that does not answer, or forgot the request, hides none of the others."""
    from cinque.errors import NotFound, Unavailable

    try:
        return facts(request.folder, request.status())
    except (Unavailable, NotFound) as error:
        return facts(request.folder, None) | {"problem": error.sentence}


def facts(folder: RequestFolder, status: RequestStatus | None) -> dict[str, Any]:
    """A request and how its tasks stand, TREs by name; `tasks` is None when that is not known."""
    note = folder.note()
    names = note["tres"]
    found = {name: note[name] for name in ("title", "analysis", "dataset", "project", "asked")}
    tasks = None
    if status is not None:
        tasks = [
            {"tre": names.get(t.tre, t.tre), "state": t.state, "code": t.code, "round": t.round, "seen": t.seen}
            for t in status.tasks
        ]
    until = "" if status is None else status.accept_until
    return {"request": folder.id, **found, "accept_until": until, "tasks": tasks, "folder": str(folder.path)}


def _states(found: dict[str, Any]) -> str:
    if found["tasks"] is None:
        return str(found["problem"])
    from cinque.client.progress import standing

    return "\n".join(f"{task['tre']}: {standing(task['state'], task['code'])}" for task in found["tasks"])


def _print(found: dict[str, Any]) -> None:
    from cinque.client.progress import standing

    names = ("request", "title", "dataset", "project", "asked", "accept_until", "folder")
    show(grid(*((name.replace("_", " "), str(found[name])) for name in names)))
    rows = [
        (task["tre"], standing(task["state"], task["code"]), str(task["round"]), task["seen"] or "never")
        for task in found["tasks"] or ()
    ]
    show(listing(("TRE", "state", "round", "last seen by the hub"), rows))


def answer(
    ctx: typer.Context,
    id: Id,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the rest.")] = 0.0,
    home: Home = None,
    json: Json = False,
) -> None:
    """The answer as far as it has come; it says who is missing and why."""
    with opened(ctx, home_of(ctx, home)) as client:
        answer_of(client.request(id), timeout, json)


def answer_of(request: Request, timeout: float | None, json: bool) -> None:
    """Wait, print the answer, and end: 0 when a TRE answered or still may, 1 when every one said no."""
    try:
        with progress(request) as seen:
            found = request.answer(timeout, progress=seen)
    except KeyboardInterrupt:
        say(f"The question stays asked. Read what came back with `cinque answer {request.id[9:17]}`.")
        raise typer.Exit(130) from None
    if json:
        emit(found.to_dict() | {"pending": list(found.pending)})
    else:
        show(found)  # as it shows itself everywhere: with what it warns of, not its figures alone
    raise typer.Exit(OK if found.answered or found.pending else NO)


def cancel(ctx: typer.Context, id: Id, home: Home = None, json: Json = False) -> None:
    """Stop a request where nothing has been released yet."""
    with opened(ctx, home_of(ctx, home)) as client:
        request = client.request(id)
        found = facts(request.folder, request.cancel())
    if json:
        emit(found)
        return
    _print(found)
    if late := [task["tre"] for task in found["tasks"] if task["state"] == "released"]:
        say(f"Too late for {', '.join(late)}: it has released its output.")


@contextmanager
def progress(request: Request) -> Iterator[Callable[[RequestStatus], None]]:
    """Shows on standard error how each TRE stands: one changing table on a terminal, a line a change elsewhere."""
    from cinque.client.progress import live, rows

    console = err()
    if console.is_terminal:
        with live(request, console) as seen:
            yield seen
        return
    last: dict[str, str] = {}

    def line(status: RequestStatus) -> None:
        for name, words, _ in rows(request, status):
            if last.get(name) != words:
                say(f"{name}: {words}")
                last[name] = words

    yield line
