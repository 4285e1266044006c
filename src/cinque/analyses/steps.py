"""Steps of survival curves as figures: who is at risk, who leaves, how many events, on a declared grid (rule 8).

For each group and each interval a TRE gives how many are at risk at its start and how many leave within it, by the
event or by censoring, both judged as counts of people that hang together, and the events before it, which stand and
fall with the number at risk there. So where fewer leave than may be told, the numbers at risk on a side of that
interval go too, and it is known only together with its neighbours: the steps merge until each has enough leavers.
Who leaves between any two points is a figure of its own, as the difference of two numbers at risk tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from cinque.analyses.analysis import Released
from cinque.analyses.combine import count
from cinque.analyses.factors import label, malformed
from cinque.sdc.figures import Figure, Relation, is_suppressed
from cinque.sdc.interval import bounds_of

if TYPE_CHECKING:
    from cinque.analyses.times import Rows
    from cinque.stats.survival import Track

Group = tuple[str, ...]

MAX_STEPS: Final = 1_300  # between any two points, over all groups: a curve of 50 points, or two of 35


def groups_of(by: str | None, levels: Sequence[Sequence[str]]) -> list[Group]:
    """Each level of the agreed, as what stands in the figures' ids; one empty group without."""
    if by is None:
        return [()]
    for name, *each in levels:
        if name == by:
            return [(level,) for level in each]
    return []


def merge(groups: Sequence[Group], points: int) -> bool:
    """Whether steps are figures each, which merge. More of them cannot be judged in a minute: then a group's steps are
    one figure, which leaves only if every step may."""
    return len(groups) * points * (points + 1) // 2 <= MAX_STEPS


def ids(groups: Sequence[Group], points: int) -> list[str]:
    """Of all figures of these groups."""
    found = []
    if not merge(groups, points):
        return [label(name, group) for group in groups for name in ("n", "at_risk", "events")]
    for group in groups:
        found += [label("n", group), *(_id("at_risk", group, j) for j in range(points + 1))]
        found += [_id("left", group, *between) for between in _pairs(points)]
        found += [_id("events", group, j) for j in range(1, points + 1)]
    return found


def values(rows: Rows, groups: Sequence[Group], points: tuple[float, ...]) -> dict[str, Any]:
    """The figures of one TRE: id -> count. `events` are cumulative: those before an interval."""
    import numpy as np

    from cinque.analyses import times

    size = len(points) + 1
    at = rows.group * size + times.place(rows.time, points)
    left = np.bincount(at, minlength=len(groups) * size).reshape(len(groups), size)
    died = np.bincount(at[rows.event > 0], minlength=len(groups) * size).reshape(len(groups), size)
    found: dict[str, Any] = {}
    for group, leaving, events in zip(groups, left, died, strict=True):
        at_risk = leaving[::-1].cumsum()[::-1]
        before = np.concatenate([[0], events.cumsum()])
        found[label("n", group)] = int(at_risk[0])
        if not merge(groups, size - 1):
            found |= {label("at_risk", group): at_risk.tolist(), label("events", group): before[:size].tolist()}
            continue
        found |= {_id("at_risk", group, j): int(at_risk[j]) for j in range(size)}
        found |= {_id("left", group, j, k): int(at_risk[j] - at_risk[k]) for j, k in _pairs(size - 1)}
        found |= {_id("events", group, j): int(before[j]) for j in range(1, size)}
    return found


def figures(values: dict[str, Any], groups: Sequence[Group], points: int) -> tuple[list[Figure], list[Relation]]:
    """At risk = leaving + at risk after. Events before an interval are a number of the group, told only where the
    number at risk is: between two such places at least a threshold of people leave (rule 8). n stands twice, so that it
    is the last to be suppressed beside a small first step: that merges with the second."""
    made: list[Figure] = []
    relations: list[Relation] = []
    if not merge(groups, points):
        return [figure for group in groups for figure in _whole(values, group)], relations
    for group in groups:
        n = label("n", group)
        made.append(Figure(n, "Frequencies", values[n]))
        relations.append(Relation(n, (_id("at_risk", group, 0),)))
        for j in range(points + 1):
            at_risk = _id("at_risk", group, j)
            made.append(Figure(at_risk, "HazardSurvivalTables", values[at_risk]))
            if j:
                events = _id("events", group, j)
                made.append(Figure(events, "HazardSurvivalTables", values[n], kind="other", of=at_risk))
        for j, k in _pairs(points):
            left = _id("left", group, j, k)
            made.append(Figure(left, "HazardSurvivalTables", values[left]))
            relations.append(Relation(_id("at_risk", group, j), (left, _id("at_risk", group, k))))
    return made, relations


def _whole(values: dict[str, Any], group: Group) -> list[Figure]:
    """All steps of a group as one: fewest leavers of a step, and who is left at the end, are for rule 13 to judge; the
    fewest of a step that anybody leaves in for rule 14, as they are not hidden behind a step of nobody."""
    n, at_risk = label("n", group), values[label("at_risk", group)]
    left = [one - other for one, other in pairwise(at_risk)] + [at_risk[-1]]
    fewest = min((each for each in left if each), default=0)
    arrays = [
        Figure(
            label(name, group),
            "HazardSurvivalTables",
            values[n],
            "other",
            of=n,
            differing=fewest,
            smallest=min(left),
        )
        for name in ("at_risk", "events")
    ]
    return [Figure(n, "Frequencies", values[n]), *arrays]


@dataclass(frozen=True, slots=True)
class Known:
    """What one TRE's release says of one group: bounds on the numbers at risk and on the events before each of J + 1
    intervals (the last one open), and on those not censored before."""

    at_risk: list[tuple[int, int]]
    events: list[tuple[int, int]]
    uncensored: list[tuple[int, int]]

    @property
    def boundaries(self) -> list[int]:
        """Where both are known."""
        both = zip(self.at_risk, self.events, strict=True)
        return [j for j, (n, d) in enumerate(both) if n[0] == n[1] and d[0] == d[1]]

    def track(self) -> Track:
        """As the curve's mathematics takes it."""
        import numpy as np

        from cinque.stats.survival import Track

        events, uncensored = np.array(self.events, np.int64), np.array(self.uncensored, np.int64)
        return Track(events[1:, 0], events[1:, 1], uncensored[:-1, 0], uncensored[:-1, 1])


def known(released: Released, group: Group, points: int) -> Known | None:
    """None where nothing bounds the group's size. Raises Refused for what no data can have."""
    if label("at_risk", group) in released.figures:
        return _known_whole(released, group, points)
    at_risk = _at_risk(released, group, points)
    if at_risk is None:
        return None
    told: list[int | None] = [0]
    for j in range(1, points + 1):
        value = released.figures[_id("events", group, j)]
        if not is_suppressed(value) and (type(value) is not int or value < 0):
            raise malformed()
        told.append(None if is_suppressed(value) else value)
    places = [j for j, d in enumerate(told) if d is not None]
    events: list[tuple[int, int]] = []
    for j in range(points + 1):
        last = max(place for place in places if place <= j)
        after = min((place for place in places if place >= j), default=None)
        low = told[last] or 0
        high = low + at_risk[last][1] - at_risk[j][0]  # nobody has the event without leaving
        if after is not None:
            high = min(high, told[after] or 0)
            low = max(low, (told[after] or 0) - (at_risk[j][1] - at_risk[after][0]))
        if low > high:
            raise malformed()
        events.append((low, high))
    uncensored: list[tuple[int, int]] = [(n[0] + d[0], n[1] + d[1]) for n, d in zip(at_risk, events, strict=True)]
    for j in range(1, points + 1):  # fewer and fewer
        uncensored[j] = (uncensored[j][0], min(uncensored[j][1], uncensored[j - 1][1]))
    for j in range(points - 1, -1, -1):
        uncensored[j] = (max(uncensored[j][0], uncensored[j + 1][0]), uncensored[j][1])
    if any(low > high for low, high in uncensored):
        raise malformed()
    return Known(at_risk, events, uncensored)


def _known_whole(released: Released, group: Group, points: int) -> Known | None:
    """All of it, or of the group's size alone."""
    low, high = bounds_of(count(released, label("n", group)))
    told = [released.figures[label(name, group)] for name in ("at_risk", "events")]
    if any(is_suppressed(each) for each in told):
        if high is None:
            return None
        n = (int(low or 0), int(high))
        inside = [(0, n[1])] * points
        return Known([n, *inside], [(0, 0), *inside], [n, *inside])
    for each in told:
        if not isinstance(each, list) or len(each) != points + 1 or not all(type(x) is int and x >= 0 for x in each):
            raise malformed()
    at_risk, events = told
    changes = zip(pairwise(at_risk), pairwise(events), strict=True)
    if at_risk[0] != low or events[0] or any(not 0 <= d - c <= n - m for (n, m), (c, d) in changes):
        raise malformed()
    uncensored = [n + d for n, d in zip(at_risk, events, strict=True)]
    return Known(*([(x, x) for x in each] for each in (at_risk, events, uncensored)))


def _at_risk(released: Released, group: Group, points: int) -> list[tuple[int, int]] | None:
    """Bounds that only ever fall."""
    found: list[tuple[int, int]] = []
    n = bounds_of(count(released, label("n", group)))[1]
    most = None if n is None else int(n)
    for between in _pairs(points):
        count(released, _id("left", group, *between))
    for j in range(points + 1):
        low, high = bounds_of(count(released, _id("at_risk", group, j)))
        if high is not None:
            most = int(high) if most is None else min(most, int(high))
        if most is None:
            return None
        found.append((int(low or 0), most))
    for j in range(points - 1, -1, -1):
        found[j] = (max(found[j][0], found[j + 1][0]), found[j][1])
    if any(low > high for low, high in found):
        raise malformed()
    return found


def _pairs(points: int) -> list[tuple[int, int]]:
    """Any two of points + 1 places, the earlier first."""
    return [(j, k) for j in range(points) for k in range(j + 1, points + 1)]


def _id(name: str, group: Group, *places: int) -> str:
    return label(name, (*group, *map(str, places)))
