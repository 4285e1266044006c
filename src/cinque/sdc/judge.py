"""The verdict on an answer: rules 0, 1 and 11.

Rule 0: every threshold counts distinct people. Rule 1: a count of fewer than the threshold is suppressed, and with it
every figure that is of it. Rule 11: nor may it be worked out from what is released beside it. What a suppressed figure
may be is then worked out for all of them by the same code, whatever the cause, from what an attacker has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cinque.sdc.appetite import Appetite
from cinque.sdc.figures import Bounds, Figures, Judgement
from cinque.sdc.protect import LARGEST, audit, goals_of, protect
from cinque.sdc.solver import Goal, bounded_above, reach
from cinque.sdc.system import System, build

RULES = ("rule-0:distinct-people", "rule-1:threshold", "rule-11:secondary")
UNKNOWN = Bounds(None, None)


def judge(figures: Figures, appetite: Appetite) -> Judgement:
    """Which figures are suppressed, and what can be known of each. Pure; the same for the same figures in any order.

    The rules named are those applied to every answer, whether or not they found anything: naming them only where they
    did would tell primary figures from secondary ones. Raises ValueError for figures that contradict each other, and
    ArithmeticError when the solver fails; both are faults, and nothing may leave.
    """
    threshold = appetite.threshold
    if threshold <= 1:
        return Judgement({}, RULES[:2])  # fewer than 1 is 0: suppressing it would say it
    low = 1 if appetite.zeros == "release" else 0
    if all(f.people >= threshold or f.people < low for f in figures.figures):
        return Judgement({}, RULES)

    system = build(figures.figures, figures.relations)
    primaries = [i for i, value in enumerate(system.values) if system.people[i] and low <= value < threshold]
    # Rule 11's measure: after all subtraction a primary may still be anything that its suppression leaves open. A zero
    # may serve as a secondary figure, so that even where zeros are released 0 is not excluded by the suppression.
    needs = {i: (system.values[i] - low, threshold - 1 - system.values[i]) for i in primaries}
    hidden = protect(system, needs)
    suppressed: dict[str, Bounds] = {}
    for component in system.components(hidden):
        here = {i: need for i, need in needs.items() if i in component}
        suppressed |= dict(_bounds(system, component, here, threshold, low))
    for figure in figures.figures:
        if figure.kind == "other" and (figure.of in suppressed or low <= figure.people < threshold):
            suppressed[figure.id] = UNKNOWN
    return Judgement(dict(sorted(suppressed.items())), RULES, _findings(len(suppressed), appetite))


def _bounds(
    system: System, component: frozenset[int], needs: Mapping[int, tuple[int, int]], threshold: int, low: int
) -> Iterator[tuple[str, Bounds]]:
    """What can be known of each count of a connected group of suppressed counts.

    A count that stands alone was suppressed for itself, so the attacker knows it is under the threshold. The same is
    said of a larger group when all its people-counts are, and when their saying so leaves every one of them as open as
    its own suppression does: no more than rule 1 itself tells.
    """
    people = [i for i in component if system.people[i]]
    goals = goals_of(needs)
    ceiling = None
    if (
        all(system.values[i] < threshold for i in people)
        and len(goals) * len(component) <= LARGEST
        and None not in audit(system, component, goals, threshold - 1).values()
    ):
        ceiling = threshold - 1
    if ceiling is None and all(component.issuperset(i for i, _ in row.terms) for row in system.rows_of(component)):
        # Nothing was released beside them: nobody at all fits, and nothing stops them growing.
        yield from ((system.names[i], Bounds(0, None)) for i in component)
        return
    floor = low if len(people) == 1 and ceiling is not None else 0
    order = sorted(component)
    bounded = bounded_above(system, component, ceiling)
    goals = [Goal(i, -1) for i in order] + [Goal(i, 1) for i in order if i in bounded]
    found = reach(system, component, goals, ceiling=ceiling, floor=floor, shadow=False)
    at = {i: k for k, i in enumerate(order)}
    far = {(goal.index, goal.sign): vector[at[goal.index]] for goal, vector in zip(goals, found, strict=True)}
    for i in order:
        # Whole numbers within the linear bounds; the truth (no change) is inside whatever the solver's last digit.
        least = system.values[i] - _whole(-far[i, -1])
        most = system.values[i] + _whole(far[i, 1]) if i in bounded else None
        yield system.names[i], Bounds(least, most)


def _whole(change: float) -> int:
    return max(0, int(change + 1e-6))


def _findings(count: int, appetite: Appetite) -> tuple[str, ...]:
    """In words that may leave: `count` is visible to whoever reads the release, the causes are not."""
    if not count:
        return ()
    small = f"{1 if appetite.zeros == 'release' else 0} to {appetite.threshold - 1} people"
    figures = "1 figure is" if count == 1 else f"{count} figures are"
    return (
        f"{figures} suppressed: counts of {small}, what belongs to them, and whatever else would let them be "
        "worked out. Each is given as the bounds between which it lies.",
    )
