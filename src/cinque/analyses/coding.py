"""How the terms of a formula become columns: which levels of a factor have one, and what the columns are called.

R's rule of marginality: within a term a factor has contrasts against its reference level where the term without the
factor is told by earlier terms already, and a column for every level where it is not. A term tells all of its factors'
margins; with numbers in it, those of the same numbers only (R forgets the numbers: its bug 15781). What is coded so
spans what was asked for, and its columns can depend on each other only where a term holds all of an earlier one: such a
formula is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeGuard

from cinque.errors import Refused
from cinque.expr.terms import Factor, Formula, Number, Spline, Variable, columns_read, term_text
from cinque.model.datasets import Dictionary

Agreed = tuple[tuple[str, ...], ...]
Levels = Mapping[str, tuple[str, ...]]

MAX_COLUMNS: Final = 100


@dataclass(frozen=True, slots=True)
class Coded:
    """One variable within one term: the names of its columns; of a factor the levels that have one, and whether that is
    every level."""

    variable: Variable
    names: tuple[str, ...]
    levels: tuple[int, ...] = ()
    whole: bool = False


CodedTerm = tuple[Coded, ...]


def coded_terms(formula: Formula, dictionary: Dictionary, levels: Levels) -> tuple[CodedTerm, ...]:
    """Every term in its order. Raises Refused("formula-type", "formula-levels", "formula-twice", "formula-dependent",
    "formula-too-large").
    """
    # Without an intercept the first factor that stands alone has every level, as in R, and stands for it.
    alone = [term[0] for term in formula.terms if len(term) == 1 and is_factor(term[0], dictionary)]
    first = None if formula.intercept or not alone else alone[0]
    told: list[tuple[frozenset[Variable], frozenset[str]]] = []
    terms: list[CodedTerm] = []
    # Of each term: what each of its columns' sums over levels varies with, and what may be summed away.
    varies: list[tuple[frozenset[object], frozenset[object]]] = [(frozenset(), frozenset())] * formula.intercept
    width = int(formula.intercept)
    for term in formula.terms:
        factors = [variable.column for variable in term if is_factor(variable, dictionary)]
        numbers = frozenset(variable for variable in term if not is_factor(variable, dictionary))
        if len(set(factors)) < len(factors):
            raise Refused("formula-twice", f"`{term_text(term)}` holds one factor twice.")

        def is_told(without: str, numbers: frozenset[Variable] = numbers, every: Sequence[str] = factors) -> bool:
            rest = frozenset(every) - {without}
            return not (numbers or rest) or any(n == numbers and rest <= f for n, f in told)

        coded = tuple(
            _factor(variable, levels[variable.column], every=term == (first,) or not is_told(variable.column))
            if is_factor(variable, dictionary)
            else _number(variable, dictionary)
            for variable in term
        )
        told.append((numbers, frozenset(factors)))
        whole = frozenset(c.variable.column for c in coded if c.whole and isinstance(c.variable, Number | Factor))
        base: frozenset[object] = numbers | (frozenset(factors) - whole)
        for other, others in varies:
            if base <= other | others and other <= base | whole:
                raise Refused(
                    "formula-dependent",
                    f"The columns of `{term_text(term)}` add up to what the model has already.",
                    remedy=f"Write `{' * '.join(map(str, term))}`, or take the other term out.",
                )
        varies.append((base, whole))
        terms.append(coded)
        width += math.prod(len(each.names) for each in coded)
        if width > MAX_COLUMNS:  # asked before the names are made: there could be as many as levels allow
            raise Refused(
                "formula-too-large", f"The formula has more than {MAX_COLUMNS} coefficients, the most that are fitted."
            )
    return tuple(terms)


def names_of(terms: Sequence[CodedTerm], *, intercept: bool) -> tuple[str, ...]:
    """The names of the columns: in a term the first variable's vary fastest, as in R. Raises Refused("formula-twice")
    where two are called the same, and "formula-empty" where there is none.
    """
    names = ["(Intercept)"] if intercept else []
    for term in terms:
        names += [":".join(reversed(each)) for each in product(*(coded.names for coded in reversed(term)))]
    if not names:
        raise Refused("formula-empty", "The formula has neither an intercept nor a term.", remedy="Write `y ~ 1`.")
    if len(set(names)) != len(names):
        raise Refused("formula-twice", "Two coefficients of the formula would have one name.")
    return tuple(names)


def _factor(variable: Number | Factor, levels: tuple[str, ...], *, every: bool) -> Coded:
    reference = 0
    if isinstance(variable, Factor) and variable.reference:
        if variable.reference not in levels:
            raise Refused(
                "formula-levels",
                f"`{variable.reference}` is no level of `{variable.column}`.",
                remedy=f"Choose one of: {', '.join(levels)}.",
            )
        reference = levels.index(variable.reference)
    kept = tuple(i for i in range(len(levels)) if every or i != reference)
    if not kept:
        raise Refused("formula-levels", f"Factor `{variable.column}` has one level, so it has no effect.")
    return Coded(variable, tuple(f"{variable.column}[{levels[i]}]" for i in kept), kept, every)


def _number(variable: Variable, dictionary: Dictionary) -> Coded:
    check_numeric(variable, dictionary)
    if isinstance(variable, Spline):
        return Coded(variable, tuple(f"ns({variable.column})[{i + 1}]" for i in range(len(variable.knots) + 1)))
    return Coded(variable, (str(variable),))


def check_numeric(variable: Variable, dictionary: Dictionary) -> None:
    """Raises Refused("formula-type") unless it can be computed with."""
    if is_factor(variable, dictionary):
        raise mistyped(f"`{variable}` is a factor, and a number is needed")
    for name in columns_read(variable):
        if dictionary.column(name).type not in ("integer", "number"):
            raise mistyped(f"`{variable}` needs a number, and column `{name}` is {dictionary.column(name).type}")


def mistyped(said: str) -> Refused:
    """A column of a type that cannot stand where it stands."""
    return Refused("formula-type", f"The formula does not fit the dataset: {said}.")


# ------------------------------------------------------------------------------------------------------------- levels
def is_factor(variable: Variable, dictionary: Dictionary) -> TypeGuard[Number | Factor]:
    """Whether the variable is a factor: by the formula's word, or by its declared type."""
    if isinstance(variable, Factor):
        return True
    if not isinstance(variable, Number) or variable.function:
        return False
    return dictionary.column(variable.column).type in ("text", "boolean")


def factors_of(formula: Formula, dictionary: Dictionary) -> list[str]:
    """The columns whose levels must be agreed, sorted: text, true/false, and what the formula says is a factor."""
    said = {v.column for term in formula.terms for v in term if isinstance(v, Factor)}
    return [
        name for name in sorted(formula.columns) if dictionary.column(name).type in ("text", "boolean") or name in said
    ]


def own_levels(name: str, dictionary: Dictionary) -> tuple[str, ...] | None:
    """The levels that this dictionary declares; None where it declares none, or the column is a number, which has no
    one text."""
    column = dictionary.column(name)
    if column.type == "boolean":
        return ("false", "true")
    return None if column.type == "number" else column.levels


def agreed(formula: Formula, dictionary: Dictionary, levels: Agreed) -> dict[str, tuple[str, ...]]:
    """Column -> its agreed levels: of every factor of the formula, each level once, and all that this dictionary
    declares. Raises Refused for anything else: the levels are the asker's word, and a column read by other levels than
    its own would be another column.
    """
    found: dict[str, tuple[str, ...]] = {}
    for each in levels:
        if not each or each[0] in found or len(set(each[1:])) != len(each) - 1:
            raise Refused("formula-levels", "The agreed levels name each factor and each of its levels once.")
        found[each[0]] = each[1:]
    wanted = factors_of(formula, dictionary)
    for name in wanted:
        own = own_levels(name, dictionary)
        if own is None:
            raise Refused(
                "factor-needs-levels",
                f"Column `{name}` of dataset `{dictionary.dataset}` has no declared levels, so it cannot be a factor.",
                remedy="Use a column for which the dictionary lists levels, or a true/false column.",
            )
        if not own or not set(own) <= set(found.get(name, ())):
            raise Refused(
                "formula-levels",
                f"Dataset `{dictionary.dataset}` declares levels of `{name}` that the question does not name.",
                remedy="Ask again: the levels are agreed from the dictionaries of the TREs asked.",
            )
    for name in sorted(found.keys() - set(wanted)):
        raise Refused(
            "formula-levels",
            f"The question names levels of `{name}`, which is no factor of the formula in dataset "
            f"`{dictionary.dataset}`.",
            remedy="A column is a factor at every TRE or at none: write `factor(…)` where some declare integers.",
        )
    return found
