"""The journey of a question through real services."""

from __future__ import annotations

from tests.service.harness import World


def test_a_question_is_answered_by_three_tres(world: World) -> None:
    asked = world.ask(tres=["north", "south", "east"])
    world.run()
    answer = world.answer(asked)
    assert (answer.values or {})["people"] == 60 + 45 + 30
    assert not answer.missing
    assert {site.states(asked.id) for site in world.sites.values()} == {("released", "released", "released")}
