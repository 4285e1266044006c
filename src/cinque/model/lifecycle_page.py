"""The life cycle as a page: its diagram and who may do what, printed from the table and from nothing else."""

from __future__ import annotations

from cinque.model.lifecycle import FINAL, TABLE, Role, State, Transition


def page() -> str:
    """Markdown: the diagram, then the table."""
    final = ", ".join(state for state in State if state in FINAL)
    return (
        "# The life cycle of a task\n\n"
        "A task is one question at one TRE. Hub, gate and enclave step through the same table, and each takes only its "
        f"own steps. These states are ends: {final}.\n\n"
        f"```mermaid\n{mermaid()}```\n\n"
        "## Who may do what\n\n"
        "*Four eyes*: whoever asked may not take the step.\n\n"
        f"{who_may()}"
    )


def mermaid() -> str:
    """A Mermaid state diagram. Steps from one state to another that several rows take stand on one arrow."""
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{state}" as {_name(state)}' for state in State if " " in state]
    lines += [f"    [*] --> {_name(State.OFFERED)}"]
    arrows: dict[tuple[State, State], list[str]] = {}
    for row in TABLE:
        arrows.setdefault((row.source, row.target), []).append(row.step)
    lines += [f"    {_name(a)} --> {_name(b)}: {', '.join(steps)}" for (a, b), steps in arrows.items()]
    lines += [f"    {_name(state)} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines) + "\n"


def who_may() -> str:
    """A Markdown table: each step of each state, where it leads, and the roles that may take it."""
    roles = tuple(Role)
    head = ["From", "Step", "To", *(role.capitalize() for role in roles), "Four eyes"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in sorted(TABLE, key=_order):
        marks = ["yes" if role in row.by else "" for role in roles]
        lines.append(_line([row.source, row.step, row.target, *marks, "yes" if row.four_eyes else ""]))
    return "\n".join(lines) + "\n"


def _order(row: Transition) -> int:
    return tuple(State).index(row.source)


def _name(state: State) -> str:
    return state.replace(" ", "_").replace("-", "_")


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
