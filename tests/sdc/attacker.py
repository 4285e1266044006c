"""An attacker who shares no code with what it attacks: it enumerates every table that fits what was released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cinque.sdc.figures import Bounds, Figure, Figures, Relation


def counts(values: Mapping[str, int], relations: Sequence[Relation] = ()) -> Figures:
    """People-counts and what holds between them."""
    return Figures(tuple(Figure(k, "Frequencies", v) for k, v in values.items()), tuple(relations))


def table(cells: Sequence[Sequence[int]]) -> Figures:
    """A two-way table with its margins: `i.j`, `i.t`, `t.j`, `t.t`."""
    rows, columns = range(len(cells)), range(len(cells[0]))
    values = {f"{i}.{j}": cells[i][j] for i in rows for j in columns}
    values |= {f"{i}.t": sum(cells[i]) for i in rows}
    values |= {f"t.{j}": sum(row[j] for row in cells) for j in columns}
    values["t.t"] = sum(map(sum, cells))
    return counts(
        values,
        [
            *(Relation(f"{i}.t", tuple(f"{i}.{j}" for j in columns)) for i in rows),
            *(Relation(f"t.{j}", tuple(f"{i}.{j}" for i in rows)) for j in columns),
            Relation("t.t", tuple(f"{i}.t" for i in rows)),
            Relation("t.t", tuple(f"t.{j}" for j in columns)),
        ],
    )


def tables(
    figures: Figures, suppressed: Mapping[str, Bounds], limit: int, *, believe: bool = False
) -> Iterator[dict[str, int]]:
    """Every table of whole numbers up to `limit` that agrees with the released counts and the relations; with
    `believe`, with the published bounds as well.
    """

    def allowed(name: str, value: int) -> bool:
        most = suppressed[name].at_most if believe else None
        least = suppressed[name].at_least if believe else None
        return (least or 0) <= value <= (limit if most is None else most)

    def settle(known: dict[str, int]) -> dict[str, int] | None:
        """What follows at once from sums with one unknown; None when something cannot be."""
        known = dict(known)
        moved = True
        while moved:
            moved = False
            for relation in figures.relations:
                parts = [known[p] for p in relation.parts if p in known]
                missing = [p for p in relation.parts if p not in known]
                total = known.get(relation.total)
                if relation.kind == "union":
                    if total is not None and not missing and not max(parts) <= total <= sum(parts):
                        return None
                    continue
                known_sum = sum(parts)
                if not missing:
                    if total is None:
                        name, value = relation.total, known_sum
                    elif total != known_sum:
                        return None
                    else:
                        continue
                elif total is not None and len(missing) == 1:
                    name, value = missing[0], total - known_sum
                elif total is not None and known_sum > total:
                    return None
                else:
                    continue
                if not allowed(name, value):
                    return None
                known[name] = value
                moved = True
        return known

    def search(known: dict[str, int]) -> Iterator[dict[str, int]]:
        settled = settle(known)
        if settled is None:
            return
        open_names = [name for name in order if name not in settled]
        if not open_names:
            yield settled
            return
        for value in range(limit + 1):
            if allowed(open_names[0], value):
                yield from search(settled | {open_names[0]: value})

    order = [f.id for f in figures.figures if f.id in suppressed]
    yield from search({f.id: f.people for f in figures.figures if f.id not in suppressed})


def hull(figures: Figures, suppressed: Mapping[str, Bounds], limit: int, **how: bool) -> dict[str, tuple[int, int]]:
    """The least and the greatest value of every suppressed count over all those tables."""
    seen: dict[str, tuple[int, int]] = {}
    for found in tables(figures, suppressed, limit, **how):
        for name in suppressed:
            low, high = seen.get(name, (found[name], found[name]))
            seen[name] = (min(low, found[name]), max(high, found[name]))
    return seen
