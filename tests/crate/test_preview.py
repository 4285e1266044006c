"""The page: complete, deterministic, and deaf to whatever a crate says."""

from __future__ import annotations

import itertools
import json
import random
import re
import time
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinque.crate.answer import Missing
from cinque.crate.archive import unpack
from cinque.crate.preview import preview_html
from tests.builders import a_release, an_answer
from tests.crate import examples
from tests.crate.examples import BY_STAGE, DISCLOSURE, RUN, SIGN_OFF, entity, put, ref
from tests.crate.test_check import anything, entities


class Page(HTMLParser):
    """What a browser would make of the page: elements, attributes, text outside of style."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._style = False
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.text += " ".join(data.split()) + "\n"

    @property
    def links(self) -> list[str]:
        return [value for _, name, value in self.attributes if name == "href"]


def page(crate: dict[str, Any], **sizes: int) -> Page:
    return Page(preview_html(crate["@graph"], sizes))


TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "div", "span", "i", "main", "p", "h1", "h2", "h3", "dl",
    "dt", "dd", "nav", "ol", "ul", "li", "a", "section", "article", "code", "footer",
}  # fmt: skip
ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "aria-hidden",
    "aria-label",
    "href",
    "rel",
    "id",
}


@pytest.mark.parametrize("stage", BY_STAGE)
def test_every_stage_has_its_five_sections_in_order(stage: str) -> None:
    seen = page(BY_STAGE[stage]())
    places = [seen.text.index(f"\n{name}\n", seen.text.index("Repeat it")) for name in
              ("Safe people", "Safe projects", "Safe settings", "Safe data", "Safe outputs", "Phases")]  # fmt: skip
    assert places == sorted(places)
    assert set(seen.tags) <= TAGS


def test_the_page_says_who_when_by_what_right_and_how_it_ended() -> None:
    crate = examples.published()
    seen = Page(preview_html(crate["@graph"], {"outputs/table.csv": 1234, "input1.txt": 1}))
    for said in (
        "Released", "Josiah Carberry", "Brown University", "Investigation of bleeds", "project81 (tre72)",
        "Agreement 7", "TRE 72", "An engine", "--fast-mode", "1.2 kB", "1 byte", "Disclosure check: passed", "Sign-off",
        "Approved", "23 November 2026, 10:05:00 to 10:10:00 UTC", "CC BY 4.0", "Counts by group",
    ):  # fmt: skip
        assert f"\n{said}\n" in seen.text or f"\n{said} " in seen.text, said
    assert "outputs/table.csv" in seen.links
    assert examples.WORKFLOW in seen.links


def test_a_refusal_says_why_at_the_top() -> None:
    crate = examples.refused()
    put(SIGN_OFF, error=ref("#why"))(crate)
    crate["@graph"].append({"@id": "#why", "@type": "DefinedTerm", "description": "No agreement covers this project."})
    seen = page(crate)
    assert (
        seen.text.index("Refused")
        < seen.text.index("No agreement covers this project.")
        < seen.text.index("Safe people")
    )
    assert "Nothing left the TRE." in seen.text


def test_withheld_outputs_leave_no_word() -> None:
    seen = page(examples.withheld())
    assert "Withheld" in seen.text
    assert "table.csv" not in seen.text


def test_a_run_that_ended_without_an_answer_is_not_called_released() -> None:
    crate = examples.published()
    run = entity(crate, RUN)
    run["actionStatus"] = examples.FAILED
    del run["result"]
    assert "Ended without an answer" in page(crate).text


def test_the_same_crate_gives_the_same_bytes() -> None:
    crate, sizes = examples.published(), {"outputs/table.csv": 5, "input1.txt": 2}
    first = preview_html(crate["@graph"], sizes)
    shuffled = dict(reversed(sizes.items()))
    assert preview_html(json.loads(json.dumps(crate))["@graph"], shuffled) == first
    others = crate["@graph"][2:]
    random.Random(1).shuffle(others)
    assert preview_html([*crate["@graph"][:2], *others], sizes) == first


def test_the_page_asks_nothing_of_anybody_and_forbids_scripts() -> None:
    seen = page(examples.published())
    assert not {"script", "img", "link", "iframe", "form", "object"} & set(seen.tags)
    policy = next(value for _, name, value in seen.attributes if name == "content" and "default-src" in value)
    assert "default-src 'none'" in policy
    assert b"@import" not in preview_html([], {})
    assert b"url(" not in preview_html([], {})


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% for x in y %}",
    "<!--",
    "&lt;script&gt;",
    "`<b>code</b>`",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_wherever_it_stands(text: str) -> None:
    crate = examples.published()
    for found in crate["@graph"]:
        for name, value in found.items():
            if isinstance(value, str) and name not in ("@id", "@type", "actionStatus"):
                found[name] = text
    for identifier in (DISCLOSURE, RUN):
        put(identifier, description=text, startTime=text)(crate)
    seen = page(crate, **{f"{text}.cwl": 1})
    plain = page(examples.published())
    assert set(seen.tags) <= TAGS
    assert {name for _, name, _ in seen.attributes} <= ATTRIBUTES
    assert seen.tags.count("style") == plain.tags.count("style") == 1
    assert text.replace("`", "") in seen.text.replace("\n", "").replace("`", "")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "\x01javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "//evil.example/x",
        "/etc/passwd",
        "\\\\evil.example\\x", "../../x", "%2e%2e/x", "https:\\\\evil.example", "javascript&colon;alert(1)", "blob:x",
        "%6aavascript:alert(1)", "./javascript:alert(1)", "\u2028javascript:alert(1)",
    ],
)  # fmt: skip
def test_only_web_addresses_and_paths_within_become_links(address: str) -> None:
    crate = examples.published()
    put("./", identifier=[address, ref(address)], license=ref(address), mainEntity=ref(address))(crate)
    put(RUN, agent=ref(address), object=[ref(address)], result=[ref(address)])(crate)
    for kind in ("Person", "File", "Dataset"):
        crate["@graph"].append({"@id": address, "@type": [kind, "File"], "name": "x"})
    for href in page(crate).links:
        local = href.startswith("#") or href in ("ro-crate-metadata.json", "input1.txt")
        assert local or href.startswith(("https://", "http://")) or _inside(href), href


def _inside(href: str) -> bool:
    return ":" not in href and not href.startswith(("/", "\\", "%")) and ".." not in href


@settings(max_examples=150, deadline=None)
@given(st.lists(entities | st.dictionaries(st.text(max_size=5), anything, max_size=3), max_size=6))
def test_no_graph_crashes_the_page(graph: list[dict[str, Any]]) -> None:
    seen = Page(preview_html(graph, {"outputs/x": 3}))
    assert set(seen.tags) <= TAGS
    assert {name for _, name, _ in seen.attributes} <= ATTRIBUTES


def test_an_answer_names_its_members_and_who_is_missing() -> None:
    files = unpack(an_answer(missing=(Missing("east", "offline", "It has not called."),))).files
    crate = json.loads(files["data/ro-crate-metadata.json"])
    seen = page(crate)
    assert seen.text.index("Answered, without 1 of the TREs") < seen.text.index("east is missing: It has not called.")
    assert seen.text.index("released what is in it") < seen.text.index("Safe data", seen.text.index("released what"))
    phases = seen.text[seen.text.index("What happened") :]
    assert phases.index("\nReceiving\n") < phases.index("\nExecution\n")
    assert "works the answer out again" in seen.text


def test_a_released_crate_shows_what_was_read_and_the_rule_it_was_checked_by() -> None:
    crate = json.loads(unpack(a_release(snapshot="ab" * 32)).files["data/ro-crate-metadata.json"])
    seen = page(crate)
    for said in ("Snapshot of demo that was read", "Risk appetite acro-default", "was asked", "ran it"):
        assert f"\n{said}\n" in seen.text, said
    assert "cwltool --make-template workflow/count/count.cwl" in page(crate, **{
        "workflow/count/count-tool.cwl": 1, "workflow/count/count.cwl": 1,
    }).text  # fmt: skip


def test_backticks_are_code_and_stay_escaped() -> None:
    crate = examples.published()
    put("./", description="Of `<b>` and `x`, but not of a lone ` here? `<i>`")(crate)
    lone = preview_html(crate["@graph"], {})
    assert b"a lone ` here" in lone
    put("./", description="Of `<b>` and `x`.")(crate)
    assert b"Of <code>&lt;b&gt;</code> and <code>x</code>." in preview_html(crate["@graph"], {})


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_pair_of_colours_has_the_contrast_of_wcag_aa() -> None:
    css = (resources.files("cinque.crate") / "pages" / "preview.css").read_text("utf-8")
    blocks = re.findall(r":root \{([^}]*)\}", css)
    themes = [dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6})", block)) for block in blocks]
    assert len(themes) == 3  # by day, by night, on paper
    sections = ("people", "projects", "settings", "data", "outputs")
    for theme in themes:
        pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("paper", "pale")]
        pairs += [(text, "paper") for text in ("good", "bad", "open", "idle", *sections)]
        pairs += [("on", ground) for ground in ("good", "bad", "open", "idle", *sections)]
        for text, ground in pairs:
            light, dark = sorted((_luminance(theme[text]), _luminance(theme[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground, theme)  # WCAG 2.2, 1.4.3


def test_headings_go_down_one_level_at_a_time() -> None:
    for make in BY_STAGE.values():
        levels = [int(tag[1]) for tag in page(make()).tags if tag in ("h1", "h2", "h3")]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_a_crate_in_which_everything_is_everything_takes_time_in_its_size_alone() -> None:
    names = [f"x/{number}" for number in range(10_000)]
    all_of_them = [ref(name) for name in names]
    crate = examples.request()
    kinds = ["CreateAction", "AssessAction", "ReceiveAction", "OrganizeAction", "DefinedTerm"]
    kinds += ["Person", "Organization", "SoftwareApplication"]
    crate["@graph"] += [{"@id": name, "@type": kinds, "name": "x"} for name in names]
    put("./", mentions=all_of_them, publisher=all_of_them, mainEntity=all_of_them, mentioned=all_of_them)(crate)
    put(names[0], agent=all_of_them, object=all_of_them, result=all_of_them, provider=all_of_them)(crate)
    started = time.process_time()
    found = preview_html(crate["@graph"], {})
    assert time.process_time() - started < 5  # half a second; half a minute where one list is searched for each other
    assert len(found) < 1_000_000
    assert b"9800 more" in found


def test_long_text_and_many_outputs_are_shortened_and_said() -> None:
    crate = examples.executed()
    names = [f"outputs/{number}.csv" for number in range(1_000)]
    put(RUN, result=[ref(name) for name in names])(crate)
    crate["@graph"] += [{"@id": name, "@type": "File", "name": "x" * 10_000} for name in names]
    found = preview_html(crate["@graph"], {})
    assert len(found) < 400_000
    assert b"800 more outputs" in found
