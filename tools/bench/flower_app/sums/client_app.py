"""What a node gives of its own rows: the sums of a mean, or of one round of Fisher scoring."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from pyarrow import parquet

COVARIATES = [f"x{i}" for i in range(10)]
AT_ONCE = 131_072  # rows: a whole row group of the file, so that nothing is cut or copied twice

app = ClientApp()


@app.query("mean")
def mean(message: Message, context: Context) -> Message:
    """n, mean and M2 (the sum of squared deviations from the mean) of x0."""
    x = parquet.read_table(_rows(context), columns=["x0"])["x0"].to_numpy()
    middle = x.mean()
    deviations = x - middle
    return _reply(message, n=len(x), mean=float(middle), m2=float(deviations @ deviations))


@app.query("scoring")
def scoring(message: Message, context: Context) -> Message:
    """X'WX, the score and the deviance at the coefficients that came; without any, at R's starting means."""
    beta = np.array(message.content["step"]["beta"])
    size = 1 + len(COVARIATES)
    information, score, deviance = np.zeros((size, size)), np.zeros(size), 0.0
    for x, y in _batches(_rows(context)):
        if beta.size:
            mu = 1 / (1 + np.exp(-(beta @ x)))
            weight = mu * (1 - mu)
            information += (x * weight) @ x.T
            score += x @ (y - mu)
            deviance -= 2 * float(np.log(np.abs(~y - mu)).sum())
        else:  # mu = (y + 1/2) / 2: 3/4 or 1/4, whose weight is 3/16; the score is then that of z = eta + (y - mu) / W
            mu = np.where(y, 0.75, 0.25)
            information += 0.1875 * (x @ x.T)
            score += x @ (0.1875 * np.log(mu / (1 - mu)) + y - mu)
    return _reply(message, information=information.ravel().tolist(), score=score.tolist(), deviance=deviance)


def _batches(rows: Path) -> Iterator[tuple[Any, Any]]:
    """The design, a row a term, and the response."""
    table = parquet.read_table(rows, columns=[*COVARIATES, "y"], use_threads=False)
    for batch in table.to_batches(max_chunksize=AT_ONCE):
        x = np.empty((1 + len(COVARIATES), batch.num_rows))
        x[0] = 1
        for place, name in enumerate(COVARIATES, start=1):
            x[place] = batch.column(name).to_numpy()
        yield x, batch.column("y").to_numpy(zero_copy_only=False)


def _rows(context: Context) -> Path:
    return Path(str(context.node_config["folder"])) / str(context.run_config["rows"])


def _reply(message: Message, **sums: Any) -> Message:
    return Message(RecordDict({"sums": MetricRecord(sums)}), reply_to=message)
