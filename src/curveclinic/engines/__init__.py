"""Scans on a cluster: Ray or Spark instead of local processes.

Each engine is two functions in a module of its own. `run` does shards of an archive anywhere (`shards.py` makes them
and says what one worker does with one of them; `archive.py` puts them together); the other scores a table the engine
holds already: `ray_engine.score_dataset`, `spark_engine.score_dataframe`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final, TypeAlias

from curveclinic.engines.shards import Done, Task

Engine: TypeAlias = "Callable[[Sequence[str], Task, str | None], Iterator[Done]]"
"""(texts of shards, what to do with one, address of the cluster) -> what became of them, in any order."""

ENGINES: Final = {"ray": "ray_engine", "spark": "spark_engine"}
"""Name -> module, loaded when it is asked for."""


def load_engine(name: str) -> Engine:
    """Returns the function that does shards on an engine."""
    module: Any = import_module(f"curveclinic.engines.{ENGINES[name]}")
    run: Engine = module.run
    return run
