"""From a formula to numbers: which columns a model has, and their values for a batch of rows.

Coding is R's: treatment contrasts against the first (or named) level where the rest of the term is in the model too,
all levels where it is not. Names of coefficients: `(Intercept)`, `x`, `factor[level]`, `a:b`, `ns(x)[1]`. A row is used
when every number in it is there and finite; `log(0)` is neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from cinque.analyses import frame
from cinque.analyses.coding import (
    Agreed,
    Coded,
    CodedTerm,
    Levels,
    agreed,
    check_numeric,
    coded_terms,
    factors_of,
    mistyped,
    names_of,
    own_levels,
)
from cinque.expr import Arithmetic, Column, Expr, Literal, Negate
from cinque.expr.formula import Computed, Factor, Formula, Number, Spline, Survival, Variable, columns_read
from cinque.model.datasets import Dictionary
from cinque.query.source import PERSON
from cinque.stats.splines import natural

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

_FUNCTIONS: Final[Mapping[str, Callable[[Array], Array]]] = {"log": np.log, "sqrt": np.sqrt, "exp": np.exp}


_OPERATIONS: Final[Mapping[str, Callable[..., Array]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The complete rows of a batch. `x`: rows x columns; `y`: the response, or the time; `event`: 0 or 1, of a survival
    model; `offset`: their sum, 0 without; `keep`: which of the batch's rows these are; `begin`: where each person's
    rows begin among them; `missing_people`: people of the batch with a row that is not complete; `codes`: the factors
    and the response of two declared values, by column.
    """

    x: Array
    y: Array
    event: Array | None
    offset: Array
    keep: NDArray[np.bool_]
    begin: Codes
    missing_people: int
    codes: Mapping[str, Codes]

    @property
    def people(self) -> int:
        """Distinct people among these rows."""
        return len(self.begin)

    @property
    def time(self) -> Array:
        """The time of a survival model."""
        return self.y


@dataclass(frozen=True, slots=True)
class Design:
    """The columns of a model at one TRE, fixed by formula, dictionary and agreed levels alone.

    `names`: of the coefficients, in order; `levels`: column -> its agreed levels, of every factor; `binary`: whether
    the response has two values by declaration.
    """

    formula: Formula
    names: tuple[str, ...]
    levels: Levels
    binary: bool
    terms: tuple[CodedTerm, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, sorted."""
        return tuple(sorted(self.formula.columns))

    def build(self, batch: pa.RecordBatch) -> Rows:
        """The batch's complete rows. Raises Refused("not_answerable") for a level that is not agreed."""
        values = _Values(batch, self.levels)
        formula = self.formula
        event = None
        if isinstance(formula.response, Survival):
            y = values.numbers(formula.response.time)
            event = values.binary(formula.response.event)
            keep = np.isfinite(y) & np.isfinite(event)
        else:
            one = formula.response
            y = values.binary(one.column) if self.binary and isinstance(one, Number) else values.one(one)
            keep = np.isfinite(y)
        offset = np.zeros(len(y))
        for variable in formula.offsets:
            offset = offset + values.one(variable)
        keep &= np.isfinite(offset)
        x = np.ones((len(y), len(self.names)))
        at = 1 if formula.intercept else 0
        for term in self.terms:
            width = int(np.prod([len(coded.names) for coded in term]))
            x[:, at : at + width] = values.term(term)
            at += width
        keep &= np.isfinite(x).all(axis=1) & values.present
        begin = frame.starts(batch)
        lost = np.logical_or.reduceat(~keep, begin).sum() if len(begin) else 0
        whole = bool(keep.all())
        return Rows(
            x if whole else x[keep],
            y if whole else y[keep],
            event if event is None or whole else event[keep],
            offset if whole else offset[keep],
            keep,
            begin if whole else _starts(batch, keep),
            int(lost),
            {name: codes if whole else codes[keep] for name, codes in values.codes.items()},
        )


def agreed_levels(formula: Formula, dictionaries: Mapping[str, Dictionary]) -> Agreed:
    """(column, level, level, …) of every factor of the formula: the union over the dictionaries, in the order of those
    that have it, the first first. The first level is what the others are compared with.
    """
    found: dict[str, dict[str, None]] = {}
    for dictionary in dictionaries.values():
        for name in factors_of(formula, dictionary):
            own = own_levels(name, dictionary)
            if own is not None:
                found.setdefault(name, {}).update(dict.fromkeys(own))
    return tuple((name, *levels) for name, levels in sorted(found.items()))


def design(formula: Formula, dictionary: Dictionary, levels: Agreed) -> Design:
    """Raises Refused, without looking at data: for an unknown column ("unknown-column", naming the nearest), one of a
    type that cannot stand there ("formula-type"), levels that were not agreed or do not exist ("formula-levels"), no
    column at all ("formula-empty"), columns that depend on each other by what they are ("formula-dependent"), more than
    MAX_COLUMNS ("formula-too-large").
    """
    known = agreed(formula, dictionary, levels)
    binary = _check_response(formula, dictionary, known)
    for variable in formula.offsets:
        check_numeric(variable, dictionary)
    terms = coded_terms(formula, dictionary, known)
    return Design(formula, names_of(terms, intercept=formula.intercept), known, binary, terms)


def _check_response(formula: Formula, dictionary: Dictionary, agreed: Levels) -> bool:
    """Whether the response is declared to have two values."""
    response = formula.response
    for name in {response.time, response.event} if isinstance(response, Survival) else columns_read(response):
        if name in agreed and dictionary.column(name).type in ("integer", "number"):
            raise mistyped(f"`{name}` stands on the left as a number and on the right as a factor")
    if any(response in term for term in formula.terms):
        raise mistyped(f"`{response}` stands on both sides")
    if isinstance(response, Survival):
        if dictionary.column(response.time).type not in ("integer", "number"):
            raise mistyped(f"the time `{response.time}` is not a number")
        _check_binary(response.event, dictionary, agreed, numbers=True)
        return True
    plain = response.column if isinstance(response, Number) and not response.function else None
    if plain is not None and dictionary.column(plain).type in ("text", "boolean", "date"):
        _check_binary(plain, dictionary, agreed, numbers=False)
        return True
    check_numeric(response, dictionary)
    return False


def _check_binary(name: str, dictionary: Dictionary, agreed: Levels, *, numbers: bool) -> None:
    kind = dictionary.column(name).type
    if kind == "boolean" or (numbers and kind in ("integer", "number")):
        return
    if kind != "text" or len(agreed.get(name, ())) != 2:
        raise mistyped(f"`{name}` must be true/false or have two levels, the second of which is the event")


# ------------------------------------------------------------------------------------------------------------- values
class _Values:
    """The variables of one batch, each column read once."""

    def __init__(self, batch: pa.RecordBatch, levels: Levels) -> None:
        self.batch = batch
        self.levels = levels
        self.codes: dict[str, Codes] = {}
        self.present: NDArray[np.bool_] = np.ones(batch.num_rows, dtype=bool)
        self._numbers: dict[str, Array] = {}

    def numbers(self, name: str) -> Array:
        if name not in self._numbers:
            self._numbers[name] = frame.numbers(self.batch, name)
        return self._numbers[name]

    def factor(self, name: str) -> Codes:
        if name not in self.codes:
            self.codes[name] = frame.codes(self.batch, name, self.levels[name])
            self.present &= self.codes[name] >= 0
        return self.codes[name]

    def binary(self, name: str) -> Array:
        """0 and 1 of a declared two-valued column, or of a number; NaN where it is neither. Among the codes it has two
        levels."""
        if name in self.levels:
            codes = self.factor(name)
            return np.where(codes < 0, np.nan, codes.astype(np.float64))
        # Another number is missing here as no value is: a refusal would tell of the one person whose it is (attack 14).
        values = self.numbers(name)
        values = np.where(np.isin(values, (0.0, 1.0)), values, np.nan)
        self.codes[name] = (values == 1).astype(np.int64)
        return values

    def one(self, variable: Variable) -> Array:
        """A variable of one column."""
        with np.errstate(all="ignore"):
            if isinstance(variable, Computed):
                found = np.asarray(self._computed(variable.expr), dtype=np.float64)
                return np.array(np.broadcast_to(found, self.batch.num_rows))
            values = self.numbers(variable.column)
            function = variable.function if isinstance(variable, Number) else ""
            return np.asarray(_FUNCTIONS[function](values), dtype=np.float64) if function else values

    def term(self, term: CodedTerm) -> Array:
        """The products of the variables' columns, the first variable's varying fastest."""
        found = self.coded(term[0])
        for coded in term[1:]:
            found = np.einsum("ij,ik->ijk", self.coded(coded), found).reshape(len(found), -1)
        return found

    def coded(self, coded: Coded) -> Array:
        """One variable's columns."""
        variable = coded.variable
        if isinstance(variable, Factor) or (isinstance(variable, Number) and coded.levels):
            found: Array = np.equal.outer(self.factor(variable.column), np.array(coded.levels)).astype(np.float64)
            return found
        if isinstance(variable, Spline):
            return natural(self.numbers(variable.column), variable.knots, variable.boundary)
        return self.one(variable)[:, None]

    def _computed(self, expr: Expr) -> Array | float:
        match expr:
            case Column(name):
                return self.numbers(name)
            case Literal(value):
                return float(value)  # type: ignore[arg-type]  # the parser makes numbers only
            case Negate(operand):
                return -self._computed(operand)
            case Arithmetic(op, left, right):
                found = _OPERATIONS[op](self._computed(left), self._computed(right))
                # As everywhere in the house what is not finite is missing, also on the way to 1 / (1 / 0).
                return np.where(np.isfinite(found), found, np.nan)
            case _:
                raise TypeError("a formula computes with numbers alone")


def _starts(batch: pa.RecordBatch, keep: NDArray[np.bool_]) -> Codes:
    import pyarrow as pa

    return frame.starts(batch.select([PERSON]).filter(pa.array(keep)))
