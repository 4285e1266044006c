"""The typed analysis: a value that cannot return a row.

One pass of it in a TRE makes a partial; disclosure control judges the partial's figures; what is left is released; and
`advance`, pure and deterministic, turns all members' released partials into the next step or the result. Enclaves and
the researcher run the same `advance`, so that no step need be believed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figures, Judgement

P = TypeVar("P")

Exactness = Literal["exact", "bounded", "rounded"]


@dataclass(frozen=True, slots=True)
class Step:
    """What every member works at in one round (counted from 1). `values` is derived, never received."""

    round: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Partial:
    """What one pass in one TRE makes. `shape`: what follows from parameters and dictionary alone (levels, names).
    `values`: figure id -> number or nested list of numbers; these may leave when disclosure control allows.
    `evidence`: what disclosure control needs (distinct people, largest contributions); it never leaves.
    """

    shape: Mapping[str, Any]
    values: Mapping[str, Any]
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Released:
    """A partial after disclosure control: each figure is its value or `{"suppressed": true, at_least, at_most}`."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    shape: dict[str, Any]
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """The answer over all members: JSON values, and how exact they are when no TRE is missing."""

    values: dict[str, Any]
    exactness: Exactness


# One mapping a round, TRE id -> what it released; every round holds the same members.
History = Sequence[Mapping[str, Released]]


@dataclass(frozen=True, slots=True)
class Field:
    """One kind of figure in a partial: its id or pattern of ids, unit, statbarn, and what it is in words."""

    id: str
    unit: str
    statbarn: str
    description: str


@dataclass(frozen=True, slots=True)
class Analysis(Generic[P]):
    """See the module's text and contracts.md section 6. `parameters` is a frozen dataclass closed to unknown fields.

    published the day on which this version was fixed, ISO 8601
    check     raises Refused when the parameters do not fit the dictionary; needs no data
    columns   the columns of the dataset that the parameters use: what an agreement is compared with
    first     the step of round one, fixed by the analysis
    partial   one pass over the data of one TRE
    figures   what disclosure control judges
    advance   the next step, or the result; pure, deterministic, independent of the order of members
    agree     the parameters with their fields of metadata {"agreed": True} filled in before signing, from the
              dictionaries of all TREs asked (name -> dictionary): levels of factors, say; None: nothing to agree
    """

    name: str
    version: str
    published: str
    title: str
    parameters: type[P]
    rounds: int
    fields: tuple[Field, ...]
    check: Callable[[P, Dictionary], None]
    columns: Callable[[P], frozenset[str]]
    first: Callable[[P], Step]
    partial: Callable[[Source, P, Step], Partial]
    figures: Callable[[P, Partial], Figures]
    advance: Callable[[P, History], Step | Result]
    agree: Callable[[P, Mapping[str, Dictionary]], P] | None = None


def asked_fields(parameters: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    """The fields that a person gives: all but those that `agree` fills in."""
    return tuple(field for field in dataclasses.fields(parameters) if not field.metadata.get("agreed"))


def apply(partial: Partial, figures: Figures, judgement: Judgement) -> Released:
    """What may leave of a partial. Raises ValueError, and nothing leaves, for a programming error of the analysis: a
    value that was not judged, a figure without a value, or a count judged by another number than the one released.
    """
    judged = {figure.id: figure for figure in figures.figures}
    if judged.keys() != partial.values.keys() or not judgement.suppressed.keys() <= judged.keys():
        raise ValueError("values and judged figures are not the same")
    for figure in figures.figures:
        if figure.kind != "other":
            counted = figure.people if figure.kind == "people" else figure.rows
            if type(partial.values[figure.id]) is not int or partial.values[figure.id] != counted:
                raise ValueError(f"figure {figure.id} was judged by another number than its value")
    released = {
        name: judgement.suppressed[name].to_dict() if name in judgement.suppressed else value
        for name, value in partial.values.items()
    }
    return Released(dict(partial.shape), released)
