"""Rules 0, 1 and 11 as an attacker meets them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cinque.errors import Refused
from cinque.sdc.appetite import Appetite
from cinque.sdc.figures import Bounds, Figure, Figures, Relation
from cinque.sdc.judge import RULES, judge
from tests.sdc.attacker import counts, hull, table

TEN = Appetite()
RELEASING = Appetite("custom", "", 10, "release")


@pytest.mark.parametrize(
    ("people", "appetite", "bounds"),
    [
        (10, TEN, None),  # strict: exactly the threshold may leave
        (9, TEN, Bounds(0, 9)),
        (1, TEN, Bounds(0, 9)),
        (0, TEN, Bounds(0, 9)),  # a zero looks like any small count
        (0, RELEASING, None),
        (1, RELEASING, Bounds(1, 9)),  # where zeros leave, what is suppressed is not zero
        (9, RELEASING, Bounds(1, 9)),
        (0, Appetite("public", "", 1), None),  # 0..0 would say the value
        (3, Appetite("public", "", 0), None),
        (1, Appetite("two", "", 2), Bounds(0, 1)),
    ],
)
def test_a_single_count(people: int, appetite: Appetite, bounds: Bounds | None) -> None:
    expected = {} if bounds is None else {"n": bounds}
    assert judge(counts({"n": people}), appetite).suppressed == expected


@pytest.mark.parametrize(("threshold", "zeros"), [(2, "release"), (-1, "suppress")])
def test_an_appetite_that_would_say_what_it_hides_is_refused(threshold: int, zeros: str) -> None:
    with pytest.raises(Refused, match="threshold"):
        Appetite("custom", "", threshold, zeros)  # type: ignore[arg-type]


def test_rule_0_many_rows_of_one_person_are_one_person() -> None:
    figures = Figures(
        (
            Figure("people", "Frequencies", 1),
            Figure("rows", "Frequencies", 1, "rows", "people", rows=500),
            Figure("mean", "LinearAggregations", 1, "other", "people"),
        )
    )
    found = judge(figures, TEN).suppressed
    assert found == {"people": Bounds(0, 9), "rows": Bounds(0, None), "mean": Bounds(None, None)}


def test_a_figure_of_few_people_is_suppressed_though_its_count_is_not() -> None:
    figures = Figures(
        (Figure("n", "Frequencies", 50), Figure("mean of some", "LinearAggregations", 3, "other", "n")),
    )
    assert judge(figures, TEN).suppressed == {"mean of some": Bounds(None, None)}


def test_a_margin_gives_nothing_away_by_subtraction() -> None:
    found = judge(table([[3, 40, 50], [60, 70, 80]]), TEN).suppressed
    assert len(found) == 4  # a circuit through the small cell; no fewer would do
    assert found["0.0"] == Bounds(0, 43)


def test_used_and_missing_against_the_total() -> None:
    figures = counts({"all": 203, "used": 200, "missing": 3}, [Relation("all", ("used", "missing"))])
    found = judge(figures, TEN).suppressed
    assert set(found) in ({"missing", "used"}, {"missing", "all"})
    assert found["missing"].at_least == 0
    assert found["missing"].at_most is None or found["missing"].at_most >= 9


def test_a_total_that_is_known_hides_none_of_its_parts() -> None:
    # 5 of 120, the rest in two halves: to suppress the total costs least, and everybody has it from a round before.
    parts = {"few": 5, "rest": 115, "one": 60, "other": 55}
    sums = [Relation("all", ("few", "rest")), Relation("rest", ("one", "other"))]
    told = counts({"all": 120} | parts, sums)
    assert "all" in judge(told, TEN).suppressed
    known = replace(told, figures=(replace(told.figures[0], known=True), *told.figures[1:]))
    found = judge(known, TEN).suppressed
    assert "all" not in found
    assert {"few", "rest"} < set(found)
    assert hull(known, found, 130)["few"][1] >= 9
    # Where nothing is released beside them, they still add up to no more than that.
    small = counts({"all": 12, "few": 5, "rest": 7}, sums[:1])
    small = replace(small, figures=(replace(small.figures[0], known=True), *small.figures[1:]))
    assert judge(small, TEN).suppressed["few"].at_most == 12


def test_two_small_groups_do_not_protect_each_other_when_their_sum_is_small() -> None:
    # 3 + 2 = 5 by subtraction would leave each of them 0..5, less than 0..9.
    figures = counts({"all": 105, "a": 3, "b": 2, "c": 100}, [Relation("all", ("a", "b", "c"))])
    found = judge(figures, TEN).suppressed
    assert {"a", "b"} < set(found)


def test_nested_totals_are_followed_through_every_level() -> None:
    figures = counts(
        {"uk": 300, "north": 104, "south": 196, "n1": 4, "n2": 100, "s1": 96, "s2": 100},
        [Relation("uk", ("north", "south")), Relation("north", ("n1", "n2")), Relation("south", ("s1", "s2"))],
    )
    suppressed = judge(figures, TEN).suppressed
    assert "n1" in suppressed
    assert hull(figures, suppressed, 320)["n1"][0] == 0
    assert hull(figures, suppressed, 320)["n1"][1] >= 9


def test_a_union_that_needs_the_small_part_gives_it_away() -> None:
    # 100 people in all; 60 and 35 in the large groups, so at least 5 are only in the third, whose true size is 7.
    relation = Relation("all", ("a", "b", "c"), "union")
    tight = judge(counts({"all": 100, "a": 60, "b": 35, "c": 7}, [relation]), TEN).suppressed
    assert len(tight) > 1
    # With room to spare nothing can be subtracted.
    loose = judge(counts({"all": 100, "a": 90, "b": 80, "c": 7}, [relation]), TEN).suppressed
    assert loose == {"c": Bounds(0, 9)}


def test_sums_over_overlapping_groups_are_protected_though_their_people_would_not_need_it() -> None:
    # People may be in both groups, but their rows, sums and means add up: the total less `b` would be `a`.
    def figures(*names: str) -> Figures:
        people = {"all": 100, "a": 7, "b": 100}
        return Figures(
            (
                *(Figure(k, "Frequencies", v) for k, v in people.items()),
                *(Figure(f"sum {k}", "LinearAggregations", people[k], "other", k) for k in names),
            ),
            (Relation("all", ("a", "b"), "union"),),
        )

    assert set(judge(figures(), TEN).suppressed) == {"a"}
    together = set(judge(figures("all", "a", "b"), TEN).suppressed)
    assert {"a", "sum a"} < together
    assert together & {"sum all", "sum b"}


def test_rows_bound_people_and_are_audited_with_them() -> None:
    # 3 and 2 people with 3 and 2 rows of 105: the rows of both are 5, so neither could be 9 people.
    people = {"all": 104, "a": 3, "b": 2, "c": 100}
    rows = {"all": 105, "a": 3, "b": 2, "c": 100}
    figures = Figures(
        (
            *(Figure(k, "Frequencies", v) for k, v in people.items()),
            *(Figure(f"rows {k}", "Frequencies", people[k], "rows", k, rows=v) for k, v in rows.items()),
        ),
        (
            Relation("all", ("a", "b", "c"), "union"),
            Relation("rows all", ("rows a", "rows b", "rows c")),
        ),
    )
    suppressed = judge(figures, TEN).suppressed
    assert suppressed.keys() & {"all", "c"}
    for name in ("a", "b"):
        at_most = suppressed[name].at_most
        assert at_most is None or at_most >= 9


def test_an_answer_all_of_small_counts_says_so_of_every_figure() -> None:
    found = judge(table([[1, 2], [3, 1]]), TEN).suppressed
    assert len(found) == 9
    assert set(found.values()) == {Bounds(0, 9)}


def test_where_zeros_are_released_a_small_total_is_not_narrowed_by_its_parts() -> None:
    # Saying that neither part is zero would say that the total is at least 2.
    figures = counts({"all": 5, "a": 3, "b": 2}, [Relation("all", ("a", "b"))])
    assert set(judge(figures, RELEASING).suppressed.values()) == {Bounds(0, 9)}


def test_what_protects_sums_is_not_taken_for_what_is_known_of_people() -> None:
    # The overlap of the groups, 37 here, is nobody's to know: of people only the union's own bounds hold.
    people = {"all": 120, "a": 7, "b": 100, "c": 50}
    figures = Figures(
        (
            *(Figure(k, "Frequencies", v) for k, v in people.items()),
            *(Figure(f"sum {k}", "LinearAggregations", v, "other", k) for k, v in people.items()),
        ),
        (Relation("all", ("a", "b", "c"), "union"),),
    )
    unknown = Bounds(None, None)
    assert judge(figures, TEN).suppressed == {
        "a": Bounds(0, 120), "c": Bounds(0, 120), "sum a": unknown, "sum c": unknown,
    }  # fmt: skip


def test_primary_and_secondary_look_alike_in_rules_and_words() -> None:
    alone = judge(counts({"a": 3, "b": 50}), TEN)
    with_another = judge(counts({"a": 3, "b": 50, "all": 53}, [Relation("all", ("a", "b"))]), TEN)
    nothing = judge(counts({"a": 30}), TEN)
    assert alone.rules == with_another.rules == nothing.rules == RULES
    assert alone.findings[0].replace("1 figure is", "") == with_another.findings[0].replace("2 figures are", "")
    assert nothing.findings == ()


def test_the_order_of_figures_does_not_matter() -> None:
    figures = table([[3, 40, 50], [60, 7, 80], [20, 30, 40]])
    turned = Figures(figures.figures[::-1], figures.relations[::-1])
    assert judge(figures, TEN) == judge(turned, TEN)


@pytest.mark.parametrize(
    "figures",
    [
        counts({"all": 12, "a": 3, "b": 8}, [Relation("all", ("a", "b"))]),
        counts({"all": 12, "a": 3, "b": 8}, [Relation("all", ("a", "b"), "union")]),
        counts({"all": 12, "a": 13, "b": 8}, [Relation("all", ("a", "b"), "union")]),
        counts({"all": 12, "a": 3}, [Relation("all", ("a", "b"))]),
        Figures((Figure("a", "Frequencies", 3), Figure("a", "Frequencies", 4))),
        Figures((Figure("a", "Frequencies", 3), Figure("r", "Frequencies", 3, "rows", "a", rows=2))),
        Figures((Figure("r", "Frequencies", 3, "rows", "a", rows=4),)),
    ],
)
def test_figures_that_contradict_each_other_stop_everything(figures: Figures) -> None:
    with pytest.raises(ValueError, match=r"figure|relation"):
        judge(figures, TEN)


cells = st.integers(0, 4) | st.integers(5, 11)
small_tables = st.integers(2, 3).flatmap(
    lambda columns: st.lists(st.lists(cells, min_size=columns, max_size=columns), min_size=2, max_size=3)
)


def _freedom(figures: Figures, suppressed: Collection[str]) -> int:
    """How many suppressed counts can be chosen before the sums settle the rest."""
    sums = [
        [(name in r.parts) - (name == r.total) for name in suppressed] for r in figures.relations if r.kind == "sum"
    ]
    return len(suppressed) - int(np.linalg.matrix_rank(np.array(sums))) if sums and suppressed else len(suppressed)


def _withstands(figures: Figures, appetite: Appetite) -> None:
    """The enumerating attacker learns no more of a primary than its suppression says, and what is published of every
    suppressed count is true and exactly what this attacker can say.
    """
    suppressed = judge(figures, appetite).suppressed
    low = 1 if appetite.zeros == "release" else 0
    largest = max(f.people for f in figures.figures)
    top = 3 * largest + appetite.threshold
    assume((top + 1) ** _freedom(figures, suppressed) <= 20_000)  # what can be enumerated in a moment
    free = hull(figures, suppressed, top)
    believing = hull(figures, suppressed, top, believe=True)
    for figure in figures.figures:
        primary = low <= figure.people < appetite.threshold
        assert not primary or figure.id in suppressed
        if figure.id not in suppressed:
            continue
        bounds = suppressed[figure.id]
        for seen in (free, believing):
            if primary:
                assert seen[figure.id][0] <= low
                assert seen[figure.id][1] >= appetite.threshold - 1
        assert bounds.at_least is not None
        assert bounds.at_least <= figure.people
        assert bounds.at_least == believing[figure.id][0]
        if bounds.at_most is None:
            assert free[figure.id][1] > largest  # nothing released stops it; only the enumeration's end does
        else:
            assert figure.people <= bounds.at_most == believing[figure.id][1]
            # Never wider than the release itself, save for nothing; tighter only to the threshold.
            assert bounds.at_most in (free[figure.id][1], appetite.threshold - 1)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(small_tables, st.integers(2, 4), st.booleans())
def test_no_two_way_table_gives_a_small_count_away(rows: list[list[int]], threshold: int, release: bool) -> None:
    zeros = "release" if release and threshold > 2 else "suppress"
    _withstands(table(rows), Appetite("custom", "", threshold, zeros))  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, 9), min_size=4, max_size=4), st.integers(2, 5))
def test_no_nested_table_gives_a_small_count_away(leaves: list[int], threshold: int) -> None:
    a, b, c, d = leaves
    figures = counts(
        {"all": a + b + c + d, "n": a + b, "s": c + d, "n1": a, "n2": b, "s1": c, "s2": d},
        [Relation("all", ("n", "s")), Relation("n", ("n1", "n2")), Relation("s", ("s1", "s2"))],
    )
    _withstands(figures, Appetite("custom", "", threshold))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.frozensets(st.integers(0, 11), max_size=9), min_size=2, max_size=3), st.integers(2, 5))
def test_no_overlapping_groups_give_a_small_count_away(groups: list[frozenset[int]], threshold: int) -> None:
    names = tuple("abc"[: len(groups)])
    figures = counts(
        {"all": len(frozenset().union(*groups))} | {k: len(g) for k, g in zip(names, groups, strict=True)},
        [Relation("all", names, "union")],
    )
    _withstands(figures, Appetite("custom", "", threshold))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, 1) | st.integers(2, 6), min_size=8, max_size=8))
def test_no_three_way_table_gives_a_small_count_away(cell: list[int]) -> None:
    # Not a network: here linear programmes may answer in fractions, and the proofs must still be whole tables.
    corners = dict(zip(map("".join, product("01", repeat=3)), cell, strict=True))
    values = {
        name: sum(n for corner, n in corners.items() if all(a in ("t", b) for a, b in zip(name, corner, strict=True)))
        for name in map("".join, product("01t", repeat=3))
    }
    relations = [
        Relation(name, tuple(name[:at] + v + name[at + 1 :] for v in "01"))
        for name in values
        for at in range(3)
        if name[at] == "t"
    ]
    figures = counts(values, relations)
    suppressed = judge(figures, Appetite("custom", "", 2)).suppressed
    top = 2 * values["ttt"] + 2
    assume((top + 1) ** _freedom(figures, suppressed) <= 5_000)
    free = hull(figures, suppressed, top)
    for name, value in values.items():
        if value < 2:
            assert free[name][0] == 0
            assert free[name][1] >= 1
        if name in suppressed:
            bounds = suppressed[name]
            assert bounds.at_least is not None
            assert bounds.at_least <= value
            assert bounds.at_most is None or value <= bounds.at_most


def test_a_large_sparse_table_takes_seconds_at_most() -> None:
    rows = [[(7 * i * i + 13 * j + 5 * i * j) % 60 for j in range(15)] for i in range(15)]
    figures = table(rows)
    start = time.perf_counter()
    found = judge(figures, TEN)
    assert time.perf_counter() - start < 30  # 0.5 s on an idle core
    assert len(found.suppressed) < 120
    for figure in figures.figures:
        assert figure.people >= 10 or figure.id in found.suppressed


def test_a_table_beyond_every_limit_is_suppressed_whole_and_at_once() -> None:
    figures = table([[(i + j) % 7 for j in range(40)] for i in range(40)])
    start = time.perf_counter()
    found = judge(figures, TEN)
    assert time.perf_counter() - start < 30
    assert len(found.suppressed) == len(figures.figures)


def test_an_answer_without_small_counts_needs_no_solver() -> None:
    code = (
        "import sys; from cinque.sdc.judge import judge; from cinque.sdc.appetite import Appetite;"
        "from cinque.sdc.figures import Figure, Figures;"
        "judge(Figures((Figure('n', 'Frequencies', 50),)), Appetite());"
        "judge(Figures((Figure('n', 'Frequencies', 5),)), Appetite());"
        "sys.exit('scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_union_whose_parts_add_up_is_protected_as_a_sum() -> None:
    """One row a person, though nobody declared it: 907 minus the shown cells must not bound a small one."""
    cells = {"asian": 58, "black": 133, "hispanic": 146, "native": 4, "other": 2, "white": 564}
    figures = counts({"n": 907, **cells}, [Relation("n", tuple(cells), "union")])
    hidden = judge(figures, TEN).suppressed
    assert {"native", "other"} <= hidden.keys()
    if "n" not in hidden:
        left = 907 - sum(value for name, value in cells.items() if name not in hidden)
        assert left >= 9 + 9  # what the hidden cells share leaves each small one anything from 0 to 9
