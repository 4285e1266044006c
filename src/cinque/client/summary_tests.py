"""The first lines of a test's summary, as R prints that test: its name, its statistic, its estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from cinque.client.digits import aligned, decimals, figure, figures, fixed, p_value

if TYPE_CHECKING:
    from cinque.client.answer import Answer

_CORRECTED: Final = " with continuity correction"
_TERMS: Final = {"one sample": "mean", "two samples": "difference of means", "paired": "mean difference"}


def headline(answer: Answer, values: Mapping[str, Any]) -> Iterator[str]:
    """The lines, and an empty one after them; none where the answer is no test, or the test could not be made."""
    lines = _LINES.get(answer.analysis)
    if lines is not None and values.get("p") is not None:
        yield from lines(answer.parameters, values)
        yield ""


def _ttest(asked: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    kind = values["test"]
    whose = "Two-sample" if values["equal_variance"] else "Welch two-sample"
    name = {"one sample": "One-sample", "paired": "Paired"}.get(kind, whose)
    of = asked["variable"]
    if asked.get("paired_with"):
        of += f" and {asked['paired_with']}"
    yield f"{name} t-test of {of}" + (f" by {asked['by']}" if asked.get("by") else "")
    yield _statistics({"t": values["statistic"], "df": values["df"]}, values["p"])
    levels = [", ".join(group["levels"]) for group in values["groups"]] if kind == "two samples" else []
    yield _estimate(
        _TERMS[kind] + (f" ({' - '.join(levels)})" if levels else ""), values["estimate"], values["confint"]
    )
    if values["mu"]:
        yield f"tested against {figure(values['mu'])}"


def _anova(asked: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    between, within = values["df_between"], values["df_within"]
    squares = [values["ss_between"], values["ss_within"]]
    means = [squares[0] / between, squares[1] / within]
    yield f"One-way analysis of variance of {asked['variable']}"
    rows = zip(
        (str(asked["by"]), "Residuals"),
        (figure(between), figure(within)),
        figures(squares),
        figures(means),
        (fixed(values["f"], decimals([values["f"]])), ""),
        (p_value(values["p"]), ""),
        strict=True,
    )
    yield from aligned(("", "Df", "Sum Sq", "Mean Sq", "F value", "Pr(>F)"), list(rows))


def _chi2(asked: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    yield f"Pearson's chi-squared test of {_factors(values)}" + (_CORRECTED if asked.get("yates") else "")
    yield _statistics({"X-squared": values["statistic"], "df": values["df"]}, values["p"])


def _fisher(_asked: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    yield f"Fisher's exact test of {_factors(values)}"
    yield _statistics({}, values["p"])
    yield _estimate("odds ratio", values["odds_ratio"], values["confint"])


def _cmh(asked: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    name = f"Mantel-Haenszel chi-squared test of {asked['exposure']} and {asked['outcome']}"
    yield name + (_CORRECTED if values["corrected"] else "")
    yield _statistics({"X-squared": values["statistic"], "df": values["df"]}, values["p"])
    yield _estimate("common odds ratio", values["odds_ratio"], values["confint"])


def _logrank(asked: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    how = "stratified by TRE" if values["stratified"] else "on a common grid"
    yield f"Log-rank test of {asked['by']}, {how}"
    yield _statistics({"Chisq": values["statistic"], "df": values["df"]}, values["p"])


_LINES: Final = {
    "ttest": _ttest,
    "anova": _anova,
    "chi2": _chi2,
    "fisher": _fisher,
    "cmh": _cmh,
    "logrank": _logrank,
}


def _factors(values: Mapping[str, Any]) -> str:
    return " and ".join(values["factors"])


def _statistics(found: Mapping[str, Any], p: float) -> str:
    words = p_value(p)
    known = [f"{name} = {figures([value])[0]}" for name, value in found.items()]
    return ", ".join([*known, f"p {words[0]} {words[1:]}" if words.startswith("<") else f"p = {words}"])


def _estimate(words: str, value: Any, ends: Any) -> str:
    if value is None or ends is None:
        return f"{words}: {figure(value)}"
    middle, low, high = figures([value, *ends])
    return f"{words}: {middle}, 95 % interval {low} to {high}"
