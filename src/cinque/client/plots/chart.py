"""The same pictures as specifications in Vega-Lite's language, through Altair: for notebooks and web pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cinque.client.digits import figure as printed
from cinque.client.plots.choose import (
    cells,
    curve_of_scores,
    estimates,
    histogram_panels,
    kind,
    means,
    ratio,
    shown,
    survival_curves,
)
from cinque.client.plots.roc import middle, outline
from cinque.client.plots.style import PALETTE
from cinque.client.records import bounds, number
from cinque.errors import Refused, Unavailable

if TYPE_CHECKING:
    from cinque.client.answer import Answer

_WIDTH: Final = 480
_WHOLE: Final = ("one TRE", "all TREs")
_KINDS: Final = ("curve", "roc", "coefficients", "histogram", "quantiles", "bars", "means", "people")


def chart(answer: Answer, *, by_tre: bool = False, exponentiate: bool | None = None, intercept: bool = False) -> Any:
    """An altair chart; `.to_dict()` is the specification. Options as in `plot`. Raises Refused where there is no such
    picture, Unavailable without altair.
    """
    try:
        import altair as alt
    except ModuleNotFoundError:
        raise Unavailable(
            "no-altair", "Specifications of pictures need altair.", remedy="Install it: `pip install 'cinque[plots]'`."
        ) from None
    values = shown(answer)
    found = kind(values)
    if found not in _KINDS:
        raise Refused("no-picture", "This answer's picture is drawn by `.plot()` alone.")
    title = answer.question
    match found:
        case "curve":
            return _curve(alt, survival_curves(answer, by_tre), values, title)
        case "roc":
            return _roc(alt, curve_of_scores(values), answer.per_tre if by_tre else {}, title)
        case "coefficients":
            named = ratio(values)
            ratios = named is not None if exponentiate is None else exponentiate
            rows = [
                {
                    "term": term,
                    **dict(zip(("value", "low", "high"), map(math.exp if ratios else float, each), strict=True)),
                }
                for term, each in estimates(values, intercept).items()
            ]
            return _points(alt, rows, "term", (named or "ratio") if ratios else "coefficient", title, log=ratios)
        case "means":
            return _points(alt, _means(means(answer)), "of", f"mean of {values['variable']}", title, colour="whole")
        case "quantiles":
            rows = [
                {"of": ", ".join([*row.get("levels", ()), row["probability"]]), **_ends(row)}
                for row in values["quantiles"]
            ]
            return _points(alt, rows, "of", values["variable"], title, zero=False, open_ends=True)
        case "histogram":
            return _histogram(alt, histogram_panels(answer, by_tre), values, title)
        case "bars":
            across, legend, panels = cells(answer, by_tre)
            return _bars(alt, panels, across, legend, title)
        case _:
            people = {tre: own.get("people", own.get("n")) for tre, own in answer.per_tre.items()}
            return _bars(alt, {"all": {"": people}}, "TRE", "", title)


def _ends(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = row["at_least"], row["at_most"]
    found = {"value": row["value"], "low": low, "high": high, "known": None, "words": ""}
    if (low is None) != (high is None):
        found |= (
            {"known": low, "words": f"{low:g} or more"}
            if high is None
            else {"known": high, "words": f"{high:g} or less"}
        )
    return found


def _means(groups: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    rows = []
    for group, by_tre in groups.items():
        for tre, one in by_tre.items():
            mean = number(one.get("mean"))
            if mean is not None:
                low, high = one["ends"] or (mean, mean)
                words = f"{group}: {tre}" if group else tre
                rows.append({"of": words, "value": mean, "low": low, "high": high, "whole": _WHOLE[tre == "all"]})
    return rows


def _points(
    alt: Any,
    rows: Sequence[Mapping[str, Any]],
    down: str,
    words: str,
    title: str,
    *,
    log: bool = False,
    zero: bool = True,
    colour: str = "",
    open_ends: bool = False,
) -> Any:
    """Points with their intervals, a row each in the order given."""
    y = alt.Y(f"{down}:N", sort=None, title=None)
    ends = [row[name] for row in rows for name in ("low", "high") if row[name] is not None]
    scale = alt.Scale(zero=False)
    if log:
        scale = alt.Scale(type="log", nice=False, domain=[min(1.0, *ends) / 1.1, max(1.0, *ends) * 1.1])
    hue = (
        {"color": alt.Color(f"{colour}:N", title=None, scale=alt.Scale(domain=list(_WHOLE), range=list(PALETTE[:2])))}
        if colour
        else {}
    )
    base = alt.Chart(alt.Data(values=list(rows)), title=title, width=_WIDTH)
    lines = base.mark_rule(strokeWidth=2, color=PALETTE[0]).encode(
        x=alt.X("low:Q", scale=scale, title=words), x2="high:Q", y=y, **hue
    )
    dots = base.mark_point(filled=True, size=70, color=PALETTE[0], opacity=1).encode(
        x=alt.X("value:Q", scale=scale, title=words),
        y=y,
        tooltip=[alt.Tooltip(f"{name}:{'N' if name == down else 'Q'}") for name in (down, "value", "low", "high")],
        **hue,
    )
    layers = [lines, dots]
    if open_ends:
        layers.append(
            base.mark_text(align="center").encode(x=alt.X("known:Q", scale=scale, title=words), y=y, text="words:N")
        )
    if zero and not colour:
        none = alt.Chart(alt.Data(values=[{"none": 1 if log else 0}]))
        layers.insert(0, none.mark_rule(strokeDash=[4, 3], color="#6f777b").encode(x="none:Q"))
    return alt.layer(*layers)


def _bars(alt: Any, panels: Mapping[str, Mapping[str, Mapping[str, Any]]], across: str, legend: str, title: str) -> Any:
    rows = []
    for panel, series in panels.items():
        for name, counts in series.items():
            for category, value in counts.items():
                low, high = bounds(value)
                rows.append(
                    {
                        "panel": panel,
                        "series": name,
                        "category": category,
                        "at_least": low or 0,
                        "at_most": high,
                        "people": printed(value),
                    }
                )
    hue = {"color": alt.Color("series:N", title=legend, scale=alt.Scale(range=list(PALETTE)))} if legend else {}
    offset = {"yOffset": alt.YOffset("series:N", sort=None)} if legend else {}
    common = {
        "y": alt.Y("category:N", sort=None, title=across),
        "tooltip": ["category:N", "series:N", "people:N"],
        **hue,
        **offset,
    }
    base = alt.Chart(width=_WIDTH if len(panels) == 1 else _WIDTH // 2)
    solid = base.mark_bar(color=PALETTE[0]).encode(x=alt.X("at_least:Q", title="people"), **common)
    range_ = base.mark_bar(color=PALETTE[0], opacity=0.35).encode(x="at_least:Q", x2="at_most:Q", **common)
    layers = alt.layer(solid, range_, data=alt.Data(values=rows))
    if len(panels) == 1:
        return layers.properties(title=title)
    return layers.facet(alt.Facet("panel:N", title=None, sort=list(panels)), columns=2, title=title)


def _histogram(alt: Any, panels: Mapping[str, tuple[Sequence[Any], str]], values: Mapping[str, Any], title: str) -> Any:
    edges = values["edges"]
    rows = []
    for panel, (counts, _) in panels.items():
        for low, high, count in zip(edges, edges[1:], counts, strict=False):
            least, most = bounds(count)
            rows.append(
                {
                    "panel": panel,
                    "from": low,
                    "to": high,
                    "at_least": least or 0,
                    "at_most": most,
                    "zero": 0,
                    "people": printed(count),
                }
            )
    x = alt.X("from:Q", title=values["variable"], scale=alt.Scale(domain=[edges[0], edges[-1]], nice=False))
    base = alt.Chart(width=_WIDTH if len(panels) == 1 else _WIDTH // 2)
    tips = ["from:Q", "to:Q", "people:N"]
    solid = base.mark_rect(color=PALETTE[0], stroke="white").encode(
        x=x, x2="to:Q", y=alt.Y("zero:Q", title="people"), y2="at_least:Q", tooltip=tips
    )
    range_ = base.mark_rect(color=PALETTE[0], opacity=0.35).encode(
        x=x, x2="to:Q", y="at_least:Q", y2="at_most:Q", tooltip=tips
    )
    layers = alt.layer(solid, range_, data=alt.Data(values=rows))
    if len(panels) == 1:
        return layers.properties(title=title)
    return layers.facet(alt.Facet("panel:N", title=None, sort=list(panels)), columns=2, title=title)


def _curve(alt: Any, curves: Mapping[str, Sequence[Any]], values: Mapping[str, Any], title: str) -> Any:
    rows: list[dict[str, Any]] = []
    for name, points in curves.items():
        rows.append({"curve": name, "time": 0, "low": 1, "high": 1, "lower": 1, "upper": 1})
        for point in points:
            low, high = bounds(point.figures.get("survival"))
            if low is None or high is None:
                break
            lower, upper = (bounds(point.figures.get(end))[0] for end in ("lower", "upper"))
            rows.append(
                {"curve": name, "time": point.labels["time"], "low": low, "high": high, "lower": lower, "upper": upper}
            )
    hue = (
        {"color": alt.Color("curve:N", title=values.get("by"), sort=list(curves), scale=alt.Scale(range=list(PALETTE)))}
        if len(curves) > 1
        else {}
    )
    unit = f" ({values['unit']})" if values.get("unit") else ""
    x = alt.X("time:Q", title=f"{values.get('time') or 'time'}{unit}")
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(alt.Data(values=rows), title=title, width=_WIDTH)
    marks = {"interpolate": "step-after", "color": PALETTE[0]}
    return alt.layer(
        base.mark_area(opacity=0.15, **marks).encode(
            x=x, y=alt.Y("lower:Q", title="survival", scale=scale), y2="upper:Q", **hue
        ),
        base.mark_area(opacity=0.4, **marks).encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", **hue),
        *(base.mark_line(**marks).encode(x=x, y=alt.Y(f"{side}:Q", scale=scale), **hue) for side in ("low", "high")),
    )


def _roc(alt: Any, values: Mapping[str, Any], by_tre: Mapping[str, Mapping[str, Any]], title: str) -> Any:
    """The curve, with the area in which it runs or with each TRE's; calibration beside it where it is known."""
    every = {**{tre: own for tre, own in by_tre.items() if own.get("points")}, "all": values}
    rows = [
        {"of": name, "x": x, "y": y, "place": place}
        for name, own in every.items()
        for place, (x, y) in enumerate(middle(own["points"]))
    ]
    x = alt.X("x:Q", title="1 - specificity", scale=alt.Scale(domain=[0, 1]))
    y = alt.Y("y:Q", title="sensitivity", scale=alt.Scale(domain=[0, 1]))
    hue = {"color": alt.Color("of:N", title=None, sort=list(every), scale=alt.Scale(range=list(PALETTE)))}
    even = {"strokeDash": [4, 3], "color": "#6f777b"}
    layers = [
        alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])).mark_line(**even).encode(x=x, y=y),
        alt.Chart(alt.Data(values=rows))
        .mark_line(color=PALETTE[0])
        .encode(x=x, y=y, order="place:Q", **(hue if len(every) > 1 else {})),
    ]
    if not by_tre:
        boxes = [
            {"x": left, "y": low, "right": right, "high": high}
            for (left, low), (right, high) in outline(values["points"], tied=values["tied"])
        ]
        area = alt.Chart(alt.Data(values=boxes)).mark_rect(opacity=0.18, color=PALETTE[0])
        layers.insert(0, area.encode(x=x, x2="right:Q", y=y, y2="high:Q"))
    curve = alt.layer(*layers).properties(width=_WIDTH * 2 // 3, height=_WIDTH * 2 // 3, title=title)
    groups = [group for group in values["calibration"] if group["people"]]
    if not groups:
        return curve
    most = min(1.0, 1.06 * max(max(group["mean_predicted"], group["upper"]) for group in groups))
    x = alt.X("mean_predicted:Q", title="predicted", scale=alt.Scale(domain=[0, most]))
    y = alt.Y("observed:Q", title="observed", scale=alt.Scale(domain=[0, most]))
    ends = [{"mean_predicted": end, "observed": end} for end in (0, most)]
    base = alt.Chart(alt.Data(values=groups))
    calibration = alt.layer(
        alt.Chart(alt.Data(values=ends)).mark_line(**even).encode(x=x, y=y),
        base.mark_rule(color="#1d1d1b").encode(x=x, y=alt.Y("lower:Q", title="observed"), y2="upper:Q"),
        base.mark_point(filled=True, size=60, opacity=1, color=PALETTE[0]).encode(
            x=x, y=y, tooltip=["predicted:N", "people:Q", "events:Q", "expected:Q"]
        ),
    )
    return alt.hconcat(curve, calibration.properties(width=_WIDTH * 2 // 3, height=_WIDTH * 2 // 3))
