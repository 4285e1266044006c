"""Sphinx's settings. `make docs` prints docs/reference from the code and then builds the pages."""

from importlib.metadata import version as installed

project = "Cinque"
author = "The Cinque contributors"
copyright = "the Cinque contributors"
release = version = installed("cinque")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Cinque {release}"
html_show_sphinx = False
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # Mermaid stays text: drawing it would load a script from elsewhere
