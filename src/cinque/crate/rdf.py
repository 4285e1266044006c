"""A crate's metadata as RDF, for the catalogue and for others' tools: N-Quads or Turtle, the same for the same bytes.

JSON-LD is read by pyoxigraph (`pip install cinque[rdf]`), which can fetch nothing; the contexts come from
`cinque.crate.contexts`. It is imported when a crate is turned into RDF, not before: the client starts without it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from cinque.crate import bag
from cinque.crate.contexts import inlined, nested
from cinque.errors import Refused
from cinque.lib.canonical import MAX_BYTES, strict_loads

if TYPE_CHECKING:
    from pyoxigraph import Quad

_PREFIXES: Final = {
    "bioschemas": "https://bioschemas.org/terms/",
    "dct": "http://purl.org/dc/terms/",
    "schema": "http://schema.org/",
    "wfrun": "https://w3id.org/ro/terms/workflow-run#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_UUID = re.compile(r"(?:urn:uuid:)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_OUTSIDE = re.compile(r"[^0-9A-Za-z]")
_LABEL = re.compile(r'"_:([^"]+)"')


def to_nquads(metadata: bytes | Mapping[str, Any], *, base: str = "") -> bytes:
    """The statements of a metadata document, a line each, sorted, in the default graph.

    `base`: the IRI that relative ids are relative to; without one it is `base_of(metadata)`. The same bytes in give the
    same bytes out; without blank nodes, the order of the entities makes no difference either. As JSON-LD says, a term
    that the context does not define and an id that is no IRI (with a space in it) state nothing.

    Raises Refused for what is not strict JSON, for a context that is not known here, for what is not JSON-LD.
    """
    from pyoxigraph import RdfFormat, serialize

    lines = serialize(_statements(metadata, base), format=RdfFormat.N_QUADS) or b""
    return b"".join(sorted(set(lines.splitlines(keepends=True))))


def to_turtle(metadata: bytes | Mapping[str, Any], *, base: str = "") -> bytes:
    """The same statements as Turtle, for people: subjects in order, the usual prefixes. Raises as `to_nquads` does, and
    Refused for what Turtle cannot say.
    """
    from pyoxigraph import DefaultGraph, RdfFormat, parse, serialize

    quads = list(parse(to_nquads(metadata, base=base), RdfFormat.N_QUADS))
    if any(type(quad.graph_name) is not DefaultGraph for quad in quads):
        raise _refused("The crate's metadata names graphs within itself, and Turtle has one.")
    written = serialize((quad.triple for quad in quads), format=RdfFormat.TURTLE, prefixes=_PREFIXES) or b""
    lines = written.splitlines(keepends=True)  # the prefixes come first, in any order
    return b"".join(sorted(lines[: len(_PREFIXES)]) + lines[len(_PREFIXES) :])


def base_of(metadata: bytes | Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> str:
    """The base of a crate's relative ids, an arcp IRI, so that nothing tells where the crate lay on a disk.

    `arcp://uuid,<External-Identifier>/` for the payload of a bag that names a UUID (R104); otherwise
    `arcp://ni,sha-256;<digest of the metadata>/`. `files`: those of the bag or folder by name, if there are any.
    """
    if files is not None and bag.BAG_INFO in files:
        for label, value in bag.parse_bag_info(files[bag.BAG_INFO]):
            if label.lower() == "external-identifier" and (found := _UUID.fullmatch(value.strip())):
                return f"arcp://uuid,{found[1].lower()}/"
    data = metadata if isinstance(metadata, bytes) else json.dumps(metadata, sort_keys=True).encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"arcp://ni,sha-256;{digest}/"


def _statements(metadata: bytes | Mapping[str, Any], base: str) -> Iterator[Quad]:
    from pyoxigraph import RdfFormat, parse

    document = strict_loads(metadata, max_bytes=4 * MAX_BYTES) if isinstance(metadata, bytes) else metadata
    if not isinstance(document, Mapping):
        raise _refused("The crate's metadata is not a JSON object.")
    written = json.dumps({**document, "@context": inlined(document.get("@context"))}, ensure_ascii=False)
    try:
        quads = list(parse(written, RdfFormat.JSON_LD, base_iri=base or base_of(metadata)))
    except SyntaxError as error:
        if "LoadDocument" in str(error):  # in an entity or a term: the parser has nothing to fetch it with
            raise nested() from None
        raise _refused(f"The crate's metadata is not JSON-LD: {str(error)[:200]}.") from None
    except ValueError:
        raise _refused(f"The base {base[:200]!a} is not an absolute IRI.") from None
    return _named(quads, written)


def _named(quads: list[Quad], written: str) -> Iterator[Quad]:
    """The quads with blank nodes that N-Quads can name, the same names for the same bytes.

    The profile's own `_:localid:tre72:project81` is no label there, so what is not a letter or a digit becomes its
    number; entities without an id, which the parser names at random, are counted as they appear.
    """
    from pyoxigraph import BlankNode, Quad

    labels = frozenset(_LABEL.findall(written))
    names: dict[str, BlankNode] = {}

    def stable(node: Any) -> Any:
        if type(node) is not BlankNode:
            return node
        found = names.get(node.value)
        if found is None:
            label = node.value
            name = _encoded(label) if label in labels else f"n_{len(names)}"
            found = names[label] = BlankNode(name)
        return found

    for quad in quads:
        if BlankNode in (type(quad.subject), type(quad.object), type(quad.graph_name)):
            quad = Quad(stable(quad.subject), quad.predicate, stable(quad.object), stable(quad.graph_name))
        yield quad


def _encoded(label: str) -> str:
    return _OUTSIDE.sub(lambda found: f"_{ord(found[0]):x}_", label)


def _refused(sentence: str) -> Refused:
    remedy = "See what is wrong with `cinque crate check`."
    return Refused("metadata-not-rdf", sentence, rule="R17", remedy=remedy)
