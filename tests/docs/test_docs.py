"""The documentation says what is so: its Python runs, its commands and links exist, its printed pages are fresh."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer

from cinque.analyses import registry
from cinque.cli.main import app
from cinque.enclave.lint import inspect
from cinque.enclave.scaffold import declare_csv, write_scaffold
from cinque.federation.homes import new_keys, new_tre, person_card
from cinque.federation.plan import ORCID
from cinque.model.lifecycle import TABLE, State
from cinque.model.lifecycle_page import mermaid, who_may

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial" / "first-question.md"
PAGES = sorted({ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")} - set((DOCS / "_build").rglob("*.md")))
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]
RECORDS = sorted((DOCS / "decisions").glob("0*.md"))
TODAY = date(2026, 11, 23)
TEST = r"`(tests/[\w/]+\.py)::(\w+)`"


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


# --------------------------------------------------------------------------------------------------------- it is so
@pytest.mark.parametrize(
    ("page", "said"),
    [
        (ROOT / "README.md", "60 exact"),
        (TUTORIAL, "{'suppressed': True, 'at_least': 0, 'at_most': 18} bounded"),
        (DOCS / "howto" / "use-the-crate-library.md", "signed-off True"),
    ],
    ids=["readme", "tutorial", "crate-library"],
)
def test_python_in_the_pages_runs(page: Path, said: str, tmp_path: Path) -> None:
    assert said in page.read_text("utf-8")  # the page promises what the code then prints
    code = "\n".join(blocks(page, "python"))
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout.splitlines()


def test_the_tutorials_rye_permits_what_the_tutorial_says(tmp_path: Path) -> None:
    home = a_tre(tmp_path)
    ran = subprocess.run([sys.executable, "-c", blocks(TUTORIAL, "python")[-1]], cwd=tmp_path, check=False)
    assert ran.returncode == 0
    draft = declare_csv(tmp_path / "rye.csv", "people", release="1", unit="person_id", source=str(tmp_path / "rye.csv"))
    (home / "tre/datasets/people.toml").write_text(
        draft.replace("# levels", "levels").replace("sensitive", "synthetic")
    )
    written = dict(re.findall(r"`rye/(tre/\w+\.toml)`:\n\n```toml\n(.*?)^```", TUTORIAL.read_text(), re.S | re.M))
    assert written.keys() == {"tre/people.toml", "tre/projects.toml", "tre/agreements.toml"}
    for file, text in written.items():
        (home / file).write_text(text)

    report = inspect(home / "tre", frozenset(registry.names()), TODAY)

    assert report.mistakes == ()
    assert any("may run count and table on synthetic dataset `people`" in sentence for sentence in report.says)


def test_the_agreements_of_the_page_are_well_written(tmp_path: Path) -> None:
    home = a_tre(tmp_path, card="carberry.card.json")
    (tmp_path / "admissions.csv").write_text("person_id,sex,age\n1,F,40\n2,M,50\n")
    draft = declare_csv(tmp_path / "admissions.csv", "admissions", release="1", unit="person_id", source="x.csv")
    (home / "tre/datasets/admissions.toml").write_text(draft.replace("# levels", "levels"))
    *texts, postgres, revoked = blocks(DOCS / "howto/write-agreements.md", "toml")
    for file, text in zip(("people", "projects", "agreements", "revoked"), (*texts, revoked), strict=True):
        (home / f"tre/{file}.toml").write_text(text)

    assert inspect(home / "tre", frozenset(registry.names()), TODAY).mistakes == ()

    declared = home / "tre/datasets/admissions.toml"
    declared.write_text(declared.read_text().replace('[source]\nfile = "x.csv"\n', postgres))
    assert 'service = "cohort"' in declared.read_text()
    assert inspect(home / "tre", frozenset(registry.names()), TODAY).mistakes == ()


def a_tre(root: Path, card: str = "researcher.card.json") -> Path:
    """A TRE's home as `cinque tre init` makes it, with the example person's card among its people."""
    home = root / "rye"
    new_tre(home, name="rye", title="Rye TRE", today=TODAY, scaffold=False)
    write_scaffold(home / "scaffold", "rye", "Rye TRE")
    for made in (home / "scaffold").iterdir():
        if not (home / "tre" / made.name).exists():
            made.rename(home / "tre" / made.name)
    person = person_card(
        root, new_keys(root), id=ORCID, name="Josiah Carberry", affiliation="Brown University", today=TODAY
    )
    (home / "tre" / "people" / card).write_bytes(person.envelope)
    return home


# ---------------------------------------------------------------------------------------------------------- it is there
def commands(page: Path) -> list[str]:
    """Every line of a page that calls `cinque`: in a block of shell, or in a line of prose."""
    texts = (*blocks(page, "sh"), *re.findall(r"`(cinque [^`\n|]+)`", page.read_text("utf-8")))
    return [line for text in texts for line in re.findall(r"\bcinque [a-z][^\n)>]*", text)]


@pytest.mark.parametrize("page", [page for page in WRITTEN if commands(page)], ids=name)
def test_every_command_exists_with_its_options(page: Path) -> None:
    for line in commands(page):
        command: Any = typer.main.get_command(app)
        words = shlex.split(line, comments=True)[1:]
        while words and hasattr(command, "list_commands") and words[0] in command.list_commands(typer.Context(command)):
            command = command.get_command(typer.Context(command), words.pop(0))
        assert not hasattr(command, "list_commands") or not words, f"`{line}` is no command"
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, f"`{line}` has an option that is none"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_inside_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        file, _, anchor = target.partition("#")
        if re.match(r"https?://", target):
            continue
        found = (page.parent / file).resolve() if file else page
        assert found.is_file(), f"{name(page)} links to {target}"
        headings = re.findall(r"^#+ (.*)$", found.read_text("utf-8"), re.MULTILINE)
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = {
        (page.parent / f"{line}.md").resolve()
        for page in DOCS.rglob("index.md")
        for tree in blocks(page, r"\{toctree\}")
        for line in tree.splitlines()
        if line and not line.startswith(":")
    }
    assert listed == {page for page in PAGES if DOCS in page.parents} - {DOCS / "index.md"}


def test_every_analysis_has_a_page_and_stands_in_the_overview() -> None:
    overview = (DOCS / "analyses" / "index.md").read_text("utf-8")
    linked = {page for page, _ in re.findall(r"\[(\w+)\]\((\w+)\.md\)", overview)}
    assert linked == {*registry.SHIPPED, "meta"}


def exist(named: list[tuple[str, str]]) -> None:
    for file, test in named:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{file}::{test}"


@pytest.mark.parametrize("record", RECORDS, ids=name)
def test_a_decision_names_tests_that_exist(record: Path) -> None:
    named = re.findall(TEST, record.read_text("utf-8").partition("**Checked by**")[2])
    assert named, "a decision that nothing checks"
    exist(named)


def test_every_published_case_names_tests_that_exist() -> None:
    page = (DOCS / "reference" / "verification.md").read_text("utf-8")
    exist(re.findall(TEST, page))
    assert page.count("tests/") == len(re.findall(TEST, page)) + 2  # the folders, in its first paragraph
    for file in ("test_nist.py", "test_published.py"):  # and the page leaves none of these out
        for test in re.findall(r"^def (test_\w+)", (ROOT / "tests/analyses" / file).read_text("utf-8"), re.MULTILINE):
            assert f"`tests/analyses/{file}::{test}`" in page


# --------------------------------------------------------------------------------------------------------- it is fresh
def test_the_printed_pages_are_fresh() -> None:
    command = [sys.executable, str(ROOT / "tools" / "reference-pages"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_life_cycles_page_shows_every_state_and_step() -> None:
    diagram, table = mermaid(), who_may()
    assert len(table.splitlines()) == 2 + len(TABLE)
    for row in TABLE:
        assert re.search(rf"^\| {row.source} \| {row.step} \| {row.target} \|", table, re.MULTILINE)
        a, b = (re.sub(r"\W", "_", state) for state in (row.source, row.target))
        assert re.search(rf"^    {a} --> {b}: (.*, )?{row.step}(,|$)", diagram, re.MULTILINE)
    assert len(re.findall(r"--> \[\*\]", diagram)) == len(State) - len({row.source for row in TABLE})


def test_the_house_of_documentation_builds(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "-d", str(tmp_path / "trees"), str(DOCS)]
    ran = subprocess.run([*command, str(tmp_path / "html")], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
