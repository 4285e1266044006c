"""Before a dataset may be asked: is the data what its declaration says? And which data was it that was read?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlglot import exp

from cinque.errors import Refused
from cinque.lib.canonical import canonical
from cinque.lib.digest import keyed_hex
from cinque.model.datasets import Column, Dataset
from cinque.query.engine import Engine
from cinque.query.sql import typed


def register(source: Engine) -> None:
    """Reads the whole dataset. Raises Refused, naming columns and never a value: what opening raises, "dataset-empty",
    "dataset-unfit", "dataset-unit", "dataset-unit-missing", "dataset-levels", "dataset-undeclared-level".
    """
    dataset = source.dataset
    _check_declaration(dataset)
    _check_values(source)
    if not source.select(exp.select(exp.Literal.number(1)).from_(source.relation.copy()).limit(1)):
        raise Refused("dataset-empty", f"Dataset `{dataset.id}` holds no row.")
    _check_unit(source)
    _check_levels(source)


def snapshot(source: Engine, salt: bytes) -> str:
    """An opaque id of what is read now: HMAC-SHA-256 under the TRE's own `salt` over the declared source, the release
    and what the engine says of the content. 64 hexadecimal digits that nobody can try guesses against without the salt.
    """
    declared = source.dataset
    described = {"release": declared.release, "source": asdict(declared.source), "content": source.content()}
    return keyed_hex(salt, canonical(described))


def _check_declaration(dataset: Dataset) -> None:
    for column in dataset.columns:
        if column.name == dataset.unit:
            if column.type not in ("integer", "text"):
                raise Refused("dataset-unit", f"Column `{column.name}` tells people apart and must be integer or text.")
            if not column.identifying:
                raise Refused(
                    "dataset-unit",
                    f"Column `{column.name}` tells people apart, so it must be declared identifying.",
                    remedy="Otherwise a filter could single out one person.",
                )
        if column.levels is not None and (column.type == "number" or len(set(column.levels)) != len(column.levels)):
            raise Refused("dataset-levels", f"Column `{column.name}` is a number with levels, or has a level twice.")


def _check_values(source: Engine) -> None:
    dataset = source.dataset
    if _readable(source, dataset.columns):
        return
    unfit = [column.name for column in dataset.columns if not _readable(source, [column])]
    if len(unfit) == len(dataset.columns) > 1:
        raise Refused(
            "dataset-unfit",
            f"The file of dataset `{dataset.id}` cannot be read to its end.",
            remedy="A CSV file is UTF-8, each record has as many fields as the header, and quotation marks are closed.",
        )
    raise Refused(
        "dataset-unfit",
        f"In dataset `{dataset.id}` values of {_listed(unfit)} do not fit the declared type.",
        remedy="Missing values are empty fields; dates are written 2020-01-31; integers have no decimals.",
    )


def _readable(source: Engine, columns: Sequence[Column]) -> bool:
    counts = [exp.Count(this=typed(column.name, column.type)) for column in columns]
    query = exp.select(*counts).from_(source.relation.copy())
    try:
        source.select(query)
    except Refused:
        return False
    return True


def _check_unit(source: Engine) -> None:
    unit = source.dataset.unit
    if unit is None:
        return
    person = exp.column(unit, quoted=True)
    blank = exp.EQ(this=exp.Trim(this=exp.cast(person.copy(), "TEXT")), expression=exp.Literal.string(""))
    if _any(source, exp.or_(exp.Is(this=person, expression=exp.Null()), blank)):
        raise Refused(
            "dataset-unit-missing",
            f"In dataset `{source.dataset.id}` rows have no value in `{unit}`, the column that tells people apart.",
            remedy="Give every row its person, or leave such rows out in a view.",
        )


def _check_levels(source: Engine) -> None:
    undeclared = []
    for column in source.dataset.columns:
        if column.levels is not None:
            levels = [exp.Literal.string(level) for level in column.levels]
            value = exp.cast(typed(column.name, column.type), "TEXT")
            outside = exp.Not(this=exp.In(this=value.copy(), expressions=levels)) if levels else exp.true()
            if _any(source, exp.and_(exp.Not(this=exp.Is(this=value, expression=exp.Null())), outside)):
                undeclared.append(column.name)
    if undeclared:
        # That there are such levels, never which: a level is a value from a row.
        raise Refused(
            "dataset-undeclared-level",
            f"In dataset `{source.dataset.id}` {_listed(undeclared)} holds levels that are not declared.",
            remedy="Declare every level that may occur, or map it in a view.",
        )


def _any(source: Engine, condition: exp.Expr) -> bool:
    return bool(
        source.select(exp.select(exp.Literal.number(1)).from_(source.relation.copy()).where(condition).limit(1))
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
