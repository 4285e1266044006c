"""Factors: columns whose levels are declared, so that no label ever comes from a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from cinque.errors import Refused
from cinque.lib.canonical import canonical
from cinque.model.datasets import Dictionary
from cinque.query.source import Group

MAX_FACTORS = 8
MAX_CELLS = 1_000  # above this, working out what must be suppressed beside small cells takes minutes

Levels = Mapping[str, Sequence[str]]
Cell = tuple[str, ...]


def levels_of(names: Sequence[str], dictionary: Dictionary, *, most: int = MAX_CELLS) -> dict[str, list[str]]:
    """Factor -> its declared levels in their order. Raises Refused for a factor named twice, one without levels, more
    than MAX_FACTORS, or more than `most` cells; needs no data.
    """
    if len(set(names)) != len(names):
        raise Refused("factor-twice", "A factor is named twice.", remedy="Name each factor once.")
    if len(names) > MAX_FACTORS:
        raise Refused("too-many-factors", f"{len(names)} factors were asked for; at most {MAX_FACTORS} may be.")
    levels = {name: _levels(name, dictionary) for name in names}
    check_size(levels, most)
    return levels


def check_size(levels: Levels, most: int = MAX_CELLS) -> None:
    """Raises Refused when the levels span more than `most` cells."""
    size = math.prod(len(each) for each in levels.values())
    if size > most:
        raise Refused(
            "too-many-cells",
            f"These factors span {size:,} cells; at most {most:,} may be asked for.",
            remedy="Use fewer factors, or factors with fewer levels.",
        )


def cells(names: Sequence[str], levels: Levels) -> list[Cell]:
    """Every combination of levels, the last factor fastest; one empty cell when there is no factor."""
    return list(product(*(levels[name] for name in names)))


def label(prefix: str, levels: Sequence[str]) -> str:
    """The id of a figure of one cell: `prefix:` and the canonical JSON list of its levels, one text a cell whatever
    characters the levels hold.
    """
    return f"{prefix}:[{','.join(map(_text, levels))}]"


@lru_cache(maxsize=10_000)  # a table has many cells and few levels
def _text(level: str) -> str:
    return canonical(level).decode()


def by_cell(groups: Iterable[Group], known: Iterable[Cell]) -> tuple[dict[Cell, Group], list[Group]]:
    """Groups by their levels, and those in which a factor is missing. Raises Refused("not_answerable"), without cause,
    for a level that is not declared: it would be a value from a row.
    """
    declared = set(known)
    found: dict[Cell, Group] = {}
    incomplete = []
    for group in groups:
        cell = tuple(level for level in group.levels if level is not None)
        if len(cell) < len(group.levels):
            incomplete.append(group)
        elif cell in declared:
            found[cell] = group
        else:
            raise not_answerable()
    return found, incomplete


def not_answerable() -> Refused:
    """A refusal that depends on rows: it never says why."""
    return Refused("not_answerable", "This question cannot be answered on this data.")


def union(members: Iterable[Any], names: Sequence[str]) -> dict[str, list[str]]:
    """The levels of each factor over the members' shapes, in the declared order of the first that has them. Raises
    Refused when a member's levels are not lists of text, each level once: a released crate is another's bytes.
    """
    merged: dict[str, dict[str, None]] = {name: {} for name in names}
    for levels in members:
        if not isinstance(levels, dict) or levels.keys() != merged.keys():
            raise malformed()
        for name, each in levels.items():
            if not isinstance(each, list) or not all(isinstance(level, str) for level in each):
                raise malformed()
            if len(set(each)) != len(each):
                raise malformed()
            merged[name].update(dict.fromkeys(each))
    return {name: list(each) for name, each in merged.items()}


def malformed() -> Refused:
    """What a TRE released is not a partial of this analysis."""
    return Refused("release-malformed", "What a TRE released is not in the form of this analysis.")


def _levels(name: str, dictionary: Dictionary) -> list[str]:
    column = dictionary.column(name)
    if column.type == "boolean":
        return ["false", "true"]
    if column.levels is None or column.type == "number":  # a number has no one text
        raise Refused(
            "factor-needs-levels",
            f"Column `{name}` of dataset `{dictionary.dataset}` has no declared levels, so it cannot be a factor.",
            remedy="Use a column for which the dictionary lists levels, or a true/false column.",
        )
    return list(column.levels)
