"""A crate as RDF: the graph that another JSON-LD processor reads, the same bytes each time, and nothing fetched."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyld import jsonld
from rdflib import Graph
from rdflib.compare import isomorphic

from cinque.crate import contexts
from cinque.crate.archive import unpack
from cinque.crate.rdf import base_of, to_nquads, to_turtle
from cinque.errors import Refused
from tests.builders import a_refusal, a_release, a_request, an_answer
from tests.crate import examples
from tests.crate.examples import BY_STAGE, Crate
from tests.crate.test_check import anything, entities

FOLDER = Path(contexts.__file__).parent
ORIGINS = tomllib.loads((FOLDER / "origins.toml").read_text("utf-8"))["context"]
BASE = "arcp://uuid,9d5b7f4a-3d2a-4f0e-8a55-0c7d5f9a3b11/"
ROCRATE = "https://w3id.org/ro/crate/1.2/context"


def vendored(url: str, options: Any) -> dict[str, Any]:
    """The other processor's loader: the files of the folder, by the list beside them."""
    file = next(origin["file"] for origin in ORIGINS if url in origin["urls"])
    return {"contextUrl": None, "documentUrl": url, "document": json.loads((FOLDER / file).read_bytes())}


def by_another(crate: Crate, base: str = BASE) -> Graph:
    options = {"base": base, "format": "application/n-quads", "documentLoader": vendored}
    return Graph().parse(data=jsonld.to_rdf(crate, options), format="nt")


def ours(crate: Crate | bytes, base: str = BASE) -> Graph:
    return Graph().parse(data=to_nquads(crate, base=base), format="nt")


def written() -> dict[str, bytes]:
    made = {"request": a_request, "release": a_release, "refusal": a_refusal, "answer": an_answer}
    return {name: unpack(make()).files["data/ro-crate-metadata.json"] for name, make in made.items()}


# ---------------------------------------------------------------------------------------------------- the contexts
@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: origin["file"])
def test_a_context_is_the_file_that_its_origin_names(origin: dict[str, Any]) -> None:
    data = (FOLDER / origin["file"]).read_bytes()
    assert sha256(data).hexdigest() == origin["sha256"]
    assert json.loads(data)["license"] == {"@id": "https://creativecommons.org/publicdomain/zero/1.0/"}
    assert json.loads(data)["@id"] in origin["urls"]
    assert origin["licence"] == "CC0-1.0"
    assert all(origin[name] for name in ("package", "registry", "version", "path"))


def test_no_context_lies_here_without_an_origin() -> None:
    assert {file.name for file in FOLDER.glob("*.jsonld")} == {origin["file"] for origin in ORIGINS}


@pytest.mark.parametrize(
    ("url", "term", "iri"),
    [  # as the specifications print them
        ("https://w3id.org/ro/crate/1.1/context", "File", "http://schema.org/MediaObject"),
        ("https://w3id.org/ro/crate/1.2/context", "conformsTo", "http://purl.org/dc/terms/conformsTo"),
        ("https://w3id.org/ro/crate/1.3/context", "FormalParameter", "https://bioschemas.org/terms/FormalParameter"),
        (
            "https://w3id.org/ro/terms/workflow-run/context",
            "ParameterConnection",
            "https://w3id.org/ro/terms/workflow-run#ParameterConnection",
        ),
    ],
)
def test_terms_mean_what_their_specification_says(url: str, term: str, iri: str) -> None:
    assert contexts.terms(url)[term] == iri


# ------------------------------------------------------------------------------------------------------- the graph
@pytest.mark.parametrize("stage", BY_STAGE)
def test_every_stage_states_what_another_processor_reads(stage: str) -> None:
    crate = BY_STAGE[stage]()
    found = ours(crate)
    assert len(found) > 20
    assert isomorphic(found, by_another(crate))


def test_what_cinque_writes_states_what_another_processor_reads() -> None:
    for name, metadata in written().items():
        assert isomorphic(ours(metadata), by_another(json.loads(metadata))), name


@pytest.mark.filterwarnings("ignore:terms beginning with:SyntaxWarning")  # `@label` in the context of 1.1
@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3"])
def test_every_known_context_and_terms_of_a_crates_own(version: str) -> None:
    crate = examples.published()
    crate["@context"] = [
        f"https://w3id.org/ro/crate/{version}/context",
        "https://w3id.org/ro/terms/workflow-run",
        {"ward": "https://hospital.example.com/terms#ward", "seen": {"@id": "https://e.example/seen", "@type": "@id"}},
    ]
    crate["@graph"] += [
        {"@id": "#own", "@type": "ParameterConnection", "ward": "7b", "seen": "#other", "name": {"@value": "x"}},
        {"@id": "_:localid:tre72:x-1", "name": {"name": "in another", "sha512": "00"}, "position": [1, 2.5, True]},
    ]
    found = ours(crate)
    assert isomorphic(found, by_another(crate))
    said = to_nquads(crate, base=BASE).decode()
    assert f'<{BASE}#own> <https://hospital.example.com/terms#ward> "7b" .' in said
    assert f"<{BASE}#own> <https://e.example/seen> <{BASE}#other> ." in said
    assert '<https://w3id.org/ro/terms/workflow-run#sha512> "00"' in said


def test_the_same_bytes_give_the_same_bytes_in_another_process_too() -> None:
    crate = examples.published()
    crate["@graph"].append({"@id": "#x", "author": [{"name": "no id"}, {"name": "nor this"}]})
    metadata = json.dumps(crate).encode()
    code = "import sys; from cinque.crate import rdf; m = sys.stdin.buffer.read(); "
    for function in (to_nquads, to_turtle):
        command = [sys.executable, "-c", f"{code} sys.stdout.buffer.write(rdf.{function.__name__}(m))"]
        other = subprocess.run(command, input=metadata, capture_output=True, check=True)
        assert other.stdout == function(metadata)
    lines = to_nquads(metadata).splitlines()
    assert lines == sorted(set(lines))


def test_the_order_of_entities_makes_no_difference() -> None:
    crate = examples.published()
    turned = {**crate, "@graph": crate["@graph"][::-1]}
    assert to_nquads(turned, base=BASE) == to_nquads(crate, base=BASE)


def test_turtle_says_the_same() -> None:
    for metadata in written().values():
        turtle = to_turtle(metadata, base=BASE)
        assert turtle.startswith(b"@prefix bioschemas: ")
        assert isomorphic(Graph().parse(data=turtle, format="turtle"), ours(metadata))


# -------------------------------------------------------------------------------------------------------- the base
def test_relative_ids_of_a_bag_are_relative_to_its_external_identifier() -> None:
    files = unpack(a_request()).files
    metadata = files["data/ro-crate-metadata.json"]
    said = next(line for line in files["bag-info.txt"].decode().splitlines() if line.startswith("External-Identifier"))
    assert base_of(metadata, files) == f"arcp://uuid,{said.rpartition(':')[2].strip()}/"


@pytest.mark.parametrize("said", ["https://evil.example/", "urn:uuid:../../x", "", "a name"])
def test_only_a_uuid_becomes_a_base(said: str) -> None:
    files = {"bag-info.txt": f"External-Identifier: {said}\n".encode()}
    # RFC 6920's example: the digest of "Hello World!"
    assert base_of(b"Hello World!", files) == "arcp://ni,sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk/"


# ------------------------------------------------------------------------------------------------------ refusals
@pytest.mark.parametrize(
    ("context", "code"),
    [
        ("https://evil.example/context", "context-unknown"),
        ("http://169.254.169.254/latest/meta-data/", "context-unknown"),
        ("file:///etc/passwd", "context-unknown"),
        ([ROCRATE, "https://evil.example/context"], "context-unknown"),
        ([ROCRATE, [{"x": "http://x.example/"}, "https://evil.example/"]], "context-unknown"),
        ({"@import": ROCRATE}, "context-unknown"),
        ([ROCRATE, {"author": {"@id": "http://x.example/", "@context": "https://evil.example/"}}], "context-unknown"),
        (7, "context-missing"),
        (None, "context-missing"),
        ({"name": 1}, "metadata-not-rdf"),
    ],
)
def test_what_would_have_to_be_fetched_is_refused_in_words(context: Any, code: str) -> None:
    crate = {**examples.request(), "@context": context}
    with pytest.raises(Refused) as refused:
        to_nquads(crate, base=BASE)
    assert refused.value.code == code
    assert refused.value.remedy


def test_a_context_inside_an_entity_is_not_fetched_either() -> None:
    crate = examples.request()
    crate["@graph"][1]["@context"] = "https://evil.example/context"
    with pytest.raises(Refused, match="context of its own"):
        to_nquads(crate)


def test_a_base_that_is_none_is_refused() -> None:
    with pytest.raises(Refused, match="not an absolute IRI"):
        to_nquads(examples.request(), base="folder/")


@settings(max_examples=150, deadline=None)
@given(st.lists(entities | st.dictionaries(st.text(max_size=5), anything, max_size=3), max_size=6), anything)
def test_any_json_is_rdf_or_refused(graph: list[Any], context: Any) -> None:
    for document in ({"@context": ROCRATE, "@graph": graph}, {"@context": context, "@graph": graph}, graph):
        metadata = json.dumps(document).encode()
        try:
            said = to_nquads(metadata)
        except Refused:
            continue
        assert said == to_nquads(metadata)


# ----------------------------------------------------------------------------------------------------- its cost
def test_ten_thousand_entities_take_half_a_second() -> None:
    files = [f"outputs/{number}.csv" for number in range(10_000)]
    crate = examples.published()
    crate["@graph"] += [
        {"@id": file, "@type": "File", "name": file, "encodingFormat": "text/csv", "contentSize": 12} for file in files
    ]
    metadata = json.dumps(crate).encode()
    took = []
    for _ in range(3):
        started = time.process_time()
        to_nquads(metadata, base=BASE)
        took.append(time.process_time() - started)
    assert min(took) < 0.5


def test_the_client_and_the_command_line_start_without_it() -> None:
    code = "import sys, cinque, cinque.client, cinque.cli.main, cinque.crate.rdf; print('pyoxigraph' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
