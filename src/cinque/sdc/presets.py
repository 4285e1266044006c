"""Risk appetites of known organisations, as data with their sources, and how a TRE names or writes its own.

A preset says which of its organisation's rules it carries. None is that organisation's approval of anything. Where it
names no numbers for models, sums and sessions, those are Appetite's own defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, Final

from cinque.errors import Refused
from cinque.lib.canonical import canonical
from cinque.lib.digest import sha256_hex
from cinque.sdc.appetite import Appetite

PRESETS: Final[Mapping[str, Appetite]] = {
    preset.name: preset
    for preset in (
        Appetite(),
        Appetite(
            "opensafely",
            "https://github.com/opensafely/documentation/blob/41030f3/docs/outputs/sdc.md: counts of 7 or fewer are "
            "redacted, zeros usually allowed. PARTIAL: rounding to the nearest 5, which follows there, is not applied.",
            threshold=8,
            zeros="release",
        ),
        Appetite(
            "uk-llc",
            "https://guidebook.ukllc.ac.uk (statistical disclosure control): fewer than 10 people, zero included, "
            "without exceptions.",
            threshold=10,
        ),
        Appetite(
            "abs-datalab",
            "https://www.abs.gov.au (DataLab, input and output clearance): 10 unweighted contributors, 10 degrees "
            "of freedom. PARTIAL: dominance (1,50) and (2,67) and differences between tables are not applied.",
            threshold=10,
        ),
        Appetite(
            "nhs-hes",
            "https://digital.nhs.uk/data-and-information/data-tools-and-services/data-services/hospital-episode-"
            "statistics/change-to-disclosure-control-methodology-for-hes-and-ecds-from-september-2018: sub-national "
            "counts of 1 to 7 are suppressed. PARTIAL: its rounding is not applied; secondary suppression is.",
            threshold=8,
            zeros="release",
        ),
        Appetite(
            "datashield",
            "https://github.com/datashield/dsBase 6.3.3, nfilter.tab 3: counts of 1 and 2 are suppressed; "
            "nfilter.glm 0.33. PARTIAL: its filters for strings, neighbours and noise are not applied.",
            threshold=3,
            zeros="release",
        ),
    )
}


def preset(name: str) -> Appetite:
    """The preset of that name. Raises Refused, naming the nearest, when there is none."""
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=1)
    raise Refused(
        "unknown-appetite",
        f"There is no risk appetite named `{name}`.",
        remedy=f"Did you mean `{near[0]}`?" if near else f"Choose one of: {', '.join(PRESETS)}.",
    )


def appetite_from(spec: str | Mapping[str, Any]) -> Appetite:
    """A preset by its name, or an own appetite from the fields of Appetite but its name; `threshold` is required.
    Raises Refused in words for anything else.
    """
    if isinstance(spec, str):
        return preset(spec)
    if unknown := sorted(set(spec) - set(_FIELDS)):
        raise _malformed(f"A risk appetite has no field {', '.join(f'`{name}`' for name in unknown)}.")
    for name, value in spec.items():
        kinds, meant = _FIELDS[name]
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise _malformed(f"A risk appetite's `{name}` is not {meant}.")
    if "threshold" not in spec:
        raise _malformed("A risk appetite's `threshold` is missing.")
    if spec.get("zeros", "suppress") not in ("suppress", "release"):
        raise _malformed("A risk appetite's `zeros` is neither `suppress` nor `release`.")
    return Appetite("custom", **{"source": "", **spec})


_FIELDS: Final[Mapping[str, tuple[Any, str]]] = {
    "threshold": (int, "a whole number of people"),
    "zeros": (str, "`suppress` or `release`"),
    "dof": (int, "a whole number of degrees of freedom"),
    "dominance": (int | float, "a share between 0 and 1"),
    "ratio": (int | float, "a share between 0 and 1"),
    "source": (str, "text"),
}


def digest(appetite: Appetite) -> str:
    """SHA-256 of the appetite's canonical JSON: what a TRE's card and every release carry."""
    return sha256_hex(canonical(dataclasses.asdict(appetite)))


def _malformed(sentence: str) -> Refused:
    return Refused(
        "appetite-malformed", sentence, remedy=f"Its fields are {', '.join(f'`{name}`' for name in _FIELDS)}."
    )
