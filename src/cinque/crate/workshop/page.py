"""A profile as a page for people: every rule, how binding, at which stages, what it demands, why, and what breaks it.

Markdown for documentation that is built elsewhere, HTML that needs nothing beside it. A profile's own text is a
stranger's: it can set words in `code` and *emphasis*, and nothing else.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from cinque.crate.profiles import LEVELS, Profile, Rule
from cinque.crate.profiles.examples import FOLDER, Mutant, mutants
from cinque.crate.workshop.words import demanded, stages

_INLINE = re.compile(r"(``? ?[^`]+ ?``?|\*[^*\s][^*]*\*)")
_KEYWORDS = "MUST, SHOULD and MAY are meant as in RFC 2119."


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (level 1 to 3), a paragraph (0), a list (4) or a table (5) whose first row is its head."""

    kind: int
    rows: tuple[tuple[str, ...], ...]


def markdown(profile: Profile) -> str:
    """The page in Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks(profile)) + "\n"


def html_page(profile: Profile) -> bytes:
    """The page as one HTML document, without script or anything to fetch."""
    body = "\n".join(_html(block) for block in blocks(profile))
    title = html.escape(profile.name)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>\n{_style()}</style></head><body><main>\n'
        f"{body}\n</main></body></html>\n"
    ).encode()


@cache
def _style() -> str:
    return (resources.files("cinque.crate") / "pages" / "profile.css").read_text("utf-8")


# ------------------------------------------------------------------------------------------------------- what it says


def blocks(profile: Profile) -> Iterator[Block]:
    """The page, part by part."""
    yield _heading(1, profile.name)
    yield _paragraph(" ".join(_identity(profile)))
    for part in re.split(r"\n\s*\n", str(profile.head.get("about", "")).strip()):
        if part:
            yield _paragraph(part)
    yield _paragraph(_KEYWORDS)
    yield _heading(2, "Rules")
    broken = mutants(profile.place) if profile.place is not None else ()
    for rule in profile.own:
        yield from _rule(profile, rule, [mutant for mutant in broken if mutant.rule == rule.id])
    if profile.tightened:
        yield _heading(2, "What binds more here")
        held = {rule.id: rule.level.upper() for rule in profile.rules}
        yield _table(
            ("Rule", "Was", "Is", "Why"),
            [(f"`{name}`", was.upper(), held[name], why) for name, (was, why) in profile.tightened.items()],
        )
    if profile.off:
        yield _heading(2, "What is switched off")
        yield _table(("Rule", "Why"), [(f"`{name}`", why) for name, why in profile.off.items()])
    if profile.unruled:
        yield _heading(2, "What no rule tests")
        yield _table(("What is demanded", "Why no rule tests it"), list(profile.unruled.items()))
    yield from _inherited(profile)


def _identity(profile: Profile) -> Iterator[str]:
    yield f"Profile `{profile.id}`."
    if profile.bases:
        yield f"Builds on {', '.join(f'{base.name} (`{base.id}`)' for base in profile.bases)}."
    if profile.draft:
        yield "A draft, which may change."


def _rule(profile: Profile, rule: Rule, broken: Sequence[Mutant]) -> Iterator[Block]:
    yield _heading(3, f"{rule.id}: {rule.level.upper()}")
    rows = [
        ("Demanded", demanded(profile, rule)),
        ("Stages", stages(profile, rule)),
        ("When broken", rule.message.replace("{value}", "…")),
        ("What to do", rule.remedy),
    ]
    if "rationale" in rule.source:
        rows.append(("Why", rule.source["rationale"]))
    if "source" in rule.source:
        rows.append(("Source", f"`{rule.source['source']}`"))
    if broken:
        first = broken[0]
        rows += [("Passes", f"`{FOLDER}/{first.of}.json`"), ("Breaks it", f"the same, where {changed(first)}")]
    yield Block(4, tuple(rows))


def _inherited(profile: Profile) -> Iterator[Block]:
    own = {rule.id for rule in profile.own}
    inherited = [rule for rule in profile.rules if rule.id not in own]
    if not inherited:
        return
    yield _heading(2, "What it inherits")
    yield _paragraph(
        "A crate that conforms to this profile conforms to what lies under it, but for what is switched off above. "
        "`cinque profile docs ID` prints the page of each."
    )
    rows = [
        (f"`{rule.id}`", level.upper(), stages(profile, rule), rule.message.replace("{value}", "…"))
        for level in LEVELS
        for rule in inherited
        if rule.level == level
    ]
    yield _table(("Rule", "Level", "Stages", "What is said when it is broken"), rows)


def changed(mutant: Mutant) -> str:
    """What a mutant changes, in words."""
    said = [f"`{name}` is not there" for name in mutant.lose]
    said += [f"`{name}` has no {_listed(properties)}" for name, properties in mutant.drop.items()]
    for name, lists in mutant.unlink.items():
        said += [f"`{each}` of `{name}` does not refer to {_listed(targets)}" for each, targets in lists.items()]
    for name, values in mutant.set.items():
        said += [f"`{each}` of `{name}` is {_json(value)}" for each, value in values.items()]
    said += [f"there is also `{entity.get('@id', '')}`" for entity in mutant.add]
    said += [f"`{key}` of the document is {_json(value)}" for key, value in mutant.document.items()]
    said += [f"the file `{name}` is not in the bag" for name in mutant.remove]
    said += [f"the file `{name}` of the bag says something else" for name in mutant.files]
    return "; ".join(said)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False).replace("`", "'")
    return f"`{text if len(text) <= 160 else text[:159] + '…'}`"


def _heading(level: int, text: str) -> Block:
    return Block(level, ((text,),))


def _paragraph(text: str) -> Block:
    return Block(0, ((" ".join(text.split()),),))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Block:
    return Block(5, (head, *rows))


# ------------------------------------------------------------------------------------------------------- how


def _markdown(block: Block) -> str:
    if block.kind == 5:
        head, *rows = [[_plain(cell).replace("|", "\\|") for cell in row] for row in block.rows]
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    if block.kind == 4:
        return "\n".join(f"- {label}: {_plain(text)}" for label, text in block.rows)
    return f"{'#' * block.kind} {_plain(block.rows[0][0])}".strip()


def _plain(text: str) -> str:
    """Markdown that sets code and emphasis, and nothing else."""
    pieces = _INLINE.split(" ".join(text.split()))
    pieces[::2] = [re.sub(r"([\\<\[\]#_*`])", r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def _html(block: Block) -> str:
    if block.kind == 5:
        head, *rows = block.rows
        names = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in head)
        body = "\n".join(f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>" for row in rows)
        return f'<div class="wide"><table><thead><tr>{names}</tr></thead><tbody>\n{body}\n</tbody></table></div>'
    if block.kind == 4:
        rows_of = "\n".join(f"<dt>{_inline(label)}</dt><dd>{_inline(text)}</dd>" for label, text in block.rows)
        return f"<dl>\n{rows_of}\n</dl>"
    name = f"h{block.kind}" if block.kind else "p"
    return f"<{name}>{_inline(block.rows[0][0])}</{name}>"


def _inline(text: str) -> str:
    pieces = _INLINE.split(" ".join(text.split()))
    for place, piece in enumerate(pieces):
        if place % 2 == 0:
            pieces[place] = html.escape(piece)
        elif piece[0] == "*":
            pieces[place] = f"<em>{html.escape(piece.strip('*'))}</em>"
        else:
            pieces[place] = f"<code>{html.escape(piece.strip('`'))}</code>"
    return "".join(pieces)
