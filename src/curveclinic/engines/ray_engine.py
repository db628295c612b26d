"""Ray Data: shards by a pool of actors, and datasets of curves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from curveclinic.engines.shards import Done, Work
from curveclinic.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Dataset

_RESTARTS = 3
"""Times a killed actor is started anew for one shard; then the shard is given up, and the scan goes on."""


class _Worker:
    """Does shards, one a call; a fault of one is told, for an actor that raises may hang its pool."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        done = [asdict(_done(self._work, str(text))) for text in batch["shard"]]
        return {name: [one[name] for one in done] for name in done[0]}


def _done(work: Work, text: str) -> Done:
    try:
        return work(text)
    except Exception as error:
        return Done(json.loads(text)["name"], 0, f"{type(error).__name__}: {error}")


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
        ray.init(address, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().max_errored_blocks = -1
    dataset = ray.data.from_items([{"shard": text} for text in texts], override_num_blocks=len(texts))
    tries = {"max_restarts": _RESTARTS, "max_task_retries": _RESTARTS}
    found = dataset.map_batches(_Worker, fn_constructor_args=(work,), batch_size=1, **tries, **_pool(ray))
    left = {json.loads(text)["name"] for text in texts}
    for row in found.iter_rows():
        left.discard(row["name"])
        yield Done(row["name"], row["rows"], row["lost"])
    for name in sorted(left):  # Ray leaves out what it gave up
        yield Done(name, 0, "killed by the system, or its node went away")


def score_dataset(dataset: Dataset, **options: Any) -> Dataset:
    """Returns the rows of a dataset of curves, one run a row: see `scoring.score_table`, which takes the options."""
    from curveclinic.scoring import score_table

    def score(curves: pa.Table) -> pa.Table:
        return score_table(curves, **options)

    return dataset.map_batches(score, batch_format="pyarrow", batch_size=4096)


def _pool(ray: Any) -> dict[str, Any]:
    """One actor a CPU, but for one that stays free: Ray's own tasks need it, or nothing moves (ray#44687)."""
    cpus = int(ray.cluster_resources().get("CPU", 1))
    size = max(1, cpus - 1)
    return {"compute": ray.data.ActorPoolStrategy(min_size=1, max_size=size), "num_cpus": 1 if cpus > 2 else 0.5}


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("ray", "ray", "a scan on Ray") from error
    return ray
