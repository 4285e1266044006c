"""One round of an analysis on a CSV file: the program that the workflow of its package runs.

    python3 -m cinque.analyses.run MODULE --data … --dataset … --parameters … --history … --appetite … --output …

The engine, the pass, disclosure control and the bytes released are those of an enclave's worker.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cinque.analyses.analysis import Analysis, Released
from cinque.analyses.work import next_step, parameters_of, released_bytes, work
from cinque.errors import CinqueError, Unreadable
from cinque.lib.canonical import strict_loads
from cinque.lib.parse import parse
from cinque.model import CLOSED
from cinque.model.datasets import Dataset, Dictionary, Source
from cinque.sdc.appetite import Appetite


@dataclass(frozen=True, slots=True)
class Declaration:
    """A dataset without the place of its rows."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    dictionary: Dictionary
    unit: str | None

    def over(self, file: str) -> Dataset:
        """The dataset whose rows are in this file. Raises Refused when unit and dictionary say different things."""
        public = self.dictionary
        dataset = Dataset(
            public.dataset, public.release, Source(file=file), public.columns, self.unit, title=public.title
        )
        if dataset.dictionary() != public:
            raise Unreadable("dataset-declaration", "`unit` is null if, and only if, one row is one person.")
        return dataset


def run(analysis: Analysis[Any], files: dict[str, Path]) -> bytes:
    """The released bytes. `files`: data, dataset, parameters, history, appetite. Raises CinqueError in words."""
    from cinque.query.duckdb_engine import open_duckdb  # slow to import, and not there where answers are only read
    from cinque.query.registration import register

    def read(name: str) -> Any:
        return strict_loads(files[name].read_bytes())

    declaration = parse(Declaration, read("dataset"), "The dataset's declaration")
    parameters = parameters_of(analysis, read("parameters"))
    history = parse(list[dict[str, Released]], read("history"), "The history")
    appetite = parse(Appetite, read("appetite"), "The risk appetite")
    data = files["data"].resolve()
    with open_duckdb(declaration.over(data.name), data.parent) as source:
        register(source)
        _, _, released = work(analysis, source, parameters, next_step(analysis, parameters, history), appetite)
    return released_bytes(released)


def main(arguments: list[str] | None = None) -> int:
    """0, or 1 with the reason on standard error and no output."""
    parser = argparse.ArgumentParser(prog="python3 -m cinque.analyses.run", description=__doc__)
    parser.add_argument("module", help="the analysis's module, which holds ANALYSIS")
    for name in ("data", "dataset", "parameters", "history", "appetite", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = vars(parser.parse_args(arguments))
    output = given.pop("output")
    analysis: Analysis[Any] = importlib.import_module(given.pop("module")).ANALYSIS
    try:
        output.write_bytes(run(analysis, given))
    except CinqueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
