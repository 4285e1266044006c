"""Linear programmes over a system. scipy is imported when first needed: who only reads answers has none.

Many small programmes are solved as the blocks of one, because starting the solver costs more than solving.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cinque.sdc.system import System

BATCH = 1500  # variables in one call; measured: beyond it a block costs more, not less
NODES = 20_000  # branch and bound; a limit in nodes, unlike one in seconds, stops at the same place on every machine
SECONDS = 10.0  # ... and this one only bounds the wait where nodes are slow
TOLERANCE = 1e-6  # the solver's own is 1e-7 on numbers that are whole

Change = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """Change count `index` in direction `sign` (1 or -1) by `amount`, or as far as it goes when `amount` is None."""

    index: int
    sign: int
    amount: int | None = None


def reach(
    system: System,
    hidden: Collection[int],
    goals: Sequence[Goal],
    *,
    ceiling: int | None = None,
    floor: int = 0,
    shadow: bool = True,
) -> list[list[float]]:
    """For each goal, a change that goes as far towards it as any does, over the counts in sorted(hidden).

    `ceiling`, `floor`: what suppressed people-counts are known not to exceed or undercut. The caller sees to it that
    goals without an amount are bounded.
    """
    if not hidden or not goals:
        return [[] for _ in goals]
    local = _Local(system, hidden, ceiling, floor, shadow)
    if len(local.ids) == 1:
        return [[local.alone(goal)] for goal in goals]
    size = max(1, BATCH // len(local.ids))
    found: list[list[float]] = []
    for start in range(0, len(goals), size):
        found += local.solve(goals[start : start + size])
    return found


def whole(
    system: System, hidden: Collection[int], goal: Goal, vector: Sequence[float], ceiling: int | None = None
) -> Change | None:
    """The change in `vector` as exact whole numbers over all counts, if it reaches the goal; a fractional one is
    sought again among whole numbers. None when there is none: proof of protection, or no protection.
    """
    change = _spread(system, hidden, vector)
    if _proves(system, hidden, goal, change, ceiling):
        return change
    if not hidden or not vector or goal.amount is None or _travel(hidden, goal, vector) < goal.amount - 0.5:
        return None
    local = _Local(system, hidden, ceiling, 0, True)
    for again in local.solve([goal], integral=True) if len(local.ids) > 1 else []:
        change = _spread(system, hidden, again)
        if _proves(system, hidden, goal, change, ceiling):
            return change
    return None


def bounded_above(system: System, hidden: Collection[int], ceiling: int | None) -> frozenset[int]:
    """Suppressed counts that cannot grow for ever, row by row: a total of bounded parts, a part of a bounded total.
    Tables, nested groups and unions need no more; elsewhere a count may be left out, and no bound is then claimed.
    """
    local = _Local(system, hidden, ceiling, 0, False)
    known = {i for i in local.ids if ceiling is not None and system.people[i]}
    grown = True
    while grown:
        grown = False
        for terms, slack in local.rows:
            for sign in (1, -1) if slack is None else (1,):
                rising = [i for i, c in terms if c * sign > 0]
                falling = [i for i, c in terms if c * sign < 0 and i not in known]
                if falling and known.issuperset(rising):
                    known.update(falling)
                    grown = True
    return frozenset(known)


def cheapest(
    system: System, start: Collection[int], goals: Sequence[Goal], weights: Mapping[int, float]
) -> frozenset[int] | None:
    """The switches to suppress besides `start` so that every goal is reached, least in total weight: the compact
    mixed-integer programme of Fischetti and Salazar (2001). None when no optimum is proved within the limits.

    A count need not change by more than the goal asks: circuits through it with entries of 0 and 1 do that in tables
    of two ways and in nested ones, and elsewhere this only narrows the choice.
    """
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csc_array

    n = len(system.values)
    free = sorted(weights)
    place = {s: k for k, s in enumerate(free)}
    entries: list[tuple[int, int, float]] = []
    low, high = [0.0] * len(free), [1.0] * len(free)
    row_low: list[float] = []

    def add(terms: Sequence[tuple[int, float]], lower: float) -> None:
        entries.extend((len(row_low), column, value) for column, value in terms)
        row_low.append(lower)

    for k, goal in enumerate(goals):
        base = len(free) + k * n
        reach_of = goal.amount or 0
        for i in range(n):
            down = min(reach_of, system.values[i])
            low.append(-down)
            high.append(reach_of)
            if (s := system.switch[i]) in place:
                add([(base + i, 1), (place[s], down)], 0)
                add([(base + i, -1), (place[s], reach_of)], 0)
            elif i not in start:
                low[-1] = high[-1] = 0
        low[base + goal.index] = high[base + goal.index] = goal.sign * reach_of
        for row in system.rows:
            terms = [(base + i, float(c)) for i, c in row.terms]
            add(terms, 0 if row.slack is None else -row.slack)
            if row.slack is None:
                add([(c, -v) for c, v in terms], 0)
    rows, columns, values = (np.array(x) for x in zip(*entries, strict=True))
    matrix = csc_array((values, (rows, columns)), shape=(len(row_low), len(low)))
    found = milp(
        np.array([weights[s] for s in free] + [0.0] * (len(low) - len(free))),
        constraints=LinearConstraint(matrix, np.array(row_low), np.inf),
        bounds=Bounds(np.array(low), np.array(high)),
        integrality=np.array([1] * len(free) + [0] * (len(low) - len(free))),
        options={"node_limit": NODES, "time_limit": SECONDS, "mip_rel_gap": 0.0},
    )
    if found.status != 0:
        return None
    return frozenset(s for s in free if found.x[place[s]] > 0.5)


def nearest(system: System, hidden: Collection[int], goal: Goal, weights: Mapping[int, float]) -> frozenset[int] | None:
    """The counts touched by the change that reaches `goal` at the least weighted movement, where moving what is
    already suppressed is free. None when no change reaches it.
    """
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import hstack

    everything = frozenset(range(len(system.values)))
    local = _Local(system, everything, None, 0, True)
    n = len(local.ids)
    matrix, lower, upper = local.matrix()
    amount = goal.amount or 0
    # Every change is up minus down, each at its price.
    price = np.array([0.0 if i in hidden else weights.get(system.switch[i], 1.0) for i in local.ids])
    high_up = np.full(n, float(amount))
    high_down = np.minimum(np.array(system.values, dtype=float), amount)
    low_up, low_down = np.zeros(n), np.zeros(n)
    forward, backward = (high_up, high_down) if goal.sign > 0 else (high_down, high_up)
    (low_up if goal.sign > 0 else low_down)[goal.index] = amount
    forward[goal.index], backward[goal.index] = amount, 0
    found = milp(
        np.concatenate([price, price]) + 1e-9,
        constraints=LinearConstraint(hstack([matrix, -matrix], format="csc"), lower, upper),
        bounds=Bounds(np.concatenate([low_up, low_down]), np.concatenate([high_up, high_down])),
    )
    if found.status != 0:
        return None
    moved = found.x[:n] - found.x[n:]
    return frozenset(i for i in local.ids if abs(moved[i]) > TOLERANCE)


class _Local:
    """The rows of a system as they stand for the suppressed counts only, numbered from 0."""

    def __init__(self, system: System, hidden: Collection[int], ceiling: int | None, floor: int, shadow: bool) -> None:
        self.ids = sorted(hidden)
        self.place = {i: k for k, i in enumerate(self.ids)}
        self.rows: list[tuple[list[tuple[int, int]], int | None]] = []
        for row in system.rows:
            terms = [(i, c) for i, c in row.terms if i in self.place]
            if terms and (shadow or not row.shadow):
                self.rows.append((terms, row.slack))
        self.low = [-system.values[i] + (floor if system.people[i] else 0) for i in self.ids]
        self.high = [
            ceiling - system.values[i] if ceiling is not None and system.people[i] else math.inf for i in self.ids
        ]

    def alone(self, goal: Goal) -> float:
        """The same for a single count, by arithmetic."""
        low, high = float(self.low[0]), self.high[0]
        for terms, slack in self.rows:
            for sign in (1, -1) if slack is None else (1,):
                if terms[0][1] * sign > 0:
                    low = max(low, -(slack or 0))
                else:
                    high = min(high, slack or 0)
        far = high if goal.sign > 0 else low
        if goal.amount is None:
            return far
        return min(far, goal.amount) if goal.sign > 0 else max(far, -goal.amount)

    def matrix(self, blocks: int = 1) -> tuple[Any, Any, Any]:
        """The rows as a sparse matrix with lower and upper sides, repeated down the diagonal."""
        import numpy as np
        from scipy.sparse import csc_array

        entries = [(r, self.place[i], float(c)) for r, (terms, _) in enumerate(self.rows) for i, c in terms]
        lower = np.array([0.0 if slack is None else -slack for _, slack in self.rows])
        upper = np.array([0.0 if slack is None else np.inf for _, slack in self.rows])
        m, n = len(self.rows), len(self.ids)
        r, c, v = (np.array(x) for x in zip(*entries, strict=True))
        step = np.arange(blocks)[:, None]
        matrix = csc_array(
            (np.tile(v, blocks), ((r + step * m).ravel(), (c + step * n).ravel())), shape=(m * blocks, n * blocks)
        )
        return matrix, np.tile(lower, blocks), np.tile(upper, blocks)

    def solve(self, goals: Sequence[Goal], *, integral: bool = False) -> list[list[float]]:
        """One block a goal. Raises ArithmeticError when the solver fails on a programme that has a solution."""
        import numpy as np
        from scipy.optimize import Bounds, LinearConstraint, milp

        n = len(self.ids)
        cost = np.zeros(n * len(goals))
        low, high = np.tile(self.low, len(goals)).astype(float), np.tile(self.high, len(goals)).astype(float)
        for k, goal in enumerate(goals):
            at = k * n + self.place[goal.index]
            cost[at] = -goal.sign
            if goal.amount is not None:
                if goal.sign > 0:
                    high[at] = min(high[at], goal.amount)
                else:
                    low[at] = max(low[at], -goal.amount)
        matrix, lower, upper = self.matrix(len(goals))
        found = milp(
            cost,
            constraints=LinearConstraint(matrix, lower, upper),
            bounds=Bounds(low, high),
            integrality=np.ones(len(cost), dtype=int) if integral else None,
            options={"node_limit": NODES, "time_limit": SECONDS} if integral else None,
        )
        if found.status != 0:
            if integral:
                return []
            raise ArithmeticError(f"linear programme: {found.message}")
        return [list(map(float, found.x[k * n : (k + 1) * n])) for k in range(len(goals))]


def _spread(system: System, hidden: Collection[int], vector: Sequence[float]) -> Change:
    change = [0] * len(system.values)
    for i, moved in zip(sorted(hidden), vector, strict=False):
        change[i] = round(moved)
    return tuple(change)


def _travel(hidden: Collection[int], goal: Goal, vector: Sequence[float]) -> float:
    return goal.sign * vector[sorted(hidden).index(goal.index)]


def _proves(system: System, hidden: Collection[int], goal: Goal, change: Change, ceiling: int | None) -> bool:
    return goal.sign * change[goal.index] >= (goal.amount or 0) and system.holds(change, hidden, ceiling)
