"""What the TRE's say permits: every rule seen to let through and seen to refuse, with the nearest reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from cinque.crate.cards import issue_card
from cinque.crate.keys import key_id
from cinque.enclave import policy
from cinque.enclave.folder import Say, compose
from cinque.errors import Refused
from cinque.model.lifecycle import Role
from cinque.model.request import STATEMENT_TYPE, Audience, Statement
from tests.builders import a_person, a_tre
from tests.enclave.folders import AGREEMENTS, ANALYSES, BEN_ID, DATASET, PEOPLE, PROJECTS, some_files

ADA = a_person()
TODAY = date(2026, 11, 23)
DIGEST = "sha256:" + "ab" * 32


def a_statement(**changes: Any) -> Statement:
    statement = Statement(
        type=STATEMENT_TYPE,
        version=1,
        id="urn:uuid:9a1f0a52-6a1c-4a3e-8e55-0d3b0f0a7c11",
        bagit="",
        bag_info="",
        manifest="",
        requester=ADA.card.id,
        project="diabetes-study",
        dataset="demo",
        analysis="count",
        analysis_version="1.0.0",
        analysis_digest=DIGEST,
        audience=(Audience(a_tre().card.id, "North"),),
        mode="open",
        max_rounds=1,
        issued="2026-11-23T10:00:00Z",
        accept_until="2026-11-30T10:00:00Z",
        nonce="0" * 32,
        reply_to=(ADA.card.open,),
    )
    return replace(statement, **changes)


def authorised(
    say: Say | None = None,
    *,
    key: str = ADA.key.id,
    columns: frozenset[str] = frozenset({"sex"}),
    today: date = TODAY,
    statement: dict[str, Any] | None = None,
    **files: str | bytes | None,
) -> policy.Authority:
    say = say or compose(some_files(**files), ANALYSES)
    return policy.authorise(
        say, person_key=key, statement=a_statement(**(statement or {})), columns=columns, today=today
    )


def refused(**changes: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        authorised(**changes)
    error = caught.value
    assert error.sentence.endswith(".")
    assert "/" not in error.sentence.replace("https://", "")  # never a path
    return error


def revoked(what: str, id: str) -> str:
    return f'[[revoked]]\nwhat = "{what}"\nid = "{id}"\non = 2026-11-01\nreason = "A reason that stays here."\n'


def agreement(old: str, new: str) -> str:
    assert old in AGREEMENTS
    return AGREEMENTS.replace(old, new)


def people(old: str, new: str) -> str:
    assert old in PEOPLE
    return PEOPLE.replace(old, new)


SENSITIVE = DATASET.replace('"synthetic"', '"sensitive"')
UNTRAINED = people("training_until = 2027-06-30\n", "")


# ------------------------------------------------------------------------------------------------------ who may, may
def test_what_fits_is_authorised() -> None:
    found = authorised()
    assert (found.person.name, found.project.id, found.agreement.id) == ("Ada Example", "diabetes-study", "counts")
    assert found.dataset.id == "demo"
    assert (found.sign_off, found.release) == ("automatic", "automatic")


@pytest.mark.parametrize(
    "changes",
    [
        {"today": date(2026, 1, 1)},  # the first day of agreement and project
        {"today": date(2026, 12, 31)},  # the last day of the agreement
        {"agreements_toml": agreement('["count"]', '["count@1.0.0"]')},
        {"agreements_toml": agreement('["count"]', f'["count@1.0.0 {DIGEST}"]')},
        {"agreements_toml": agreement('columns = ["sex", "age"]\n', "")},
        {"agreements_toml": AGREEMENTS + "max_rounds = 5\n", "statement": {"max_rounds": 5}},
        {"agreements_toml": AGREEMENTS + 'modes = ["open", "pooled"]\n', "statement": {"mode": "pooled"}},
        {"columns": frozenset()},
        {"people_toml": people("2027-06-30", "2026-11-23")},  # the last day of training
        {"people_toml": UNTRAINED},  # enough for synthetic data
        {"people_toml": UNTRAINED, "datasets__demo_toml": DATASET.replace('"synthetic"', '"public"')},
        {"datasets__demo_toml": SENSITIVE},  # trained
        {"revoked_toml": revoked("person", BEN_ID)},  # somebody else
        {"revoked_toml": revoked("analysis", "count@0.9.0")},  # another version
        {"revoked_toml": revoked("key", a_person("Ben Example", BEN_ID).key.id)},
    ],
)
def test_what_the_folder_permits_is_let_through(changes: dict[str, Any]) -> None:
    assert authorised(**changes).agreement.id == "counts"


# ------------------------------------------------------------------------------------------------- who may not, may not
REFUSALS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # what: (changes, code, rule, part of the sentence)
    "unknown key": ({"key": a_person("Cy Else").key.id}, "unknown-signer", "contracts 1", "does not know"),
    "a key that opens": ({"key": key_id("X25519", ADA.card.open)}, "unknown-signer", "contracts 1", ""),
    "somebody else's request": ({"statement": {"requester": BEN_ID}}, "requester-differs", "", "another person"),
    "person revoked": ({"revoked_toml": revoked("person", ADA.card.id)}, "person-revoked", "revoked", ""),
    "key revoked": ({"revoked_toml": revoked("key", ADA.key.id)}, "key-revoked", "revoked", ""),
    "opening key revoked": (
        {"revoked_toml": revoked("key", key_id("X25519", ADA.card.open))},
        *("key-revoked", "revoked", ""),
    ),
    "no researcher": (
        {"people_toml": people("training_until", 'roles = ["checker"]\ntraining_until')},
        *("not-a-researcher", "person.roles", ""),
    ),
    "training over": (
        {"people_toml": people("2027-06-30", "2026-11-22")},
        *("training-expired", "person.training_until", "until 2026-11-22"),
    ),
    "training over, data synthetic": (
        {"people_toml": people("2027-06-30", "2020-01-01")},
        *("training-expired", "person.training_until", ""),
    ),
    "no training, data sensitive": (
        {"people_toml": UNTRAINED, "datasets__demo_toml": SENSITIVE},
        *("training-missing", "person.training_until", "`demo`"),
    ),
    "unknown project": (
        {"statement": {"project": "other"}},
        *("unknown-project", "project.id", "`other`"),
    ),
    "not on the project": (
        {"projects_toml": PROJECTS.replace(ADA.card.id, BEN_ID)},
        *("not-on-project", "project.people", "`diabetes-study`"),
    ),
    "project over": (
        {"projects_toml": PROJECTS.replace("2027-12-31", "2026-11-22")},
        *("project-expired", "project.valid_until", "2026-11-22"),
    ),
    "project to come": (
        {"projects_toml": PROJECTS.replace("2026-01-01", "2026-11-24")},
        *("project-not-begun", "project.valid_from", "2026-11-24"),
    ),
    "project revoked": ({"revoked_toml": revoked("project", "diabetes-study")}, "project-revoked", "revoked", ""),
    "no agreement": ({"agreements_toml": ""}, "no-agreement", "agreement.project", ""),
    "dataset": (
        {
            "agreements_toml": agreement('["demo"]', '["other"]'),
            "datasets__other_toml": DATASET.replace('"demo"', '"other"'),
        },
        *("dataset-not-in-agreement", "agreement.datasets", "`demo`"),
    ),
    "no such dataset": (
        {"statement": {"dataset": "none"}},
        *("dataset-not-in-agreement", "agreement.datasets", "`none`"),
    ),
    "analysis": (
        {"statement": {"analysis": "table"}},
        *("analysis-not-approved", "agreement.analyses", "does not approve table@1.0.0"),
    ),
    "version": (
        {"agreements_toml": agreement('["count"]', '["count@0.9.0"]')},
        *("analysis-not-approved", "agreement.analyses", "count@1.0.0"),
    ),
    "digest": (
        {"agreements_toml": agreement('["count"]', f'["count@1.0.0 sha256:{"cd" * 32}"]')},
        *("analysis-not-approved", "agreement.analyses", "with this digest"),
    ),
    "column": (
        {"agreements_toml": agreement('"sex", "age"', '"age"')},
        *("column-not-in-agreement", "agreement.columns", "column `sex`"),
    ),
    "identifying column": (
        {"columns": frozenset({"person_id"}), "agreements_toml": agreement('columns = ["sex", "age"]\n', "")},
        *("column-identifying", "", "`person_id`"),
    ),
    "mode": (
        {"statement": {"mode": "pooled"}},
        *("mode-not-in-agreement", "agreement.modes", "`pooled`"),
    ),
    "rounds": (
        {"statement": {"max_rounds": 2}},
        *("too-many-rounds", "agreement.max_rounds", "1 round(s)"),
    ),
    "agreement over": (
        {"today": date(2027, 1, 1)},
        *("agreement-expired", "agreement.valid_until", "2026-12-31"),
    ),
    "agreement to come": (
        {"agreements_toml": agreement("2026-01-01", "2026-11-24")},
        *("agreement-not-begun", "agreement.valid_from", "2026-11-24"),
    ),
    "agreement revoked": ({"revoked_toml": revoked("agreement", "counts")}, "agreement-revoked", "revoked", ""),
    "analysis revoked": ({"revoked_toml": revoked("analysis", "count")}, "analysis-revoked", "revoked", ""),
    "version revoked": ({"revoked_toml": revoked("analysis", "count@1.0.0")}, "analysis-revoked", "revoked", ""),
    "digest revoked": ({"revoked_toml": revoked("analysis", DIGEST)}, "analysis-revoked", "revoked", ""),
    "version with digest revoked": (
        {"revoked_toml": revoked("analysis", f"count@1.0.0 {DIGEST}")},
        *("analysis-revoked", "revoked", ""),
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_the_folder_does_not_permit_is_refused_with_rule_and_remedy(what: str) -> None:
    changes, code, rule, sentence = REFUSALS[what]
    error = refused(**changes)
    assert (error.code, error.rule) == (code, rule)
    assert sentence in error.sentence
    assert "stays here" not in error.sentence
    assert error.remedy or code == "requester-differs"


def test_a_card_past_its_date_authorises_nothing() -> None:
    card = replace(ADA.card, valid_until=date(2026, 11, 22))
    changed: dict[str, Any] = {"people__ada_card_json": issue_card(card, ADA.key)}
    assert refused(**changed).code == "card-not-valid"
    assert authorised(**changed, today=date(2026, 11, 22)).person.name == "Ada Example"


def test_a_dataset_that_is_not_covered_cannot_be_told_from_one_that_is_not_there() -> None:
    other = {"datasets__secret_toml": DATASET.replace('"demo"', '"secret"')}
    there = refused(**other, statement={"dataset": "secret"})
    absent = refused(statement={"dataset": "secret"})
    assert there.to_dict() == absent.to_dict()


def test_who_is_not_on_a_project_learns_nothing_of_it() -> None:
    alone = PROJECTS.replace(ADA.card.id, BEN_ID)
    plain = refused(projects_toml=alone)
    for file in (
        {"projects_toml": alone.replace("2027-12-31", "2026-02-01")},
        {"projects_toml": alone, "revoked_toml": revoked("project", "diabetes-study")},
        {"projects_toml": alone, "agreements_toml": ""},
    ):
        assert refused(**file).to_dict() == plain.to_dict()


# ---------------------------------------------------------------------------------------------- which agreement counts
def another(*changes: tuple[str, str]) -> str:
    """A second agreement beside `counts`, by replacing text in it."""
    text = AGREEMENTS.replace('"counts"', '"second"')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return AGREEMENTS + "\n" + text


PERSON = ('sign_off = "automatic"', 'sign_off = "person"')


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ([('["count"]', f'["count@1.0.0 {DIGEST}"]')], "second"),  # the digest before the name
        ([('["count"]', '["count@1.0.0"]')], "second"),  # the version before the name
        ([('["sex", "age"]', '["sex"]')], "second"),  # fewer columns
        ([('columns = ["sex", "age"]\n', "")], "counts"),  # some columns before all
        ([('["count"]', '["count", "table"]')], "counts"),  # fewer analyses
        ([PERSON], "second"),  # of two alike, the stricter
        ([('release = "automatic"', 'release = "person"')], "second"),
        ([("2026-12-31", "2026-06-30")], "counts"),  # one that is over does not count
        ([('["sex", "age"]', '["age"]')], "counts"),  # nor one that does not cover
    ],
)
def test_the_most_specific_agreement_counts(changes: list[tuple[str, str]], counts: str) -> None:
    text = another(*changes)
    assert authorised(agreements_toml=text).agreement.id == counts
    first, second = text.split("\n\n[[")  # neither the order in the file nor the ids make a difference
    assert authorised(agreements_toml=f"[[{second}\n{first}\n").agreement.id == counts
    swapped = text.replace('"second"', '"x"').replace('"counts"', '"second"').replace('"x"', '"counts"')
    assert authorised(agreements_toml=swapped).agreement.id == {"counts": "second", "second": "counts"}[counts]


@pytest.mark.parametrize(
    ("changes", "asked", "code"),
    [
        # `counts` fails in one way (a column), the second in three: the column
        ([('["count"]', '["table"]'), ("2026-12-31", "2026-06-30")], {"sex", "bmi"}, "column-not-in-agreement"),
        # both in one way; time comes after columns
        ([('columns = ["sex", "age"]\n', ""), ("2026-12-31", "2026-06-30")], {"bmi"}, "agreement-expired"),
        # the second fails later, but in two ways
        (
            [
                ('columns = ["sex", "age"]\n', ""),
                ("2026-12-31", "2026-06-30"),
                ('["count"]', '["count"]\nmodes = ["pooled"]'),
            ],
            {"bmi"},
            "column-not-in-agreement",
        ),
        # the second fails in one way, the data; one on the data asked for is nearer even with two
        (
            [('["demo"]', '["other"]'), ('columns = ["sex", "age"]\n', ""), ('["count"]', '["table"]')],
            {"bmi"},
            "analysis-not-approved",
        ),
    ],
)
def test_of_several_the_nearest_reason_is_told(changes: list[tuple[str, str]], asked: set[str], code: str) -> None:
    other = DATASET.replace('"demo"', '"other"')
    statement = {"analysis": "table"} if code == "analysis-not-approved" else {}
    files = {"agreements_toml": another(*changes), "datasets__other_toml": other}
    assert refused(**files, columns=frozenset(asked), statement=statement).code == code


def test_another_projects_agreements_do_not_count_and_are_not_told() -> None:
    project = PROJECTS + "\n" + PROJECTS.replace('"diabetes-study"', '"rival"')
    text = agreement('"diabetes-study"', '"rival"')
    error = refused(projects_toml=project, agreements_toml=text)
    assert error.code == "no-agreement"
    assert "rival" not in str(error)
    assert "counts" not in str(error)


# ------------------------------------------------------------------------------------------------ sign-off and release
@pytest.mark.parametrize(
    ("openness", "release", "found", "code"),
    [
        ("synthetic", "automatic", "automatic", None),
        ("public", "automatic", "automatic", None),
        ("sensitive", "automatic", "person", "dataset-sensitive"),
        ("sensitive", "person", "person", "dataset-sensitive"),
        ("synthetic", "person", "person", "release-by-person"),
        ("public", "person", "person", "release-by-person"),
    ],
)
def test_only_synthetic_and_public_data_leave_by_themselves(
    openness: str, release: str, found: str, code: str | None
) -> None:
    authority = authorised(
        agreements_toml=agreement('release = "automatic"', f'release = "{release}"'),
        datasets__demo_toml=DATASET.replace('"synthetic"', f'"{openness}"'),
    )
    assert authority.release == found
    assert authority.sign_off == "automatic"  # neither decision implies the other
    if code is not None:
        why = policy.held_for_release(authority)
        assert why.keys() == {"code", "sentence", "rule", "remedy"}
        assert why["code"] == code


def test_a_person_signs_off_where_the_agreement_says_so() -> None:
    found = authorised(agreements_toml=agreement(*PERSON))
    assert (found.sign_off, found.release) == ("person", "automatic")


# --------------------------------------------------------------------------------------------------------- deciding
def decides(role: Role, id: str = BEN_ID, **files: str | bytes | None) -> str:
    return policy.may_decide(compose(some_files(**files), ANALYSES), id, role, TODAY).name


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.CHECKER])
def test_who_has_the_role_may_decide(role: Role) -> None:
    assert decides(role) == "Ben Example"


@pytest.mark.parametrize(
    ("role", "id", "files", "code"),
    [
        (Role.OPERATOR, ADA.card.id, {}, "role-not-held"),
        (Role.CHECKER, ADA.card.id, {}, "role-not-held"),
        (Role.CHECKER, BEN_ID, {"people_toml": people(', "checker"', "")}, "role-not-held"),
        (Role.RESEARCHER, ADA.card.id, {}, "role-not-held"),  # no decision is a researcher's
        (Role.OPERATOR, "urn:uuid:x", {}, "unknown-person"),
        (Role.OPERATOR, BEN_ID, {"revoked_toml": revoked("person", BEN_ID)}, "person-revoked"),
        (
            Role.OPERATOR,
            BEN_ID,
            {"revoked_toml": revoked("key", a_person("Ben Example", BEN_ID).key.id)},
            "key-revoked",
        ),
        (Role.OPERATOR, BEN_ID, {"people_toml": PEOPLE + "training_until = 2026-11-22\n"}, "training-expired"),
    ],
)
def test_who_has_it_not_may_not(role: Role, id: str, files: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as caught:
        decides(role, id, **files)
    assert caught.value.code == code
