"""The page on formulas: its examples run, and every formula in it has the coefficients that it names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cinque.analyses.design import agreed_levels, design
from cinque.errors import Refused
from cinque.expr.formula import parse_formula
from cinque.model.datasets import Column, Dictionary

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "write-a-formula.md").read_text("utf-8")
DICTIONARY = Dictionary(
    "data",
    "1",
    (
        *(Column(name, "number") for name in ("y", "x", "z", "body weight")),
        Column("sex", "text", levels=("F", "M")),
        Column("race", "text", levels=("white", "black", "other")),
        Column("arm", "integer", levels=("1", "2", "3")),
    ),
)
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if "~" in line[:8]]


def code(cell: str) -> str:
    return (
        cell.removeprefix("`` ").removesuffix(" ``") if cell.startswith("``") else cell.strip("`").replace("` `", " ")
    )


@pytest.mark.parametrize(("formula", "coefficients"), [(code(row[0]), code(row[2])) for row in ROWS])
def test_every_formula_has_the_coefficients_that_it_names(formula: str, coefficients: str) -> None:
    parsed = parse_formula(formula)
    made = design(parsed, DICTIONARY, agreed_levels(parsed, {"one": DICTIONARY}))
    assert " ".join(made.names) == coefficients


def test_the_table_is_all_there() -> None:
    assert len(ROWS) == 14


def test_what_the_page_calls_dependent_is_refused() -> None:
    parsed = parse_formula("y ~ sex:race")
    assert "`y ~ sex:race`" in PAGE
    with pytest.raises(Refused) as refused:
        design(parsed, DICTIONARY, agreed_levels(parsed, {"one": DICTIONARY}))
    assert refused.value.code == "formula-dependent"


def test_the_python_of_the_page_prints_what_the_page_says(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    ran = subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    (coefficients,) = re.findall(r"# (\(Intercept\).*)", PAGE)
    (mistake,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert ran.stdout == f"{coefficients}\n{mistake}"
