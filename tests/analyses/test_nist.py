"""The certified values of NIST's reference data, from several TREs on the real engine: to how many digits.

Doubles hold the data themselves to 16 digits only. Where all values share their first k (NumAcc3 and 4, the SmLs), what
is left of their differences is 16 - k digits, and no program that reads the data into doubles has more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from cinque.analyses import anova, lm, summary
from cinque.model.datasets import Column
from tests import nist
from tests.analyses.modelling import models
from tests.analyses.tres import question

SITES = (1, 2, 5)
VALUE = Column("x", "number")


def digits(found: float, certified: float) -> float:
    """To how many they agree (NIST's log relative error)."""
    return 15.9 if found == certified else -math.log10(abs(found - certified) / abs(certified))


def over(rows: Sequence[Mapping[str, Any]], sites: int) -> dict[str, Sequence[Mapping[str, Any]]]:
    return {f"t{i}": rows[i::sites] for i in range(sites)}


# ----------------------------------------------------------------------------------------- the data are those certified
@pytest.mark.parametrize("name", nist.UNIVARIATE)
def test_certified_moments_are_those_of_exact_arithmetic(name: str) -> None:
    of = nist.univariate(name)
    assert nist.exact_mean_and_sd(of.values) == pytest.approx((of.mean, of.sd), rel=1e-14)


@pytest.mark.parametrize("name", nist.LINEAR)
def test_certified_fits_are_those_of_exact_arithmetic(name: str) -> None:
    of = nist.linear(name)
    coef, sigma = nist.exact_least_squares(of)
    assert coef == pytest.approx(of.coef, rel=1e-14)
    assert sigma == pytest.approx(of.sigma, rel=1e-14)


# ----------------------------------------------------------------------------------------------------------- univariate
UNIVARIATE = {
    "Lottery": (15, 15), "Lew": (15, 15), "Mavro": (15, 12), "Michelso": (15, 13),
    "NumAcc1": (15, 15), "NumAcc2": (15, 15), "NumAcc3": (15, 9), "NumAcc4": (15, 8),
}  # fmt: skip


@pytest.mark.parametrize("name", nist.UNIVARIATE)
@pytest.mark.parametrize("sites", SITES)
def test_univariate(name: str, sites: int) -> None:
    of = nist.univariate(name)
    found, _ = question(summary.ANALYSIS, over([{"x": x} for x in of.values], sites), (VALUE,), variable="x")
    (group,) = found.values["groups"]
    mean, sd = UNIVARIATE[name]
    assert digits(group["mean"], of.mean) > mean
    assert digits(group["sd"], of.sd) > sd


# ------------------------------------------------------------------------------------------------- analysis of variance
ANOVA = {
    "SiRstv": 12, "AtmWtAg": 9,
    "SmLs01": 14, "SmLs02": 14, "SmLs03": 14,
    "SmLs04": 9, "SmLs05": 9, "SmLs06": 9,
    "SmLs07": 3, "SmLs08": 3, "SmLs09": 3,
}  # fmt: skip


@pytest.mark.parametrize("name", ANOVA)
@pytest.mark.parametrize("sites", [1, 3])
def test_analysis_of_variance(name: str, sites: int) -> None:
    groups = nist.groups(name)
    columns = (Column("treatment", "text", levels=tuple(groups)), VALUE)
    rows = [{"treatment": level, "x": repr(x)} for level, values in groups.items() for x in values]
    found, _ = question(anova.ANALYSIS, over(rows, sites), columns, variable="x", by="treatment")
    assert digits(found.values["f"], nist.certified_f(name)) > ANOVA[name]


# ---------------------------------------------------------------------------------------------------- linear regression
LINEAR = {  # coefficients, their standard errors
    "Norris": (12, 13), "Pontius": (12, 12), "NoInt1": (14, 14), "NoInt2": (14, 13), "Longley": (11, 11),
    "Wampler1": (9, 15), "Wampler2": (13, 15), "Wampler3": (9, 10), "Wampler4": (5, 10), "Wampler5": (5, 10),
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("sites", SITES)
def test_linear_regression(name: str, sites: int) -> None:
    of = nist.linear(name)
    frame, columns = pd.DataFrame(of.columns), tuple(Column(column, "number") for column in of.columns)
    tres = {f"t{i}": frame[i::sites] for i in range(sites)}
    found = models(lm.ANALYSIS, tres, columns=columns, formula=of.formula)[0].values
    coef, se = LINEAR[name]
    assert min(map(digits, found["coef"].values(), of.coef)) > coef
    if of.sigma:
        assert min(map(digits, found["se"].values(), of.se)) > se
        assert digits(found["sigma"], of.sigma) > 13
    else:  # an exact fit
        assert max(found["se"].values()) < 1e-10
        assert found["sigma"] < 1e-9
    assert digits(found["r2"], of.r2) > 13


@pytest.mark.parametrize("sites", SITES)
def test_filip_is_said_to_be_collinear_and_not_guessed(sites: int) -> None:
    """Its ten powers are collinear to the digits that cross products hold; R's lm says the same of it."""
    of = nist.linear("Filip")
    frame = pd.DataFrame({name: map(float, values) for name, values in of.columns.items()})
    powers = {f"x{k}": frame["x"] ** k for k in range(1, 11)}
    frame = frame.assign(**powers)
    columns = tuple(Column(name, "number") for name in ("y", *powers))
    tres = {f"t{i}": frame[i::sites] for i in range(sites)}
    found = models(lm.ANALYSIS, tres, columns=columns, formula=f"y ~ {' + '.join(powers)}")[0].values
    assert (found["coef"], found["stopped"]) == (None, lm.COLLINEAR)
