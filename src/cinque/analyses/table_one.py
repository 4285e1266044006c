"""The first table of a paper: numbers and factors of the people studied, by group and in all.

Numbers are those of `summary` and are combined by it. Of all groups together nothing is released that is not a sum or a
merge of the groups' own figures, so that no group is had by subtraction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from cinque.analyses import filters, means, summary
from cinque.analyses.analysis import Analysis, Field, History, Partial, Released, Result, Step
from cinque.analyses.combine import Members, exact_ids, exactness, one_round, total
from cinque.analyses.factors import MAX_CELLS, Levels, by_cell, cells, label, levels_of, malformed, union
from cinque.analyses.shares import percent
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Bounds, Figure, Figures, Relation, is_suppressed
from cinque.sdc.interval import add
from cinque.stats import moments as pooled
from cinque.stats.differences import difference_of_means, difference_of_shares

MOST_CODES = 10  # levels up to which whole numbers are codes
MAX_VARIABLES = 50
UNGROUPED = "ungrouped"
ALONE = "one_row_a_person"


@dataclass(frozen=True, slots=True)
class TableOne:
    """What is described."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variables: tuple[str, ...] = field(
        metadata={"description": "Columns: numbers, factors with declared levels, true/false columns."}
    )
    by: tuple[str, ...] = field(
        default=(), metadata={"description": "A column with declared levels, or a true/false column: the groups."}
    )
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})
    factors: tuple[str, ...] = field(
        default=(), metadata={"description": "Which of the variables are factors.", "agreed": True}
    )


def agree(parameters: TableOne, dictionaries: Mapping[str, Dictionary]) -> TableOne:
    """The variables that are factors: true/false columns, and those for which the first dictionary declares levels."""
    for dictionary in dictionaries.values():
        found = [name for name in parameters.variables if _is_factor(name, dictionary)]
        return replace(parameters, factors=tuple(found))
    return parameters


def check(parameters: TableOne, dictionary: Dictionary) -> None:
    """Raises Refused when variables, groups or filter do not fit the dictionary."""
    names = parameters.variables
    if not names:
        raise Refused("variables-missing", "The question names no column.", remedy="Name at least one.")
    if len({*names, *parameters.by}) != len(names) + len(parameters.by):
        raise Refused("variable-twice", "A column is named twice.", remedy="Name each column once, as variable or by.")
    if len(names) > MAX_VARIABLES:
        raise Refused("too-many-variables", f"{len(names)} columns were asked for; at most {MAX_VARIABLES} may be.")
    if not set(parameters.factors) <= set(names):
        raise Refused("factors-unknown", "A factor is named that is not among the variables.")
    groups = len(cells(parameters.by, levels_of(parameters.by, dictionary)))
    size = groups
    for name in names:
        if name in parameters.factors:
            size += groups * (2 + len(levels_of((name,), dictionary)[name]))
        else:
            summary.check(summary.Summary(name, parameters.by, parameters.where), dictionary)
            size += groups * (len(summary.COUNTS) + summary.SPREAD)
    if size > MAX_CELLS:
        raise Refused(
            "too-many-cells",
            f"This table has {size:,} figures; at most {MAX_CELLS:,} may be asked for.",
            remedy="Use fewer variables, or factors with fewer levels.",
        )
    filters.check(parameters.where, dictionary)


def partial(source: Source, parameters: TableOne, step: Step) -> Partial:
    """People in each group; of each variable what `summary` or a table of it by group has."""
    by, where = parameters.by, filters.read(parameters.where)
    levels = levels_of((*by, *parameters.factors), source.dictionary, most=MAX_CELLS**2)
    alone = source.dictionary.one_row_a_person
    known = cells(by, levels)
    groups, _ = by_cell(source.aggregate((), by, where), known)
    people = {label("people", cell): groups[cell].people if cell in groups else 0 for cell in known}
    if by:
        people[UNGROUPED] = source.aggregate((), (), filters.both(where, filters.any_missing(by)))[0].people
    values: dict[str, Any] = dict(people)
    parts: dict[str, Partial] = {}
    for name in parameters.variables:
        if name in parameters.factors:
            part = _factor(source, parameters, name, levels)
        else:
            part = summary.partial(source, _summary(parameters, name), step, summary.SPREAD)
        parts[name] = part
        values |= {_id(name, id): value for id, value in part.values.items() if id != summary.UNGROUPED}
    shape = {
        "by": list(by),
        "levels": {name: levels[name] for name in by},
        "variables": {name: {k: v for k, v in part.shape.items() if k != ALONE} for name, part in parts.items()},
        ALONE: alone,
    }
    return Partial(shape, values, {"people": people, "parts": parts})


def _factor(source: Source, parameters: TableOne, name: str, levels: Levels) -> Partial:
    """People at each level in each group, with any of them, and with a row without."""
    by, where = parameters.by, filters.read(parameters.where)
    alone, known = source.dictionary.one_row_a_person, cells(by, levels)
    found, incomplete = by_cell(source.aggregate((), (*by, name), where), cells((*by, name), levels))
    values = {label("cell", cell): found[cell].people if cell in found else 0 for cell in cells((*by, name), levels)}
    if alone:
        lacking = {group.levels[:-1]: group.people for group in incomplete if group.levels[-1] is None}
        for cell in known:
            values[label("n", cell)] = sum(values[label("cell", (*cell, level))] for level in levels[name])
            values[label("missing", cell)] = lacking.get(cell, 0)
    else:
        for kind, only in (("n", filters.all_present((name,))), ("missing", filters.any_missing((name,)))):
            groups, _ = by_cell(source.aggregate((), by, filters.both(where, only)), known)
            values |= {label(kind, cell): groups[cell].people if cell in groups else 0 for cell in known}
    return Partial({"levels": list(levels[name])}, dict(values), {"people": values})


def figures(parameters: TableOne, partial: Partial) -> Figures:
    """The people of a group are those with and those without each variable's value: the tables of all variables hang
    together there, and are judged as one.
    """
    kind: Literal["sum", "union"] = "sum" if partial.shape[ALONE] else "union"
    known = cells(parameters.by, partial.shape["levels"])
    made = [Figure(id, "Frequencies", people) for id, people in partial.evidence["people"].items()]
    relations, models = [], []
    for name, part in partial.evidence["parts"].items():
        if name in parameters.factors:
            own = Figures(
                tuple(Figure(id, "Frequencies", people) for id, people in part.values.items()),
                tuple(
                    Relation(label("n", cell), tuple(label("cell", (*cell, level)) for level in inside), kind)
                    for cell in known
                    if (inside := part.shape["levels"])
                ),
            )
        else:
            own = summary.figures(_summary(parameters, name), part, summary.SPREAD)
        made += [
            replace(figure, id=_id(name, figure.id), of=figure.of and _id(name, figure.of))
            for figure in own.figures
            if figure.id != summary.UNGROUPED
        ]
        for relation in own.relations:
            inside = tuple(_id(name, id) for id in relation.parts)
            relations.append(replace(relation, total=_id(name, relation.total), parts=inside))
        models += [replace(each, figures=tuple(_id(name, id) for id in each.figures)) for each in own.models]
        for cell in known:
            both = (_id(name, label("n", cell)), _id(name, label("missing", cell)))
            relations.append(Relation(label("people", cell), both, kind))
    return Figures(tuple(made), tuple(relations), tuple(models))


def advance(parameters: TableOne, history: History) -> Result:
    """Variable by variable as `summary` and by sums; shares, standardised differences and all groups from those."""
    by, members = parameters.by, one_round(history)
    levels = union((released.shape.get("levels") for _, released in members), by)
    for _, released in members:
        variables = released.shape.get("variables")
        if released.shape.get("by") != list(by) or not isinstance(variables, dict):
            raise malformed()
        if variables.keys() != set(parameters.variables) or not all(isinstance(v, dict) for v in variables.values()):
            raise malformed()
    described = {
        name: _shares(parameters, name, levels, members)
        if name in parameters.factors
        else _moments(parameters, name, members)
        for name in parameters.variables
    }
    expected = {tre: _own_ids(parameters, released) for tre, released in members}
    for tre, released in members:
        exact_ids(released, expected[tre])
    values: dict[str, Any] = {"by": list(by), "levels": levels}
    values |= _people(parameters, levels, members)
    values["variables"] = [of["all"] for of in described.values()]
    values["per_tre"] = {
        tre: _people(parameters, released.shape["levels"], [(tre, released)])
        | {"variables": [of[tre] for of in described.values()]}
        for tre, released in members
    }
    return Result(values, exactness(members))


def _people(parameters: TableOne, levels: Levels, members: Members) -> dict[str, Any]:
    released = [each for _, each in members]
    groups = [
        {"levels": list(cell), "people": total(released, label("people", cell))}
        for cell in cells(parameters.by, levels)
    ]
    return {
        "groups": groups,
        "n": add(group["people"] for group in groups) if groups else 0,
        "missing": total(released, UNGROUPED),
    }


# -------------------------------------------------------------------------------------------------------- one variable
def _moments(parameters: TableOne, name: str, members: Members) -> dict[str, dict[str, Any]]:
    """Of a number, "all" and each TRE by its id: what `summary` says of the groups, and of all of them."""
    own = {tre: _part_of(released, name) for tre, released in members}
    found = summary.advance(_summary(parameters, name), [own], summary.SPREAD).values
    per_tre = {tre: found["per_tre"][tre]["groups"] for tre, _ in members}
    merged = {tre: _merged(groups) for tre, groups in per_tre.items()}
    made = {"all": _number(name, found["groups"], merged)}
    return made | {tre: _number(name, groups, {tre: merged[tre]}) for tre, groups in per_tre.items()}


def _number(
    name: str, groups: Sequence[Mapping[str, Any]], merged: Mapping[str, pooled.Moments | None]
) -> dict[str, Any]:
    kept = ("levels", "n", "missing", "mean", "sd", "pooled_over")
    whole: dict[str, Any] = {key: add(group[key] for group in groups) if groups else 0 for key in ("n", "missing")}
    known = {tre: of for tre, of in merged.items() if of is not None}
    if known:
        every = pooled.merge_all(known.values())
        whole |= {"mean": every.mean if every.n else None, "sd": pooled.sd(every)}
    else:
        whole |= dict.fromkeys(("mean", "sd"), Bounds(None, None).to_dict())
    return {
        "variable": name,
        "kind": "number",
        "groups": [{key: group[key] for key in kept} for group in groups],
        "all": whole | {"pooled_over": sorted(known)},
        "smd": _difference_of_means(groups),
    }


def _merged(groups: Sequence[Mapping[str, Any]]) -> pooled.Moments | None:
    """All groups of one TRE; None where one of them is not known: the rest alone would be of other people."""
    found = []
    for group in groups:
        if any(is_suppressed(group[key]) for key in ("rows", "mean", "variance")):
            return None
        rows = group["rows"]
        if rows:
            found.append(pooled.Moments(rows, group["mean"], (group["variance"] or 0.0) * max(0, rows - 1)))
    return pooled.merge_all(found)


def _difference_of_means(groups: Sequence[Mapping[str, Any]]) -> float | None:
    if len(groups) != 2 or groups[0]["pooled_over"] != groups[1]["pooled_over"]:
        return None
    four = [group[key] for group in groups for key in ("mean", "variance")]
    return difference_of_means(*four) if all(isinstance(each, float | int) for each in four) else None


def _shares(parameters: TableOne, name: str, levels: Levels, members: Members) -> dict[str, dict[str, Any]]:
    """Of a factor, "all" and each TRE by its id: people at each level, and their share of those with a value."""
    own = {tre: {name: released.shape["variables"][name].get("levels")} for tre, released in members}
    every = union(own.values(), (name,))[name]
    made = {"all": _factor_of(parameters, name, levels, every, [released for _, released in members])}
    for tre, released in members:
        made[tre] = _factor_of(parameters, name, released.shape["levels"], own[tre][name], [released])
    return made


def _factor_of(
    parameters: TableOne, name: str, levels: Levels, inside: Sequence[str], members: list[Released]
) -> dict[str, Any]:
    groups = []
    for cell in cells(parameters.by, levels):
        n, lacking = (total(members, _id(name, label(kind, cell))) for kind in ("n", "missing"))
        people = {level: total(members, _id(name, label("cell", (*cell, level)))) for level in inside}
        groups.append({"levels": list(cell), "n": n, "missing": lacking, "counts": _with_shares(people, n)})
    whole = {key: add(group[key] for group in groups) if groups else 0 for key in ("n", "missing")}
    sums = {level: add(group["counts"][i]["people"] for group in groups) for i, level in enumerate(inside)}
    known = [[each["people"] for each in group["counts"]] for group in groups]
    difference = None
    if len(known) == 2 and not any(is_suppressed(each) for counts in known for each in counts):
        difference = difference_of_shares(*known)
    return {
        "variable": name,
        "kind": "factor",
        "groups": groups,
        "all": whole | {"counts": _with_shares(sums, whole["n"])},
        "smd": difference,
    }


def _with_shares(people: Mapping[str, Any], n: Any) -> list[dict[str, Any]]:
    return [{"level": level, "people": each, "percent": percent(each, n)} for level, each in people.items()]


# ----------------------------------------------------------------------------------------------------------- its parts
def _summary(parameters: TableOne, name: str) -> summary.Summary:
    return summary.Summary(name, parameters.by, parameters.where)


def _part_of(released: Released, name: str) -> Released:
    """What `summary` would have released of this variable."""
    start = _id(name, "")
    figures = {id.removeprefix(start): value for id, value in released.figures.items() if id.startswith(start)}
    if UNGROUPED in released.figures:
        figures[summary.UNGROUPED] = released.figures[UNGROUPED]
    return Released({**released.shape["variables"][name], ALONE: released.shape.get(ALONE)}, figures)


def _own_ids(parameters: TableOne, released: Released) -> set[str]:
    """The figures of the groups and the factors, and those that `summary` took for its own."""
    known = cells(parameters.by, released.shape["levels"])
    ids = {label("people", cell) for cell in known} | ({UNGROUPED} if parameters.by else set())
    for name in parameters.variables:
        if name in parameters.factors:
            ids |= {_id(name, label(kind, cell)) for cell in known for kind in ("n", "missing")}
            inside: Any = released.shape["variables"][name]["levels"]
            ids |= {_id(name, label("cell", (*cell, level))) for cell in known for level in inside}
        else:
            ids |= {_id(name, id) for id in _part_of(released, name).figures if id != summary.UNGROUPED}
    return ids


def _id(name: str, id: str) -> str:
    """The figure of a variable's own table."""
    return f"{name}/{id}"


def _is_factor(name: str, dictionary: Dictionary) -> bool:
    """Whole numbers of many declared levels, such as years of age, are numbers."""
    column = dictionary.column(name)
    if column.type == "integer":
        return column.levels is not None and len(column.levels) <= MOST_CODES
    return column.type == "boolean" or (column.levels is not None and column.type != "number")


ANALYSIS: Analysis[TableOne] = Analysis(
    name="table_one",
    version="1.0.0",
    published="2026-11-27",
    title="Baseline table of numbers and factors, by group",
    parameters=TableOne,
    rounds=1,
    fields=(
        Field("people:[group]", "people", "Frequencies", "Distinct people of the group."),
        Field(UNGROUPED, "people", "Frequencies", "With groups: distinct people with a row in which a factor misses."),
        Field("variable/n:[group]", "people", "Frequencies", "Distinct people of the group with a value."),
        Field("variable/missing:[group]", "people", "Frequencies", "Distinct people with a row without a value."),
        Field("factor/cell:[group, level]", "people", "Frequencies", "Distinct people of the group at the level."),
        *(
            replace(each, id=f"number/{each.id.replace('levels', 'group')}")
            for each in means.FIELDS
            if each.id.partition(":")[0] not in ("n", "missing", summary.UNGROUPED)
        ),
    ),
    check=check,
    columns=lambda parameters: frozenset((*parameters.variables, *parameters.by)) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
    agree=agree,
)
