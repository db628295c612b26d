"""Spark: shards as tasks, and data frames of curves by `mapInArrow`. Needs Java 17 or later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from curveclinic.engines.shards import Done, Work, lost, tried
from curveclinic.errors import MissingExtraError
from curveclinic.labels import MetricGoal

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

JOB_SHARDS = 16
"""Shards of one job, for each task that runs at a time: all are busy, and progress is told after each job."""


def run(texts: Sequence[str], work: Work, address: str | None = None) -> Iterator[Done]:
    """Yields what became of each shard, in any order.

    Args:
        texts: shards as `shards.to_text` writes them.
        work: what is done with each.
        address: master, as in `SparkSession.builder.master`; None takes the session that runs, or starts one here.

    Raises:
        MissingExtraError: pyspark is not installed.
    """

    context = _session(address).sparkContext
    size = JOB_SHARDS * context.defaultParallelism
    for first in range(0, len(texts), size):
        yield from _job(context, texts[first : first + size], work)


def _job(context: Any, texts: Sequence[str], work: Work) -> list[Done]:
    """Does shards as one job; one that Spark gives up, as when a worker was killed, is done again by halves."""
    try:
        done = context.parallelize(texts, len(texts)).map(partial(tried, work)).collect()
        return [Done(**one) for one in done]
    except Exception as error:
        if context._jsc is None or context._jsc.sc().isStopped():
            raise
        if len(texts) == 1:
            return [lost(texts[0], f"given up by Spark: {_first_line(error)}")]
    middle = len(texts) // 2
    return [*_job(context, texts[:middle], work), *_job(context, texts[middle:], work)]


def _first_line(error: Exception) -> str:
    java = getattr(error, "java_exception", None)
    return str(java.getMessage() if java is not None else error).partition("\n")[0]


def score_dataframe(
    df: DataFrame, *, num_classes: int | None = None, metric_goal: MetricGoal | None = None, fast: bool = False
) -> DataFrame:
    """Returns the rows of a data frame of curves, one run a row; the rest is as in `scoring.score_table`.

    Raises:
        MissingExtraError: pyspark is not installed.
    """
    _spark()
    from pyspark.sql.pandas.types import from_arrow_schema

    from curveclinic.writers import schema

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        from curveclinic.scoring import score_table

        for batch in batches:
            curves = pa.Table.from_batches([batch])
            rows = score_table(curves, num_classes=num_classes, metric_goal=metric_goal, fast=fast)
            yield from rows.to_batches()

    return df.mapInArrow(score, from_arrow_schema(schema()))


def _session(address: str | None) -> SparkSession:
    builder = _spark().builder.appName("curveclinic").config("spark.ui.showConsoleProgress", "false")
    session: SparkSession = (builder.master(address) if address else builder).getOrCreate()
    return session


def _spark() -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError("pyspark", "spark", "a scan on Spark") from error
    return SparkSession
