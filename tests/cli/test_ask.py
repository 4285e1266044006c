"""The commands under `ask` come from the parameters of the analyses; no analysis needs one of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import typer

from cinque.analyses import registry
from cinque.analyses.work import parameters_of
from cinque.cli import ask, requests
from cinque.model import CLOSED
from tests.cli.commands import cinque

Asked = list[tuple[str, dict[str, Any], dict[str, Any]]]


class _Listener:
    """In the place of a client: keeps what it is asked, and ends the command."""

    def __init__(self) -> None:
        self.asked: Asked = []

    def ask(self, analysis: str, parameters: dict[str, Any], **given: Any) -> None:
        self.asked.append((analysis, parameters, given))
        raise typer.Exit

    @contextmanager
    def opened(self, ctx: typer.Context, home: Path) -> Iterator[_Listener]:
        yield self


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What would have been signed and sent."""
    listener = _Listener()
    monkeypatch.setattr(requests, "opened", listener.opened)
    monkeypatch.setattr(ask, "home_of", lambda ctx, home: Path())
    return listener.asked


@pytest.mark.parametrize(
    ("line", "parameters"),
    [
        ("count", {}),
        ("count --where age>40", {"where": "age>40"}),
        ("table sex", {"factors": ["sex"]}),
        ("table sex,drug --where age>40", {"factors": ["sex", "drug"], "where": "age>40"}),
        ("table sex drug", {"factors": ["sex", "drug"]}),
        ("summary age", {"variable": "age"}),
        ("summary age --by sex --by drug", {"variable": "age", "by": ["sex", "drug"]}),
        ("summary age --by sex,drug", {"variable": "age", "by": ["sex", "drug"]}),
        ("quantiles age --low 0 --high 110", {"variable": "age", "low": 0.0, "high": 110.0}),
        ("quantiles age --probabilities 0.1 --probabilities 0.9", {"variable": "age", "probabilities": [0.1, 0.9]}),
        ("histogram age --bins 5 --low 0 --high 9", {"variable": "age", "bins": 5, "low": 0.0, "high": 9.0}),
        ("histogram age --edges 0 --edges 1.5", {"variable": "age", "edges": [0.0, 1.5]}),
        ("missing", {}),
        ("missing --variables age,sex", {"variables": ["age", "sex"]}),
        ("table_one age,sex --by drug", {"variables": ["age", "sex"], "by": ["drug"]}),
        ("lm y~x --errors hc3", {"formula": "y~x", "errors": "hc3"}),
        ("cmh smokes died", {"exposure": "smokes", "outcome": "died"}),
        ("cmh smokes died --no-correct", {"exposure": "smokes", "outcome": "died", "correct": False}),
        (
            "glm y~x+log(z) --family poisson --offset o --rounds few",
            {"formula": "y~x+log(z)", "family": "poisson", "offset": "o", "rounds": "few"},
        ),
    ],
)
def test_a_command_line_is_the_parameters_of_its_analysis(asked: Asked, line: str, parameters: dict[str, Any]) -> None:
    assert cinque("ask", *line.split()).exit_code == 0
    ((name, given, _),) = asked
    assert (name, given) == (line.split()[0], parameters)
    parameters_of(registry.get(name), given)  # and they are in their form


def test_the_rest_of_a_question(asked: Asked) -> None:
    found = cinque("ask", "count", "--data", "people", "--project", "p", "--tres", "north,south")
    assert found.exit_code == 0
    ((_, _, given),) = asked
    assert given == {"dataset": "people", "project": "p", "tres": ["north", "south"], "title": ""}


@pytest.mark.parametrize("line", ["table", "summary", "summary age sex", "count --were x", "count --timeout soon"])
def test_wrong_usage(asked: Asked, line: str) -> None:
    assert cinque("ask", *line.split()).exit_code == 2
    assert asked == []


@dataclass(frozen=True, slots=True)
class _Fit:
    __pydantic_config__: ClassVar[Any] = CLOSED
    outcome: str
    terms: tuple[str, ...] = field(default=(), metadata={"description": "What explains it."})
    link: Literal["logit", "probit"] = "logit"
    steps: int = 25
    tolerance: float | None = None
    robust: bool = False


def _command_of(parameters: type[Any]) -> typer.Typer:
    analysis = dataclasses.replace(registry.get("count"), name="fit", parameters=parameters)
    made = typer.Typer()
    made.command("fit")(ask.function(analysis))
    return made


@pytest.mark.parametrize(
    ("args", "parameters"),
    [
        (["death"], {"outcome": "death"}),
        (
            ["death", "--terms", "age", "--link", "probit", "--steps", "3", "--tolerance", "0.5", "--robust"],
            {"outcome": "death", "terms": ["age"], "link": "probit", "steps": 3, "tolerance": 0.5, "robust": True},
        ),
    ],
)
def test_an_analysis_to_come_is_asked_without_a_line_of_its_own(
    asked: Asked, args: Sequence[str], parameters: dict[str, Any]
) -> None:
    from typer.testing import CliRunner

    result = CliRunner().invoke(_command_of(_Fit), args)
    assert result.exit_code == 0, result.output
    assert asked[0][:2] == ("fit", parameters)
    assert CliRunner().invoke(_command_of(_Fit), ["death", "--link", "cauchy"]).exit_code == 2


def test_a_parameter_that_would_hide_an_option_of_every_question_is_refused() -> None:
    @dataclass(frozen=True)
    class Clash:
        project: str = ""

    with pytest.raises(ValueError, match="project"):
        _command_of(Clash)


def test_a_question_before_connecting_says_what_to_do(tmp_path: Path) -> None:
    assert cinque("key", "new", home=tmp_path).exit_code == 0
    found = cinque("ask", "count", home=tmp_path)
    assert (found.exit_code, "cinque connect" in found.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]
