"""Wilkinson formulas: `y ~ age + sex * arm + ns(bmi, knots=(22, 27), boundary=(16, 40))`.

Terms are expanded as R's `terms()` does: `a * b` is `a + b + a:b`, and terms stand in the order of their degree. A term
keeps the order in which its variables were first written together, where R sorts them by the whole formula. What a
formula may hold is small and closed, and nothing of it is taken from data: knots and reference levels are written out.
Reading takes a fraction of a second whatever is written: the text, the terms, the products on the way to them and the
arithmetic in `I(…)` are all bounded.
"""

from __future__ import annotations

from itertools import product
from typing import Final, NoReturn

from cinque.errors import Refused
from cinque.expr.formula_tokens import Token, refused, tokens
from cinque.expr.terms import (
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
from cinque.expr.tree import Arithmetic, Column, Expr, Literal, Negate, columns_of, unwritable, walk

__all__ = [
    "Computed",
    "Factor",
    "Formula",
    "Number",
    "Spline",
    "Survival",
    "Term",
    "Variable",
    "columns_read",
    "parse_formula",
    "term_text",
]

MAX_LENGTH: Final = 2_000
MAX_TERMS: Final = 200
MAX_PRODUCTS: Final = 20_000
"""Pairs of terms multiplied while a formula is expanded: `^` can ask for far more work than it leaves terms."""
MAX_DEPTH: Final = 30
MAX_NODES: Final = 100
"""Columns, values and operations in one `I(…)`; a power counts as the product that it is."""


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


# A sum of terms, each once whatever its order: () is the intercept. A variable is its place among those read so far.
_Terms = dict[frozenset[int], tuple[int, ...]]
_INTERCEPT: Final[_Terms] = {frozenset(): ()}


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokens(text))
        self.at = 0
        self.depth = 0
        self.products = 0
        self.variables: dict[Variable, int] = {}
        self.offsets: dict[Variable, None] = {}

    # ---------------------------------------------------------------------------------------------- what is next
    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def sign(self, *wanted: str) -> bool:
        """Take the next token if it is one of these signs."""
        if self.token.kind == "sign" and self.token.text in wanted:
            self.at += 1
            return True
        return False

    def called(self, name: str = "") -> bool:
        """Whether a function stands here, of this name where one is given."""
        token = self.token
        return token.kind == "word" and name in ("", token.text) and self.tokens[self.at + 1].text == "("

    def need(self, sign: str) -> None:
        if not self.sign(sign):
            self.unexpected(f"`{sign}`")

    def unexpected(self, wanted: str) -> NoReturn:
        token = self.token
        found = "the end" if token.kind == "end" else f"`{token.text}`"
        raise self.refused(token, f"expected {wanted}, found {found}")

    def refused(self, token: Token, said: str, hint: str = "") -> Refused:
        return refused(self.text, token, said, hint)

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
        known = list(self.variables)
        named = tuple(tuple(known[place] for place in term) for term in ordered)
        return Formula(response, named, frozenset() in terms, tuple(self.offsets))

    def response(self) -> Number | Computed | Survival:
        token = self.token
        if self.called("Surv"):
            self.at += 1
            self.need("(")
            time = self.column()
            self.need(",")
            event = self.column()
            self.need(")")
            return Survival(time, event)
        variable = self.variable()
        if isinstance(variable, Factor | Spline):
            raise self.refused(token, "the left side is a column, a function of one, `I(…)` or `Surv(…)`")
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
            token = self.token
            zero = token.kind == "number" and token.text == "0"
            found: _Terms = {}
            if zero:
                self.at += 1
            elif outermost and not minus and self.called("offset"):
                self.offset()
            else:
                found = self.interaction()
            for key, term in (_INTERCEPT if zero else found).items():
                if minus is not zero:
                    if not key and not outermost:
                        raise self.refused(token, "the intercept is taken out outside parentheses")
                    terms.pop(key, None)
                else:
                    terms.setdefault(key, term)
            _check_terms(terms)
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
        self.products += len(one) * len(other)
        if self.products > MAX_PRODUCTS:
            raise Refused("formula-too-large", "The formula multiplies too many terms.", remedy="Write the terms out.")
        found: _Terms = {}
        for left, right in product(one.values(), other.values()):
            term = tuple(dict.fromkeys((*left, *right)))
            found.setdefault(frozenset(term), term)
        _check_terms(found)
        return found

    def primary(self) -> _Terms:
        token = self.token
        if self.sign("("):
            terms = self.sum()
            self.need(")")
            return terms
        if token.kind == "number":
            if token.text != "1":
                self.unexpected("a column, `1`, `0` or `(`")
            self.at += 1
            return dict(_INTERCEPT)
        if self.called("offset"):
            self._not_alone(token)
        place = self.variables.setdefault(self.variable(), len(self.variables))
        return {frozenset({place}): (place,)}

    def offset(self) -> None:
        """A summand of known coefficient, which cannot be multiplied or taken out like a term."""
        token = self.token
        self.at += 1
        self.need("(")
        self.offsets[self.variable()] = None
        self.need(")")
        if self.token.text in (":", "*", "^", "**"):
            self._not_alone(token)

    def _not_alone(self, token: Token) -> NoReturn:
        raise self.refused(token, "an offset stands alone after `+`, outside parentheses")

    # -------------------------------------------------------------------------------------------------- variables
    def variable(self) -> Variable:
        return self.call() if self.called() else Number(self.column())

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
                _check_size(found.expr)
                if not columns_of(found.expr):
                    raise self.refused(name, "`I(…)` computes with at least one column")
            case "factor" | "C":
                found = self.factor()
            case "ns":
                found = self.spline(name)
            case _:
                known = "`log`, `sqrt`, `exp`, `I`, `factor`, `C`, `ns` and `offset`"
                raise self.refused(name, f"`{name.text}` is no function of formulas; there are {known}")
        self.need(")")
        return found

    def factor(self) -> Factor:
        column = self.column()
        if not self.sign(","):
            return Factor(column)
        if self.token.text in ("ref", "reference"):
            self.at += 1
            self.need("=")
        if self.token.kind not in ("text", "number", "word") or self.token.text in ("''", '""'):
            self.unexpected("the reference level, as text between quotation marks")
        token = self.token
        self.at += 1
        return Factor(column, _unquoted(token.text) if token.kind == "text" else token.text)

    def spline(self, name: Token) -> Spline:
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
            raise self.refused(name, "`ns` needs `knots=(…)` and `boundary=(low, high)`", hint)
        low, high = boundary
        if list(knots) != sorted(set(knots)) or not low < knots[0] or not knots[-1] < high:
            raise self.refused(name, "knots rise, and lie inside the boundary")
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
            left = Literal(self.number())
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
        _check_size(of, int(token.text))
        found = of
        for _ in range(int(token.text) - 1):
            found = Arithmetic("*", found, of)
        return found


def _check_terms(terms: _Terms) -> None:
    if len(terms) > MAX_TERMS:
        raise Refused("formula-too-large", f"The formula has more than {MAX_TERMS} terms.")


def _check_size(expr: Expr, times: int = 1) -> None:
    """Whether so many of it are within MAX_NODES, which bounds the depth of the tree too."""
    for count, _ in enumerate(walk(expr), start=1):
        if count * times > MAX_NODES:
            raise Refused(
                "formula-too-large",
                f"`I(…)` computes with more than {MAX_NODES} columns, values and operations.",
                remedy="Ask for a derived column from the TRE.",
            )


def _joined(*sums: _Terms) -> _Terms:
    """Every term once, as it was first written."""
    found: _Terms = {}
    for terms in sums:
        for key, term in terms.items():
            found.setdefault(key, term)
    return found


def _unquoted(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])
