"""A new profile's folder: small, whole and passing its own trial, so that its writer begins with what works."""

from __future__ import annotations

import copy
import json
import os
import re
from pathlib import Path
from typing import Any

from cinque.crate.profiles import INSTALLED, Profile
from cinque.crate.profiles.examples import FOLDER, METADATA, Document, conforming
from cinque.crate.profiles.reading import HEAD, RULES
from cinque.errors import Refused


def begin(folder: Path, base: Profile) -> dict[str, bytes]:
    """The files of a layer on `base`, to be written to `folder`: one rule, a conforming crate and one that breaks it.

    Raises Refused where the base has no example to begin with.
    """
    name = folder.absolute().name
    words = re.findall(r"[A-Za-z0-9]+", name) or ["new"]
    prefix, iri = _prefix(words, base), f"https://example.org/profiles/{'-'.join(words).lower()}/0.1"
    title = " ".join(words).capitalize()
    found = conforming(base.place) if base.place is not None else {}
    which = next((stage for stage in (*base.by_stage, *found) if stage in found), "")
    if not which:
        raise Refused("profile-no-example", f"{base.name} has no example to begin with.", remedy="Build on another.")
    extends = base.id if base.id in INSTALLED else os.path.relpath(str(base.place), folder.absolute())
    keyword = " ".join(words).lower()
    crate, others = _declaring(found[which], iri, title, keyword)
    return {
        HEAD: _HEAD.format(
            id=json.dumps(iri), name=json.dumps(f"{title} 0.1"), extends=json.dumps(extends), prefix=prefix
        ).encode(),
        RULES: _RULES.format(prefix=prefix, keyword=keyword).encode(),
        f"{FOLDER}/{which}.json": (json.dumps(crate, indent=2, ensure_ascii=False) + "\n").encode(),
        f"{FOLDER}/mutants.toml": _MUTANTS.format(
            prefix=prefix,
            of=which,
            root=json.dumps(_root(crate)["@id"]),
            others=json.dumps([*others, "something else"]),
        ).encode(),
    }


def _prefix(words: list[str], base: Profile) -> str:
    """The initials of the name, or its letters, that no inherited rule begins with."""
    letters = "".join(words).upper()
    for prefix in ("".join(word[0] for word in words).upper(), letters[:3], letters, f"X{letters}"):
        fits = re.fullmatch(r"[A-Z][A-Z0-9]{1,11}", prefix[:12])
        if fits and not any(rule.id.startswith(f"{prefix[:12]}-") for rule in base.rules):
            return prefix[:12]
    return "OWN"


def _declaring(document: Document, iri: str, title: str, keyword: str) -> tuple[Document, list[Any]]:
    """The base's example as one of the new profile: it declares it, and has the keyword that its first rule asks; and
    the keywords that it had.
    """
    crate = copy.deepcopy(document)
    root = _root(crate)
    declared = root.get("conformsTo", [])
    listed = declared if isinstance(declared, list) else [declared]
    root["conformsTo"] = [*listed, {"@id": iri}]
    # RO-Crate 1.1 has no type for profiles
    types = ["CreativeWork"] if "/ro/crate/1.1/" in json.dumps(crate.get("@context")) else ["CreativeWork", "Profile"]
    had = root.get("keywords", [])
    others = had if isinstance(had, list) else [had]
    root["keywords"] = [*others, keyword]
    crate["@graph"].append({"@id": iri, "@type": types, "name": title, "version": "0.1"})
    return crate, others


def _root(crate: Document) -> dict[str, Any]:
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    found: dict[str, Any] = entities[entities[METADATA]["about"]["@id"]]
    return found


_HEAD = """\
id = {id}  # your own address, where people will find the profile
name = {name}
extends = [{extends}]
prefix = "{prefix}"  # the ids of your rules begin with it
version = "0.1"
license = "https://spdx.org/licenses/CC-BY-4.0"  # of the profile, not of the crates
about = \"\"\"
Say here for whom this profile is, and what a crate promises that conforms to it.
\"\"\"

[select]
# names for the entities that your rules speak of, beside those of what you build on
# output = {{ linked = "mainEntity/^instrument/result" }}
"""
_RULES = """\
# Rules of your own. What each word means: docs/howto/write-a-profile.md

[[rule]]
id = "{prefix}-keywords"
level = "should"
select = {{ root = true }}
path = "keywords"
value = ["{keyword}"]
message = "The root is not marked with the keyword of these crates."
remedy = "Add `{keyword}` to `keywords`."
rationale = "Whoever looks for crates of this kind finds them by keyword."

# Inherited rules may bind more here, never less:
# [[tighten]]
# rule = "R39"
# level = "must"
# reason = "Why it has to be."

# An inherited SHOULD or MAY may be switched off with a reason, a MUST never:
# [[off]]
# rule = "R8"
# reason = "Why it is not asked here."
"""
_MUTANTS = """\
# For each of your rules one crate that breaks it: a conforming example (`of`) and what is changed in it.

[[mutant]]
rule = "{prefix}-keywords"
of = "{of}"
set.{root}.keywords = {others}
"""
