"""Questions that work out fewer than ten people from one answer. Each is shown to work where everything is released,
so that the arithmetic is right, and to have nothing to work with under a threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cinque.analyses import registry
from cinque.lib.parse import dump
from cinque.model.datasets import Column
from cinque.sdc.appetite import Appetite
from cinque.sdc.figures import is_suppressed
from tests.analyses.modelling import COLUMNS, models
from tests.analyses.tres import OPEN, TEN, TEN_AND_ZEROS, a_source, released

Numbers = Mapping[str, Any]

N = 1000
TWO = tuple(replace(c, levels=("a", "b")) if c.name == "g" else c for c in COLUMNS)
WITH_H = (*TWO, Column("h", "text", levels=("no", "yes")))


def people(seed: int = 1) -> pd.DataFrame:
    r = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "person": [f"p{i}" for i in range(N)],
            "y": r.normal(size=N),
            "case": r.random(N) < 0.4,
            "x": r.normal(50, 10, N),
            "z": r.integers(2, 9, N),
            "g": r.choice(["a", "b"], N),
            "h": r.choice(["no", "yes"], N),
            "w": r.uniform(0.5, 2, N),
            "o": r.normal(size=N),
        }
    )


ROWS = people()


def figures(
    name: str,
    rows: pd.DataFrame,
    appetite: Appetite,
    *,
    columns: Sequence[Column] = COLUMNS,
    unit: str | None = None,
    **asked: Any,
) -> Numbers:
    """What one TRE releases in the first round."""
    analysis = registry.get(name)
    if analysis.agree is not None:
        return models(analysis, {"a": rows}, appetite, columns=columns, unit=unit, **asked)[1][0]["a"].figures
    plain = rows.astype(object).where(rows.notna(), None).to_dict("records")
    with a_source(plain, tuple(columns), unit) as source:
        return released(analysis, source, asked, appetite).figures


class Suppressed(Exception):
    """A figure that the attack needs was not released."""


class Seen(dict[str, Any]):
    def __getitem__(self, name: str) -> Any:
        if is_suppressed(value := super().__getitem__(name)):
            raise Suppressed
        return value


def told(attack: Callable[[Numbers], Any], found: Numbers) -> Any:
    """What the attack works out; None where it cannot be carried out."""
    try:
        return attack(Seen(found))
    except Suppressed:
        return None


def stopped(attack: Callable[[Numbers], Any], secret: Any, name: str, rows: pd.DataFrame, **asked: Any) -> None:
    """The attack works, but for disclosure control: whether zeros are released or not."""
    assert told(attack, figures(name, rows, OPEN, **asked)) == pytest.approx(secret, rel=1e-6)
    for appetite in (TEN, TEN_AND_ZEROS):
        assert told(attack, figures(name, rows, appetite, **asked)) is None


# --------------------------------------------------------------------------- groups that overlap (rules 1 and 11)
def lacking(both: int, x: int = 30, y: int = 25) -> pd.DataFrame:
    rows = ROWS.copy()
    rows.loc[: x - 1, "x"] = np.nan
    rows.loc[x - both : x - both + y - 1, "y"] = np.nan
    return rows


def test_people_who_lack_two_values_are_not_told_by_those_who_lack_one() -> None:
    """Without x and without y less without either: without both."""

    def both(found: Numbers) -> Any:
        return found['missing:["x"]'] + found['missing:["y"]'] - found["incomplete"]

    stopped(both, 3, "missing", lacking(3), variables=("x", "y"))
    assert told(both, figures("missing", lacking(12), TEN, variables=("x", "y"))) == 12


def test_people_who_lack_one_value_alone_are_not_told_by_those_who_lack_any() -> None:
    stopped(lambda found: found["incomplete"] - found['missing:["x"]'], 4, "missing", lacking(21), variables=("x", "y"))


@pytest.mark.parametrize("several", [1, 7])
def test_people_in_two_cells_of_a_table_are_not_told_by_its_total(several: int) -> None:
    again = ROWS[:several].assign(case=~ROWS.case[:several])

    def both(found: Numbers) -> Any:
        return found['cell:["true"]'] + found['cell:["false"]'] - found["n"]

    stopped(both, several, "table", pd.concat([ROWS, again]), unit="person", factors=("case",))


def test_the_rows_of_few_people_with_several_are_not_told() -> None:
    """One row more than people: one of them has two."""
    rows = pd.concat([ROWS, ROWS[:1]])
    stopped(lambda f: f["rows"] - f["people"], 1, "count", rows, unit="person")
    stopped(lambda f: f["rows:[]"] - f["n:[]"], 1, "summary", rows, unit="person", variable="x")
    stopped(lambda f: f["rows"] - f["n"], 1, "lm", rows, unit="person", formula="y ~ x", errors="cluster")
    # A mean of whole numbers is a fraction whose denominator is the rows.
    stopped(lambda f: f["mean:[]"], rows.z.mean(), "summary", rows, unit="person", variable="z")
    many = pd.concat([ROWS, ROWS[:400]])
    assert figures("count", many, TEN, unit="person") == {"people": 1000, "rows": 1400}
    assert figures("count", ROWS, TEN, unit="person") == {"people": 1000, "rows": 1000}


# ------------------------------------------------------------------- what products tell within a level (rules 13, 14)
def at_a(rows: pd.DataFrame, size: int = 40) -> pd.DataFrame:
    """So many people at level a, the others at b."""
    return rows.assign(g=np.where(np.arange(N) < size, "a", "b"))


def information(found: Numbers, terms: int, j: int, k: int) -> Any:
    """An entry of X'WX in round one of a logistic model, without its weight, which is the same for everybody."""
    place = [(a, b) for a in range(terms) for b in range(a, terms)].index((j, k))
    return found["information"][place] / 0.1875


@pytest.mark.parametrize("level", ["a", "b"])
def test_a_number_that_is_not_the_usual_one_for_few_at_a_level(level: str) -> None:
    """All at a level have one visit, but for three: the sum of visits there less the people there."""
    rows = at_a(ROWS)
    rows["g"] = np.where(rows.g == level, "a", "b") if level == "b" else rows.g
    here = rows.g == ("a" if level == "a" else "b")
    rows.loc[here, "z"] = 1
    rows.loc[rows.index[here][:3], "z"] = [3, 2, 4]
    secret = int(rows[here].z.sum() - here.sum())

    def more(found: Numbers) -> Any:
        n, at_b, visits, visits_b = (information(found, 3, *jk) for jk in ((0, 0), (0, 1), (0, 2), (1, 2)))
        return visits_b - at_b if level == "b" else visits - visits_b - (n - at_b)

    stopped(more, secret, "glm", rows, columns=TWO, formula="case ~ g + z")
    few: dict[str, Any] = {"formula": "case ~ g + z", "rounds": "few"}
    for name, asked in (("lm", {"formula": "y ~ g + z"}), ("glm", few)):
        found = figures(name, rows, TEN_AND_ZEROS, columns=TWO, **asked)
        assert is_suppressed(found["cross" if name == "lm" else "coefficients"])
        found = figures(name, ROWS, TEN_AND_ZEROS, columns=TWO, **asked)
        assert not is_suppressed(found["cross" if name == "lm" else "coefficients"])
    found = figures("cox", rows.assign(x=rows.x.abs()), TEN_AND_ZEROS, columns=TWO, formula="Surv(x, case) ~ g + z")
    assert is_suppressed(found["information"])


def test_cells_of_three_factors() -> None:
    """An interaction's column times a third is a cell of three, and what is left of the pair another."""
    rows = ROWS.copy()
    here = rows.index[(rows.g == "b") & (rows.h == "yes")]
    rows.loc[here, "case"] = True
    rows.loc[here[:3], "case"] = False

    def not_case(found: Numbers) -> Any:
        # (Intercept), g[b], h[yes], g[b]:h[yes]; X'Wz is 0.1875 (cases - others) times a constant, of round one's means
        one = 0.1875 * (np.log(3) + 0.25 / 0.1875)
        return (information(found, 4, 3, 3) - found["score"][3] / one) / 2

    stopped(not_case, 3, "glm", rows, columns=WITH_H, formula="case ~ g * h")
    for name, formula in (("lm", "y ~ g * h + case"), ("cox", "Surv(x, case) ~ g * h")):
        sums = "cross" if name == "lm" else "information"
        assert is_suppressed(figures(name, rows, TEN, columns=WITH_H, formula=formula)[sums])
        assert not is_suppressed(figures(name, ROWS, TEN, columns=WITH_H, formula=formula)[sums])


def test_more_sums_than_there_are_people_for_at_a_level() -> None:
    """Twelve people and four power sums of their ages fit, as a rule, one set of twelve ages."""
    r = np.random.default_rng(3)
    rows = at_a(ROWS, 12).assign(x=r.permutation(np.repeat(np.arange(20.0, 70.0), 20)))
    formula = "y ~ g + x + I((x - 45)^2) + I((x - 45)^3) + I((x - 45)^4)"
    assert is_suppressed(figures("lm", rows, TEN, columns=TWO, formula=formula)["cross"])
    rows = at_a(rows, 200)
    assert not is_suppressed(figures("lm", rows, TEN, columns=TWO, formula=formula)["cross"])


def test_few_values_within_a_level() -> None:
    """Visits have many values, but three of them at level a: n, their sum and that of their squares tell the counts."""
    rows = at_a(ROWS, 60)
    rows.loc[rows.g == "a", "z"] = [1] * 40 + [2] * 17 + [3] * 3
    formula = "y ~ g + z + I(z^2)"
    assert is_suppressed(figures("lm", rows, TEN_AND_ZEROS, columns=TWO, formula=formula)["cross"])
    rows.loc[rows.g == "a", "z"] = [1] * 30 + [2] * 18 + [3] * 12
    assert not is_suppressed(figures("lm", rows, TEN_AND_ZEROS, columns=TWO, formula=formula)["cross"])


def test_a_product_about_values_that_most_people_share() -> None:
    """Half have x = 5 and the other half y = 7, but for three people: the sum of (x - 5)(y - 7) is theirs."""
    half, three = np.arange(N) % 2 == 0, np.isin(np.arange(N), (444, 446, 448))
    rows = ROWS.assign(x=np.where(half, ROWS.x, 5.0), y=np.where(~half | three, ROWS.y, 7.0))
    secret = float(((rows.x - 5) * (rows.y - 7)).sum())
    assert secret == pytest.approx(float(((rows.x - 5) * (rows.y - 7))[three].sum()))

    def product(found: Numbers) -> Any:
        (x, y), cross = found["means"][:2], found["cross"]
        return cross[1] + N * (x - 5) * (y - 7)

    stopped(product, secret, "lm", rows, formula="y ~ x")
    stopped(product, secret, "cov", rows, variables=("x", "y"))
    many = rows.assign(y=np.where(~half | (np.arange(N) % 8 == 0), ROWS.y, 7.0))
    assert not is_suppressed(figures("lm", many, TEN, formula="y ~ x")["cross"])


# --------------------------------------------------------------------------------------- masks (attack 18, rule 13)
FEW = np.random.default_rng(7).permutation(np.select([np.arange(N) < 3, np.arange(N) < 43], [3.0, 2.0], 1.0))


def counts_of(sums: Sequence[Any], powers: Sequence[Callable[[Any], Any]]) -> Any:
    """How many have the value 3, of 1, 2 and 3."""
    return np.linalg.solve([[each(v) for v in (1.0, 2.0, 3.0)] for each in powers], sums)[2]


def test_few_values_hidden_by_an_offset() -> None:
    """The response has many values, and what is left of it without the offset three."""

    def threes(found: Numbers) -> Any:
        mean, square = found["means"][-1], found["cross"][-1]
        return counts_of([N, N * mean, square + N * mean**2], [lambda v: 1, lambda v: v, lambda v: v * v])

    stopped(threes, 3, "lm", ROWS.assign(o=FEW), formula="x ~ w + offset(I(x - o))")


def test_an_offset_that_only_few_people_have() -> None:
    rows = ROWS.assign(o=np.where(FEW == 3, 1.0, 0.0), z=np.arange(N) % 3)
    asked: dict[str, Any] = {"family": "poisson", "formula": "z ~ x + offset(o)"}
    assert not is_suppressed(figures("glm", rows, OPEN, **asked)["score"])
    assert is_suppressed(figures("glm", rows, TEN, **asked)["score"])
    assert not is_suppressed(figures("glm", rows.assign(o=ROWS.o), TEN, **asked)["score"])


def test_few_values_of_weights() -> None:
    def threes(found: Numbers) -> Any:
        return counts_of([N, *found["weights"]], [lambda v: 1, lambda v: v, np.log])

    stopped(threes, 3, "lm", ROWS.assign(w=FEW), formula="y ~ x", weights="w")
    assert not is_suppressed(figures("lm", ROWS, TEN, formula="y ~ x", weights="w")["weights"])


# ------------------------------------------------------------------------------------ moments (rules 5 and 13)
def test_a_spread_stands_on_ten_degrees_of_freedom() -> None:
    """The mean of eleven different values leaves and their variance; two more moments need more people."""
    for size, hidden in ((11, {"m3:[]", "m4:[]"}), (30, set())):
        found = figures("summary", ROWS[:size], TEN_AND_ZEROS, variable="o")
        assert {name for name in found if name[0] == "m" and is_suppressed(found[name])} == hidden
    rows = ROWS[:12].assign(z=[0, 1] * 6)  # of two values it leaves what n and mean say, and stands on 9 if of 10
    assert not is_suppressed(figures("summary", rows, replace(TEN, threshold=5), variable="z")["m2:[]"])
    found = figures("summary", rows[:10], replace(TEN, threshold=5), variable="z")
    assert is_suppressed(found["m2:[]"])
    assert not is_suppressed(found["mean:[]"])


def test_six_values_that_four_moments_and_whole_numbers_tell() -> None:
    counts = np.array([803, 150, 9, 3, 20, 15])
    rows = ROWS.assign(z=np.random.default_rng(4).permutation(np.repeat(np.arange(6), counts)))
    places = np.arange(6.0)
    step = np.array([1, -5, 10, -10, 5, -1])  # leaves n and four power sums as they are

    def threes(found: Numbers) -> Any:
        mean = found["mean:[]"]
        sums = [1.0 * N, 0.0, *(found[f"m{k}:[]"] for k in (2, 3, 4))]
        powers = np.array([(places - mean) ** k for k in range(5)])
        least = np.linalg.lstsq(powers, sums, rcond=None)[0]  # a table, though not of whole numbers
        every = [least + (first - least[0]) * step for first in range(N + 1)]
        whole = [each for each in every if np.abs(each - np.round(each)).max() < 1e-3 and each.min() > -0.5]
        (table,) = whole  # one fits
        return float(np.round(table[3]))

    assert told(threes, figures("summary", rows, OPEN, variable="z")) == 3
    found = figures("summary", rows, TEN, variable="z")
    assert is_suppressed(found["m4:[]"])
    assert not is_suppressed(found["m3:[]"])  # without the fourth many tables fit


# ------------------------------------------------------------------------------- refusals as a search (attack 14)
@pytest.mark.parametrize(("name", "asked"), [("km", {"time": "x", "event": "z", "grid": 20.0, "until": 80.0})])
def test_no_refusal_tells_one_persons_event(name: str, asked: dict[str, Any]) -> None:
    """A filter of one's own choice beside one person: is that person's number an event's?"""
    rows = ROWS.assign(x=ROWS.x.abs(), z=(ROWS.y > 0) * 1)
    other = rows.assign(z=np.where(np.arange(N) == 5, 4, rows.z))
    answers = [figures(name, each, TEN, **asked) for each in (rows, other)]
    assert [is_suppressed(found["missing"]) for found in answers] == [True, True]
    asked = {"formula": "Surv(x, z) ~ w"}
    assert all(not is_suppressed(figures("cox", each, TEN, **asked)["score"]) for each in (rows, other))


# ------------------------------------------------------------------------------- what ordinary questions must be told
def test_arms_of_equal_size_are_told() -> None:
    """Exactly half in either arm: the squares of the column's distance from its mean are all alike."""
    for rows in (at_a(ROWS, N // 2), ROWS.assign(z=np.arange(N) % 2)):
        for formula in ("y ~ g + x", "y ~ z + x"):
            assert not is_suppressed(figures("lm", rows, TEN, columns=TWO, formula=formula)["cross"])


def test_six_covariates_at_a_tre_of_a_thousand_are_told() -> None:
    r = np.random.default_rng(2)
    four = ("none", "school", "college", "university")
    columns = (*WITH_H, Column("edu", "text", levels=four))
    rows = ROWS.assign(edu=r.choice(four, N, p=[0.08, 0.42, 0.3, 0.2]))
    rows["case"] = r.random(N) < 1 / (1 + np.exp(-(rows.x - 60) / 10))
    formula = "x + w + g + h + edu + o"
    for appetite in (TEN, Appetite()):
        questions: list[tuple[str, dict[str, Any]]] = [
            ("lm", {"formula": f"y ~ {formula}", "errors": "hc3"}),
            ("glm", {"formula": f"case ~ {formula}"}),
            ("glm", {"formula": f"case ~ {formula}", "rounds": "few"}),
            ("cox", {"formula": f"Surv(z, case) ~ {formula}"}),
        ]
        for name, asked in questions:
            result, _ = models(registry.get(name), {"a": rows}, appetite, columns=columns, **asked)
            assert not result.values.get("stopped"), (name, dump(asked))
            assert result.values["coef"]
