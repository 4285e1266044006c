"""A formula's text in words and signs, and a mistake in it shown where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cinque.errors import Refused
from cinque.expr.text import point

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<text>'(?:[^']|'')*+'|"(?:[^"]|"")*+")
      | (?P<quoted>`(?:[^`]|``)++`)
      | (?P<word>[^\W\d][\w]*)
      | (?P<sign>\*\*|[-+*/:^~(),=.|])""",
    re.VERBOSE,
)
HINTS: Final[Mapping[str, str]] = {
    ".": "`.` for every other column is not understood: name the columns.",
    "|": "Groups with effects of their own are not fitted.",
    "/": "Write `a + a:b` for `a / b`, or a quotient as `I(a / b)`.",
    "strata": "A model is stratified by TRE with the parameter `baseline`, not in its formula.",
    "poly": "Write the powers: `x + I(x^2)`; orthogonal polynomials would come from the data.",
    "bs": "Write `ns(x, knots=(…), boundary=(low, high))`.",
    "cluster": 'Errors robust to clusters of rows are asked for with `errors="cluster"`.',
    "'": "The quotation mark is not closed.",
    '"': "The quotation mark is not closed.",
    "`": "The backquote is not closed.",
    "scale": "Centring and scaling would come from the data: subtract a constant, `I(x - 50)`.",
}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is number, text, quoted (a name between backquotes), word, sign, or end."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """All of them, and one for the end. Raises Refused("formula-syntax") for what is none."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise refused(text, Token("", text[at], at, at + 1), "this cannot stand in a formula")
        kind = found.lastgroup or ""
        if kind != "space":
            yield Token(kind, found.group(), at, found.end())
        at = found.end()
    yield Token("end", "", len(text), len(text) + 1)


def refused(text: str, token: Token, said: str, hint: str = "") -> Refused:
    """The refusal that shows the token; the remedy is the hint, or else what is known of the token."""
    where = point(text, token.start, token.end)
    remedy = hint or HINTS.get(token.text, "")
    return Refused("formula-syntax", f"The formula cannot be read: {said}.{where}", remedy=remedy)
