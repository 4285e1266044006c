"""A new home folder, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cinque.errors import Refused


@contextmanager
def fresh(home: Path) -> Iterator[Path]:
    """A draft folder beside `home`, which takes its place when the block ends well and vanishes when not. Raises
    Refused("home-exists") for a folder that holds something.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise Refused(
            "home-exists", f"{home} holds something already and was left as it is.", remedy="Name an empty folder."
        )
    home.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{home.name}.", dir=home.parent))
    try:
        yield draft
        draft.replace(home)  # an empty folder gives way; one that was filled meanwhile does not
    finally:
        shutil.rmtree(draft, ignore_errors=True)
