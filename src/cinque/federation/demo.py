"""`cinque demo`: a hub and three TREs as real processes, a synthetic OMOP population, and real questions."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel

from cinque.analyses import registry
from cinque.client.answer import Answer
from cinque.client.arguments import arguments
from cinque.client.client import Client
from cinque.client.home import ClientHome
from cinque.errors import Unreadable
from cinque.federation import omop
from cinque.federation.processes import Processes, enrol, prepare
from cinque.lib.clock import system_clock


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of the demo. `down`: a TRE whose gate is stopped while it is asked."""

    name: str
    words: str
    analysis: str
    data: str
    parameters: dict[str, Any] = field(default_factory=dict)
    down: str = ""
    note: str = ""


QUESTIONS = (
    Asked("celecoxib", "How many people had celecoxib (OMOP 1118084)?", "count", "people", {"where": "celecoxib"}),
    Asked("diclofenac", "How many people had diclofenac (OMOP 1124300)?", "count", "people", {"where": "diclofenac"}),
    Asked("gi-bleed", "How many people had a GI bleed (OMOP 192671)?", "count", "people", {"where": "gi_bleed"}),
    Asked(
        "gi-bleed-by-sex-and-drug",
        "GI bleed by sex and drug",
        "table",
        "people",
        {"factors": ["gi_bleed", "sex", "drug"]},
    ),
    Asked(
        "age-at-first-exposure",
        "Age at first exposure, by drug",
        "summary",
        "first-exposure",
        {"variable": "age", "by": ["drug"]},
    ),
    Asked(
        "odds-of-gi-bleed",
        "Odds of a GI bleed by drug and sex: a logistic regression",
        "glm",
        "people",
        {"formula": "gi_bleed ~ drug + sex", "family": "binomial"},
        note="Equal to the fit on all rows together. Each TRE works out the next step itself; no coefficient travels.",
    ),
    Asked(
        "rows-are-not-people",
        "Conditions of women born in 1912: plenty of rows, too few people",
        "count",
        "condition-occurrence",
        {"where": "sex == 'F' and year_of_birth == 1912"},
        note="Hundreds of rows, of a handful of people: the thresholds count people, so nothing is told.",
    ),
    Asked(
        "refused-by-agreement",
        "People by race: a column that Sandwich's agreement leaves out",
        "table",
        "people",
        {"factors": ["race"]},
        note="Sandwich refuses by its agreement, and signs the refusal; the two others have cells under the threshold.",
    ),
    Asked(
        "small-cells",
        "People by race and sex at Dover and Hythe: cells under the threshold",
        "table",
        "people",
        {"factors": ["race", "sex"]},
        note="Small cells are suppressed, and so is every figure that would give one back by subtraction.",
    ),
    Asked(
        "one-tre-down",
        "How many people are there, asked while Hythe is down?",
        "count",
        "people",
        {},
        down="hythe",
        note="A TRE that does not answer is never a zero.",
    ),
)
SMALL_CELLS_AT = ("dover", "hythe")


def main(directory: Path | None = None, as_json: bool = False) -> dict[str, Any]:
    """Run the demo; print a readable account, or one JSON document. The folder is kept when it is named."""
    console = Console(stderr=as_json)
    started = time.monotonic()
    with ExitStack() as stack:
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cinque-demo-")))
            kept = False
        else:
            kept = True
            if directory.exists() and any(directory.iterdir()):
                raise Unreadable(
                    "folder-not-empty", f"{directory} is not empty.", remedy="Name a new folder: --dir DIR."
                )
            directory.mkdir(parents=True, exist_ok=True)
        told = _tell(console)
        told("Splitting 2,694 synthetic people over three TREs, and starting a hub, three gates and three enclaves…")
        with console.status("starting seven processes") if not as_json else ExitStack():
            federation = stack.enter_context(_start(directory))
        told(f"All up after {time.monotonic() - started:.1f} s: {', '.join(federation.written.tres)}.")
        client = Client.open(ClientHome(federation.written.researcher))
        stack.callback(client.close)
        client.wait_described("people")
        questions = []
        for number, question in enumerate(QUESTIONS, start=1):
            answer, seconds = _ask(federation, client, question, console if not as_json else None)
            questions.append(_entry(question, answer, seconds))
            if not as_json:
                _account(console, number, question, answer, seconds)
        seconds = round(time.monotonic() - started, 3)
        result = {"tres": list(federation.written.tres), "questions": questions, "seconds": seconds}
        client.close()
        if as_json:
            sys.stdout.write(json.dumps(result) + "\n")
        else:
            _farewell(console, directory, answer, kept, seconds)
    return result


def _tell(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(text, style="dim")


def _start(directory: Path) -> Processes:
    planned = omop.plan(directory / "split", system_clock().date())
    written = prepare(directory, planned, dataset="people")
    settings = ClientHome(written.researcher).settings()
    enrol(written, settings.hub)
    processes = Processes(written)
    try:
        processes.start()
    except BaseException:
        processes.stop()
        raise
    return processes


def _ask(federation: Processes, client: Client, question: Asked, console: Console | None) -> tuple[Answer, float]:
    down = federation.gates[question.down] if question.down else None
    if down is not None:
        down.stop()
    started = time.monotonic()
    chosen = registry.get(question.analysis)
    tres = SMALL_CELLS_AT if question.name == "small-cells" else None
    request = client.ask(
        question.analysis,
        arguments(chosen, question.parameters),
        dataset=question.data,
        tres=tres,
        title=question.words,
    )
    waiting = console.status(f"asking: {question.words}") if console is not None else ExitStack()
    with waiting:
        answer = request.answer(30.0)
    seconds = time.monotonic() - started
    if down is not None:
        federation.start([down])
    return answer, seconds


def _entry(question: Asked, answer: Answer, seconds: float) -> dict[str, Any]:
    told = answer.to_dict()
    return {
        "name": question.name,
        "question": question.words,
        "analysis": question.analysis,
        "answer": told["values"],
        "exactness": told["exactness"],
        "answered": told["answered"],
        "missing": told["missing"],
        "suppressed": told["suppressed"],
        "crates": list(told["crates"].values()),
        "records": list(told["records"].values()),
        "answer_crate": told["answer_crate"],
        "seconds": round(seconds, 3),
    }


def _account(console: Console, number: int, question: Asked, answer: Answer, seconds: float) -> None:
    console.print()
    console.rule(f"[bold]{number}. {question.words}[/]", align="left")
    console.print(answer)
    if question.note:
        console.print(f"[italic]{question.note}[/]")
    console.print(f"[dim]{seconds:.2f} s from question to answer[/]")


def _farewell(console: Console, directory: Path, answer: Answer, kept: bool, seconds: float) -> None:
    if kept:
        crate = next(iter(answer.crates.values()), answer.crate)
        text = (
            f"Everything is in {directory}: your home, the hub, the TREs. What to try next:\n"
            f"  cinque runs --home {directory}\n"
            f"  cinque verify {answer.crate}\n"
            f"  cinque crate show {crate}\n"
            "  cinque up          the same, left running for questions of your own"
        )
    else:
        text = (
            "The folder was temporary. To keep crates, keys and records:\n"
            "  cinque demo --dir my-demo\n"
            "  cinque up          the same, left running for questions of your own"
        )
    console.print()
    console.print(Panel(text, title=f"done in {seconds:.1f} s", title_align="left"))
