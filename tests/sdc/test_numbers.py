"""Numbers that are no counts are judged by their own evidence: rules 3, 6, 13, 14 and 15."""

from __future__ import annotations

from typing import Any

import pytest

from cinque.sdc.appetite import Appetite
from cinque.sdc.figures import Bounds, Figure, Figures, Model
from cinque.sdc.judge import NUMBERS, RULES, judge

TEN = Appetite()
RELEASING = Appetite("custom", "", 10, "release")
OPEN = Appetite("open", "", 0)


def a_number(**evidence: Any) -> Figures:
    return Figures(
        (
            Figure("n", "Frequencies", 100),
            Figure("mean", "LinearAggregations", 100, "other", "n", **evidence),
        )
    )


@pytest.mark.parametrize(
    ("evidence", "appetite", "leaves"),
    [
        ({}, TEN, True),
        ({"differing": 10}, TEN, True),
        ({"differing": 9}, TEN, False),  # a mask on nine people, or on all but nine
        ({"differing": 0}, TEN, False),
        ({"remainder": 0.1}, TEN, True),
        ({"remainder": 0.0999}, TEN, False),  # p%: the two largest give the largest away
        ({"remainder": float("inf")}, TEN, True),
        ({"smallest": 10}, TEN, True),
        ({"smallest": 9}, TEN, False),  # moments of a few-valued column are its table
        ({"smallest": 0}, TEN, False),
        ({"smallest": 0}, RELEASING, True),
        ({"smallest": 1}, RELEASING, False),
        ({"differing": 1, "remainder": 0.0, "smallest": 1}, OPEN, True),
    ],
)
def test_one_number(evidence: dict[str, Any], appetite: Appetite, leaves: bool) -> None:
    found = judge(a_number(**evidence), appetite)
    assert found.suppressed == ({} if leaves else {"mean": Bounds(None, None)})


@pytest.mark.parametrize(
    ("model", "leaves"),
    [
        (Model(("beta",), people=100, parameters=4, numbers=33), True),
        (Model(("beta",), people=100, parameters=4, numbers=34), False),  # rule 15: numbers in all rounds
        (Model(("beta",), people=14, parameters=4, numbers=4), True),
        (Model(("beta",), people=13, parameters=4, numbers=4), False),  # rule 6: nine degrees of freedom
        (Model(("beta",), people=1_000, parameters=4, numbers=4, events=13), True),
        (Model(("beta",), people=1_000, parameters=4, numbers=4, events=12), False),  # 4 > 0.33 x 12
        (Model(("beta",), people=1_000, parameters=1, numbers=4, events=9), False),  # too few events
    ],
)
def test_a_fit_with_too_many_numbers_for_its_people_falls_whole(model: Model, leaves: bool) -> None:
    figures = Figures(
        (Figure("n", "Frequencies", model.people), Figure("beta", "Shape", model.people, "other", "n")), (), (model,)
    )
    assert judge(figures, TEN).suppressed == ({} if leaves else {"beta": Bounds(None, None)})


def test_a_saturated_model_falls_with_its_whole_fit_and_with_no_count() -> None:
    names = ("beta", "information")
    figures = Figures(
        (
            Figure("n", "Frequencies", 40),
            *(Figure(name, "Shape", 40, "other", "n") for name in names),
        ),
        (),
        (Model(names, people=40, parameters=40, numbers=1),),
    )
    assert judge(figures, TEN).suppressed == dict.fromkeys(names, Bounds(None, None))


def test_the_rules_named_follow_from_the_question_and_not_from_the_data() -> None:
    assert judge(a_number(differing=50), TEN).rules == judge(a_number(differing=1), TEN).rules == RULES + NUMBERS
    assert judge(Figures((Figure("n", "Frequencies", 100),)), TEN).rules == RULES
