"""The synthetic rows that the statistics are measured on, and a federation of real processes that holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb

from cinque.client.client import Client
from cinque.client.home import ClientHome
from cinque.federation.plan import PROJECT, PlannedTre
from cinque.federation.processes import Processes, enrol, prepare
from cinque.lib.clock import system_clock
from cinque.lib.parse import dump
from cinque.model.datasets import Column, Dataset, Source
from cinque.sdc.appetite import Appetite

COVARIATES = 10
TRES = ("dover", "hastings", "romney")
FORMULA = "y ~ " + " + ".join(f"x{i}" for i in range(COVARIATES))


def write_rows(path: Path, rows: int, first: int) -> None:
    """Rows whose every value is a hash of its place: the same on every machine, whatever is run beside it."""
    uniform = "(hash({row} * 31 + {salt}) >> 11) / 9007199254740992.0"
    columns = [
        " + ".join(uniform.format(row="i", salt=100 * x + k) for k in range(3)) + f" - 1.5 AS x{x}"
        for x in range(COVARIATES)
    ]
    eta = " + ".join(f"{0.1 * (x - 4):.2f} * x{x}" for x in range(COVARIATES))
    with duckdb.connect() as data:
        data.execute("SET threads = 2; SET memory_limit = '2GB'; SET preserve_insertion_order = false")
        data.execute(
            "COPY (SELECT *, "  # noqa: S608 - constants, and a path that the benchmark chose
            f"({uniform.format(row='i', salt=7)} < 1 / (1 + exp(-(-0.5 + {eta}))))::BOOLEAN AS y, "
            "CASE WHEN hash(i * 7) % 2 = 0 THEN 'F' ELSE 'M' END AS sex, "
            "['a', 'b', 'c', 'd'][1 + (hash(i * 13) % 4)::INT] AS arm "
            f"FROM (SELECT i, {', '.join(columns)} FROM range({first}, {first + rows}) r(i))) TO '{path}'"
        )


def write_for_each(folder: Path, name: str, rows: int) -> dict[str, Path]:
    """A file of so many rows for each TRE, FOLDER/<tre>/<name>.parquet, by TRE."""
    files = {tre: folder / tre / f"{name}.parquet" for tre in TRES}
    for place, file in enumerate(files.values()):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_rows(file, rows, place * rows)
    return files


def dataset(file: str, identifier: str = "rows") -> Dataset:
    """The declaration of these rows."""
    columns = (
        *(Column(f"x{i}", "number") for i in range(COVARIATES)),
        Column("y", "boolean"),
        Column("sex", "text", levels=("F", "M")),
        Column("arm", "text", levels=("a", "b", "c", "d")),
    )
    return Dataset(identifier, "1", Source(file=file), columns, openness="synthetic")


@contextmanager
def federation(home: Path, held: Mapping[str, Mapping[str, Path]], analyses: Sequence[str]) -> Iterator[Client]:
    """Seven processes over these files (dataset -> TRE -> file), up and described. HOME is the researcher's too."""
    today = system_clock().date()
    agreement = {
        "id": "bench",
        "version": "1",
        "title": "Synthetic rows",
        "project": PROJECT,
        "datasets": list(held),
        "analyses": list(analyses),
        "lawful_basis": "Synthetic data",
        "valid_from": today,
        "valid_until": today + timedelta(days=1),
        "sign_off": "automatic",
        "release": "automatic",
        "max_rounds": 100,
    }
    declared = [dump(dataset(f"data/{name}.parquet", name)) for name in held]
    planned = [
        PlannedTre(
            tre,
            tre.capitalize(),
            declared,
            [agreement],
            {f"data/{name}.parquet": files[tre] for name, files in held.items()},
            Appetite(),
        )
        for tre in TRES
    ]
    written = prepare(home, planned, dataset=next(iter(held)))
    enrol(written, ClientHome(home).settings().hub)
    with Processes(written) as services:
        services.start()
        client = Client.open(ClientHome(home))
        for name in held:
            client.wait_described(name)
        yield client
        client.close()
