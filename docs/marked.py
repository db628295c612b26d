"""Blocks between `<!-- name -->` and `<!-- /name -->`, which scripts fill and tests compare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


def block(text: str, name: str) -> str:
    """Returns what stands between the markers of a name.

    Raises:
        ValueError: the markers are not there exactly once.
    """
    return _block(text, name).group("content").removesuffix("\n")


def fill(path: Path, blocks: Mapping[str, str]) -> None:
    """Writes new blocks into a file."""
    text = path.read_text(encoding="utf-8")
    for name, content in blocks.items():
        found = _block(text, name)
        text = f"{text[: found.start('content')]}{content}\n{text[found.end('content') :]}"
    path.write_text(text, encoding="utf-8")
    print(f"filled {', '.join(blocks)} of {path.name}")


def _block(text: str, name: str) -> re.Match[str]:
    marked = rf"^<!-- {re.escape(name)} -->\n(?P<content>.*?)^<!-- /{re.escape(name)} -->$"
    found = list(re.finditer(marked, text, re.DOTALL | re.MULTILINE))
    if len(found) != 1:
        raise ValueError(f"found {len(found)} blocks <!-- {name} -->, expected one")
    return found[0]
