"""`answer.methods()`: a paragraph for the methods section of a paper, with numbered references.

What is said of an analysis stands in methods.toml; the rest is read from the answer and from the TREs' signed crates:
versions, digests, rounds, the risk appetites that disclosure control applied, who is missing and why.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from cinque.crate.release import read_release
from cinque.crate.wording import short
from cinque.errors import CinqueError
from cinque.lib.canonical import strict_loads
from cinque.lib.digest import sha256_hex
from cinque.lib.version import VERSION

if TYPE_CHECKING:
    from cinque.client.answer import Answer
    from cinque.client.synthesis import Synthesis
    from cinque.crate.release import ReleasedCrate

_CITED: Final = re.compile(r" ?\[([a-z0-9, ]+)\]")
_ALWAYS: Final = "statistical disclosure control [griffiths2019]"


class Methods(str):
    """The paragraph and its references as text; `paragraph` and `references` apart."""

    __slots__ = ("paragraph", "references")
    paragraph: str
    references: tuple[str, ...]

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(one)}</li>" for one in self.references)
        return f'<div class="cinque-answer"><p>{escape(self.paragraph)}</p><ol>{items}</ol></div>'

    __repr__ = str.__str__


@dataclass(frozen=True, slots=True)
class _Run:
    """What a TRE's crate says of its run."""

    appetite: Mapping[str, Any]
    cinque: str
    analysis: str
    digest: str
    rounds: int
    mode: str
    dataset: str


def methods(answer: Answer) -> Methods:
    """The paragraph of one answer. A crate that is not on disk any more is left out of what is said."""
    known = {**answer.parameters, **(answer.result or {})}
    sentences = list(said_of(answer.analysis, known))
    runs = {name: run for name, path in answer.crates.items() if (run := _run(path, answer.analysis)) is not None}
    sentences += _where(answer, list(runs.values()))
    sentences += _control(runs)
    sentences += _honest(answer)
    sentences.append(
        "Each TRE's part is kept as a signed Five Safes RO-Crate [desai2016, soiland2022]; the request is "
        f"{short(answer.request)}."
    )
    return written(sentences)


def methods_of_synthesis(found: Synthesis) -> Methods:
    """The paragraph of a meta-analysis."""
    known = {"method": found.result.method, "hartung_knapp": found.result.hartung_knapp}
    if found.result.prediction is not None:
        known["prediction"] = True
    sentences = list(said_of("meta", known))
    sentences.append(f"Estimates of {_count(found.names)} were combined with Cinque {VERSION}.")
    if found.left_out:
        sentences.append(f"Left out, because no estimate of theirs was released: {_listed(found.left_out)}.")
    return written(sentences)


@cache
def table() -> dict[str, Any]:
    """methods.toml."""
    return tomllib.loads(files("cinque.client").joinpath("methods.toml").read_text("utf-8"))


def said_of(analysis: str, known: Mapping[str, Any]) -> Iterator[str]:
    """The sentences of an analysis that hold for these parameters and values."""
    entry = table()["analysis"].get(analysis)
    if entry is None:
        yield f"The analysis was `{short(analysis)}`."
        return
    yield entry["text"]
    for also in entry.get("also", ()):
        value, wanted = known.get(also["key"]), also.get("is")
        holds = bool(value) if wanted is None else value in wanted if isinstance(wanted, list) else value == wanted
        if holds and not known.get(also.get("unless", "")):
            yield also["text"]


def written(sentences: Sequence[str]) -> Methods:
    """The sentences in one paragraph, keys in brackets as numbers in the order in which they come."""
    order: list[str] = []
    references = table()["references"]

    def number(match: re.Match[str]) -> str:
        keys = [key.strip() for key in match.group(1).split(",")]
        if any(key not in references for key in keys):
            return match.group(0)  # somebody's own brackets
        order.extend(key for key in keys if key not in order)
        return " [" + ", ".join(str(order.index(key) + 1) for key in keys) + "]"

    paragraph = _CITED.sub(number, " ".join(sentences))
    cited = tuple(references[key] for key in order)
    listed = "\n".join(f"{place}. {one}" for place, one in enumerate(cited, 1))
    made = Methods(f"{paragraph}\n\nReferences\n{listed}")
    made.paragraph, made.references = paragraph, cited
    return made


# --------------------------------------------------------------------------------------------- what the answer says
def _where(answer: Answer, runs: Sequence[_Run]) -> Iterator[str]:
    who = _count([short(name) for name in answer.answered])
    software = f"Cinque {_listed(sorted({run.cinque for run in runs}) or [VERSION])}"
    if not runs:
        yield f"It ran at {who} with {software}."
        return
    run = runs[0]
    rounds = max(each.rounds for each in runs)
    yield (
        f"It ran at {who}, on the dataset `{short(run.dataset)}` in {rounds} round{'s' if rounds > 1 else ''}, with "
        f"{software} (analysis {run.analysis}, {run.digest})."
    )
    yield (
        "No row of data left a TRE: each computed its own sums and released them"
        + (", visible to the asker (mode open)" if run.mode == "open" else f" in mode {short(run.mode)}")
        + f", after {_ALWAYS} of its own."
    )


def _control(runs: Mapping[str, _Run]) -> Iterator[str]:
    by_appetite: dict[str, list[str]] = {}
    for name, run in runs.items():
        by_appetite.setdefault(_appetite(run.appetite), []).append(short(name))
    for words, names in by_appetite.items():
        yield f"{_listed(names)} applied {words}."


def _appetite(value: Mapping[str, Any]) -> str:
    zeros = "and counts of nobody" if value.get("zeros") == "suppress" else "but not counts of nobody"
    threshold = value.get("threshold", 0)
    name = f"the risk appetite `{short(str(value.get('name', '')))}`"
    if not isinstance(threshold, int) or threshold < 2:
        return f"{name} (nothing is suppressed)"
    return (
        f"{name} (counts of fewer than {threshold} people {zeros} suppressed, p% rule at "
        f"{value.get('dominance', 0):g}, at least {value.get('dof')} residual degrees of freedom, at most "
        f"{value.get('ratio', 0):g} parameters or released numbers a person)"
    )


def _honest(answer: Answer) -> Iterator[str]:
    if answer.result is None:
        yield "No TRE released a figure."
    elif answer.exactness == "exact":
        yield "Nothing was suppressed or rounded: the result is that of the pooled data of these TREs."
    elif answer.exactness == "bounded":
        yield (
            f"{answer.suppressed} of the figures were suppressed; they are given as bounds that contain them, and "
            "enter no estimate as a number."
        )
    elif answer.exactness == "approximate":
        yield "The result is an approximation to that of the pooled data."
    elif answer.exactness:
        yield f"Figures were {short(answer.exactness)} to protect people."
    if (answer.result or {}).get("stopped"):
        yield f"The fit was not finished: {short(str((answer.result or {})['stopped']))}"
    over = (answer.result or {}).get("pooled_over")
    if isinstance(over, list):
        lost = [name for name in answer.answered if not any(answer.names.get(tre, tre) == name for tre in over)]
        if lost:
            who = _listed(list(map(short, lost)))
            yield f"Not in the estimates, because what they need could not be released: {who}."
    if answer.missing:
        each = [f"{short(one.tre)} ({short(one.reason).rstrip('.')})" for one in answer.missing]
        yield f"Asked without a figure in the answer: {_listed(each)}."


def _run(path: Any, analysis: str) -> _Run | None:
    try:
        crate = read_release(path.read_bytes())
    except (OSError, CinqueError):
        return None
    statement = None if crate.request is None else crate.request.statement
    name, digest = next(((n, d) for n, d in crate.statement.code.items() if n.startswith(f"{analysis}@")), ("", ""))
    return _Run(
        appetite=_stated(crate),
        cinque=crate.statement.code.get("cinque", VERSION),
        analysis=name.replace("@", " "),
        digest=digest,
        rounds=crate.statement.rounds,
        mode=statement.mode if statement else "open",
        dataset=statement.dataset if statement else "",
    )


def _stated(crate: ReleasedCrate) -> Mapping[str, Any]:
    """The risk appetite in words, if these words have the digest that the TRE signed."""
    for entity in crate.graph:
        text = entity.get("text")
        if isinstance(text, str) and sha256_hex(text.encode()) == crate.statement.appetite:
            found = strict_loads(text.encode())
            return found if isinstance(found, Mapping) else {}
    return {}


def _count(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"one Trusted Research Environment ({names[0]})"
    return f"{len(names)} Trusted Research Environments ({_listed(names)})"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
