"""Which picture an answer has, by the shape of its values, and what stands in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cinque.client.digits import figure as printed
from cinque.client.records import Entry, groups_of, number, parts
from cinque.errors import Refused

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cinque.client.answer import Answer

INTERCEPT: Final = "(Intercept)"
_RATIOS: Final = {"logit": "odds ratio", "log": "ratio of means", "cloglog": "hazard ratio"}
_LOGS: Final = {
    "poisson": "rate ratio",
    "quasipoisson": "rate ratio",
    "binomial": "risk ratio",
    "quasibinomial": "risk ratio",
}


def kind(values: Mapping[str, Any], term: str = "") -> str:
    """curve, roc, forest, coefficients, histogram, quantiles, bars, means, observed, missing, matrix or people. Raises
    Refused where the values have no picture.
    """
    per_tre = [own for own in values.get("per_tre", {}).values() if isinstance(own, Mapping)]
    if isinstance(values.get("times"), list) and isinstance(values.get("survival"), list | Mapping):
        return "curve"
    if isinstance(values.get("points"), list) and "auc" in values:
        return "roc"
    if term:
        return "forest"
    if isinstance(values.get("coef"), Mapping):
        return "coefficients"
    if isinstance(values.get("bins"), list) and isinstance(values.get("edges"), list):
        return "histogram"
    for key, found in (("quantiles", "quantiles"), ("cells", "bars")):
        if isinstance(values.get(key), list) and values[key]:
            return found
    if any("mean" in group for group in values.get("groups") or () if isinstance(group, Mapping)):
        return "means"
    if isinstance(values.get("observed"), Mapping) and isinstance(values.get("expected"), Mapping):
        return "observed"
    if any("percent_missing" in one for one in values.get("variables") or () if isinstance(one, Mapping)):
        return "missing"
    if _matrix(values):
        return "matrix"
    if any(isinstance(own.get("coef"), Mapping) for own in per_tre):
        return "forest"
    if any(_people(own) is not None for own in per_tre):
        return "people"
    raise Refused("no-picture", "There is no picture of this answer.", remedy="Use `.summary()` or `.to_pandas()`.")


def site_effect(answer: Answer, term: str = "", exponentiate: bool | None = None) -> tuple[str, bool] | None:
    """The term whose forest plot is meant, and whether as ratios; None where the picture is another."""
    values = shown(answer)
    if kind(values, term) != "forest":
        return None
    if not term:
        term = next(iter(next(own["coef"] for own in values["per_tre"].values() if own.get("coef"))))
    logarithm = "log" in term or ratio(values) is not None
    return term, logarithm if exponentiate is None else exponentiate


def plot(answer: Answer, *, by_tre: bool = False, exponentiate: bool | None = None, intercept: bool = False) -> Figure:
    """The picture, but for a forest plot (`site_effect`). `by_tre`: counts, histograms and curves of each TRE beside
    those of all; `exponentiate`: coefficients as ratios (without: where the model is of logarithms); `intercept`:
    whether it is drawn. Raises Refused without figures or a picture.
    """
    from cinque.client.plots import bars, curves, forest, intervals, roc

    values = shown(answer)
    match kind(values):
        case "curve":
            return curves.survival(
                survival_curves(answer, by_tre),
                across=values.get("time") or "time",
                legend="TRE" if by_tre else str(values.get("by") or ""),
                unit=str(values.get("unit") or ""),
            )
        case "roc":
            return roc.roc(curve_of_scores(values), answer.per_tre if by_tre else {})
        case "coefficients":
            named = ratio(values)
            ratios = named is not None if exponentiate is None else exponentiate
            words = (named or "ratio") if ratios else "coefficient"
            return forest.coefficients(estimates(values, intercept), words, exponentiate=ratios)
        case "histogram":
            return bars.histogram(histogram_panels(answer, by_tre), values["edges"], values["variable"])
        case "quantiles":
            return intervals.quantiles(values["quantiles"], values["variable"])
        case "bars":
            across, legend, panels = cells(answer, by_tre)
            return bars.bars(panels, across, "people", legend=legend)
        case "means":
            return intervals.means(means(answer), values["variable"])
        case "observed":
            series = {name: {g: _rounded(v) for g, v in values[name].items()} for name in ("observed", "expected")}
            return bars.bars({"": series}, str(values.get("by") or "group"), "people with the event", legend="")
        case "missing":
            return bars.bars(_missing(answer, by_tre), "", "missing, % of people", most=None)
        case "matrix":
            name, rows = next(iter(_matrix(values).items()))
            return bars.matrix(values["variables"], rows, name)
        case _:
            people = {tre: _people(own) for tre, own in answer.per_tre.items()}
            return bars.bars({"": {"people": people}}, "", f"people (all TREs: {printed(_people(values))})")


def shown(answer: Answer) -> dict[str, Any]:
    """The values. Raises Refused when nobody released a figure."""
    if answer.result is None:
        raise Refused("no-figures", "Nobody released a figure: there is nothing to draw.", remedy="See `.missing`.")
    return answer.result


def estimates(values: Mapping[str, Any], intercept: bool = True) -> dict[str, tuple[float, float, float]]:
    """Term -> coefficient and the ends of its interval, of the terms that have all three."""
    found = {}
    for term, value in values["coef"].items():
        low, high = (values.get("confint") or {}).get(term) or (None, None)
        if None not in (known := tuple(map(number, (value, low, high)))) and (intercept or term != INTERCEPT):
            found[term] = known
    if not found:
        raise Refused("no-figures", "No coefficient of this model is known: there is nothing to draw.")
    return found  # type: ignore[return-value]  # no None among them


def ratio(values: Mapping[str, Any]) -> str | None:
    """What exp of a coefficient is; None where it is nothing that is used."""
    if isinstance(values.get("hazard_ratio"), Mapping) or "ties" in values:
        return "hazard ratio"
    link, family = values.get("link"), values.get("family")
    if link == "log" and family in _LOGS:
        return _LOGS[family]
    return _RATIOS.get(link) if link else "odds ratio" if family == "binomial" else None


def survival_curves(answer: Answer, by_tre: bool = False) -> dict[str, list[Entry]]:
    """Curve -> its points: of each group over all TREs, or (of the first group) of each TRE and all."""
    values = shown(answer)

    def of(found: Mapping[str, Any], group: str | None) -> list[Entry]:
        points = parts(found).get("curve", [])
        return [point for point in points if group is None or group in point.labels.values()]

    groups = groups_of(values)
    if by_tre:
        group = groups[0] if groups else None
        shared = {key: values[key] for key in ("times", "by") if key in values}
        each = {tre: of(shared | own, group) for tre, own in answer.per_tre.items()} | {"all": of(values, group)}
    else:
        each = {group: of(values, group) for group in groups} if groups else {"": of(values, None)}
    known = {name: points for name, points in each.items() if points and points[0].figures.get("survival") is not None}
    if not known:
        raise Refused("no-figures", "No curve is known: there is nothing to draw.")
    return known


def curve_of_scores(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of a ROC curve. Raises Refused where there is none."""
    if values["auc"] is None:
        raise Refused("no-figures", "No curve is known: there is nothing to draw.", remedy="See `.warnings`.")
    return values


def cells(answer: Answer, by_tre: bool = False) -> tuple[str, str, dict[str, dict[str, dict[str, Any]]]]:
    """(factor along the axis, factor in colours, panel -> level in colour -> level along the axis -> people)."""
    values = shown(answer)
    *front, last = values["factors"]

    def of(found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        made: dict[str, dict[str, Any]] = {}
        for cell in found["cells"]:
            *before, level = cell["levels"]
            made.setdefault(", ".join(before), {})[level] = cell["people"]
        return made

    whole = of(values)
    panels = {tre: of(own) for tre, own in answer.per_tre.items()} if by_tre else {}
    every = panels | {"all": whole}
    complete = {p: {s: {c: f.get(s, {}).get(c) for c in by} for s, by in whole.items()} for p, f in every.items()}
    return last, ", ".join(front), complete


def means(answer: Answer) -> dict[str, dict[str, dict[str, Any]]]:
    """Group -> TRE or "all" -> mean, and `ends` of its 95 % interval by the t distribution, None where not known."""
    values = shown(answer)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for tre, own in (*answer.per_tre.items(), ("all", values)):
        groups = own.get("groups") or ()
        for group, shape in zip(groups, own.get("shape") or [None] * len(groups), strict=True):
            ends = _ends(group) if shape is None else shape.get("ci")
            known = ends if isinstance(ends, list | tuple) and None not in map(number, ends) else None
            found.setdefault(", ".join(group["levels"]), {})[tre] = {"mean": group.get("mean"), "ends": known}
    return found


def _ends(group: Mapping[str, Any]) -> tuple[float, float] | None:
    from cinque.stats.distributions import t_quantile

    mean, sd, n = (number(group.get(name)) for name in ("mean", "sd", "n"))
    if mean is None or sd is None or n is None or n < 2:
        return None
    half = t_quantile(0.975, n - 1) * sd / math.sqrt(n)
    return mean - half, mean + half


def histogram_panels(answer: Answer, by_tre: bool = False) -> dict[str, tuple[list[Any], str]]:
    """Panel -> people in each bin, and what is said of those outside."""
    values = shown(answer)

    def of(found: Mapping[str, Any], name: str) -> dict[str, tuple[list[Any], str]]:
        groups = found.get("groups") or [found]
        return {
            " · ".join(filter(None, [", ".join(group.get("levels") or ()), name])): (group["counts"], outside(group))
            for group in groups
        }

    made: dict[str, tuple[list[Any], str]] = {}
    if by_tre:
        for tre, own in answer.per_tre.items():
            made |= of(own, tre)
    return made | of(values, "all" if by_tre else "")


def outside(found: Mapping[str, Any]) -> str:
    """What is said of the people in no bin."""
    known = [
        f"{words} {printed(found[key])}" for key, words in (("under", "below"), ("over", "above")) if found.get(key)
    ]
    return ", ".join(known)


def _missing(answer: Answer, by_tre: bool) -> dict[str, dict[str, dict[str, Any]]]:
    every = (*answer.per_tre.items(), ("all", shown(answer))) if by_tre else (("all", shown(answer)),)
    return {
        name: {"missing": {one["variable"]: _rounded(one["percent_missing"]) for one in found["variables"]}}
        for name, found in every
    }


def _rounded(value: Any) -> Any:
    return round(value, 1) if isinstance(value, float) else value


def _matrix(values: Mapping[str, Any]) -> dict[str, list[list[float | None]]]:
    """Correlations between the variables."""
    names = values.get("variables")
    if not (isinstance(names, list) and isinstance(values.get("corr"), Mapping)):
        return {}
    return {"correlation": [[number(values["corr"][one][other]) for other in names] for one in names]}


def _people(values: Mapping[str, Any]) -> Any:
    return values.get("people", values.get("n"))
