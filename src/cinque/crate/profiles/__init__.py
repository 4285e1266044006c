"""Profiles as data: one folder a profile, rules in TOML, Python only for what words cannot say.

A folder holds `profile.toml` (id, name, what it builds on, groups of stages, named selections), `rules.toml`, and
`examples/`, which `cinque.crate.profiles.examples` reads. The words of a rule are those of
`cinque.crate.profiles.vocabulary`, the form of the files that of `cinque.crate.profiles.form`. Folders in this package
may have a `checks.py` whose functions their rules name; a folder from elsewhere may not.
"""

from cinque.crate.profiles.registry import (
    CLAIMED,
    COHORT_DISCOVERY,
    FAMILIES,
    FIVE_SAFES,
    FIVE_SAFES_DRAFT,
    INSTALLED,
    LAYERS,
    RO_CRATE,
    STATISTICAL_ANALYSIS,
    WORKFLOW_CRATE,
    folder,
    in_folder,
    named,
    profile,
)
from cinque.crate.profiles.rule import EVERY, LEVELS, Level, Profile, Rule, Subject

__all__ = [
    "CLAIMED",
    "COHORT_DISCOVERY",
    "EVERY",
    "FAMILIES",
    "FIVE_SAFES",
    "FIVE_SAFES_DRAFT",
    "INSTALLED",
    "LAYERS",
    "LEVELS",
    "RO_CRATE",
    "STATISTICAL_ANALYSIS",
    "WORKFLOW_CRATE",
    "Level",
    "Profile",
    "Rule",
    "Subject",
    "folder",
    "in_folder",
    "named",
    "profile",
]
