"""The columns of a formula are those of R's model.matrix, as patsy builds them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import patsy
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinque.analyses.design import Design, Rows, agreed_levels, design
from cinque.analyses.groups import Groups
from cinque.errors import Refused
from cinque.expr import evaluate
from cinque.expr.formula import Computed, parse_formula
from cinque.model.datasets import Column, Dictionary

COLUMNS = (
    Column("y", "number"),
    Column("x", "number"),
    Column("z", "integer"),
    Column("g", "text", levels=("a", "b", "c")),
    Column("h", "text", levels=("no", "yes")),
    Column("b", "boolean"),
    Column("arm", "integer", levels=("1", "2", "3")),
    Column("note", "text"),
)
DICTIONARY = Dictionary("data", "1", COLUMNS)
N = 60


def frame(n: int = N, seed: int = 3) -> pd.DataFrame:
    r = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": r.normal(size=n),
            "x": r.normal(size=n),
            "z": r.integers(1, 9, n),
            "g": r.choice(["a", "b", "c"], n),
            "h": r.choice(["no", "yes"], n),
            "b": r.random(n) < 0.5,
            "arm": r.integers(1, 4, n),
        }
    )


def batch(rows: pd.DataFrame, people: Any = None) -> pa.RecordBatch:
    made = rows.assign(__person__=np.arange(len(rows)) if people is None else people)
    return pa.RecordBatch.from_pandas(made, preserve_index=False)


def a_design(formula: str, *others: Dictionary) -> Design:
    parsed = parse_formula(formula)
    every = {"one": DICTIONARY, **{str(i): other for i, other in enumerate(others)}}
    return design(parsed, DICTIONARY, agreed_levels(parsed, every))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("y ~ x", "x"),
        ("y ~ 1", "1"),
        ("y ~ x - 1", "x - 1"),
        ("y ~ g", "g"),
        ("y ~ 0 + g", "0 + g"),
        ("y ~ 0 + g + h", "0 + g + h"),
        ("y ~ x * g", "x * g"),
        ("y ~ x:g", "x:g"),
        ("y ~ 0 + g:h", "0 + g:h"),
        ("y ~ g + g:h", "g + g:h"),
        ("y ~ h + g:h", "h + g:h"),
        ("y ~ g * h * x", "g * h * x"),
        ("y ~ (x + z + g)^2 - x:z", "(x + z + g)**2 - x:z"),
        ("y ~ factor(g, ref='b')", "C(g, Treatment('b'))"),
        ("y ~ factor(arm)", "C(arm)"),
        ("y ~ factor(arm):x + x", "C(arm):x + x"),
        ("y ~ log(z) + I(x^2 - 3 * z / 2)", "np.log(z) + I(x**2 - 3 * z / 2)"),
        ("y ~ sqrt(z):exp(x)", "np.sqrt(z):np.exp(x)"),
    ],
)
def test_the_columns_are_patsys(ours: str, theirs: str) -> None:
    rows = a_design(ours).build(batch(frame()))
    expected = np.asarray(patsy.dmatrix(theirs, frame()))
    assert rows.x.shape == expected.shape
    # The same columns; patsy puts a term of many columns in another order than R where numbers and factors mix.
    np.testing.assert_allclose(np.sort(rows.x, axis=1), np.sort(expected, axis=1))
    residual = rows.x - expected @ np.linalg.lstsq(expected, rows.x, rcond=None)[0]
    assert np.abs(residual).max() < 1e-10
    assert sorted(map(tuple, rows.x.T.round(12))) == sorted(map(tuple, expected.T.round(12)))


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("y ~ x + g", ("(Intercept)", "x", "g[b]", "g[c]")),
        ("y ~ b", ("(Intercept)", "b[true]")),
        ("y ~ 0 + h + g", ("h[no]", "h[yes]", "g[b]", "g[c]")),
        ("y ~ 0 + h + x:g", ("h[no]", "h[yes]", "x:g[a]", "x:g[b]", "x:g[c]")),
        ("y ~ 0 + g:h", ("g[a]:h[no]", "g[b]:h[no]", "g[c]:h[no]", "g[a]:h[yes]", "g[b]:h[yes]", "g[c]:h[yes]")),
        ("y ~ factor(g, ref='c')", ("(Intercept)", "g[a]", "g[b]")),
        ("y ~ ns(x, knots=(0), boundary=(-3, 3))", ("(Intercept)", "ns(x)[1]", "ns(x)[2]")),
        ("y ~ log(z):x", ("(Intercept)", "log(z):x")),
    ],
)  # fmt: skip
def test_names(formula: str, names: tuple[str, ...]) -> None:
    assert a_design(formula).names == names


R_NAMES = {
    "y ~ x:g": "(Intercept) x:ga x:gb x:gc",
    "y ~ x:g + x:h": "(Intercept) x:ga x:gb x:gc x:hyes",
    "y ~ h + h:x + x:g": "(Intercept) hyes hno:x hyes:x x:gb x:gc",
    "y ~ 0 + g:b + g:h": "ga:bfalse gb:bfalse gc:bfalse ga:btrue gb:btrue gc:btrue ga:hyes gb:hyes gc:hyes",
    "y ~ g + g:h": "(Intercept) gb gc ga:hyes gb:hyes gc:hyes",
    "y ~ g*h*x": "(Intercept) gb gc hyes x gb:hyes gc:hyes gb:x gc:x hyes:x gb:hyes:x gc:hyes:x",
    "y ~ (x+z+g)^2": "(Intercept) x z gb gc x:z x:gb x:gc z:gb z:gc",
    "y ~ 0 + h + g": "hno hyes gb gc",
    "y ~ g:x + g:z + z": "(Intercept) z ga:x gb:x gc:x gb:z gc:z",
    "y ~ g + h + b + g:h:b + g:h + g:b": "(Intercept) gb gc hyes btrue gb:hyes gc:hyes gb:btrue gc:btrue "
    "ga:hyes:btrue gb:hyes:btrue gc:hyes:btrue",
    "y ~ x*z*g - x:z": "(Intercept) x z gb gc x:gb x:gc z:gb z:gc x:z:ga x:z:gb x:z:gc",
    "y ~ 0 + x:h + g": "ga gb gc x:hno x:hyes",
    "y ~ log(z):g + log(z)": "(Intercept) log(z) log(z):gb log(z):gc",
    "y ~ factor(arm)*h - h": "(Intercept) factor(arm)2 factor(arm)3 factor(arm)1:hyes factor(arm)2:hyes "
    "factor(arm)3:hyes",
    "y ~ g:h:x": "(Intercept) ga:hno:x gb:hno:x gc:hno:x ga:hyes:x gb:hyes:x gc:hyes:x",
}


@pytest.mark.parametrize(("formula", "theirs"), R_NAMES.items())
def test_which_levels_have_a_column_is_as_in_r(formula: str, theirs: str) -> None:
    """colnames(model.matrix(…)) of R 4.2.2, with the level in brackets."""
    bracketed = re.sub(r"(?:factor\((arm)\)|(?<![\w(])([ghb]))(\w+)", r"\1\2[\3]", theirs)
    assert " ".join(a_design(formula).names) == bracketed


@given(
    st.lists(st.lists(st.sampled_from(["g", "h", "b", "x", "z"]), min_size=1, max_size=3, unique=True), min_size=1,
             max_size=4),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_columns_are_independent_and_span_what_was_asked_for(terms: list[list[str]], intercept: bool) -> None:
    text = f"{int(intercept)} + " + " + ".join(map(":".join, terms))
    rows = frame(400)
    try:
        found = a_design(f"y ~ {text}").build(batch(rows)).x
    except Refused as refused:
        assert refused.code == "formula-dependent"  # noqa: PT017
        return
    theirs = np.asarray(patsy.dmatrix(text, rows))
    assert np.linalg.matrix_rank(found) == found.shape[1] == np.linalg.matrix_rank(theirs)
    assert np.abs(found - theirs @ np.linalg.lstsq(theirs, found, rcond=None)[0]).max() < 1e-8


@given(st.sampled_from(["1 / (1 / x)", "x / z - 1 / x^2", "(x + z) * x", "-x^3 + 2 / (z - x)", "x * x * x"]))
def test_arithmetic_is_that_of_filters(text: str) -> None:
    rows = frame(8).assign(x=[0.0, 1.0, 2.0, 1e-320, 1e200, -1e200, 3.0, 5.0], z=[0, 1, 2, 3, 4, 5, 3, 6])
    found = a_design(f"I({text}) ~ 1").build(batch(rows))
    (computed,) = [parse_formula(f"I({text}) ~ 1").response]
    assert isinstance(computed, Computed)
    expected = [
        evaluate(computed.expr, {"x": float(x), "z": int(z)}) for x, z in zip(rows["x"], rows["z"], strict=True)
    ]
    assert found.keep.tolist() == [value is not None for value in expected]
    assert found.y.tolist() == [value for value in expected if value is not None]


def test_rows_with_a_hole_are_left_out_and_their_people_counted() -> None:
    rows = frame(6).astype({"b": object})
    rows.loc[0, "x"] = np.nan
    rows.loc[2, "g"] = None
    rows.loc[4, "b"] = None  # not used
    rows.loc[5, "z"] = 0  # log(0)
    found = a_design("y ~ x + g + log(z)").build(batch(rows, [1, 1, 2, 2, 3, 4]))
    assert found.keep.tolist() == [False, True, False, True, True, False]
    assert (found.people, found.missing_people) == (3, 3)
    assert found.begin.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found.y, rows["y"].to_numpy()[[1, 3, 4]])


def test_the_response_may_be_of_two_values() -> None:
    rows = frame()
    by_text, by_truth = (a_design(f"{name} ~ x").build(batch(rows)).y for name in ("h", "b"))
    assert by_text.tolist() == (rows["h"] == "yes").astype(float).tolist()
    assert by_truth.tolist() == rows["b"].astype(float).tolist()


def test_time_and_event() -> None:
    rows = frame().assign(z=frame()["z"], arm=frame()["b"].astype(int))
    found = a_design("Surv(z, b) ~ x").build(batch(rows))
    assert found.event is not None
    assert found.time.tolist() == rows["z"].astype(float).tolist()
    assert found.event.tolist() == rows["b"].astype(float).tolist()
    assert found.missing_people == 0
    other = a_design("Surv(z, arm) ~ x").build(batch(frame()))  # 2 and 3 are no events, and nobody is refused for them
    assert other.missing_people == int((frame()["arm"] > 1).sum())
    assert other.event is not None
    assert other.event.all()


def test_an_offset_is_added_up() -> None:
    rows = frame()
    found = a_design("y ~ x + offset(log(z)) + offset(x)").build(batch(rows))
    np.testing.assert_allclose(found.offset, np.log(rows["z"]) + rows["x"])


def test_levels_are_those_of_all_dictionaries_and_one_beside_them_is_refused() -> None:
    other = Dictionary("data", "1", (*COLUMNS[:3], Column("g", "text", levels=("c", "d")), *COLUMNS[4:]))
    wide = a_design("y ~ g", other)
    assert wide.names == ("(Intercept)", "g[b]", "g[c]", "g[d]")
    assert (wide.build(batch(frame())).x[:, 3] == 0).all()
    parsed = parse_formula("y ~ g")
    with pytest.raises(Refused) as refused:
        design(parsed, other, agreed_levels(parsed, {"one": DICTIONARY}))
    assert refused.value.code == "formula-levels"


@pytest.mark.parametrize(
    ("formula", "levels"),
    [
        ("y ~ g", ((),)),
        ("y ~ g", (("g",),)),
        ("y ~ g", ()),
        ("y ~ g", (("g", "a", "b"),)),
        ("y ~ g", (("g", "a", "b", "c", "a"),)),
        ("y ~ g", (("g", "a", "b", "c"), ("g", "c", "b", "a"))),
        ("arm ~ x", (("arm", "3", "1", "2"),)),  # a number read by the asker's order would be another column
        ("Surv(x, arm) ~ z", (("arm", "0", "3", "2", "1"),)),
        ("y ~ x", (("note", "Smith"),)),
    ],
)
def test_levels_that_were_not_agreed_are_refused(formula: str, levels: Any) -> None:
    with pytest.raises(Refused) as refused:
        design(parse_formula(formula), DICTIONARY, levels)
    assert refused.value.code == "formula-levels"


def test_a_model_of_a_thousand_million_columns_is_refused_before_they_are_named() -> None:
    more = [str(i) for i in range(1_000)]
    levels = [("arm", "1", "2", "3", *more[4:]), ("g", "a", "b", "c", *more), ("h", "no", "yes", *more)]
    with pytest.raises(Refused) as refused:
        design(parse_formula("y ~ 0 + g:h:factor(arm)"), DICTIONARY, tuple(levels))
    assert refused.value.code == "formula-too-large"


@pytest.mark.parametrize(
    ("formula", "code"),
    [
        ("y ~ agee", "unknown-column"),
        ("note ~ x", "factor-needs-levels"),
        ("y ~ g:h", "formula-dependent"),
        ("y ~ x + x:g:h", "formula-dependent"),
        ("y ~ 0 + b + g:h", "formula-dependent"),
        ("y ~ x:g + g:h", "formula-dependent"),
        ("y ~ g:factor(g, ref='b')", "formula-twice"),
        ("arm ~ factor(arm)", "formula-type"),
        ("Surv(x, arm) ~ factor(arm)", "formula-type"),
        ("g ~ x", "formula-type"),
        ("y ~ note", "factor-needs-levels"),
        ("y ~ factor(x)", "factor-needs-levels"),
        ("y ~ log(g)", "formula-type"),
        ("y ~ I(g + 1)", "formula-type"),
        ("y ~ offset(g)", "formula-type"),
        ("y ~ ns(g, knots=(1), boundary=(0, 2))", "formula-type"),
        ("y ~ factor(g, ref='z')", "formula-levels"),
        ("y ~ 0", "formula-empty"),
        ("Surv(g, b) ~ x", "formula-type"),
        ("Surv(x, g) ~ z", "formula-type"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_data(formula: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        a_design(formula)
    assert refused.value.code == code


def test_an_undeclared_level_never_says_why() -> None:
    rows = frame()
    rows.loc[3, "g"] = "Smith"
    with pytest.raises(Refused) as refused:
        a_design("y ~ g").build(batch(rows))
    assert refused.value.code == "not_answerable"
    assert "Smith" not in str(refused.value)


# --------------------------------------------------------------------------------------------------------- few values
def smallest(formula: str, rows: pd.DataFrame, people: Any = None, size: int = 7) -> int | None:
    made = a_design(formula)
    found = Groups(made, DICTIONARY)
    whole = batch(rows, people)
    for start in range(0, len(rows), size):
        found.add(made.build(whole.slice(start, size)))
    return found.smallest()


def test_the_smallest_group_is_that_of_the_tables_an_attacker_would_read() -> None:
    rows = frame()
    pairs = [
        pd.crosstab(rows["g"], rows["h"]).to_numpy().min(),
        rows["g"].value_counts().min(),
        rows["h"].value_counts().min(),
    ]
    assert smallest("y ~ g + h + x", rows) == min(pairs)
    assert smallest("y ~ x", rows) is None
    assert smallest("h ~ g", rows) == min(pairs)  # the response is one of the columns
    assert smallest("y ~ x", rows.assign(x=(rows["x"] > 0).astype(float))) == min((rows["x"] > 0).value_counts())
    with_y = rows.assign(y=(rows["y"] > 0).astype(float))
    assert smallest("y ~ g", with_y) == pd.crosstab(with_y["g"], with_y["y"]).to_numpy().min()


def test_a_mask_in_a_number_is_a_group_of_one() -> None:
    rows = frame().assign(x=0.0)
    rows.loc[17, "x"] = 1.0
    assert smallest("y ~ x", rows) == 1


def few(values: dict[float, int]) -> pd.DataFrame:
    """So many people with each value of x, by turns in two levels of h."""
    x = np.repeat(list(values), list(values.values()))
    return frame(len(x)).assign(x=x, h=np.where(np.arange(len(x)) % 2, "no", "yes"), z=np.arange(len(x)) + 1)


@pytest.mark.parametrize(
    ("formula", "values"),
    [
        ("y ~ h + x:h", {1: 40, 2: 40, 3: 1}),  # n, sum and sum of squares within each level
        ("y ~ x:h", {0: 40, 1: 40, 2: 1}),
        ("y ~ x + I(x^2)", {0: 40, 1: 40, 2: 40, 3: 40, 5: 1}),  # n and four moments
        ("y ~ h * (x + I(x^2))", {0: 40, 1: 40, 2: 40, 3: 40, 5: 1}),
        ("y ~ log(x) + sqrt(x)", {1: 40, 2: 40, 3: 40, 4: 40, 5: 1}),
        ("y ~ ns(x, knots=(2, 3), boundary=(1, 5))", {1: 40, 1.5: 40, 2: 40, 3: 40, 4: 40, 4.5: 40, 5: 1}),
        ("y ~ I(x * z / z) + z:x", {0: 40, 1: 40, 2: 1}),  # few values beside many computed from the same columns
    ],
)
def test_attack_6_numbers_of_few_values_are_told_by_their_powers(formula: str, values: dict[float, int]) -> None:
    rows = few(values)
    assert smallest(formula, rows) in (0, 1)
    made = a_design(formula)
    found = Groups(made, DICTIONARY)
    found.add(made.build(batch(rows)))
    assert found.fewest() == 1


def test_more_values_than_moments_are_no_table() -> None:
    values = dict.fromkeys(map(float, range(30)), 1)
    assert smallest("y ~ x", few(values)) is None
    assert smallest("y ~ x + I(x^2) + log(z)", few(values)) is None


def test_a_number_and_its_square_have_no_pairs_that_nobody_could_be_in() -> None:
    assert smallest("y ~ x + I(x^2)", few({0: 40, 1: 30, 2: 20})) == 20
    assert smallest("y ~ x * h", few({0: 40, 1: 30, 2: 20})) == 10


def test_an_event_given_as_a_number_is_a_group_as_one_given_in_words() -> None:
    rows = frame().assign(arm=frame()["b"].astype(int))
    assert smallest("Surv(x, arm) ~ g", rows) == smallest("Surv(x, b) ~ g", rows)
    assert smallest("Surv(x, arm) ~ g", rows) == pd.crosstab(rows["g"], rows["arm"]).to_numpy().min()


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.sampled_from(["no", "yes"])), min_size=1))
def test_people_are_counted_and_not_rows(given: list[tuple[int, str, str]]) -> None:
    given = sorted(given)
    rows = pd.DataFrame(given, columns=["p", "g", "h"]).assign(y=np.arange(len(given)) * 1.0 + 0.5)
    rows = pd.concat([rows] * 1)
    expected = [rows[rows["g"] == g]["p"].nunique() for g in "abc"]
    expected += [rows[rows["h"] == h]["p"].nunique() for h in ("no", "yes")]
    expected += [rows[(rows["g"] == g) & (rows["h"] == h)]["p"].nunique() for g in "abc" for h in ("no", "yes")]
    made = a_design("y ~ g + h")
    found = Groups(made, DICTIONARY)
    found.add(made.build(batch(rows, rows["p"])))
    few = sorted(set(rows["y"]))
    if len(few) > 3:
        assert found.smallest() == min(expected)


def test_every_row_type_is_what_it_says() -> None:
    rows = a_design("y ~ x + g").build(batch(frame()))
    assert isinstance(rows, Rows)
    assert rows.x.dtype == rows.y.dtype == np.float64
    assert rows.x.flags.c_contiguous


# ------------------------------------------------------------------------------------------------------ within groups
def within(formula: str, rows: pd.DataFrame, size: int) -> tuple[int, float]:
    made = a_design(formula)
    found = Groups(made, DICTIONARY)
    whole = batch(rows)
    for start in range(0, len(rows), size):
        found.add(made.build(whole.slice(start, size)))
    return found.within()


@pytest.mark.parametrize("size", [1_000, 7_000, 60_000])
def test_an_outlier_within_a_level_is_found_wherever_it_stands(size: int) -> None:
    """Beyond the first people of a level too, which are all that is looked at in full."""
    rows = frame(60_000)
    assert within("y ~ x + g", rows, size)[1] > 1
    for place in (3, 59_000):
        away = rows.copy()
        away.loc[place, "x"] = 1e9
        assert within("y ~ x + g", away, size)[1] < 0.1
        away = rows.assign(x=np.where(rows["g"] == "b", 4.5, rows["x"]))
        away.loc[away.index[away["g"] == "b"][[5, -5]], "x"] = 5.5
        assert within("y ~ x + g", away, size)[0] == 2


def test_people_and_not_rows_differ_within_a_level() -> None:
    rows = frame(400).assign(x=1.0, g="a")
    rows.loc[100:299, "g"] = "b"
    rows["x"] = np.where(rows["g"] == "a", np.arange(400) % 17, 1.0)
    rows.loc[100:139, "x"] = np.arange(40.0)
    people = np.where((rows.index >= 100) & (rows.index < 140), 100, np.arange(400))
    found = Groups(a_design("y ~ x + g"), DICTIONARY)
    found.add(a_design("y ~ x + g").build(batch(rows, people)))
    assert found.within()[0] == 1  # all that is not 1 at level b is one person's
