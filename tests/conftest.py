"""Fixtures that several test modules ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Works in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread for torch: threads of tiny matrices wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def arrow_peak() -> Iterator[Callable[[], int]]:
    """Returns a function that tells the most bytes Arrow has held in tests that ask for it."""
    usual, own = pa.default_memory_pool(), pa.system_memory_pool()
    pa.set_memory_pool(own)
    yield own.max_memory
    pa.set_memory_pool(usual)
