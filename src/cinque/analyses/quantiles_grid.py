"""What is asked of quantiles, and the ranges that rounds count people in, by the question and the step alone.

Edges are places on a grid of steps of the precision; None is no end. A range is divided by edges, and every part of a
division is a figure. Groups are searched side by side, each with divisions of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Final

from cinque.analyses.analysis import Step
from cinque.analyses.factors import Cell
from cinque.lib.canonical import canonical
from cinque.model import CLOSED
from cinque.model.datasets import Column
from cinque.stats import edges as dividing
from cinque.stats.quantiles import Gap

WHOLE: Final[Gap] = (None, None)
UNGROUPED: Final = "ungrouped"

Block = tuple[Gap, tuple[int, ...]]  # a range, and the edges that divide it


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Which quantiles, of which number, in which public range, of which groups."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variable: str = field(metadata={"description": "A column of integers or numbers."})
    probabilities: tuple[float, ...] = field(
        default=(0.05, 0.25, 0.5, 0.75, 0.95), metadata={"description": "Which quantiles: each above 0 and below 1."}
    )
    low: float | None = field(default=None, metadata={"description": "Below this value hardly anybody is expected."})
    high: float | None = field(default=None, metadata={"description": "Above this value hardly anybody is expected."})
    precision: float | None = field(
        default=None,
        metadata={"description": "How close is close enough; without, the step in which the number is recorded."},
    )
    by: tuple[str, ...] = field(
        default=(), metadata={"description": "Columns with declared levels, or true/false columns; without, one group."}
    )
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


# ----------------------------------------------------------------------------------------------------------- the grid
def declared(column: Column) -> float | None:
    """The step in which a column is recorded, where that is known."""
    return column.precision or (1.0 if column.type == "integer" else None)


def fraction(number: float) -> Fraction:
    """The decimal number that was written, exactly."""
    return Fraction(repr(float(number)))


def grid(parameters: Quantiles) -> tuple[int, int]:
    """The lowest edge and the highest: around every multiple of the precision from `low` to `high`."""
    step = fraction(parameters.precision or 1)
    low, high = (fraction(end or 0) / step for end in (parameters.low, parameters.high))
    return math.floor(low), math.ceil(high) + 1


def edge(parameters: Quantiles, place: int) -> float:
    """An edge of the grid as a value of the variable."""
    return value_at(parameters, Fraction(place))


def value_at(parameters: Quantiles, place: Fraction) -> float:
    """A place on the grid as a value of the variable. Edges stand half a step beside the values that are recorded, so
    that no rounding of a recorded value moves it across one.
    """
    return float((place - Fraction(1, 2)) * fraction(parameters.precision or 1))


# --------------------------------------------------------------------------------------------------------- the figures
def id_of(parameters: Quantiles, gap: Gap, cell: Cell) -> str:
    """The figure of a range of a group: people with low <= value < high."""
    ends = canonical([None if end is None else edge(parameters, end) for end in gap]).decode()
    return f"in:{ends}{_suffix(cell)}"


def missing_of(cell: Cell) -> str:
    """The figure of the people of a group who have no value."""
    return f"missing{_suffix(cell)}"


def _suffix(cell: Cell) -> str:
    return f":{canonical(list(cell)).decode()}" if cell else ""


def ranges(blocks: Sequence[Block]) -> list[Gap]:
    """All values, and every part of every division."""
    return [WHOLE, *(part for gap, edges in blocks for part in dividing.parts(gap, edges))]


def ids(parameters: Quantiles, blocks: Mapping[Cell, Sequence[Block]]) -> list[str]:
    """Every figure of a round in which these groups' ranges are divided so."""
    found = [UNGROUPED] if parameters.by else []
    for cell, own in blocks.items():
        found += [missing_of(cell), *(id_of(parameters, gap, cell) for gap in ranges(own))]
    return found


# ------------------------------------------------------------------------------------------------------------ the steps
def first_step(block: Block) -> Step:
    """Round one: every group alike."""
    return Step(1, {"round": 1, "every": _listed([block])})


def next_step(round: int, divisions: Mapping[Cell, tuple[Sequence[Block], Sequence[Block]]]) -> Step:
    """A later round: of each group that is still searched the divisions that are known, and the new ones."""
    groups = [
        {"levels": list(cell), "known": _listed(known), "new": _listed(new)} for cell, (known, new) in divisions.items()
    ]
    return Step(round, {"round": round, "groups": groups})


def divisions_of(values: Mapping[str, Any], cells: Sequence[Cell]) -> dict[Cell, list[Block]]:
    """The divisions of a step (or of the shape of what was released at it), of those groups that are among `cells`."""
    if "every" in values:
        return {cell: _blocks(values["every"]) for cell in cells}
    every = {tuple(group["levels"]): _blocks([*group["known"], *group["new"]]) for group in values["groups"]}
    return {cell: every[cell] for cell in cells if cell in every}


def _listed(blocks: Sequence[Block]) -> list[list[int | None]]:
    """As JSON: every division as its ends with its edges between them."""
    return [[gap[0], *edges, gap[1]] for gap, edges in blocks]


def _blocks(listed: Sequence[Any]) -> list[Block]:
    return [((ends[0], ends[-1]), tuple(ends[1:-1])) for ends in listed]
