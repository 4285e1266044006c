"""Where each thing of a converted crate went, and what has no place: complete because it is compared at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cinque.crate.graph import Graph
from cinque.crate.index import Index, reference


@dataclass(frozen=True, slots=True)
class Moved:
    """A thing of the original: an entity, or one property of it. `to`: the new entity or property, "" where it has no
    place in 1.0; `why`: a sentence.
    """

    entity: str
    property: str
    to: str
    why: str

    def to_dict(self) -> dict[str, str]:
        """As in the report's JSON."""
        return {"entity": self.entity, "property": self.property, "to": self.to, "why": self.why}


@dataclass(slots=True)
class Ledger:
    """What the conversion says of its own steps. Of an entity that became another, `read` are the properties that went
    with it; the rest are told one by one.
    """

    notes: dict[tuple[str, str], Moved] = field(default_factory=dict)
    read: dict[str, frozenset[str]] = field(default_factory=dict)

    def entity(self, id: str, to: str, why: str, *read: str) -> None:
        """An entity became another, or ("" for `to`) none."""
        self.notes.setdefault((id, ""), Moved(id, "", to, why))
        if to:
            self.read[id] = self.read.get(id, frozenset()) | frozenset(read)

    def property(self, id: str, name: str, to: str, why: str) -> None:
        """A property went elsewhere, or nowhere."""
        self.notes.setdefault((id, name), Moved(id, name, to, why))


def account(index: Index, graph: Graph, renamed: Callable[[str], str], ledger: Ledger) -> tuple[Moved, ...]:
    """Every entity and property of `index` that does not stand in `graph` as it was, with where it went."""
    return tuple(_account(index, graph, renamed, ledger))


def _account(index: Index, graph: Graph, renamed: Callable[[str], str], ledger: Ledger) -> Iterator[Moved]:
    told = set()
    for node in index.nodes:
        whole = ledger.notes.get((node.id, ""))
        if whole is not None:
            told.add((node.id, ""))
            yield whole
            if not whole.to:
                continue  # with all that it said
        now = graph.get(renamed(node.id))
        if whole is None and now and renamed(node.id) != node.id:
            yield Moved(node.id, "@id", renamed(node.id), "1.0 wants absolute IRIs (R204).")
        for name, value in node.data.items():
            noted = ledger.notes.get((node.id, name))
            if noted is not None:
                told.add((node.id, name))
                yield noted
            elif (
                name not in ("@id", "@type", "type")
                and name not in ledger.read.get(node.id, ())
                and not _within(value, now.get(name), renamed)
            ):
                yield Moved(node.id, name, "", "It has no place in what was written.")
    # What is said of things that are no property of the graph: tag files of the bag, a time that was not recorded.
    yield from (note for key, note in ledger.notes.items() if key not in told)


def _within(before: Any, after: Any, renamed: Callable[[str], str]) -> bool:
    """Whether every value stands there still, under its new name."""
    kept = after if isinstance(after, list) else [after]
    return all(rename(value, renamed) in kept for value in (before if isinstance(before, list) else [before]))


def rename(value: Any, renamed: Callable[[str], str]) -> Any:
    """A value with its reference renamed."""
    target = reference(value)
    return value if target is None else {"@id": renamed(target)}
