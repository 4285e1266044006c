"""`fed.meta(…)`: one effect from the estimates of several TREs. Arithmetic on what was released: nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from cinque.client.answer import Answer
from cinque.errors import Refused
from cinque.stats import meta as statistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
        return {"effect": self.label, "tres": tres, "left_out": list(self.left_out), **asdict(self.result)}

    def plot(self, *, exponentiate: bool = False, reference: float | None = None) -> Figure:
        """A forest plot. `exponentiate`: the effects are logarithms (of odds, hazards): show ratios. `reference`: where
        no effect is (0, or 1 for ratios). Raises Unavailable without matplotlib.
        """
        from cinque.client.plots import forest

        return forest(self, exponentiate=exponentiate, reference=reference)

    def _lines(self) -> list[tuple[str, str]]:
        found = self.result
        adjusted = ", Hartung-Knapp interval" if found.hartung_knapp else ""
        lines = [
            ("method", _METHODS[found.method] + adjusted),
            ("estimate", f"{found.estimate:.4g} (se {found.se:.4g})"),
            ("95 % interval", _between(found.ci)),
            ("p", f"{found.p:.3g}"),
            (
                "heterogeneity",
                f"Q {found.Q:.4g} on {found.df} df, p {'–' if found.Q_p is None else f'{found.Q_p:.3g}'}",
            ),
            ("I2, tau2", f"{found.I2:.1f} %, {found.tau2:.4g}"),
        ]
        if found.prediction is not None:
            lines.append(("95 % prediction interval", _between(found.prediction)))
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
        for name, b, s, w in zip(self.names, self.effects, self.ses, self.result.weights, strict=True):
            table.add_row(Text(name), f"{b:.4g}", f"{s:.4g}", f"{w:.1f}")
        facts = Table.grid(padding=(0, 2))
        for name, value in self._lines():
            facts.add_row(Text(name), Text(value))
        return Group(table, facts)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{b:.4g}</td><td>{s:.4g}</td><td>{w:.1f}</td></tr>"
            for name, b, s, w in zip(self.names, self.effects, self.ses, self.result.weights, strict=True)
        )
        facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in self._lines())
        head = f"<tr><th>TRE</th><th>{escape(self.label)}</th><th>se</th><th>weight, %</th></tr>"
        return f'<div class="cinque-answer"><table>{head}{rows}</table><dl>{facts}</dl></div>'


def synthesise(
    effects: Answer | Sequence[float] | Mapping[str, float],
    ses: Sequence[float] | Mapping[str, float] | None = None,
    *,
    term: str = "",
    method: str = "reml",
    hartung_knapp: bool = False,
    names: Sequence[str] | None = None,
) -> Synthesis:
    """One effect from several. `effects` and `ses`: lists, or mappings by TRE; or an answer whose TREs released their
    own estimates (`rounds="few"`), with the `term` that is meant. `method`: fixed, dl, reml, ml or pm. A TRE of an
    answer whose estimate is not there is left out, and said. Raises Refused for what `stats.meta.meta` refuses, and for
    an answer without estimates of its TREs.
    """
    left_out: tuple[str, ...] = ()
    if isinstance(effects, Answer):
        found = {tre: _estimate(own, term) for tre, own in effects.per_tre.items()}
        left_out = tuple(tre for tre, pair in found.items() if pair is None)
        pairs = {tre: pair for tre, pair in found.items() if pair is not None}
        if not pairs:
            raise Refused(
                "no-site-estimates",
                f"No TRE of this answer released an estimate of its own for `{term}`.",
                remedy='Ask the model with `rounds="few"`, and name one of its terms.',
            )
    elif isinstance(effects, Mapping):
        if not isinstance(ses, Mapping) or effects.keys() != ses.keys():
            raise Refused("meta-input", "Effects and standard errors are of the same TREs.")
        pairs = {name: (effects[name], ses[name]) for name in effects}
    else:
        if ses is None or isinstance(ses, Mapping) or len(effects) != len(ses):
            raise Refused("meta-input", "As many standard errors as effects are needed, and at least one.")
        labels = names or [str(i + 1) for i in range(len(effects))]
        if len(set(labels)) != len(effects):
            raise Refused("meta-input", "Each effect has a name of its own.")
        pairs = dict(zip(labels, zip(effects, ses, strict=True), strict=True))
    values, errors = [b for b, _ in pairs.values()], [s for _, s in pairs.values()]
    made = statistics.meta(values, errors, method, hartung_knapp=hartung_knapp)
    return Synthesis(tuple(pairs), tuple(values), tuple(errors), term or "effect", left_out, made)


def _estimate(own: Any, term: str) -> tuple[float, float] | None:
    """A TRE's own estimate and standard error, None where it released none."""
    if not isinstance(own, Mapping):
        return None
    effect, error = ((own.get(name) or {}).get(term) for name in ("coef", "se"))
    if isinstance(effect, int | float) and isinstance(error, int | float):
        return effect, error
    return None


def _between(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4g} to {interval[1]:.4g}"
