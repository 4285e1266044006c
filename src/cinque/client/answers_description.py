"""Answers of the analyses that describe a data set, a table one in the layout of a paper among them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cinque.client.answer import Answer
from cinque.sdc.figures import is_suppressed

_STOPPED = {"suppressed": "suppression"}


@dataclass(frozen=True)
class GroupQuantiles:
    """Quantiles of one group: `intervals` and `values` in the order of `probabilities`; people `n` and `missing`, each
    a number or the suppressed form; the TREs `pooled_over`.
    """

    probabilities: tuple[float, ...]
    intervals: list[tuple[float, float]]
    values: list[float | None]
    n: Any
    missing: Any
    pooled_over: tuple[str, ...]

    @property
    def median(self) -> float | None:
        """The median where it was asked for and is known to the declared precision, else None."""
        return dict(zip(self.probabilities, self.values, strict=True)).get(0.5)


@dataclass(frozen=True, repr=False)
class QuantilesAnswer(Answer):
    """`intervals` and `values`, in the order of `probabilities`; `median`, `ranges`. With groups each of the first
    three is a dict by level (by tuple of levels where there are several factors), and `answer["level"]` is one group.
    """

    @property
    def probabilities(self) -> list[float]:
        """Which quantiles."""
        return list(next(iter(self.groups.values())).probabilities) if self.groups else []

    @property
    def intervals(self) -> Any:
        """(low, high), between which the pooled type 7 quantile lies; -inf or inf where no end is known."""
        return self._of([], lambda group: group.intervals)

    @property
    def values(self) -> Any:
        """The quantile where it is known to the declared precision, else None."""
        return self._of([], lambda group: group.values)

    @property
    def median(self) -> Any:
        """The median where it was asked for and is known to the declared precision, else None."""
        return self._of(None, lambda group: group.median)

    @property
    def groups(self) -> dict[tuple[str, ...], GroupQuantiles]:
        """By tuple of levels; one, under (), without groups."""
        result = self.result or {}
        found: dict[tuple[str, ...], GroupQuantiles] = {}
        for group in result.get("groups") or ([result] if result else []):
            levels = group["levels"] if result.get("by") else []
            rows = [row for row in result["quantiles"] if row.get("levels", []) == levels]
            found[tuple(levels)] = GroupQuantiles(
                tuple(float(row["probability"]) for row in rows),
                [_interval(row) for row in rows],
                [row["value"] for row in rows],
                group["n"],
                group["missing"],
                tuple(sorted(self.names.get(tre, tre) for tre in group["pooled_over"])),
            )
        return found

    def __getitem__(self, key: str | tuple[str, ...]) -> GroupQuantiles:
        """One group by its levels; without groups the variable's name."""
        groups = self.groups
        if () in groups and key == self.parameters.get("variable"):
            return groups[()]
        return groups[(key,) if isinstance(key, str) else key]

    def sheets(self) -> Sequence[Any]:
        """Each quantile with the interval that holds it, then the people. The ranges that were counted are in
        `ranges`.
        """
        from cinque.client.view import Sheet, cells, sheets

        values = self.result
        if values is None:
            return []
        rows, by = values["quantiles"], values.get("by") or []
        ends = cells([list(_interval(row)) for row in rows], "interval")
        columns = (
            cells([row["value"] for row in rows]),
            [
                ("not known", False) if row["at_least"] is row["at_most"] is None else end
                for row, end in zip(rows, ends, strict=True)
            ],
            [(_STOPPED.get(row["stopped"], row["stopped"]), False) for row in rows],
        )
        labels = [(*((level, False) for level in row.get("levels", ())), (row["probability"], False)) for row in rows]
        lines = [(*words, *each) for words, *each in zip(labels, *columns, strict=True)]
        head = (*by, "probability", "quantile", "lies between", "search ended by")
        per_tre = {tre: _counted(own) for tre, own in values["per_tre"].items()}
        people = sheets(replace(self, result={"by": by, **_counted(values), "per_tre": per_tre}))
        return [Sheet(values["variable"], head, len(by) + 1, tuple(lines)), *people]

    @property
    def warnings(self) -> list[str]:
        """What would bring the ends of an interval nearer."""
        rows = (self.result or {}).get("quantiles", [])
        hidden = dict.fromkeys(row["probability"] for row in rows if row["stopped"] == "suppressed")
        if not hidden:
            return []
        return [
            f"Of {', '.join(hidden)} the search ended early: to divide the range further would have told a TRE's few "
            "people. Ask with `low` and `high` nearer to where most people are, or of TREs with more people."
        ]

    def _of(self, nothing: Any, told: Callable[[GroupQuantiles], Any]) -> Any:
        groups = self.groups
        if not (self.result or {}).get("by"):
            return told(groups[()]) if groups else nothing
        return {levels if len(levels) > 1 else levels[0]: told(group) for levels, group in groups.items()}


def _interval(row: Mapping[str, Any]) -> tuple[float, float]:
    low, high = row["at_least"], row["at_most"]
    return -math.inf if low is None else low, math.inf if high is None else high


def _counted(values: Mapping[str, Any]) -> dict[str, Any]:
    """People with a value and without, of each group."""
    if values.get("groups"):
        kept = ("levels", "n", "missing", "pooled_over")
        return {"groups": [{key: group[key] for key in kept if key in group} for group in values["groups"]]}
    return {key: values[key] for key in ("n", "missing") if key in values}


@dataclass(frozen=True, repr=False)
class HistogramAnswer(Answer):
    """`edges`; without groups `counts`, `under`, `over`, `n`, with them `answer["level"]` with the same keys."""

    def __getitem__(self, key: str | tuple[str, ...]) -> dict[str, Any]:
        """One group by its levels."""
        wanted = [key] if isinstance(key, str) else list(key)
        for group in (self.result or {}).get("groups", []):
            if group["levels"] == wanted:
                return dict(group)
        raise KeyError(key)

    def sheets(self) -> Sequence[Any]:
        """The bins with their people; edges and counts say the same again."""
        from cinque.client.view import sheets

        return sheets(replace(self, result=self.result and _without(self.result)))


@dataclass(frozen=True, repr=False)
class MissingAnswer(Answer):
    """`answer["x"]`: missing, present, percent_missing of one column; `people`, `complete`, `incomplete` of all."""

    def sheets(self) -> Sequence[Any]:
        """The columns, then the people; `n` and `missing` say again who is complete and who is not."""
        from cinque.client.view import sheets

        if self.result is None:
            return []
        per_tre = {tre: _percents(own) for tre, own in self.result["per_tre"].items()}
        return sheets(replace(self, result={**_percents(self.result), "per_tre": per_tre}))

    def __getitem__(self, key: str) -> dict[str, Any]:
        """One column."""
        for record in (self.result or {}).get("variables", []):
            if record["variable"] == key:
                return dict(record)
        raise KeyError(key)


@dataclass(frozen=True, repr=False)
class TableOneAnswer(Answer):
    """`answer["x"]`: of one variable `groups`, `all` and the standardised mean difference `smd`."""

    def __getitem__(self, key: str) -> dict[str, Any]:
        """One variable."""
        for record in (self.result or {}).get("variables", []):
            if record["variable"] == key:
                return dict(record)
        raise KeyError(key)

    def sheets(self) -> Sequence[Any]:
        """Variables below each other, groups side by side: for all TREs together, then for each."""
        if self.result is None:
            return []
        members = self.per_tre if len(self.per_tre) > 1 else {}
        return [_table_one("All TREs together", self.result), *(_table_one(tre, own) for tre, own in members.items())]


def _percents(values: Mapping[str, Any]) -> dict[str, Any]:
    """Percentages to one decimal."""
    columns = [
        {
            **record,
            "percent_missing": round(share, 1) if isinstance(share := record["percent_missing"], float) else share,
        }
        for record in values["variables"]
    ]
    return {"variables": columns, **{key: values[key] for key in ("people", "complete", "incomplete")}}


def _without(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in values.items() if key not in ("edges", "counts")}
    if "groups" in kept:
        kept["groups"] = [_without(group) for group in kept["groups"]]
    if "per_tre" in kept:
        kept["per_tre"] = {tre: _without(own) for tre, own in kept["per_tre"].items()}
    return kept


def _table_one(title: str, values: Mapping[str, Any]) -> Any:
    """Means with standard deviations, and people with their percentages, as papers print them."""
    from cinque.client.view import Sheet

    groups = values["groups"] if len(values["groups"]) > 1 else []
    two = len(groups) == 2
    rows = [_row("People", [*(_figure(group["people"]) for group in groups), _figure(values["n"])], "", two)]
    for variable in values["variables"]:
        columns = [*(variable["groups"] if groups else []), variable["all"]]
        name, difference = variable["variable"], variable["smd"]
        smd = "" if difference is None else f"{difference:.3f}"
        if variable["kind"] == "number":
            rows.append(_row(f"{name}, mean (SD)", list(map(_mean_and_sd, columns)), smd, two))
        else:
            rows.append(_row(f"{name}, people (%)", [("", False)] * len(columns), smd, two))
            rows += [
                _row(f"- {each['level']}", [_count_and_share(of["counts"][i]) for of in columns], "", two)
                for i, each in enumerate(variable["all"]["counts"])
            ]
        for key in ("n", "missing"):
            rows.append(_row(f"{name}, {key}", [_figure(of[key]) for of in columns], "", two))
    names = [", ".join(group["levels"]) for group in groups]
    return Sheet(title, ("", *names, "all", *(["SMD"] if two else [])), 1, tuple(rows))


def _row(words: str, cells: list[tuple[str, bool]], smd: str, two: bool) -> tuple[tuple[str, bool], ...]:
    return ((words, False), *cells, *([(smd, False)] if two else []))


def _figure(value: Any) -> tuple[str, bool]:
    from cinque.client.digits import figure

    return figure(value), is_suppressed(value)


def _mean_and_sd(of: Mapping[str, Any]) -> tuple[str, bool]:
    mean, sd = of["mean"], of["sd"]
    if is_suppressed(mean):
        return "suppressed", True
    if mean is None:
        return "–", False
    return (f"{mean:,.2f}" if sd is None or is_suppressed(sd) else f"{mean:,.2f} ({sd:,.2f})"), False


def _count_and_share(of: Mapping[str, Any]) -> tuple[str, bool]:
    people, share = of["people"], of["percent"]
    if is_suppressed(people) or is_suppressed(share) or share is None:
        return _figure(people)
    return f"{people:,} ({share:.1f}%)", False
