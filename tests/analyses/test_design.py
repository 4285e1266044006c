"""The columns of a formula are those of R's model.matrix, as patsy builds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import patsy
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.analyses.design import Design, Rows, agreed_levels, design
from cinque.analyses.groups import Groups
from cinque.errors import Refused
from cinque.expr.formula import parse_formula
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
    with pytest.raises(Refused) as refused:  # 1 and 2 are no events
        a_design("Surv(z, arm) ~ x").build(batch(frame()))
    assert refused.value.code == "not_answerable"


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
    ("formula", "code"),
    [
        ("y ~ agee", "unknown-column"),
        ("note ~ x", "factor-needs-levels"),
        ("y ~ g:h", "formula-dependent"),
        ("y ~ x + x:g:h", "formula-dependent"),
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
    found = Groups(made)
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


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.sampled_from(["no", "yes"])), min_size=1))
def test_people_are_counted_and_not_rows(given: list[tuple[int, str, str]]) -> None:
    given = sorted(given)
    rows = pd.DataFrame(given, columns=["p", "g", "h"]).assign(y=np.arange(len(given)) * 1.0 + 0.5)
    rows = pd.concat([rows] * 1)
    expected = [rows[rows["g"] == g]["p"].nunique() for g in "abc"]
    expected += [rows[rows["h"] == h]["p"].nunique() for h in ("no", "yes")]
    expected += [rows[(rows["g"] == g) & (rows["h"] == h)]["p"].nunique() for g in "abc" for h in ("no", "yes")]
    made = a_design("y ~ g + h")
    found = Groups(made)
    found.add(made.build(batch(rows, rows["p"])))
    few = sorted(set(rows["y"]))
    if len(few) > 3:
        assert found.smallest() == min(expected)


def test_every_row_type_is_what_it_says() -> None:
    rows = a_design("y ~ x + g").build(batch(frame()))
    assert isinstance(rows, Rows)
    assert rows.x.dtype == rows.y.dtype == np.float64
    assert rows.x.flags.c_contiguous
