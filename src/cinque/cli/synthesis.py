"""`cinque meta`: one effect from the estimates of several TREs. Arithmetic on what was released: nothing is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cinque.cli.terminal import Home, Json, emit, home_of, say, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = (".svg", ".png", ".pdf")


def meta(
    ctx: typer.Context,
    id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A request whose answer has the TREs' own estimates.")
    ] = None,
    effects: Annotated[str, typer.Option(metavar="NUMBERS", help="Effects, with commas between.")] = "",
    ses: Annotated[str, typer.Option(metavar="NUMBERS", help="Their standard errors, with commas between.")] = "",
    names: Annotated[str, typer.Option(metavar="NAMES", help="Whose effects they are, with commas between.")] = "",
    term: Annotated[str, typer.Option(help="Of an answer: the term, or group, whose effect is meant.")] = "",
    measure: Annotated[
        str, typer.Option(metavar="M", help="Of an answer that is a table of two by two: or, rr or rd.")
    ] = "",
    method: Annotated[str, typer.Option(help="fixed, dl, reml, ml or pm.")] = "reml",
    hartung_knapp: Annotated[bool, typer.Option("--hartung-knapp", help="Hartung and Knapp's interval.")] = False,
    leave_one_out: Annotated[bool, typer.Option("--leave-one-out", help="Also without each TRE in turn.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A forest plot: a new .svg, .png or .pdf file.")
    ] = None,
    ratios: Annotated[bool, typer.Option("--ratios", help="The effects are logarithms: draw ratios.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """One effect from the estimates of several TREs, with what differs between them."""
    from cinque.client.synthesis import synthesise

    if id is not None:
        from cinque.cli.requests import opened

        with opened(ctx, home_of(ctx, home)) as client:
            answer = client.request(id).answer(0.0)
        found = synthesise(answer, term=term, measure=measure, method=method, hartung_knapp=hartung_knapp)
    else:
        found = synthesise(
            _numbers(effects),
            _numbers(ses),
            names=_words(names) or None,
            term=term,
            method=method,
            hartung_knapp=hartung_knapp,
        )
    others = found.leave_one_out() if leave_one_out else {}
    if plot is not None:
        drawn(found.plot(exponentiate=ratios), plot)
    if json:
        left = {
            name: {"estimate": one.estimate, "se": one.se, "ci": one.ci, "I2": one.I2} for name, one in others.items()
        }
        emit(found.to_dict() | ({"leave_one_out": left} if left else {}))
        return
    show(found)
    if others:
        from cinque.cli.terminal import listing

        rows = [(n, f"{o.estimate:.4g}", f"{o.ci[0]:.4g} to {o.ci[1]:.4g}", f"{o.I2:.1f}") for n, o in others.items()]
        show(listing(("without", "estimate", "95 % interval", "I2, %"), rows))
    if plot is not None:
        say(f"Drawn: {plot}")


def drawn(figure: Figure, path: Path) -> None:
    """Write a picture. Raises Refused for a suffix that tells no form of picture."""
    from cinque.errors import Refused

    if path.suffix.lower() not in PICTURES:
        raise Refused("picture-form", f"`{path.name}` tells no form of picture.", remedy=f"End it in {PICTURES[0]}.")
    figure.savefig(path)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")] if text.strip() else []


def _numbers(text: str) -> list[float]:
    from cinque.errors import Refused

    try:
        return [float(word) for word in _words(text)]
    except ValueError:
        raise Refused(
            "meta-input",
            f"`{text}` is not numbers with commas between.",
            remedy="Write them as in `--effects=-0.2,0.5,0.1 --ses 0.1,0.2,0.1`.",
        ) from None
