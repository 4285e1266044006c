"""What a formula holds once it is read: variables, terms that are products of them, and the left side.

Frozen values. Their text is canonical: reading it gives the same formula again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from cinque.expr.text import name_to_text, to_text
from cinque.expr.tree import Expr, columns_of

Function = Literal["", "log", "sqrt", "exp"]
FUNCTIONS: Final[tuple[Function, ...]] = ("log", "sqrt", "exp")


@dataclass(frozen=True, slots=True)
class Number:
    """A column, or a function of one, as it is: `x`, `log(x)`. Whether it is a factor is for the dictionary to say."""

    column: str
    function: Function = ""

    def __str__(self) -> str:
        name = name_to_text(self.column)
        return f"{self.function}({name})" if self.function else name


@dataclass(frozen=True, slots=True)
class Computed:
    """Arithmetic over columns: `I(weight / height^2)`."""

    expr: Expr

    def __str__(self) -> str:
        return f"I({to_text(self.expr)})"


@dataclass(frozen=True, slots=True)
class Factor:
    """A column as a factor, with the level that the others are compared with ("" for the first)."""

    column: str
    reference: str = ""

    def __str__(self) -> str:
        reference = f", ref={_text(self.reference)}" if self.reference else ""
        return f"factor({name_to_text(self.column)}{reference})"


@dataclass(frozen=True, slots=True)
class Spline:
    """A natural cubic spline with knots inside its boundary."""

    column: str
    knots: tuple[float, ...]
    boundary: tuple[float, float]

    def __str__(self) -> str:
        knots = ", ".join(map(repr, self.knots)) + ("," if len(self.knots) == 1 else "")
        low, high = self.boundary
        return f"ns({name_to_text(self.column)}, knots=({knots}), boundary=({low!r}, {high!r}))"


Variable = Number | Computed | Factor | Spline
Term = tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Survival:
    """The left side of a model of time to an event."""

    time: str
    event: str

    def __str__(self) -> str:
        return f"Surv({name_to_text(self.time)}, {name_to_text(self.event)})"


@dataclass(frozen=True, slots=True)
class Formula:
    """What was written, expanded. `terms` without the intercept, each a product of variables."""

    response: Number | Computed | Survival
    terms: tuple[Term, ...]
    intercept: bool = True
    offsets: tuple[Variable, ...] = ()

    def __str__(self) -> str:
        parts = ["1" if self.intercept else "0", *map(term_text, self.terms)]
        parts += [f"offset({variable})" for variable in self.offsets]
        if self.intercept and len(parts) > 1:
            parts = parts[1:]
        return f"{self.response} ~ {' + '.join(parts)}"

    @property
    def columns(self) -> frozenset[str]:
        """Every column that it reads."""
        read = [variable for term in self.terms for variable in term] + list(self.offsets)
        found = {name for variable in read for name in columns_read(variable)}
        if isinstance(self.response, Survival):
            return frozenset(found | {self.response.time, self.response.event})
        return frozenset(found | columns_read(self.response))


def term_text(term: Term) -> str:
    """`a:b`."""
    return ":".join(map(str, term))


def columns_read(variable: Variable) -> frozenset[str]:
    """The columns of one variable."""
    return columns_of(variable.expr) if isinstance(variable, Computed) else frozenset({variable.column})


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
