"""People without a value, column by column, and people with every value (the pattern of complete cases)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from cinque.analyses import filters
from cinque.analyses.analysis import Analysis, Field, History, Partial, Released, Result, Step
from cinque.analyses.combine import exact_ids, exactness, one_round, total
from cinque.analyses.factors import label, malformed
from cinque.analyses.shares import percent
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Relation

MAX_VARIABLES = 100
TOTALS = ("people", "complete", "incomplete")


@dataclass(frozen=True, slots=True)
class Missing:
    """Of which columns."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    variables: tuple[str, ...] = field(
        default=(),
        metadata={"description": "Columns; without, every column that may be used at all TREs asked."},
    )
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})


def agree(parameters: Missing, dictionaries: Mapping[str, Dictionary]) -> Missing:
    """Where the question names no columns: those that every dictionary has and none calls identifying, in the order of
    the first.
    """
    if parameters.variables or not dictionaries:
        return parameters
    first, *others = dictionaries.values()
    names = tuple(name for name in first.types() if all(name in other.types() for other in others))
    return replace(parameters, variables=names)


def check(parameters: Missing, dictionary: Dictionary) -> None:
    """Raises Refused when columns or filter do not fit the dictionary."""
    names = parameters.variables
    if not names:
        raise Refused("variables-missing", "The question names no column.", remedy="Name at least one.")
    if len(set(names)) != len(names):
        raise Refused("variable-twice", "A column is named twice.", remedy="Name each column once.")
    if len(names) > MAX_VARIABLES:
        raise Refused("too-many-variables", f"{len(names)} columns were asked for; at most {MAX_VARIABLES} may be.")
    for name in names:
        dictionary.column(name)
    filters.check(parameters.where, dictionary)


def partial(source: Source, parameters: Missing, _step: Step) -> Partial:
    """People in all, with each value present, with it missing, with all present and with some missing."""
    names, where = parameters.variables, filters.read(parameters.where)
    alone = source.dictionary.one_row_a_person

    def people(only: Any = None) -> int:
        return source.aggregate((), (), where if only is None else filters.both(where, only))[0].people

    values = {"people": people(), "incomplete": people(filters.any_missing(names))}
    values["complete"] = values["people"] - values["incomplete"] if alone else people(filters.all_present(names))
    for name in names:
        missing = people(filters.any_missing((name,)))
        present = values["people"] - missing if alone else people(filters.all_present((name,)))
        values |= {label("missing", (name,)): missing, label("present", (name,)): present}
    return Partial({"variables": list(names), "one_row_a_person": alone}, dict(values), {"people": values})


def figures(parameters: Missing, partial: Partial) -> Figures:
    """People are those with and those without each value; the incomplete are all who lack some value."""
    kind: Literal["sum", "union"] = "sum" if partial.shape["one_row_a_person"] else "union"
    lacking = tuple(label("missing", (name,)) for name in parameters.variables)
    relations = [Relation("people", ("complete", "incomplete"), kind), Relation("incomplete", lacking, "union")]
    relations += [
        Relation("people", (label("missing", (name,)), label("present", (name,))), kind)
        for name in parameters.variables
    ]
    people = partial.evidence["people"]
    return Figures(tuple(Figure(id, "Frequencies", people[id]) for id in partial.values), tuple(relations))


def advance(parameters: Missing, history: History) -> Result:
    """The sums, and what share they are of all people."""
    names, members = parameters.variables, one_round(history)
    ids = [*TOTALS, *(label(kind, (name,)) for name in names for kind in ("missing", "present"))]
    for _, released in members:
        if released.shape.get("variables") != list(names):
            raise malformed()
        exact_ids(released, ids)
    values: dict[str, Any] = {"variables": _contents(parameters, [released for _, released in members])}
    values |= _totals([released for _, released in members])
    values["per_tre"] = {
        tre: {"variables": _contents(parameters, [released]), **_totals([released])} for tre, released in members
    }
    return Result(values, exactness(members))


def _totals(members: list[Released]) -> dict[str, Any]:
    found = {name: total(members, name) for name in TOTALS}
    return {**found, "n": found["people"], "missing": found["incomplete"]}


def _contents(parameters: Missing, members: list[Released]) -> list[dict[str, Any]]:
    people, made = total(members, "people"), []
    for name in parameters.variables:
        lacking, present = (total(members, label(kind, (name,))) for kind in ("missing", "present"))
        record = {"variable": name, "missing": lacking, "present": present}
        made.append(record | {"percent_missing": percent(lacking, people)})
    return made


ANALYSIS: Analysis[Missing] = Analysis(
    name="missing",
    version="1.0.0",
    published="2026-11-27",
    title="People without a value, column by column, and complete cases",
    parameters=Missing,
    rounds=1,
    fields=(
        Field("people", "people", "Frequencies", "Distinct people that the filter keeps."),
        Field("complete", "people", "Frequencies", "Distinct people with a row in which every column has a value."),
        Field("incomplete", "people", "Frequencies", "Distinct people with a row in which some column has none."),
        Field("missing:[column]", "people", "Frequencies", "Distinct people with a row without a value."),
        Field("present:[column]", "people", "Frequencies", "Distinct people with a row with a value."),
    ),
    check=check,
    columns=lambda parameters: frozenset(parameters.variables) | filters.columns(parameters.where),
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
    agree=agree,
)
