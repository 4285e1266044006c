"""Linear regression (statistics.md 3.8), equal to the fit on the pooled rows.

One round: means and centred cross products of the columns and the response. A second, at what follows from the first,
where the residual sum of squares would lose digits to subtraction, and where robust errors are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cinque.analyses import models
from cinque.analyses.analysis import Analysis, Field, History, Partial, Released, Result, Step
from cinque.analyses.combine import count, exact_ids, exactness, members_of, total
from cinque.analyses.factors import malformed
from cinque.analyses.models import Evidence, Judged
from cinque.errors import Refused
from cinque.model import CLOSED
from cinque.model.datasets import Dictionary
from cinque.query.source import Source
from cinque.sdc.figures import Figure, Figures, Model, Relation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cinque.stats.linear import Centred, Line

    Array = NDArray[Any]

ERRORS: Final = ("classical", "hc0", "hc1", "hc2", "hc3", "cluster")
COUNTS: Final = ("n", "missing", "outside", "rows")
# 1 - R2 under which a difference of sums of squares has lost more than three digits.
CLOSE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Lm:
    """What is fitted."""

    __pydantic_config__: ClassVar[Any] = CLOSED
    formula: str = field(metadata={"description": "`y ~ age + sex * arm`, in Wilkinson's notation."})
    errors: str = field(
        default="classical",
        metadata={"description": f"Standard errors: {', '.join(ERRORS)} (`cluster`: by person)."},
    )
    offset: str | None = field(default=None, metadata={"description": "A column that is taken off the response."})
    weights: str | None = field(default=None, metadata={"description": "A column of prior weights."})
    where: str | None = field(default=None, metadata={"description": "A filter; without one every row is kept."})
    levels: models.Levels = field(
        default=(), metadata={"description": "Of the factors, as all TREs declare them.", "agreed": True}
    )


def check(parameters: Lm, dictionary: Dictionary) -> None:
    """Raises Refused when formula, errors, weights or filter do not fit the dictionary."""
    models.choice("errors", parameters.errors, ERRORS)
    models.check(parameters, dictionary)
    if not dictionary.one_row_a_person and parameters.errors != "cluster":
        raise Refused(
            "rows-not-people",
            f"In dataset `{dictionary.dataset}` a person may have several rows, which are not independent.",
            remedy='Ask with `errors="cluster"`.',
        )


# ---------------------------------------------------------------------------------------------------- in one TRE
def partial(source: Source, parameters: Lm, step: Step) -> Partial:
    """Round one: means and cross products; round two: residuals, and the middle of the sandwich."""
    import numpy as np

    from cinque.analyses.groups import Groups

    made = models.design_of(parameters, source.dictionary)
    groups = Groups(made, source.dictionary, parameters.weights)
    counts = dict.fromkeys(COUNTS, 0)

    def passes(first: bool) -> Iterator[models.Read]:
        for part in models.read(source, parameters, made, None, groups if first else None):
            if first:
                counts["n"] += len(part.begin)
                counts["rows"] += len(part.y)
                counts["missing"] += part.missing
                counts["outside"] += part.outside
            yield part

    several = not source.dictionary.one_row_a_person
    found: tuple[dict[str, Any], Evidence, int | None]
    with np.errstate(all="ignore"):
        if step.round == 1:
            found = *_products(passes, made, weighted=parameters.weights is not None, several=several), None
        else:
            found = _residuals(passes, made, step.values["line"], parameters.errors, several=several)
    values, sums, smallest = found
    if smallest is None:
        smallest = groups.smallest()
    if not all(np.isfinite(each).all() for each in values.values()):
        values, sums = models.unwritable(values), models.NOBODY
    sums = sums.and_also(models.of_groups(groups))
    evidence = {"people": counts["n"], "smallest": smallest, "crowded": groups.crowded(), "sums": sums}
    shape = {"round": step.round, "terms": list(made.names), "one_row_a_person": not several}
    return Partial(shape, counts | values, evidence)


def _split(part: models.Read, intercept: bool) -> Array:
    """The columns without the intercept's, then the response less the offset."""

    x = part.x[:, 1:] if intercept else part.x
    return models.beside(x, part.y - part.offset)


def _products(passes: Any, made: Any, *, weighted: bool, several: bool) -> tuple[dict[str, Any], Evidence]:
    import numpy as np

    from cinque.stats.crossproducts import Products
    from cinque.stats.leverage import Leverages
    from cinque.stats.linear import centred, merge, nothing

    intercept = made.formula.intercept
    size = len(made.names) - int(intercept) + 1
    cross, means = models.upper(size), [(j, size) for j in range(size)]
    singles = [(size, size), (size + 1, size + 1)] if weighted else []
    raw = [(size + 2 + j, size + 2 + k) for j, k in cross]  # which follow from means and centred products
    pairs = [*cross, *means, *singles, *raw]
    products, leverages = Products(pairs, several=several), Leverages(size + 1)
    sums, centre = nothing(size), None

    def columns(part: models.Read) -> tuple[Array, Array, Array]:
        # Parts are judged about a centre that is one for all rows: a large mean would hide who moves the sums.
        data = _split(part, intercept)
        away = data - centre
        weights = np.ones(len(away)) if part.weights is None else part.weights
        ones = np.ones(len(away))
        left = models.beside(away, ones, np.log(weights), data)
        right = models.beside(away * weights[:, None], weights, ones, data * weights[:, None])
        return left, right, models.beside(away, ones) * np.sqrt(weights)[:, None]

    for part in passes(True):
        if not len(part.y):
            continue
        data = _split(part, intercept)
        if centre is None:
            # Beside the mean, as far from which two values that half of the people each have would lie alike.
            centre = data.mean(axis=0) + data.std(axis=0) / 7
        sums = merge(sums, centred(data, part.weights))
        left, right, z = columns(part)
        products.add(left, right, part.begin)
        leverages.add(z, part.begin)

    def again() -> Iterator[tuple[Array, Array, Array, Any]]:
        for part in passes(False):
            if len(part.y):
                yield (*columns(part), part.begin)

    judged = Judged(products, pairs, lambda: ((left, right) for left, right, _, _ in again()))
    whole = models.of_leverages(leverages, lambda: ((z, begin) for _, _, z, begin in again()))
    levels = [*models.factor_levels(made)[int(intercept) :], {}]
    empty = [bool(mean == 0 and sums.cross[j, j] == 0) for j, mean in enumerate(sums.mean)]
    values = {"means": sums.mean.tolist(), "cross": [float(sums.cross[j, k]) for j, k in cross]}
    # About a centre, two levels of one factor have a product that is not 0 for everybody; rule 13 counts their people.
    if weighted:
        values["weights"] = judged.of(singles)
    told = models.telling(cross, levels, empty)
    plain = [(size + 2 + j, size + 2 + k) for j, k in told]
    # Of two values that as many have, both are as far from the centre: that sum says no more than n and `plain` do.
    told = [(j, k) for j, k in told if not (j == k and judged.constant((j, k)))] + plain
    return values, judged.worst([*told, *models.telling(means, levels, empty), *singles]).and_also(whole)


def _residuals(
    passes: Any, made: Any, line: Line, errors: str, *, several: bool
) -> tuple[dict[str, Any], Evidence, int | None]:
    """The last: 0 where rule 13 finds nobody behind the middle of the sandwich, beside what it finds in the groups."""
    import numpy as np

    from cinque.stats.crossproducts import Products
    from cinque.stats.leverage import Leverages

    size = len(made.names)
    meat = models.upper(size) if errors != "classical" else []
    # The residual sum of squares, and what refines the coefficients (linear.refined).
    slopes = size - int(line.intercept)
    sums = [(0, 0), (1, 0), *((2 + j, 0) for j in range(slopes))]
    squares = Products(sums, several=several)
    middle, leverages = Products(meat), Leverages(size)

    def columns(part: models.Read) -> tuple[Array, Array, Array]:
        data = _split(part, line.intercept)
        x, y = data[:, :-1], data[:, -1]
        root = np.ones(len(y)) if part.weights is None else np.sqrt(part.weights)
        residual = root * line.residuals(x, y)
        scale = residual
        if errors in ("hc2", "hc3"):
            rest = np.maximum(1 - line.leverages(x, part.weights), 1e-12)
            scale = residual / (rest if errors == "hc3" else np.sqrt(rest))
        scores = part.x * (root * scale)[:, None]
        if errors == "cluster":
            scores = np.add.reduceat(scores, part.begin, axis=0)
        left = models.beside(residual, root, (x - line.centre[:-1]) * root[:, None])
        return left, residual[:, None], scores

    for part in passes(True):
        if len(part.y):
            left, right, scores = columns(part)
            squares.add(left, right, part.begin)
            if meat:
                middle.add(scores, scores)
                leverages.add(scores)

    def again() -> Iterator[tuple[Array, Array, Array]]:
        return (columns(part) for part in passes(False) if len(part.y))

    rss = Judged(squares, sums, lambda: ((left, right) for left, right, _ in again()))
    levels = models.factor_levels(made)
    coded = [False, False, *(bool(level) for level in levels[int(line.intercept) :])]
    told = [pair for pair, level in zip(sums, coded, strict=True) if not (level and rss.constant(pair))]
    values, evidence, smallest = {"residuals": rss.of(sums)}, rss.worst(told), None
    if meat:
        judged = Judged(middle, meat, lambda: ((scores, scores) for _, _, scores in again()))
        empty = [value == 0 for value in judged.of((j, j) for j in range(size))]
        whole = models.of_leverages(leverages, lambda: ((scores, None) for _, _, scores in again()))
        values["meat"] = judged.of(meat)
        shown = models.telling(meat, levels, empty)
        if several:
            shown, smallest = models.telling_of_people(judged, meat, levels, empty)
        evidence = evidence.and_also(judged.worst(shown)).and_also(whole)
    return values, evidence, smallest


def figures(parameters: Lm, partial: Partial) -> Figures:
    """Sums share the fate of n; together they are one fit, both of whose rounds are counted from the first on."""
    evidence, values = partial.evidence, partial.values
    people = evidence["people"]
    made = [Figure(name, "Frequencies", values[name]) for name in COUNTS if name != "rows"]
    made.append(Figure("rows", "Frequencies", people, "rows", of="n", rows=values["rows"]))
    sums = [name for name in values if name not in COUNTS]
    for name in sums:
        found = evidence["sums"]
        made.append(
            Figure(
                name,
                "CorrelationCoefficients",
                people,
                "other",
                of="n",
                differing=found.differing,
                remainder=found.remainder,
                smallest=evidence["smallest"],
            )
        )
    terms = len(partial.shape["terms"])
    told = sum(len(places) for number in (1, 2) for places in _layout(parameters, number, terms).values())
    relations = (Relation("rows", ("n",)),) if partial.shape["one_row_a_person"] else ()
    fits = (Model(tuple(sums), people, terms, told), *models.within(sums, evidence["crowded"]))
    return Figures(tuple(made), relations, fits)


def _layout(parameters: Lm, number: int, terms: int) -> Mapping[str, range]:
    """How many numbers each figure of a round holds."""
    if number == 1:
        size = terms + 1 - int(models.formula_of(parameters).intercept)
        sums = {"means": range(size), "cross": range(size * (size + 1) // 2)}
        return sums | ({"weights": range(2)} if parameters.weights is not None else {})
    meat = {"meat": range(terms * (terms + 1) // 2)} if parameters.errors != "classical" else {}
    slopes = terms - int(models.formula_of(parameters).intercept)
    return {"residuals": range(2 + slopes), **meat}


# ------------------------------------------------------------------------------------------------- over all members
def advance(parameters: Lm, history: History) -> Step | Result:
    """The second round where one is needed, or the fit."""
    import math

    import numpy as np

    from cinque.stats import linear

    if not 1 <= len(history) <= 2:
        raise malformed()
    members = members_of(history)
    terms = models.terms_of(members)
    intercept = models.formula_of(parameters).intercept
    given = {tre: _sums(parameters, released, 1, terms) for tre, released in members}
    own = {tre: _centred(history, tre, sums, parameters) for tre, sums in given.items() if sums is not None}
    size = len(terms) + 1 - int(intercept)
    line = linear.fit(linear.merge_all(own.values(), size), intercept)
    values = _counts(parameters, history, terms, list(own))
    if line is None:
        values["stopped"] = COLLINEAR if own else NOBODY
        return Result(values, exactness(members))
    close = line.leftover <= CLOSE * line.total
    if len(history) == 1 and (close or parameters.errors != "classical"):
        return Step(2, {"line": line})
    rss, meat = line.leftover, None
    if len(history) == 2:
        second = {tre: _sums(parameters, released, 2, terms) for tre, released in members_of(history, 2)}
        known = [each for tre in own if (each := second.get(tre)) is not None]
        if len(known) == len(own):
            rss, *gradient = models.add_up([each["residuals"] for each in known])
            line, rss = linear.refined(line, rss, np.array(gradient))
            if parameters.errors != "classical":
                meat = models.symmetric(models.add_up([each["meat"] for each in known]), len(terms))
        elif parameters.errors != "classical":
            values["stopped"] = "In the second round a TRE's sums could not leave, so there are no such errors."
    rows = sum(each.rows for each in own.values())
    logs = math.fsum(sums["weights"][1] for sums in given.values() if sums is not None and "weights" in sums)
    found = linear.summary(
        terms, line, rows, rss, log_weights=logs, errors=parameters.errors, meat=meat, people=values["n"]
    )
    if "stopped" in values:
        found |= dict.fromkeys(("se", "t", "p", "confint", "f"))
    found["heterogeneity"] = linear.chow(list(own.values()), line, rss)
    last = exactness(members_of(history, len(history)))
    return Result(values | found, "bounded" if last == "bounded" else exactness(members))


COLLINEAR: Final = "The terms of the formula are collinear over the TREs that answered."
NOBODY: Final = "No TRE's sums could leave."


def _counts(parameters: Lm, history: History, terms: list[str], used: list[str]) -> dict[str, Any]:
    members = members_of(history)
    everyone = [released for tre, released in members if tre in used] or [released for _, released in members]
    return {
        "formula": parameters.formula,
        "errors": parameters.errors,
        "terms": terms,
        "method": "least squares",
        **{name: total(everyone, name) for name in COUNTS},
        "pooled_over": used,
        "per_tre": {tre: {name: count(released, name) for name in COUNTS} for tre, released in members},
        "rounds": len(history),
        **dict.fromkeys(("coef", "se", "t", "p", "confint", "sigma", "r2", "adj_r2", "f", "df_resid", "loglik", "aic")),
        "heterogeneity": None,
    }


def _sums(parameters: Lm, released: Released, number: int, terms: list[str]) -> dict[str, list[float]] | None:
    """The sums that a member released, None where one is suppressed or beyond a double. Raises Refused for what is no
    such partial."""
    layout = _layout(parameters, number, len(terms))
    exact_ids(released, [*COUNTS, *layout])
    shape = released.shape
    if shape.keys() != {"round", "terms", "one_row_a_person"} or (shape["round"], shape["terms"]) != (number, terms):
        raise malformed()
    for name in COUNTS:
        count(released, name)
    known = [name for name in layout if not models.shut(released.figures[name])]
    found = {name: models.numbers(released.figures[name], len(layout[name])) for name in known}
    return found if len(found) == len(layout) else None


def _centred(history: History, tre: str, sums: Mapping[str, list[float]], parameters: Lm) -> Centred:
    import numpy as np

    from cinque.stats.linear import Centred

    rows, n = (count(history[0][tre], name) for name in ("rows", "n"))
    if not isinstance(rows, int) or not isinstance(n, int):
        raise malformed()  # sums are released only where n and rows are
    size = len(sums["means"])
    weight = float(rows) if parameters.weights is None else sums["weights"][0]
    cross = models.symmetric(sums["cross"], size)
    if weight < 0 or (np.diag(cross) < 0).any():
        raise malformed()
    return Centred(rows, weight, np.array(sums["means"]), cross)


ANALYSIS: Analysis[Lm] = Analysis(
    name="lm",
    version="1.0.0",
    published="2026-11-27",
    title="A linear regression",
    parameters=Lm,
    rounds=2,
    fields=(
        Field("n", "people", "Frequencies", "Distinct people whose rows are used."),
        Field("missing", "people", "Frequencies", "Distinct people with a row in which something that is used misses."),
        Field("outside", "people", "Frequencies", "Of the others, those whose weight is not above 0."),
        Field("rows", "rows", "Frequencies", "Rows used."),
        Field("means", "-", "CorrelationCoefficients", "Mean of each column, then of the response."),
        Field("cross", "-", "CorrelationCoefficients", "Centred cross products of these, on and above the diagonal."),
        Field("weights", "-", "CorrelationCoefficients", "The sums of weights and of their logarithms."),
        Field("residuals", "-", "CorrelationCoefficients", "Round two: sums of w e^2, w e, and w e x about its mean."),
        Field("meat", "-", "CorrelationCoefficients", "Round two: the middle of the sandwich of robust errors."),
    ),
    check=check,
    columns=models.columns,
    first=lambda _parameters: Step(1, {}),
    partial=partial,
    figures=figures,
    advance=advance,
    agree=models.agree,
)
