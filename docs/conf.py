"""Sphinx's settings. `make docs` prints docs/reference from the code and then builds the pages."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # pictures.py, beside this file

project = "Cinque"
author = "The Cinque contributors"
copyright = "the Cinque contributors"
release = version = installed("cinque")

extensions = ["myst_parser"]
exclude_patterns = ["_build", "_pictures"]
html_theme = "furo"
html_title = f"Cinque {release}"
html_show_sphinx = False
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # Mermaid stays text: drawing it would load a script from elsewhere


def setup(app):
    """Pictures of the pages are drawn before the pages are read."""
    import pictures

    app.connect("builder-inited", lambda _: pictures.draw())
