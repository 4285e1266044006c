"""Rule 11, secondary suppression: choose what else to suppress, and audit it.

Whichever way a pattern was chosen, what counts is the audit: for every primary and either direction one other table of
whole numbers that the attacker cannot tell from the truth, in which the primary is as low, or as high, as the
suppression itself leaves open. Each is checked exactly, without the solver that found it.

What this does not cover, said so that nobody relies on it:

- an attacker who knows a suppressed count from elsewhere, such as the only person in it (singletons): the audit is
  against one who knows the release and the rules, not a value;
- an attacker who re-runs the choice itself for every possible table and discards those that would have led to another
  pattern (minimality attacks);
- other answers on the same people, in this TRE or elsewhere: that is rule 12, which audits releases jointly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cinque.sdc.solver import Change, Goal, cheapest, nearest, reach, whole
from cinque.sdc.system import System

# Sizes as goals x counts, the numbers that a programme holds; measured on a laptop's core. Sizes, unlike times, give
# one answer on every machine.
EXACT = 900  # the exact choice: tenths of a second, below
LARGEST = 1_000_000  # any choice: tens of seconds, below; a larger component is suppressed whole
PRUNING = 60_000  # what the heuristic may spend on taking back what it suppressed in vain

Proofs = dict[Goal, Change | None]


def protect(system: System, needs: Mapping[int, tuple[int, int]]) -> frozenset[int]:
    """The counts to suppress: those in `needs` (index -> how far down and how far up it must be able to go), and as
    little else, in total value, as keeps every need. Where nothing keeps it, all that is connected with it.
    """
    chosen: set[int] = set()
    for component in system.components(range(len(system.values))):
        if here := sorted(component.intersection(needs)):
            sub, ids = system.restricted(component)
            place = {i: k for k, i in enumerate(ids)}
            chosen.update(ids[k] for k in _protect_connected(sub, {place[i]: needs[i] for i in here}))
    return frozenset(chosen)


def goals_of(needs: Mapping[int, tuple[int, int]]) -> list[Goal]:
    """What the audit must prove of each primary; a change of nothing needs no proof."""
    both = (Goal(i, sign, amount) for i, (down, up) in needs.items() for sign, amount in ((-1, down), (1, up)))
    return [goal for goal in both if goal.amount]


def audit(system: System, hidden: Collection[int], goals: Sequence[Goal], ceiling: int | None = None) -> Proofs:
    """For each goal the change that proves it, or None. `ceiling` as in System.holds."""
    proofs: Proofs = {}
    for component in system.components(hidden):
        here = [goal for goal in goals if goal.index in component]
        for goal, vector in zip(here, reach(system, component, here, ceiling=ceiling), strict=True):
            proofs[goal] = whole(system, component, goal, vector, ceiling)
    return proofs


def _protect_connected(system: System, needs: Mapping[int, tuple[int, int]]) -> frozenset[int]:
    everything = frozenset(range(len(system.values)))
    goals = goals_of(needs)
    start = system.with_followers(needs)
    if start == everything or len(goals) * len(everything) > LARGEST:
        return everything
    proofs = audit(system, start, goals)
    unmet = [goal for goal in goals if proofs[goal] is None]
    if not unmet:
        return start
    weights = _weights(system, needs)
    if len(unmet) * len(everything) <= EXACT:
        extra = cheapest(system, start, unmet, weights)
        if extra is not None:
            hidden = system.with_followers({*needs, *extra})
            if None not in audit(system, hidden, goals).values():
                return _without_islands(system, hidden, needs)
    grown = _grow(system, start, unmet, weights)
    if grown is not None:
        proofs = audit(system, grown, goals)
        if None not in proofs.values():
            return _without_islands(system, _pruned(system, grown, proofs, weights), needs)
    return everything


def _weights(system: System, primaries: Collection[int]) -> dict[int, float]:
    """What suppressing a people-count costs: its value (keeps the large ones); between equals the fewer, then the
    earlier name, by parts too small to outweigh one person.
    """
    n = len(system.values)
    return {
        i: value + (1 + i / n) / (4 * n)
        for i, value in enumerate(system.values)
        if system.people[i] and i not in primaries
    }


def _grow(
    system: System, start: frozenset[int], unmet: Sequence[Goal], weights: Mapping[int, float]
) -> frozenset[int] | None:
    """Goal by goal, the hardest first, suppress what the nearest change touches."""
    hidden = start
    for goal in sorted(unmet, key=lambda g: (-(g.amount or 0), g.index, g.sign)):
        touched = nearest(system, hidden, goal, weights)
        if touched is None:
            return None
        hidden = hidden | system.with_followers({system.switch[i] for i in touched})
    return hidden


def _pruned(system: System, hidden: frozenset[int], proofs: Proofs, weights: Mapping[int, float]) -> frozenset[int]:
    """Take back, the largest first, what no proof needs or what other proofs can do without."""
    left = PRUNING
    for switch in sorted((s for s in weights if s in hidden), key=lambda s: -weights[s]):
        fewer = hidden - system.with_followers({switch})
        gone = hidden - fewer
        broken = [goal for goal, change in proofs.items() if change and any(change[i] for i in gone)]
        left -= len(broken) * len(hidden)
        if left < 0:
            break
        again = audit(system, fewer, broken)
        if None not in again.values():
            hidden = fewer
            proofs = {**proofs, **again}
    return hidden


def _without_islands(system: System, hidden: frozenset[int], primaries: Collection[int]) -> frozenset[int]:
    """Release what protects nothing: suppressed counts that no suppressed relation connects with a primary."""
    groups = system.components(hidden)
    return frozenset(i for group in groups if not group.isdisjoint(primaries) for i in group)
