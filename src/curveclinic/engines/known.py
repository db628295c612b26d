"""The engines there are, each in a module that is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from curveclinic.engines.shards import Done, Work

Engine: TypeAlias = "Callable[[Sequence[str], Work, str | None], Iterator[Done]]"
"""(texts of shards, what to do with each, address of the cluster) -> what became of them, in any order."""

ENGINES: Final = {"ray": "ray_engine", "spark": "spark_engine"}
"""Name -> module."""


def load_engine(name: str) -> Engine:
    """Returns the function that does shards on an engine."""
    module: Any = import_module(f"curveclinic.engines.{ENGINES[name]}")
    run: Engine = module.run
    return run
