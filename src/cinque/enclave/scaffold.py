"""First files for a TRE's folder: `cinque tre init` writes them, `cinque tre dataset FILE` drafts a declaration.

They are for an operator to read and edit. What would permit something is commented out: untouched, all is refused.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cinque.errors import Refused, Unreadable
from cinque.model.datasets import ColumnType

_TRE = """\
# Who speaks. `cinque tre check` says in words what this folder permits, and names each mistake by file and line.
# Keep the folder under version control: its digest stands in every sign-off.
name = {name}
title = {title}
{ror}
# contact = "Where a researcher who was refused may ask."
"""
_APPETITE = """\
# The risk appetite: how few people a released figure may be about. Published, and part of this TRE's card.
preset = "acro-default"

# Or this TRE's own numbers, instead of a preset:
# threshold = 10        # a count of fewer people is suppressed
# zeros = "suppress"    # or "release": whether a count of nobody is suppressed as well
# dof = 10              # fewest residual degrees of freedom of a model
# dominance = 0.1       # p of the p% rule: what is left beside the two largest parts, as a share of the largest
# ratio = 0.33          # most parameters, and most numbers of a session, for each person behind them
# source = "Where the numbers come from."
"""
_PEOPLE = """\
# Whom this TRE knows. Put the card that a person sent you into people/, and compare its fingerprint with them by
# another channel: in person or by telephone, never by the way on which the card came.
#
# [[person]]
# id = "https://orcid.org/0000-0002-1825-0097"    # as on the card
# name = "Ada Example"                            # as on the card
# card = "people/ada.card.json"
# roles = ["researcher"]                          # also "operator" (signs off requests), "checker" (decides on outputs)
# training_until = 2027-06-30                     # last day; without it, synthetic and public data only
"""
_PROJECTS = """\
# Projects and their people, by id. Both dates are included.
#
# [[project]]
# id = "diabetes-study"
# name = "The diabetes study"
# people = ["https://orcid.org/0000-0002-1825-0097"]
# valid_from = 2026-01-01
# valid_until = 2027-12-31
"""
_AGREEMENTS = """\
# What a project may do. What no agreement covers is refused. Files in agreements/ are read like this one.
#
# [[agreement]]
# id = "counts"
# version = "1"
# project = "diabetes-study"
# datasets = ["demo"]
# analyses = ["count"]              # name, name@version, or "name@version sha256:…"
# columns = ["sex", "age"]          # leave out: every column that does not identify people
# lawful_basis = "UK GDPR 6(1)(e) and 9(2)(j)"
# valid_from = 2026-01-01
# valid_until = 2027-12-31
# sign_off = "person"               # or "automatic": a fitting request starts by itself
# release = "person"                # or "automatic": only for data declared synthetic or public
# max_rounds = 1                    # rounds of one question, for analyses that need several
"""
_REVOKED = """\
# What no longer holds, from the moment it stands here, also for requests that are under way.
#
# [[revoked]]
# what = "person"                   # person, project, agreement, analysis, key or tre
# id = "https://orcid.org/0000-0002-1825-0097"
# on = 2026-11-23
# reason = "Left the university."
"""
_DATASET = """\
# One file for each dataset, such as demo.toml. `cinque tre dataset FILE` drafts it from a CSV file.
# This one is not read, because its name does not end with .toml.

id = "demo"
release = "2026-11"
openness = "sensitive"              # or "synthetic", "public"
unit = "person_id"                  # the column that tells people apart; leave out when one row is one person

[source]
file = "../data/demo.csv"           # or Parquet; or database = "x.duckdb" with table = "t"; or sql over files

[[columns]]
name = "person_id"
type = "integer"                    # integer, number, text, boolean, date
identifying = true                  # never usable in an analysis

[[columns]]
name = "sex"
type = "text"
levels = ["F", "M"]                 # every value that may occur

[[columns]]
name = "age"
type = "integer"
unit_of_measure = "a"               # years, in UCUM
precision = 1                       # recorded in whole years
"""


def write_scaffold(path: Path, name: str, title: str, ror: str = "") -> None:
    """Write the folder of a TRE that permits nothing yet. `name`: short, as on its card; `ror`: may be "".

    Raises Refused("folder-exists") when there is one, Unreadable when it cannot be written.
    """
    files = {
        "tre.toml": _TRE.format(
            name=quoted(name), title=quoted(title), ror=f"ror = {quoted(ror)}" if ror else '# ror = "https://ror.org/…"'
        ),
        "appetite.toml": _APPETITE,
        "people.toml": _PEOPLE,
        "projects.toml": _PROJECTS,
        "agreements.toml": _AGREEMENTS,
        "revoked.toml": _REVOKED,
        "datasets/demo.toml.example": _DATASET,
    }
    try:
        if (path / "tre.toml").exists():
            raise Refused("folder-exists", f"The folder {path.name} is one already.", remedy="It was left as it is.")
        for folder in ("people", "datasets", "members"):
            (path / folder).mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            with (path / file).open("x", encoding="utf-8") as opened:
                opened.write(text)
    except OSError as error:
        raise Unreadable("folder-not-written", f"The folder could not be written: {error.strerror}.") from error


def quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# ------------------------------------------------------------------------------------------------ a dataset's draft
FEW = 12  # up to so many different texts look like the levels of a factor
# What begins with needless zeros is a code, and stays text.
_FITS: Sequence[tuple[ColumnType, re.Pattern[str]]] = (
    ("boolean", re.compile(r"(?i)true|false")),
    ("integer", re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")),
    ("number", re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")),
    ("date", re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")),
)


def declare_csv(file: Path, id: str, *, release: str, unit: str | None = None, source: str = "") -> str:
    """Draft a dataset's declaration (TOML) from a CSV file with a header; `source`: the path to write into it, by
    default the file's name. Types are guessed from every row, and are for the operator to confirm. Levels come from
    the data, so they stand commented out. Openness is `sensitive` until the operator says otherwise.

    Raises Unreadable("csv-unreadable"), Refused("unknown-column") for a unit that the header lacks.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.reader(opened, strict=True)
            header = next(rows, [])
            if not header or not all(header) or len({name.casefold() for name in header}) != len(header):
                raise Unreadable("csv-unreadable", "A CSV file begins with a line of distinct column names.")
            if unit is not None and unit not in header:
                raise Refused("unknown-column", f"The file has no column `{unit}` to tell people apart by.")
            columns = [_Column(name, name == unit) for name in header]
            for row in rows:
                if row and len(row) != len(header):
                    raise Unreadable(
                        "csv-unreadable", f"Line {rows.line_num} has {len(row)} fields, the header has {len(header)}."
                    )
                for column, value in zip(columns, row, strict=False):
                    column.see(value)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Unreadable("csv-unreadable", "The file is not a CSV file in UTF-8, or could not be read.") from error
    lines = [
        "# Drafted from the file's header and values. Confirm each type, and mark what identifies people.",
        f"id = {quoted(id)}",
        f"release = {quoted(release)}",
        'openness = "sensitive"',
        *([f"unit = {quoted(unit)}"] if unit else ["# unit = …   # without it, one row is one person"]),
        "",
        "[source]",
        f"file = {quoted(source or file.name)}",
    ]
    for column in columns:
        lines += ["", *column.lines()]
    return "\n".join(lines) + "\n"


class _Column:
    """What the values of a column have in common so far."""

    def __init__(self, name: str, is_unit: bool) -> None:
        self.name = name
        self.is_unit = is_unit
        self.fitting = list(_FITS)
        self.texts: set[str] = set()
        self.seen = False

    def see(self, value: str) -> None:
        if value == "":
            return
        self.seen = True
        self.fitting = [(kind, form) for kind, form in self.fitting if form.fullmatch(value)]
        if len(self.texts) <= FEW:
            self.texts.add(value)

    def lines(self) -> Iterator[str]:
        kind: ColumnType = self.fitting[0][0] if self.seen and self.fitting else "text"
        if self.is_unit and kind not in ("integer", "text"):
            kind = "text"
        yield "[[columns]]"
        yield f"name = {quoted(self.name)}"
        yield f'type = "{kind}"'
        if self.is_unit:
            yield "identifying = true"
        elif kind == "text" and self.seen and len(self.texts) <= FEW:
            yield "# From the data: keep only what may be told to every researcher, and take away the #."
            yield f"# levels = [{', '.join(quoted(text) for text in sorted(self.texts))}]"
