"""The analyses that this installation knows, by name."""

from __future__ import annotations

import difflib
from typing import Any, Final

from cinque.analyses import (
    anova,
    chi2,
    cmh,
    corr,
    count,
    cov,
    cox,
    fisher,
    glm,
    histogram,
    km,
    lm,
    logrank,
    missing,
    quantiles,
    roc,
    summary,
    table,
    table_one,
    ttest,
)
from cinque.analyses.analysis import Analysis
from cinque.errors import NotFound

_MODULES: Final = (
    anova,
    chi2,
    cmh,
    corr,
    count,
    cov,
    cox,
    fisher,
    glm,
    histogram,
    km,
    lm,
    logrank,
    missing,
    quantiles,
    roc,
    summary,
    table,
    table_one,
    ttest,
)
REGISTRY: Final[dict[str, Analysis[Any]]] = {module.ANALYSIS.name: module.ANALYSIS for module in _MODULES}
SHIPPED: Final = tuple(sorted(REGISTRY))  # without what a process adds of its own


def get(name: str) -> Analysis[Any]:
    """The analysis of that name. Raises NotFound, naming the nearest, when there is none."""
    if name in REGISTRY:
        return REGISTRY[name]
    near = difflib.get_close_matches(name, REGISTRY, n=1)
    raise NotFound(
        "unknown-analysis",
        f"There is no analysis named `{name}`.",
        remedy=f"Did you mean `{near[0]}`?" if near else f"Choose one of: {', '.join(names())}.",
    )


def names() -> tuple[str, ...]:
    """All names, sorted."""
    return tuple(sorted(REGISTRY))


def register(analysis: Analysis[Any]) -> None:
    """One more analysis in this process. Raises ValueError for a name that another analysis has."""
    if REGISTRY.setdefault(analysis.name, analysis) is not analysis:
        raise ValueError(f"there is already an analysis named {analysis.name}")
