"""Natural splines span what patsy's do, go on as straight lines, and are R's own columns."""

from __future__ import annotations

import numpy as np
import patsy
import pytest

from cinque.stats.splines import natural

X = np.linspace(-0.5, 4.5, 41)
KNOTS, BOUNDARY = (1.0, 2.5), (0.0, 4.0)


def test_the_space_is_that_of_patsys_natural_spline() -> None:
    inside = X[(X >= 0) & (X <= 4)]
    ours = np.column_stack([np.ones(len(inside)), natural(inside, KNOTS, BOUNDARY)])
    theirs = np.asarray(
        patsy.dmatrix("cr(x, knots=(1, 2.5), lower_bound=0, upper_bound=4) - 1", {"x": inside}, return_type="matrix")
    )
    assert np.linalg.matrix_rank(ours) == np.linalg.matrix_rank(theirs) == 4
    fitted = ours @ np.linalg.lstsq(ours, theirs, rcond=None)[0]
    np.testing.assert_allclose(fitted, theirs, atol=1e-10)


def test_it_is_smooth_and_straight_beyond_the_boundary() -> None:
    outside = natural(np.array([4.0, 5.0, 6.0, -2.0, -1.0, 0.0]), KNOTS, BOUNDARY)
    np.testing.assert_allclose(outside[1] - outside[0], outside[2] - outside[1], atol=1e-12)
    np.testing.assert_allclose(outside[4] - outside[3], outside[5] - outside[4], atol=1e-12)
    h = 1e-4  # no curvature at the boundary
    near = natural(np.array([4 - 2 * h, 4 - h, 4.0]), KNOTS, BOUNDARY)
    assert np.abs(near[0] - 2 * near[1] + near[2]).max() / h**2 < 1e-2


def test_the_first_column_starts_at_nothing_and_a_missing_number_stays_missing() -> None:
    found = natural(np.array([0.0, np.nan]), KNOTS, BOUNDARY)
    np.testing.assert_allclose(found[0], 0.0, atol=1e-12)
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("knots", [(2.0,), (1.0, 2.0, 3.0)])
def test_as_many_columns_as_knots_and_one(knots: tuple[float, ...]) -> None:
    assert natural(X, knots, BOUNDARY).shape == (41, len(knots) + 1)
