"""Conforming Five Safes 0.4 crates by hand, one for each stage: the profile's skeleton and its growth, corrected."""

from __future__ import annotations

import copy
from typing import Any

Crate = dict[str, Any]

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


def request() -> Crate:
    return copy.deepcopy(
        {
            "@context": "https://w3id.org/ro/crate/1.2/context",
            "@graph": [
                {
                    "@id": "ro-crate-metadata.json",
                    "@type": "CreativeWork",
                    "about": ref("./"),
                    "conformsTo": ref("https://w3id.org/ro/crate/1.2"),
                },
                {
                    "@id": "./",
                    "@type": "Dataset",
                    "name": "How many people had a bleed",
                    "description": "A request for counts by sex.",
                    "datePublished": "2026-11-23T09:00:00Z",
                    "license": ref(LICENCE),
                    "conformsTo": ref(PROFILE),
                    "hasPart": [ref(WORKFLOW), ref("input1.txt")],
                    "mainEntity": ref(WORKFLOW),
                    "mentions": [ref(RUN)],
                    "sourceOrganization": ref(PROJECT),
                },
                {
                    "@id": PROFILE,
                    "@type": ["CreativeWork", "Profile"],
                    "name": "Five Safes RO-Crate profile",
                    "version": "0.4",
                },
                {
                    "@id": WORKFLOW,
                    "@type": "Dataset",
                    "name": "Counts by group",
                    "conformsTo": ref("https://w3id.org/workflowhub/workflow-ro-crate/1.0"),
                    "distribution": ref(DOWNLOAD),
                },
                {
                    "@id": DOWNLOAD,
                    "@type": "DataDownload",
                    "conformsTo": ref("https://w3id.org/ro/crate"),
                    "encodingFormat": "application/zip",
                },
                {
                    "@id": RUN,
                    "@type": "CreateAction",
                    "name": "Count people by sex",
                    "actionStatus": POTENTIAL,
                    "agent": ref(PERSON),
                    "instrument": ref(WORKFLOW),
                    "object": [ref("input1.txt"), ref("#enableFastMode")],
                },
                {
                    "@id": PERSON,
                    "@type": "Person",
                    "name": "Josiah Carberry",
                    "affiliation": ref(EMPLOYER),
                    "memberOf": [ref(PROJECT)],
                },
                {"@id": EMPLOYER, "@type": "Organization", "name": "Brown University"},
                {
                    "@id": PROJECT,
                    "@type": "Project",
                    "name": "Investigation of bleeds",
                    "identifier": [ref("_:localid:tre72:project81")],
                    "funding": ref("https://example.com/grant/1"),
                    "member": [ref(EMPLOYER)],
                },
                {"@id": "_:localid:tre72:project81", "@type": "PropertyValue", "name": "tre72", "value": "project81"},
                {"@id": "https://example.com/grant/1", "@type": "Grant", "name": "A grant"},
                {"@id": "input1.txt", "@type": "File", "name": "input1", "exampleOfWork": ref("#sequence")},
                {
                    "@id": "#enableFastMode",
                    "@type": "PropertyValue",
                    "name": "--fast-mode",
                    "value": "True",
                    "exampleOfWork": ref("#fast"),
                },
                {"@id": "#sequence", "@type": "FormalParameter", "name": "input-sequence"},
                {"@id": "#fast", "@type": "FormalParameter", "name": "fast-mode"},
                {"@id": LICENCE, "@type": "CreativeWork", "name": "CC BY 4.0", "description": "Attribution 4.0"},
            ],
        }
    )


def _at(minute: int) -> str:
    return f"2026-11-23T10:{minute:02}:00Z"


def _mention(crate: Crate, action: dict[str, Any], *others: dict[str, Any]) -> Crate:
    entity(crate, "./")["mentions"].append(ref(action["@id"]))
    crate["@graph"] += [action, *others]
    return crate


def _assessment(identifier: str, kind: str, end: int, name: str, **more: Any) -> dict[str, Any]:
    return {
        "@id": identifier,
        "@type": "AssessAction",
        "additionalType": ref(f"https://w3id.org/shp#{kind}"),
        "name": name,
        "actionStatus": COMPLETED,
        "agent": ref(SOFTWARE),
        "object": [ref("./")],
        "endTime": _at(end),
        **more,
    }


def checked() -> Crate:
    return _mention(
        request(),
        _assessment(CHECK, "CheckValue", 1, "Check of the manifests: passed", instrument=ref(SHA512)),
        {"@id": SHA512, "@type": "DefinedTerm", "name": "SHA-512"},
        {"@id": SOFTWARE, "@type": "SoftwareApplication", "name": "Crate validator", "provider": ref(TRE)},
        {"@id": TRE, "@type": "Organization", "name": "TRE 72"},
    )


def validated() -> Crate:
    name = "Validation against Five Safes 0.4: passed"
    more = {"startTime": _at(1), "instrument": ref(PROFILE)}
    return _mention(checked(), _assessment(VALIDATE, "ValidationCheck", 2, name, **more))


def retrieved() -> Crate:
    crate = _mention(
        validated(),
        {
            "@id": FETCH,
            "@type": "DownloadAction",
            "name": "Retrieval of the workflow: completed",
            "actionStatus": COMPLETED,
            "agent": ref(SOFTWARE),
            "object": ref(DOWNLOAD),
            "result": ref(FETCHED),
            "startTime": _at(2),
            "endTime": _at(3),
        },
        {
            "@id": FETCHED,
            "@type": "Dataset",
            "name": "Counts by group",
            "sameAs": ref(WORKFLOW),
            "conformsTo": ref("https://w3id.org/workflowhub/workflow-ro-crate/1.0"),
            "distribution": ref(DOWNLOAD),
        },
    )
    entity(crate, "./")["hasPart"].append(ref(FETCHED))
    return crate


def signed_off() -> Crate:
    return _mention(
        retrieved(),
        _assessment(
            SIGN_OFF,
            "SignOff",
            4,
            "Sign-off: approved",
            agent=ref(TRE),
            instrument=ref("#agreement-7"),
            object=[ref("./"), ref(WORKFLOW), ref(PROJECT)],
        ),
        {"@id": "#agreement-7", "@type": "CreativeWork", "name": "Agreement 7", "version": "2"},
    )


def running() -> Crate:
    crate = signed_off()
    entity(crate, RUN).update(actionStatus=ACTIVE, startTime=_at(5))
    return crate


def executed() -> Crate:
    crate = running()
    entity(crate, RUN).update(actionStatus=COMPLETED, endTime=_at(10), result=[ref("outputs/table.csv")])
    entity(crate, "./")["hasPart"].append(ref("outputs/table.csv"))
    crate["@graph"] += [
        {"@id": "outputs/table.csv", "@type": "File", "name": "Counts", "encodingFormat": "text/csv"},
        {
            "@id": "#engine-run",
            "@type": "OrganizeAction",
            "name": "Run of the engine",
            "agent": ref(PERSON),
            "instrument": ref("#engine"),
            "result": ref(RUN),
        },
        {"@id": "#engine", "@type": "SoftwareApplication", "name": "An engine"},
    ]
    return crate


def disclosed() -> Crate:
    return _mention(executed(), _assessment(DISCLOSURE, "DisclosureCheck", 12, "Disclosure check: passed"))


def _publish(crate: Crate) -> Crate:
    root = entity(crate, "./")
    root.update(datePublished=_at(15), publisher=ref(TRE))
    return _mention(
        crate,
        {
            "@id": PUBLISHING,
            "@type": "UpdateAction",
            "additionalType": ref("https://w3id.org/shp#GenerateCheckValue"),
            "name": "Manifests written",
            "actionStatus": COMPLETED,
            "agent": ref(SOFTWARE),
            "object": ref("./"),
            "instrument": ref(SHA512),
            "startTime": _at(15),
        },
    )


def published() -> Crate:
    return _publish(disclosed())


def withheld() -> Crate:
    crate = disclosed()
    entity(crate, DISCLOSURE).update(actionStatus=FAILED, name="Disclosure check: failed")
    del entity(crate, RUN)["result"]
    crate["@graph"].remove(entity(crate, "outputs/table.csv"))
    entity(crate, "./")["hasPart"].remove(ref("outputs/table.csv"))
    return _publish(crate)


def received() -> Crate:
    return _mention(
        published(),
        {
            "@id": "#receive-4444",
            "@type": "ReceiveAction",
            "name": "Received",
            "actionStatus": COMPLETED,
            "agent": ref(PERSON),
            "object": ref("./"),
            "endTime": _at(20),
        },
    )


def refused() -> Crate:
    crate = signed_off()
    entity(crate, SIGN_OFF).update(actionStatus=FAILED, name="Sign-off: refused")
    return _publish(crate)


BY_STAGE = {
    "request": request,
    "checked": checked,
    "validated": validated,
    "retrieved": retrieved,
    "signed-off": signed_off,
    "running": running,
    "executed": executed,
    "disclosed": disclosed,
    "withheld": withheld,
    "published": published,
    "received": received,
    "refused": refused,
}
