"""The verdict on an answer: rules 0, 1, 8 and 11 for counts; 3, 6, 13, 14 and 15 for the numbers that stand on them.

Rule 0: every threshold counts distinct people. Rule 1: a count of fewer than the threshold is suppressed, and with it
every figure that is of it. Rule 11: nor may it be worked out from what is released beside it. What a suppressed figure
may be is then worked out for all of them by the same code, whatever the cause, from what an attacker has. Rule 8: of
counts that only fall, as people at risk do, those are told between which enough people leave (sdc/chains.py).
Numbers that are no counts are then judged by their own evidence (`_unsafe`); what falls there takes nothing with it,
for nothing is worked out from such a number that was not judged in its own right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cinque.sdc.appetite import Appetite
from cinque.sdc.chains import untold
from cinque.sdc.figures import Bounds, Figure, Figures, Judgement, Relation
from cinque.sdc.protect import LARGEST, audit, goals_of, protect
from cinque.sdc.solver import Goal, bounded_above, reach
from cinque.sdc.system import System, build

RULES = ("rule-0:distinct-people", "rule-1:threshold", "rule-11:secondary")
NUMBERS = (
    "rule-3:dominance",
    "rule-6:degrees-of-freedom",
    "rule-13:few-valued",
    "rule-14:components",
    "rule-15:models",
)
CHAINS = ("rule-8:survival",)
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
    apart = {id for chain in figures.chains for id in chain}
    others = [figure for figure in figures.figures if figure.id not in apart]
    counted = _chained(figures, threshold, low) | _counts(others, figures.relations, threshold, low)
    counted |= dict.fromkeys(_repeated(figures, counted, threshold), UNKNOWN)
    suppressed = counted | dict.fromkeys(_unsafe(figures, appetite, counted, low), UNKNOWN)
    rules = RULES + (CHAINS if apart else ())
    rules += NUMBERS if figures.models or any(figure.kind == "other" for figure in figures.figures) else ()
    return Judgement(dict(sorted(suppressed.items())), rules, _findings(len(suppressed), appetite))


def _chained(figures: Figures, threshold: int, low: int) -> dict[str, Bounds]:
    """Rule 8: bounds for every count of a chain that is suppressed."""
    people = {figure.id: figure.people for figure in figures.figures if figure.kind == "people"}
    every = [id for chain in figures.chains for id in chain]
    related = {id for relation in figures.relations for id in (relation.total, *relation.parts)}
    if len(set(every)) < len(every) or not people.keys() >= set(every) or not related.isdisjoint(every):
        raise ValueError("a chain is of people-counts that are in no other chain, and in no relation")
    return {
        chain[place]: bounds
        for chain in figures.chains
        for place, bounds in untold([people[id] for id in chain], threshold, low)
    }


def _unsafe(figures: Figures, appetite: Appetite, counted: Mapping[str, Bounds], low: int) -> Iterator[str]:
    """The numbers that may not leave: of a suppressed count or of few people (rule 1), telling a small group (13),
    varying with few people (14) or with one (3), of a fit with too few degrees of freedom or too many numbers for the
    people behind it (6, 15).
    """
    threshold = appetite.threshold
    # A mean of whole numbers tells of how many it is the mean.
    unsaid = {figure.of for figure in figures.figures if figure.kind == "rows" and figure.id in counted}
    for figure in figures.figures:
        if figure.kind == "other" and (
            figure.of in counted
            or figure.of in unsaid
            or low <= figure.people < threshold
            or (figure.smallest is not None and low <= figure.smallest < threshold)
            or (figure.differing is not None and figure.differing < threshold)
            or (figure.remainder is not None and figure.remainder < appetite.dominance)
        ):
            yield figure.id
    for model in figures.models:
        most = appetite.ratio * (model.people if model.events is None else model.events)
        if (
            model.people - model.parameters < appetite.dof
            or model.parameters > most
            or model.numbers > appetite.ratio * model.people
            or (model.events is not None and model.events < threshold)
        ):
            yield from model.figures


def _repeated(figures: Figures, counted: Mapping[str, Bounds], threshold: int) -> set[str]:
    """Counts of rows that would tell of few people: those with more than one row are no more than the rows that are
    more than the people. What adds up with such a count falls with it. That nobody has several rows may be told: many
    filters see to it.
    """
    rows = {figure.id: figure for figure in figures.figures if figure.kind == "rows"}
    found = {id for id, f in rows.items() if id not in counted and 0 < (f.rows or 0) - f.people < threshold}
    grown = True
    while grown:
        named = [{relation.total, *relation.parts} for relation in figures.relations]
        more = {id for names in named if names & found for id in names & rows.keys()} - found
        found |= more
        grown = bool(more)
    return found


def _counts(figures: Sequence[Figure], relations: Sequence[Relation], threshold: int, low: int) -> dict[str, Bounds]:
    """Rules 1 and 11: bounds for every count that is suppressed."""
    system = build(figures, relations, threshold)
    counts = range(system.told)
    primaries = [i for i in counts if system.people[i] and low <= system.values[i] < threshold]
    primaries += range(system.told, len(system.values))  # differences, if few people make them
    # Rule 11's measure: after all subtraction a primary may still be anything that its suppression leaves open. A zero
    # may serve as a secondary figure, so that even where zeros are released 0 is not excluded by the suppression.
    needs = {i: (system.values[i] - low, threshold - 1 - system.values[i]) for i in primaries}
    hidden = protect(system, needs)
    suppressed: dict[str, Bounds] = {}
    for component in system.components(hidden):
        here = {i: need for i, need in needs.items() if i in component}
        suppressed |= dict(_bounds(system, component, here, threshold, low))
    return {name: bounds for name, bounds in suppressed.items() if name}


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
    rows = system.rows_of(component)
    if ceiling is None and all(not row.fixed and component.issuperset(i for i, _ in row.terms) for row in rows):
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
        f"{figures} suppressed: counts of {small}, what belongs to them, whatever else would let them be worked out, "
        "and numbers on which too few people have a bearing. Each is given as the bounds between which it lies.",
    )
