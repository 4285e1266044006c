"""Formulas: expanded as R's terms() does, printed back, and refused with the place."""

from __future__ import annotations

import time

import patsy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cinque.errors import Refused
from cinque.expr.formula import MAX_LENGTH, Formula, Number, parse_formula, term_text


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("y ~ 1", []),
        ("y~a*b+c", ["a", "b", "c", "a:b"]),
        ("y ~ (a+b+c)^2", ["a", "b", "c", "a:b", "a:c", "b:c"]),
        ("y ~ (a + b + c)**2 - a:b", ["a", "b", "c", "a:c", "b:c"]),
        ("y ~ (a + b)^3", ["a", "b", "a:b"]),
        ("y ~ a*b*c", ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"]),
        ("y ~ b:a + a:b", ["b:a"]),
        ("y ~ a:b + a", ["a", "a:b"]),  # by degree
        ("y ~ a*b - b:a", ["a", "b"]),
        ("y ~ (a + b):(c + d)", ["a:c", "a:d", "b:c", "b:d"]),
        ("y ~ a:a", ["a"]),
        ("y ~ (a*b + c)^2 - a:b:c", ["a", "b", "c", "a:b", "a:c", "b:c"]),
        ("y ~ (a + b + c)^3 - a - 1", ["b", "c", "a:b", "a:c", "b:c", "a:b:c"]),
        ("y ~ a:(b + c)^2", ["a:b", "a:c", "a:b:c"]),
        ("y ~ a + b - (a + c):d + c:d", ["a", "b", "c:d"]),
        ("y ~ a*(b+c:d)", ["a", "b", "c:d", "a:b", "a:c:d"]),
        ("y ~ (a + b)^2:c", ["a:c", "b:c", "a:b:c"]),
        ("y ~ a:b + b:c + a*c", ["a", "c", "a:b", "b:c", "a:c"]),
        ("y ~ `odd name` + log(x)", ["`odd name`", "log(x)"]),
    ],
)
def test_expansion(text: str, terms: list[str]) -> None:
    """As `attr(terms(…), "term.labels")` of R 4.2.2 prints them."""
    assert list(map(term_text, parse_formula(text).terms)) == terms


@pytest.mark.parametrize(
    ("text", "intercept"),
    [("y ~ x", True), ("y ~ 0 + x", False), ("y ~ x - 1", False), ("y ~ -1 + x", False), ("y ~ x - 1 + 1", True),
     ("y ~ x + 0", False), ("y ~ x - 0", True), ("y ~ -1 + 1 + x", True), ("y ~ 1 - 1 + x", False),
     ("y ~ 0 + (a + 1)", True)],
)  # fmt: skip
def test_the_intercept(text: str, intercept: bool) -> None:
    """As `attr(terms(…), "intercept")` of R 4.2.2."""
    assert parse_formula(text).intercept is intercept


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "c", "d"]),
    lambda inner: st.tuples(inner, st.sampled_from([" + ", ":", "*", " - "]), inner).map(lambda p: f"({''.join(p)})"),
    max_leaves=6,
)


@given(EXPRESSIONS)
def test_expansion_is_patsys(text: str) -> None:
    """Another reader of the same language has the same terms."""
    theirs = {
        frozenset(factor.name() for factor in term.factors) for term in patsy.ModelDesc.from_formula(text).rhs_termlist
    }
    found = parse_formula(f"y ~ {text}")
    ours = {frozenset(str(variable) for variable in term) for term in found.terms}
    assert ours | ({frozenset()} if found.intercept else set()) == theirs


@pytest.mark.parametrize(
    "text",
    [
        "log(y) ~ 0 + x",
        "Surv(t, e) ~ age + factor(sex, ref='it''s')",
        "y ~ ns(x, knots=(1, 2.5), boundary=(-1e3, 4)):g + offset(log(t)) + I(w / h^2 - (2 + x) * -3)",
        "I(y - x) ~ a",
        "y ~ C(arm, 2)",
    ],
)
def test_it_prints_and_reads_back(text: str) -> None:
    found = parse_formula(text)
    assert parse_formula(str(found)) == found


def test_the_columns_that_are_read() -> None:
    found = parse_formula("Surv(t, e) ~ a:log(b) + I(c / d) + ns(f, knots=1, boundary=(0, 2)) + offset(g)")
    assert found.columns == {"t", "e", "a", "b", "c", "d", "f", "g"}


@pytest.mark.parametrize(
    ("text", "said", "marked"),
    [
        ("y ~ a +", "expected a column, found the end", "       ^"),
        ("y x", "expected `~`, found `x`", "  ^"),
        ("y ~ .", "name the columns", "    ^"),
        ("y ~ a / b", "`I(a / b)`", "      ^"),
        ("y ~ (1 | site)", "Groups with effects of their own", "       ^"),
        ("y ~ poly(x, 2)", "Write the powers", "    ^^^^"),
        ("y ~ ns(x, df=3)", "expected `knots=(…)`", "          ^^"),
        ("y ~ ns(x, knots=5)", "needs `knots=(…)` and `boundary", "    ^^"),
        ("y ~ ns(x, knots=(5, 2), boundary=(0, 9))", "knots rise", "    ^^"),
        ("y ~ strata(tre) + x", "stratified by TRE", "    ^^^^^^"),
        ("y ~ I(2)", "at least one column", "    ^"),
        ("y ~ I(x == 1)", "expected `)`, found `=`", "        ^"),
        ("y ~ a^0", "a whole number from 1 to 10", "      ^"),
        ("y ~ 2", "expected a column, `1`, `0`", "    ^"),
        ("factor(y) ~ x", "the left side is", "^^^^^^"),
        ("y ~ (a - 1) + b", "outside parentheses", "         ^"),
        ("y ~ (0 + a):b", "outside parentheses", "     ^"),
        ("y ~ a:offset(t)", "an offset stands alone", "      ^^^^^^"),
        ("y ~ offset(t)*a", "an offset stands alone", "    ^^^^^^"),
        ("y ~ a - offset(t)", "an offset stands alone", "        ^^^^^^"),
        ("y ~ `a", "The backquote is not closed", "    ^"),
        ("y ~ factor(a, ref='')", "expected the reference level", "                  ^^"),
        ("y ~ x; drop", "cannot stand in a formula", "     ^"),
    ],
)
def test_a_mistake_is_shown(text: str, said: str, marked: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_formula(text)
    assert refused.value.code == "formula-syntax"
    assert said in str(refused.value)
    assert f"    {text}\n    {marked}" in str(refused.value).replace(" [formula-syntax]", "")


@pytest.mark.parametrize(
    "text", ["y ~ I(x" + "^5" * 300 + ")", "y ~ (a+b+c+d+e+f+g)" + "^10" * 300, "y ~ I(" + "+".join("x" * 900) + ")",
             "y ~ " + "*".join(["(a+b+c+d+e+f+g)^3"] * 100), "y ~ " + ":".join(["(a+b+c+d+e+f+g)^3"] * 100),
             "y ~ " + "(" * 500 + "a" + ")" * 500, "y ~ " + "+".join(f"x{i}" for i in range(300)), "y ~ " + "x" * 3_000,
             "y ~ (a+b+c+d+e+f+g+h+i+j)^10", "y ~ I(" + "(" * 200 + "a" + ")" * 200 + ")"]
)  # fmt: skip
def test_limits(text: str) -> None:
    """What would take for ever, or more depth than there is, is refused in the first fraction of a second."""
    start = time.process_time()
    with pytest.raises(Refused) as refused:
        parse_formula(text)
    assert refused.value.code == "formula-too-large"
    assert time.process_time() - start < 1


PIECES = st.sampled_from(
    ["y ~ ", "x", "a", "b", " + ", " - ", ":", "*", "^3", "**5", "(", ")", "0", "1", "-1", "log(x)", "I(", "x^4",
     " / 2.5", "offset(a)", "factor(b, ref='u')", "C(b)",
     "ns(x, knots=(1,2), boundary=(0, 3))", "Surv(a, b) ~ ", "`odd ``name`"]
)  # fmt: skip


@given(
    st.text(alphabet="yxab ~+-*:^()01.,='`|/IlogSurvnsfactoroffset", max_size=60)
    | st.text(max_size=40)
    | st.lists(PIECES, max_size=25).map("".join)
)
@example("y ~ I(x")
@example("~" * 50)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_formula(text)
    except Refused:
        return
    assert isinstance(found, Formula)
    assert len(str(found)) > MAX_LENGTH or parse_formula(str(found)) == found


def test_a_number_may_be_a_factor_only_for_who_knows_the_dictionary() -> None:
    assert parse_formula("y ~ x").terms == ((Number("x"),),)
