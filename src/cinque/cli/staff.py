"""`cinque tre tasks | show | explain | sign-off | refuse | release | withhold`: the TRE's people at their enclave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cinque.cli.terminal import Json, agreed, emit, grid, here, listing, say, show, with_passphrase
from cinque.cli.tre import HomeOption, tre_home
from cinque.errors import NotFound

if TYPE_CHECKING:
    from cinque.crate.keys import KeyRing
    from cinque.wire.call import Caller

Verb = Literal["sign-off", "refuse", "release", "withhold"]

Task = Annotated[str, typer.Argument(metavar="TASK", help="A task's id, or its first characters.")]
As = Annotated[Path | None, typer.Option("--as", metavar="DIR", help="Your own home, if not CINQUE_HOME or ~/.cinque.")]
Enclave = Annotated[str, typer.Option("--enclave", metavar="URL", help="The enclave's address, if not in the home.")]
Reason = Annotated[str, typer.Option(help="Why; kept inside the TRE.")]
Told = Annotated[str, typer.Option("--answer", metavar="TEXT", help="What the researcher is told.")]
Seen = Annotated[str, typer.Option(metavar="MARK", help="The mark of the output that you looked at (`tre show`).")]


def add_to(app: typer.Typer) -> None:
    """Register the commands beside those of the TRE's home."""
    for name, verb in (("tasks", tasks), ("show", shown), ("explain", explain)):
        app.command(name, rich_help_panel="Requests")(verb)
    for name, decision in (("sign-off", sign_off), ("refuse", refuse), ("release", release), ("withhold", withhold)):
        app.command(name, rich_help_panel="Decisions, signed by you")(decision)


@contextmanager
def _calling(ctx: typer.Context, me: Path | None, url: str, home: Path | None) -> Iterator[tuple[Caller, KeyRing]]:
    """The enclave as this person calls it, and the person's keys."""
    from cinque.client.home import ClientHome
    from cinque.wire.call import connect

    ring = with_passphrase(ctx, ClientHome(me or here(ctx).home).ring)
    caller = connect(url or _address(tre_home(ctx, home)), ring.sign("call"))
    try:
        yield caller, ring
    finally:
        caller.close()


def _address(root: Path) -> str:
    from cinque.enclave.settings import EnclaveHome, EnclaveSettings
    from cinque.lib.parse import parse_toml

    place = EnclaveHome(root).settings
    found = parse_toml(EnclaveSettings, place.read_text("utf-8"), str(place))
    host = f"[{found.host}]" if ":" in found.host else found.host
    return f"http://{host}:{found.port}"


def _task(caller: Caller, wanted: str) -> dict[str, Any]:
    """One task, by its id or the first characters of it. Raises NotFound."""
    short = wanted.removeprefix("urn:uuid:")
    found = [one["task"] for one in caller.call("GET", "/tasks").json()]
    fitting = [id for id in found if id.removeprefix("urn:uuid:").startswith(short)]
    if len(short) < 4 or len(fitting) != 1:
        raise NotFound("no-such-task", f"No single task here begins with `{short}`.", remedy="See `cinque tre tasks`.")
    whole: dict[str, Any] = caller.call("GET", f"/tasks/{fitting[0]}").json()
    return whole


# --------------------------------------------------------------------------------------------------------- looking
def tasks(
    ctx: typer.Context,
    me: As = None,
    every: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
    enclave: Enclave = "",
    home: HomeOption = None,
    json: Json = False,
) -> None:
    """The requests at this TRE that have not ended."""
    with _calling(ctx, me, enclave, home) as (caller, _):
        found = caller.call("GET", f"/tasks?open_only={'false' if every else 'true'}").json()
    if json:
        emit({"tasks": found})
    elif found:
        rows = [
            (
                t["task"][9:17],
                t["state"],
                t["code"],
                t["person_name"] or t["person"],
                t["project"],
                t["dataset"],
                t["accepted"],
            )
            for t in found
        ]
        show(listing(("id", "state", "why", "who asks", "project", "data", "since"), rows))
    else:
        say("No request waits at this TRE.")


def shown(
    ctx: typer.Context, task: Task, me: As = None, enclave: Enclave = "", home: HomeOption = None, json: Json = False
) -> None:
    """What is asked, on what authority, and the output that waits for a checker."""
    with _calling(ctx, me, enclave, home) as (caller, _):
        found = _task(caller, task)
    if json:
        emit(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    labels = {
        "task": "task",
        "state": "state",
        "title": "question",
        "analysis": "analysis",
        "person_name": "who asks",
        "person": "",
        "project": "project",
        "dataset": "data",
        "agreement": "agreement",
        "audience": "asked of",
        "mode": "mode",
        "accepted": "since",
    }
    rows = [(label, _plain(found[name])) for name, label in labels.items() if found.get(name)]
    rows += [(f"  {name}", _plain(value)) for name, value in found.get("parameters", {}).items()]
    show(grid(*rows))
    for row in found.get("decisions", ()):
        say(f"decided: {row['decision']} by {row['person']}", style="dim")
    if found.get("why"):
        show(grid(*_reasons(found["why"])))
    if "output" in found:
        _print_output(found)


def _print_output(found: dict[str, Any]) -> None:
    from rich.json import JSON

    show(JSON.from_data(found["output"], ensure_ascii=True))
    rows = [row["judgement"] for row in found.get("rounds", ()) if not row["released"]]
    for judgement in rows:
        for sentence in judgement.get("findings", ()) if isinstance(judgement, dict) else ():
            say(sentence, style="dim")
    show(grid(("its mark", found["seen"])))


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _reasons(why: dict[str, str]) -> list[tuple[str, str]]:
    labels = {"sentence": "why", "rule": "rule", "remedy": "what would change it", "code": "code"}
    return [(label, why[name]) for name, label in labels.items() if why.get(name)]


def explain(
    ctx: typer.Context, task: Task, me: As = None, enclave: Enclave = "", home: HomeOption = None, json: Json = False
) -> None:
    """Why a task is held or was refused: the rule, and what would change it."""
    with _calling(ctx, me, enclave, home) as (caller, _):
        found = _task(caller, task)
    if json:
        emit({name: found.get(name) for name in ("task", "state", "code", "why", "steps")})
        return
    show(grid(("task", found["task"]), ("state", found["state"]), *_reasons(found.get("why") or {})))
    if not found.get("why"):
        say(f"Nothing holds it: it is {found['state']}.")
    if found.get("steps"):
        show(grid(("possible now", ", ".join(found["steps"]))))


# -------------------------------------------------------------------------------------------------------- deciding
def sign_off(
    ctx: typer.Context,
    task: Task,
    reason: Reason,
    me: As = None,
    enclave: Enclave = "",
    home: HomeOption = None,
    json: Json = False,
) -> None:
    """This request fits its agreement and may run."""
    _decide(ctx, "sign-off", task, reason, me=me, enclave=enclave, home=home, json=json)


def refuse(
    ctx: typer.Context,
    task: Task,
    reason: Reason,
    answer: Told = "",
    me: As = None,
    enclave: Enclave = "",
    home: HomeOption = None,
    json: Json = False,
) -> None:
    """This request may not run."""
    _decide(ctx, "refuse", task, reason, answer=answer, me=me, enclave=enclave, home=home, json=json)


def release(
    ctx: typer.Context,
    task: Task,
    reason: Reason,
    seen: Seen = "",
    me: As = None,
    enclave: Enclave = "",
    home: HomeOption = None,
    json: Json = False,
) -> None:
    """This output may leave."""
    _decide(ctx, "release", task, reason, seen=seen, me=me, enclave=enclave, home=home, json=json)


def withhold(
    ctx: typer.Context,
    task: Task,
    reason: Reason,
    answer: Told = "",
    seen: Seen = "",
    me: As = None,
    enclave: Enclave = "",
    home: HomeOption = None,
    json: Json = False,
) -> None:
    """This output may not leave."""
    _decide(ctx, "withhold", task, reason, answer=answer, seen=seen, me=me, enclave=enclave, home=home, json=json)


def _decide(
    ctx: typer.Context,
    verb: Verb,
    task: str,
    reason: str,
    *,
    me: Path | None,
    enclave: str,
    home: Path | None,
    json: bool,
    answer: str = "",
    seen: str = "",
) -> None:
    """Sign the decision with the person's own key and carry it to the enclave. What is released or withheld is what was
    looked at: the output of the mark given, else the one shown here and now.
    """
    from cinque.crate import dsse
    from cinque.enclave.people import DECISION_TYPE, Decision
    from cinque.lib.canonical import canonical
    from cinque.lib.clock import rfc3339
    from cinque.lib.parse import dump

    with _calling(ctx, me, enclave, home) as (caller, ring):
        found = _task(caller, task)
        if verb in ("release", "withhold") and not seen and "output" in found:
            if not json:
                _print_output(found)
            agreed(f"{verb.capitalize()} this output?")
            seen = found["seen"]
        at = rfc3339(datetime.now(UTC))
        decision = Decision(DECISION_TYPE, 1, found["task"], verb, reason, answer, seen, at)
        envelope = dsse.seal_envelope(DECISION_TYPE, canonical(dump(decision)), ring.sign("sign"))
        after = caller.call("POST", f"/tasks/{found['task']}/decide", body=envelope).json()
    if json:
        emit(after)
    else:
        rows = [(name, after[name]) for name in ("task", "state", "code") if after[name]]
        show(grid(*rows))
