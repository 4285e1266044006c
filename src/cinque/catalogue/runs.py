"""The record: who asked what of which data release, on what authority, with what verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from cinque.catalogue.entry import Entry
from cinque.catalogue.index import Index
from cinque.lib.canonical import strict_loads
from cinque.model.request import task_id


@dataclass(frozen=True, slots=True)
class Copy:
    """One place where a crate of the run lies. `verified`: authentic, signer unknown, not authentic or unreadable, by
    the cards that are pinned in that home.
    """

    folder: str
    path: str
    kind: str
    digest: str
    verified: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One question at one TRE. Texts are empty where nobody said; times are RFC 3339.

    `outcome`: of the crate that ended it (released, refused, withheld, failed, expired, cancelled, or unreadable), else
    `missing` where an answer was made without this TRE, else `waiting`. `reason`, `sentence`: why not, or what is wrong
    with the crate. `agreement` and who decided: the authority. `suppressed`: None where no figure left. `verified`: of
    the crate that all this is taken from; where it is not `authentic`, nothing here is proven. `crates`: that crate
    wherever it lies, and the answers it went into.
    """

    request: str
    task: str
    title: str
    asked: str
    person: str
    person_name: str
    project: str
    project_name: str
    dataset: str
    release: str
    snapshot: str
    analysis: str
    analysis_digest: str
    parameters: str
    tre: str
    tre_name: str
    outcome: str
    reason: str
    sentence: str
    agreement: str
    agreement_version: str
    agreement_title: str
    sign_off: str
    signed_off_by: str
    signed_off_as: str
    disclosure: str
    checked_by: str
    checked_as: str
    suppressed: bool | None
    started: str
    ended: str
    published: str
    verified: str
    signer: str
    crates: tuple[Copy, ...]

    @property
    def authority(self) -> str:
        """On what authority, in words."""
        words = [f"agreement {self.agreement} version {self.agreement_version}"] if self.agreement else []
        if self.sign_off:
            how = "automatically by" if self.signed_off_as == "software" else "by"
            words.append(f"{self.sign_off} {how} {self.signed_off_by}".strip())
        return ", ".join(words)

    @property
    def verdict(self) -> str:
        """What became of it and of its figures, in words."""
        words = [self.outcome]
        if self.disclosure:
            words.append(f"disclosure check {self.disclosure}")
        if self.suppressed is not None:
            words.append("some figures suppressed" if self.suppressed else "nothing suppressed")
        return ", ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """As a JSON value: the fields, parameters as an object, authority and verdict in words besides."""
        own = asdict(self) | {"authority": self.authority, "verdict": self.verdict}
        own["parameters"] = strict_loads(self.parameters.encode()) if self.parameters else None
        return own | {"crates": [asdict(copy) for copy in self.crates]}


def runs(
    index: Index,
    project: str | None = None,
    person: str | None = None,
    data: str | None = None,
    text: str | None = None,
) -> list[Run]:
    """The runs on record, newest first. `project`, `person`: an id, its last part (an ORCID's digits), or a part of the
    name; `data`: a dataset's id, or `id@release` (the release asked for, or the snapshot that was read); `text`: words
    in title, parameters or names. Raises Unreadable when `text` holds no word.
    """
    entries = index.entries()
    found = [*_ended(entries), *_open(entries)]
    if text is not None:
        hits = {(entry.folder, entry.path) for entry in index.entries(text)}
        found = [run for run in found if any((copy.folder, copy.path) in hits for copy in run.crates[:1])]
    answers: dict[str, list[Copy]] = {}
    for entry in entries:
        if entry.kind == "answer" and entry.request:
            answers.setdefault(entry.request, []).append(_copy(entry))
    found = [
        replace(run, crates=(*run.crates, *answers.get(run.request, ())))
        for run in found
        if (project is None or _means(project, run.project, run.project_name))
        and (person is None or _means(person, run.person, run.person_name))
        and (data is None or data in _data(run))
    ]
    found.sort(key=lambda run: (run.request, run.tre_name, run.task, run.crates[0].digest))
    return sorted(found, key=lambda run: run.asked or run.published, reverse=True)


def _ended(entries: Sequence[Entry]) -> Iterable[Run]:
    """A run for every crate by a TRE, and for every file that is no crate; copies of the same bytes count once."""
    same: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.task or entry.outcome == "unreadable":
            same.setdefault(entry.digest or f"{entry.folder}/{entry.path}", []).append(entry)
    for copies in same.values():
        copies.sort(key=lambda entry: _TRUST.index(entry.verified))
        yield _run(copies[0], crates=tuple(map(_copy, copies)))


# What a home says that knows better comes first: a forgery is one although another home has no card to tell.
_TRUST: Final = ("not authentic", "authentic", "signer unknown", "unreadable")


def _open(entries: Sequence[Entry]) -> Iterable[Run]:
    """A run for every TRE that was asked and of which no crate came; what is not authentic ends nothing."""
    ended = {entry.task for entry in entries if entry.verified != "not authentic"}
    missing: dict[str, dict[str, list[str]]] = {}
    for entry in entries:
        if entry.missing:
            missing.setdefault(entry.request, {}).update(strict_loads(entry.missing.encode()))
    asked: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind == "request" and entry.audience:
            asked.setdefault(entry.digest, []).append(entry)
    for copies in asked.values():
        entry = copies[0]
        why = missing.get(entry.request, {})
        for tre, name in strict_loads(entry.audience.encode()).items():
            task = task_id(entry.request, tre)
            if task in ended:
                continue
            known = why.get(name) or why.get(tre)
            code, sentence = known or (entry.problem, entry.sentence)
            run = _run(entry, crates=tuple(map(_copy, copies)))
            outcome = "missing" if known else "waiting"
            yield replace(run, task=task, tre=tre, tre_name=name, outcome=outcome, reason=code, sentence=sentence)


def _run(entry: Entry, *, crates: tuple[Copy, ...]) -> Run:
    own = {name: getattr(entry, name) for name in Run.__slots__ if hasattr(entry, name)}
    suppressed = {"yes": True, "no": False}.get(entry.suppressed)
    return Run(**own | {"reason": entry.problem, "suppressed": suppressed, "crates": crates})


def _copy(entry: Entry) -> Copy:
    return Copy(entry.folder, entry.path, entry.kind, entry.digest, entry.verified)


def _means(wanted: str, id: str, name: str) -> bool:
    wanted, id = wanted.casefold(), id.casefold()
    return bool(wanted) and (wanted in (id, id.rpartition("/")[2]) or wanted in name.casefold())


def _data(run: Run) -> set[str]:
    releases = {f"{run.dataset}@{release}" for release in (run.release, run.snapshot) if release}
    return {run.dataset, *releases} if run.dataset else set()
