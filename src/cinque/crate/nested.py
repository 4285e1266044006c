"""Which profiles a crate says it conforms to, and the crates that lie in its payload, such as a workflow's (R23)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cinque.crate.container import METADATA
from cinque.crate.index import Index, is_local_path, payload_path
from cinque.crate.profiles import CLAIMED, FAMILIES, FIVE_SAFES, FIVE_SAFES_DRAFT, LAYERS, RO_CRATE
from cinque.errors import Refused
from cinque.lib.canonical import MAX_BYTES, strict_loads


@dataclass(slots=True)
class Nested:
    """A crate in a folder of the payload. `claims`: the profiles it is held to, by its own word or that of the crate
    around it; `payload`: its files, by their names in the folder.
    """

    index: Index
    claims: tuple[str, ...]
    payload: dict[str, bytes] = field(default_factory=dict)


def claims(index: Index, *others: str) -> tuple[str, ...]:
    """The profiles with rules here that the crate's root or descriptor declares (Workflow RO-Crate 1.0 uses both)."""
    return tuple(name for name in CLAIMED if name in {*_declared(index), *others})


def own_profile(index: Index) -> str:
    """By which rules the crate itself wants to be judged: the layer of a community that it declares; else Five Safes,
    in either version, where it declares it; else the most special of the other profiles that it declares, as an answer
    does; RO-Crate where it is a profile itself; Five Safes 0.4 where it declares none.
    """
    declared = set(_declared(index))
    for name in (*LAYERS, FIVE_SAFES, FIVE_SAFES_DRAFT):
        if name in declared:
            return name
    if index.root is not None and index.root.is_a("Profile"):
        return RO_CRATE
    return [FIVE_SAFES, *claims(index)][-1]


def unknown_claims(index: Index) -> list[str]:
    """The versions of those profiles that are declared and have no rules here."""
    return [name for name in dict.fromkeys(_declared(index)) if name.startswith(FAMILIES) and name not in CLAIMED]


def _declared(index: Index) -> Iterable[str]:
    for node in (index.root, index.descriptor):
        if node is not None:
            yield from node.texts("conformsTo")


def nested_crates(index: Index, payload: Mapping[str, bytes] | None) -> dict[str, Nested]:
    """The crates in those folders that the graph describes as a `Dataset`, by the folder's path with its last "/".

    Metadata that is no strict JSON makes an empty index, of which RO-Crate's rules say what is wrong. Each file goes to
    the innermost folders around it: linear in files and their depth.
    """
    found: dict[str, Nested] = {}
    for node in index.by_type.get("Dataset", ()) if payload else ():
        path = payload_path(node.id).rstrip("/") + "/"
        if node is index.root or not is_local_path(node.id) or path in found or payload is None:
            continue
        if (metadata := payload.get(path + METADATA)) is not None:
            inner = Index(_read(metadata))
            found[path] = Nested(inner, claims(inner, *node.texts("conformsTo")))
    for name, content in payload.items() if found and payload is not None else ():
        end = name.find("/")
        while end != -1:
            if (crate := found.get(name[: end + 1])) is not None:
                crate.payload[name[end + 1 :]] = content
            end = name.find("/", end + 1)
    return found


def _read(metadata: bytes) -> object:
    try:
        return strict_loads(metadata, max_bytes=4 * MAX_BYTES)
    except Refused:
        return None
