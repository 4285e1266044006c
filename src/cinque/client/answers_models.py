"""Answers of regressions, in the layout of a statistician's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cinque.client.answer import Answer
from cinque.client.digits import error_decimals, figure, fixed
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


# What a family takes as response.
_TAKES: Final = {
    "binomial": " (from 0 to 1)",
    "quasibinomial": " (from 0 to 1)",
    "poisson": " (0 or more)",
    "quasipoisson": " (0 or more)",
    "gamma": " (above 0)",
}


@dataclass(frozen=True, repr=False)
class ModelAnswer(Answer):
    """`coef`, `se`, `z` or `t`, `p`, `confint` by term; `deviance`, `df_resid` and so on as the analysis names them."""

    def sheets(self) -> Sequence[Any]:
        """Coefficients, then the fit."""
        from cinque.client.view import sheets

        if self.result is None:
            return []
        per_tre = {tre: {"fit": list(_lines(own))} for tre, own in self.result["per_tre"].items()}
        fit = {"fit": [*_lines(self.result), *self._tests()], "per_tre": per_tre}
        return [*self._terms(), *sheets(replace(self, result=fit))]

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
        outside = result.get("outside")
        if isinstance(outside, int) and outside:
            takes = _TAKES.get(result.get("family") or "", "")
            found.append(
                f"Left out, as the model is not defined for them: {outside:,} people. Look at the response{takes}, the "
                "weights, and what logarithms are taken of."
            )
        left = [tre for tre in self.per_tre if tre not in self.pooled_over]
        if left:
            found.append(f"Not in the fit, because their sums could not leave: {', '.join(left)}.")
        return found

    def _terms(self) -> Iterator[Any]:
        """The coefficients, with as many decimals as their standard errors need."""
        from cinque.client.view import Sheet, cells

        result = self.result or {}
        if not isinstance(result.get("coef"), Mapping):
            return
        terms = list(result["coef"])
        statistic = "t" if result.get("t") is not None else "z"
        places = error_decimals(result)
        columns: dict[str, list[tuple[str, bool]]] = {
            "coef": [(estimate(result["coef"][term], places), False) for term in terms],
            **self._beside(terms),
        }
        for name in ("se", statistic, "p"):
            found = [(result.get(name) or {}).get(term) for term in terms]
            columns[name] = [(estimate(v, places), False) for v in found] if name == "se" else cells(found, name)
        for side, name in enumerate(("2.5 %", "97.5 %")):
            ends = [((result.get("confint") or {}).get(term) or (None, None))[side] for term in terms]
            columns[name] = [(estimate(end, places), False) for end in ends]
        rows = [((term, False), *(column[place] for column in columns.values())) for place, term in enumerate(terms)]
        yield Sheet("", ("term", *columns), 1, tuple(rows))

    def _beside(self, _terms: Sequence[str]) -> dict[str, list[tuple[str, bool]]]:
        """Columns beside the coefficients."""
        return {}

    def _tests(self) -> Iterator[dict[str, Any]]:
        result = self.result or {}
        overall = result.get("f")
        if overall:
            yield {"fit": f"F on {_df(overall['df'])} degrees of freedom", "value": overall["statistic"]}
            yield {"fit": "F: p", "value": overall["p"]}
        apart = result.get("heterogeneity")
        if apart:
            name = "F" if "F" in apart else "Q"
            yield {"fit": f"between TREs: {name} on {_df(apart['df'])} degrees of freedom", "value": apart[name]}
            yield {"fit": "between TREs: p", "value": apart["p"]}


def estimate(value: Any, places: int | None) -> str:
    """A coefficient, its standard error or an end of its interval."""
    return fixed(value, places) if isinstance(value, int | float) else figure(value)


def _df(df: Any) -> str:
    return " and ".join(map(str, df)) if isinstance(df, list) else str(df)


def _lines(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, words in _FIT:
        if values.get(name) is not None and not (name == "rows" and values["rows"] == values.get("n")):
            yield {"fit": words, "value": values[name]}
