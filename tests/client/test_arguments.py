"""What is wrong with a question's parameters is said in words, with a way out, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cinque
from cinque.analyses import registry
from cinque.client.arguments import arguments, check_levels
from cinque.errors import CinqueError
from cinque.model.datasets import Column, Dictionary

PEOPLE = {"sex": ["F", "M"] * 40, "age": list(range(20, 100)), "sick": [True, False, False, True] * 20}


class Sent(Exception):
    """Something was handed to the hub."""


@pytest.fixture(scope="module")
def federation() -> Iterator[cinque.Federation]:
    with cinque.Federation.local({"dover": PEOPLE, "hythe": PEOPLE}, appetite={"threshold": 0}) as made:
        yield made


@pytest.mark.parametrize(
    ("analysis", "args", "given", "code", "said"),
    [
        ("glm", (), {"formula": "sick ~ age", "famly": "binomial"}, "unknown-parameter", "Did you mean `family`?"),
        ("glm", (), {"family": "binomial"}, "missing-parameter", "`glm` needs `formula`"),
        ("count", ("age > 3", "b"), {}, "too-many-parameters", "`where=`"),
        ("summary", ("age",), {"variable": "age"}, "parameter-twice", "given twice"),
        ("summary", (["age"],), {}, "parameter-type", "is text, and what was given is a list"),
        ("summary", (pd.Series(["age"]),), {}, "parameter-type", "is text, and what was given is a list"),
        ("table", ({"sex", "sick"},), {}, "parameter-type", "Give a list"),
        ("histogram", ("age", 9.5), {"low": 0, "high": 100}, "parameter-type", "a whole number"),
        ("ttest", ("age",), {"by": "sex", "equal_variance": "yes"}, "parameter-type", "True or False"),
        ("count", (), {"data": "dat"}, "unknown-dataset", "Did you mean `data`?"),
        ("count", (), {"tres": ["dovr"]}, "tre-unknown", "Did you mean `dover`?"),
        ("count", (), {"timeout": "long"}, "timeout-type", "seconds"),
        ("count", ("sex == 'female'",), {}, "unknown-level", "Its levels are: `F`, `M`."),
        ("count", ("sex in ('F', 'Mm')",), {}, "unknown-level", "Did you mean `M`?"),
        ("count", ("sex == F",), {}, "filter-unknown-column", "quotation marks"),
        ("lm", ("age ~ sex + age",), {}, "formula-type", "`age` stands on both sides"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_sent(
    federation: cinque.Federation,
    monkeypatch: pytest.MonkeyPatch,
    analysis: str,
    args: tuple[Any, ...],
    given: dict[str, Any],
    code: str,
    said: str,
) -> None:
    def submit(*_: Any) -> None:
        raise Sent

    monkeypatch.setattr(federation.client, "submit", submit)
    with pytest.raises(CinqueError) as refused:
        getattr(federation, analysis)(*args, **given)
    assert refused.value.code == code
    assert said in str(refused.value)


def test_an_analysis_that_is_none_is_an_attribute_that_is_none(federation: cinque.Federation) -> None:
    with pytest.raises(AttributeError, match="Did you mean `glm`"):
        federation.gml("sick ~ age")
    assert not hasattr(federation, "_repr_latex_")


def test_what_numpy_and_pandas_give_is_taken_as_what_it_is(federation: cinque.Federation) -> None:
    by_numpy = federation.histogram("age", np.int64(4), low=np.int64(20), high=np.float64(100))
    assert by_numpy.result == federation.histogram("age", 4, low=20, high=100).result
    glm = registry.get("quantiles")
    assert arguments(glm, {"probabilities": np.array([0.25, 0.5])}) == {"probabilities": [0.25, 0.5]}
    assert arguments(registry.get("table"), {"factors": pd.Index(["a", "b"])}) == {"factors": ["a", "b"]}
    assert arguments(registry.get("table"), {"factors": "a", "where": None}) == {"factors": ["a"]}
    assert arguments(registry.get("ttest"), {"equal_variance": np.bool_(True)}) == {"equal_variance": True}


def test_one_tre_may_be_named_alone(federation: cinque.Federation) -> None:
    assert federation.count(tres="hythe").answered == ("hythe",)


def test_a_level_that_some_tre_declares_may_be_asked_of_all() -> None:
    one = Dictionary("data", "1", (Column("region", "text", levels=("east", "north")),))
    other = Dictionary("data", "1", (Column("region", "text", levels=("west",)),))
    free = Dictionary("data", "1", (Column("region", "text"),))
    check_levels("region == 'west' or 'north' != region", [one, other])
    check_levels("region == 'anything'", [one, free])
    with pytest.raises(CinqueError, match="unknown-level"):
        check_levels("region == 'west'", [one])
