"""A profile as a Profile Crate: the page, the rules and the examples in one RO-Crate (RO-Crate 1.2, Profiles).

https://www.researchobject.org/ro-crate/specification/1.2/profiles.html: the root is a `Dataset` and a `Profile` whose
`@id` is the profile's own IRI; `hasPart` lists the files, `hasResource` says what each is for, by the roles of the
Profiles Vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cinque.crate.profiles import INSTALLED, RO_CRATE, Profile
from cinque.crate.profiles.examples import FOLDER, METADATA, MUTANTS
from cinque.crate.profiles.reading import HEAD, RULES
from cinque.crate.workshop.page import html_page
from cinque.errors import Refused
from cinque.lib.clock import rfc3339

ROLES: Final = "http://www.w3.org/ns/dx/prof/role/"
PAGE: Final = "profile.html"
_OURS: Final = "https://spdx.org/licenses/Apache-2.0"  # of Cinque, and so of the profiles that ship with it
_FORMATS: Final = {"html": "text/html", "toml": "application/toml", "json": "application/json", "ttl": "text/turtle"}


def profile_crate(
    profile: Profile, *, now: datetime, more: Mapping[str, tuple[str, str, bytes]] = MappingProxyType({})
) -> dict[str, bytes]:
    """The files of the crate. `more`: further files by path, each with its role (the last word of ROLES), name and
    content, such as the same rules in SHACL.

    Raises Refused for a profile that states no licence, which an RO-Crate has to.
    """
    licence = profile.head.get("license", _OURS if profile.id in INSTALLED else "")
    if not licence:
        raise Refused(
            "profile-license",
            f"{profile.name} states no licence, and a crate has to.",
            remedy=f'Add `license` to {HEAD}, such as "https://spdx.org/licenses/CC-BY-4.0".',
        )
    parts = {**dict(_parts(profile)), **more}
    graph = [
        {"@id": METADATA, "@type": "CreativeWork", "about": _ref(profile.id), "conformsTo": _ref(RO_CRATE)},
        _root(profile, licence, list(parts), now),
        {
            "@id": licence,
            "@type": "CreativeWork",
            "name": licence.rstrip("/").rpartition("/")[2],
            "description": "Under what conditions the profile may be used.",
        },
        *({"@id": base.id, "@type": ["CreativeWork", "Profile"], "name": base.name} for base in profile.bases),
    ]
    if not any(base.id == RO_CRATE for base in profile.bases) and profile.id != RO_CRATE:
        graph.append({"@id": RO_CRATE, "@type": ["CreativeWork", "Profile"], "name": "RO-Crate 1.2"})
    for path, (role, name, content) in parts.items():
        graph += [
            {
                "@id": path,
                "@type": "File",
                "name": name,
                "encodingFormat": _FORMATS.get(path.rpartition(".")[2], "application/octet-stream"),
                "contentSize": str(len(content)),
                "about": _ref(profile.id),
            },
            {
                "@id": _descriptor(path),
                "@type": "ResourceDescriptor",
                "name": name,
                "hasRole": _ref(ROLES + role),
                "hasArtifact": _ref(path),
            },
        ]
    metadata = {"@context": f"{RO_CRATE}/context", "@graph": graph}
    document = json.dumps(metadata, indent=2, ensure_ascii=False).encode() + b"\n"
    return {METADATA: document} | {path: content for path, (_, _, content) in parts.items()}


def _root(profile: Profile, licence: str, parts: list[str], now: datetime) -> dict[str, Any]:
    bases = dict.fromkeys((RO_CRATE, *(base.id for base in profile.bases)))
    root = {
        "@id": profile.id,
        "@type": ["Dataset", "Profile"],
        "identifier": profile.id,
        "name": profile.name,
        "description": " ".join(str(profile.head.get("about", f"The profile {profile.name}, as data.")).split()),
        "datePublished": rfc3339(now),
        "license": _ref(licence),
        "isProfileOf": [_ref(base) for base in bases if base != profile.id],
        "hasPart": [_ref(path) for path in parts],
        "hasResource": [_ref(_descriptor(path)) for path in parts],
    }
    if version := profile.head.get("version"):
        root["version"] = version
    return root


def _parts(profile: Profile) -> Iterator[tuple[str, tuple[str, str, bytes]]]:
    """Path, and role, name and content of each file."""
    place = profile.place
    if place is None:
        raise ValueError("a profile that was read from no folder cannot be packed")
    yield PAGE, ("specification", f"{profile.name}: rule by rule", html_page(profile))
    yield HEAD, ("schema", "What the profile is and builds on", (place / HEAD).read_bytes())
    yield RULES, ("constraints", "The rules as data", (place / RULES).read_bytes())
    examples = place / FOLDER
    for file in sorted(examples.iterdir(), key=lambda each: each.name) if examples.is_dir() else ():
        path = f"{FOLDER}/{file.name}"
        if file.name == MUTANTS:
            yield path, ("validation", "One crate or more that breaks each rule, as changes", file.read_bytes())
        elif file.name.endswith(".json"):
            name = f"A metadata document that conforms: {file.name.removesuffix('.json')}"
            yield path, ("example", name, file.read_bytes())


def _descriptor(path: str) -> str:
    return "#resource-" + "".join(c if c.isalnum() else "-" for c in path)


def _ref(identifier: str) -> dict[str, str]:
    return {"@id": identifier}
