"""Rule 8 as an attacker meets it: counts that only fall, and what those that are told say of the others."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinque.sdc.appetite import Appetite
from cinque.sdc.chains import told, untold
from cinque.sdc.figures import Bounds, Figure, Figures, Relation
from cinque.sdc.judge import judge

TEN = Appetite()
RELEASING = Appetite("custom", "", 10, "release")


def falling(left: Sequence[int], rest: int) -> list[int]:
    """At risk, of who leaves step by step and who stays."""
    return list(itertools.accumulate(reversed([*left, rest])))[::-1]


@given(st.lists(st.integers(0, 25), max_size=40), st.integers(0, 25), st.sampled_from([0, 1]))
def test_no_two_numbers_that_are_told_differ_by_few(left: list[int], rest: int, low: int) -> None:
    """Any two, not only neighbours; and nobody few is left at the end."""
    counts = falling(left, rest)
    known = [counts[place] for place in told(counts, 10, low)]
    for one, other in itertools.combinations([*known, 0], 2):
        assert one - other >= 10 or one - other < low


@given(st.lists(st.integers(0, 25), max_size=40), st.integers(0, 25), st.sampled_from([0, 1]))
def test_the_bounds_are_those_of_a_number_that_lies_between(left: list[int], rest: int, low: int) -> None:
    counts = falling(left, rest)
    places = told(counts, 10, low)
    found = dict(untold(counts, 10, low))
    assert sorted([*places, *found]) == list(range(len(counts)))
    for place, bounds in found.items():
        assert bounds.at_least is not None
        assert bounds.at_most is not None
        assert bounds.at_least <= counts[place] <= bounds.at_most
        assert bounds.at_most - bounds.at_least >= 9 - low  # as open as rule 1 leaves a count


@given(st.lists(st.integers(0, 25), max_size=40), st.integers(10, 25))
def test_no_further_number_could_be_told(left: list[int], rest: int) -> None:
    counts = falling(left, rest)
    places = told(counts, 10, 0)
    for place in set(range(len(counts))).difference(places):
        more = [counts[each] for each in sorted([*places, place])]
        assert any(one - other < 10 for one, other in itertools.pairwise([*more, 0]))


@pytest.mark.parametrize("low", [0, 1])
def test_who_runs_the_choice_for_every_table_learns_no_more_than_rule_1_says(low: int) -> None:
    """All tables of up to 12 people and four steps, threshold 3: those that are told alike are the attacker's. An
    untold number may still be any that is few away from a number told on one side."""
    seen: dict[tuple[tuple[int, int], ...], list[list[int]]] = defaultdict(list)
    for left in itertools.product(range(13), repeat=4):
        for rest in range(13 - sum(left)):
            counts = falling(left, rest)
            seen[tuple((place, counts[place]) for place in told(counts, 3, low))].append(counts)
    assert len(seen) > 100
    for known, tables in seen.items():
        places = dict(known)
        for place in range(1, 5):
            if place in places or not places:
                continue
            before = places[max(each for each in places if each < place)]
            after = (
                places[min((each for each in places if each > place), default=place)]
                if any(each > place for each in places)
                else 0
            )
            possible = {counts[place] for counts in tables}
            few = range(low, 3)
            assert possible.issuperset(before - x for x in few) or possible.issuperset(after + x for x in few)


def test_a_chain_beside_other_counts_is_judged_alone_and_named() -> None:
    counts = {"n": 99, "at1": 69, "at2": 65, "at3": 60, "at4": 30, "missing": 3}
    every = tuple(Figure(id, "HazardSurvivalTables", n) for id, n in counts.items())
    mean = Figure("mean", "LinearAggregations", 99, "other", of="at2")
    found = judge(Figures((*every, mean), chains=(("n", "at1", "at2", "at3", "at4"),)), TEN)
    # 69 - 65 and 69 - 60 are few: of these the third step is the one that is told, as a multiple of 3.
    assert found.suppressed == {
        "at1": Bounds(60, 99), "at2": Bounds(60, 99), "mean": Bounds(None, None), "missing": Bounds(0, 9)
    }  # fmt: skip
    assert "rule-8:survival" in found.rules
    assert judge(Figures(every[:2], chains=(("n", "at1"),)), TEN).suppressed == {}  # 30 people between


def test_where_zeros_leave_a_flat_step_and_an_end_of_nobody_are_told() -> None:
    counts = [50, 50, 30, 30, 0, 0]
    every = tuple(Figure(str(place), "HazardSurvivalTables", n) for place, n in enumerate(counts))
    chains = (tuple(map(str, range(6))),)
    assert judge(Figures(every, chains=chains), RELEASING).suppressed == {}
    assert len(judge(Figures(every, chains=chains), TEN).suppressed) == 4  # 50 and 30 are told once each


def test_a_small_group_is_hidden_as_a_count_alone() -> None:
    every = tuple(Figure(str(place), "HazardSurvivalTables", n) for place, n in enumerate([9, 4]))
    assert judge(Figures(every, chains=(("0", "1"),)), TEN).suppressed == {"0": Bounds(0, 9), "1": Bounds(0, 9)}
    assert judge(Figures(every, chains=(("0", "1"),)), RELEASING).suppressed["0"] == Bounds(1, 9)


@pytest.mark.parametrize("chains", [(("a", "b"),), (("b", "a"), ("a",)), (("b", "c"),), (("b", "m"),)])
def test_a_chain_that_rises_or_is_judged_elsewhere_too_is_a_fault(chains: tuple[tuple[str, ...], ...]) -> None:
    every = (
        *(Figure(id, "Frequencies", n) for id, n in (("a", 20), ("b", 40), ("c", 15), ("d", 5), ("t", 20))),
        Figure("m", "Frequencies", 40, "other", of="b"),
    )
    with pytest.raises(ValueError, match="chain"):
        judge(Figures(every, (Relation("t", ("c", "d")),), chains=chains), TEN)
