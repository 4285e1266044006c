"""Secrets in metadata and payload (R99): the forms in which tokens and passwords are usually written.

A cheap search for a marker comes first, the pattern only where one stands: this reads every byte of every crate. What
was found is named, never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from cinque.crate.index import Node
from cinque.crate.profiles import Subject
from cinque.crate.profiles.vocabulary import Hit

_SAYS = "(?:password|passwd|secret|token|api_key|access_key|secret_key)"
_NOT_A_KIND = r"(?!(?:string|text|required|optional|boolean|integer|number|secret|hidden|redacted)\b)"  # as schemas say
# what it is, markers of which one must stand in the text, the pattern
_FORMS: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    ("a private key", ("PRIVATE KEY-----",), re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")),
    (
        "an AWS access key",
        ("AKIA", "ASIA"),
        re.compile(r"(?<![A-Za-z0-9+/])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9+/])"),
    ),
    ("a GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}")),
    ("a GitHub token", ("github_pat_",), re.compile(r"\bgithub_pat_[A-Za-z0-9_]{36}")),
    ("a GitLab token", ("glpat-",), re.compile(r"\bglpat-[A-Za-z0-9_-]{20}")),
    ("a Slack token", ("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10}")),
    ("a Google API key", ("AIza",), re.compile(r"\bAIza[A-Za-z0-9_-]{35}")),
    ("an API key", ("sk-",), re.compile(r"\bsk-(?:[a-z]+-)*[A-Za-z0-9_]{32}")),
    ("a JSON web token", ("eyJ",), re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8}")),
    ("a bearer token", ("earer ",), re.compile(r"\b[Bb]earer [A-Za-z0-9._~+/-]{20}")),
    ("an npm token", ("npm_",), re.compile(r"\bnpm_[A-Za-z0-9]{36}")),
    ("a PyPI token", ("pypi-AgE",), re.compile(r"\bpypi-AgE[A-Za-z0-9_-]{40}")),
    ("a storage account's key", ("AccountKey=",), re.compile(r"\bAccountKey=[A-Za-z0-9+/]{40}")),
    ("an address with a password", ("://",), re.compile(r"://[^\s/?#:@]{1,64}:[^\s/?#@]{1,128}@")),
    (
        "a password",
        ("assw", "ASSW", "wd=", "WD="),
        re.compile(r"\b(?:password|passwd|pwd)\s*=\s*[^\s;,&*<${]{4}", re.IGNORECASE),
    ),
    (
        "a password or token",  # as a value in JSON, or in a line of YAML
        ("assw", "ASSW", "ecret", "ECRET", "oken", "OKEN", "_key", "_KEY"),
        re.compile(
            rf'"(?:[a-z]+[_-])?{_SAYS}"\s*:\s*"{_NOT_A_KIND}[^"*<${{\s]{{6,}}"'
            rf"|^[ \t]*(?:[a-z]+[_-])?{_SAYS}:[ \t]+[\"']?{_NOT_A_KIND}[^\s\"'*<${{#|>]{{6,}}[\"']?[ \t]*$",
            re.IGNORECASE | re.MULTILINE,
        ),
    ),
)
_NAMES = re.compile(
    r"(?:^|[^a-z])(?:pass(?:word|wd|phrase)|pwd|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key"
    r"|credentials?)(?:$|[^a-z])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TEXT_LIMIT = 4 << 20  # bytes of one payload file that are read


def likely(found: str) -> str:
    """What kind of secret stands in this text, "" for none."""
    for what, markers, pattern in _FORMS:
        for marker in markers:
            if marker in found and pattern.search(found):
                return what
    return ""


def secret(subject: Subject) -> Iterator[Hit]:
    """Every text of the metadata; and values of parameters whose name says that they are secret (D10)."""
    nodes = subject.index.nodes
    if likely("\n".join(_texts([node.data for node in nodes]))):
        for node in nodes:
            for key, value in node.data.items():
                if what := likely("\n".join(_texts([value]))):
                    yield Hit(node.id, what, key)
    for node in subject.index.of_type("PropertyValue"):
        if _says_secret(subject, node) and any(value.strip("*") for value in node.texts("value")):
            yield Hit(node.id, "a password or token", "value")


def _says_secret(subject: Subject, node: Node) -> bool:
    names = [node.id, *node.texts("name"), *node.texts("propertyID")]
    for example in subject.index.linked(node, "exampleOfWork"):
        names += [example.id, *example.texts("name")]
    return any(_NAMES.search(_CAMEL.sub("-", name)) for name in names)


def _texts(values: Iterable[Any]) -> list[str]:
    """Every text in these values, however deep."""
    found: list[str] = []
    waiting: list[Iterable[Any]] = [values]
    while waiting:
        for item in waiting.pop():
            kind = type(item)
            if kind is str:
                found.append(item)
            elif kind is dict:
                waiting.append(item.values())
            elif kind is list:
                waiting.append(item)
    return found


def secret_in_payload(subject: Subject) -> Iterator[Hit]:
    """Payload files that are text; the metadata has its own rule."""
    for path, content in (subject.payload or {}).items():
        if path != "ro-crate-metadata.json" and (what := likely(_text(content))):
            yield Hit(path, what)


def secret_in_tags(subject: Subject) -> Iterator[Hit]:
    """The bag's other files. Manifests and envelopes are digests and signatures, whose letters are chance."""
    for path, content in (subject.files or {}).items():
        machine = "manifest-" in path or path.endswith(".dsse.json") or path.startswith("data/")
        if not machine and (what := likely(_text(content))):
            yield Hit(path, what)


def _text(content: bytes) -> str:
    """The beginning of a file as text, "" for what is none."""
    beginning = content[:_TEXT_LIMIT]
    if beginning[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return beginning.decode("utf-16", "replace")
    return "" if b"\0" in beginning[:1024] else beginning.decode("utf-8", "replace")
