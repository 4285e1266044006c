"""Wilkinson formulas: `y ~ age + sex * arm + ns(bmi, knots=(22, 27), boundary=(16, 40))`.

Terms are expanded as R's `terms()` does: `a * b` is `a + b + a:b`, terms stand in the order of their degree. What a
formula may hold is small and closed, and nothing of it is taken from data: knots and reference levels are written out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal, NoReturn

from cinque.errors import Refused
from cinque.expr.text import name_to_text, point, to_text
from cinque.expr.tree import Arithmetic, Column, Expr, Negate, columns_of, unwritable
from cinque.expr.tree import Literal as Constant

MAX_LENGTH: Final = 2_000
MAX_TERMS: Final = 200
MAX_DEPTH: Final = 30

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


def parse_formula(text: str) -> Formula:
    """Raises Refused("formula-syntax"), showing the place and what was expected, and Refused("formula-too-large")."""
    if len(text) > MAX_LENGTH:
        raise Refused("formula-too-large", f"The formula is longer than {MAX_LENGTH:,} characters.")
    bad = unwritable(text)
    if bad is not None:
        raise Refused(
            "formula-syntax",
            "The formula holds a control character or a mark of text direction, "
            f"U+{ord(text[bad]):04X}, at character {bad + 1}.",
            remedy="Remove it: a formula must look to its approver as it is.",
        )
    return _Parser(text).formula()


# A sum of terms, each once whatever its order, before the intercept is split off: () is the intercept.
_Terms = dict[frozenset[Variable], Term]
_INTERCEPT: Final[_Terms] = {frozenset(): ()}
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<text>'(?:[^']|'')*+'|"(?:[^"]|"")*+")
      | (?P<quoted>`(?:[^`]|``)++`)
      | (?P<word>[^\W\d][\w]*)
      | (?P<sign>\*\*|[-+*/:^~(),=.|])""",
    re.VERBOSE,
)
_HINTS: Final[Mapping[str, str]] = {
    ".": "`.` for every other column is not understood: name the columns.",
    "|": "Groups with effects of their own are not fitted.",
    "/": "Write `a + a:b` for `a / b`, or a quotient as `I(a / b)`.",
    "strata": "A model is stratified by TRE with the parameter `baseline`, not in its formula.",
    "poly": "Write the powers: `x + I(x^2)`; orthogonal polynomials would come from the data.",
    "bs": "Write `ns(x, knots=(…), boundary=(low, high))`.",
    "scale": "Centring and scaling would come from the data: subtract a constant, `I(x - 50)`.",
}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._read())
        self.at = 0
        self.depth = 0
        self.offsets: dict[Variable, None] = {}

    # ---------------------------------------------------------------------------------------------- what is next
    def _read(self) -> Iterator[_Token]:
        at = 0
        while at < len(self.text):
            found = _TOKEN.match(self.text, at)
            if found is None:
                self._refuse(at, at + 1, "this cannot stand in a formula", _HINTS.get(self.text[at], ""))
            kind = found.lastgroup or ""
            if kind != "space":
                yield _Token(kind, found.group(), at, found.end())
            at = found.end()
        yield _Token("end", "", len(self.text), len(self.text) + 1)

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def sign(self, *wanted: str) -> bool:
        """Take the next token if it is one of these signs."""
        if self.token.kind == "sign" and self.token.text in wanted:
            self.at += 1
            return True
        return False

    def need(self, sign: str) -> None:
        if not self.sign(sign):
            self.unexpected(f"`{sign}`")

    def unexpected(self, wanted: str) -> NoReturn:
        token = self.token
        found = "the end" if token.kind == "end" else f"`{token.text}`"
        self._refuse(token.start, token.end, f"expected {wanted}, found {found}", _HINTS.get(token.text, ""))

    def _refuse(self, start: int, end: int, said: str, remedy: str = "") -> NoReturn:
        raise Refused(
            "formula-syntax", f"The formula cannot be read: {said}.{point(self.text, start, end)}", remedy=remedy
        )

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Refused("formula-too-large", f"The formula is nested more than {MAX_DEPTH} levels deep.")

    # ------------------------------------------------------------------------------------------------- the formula
    def formula(self) -> Formula:
        response = self.response()
        self.need("~")
        terms = self.sum()
        if self.token.kind != "end":
            self.unexpected("`+`, `:`, `*` or the end")
        # R's order: by degree, and as written within one.
        ordered = sorted((term for term in terms.values() if term), key=len)
        return Formula(response, tuple(ordered), frozenset() in terms, tuple(self.offsets))

    def response(self) -> Number | Computed | Survival:
        token = self.token
        if token.kind == "word" and token.text == "Surv" and self.tokens[self.at + 1].text == "(":
            self.at += 1
            self.need("(")
            time = self.column()
            self.need(",")
            event = self.column()
            self.need(")")
            return Survival(time, event)
        variable = self.variable()
        if isinstance(variable, Factor | Spline):
            self._refuse(token.start, token.end, "the left side is a column, a function of one, `I(…)` or `Surv(…)`")
        return variable

    def sum(self) -> _Terms:
        """Terms with `+` and `-`; the intercept is there unless it is taken out. Only a whole right side or what
        stands in parentheses is a sum."""
        self.deeper()
        outermost = self.depth == 1
        terms: _Terms = dict(_INTERCEPT) if outermost else {}
        minus = self.sign("-")
        if not minus:
            self.sign("+")
        while True:
            zero = self.token.kind == "number" and float(self.token.text) == 0
            found: _Terms = {}
            if zero:
                self.at += 1
            else:
                found = self.interaction()
            for key, term in (_INTERCEPT if zero else found).items():
                if minus is not zero:
                    terms.pop(key, None)
                else:
                    terms.setdefault(key, term)
            if len(terms) > MAX_TERMS:
                raise Refused("formula-too-large", f"The formula has more than {MAX_TERMS} terms.")
            minus = self.sign("-")
            if not minus and not self.sign("+"):
                self.depth -= 1
                return terms

    def interaction(self) -> _Terms:
        """`*`, which binds less than `:`."""
        terms = self.crossed()
        while self.sign("*"):
            other = self.crossed()
            terms = _joined(terms, other, self._times(terms, other))
        return terms

    def crossed(self) -> _Terms:
        terms = self.power()
        while self.sign(":"):
            terms = self._times(terms, self.power())
        return terms

    def power(self) -> _Terms:
        terms = self.primary()
        while self.sign("^", "**"):
            token = self.token
            if token.kind != "number" or not token.text.isdecimal() or not 1 <= int(token.text) <= 10:
                self.unexpected("a whole number from 1 to 10")
            self.at += 1
            whole = terms
            for _ in range(int(token.text) - 1):
                whole = _joined(whole, self._times(whole, terms))
            terms = whole
        return terms

    def _times(self, one: _Terms, other: _Terms) -> _Terms:
        if len(one) * len(other) > MAX_TERMS**2:
            raise Refused("formula-too-large", f"The formula has more than {MAX_TERMS} terms.")
        found: _Terms = {}
        for left, right in product(one.values(), other.values()):
            term = tuple(dict.fromkeys((*left, *right)))
            found.setdefault(frozenset(term), term)
        if len(found) > MAX_TERMS:
            raise Refused("formula-too-large", f"The formula has more than {MAX_TERMS} terms.")
        return found

    def primary(self) -> _Terms:
        token = self.token
        if self.sign("("):
            terms = self.sum()
            self.need(")")
            return terms
        if token.kind == "number":
            if float(token.text) != 1:
                self.unexpected("a column, `1`, `0` or `(`")
            self.at += 1
            return dict(_INTERCEPT)
        if token.kind == "word" and token.text == "offset" and self.tokens[self.at + 1].text == "(":
            self.at += 1
            self.need("(")
            self.offsets[self.variable()] = None
            self.need(")")
            return {}
        variable = self.variable()
        return {frozenset({variable}): (variable,)}

    # -------------------------------------------------------------------------------------------------- variables
    def variable(self) -> Variable:
        token = self.token
        if token.kind == "word" and self.tokens[self.at + 1].text == "(":
            return self.call()
        return Number(self.column())

    def column(self) -> str:
        token = self.token
        if token.kind not in ("word", "quoted"):
            self.unexpected("a column")
        self.at += 1
        return token.text[1:-1].replace("``", "`") if token.kind == "quoted" else token.text

    def call(self) -> Variable:
        name = self.token
        self.at += 1
        self.need("(")
        found: Variable
        match name.text:
            case "log" | "sqrt" | "exp":
                found = Number(self.column(), name.text)
            case "I":
                found = Computed(self.arithmetic(0))
                if not columns_of(found.expr):
                    self._refuse(name.start, name.end, "`I(…)` computes with at least one column")
            case "factor" | "C":
                found = self.factor()
            case "ns":
                found = self.spline(name)
            case _:
                known = "`log`, `sqrt`, `exp`, `I`, `factor`, `C`, `ns` and `offset`"
                hint = _HINTS.get(name.text, "")
                self._refuse(name.start, name.end, f"`{name.text}` is no function of formulas; there are {known}", hint)
        self.need(")")
        return found

    def factor(self) -> Factor:
        column = self.column()
        if not self.sign(","):
            return Factor(column)
        if self.token.text in ("ref", "reference"):
            self.at += 1
            self.need("=")
        if self.token.kind not in ("text", "number", "word"):
            self.unexpected("the reference level, as text between quotation marks")
        token = self.token
        self.at += 1
        return Factor(column, _unquoted(token.text) if token.kind == "text" else token.text)

    def spline(self, name: _Token) -> Spline:
        column = self.column()
        given: dict[str, tuple[float, ...]] = {}
        while self.sign(","):
            word = self.token
            if word.text not in ("knots", "boundary") or word.text in given:
                self.unexpected("`knots=(…)` or `boundary=(low, high)`, each once")
            self.at += 1
            self.need("=")
            given[word.text] = self.numbers()
        knots, boundary = given.get("knots", ()), given.get("boundary", ())
        if not knots or len(boundary) != 2:
            hint = "A number of degrees of freedom alone would take the knots from the data."
            self._refuse(name.start, name.end, "`ns` needs `knots=(…)` and `boundary=(low, high)`", hint)
        low, high = boundary
        if list(knots) != sorted(set(knots)) or not low < knots[0] or not knots[-1] < high:
            self._refuse(name.start, name.end, "knots rise, and lie inside the boundary")
        return Spline(column, knots, (low, high))

    def numbers(self) -> tuple[float, ...]:
        if not self.sign("("):
            return (self.number(),)
        found = [self.number()]
        while self.sign(","):
            if self.token.text == ")":
                break
            found.append(self.number())
        self.need(")")
        return tuple(found)

    def number(self) -> float:
        negative = self.sign("-")
        if self.token.kind != "number":
            self.unexpected("a number")
        value = float(self.token.text)
        if value in (float("inf"), -float("inf")):
            self.unexpected("a number that a double can hold")
        self.at += 1
        return -value if negative else value

    # ------------------------------------------------------------------------------------------ inside I(…)
    def arithmetic(self, minimum: int) -> Expr:
        """Numbers and columns with + - * / and whole powers, by how tightly they bind: 1, 2 and 4; a sign 3."""
        self.deeper()
        left: Expr
        if self.sign("-"):
            left = Negate(self.arithmetic(3))
        elif self.sign("("):
            left = self.arithmetic(0)
            self.need(")")
        elif self.token.kind == "number":
            left = Constant(self.number())
        else:
            left = Column(self.column())
        while self.token.kind == "sign":
            sign = self.token.text
            if sign in ("^", "**") and minimum < 4:
                self.at += 1
                left = self.raised(left)
                continue
            binds = {"+": 1, "-": 1, "*": 2, "/": 2}.get(sign, 0)
            if binds <= minimum:
                break
            self.at += 1
            left = Arithmetic(sign, left, self.arithmetic(binds))  # type: ignore[arg-type]  # one of the four
        self.depth -= 1
        return left

    def raised(self, of: Expr) -> Expr:
        """A power as a product, which every engine computes alike."""
        token = self.token
        if token.kind != "number" or not token.text.isdecimal() or not 2 <= int(token.text) <= 5:
            self.unexpected("a whole power from 2 to 5")
        self.at += 1
        found = of
        for _ in range(int(token.text) - 1):
            found = Arithmetic("*", found, of)
        return found


def _joined(*sums: _Terms) -> _Terms:
    """Every term once, as it was first written."""
    found: _Terms = {}
    for terms in sums:
        for key, term in terms.items():
            found.setdefault(key, term)
    return found


def _unquoted(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
