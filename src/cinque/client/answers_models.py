"""Answers of regressions, in the layout of a statistician's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cinque.client.answer import Answer
from cinque.errors import Refused

_FIT: Final = (
    ("n", "people"),
    ("rows", "rows"),
    ("missing", "people with something missing"),
    ("outside", "people the model cannot take"),
    ("deviance", "residual deviance"),
    ("null_deviance", "null deviance"),
    ("sigma", "residual standard error"),
    ("r2", "R squared"),
    ("adj_r2", "adjusted R squared"),
    ("df_resid", "residual degrees of freedom"),
    ("dispersion", "dispersion"),
    ("aic", "AIC"),
    ("iterations", "iterations"),
)


@dataclass(frozen=True, repr=False)
class ModelAnswer(Answer):
    """`coef`, `se`, `z` or `t`, `p`, `confint` by term; `deviance`, `df_resid` and so on as the analysis names them."""

    def sheets(self) -> Sequence[Any]:
        """Coefficients, then the fit."""
        from cinque.client.view import sheets

        if self.result is None:
            return []
        per_tre = {tre: {"fit": list(_lines(own))} for tre, own in self.result["per_tre"].items()}
        shown = {"terms": self._terms(), "fit": [*_lines(self.result), *self._tests()], "per_tre": per_tre}
        return sheets(replace(self, result=shown))

    def lr_test(self, other: Answer) -> dict[str, Any]:
        """The likelihood-ratio test of this fit against one with more terms, or fewer, on the same people: chi-squared,
        or F where the dispersion is estimated. Raises Refused where the two are not nested in what can be told of them.
        """
        from cinque.stats.wald import nested

        one, two = sorted((self, other), key=lambda answer: -(answer.df_resid or 0))
        alike = ("family", "link", "n", "pooled_over")
        if any((each.result or {}).get("rows", each.n) != each.n for each in (one, two)):
            raise Refused(
                "no-likelihood",
                "Rows of one person are not independent, so these fits have no likelihood to compare.",
                remedy="Use the Wald tests of the coefficients.",
            )
        same = all((one.result or {}).get(key) == (two.result or {}).get(key) for key in alike)
        if not same or one.deviance is None or two.deviance is None or one.df_resid == two.df_resid:
            raise Refused(
                "models-not-nested",
                "The two fits are not of one family and link on the same people, one with more terms than the other.",
                remedy="Fit both with the same filter, and leave out who misses a value that only one of them uses.",
            )
        estimated = two.family not in ("binomial", "poisson")
        return nested((one.deviance, one.df_resid), (two.deviance, two.df_resid), two.dispersion if estimated else None)

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        from cinque.client.view import renderable

        return Group(renderable(self), *(Text(said, "yellow") for said in self.warnings))

    def _repr_html_(self) -> str:
        from html import escape

        from cinque.client.view import html

        return html(self) + "".join(f"<p>{escape(said)}</p>" for said in self.warnings)

    @property
    def warnings(self) -> list[str]:
        """What must be known of the fit before it is used."""
        found = []
        result = self.result or {}
        if result.get("stopped"):
            found.append(str(result["stopped"]))
        if result.get("separation"):
            found.append("A coefficient runs off without end: some group has one outcome only (separation).")
        if result.get("method") == "site estimates":
            found.append("Each TRE's own estimates, combined: an approximation to the fit on all rows.")
        left = [self.names.get(tre, tre) for tre in result.get("per_tre", {}) if tre not in result["pooled_over"]]
        if left:
            found.append(f"Not in the fit, because their sums could not leave: {', '.join(left)}.")
        return found

    def _terms(self) -> list[dict[str, Any]]:
        result = self.result or {}
        if result.get("coef") is None:
            return []
        statistic = "t" if result.get("t") is not None else "z"
        confint = result.get("confint") or {}
        return [
            {
                "term": term,
                "coef": value,
                **{name: (result.get(name) or {}).get(term) for name in ("se", statistic, "p")},
                "2.5 %": (confint.get(term) or (None, None))[0],
                "97.5 %": (confint.get(term) or (None, None))[1],
            }
            for term, value in result["coef"].items()
        ]

    def _tests(self) -> Iterator[dict[str, Any]]:
        result = self.result or {}
        overall = result.get("f")
        if overall:
            yield {"fit": f"F on {_df(overall['df'])} degrees of freedom", "value": overall["statistic"]}
            yield {"fit": "its p", "value": overall["p"]}
        apart = result.get("heterogeneity")
        if apart:
            name = "F" if "F" in apart else "Q"
            yield {"fit": f"between TREs: {name} on {_df(apart['df'])} degrees of freedom", "value": apart[name]}
            yield {"fit": "its p", "value": apart["p"]}


def _df(df: Any) -> str:
    return " and ".join(map(str, df)) if isinstance(df, list) else str(df)


def _lines(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, words in _FIT:
        if values.get(name) is not None:
            yield {"fit": words, "value": values[name]}
