"""The values of an answer as records: labels that say of what, and figures by name.

Works from the shape of the values, for any analysis: lists of records; figures by term of a model; curves over times,
by groups or not; figures by group; matrices over variables or over the levels of two factors; and the figures that
stand beside these. Tables, summaries and pictures are made from records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cinque.sdc.figures import is_suppressed

BESIDE: Final = "totals"  # the part of the figures that stand beside the lists
_APART: Final = ("per_tre", "pooled_over", "levels", "factors", "by", "terms", "times", "edges", "counts", "variables")
_INTERVALS: Final = ("confint", "interval", "prediction", "_ci", "ci")

Label = str | float


@dataclass(frozen=True, slots=True)
class Entry:
    """`labels`: in the order in which they tell records apart; `figures`: a number, None, or the suppressed form."""

    labels: Mapping[str, Label]
    figures: Mapping[str, Any]


def parts(values: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """Records by part: the key of a list of records, `terms`, `curve`, `groups`, `pairs`, `cells`, and `totals`."""
    found: dict[str, list[Entry]] = {}
    beside: dict[str, Any] = {}
    indexed: dict[str, dict[tuple[tuple[str, Label], ...], dict[str, Any]]] = {}
    for key, value in values.items():
        if of_records(value) and all("groups" in item and "all" in item for item in value):
            for part, described in _side_by_side(value, values).items():
                found.setdefault(part, []).extend(described)
        elif of_records(value):
            found[key] = [_record(item, _factors(values)) for item in value]
        elif key not in _APART:
            if placed := _placed(key, value, values):
                part, pairs = placed
                for labels, figures in pairs:
                    indexed.setdefault(part, {}).setdefault(tuple(labels.items()), {}).update(figures)
            else:
                beside.update(_flat(key, value))
    for part, records in indexed.items():
        found.setdefault(part, []).extend(Entry(dict(labels), figures) for labels, figures in records.items())
    if beside:
        found[BESIDE] = [Entry({}, beside)]
    return {part: entries for part, entries in found.items() if any(entry.figures for entry in entries)}


def number(value: Any) -> float | None:
    """A released number; None for nothing, for words and for the suppressed form."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def bounds(value: Any) -> tuple[float | None, float | None]:
    """Between which the figure is: twice the number where it was released, None where an end is not known."""
    if is_suppressed(value):
        return value.get("at_least"), value.get("at_most")
    return number(value), number(value)


def groups_of(values: Mapping[str, Any]) -> list[str] | None:
    """Names of the groups by which the figures are mappings; None without."""
    by, n = values.get("by"), values.get("n")
    if (by is None or isinstance(by, str)) and isinstance(n, Mapping) and not is_suppressed(n):
        return list(n)
    return None


# ----------------------------------------------------------------------------------------------------------- shapes
_Found = tuple[str, list[tuple[dict[str, Label], dict[str, Any]]]]


def _placed(key: str, value: Any, values: Mapping[str, Any]) -> _Found | None:
    """The part that a value belongs to, and its entries there; None for a figure that stands by itself."""
    terms = values.get("terms") or (list(values["coef"]) if isinstance(values.get("coef"), Mapping) else [])
    if terms and isinstance(value, Mapping) and set(value) == set(terms):
        return "terms", [({"term": term}, _flat(key, value[term])) for term in terms]
    groups, by = groups_of(values), values.get("by") or "group"
    times = values.get("times")
    if times and isinstance(value, list) and len(value) == len(times) and not key.endswith(_INTERVALS):
        return "curve", [({"time": time}, {key: item}) for time, item in zip(times, value, strict=True)]
    if groups and isinstance(value, Mapping) and list(value) == groups:
        if times and not key.endswith(_INTERVALS) and _each_as_long(value.values(), len(times)):
            return "curve", [
                ({by: group, "time": time}, {key: item})
                for group in groups
                for time, item in zip(times, value[group], strict=True)
            ]
        return "groups", [({by: group}, _flat(key, value[group])) for group in groups]
    return _pairs(key, value, values) or _by_levels(key, value, values)


def _each_as_long(values: Iterable[Any], size: int) -> bool:
    return all(isinstance(each, list) and len(each) == size for each in values)


def _pairs(key: str, value: Any, values: Mapping[str, Any]) -> _Found | None:
    """What is of each variable, or of each two of them."""
    names = values.get("variables")
    if not (isinstance(names, list) and isinstance(value, Mapping) and list(value) == names):
        return None
    if all(isinstance(row, Mapping) and list(row) == names for row in value.values()):
        return "pairs", [
            ({"variable": one, "with": other}, _flat(key, value[one][other])) for one in names for other in names
        ]
    return "variables", [({"variable": name}, _flat(key, value[name])) for name in names]


def _by_levels(key: str, value: Any, values: Mapping[str, Any]) -> _Found | None:
    """A matrix over the levels of two factors."""
    factors, levels = _factors(values), values.get("levels") or {}
    if len(factors) != 2 or any(factor not in levels for factor in factors):
        return None
    rows, columns = (levels[factor] for factor in factors)
    if not (isinstance(value, list) and len(value) == len(rows)):
        return None
    if not all(isinstance(line, list) and len(line) == len(columns) for line in value):
        return None
    return "cells", [
        ({factors[0]: row, factors[1]: column}, {key: item})
        for row, line in zip(rows, value, strict=True)
        for column, item in zip(columns, line, strict=True)
    ]


def of_records(value: Any) -> bool:
    """Whether a value is a list of records."""
    return (
        isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) and not is_suppressed(v) for v in value)
    )


def _factors(values: Mapping[str, Any]) -> list[str]:
    for key in ("factors", "by"):
        if isinstance(values.get(key), list):
            return list(map(str, values[key]))
    return []


def _record(item: Mapping[str, Any], factors: Sequence[str]) -> Entry:
    labels: dict[str, Label] = {}
    figures: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, str):
            labels[key] = value
        elif key == "pooled_over":
            continue
        elif isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            names = factors if len(factors) == len(value) else [key]
            words = value if len(names) == len(value) else [", ".join(value)]
            labels.update(zip(names, words, strict=True))
        elif key not in ("edges", "counts"):
            figures.update(_flat(key, value))
    return Entry(labels, figures)


def _side_by_side(records: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """Variables described for each group and for all (a table one): their figures, and their levels' counts."""
    names = [", ".join(group["levels"]) for group in values.get("groups") or ()]
    found: dict[str, list[Entry]] = {"variables": [], "levels": []}
    for record in records:
        each = [*zip(names, record["groups"], strict=False), ("all", record["all"])] if len(names) > 1 else []
        for group, of in each or [("all", record["all"])]:
            labels: dict[str, Label] = {"variable": record["variable"], "group": group}
            inner = _record({key: item for key, item in of.items() if key not in ("counts", "levels")}, ())
            found["variables"].append(Entry({**labels, **inner.labels}, inner.figures))
            for count in of.get("counts") or ():
                level = _record(count, ())
                found["levels"].append(Entry({**labels, **level.labels}, level.figures))
    return found


def _flat(key: str, value: Any) -> dict[str, Any]:
    """A value as figures by name: an interval by its ends, mappings by their keys, text not at all."""
    return dict(_figures(key, value))


def _figures(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    interval = key.rpartition(".")[2].endswith(_INTERVALS)
    if value is None and interval:
        yield from ((f"{key}_low", None), (f"{key}_high", None))
    elif value is None or isinstance(value, int | float) or is_suppressed(value):
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _figures(f"{key}.{name}", item)
    elif isinstance(value, list):
        pair = len(value) == 2 and interval
        for place, item in enumerate(value):
            yield from _figures(f"{key}_{('low', 'high')[place]}" if pair else f"{key}.{place + 1}", item)
