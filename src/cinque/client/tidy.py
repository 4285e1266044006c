"""An answer as a table for further work: Arrow or pandas, which are imported only when a table is wanted.

The long form has a row for each figure of a record and TRE: `part`, a column for each label, `tre` ("all": over all
TREs), `figure`, `value`, `at_least`, `at_most`, `suppressed`. A suppressed figure has no value, and its bounds as far
as they are known; a released one is its own bounds. The form of one part has a row for each record and TRE, and a
column for each figure, with `_at_least` and `_at_most` beside where it was suppressed somewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cinque.client.records import BESIDE, Entry, bounds, number, of_records, parts
from cinque.errors import NotFound, Unavailable
from cinque.sdc.figures import is_suppressed

if TYPE_CHECKING:
    from cinque.client.answer import Answer

ALL = "all"
_QUESTION = ("factors", "by", "terms", "levels", "times", "variables")
Columns = dict[str, list[Any]]


def names(answer: Answer) -> list[str]:
    """The parts that an answer has."""
    return list(dict.fromkeys(part for part, _, _ in _entries(answer)))


def columns(answer: Answer, part: str | None = None) -> Columns:
    """The table's columns, all of one length: the long form, or that of one part. Raises NotFound for another part."""
    if part is None:
        return _long(list(_entries(answer)))
    found = [(name, tre, entry) for name, tre, entry in _entries(answer) if name == part]
    if not found:
        raise NotFound(
            "unknown-part", f"This answer has no part `{part}`.", remedy=f"Choose one of: {', '.join(names(answer))}."
        )
    return _wide(found)


def arrow(answer: Answer, part: str | None = None) -> Any:
    """A pyarrow.Table. Raises Unavailable without pyarrow."""
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise _absent("pyarrow") from None
    return pyarrow.table({name: pyarrow.array(_floats(column)) for name, column in columns(answer, part).items()})


def pandas(answer: Answer, part: str | None = None) -> Any:
    """A pandas.DataFrame; whole numbers with gaps are Int64. Raises Unavailable without pandas."""
    try:
        import pandas as pd
    except ModuleNotFoundError:
        raise _absent("pandas") from None
    found = columns(answer, part)
    frame = pd.DataFrame({name: _floats(column) for name, column in found.items()})
    for name, column in found.items():
        known = [value for value in column if value is not None]
        if known and len(known) < len(column) and all(type(value) is int for value in known):
            frame[name] = pd.array(column, dtype="Int64")
    return frame


def _floats(column: list[Any]) -> Any:
    """Numbers where there is none at all, so that the column's type does not hang on what was released."""
    import numpy as np

    return np.full(len(column), np.nan) if column and all(value is None for value in column) else column


def _absent(package: str) -> Unavailable:
    return Unavailable(
        "not-installed", f"This table needs the package `{package}`.", remedy=f"Install it: `pip install {package}`."
    )


def _entries(answer: Answer) -> Iterator[tuple[str, str, Entry]]:
    """(part, TRE or "all", record), TREs first."""
    if answer.result is None:
        return
    # What a TRE's own values do not say again of the question: by which names their records are told apart.
    values = answer.known
    shared = {key: values[key] for key in _QUESTION if key in values and not of_records(values[key])}
    of = {tre: shared | own for tre, own in answer.per_tre.items()}
    by_part: dict[str, list[tuple[str, Entry]]] = {}
    for tre, found_of in (*of.items(), (ALL, values)):
        for part, entries in parts(found_of).items():
            by_part.setdefault(part, []).extend((tre, entry) for entry in entries)
    for part, found in sorted(by_part.items(), key=lambda item: item[0] == BESIDE):
        for tre, entry in found:
            yield part, tre, entry


def _long(found: list[tuple[str, str, Entry]]) -> Columns:
    labels = list(dict.fromkeys(name for _, _, entry in found for name in entry.labels))
    made: Columns = {
        name: [] for name in ("part", *labels, "tre", "figure", "value", "at_least", "at_most", "suppressed")
    }
    for part, tre, entry in found:
        for figure, value in entry.figures.items():
            low, high = (value, value) if isinstance(value, bool) else bounds(value)
            row = {
                "part": part,
                **{name: entry.labels.get(name) for name in labels},
                "tre": tre,
                "figure": figure,
                "value": _real(value if isinstance(value, bool) else number(value)),
                "at_least": _real(low),
                "at_most": _real(high),
                "suppressed": is_suppressed(value),
            }
            for name in made:
                made[name].append(row[name])
    return made


def _wide(found: list[tuple[str, str, Entry]]) -> Columns:
    labels = list(dict.fromkeys(name for _, _, entry in found for name in entry.labels))
    figures = list(dict.fromkeys(name for _, _, entry in found for name in entry.figures))
    made: Columns = {name: [entry.labels.get(name) for _, _, entry in found] for name in labels}
    made["tre"] = [tre for _, tre, _ in found]
    for name in figures:
        column = [entry.figures.get(name) for _, _, entry in found]
        made[name] = _alike([None if is_suppressed(value) else value for value in column])
        if any(map(is_suppressed, column)):
            made[f"{name}_at_least"] = _alike([bounds(value)[0] for value in column])
            made[f"{name}_at_most"] = _alike([bounds(value)[1] for value in column])
    return made


def _alike(column: list[Any]) -> list[Any]:
    """Whole and real numbers in one column are real numbers."""
    return list(map(_real, column)) if any(isinstance(value, float) for value in column) else column


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)
