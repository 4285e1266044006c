"""A regression on several rows a person the whole road: hub, gates and enclaves, over TREs of people with visits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import cinque
from cinque.crate.verify import AUTHENTIC, verify
from cinque.errors import Refused


def visits(name: str, seed: int, people: int) -> pd.DataFrame:
    r = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), r.integers(1, 4, people))
    x, own = r.normal(size=len(who)), r.normal(size=people)[who]
    case = r.random(len(who)) < 1 / (1 + np.exp(0.4 - 0.5 * x - own))
    return pd.DataFrame({"person": [f"{name}{i}" for i in who], "x": x.round(3), "case": case})


TABLES = {name: visits(name, seed, 200) for seed, name in enumerate(("north", "south"))}


def test_a_logistic_regression_of_visits_with_errors_by_person() -> None:
    appetite = {"threshold": 10, "zeros": "release"}
    with cinque.Federation.local(TABLES, unit="person", appetite=appetite) as fed:
        with pytest.raises(Refused) as refused:
            fed.glm("case ~ x")
        answer: Any = fed.glm("case ~ x", errors="cluster")
        small: Any = fed.glm("case ~ 1", errors="cluster")
        checked = verify(answer.crate, fed.client.members)
    assert refused.value.code == "rows-not-people"
    assert not answer.missing
    rows = pd.concat(TABLES.values(), ignore_index=True)
    groups = pd.factorize(rows.person)[0]
    theirs = smf.glm("case ~ x", rows.assign(case=rows.case.astype(int)), family=sm.families.Binomial()).fit(
        tol=1e-12, cov_type="cluster", cov_kwds={"groups": groups}
    )
    assert answer.coef["x"] == pytest.approx(theirs.params["x"], rel=1e-6)
    assert answer.se["x"] == pytest.approx(theirs.bse["x"], rel=1e-6)
    assert (answer.n, answer.rows, answer.rounds) == (400, len(rows), answer.iterations + 2)
    assert "generalised estimating equations" in answer.methods()
    assert f"{len(rows):,}" in str(answer)
    with pytest.raises(Refused) as refused:
        small.lr_test(answer)
    assert refused.value.code == "no-likelihood"
    assert checked.exit_code == AUTHENTIC
