"""Natural cubic splines on declared knots, column for column those of R's splines::ns.

Cubic B-splines on the knots, less the first (the intercept's), turned so that two directions carry the second
derivatives at the boundary; these two are dropped. Beyond the boundary every column goes on as a straight line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def natural(x: Array, knots: Sequence[float], boundary: tuple[float, float]) -> Array:
    """len(x) x (len(knots) + 1). `knots` rise and lie strictly inside `boundary`. NaN gives a row of NaN."""
    from scipy.interpolate import BSpline
    from scipy.linalg import qr

    low, high = boundary
    padded = np.concatenate([[low] * 4, knots, [high] * 4])
    basis = BSpline(padded, np.eye(len(padded) - 4), 3)
    ends = np.array([low, high])
    turned, _ = qr(basis.derivative(2)(ends)[:, 1:].T)
    keep = turned[:, 2:]
    inside = np.clip(x, low, high)
    values = basis(inside)[:, 1:] @ keep
    slopes = basis.derivative(1)(ends)[:, 1:] @ keep
    # np.clip leaves NaN alone, so that a missing number stays missing.
    return np.asarray(values + np.where(x < low, x - low, 0.0)[:, None] * slopes[0]
                      + np.where(x > high, x - high, 0.0)[:, None] * slopes[1])  # fmt: skip
