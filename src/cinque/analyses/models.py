"""What models on a formula have in common: their question, their rows, and the evidence of their sums."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from cinque.analyses import filters
from cinque.analyses.combine import Members
from cinque.analyses.factors import malformed
from cinque.errors import Refused
from cinque.expr.formula import Factor, Formula, Number, Survival, parse_formula
from cinque.expr.text import name_to_text
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Model, is_suppressed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cinque.analyses.design import Design
    from cinque.analyses.groups import Groups
    from cinque.stats.crossproducts import Products
    from cinque.stats.leverage import Leverages

    Array = NDArray[np.float64]

Levels = tuple[tuple[str, ...], ...]


class Question(Protocol):
    """The parameters that every model has."""

    @property
    def formula(self) -> str: ...
    @property
    def offset(self) -> str | None: ...
    @property
    def weights(self) -> str | None: ...
    @property
    def where(self) -> str | None: ...
    @property
    def levels(self) -> Levels: ...


Q = TypeVar("Q", bound=Question)


def formula_of(question: Question) -> Formula:
    """The formula, with the column named as offset in it. Raises Refused as `parse_formula`."""
    text = question.formula
    if question.offset is not None:
        parse_formula(text)  # a mistake is shown in what was written, not in what is made of it
        text = f"{text} + offset({name_to_text(question.offset)})"
    return parse_formula(text)


def columns(question: Question) -> frozenset[str]:
    """The columns of the dataset that are used."""
    weights = frozenset() if question.weights is None else frozenset({question.weights})
    return formula_of(question).columns | weights | filters.columns(question.where)


def agree(question: Q, dictionaries: Mapping[str, Dictionary]) -> Q:
    """The levels of factors, agreed over all TREs."""
    from cinque.analyses.design import agreed_levels

    levels = agreed_levels(formula_of(question), dictionaries)
    return dataclasses.replace(question, levels=levels)  # type: ignore[type-var]  # parameters are dataclasses


def design_of(question: Question, dictionary: Dictionary) -> Design:
    """The columns of the model at this TRE. Raises Refused as `design` does."""
    from cinque.analyses.design import design

    return design(formula_of(question), dictionary, question.levels)


def check(question: Question, dictionary: Dictionary) -> Design:
    """The model's columns, which fit the dictionary. Raises Refused, without looking at data."""
    formula = formula_of(question)
    if isinstance(formula.response, Survival):
        raise Refused(
            "formula-response",
            "The left side is a time to an event, and this model has a number or a yes or no there.",
            remedy="Ask `cox` for a model of time to an event.",
        )
    made = design_of(question, dictionary)
    if question.weights is not None:
        column = dictionary.column(question.weights)
        if column.type not in ("integer", "number"):
            raise Refused("not-numeric", f"Column `{column.name}` is {column.type} and cannot be a weight.")
        if not dictionary.one_row_a_person:
            raise Refused("rows-not-people", "Weights need a dataset in which one row is one person.")
    filters.check(question.where, dictionary)
    return made


def choice(name: str, given: str, choices: Sequence[str]) -> None:
    """Raises Refused for a value that is not among the choices."""
    if given not in choices:
        raise Refused("parameter-choice", f"`{name}` is one of: {', '.join(choices)}.", remedy="Choose one of these.")


# ---------------------------------------------------------------------------------------------------------------- rows
@dataclass(frozen=True, slots=True)
class Read:
    """The rows of a batch that a model uses. `weights` None: all 1. `missing`, `outside`: people of the batch with a
    row in which something misses, and, of the others, those whose response or weight the model cannot take.
    """

    x: Array
    y: Array
    offset: Array
    weights: Array | None
    begin: NDArray[np.int64]
    missing: int
    outside: int


def read(
    source: Source,
    question: Question,
    made: Design,
    valid: Callable[[Array], NDArray[np.bool_]] | None = None,
    groups: Groups | None = None,
) -> Iterator[Read]:
    """Batch by batch, people whole. `valid`: which responses the model can take. `groups` is shown the rows used."""
    import numpy as np

    from cinque.analyses import frame

    alone = source.dictionary.one_row_a_person
    wanted = sorted({*made.columns, *([] if question.weights is None else [question.weights])})
    for batch in source.batches(wanted, filters.read(question.where), together=not alone):
        rows = made.build(batch)
        x, y, offset, missing = rows.x, rows.y, rows.offset, rows.missing_people
        weights = None
        use = np.ones(len(y), dtype=bool) if valid is None else valid(y)
        if question.weights is not None:  # one row is one person: `check`
            weights = frame.numbers(batch, question.weights)[rows.keep]
            known = np.isfinite(weights)
            missing += int((~known).sum())
            outside = int((known & ~(use & (weights > 0))).sum())
            with np.errstate(invalid="ignore"):
                use = use & known & (weights > 0)
        else:
            outside = int((~use).sum())
        begin = rows.begin
        if not use.all():
            if not alone:
                person = np.repeat(np.arange(len(begin)), np.diff([*begin, len(y)]))[use]
                begin = np.flatnonzero(np.diff(person, prepend=-1))
            x, y, offset = x[use], y[use], offset[use]
            weights = None if weights is None else weights[use]
            rows = dataclasses.replace(
                rows, x=x, y=y, offset=offset, codes={name: codes[use] for name, codes in rows.codes.items()}
            )
            if alone:
                begin = np.arange(len(y))
            rows = dataclasses.replace(rows, begin=begin)
        if groups is not None and len(y):
            groups.add(rows, weights)
        yield Read(x, y, offset, weights, begin, missing, outside)


# ------------------------------------------------------------------------------------------------------------ evidence
def factor_levels(made: Design) -> list[dict[str, str]]:
    """For each column of the model, the level of each factor that a row must have for the column not to be 0."""
    found: list[dict[str, str]] = [{}] if made.formula.intercept else []
    for term in made.terms:
        for places in product(*(range(len(coded.names)) for coded in reversed(term))):
            level = {}
            for coded, place in zip(reversed(term), places, strict=True):
                if isinstance(coded.variable, Number | Factor) and coded.levels:
                    level[coded.variable.column] = made.levels[coded.variable.column][coded.levels[place]]
            found.append(level)
    return found


def products(made: Design) -> int:
    """How many different sums the products of a model's columns hold: what is 0 by what the columns are says nothing,
    nor does one that says what another does (a level's column times itself, and times the column of ones).
    """
    numbers: list[tuple[str, ...]] = [()] if made.formula.intercept else []
    for term in made.terms:
        named = [each.names if not each.levels else ("",) * len(each.names) for each in reversed(term)]
        numbers += [tuple(sorted(filter(None, each))) for each in product(*named)]
    columns = list(zip(numbers, factor_levels(made), strict=True))
    return len(
        {
            (tuple(sorted(one + other)), frozenset((levels | others).items()))
            for j, (one, levels) in enumerate(columns)
            for other, others in columns[j:]
            if not apart(levels, others)
        }
    )


def apart(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether no row can have both: the columns' product is 0 by what they are."""
    return any(other.get(name, level) != level for name, level in one.items())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What disclosure control needs of one figure, over its worst number."""

    differing: int
    remainder: float

    def and_also(self, other: Evidence) -> Evidence:
        """The worse of each."""
        return Evidence(min(self.differing, other.differing), min(self.remainder, other.remainder))


def of_groups(groups: Groups) -> Evidence:
    """People of the smallest group that anybody is in: a number that tells it tells of them (rule 13); and whom the
    sums of numbers within groups tell of."""
    fewest, (differing, remainder) = groups.fewest(), groups.within()
    return Evidence(2**53 if fewest is None else min(fewest, 2**53), 2.0**53).and_also(Evidence(differing, remainder))


def within(figures: Sequence[str], crowded: Iterable[tuple[int, int]]) -> tuple[Model, ...]:
    """What the figures tell of the people of one group, for rules 6 and 15 as of a fit on them alone."""
    return tuple(Model(tuple(figures), people, numbers, numbers + 1) for people, numbers in crowded)


NOBODY: Final = Evidence(0, 0.0)


def unwritable(names: Iterable[str]) -> dict[str, list[float]]:
    """The figures of sums that no double holds, or of a fit that there is not: empty, and with the evidence of NOBODY,
    so that under any threshold they read as suppressed. A refusal would tell of the one person whose value it is.
    """
    return {name: [] for name in names}


def shut(value: Any) -> bool:
    """Whether a released figure holds no numbers: suppressed, or `unwritable`."""
    return value == [] or is_suppressed(value)


def of_leverages(leverages: Leverages, again: Callable[[], Iterable[tuple[Array, Any]]]) -> Evidence:
    """What holds of every combination of the columns."""
    return Evidence(*leverages.evidence(again))


class Judged:
    """The evidence of sums: which of them carry none, and the worst of the others.

    A product that is 0 by what its columns are (two levels of one factor) carries none; one that is 0 because nobody
    has its level is for rule 13 to judge (`Figure.smallest`).
    """

    def __init__(self, products: Products, pairs: Sequence[tuple[int, int]], again: Callable[[], Any]) -> None:
        self.sums = products.sums()
        self._place = {pair: place for place, pair in enumerate(pairs)}
        self._differing, self._remainder = products.evidence(again)

    def worst(self, pairs: Iterable[tuple[int, int]]) -> Evidence:
        """Over these sums; nothing stands against them where there are none."""
        places = [self._place[pair] for pair in pairs]
        if not places:
            return Evidence(2**53, 2.0**53)
        differing, remainder = self._differing[places], self._remainder[places]
        return Evidence(int(differing.min()), float(min(remainder.min(), 2.0**53)))

    def of(self, pairs: Iterable[tuple[int, int]]) -> list[float]:
        """Their values."""
        return [float(self.sums[self._place[pair]]) for pair in pairs]

    def constant(self, pair: tuple[int, int]) -> bool:
        """Whether everybody has the same part in it."""
        return bool(self._differing[self._place[pair]] == 0)


def telling(
    pairs: Iterable[tuple[int, int]], levels: Sequence[Mapping[str, str]], empty: Sequence[bool]
) -> list[tuple[int, int]]:
    """Of pairs of a model's columns (or of a column with something else, counted from len(levels)), those whose sums
    carry evidence of their own. `empty`: columns that are 0 for everybody here."""
    size = len(levels)

    def tells(j: int, k: int) -> bool:
        if k < size and apart(levels[j], levels[k]):
            return False
        return not any(i < size and empty[i] and levels[i] for i in (j, k))

    return [(j, k) for j, k in pairs if tells(j, k)]


def telling_of_people(
    judged: Judged, pairs: Sequence[tuple[int, int]], levels: Sequence[Mapping[str, str]], empty: Sequence[bool]
) -> tuple[list[tuple[int, int]], int | None]:
    """As `telling`, of products of what was first added up over each person's rows, among which both of two levels of
    one factor may be: such a product is a sum over the people who have both. The second is 0 where that is nobody for
    some two levels (rule 13, as for any pair of levels), None otherwise."""
    told = telling(pairs, levels, empty)
    both = [(j, k) for j, k in pairs if apart(levels[j], levels[k]) and not empty[j] and not empty[k]]
    nobody = [pair for pair in both if judged.constant(pair) and judged.of([pair]) == [0.0]]
    return [*told, *(pair for pair in both if pair not in nobody)], 0 if nobody else None


# ------------------------------------------------------------------------------------------------------------ numbers
def upper(size: int) -> list[tuple[int, int]]:
    """The places on and above the diagonal, row by row: the order in which a symmetric matrix is released."""
    return [(j, k) for j in range(size) for k in range(j, size)]


def symmetric(values: Sequence[float], size: int) -> Array:
    """The matrix of what is on and above the diagonal."""
    import numpy as np

    found = np.zeros((size, size))
    for value, (j, k) in zip(values, upper(size), strict=True):
        found[j, k] = found[k, j] = value
    return found


def beside(*columns: Array) -> Array:
    """Columns side by side, in column order, in which sums of products and largest entries are found fastest."""
    import numpy as np

    wide = [each[:, None] if each.ndim == 1 else each for each in columns]
    found = np.empty((len(wide[0]), sum(each.shape[1] for each in wide)), order="F")
    at = 0
    for each in wide:
        found[:, at : at + each.shape[1]] = each
        at += each.shape[1]
    return found


def numbers(value: Any, size: int) -> list[float]:
    """So many finite numbers. Raises Refused for anything else: what a TRE released is another's bytes."""
    import math

    if not isinstance(value, list) or len(value) != size:
        raise malformed()
    if not all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in value):
        raise malformed()
    return [float(x) for x in value]


def add_up(rows: Sequence[Sequence[float]]) -> list[float]:
    """Place by place, with one rounding: the same whatever the order. Raises Refused where a sum is beyond a double: a
    released partial is another's bytes."""
    import math

    try:
        return [math.fsum(column) for column in zip(*rows, strict=True)]
    except OverflowError:
        raise malformed() from None


def terms_of(members: Members) -> list[str]:
    """The names of the coefficients, the same for every member. Raises Refused where they are not."""
    found = [released.shape.get("terms") for _, released in members]
    terms = found[0] if found else None
    if not isinstance(terms, list) or not terms or any(other != terms for other in found):
        raise malformed()
    if not all(isinstance(term, str) for term in terms) or len(set(terms)) != len(terms) or len(terms) > 100:
        raise malformed()
    return terms


def sum_of(arrays: Sequence[Array]) -> list[Any]:
    """Arrays of one shape added up place by place, with one rounding; nested lists."""
    import math

    if arrays[0].ndim == 1:
        return [math.fsum(float(x) for x in column) for column in zip(*arrays, strict=True)]
    return [sum_of([each[place] for each in arrays]) for place in range(len(arrays[0]))]
