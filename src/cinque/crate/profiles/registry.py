"""Which profiles there are: those that ship with Cinque, by their IRI, and folders anywhere on disk, by their path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from cinque.crate.profiles.reading import HEAD, read
from cinque.crate.profiles.rule import Profile
from cinque.errors import NotFound, Refused

_PACKAGE = __name__.rpartition(".")[0]
FIVE_SAFES = "https://w3id.org/5s-crate/0.4"
FIVE_SAFES_DRAFT = "https://w3id.org/5s-crate/1.0"
RO_CRATE = "https://w3id.org/ro/crate/1.2"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
CLAIMED = {  # profiles that are applied wherever a crate says that it conforms to them
    WORKFLOW_CRATE: "workflow_ro_crate",
    "https://w3id.org/ro/wfrun/process/0.5": "process_run_crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "workflow_run_crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "provenance_run_crate",
}
COHORT_DISCOVERY = "https://w3id.org/cinque/profiles/cohort-discovery/0.1"
STATISTICAL_ANALYSIS = "https://w3id.org/cinque/profiles/statistical-analysis/0.1"
LAYERS = {  # what communities ask on top of Five Safes 0.4: asked of a crate that declares it, or by name
    COHORT_DISCOVERY: "cohort_discovery",
    STATISTICAL_ANALYSIS: "statistical_analysis",
}
FAMILIES = ("https://w3id.org/ro/wfrun/", "https://w3id.org/workflowhub/workflow-ro-crate/")
_FOLDERS = {
    FIVE_SAFES: "five_safes_0_4",
    FIVE_SAFES_DRAFT: "five_safes_1_0_draft",
    RO_CRATE: "ro_crate",
    **CLAIMED,
    **LAYERS,
}
INSTALLED = tuple(_FOLDERS)
# one set of rules: what a version of RO-Crate demands of its own looks at the version that the crate declares
_FOLDERS |= {"https://w3id.org/ro/crate/1.1": "ro_crate", "https://w3id.org/ro/crate/1.3": "ro_crate"}
_DEEPEST = 16  # folders that build on each other


@cache
def profile(identifier: str = FIVE_SAFES) -> Profile:
    """The profile of this IRI, compiled once. Raises NotFound for one that is not installed."""
    place = folder(identifier)
    if identifier not in INSTALLED:  # another version of the same rules
        return replace(profile(next(name for name in INSTALLED if _FOLDERS[name] == place.name)), id=identifier)
    return read(place, lambda named: tuple(map(profile, named)), f"{_PACKAGE}.{place.name}")


def folder(identifier: str) -> Traversable:
    """The folder of an installed profile. Raises NotFound for one that is not installed."""
    name = _FOLDERS.get(identifier)
    if name is None:
        raise _unknown(identifier)
    return resources.files(_PACKAGE) / name


def named(text: str) -> Profile:
    """The profile of this IRI, or in the folder at this path. Raises NotFound where there is neither, and what
    `in_folder` raises.
    """
    if text in _FOLDERS:
        return profile(text)
    if "://" in text or not os.path.isdir(text):  # noqa: PTH112  Path.is_dir raises for a name that is too long
        raise _unknown(text)
    return in_folder(Path(text))


def in_folder(path: Path) -> Profile:
    """The profile in a folder anywhere on disk, which holds no Python. Raises Unreadable for what is not in the form of
    a profile, Refused for what a layer may not do, for Python, and for folders that build on each other in a circle.
    """
    return _in_folder(path.resolve(), (), {})


def _in_folder(path: Path, above: tuple[Path, ...], known: dict[Path, Profile]) -> Profile:
    """`above`: the folders that build on this one; `known`: those read already, each once, so that two ways to a rule
    lead to the same rule.
    """
    if path in known:
        return known[path]
    inside = Path(str(resources.files(_PACKAGE))).resolve()
    for identifier, name in _FOLDERS.items():
        if path == inside / name:
            return profile(identifier)
    if path in above:
        raise Refused(
            "profile-circle",
            f"{path.name} builds on itself: {' on '.join(each.name for each in (*above, path))}.",
            remedy="Take one of them out of `extends`.",
        )
    if len(above) >= _DEEPEST:
        raise Refused(
            "profile-circle", f"More than {_DEEPEST} folders build on each other.", remedy="Join some of them."
        )
    if python := next(path.glob("*.py"), None):
        raise Refused(
            "profile-python",
            f"{path.name} holds Python ({python.name}), and Cinque runs no Python that it did not bring itself.",
            remedy="Say it in the words of the vocabulary, and remove the file.",
        )

    def bases(extends: Sequence[str]) -> tuple[Profile, ...]:
        return tuple(profile(each) if each in _FOLDERS else _beside(path, each, above, known) for each in extends)

    made = read(path, bases)
    if made.id in _FOLDERS or made.id in _under(made.bases):
        raise Refused(
            "profile-id-taken",
            f"{path.name}/{HEAD}: {made.id} is the id of another profile.",
            remedy="Give the profile an IRI of its own.",
        )
    known[path] = made
    return made


def _beside(path: Path, extends: str, above: tuple[Path, ...], known: dict[Path, Profile]) -> Profile:
    if "://" in extends or not os.path.isdir(path / extends):  # noqa: PTH112  as above
        raise _unknown(extends)
    return _in_folder((path / extends).resolve(), (*above, path), known)


def _under(bases: Sequence[Profile]) -> set[str]:
    return {each for base in bases for each in (base.id, *_under(base.bases))}


def _unknown(text: str) -> NotFound:
    return NotFound(
        "profile-unknown",
        f"There is no rule set for this profile: {text[:200]!r} is neither installed nor a folder.",
        remedy=f"Known are {', '.join(_FOLDERS)}.",
    )
