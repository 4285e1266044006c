"""From a formula to numbers: which columns a model has, and their values for a batch of rows.

Coding is R's: treatment contrasts against the first (or named) level where the rest of the term is in the model too,
all levels where it is not. Names of coefficients: `(Intercept)`, `x`, `factor[level]`, `a:b`, `ns(x)[1]`. A row is used
when every number in it is there and finite; `log(0)` is neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final, TypeGuard

import numpy as np
from numpy.typing import NDArray

from cinque.analyses import frame
from cinque.analyses.factors import not_answerable
from cinque.errors import Refused
from cinque.expr import Arithmetic, Column, Expr, Literal, Negate
from cinque.expr.formula import (
    Computed,
    Factor,
    Formula,
    Number,
    Spline,
    Survival,
    Term,
    Variable,
    columns_read,
    term_text,
)
from cinque.model.datasets import Dictionary
from cinque.query.source import PERSON
from cinque.stats.splines import natural

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Agreed = tuple[tuple[str, ...], ...]

MAX_COLUMNS: Final = 100
_FUNCTIONS: Final[Mapping[str, Callable[[Array], Array]]] = {"log": np.log, "sqrt": np.sqrt, "exp": np.exp}


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
class _Coded:
    """One variable within one term: the names of its columns; of a factor the levels that have one, and whether that is
    every level."""

    variable: Variable
    names: tuple[str, ...]
    levels: tuple[int, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Design:
    """The columns of a model at one TRE, fixed by formula, dictionary and agreed levels alone.

    `names`: of the coefficients, in order; `levels`: column -> its agreed levels, of every factor; `binary`: whether
    the response has two values by declaration.
    """

    formula: Formula
    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    binary: bool
    terms: tuple[tuple[_Coded, ...], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, sorted."""
        return tuple(sorted(self.formula.columns))

    def build(self, batch: pa.RecordBatch) -> Rows:
        """The batch's complete rows. Raises Refused("not_answerable") for a level that is not agreed, and for a
        response beside its two values."""
        values = _Values(batch, self.levels)
        formula = self.formula
        event = None
        if isinstance(formula.response, Survival):
            y = values.numbers(formula.response.time)
            event = values.binary(formula.response.event)
            keep = np.isfinite(y) & np.isfinite(event)
        else:
            y = values.response(formula.response)
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
        for name in sorted(formula.columns):
            column = dictionary.column(name)
            if column.type == "boolean":
                found.setdefault(name, {}).update({"false": None, "true": None})
            elif column.levels is not None and (column.type == "text" or _is_factor(formula, name)):
                found.setdefault(name, {}).update(dict.fromkeys(column.levels))
    return tuple((name, *levels) for name, levels in sorted(found.items()))


def design(formula: Formula, dictionary: Dictionary, levels: Agreed) -> Design:
    """Raises Refused, without looking at data: for an unknown column ("unknown-column", naming the nearest), one of a
    type that cannot stand there ("formula-type"), levels that were not agreed or do not exist ("formula-levels"), no
    column at all ("formula-empty"), more than MAX_COLUMNS ("formula-too-large").
    """
    agreed = {name: tuple(each) for name, *each in levels}
    _check_agreed(formula, dictionary, agreed)
    binary = _check_response(formula, dictionary, agreed)
    for variable in formula.offsets:
        if _is_coded(variable, dictionary):
            raise _mistyped(f"`{variable}` is a factor, and an offset is a number")
        _check_numeric(variable, dictionary)
    known: set[frozenset[Variable]] = {frozenset(), *(frozenset(term) for term in formula.terms)}
    # Without an intercept the first factor of all has every level, as in R, and stands for it.
    first = next((v for term in formula.terms for v in term if _is_coded(v, dictionary)), None)
    whole = None if formula.intercept else first
    terms = tuple(_term(term, known, whole, dictionary, agreed) for term in formula.terms)
    names = ["(Intercept)"] if formula.intercept else []
    for term in terms:
        # R's order: the first variable's columns vary fastest.
        parts = [coded.names for coded in reversed(term)]
        names += [":".join(reversed(each)) for each in product(*parts)]
    if not names:
        raise Refused("formula-empty", "The formula has neither an intercept nor a term.", remedy="Write `y ~ 1`.")
    if len(names) > MAX_COLUMNS:
        raise Refused(
            "formula-too-large", f"The formula has {len(names)} coefficients; at most {MAX_COLUMNS} can be fitted."
        )
    if len(set(names)) != len(names):
        raise Refused("formula-twice", "Two coefficients of the formula would have one name.")
    return Design(formula, tuple(names), agreed, binary, terms)


# ------------------------------------------------------------------------------------------------------------- coding
def _term(
    term: Term,
    known: set[frozenset[Variable]],
    whole: Variable | None,
    dictionary: Dictionary,
    agreed: Mapping[str, tuple[str, ...]],
) -> tuple[_Coded, ...]:
    found = []
    for variable in term:
        rest = frozenset(term) - {variable}
        if _is_coded(variable, dictionary):
            levels = agreed[variable.column]
            reference = _reference(variable, levels)
            every = rest not in known or (variable == whole and not rest)
            kept = tuple(i for i in range(len(levels)) if i != reference or every)
            if not kept:
                raise Refused("formula-levels", f"Factor `{variable.column}` has one level, so it has no effect.")
            found.append(_Coded(variable, tuple(f"{variable.column}[{levels[i]}]" for i in kept), kept, every))
        elif isinstance(variable, Spline):
            _check_numeric(variable, dictionary)
            names = tuple(f"ns({variable.column})[{i + 1}]" for i in range(len(variable.knots) + 1))
            found.append(_Coded(variable, names))
        else:
            _check_numeric(variable, dictionary)
            found.append(_Coded(variable, (str(variable),)))
    factors = [coded for coded in found if coded.levels]
    numbers = frozenset(coded.variable for coded in found if not coded.levels)
    every_cell = all(coded.whole for coded in factors)
    if len(factors) > 1 and every_cell and numbers in known and (whole is None or numbers):
        raise Refused(
            "formula-dependent",
            f"The columns of `{term_text(term)}` add up to one that the model has already.",
            remedy=f"Write `{' * '.join(map(str, term))}`, or take that one out.",
        )
    return tuple(found)


def _reference(variable: Number | Factor, levels: tuple[str, ...]) -> int:
    if not isinstance(variable, Factor) or not variable.reference:
        return 0
    if variable.reference not in levels:
        raise Refused(
            "formula-levels",
            f"`{variable.reference}` is no level of `{variable.column}`.",
            remedy=f"Choose one of: {', '.join(levels)}.",
        )
    return levels.index(variable.reference)


def _is_factor(formula: Formula, name: str) -> bool:
    """Whether the formula says of this column that it is a factor."""
    return any(isinstance(v, Factor) and v.column == name for term in formula.terms for v in term)


def _is_coded(variable: Variable, dictionary: Dictionary) -> TypeGuard[Number | Factor]:
    """Whether the variable is a factor: by the formula's word, or by its declared type."""
    if isinstance(variable, Factor):
        return True
    if not isinstance(variable, Number) or variable.function:
        return False
    return dictionary.column(variable.column).type in ("text", "boolean")


def _check_numeric(variable: Variable, dictionary: Dictionary) -> None:
    for name in columns_read(variable):
        if dictionary.column(name).type not in ("integer", "number"):
            raise _mistyped(f"`{variable}` needs a number, and column `{name}` is {dictionary.column(name).type}")


def _check_agreed(formula: Formula, dictionary: Dictionary, agreed: Mapping[str, tuple[str, ...]]) -> None:
    for name in sorted(formula.columns):
        column = dictionary.column(name)
        own = ("false", "true") if column.type == "boolean" else column.levels
        wanted = column.type in ("text", "boolean") or _is_factor(formula, name)
        if wanted and (own is None or column.type == "number"):
            raise Refused(
                "factor-needs-levels",
                f"Column `{name}` of dataset `{dictionary.dataset}` has no declared levels, so it cannot be a factor.",
                remedy="Use a column for which the dictionary lists levels, or a true/false column.",
            )
        if wanted and not set(own or ()) <= set(agreed.get(name, ())):
            raise Refused(
                "formula-levels",
                f"Dataset `{dictionary.dataset}` declares levels of `{name}` that the question does not name.",
                remedy="Ask again: the levels are agreed from the dictionaries of the TREs asked.",
            )


def _check_response(formula: Formula, dictionary: Dictionary, agreed: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the response is declared to have two values."""
    response = formula.response
    if isinstance(response, Survival):
        if dictionary.column(response.time).type not in ("integer", "number"):
            raise _mistyped(f"the time `{response.time}` is not a number")
        _check_binary(response.event, dictionary, agreed, numbers=True)
        return True
    plain = response.column if isinstance(response, Number) and not response.function else None
    if plain is not None and dictionary.column(plain).type in ("text", "boolean", "date"):
        _check_binary(plain, dictionary, agreed, numbers=False)
        return True
    _check_numeric(response, dictionary)
    return False


def _check_binary(name: str, dictionary: Dictionary, agreed: Mapping[str, tuple[str, ...]], *, numbers: bool) -> None:
    kind = dictionary.column(name).type
    if kind == "boolean" or (numbers and kind in ("integer", "number")):
        return
    if kind != "text" or len(agreed.get(name, ())) != 2:
        raise _mistyped(f"`{name}` must be true/false or have two levels, the second of which is the event")


def _mistyped(said: str) -> Refused:
    return Refused("formula-type", f"The formula does not fit the dataset: {said}.")


# ------------------------------------------------------------------------------------------------------------- values
class _Values:
    """The variables of one batch, each column read once."""

    def __init__(self, batch: pa.RecordBatch, levels: Mapping[str, tuple[str, ...]]) -> None:
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
        """0 and 1 of a declared two-valued column, or of a number that is nothing else; NaN where missing."""
        if name in self.levels:
            codes = self.factor(name)
            return np.where(codes < 0, np.nan, codes.astype(np.float64))
        values = self.numbers(name)
        if not np.isin(values[np.isfinite(values)], (0.0, 1.0)).all():
            raise not_answerable()
        return values

    def response(self, response: Number | Computed) -> Array:
        if isinstance(response, Number) and not response.function and response.column in self.levels:
            return self.binary(response.column)
        return self.one(response)

    def one(self, variable: Variable) -> Array:
        """A variable of one column."""
        with np.errstate(all="ignore"):
            if isinstance(variable, Computed):
                found = np.asarray(self._computed(variable.expr), dtype=np.float64)
                return np.array(np.broadcast_to(found, self.batch.num_rows))
            values = self.numbers(variable.column)
            function = variable.function if isinstance(variable, Number) else ""
            return np.asarray(_FUNCTIONS[function](values), dtype=np.float64) if function else values

    def term(self, term: tuple[_Coded, ...]) -> Array:
        """The products of the variables' columns, the first variable's varying fastest."""
        found = self.coded(term[0])
        for coded in term[1:]:
            found = np.einsum("ij,ik->ijk", self.coded(coded), found).reshape(len(found), -1)
        return found

    def coded(self, coded: _Coded) -> Array:
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
                one, other = self._computed(left), self._computed(right)
                if op == "/":
                    return np.divide(one, other)
                return one + other if op == "+" else one - other if op == "-" else one * other
            case _:
                raise TypeError("a formula computes with numbers alone")


def _starts(batch: pa.RecordBatch, keep: NDArray[np.bool_]) -> Codes:
    import pyarrow as pa

    return frame.starts(batch.select([PERSON]).filter(pa.array(keep)))
