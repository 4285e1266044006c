"""One TOML file of the TRE's folder: its values, and file, line and meaning of every mistake in it."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import time
from typing import Any, TypeVar

from cinque.lib.parse import Fault, faults, parse

T = TypeVar("T")
Place = tuple[str | int, ...]

MAX_BYTES = 1 << 20  # a file that people write by hand


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong, where, and how to mend it. `file`: relative to the folder; `line` counts from 1."""

    file: str
    line: int
    sentence: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence} {self.remedy}".rstrip()


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """Where something was declared: what a later mistake about it points to."""

    page: Page
    place: Place

    def mistake(self, sentence: str, remedy: str = "", *, at: Place = (), value: str | None = None) -> Mistake:
        """A mistake in this entry, at a key of it and, in a list, at the line of a value."""
        return Mistake(self.page.name, self.page.line((*self.place, *at), value), sentence, remedy)


class Page:
    """A file's text. `data`: its values, {} where that was impossible. `readable`: whether all that it was
    meant to say was found; if not, `mistakes` says why."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.data: dict[str, Any] = {}
        self.mistakes: list[Mistake] = []
        self._text = ""
        self._index: list[tuple[Place, int]] | None = None
        self._read(content)
        self.readable = not self.mistakes

    def _read(self, content: bytes) -> None:
        if len(content) > MAX_BYTES:
            self._add(1, f"The file is larger than {MAX_BYTES >> 20} MB.", "Keep declarations here, not data.")
            return
        try:
            self._text = content.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            self._add(line, "The file is not UTF-8 text.", "Save it as UTF-8.")
            return
        try:
            self.data = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            said = re.fullmatch(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
            what, line = (said[1], int(said[2] or self._lines())) if said else (str(error), 1)
            where = f" at column {said[3]}" if said and said[3] else ""
            self._add(
                line,
                f"This is not TOML{where}: {what[:1].lower()}{what[1:]}.",
                'Write `key = value`: text in "quotation marks", dates as 2026-12-31, lists in [ ], yes and no as true '
                "and false.",
            )
        except (ValueError, RecursionError):
            self._add(1, "The file holds a number of too many digits, or lists in lists without end.")
        if impossible := _impossible(self.data):
            self._add(self.line(impossible), f"`{impossible[-1]}` is a time of day, or no finite number.")
            self.data = {}

    def _add(self, line: int, sentence: str, remedy: str = "") -> None:
        self.mistakes.append(Mistake(self.name, line, sentence, remedy))

    def _lines(self) -> int:
        return max(1, self._text.rstrip("\n").count("\n") + 1)

    def entry(self, *place: str | int) -> Entry:
        """The part of the file at this place, by keys and indices; without any, the whole."""
        return Entry(self, place)

    def line(self, place: Place, value: str | None = None) -> int:
        """The line of the key at this place, or of what it stands in; with `value`, the line of that text after it.

        A light search, not a second TOML parser: it names the line to look at.
        """
        if self._index is None:
            self._index = list(_index(self._text))
        best, found = 0, 1
        for known, line in self._index:
            if len(known) > best and known == place[: len(known)]:
                best, found = len(known), line
        if value is not None:
            following = self._text.split("\n")[found - 1 :]
            for offset, text in enumerate(following):
                if offset and (_HEADER.match(text) or _KEY.match(text)):
                    break
                if f'"{value}"' in text or f"'{value}'" in text:
                    return found + offset
        return found

    def value(
        self, cls: type[T], place: Place, data: Any, noun: str, nested: Mapping[str, Any] | None = None
    ) -> T | None:
        """The data at this place as a `cls`; None, and mistakes, where it is not in its form. `noun`: e.g. "a person";
        `nested`: the dataclasses that stand in fields of `cls`.
        """
        wrong = faults(cls, data)
        missing = [str(fault.place[-1]) for fault in wrong if fault.kind == "missing"]
        misspelt = {near(str(fault.place[-1]), missing) for fault in wrong if fault.kind in _UNKNOWN}
        for fault in wrong:
            if fault.kind == "missing" and fault.place[-1] in misspelt:
                continue  # it is there, under another name
            self.mistakes.append(self._fault(cls, place, fault, noun, nested or {}))
        return None if wrong else parse(cls, data, noun)

    def values(self, cls: type[T], key: str, noun: str) -> list[tuple[T, Entry]]:
        """The entries `[[key]]` of a file that holds nothing else, as `cls` each."""
        for other in self.data.keys() - {key}:
            remedy = f"Did you mean `[[{key}]]`?" if near(other, [key]) else f"Each entry begins with `[[{key}]]`."
            self._add(self.line((other,)), f"`{other}` does not belong in this file.", remedy)
            self.readable = False
        entries = self.data.get(key, [])
        if not isinstance(entries, list):
            self._add(self.line((key,)), f"`{key}` is not a list of entries.", f"Each begins with `[[{key}]]`.")
            self.readable = False
            return []
        found = [(self.value(cls, (key, i), data, noun), self.entry(key, i)) for i, data in enumerate(entries)]
        return [(value, entry) for value, entry in found if value is not None]

    def _fault(self, cls: Any, place: Place, fault: Fault, noun: str, nested: Mapping[str, Any]) -> Mistake:
        if not fault.place:
            return self.entry(*place).mistake(f"This is not a table with the fields of {noun}.")
        key = next((part for part in reversed(fault.place) if isinstance(part, str)), "")
        form = nested.get(str(fault.place[0]), cls) if len(fault.place) > 1 else cls
        fields = {field.name: field for field in dataclasses.fields(form)}
        remedy = ""
        match fault.kind:
            case kind if kind in _UNKNOWN:
                said = f"`{key}` is not a field of {noun}."
                remedy = meant(key, fields) or f"Its fields: {', '.join(fields)}."
            case "missing":
                said = f"`{key}` is missing in {noun}."
            case kind:
                said = f"`{key}` of {noun} {_FORMS.get(kind.partition('_')[0]) or _sentence(fault.message)}."
        return self.entry(*place).mistake(said, remedy, at=fault.place)


_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")
_FORMS = {
    "string": 'is text, in "quotation marks"',
    "date": "must be a date, such as 2026-12-31",
    "bool": "must be true or false",
    "int": "must be a whole number",
    "float": "must be a number",
    "tuple": "must be a list, in [ ]",
    "dataclass": "must be a table of its own",
    "dict": "must be a table of its own",
}


def _sentence(message: str) -> str:
    return message.replace("Input should be", "must be").replace("'", "`")


def near(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names, or ""."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), "")


def meant(name: str, known: Iterable[str]) -> str:
    """A remedy that names the nearest of the known names, or ""."""
    found = near(name, known)
    return f"Did you mean `{found}`?" if found else ""


# ------------------------------------------------------------------------------------------------- the light search
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_LONG = re.compile(r'"""|' + r"'''")


def _index(text: str) -> Iterable[tuple[Place, int]]:
    """Each header and key with its line. Text over several lines is passed over."""
    table: Place = ()
    counts: dict[Place, int] = {}
    inside = ""
    for number, line in enumerate(text.split("\n"), start=1):
        was_inside = bool(inside)
        for mark in _LONG.findall(line):
            inside = "" if inside == mark else inside or mark
        if was_inside:
            continue
        if header := _HEADER.match(line):
            table = ()
            parts = _parts(header[2])
            for part in parts[:-1]:
                table = (*table, part)
                table = (*table, counts[table]) if table in counts else table
            table = (*table, parts[-1])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_parts(key[1])), number


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]


def _impossible(value: Any, place: Place = ()) -> Place:
    """Where a value stands that TOML has and no declaration can hold, or ()."""
    if isinstance(value, time) or (isinstance(value, float) and not math.isfinite(value)):
        return place
    if isinstance(value, Mapping):
        return next((found for key, part in value.items() if (found := _impossible(part, (*place, key)))), ())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return next((found for i, part in enumerate(value) if (found := _impossible(part, (*place, i)))), ())
    return ()
