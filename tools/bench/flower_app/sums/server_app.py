"""Adds up what the nodes give, takes the steps, and writes the answer with the seconds it took."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid, ServerApp

EPSILON, MOST_ROUNDS = 1e-8, 25  # R's glm.control
PAUSE = 0.05  # seconds between looks for replies; Grid.send_and_receive pauses for 3

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Asks the one question of the run. Writes why, and raises, when there is no answer."""
    started = time.perf_counter()
    config = context.run_config
    answer: dict[str, Any] = {}
    try:
        while len(nodes := list(grid.get_node_ids())) < int(config["nodes"]):
            time.sleep(PAUSE)
        answer = {"mean": mean, "logistic": logistic}[str(config["question"])](grid, nodes)
    except Exception as failure:
        answer["failed"] = str(failure)
        raise
    finally:
        answer["seconds"] = time.perf_counter() - started
        write(Path(str(config["result"])), answer)


def write(result: Path, answer: dict[str, Any]) -> None:
    """The answer, whole or not at all."""
    being_written = result.with_suffix(".part")
    being_written.write_text(json.dumps(answer), "utf-8")
    being_written.replace(result)


def mean(grid: Grid, nodes: list[int]) -> dict[str, Any]:
    """Mean and sample variance by exact merging (Chan, Golub and LeVeque)."""
    n, middle, m2 = 0, 0.0, 0.0
    for sums in ask(grid, nodes, "query.mean", {"of": 0}):
        more, apart = int(sums["n"]), float(sums["mean"]) - middle
        m2 += float(sums["m2"]) + apart * apart * n * more / (n + more)
        middle += apart * more / (n + more)
        n += more
    return {"n": n, "mean": middle, "variance": m2 / (n - 1), "rounds": 1}


def logistic(grid: Grid, nodes: list[int]) -> dict[str, Any]:
    """Coefficients by Fisher scoring; stops, as R does, when the deviance changes by less than EPSILON of itself."""
    beta: list[float] = []
    before = float("inf")
    for done in range(1, MOST_ROUNDS + 1):
        replies = ask(grid, nodes, "query.scoring", {"beta": beta})
        deviance = sum(float(sums["deviance"]) for sums in replies)
        if beta and abs(deviance - before) / (abs(deviance) + 0.1) < EPSILON:
            return {"coefficients": beta, "deviance": deviance, "rounds": done}
        before = deviance if beta else before
        score = sum(np.array(sums["score"]) for sums in replies)
        information = sum(np.array(sums["information"]) for sums in replies).reshape(len(score), len(score))
        beta = (np.linalg.solve(information, score) + (np.array(beta) if beta else 0.0)).tolist()
    raise RuntimeError("The fit did not converge.")


def ask(grid: Grid, nodes: list[int], kind: str, step: dict[str, Any]) -> list[Any]:
    """The sums of every node for one round, in the order of the nodes."""
    content = RecordDict({"step": MetricRecord(step)})
    messages = [Message(content, dst_node_id=node, message_type=kind) for node in nodes]
    waited = set(grid.push_messages(messages))
    found: dict[int, Any] = {}
    while waited:
        for reply in grid.pull_messages(waited):
            if reply.has_error():
                raise RuntimeError(f"A node failed: {reply.error.reason}")
            waited.discard(reply.metadata.reply_to_message_id)
            found[reply.metadata.src_node_id] = reply.content["sums"]
        if waited:
            time.sleep(PAUSE)
    return [found[node] for node in nodes]
