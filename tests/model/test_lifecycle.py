"""The life cycle of a task against a table written by hand: contracts.md section 3, spec/flow.md 3.2."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cinque.errors import Conflict, Forbidden
from cinque.model.lifecycle import FINAL, TABLE, Actor, Role, State, Task, advance, steps_from
from tests.builders import NOW

# from | step | to | who may; `!` marks the steps that need four eyes.
EXPECTED = """
offered           | lease          | leased            | gate
offered           | cancel         | cancelled         | researcher
offered           | expire         | expired           | hub gate
leased            | lapse          | offered           | hub
leased            | accept         | accepted          | enclave
leased            | refuse         | refused           | gate enclave
leased            | cancel         | cancelled         | researcher
leased            | expire         | expired           | hub gate enclave
accepted          | refuse         | refused           | enclave
accepted          | hold           | awaiting sign-off | enclave
accepted          | sign off       | running           | enclave
accepted          | cancel         | cancelled         | researcher
awaiting sign-off | sign off !     | running           | operator
awaiting sign-off | refuse         | refused           | operator enclave
awaiting sign-off | cancel         | cancelled         | researcher
awaiting sign-off | expire         | expired           | enclave
running           | submit         | in review         | enclave
running           | release round  | round released    | enclave
running           | release        | released          | enclave
running           | refuse         | refused           | enclave
running           | withhold       | withheld          | enclave
running           | fail           | failed            | enclave
running           | cancel         | cancelled         | researcher
in review         | release !      | released          | checker
in review         | release round !| round released    | checker
in review         | withhold       | withheld          | checker enclave
in review         | cancel         | cancelled         | researcher
in review         | expire         | expired           | enclave
round released    | resume         | running           | enclave
round released    | release        | released          | enclave
round released    | fail           | failed            | enclave
round released    | refuse         | refused           | enclave
round released    | cancel         | cancelled         | researcher
round released    | expire         | expired           | enclave
"""
ENDS = {"released", "refused", "withheld", "failed", "cancelled", "expired"}


def rows() -> dict[tuple[str, str], tuple[str, frozenset[str], bool]]:
    found = {}
    for line in EXPECTED.strip().splitlines():
        source, step, target, by = (cell.strip() for cell in line.split("|"))
        found[source, step.rstrip("! ")] = (target, frozenset(by.split()), step.endswith("!"))
    return found


STEPS = sorted({step for _, step in rows()})
EVERY = [(state, step) for state in State for step in STEPS]


def a_task(state: State) -> Task:
    return Task("urn:uuid:task", "urn:uuid:request", "urn:cinque:tre:x", "the requester", state)


def test_the_table_is_the_one_that_was_agreed() -> None:
    found = {(str(r.source), r.step): (str(r.target), frozenset(map(str, r.by)), r.four_eyes) for r in TABLE}
    assert len(found) == len(TABLE)  # a state and a step name one row
    assert found == rows()


def test_what_has_ended_takes_no_step() -> None:
    assert {str(state) for state in FINAL} == ENDS
    assert all(steps_from(state) == () for state in FINAL)


@pytest.mark.parametrize(("state", "step"), EVERY, ids=[f"{state}: {step}" for state, step in EVERY])
def test_every_step_from_every_state(state: State, step: str) -> None:
    task = a_task(state)
    row = rows().get((str(state), step))
    for role in Role:
        actor = Actor("somebody else", role)
        if row is None:
            with pytest.raises(Conflict) as refused:
                advance(task, step, actor, NOW)
            assert refused.value.code == "step-not-possible"
        elif str(role) not in row[1]:
            with pytest.raises(Forbidden) as forbidden:
                advance(task, step, actor, NOW)
            assert forbidden.value.code == "role-not-allowed"
        else:
            after, entry = advance(task, step, actor, NOW, code="why", evidence="digest")
            assert str(after.state) == row[0]
            assert (after.code, after.evidence) == ("why", "digest")
            assert (entry.subject, entry.event, entry.actor, entry.at) == (task.id, step, "somebody else", NOW)
            assert entry.detail == f"{state} -> {row[0]} (why)"


@pytest.mark.parametrize(("state", "step"), [key for key, row in rows().items() if row[2]])
def test_who_asked_takes_no_step_that_needs_four_eyes(state: str, step: str) -> None:
    task = a_task(State(state))
    for role in rows()[state, step][1]:
        with pytest.raises(Forbidden) as forbidden:
            advance(task, step, Actor(task.requester, Role(role)), NOW)
        assert forbidden.value.code == "four-eyes"


def test_a_step_that_does_not_exist() -> None:
    with pytest.raises(Conflict, match="cannot take the step `publish`"):
        advance(a_task(State.RUNNING), "publish", Actor("x", Role.ENCLAVE), NOW)


def test_rounds_are_counted_when_they_are_released() -> None:
    task = a_task(State.RUNNING)
    enclave = Actor("x", Role.ENCLAVE)
    for number in (1, 2, 3):
        task, _ = advance(task, "release round", enclave, NOW)
        assert task.round == number
        task, _ = advance(task, "resume", enclave, NOW)
        assert task.round == number
    assert advance(task, "release", enclave, NOW)[0].round == 3


def test_evidence_is_kept_when_a_step_brings_none() -> None:
    task = replace(a_task(State.RUNNING), evidence="first")
    assert advance(task, "fail", Actor("x", Role.ENCLAVE), NOW)[0].evidence == "first"
