"""One broken crate for each rule: what is done to the conforming crate of a stage, and which rule must say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.crate.examples import (
    ACTIVE,
    CHECK,
    COMPLETED,
    DISCLOSURE,
    DOWNLOAD,
    EMPLOYER,
    FAILED,
    FETCH,
    FETCHED,
    LICENCE,
    PERSON,
    POTENTIAL,
    PROFILE,
    PROJECT,
    PUBLISHING,
    RUN,
    SIGN_OFF,
    SOFTWARE,
    TRE,
    VALIDATE,
    WORKFLOW,
    Crate,
    entity,
    ref,
)

Change = Callable[[Crate], None]
OUTPUT, DESCRIPTOR = "outputs/table.csv", "ro-crate-metadata.json"


def drop(identifier: str, *names: str) -> Change:
    def change(crate: Crate) -> None:
        for name in names:
            del entity(crate, identifier)[name]

    return change


def put(identifier: str, /, **values: Any) -> Change:
    def change(crate: Crate) -> None:
        entity(crate, identifier).update(values)

    return change


def typed(identifier: str, kind: Any) -> Change:
    return lambda crate: entity(crate, identifier).update({"@type": kind})


def lose(identifier: str) -> Change:
    return lambda crate: crate["@graph"].remove(entity(crate, identifier))


def add(**properties: Any) -> Change:
    return lambda crate: crate["@graph"].append({"@id": "#new", "@type": "Thing", **properties})


def unlink(identifier: str, name: str, target: str) -> Change:
    return lambda crate: entity(crate, identifier)[name].remove(ref(target))


def both(*changes: Change) -> Change:
    def change(crate: Crate) -> None:
        for each in changes:
            each(crate)

    return change


def renamed(name: str, other: str, *identifiers: str) -> Change:
    def change(crate: Crate) -> None:
        for identifier in identifiers:
            found = entity(crate, identifier)
            found[other] = found.pop(name)

    return change


def key(name: str, value: Any) -> Change:
    return lambda crate: crate.update({name: value})


def _document(**properties: Any) -> Change:
    """The output as a document that stays in the TRE."""
    permission = {"@id": "#may", "@type": "DigitalDocumentPermission", **properties}
    return both(
        typed(OUTPUT, "DigitalDocument"),
        put(OUTPUT, hasDigitalDocumentPermission=ref("#may")),
        lambda crate: crate["@graph"].append(permission),
    )


READ = "http://schema.org/ReadPermission"

# rule -> (stage of the crate, what is done to it)
GRAPH: dict[str, tuple[str, Change]] = {
    "RC-graph": ("request", put(RUN, agent={"@type": "Person", "name": "Inside"})),
    "RC-context": ("request", key("@context", "https://schema.org/")),
    "RC-type": ("request", lambda crate: entity(crate, PROJECT).pop("@type")),
    "RC-type/spelling": ("published", renamed("@type", "type", CHECK, VALIDATE)),
    "RC-license/spelling": ("published", renamed("license", "licence", "./")),
    "RC-descriptor": ("request", lose(DESCRIPTOR)),
    "RC-descriptor/type": ("request", typed(DESCRIPTOR, "File")),
    "RC-descriptor/about": ("request", put(DESCRIPTOR, about=ref("./elsewhere/"))),
    "RC-root": ("request", typed("./", "Collection")),
    "RC-name": ("request", drop("./", "name")),
    "RC-description": ("request", drop("./", "description")),
    "RC-datePublished": ("request", put("./", datePublished="yesterday")),
    "RC-license": ("request", drop("./", "license")),
    "RC-license/described": ("request", put("./", license=ref(LICENCE.replace("https", "http")))),
    "RC-described": ("executed", put(RUN, result=ref("outputs/other.csv"))),
    "RC-described/local": ("request", put("./", author=ref("#nobody"))),
    "RC-hasPart": ("request", unlink("./", "hasPart", "input1.txt")),
    "R14": ("request", put("./", subjectOf=ref("../fetch.txt"))),
    "R96": ("request", put("./", image=ref("my picture.png"))),
    "R17": ("request", put(DESCRIPTOR, conformsTo=ref("https://w3id.org/ro/crate/1.1"))),
    "R18": ("request", drop(DESCRIPTOR, "conformsTo")),
    "R19": ("request", both(put(DESCRIPTOR, about=ref("crate/")), put("./", **{"@id": "crate/"}))),
    "R21": ("request", drop("./", "conformsTo")),
    "R21/described": ("request", lose(PROFILE)),
    "R21/name": ("request", drop(PROFILE, "name")),
    "R21/type": ("request", typed(PROFILE, "Profile")),
    "R23": ("request", typed(WORKFLOW, "File")),
    "R24": ("request", both(put(WORKFLOW, **{"@id": "#workflow"}), put("./", mainEntity=ref("#workflow")))),
    "R25": ("request", drop(WORKFLOW, "conformsTo")),
    "R27": ("request", drop(WORKFLOW, "distribution")),
    "R27/format": ("request", put(DOWNLOAD, encodingFormat="application/gzip")),
    "R27/profile": ("request", drop(DOWNLOAD, "conformsTo")),
    "R29": ("request", put("./", mentions=[])),
    "R30": ("request", both(put(RUN, **{"@id": "#query"}), put("./", mentions=[ref("#query")]))),
    "R31": ("request", put(RUN, instrument=ref(DOWNLOAD))),
    "R32": ("request", put(RUN, actionStatus="http://schema.org/CompletetedActionStatus")),
    "R32/stage": ("signed-off", put(RUN, actionStatus=ACTIVE)),
    "R32/literal": ("request", put(RUN, actionStatus=ref(POTENTIAL))),
    "R33": ("request", put(RUN, agent=ref(EMPLOYER))),
    "R34": ("request", drop(PERSON, "affiliation")),
    "R36": ("request", drop("./", "sourceOrganization")),
    "R37": ("request", drop(PERSON, "memberOf")),
    "R38": ("request", put(PROJECT, funding="a grant")),
    "R39": ("request", drop(PROJECT, "identifier")),
    "R40": ("request", drop("_:localid:tre72:project81", "value")),
    "R41": ("request", put(PROJECT, member=[ref(TRE)])),
    "R42": ("request", drop(RUN, "object")),
    "R43": ("request", lose("#enableFastMode")),
    "R44": ("request", drop("input1.txt", "exampleOfWork")),
    "R46": ("published", drop(RUN, "result")),
    "R47": ("executed", lose(OUTPUT)),
    "R48": ("executed", typed(OUTPUT, "Person")),
    "R49": ("executed", put(RUN, result=ref("table.csv"))),
    "R50": ("executed", typed(OUTPUT, "DigitalDocument")),
    "R50/permission": ("executed", _document(grantee=ref(PROJECT))),
    "R50/grantee": ("executed", _document(permissionType=READ, grantee=ref(EMPLOYER))),
    "R97": ("request", add(**{"@type": "AssessAction"})),
    "R51": ("retrieved", unlink("./", "mentions", FETCH)),
    "R54": ("published", drop(CHECK, "actionStatus")),
    "R55": ("published", put(VALIDATE, object=ref(WORKFLOW))),
    "R56": ("published", put(VALIDATE, additionalType=ref("https://w3id.org/shp#Something"))),
    "R57": ("published", drop(DISCLOSURE, "name")),
    "R59": ("published", drop(CHECK, "endTime")),
    "R59/form": ("executed", put(RUN, endTime="2026-11-2310:10:00+01:00")),
    "R60": ("executed", put(RUN, startTime="2026-11-23T10:05:00")),
    "R60/order": ("validated", put(VALIDATE, startTime="2026-11-23T11:00:00Z")),
    "R61": ("published", drop(CHECK, "agent")),
    "R61/type": ("published", put(CHECK, agent=ref(PROJECT))),
    "R62": ("checked", drop(SOFTWARE, "provider")),
    "R63": ("checked", put(CHECK, agent=ref("https://proxy.example.com/"))),
    "R63/name": ("checked", drop(SOFTWARE, "name")),
    "R64": ("published", put(CHECK, actionStatus=ACTIVE)),
    "R64/instrument": ("checked", drop(CHECK, "instrument")),
    "R67": ("published", put(VALIDATE, actionStatus=ACTIVE)),
    "R67/instrument": ("published", drop(VALIDATE, "instrument")),
    "R67/order": ("validated", put(CHECK, endTime="2026-11-23T10:03:00Z")),
    "R69": ("retrieved", drop(FETCH, "object")),
    "R69/type": ("retrieved", put(FETCH, additionalType="https://w3id.org/shp#Download")),
    "R70": ("retrieved", drop(FETCHED, "sameAs")),
    "R70/distribution": ("retrieved", drop(FETCHED, "distribution")),
    "R71": ("published", put(SIGN_OFF, actionStatus=ACTIVE)),
    "R71/order": ("signed-off", put(VALIDATE, endTime="2026-11-23T10:30:00Z")),
    "R72": ("signed-off", put(SIGN_OFF, object=[ref("./"), ref(WORKFLOW)])),
    "R72/policy": ("signed-off", drop(SIGN_OFF, "instrument")),
    "R73": ("executed", drop(RUN, "startTime")),
    "R73/end": ("executed", both(put(RUN, actionStatus=FAILED), drop(RUN, "endTime"))),
    "R73/order": ("published", put(SIGN_OFF, endTime="2026-11-23T10:06:00Z")),
    "R74": ("executed", lose("#engine-run")),
    "R75": ("published", both(lose(DISCLOSURE), unlink("./", "mentions", DISCLOSURE))),
    "R75/order": ("published", put(DISCLOSURE, endTime="2026-11-23T10:08:00Z")),
    "R76": ("disclosed", put(DISCLOSURE, actionStatus=FAILED)),
    "R76/pending": ("published", put(DISCLOSURE, actionStatus=POTENTIAL)),
    "R77": ("published", put("./", datePublished="2026-11-23T09:00:00Z")),
    "R78": ("published", drop("./", "publisher")),
    "R79": ("published", drop("./", "license")),
    "R80": ("published", unlink("./", "mentions", VALIDATE)),
    "R81": ("published", unlink("./", "hasPart", OUTPUT)),
    "R84": ("published", both(lose(PUBLISHING), unlink("./", "mentions", PUBLISHING))),
    "R84/instrument": ("published", drop(PUBLISHING, "instrument")),
    "R84/status": ("published", put(PUBLISHING, actionStatus=ACTIVE)),
    "R84/end": ("published", put(PUBLISHING, endTime="2026-11-23T10:16:00Z")),
    "R84/start": ("published", drop(PUBLISHING, "startTime")),
    "R84/order": ("published", put(PUBLISHING, startTime="2026-11-23T10:11:00Z")),
    "R99": ("request", put("#enableFastMode", name="db-password", value="hunter2")),
    "R105": ("published", put(CHECK, actionStatus=COMPLETED.replace("http:", "https:"))),
}
