"""Ray: shards as tasks, and datasets of curves by Ray Data.

Shards are tasks and not blocks of a dataset: an actor that is killed leaves a pool of Ray Data waiting for ever
(ray#62746), a killed task is an error that can be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from curveclinic.engines.shards import Done, Work, lost, tried
from curveclinic.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Dataset

_RETRIES = 3
"""Times a shard whose worker was killed is tried again; then it is given up, and the scan goes on."""

_QUEUED = 4
"""Shards handed to Ray for each CPU: no CPU waits for the next, and a million shards are no burden."""


def run(texts: Sequence[str], work: Work, address: str | None = None) -> Iterator[Done]:
    """Yields what became of each shard, in any order.

    Args:
        texts: shards as `shards.to_text` writes them.
        work: what is done with each.
        address: of a cluster, as in `ray.init`; None joins one that runs already or starts one here.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    ray = _ray()
    if not ray.is_initialized():
        ray.init(address, include_dashboard=None if address else False, log_to_driver=False)
    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(tried)
    everywhere, left = ray.put(work), iter(texts)
    waiting: dict[Any, str] = {}
    while True:
        free = _QUEUED * int(ray.cluster_resources().get("CPU", 1)) - len(waiting)
        waiting |= {task.remote(everywhere, text): text for text in islice(left, free)}
        if not waiting:
            return
        for done in ray.wait(list(waiting), num_returns=1)[0]:
            yield _told(ray, done, waiting.pop(done))


def _told(ray: Any, done: Any, text: str) -> Done:
    """Returns what became of a task that ended, also if it could not tell itself."""
    try:
        return Done(**ray.get(done))
    except ray.exceptions.RayError as error:
        reason = str(error).partition("\n")[0]
        return lost(text, f"given up by Ray: {type(error).__name__}: {reason}")


def score_dataset(dataset: Dataset, **options: Any) -> Dataset:
    """Returns the rows of a dataset of curves, one run a row: see `scoring.score_table`, which takes the options."""
    from curveclinic.scoring import score_table

    def score(curves: pa.Table) -> pa.Table:
        return score_table(curves, **options)

    return dataset.map_batches(score, batch_format="pyarrow", batch_size=4096)


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("ray", "ray", "a scan on Ray") from error
    return ray
