"""The answer over many TREs: who answered, who did not and why, bounds where something was suppressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cinque.analyses import registry
from cinque.analyses.analysis import Released, Result
from cinque.analyses.work import parameters_of
from cinque.client.home import RequestFolder
from cinque.crate.answer import AnswerInputs, Asked, Missing, Received, compose_answer
from cinque.crate.cards import PersonCard
from cinque.crate.keys import SigningKey
from cinque.crate.rounds import history
from cinque.errors import Refused
from cinque.lib.ids import Random
from cinque.lib.parse import parse
from cinque.sdc.figures import is_suppressed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cinque.client.methods import Methods


WIDE: Final = 200  # columns of an answer as text, so that no table is folded


@dataclass(frozen=True)
class Answer:
    """One question's answer. `result`: its values as the analysis defines them (None when no TRE released anything),
    which `values` gives too, save where that name is the analysis's own; `exactness`: exact, bounded or rounded;
    `answered`: names of the TREs pooled over; `pending`: who may still answer.
    """

    request: str
    question: str
    analysis: str
    parameters: dict[str, Any]
    result: dict[str, Any] | None
    exactness: str
    answered: tuple[str, ...]
    missing: tuple[Missing, ...]
    names: dict[str, str]
    crate: Path
    crates: dict[str, Path]
    records: dict[str, Path]
    pending: tuple[str, ...] = field(default=())

    @property
    def values(self) -> Any:
        """The same as `result`."""
        return self.result

    @property
    def suppressed(self) -> int:
        """How many of the TREs' released figures were suppressed."""
        return 0 if self.result is None else _count(self.result.get("per_tre", self.result))

    @property
    def known(self) -> dict[str, Any]:
        """The values as tables are made from them."""
        return self.result or {}

    @property
    def per_tre(self) -> dict[str, Any]:
        """TRE name -> its own values, by name."""
        found = {self.names.get(tre, tre): _named(v, self.names) for tre, v in self.known.get("per_tre", {}).items()}
        return dict(sorted(found.items()))

    @property
    def pooled_over(self) -> tuple[str, ...]:
        """Names of the TREs whose figures are in what was pooled; their ids are `result["pooled_over"]`. Everybody who
        answered where the values say nothing else.
        """
        ids = (self.result or {}).get("pooled_over")
        return self.answered if ids is None else tuple(sorted(self.names.get(tre, tre) for tre in ids))

    @property
    def warnings(self) -> list[str]:
        """What must be known before the answer is used."""
        return []

    def __getattr__(self, name: str) -> Any:
        """A value of the answer by its name: a number, None, or the suppressed form with its bounds."""
        if name.startswith("_") or name not in (self.result or {}):
            raise AttributeError(f"the answer of `{self.analysis}` has no `{name}`{self._names()}")
        return self.result[name]  # type: ignore[index]  # just looked at

    def _names(self) -> str:
        if self.result is None:
            return ": no TRE released a figure, see `.missing`"
        return f"; it has {', '.join(f'`{name}`' for name in self.result if name.isidentifier())}"

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON values, TREs by name."""
        values = None if self.result is None else _named(self.result, self.names)
        return {
            "request": self.request,
            "question": self.question,
            "analysis": self.analysis,
            "parameters": self.parameters,
            "values": values,
            "exactness": self.exactness,
            "answered": list(self.answered),
            "missing": [{"tre": m.tre, "code": m.code, "reason": m.reason} for m in self.missing],
            "suppressed": self.suppressed,
            "crates": {name: str(path) for name, path in self.crates.items()},
            "records": {name: str(path) for name, path in self.records.items()},
            "answer_crate": str(self.crate),
        }

    @property
    def parts(self) -> list[str]:
        """The tables that the answer has, by the names that `to_arrow` and `to_pandas` take."""
        from cinque.client.tidy import names

        return names(self)

    def to_arrow(self, part: str | None = None) -> Any:
        """A pyarrow.Table (client/tidy.py): a row for each figure of each record and TRE, or the table of one of
        `parts`. Raises Unavailable without pyarrow, NotFound for a part that there is not.
        """
        from cinque.client.tidy import arrow

        return arrow(self, part)

    def to_pandas(self, part: str | None = None) -> Any:
        """A pandas.DataFrame of the same form. Raises as `to_arrow`."""
        from cinque.client.tidy import pandas

        return pandas(self, part)

    def summary(self) -> str:
        """Text in the layout that statisticians know (client/summary.py)."""
        from cinque.client.summary import summary

        return summary(self)

    def plot(self, term: str = "", **how: Any) -> Figure:
        """A picture as a matplotlib figure, of no global state: `.savefig("file.svg")`. `term`: of a model whose TREs
        released their own estimates, a forest plot of this one; `by_tre`, `exponentiate`, `intercept` as in
        client/plots/choose.py. Raises Unavailable without matplotlib, Refused where there is no picture.
        """
        from cinque.client.plots.choose import plot, site_effect

        if (effect := site_effect(self, term, how.get("exponentiate"))) is not None:
            from cinque.client.synthesis import synthesise

            return synthesise(self, term=effect[0]).plot(exponentiate=effect[1])
        return plot(self, **how)

    def chart(self, **how: Any) -> Any:
        """The picture as an Altair chart, which a notebook draws; `.to_dict()` is its Vega-Lite specification. Options
        as those of `plot`. Raises Unavailable without altair, Refused where there is no such picture.
        """
        from cinque.client.plots.chart import chart

        return chart(self, **how)

    def methods(self) -> Methods:
        """A paragraph for the methods section of a paper, with its references (client/methods.py)."""
        from cinque.client.methods import methods

        return methods(self)

    def sheets(self) -> Sequence[Any]:
        """The tables in which the figures are printed (client/view.py)."""
        from cinque.client.view import sheets

        return sheets(self)

    def __str__(self) -> str:
        import io

        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=WIDE).print(self)
        return "\n".join(line.rstrip() for line in text.getvalue().rstrip().split("\n"))

    def __rich__(self) -> Any:
        from cinque.client.view import renderable

        return renderable(self)

    def __repr__(self) -> str:
        who = f"answered: {', '.join(self.answered) or 'nobody'}"
        lost = "; ".join(f"{m.tre}: {m.code}" for m in self.missing)
        return f"<{type(self).__name__} of {self.question}; {who}{'; missing: ' + lost if lost else ''}>"

    def _repr_html_(self) -> str:
        from cinque.client.view import html

        return html(self)


@dataclass(frozen=True, repr=False)
class CountAnswer(Answer):
    """`people` and `rows`: numbers, or the suppressed form with bounds."""

    @property
    def people(self) -> Any:
        """Distinct people over the TREs that answered (people in two TREs count twice)."""
        return None if self.result is None else self.result["people"]

    @property
    def rows(self) -> Any:
        """Rows."""
        return None if self.result is None else self.result["rows"]

    @property
    def n(self) -> Any:
        """The same as `people`."""
        return self.people

    def __int__(self) -> int:
        if isinstance(self.people, int):
            return self.people
        raise TypeError("the count is not known exactly: see .people")


@dataclass(frozen=True, repr=False)
class TableAnswer(Answer):
    """`counts`: levels -> people (a number or the suppressed form)."""

    @property
    def counts(self) -> dict[tuple[str, ...], Any]:
        """By tuple of levels, in the order of the factors."""
        return {tuple(cell["levels"]): cell["people"] for cell in (self.result or {}).get("cells", [])}

    @property
    def margins(self) -> dict[tuple[str, str], Any]:
        """By (factor, level)."""
        return {(m["factor"], m["level"]): m["people"] for m in (self.result or {}).get("margins", [])}

    @property
    def n(self) -> Any:
        """People with every factor present."""
        return (self.result or {}).get("n")

    @property
    def missing_people(self) -> Any:
        """People with a row in which a factor is missing."""
        return (self.result or {}).get("missing")


def recompute(
    analysis: Mapping[str, Any], parameters: Mapping[str, Any], rounds: list[dict[str, Any]]
) -> dict[str, Any]:
    """The result of an analysis from what its members released: the same for whoever works it out.

    `analysis`: name, version, digest, complete (whether no TRE is missing). Raises Refused when this installation has
    not that very analysis, or when the rounds do not end in a result.
    """
    from cinque.analyses import package

    chosen = registry.get(str(analysis["name"]))
    if package.digest(package.package(chosen)) != analysis["digest"]:
        raise Refused(
            "analysis-differs",
            f"`{chosen.name}` as installed here is not the one that was asked with.",
            remedy="Install the release of Cinque that the crate names.",
        )
    found = [{tre: parse(Released, part, "A released partial") for tre, part in members.items()} for members in rounds]
    result = chosen.advance(parameters_of(chosen, dict(parameters)), found)
    if not isinstance(result, Result):
        raise Refused("session-unfinished", "The session did not reach its result.")
    # Exactness is claimed only where no control was applied and no TRE is missing (contracts section 4).
    exactness = "bounded" if result.exactness == "exact" and not analysis["complete"] else result.exactness
    return {"values": result.values, "exactness": exactness}


def compose(
    folder: RequestFolder,
    asked: Asked,
    crates: Mapping[str, Received],
    missing: tuple[Missing, ...],
    *,
    person: PersonCard,
    key: SigningKey,
    now: datetime,
    random: Random,
    kind: type[Answer] = Answer,
) -> Answer:
    """Work out the answer from the crates received, by TRE name, and keep it as a crate of the person's own. `kind`:
    what the analysis's answers are (client/kinds.py).
    """
    request = asked.request
    statement = request.statement
    read = {name: received.crate for name, received in sorted(crates.items())}
    released = {name: crate for name, crate in read.items() if crate.kind == "release"}
    result: dict[str, Any] | None = None
    if released:
        analysis = {
            "name": statement.analysis,
            "version": statement.analysis_version,
            "digest": statement.analysis_digest,
            "complete": not missing,
        }
        result = recompute(analysis, request.parameters, history(read))
    note = folder.note()
    inputs = AnswerInputs(
        request=statement.id,
        question=note["title"],
        person=person,
        result=result,
        members=dict(crates),
        asked=asked,
        missing=missing,
        received=dict.fromkeys(crates, now),
    )
    path = folder.write("answer.zip", compose_answer(inputs, key, now=now, random=random))
    names = note["tres"]
    return kind(
        request=statement.id,
        question=note["title"],
        analysis=statement.analysis,
        parameters=request.parameters,
        result=result["values"] if result else None,
        exactness=result["exactness"] if result else "",
        answered=tuple(released),
        missing=missing,
        names=names,
        crate=path,
        crates={name: folder.crate(name) for name in released},
        records={name: folder.crate(name) for name in read if name not in released},
    )


def _named(value: Any, names: Mapping[str, str]) -> Any:
    """JSON values with TREs' ids as the names that the asker uses."""
    if isinstance(value, Mapping):
        return {names.get(key, key): _named(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _count(value: Any) -> int:
    if is_suppressed(value):
        return 1
    if isinstance(value, Mapping):
        return sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, list | tuple) else 0
