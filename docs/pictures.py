"""The pictures of the pages, drawn when the pages are built: none of them is kept in the repository.

    .venv/bin/python docs/pictures.py

runs the Python of the pages that name pictures, each in a folder of its own, and puts the SVG files in docs/_pictures.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
PICTURES = DOCS / "_pictures"
PAGES = ("howto/read-an-answer.md", "analyses/meta.md", "analyses/roc.md")


def draw() -> None:
    """Anew where a page changed since. Raises CalledProcessError when its Python does not run."""
    PICTURES.mkdir(exist_ok=True)
    for page in (DOCS / name for name in PAGES):
        text = page.read_text("utf-8")
        wanted = [PICTURES / name for name in re.findall(r"_pictures/([a-z-]+\.svg)", text)]
        if all(picture.exists() and picture.stat().st_mtime > page.stat().st_mtime for picture in wanted):
            continue
        code = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            for picture in wanted:
                shutil.copy(Path(folder) / picture.name, picture)


if __name__ == "__main__":
    draw()
