"""An answer for people: in the terminal and as a piece of HTML.

Works from the values alone, for any analysis: a mapping's numbers stand in one table, a list of records in one table
with a row for each (its words label the row, its numbers are the figures), for each TRE and in all. What was suppressed
is printed as what can be known of it, never as nothing or 0. All text may be somebody else's and is made harmless.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from cinque.client.digits import figures, is_interval
from cinque.crate.wording import short

if TYPE_CHECKING:
    from cinque.client.answer import Answer

ALL = "all"
_WIDE = 6  # TREs that have a column each; with more, each has a row
_FACTORS = ("factors", "by")  # where values name the columns whose levels a record lists
_LINE = 100  # columns of a sentence
_OVER = "pooled_over"
_VALUE = "value"  # a figure whose record's words say what it is
_WORDS = {"percent_missing": "missing, %", "ungrouped": "in no group"}  # headings that are no words

Cell = tuple[str, bool]  # what is printed, and whether it is the suppressed form


# ---------------------------------------------------------------------------------------------- values -> sheets
@dataclass(frozen=True, slots=True)
class Record:
    """One row before it is laid out: words that say which, and its figures by name."""

    labels: tuple[tuple[str, str], ...]
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: what its figures are where that is one thing, headings, how many of them are labels, and rows."""

    title: str
    columns: tuple[str, ...]
    labels: int
    rows: tuple[tuple[Cell, ...], ...]


def sheets(answer: Answer) -> list[Sheet]:
    """The figures of an answer, for each TRE and in all. None when nobody released any."""
    values = answer.result
    if values is None:
        return []
    factors = next((tuple(map(str, values[key])) for key in _FACTORS if isinstance(values.get(key), list)), ())
    members = {tre: answer.names.get(tre, tre) for tre in values.get("per_tre", {})}
    per_tre = {name: _collected(own, factors, None) for name, own in answer.per_tre.items()}
    whole = _collected({key: value for key, value in values.items() if key != "per_tre"}, factors, members)
    return [
        _laid_out(records, {tre: own.get(place, []) for tre, own in per_tre.items()})
        for place, records in whole.items()
    ]


def _collected(
    values: Mapping[str, Any], factors: Sequence[str], members: Mapping[str, str] | None
) -> dict[str, list[Record]]:
    """Records by where they stand: the key of a list of records, then "" for the figures beside those lists.
    `members`: id -> name of the TREs in the whole; None within one TRE.
    """
    found: dict[str, list[Record]] = {}
    for key, value in values.items():
        if isinstance(value, list) and value and not _is_figure(value) and all(isinstance(v, Mapping) for v in value):
            records = [_record(item, factors, members) for item in value]
            if any(record.figures for record in records):
                found[key] = records
    if beside := {".".join(path): value for path, value in _figures(values)}:
        found[""] = [Record((), beside)]
    return found


def _figures(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The figures in nested mappings, with the keys that lead to them; text and lists of records are none."""
    for key, value in values.items():
        here = (*path, str(key))
        if _is_figure(value):
            yield here, value
        elif isinstance(value, Mapping):
            yield from _figures(value, here)


def _is_figure(value: Any) -> bool:
    if value is None or isinstance(value, int | float):
        return True
    if isinstance(value, Mapping):
        return value.get("suppressed") is True
    return isinstance(value, list) and bool(value) and all(_is_figure(item) for item in value)


def _record(item: Mapping[str, Any], factors: Sequence[str], members: Mapping[str, str] | None) -> Record:
    labels: list[tuple[str, str]] = []
    figures: dict[str, Any] = {".".join(path): value for path, value in _figures(item)}
    for key, value in item.items():
        if isinstance(value, str):
            labels.append((key, value))
        elif key == _OVER and isinstance(value, list):
            if members is not None and set(value) != members.keys():  # said where it is not everybody
                figures["pooled over"] = ", ".join(sorted(members.get(tre, str(tre)) for tre in value)) or "nobody"
        elif isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            if len(value) == len(factors):
                labels += zip(factors, value, strict=True)
            else:
                labels.append((key, ", ".join(value)))
    return Record(tuple(labels), figures)


def _laid_out(whole: Sequence[Record], per_tre: Mapping[str, Sequence[Record]]) -> Sheet:
    """TREs side by side where a record has one figure, below each other where it has several; none where no TRE has
    such figures of its own.
    """
    labels = [name for name, _ in whole[0].labels]
    names = list(dict.fromkeys(name for record in whole for name in record.figures))
    found = {tre: {record.labels: record.figures for record in own} for tre, own in per_tre.items()}
    tres = any(records.get(record.labels) for records in found.values() for record in whole)
    if len(names) == 1 and labels and tres and len(found) <= _WIDE:
        rows = []
        for record in whole:
            own = [records.get(record.labels, {}).get(names[0], "") for records in found.values()]
            of = record.labels[-1][1] if names[0] == _VALUE else names[0]
            rows.append((*_words(record), *cells([*own, record.figures.get(names[0], "")], of)))
        return Sheet("" if names[0] == _VALUE else names[0], (*labels, *found, ALL), len(labels), tuple(rows))
    lines = [
        (_words(record), tre, own)
        for record in whole
        for tre, records in (*(found.items() if tres else ()), (ALL, {record.labels: record.figures}))
        if (own := records.get(record.labels))
    ]
    columns = [cells([own.get(name, "") for _, _, own in lines], name) for name in names]
    said = [(*words, *([(short(tre), False)] if tres else [])) for words, tre, _ in lines]
    rows = [(*words, *(column[place] for column in columns)) for place, words in enumerate(said)]
    head = (*labels, *(["TRE"] if tres else []))
    return Sheet("", (*head, *map(heading, names)), len(head), tuple(rows))


def heading(name: str) -> str:
    """A figure's name in words."""
    return "95 % interval" if is_interval(name) else _WORDS.get(name, name)


def _words(record: Record) -> tuple[Cell, ...]:
    return tuple((short(text), False) for _, text in record.labels)


def cells(values: Sequence[Any], name: str = "") -> list[Cell]:
    """Figures of one name that are read together (client/digits.py)."""
    return [(text, isinstance(value, Mapping)) for text, value in zip(figures(values, name), values, strict=True)]


# ------------------------------------------------------------------------------------------------------------ words
def exactness(answer: Answer) -> str:
    """How far the answer can be relied on, in words (contracts section 4)."""
    if answer.result is None:
        if answer.pending:
            return "No figure has come back yet: there is no answer so far."
        return "Nobody released a figure: there is no answer."
    over = ", ".join(answer.pooled_over) or "nobody"
    if answer.result.get("method") == "site estimates":
        text = f"Approximate: each TRE's own estimates, combined; pooled over {over}."
    elif answer.exactness == "exact" and not answer.missing and not answer.pending:
        text = f"Exact: nothing was suppressed or rounded, and every TRE that was asked answered ({over})."
    elif answer.exactness == "exact":
        text = f"Not of every TRE that was asked: pooled over {over} alone, where nothing was suppressed or rounded."
    elif answer.exactness == "bounded":
        text = f"Bounded: some figures were suppressed, and stand as what can be known of them; pooled over {over}."
    else:
        text = f"{answer.exactness.capitalize()}: figures were altered to protect people; pooled over {over}."
    if len(answer.answered) > 1:
        text += " Somebody in the data of two TREs counts twice."
    return text


def _absent(answer: Answer) -> list[tuple[str, str]]:
    lost = [(one.tre, f"{one.reason} [{one.code}]") for one in answer.missing]
    said = {one.tre for one in answer.missing}
    return lost + [(tre, "No answer yet.") for tre in answer.pending if tre not in said]


def _places(answer: Answer) -> list[tuple[str, str]]:
    places = [("answer", str(answer.crate))]
    places += [(tre, str(path)) for tre, path in answer.crates.items()]
    return places + [(f"{tre} (why not)", str(path)) for tre, path in answer.records.items()]


# --------------------------------------------------------------------------------------------------------- terminal
def renderable(answer: Answer) -> RenderableType:
    """The answer in the terminal. Text is never read as markup."""
    parts: list[RenderableType] = [Text(short(answer.question), "bold"), ""]
    parts += [_table(sheet) for sheet in answer.sheets()]
    parts += [_sentence(said, "yellow") for said in answer.warnings]
    parts.append(
        _sentence(exactness(answer), "green" if answer.exactness == "exact" and not answer.missing else "yellow")
    )
    for title, rows in (("Not in it", _absent(answer)), ("Crates", _places(answer))):
        if rows:
            parts += ["", Text(title, "bold"), _pairs(rows)]
    parts += ["", Text(f"request {short(answer.request)}", "dim")]
    return Group(*parts)


def _sentence(text: str, style: str) -> RenderableType:
    return Constrain(Text(short(text), style), _LINE)


def _table(sheet: Sheet) -> Table:
    title = Text(short(sheet.title), "dim") if sheet.title else None
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for place, column in enumerate(sheet.columns):
        table.add_column(Text(short(column)), justify="left" if place < sheet.labels else "right", overflow="fold")
    for row in sheet.rows:
        total = sheet.labels > 0 and row[sheet.labels - 1][0] == ALL
        style = "bold" if total else ""
        table.add_row(*(Text(text, "yellow" if hidden else style) for text, hidden in row))
    return table


def _pairs(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in rows:
        table.add_row(Text(f"  {short(label)}"), Text(short(value)))
    return table


# ------------------------------------------------------------------------------------------------------------- HTML
_STYLE = """
.cinque-answer{font-family:system-ui,sans-serif;line-height:1.4}
.cinque-answer table{border-collapse:collapse;margin:.6em 0}
.cinque-answer th,.cinque-answer td{padding:.2em .8em;border-bottom:1px solid #b1b4b6;text-align:right}
.cinque-answer .label{text-align:left}
.cinque-answer .all td{font-weight:bold}
.cinque-answer .hidden{font-style:italic}
.cinque-answer dt{font-weight:bold}
.cinque-answer code{overflow-wrap:anywhere}
"""


def html(answer: Answer) -> str:
    """The answer as HTML that needs nothing else; every text in it is escaped."""
    parts = [f'<div class="cinque-answer"><style>{_STYLE}</style>', f"<p><strong>{_safe(answer.question)}</strong></p>"]
    parts += [_html_table(sheet) for sheet in answer.sheets()]
    parts += [f"<p>{_safe(said)}</p>" for said in (*answer.warnings, exactness(answer))]
    for title, rows in (("Not in it", _absent(answer)), ("Crates", _places(answer))):
        if rows:
            tag = "code" if title == "Crates" else "span"
            items = "".join(f"<dt>{_safe(name)}</dt><dd><{tag}>{_safe(text)}</{tag}></dd>" for name, text in rows)
            parts.append(f"<p>{title}</p><dl>{items}</dl>")
    parts.append(f"<p>request <code>{_safe(answer.request)}</code></p></div>")
    return "\n".join(parts)


def _html_table(sheet: Sheet) -> str:
    def cells(row: Sequence[Cell], tag: str) -> str:
        made = []
        for place, (text, hidden) in enumerate(row):
            kind = "label" if place < sheet.labels else "hidden" if hidden else "figure"
            made.append(f'<{tag} class="{kind}">{_safe(text)}</{tag}>')
        return "".join(made)

    body = [
        f'<tr class="{"all" if sheet.labels and row[sheet.labels - 1][0] == ALL else "tre"}">{cells(row, "td")}</tr>'
        for row in sheet.rows
    ]
    head = cells([(column, False) for column in sheet.columns], "th")
    caption = f"<caption>{_safe(sheet.title)}</caption>" if sheet.title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _safe(text: str) -> str:
    return escape(short(text), quote=True)
