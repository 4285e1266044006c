"""A federation made and used by its commands alone: real processes, real HTTP, people who decide."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cinque.federation.processes import Service
from cinque.wire.call import free_ports
from tests.cli.commands import a_home, cinque, document

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ADA, CHRIS = "https://orcid.org/0000-0002-1825-0097", "https://orcid.org/0000-0001-5109-3700"
PEOPLE = """
[[person]]
id = "{ada}"
name = "Ada Example"
card = "people/ada.card.json"
roles = ["researcher"]
training_until = 2100-01-01

[[person]]
id = "{chris}"
name = "Chris Example"
card = "people/chris.card.json"
roles = ["operator", "checker"]
"""
PROJECTS = """
[[project]]
id = "study"
name = "The study"
people = ["{ada}"]
valid_from = 2020-01-01
valid_until = 2100-01-01
"""
AGREEMENTS = """
[[agreement]]
id = "counts"
version = "1"
project = "study"
datasets = ["people"]
analyses = ["count", "table"]
lawful_basis = "UK GDPR 6(1)(e)"
valid_from = 2020-01-01
valid_until = 2100-01-01
sign_off = "person"
release = "person"
"""


@dataclass(frozen=True)
class World:
    root: Path

    @property
    def ada(self) -> Path:
        return self.root / "ada"

    @property
    def north(self) -> Path:
        return self.root / "north"

    def staff(self, *args: object) -> Any:
        """What a command at the TRE printed as JSON."""
        found = cinque("tre", *args, "--as", self.root / "chris", "--home", self.north, "--json")
        assert found.exit_code == 0, found.stdout
        return document(found)

    def asked(self, *question: object) -> tuple[str, str]:
        """Ask without waiting; the request, and its task once the TRE holds it."""
        found = cinque("ask", *question, "--detach", home=self.ada)
        assert found.exit_code == 0, found.stderr
        request = found.stdout.strip()
        waited = cinque("answer", request, "--timeout", 10, home=self.ada)  # ends early once a person must decide
        assert waited.exit_code == 0, waited.stderr
        assert "awaiting sign-off" in waited.stdout
        (task,) = [one["task"] for one in self.staff("tasks")["tasks"] if one["request"] == request]
        return request, task

    def until(self, request: str, state: str) -> None:
        for _ in range(40):
            (task,) = document(cinque("status", request, "--json", home=self.ada))["tasks"]
            if task["state"] == state:
                return
            cinque("answer", request, "--timeout", 0.5, home=self.ada)
        raise AssertionError(f"{task['state']}, not {state}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("federation"))
    root, north = made.root, made.north
    hub, gate, enclave = free_ports(3)
    address = f"http://127.0.0.1:{hub}"

    def run(*args: object, home: Path | None = None) -> str:
        found = cinque(*args, home=home)
        assert found.exit_code == 0, found.stdout + found.stderr
        return found.stdout

    run("hub", "init", root / "hub", "--url", address, "--port", hub)
    run("tre", "init", north, "--name", "north", "--title", "North", "--gate-port", gate, "--enclave-port", enclave)
    a_home(made.ada)
    a_home(root / "chris", name="Chris Example", orcid=CHRIS)
    rows = [f"{i},{'F' if i % 3 else 'M'},{20 + i % 50}" for i in range(90)]
    (root / "people.csv").write_text("\n".join(["person,sex,age", *rows]) + "\n")
    draft = run("tre", "dataset", root / "people.csv", "--unit", "person").replace("# levels", "levels")
    assert tomllib.loads(draft)["openness"] == "sensitive"
    (north / "tre" / "datasets" / "people.toml").write_text(draft)
    for name, text in (("people", PEOPLE), ("projects", PROJECTS), ("agreements", AGREEMENTS)):
        (north / "tre" / f"{name}.toml").write_text(text.format(ada=ADA, chris=CHRIS))
    for name in ("ada", "chris"):
        card = (root / name / "person.card.json").read_bytes()
        (north / "tre" / "people" / f"{name}.card.json").write_bytes(card)
    assert "Ada Example of project `study` may run count and table" in run("tre", "check", north).replace("\n", " ")
    run("members", "add", north / "tre.card.json", "--home", root / "list")
    run("members", "add", root / "hub" / "hub.card.json", "--home", root / "list")
    with ExitStack() as stack:

        def serve(kind: str, home: Path) -> Service:
            service = Service(kind, home, root / "logs" / f"{kind}.log")
            service.start()
            stack.callback(service.stop)
            service.ready()
            return service

        serve("hub", root / "hub")
        token = run("hub", "invite", root / "hub", "north").strip()
        run("tre", "enrol", address, token, "--home", north)
        assert cinque("tre", "enrol", address, token, "--home", north).exit_code == 1  # a token is good once
        serve("gate", north)
        serve("enclave", north)
        token = run("hub", "invite", root / "hub", "ada").strip()
        members = root / "list" / "members.json"
        options = ["--token", token, "--project", "study", "--dataset", "people"]
        run("connect", address, "--members", members, *options, home=made.ada)
        yield made


def test_a_question_that_people_sign_off_and_release(world: World) -> None:
    request, task = world.asked("table", "sex", "--title", "Women and men")
    why = world.staff("explain", task[9:17])["why"]
    assert (why["rule"], "sign-off" in why["remedy"]) == ("agreement.sign_off", True)
    assert world.staff("show", task)["parameters"] == {"factors": ["sex"]}
    world.staff("sign-off", task, "--reason", "It fits.")
    world.until(request, "in review")
    waiting = world.staff("show", task)
    assert waiting["output"]["figures"]["n"] == 90
    unseen = cinque(
        *("tre", "release", task, "--reason", "?", "--seen", "0" * 64),
        *("--as", world.root / "chris", "--home", world.north),
    )
    assert (unseen.exit_code, "not-what-was-shown" in unseen.stderr) == (1, True)
    told = cinque("tre", "show", task, "--as", world.root / "chris", "--home", world.north)
    assert waiting["seen"] in told.stdout
    world.staff("release", task, "--reason", "Nobody can be told.", "--seen", waiting["seen"])
    world.until(request, "released")
    found = cinque("answer", request[9:17], "--json", home=world.ada)
    assert found.exit_code == 0
    answer = document(found)
    assert {tuple(cell["levels"]): cell["people"] for cell in answer["values"]["cells"]} == {("F",): 60, ("M",): 30}
    assert (answer["answered"], answer["missing"], answer["pending"]) == (["north"], [], [])
    for path in (answer["answer_crate"], answer["crates"]["north"]):
        assert cinque("verify", path).exit_code == 0
    assert cinque("crate", "check", answer["crates"]["north"]).exit_code == 0
    late = cinque("cancel", request, home=world.ada)
    assert (late.exit_code, "Too late to cancel: released at" in late.stderr) == (1, True)


def test_a_person_refuses_in_words_that_reach_the_researcher(world: World) -> None:
    request, task = world.asked("count", "--where", "age > 30")
    world.staff("refuse", task, "--reason", "Between us.", "--answer", "Ask again in spring.")
    world.until(request, "refused")
    found = cinque("answer", request, "--json", home=world.ada)
    assert found.exit_code == 1  # nobody answered, and nobody will
    (missing,) = document(found)["missing"]
    assert (missing["tre"], missing["reason"]) == ("north", "Ask again in spring.")
    assert "Between us" not in found.stdout
    assert cinque("verify", document(found)["records"]["north"]).exit_code == 4
    assert world.staff("explain", task)["why"]["sentence"] == "Ask again in spring."


def test_an_output_is_withheld(world: World) -> None:
    request, task = world.asked("count")
    world.staff("sign-off", task, "--reason", "It fits.")
    world.until(request, "in review")
    world.staff("withhold", task, "--reason", "Too little.", "--answer", "It may not leave.")
    world.until(request, "withheld")
    assert cinque("answer", request, home=world.ada).exit_code == 1


def test_a_cancelled_request_ends(world: World) -> None:
    request, _ = world.asked("count", "--where", "age > 40")
    assert document(cinque("cancel", request, "--json", home=world.ada))["request"] == request
    world.until(request, "cancelled")


def test_who_is_not_staff_may_not_look(world: World) -> None:
    for me in (world.ada, a_home(world.root / "eve", name="Eve Example", orcid="0000-0001-5000-0007")):
        found = cinque("tre", "tasks", "--as", me, "--home", world.north)
        assert found.exit_code == 1
        assert found.stdout == ""


@pytest.mark.parametrize(
    ("question", "code"),
    [
        (["count", "--where", "age >"], "filter-syntax"),
        (["table", "colour"], "unknown-column"),
        (["count", "--tres", "west"], "tre-unknown"),
    ],
)
def test_a_question_that_does_not_fit_is_refused_before_anything_is_sent(
    world: World, question: list[str], code: str
) -> None:
    before = sorted((world.ada / "requests").iterdir())
    found = cinque("ask", *question, "--json", home=world.ada)
    assert (found.exit_code, document(found)["code"]) == (1, code)
    assert sorted((world.ada / "requests").iterdir()) == before


def test_everything_that_was_asked_is_listed_and_the_record_holds(world: World) -> None:
    listed = document(cinque("status", "--json", home=world.ada))["requests"]
    assert len(listed) == len(list((world.ada / "requests").iterdir()))
    assert "Women and men" in cinque("status", home=world.ada).stdout
    assert cinque("audit", "verify", world.root).exit_code == 0
