"""One round of an analysis in one TRE: what the enclave's worker and the analysis's own workflow both do."""

from __future__ import annotations

from typing import Any, TypeVar

from cinque.analyses.analysis import Analysis, History, Partial, Released, Result, Step, apply
from cinque.errors import Refused
from cinque.lib.canonical import canonical
from cinque.lib.parse import dump, parse
from cinque.query.source import Source
from cinque.sdc.appetite import Appetite
from cinque.sdc.figures import Judgement
from cinque.sdc.judge import judge

P = TypeVar("P")


def parameters_of(analysis: Analysis[P], data: Any) -> P:
    """The parameters in a JSON value. Raises Refused naming each field that is not as it must be."""
    return parse(analysis.parameters, data, f"The parameters of `{analysis.name}`", code="parameters-malformed")


def next_step(analysis: Analysis[P], parameters: P, history: History) -> Step:
    """The step that follows from what all members released so far. Raises Refused when there is none, or when rounds
    differ in their members.
    """
    if not history:
        return analysis.first(parameters)
    if any(released.keys() != history[0].keys() for released in history):
        raise Refused("members-differ", "The members of a session are fixed in its first round.")
    if len(history) < analysis.rounds:
        found = analysis.advance(parameters, history)
        if not isinstance(found, Result):
            return found
    raise Refused("session-complete", f"`{analysis.name}` has no round after these {len(history)}.")


def work(
    analysis: Analysis[P], source: Source, parameters: P, step: Step, appetite: Appetite
) -> tuple[Partial, Judgement, Released]:
    """The partial, disclosure control's verdict on it, and what may leave. Raises Refused as the analysis's check and
    partial do, and ValueError or ArithmeticError, with nothing to release, for a fault in our own code.
    """
    analysis.check(parameters, source.dictionary)
    partial = analysis.partial(source, parameters, step)
    figures = analysis.figures(parameters, partial)
    judgement = judge(figures, appetite)
    return partial, judgement, apply(partial, figures, judgement)


def released_bytes(released: Released) -> bytes:
    """The one form in which a partial leaves: RFC 8785."""
    return canonical(dump(released))
