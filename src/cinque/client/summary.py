"""`answer.summary()`: plain text in the layout that statisticians know.

A model as R prints it (coefficients, fit, tests; no stars), survival curves as survfit, a table with its margins and,
where every count is known, its chi-squared test; anything else as its tables. Then how far it can be relied on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from cinque.client.digits import aligned, error_decimals, figure, fixed, p_value
from cinque.client.long_curves import left_out, printed
from cinque.client.records import Entry, groups_of, number, parts
from cinque.client.summary_tests import headline
from cinque.client.view import exactness
from cinque.crate.wording import short

if TYPE_CHECKING:
    from cinque.client.answer import Answer

_TESTS = (("lr", "Likelihood ratio test"), ("wald", "Wald test"), ("score", "Score (log-rank) test"))
_KNOWN_DISPERSION = ("binomial", "poisson")


class Summary(str):
    """Text; a notebook shows it with its columns."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f'<pre class="cinque-summary">{escape(self)}</pre>'

    __repr__ = str.__str__


def summary(answer: Answer) -> Summary:
    """The answer as text."""
    lines = [short(answer.question), ""]
    values = answer.result
    if values is not None:
        lines += list(_body(answer, values))
        lines.append("")
    said = [*map(short, answer.warnings)]
    reason = (values or {}).get("reason")
    if isinstance(reason, str) and reason not in said:
        said.append(short(reason))
    said.append(exactness(answer))
    said += [f"Not in it: {short(one.tre)}: {short(one.reason)} [{short(one.code)}]" for one in answer.missing]
    lines += [part for one in said for part in wrap(one, 100)]
    return Summary("\n".join(line.rstrip() for line in lines))


def _body(answer: Answer, values: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(values.get("coef"), Mapping):
        yield from _model(answer, values)
    elif isinstance(values.get("times"), list) and "survival" in values:
        yield from _curves(values)
    elif isinstance(values.get("cells"), list) and len(values.get("factors") or ()) in (1, 2):
        yield from _counts(values)
    else:
        yield from headline(answer, answer.known)
        for place, sheet in enumerate(answer.sheets()):
            if place:
                yield ""
            if sheet.title:
                yield short(sheet.title)
            yield from aligned(sheet.columns, [[text for text, _ in row] for row in sheet.rows], sheet.labels)


# ----------------------------------------------------------------------------------------------------------- models
def _model(answer: Answer, values: Mapping[str, Any]) -> Iterator[str]:
    terms = list(values["coef"])
    statistic = next((name for name in ("t", "z") if isinstance(values.get(name), Mapping)), "z")
    ends = values.get("confint") or {}
    places = error_decimals(values)
    yield "Coefficients:"
    yield from aligned(
        ("", "Estimate", "Std. Error", f"{statistic} value", f"Pr(>|{statistic}|)", "2.5 %", "97.5 %"),
        [
            (
                term,
                _fixed(values["coef"][term], places),
                _fixed((values.get("se") or {}).get(term), places),
                _fixed((values.get(statistic) or {}).get(term), 3),
                _p((values.get("p") or {}).get(term)),
                *(_fixed(end, places) for end in ends.get(term) or (None, None)),
            )
            for term in terms
        ],
    )
    if isinstance(values.get("hazard_ratio"), Mapping):
        yield ""
        ends = values.get("hazard_ratio_confint") or {}
        yield from aligned(
            ("", "exp(coef)", "exp(-coef)", "lower .95", "upper .95"),
            [
                (
                    term,
                    _fixed(ratio, 4),
                    _fixed(1 / ratio if number(ratio) else None, 4),
                    *(_fixed(end, 4) for end in ends.get(term) or (None, None)),
                )
                for term, ratio in values["hazard_ratio"].items()
            ],
        )
    yield ""
    yield from _fit(values)
    yield from _random(values)
    yield ""
    yield from _people(answer, values)


def _fit(values: Mapping[str, Any]) -> Iterator[str]:
    df, family = values.get("df_resid"), values.get("family")
    if values.get("sigma") is not None:
        yield f"Residual standard error: {_g(values['sigma'])} on {figure(df)} degrees of freedom"
    if values.get("r2") is not None:
        yield f"Multiple R-squared: {_g(values['r2'])}, Adjusted R-squared: {_g(values.get('adj_r2'))}"
    overall = values.get("f")
    if isinstance(overall, Mapping):
        yield f"F-statistic: {_g(overall['statistic'])} on {_df(overall['df'])} DF, p-value: {_p(overall['p'])}"
    if values.get("dispersion") is not None:
        taken = "taken to be" if family in _KNOWN_DISPERSION else "estimated as"
        yield f"(Dispersion parameter for {family} family {taken} {_g(values['dispersion'])})"
    for key, words, on in (
        ("null_deviance", "    Null deviance", values.get("df_null")),
        ("deviance", "Residual deviance", df),
    ):
        if values.get(key) is not None:
            yield f"{words}: {_g(values[key], 6)}" + ("" if on is None else f" on {figure(on)} degrees of freedom")
    if values.get("loglik") is not None and values.get("null_loglik") is not None:
        yield f"Log-likelihood: {_g(values['loglik'], 7)} (without terms {_g(values['null_loglik'], 7)})"
    if values.get("aic") is not None:
        yield f"AIC: {_g(values['aic'], 6)}"
    for key, words in _TESTS:
        test = values.get(key)
        if isinstance(test, Mapping):
            yield f"{words}: {_g(test['statistic'])} on {_df(test['df'])} df, {_p_is(test['p'])}"
    apart = values.get("heterogeneity")
    if isinstance(apart, Mapping):
        name = "F" if "F" in apart else "Q"
        yield f"Between TREs: {name} = {_g(apart[name])} on {_df(apart['df'])} df, {_p_is(apart['p'])}"
    if values.get("iterations") is not None:
        lost = " (did not converge)" if values.get("converged") is False else ""
        yield f"Number of iterations: {figure(values['iterations'])}{lost}"


def _random(values: Mapping[str, Any]) -> Iterator[str]:
    found = values.get("random")
    if not isinstance(found, Mapping) or not found:
        return
    yield ""
    yield "Random effects of TREs (REML):"
    yield from aligned(
        ("", "Estimate", "Std. Error", "2.5 %", "97.5 %", "tau2", "I2, %"),
        [
            (
                term,
                *(_g(one.get(name)) for name in ("coef", "se")),
                *(_g(end) for end in one.get("confint") or (None, None)),
                _g(one.get("tau2")),
                _fixed(one.get("I2"), 1),
            )
            for term, one in found.items()
        ],
    )


def _people(answer: Answer, values: Mapping[str, Any]) -> Iterator[str]:
    keys = [key for key in ("n", "events", "missing") if key in values]
    yield from aligned(
        ("People", *("in the fit" if key == "n" else key for key in keys)),
        [
            *([tre, *(figure(own.get(key)) for key in keys)] for tre, own in answer.per_tre.items()),
            ["all", *(figure(values[key]) for key in keys)],
        ],
    )


# --------------------------------------------------------------------------------------------------------- survival
def _curves(values: Mapping[str, Any]) -> Iterator[str]:
    groups = groups_of(values)
    found = parts(values)
    if not isinstance(values.get("survival"), list | Mapping):
        yield "No TRE's people can be counted: there is no curve."
        return
    for place, group in enumerate(groups or [""]):

        def of(key: str, group: str = group) -> Any:
            value = values.get(key)
            return value[group] if groups and isinstance(value, Mapping) else value

        if place:
            yield ""
        if groups:
            yield f"{short(str(values.get('by') or 'group'))} = {short(group)}"
        low, high = (of("median_interval") or (None, None))[:2]
        yield f"n {figure(of('n'))}, median {_known(of('median'))} (95 % interval {_known(low)} to {_known(high)})"
        mean, error = figure(of("restricted_mean")), figure(of("restricted_mean_se"))
        yield f"restricted mean to {values['times'][-1]:g}: {mean} (standard error {error})"
        rows = [entry for entry in found["curve"] if not groups or group in entry.labels.values()]
        errors = greenwood(rows)
        places = printed(len(rows))
        steps = ("at_risk", "events") if len(places) == len(rows) else ("at_risk",)
        yield from aligned(
            ("time", "n.risk", "n.event", "survival", "std.err", "lower 95% CI", "upper 95% CI")
            if len(steps) > 1
            else ("time", "n.risk", "survival", "std.err", "lower 95% CI", "upper 95% CI"),
            [
                (
                    f"{rows[at].labels['time']:g}",
                    *(figure(rows[at].figures.get(name)) for name in steps),
                    _fixed(rows[at].figures.get("survival"), 4),
                    _fixed(errors[at], 4),
                    *(_fixed(rows[at].figures.get(name), 4) for name in ("lower", "upper")),
                )
                for at in places
            ],
            labels=0,
        )
    if said := left_out(len(values["times"])):
        yield said


def greenwood(rows: Sequence[Entry]) -> list[float | None]:
    """Standard errors of a curve, S sqrt(sum d / (n (n - d))); None from where a count is not known."""
    total: float | None = 0.0
    made: list[float | None] = []
    for entry in rows:
        n, d, survival = (number(entry.figures.get(name)) for name in ("at_risk", "events", "survival"))
        if total is None or n is None or d is None or survival is None or n <= d:
            total = None
        else:
            total += d / (n * (n - d))
        made.append(None if total is None or survival is None else survival * math.sqrt(total))
    return made


# ----------------------------------------------------------------------------------------------------------- tables
def _counts(values: Mapping[str, Any]) -> Iterator[str]:
    factors, levels = values["factors"], values["levels"]
    cells = {tuple(cell["levels"]): cell["people"] for cell in values["cells"]}
    margins = {(one["factor"], one["level"]): one["people"] for one in values.get("margins") or ()}
    if len(factors) == 1:
        rows = [[level, figure(cells.get((level,)))] for level in levels[factors[0]]]
        yield from aligned((factors[0], "people"), [*rows, ["all", figure(values.get("n"))]])
    else:
        one, other = factors
        yield from aligned(
            (f"{one} \\ {other}", *levels[other], *(["all"] if margins else [])),
            [
                *(
                    [
                        level,
                        *(figure(cells.get((level, across))) for across in levels[other]),
                        *([figure(margins.get((one, level)))] if margins else []),
                    ]
                    for level in levels[one]
                ),
                *(
                    [["all", *(figure(margins.get((other, a))) for a in levels[other]), figure(values.get("n"))]]
                    if margins
                    else []
                ),
            ],
        )
        yield ""
        yield from _chi_squared([[cells.get((a, b)) for b in levels[other]] for a in levels[one]])
    yield f"missing: {figure(values.get('missing'))}"


def _chi_squared(counts: list[list[Any]]) -> Iterator[str]:
    if not all(isinstance(count, int) for row in counts for count in row):
        yield "No chi-squared test: a count is suppressed. Ask `chi2` for one over the TREs that can tell."
        return
    from cinque.stats.contingency import chi_squared

    found = chi_squared(counts)
    if found is not None:
        yield f"Pearson's chi-squared: {_g(found.statistic)} on {found.df} df, {_p_is(found.p)}"


# ---------------------------------------------------------------------------------------------------------- figures
def _fixed(value: Any, places: int | None) -> str:
    known = number(value)
    if known is None:
        if isinstance(value, Mapping):
            low, high = (value.get(end) for end in ("at_least", "at_most"))
            if number(low) is not None and number(high) is not None:
                return f"{_fixed(low, places)}..{_fixed(high, places)}"
        return figure(value)
    return fixed(known, places)


def _g(value: Any, digits: int = 4) -> str:
    known = number(value)
    return figure(value) if known is None else f"{known:.{digits}g}"


def _known(value: Any) -> str:
    return "not reached" if value is None else figure(value)


def _df(value: Any) -> str:
    return " and ".join(map(figure, value)) if isinstance(value, list) else figure(value)


def _p_is(value: Any) -> str:
    words = _p(value)
    return f"p {words[0]} {words[1:]}" if words.startswith("<") else f"p = {words}"


def _p(value: Any) -> str:
    known = number(value)
    return figure(value) if known is None else p_value(known)
