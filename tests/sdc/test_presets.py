"""Appetites: the numbers their organisations publish, and what a TRE may write."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest

from cinque.errors import Refused
from cinque.sdc.appetite import Appetite
from cinque.sdc.presets import PRESETS, appetite_from, digest, preset


@pytest.mark.parametrize(
    ("name", "first_released", "zeros"),
    [
        ("acro-default", 10, "suppress"),
        ("opensafely", 8, "release"),  # 7 or fewer are redacted
        ("uk-llc", 10, "suppress"),  # zero included
        ("abs-datalab", 10, "suppress"),
        ("nhs-hes", 8, "release"),  # 1 to 7 are suppressed
        ("datashield", 3, "release"),
    ],
)
def test_presets(name: str, first_released: int, zeros: str) -> None:
    found = preset(name)
    assert (found.name, found.threshold, found.zeros) == (name, first_released, zeros)
    assert found.source.startswith("https://")


def test_presets_say_what_they_leave_out() -> None:
    assert {name for name, found in PRESETS.items() if "PARTIAL" in found.source} == {
        "opensafely", "abs-datalab", "nhs-hes", "datashield",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "said"), [("opensafly", "opensafely"), ("something", "acro-default")])
def test_an_unknown_name_is_refused_with_the_nearest(name: str, said: str) -> None:
    with pytest.raises(Refused, match=said) as refusal:
        appetite_from(name)
    assert refusal.value.code == "unknown-appetite"


def test_an_own_appetite() -> None:
    assert appetite_from({"threshold": 3}) == Appetite("custom", "", 3, "suppress")
    assert appetite_from({"threshold": 5, "zeros": "release"}).zeros == "release"
    assert appetite_from("acro-default") == Appetite()


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({}, "threshold"),
        ({"threshold": "3"}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"threshold": 3.0}, "threshold"),
        ({"threshold": -1}, "threshold"),
        ({"threshold": 3, "zeros": "maybe"}, "zeros"),
        ({"threshold": 3, "zeros": []}, "zeros"),
        ({"threshold": 3, "source": 1}, "source"),
        ({"threshold": 3, "treshold": 10}, "treshold"),
        ({"threshold": 3, "name": "uk-llc"}, "name"),  # nobody's name on other numbers
        ({"threshold": 2, "zeros": "release"}, "threshold of 2"),
    ],
)
def test_what_is_not_an_appetite_is_refused_in_words(spec: Mapping[str, object], word: str) -> None:
    with pytest.raises(Refused, match=word):
        appetite_from(spec)


def test_the_digest_is_of_the_canonical_json() -> None:
    own = appetite_from({"threshold": 3, "source": "our board"})
    written = (
        b'{"dof":10,"dominance":0.1,"name":"custom","ratio":0.33,"source":"our board","threshold":3,"zeros":"suppress"}'
    )
    assert digest(own) == hashlib.sha256(written).hexdigest()
    assert len({digest(found) for found in PRESETS.values()} | {digest(own)}) == len(PRESETS) + 1
