"""An expression as text, in one canonical form, and a place within a text shown to a reader."""

from __future__ import annotations

import re

from cinque.expr.tree import (
    And,
    Arithmetic,
    Between,
    Column,
    Compare,
    Expr,
    In,
    IsMissing,
    Literal,
    Negate,
    Not,
    Or,
)

# How tightly an operator holds its operands; the parser reads by the same numbers.
OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(1, 9)
POWER = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT}
KEYWORDS = frozenset({"and", "or", "not", "in", "between", "is", "true", "false", "null", "missing", "date"})
BARE_NAME = re.compile(r"[^\W\d]\w*")

# No tree holds these two characters, so they can stand around a part while its place is looked for.
_FROM, _TO = "\x02", "\x03"
_WINDOW = 90


def to_text(expr: Expr) -> str:
    """The canonical text: `parse(to_text(e)) == e` for every tree within the limits."""
    return _write(expr, 0, None)


def show(expr: Expr, part: Expr) -> str:
    """The canonical text with carets under `part` (found by identity), on two indented lines."""
    marked = _write(expr, 0, part)
    start = marked.index(_FROM)
    end = marked.index(_TO) - 1
    return point(marked.replace(_FROM, "").replace(_TO, ""), start, end)


def point(text: str, start: int, end: int) -> str:
    """The line of `text` that holds `start` and, under it, carets from `start` to `end`; long lines are cut."""
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    line = re.split(r"[\r\n]", text[line_start:], maxsplit=1)[0].replace("\t", " ")
    column = start - line_start
    width = max(1, min(end - start, len(line) - column))
    cut = max(0, column - _WINDOW // 2)
    shown = line[cut : cut + _WINDOW]
    before = "…" if cut else ""
    after = "…" if cut + _WINDOW < len(line) else ""
    carets = "^" * min(width, _WINDOW - (column - cut))
    return f"\n    {before}{shown}{after}\n    {' ' * (len(before) + column - cut)}{carets}"


def name_to_text(name: str) -> str:
    """A column's name, between backquotes unless it is a plain word."""
    if BARE_NAME.fullmatch(name) and name.lower() not in KEYWORDS:
        return name
    return "`" + name.replace("`", "``") + "`"


def literal_to_text(literal: Literal) -> str:
    """A constant as it is written in an expression."""
    match literal.type:
        case "boolean":
            return "true" if literal.value else "false"
        case "text":
            return "'" + str(literal.value).replace("'", "''") + "'"
        case "date":
            return f"date'{literal.value}'"
        case _:
            return repr(literal.value)


def _write(expr: Expr, minimum: int, part: Expr | None) -> str:
    text, power = _parts(expr, part)
    if power < minimum:
        text = f"({text})"
    return f"{_FROM}{text}{_TO}" if expr is part else text


def _parts(expr: Expr, part: Expr | None) -> tuple[str, int]:
    match expr:
        case Column(name):
            return name_to_text(name), ATOM
        case Literal():
            return literal_to_text(expr), ATOM
        case Negate(operand):
            # `-5` is a constant and `--a` looks like a comment of SQL: both get parentheses.
            number = isinstance(operand, Literal) and operand.type in ("integer", "number")
            inner = _write(operand, 0 if number else ATOM, part)
            return f"-({inner})" if number else f"-{inner}", SIGN
        case Arithmetic(op, left, right):
            power = POWER[op]
            return f"{_write(left, power, part)} {op} {_write(right, power + 1, part)}", power
        case Compare(op, left, right):
            return f"{_write(left, SUM, part)} {op} {_write(right, SUM, part)}", COMPARISON
        case In():
            return _in(expr, "in", part), COMPARISON
        case Between():
            return _between(expr, "between", part), COMPARISON
        case IsMissing(operand):
            return f"{_write(operand, SUM, part)} is missing", COMPARISON
        case Not(operand):
            # What is marked must be written as a whole, so the short forms are for the others.
            if operand is not part:
                match operand:
                    case In():
                        return _in(operand, "not in", part), COMPARISON
                    case Between():
                        return _between(operand, "not between", part), COMPARISON
                    case IsMissing(inside):
                        return f"{_write(inside, SUM, part)} is not missing", COMPARISON
            return f"not {_write(operand, NOT, part)}", NOT
        case And(terms):
            return " and ".join(_write(term, NOT, part) for term in terms), AND
        case Or(terms):
            return " or ".join(_write(term, AND, part) for term in terms), OR


def _in(expr: In, word: str, part: Expr | None) -> str:
    return f"{_write(expr.operand, SUM, part)} {word} ({', '.join(_write(value, 0, part) for value in expr.values)})"


def _between(expr: Between, word: str, part: Expr | None) -> str:
    low, high = _write(expr.low, SUM, part), _write(expr.high, SUM, part)
    return f"{_write(expr.operand, SUM, part)} {word} {low} and {high}"
