"""`fed.meta(…)`: one effect from the estimates of several TREs. Arithmetic on what was released: nothing is asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from cinque.client.digits import decimals, fixed, p_value
from cinque.errors import Refused
from cinque.sdc.figures import is_suppressed
from cinque.stats import meta as statistics
from cinque.stats import two_by_two

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cinque.client.answer import Answer
    from cinque.client.methods import Methods

_METHODS = {
    "fixed": "fixed effect",
    "dl": "random effects (DerSimonian-Laird)",
    "reml": "random effects (REML)",
    "ml": "random effects (ML)",
    "pm": "random effects (Paule-Mandel)",
}


@dataclass(frozen=True, repr=False)
class Synthesis:
    """`effects` and `ses` by TRE, and `result` (`stats.meta.Meta`), whose parts are attributes here: `estimate`, `se`,
    `ci`, `p`, `tau2`, `tau2_ci`, `Q`, `df`, `Q_p`, `I2`, `prediction`, `weights`. `label`: what the effect is.
    """

    names: tuple[str, ...]
    effects: tuple[float, ...]
    ses: tuple[float, ...]
    label: str
    left_out: tuple[str, ...]
    result: statistics.Meta

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.result, name)

    @property
    def H2(self) -> float | None:
        """Q over its degrees of freedom: 1 where the effects differ as much as chance makes them. None for one."""
        return self.result.Q / self.result.df if self.result.df else None

    def leave_one_out(self) -> dict[str, statistics.Meta]:
        """The pooled effect without each TRE in turn, by its name."""
        made = statistics.leave_one_out(
            self.effects, self.ses, self.result.method, hartung_knapp=self.result.hartung_knapp
        )
        return dict(zip(self.names, made, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        each = zip(self.names, self.effects, self.ses, self.result.weights, strict=True)
        tres = [{"tre": name, "effect": b, "se": s, "weight": w} for name, b, s, w in each]
        return {
            "effect": self.label,
            "tres": tres,
            "left_out": list(self.left_out),
            **asdict(self.result),
            "H2": self.H2,
        }

    def plot(self, *, exponentiate: bool = False, reference: float | None = None) -> Figure:
        """A forest plot. `exponentiate`: the effects are logarithms (of odds, hazards): show ratios. `reference`: where
        no effect is (0, or 1 for ratios). Raises Unavailable without matplotlib.
        """
        from cinque.client.plots.forest import forest

        return forest(self, exponentiate=exponentiate, reference=reference)

    def methods(self) -> Methods:
        """A paragraph for the methods section of a paper, with its references."""
        from cinque.client.methods import methods_of_synthesis

        return methods_of_synthesis(self)

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Each TRE's effect, error and weight."""
        places = decimals([*self.effects, *self.ses])
        each = zip(self.names, self.effects, self.ses, self.result.weights, strict=True)
        return [(name, fixed(b, places), fixed(se, places), f"{weight:.1f}") for name, b, se, weight in each]

    def _lines(self) -> list[tuple[str, str]]:
        found = self.result
        adjusted = ", Hartung-Knapp interval" if found.hartung_knapp else ""
        places = decimals([*self.effects, *self.ses])
        estimate, se, low, high = (fixed(number, places) for number in (found.estimate, found.se, *found.ci))
        lines = [
            ("method", _METHODS[found.method] + adjusted),
            ("estimate", f"{estimate} (se {se})"),
            ("95 % interval", f"{low} to {high}"),
            ("p", p_value(found.p)),
            (
                "heterogeneity",
                f"Q {found.Q:.4g} on {found.df} df, p {'–' if found.Q_p is None else p_value(found.Q_p)}",
            ),
            ("I2, H2", f"{found.I2:.1f} %, {'–' if self.H2 is None else f'{self.H2:.4g}'}"),
            ("tau2", f"{found.tau2:.4g}" + ("" if found.tau2_ci is None else f" ({_between(found.tau2_ci)})")),
        ]
        if found.prediction is not None:
            ends = (fixed(end, places) for end in found.prediction)
            lines.append(("95 % prediction interval", " to ".join(ends)))
        if self.left_out:
            lines.append(("left out", ", ".join(self.left_out)))
        return lines

    def __str__(self) -> str:
        import io

        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=100).print(self)
        return text.getvalue().rstrip()

    __repr__ = __str__

    def __rich__(self) -> Any:
        from rich.box import SIMPLE_HEAD
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for place, heading in enumerate(("TRE", self.label, "se", "weight, %")):
            table.add_column(Text(heading), justify="right" if place else "left")
        for row in self._rows():
            table.add_row(*map(Text, row))
        facts = Table.grid(padding=(0, 2))
        for name, value in self._lines():
            facts.add_row(Text(name), Text(value))
        return Group(table, facts)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self._rows())
        facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in self._lines())
        head = f"<tr><th>TRE</th><th>{escape(self.label)}</th><th>se</th><th>weight, %</th></tr>"
        return f'<div class="cinque-answer"><table>{head}{rows}</table><dl>{facts}</dl></div>'


def synthesise(
    effects: Answer | Sequence[float] | Mapping[str, Any],
    ses: Sequence[float] | Mapping[str, float] | None = None,
    *,
    term: str = "",
    measure: str = "",
    method: str = "reml",
    hartung_knapp: bool = False,
    names: Sequence[str] | None = None,
) -> Synthesis:
    """One effect from several. `effects` and `ses`: lists, or mappings by TRE. Or an answer: of a model whose TREs
    released their own estimates (`rounds="few"`), with the `term` that is meant; of a summary, whose means are meant
    (`term`: the group, where there are several); of a table of two factors of two levels, with the `measure` that is
    meant, as for a mapping of TRE -> [[a, b], [c, d]] (`or`: log odds ratio, `rr`: log risk ratio, `rd`: risk
    difference; see stats/two_by_two.py). `method`: fixed, dl, reml, ml or pm. A TRE of an answer whose estimate, or one
    of whose counts, is not there is left out, and said. Raises Refused for what `stats.meta.meta` refuses, and for an
    answer without estimates of its TREs.
    """
    found: dict[str, tuple[Any, Any] | None]
    if hasattr(effects, "per_tre"):  # an answer: importing its class here would be a cycle
        if measure:
            found = {tre: _of_counts(_table(own), measure) for tre, own in effects.per_tre.items()}
        else:
            found = {tre: _estimate(own, term) for tre, own in effects.per_tre.items()}
        if not any(found.values()):
            raise _no_estimates(term, measure, effects.per_tre)
    elif isinstance(effects, Mapping):
        if measure and ses is None:
            found = {tre: two_by_two.effect(counts, measure) for tre, counts in effects.items()}
        elif not isinstance(ses, Mapping) or effects.keys() != ses.keys():
            raise Refused("meta-input", "Effects and standard errors are of the same TREs.")
        else:
            found = {name: (effects[name], ses[name]) for name in effects}
    else:
        if ses is None or isinstance(ses, Mapping) or len(effects) != len(ses):
            raise Refused("meta-input", "As many standard errors as effects are needed, and at least one.")
        labels = names or [str(i + 1) for i in range(len(effects))]
        if len(set(labels)) != len(effects):
            raise Refused("meta-input", "Each effect has a name of its own.")
        found = dict(zip(labels, zip(effects, ses, strict=True), strict=True))
    pairs = {name: pair for name, pair in found.items() if pair is not None}
    left_out = tuple(name for name in found if name not in pairs)
    values, errors = tuple(b for b, _ in pairs.values()), tuple(s for _, s in pairs.values())
    made = statistics.meta(values, errors, method, hartung_knapp=hartung_knapp)
    label = two_by_two.MEASURES[measure] if measure else term or "effect"
    return Synthesis(tuple(pairs), values, errors, label, left_out, made)


def _no_estimates(term: str, measure: str, per_tre: Mapping[str, Any]) -> Refused:
    if measure:
        return Refused(
            "no-site-estimates",
            "No TRE of this answer released the four counts of a table of two factors of two levels.",
            remedy="Ask for a table of two such factors.",
        )
    groups = (", ".join(group["levels"]) for own in per_tre.values() for group in own.get("groups") or ())
    terms = dict.fromkeys([*(name for own in per_tre.values() for name in own.get("coef") or ()), *groups])
    if any(terms):
        return Refused(
            "no-site-estimates",
            f"No TRE of this answer released an estimate of its own for `{term}`.",
            remedy=f"Name one of: {', '.join(f'`{name}`' for name in terms)}.",
        )
    return Refused(
        "no-site-estimates",
        f"No TRE of this answer released an estimate of its own for `{term}`.",
        remedy='Ask the model with `rounds="few"`, and name one of its terms.',
    )


def _estimate(own: Any, term: str) -> tuple[float, float] | None:
    """A TRE's own estimate and standard error, None where it released none."""
    if not isinstance(own, Mapping):
        return None
    for group in own.get("groups") or ():
        if ", ".join(group["levels"]) == term:
            mean, sd, n = (group.get(name) for name in ("mean", "sd", "n"))
            usable = all(isinstance(value, int | float) for value in (mean, sd, n)) and n > 0 and sd > 0
            return (mean, sd / math.sqrt(n)) if usable else None
    effect, error = ((own.get(name) or {}).get(term) for name in ("coef", "se"))
    if isinstance(effect, int | float) and isinstance(error, int | float):
        return effect, error
    return None


def _table(own: Any) -> list[list[Any]] | None:
    """The four counts of a TRE's table, None where it is another table."""
    levels = list((own.get("levels") or {}).values())
    if [len(each) for each in levels] != [2, 2]:
        return None
    people = {tuple(cell["levels"]): cell["people"] for cell in own.get("cells") or ()}
    one, other = levels
    return [[people.get((a, b)) for b in other] for a in one] if len(people) == 4 else None


def _of_counts(table: list[list[Any]] | None, measure: str) -> tuple[float, float] | None:
    if table is None or any(is_suppressed(count) for row in table for count in row):
        return None
    return two_by_two.effect(table, measure)


def _between(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4g} to {interval[1]:.4g}"
