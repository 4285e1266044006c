"""Steps of survival curves as figures: who is at risk and how many events, on a declared grid (rule 8).

For each group a TRE gives how many are at risk as each interval begins, one chain of counts that only fall. Disclosure
control tells as many of them as have enough people leaving in between, so that steps merge until each has
(sdc/chains.py). The events before an interval stand and fall with the number at risk there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cinque.analyses.analysis import Released
from cinque.analyses.combine import count
from cinque.analyses.factors import label, malformed
from cinque.sdc.figures import Figure, is_suppressed
from cinque.sdc.interval import bounds_of

if TYPE_CHECKING:
    from cinque.analyses.times import Rows
    from cinque.stats.survival import Track

Group = tuple[str, ...]
Chains = tuple[tuple[str, ...], ...]


def groups_of(by: str | None, levels: Sequence[Sequence[str]]) -> list[Group]:
    """Each level of the agreed, as what stands in the figures' ids; one empty group without."""
    if by is None:
        return [()]
    for name, *each in levels:
        if name == by:
            return [(level,) for level in each]
    return []


def ids(groups: Sequence[Group], points: int) -> list[str]:
    """Of all figures of these groups."""
    return [
        *(id for chain in chains(groups, points) for id in chain),
        *(_id("events", group, j) for group in groups for j in range(1, points + 1)),
    ]


def chains(groups: Sequence[Group], points: int) -> Chains:
    """At risk, a chain for each group: all its people, then those left as each next interval begins, after the last
    point too."""
    return tuple(
        (label("n", group), *(_id("at_risk", group, j) for j in range(1, points + 1))) for group in groups
    )  # fmt: skip


def values(rows: Rows, groups: Sequence[Group], points: tuple[float, ...]) -> dict[str, Any]:
    """The figures of one TRE: id -> count. `events` are cumulative: those before an interval."""
    import numpy as np

    from cinque.analyses import times

    size = len(points) + 1
    at = rows.group * size + times.place(rows.time, points)
    left = np.bincount(at, minlength=len(groups) * size).reshape(len(groups), size)
    died = np.bincount(at[rows.event > 0], minlength=len(groups) * size).reshape(len(groups), size)
    found: dict[str, Any] = {}
    for group, chain, leaving, events in zip(groups, chains(groups, size - 1), left, died, strict=True):
        found |= zip(chain, leaving[::-1].cumsum()[::-1].tolist(), strict=True)
        found |= {_id("events", group, j): d for j, d in enumerate(events.cumsum().tolist()[: size - 1], 1)}
    return found


def figures(values: dict[str, Any], groups: Sequence[Group], points: int) -> tuple[list[Figure], Chains]:
    """People as chains. Events before an interval are a number of the group, told only where the number at risk is:
    between two such places at least a threshold of people leave (rule 8)."""
    made: list[Figure] = []
    every = chains(groups, points)
    for group, (n, *at_risk) in zip(groups, every, strict=True):
        made.append(Figure(n, "Frequencies", values[n]))
        for j, id in enumerate(at_risk, 1):
            made.append(Figure(id, "HazardSurvivalTables", values[id]))
            made.append(Figure(_id("events", group, j), "HazardSurvivalTables", values[n], kind="other", of=id))
    return made, every


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
    at_risk = _at_risk(released, group, points)
    if at_risk is None:
        return None
    events = _events(released, group, at_risk)
    uncensored: list[tuple[int, int]] = [(n[0] + d[0], n[1] + d[1]) for n, d in zip(at_risk, events, strict=True)]
    for j in range(1, points + 1):  # fewer and fewer
        uncensored[j] = (uncensored[j][0], min(uncensored[j][1], uncensored[j - 1][1]))
    for j in range(points - 1, -1, -1):
        uncensored[j] = (max(uncensored[j][0], uncensored[j + 1][0]), uncensored[j][1])
    if any(low > high for low, high in uncensored):
        raise malformed()
    return Known(at_risk, events, uncensored)


def _at_risk(released: Released, group: Group, points: int) -> list[tuple[int, int]] | None:
    """Bounds that only ever fall."""
    found: list[tuple[int, int]] = []
    most: int | None = None
    for id in chains([group], points)[0]:
        low, high = bounds_of(count(released, id))
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


def _events(released: Released, group: Group, at_risk: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Bounds on the events before each interval: as many as before the last interval of which they are told, and no
    more than have left since; as few as before the next, less those who have left by then."""
    told: list[int | None] = [0]
    for j in range(1, len(at_risk)):
        value = released.figures[_id("events", group, j)]
        if not is_suppressed(value) and (type(value) is not int or value < 0):
            raise malformed()
        told.append(None if is_suppressed(value) else value)
    found: list[tuple[int, int]] = []
    before, most = 0, at_risk[0][1]
    for j, d in enumerate(told):
        low, high = before, most - at_risk[j][0]
        if d is not None:
            if not low <= d <= high:
                raise malformed()
            before, most = d, d + at_risk[j][1]
        found.append((low, high) if d is None else (d, d))
    after, least = None, 0
    for j in range(len(told) - 1, -1, -1):
        if (d := told[j]) is not None:
            after, least = d, d + at_risk[j][0]
        low, high = found[j]
        if after is not None:
            low, high = max(low, least - at_risk[j][1]), min(high, after)
        if low > high:
            raise malformed()
        found[j] = (low, high)
    return found


def _id(name: str, group: Group, *places: int) -> str:
    return label(name, (*group, *map(str, places)))
