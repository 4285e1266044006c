"""Every word means the same to the checker and, as SHACL Core, to pyshacl; so does every rule that is exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pyshacl
import pytest
import rdflib
from rdflib import RDF, Namespace
from typer.testing import CliRunner

from cinque.cli.main import app
from cinque.crate.check import check
from cinque.crate.index import Index
from cinque.crate.profiles import INSTALLED, Profile, folder, profile
from cinque.crate.profiles.examples import conforming, mutants
from cinque.crate.profiles.vocabulary import DEMAND, SELECT, compile_rule
from cinque.crate.rdf import to_nquads
from cinque.crate.shacl.export import Export, export
from cinque.crate.shacl.words import PREFIXES, Unsaid, shape
from tests.crate.disagreements import DISAGREE

SH = Namespace("http://www.w3.org/ns/shacl#")
BASE = "https://example.org/crate/"
DONE = "http://schema.org/CompletedActionStatus"


# ------------------------------------------------------------------------------------------------------------ words
def a_crate(*entities: Mapping[str, Any], **root: Any) -> dict[str, Any]:
    descriptor = {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}}
    whole = {"@id": "./", "@type": "Dataset", "name": "A crate", **root}
    return {"@context": "https://w3id.org/ro/crate/1.2/context", "@graph": [descriptor, whole, *map(dict, entities)]}


def ref(*names: str) -> Any:
    found = [{"@id": name} for name in names]
    return found[0] if len(found) == 1 else found


def entity(id: str, kind: str = "Person", /, **properties: Any) -> dict[str, Any]:
    return {"@id": id, "@type": kind, **properties}


ROOT: dict[str, Any] = {"select": {"root": True}}
ACTION: dict[str, Any] = {"select": {"type": "CreateAction"}}
WORDS: list[tuple[str, Mapping[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("min", ROOT | {"path": "author", "min": 2}, a_crate(author=["a", "b"]), a_crate(author="a")),
    ("max", ROOT | {"path": "author", "max": 1}, a_crate(author=["a", "a"]), a_crate(author=["a", "b"])),
    (
        "type", ROOT | {"path": "author", "type": ["Person", "Organization"]},
        a_crate(entity("#a"), author=ref("#a")), a_crate(entity("#a"), entity("#b", "File"), author=ref("#a", "#b")),
    ),
    (
        "some", ROOT | {"path": "author", "some": "Person"},
        a_crate(entity("#a"), author=["x", ref("#a")]), a_crate(entity("#a", "File"), author=["x", ref("#a")]),
    ),
    ("value", ROOT | {"path": "license", "value": ["https://a.org/x", "y"]},
     a_crate(license=["z", ref("https://a.org/x")]), a_crate(license=["z"])),
    ("value", ROOT | {"path": "license", "value": "https://a.org/x"}, a_crate(license="https://a.org/x"), a_crate()),
    ("in", ROOT | {"path": "license", "in": ["https://a.org/x", "y"]},
     a_crate(license=["y", ref("https://a.org/x")]), a_crate(license=["y", "z"])),
    ("pattern", ROOT | {"path": "version", "pattern": "^\\d+$"},
     a_crate(version=["1", "22"]), a_crate(version=["1", "x"])),
    ("datatype", ROOT | {"path": "version", "datatype": "text"}, a_crate(version="1"), a_crate(version=1)),
    ("datatype", ROOT | {"path": "version", "datatype": "integer"}, a_crate(version=1), a_crate(version=1.5)),
    ("datatype", ROOT | {"path": "version", "datatype": "number"}, a_crate(version=1.5), a_crate(version="1.5")),
    ("datatype", ROOT | {"path": "version", "datatype": "boolean"}, a_crate(version=True), a_crate(version=1)),
    ("node", ROOT | {"path": "author", "node": "reference"}, a_crate(author=ref("#a")), a_crate(author="#a")),
    ("node", ROOT | {"path": "author", "node": "literal"}, a_crate(author="a"), a_crate(author=ref("#a"))),
    ("described", ROOT | {"path": "author", "described": True},
     a_crate(entity("#a"), author=ref("#a")), a_crate(author=ref("#a"))),
    ("equals", ROOT | {"path": "publisher", "equals": "author"},
     a_crate(author=["a", "b"], publisher=["b", "a"]), a_crate(author="a", publisher=["a", "b"])),
    ("disjoint", ROOT | {"path": "publisher", "disjoint": "author"},
     a_crate(author="a", publisher="b"), a_crate(author=["a", "b"], publisher="b")),
    ("before", ACTION | {"path": "startTime", "before": "endTime"},
     a_crate(entity("#r", "CreateAction", startTime="2026-01-01T10:00:00Z", endTime="2026-01-01T10:00:00Z")),
     a_crate(entity("#r", "CreateAction", startTime="2026-01-02T10:00:00Z", endTime="2026-01-01T10:00:00Z"))),
    ("before, in other zones", ACTION | {"path": "startTime", "before": "endTime"},
     a_crate(entity("#r", "CreateAction", startTime="2026-01-01T10:00:00+02:00", endTime="2026-01-01T09:00:00Z")),
     a_crate(entity("#r", "CreateAction", startTime="2026-01-01T10:00:00Z", endTime="2026-01-01T09:00:00Z"))),
    ("before, no moment", ACTION | {"path": "startTime", "before": "endTime"},
     a_crate(entity("#r", "CreateAction", startTime="soon", endTime="2026-01-01T09:00:00Z")),
     a_crate(entity("#r", "CreateAction", startTime="2026-01-01T09:00:01Z", endTime="2026-01-01T09:00:00Z"))),
    ("value, a number", ROOT | {"path": "version", "value": "7"}, a_crate(version=7), a_crate(version=8)),
    ("in, a truth", ROOT | {"path": "version", "in": ["true", "7"]},
     a_crate(version=[True, 7]), a_crate(version=False)),
    ("select linked *", {"select": {"linked": "hasPart*"}, "path": "author", "min": 1},
     a_crate(author="a"), a_crate()),
    ("any", ROOT | {"any": [{"path": "author", "min": 1}, {"path": "publisher", "min": 1}]},
     a_crate(publisher="a"), a_crate()),
    ("all", ROOT | {"all": [{"path": "author", "min": 1}, {"path": "publisher", "min": 1}]},
     a_crate(publisher="a", author="b"), a_crate(publisher="a")),
    ("not", ROOT | {"not": {"path": "author", "min": 1}}, a_crate(), a_crate(author="a")),
    ("when", ACTION | {"when": {"path": "actionStatus", "value": DONE}, "path": "endTime", "min": 1},
     a_crate(entity("#r", "CreateAction")), a_crate(entity("#r", "CreateAction", actionStatus=DONE))),
    ("path", ROOT | {"path": "author/affiliation", "min": 1},
     a_crate(entity("#a", affiliation="x"), author=ref("#a")), a_crate(entity("#a"), author=ref("#a"))),
    ("path ^", {"select": {"type": "Person"}, "path": "^author", "min": 1},
     a_crate(entity("#a"), author=ref("#a")), a_crate(entity("#a"))),
    ("path +", ROOT | {"path": "hasPart+", "min": 3},
     a_crate(entity("a/", "Dataset", hasPart=ref("a/b/")), entity("a/b/", "Dataset", hasPart=ref("./", "c")),
             hasPart=ref("a/")), a_crate(entity("a/", "Dataset", hasPart=ref("a/")), hasPart=ref("a/"))),
    ("path *", ROOT | {"path": "hasPart*/name", "min": 2},
     a_crate(entity("a/", "Dataset", name="b"), hasPart=ref("a/")),
     a_crate(entity("a/", "Dataset"), hasPart=ref("a/"))),
    ("root", ROOT | {"path": "name", "min": 1}, a_crate(), a_crate(name=[])),
    ("descriptor", {"select": {"descriptor": True}, "path": "about", "max": 1}, a_crate(),
     {**a_crate(), "@graph": [entity("ro-crate-metadata.json", "CreativeWork", about=ref("./", "#x")),
                              entity("./", "Dataset", name="x")]}),
    ("select type", {"select": {"type": ["Person", "File"]}, "path": "name", "min": 1},
     a_crate(entity("#a", "Organization"), entity("#b", name="b")), a_crate(entity("f", "File"))),
    ("select additionalType",
     {"select": {"type": "Person", "additionalType": "https://a.org/X"}, "path": "name", "min": 1},
     a_crate(entity("#a")), a_crate(entity("#a", additionalType=ref("https://a.org/X")))),
    ("select conformsTo", {"select": {"type": "File", "conformsTo": "https://a.org/P"}, "path": "name", "min": 1},
     a_crate(entity("f", "File", conformsTo=ref("https://a.org/Q"))),
     a_crate(entity("f", "File", conformsTo=ref("https://a.org/Q", "https://a.org/P")))),
    ("select linked",
     {"select": {"linked": "mainEntity/^instrument/agent", "type": "Person"}, "path": "name", "min": 1},
     a_crate(entity("#a"), entity("#r", "CreateAction", agent=ref("#a"), instrument=ref("#other"))),
     a_crate(entity("#a"), entity("w", "File"), entity("#r", "CreateAction", agent=ref("#a"), instrument=ref("w")),
             mainEntity=ref("w"))),
]  # fmt: skip


def native(words: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    return not list(compile_rule("X", words, {})(Index(document)))


def by_shacl(words: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    head = "".join(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in PREFIXES.items())
    turtle = f"{head}<https://example.org/X> a sh:NodeShape ; {' ; '.join(shape(words))} ."
    shapes = rdflib.Graph().parse(data=turtle, format="turtle")
    return bool(pyshacl.validate(graph(document), shacl_graph=shapes)[0])


def graph(document: Mapping[str, Any]) -> rdflib.Graph:
    return rdflib.Graph().parse(data=to_nquads(document, base=BASE), format="nt")


@pytest.mark.parametrize(("word", "words", "good", "bad"), WORDS, ids=[f"{i}-{w[0]}" for i, w in enumerate(WORDS)])
def test_a_word_means_the_same_in_both(
    word: str, words: Mapping[str, Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    assert (native(words, good), native(words, bad)) == (True, False)
    assert (by_shacl(words, good), by_shacl(words, bad)) == (True, False)


def test_no_word_is_left_out_of_the_table() -> None:
    def used(words: Mapping[str, Any]) -> Iterator[str]:
        for key, value in words.items():
            yield key
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    yield from used(inner)

    assert {name for _, words, _, _ in WORDS for name in used(words)} >= DEMAND | SELECT | {"when"}


@pytest.mark.parametrize(
    "words",
    [
        ROOT | {"path": "@id", "pattern": "^urn:"},  # in RDF every id is absolute
        ROOT | {"path": "object", "node": "reference", "pattern": "^outputs/"},
        ROOT | {"path": "notInAnyContext", "min": 1},
        ROOT | {"path": "about", "in": ["./"]},
    ],
)
def test_what_rdf_cannot_know_is_not_said(words: Mapping[str, Any]) -> None:
    with pytest.raises(Unsaid):
        shape(words)


# ------------------------------------------------------------------------------------------------------- whole profiles


@cache
def exported(identifier: str) -> tuple[Profile, Export, Mapping[str, rdflib.Graph]]:
    made = export(profile(identifier))
    shapes = {}
    for stage, token in made.tokens.items():
        shapes[stage] = rdflib.Graph()
        for path, content in made.files.items():
            if path.startswith(f"{token}/") and path.endswith("rules.ttl"):
                shapes[stage].parse(data=content, format="turtle")
    return profile(identifier), made, shapes


def verdicts(identifier: str, document: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Exported rules that are broken: by the checker, and by pyshacl."""
    found, made, shapes = exported(identifier)
    report = check(dict(document), profile_id=found)
    stage = report.stage if report.stage in shapes else next(iter(shapes))
    results = pyshacl.validate(graph(document), shacl_graph=shapes[stage])[1]
    assert isinstance(results, rdflib.Graph)
    broken = set()
    for result in results.subjects(RDF.type, SH.ValidationResult):
        name = shapes[stage].value(results.value(result, SH.sourceShape), SH.name)
        broken.add(str(name))
    return {finding.part for finding in report.findings} & set(made.exported), broken


@pytest.mark.parametrize("identifier", INSTALLED)
def test_conforming_examples_conform(identifier: str) -> None:
    for document in conforming(folder(identifier)).values():
        assert verdicts(identifier, document) == (set(), set())


@pytest.mark.slow
@pytest.mark.parametrize("identifier", INSTALLED)
def test_every_mutant_has_one_verdict(identifier: str) -> None:
    examples = conforming(folder(identifier))
    for mutant in mutants(folder(identifier)):
        if mutant.bagged or mutant.rule == "RC-context":  # a bag is no RDF; nor is a crate in no known context
            continue
        ours, theirs = verdicts(identifier, mutant.metadata(examples[mutant.of]))
        assert ours ^ theirs == DISAGREE.get((mutant.rule, mutant.of), set()), f"{mutant.rule} of {mutant.of}"


def test_each_disagreement_that_is_listed_is_of_a_mutant() -> None:
    assert set(DISAGREE) <= {(mutant.rule, mutant.of) for name in INSTALLED for mutant in mutants(folder(name))}


@pytest.mark.parametrize("identifier", INSTALLED)
def test_every_rule_is_exported_or_says_why_not(identifier: str) -> None:
    found, made, shapes = exported(identifier)
    assert set(made.exported) | made.unexported.keys() == {rule.id for rule in found.rules}
    assert set(made.exported).isdisjoint(made.unexported)
    assert all(len(reason) > 20 for reason in made.unexported.values())
    text = made.files["unexported.md"].decode()
    assert all(f"| {rule} |" in text for rule in made.unexported)
    for stage, turtle in shapes.items():
        names = {str(name) for name in turtle.objects(None, SH.name)}
        assert names == {rule.id for rule in found.at(stage)} & set(made.exported)
    assert export(found).files == made.files  # the same bytes


def test_the_verb_writes_a_folder_for_each_stage(tmp_path: Any) -> None:
    done = CliRunner().invoke(app, ["profile", "shacl", "https://w3id.org/5s-crate/0.4", "-o", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert (tmp_path / "out/cinque-five-safes-ro-crate-0.4-request/must/rules.ttl").exists()
    again = CliRunner().invoke(app, ["profile", "shacl", "https://w3id.org/5s-crate/0.4", "-o", str(tmp_path / "out")])
    assert again.exit_code != 0
