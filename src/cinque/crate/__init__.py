"""Five Safes RO-Crate: bytes to typed things and back. Usable without the services; every name is loaded when used.

    from cinque.crate import Crate

    crate = Crate.open("crate.zip")        # a bag (ZIP or folder), a crate's folder, its metadata alone
    crate.stage, crate.root, crate["#query-1"], crate.payload
    crate.check()                          # against Five Safes 0.4: a Report
    crate.verify(Members.load(path))       # authentic, complete, by whom: a Verification
    crate.record(phase).write("next.zip")  # one more phase; what nobody knows stays as it was
    crate.preview(), crate.to_nquads()     # for people, and as RDF

Signed crates are composed whole and never rewritten: a person's `compose_request`, a TRE's `compose_release` and
`compose_refusal`, from the phases that `cinque.crate.phases` makes. Each has its reader. Whom to believe is a matter of
pinned cards (`Members`), never of what lies in a crate. Everything raises `cinque.errors.CinqueError` and nothing else
for what bytes hold.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinque.crate.cards import Members as Members
    from cinque.crate.cards import PersonCard as PersonCard
    from cinque.crate.cards import TreCard as TreCard
    from cinque.crate.cards import issue_card as issue_card
    from cinque.crate.cards import issue_person_card as issue_person_card
    from cinque.crate.cards import tre_id as tre_id
    from cinque.crate.check import Report as Report
    from cinque.crate.growth import AgreementInForce as AgreementInForce
    from cinque.crate.keys import KeyRing as KeyRing
    from cinque.crate.keys import SigningKey as SigningKey
    from cinque.crate.opened import Crate as Crate
    from cinque.crate.phases import Instrument as Instrument
    from cinque.crate.phases import Organization as Organization
    from cinque.crate.phases import Person as Person
    from cinque.crate.phases import Phase as Phase
    from cinque.crate.phases import Software as Software
    from cinque.crate.refusal import compose_refusal as compose_refusal
    from cinque.crate.release import ReleasedCrate as ReleasedCrate
    from cinque.crate.release import ReleaseInputs as ReleaseInputs
    from cinque.crate.release import compose_release as compose_release
    from cinque.crate.release import read_release as read_release
    from cinque.crate.request import Question as Question
    from cinque.crate.request import Request as Request
    from cinque.crate.request import compose_request as compose_request
    from cinque.crate.request import read_request as read_request
    from cinque.crate.verify import Verification as Verification

_OF = {
    "cards": ("Members", "PersonCard", "TreCard", "issue_card", "issue_person_card", "tre_id"),
    "check": ("Report",),
    "growth": ("AgreementInForce",),
    "keys": ("KeyRing", "SigningKey"),
    "opened": ("Crate",),
    "phases": ("Instrument", "Organization", "Person", "Phase", "Software"),
    "refusal": ("compose_refusal",),
    "release": ("ReleaseInputs", "ReleasedCrate", "compose_release", "read_release"),
    "request": ("Question", "Request", "compose_request", "read_request"),
    "verify": ("Verification",),
}
_MODULES = {name: module for module, names in _OF.items() for name in names}

__all__ = sorted(_MODULES)


if not TYPE_CHECKING:  # a type checker knows the names above, and says so of any other

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"cinque.crate has no `{name}`")
        return getattr(import_module(f"cinque.crate.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
