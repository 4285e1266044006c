"""What an attacker knows of the counts of one answer, as a system of linear rows over changes from the truth.

With x the counts and a their true values, d = x - a is a *change*: another table that the attacker cannot tell from
the truth when it satisfies every row, touches only suppressed counts and leaves none below zero. d = 0 always does,
so whatever is worked out from changes contains the truth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from cinque.sdc.figures import Figure, Relation


@dataclass(frozen=True, slots=True)
class Row:
    """Sum of coefficient x change over `terms` (index, coefficient): equal to 0 when `slack` is None, otherwise at
    least -slack, where `people`: the slack is itself a number of people. A `shadow` row is not known of the counts
    themselves (see `build`): it binds what protects, not what is known. `fixed`: what the counts add up to is known
    whatever is suppressed.
    """

    terms: tuple[tuple[int, int], ...]
    slack: int | None = None
    shadow: bool = False
    fixed: bool = False
    people: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """Counts by index. `people[i]`: whether it counts people. `switch[i]`: the people-count whose suppression
    suppresses it (i itself for a people-count). Those from `told` on are no figures but differences of figures, which
    count people too and must not be worked out (`build`); they have no names.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    people: tuple[bool, ...]
    switch: tuple[int, ...]
    rows: tuple[Row, ...]
    told: int

    def holds(self, change: Sequence[int], hidden: Collection[int], ceiling: int | None = None) -> bool:
        """Whether `change` is one the attacker cannot exclude when `hidden` is suppressed: exact, in whole numbers.
        `ceiling`: what every suppressed count of people is known not to exceed.
        """
        return (
            all(a + d >= 0 for a, d in zip(self.values, change, strict=True))
            and all(d == 0 or i in hidden for i, d in enumerate(change))
            and all(_satisfied(row, change) for row in self.rows)
            and (ceiling is None or all(self.values[i] + change[i] <= ceiling for i in hidden if self.people[i]))
        )

    def with_followers(self, switches: Collection[int]) -> frozenset[int]:
        """All counts that are suppressed when these people-counts are."""
        return frozenset(i for i, s in enumerate(self.switch) if s in switches)

    def rows_of(self, indices: Collection[int]) -> Iterator[Row]:
        """The rows that say something of any of these counts."""
        return (row for row in self.rows if any(i in indices for i, _ in row.terms))

    def restricted(self, indices: Collection[int]) -> tuple[System, list[int]]:
        """The system of a component alone, and the indices of its counts here."""
        ids = sorted(indices)
        place = {i: k for k, i in enumerate(ids)}
        rows = tuple(
            Row(tuple((place[i], c) for i, c in row.terms), row.slack, row.shadow, row.fixed)
            for row in self.rows
            if row.terms[0][0] in place
        )
        return System(
            tuple(self.names[i] for i in ids),
            tuple(self.values[i] for i in ids),
            tuple(self.people[i] for i in ids),
            tuple(place[self.switch[i]] for i in ids),
            rows,
            sum(i < self.told for i in ids),
        ), ids

    def components(self, among: Collection[int]) -> list[frozenset[int]]:
        """`among` in groups that no row connects with each other, each known apart from the rest."""
        parent = {i: i for i in among}

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        for row in self.rows:
            inside = [i for i, _ in row.terms if i in parent]
            for i in inside[1:]:
                parent[root(i)] = root(inside[0])
        groups: dict[int, set[int]] = {}
        for i in sorted(among):
            groups.setdefault(root(i), set()).add(i)
        return [frozenset(group) for group in groups.values()]


def _satisfied(row: Row, change: Sequence[int]) -> bool:
    total = sum(c * change[i] for i, c in row.terms)
    return total == 0 if row.slack is None else total >= -row.slack


def build(figures: Iterable[Figure], relations: Iterable[Relation], threshold: int = 0) -> System:
    """The system of an answer, independent of the order of its figures. Raises ValueError (a programming error of an
    analysis, so that nothing leaves) for ids missing, double or of the wrong kind and for relations that are false.

    Sums, means and arrays (`other` figures) add up over groups of rows even where the groups' people overlap. So where
    the total and a part of a `union` carry such figures, what protects must also be a change whose parts add up: the
    same pattern then leaves the figures that follow it undetermined too. The same holds where the parts of a `union`
    do add up: the attacker may know, from the dataset's description or the filter, that nobody is in two of them.

    Differences within a `union` count people too (rule 1: of nested and linked tables): the sum of its parts less the
    total, of whom no more people than that are in several parts; and the total less a part, the people who are in other
    parts only. Each that is 1 to threshold - 1 here becomes a count that no figure has.
    """
    every = tuple(figures)
    counts = sorted((f for f in every if f.kind != "other"), key=lambda f: f.id)
    at = {f.id: i for i, f in enumerate(counts)}
    if len({f.id for f in every}) != len(every):
        raise ValueError("two figures have one id")
    additive = {f.of for f in every if f.kind == "other"}
    rows, told = tuple(_rows(counts, at, relations, additive)), len(counts)
    small = [row for row in rows if row.people and row.slack is not None and 0 < row.slack < threshold]
    return System(
        names=(*(f.id for f in counts), *("" for _ in small)),
        values=(*(_value(f) for f in counts), *(row.slack or 0 for row in small)),
        people=(*(f.kind == "people" for f in counts), *(False for _ in small)),
        switch=(*(_switch(f, at, counts) for f in counts), *range(told, told + len(small))),
        rows=(*rows, *(Row((*row.terms, (told + i, -1))) for i, row in enumerate(small))),
        told=told,
    )


def _value(figure: Figure) -> int:
    value = figure.people if figure.kind == "people" else figure.rows
    if value is None or value < figure.people or figure.people < 0:
        raise ValueError(f"figure {figure.id}: a count is 0 or more, and rows are no fewer than people")
    return value


def _switch(figure: Figure, at: Mapping[str, int], counts: Sequence[Figure]) -> int:
    if figure.kind == "people":
        return at[figure.id]
    owner = at.get(figure.of or "")
    if owner is None or counts[owner].kind != "people":
        raise ValueError(f"figure {figure.id} is not of a people-count")
    return owner


def _rows(
    counts: Sequence[Figure], at: Mapping[str, int], relations: Iterable[Relation], additive: Set[str | None]
) -> Iterator[Row]:
    values = [_value(f) for f in counts]
    for i, figure in enumerate(counts):
        if figure.kind == "rows":
            owner = _switch(figure, at, counts)
            yield Row(((i, 1), (owner, -1)), values[i] - values[owner])
    for relation in relations:
        if not {relation.total, *relation.parts} <= at.keys() or len({relation.total, *relation.parts}) <= len(
            relation.parts
        ):
            raise ValueError(f"the relation of {relation.total} names counts that are missing or named twice")
        total, parts = at[relation.total], [at[p] for p in relation.parts]
        excess = sum(values[p] for p in parts) - values[total]
        adding = (*((p, 1) for p in parts), (total, -1))
        if relation.kind == "sum":
            if excess:
                raise ValueError(f"the relation of {relation.total} is false")
            known = counts[total].known
            yield Row(adding[:-1] if known else adding, fixed=known)
            continue
        if excess < 0 or any(values[p] > values[total] for p in parts):
            raise ValueError(f"the relation of {relation.total} is false")
        yield Row(adding, excess, people=True)
        for p in parts:
            yield Row(((total, 1), (p, -1)), values[total] - values[p], people=True)
        if not excess or (relation.total in additive and not additive.isdisjoint(relation.parts)):
            yield Row(adding, shadow=True)
