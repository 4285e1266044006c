"""From text to a tree: a small Pratt parser that says where it stopped and what it expected."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from typing import cast

from cinque.errors import Refused
from cinque.expr.text import AND, COMPARISON, KEYWORDS, NOT, OR, POWER, SIGN, point
from cinque.expr.tree import (
    LARGEST_INTEGER,
    MAX_DEPTH,
    MAX_LENGTH,
    SMALLEST_INTEGER,
    And,
    Arithmetic,
    Between,
    Column,
    Compare,
    Comparison,
    Expr,
    In,
    IsMissing,
    Literal,
    Negate,
    Not,
    Operation,
    Or,
    measure,
    unwritable,
)

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<text>'(?:[^']|'')*+'|"(?:[^"]|"")*+")
      | (?P<name>`(?:[^`]|``)++`)
      | (?P<word>[^\W\d]\w*)
      | (?P<sign>==|!=|<>|<=|>=|[-=<>+*/(),])""",
    re.VERBOSE,
)
_COMPARISONS: dict[str, Comparison] = {
    "==": "==",
    "=": "==",
    "!=": "!=",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_RESERVED = KEYWORDS - {"missing", "date"}
_OPERAND = "a column, a value or `(`"
_HINTS = {
    "&": "Write `and`.",
    "|": "Write `or`.",
    "!": "Write `not`, or `!=`.",
    ".": "A name with other characters than letters, digits and `_` stands between backquotes.",
    "'": "A text that begins with a quotation mark must end with one; write it twice inside the text.",
    '"': "A text that begins with a quotation mark must end with one; write it twice inside the text.",
    "`": "A name that begins with a backquote must end with one.",
}


def parse(text: str) -> Expr:
    """The tree of `text`. Raises Refused("filter-syntax") whose sentence shows the place and says what was expected,
    and Refused("filter-too-large") beyond the limits of length, depth and size. Types are not looked at: see `check`.
    """
    if len(text) > MAX_LENGTH:
        raise Refused("filter-too-large", f"The filter is longer than {MAX_LENGTH:,} characters.")
    bad = unwritable(text)
    if bad is not None:
        raise Refused(
            "filter-syntax",
            "The filter holds a control character or a mark of text direction, "
            f"U+{ord(text[bad]):04X}, at character {bad + 1}.",
            remedy="Remove it: a filter must look to its approver as it is.",
        )
    parser = _Parser(text)
    expr = parser.expression(0)
    if parser.token.kind != "end":
        raise parser.unexpected("an operator or the end")
    measure(expr)
    return expr


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, name, word (lower case in `text` when reserved), sign, end
    text: str
    start: int
    end: int


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._read()
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def expression(self, minimum: int) -> Expr:
        """An expression whose operators all hold tighter than `minimum`."""
        self.depth += 1
        # A level of the tree is at most an operator and a pair of parentheses.
        if self.depth > 2 * MAX_DEPTH:
            raise Refused("filter-too-large", f"The filter is nested more than {MAX_DEPTH} levels deep.")
        left = self.operand(minimum)
        while True:
            sign = self.sign()
            if sign in POWER and POWER[sign] > minimum:
                self.at += 1
                left = Arithmetic(cast(Operation, sign), left, self.expression(POWER[sign]))
            elif minimum < COMPARISON and self.compares(sign):
                left = self.comparison(left, sign)
                if self.compares(self.sign()):
                    raise self.unexpected("`and`, `or` or the end", "Write `a < b and b < c` instead of `a < b < c`.")
            elif sign == "and" and minimum < AND:
                left = And((left, *self.further("and", AND)))
            elif sign == "or" and minimum < OR:
                left = Or((left, *self.further("or", OR)))
            else:
                self.depth -= 1
                return left

    def operand(self, minimum: int) -> Expr:
        token = self.token
        sign = self.sign()
        if sign == "(":
            self.at += 1
            inside = self.expression(0)
            self.expect(")", "an operator or `)`")
            return inside
        if sign == "-":
            self.at += 1
            if self.token.kind == "number":
                return self.number(negative=True)
            return Negate(self.expression(SIGN))
        if sign == "not":
            if minimum >= COMPARISON:
                raise self.unexpected(_OPERAND, "Put `not …` between parentheses here.")
            self.at += 1
            return Not(self.expression(NOT))
        if token.kind == "name":
            self.at += 1
            return Column(token.text[1:-1].replace("``", "`"))
        if token.kind == "word" and sign not in _RESERVED and not self.dated():
            self.at += 1
            return Column(token.text)
        if sign == "null":
            raise self.unexpected(_OPERAND, "Ask for missing values with `is missing`.")
        return self.literal(_OPERAND)

    def literal(self, expected: str) -> Literal:
        token = self.token
        if token.kind == "number":
            return self.number(negative=False)
        if self.sign() == "-" and self.tokens[self.at + 1].kind == "number":
            self.at += 1
            return self.number(negative=True)
        if token.kind == "text":
            self.at += 1
            return Literal(_unquoted(token.text))
        if self.sign() in ("true", "false"):
            self.at += 1
            return Literal(self.tokens[self.at - 1].text.lower() == "true")
        if self.dated():
            self.at += 2
            return self.day(self.tokens[self.at - 1])
        raise self.unexpected(expected)

    def number(self, *, negative: bool) -> Literal:
        token = self.token
        self.at += 1
        sign = "-" if negative else ""
        if token.text.isdigit():
            # The length is looked at first: turning thousands of digits into an integer is slow, then refused.
            digits = token.text.lstrip("0") or "0"
            if len(digits) > 19 or not SMALLEST_INTEGER <= int(sign + digits) <= LARGEST_INTEGER:
                raise self.refused("this integer is beyond 64 bits", token)
            return Literal(int(sign + digits))
        value = float(sign + token.text)
        if not math.isfinite(value):
            raise self.refused("this number is too large", token)
        return Literal(value)

    def day(self, token: _Token) -> Literal:
        written = _unquoted(token.text)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", written):
            try:
                return Literal(date.fromisoformat(written))
            except ValueError:
                raise self.refused("there is no such day", token) from None
        raise self.refused("a date is written as in date'2020-01-31'", token)

    def compares(self, sign: str) -> bool:
        if sign == "not":
            return self.tokens[self.at + 1].text.lower() in ("in", "between")
        return sign in _COMPARISONS or sign in ("in", "between", "is")

    def comparison(self, left: Expr, sign: str) -> Expr:
        self.at += 1
        if sign in _COMPARISONS:
            return Compare(_COMPARISONS[sign], left, self.expression(COMPARISON))
        if sign == "is":
            negated = self.accept("not")
            if self.sign() not in ("missing", "null"):
                raise self.unexpected("`missing`")
            self.at += 1
            return Not(IsMissing(left)) if negated else IsMissing(left)
        negated = sign == "not"
        if negated:
            sign = self.sign()
            self.at += 1
        found = self.members(left) if sign == "in" else self.range(left)
        return Not(found) if negated else found

    def members(self, left: Expr) -> In:
        self.expect("(", "`(` and a list of values")
        values = [self.literal("a value")]
        while self.accept(","):
            values.append(self.literal("a value"))
        self.expect(")", "`,` or `)`")
        return In(left, tuple(values))

    def range(self, left: Expr) -> Between:
        low = self.expression(COMPARISON)
        self.expect("and", "`and` with the upper end")
        return Between(left, low, self.expression(COMPARISON))

    def further(self, word: str, power: int) -> list[Expr]:
        terms = []
        while self.accept(word):
            terms.append(self.expression(power))
        return terms

    def sign(self) -> str:
        """The sign or the word in lower case that stands here; empty for names, values and the end."""
        token = self.token
        return token.text.lower() if token.kind in ("word", "sign") else ""

    def dated(self) -> bool:
        return self.sign() == "date" and self.tokens[self.at + 1].kind == "text"

    def accept(self, sign: str) -> bool:
        if self.sign() != sign:
            return False
        self.at += 1
        return True

    def expect(self, sign: str, expected: str) -> None:
        if not self.accept(sign):
            raise self.unexpected(expected)

    def unexpected(self, expected: str, remedy: str = "") -> Refused:
        token = self.token
        found = (
            "the end" if token.kind == "end" else f"`{token.text if len(token.text) < 40 else token.text[:40] + '…'}`"
        )
        return self.refused(f"expected {expected}, found {found}", token, remedy)

    def refused(self, reason: str, token: _Token, remedy: str = "") -> Refused:
        where = point(self.text, token.start, token.end)
        return Refused("filter-syntax", f"The filter cannot be read: {reason}.{where}", remedy=remedy)

    def _read(self) -> list[_Token]:
        tokens = []
        place = 0
        while place < len(self.text):
            match = _TOKEN.match(self.text, place)
            if match is None:
                character = self.text[place]
                found = _Token("", character, place, place + 1)
                raise self.refused(f"`{character}` means nothing here", found, _HINTS.get(character, ""))
            if match.lastgroup != "space":
                tokens.append(_Token(str(match.lastgroup), match.group(), match.start(), match.end()))
            place = match.end()
        tokens.append(_Token("end", "", len(self.text), len(self.text)))
        return tokens


def _unquoted(text: str) -> str:
    mark = text[0]
    return text[1:-1].replace(mark * 2, mark)
