"""The conforming Five Safes 0.4 crates of the profile's own folder, one for each stage, and how tests change them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from cinque.crate.profiles import FIVE_SAFES, folder
from cinque.crate.profiles.examples import conforming

Crate = dict[str, Any]
Change = Callable[[Crate], None]

PROFILE = "https://w3id.org/5s-crate/0.4"
WORKFLOW = "https://workflowhub.eu/workflows/289?version=1"
DOWNLOAD = "https://workflowhub.eu/workflows/289/ro_crate?version=1"
RUN = "#query-37252371-c937-43bd-a0a7-3680b48c0538"
PROJECT = "#project-be6ffb55-4f5a-4c14-b60e-47e0951090c7"
PERSON = "https://orcid.org/0000-0002-1825-0097"
EMPLOYER = "https://ror.org/01ee9ar58"
TRE = "https://tre72.example.com/"
SOFTWARE = "https://tre72.example.com/#crate-validator"
SHA512 = "https://www.iana.org/assignments/named-information#sha-512"
LICENCE = "https://spdx.org/licenses/CC-BY-4.0"
CHECK, VALIDATE, FETCH = "#check-3b7a", "#validate-9c1d", "#download-0f2e"
SIGN_OFF, DISCLOSURE, PUBLISHING = "#signoff-77aa", "#disclosure-5d5d", "#bagit-1212"
FETCHED = "workflow/289/"

POTENTIAL, ACTIVE, COMPLETED, FAILED = (
    f"http://schema.org/{state}ActionStatus" for state in ("Potential", "Active", "Completed", "Failed")
)


def ref(identifier: str) -> dict[str, str]:
    return {"@id": identifier}


def entity(crate: Crate, identifier: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in crate["@graph"] if each["@id"] == identifier)
    return found


def put(identifier: str, /, **values: Any) -> Change:
    def change(crate: Crate) -> None:
        entity(crate, identifier).update(values)

    return change


_DOCUMENTS = conforming(folder(FIVE_SAFES))


def _example(stage: str) -> Crate:
    return copy.deepcopy(_DOCUMENTS[stage])


BY_STAGE: dict[str, Callable[[], Crate]] = {stage: partial(_example, stage) for stage in _DOCUMENTS}
request, signed_off, executed = BY_STAGE["request"], BY_STAGE["signed-off"], BY_STAGE["executed"]
withheld, published, refused = BY_STAGE["withheld"], BY_STAGE["published"], BY_STAGE["refused"]
