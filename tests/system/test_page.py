"""The page of a crate in a real browser: nothing runs off the side of a phone, no script runs, nothing is fetched."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cinque.crate import Crate
from cinque.crate.preview import preview_html
from tests.builders import a_refusal, a_release, a_request, an_answer
from tests.crate import examples

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

# The page is loaded as it is into frames of three widths; this one around it measures, and writes down what it saw.
AROUND = """<!DOCTYPE html><meta charset="utf-8"><body>{frames}<pre id="seen"></pre><script>
addEventListener("load", () => {{
  document.getElementById("seen").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(frame => {{
    const page = frame.contentDocument, root = page.documentElement;
    return {{
      width: frame.clientWidth, needs: root.scrollWidth, height: root.scrollHeight,
      title: page.title, owned: frame.contentWindow.owned === true,
      fetched: frame.contentWindow.performance.getEntriesByType("resource").length,
      small: [...page.querySelectorAll("body *")].map(e => frame.contentWindow.getComputedStyle(e).fontSize)
        .filter(size => parseFloat(size) < 13).length,
    }};
  }}));
}});
</script>"""
LONG = "x" * 600
HOSTILE = (
    "<img src=http://192.0.2.1/x.png onerror='owned=true'><script>owned=true</script><style>body{width:9999px}</style>"
)


def crammed(text: str) -> bytes:
    """The page of a crate whose every word is `text`."""
    crate = examples.published()
    for entity in crate["@graph"]:
        for name, value in entity.items():
            if isinstance(value, str) and name not in ("@id", "@type", "actionStatus"):
                entity[name] = text
    return preview_html(crate["@graph"], {"outputs/table.csv": 1})


PAGES = {
    "request": lambda: Crate.open(a_request()).preview(),
    "release": lambda: Crate.open(a_release()).preview(),
    "refusal": lambda: Crate.open(a_refusal()).preview(),
    "answer": lambda: Crate.open(an_answer()).preview(),
    "long words": lambda: crammed(LONG),
    "hostile words": lambda: crammed(HOSTILE),
    "nothing": lambda: preview_html([], {}),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_fits_phones_and_desktops_and_asks_nothing_of_anybody(name: str, tmp_path: Path) -> None:
    source = html.escape(PAGES[name]().decode())
    frames = "".join(f'<iframe style="border:0;width:{w}px" srcdoc="{source}"></iframe>' for w in (320, 390, 1200))
    seen = measured(AROUND.format(frames=frames), tmp_path)
    assert [frame["width"] for frame in seen] == [320, 390, 1200]
    for frame in seen:
        assert frame["needs"] <= frame["width"], f"{frame['needs']} px in {frame['width']}"
        assert frame["height"] > 400
        assert frame["title"].endswith("Five Safes RO-Crate")
        assert not frame["owned"]
        assert frame["fetched"] == 0
        assert frame["small"] == 0


def measured(page: str, folder: Path) -> list[dict[str, Any]]:
    (folder / "around.html").write_text(page, "utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000",
        "--window-size=1400,900", "--dump-dom", (folder / "around.html").as_uri(),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r'<pre id="seen">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert found is not None
    seen: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return seen
