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


# splines::ns of R 4.2.2, printed with 16 digits.
R_ONE_KNOT = """
-0.1908425091779934 0.12722833945199566
0 0
0.1138402687315489 -0.07533101248769929
0.3570466192727573 -0.21719774618183826
0.5278160765092706 -0.24952321767284716
0.5753971599853123 -0.06328560665687484
0.5148084281746237 0.22198188121691759
0.3440969174289271 0.77060205504738188
0.2183149816440133 1.15445667890399095"""
R_TWO_KNOTS = """
0.11013346473215284 -0.3304003941964585 0.22026692946430568
0 0 0
-0.06208613420826477 0.1943584026247943 -0.12957226841652955
-0.07234305424108642 0.5170291627232593 -0.34468610848217285
0.22699361745712185 0.5134376661471528 -0.32535350582649697
0.52770946632254023 0.3543716010323792 -0.06958106735491945
0.41341381615424005 0.3302585515372796 0.21582763230848029
-0.14285714285714288 0.4285714285714286 0.71428571428571419
-0.57142857142857129 0.5142857142857145 1.05714285714285672"""
R_WOMEN = """
0 0 0 0 0
0.007592322643343034 0 -0.08670223130687947 0.26010669392063845 -0.17340446261375894
0.479166666666667407 0.479166666666665797 0.01406302400318473 0.02031092799044553 -0.01354061866029702
0 0.007592322643343067 0.22461127308066123 0.35204081632653050 0.41575558794946527
0 0 -0.14285714285714285 0.42857142857142860 0.71428571428571419"""


@pytest.mark.parametrize(
    ("x", "knots", "boundary", "theirs"),
    [
        ((-0.5, 0, 0.3, 1, 1.7, 2.5, 3.1, 4, 4.6), (2.0,), (0, 4), R_ONE_KNOT),
        ((-0.5, 0, 0.3, 1, 1.7, 2.5, 3.1, 4, 4.6), KNOTS, BOUNDARY, R_TWO_KNOTS),
        ((58, 59, 65, 71, 72), (60.8, 63.6, 66.4, 69.2), (58, 72), R_WOMEN),  # ns(women$height, df = 5)
    ],
)
def test_the_columns_are_rs(
    x: tuple[float, ...], knots: tuple[float, ...], boundary: tuple[float, float], theirs: str
) -> None:
    expected = np.array([line.split() for line in theirs.strip().splitlines()], dtype=float)
    np.testing.assert_allclose(natural(np.array(x, dtype=float), knots, boundary), expected, atol=1e-13)


@pytest.mark.parametrize("knots", [(2.0,), (1.0, 2.0, 3.0)])
def test_as_many_columns_as_knots_and_one(knots: tuple[float, ...]) -> None:
    assert natural(X, knots, BOUNDARY).shape == (41, len(knots) + 1)
