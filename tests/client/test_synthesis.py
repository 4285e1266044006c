"""One effect from several: from numbers, from mappings by TRE, from an answer; as text, as JSON, as a picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import cinque
from cinque.client.answer import Answer
from cinque.client.asking import Asking
from cinque.errors import Refused
from cinque.stats.meta import meta
from tests.cli.commands import cinque as cinque_command
from tests.cli.commands import document

EFFECTS, SES = [0.2, 0.5, -0.1], [0.1, 0.2, 0.15]


def an_answer(per_tre: dict[str, Any]) -> Answer:
    names = {"urn:a": "dover", "urn:b": "hythe", "urn:c": "rye"}
    return Answer(
        "urn:uuid:0", "?", "glm", {}, {"per_tre": per_tre}, "rounded", ("dover",), (), names, Path("answer.zip"), {}, {}
    )


def test_numbers_mappings_and_an_answer_say_the_same() -> None:
    plain = cinque.meta(EFFECTS, SES, method="dl")
    mapped = cinque.meta(dict(zip("abc", EFFECTS, strict=True)), dict(zip("abc", SES, strict=True)), method="dl")
    tres = {
        urn: {"coef": {"x": b, "(Intercept)": 1.0}, "se": {"x": s, "(Intercept)": 1.0}}
        for urn, b, s in zip(("urn:a", "urn:b", "urn:c"), EFFECTS, SES, strict=True)
    }
    answered = Asking.meta(an_answer(tres), term="x", method="dl")
    assert plain.result == mapped.result == answered.result == meta(EFFECTS, SES, "dl")
    assert (mapped.names, answered.names) == (("a", "b", "c"), ("dover", "hythe", "rye"))
    assert plain.estimate == plain.result.estimate


def test_a_tre_without_an_estimate_is_left_out_and_said() -> None:
    hidden = {"suppressed": True, "at_least": None, "at_most": None}
    found = cinque.meta(
        an_answer(
            {
                "urn:a": {"coef": {"x": 0.2}, "se": {"x": 0.1}},
                "urn:b": {"coef": {"x": hidden}, "se": {"x": hidden}},
                "urn:c": {"coef": None, "se": None},
            }
        ),
        term="x",
    )
    assert found.left_out == ("hythe", "rye")
    assert "hythe, rye" in str(found)
    with pytest.raises(Refused) as refused:
        cinque.meta(an_answer({"urn:a": {"n": 5}}), term="x")
    assert refused.value.code == "no-site-estimates"


@pytest.mark.parametrize(
    ("effects", "ses", "names"),
    [
        ([1.0], None, None),
        ({"a": 1.0}, {"b": 1.0}, None),
        ([1.0], {"a": 1.0}, None),
        ([1.0, 2.0], [1.0, 1.0], ["a", "a"]),
    ],
)
def test_what_does_not_belong_together_is_refused(effects: Any, ses: Any, names: Any) -> None:
    with pytest.raises(Refused) as refused:
        cinque.meta(effects, ses, names=names)
    assert refused.value.code == "meta-input"


def test_it_is_text_html_and_json() -> None:
    found = cinque.meta(EFFECTS, SES, names=["<b>", "rye", "hythe"], hartung_knapp=True)
    assert "random effects (REML), Hartung-Knapp interval" in str(found)
    assert "<b>" not in found._repr_html_()
    written = json.loads(json.dumps(found.to_dict()))
    assert written["tres"][0] == {"tre": "<b>", "effect": 0.2, "se": 0.1, "weight": found.weights[0]}
    assert written["tau2"] == asdict(found.result)["tau2"]
    assert set(found.leave_one_out()) == {"<b>", "rye", "hythe"}


@pytest.mark.parametrize("exponentiate", [False, True])
def test_the_forest_has_a_row_for_each(exponentiate: bool, tmp_path: Path) -> None:
    found = cinque.meta(EFFECTS, SES, names=["dover", "rye", "hythe"])
    made = found.plot(exponentiate=exponentiate)
    (axes,) = made.get_axes()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["dover", "rye", "hythe", "pooled", "prediction"]
    made.savefig(tmp_path / "forest.svg")
    assert (tmp_path / "forest.svg").stat().st_size > 5_000


# ------------------------------------------------------------------------------------------------- other answers
def _counts(*people: Any) -> dict[str, Any]:
    places = [(a, b) for a in ("no", "yes") for b in ("well", "ill")]
    cells = [{"levels": list(place), "people": count} for place, count in zip(places, people, strict=True)]
    return {"levels": {"exposed": ["no", "yes"], "outcome": ["well", "ill"]}, "cells": cells}


def test_a_table_of_two_by_two_is_an_effect_a_tre_and_bounds_are_none() -> None:
    hidden = {"suppressed": True, "at_least": 1, "at_most": 9}
    per_tre = {
        "urn:a": _counts(128, 11, 119, 4),
        "urn:b": _counts(274, 29, 300, 6),
        "urn:c": _counts(209, 11, 228, hidden),
    }
    found = cinque.meta(an_answer(per_tre), measure="rr", method="fixed")
    # metafor: escalc(measure="RR", …, data=dat.bcg), the first two trials
    assert [round(b, 4) for b in found.effects] == [-0.8893, -1.5854]
    assert [round(s**2, 4) for s in found.ses] == [0.3256, 0.1946]
    assert (found.left_out, found.label) == (("rye",), "log risk ratio")
    mapped = cinque.meta({"dover": [[128, 11], [119, 4]], "rye": [[274, 29], [300, 6]]}, measure="rr", method="fixed")
    assert mapped.result == found.result
    with pytest.raises(Refused) as refused:
        cinque.meta(an_answer({"urn:a": {"n": 3}}), measure="or")
    assert refused.value.code == "no-site-estimates"


def test_means_of_a_summary_are_effects() -> None:
    def group(level: list[str], mean: Any) -> dict[str, Any]:
        return {"levels": level, "n": 25, "mean": mean, "sd": 5.0}

    plain = an_answer({"urn:a": {"groups": [group([], 40.0)]}, "urn:b": {"groups": [group([], 42.0)]}})
    assert (cinque.meta(plain).effects, cinque.meta(plain).ses) == ((40.0, 42.0), (1.0, 1.0))
    grouped = an_answer(
        {"urn:a": {"groups": [group(["F"], 40.0), group(["M"], 1.0)]}, "urn:b": {"groups": [group(["F"], None)]}}
    )
    found = cinque.meta(grouped, term="F")
    assert (found.effects, found.left_out) == ((40.0,), ("hythe",))


def test_h2_is_q_over_its_degrees_of_freedom() -> None:
    found = cinque.meta(EFFECTS, SES)
    assert pytest.approx(found.Q / 2) == found.H2
    assert found.H2 is not None
    assert found.I2 == pytest.approx(100 * max(0.0, 1 - 1 / found.H2))  # noqa: SIM300 - what is found, then what is meant
    assert cinque.meta([1.0], [1.0]).H2 is None


def test_by_command(tmp_path: Path) -> None:
    asked = ("meta", "--effects=0.2,0.5,-0.1", "--ses", "0.1,0.2,0.15", "--names", "dover,rye,hythe", "--method", "dl")
    written = document(cinque_command(*asked, "--leave-one-out", "--json", "--plot", tmp_path / "forest.svg"))
    expected = meta(EFFECTS, SES, "dl")
    assert (written["estimate"], written["tau2"]) == (expected.estimate, expected.tau2)
    assert set(written["leave_one_out"]) == {"dover", "rye", "hythe"}
    assert "<svg" in (tmp_path / "forest.svg").read_text("utf-8")
    assert "without" in cinque_command(*asked, "--leave-one-out").stdout
    for more, code in ((("--plot", "forest.doc"), "picture-form"), (("--ses", "a"), "meta-input")):
        refused = cinque_command(*asked, *more, "--json")
        assert (refused.exit_code, document(refused)["code"]) == (1, code)
