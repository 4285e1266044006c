"""Which code an analysis is: its module and what it imports of the statistics, the expressions and the seam to
disclosure control. The machinery around it is no part of this; its versions stand in a run's provenance.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from importlib.abc import InspectLoader
from typing import Final

from cinque.errors import Unavailable
from cinque.lib.digest import sha256_hex

COVERED: Final = frozenset({"cinque.analyses", "cinque.expr", "cinque.sdc", "cinque.stats"})


def digests(module: str) -> dict[str, str]:
    """Module name -> SHA-256 of its source in UTF-8 with LF line ends, as installed: of `module` and, over and over, of
    what it imports from the covered packages. Nothing is run to find out. Raises Unavailable where no source is
    installed.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        source = _source(name)
        found[name] = sha256_hex(source.encode())
        waiting += [other for other in _imported(source) if _covered(other) and _is_module(other)]
    return dict(sorted(found.items()))


def _imported(source: str) -> list[str]:
    """Every name that an import statement could mean as a module, with the packages it lies in, whose `__init__` runs
    with it. Relative imports are banned in the house.
    """
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name.rsplit(".", cut)[0] for name in names for cut in range(name.count(".") + 1)]


def _covered(name: str) -> bool:
    return ".".join(name.split(".")[:2]) in COVERED


def _is_module(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a function or class, asked for inside a module as though that were a package
        return False


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    loader = spec.loader if spec else None
    source = loader.get_source(name) if isinstance(loader, InspectLoader) else None
    if source is None:
        raise Unavailable(
            "analysis-without-source",
            f"The source of module `{name}` is not installed, so no digest of an analysis can be made.",
            remedy="Install Cinque from its wheel.",
        )
    return source  # with LF line ends, whatever the file has, and without a byte order mark
