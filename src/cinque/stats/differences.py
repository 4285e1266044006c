"""Standardised differences between two groups.

Austin, P.C. (2009), Statistics in Medicine 28:3083-3107: for a number |m1 - m2| / sqrt((v1 + v2) / 2), for a share
|p - q| / sqrt((p(1 - p) + q(1 - q)) / 2). Yang and Dalton (2012), SAS Global Forum 335: for a factor of several levels
the Mahalanobis distance of the shares of all levels but the first, over the mean of both multinomial covariances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def difference_of_means(m1: float, v1: float, m2: float, v2: float) -> float | None:
    """Two means and variances; None where nothing varies and the means differ, 0 where they are the same."""
    spread = math.sqrt((v1 + v2) / 2)
    if spread == 0:
        return 0.0 if m1 == m2 else None
    return abs(m1 - m2) / spread


def difference_of_shares(one: Sequence[int], other: Sequence[int]) -> float | None:
    """People at each level of a factor in two groups; levels at which nobody is count for nothing. None where a group
    is empty, and where the covariances leave the distance undefined (no level is shared by anybody).
    """
    levels = [(a, b) for a, b in zip(one, other, strict=True) if a or b]
    n1, n2 = sum(a for a, _ in levels), sum(b for _, b in levels)
    if not n1 or not n2:
        return None
    p = [a / n1 for a, _ in levels[1:]]
    q = [b / n2 for _, b in levels[1:]]
    gap = [a - b for a, b in zip(p, q, strict=True)]
    size = len(gap)
    covariance = [
        [((p[i] * (i == j) - p[i] * p[j]) + (q[i] * (i == j) - q[i] * q[j])) / 2 for j in range(size)]
        for i in range(size)
    ]
    solved = _solve(covariance, gap)
    if solved is None:
        return None
    return math.sqrt(max(0.0, math.fsum(a * b for a, b in zip(gap, solved, strict=True))))


def _solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """By elimination with the largest pivot: a handful of levels is no reason to load a library. None if singular."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for k in range(size):
        pivot = max(range(k, size), key=lambda i: abs(rows[i][k]))
        if abs(rows[pivot][k]) < 1e-14:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    found = [0.0] * size
    for k in reversed(range(size)):
        found[k] = (rows[k][size] - math.fsum(rows[k][j] * found[j] for j in range(k + 1, size))) / rows[k][k]
    return found
