"""`cinque demo` and `cinque up`: a whole federation on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cinque.cli.terminal import Json

Dir = Annotated[Path | None, typer.Option("--dir", metavar="DIR", help="Keep everything in this folder.")]


def demo(dir: Dir = None, json: Json = False) -> None:
    """Three TREs, a hub, and a handful of questions over synthetic health data; under a minute."""
    from cinque.federation.demo import main

    main(dir, json)


def up(dir: Dir = None) -> None:
    """Start the demo's federation and leave it running."""
    from cinque.federation.up import main

    main(dir)
