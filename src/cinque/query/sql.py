"""From an expression and a question to SQL: built from nodes, never from text, and once for all engines.

Every column is first cast to its declared type, so that an engine's own types decide nothing; a number that is not
finite is missing. Names and constants become sqlglot's quoted identifiers and literals. Render with `.sql(dialect)`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import cast

from sqlglot import exp

from cinque.errors import Refused
from cinque.expr import (
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
    check_filter,
    columns_of,
)
from cinque.model.datasets import ColumnType
from cinque.query.source import PERSON

_SQL_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "text": "TEXT", "boolean": "BOOLEAN", "date": "DATE"}
_COMPARE: dict[str, type[exp.Binary]] = {
    "==": exp.EQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_ARITHMETIC: dict[str, type[exp.Binary]] = {"+": exp.Add, "-": exp.Sub, "*": exp.Mul, "/": exp.Div}
_NUMERIC = ("integer", "number")

Types = Mapping[str, ColumnType]
Relation = exp.Table | exp.Subquery  # where the rows are


def condition(expr: Expr, types: Types) -> exp.Expr:
    """`expr`, which has passed `check_filter`, as a condition over columns that are already of their declared types."""
    match expr:
        case Column(name):
            return _name(name)
        case Literal():
            return literal(expr)
        case Compare(op, left, right):
            one, other = _sides(left, right, types)
            return _COMPARE[op](this=one, expression=other)
        case In(operand, values):
            if len({_common(operand, value, types) for value in values}) == 1:
                members = [_sides(operand, value, types)[1] for value in values]
                return exp.In(this=_sides(operand, values[0], types)[0], expressions=members)
            return _joined(exp.Or, [condition(Compare("==", operand, value), types) for value in values])
        case Between(operand, low, high):
            return _joined(
                exp.And, [condition(Compare(">=", operand, low), types), condition(Compare("<=", operand, high), types)]
            )
        case IsMissing(operand):
            return exp.Is(this=_operand(_value(operand, types)), expression=exp.Null())
        case Not(operand):
            return exp.Not(this=_operand(condition(operand, types)))
        case And(terms):
            return _joined(exp.And, [condition(term, types) for term in terms])
        case Or(terms):
            return _joined(exp.Or, [condition(term, types) for term in terms])
        case Negate() | Arithmetic():
            raise TypeError("a number is not a condition")


def literal(constant: Literal) -> exp.Expr:
    """A constant. Numbers and dates are casts of their text: exact, and read alike by every engine."""
    match constant.type:
        case "text":
            return exp.Literal.string(str(constant.value))
        case "boolean":
            return exp.Boolean(this=constant.value)
        case kind:
            return _cast(exp.Literal.string(str(constant.value)), kind)


def typed(name: str, kind: ColumnType) -> exp.Expr:
    """A column of the relation as its declared type; numbers that are not finite become missing."""
    value = _cast(_name(name), kind)
    return _finite(value) if kind == "number" else value


def rows_query(
    relation: Relation,
    types: Types,
    unit: str | None,
    columns: Sequence[str],
    where: Expr | None,
    *,
    together: bool = False,
) -> exp.Select:
    """The chosen columns, and the person's column last where there is one, of the rows that `where` keeps; `together`:
    a person's rows follow each other.
    """
    names = [*dict.fromkeys(columns), *([PERSON] if unit is not None else [])]
    query = _select([_name(name) for name in names], relation, types, unit, columns, where)
    return query.order_by(_name(PERSON), copy=False) if together and unit is not None else query


def aggregate_query(
    relation: Relation,
    types: Types,
    unit: str | None,
    columns: Sequence[str],
    by: Sequence[str],
    where: Expr | None,
) -> exp.Select:
    """A row a group: the levels of `by` as text, rows, people, and for each of `columns` rows and people with a value,
    people without, mean, M2. Without a unit one row is one person. Raises Refused as `check_filter` does, and
    "not-numeric" for a column that has no mean.
    """
    selected: list[exp.Expr] = [*_levels(by), exp.Count(this=exp.Star()), _people(None, unit)]
    for column in columns:
        value, present = _numeric(column, types), exp.Is(this=_name(column), expression=exp.Null())
        selected += [
            exp.Count(this=_name(column)),
            _people(exp.Not(this=present.copy()), unit),
            _people(present, unit),
            exp.Avg(this=value.copy()),
            # The engines' variance is a running one (Welford 1962), never a difference of sums of squares.
            exp.Mul(this=exp.VariancePop(this=value), expression=exp.Count(this=_name(column))),
        ]
    query = _select(_numbered(selected), relation, types, unit, [*columns, *by], where)
    return query.group_by(*[_name(name) for name in by], copy=False) if by else query


def centred_query(
    relation: Relation, types: Types, columns: Sequence[str], by: Sequence[str], where: Expr | None
) -> exp.Select:
    """A row a group: the levels of `by` as text, and for each of `columns` the centre c (a mean), sum(x - c) and
    sum((x - c)^2): the corrected two-pass algorithm of Chan, Golub and LeVeque (1983), for data whose spread is small
    beside its mean.
    """
    keys = [f"k{i}" for i in range(len(by))]
    rows = _select(
        [
            *(exp.alias_(_name(name), key, quoted=True) for name, key in zip(by, keys, strict=True)),
            *(exp.alias_(_numeric(c, types), f"x{i}", quoted=True) for i, c in enumerate(columns)),
        ],
        relation,
        types,
        None,
        [*columns, *by],
        where,
    )
    centres = exp.select(
        *(_name(key) for key in keys),
        *(exp.alias_(exp.Avg(this=_name(f"x{i}")), f"c{i}", quoted=True) for i in range(len(columns))),
    ).from_(exp.to_table("chosen"), copy=False)
    if keys:
        centres = centres.group_by(*(_name(key) for key in keys), copy=False)
    selected: list[exp.Expr] = [_as_text(_name(key, "r")) for key in keys]
    for i in range(len(columns)):
        deviation = exp.Paren(this=exp.Sub(this=_name(f"x{i}", "r"), expression=_name(f"c{i}", "c")))
        square = exp.Mul(this=deviation.copy(), expression=deviation.copy())
        selected += [exp.Max(this=_name(f"c{i}", "c")), exp.Sum(this=deviation), exp.Sum(this=square)]
    # A missing level equals itself here, as it does in GROUP BY.
    same = [exp.NullSafeEQ(this=_name(key, "r"), expression=_name(key, "c")) for key in keys]
    joined = exp.and_(*same) if same else exp.true()
    query = (
        exp.select(*_numbered(selected))
        .from_(exp.alias_(exp.to_table("chosen"), "r", table=True), copy=False)
        .join(exp.alias_(exp.to_table("centres"), "c", table=True), on=joined, copy=False)
        .with_("chosen", as_=rows, copy=False)
        .with_("centres", as_=centres, copy=False)
    )
    return query.group_by(*(_name(key, "r") for key in keys), copy=False) if keys else query


def _select(
    selected: Iterable[exp.Expr],
    relation: Relation,
    types: Types,
    unit: str | None,
    columns: Iterable[str],
    where: Expr | None,
) -> exp.Select:
    """`selected` from the relation's columns in their declared types, where `where` holds."""
    if where is not None:
        check_filter(where, types)
    names = dict.fromkeys([*columns, *(sorted(columns_of(where)) if where is not None else ())])
    inner = [exp.alias_(typed(name, types[name]), name, quoted=True) for name in names]
    if unit is not None:
        inner.append(exp.alias_(_name(unit), PERSON, quoted=True))
    base = exp.select(*(inner or [exp.alias_(exp.Literal.number(1), "one", quoted=True)])).from_(relation.copy())
    query = exp.select(*selected).from_(base.subquery("d", copy=False), copy=False)
    return query if where is None else query.where(condition(where, types), copy=False)


def _people(present: exp.Expr | None, unit: str | None) -> exp.Expr:
    """Distinct people among the rows for which `present` holds (all, when None)."""
    person = exp.Literal.number(1) if unit is None else _name(PERSON)
    counted: exp.Expr = person if present is None else exp.Case().when(present, person)
    return exp.Count(this=counted if unit is None else exp.Distinct(expressions=[counted]))


def _numeric(column: str, types: Types) -> exp.Expr:
    kind = types[column]
    if kind not in ("integer", "number", "boolean"):
        raise Refused("not-numeric", f"Column `{column}` is {kind} and has no mean.")
    if kind == "boolean":
        return _cast(_cast(_name(column), "integer"), "number")
    return _name(column) if kind == "number" else _cast(_name(column), "number")


def _levels(by: Sequence[str]) -> list[exp.Expr]:
    return [_as_text(_name(name)) for name in by]


def _numbered(selected: Sequence[exp.Expr]) -> list[exp.Expr]:
    """Results are read by position: their names are only there because some engines want distinct ones."""
    return [exp.alias_(node, f"o{i}", quoted=True) for i, node in enumerate(selected)]


def _as_text(node: exp.Expr) -> exp.Expr:
    return _cast(node, "text")


def _name(name: str, table: str | None = None) -> exp.Column:
    return exp.column(name, table=table, quoted=True)


def _cast(node: exp.Expr, kind: ColumnType) -> exp.Expr:
    return exp.Cast(this=node, to=exp.DataType.build(_SQL_TYPES[kind]))


def _joined(kind: type[exp.Connector], terms: list[exp.Expr]) -> exp.Expr:
    return reduce(lambda one, other: kind(this=one, expression=other), [_operand(term) for term in terms])


def _type(expr: Expr, types: Types) -> ColumnType:
    match expr:
        case Column(name):
            return types[name]
        case Literal():
            return expr.type
        case Negate() | Arithmetic():
            return "number"
    return "boolean"


def _common(left: Expr, right: Expr, types: Types) -> ColumnType:
    one, other = _type(left, types), _type(right, types)
    return one if one == other else "number"


def _sides(left: Expr, right: Expr, types: Types) -> tuple[exp.Expr, exp.Expr]:
    """Both sides of a comparison in one type: an integer beside a number is first made a number."""
    common = _common(left, right, types)
    one, other = (
        _operand(_value(side, types)) if _type(side, types) == common else _double(side, types)
        for side in (left, right)
    )
    return one, other


def _double(expr: Expr, types: Types) -> exp.Expr:
    """An integer as a number."""
    if isinstance(expr, Literal):
        return literal(Literal(float(cast(int, expr.value))))
    return _cast(_value(expr, types), "number")


def _operand(node: exp.Expr) -> exp.Expr:
    """Between parentheses, unless it holds together by itself."""
    return (
        node if isinstance(node, exp.Column | exp.Literal | exp.Cast | exp.Boolean | exp.Case) else exp.Paren(this=node)
    )


def _value(expr: Expr, types: Types) -> exp.Expr:
    """A value to compare: arithmetic is looked at once, at its root, for results that are not finite."""
    if isinstance(expr, Negate | Arithmetic):
        return _finite(_number(expr, types))
    return condition(expr, types)


def _number(expr: Expr, types: Types) -> exp.Expr:
    """A part of a calculation. Sums and products never turn what is not finite back into a finite number, so only
    denominators need a look of their own: zero, and what would make the quotient zero."""
    match expr:
        case Negate(operand):
            return exp.Neg(this=_operand(_number(operand, types)))
        case Arithmetic(op, left, right):
            one, other = _number(left, types), _number(right, types)
            if op == "/":
                nonzero = exp.NEQ(this=_operand(other.copy()), expression=literal(Literal(0.0)))
                other = exp.Case().when(exp.And(this=nonzero, expression=_is_finite(other)), other.copy())
            return _ARITHMETIC[op](this=_operand(one), expression=_operand(other))
    return condition(expr, types) if _type(expr, types) == "number" else _double(expr, types)


def _finite(node: exp.Expr) -> exp.Expr:
    return exp.Case().when(_is_finite(node), node.copy())


def _is_finite(node: exp.Expr) -> exp.Expr:
    # Engines order NaN above or outside all numbers, so that this is false for it everywhere.
    largest = sys.float_info.max
    return exp.Between(this=_operand(node.copy()), low=literal(Literal(-largest)), high=literal(Literal(largest)))
